//! Owns boots that are late, fail, or queue: a second gate for each host, behind that of its power. Refuses to give or
//! take power.
//!
//! A boot gate is a file whose shared lock the host's supervisor takes and leaves before it boots; where the file is
//! missing it passes. A hand that dies lets go of every lock: the inverse is the kernel's. A host is held up in the
//! first boot that it comes to while the fault lasts; once let through, it boots freely.

use super::fault::Fault;
use super::host_fault::{look, within};
use super::protocol::{BootTrouble, Look};
use agents::runtime::clock::mono_ns;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Folder of the boot gates, in the folder that a run's containers share.
pub const BOOT_DIR: &str = "boot";

/// How often it is looked who waits. A host is let through at most this much late.
const STEP: Duration = Duration::from_millis(10);
/// How long a look waits for hosts that are on their way to their gates.
const ARRIVALS_MAX: Duration = Duration::from_millis(400);

/// Hosts that do not boot as they should.
#[derive(Debug)]
pub(super) struct Boot {
    folder: PathBuf,
    hosts: Vec<String>,
    trouble: BootTrouble,
    gates: Arc<Mutex<Gates>>,
    keeper: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Gates {
    closed: BTreeMap<String, File>,
    queue: Queue,
    over: bool,
}

impl Boot {
    pub(super) fn new(folder: &Path, hosts: Vec<String>, trouble: BootTrouble) -> Self {
        Self { folder: folder.to_path_buf(), hosts, trouble, gates: Arc::default(), keeper: None }
    }
}

fn held(gates: &Mutex<Gates>) -> MutexGuard<'_, Gates> {
    gates.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fault for Boot {
    fn act(&mut self) -> Result<(), String> {
        if matches!(self.trouble, BootTrouble::Bottleneck { at_once: 0, .. }) {
            return Err("a boot bottleneck lets at least one host boot at a time".to_owned());
        }
        let mut gates = held(&self.gates);
        if !gates.closed.is_empty() || self.keeper.is_some() {
            return Ok(());
        }
        let told = |path: &Path, error: std::io::Error| format!("boot gate {}: {error}", path.display());
        std::fs::create_dir_all(&self.folder).map_err(|error| told(&self.folder, error))?;
        for host in &self.hosts {
            let path = self.folder.join(host);
            let open = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
            // A host that is passing holds its lock for an instant, and is waited for.
            let locked = open.and_then(|file| file.lock().map(|()| file));
            gates.closed.insert(host.clone(), locked.map_err(|error| told(&path, error))?);
        }
        gates.over = false;
        drop(gates);
        let (gates, trouble) = (Arc::clone(&self.gates), self.trouble);
        self.keeper = Some(std::thread::spawn(move || {
            while held(&gates).step(&trouble) {
                std::thread::sleep(STEP);
            }
        }));
        Ok(())
    }

    fn look(&mut self) -> Look {
        within(ARRIVALS_MAX, || held(&self.gates).queue.arrived.len() >= self.hosts.len());
        let gates = held(&self.gates);
        let (arrived, passed) = (&gates.queue.arrived, &gates.queue.passed);
        let is_whole = |host: &String| {
            passed.contains_key(host) || gates.closed.get(host).is_some_and(|file| is_at(file, &self.folder.join(host)))
        };
        let broken: Vec<&str> = self.hosts.iter().filter(|host| !is_whole(host)).map(String::as_str).collect();
        let absent: Vec<&str> =
            self.hosts.iter().filter(|host| !arrived.contains_key(*host)).map(String::as_str).collect();
        let text = if self.hosts.is_empty() {
            "aimed at no host".to_owned()
        } else if !broken.is_empty() {
            format!("boot gates that do not hold: {}", broken.join(", "))
        } else if !absent.is_empty() {
            format!("not come to their boot gates so far: {}", absent.join(", "))
        } else {
            format!("{} host(s) came to their boot gates, {} were let through", arrived.len(), passed.len())
        };
        let holds = !self.hosts.is_empty() && broken.is_empty() && absent.is_empty();
        let mut seen = look(holds, text, &[("held_up_hosts", self.hosts.len() as f64, arrived.len() as f64)]);
        seen.measured.insert("passed_hosts".to_owned(), passed.len() as f64);
        if let (BootTrouble::Late(late_ms), Some(least)) = (&self.trouble, gates.queue.least_wait_ns()) {
            seen.asked.insert("late_ms".to_owned(), *late_ms as f64);
            seen.measured.insert("late_ms".to_owned(), least as f64 / 1e6);
        }
        seen
    }

    fn heal(&mut self) -> Result<(), String> {
        let closed = {
            let mut gates = held(&self.gates);
            gates.over = true;
            std::mem::take(&mut gates.closed)
        };
        // Closing the file lets go of its lock: nobody else has it.
        drop(closed);
        match self.keeper.take().map(JoinHandle::join) {
            Some(Err(_)) => Err("the keeper of the boot gates ended in a bug; the gates are open".to_owned()),
            _ => Ok(()),
        }
    }
}

impl Drop for Boot {
    fn drop(&mut self) {
        // Nobody is left to tell, and nothing of it can fail but a bug.
        let _healed = self.heal();
    }
}

impl Gates {
    /// Lets through whom the trouble lets through by now; false where there is nothing more to do.
    fn step(&mut self, trouble: &BootTrouble) -> bool {
        if self.over || self.closed.is_empty() {
            return false;
        }
        let now = mono_ns();
        let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
        let waited_for = waited_for(&locks, std::process::id());
        let inode = |file: &File| file.metadata().map(|metadata| metadata.ino()).unwrap_or_default();
        let waiting = self.closed.iter().filter(|(_, file)| waited_for.contains(&inode(file)));
        let waiting: Vec<String> = waiting.map(|(host, _)| host.clone()).collect();
        self.queue.arrive(now, &waiting);
        for host in self.queue.due(now, trouble) {
            drop(self.closed.remove(&host));
        }
        true
    }
}

/// Who came to the boot gates, and when each was let through: by host, on the monotonic clock in nanoseconds.
#[derive(Debug, Default)]
struct Queue {
    arrived: BTreeMap<String, u64>,
    /// Since when it is being booted, where only so many are at a time.
    begun: BTreeMap<String, u64>,
    passed: BTreeMap<String, u64>,
}

impl Queue {
    fn arrive(&mut self, now: u64, hosts: &[String]) {
        for host in hosts {
            self.arrived.entry(host.clone()).or_insert(now);
        }
    }

