//! Owns the end of a container's first process, of a container that is not ours: killed, or asked to end, and killed where it does
//! not in its owner's time. With it the container ends, and its engine does what its owner wants then. Refuses to start it again.

use super::end::{Dying, end_all, ended, insist, insisted};
use super::fault::Fault;
use super::hierarchy::Hierarchies;
use super::protocol::{Ending, Look, Target};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::time::Duration;

/// A process that is still there after this does not end of a signal at once.
const DEATHS_MAX: Duration = Duration::from_secs(3);

/// First processes that were ended.
#[derive(Debug)]
pub(super) struct EndFirst {
    hosts: Vec<Target>,
    ending: Ending,
    hierarchies: Hierarchies,
    victims: Vec<Victim>,
}

#[derive(Debug)]
struct Victim {
    host: usize,
    pid: i32,
    dying: Dying,
}

impl EndFirst {
    pub(super) fn new(hosts: Vec<Target>, ending: Ending, hierarchies: Hierarchies) -> Self {
        Self { hosts, ending, hierarchies, victims: Vec::new() }
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
                let who = format!("{}: ending its process", self.hosts[host].host);
                self.victims.push(Victim { host, pid, dying: Dying::new(who, watch) });
            }
        }
        let all = self.victims.iter_mut().map(|victim| (victim.host, &mut victim.dying)).collect();
        end_all(all, &self.ending, DEATHS_MAX)
    }

    fn look(&mut self) -> Look {
        let asked = self.hosts.len();
        let all = self.victims.iter_mut().map(|victim| (victim.host, &mut victim.dying)).collect();
        let (dead, killed) = insist(all, &self.ending);
        let again = |victim: &&Victim| self.first(victim.host).is_some_and(|pid| pid != victim.pid);
        let restarted = self.victims.iter().filter(again).count();
        let holds = asked > 0 && dead >= asked;
        let text = if asked == 0 {
            "aimed at no container".to_owned()
        } else if holds {
            format!("{dead} container(s) ended{}, {restarted} started again", insisted(killed))
        } else {
            format!("{dead} of {asked} container(s) ended; a first process was found in {}", self.victims.len())
        };
        ended(holds, text, (asked, dead, killed, restarted))
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
