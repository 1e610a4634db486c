//! Owns the end of a container's first process, of a container that is not ours: killed, or asked to end. With it the container
//! ends, and its engine does what its owner wants then. Refuses to start it again.

use super::end::{end_all, ended, is_dead};
use super::fault::Fault;
use super::hierarchy::Hierarchies;
use super::protocol::{Look, Target};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::time::Duration;

/// Engines kill what has not ended of itself ten seconds after they asked; this waits as long, and kills nothing.
const DEATHS_MAX: Duration = Duration::from_secs(10);

/// First processes that were ended.
#[derive(Debug)]
pub(super) struct EndFirst {
    hosts: Vec<Target>,
    kill: bool,
    hierarchies: Hierarchies,
    victims: Vec<Victim>,
}

#[derive(Debug)]
struct Victim {
    host: usize,
    pid: i32,
    watch: OwnedFd,
}

impl EndFirst {
    pub(super) fn new(hosts: Vec<Target>, kill: bool, hierarchies: Hierarchies) -> Self {
        Self { hosts, kill, hierarchies, victims: Vec::new() }
    }

    fn first(&self, host: usize) -> Option<i32> {
        let group = self.hierarchies.group(&self.hosts[host].cgroup);
        group
            .processes()
            .into_iter()
            .find(|pid| std::fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| is_first(&status)))
    }
}

impl Fault for EndFirst {
    fn act(&mut self) -> Result<(), String> {
        if !self.victims.is_empty() {
            return Ok(());
        }
        for host in 0..self.hosts.len() {
            // One that is gone between the listing and this has ended by itself: not of this.
            let Some(pid) = self.first(host) else { continue };
            let Some(Ok(watch)) = Pid::from_raw(pid).map(|pid| pidfd_open(pid, PidfdFlags::empty())) else { continue };
            // The number may have been taken by another process before it was opened.
            if self.first(host) == Some(pid) {
                self.victims.push(Victim { host, pid, watch });
            }
        }
        let who = |victim: &Victim| format!("{}: ending its process", self.hosts[victim.host].host);
        end_all(self.victims.iter().map(|victim| (who(victim), &victim.watch)).collect(), self.kill, DEATHS_MAX)
    }

    fn look(&mut self) -> Look {
        let asked = self.hosts.len();
        let dead = self.victims.iter().filter(|victim| is_dead(&victim.watch)).count();
        let again = |victim: &&Victim| self.first(victim.host).is_some_and(|pid| pid != victim.pid);
        let restarted = self.victims.iter().filter(again).count();
        let holds = asked > 0 && dead >= asked;
        let text = if asked == 0 {
            "aimed at no container".to_owned()
        } else if holds {
            format!("{dead} container(s) ended, {restarted} started again")
        } else {
            format!("{dead} of {asked} container(s) ended; a first process was found in {}", self.victims.len())
        };
        ended(holds, text, (asked, dead, restarted))
    }

    /// It lasts no longer than an instant; that the container runs again is owed apart from it.
    fn heal(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// Whether a process is the first of a namespace of its own, as `/proc/PID/status` says it: its number there comes last.
fn is_first(status: &str) -> bool {
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    let numbers: Vec<&str> = numbers.into_iter().flat_map(str::split_ascii_whitespace).collect();
    numbers.len() > 1 && numbers.last() == Some(&"1")
}

#[cfg(test)]
mod tests {
    use super::is_first;

    #[test]
    fn the_first_process_of_a_container_is_told_from_others_and_from_the_machines_own() {
        assert!(is_first("Name:\tredis\nNSpid:\t812\t1\n"));
        assert!(!is_first("Name:\tredis\nNSpid:\t813\t7\n") && !is_first("Name:\tinit\nNSpid:\t1\n"));
        assert!(!is_first("Name:\told-kernel\n"));
    }
}
