//! Owns the choice of addresses: one block for each run out of a range that belongs to no real network, one subnet for
//! each zone in it, one fixed address for each host. Refuses to know engines.
//!
//! The range is 198.18.0.0/15, reserved for benchmarks of network devices (RFC 2544, RFC 6890).

use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

const RANGE: u32 = u32::from_be_bytes([198, 18, 0, 0]);
const RANGE_BITS: u32 = 17;
/// Of runs that need addresses of the machine's own loopback: every one of 127.0.0.0/8 is there already.
const LOOPBACK: u32 = u32::from_be_bytes([127, 64, 0, 0]);
const LOOPBACK_BITS: u32 = 22;
/// Addresses of a subnet that are no host's: network, bridge, broadcast, and room.
const RESERVED: u32 = 8;
/// The first host's place in its subnet.
const FIRST_HOST: u32 = 4;

/// Subnets of one run: the witness's first, then one for each zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    base: u32,
    /// Addresses of each subnet, as a power of two.
    subnet_bits: u32,
}

impl Block {
    /// The block number `number` for `subnets` subnets with at most `hosts` hosts each; numbers wrap around. `None` where
    /// no block of the range is large enough.
    pub fn new(number: u64, subnets: usize, hosts: usize) -> Option<Self> {
        Self::within(RANGE, RANGE_BITS, number, subnets, hosts)
    }

    /// The same out of the addresses of the machine's own loopback.
    pub fn on_loopback(number: u64, subnets: usize, hosts: usize) -> Option<Self> {
        Self::within(LOOPBACK, LOOPBACK_BITS, number, subnets, hosts)
    }

    fn within(range: u32, range_bits: u32, number: u64, subnets: usize, hosts: usize) -> Option<Self> {
        let hosts = u32::try_from(hosts).ok()?.checked_add(RESERVED)?;
        let subnet_bits = hosts.checked_next_power_of_two()?.trailing_zeros().max(5);
        let subnets = u32::try_from(subnets).ok()?.checked_next_power_of_two()?;
        let block_bits = subnet_bits + subnets.trailing_zeros();
        let blocks = 1_u64.checked_shl(range_bits.checked_sub(block_bits)?)?;
        let index = u32::try_from(number % blocks).ok()?;
        Some(Self { base: range + (index << block_bits), subnet_bits })
    }

    fn subnet_base(&self, subnet: usize) -> u32 {
        // A block was made for its subnets: the number is small.
        self.base + ((u32::try_from(subnet).unwrap_or_default()) << self.subnet_bits)
    }

    /// Bits of an address that are its subnet's.
    pub fn prefix(&self) -> u8 {
        // At most thirty-two.
        u8::try_from(32 - self.subnet_bits).unwrap_or_default()
    }

    /// `a.b.c.d/n`.
    pub fn subnet(&self, subnet: usize) -> String {
        format!("{}/{}", Ipv4Addr::from_bits(self.subnet_base(subnet)), self.prefix())
    }

    /// The whole block as one subnet, for engines where zones share a bridge.
    pub fn whole(&self, subnets: usize) -> String {
        let bits = self.subnet_bits + subnets.next_power_of_two().trailing_zeros();
        format!("{}/{}", Ipv4Addr::from_bits(self.base), 32 - bits)
    }

    /// The bridge's address.
    pub fn gateway(&self, subnet: usize) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.subnet_base(subnet) + 1)
    }

    /// The address of a subnet's host.
    pub fn host(&self, subnet: usize, host: usize) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.subnet_base(subnet) + FIRST_HOST + u32::try_from(host).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn hosts_of_a_run_have_distinct_addresses_inside_the_range() {
        for (subnets, hosts) in [(4, 3), (4, 22), (4, 250), (7, 300), (11, 1000)] {
            for number in [0, 1, 77, u64::MAX] {
                let block = Block::new(number, subnets, hosts).expect("the range is large enough");
                let addresses: BTreeSet<Ipv4Addr> =
                    (0..subnets).flat_map(|s| (0..hosts).map(move |h| (s, h))).map(|(s, h)| block.host(s, h)).collect();
                assert_eq!(addresses.len(), subnets * hosts);
                assert!(addresses.iter().all(|address| address.octets()[0] == 198 && address.octets()[1] & 0xfe == 18));
            }
        }
        assert_eq!(Block::new(0, 4, 1_000_000), None);
    }

    #[test]
    fn hosts_on_the_loopback_are_on_the_loopback() {
        for number in [0, 1, u64::MAX] {
            let block = Block::on_loopback(number, 4, 22).expect("the range is large enough");
            let addresses: BTreeSet<Ipv4Addr> = (0..4)
                .flat_map(|subnet| (0..22).map(move |host| (subnet, host)))
                .map(|(s, h)| block.host(s, h))
                .collect();
            assert!(addresses.len() == 88 && addresses.iter().all(Ipv4Addr::is_loopback));
        }
    }
}
