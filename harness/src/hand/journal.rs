//! Owns what the hand must know if it is started again: one line for each act, on the disk before the act. Refuses to
//! know how anything is undone.
//!
//! The file lies in the run's shared volume and goes with it. A torn last line is an act that was never begun: the line
//! is synced first.

use super::borrowed::{self, Borrowed};
use super::machine::Snapshot;
use super::protocol::{Deed, Wire};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Entry {
    /// A hand has come up.
    Up,
    /// What was on the machine before.
    Before(Snapshot),
    /// Bridges between which packets are forwarded.
    Links {
        /// Interfaces.
        bridges: Vec<String>,
        /// Decides which packets are lost.
        seed: u64,
    },
    /// Cables of hosts.
    Wires(Vec<Wire>),
    /// Zones that have a disk of their own.
    Disks(Vec<String>),
    /// A deed is about to be done.
    Intent {
        /// The fault.
        fault: String,
        /// The deed.
        deed: Deed,
    },
    /// A fault was healed.
    Healed {
        /// The fault.
        fault: String,
    },
    /// Containers of somebody else's, as they were found.
    Borrowed(Vec<Borrowed>),
    /// Hosts are owed power from now on.
    Owed {
        /// The hosts.
        hosts: Vec<String>,
        /// Whether their restart policies are taken too.
        withheld: bool,
    },
    /// What was owed to a host was given back.
    Given {
        /// The host.
        host: String,
    },
    /// The region is to stand until this moment of the machine's monotonic clock, whoever is gone.
    Hold {
        /// Nanoseconds.
        until_ns: u64,
    },
}

/// What the lines of an earlier hand add up to.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Past {
    /// Whether there was an earlier hand.
    pub(super) again: bool,
    pub(super) links: Option<(Vec<String>, u64)>,
    pub(super) wires: Vec<Wire>,
    pub(super) disks: Vec<String>,
    /// Faults that were begun and not healed.
    pub(super) faults: BTreeMap<String, Deed>,
    pub(super) hold_until_ns: Option<u64>,
    pub(super) before: Option<Snapshot>,
    /// Containers of somebody else's, and what is owed to which of their hosts.
    pub(super) borrowed: Vec<Borrowed>,
    pub(super) owed: BTreeMap<String, bool>,
}

impl Past {
    fn new(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut past = Self::default();
        for entry in entries {
            match entry {
                Entry::Up => past.again = true,
                Entry::Before(before) => past.before = Some(before),
                Entry::Links { bridges, seed } => past.links = Some((bridges, seed)),
                Entry::Wires(wires) => past.wires = wires,
                Entry::Disks(zones) => past.disks = zones,
                Entry::Intent { fault, deed } => {
                    past.faults.insert(fault, deed);
                }
                Entry::Healed { fault } => {
                    past.faults.remove(&fault);
                }
                Entry::Borrowed(containers) => past.borrowed = containers,
                Entry::Owed { hosts, withheld } => borrowed::owed_too(&mut past.owed, &hosts, withheld),
                Entry::Given { host } => {
                    past.owed.remove(&host);
                }
                Entry::Hold { until_ns } => past.hold_until_ns = Some(until_ns),
            }
        }
        past
    }
}

/// A journal of more bytes is made small.
const LARGE_BYTES: usize = 256 << 10;

impl Past {
    /// The same in as few entries as may be.
    fn entries(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = self.again.then_some(Entry::Up).into_iter().collect();
        entries.extend(self.before.clone().map(Entry::Before));
        entries.extend(self.links.clone().map(|(bridges, seed)| Entry::Links { bridges, seed }));
        entries.extend((!self.wires.is_empty()).then(|| Entry::Wires(self.wires.clone())));
        entries.extend((!self.disks.is_empty()).then(|| Entry::Disks(self.disks.clone())));
        let fault = |(fault, deed): (&String, &Deed)| Entry::Intent { fault: fault.clone(), deed: deed.clone() };
        entries.extend(self.faults.iter().map(fault));
        entries.extend((!self.borrowed.is_empty()).then(|| Entry::Borrowed(self.borrowed.clone())));
        let owed = |(host, withheld): (&String, &bool)| Entry::Owed { hosts: vec![host.clone()], withheld: *withheld };
        entries.extend(self.owed.iter().map(owed));
        entries.extend(self.hold_until_ns.map(|until_ns| Entry::Hold { until_ns }));
        entries
    }
}

/// The open file.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
}

