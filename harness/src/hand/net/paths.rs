//! Owns measuring a path from where its sender stands: TCP connects from inside its network namespace, as long as a
//! fault lasts. Refuses to know what is asked of the path.
//!
//! A network namespace belongs to a thread: each path has one of its own in the hand, which enters the namespace of a
//! process of the host. Connections are reset at once, so that neither end keeps anything of them.

use super::super::cgroup;
use super::super::protocol::{PathProbe, Target};
use agents::runtime::clock::mono_ns;
use rustix::fd::AsFd;
use rustix::net::sockopt::set_socket_linger;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::collections::VecDeque;
use std::fs::File;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Between two connects while somebody waits for the first of them.
const QUICK: Duration = Duration::from_millis(25);
/// Between two connects after that.
const STEADY: Duration = Duration::from_millis(100);
/// How many connects are quick.
const QUICK_CONNECTS: usize = 24;
/// Samples that are kept of a path.
const SAMPLES_MAX: usize = 512;

/// Finds a process of a host, by which its network namespace is entered.
pub type Pids = Arc<dyn Fn(&Target) -> Option<i32> + Send + Sync>;

/// By the host's control group, where the hand sees it.
pub(super) fn by_cgroup() -> Pids {
    Arc::new(first_process)
}

/// The first process of a host; none where it is dark, or where the hand does not see it.
pub(super) fn first_process(target: &Target) -> Option<i32> {
    let group = cgroup::listing_root()?.join(target.cgroup.trim_start_matches('/'));
    cgroup::processes(&group).first().copied()
}

/// How a connect ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It succeeded after so many nanoseconds.
    Open(u64),
    /// It was refused.
    Refused,
    /// Nothing came back in time.
    Silent,
    /// It could not even be tried: the host has no process, or no way out.
    Untried,
}

/// One connect.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) began_ns: u64,
    pub(super) ended_ns: u64,
    pub(super) outcome: Outcome,
}

#[derive(Debug, Default)]
struct Seen {
    samples: VecDeque<Sample>,
    /// The sender's own address on this path.
    local: Option<Ipv4Addr>,
    /// Quick connects left.
    quick: usize,
}

/// A path that is measured until this is dropped.
pub(super) struct Measured {
    seen: Arc<Mutex<Seen>>,
    bound_ns: Arc<AtomicU64>,
    /// Dropping it ends the thread.
    stop: Option<Sender<()>>,
    pub(super) to: SocketAddr,
    pub(super) name: String,
}

