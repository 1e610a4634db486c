//! Owns the end of service processes on hosts that go on: killed, or asked to end as an orderly stop does. Refuses to
//! start them again: that is their supervisor's, and is what is looked at.

use super::fault::Fault;
use super::hierarchy::Hierarchies;
use super::host_fault::{look, within};
use super::protocol::{Look, Target};
use agents::supervisor::program::PLACE_VARIABLE;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::time::Duration;

/// A process that is still there after this does not end of a signal.
const DEATHS_MAX: Duration = Duration::from_secs(3);

/// Processes that were ended.
#[derive(Debug)]
pub(super) struct End {
    hosts: Vec<Target>,
    processes: Vec<Vec<usize>>,
    kill: bool,
    hierarchies: Hierarchies,
    victims: Vec<Victim>,
}

#[derive(Debug)]
struct Victim {
    host: usize,
    index: usize,
    service: Service,
    watch: OwnedFd,
}

/// A service process as the kernel tells it: a number may come back, with another start it is another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Service {
    pid: i32,
    started: u64,
}

impl End {
    pub(super) fn new(hosts: Vec<Target>, processes: Vec<Vec<usize>>, kill: bool, hierarchies: Hierarchies) -> Self {
        Self { hosts, processes, kill, hierarchies, victims: Vec::new() }
    }

    fn asked(&self) -> usize {
        self.hosts.iter().zip(&self.processes).map(|(_, processes)| processes.len()).sum()
    }

    /// The service processes with this place in their host's configuration.
    fn services(&self, host: usize, index: usize) -> Vec<Service> {
        let group = self.hierarchies.group(&self.hosts[host].cgroup);
        let is_it = |pid: &i32| service_index(&command_line(*pid)).or_else(|| program_index(*pid)) == Some(index);
        let found = group.processes().into_iter().filter(is_it);
        found.filter_map(|pid| Some(Service { pid, started: started(pid)? })).collect()
    }

    fn is_restarted(&self, victim: &Victim) -> bool {
        self.services(victim.host, victim.index).iter().any(|service| *service != victim.service)
    }
}

impl Fault for End {
    fn act(&mut self) -> Result<(), String> {
        if !self.victims.is_empty() {
            return Ok(());
        }
        let mut victims = Vec::new();
        for (host, processes) in self.processes.iter().enumerate().take(self.hosts.len()) {
            for &index in processes {
                for service in self.services(host, index) {
                    let pid = Pid::from_raw(service.pid).ok_or("a process has no number")?;
                    // One that is gone between the listing and this has ended by itself: not of this.
                    let Ok(watch) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
                    // The number may have been taken by another process before it was opened.
                    if started(service.pid) == Some(service.started) {
                        victims.push(Victim { host, index, service, watch });
                    }
                }
            }
        }
        let who = |victim: &Victim| format!("{}: ending process {}", self.hosts[victim.host].host, victim.index);
        end_all(victims.iter().map(|victim| (who(victim), &victim.watch)).collect(), self.kill, DEATHS_MAX)?;
        self.victims = victims;
        Ok(())
    }

    fn look(&mut self) -> Look {
        let asked = self.asked();
        let dead = self.victims.iter().filter(|victim| is_dead(&victim.watch)).count();
        let restarted = self.victims.iter().filter(|victim| self.is_restarted(victim)).count();
        let holds = asked > 0 && dead >= asked;
        let text = if asked == 0 {
            "aimed at no process".to_owned()
        } else if holds {
            format!("{dead} process(es) ended, {restarted} started again")
        } else {
            format!("{dead} of {asked} process(es) ended; {} were found", self.victims.len())
        };
        ended(holds, text, (asked, dead, restarted))
    }

    /// It lasts no longer than an instant: nothing is to be undone.
    fn heal(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// Kills processes, or asks them to end, and waits for so long; each with what is said where that cannot be done. One that does not
/// end is told by the look.
pub(super) fn end_all(victims: Vec<(String, &OwnedFd)>, kill: bool, most: Duration) -> Result<(), String> {
    let signal = if kill { Signal::KILL } else { Signal::TERM };
    for (who, watch) in &victims {
        match pidfd_send_signal(watch, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(format!("{who}: {error}")),
        }
    }
    within(most, || victims.iter().all(|(_, watch)| is_dead(watch)));
    Ok(())
}

/// A look at processes that were to end: how many, how many did, and how many of those were started again.
pub(super) fn ended(holds: bool, text: String, (asked, dead, restarted): (usize, usize, usize)) -> Look {
    let mut seen = look(holds, text, &[("ended_processes", asked as f64, dead as f64)]);
    seen.measured.insert("restarted_processes".to_owned(), restarted as f64);
    seen
}

/// Whether the process behind a pidfd has ended.
pub(super) fn is_dead(watch: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(watch, PollFlags::IN)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&at_once)).is_ok_and(|ready| ready > 0)
}

/// The arguments of a process; none where it is gone.
pub(super) fn command_line(pid: i32) -> Vec<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = bytes.split(|&byte| byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
    let mut words: Vec<String> = words.collect();
    // The last argument ends in a zero, too.
    words.pop();
    words
}

/// Of `EXECUTABLE agent CONFIG INDEX`, as a supervisor starts it, the index.
fn service_index(words: &[String]) -> Option<usize> {
    match words {
        [_, word, _, index] if word == "agent" => index.parse().ok(),
        _ => None,
    }
}

/// Of real software that a supervisor started itself, its index: its variables say it, and so do those of what it has
/// started in turn, whose parent is not the supervisor.
fn program_index(pid: i32) -> Option<usize> {
    let variables = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let named = |variable: &[u8]| {
        let text = std::str::from_utf8(variable).ok()?;
        text.strip_prefix(PLACE_VARIABLE)?.strip_prefix('=')?.parse::<usize>().ok()
    };
    let index = variables.split(|&byte| byte == 0).find_map(named)?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let parent: i32 = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()?;
    let is_supervisor = matches!(command_line(parent).as_slice(), [_, word, _] if word == "host");
    is_supervisor.then_some(index)
}

/// When a process started, in ticks since the machine did.
fn started(pid: i32) -> Option<u64> {
    started_of(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Field 22 of `/proc/PID/stat`; the name before it may hold anything, spaces and brackets included.
fn started_of(stat: &str) -> Option<u64> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_supervisor_started_is_a_service() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(service_index(&words("/blackstart agent /host.json 3")), Some(3));
        assert_eq!(service_index(&words("/blackstart host /host.json")), None);
        assert_eq!(service_index(&words("/blackstart agent /host.json x")), None);
        assert_eq!(service_index(&[]), None);
    }

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let fields = (3..=22).map(|field| field.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(started_of(&format!("1 (a) b) {fields} 99")), Some(22));
    }
}
