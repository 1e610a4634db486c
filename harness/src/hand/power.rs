//! Owns killing hosts at once and seeing them die. Refuses to know which hosts a fault means.
//!
//! Every process is watched through a pidfd that is opened before the kill: the kernel tells each death by itself, so
//! the skew is measured, not inferred.

use super::cgroup;
use super::protocol::{Dark, Target};
use agents::runtime::clock::mono_ns;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::path::Path;

/// How long deaths are waited for: a killed process that is still there after this is stuck in the kernel.
const DEATHS_NS_MAX: u64 = 5_000_000_000;

/// Kills every process of `targets`; `whole` are the groups that hold nothing else.
pub(super) fn power_off(whole: &[String], targets: &[Target]) -> Result<Dark, String> {
    let root = cgroup::listing_root().ok_or("the hand sees no control groups of the engine's machine")?;
    let watched = watch(&root, targets);
    let method = kill(whole, targets, &watched)?;
    let (first_ns, last_ns) = await_deaths(&watched);
    let empty = |target: &&Target| cgroup::processes(&path(&root, &target.cgroup)).is_empty();
    let dead = targets.iter().filter(empty).map(|target| target.host.clone()).collect();
    Ok(Dark { method, dead, processes: watched.len(), first_ns, last_ns, disks: Vec::new() })
}

fn path(root: &Path, group: &str) -> std::path::PathBuf {
    root.join(group.trim_start_matches('/'))
}

fn watch(root: &Path, targets: &[Target]) -> Vec<OwnedFd> {
    let pids = targets.iter().flat_map(|target| cgroup::processes(&path(root, &target.cgroup)));
    // One that ended between the listing and the opening is dead already: nothing to watch.
    pids.filter_map(Pid::from_raw).filter_map(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()).collect()
}

fn kill(whole: &[String], targets: &[Target], watched: &[OwnedFd]) -> Result<String, String> {
    let groups: Vec<&str> = if whole.is_empty() {
        targets.iter().map(|target| target.cgroup.as_str()).collect()
    } else {
        whole.iter().map(String::as_str).collect()
    };
    let told = |error: std::io::Error| format!("killing a control group failed: {error}");
    if let Some(root) = cgroup::kill_root() {
        for group in groups {
            cgroup::kill(&path(&root, group)).map_err(told)?;
        }
        return Ok("cgroup.kill".to_owned());
    }
    let Some(root) = cgroup::freezer_root() else {
        signal_all(watched);
        return Ok("sigkill".to_owned());
    };
    for group in &groups {
        cgroup::freeze(&path(&root, group), true).map_err(told)?;
    }
    signal_all(watched);
    for group in &groups {
        cgroup::freeze(&path(&root, group), false).map_err(told)?;
    }
    Ok("freezer".to_owned())
}

fn signal_all(watched: &[OwnedFd]) {
    for process in watched {
        // One that is gone already needs no signal.
        let _gone = pidfd_send_signal(process, Signal::KILL);
    }
}

/// Waits for the deaths; returns when the first and the last were seen.
fn await_deaths(watched: &[OwnedFd]) -> (u64, u64) {
    let began = mono_ns();
    let (mut first, mut last) = (None, began);
    let mut alive: Vec<&OwnedFd> = watched.iter().collect();
    while !alive.is_empty() && mono_ns() - began < DEATHS_NS_MAX {
        let mut fds: Vec<PollFd<'_>> = alive.iter().map(|&fd| PollFd::new(fd, PollFlags::IN)).collect();
        let bound = Timespec { tv_sec: 1, tv_nsec: 0 };
        if poll(&mut fds, Some(&bound)).is_err() {
            continue;
        }
        let now = mono_ns();
        let dead: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        if dead.contains(&true) {
            first.get_or_insert(now);
            last = now;
        }
        let mut dead = dead.into_iter();
        alive.retain(|_| !dead.next().unwrap_or_default());
    }
    (first.unwrap_or(began), last)
}
