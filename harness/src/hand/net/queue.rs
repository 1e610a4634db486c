//! Owns a run's queue in the kernel: taking a free one, what of each packet comes, its thread ([`Holder`]), and what
//! it lost. Refuses to look at packets.
//!
//! When this process dies, the kernel drops what it held and lets everything else pass (`--queue-bypass`).

use super::super::protocol::LinkRule;
use super::hold::Holder;
use super::nfnl::{self, Told};
use super::rules::Chains;
use super::shaper::Shaper;
use super::table::Table;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::netlink::{NETFILTER, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_recv_buffer_size_force, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, ipproto, recv, send, socket_with,
};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Packets that may be held at once.
const PACKETS_MAX: u32 = 32_768;
/// What the kernel may have ready for us to read, bytes.
const RECEIVE_BUFFER: usize = 16 << 20;
/// Enough of a packet for its addresses.
const HEAD: u32 = 64;
const WHOLE: u32 = 0xffff;
const NUMBERS_TRIED: u16 = 64;

/// What the two sides of the thread share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) socket: OwnedFd,
    /// Readable when the thread is to look at `stopped`.
    pub(super) wake: OwnedFd,
    pub(super) table: Mutex<Arc<Table>>,
    pub(super) stopped: AtomicBool,
    /// Packets dropped because too much was held, copies that could not be sent, verdicts that came to nothing.
    pub(super) overruns: AtomicU64,
}

/// A queue with its thread; both end when it is dropped, and what was held is let go.
#[derive(Debug)]
pub(super) struct Queue {
    number: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Queue {
    /// Takes a free queue. Its number follows from the run's short id, so that runs rarely meet.
    pub(super) fn start(short: &str, seed: u64) -> Result<Self, String> {
        let wrong = |what: &'static str| move |error: Errno| format!("{what}: {error}");
        let socket = open(RECEIVE_BUFFER)?;
        let number = take(&socket, short)?;
        ask(&socket, 2, &nfnl::limit(number, 2, PACKETS_MAX)).map_err(wrong("the queue's length cannot be set"))?;
        let raw = socket_with(AddressFamily::INET, SocketType::RAW, SocketFlags::CLOEXEC, Some(ipproto::RAW))
            .map_err(wrong("packets cannot be doubled: no raw socket"))?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC).map_err(wrong("no eventfd"))?;
        let table = Mutex::new(Arc::new(Table::default()));
        let (stopped, overruns) = (AtomicBool::new(false), AtomicU64::new(0));
        let shared = Arc::new(Shared { socket, wake, table, stopped, overruns });
        let holder = Holder::new(number, Arc::clone(&shared), raw, seed);
        let thread = std::thread::Builder::new().name("queue".to_owned()).spawn(move || holder.run());
        let thread = thread.map_err(|error| format!("the queue's thread: {error}"))?;
        let queue = Self { number, shared, thread: Some(thread) };
        queue.set(Arc::new(Table::default()))?;
        Ok(queue)
    }

    /// The kernel's own counts of packets dropped at the queue: because it was full, because we did not read.
    fn kernel_drops(&self) -> u64 {
        let text = std::fs::read_to_string(LISTING).unwrap_or_default();
        let line = text.lines().find(|line| number_of(line) == Some(self.number)).unwrap_or_default();
        line.split_ascii_whitespace().skip(5).take(2).filter_map(|word| word.parse::<u64>().ok()).sum()
    }
}

impl Shaper for Queue {
    fn name(&self) -> String {
        format!("nfqueue {}", self.number)
    }

    fn rules(&self, chains: &Chains, rules: &[LinkRule]) -> String {
        chains.shaped(self.number, rules.iter())
    }

    fn set(&self, table: Arc<Table>) -> Result<(), String> {
        let bytes = if table.copies() { WHOLE } else { HEAD };
        let message = nfnl::copy(self.number, 0, bytes, !table.counts_packets());
        *self.shared.table.lock().unwrap_or_else(PoisonError::into_inner) = table;
        let sent = send(&self.shared.socket, &message, SendFlags::empty());
        sent.map(|_| ()).map_err(|error| format!("queue {}: {error}", self.number))
    }

    fn overruns(&self) -> u64 {
        self.shared.overruns.load(Ordering::Relaxed) + self.kernel_drops()
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // A thread that cannot be woken has ended.
        let _ended = rustix::io::write(&self.shared.wake, &1_u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// The kernel's list of queues that are bound.
const LISTING: &str = "/proc/thread-self/net/netfilter/nfnetlink_queue";

fn number_of(line: &str) -> Option<u16> {
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Whether somebody has this queue.
pub(super) fn is_bound(number: u16) -> bool {
    let text = std::fs::read_to_string(LISTING).unwrap_or_default();
    text.lines().any(|line| number_of(line) == Some(number))
}

fn take(socket: &OwnedFd, short: &str) -> Result<u16, String> {
    let text = std::fs::read_to_string(LISTING).unwrap_or_default();
    let taken: BTreeSet<u16> = text.lines().filter_map(number_of).collect();
    let hash = short.bytes().fold(17_u16, |hash, byte| hash.wrapping_mul(31).wrapping_add(u16::from(byte)));
    let free = (0..NUMBERS_TRIED).map(|step| hash.wrapping_add(step).max(1)).filter(|number| !taken.contains(number));
    for number in free {
        match ask(socket, 1, &nfnl::bind(number, 1)) {
            Ok(()) => return Ok(number),
            // Somebody was quicker.
            Err(Errno::BUSY) => {}
            Err(error) => return Err(format!("packets cannot be queued here (NFQUEUE): {error}")),
        }
    }
    Err(format!("no free packet queue among {NUMBERS_TRIED} from {hash} on: {LISTING} says who has them"))
}

/// A connection to the kernel's packet filters, with room for so many bytes that wait; it answers within a second.
pub(super) fn open(buffer: usize) -> Result<OwnedFd, String> {
    let wrong = |what: &'static str| move |error: Errno| format!("{what}: {error}");
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(NETFILTER))
        .map_err(wrong("the kernel has no netlink for packet filters"))?;
    bind(&socket, &SocketAddrNetlink::new(0, 0)).map_err(wrong("netlink cannot be bound"))?;
    set_socket_recv_buffer_size_force(&socket, buffer).map_err(wrong("a buffer cannot be had"))?;
    let bound = Some(Duration::from_secs(1));
    set_socket_timeout(&socket, Timeout::Recv, bound).map_err(wrong("netlink takes no time-out"))?;
    Ok(socket)
}

/// Sends a message and waits for its answer.
pub(super) fn ask(socket: &OwnedFd, sequence: u32, message: &[u8]) -> Result<(), Errno> {
    send(socket, message, SendFlags::empty())?;
    let mut buffer = [0; 4096];
    loop {
        let (length, _) = recv(socket, &mut buffer, RecvFlags::empty())?;
        for told in nfnl::read(&buffer[..length]) {
            match told {
                Told::Answer { sequence: of, errno } if of == sequence => {
                    return if errno == 0 { Ok(()) } else { Err(Errno::from_raw_os_error(errno)) };
                }
                _ => {}
            }
        }
    }
}
