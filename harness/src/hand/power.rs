//! Owns killing hosts at once and seeing them die. Refuses to know which hosts a fault means.
//!
//! Every process is watched through a pidfd that is opened before the kill: the kernel tells each death by itself, so
//! the skew is measured, not inferred. What dies is favoured at the processors meanwhile: else the engine, woken by the
//! first deaths, cleans up after them while the rest still waits for its turn to die.

use super::cgroup::{self, Favoured};
use super::protocol::{Dark, Target};
use agents::runtime::clock::mono_ns;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::path::Path;

/// How long deaths are waited for: a killed process that is still there after this is stuck in the kernel.
const DEATHS_NS_MAX: u64 = 5_000_000_000;

/// Kills every process of `targets`; `whole` are the groups that hold nothing else, `roots` the run's own.
pub(super) fn power_off(roots: &[String], whole: &[String], targets: &[Target]) -> Result<Dark, String> {
    let root = cgroup::listing_root().ok_or("the hand sees no control groups of the engine's machine")?;
    let watched = processes(&root, targets);
    // Set up before the kill: nothing stands between a death and the look at the clock.
    let watch = watch(&watched).map_err(|error| format!("deaths cannot be watched: {error}"))?;
    let groups: Vec<&str> = if whole.is_empty() {
        targets.iter().map(|target| target.cgroup.as_str()).collect()
    } else {
        whole.iter().map(String::as_str).collect()
    };
    let lineage = cgroup::lineage(roots, &groups);
    let favoured: Vec<Favoured> = lineage.iter().filter_map(|group| Favoured::new(group)).collect();
    let began = mono_ns();
    let method = kill(&groups, &watched)?;
    let (first_ns, last_ns) = await_deaths(&watch, watched.len(), began);
    drop(favoured);
    let empty = |target: &&Target| cgroup::processes(&path(&root, &target.cgroup)).is_empty();
    let dead = targets.iter().filter(empty).map(|target| target.host.clone()).collect();
    Ok(Dark { method, dead, processes: watched.len(), first_ns, last_ns, disks: Vec::new(), torn: Vec::new() })
}

fn path(root: &Path, group: &str) -> std::path::PathBuf {
    root.join(group.trim_start_matches('/'))
}

fn processes(root: &Path, targets: &[Target]) -> Vec<OwnedFd> {
    let pids = targets.iter().flat_map(|target| cgroup::processes(&path(root, &target.cgroup)));
    // One that ended between the listing and the opening is dead already: nothing to watch.
    pids.filter_map(Pid::from_raw).filter_map(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()).collect()
}

/// Tells each death once.
fn watch(processes: &[OwnedFd]) -> std::io::Result<OwnedFd> {
    let watch = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for process in processes {
        let once = epoll::EventFlags::IN | epoll::EventFlags::ONESHOT;
        epoll::add(&watch, process, epoll::EventData::new_u64(0), once)?;
    }
    Ok(watch)
}

fn kill(groups: &[&str], watched: &[OwnedFd]) -> Result<String, String> {
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
    for group in groups {
        cgroup::freeze(&path(&root, group), true).map_err(told)?;
    }
    signal_all(watched);
    for group in groups {
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

/// Waits for so many deaths; returns when the first and the last were seen. Where the first look saw more than one, it
/// came late: the first death is then taken to have been at the kill, so that the skew is never told as too small.
fn await_deaths(watch: &OwnedFd, processes: usize, began: u64) -> (u64, u64) {
    let (mut first, mut last, mut dead) = (None, began, 0);
    let mut events = Vec::with_capacity(processes);
    let bound = Timespec { tv_sec: 1, tv_nsec: 0 };
    while dead < processes && mono_ns() - began < DEATHS_NS_MAX {
        events.clear();
        let seen = epoll::wait(watch, spare_capacity(&mut events), Some(&bound)).unwrap_or_default();
        if seen > 0 {
            last = mono_ns();
            first.get_or_insert(if seen == 1 { last } else { began });
        }
        dead += seen;
    }
    (first.unwrap_or(began), last)
}
