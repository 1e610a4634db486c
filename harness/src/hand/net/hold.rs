//! Owns the thread that holds packets back: the kernel's queue hands them over, and each gets its verdict when it is
//! due, in due order. Refuses to decide which packet is due when; the [`Table`] does.

use super::nfnl::{self, Told, Verdict};
use super::queue::Shared;
use super::table::{Due, Fate, Table};
use agents::runtime::clock::mono_ns;
use fastrand::Rng;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketAddrV4, recv, send, sendto};
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::net::Ipv4Addr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

/// Bytes of packets that may be held at once: they lie in the kernel, and come in sizes up to 64 KiB.
const BYTES_MAX: usize = 128 << 20;
/// Packets read before those due are let go.
const READ_AT_ONCE: usize = 256;
/// Verdicts in one send.
const SEND_AT_ONCE: usize = 512;
/// The largest datagram of one packet, with its attributes.
const DATAGRAM: usize = 128 << 10;

/// A packet that is not due yet, ordered by when it is, then by how it came.
struct Held {
    order: (u64, u64),
    id: u32,
    bytes: usize,
    due: Due,
    /// The packet, where it is doubled.
    copy: Vec<u8>,
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Held {}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order.cmp(&other.order)
    }
}

/// What the thread owns.
pub(super) struct Holder {
    number: u16,
    shared: Arc<Shared>,
    /// Copies go out here. They take the machine's own way out, which does not lead through the queue.
    raw: OwnedFd,
    chance: Rng,
    came: u64,
    held: BinaryHeap<Reverse<Held>>,
    held_bytes: usize,
    verdicts: Vec<u8>,
    pending: usize,
    copies: Vec<Vec<u8>>,
}

impl Holder {
    pub(super) fn new(number: u16, shared: Arc<Shared>, raw: OwnedFd, seed: u64) -> Self {
        Self {
            number,
            shared,
            raw,
            chance: Rng::with_seed(seed),
            came: 0,
            held: BinaryHeap::new(),
            held_bytes: 0,
            verdicts: Vec::new(),
            pending: 0,
            copies: Vec::new(),
        }
    }

    /// Until it is stopped; then everything held is let go.
    pub(super) fn run(mut self) {
        let mut buffer = vec![0; DATAGRAM];
        while !self.shared.stopped.load(Relaxed) {
            self.wait();
            self.read(&mut buffer);
            self.release(mono_ns());
        }
        self.release(u64::MAX);
        // Where it cannot be given back now, the end of the socket does it.
        let _late = send(&self.shared.socket, &nfnl::unbind(self.number, 3), SendFlags::empty());
    }

    fn wait(&self) {
        let bound = self.held.peek().map(|Reverse(next)| {
            let left = next.due.at_ns.saturating_sub(mono_ns());
            Timespec {
                tv_sec: i64::try_from(left / 1_000_000_000).unwrap_or(i64::MAX),
                tv_nsec: (left % 1_000_000_000).cast_signed(),
            }
        });
        let mut fds = [PollFd::new(&self.shared.socket, PollFlags::IN), PollFd::new(&self.shared.wake, PollFlags::IN)];
        // A signal ends the waiting early, which does no harm.
        let _woken = poll(&mut fds, bound.as_ref());
    }

    fn read(&mut self, buffer: &mut [u8]) {
        let table = Arc::clone(&self.shared.table.lock().unwrap_or_else(PoisonError::into_inner));
        for _ in 0..READ_AT_ONCE {
            match recv(&self.shared.socket, &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((length, _)) => {
                    for told in nfnl::read(&buffer[..length]) {
                        match told {
                            Told::Packet { id, payload } => self.packet(&table, id, payload),
                            Told::Answer { errno: 0, .. } => {}
                            Told::Answer { .. } => self.overrun(),
                        }
                    }
                }
                // The kernel had more than the buffer holds: it counts them itself.
                Err(Errno::NOBUFS | Errno::INTR) => {}
                Err(_) => break,
            }
        }
    }

    fn overrun(&self) {
        self.shared.overruns.fetch_add(1, Relaxed);
    }

    fn packet(&mut self, table: &Table, id: u32, payload: &[u8]) {
        let now = mono_ns();
        let due = match table.fate(payload, now, &mut self.chance) {
            Fate::Lost => return self.verdict(id, Verdict::Drop),
            Fate::Due(due) => due,
        };
        let copy = if due.double { payload.to_vec() } else { Vec::new() };
        if due.is_now() {
            due.released(now);
            self.copies.extend(Some(copy).filter(|copy| !copy.is_empty()));
            return self.verdict(id, Verdict::Accept);
        }
        let bytes = due.bytes();
        if self.held_bytes + bytes > BYTES_MAX {
            self.overrun();
            return self.verdict(id, Verdict::Drop);
        }
        self.came += 1;
        self.held_bytes += bytes;
        self.held.push(Reverse(Held { order: (due.at_ns, self.came), id, bytes, due, copy }));
    }

    fn verdict(&mut self, id: u32, verdict: Verdict) {
        nfnl::verdict(&mut self.verdicts, self.number, id, verdict);
        self.pending += 1;
        if self.pending >= SEND_AT_ONCE {
            self.send();
        }
    }

    fn send(&mut self) {
        if self.pending > 0 && send(&self.shared.socket, &self.verdicts, SendFlags::empty()).is_err() {
            self.shared.overruns.fetch_add(self.pending as u64, Relaxed);
        }
        self.verdicts.clear();
        self.pending = 0;
        for copy in std::mem::take(&mut self.copies) {
            let to = copy.get(16..20).and_then(|to| <[u8; 4]>::try_from(to).ok()).map(Ipv4Addr::from);
            let sent = to.map(|to| sendto(&self.raw, &copy, SendFlags::DONTWAIT, &SocketAddrV4::new(to, 0)));
            if !matches!(sent, Some(Ok(_))) {
                self.overrun();
            }
        }
    }

    /// Lets go what is due.
    fn release(&mut self, until: u64) {
        while self.held.peek().is_some_and(|Reverse(next)| next.due.at_ns <= until) {
            let Some(Reverse(held)) = self.held.pop() else { break };
            held.due.released(mono_ns());
            self.held_bytes -= held.bytes;
            self.copies.extend(Some(held.copy).filter(|copy| !copy.is_empty()));
            self.verdict(held.id, Verdict::Accept);
        }
        self.send();
    }
}
