//! Owns the ledger on the disk: one server a folder, each entry synced before it counts, and a full disk. Refuses to know
//! what entries mean.

use super::Folders;
use crate::locked::Locked;
use crate::schedule::ledger::{Entry, LEDGER_SCHEMA, Ledger};
use anyhow::{Context, Result, bail};
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

/// Of a ledger that is larger than this, in bytes, and twice as large as it was made last, a small one is made.
const COMPACTED_ABOVE: u64 = 1 << 20;

/// The ledger of one folder, and the lock on it.
#[derive(Debug)]
pub struct LedgerFile {
    file: File,
    path: PathBuf,
    /// Entries that a full disk did not take yet.
    waiting: VecDeque<Entry>,
    /// What has been taken, in bytes.
    good: u64,
    /// How much that was when it was made small last.
    small: u64,
    /// Held for as long as the server lives.
    _lock: Locked,
}

impl LedgerFile {
    /// Opens, or begins, the ledger of a folder. A torn last line is taken off: nothing was done for it.
    ///
    /// # Errors
    /// Where another server keeps this folder, it cannot be written, or a later version wrote it.
    pub fn open(folders: &Folders) -> Result<(Self, Ledger)> {
        let told = || format!("{} cannot be written; name another folder with --out", folders.state.display());
        std::fs::create_dir_all(&folders.state).with_context(told)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folders.state.join("lock"))
            .with_context(told)?;
        let Some(lock) = Locked::take(lock) else {
            bail!(
                "another `blackstart serve` keeps {}: stop it, or name another folder with --out",
                folders.runs.display()
            );
        };
        let path = folders.ledger();
        let mut file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).with_context(told)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).with_context(|| format!("{} cannot be read", path.display()))?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let text = String::from_utf8_lossy(&bytes[..whole]);
        let ledger = Ledger::read(&text).map_err(|why| anyhow::anyhow!("{}: {why}", path.display()))?;
        let good = whole as u64;
        let mut this = Self { file, path, waiting: VecDeque::new(), good, small: 0, _lock: lock };
        this.take_back()?;
        // A full disk keeps what there is: what an earlier server began must be accounted for all the same.
        if this.good == 0
            && let Err(error) = this.write(Entry::Schema(LEDGER_SCHEMA))
        {
            tracing::warn!("{error:#}");
        }
        Ok((this, ledger))
    }

    /// Has an entry on the disk, and all that waited before it.
    ///
    /// # Errors
    /// Where the disk does not take it. It is kept, and tried again with the next one, unless it is taken back.
    pub fn write(&mut self, entry: Entry) -> Result<()> {
        self.waiting.push_back(entry);
        self.retry()
    }

    /// Tries again what a full disk did not take.
    ///
    /// # Errors
    /// Where it still does not.
    pub fn retry(&mut self) -> Result<()> {
        while let Some(entry) = self.waiting.front().cloned() {
            self.append(&entry)?;
            self.waiting.pop_front();
        }
        Ok(())
    }

    /// Entries that the disk did not take yet.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn append(&mut self, entry: &Entry) -> Result<()> {
        let line = Ledger::line(entry);
        let done = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(error) = done {
            // Half a line is none.
            let _full = self.take_back();
            return Err(error).with_context(|| format!("{} cannot be written", self.path.display()));
        }
        self.good += line.len() as u64;
        Ok(())
    }

    /// Takes off whatever stands behind the last whole entry.
    fn take_back(&mut self) -> Result<()> {
        self.file.set_len(self.good)?;
        self.file.seek(SeekFrom::Start(self.good))?;
        Ok(())
    }

    /// Writes what the entries amount to in fewer lines, where there are many more than it takes.
    ///
    /// # Errors
    /// Where the disk does not take it: the old one stays.
    pub fn make_small(&mut self, ledger: &Ledger) -> Result<()> {
        let is_large = self.good > COMPACTED_ABOVE && self.good > 2 * self.small;
        if is_large && self.waiting.is_empty() { self.compact(ledger) } else { Ok(()) }
    }

    /// The same in fewer lines: written beside, synced, and then put in its place.
    fn compact(&mut self, ledger: &Ledger) -> Result<()> {
        let beside = self.path.with_extension("jsonl.new");
        let told = || format!("{} cannot be written", beside.display());
        let mut file =
            OpenOptions::new().create(true).truncate(true).read(true).write(true).open(&beside).with_context(told)?;
        let text: String = ledger.compacted().iter().map(Ledger::line).collect();
        file.write_all(text.as_bytes()).with_context(told)?;
        file.sync_all().with_context(told)?;
        std::fs::rename(&beside, &self.path).with_context(told)?;
        if let Some(folder) = self.path.parent() {
            File::open(folder).and_then(|folder| folder.sync_all()).with_context(told)?;
        }
        (self.file, self.good, self.small) = (file, text.len() as u64, text.len() as u64);
        Ok(())
    }
}