    /// Whom to let through now; they count as passed.
    fn due(&mut self, now: u64, trouble: &BootTrouble) -> Vec<String> {
        let waiting = |queue: &Self| -> Vec<(u64, String)> {
            let rows = queue.arrived.iter().filter(|(host, _)| !queue.passed.contains_key(*host));
            let mut rows: Vec<_> = rows.map(|(host, at)| (*at, host.clone())).collect();
            rows.sort();
            rows
        };
        let late = |since: u64, ms: u64| now.saturating_sub(since) >= ms.saturating_mul(1_000_000);
        let due: Vec<String> = match trouble {
            BootTrouble::Never => Vec::new(),
            BootTrouble::Late(ms) => {
                waiting(self).into_iter().filter(|(at, _)| late(*at, *ms)).map(|(_, host)| host).collect()
            }
            BootTrouble::Bottleneck { at_once, each_ms } => {
                let ready = |(host, since): (&String, &u64)| {
                    (!self.passed.contains_key(host) && late(*since, *each_ms)).then(|| host.clone())
                };
                let ready: Vec<String> = self.begun.iter().filter_map(ready).collect();
                self.passed.extend(ready.iter().map(|host| (host.clone(), now)));
                let booting = self.begun.len() - self.passed.len();
                let next = waiting(self).into_iter().filter(|(_, host)| !self.begun.contains_key(host));
                let next: Vec<String> = next.take(at_once.saturating_sub(booting)).map(|(_, host)| host).collect();
                self.begun.extend(next.into_iter().map(|host| (host, now)));
                ready
            }
        };
        self.passed.extend(due.iter().map(|host| (host.clone(), now)));
        due
    }