impl Measured {
    /// Begins to measure; a connect that has not ended after `bound` counts as silent.
    pub(super) fn start(probe: &PathProbe, pids: &Pids, bound: Duration) -> Result<Self, String> {
        let to = probe.to.parse().map_err(|_| format!("{:?} is no address and port to measure", probe.to))?;
        let seen = Arc::new(Mutex::new(Seen { quick: QUICK_CONNECTS, ..Seen::default() }));
        let bound_ns = Arc::new(AtomicU64::new(nanos(bound)));
        let (stop, stopped) = channel();
        let prober = Prober {
            target: probe.from.clone(),
            to,
            pids: Arc::clone(pids),
            seen: Arc::clone(&seen),
            bound_ns: Arc::clone(&bound_ns),
            stopped,
        };
        let thread = std::thread::Builder::new().name("path".to_owned()).spawn(move || prober.run());
        thread.map_err(|error| format!("a thread to measure a path: {error}"))?;
        Ok(Self { seen, bound_ns, stop: Some(stop), to, name: format!("{} to {}", probe.from.host, probe.to) })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects that began at or after `since`, or ended after `ended`.
    pub(super) fn samples(&self, since: u64, ended: u64) -> Vec<Sample> {
        let seen = self.seen();
        seen.samples.iter().filter(|one| one.began_ns >= since && one.ended_ns > ended).copied().collect()
    }

    /// The sender's own address, once it is known.
    pub(super) fn local(&self) -> Option<Ipv4Addr> {
        self.seen().local
    }

    /// Lets the next connects follow each other quickly, each with this bound.
    pub(super) fn hurry(&self, bound: Duration) {
        self.bound_ns.store(nanos(bound), Ordering::Relaxed);
        self.seen().quick = QUICK_CONNECTS;
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        // The thread ends after its connect under way; nobody waits for it.
        self.stop = None;
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

struct Prober {
    target: Target,
    to: SocketAddr,
    pids: Pids,
    seen: Arc<Mutex<Seen>>,
    bound_ns: Arc<AtomicU64>,
    stopped: Receiver<()>,
}

impl Prober {
    /// Until it is stopped. A host that dies and comes back has another namespace: it is entered then.
    fn run(self) {
        let mut inside = None;
        loop {
            let alive = inside.filter(|pid| namespace(*pid).is_some());
            inside = alive.or_else(|| (self.pids)(&self.target).filter(|pid| self.enter(*pid)));
            let began_ns = mono_ns();
            let outcome = if inside.is_some() { self.connect() } else { Outcome::Untried };
            let sample = Sample { began_ns, ended_ns: mono_ns(), outcome };
            let pause = {
                let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.samples.push_back(sample);
                if seen.samples.len() > SAMPLES_MAX {
                    seen.samples.pop_front();
                }
                let quick = seen.quick > 0;
                seen.quick = seen.quick.saturating_sub(1);
                if quick { QUICK } else { STEADY }
            };
            if self.stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    fn enter(&self, pid: i32) -> bool {
        let Some(file) = namespace(pid) else { return false };
        if move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).is_err() {
            return false;
        }
        // Connecting a datagram socket sends nothing, and tells the address that would be sent from.
        let local = UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.connect(self.to).and(socket.local_addr()));
        if let Ok(SocketAddr::V4(local)) = local {
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).local = Some(*local.ip());
        }
        true
    }

    fn connect(&self) -> Outcome {
        let began = mono_ns();
        let bound = Duration::from_nanos(self.bound_ns.load(Ordering::Relaxed));
        match TcpStream::connect_timeout(&self.to, bound) {
            Ok(stream) => {
                let took = mono_ns() - began;
                // Where it cannot be reset it is closed in the common way.
                let _common = set_socket_linger(&stream, Some(Duration::ZERO));
                Outcome::Open(took)
            }
            Err(error) => match error.kind() {
                ErrorKind::ConnectionRefused => Outcome::Refused,
                ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::ConnectionReset => Outcome::Silent,
                _ => Outcome::Untried,
            },
        }
    }
}

/// Whether a host has any process.
pub(in crate::hand) fn is_up(target: &Target) -> bool {
    first_process(target).is_some()
}

/// Does something from where a host stands, on a thread of its own; `None` where it has no process.
pub(in crate::hand) fn from_host<R: Send>(target: &Target, act: impl FnOnce() -> R + Send) -> Option<R> {
    let file = namespace(first_process(target)?)?;
    let inside = || {
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).ok()?;
        Some(act())
    };
    std::thread::scope(|scope| scope.spawn(inside).join().ok().flatten())
}

fn namespace(pid: i32) -> Option<File> {
    File::open(format!("/proc/{pid}/ns/net")).ok()
}

/// The middle of the round trips of those that succeeded, nanoseconds.
pub(super) fn median(samples: &[Sample]) -> Option<u64> {
    let mut trips: Vec<u64> = samples
        .iter()
        .filter_map(|sample| match sample.outcome {
            Outcome::Open(took) => Some(took),
            _ => None,
        })
        .collect();
    trips.sort_unstable();
    trips.get(trips.len() / 2).copied()
}

/// How many ended in this way.
pub(super) fn count(samples: &[Sample], outcome: impl Fn(Outcome) -> bool) -> usize {
    samples.iter().filter(|sample| outcome(sample.outcome)).count()
}
