//! Owns the pause of hosts: no process of theirs runs, and nothing in them notices. Refuses to end any.
//!
//! `cgroup.freeze` of the v2 hierarchy is taken where the host's processes are in it, else the v1 freezer. The engine
//! shows a paused host as running, because it is not asked.

use super::cgroup;
use super::fault::Fault;
use super::hierarchy::{Group, Hierarchies, number_of, read, write};
use super::host_fault::{look, within};
use super::protocol::{Look, Target};
use std::path::PathBuf;
use std::time::Duration;

/// A process that does not stop within this is stuck in the kernel.
const FREEZING_MAX: Duration = Duration::from_secs(2);

/// Hosts at a standstill.
#[derive(Debug)]
pub(super) struct Pause {
    pub(super) hosts: Vec<Target>,
    pub(super) hierarchies: Hierarchies,
}

/// What stops a group.
#[derive(Debug)]
enum Brake {
    /// `cgroup.freeze` in this folder.
    Unified(PathBuf),
    /// `freezer.state` in this folder.
    Freezer(PathBuf),
}

impl Brake {
    /// All brakes that a group has.
    fn all(group: &Group<'_>) -> Vec<Self> {
        let unified = group.unified().filter(|folder| folder.join("cgroup.freeze").exists()).map(Self::Unified);
        let freezer = group.v1("freezer").filter(|folder| folder.join("freezer.state").exists()).map(Self::Freezer);
        unified.into_iter().chain(freezer).collect()
    }

    /// The one that its processes are under.
    fn of(group: &Group<'_>) -> Option<Self> {
        Self::all(group).into_iter().find(|brake| !cgroup::processes(brake.folder()).is_empty())
    }

    fn folder(&self) -> &PathBuf {
        match self {
            Self::Unified(folder) | Self::Freezer(folder) => folder,
        }
    }

    fn set(&self, on: bool) -> Result<(), String> {
        match self {
            Self::Unified(folder) => write(&folder.join("cgroup.freeze"), if on { "1" } else { "0" }),
            Self::Freezer(folder) => write(&folder.join("freezer.state"), if on { "FROZEN" } else { "THAWED" }),
        }
    }

    /// Whether nothing in it runs, as the kernel says.
    fn holds(&self) -> bool {
        match self {
            Self::Unified(folder) => number_of(&read(&folder.join("cgroup.events")), "frozen") == Some(1),
            Self::Freezer(folder) => read(&folder.join("freezer.state")) == "FROZEN",
        }
    }

    /// Whether it was let go of.
    fn is_off(&self) -> bool {
        match self {
            Self::Unified(folder) => !self.holds() && matches!(read(&folder.join("cgroup.freeze")).as_str(), "0" | ""),
            Self::Freezer(folder) => matches!(read(&folder.join("freezer.state")).as_str(), "THAWED" | ""),
        }
    }
}

impl Fault for Pause {
    fn act(&mut self) -> Result<(), String> {
        // All are told before any is waited for: a zone stops at once.
        let mut stopping = Vec::new();
        for target in &self.hosts {
            let group = self.hierarchies.group(&target.cgroup);
            if let Some(brake) = Brake::of(&group) {
                brake.set(true)?;
                stopping.push((target, brake));
            } else if !group.processes().is_empty() {
                return Err(format!("{}: this machine can neither freeze a v2 group nor a v1 one", target.host));
            }
        }
        let stopped = within(FREEZING_MAX, || stopping.iter().all(|(_, brake)| brake.holds()));
        if stopped {
            return Ok(());
        }
        let running = stopping.iter().filter(|(_, brake)| !brake.holds());
        let running: Vec<&str> = running.map(|(target, _)| target.host.as_str()).collect();
        Err(format!("still running after {} s: {}", FREEZING_MAX.as_secs(), running.join(", ")))
    }

    fn look(&mut self) -> Look {
        let is_stopped =
            |target: &&Target| Brake::of(&self.hierarchies.group(&target.cgroup)).is_some_and(|brake| brake.holds());
        let (stopped, running): (Vec<&Target>, Vec<&Target>) = self.hosts.iter().partition(is_stopped);
        let names: Vec<&str> = running.iter().map(|target| target.host.as_str()).collect();
        let text = match (stopped.len(), names.as_slice()) {
            (0, []) => "aimed at no host".to_owned(),
            (count, []) => format!("no process of {count} host(s) runs"),
            (_, names) => format!("not paused, or without any process: {}", names.join(", ")),
        };
        let (asked, measured) = (self.hosts.len() as f64, stopped.len() as f64);
        look(running.is_empty() && !stopped.is_empty(), text, &[("paused_hosts", asked, measured)])
    }

    fn heal(&mut self) -> Result<(), String> {
        let groups = self.hosts.iter().map(|target| self.hierarchies.group(&target.cgroup));
        let brakes: Vec<Brake> = groups.flat_map(|group| Brake::all(&group)).filter(|brake| !brake.is_off()).collect();
        // All are let go of, whatever becomes of one of them; a group that is gone meanwhile needs nothing.
        let failed: Vec<String> =
            brakes.iter().filter_map(|brake| brake.set(false).err().filter(|_| brake.folder().is_dir())).collect();
        if !failed.is_empty() {
            return Err(failed.join("; "));
        }
        if within(FREEZING_MAX, || brakes.iter().all(Brake::is_off)) {
            return Ok(());
        }
        let held = brakes.iter().filter(|brake| !brake.is_off()).map(|brake| brake.folder().display().to_string());
        Err(format!("still frozen: {}", held.collect::<Vec<_>>().join(", ")))
    }
}