    /// The shortest wait of those who were let through.
    fn least_wait_ns(&self) -> Option<u64> {
        self.passed.iter().filter_map(|(host, at)| Some(at - self.arrived.get(host)?)).min()
    }
}

/// Whether this is the file that a host finds at the path.
fn is_at(file: &File, path: &Path) -> bool {
    let same =
        |ours: std::fs::Metadata, theirs: std::fs::Metadata| (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino());
    file.metadata().ok().zip(std::fs::metadata(path).ok()).is_some_and(|(ours, theirs)| same(ours, theirs))
}

/// Inodes of files whose lock this process holds and somebody waits for (`proc(5)`, `/proc/locks`: those who wait
/// follow the holder's line with its number and `->`).
fn waited_for(locks: &str, holder: u32) -> BTreeSet<u64> {
    let holder = holder.to_string();
    let mut found = BTreeSet::new();
    let mut held = None;
    for line in locks.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        if words.get(1) == Some(&"->") {
            found.extend(held);
        } else {
            let inode = words.get(5).and_then(|place| place.rsplit_once(':')?.1.parse::<u64>().ok());
            held = inode.filter(|_| words.get(4) == Some(&holder.as_str()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn hosts(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_late_host_waits_from_its_own_arrival() {
        let mut queue = Queue::default();
        queue.arrive(0, &hosts(&["a"]));
        queue.arrive(50 * MS, &hosts(&["a", "b"]));
        let late = BootTrouble::Late(100);
        assert_eq!(queue.due(99 * MS, &late), hosts(&[]));
        assert_eq!(queue.due(101 * MS, &late), hosts(&["a"]));
        assert_eq!(queue.due(151 * MS, &late), hosts(&["b"]));
        assert_eq!(queue.due(999 * MS, &late), hosts(&[]), "each is let through once");
        assert_eq!(queue.least_wait_ns(), Some(101 * MS));
    }

    #[test]
    fn a_bottleneck_boots_so_many_at_a_time_in_order_of_arrival() {
        let mut queue = Queue::default();
        queue.arrive(0, &hosts(&["c"]));
        queue.arrive(MS, &hosts(&["a", "b", "c"]));
        let narrow = BootTrouble::Bottleneck { at_once: 2, each_ms: 100 };
        assert_eq!(queue.due(2 * MS, &narrow), hosts(&[]), "c and a begin");
        assert_eq!(queue.due(102 * MS, &narrow), hosts(&["a", "c"]));
        assert_eq!(queue.due(150 * MS, &narrow), hosts(&[]));
        assert_eq!(queue.due(202 * MS, &narrow), hosts(&["b"]));
    }

    #[test]
    fn who_never_boots_is_never_due() {
        let mut queue = Queue::default();
        queue.arrive(0, &hosts(&["a"]));
        assert_eq!(queue.due(u64::MAX, &BootTrouble::Never), hosts(&[]));
    }

    #[test]
    fn only_those_who_wait_for_our_own_locks_are_counted() {
        let locks = "1: FLOCK  ADVISORY  WRITE 4711 fe:00:131 0 EOF\n1: -> FLOCK  ADVISORY  READ 12 fe:00:131 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 4712 fe:00:7 0 EOF\n2: -> FLOCK  ADVISORY  READ 13 fe:00:7 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 4711 fe:00:9 0 EOF\n";
        assert_eq!(waited_for(locks, 4711).into_iter().collect::<Vec<_>>(), [131]);
    }
}