impl Journal {
    /// Opens the file in `folder`, makes it where it is not there, and reads what an earlier hand wrote. One that has grown
    /// large, as that of a region does that stands for long, is made small first.
    pub(super) fn open(folder: &Path) -> std::io::Result<(Self, Past)> {
        let path = folder.join("hand.jsonl");
        // Hosts see the folder; what the hand does is none of their business.
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path)?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        if text.len() > LARGE_BYTES {
            let past = Past::new(text.lines().filter_map(|line| serde_json::from_str(line).ok()));
            let beside = path.with_extension("jsonl.new");
            let mut small = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            for entry in past.entries() {
                serde_json::to_writer(&mut small, &entry)?;
                small.write_all(b"\n")?;
            }
            small.sync_all()?;
            std::fs::rename(&beside, &path)?;
            File::open(folder)?.sync_all()?;
            file = OpenOptions::new().read(true).append(true).open(&path)?;
            return Ok((Self { file }, past));
        }
        if !text.is_empty() && !text.ends_with('\n') {
            // What follows a torn line must not be read as its end.
            file.write_all(b"\n")?;
        }
        let entries = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        Ok((Self { file }, Past::new(entries)))
    }

    /// Writes one line and syncs it.
    pub(super) fn write(&mut self, entry: &Entry) -> Result<(), String> {
        let told = |error: std::io::Error| format!("the hand's journal cannot be written: {error}");
        let mut line = serde_json::to_vec(entry).map_err(|error| told(error.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).and_then(|()| self.file.sync_data()).map_err(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_that_starts_again_knows_what_was_begun_and_not_healed() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let (mut journal, past) = Journal::open(folder.path())?;
        assert_eq!(past, Past::default());
        let deed = Deed::DiskFull { zones: vec!["az1".to_owned()] };
        for fault in ["first", "second"] {
            let entry = Entry::Intent { fault: fault.to_owned(), deed: deed.clone() };
            journal.write(&entry).map_err(std::io::Error::other)?;
        }
        journal.write(&Entry::Healed { fault: "first".to_owned() }).map_err(std::io::Error::other)?;
        journal.file.write_all(br#"{"Healed":{"fault":"sec"#)?;
        let (mut journal, past) = Journal::open(folder.path())?;
        assert_eq!(past.faults.keys().collect::<Vec<_>>(), ["second"]);
        journal.write(&Entry::Healed { fault: "second".to_owned() }).map_err(std::io::Error::other)?;
        assert_eq!(Journal::open(folder.path())?.1.faults.len(), 0, "a torn line hides nothing that follows it");
        Ok(())
    }

    #[test]
    fn a_hand_that_starts_again_knows_what_is_owed_to_whom() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let (mut journal, _) = Journal::open(folder.path())?;
        let of = |host: &str| Borrowed {
            host: host.to_owned(),
            id: host.to_owned(),
            cgroup: String::new(),
            policy: borrowed::Policy { name: "always".to_owned(), retries: 0 },
            endpoints: Vec::new(),
        };
        let hosts = |hosts: &[&str]| hosts.iter().map(ToString::to_string).collect::<Vec<String>>();
        let mut write = |entry: Entry| journal.write(&entry).map_err(std::io::Error::other);
        write(Entry::Borrowed(vec![of("a"), of("b")]))?;
        write(Entry::Owed { hosts: hosts(&["a", "b"]), withheld: true })?;
        write(Entry::Given { host: "a".to_owned() })?;
        write(Entry::Owed { hosts: hosts(&["a"]), withheld: false })?;
        let (_, past) = Journal::open(folder.path())?;
        assert_eq!(past.owed, BTreeMap::from([("a".to_owned(), false), ("b".to_owned(), true)]));
        assert_eq!(past.borrowed, [of("a"), of("b")]);
        assert_eq!(Past::new(past.entries()), past, "and says the same in few lines");
        Ok(())
    }

    #[test]
    fn a_journal_that_has_grown_large_says_the_same_in_few_lines() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let (mut journal, _) = Journal::open(folder.path())?;
        let deed = Deed::DiskFull { zones: vec!["az1".to_owned()] };
        let mut write = |entry: Entry| journal.write(&entry).map_err(std::io::Error::other);
        write(Entry::Up)?;
        write(Entry::Links { bridges: vec!["one".to_owned(), "other".to_owned()], seed: 7 })?;
        write(Entry::Disks(vec!["az1".to_owned()]))?;
        for number in 0..4_000 {
            let fault = format!("fault-{number}");
            write(Entry::Intent { fault: fault.clone(), deed: deed.clone() })?;
            if number != 5 {
                write(Entry::Healed { fault })?;
            }
        }
        let before = std::fs::metadata(folder.path().join("hand.jsonl"))?.len();
        let (_, past) = Journal::open(folder.path())?;
        let after = std::fs::metadata(folder.path().join("hand.jsonl"))?.len();
        assert!(before > LARGE_BYTES as u64 && after < 1_000, "{before} bytes, then {after}");
        assert_eq!(past.faults.keys().collect::<Vec<_>>(), ["fault-5"]);
        assert_eq!(Journal::open(folder.path())?.1, past, "and says the same");
        Ok(())
    }
}
