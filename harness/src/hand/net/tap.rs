//! Owns the look at calls where packets pass: the kernel's logs of packets (`NFLOG` over netlink,
//! `linux/netfilter/nfnetlink_log.h`), from which follow who began a connection with whom, and what name servers answered.
//! Refuses to know who has which address, and to change anything.
//!
//! Nobody reads until somebody asks: the kernel keeps what comes, as far as the buffer holds it, and says when it did not.

use super::super::protocol::{Answered, Called, Tapped};
use super::nfnl::{self, FLAG_ACK, HEADER, HEADERS};
use super::queue::{ask, open};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// `NFNL_SUBSYS_ULOG`, in the upper byte of a message's type.
const SUBSYSTEM: u16 = 4 << 8;
const MSG_PACKET: u16 = SUBSYSTEM;
const MSG_CONFIG: u16 = SUBSYSTEM | 1;
const CFG_CMD: u16 = 1;
const CFG_MODE: u16 = 2;
const CFG_BUFFER: u16 = 3;
const CFG_THRESHOLD: u16 = 5;
const BIND: u8 = 1;
const COPY_PACKET: u8 = 2;
const ATTR_PAYLOAD: u16 = 9;

/// Enough of a packet for an answer of DNS, which is one packet of at most 1,280 bytes.
const BYTES: u32 = 1_500;
/// What the kernel takes for one packet on its way to us.
const ROOM: u32 = 2_048;
/// What may wait until somebody asks, bytes: a region of some hundred instances needs a few MB a second.
const RECEIVE_BUFFER: usize = 64 << 20;
const GROUPS_TRIED: u16 = 64;
const DATAGRAM: usize = 64 << 10;

const TCP: u8 = 6;
const UDP: u8 = 17;
const DNS: u16 = 53;

/// Who looks at calls.
#[derive(Debug)]
pub(super) struct Tap {
    socket: OwnedFd,
    group: u16,
}

impl Tap {
    /// Takes a free group of logs. Its number follows from a name, so that runs rarely meet.
    pub(super) fn start(name: &str) -> Result<Self, String> {
        let wrong = |what: &'static str| move |error: Errno| format!("{what}: {error}");
        let socket = open(RECEIVE_BUFFER)?;
        let hash = name.bytes().fold(29_u16, |hash, byte| hash.wrapping_mul(31).wrapping_add(u16::from(byte)));
        for group in (0..GROUPS_TRIED).map(|step| hash.wrapping_add(step).max(1)) {
            match ask(&socket, 1, &config(group, 1, &[(CFG_CMD, &[BIND])])) {
                Ok(()) => {
                    let mode = [&BYTES.to_be_bytes()[..], &[COPY_PACKET, 0]].concat();
                    let (room, one) = (ROOM.to_be_bytes(), 1_u32.to_be_bytes());
                    let how: [(u16, &[u8]); 3] = [(CFG_MODE, &mode), (CFG_BUFFER, &room), (CFG_THRESHOLD, &one)];
                    ask(&socket, 2, &config(group, 2, &how)).map_err(wrong("packets cannot be logged whole"))?;
                    return Ok(Self { socket, group });
                }
                // Somebody has it.
                Err(Errno::BUSY | Errno::PERM) => {}
                Err(error) => return Err(format!("packets cannot be logged here (NFLOG): {error}")),
            }
        }
        Err(format!("no free group of packet logs among {GROUPS_TRIED} from {hash} on"))
    }

    pub(super) fn group(&self) -> u16 {
        self.group
    }

