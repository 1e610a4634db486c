//! Owns the end of service processes on hosts that go on: killed, or asked to end as an orderly stop does, and killed where
//! they do not in the time that their owner gives them. Refuses to start them again: that is their supervisor's, and is what
//! is looked at.

use super::fault::Fault;
use super::hierarchy::Hierarchies;
use super::host_fault::{look, within};
use super::protocol::{Ending, Look, Target};
use agents::runtime::clock::mono_ns;
use agents::supervisor::program::PLACE_VARIABLE;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::time::Duration;

/// A process that is still there after this does not end of a signal at once.
const DEATHS_MAX: Duration = Duration::from_secs(3);
/// How long a look waits for who is killed in it.
const KILLED_MAX: Duration = Duration::from_millis(300);

/// Processes that were ended.
#[derive(Debug)]
pub(super) struct End {
    hosts: Vec<Target>,
    processes: Vec<Vec<usize>>,
    ending: Ending,
    hierarchies: Hierarchies,
    victims: Vec<Victim>,
}

#[derive(Debug)]
struct Victim {
    host: usize,
    index: usize,
    service: Service,
    dying: Dying,
}

/// A service process as the kernel tells it: a number may come back, with another start it is another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Service {
    pid: i32,
    started: u64,
}

impl End {
    pub(super) fn new(
        hosts: Vec<Target>,
        processes: Vec<Vec<usize>>,
        ending: Ending,
        hierarchies: Hierarchies,
    ) -> Self {
        Self { hosts, processes, ending, hierarchies, victims: Vec::new() }
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
                        let who = format!("{}: ending process {index}", self.hosts[host].host);
                        victims.push(Victim { host, index, service, dying: Dying::new(who, watch) });
                    }
                }
            }
        }
        let all = victims.iter_mut().map(|victim| (victim.host, &mut victim.dying)).collect();
        end_all(all, &self.ending, DEATHS_MAX)?;
        self.victims = victims;
        Ok(())
    }

    fn look(&mut self) -> Look {
        let asked = self.asked();
        let all = self.victims.iter_mut().map(|victim| (victim.host, &mut victim.dying)).collect();
        let (dead, killed) = insist(all, &self.ending);
        let restarted = self.victims.iter().filter(|victim| self.is_restarted(victim)).count();
        let holds = asked > 0 && dead >= asked;
        let text = if asked == 0 {
            "aimed at no process".to_owned()
        } else if holds {
            format!("{dead} process(es) ended{}, {restarted} started again", insisted(killed))
        } else {
            format!("{dead} of {asked} process(es) ended; {} were found", self.victims.len())
        };
        ended(holds, text, (asked, dead, killed, restarted))
    }

    /// It lasts no longer than an instant: nothing is to be undone.
    fn heal(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// A process that is to end.
#[derive(Debug)]
pub(super) struct Dying {
    /// What is said where a signal cannot be sent.
    who: String,
    watch: OwnedFd,
    /// When it was asked to end; nothing where it was not.
    asked_ns: Option<u64>,
    /// It was killed, because it did not.
    killed: bool,
}

impl Dying {
    pub(super) fn new(who: String, watch: OwnedFd) -> Self {
        Self { who, watch, asked_ns: None, killed: false }
    }

    fn send(&self, signal: Signal) -> Result<(), String> {
        match pidfd_send_signal(&self.watch, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(format!("{}: {error}", self.who)),
        }
    }

    fn is_dead(&self) -> bool {
        is_dead(&self.watch)
    }
}

/// Kills processes, each with the place of its host, or asks them to end, and waits for so long. One that does not end by then is
/// told by the look, and killed by a later one where somebody insists.
pub(super) fn end_all(victims: Vec<(usize, &mut Dying)>, ending: &Ending, most: Duration) -> Result<(), String> {
    let mut dying = Vec::new();
    for (_, victim) in victims {
        match ending {
            Ending::Killed => victim.send(Signal::KILL)?,
            Ending::Asked { .. } => {
                victim.send(Signal::TERM)?;
                victim.asked_ns = Some(mono_ns());
            }
        }
        dying.push(victim);
    }
    within(most, || dying.iter().all(|victim| victim.is_dead()));
    Ok(())
}

/// Kills whoever was asked to end, has not, and had the time that its owner gives it. Returns how many have ended, and how many of
/// them were killed by this, now or before.
pub(super) fn insist(victims: Vec<(usize, &mut Dying)>, ending: &Ending) -> (usize, usize) {
    let mut dying: Vec<&mut Dying> = Vec::new();
    for (host, victim) in victims {
        let waited = victim.asked_ns.map(|asked_ns| mono_ns().saturating_sub(asked_ns) / 1_000_000);
        let is_over = waited.zip(ending.patience_ms(host)).is_some_and(|(waited, patience)| waited >= patience);
        if is_over && !victim.killed && !victim.is_dead() {
            // One that cannot be killed is told as one that has not ended.
            victim.killed = victim.send(Signal::KILL).is_ok();
        }
        dying.push(victim);
    }
    within(KILLED_MAX, || dying.iter().all(|victim| !victim.killed || victim.is_dead()));
    let dead = dying.iter().filter(|victim| victim.is_dead());
    (dead.clone().count(), dead.filter(|victim| victim.killed).count())
}

/// What is said of those who had to be killed.
pub(super) fn insisted(killed: usize) -> String {
    if killed == 0 { String::new() } else { format!(", {killed} of them killed because their time to stop was over") }
}

/// A look at processes that were to end: how many, how many did, how many of those had to be killed, and how many were started
/// again.
pub(super) fn ended(holds: bool, text: String, (asked, dead, killed, restarted): (usize, usize, usize, usize)) -> Look {
    let mut seen = look(holds, text, &[("ended_processes", asked as f64, dead as f64)]);
    seen.measured.insert("restarted_processes".to_owned(), restarted as f64);
    if killed > 0 {
        seen.measured.insert("killed_processes".to_owned(), killed as f64);
    }
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

    /// A process of ours, watched; it ends with the test.
    fn dying(script: &str) -> (std::process::Child, Dying) {
        let mut command = std::process::Command::new("/bin/sh");
        let child = command.args(["-c", script]).stdout(std::process::Stdio::piped()).spawn().expect("it starts");
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a number")).expect("a number");
        (child, Dying::new("test".to_owned(), pidfd_open(pid, PidfdFlags::empty()).expect("it is there")))
    }

    #[test]
    fn who_does_not_end_in_its_owners_time_is_killed_and_nobody_before_that() {
        use std::io::Read;
        let (mut quick, mut polite) = dying("echo; exec sleep 60");
        let (mut stubborn, mut deaf) = dying("trap '' TERM; echo; exec sleep 60");
        for child in [&mut quick, &mut stubborn] {
            // It has said so: from now on it takes a signal as it means to.
            child.stdout.take().expect("it is piped").read_exact(&mut [0]).expect("it says so");
        }
        let patient = Ending::Asked { patience_ms: vec![Some(3_600_000), Some(3_600_000)] };
        end_all(vec![(0, &mut polite), (1, &mut deaf)], &patient, DEATHS_MAX).expect("they are asked");
        assert_eq!(insist(vec![(0, &mut polite), (1, &mut deaf)], &patient), (1, 0));
        let silent = Ending::Asked { patience_ms: Vec::new() };
        assert_eq!(insist(vec![(1, &mut deaf)], &silent), (0, 0), "nobody insists");
        let over = Ending::Asked { patience_ms: vec![Some(1), Some(1)] };
        assert_eq!(insist(vec![(0, &mut polite), (1, &mut deaf)], &over), (2, 1));
        assert_eq!((insisted(0).as_str(), insisted(1).contains("killed")), ("", true));
        assert!(quick.wait().is_ok() && stubborn.wait().is_ok());
    }

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let fields = (3..=22).map(|field| field.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(started_of(&format!("1 (a) b) {fields} 99")), Some(22));
    }
}
