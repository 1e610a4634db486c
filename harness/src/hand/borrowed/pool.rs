//! Owns which address an engine gives to whoever comes next on a network. Refuses to ask the engine.
//!
//! An engine's own allocator (libnetwork's `default`, on bridges) gives the lowest address of the network's range that is free;
//! the subnet's first and last address are nobody's. Docker 20.10 does so, and so do later ones.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// The addresses of a network, and which of them are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    first: u32,
    last: u32,
    used: BTreeSet<Ipv4Addr>,
}

impl Pool {
    /// Of a subnet, and a range of it where its owner chose one, both as `a.b.c.d/n`; `None` where they are not IPv4.
    pub fn new(subnet: &str, range: Option<&str>, used: BTreeSet<Ipv4Addr>) -> Option<Self> {
        let (base, end) = bounds(subnet)?;
        let (first, last) = range.and_then(bounds).unwrap_or((base, end));
        Some(Self { first: first.max(base.checked_add(1)?), last: last.min(end.checked_sub(1)?), used })
    }

    /// The address that comes next; `None` where all are taken.
    pub fn lowest_free(&self) -> Option<Ipv4Addr> {
        (self.first..=self.last).map(Ipv4Addr::from_bits).find(|address| !self.used.contains(address))
    }
}

/// The first and the last address of `a.b.c.d/n`.
fn bounds(text: &str) -> Option<(u32, u32)> {
    let (address, bits) = text.split_once('/')?;
    let (address, bits): (Ipv4Addr, u32) = (address.parse().ok()?, bits.parse().ok()?);
    let rest = if bits > 32 { return None } else { u32::MAX.checked_shr(bits).unwrap_or(0) };
    let base = address.to_bits() & !rest;
    Some((base, base | rest))
}

/// The address in `a.b.c.d` or `a.b.c.d/n`.
pub fn address(text: &str) -> Option<Ipv4Addr> {
    text.split('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lowest(subnet: &str, range: Option<&str>, used: &[&str]) -> Option<String> {
        let used = used.iter().filter_map(|text| address(text)).collect();
        Pool::new(subnet, range, used)?.lowest_free().map(|free| free.to_string())
    }

    #[test]
    fn the_lowest_free_address_comes_next_and_never_the_first_or_the_last() {
        assert_eq!(lowest("172.18.0.0/16", None, &[]).as_deref(), Some("172.18.0.1"));
        let used = ["172.18.0.1", "172.18.0.2/16", "172.18.0.4/16"];
        assert_eq!(lowest("172.18.0.0/16", None, &used).as_deref(), Some("172.18.0.3"));
        assert_eq!(lowest("10.1.1.0/30", None, &["10.1.1.1"]).as_deref(), Some("10.1.1.2"));
        assert_eq!(lowest("10.1.1.0/30", None, &["10.1.1.1", "10.1.1.2"]), None);
    }

    #[test]
    fn a_range_of_its_owner_is_kept_to() {
        assert_eq!(lowest("10.1.0.0/16", Some("10.1.5.0/24"), &[]).as_deref(), Some("10.1.5.0"));
        assert_eq!(lowest("10.1.0.0/16", Some("10.1.0.0/24"), &["10.1.0.1"]).as_deref(), Some("10.1.0.2"));
        assert_eq!(lowest("fd00::/64", None, &[]), None);
        assert_eq!(lowest("10.1.0.0/33", None, &[]), None);
    }
}
