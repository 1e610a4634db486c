//! Owns the helpers that press on a host from inside its control group: one that burns a processor, one that fills
//! memory. Refuses to know hosts.
//!
//! A helper lives no longer than the hand: its standard input is a pipe of which the hand alone has the other end, and
//! the kernel closes that however the hand dies. (A parent-death signal would come when the thread that started the
//! helper ends, not the process.) It dies with the host too: it is in the host's group in every hierarchy.

use super::end::{command_line, is_dead};
use super::hierarchy::Group;
use super::host_fault::within;
use agents::runtime::clock::mono_ns;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

/// The hidden command that keeps one core busy.
pub const BURN: &str = "burn";
/// The hidden command that fills memory.
pub const HOG: &str = "hog";

/// A killed helper that is still there after this is stuck in the kernel, or frozen.
const DEATH_MAX: Duration = Duration::from_secs(2);
/// How long the burner works between two looks at its input.
const BURN_NS: u64 = 1_000_000;
/// The hog takes memory by this much; its share is exact to this.
const CHUNK_BYTES: u64 = 256 * 1024;
/// How long the hog rests where its group is full enough, in nanoseconds.
const HOG_REST_NS: i64 = 50_000_000;

/// A helper at work.
#[derive(Debug)]
pub(super) struct Helper {
    child: Child,
    /// Held open for as long as it is to work.
    _life: ChildStdin,
}

impl Helper {
    /// Starts one, moves it into a group, and only then lets it work.
    pub(super) fn start(executable: &Path, arguments: &[&str], group: &Group<'_>) -> Result<Self, String> {
        let mut command = Command::new(executable);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child =
            command.spawn().map_err(|error| format!("{} could not be started: {error}", executable.display()))?;
        let Some(mut life) = child.stdin.take() else { return Err("a helper without an input".to_owned()) };
        let told = |error: std::io::Error| format!("a helper ended before it worked: {error}");
        let moved = group.join(child.id());
        let helper = moved.and_then(|()| life.write_all(b"go\n").map_err(told));
        let started = Self { child, _life: life };
        helper.map(|()| started)
    }

    /// How long it has wanted a processor and did not have one, in nanoseconds (`/proc/PID/schedstat`, the second number;
    /// zero where the kernel does not count it).
    pub(super) fn waited_ns(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/schedstat", self.child.id())).unwrap_or_default();
        text.split_ascii_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or_default()
    }

    /// Whether it lives, in this group.
    pub(super) fn is_at_work(&mut self, group: &Group<'_>) -> bool {
        let lives = matches!(self.child.try_wait(), Ok(None));
        lives && i32::try_from(self.child.id()).is_ok_and(|pid| group.processes().contains(&pid))
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // It may be dead already. One in a frozen group dies when that thaws; its input is closed then, too.
        let _dead = self.child.kill();
        within(DEATH_MAX, || !matches!(self.child.try_wait(), Ok(None)));
    }
}

/// Kills every helper of this kind in a group, whichever hand started it.
pub(super) fn end_all(group: &Group<'_>, kind: &str) -> Result<(), String> {
    let ours = |pid: &i32| command_line(*pid).get(1).is_some_and(|word| word == kind);
    let pids: Vec<Pid> = group.processes().into_iter().filter_map(Pid::from_raw).collect();
    let open = |pid: Pid| {
        let watch = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        // Looked at when it is held: the number cannot have come to stand for another.
        ours(&pid.as_raw_nonzero().get()).then_some(watch)
    };
    let watched: Vec<OwnedFd> = pids.into_iter().filter_map(open).collect();
    for watch in &watched {
        // One that is gone needs no signal.
        let _gone = pidfd_send_signal(watch, Signal::KILL);
    }
    if within(DEATH_MAX, || watched.iter().all(is_dead)) {
        return Ok(());
    }
    Err(format!("a helper (`{kind}`) does not die: is its group frozen?"))
}

/// The body of `blackstart burn`: keeps one core busy until its input ends.
///
/// # Errors
/// Where the input cannot be read.
pub fn burn() -> std::io::Result<()> {
    if !await_word()? {
        return Ok(());
    }
    let mut value = 1_u64;
    while !is_over(0) {
        let began = mono_ns();
        while mono_ns() - began < BURN_NS {
            for _ in 0..1000 {
                value = std::hint::black_box(value.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1));
            }
        }
    }
    Ok(())
}

/// The body of `blackstart hog USAGE BYTES`: takes memory until the number in the file `usage` is `bytes`, and keeps
/// what it has until its input ends. It does not give way to the host's own processes, as a leak does not; when memory
/// runs out it is the first to be killed.
///
/// # Errors
/// Where a file cannot be read or written, or `bytes` is no number.
pub fn hog(usage: &str, bytes: &str) -> std::io::Result<()> {
    std::fs::write("/proc/self/oom_score_adj", "1000")?;
    let target: u64 = bytes.parse().map_err(std::io::Error::other)?;
    if !await_word()? {
        return Ok(());
    }
    let mut held: Vec<Vec<u8>> = Vec::new();
    loop {
        let used: u64 = std::fs::read_to_string(usage)?.trim().parse().map_err(std::io::Error::other)?;
        let more = used < target && (held.len() as u64) * CHUNK_BYTES < target;
        if more {
            // Every page is written to: only then is it taken.
            held.push(vec![1; CHUNK_BYTES as usize]);
        }
        if is_over(if more { 0 } else { HOG_REST_NS }) {
            std::hint::black_box(&held);
            return Ok(());
        }
    }
}

/// Waits until the hand says that the group is joined; false where it is gone.
fn await_word() -> std::io::Result<bool> {
    Ok(std::io::stdin().lock().read(&mut [0; 16])? > 0)
}

/// Whether the hand has let go; waits so many nanoseconds for it.
fn is_over(wait_ns: i64) -> bool {
    let stdin = std::io::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: wait_ns })).is_ok_and(|ready| ready > 0)
}