    /// What has come since the last time.
    pub(super) fn read(&self) -> Tapped {
        let (mut sums, mut lost) = (Sums::default(), false);
        let mut buffer = vec![0; DATAGRAM];
        loop {
            match recv(&self.socket, &mut buffer[..], RecvFlags::DONTWAIT) {
                Ok((length, _)) => packets(&buffer[..length]).into_iter().for_each(|packet| sums.add(packet)),
                Err(Errno::NOBUFS) => lost = true,
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        sums.tapped(lost)
    }
}

fn config(group: u16, sequence: u32, attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    nfnl::message(&mut out, MSG_CONFIG, FLAG_ACK, sequence, group, attributes);
    out
}

/// The packets in one datagram; what is cut off or of another kind is passed over.
fn packets(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut packets = Vec::new();
    while let Some(length) = nfnl::u32_at(bytes, 0).map(|length| length as usize) {
        if length < HEADER || length > bytes.len() {
            break;
        }
        if nfnl::u16_at(bytes, 4) == Some(MSG_PACKET) {
            packets.extend(bytes[..length].get(HEADERS..).and_then(payload));
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    packets
}

fn payload(mut attributes: &[u8]) -> Option<&[u8]> {
    while let Some(length) = nfnl::u16_at(attributes, 0).map(usize::from) {
        // The two upper bits are flags.
        if nfnl::u16_at(attributes, 2)? & 0x3fff == ATTR_PAYLOAD {
            return attributes.get(4..length);
        }
        attributes = attributes.get(length.max(4).next_multiple_of(4)..)?;
    }
    None
}

/// What packets amount to.
#[derive(Debug, Default)]
struct Sums {
    calls: BTreeMap<(Ipv4Addr, Ipv4Addr, u16), u64>,
    answers: BTreeMap<(Ipv4Addr, String), BTreeSet<Vec<String>>>,
}

impl Sums {
    /// What is no packet of ours says nothing.
    fn add(&mut self, packet: &[u8]) {
        let _other = self.take(packet);
    }

    fn take(&mut self, packet: &[u8]) -> Option<()> {
        let inner = packet.get(usize::from(packet.first()? & 0xf) * 4..)?;
        let address = |at: usize| -> Option<Ipv4Addr> {
            let bytes: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
            Some(Ipv4Addr::from(bytes))
        };
        let port = |at: usize| -> Option<u16> { Some(u16::from_be_bytes(inner.get(at..at + 2)?.try_into().ok()?)) };
        let (from, to) = (address(12)?, address(16)?);
        match *packet.get(9)? {
            TCP => *self.calls.entry((from, to, port(2)?)).or_default() += 1,
            UDP if port(2)? == DNS => *self.calls.entry((from, to, DNS)).or_default() += 1,
            UDP if port(0)? == DNS => {
                let (name, instances) = agents::runtime::answer_of(inner.get(8..)?)?;
                self.answers.entry((from, name)).or_default().insert(instances);
            }
            _ => {}
        }
        Some(())
    }

    fn tapped(self, lost: bool) -> Tapped {
        let call = |((from, to, port), count)| Called { from, to, port, count };
        let answers = self.answers.into_iter().flat_map(|((server, name), all)| {
            all.into_iter().map(move |instances| Answered { server, name: name.clone(), instances })
        });
        Tapped { calls: self.calls.into_iter().map(call).collect(), answers: answers.collect(), lost }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The head of an IPv4 packet, then what it carries.
    fn packet(protocol: u8, inner: &[u8]) -> Vec<u8> {
        let mut head = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, 198, 18, 0, 4, 198, 18, 0, 36];
        head.extend(inner);
        head
    }

    #[test]
    fn beginnings_of_connections_are_summed_up_by_their_ends() {
        let mut sums = Sums::default();
        for _ in 0..3 {
            sums.add(&packet(TCP, &[0x9c, 0x40, 0x1f, 0x40, 0, 0]));
        }
        sums.add(&packet(UDP, &[0x9c, 0x40, 0, 53, 0, 0, 0, 0]));
        sums.add(&packet(1, &[8, 0]));
        sums.add(&[0x45, 0]);
        let tapped = sums.tapped(false);
        let ends =
            |port, count| Called { from: Ipv4Addr::new(198, 18, 0, 4), to: Ipv4Addr::new(198, 18, 0, 36), port, count };
        assert_eq!(tapped.calls, [ends(53, 1), ends(8_000, 3)]);
        assert!(tapped.answers.is_empty() && !tapped.lost);
    }

    #[test]
    fn a_packet_is_read_from_a_message_like_the_kernels() {
        let mut bytes = Vec::new();
        let attributes: [(u16, &[u8]); 3] = [(1, &[8, 0, 3, 0]), (10, b"x\0"), (ATTR_PAYLOAD, b"hello")];
        nfnl::message(&mut bytes, MSG_PACKET, 0, 0, 5, &attributes);
        assert_eq!(packets(&bytes), [b"hello"]);
        for cut in 0..bytes.len() {
            assert!(packets(&bytes[..cut]).is_empty(), "cut at {cut}");
        }
    }
}
