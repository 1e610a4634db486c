//! Owns what of a build in containers is on the disk for whoever takes it up when its builder died or was paused: what was asked for, what was
//! made, and the ledger. Refuses to take it up.

use crate::builder::ledger::{Entry, Ledger};
use crate::building::folder::{self, lock};
use crate::clock::Clock;
use crate::journal::Journal;
use crate::locked::Locked;
use crate::world::docker::standing::Made;
use anyhow::{Context, Result};
use fixtures::name::ZoneName;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Arc;

/// The file beside the ledger. It has the run's root key, and is removed with the run.
const FILE: &str = "site.json";

/// What was asked for, and how often the build has been taken up since.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// In the words of the command line.
    pub what: folder::Asked,
    /// How often.
    pub again: u32,
}

/// What an earlier builder left.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Found {
    /// What it was asked for.
    pub asked: Asked,
    /// What it had made.
    pub made: Made,
    /// Zones whose racks had landed.
    pub landed: Vec<ZoneName>,
}

impl Found {
    /// What is there of a run.
    ///
    /// # Errors
    /// Where nothing is, or it cannot be read.
    pub fn read(out: &Path, run: &str) -> Result<Self, String> {
        let path = out.join(run).join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Whether a builder left anything of a run.
    pub fn is_there(out: &Path, run: &str) -> bool {
        out.join(run).join(FILE).is_file()
    }

    /// Puts it on the disk, whole.
    ///
    /// # Errors
    /// Where the disk does not take it.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let (path, part) = (folder.join(FILE), folder.join(format!("{FILE}.part")));
        let written = (|| {
            let mut file = File::create(&part)?;
            serde_json::to_writer(&mut file, self)?;
            file.sync_all()?;
            std::fs::rename(&part, &path)
        })();
        written.with_context(|| format!("{} cannot be written", path.display()))
    }
}

/// Nothing can be taken up any more.
pub(super) fn forget(folder: &Path) {
    // One that was never written is forgotten.
    let _none = std::fs::remove_file(folder.join(FILE));
}

/// The open files of a build.
pub(super) struct Files {
    pub(super) clock: Arc<Clock>,
    pub(super) journal: Journal,
    pub(super) ledger: Locked,
    /// Entries that are there already, and what they amount to.
    pub(super) entries: Vec<Entry>,
    pub(super) known: Ledger,
}

impl Files {
    /// Those of a new build, or of one that is taken up: half a last line is no line.
    pub(super) fn open(out: &Path, run: &str, again: bool) -> Result<Self> {
        if !again {
            let clock = Arc::new(Clock::start());
            let journal = Journal::create(out, run, Arc::clone(&clock))?;
            let path = journal.folder().join("ledger.jsonl");
            let ledger = OpenOptions::new().create_new(true).append(true).open(&path);
            let ledger = ledger.with_context(|| format!("{} cannot be made", path.display()))?;
            let ledger = lock(ledger, journal.folder())?;
            return Ok(Self { clock, journal, ledger, entries: Vec::new(), known: Ledger::default() });
        }
        let folder = out.join(run);
        let path = folder.join("ledger.jsonl");
        let told = || format!("{} cannot be taken up", path.display());
        let ledger = OpenOptions::new().append(true).open(&path).with_context(told)?;
        // Before anything is read: whoever works on it may be writing.
        let ledger = lock(ledger, &folder)?;
        let (journal, began) = Journal::reopen(out, run)?;
        let clock = Arc::new(Clock::going_on(began.as_ref()));
        let journal = journal.by(Arc::clone(&clock));
        let text = std::fs::read_to_string(&path).with_context(told)?;
        let whole = &text[..text.rfind('\n').map_or(0, |at| at + 1)];
        let known = Ledger::read(whole).with_context(told)?;
        let entries = whole.lines().map(serde_json::from_str).collect::<Result<Vec<Entry>, _>>().with_context(told)?;
        ledger.set_len(whole.len() as u64).with_context(told)?;
        Ok(Self { clock, journal, ledger, entries, known })
    }
}
