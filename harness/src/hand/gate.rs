//! Owns the gates: one file per host in the shared folder, locked while the host must not start. Refuses to know why.

use agents::runtime::clock::mono_ns;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

/// How long hosts may take from their start to their gates.
const WAITERS_NS_MAX: u64 = 5_000_000_000;

/// Gates that are closed.
#[derive(Debug)]
pub(super) struct Gates {
    folder: PathBuf,
    closed: BTreeMap<String, File>,
}

impl Gates {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, closed: BTreeMap::new() }
    }

    /// Makes the file where it is not there, and locks it. A host that is passing through (it holds the lock for an
    /// instant) is waited for.
    pub(super) fn close(&mut self, host: &str) -> std::io::Result<()> {
        if self.closed.contains_key(host) {
            return Ok(());
        }
        let path = self.folder.join(host);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        file.lock()?;
        self.closed.insert(host.to_owned(), file);
        Ok(())
    }

    /// Waits until somebody waits at each of these gates, as the kernel's own list of locks shows: a host whose first
    /// process has not come that far would get power later than the others. Returns how many are there.
    pub(super) fn await_waiters(&self, hosts: &[String]) -> usize {
        let inodes: Vec<u64> = hosts
            .iter()
            .filter_map(|host| self.closed.get(host))
            .filter_map(|file| file.metadata().ok())
            .map(|metadata| metadata.ino())
            .collect();
        let began = mono_ns();
        loop {
            let waiting = waiting_inodes(&std::fs::read_to_string("/proc/locks").unwrap_or_default());
            let there = inodes.iter().filter(|inode| waiting.contains(inode)).count();
            if there == inodes.len() || mono_ns() - began > WAITERS_NS_MAX {
                return there;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Lets go of the lock.
    pub(super) fn open(&mut self, host: &str) -> std::io::Result<()> {
        match self.closed.remove(host) {
            Some(file) => file.unlock(),
            None => Ok(()),
        }
    }
}

/// Inodes of files at whose lock somebody waits (`proc(5)`, `/proc/locks`: a waiter's line has `->`).
fn waiting_inodes(locks: &str) -> BTreeSet<u64> {
    let waiters = locks.lines().filter(|line| line.contains("->"));
    let field = |line: &str| line.split_ascii_whitespace().find_map(|word| word.rsplit_once(':')?.1.parse().ok());
    // The first words are `12: -> FLOCK`: their colon is followed by nothing.
    waiters.filter_map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::waiting_inodes;

    #[test]
    fn only_those_who_wait_are_read_from_the_kernels_list() {
        let locks = "1: FLOCK  ADVISORY  WRITE 4711 fe:00:131 0 EOF\n1: -> FLOCK  ADVISORY  READ 4712 fe:00:131 0 EOF\n\
                     2: POSIX  ADVISORY  READ 5 00:1a:99 0 EOF\n";
        assert_eq!(waiting_inodes(locks).into_iter().collect::<Vec<_>>(), [131]);
    }
}
