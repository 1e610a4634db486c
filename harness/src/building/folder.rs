//! Owns the folder of a build while it goes on: what was asked for, the ledger with each entry synced before what follows
//! from it, and that one process alone works on it. Refuses to know what entries mean.

use crate::builder::ledger::{Entry, entries, to_line};
use crate::load::BadInput;
use crate::locked::Locked;
use anyhow::{Context, Result};
use scenarios::build::check::Check;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What was asked for: whoever takes a build up builds the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Asked {
    /// The region to be built; where a zone is, the region that stands.
    pub region: String,
    /// The region that it is built out of.
    pub from: String,
    /// The zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Its parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The graph, as it was named.
    pub graph: String,
    /// Where.
    pub world: String,
    /// Decides everything.
    pub seed: u64,
    /// Defects that are played.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub defects: Vec<String>,
    /// What earlier builds had found when it began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
}

/// The folder of a build that this process works on.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    ledger: Locked,
}

fn asked_path(path: &Path) -> PathBuf {
    path.join("asked.json")
}

fn ledger_path(path: &Path) -> PathBuf {
    path.join("ledger.jsonl")
}

impl Folder {
    /// Begins a build.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn begin(path: &Path, asked: &Asked) -> Result<Self> {
        let told = || format!("the build's folder {} cannot be written; name another with --out", path.display());
        std::fs::create_dir_all(path).with_context(told)?;
        let text = serde_json::to_string_pretty(asked).context("what was asked for cannot be written down")? + "\n";
        let mut file = File::create(asked_path(path)).with_context(told)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(told)?;
        let ledger = OpenOptions::new().create_new(true).append(true).open(ledger_path(path)).with_context(told)?;
        let ledger = lock(ledger, path)?;
        // The names of both files are on the disk before anything is done.
        File::open(path).and_then(|folder| folder.sync_all()).with_context(told)?;
        Ok(Self { path: path.to_owned(), ledger })
    }

    /// Takes a build up: what was asked for, and what was written so far. A torn last line is taken off: nothing was done
    /// for it.
    ///
    /// # Errors
    /// [`BadInput`] where there is no such build; a build that somebody works on, and files that cannot be read.
    pub fn take_up(path: &Path) -> Result<(Self, Asked, Vec<Entry>)> {
        let (asked, ledger) = (asked_path(path), ledger_path(path));
        let Ok(text) = std::fs::read_to_string(&asked) else {
            let text = format!(
                "error: {} is no build that could be taken up: {} cannot be read\nhelp: --take-up takes the run of a build \
                 below --out\n",
                path.display(),
                asked.display()
            );
            return Err(BadInput { text }.into());
        };
        let what: Asked =
            serde_json::from_str(&text).with_context(|| format!("{} is damaged: begin anew", asked.display()))?;
        let file = OpenOptions::new().read(true).append(true).open(&ledger);
        let file = file.with_context(|| format!("{} cannot be opened", ledger.display()))?;
        let file = lock(file, path)?;
        let bytes = std::fs::read(&ledger).with_context(|| format!("{} cannot be read", ledger.display()))?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        file.set_len(whole as u64).with_context(|| format!("{} cannot be written", ledger.display()))?;
        let text = String::from_utf8_lossy(&bytes[..whole]);
        let written = entries(&text).with_context(|| format!("{} cannot be taken up", ledger.display()))?;
        Ok((Self { path: path.to_owned(), ledger: file }, what, written))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Has an entry on the disk.
    ///
    /// # Errors
    /// Where the disk does not take it.
    pub fn write(&mut self, entry: &Entry) -> Result<()> {
        let told = || format!("{} cannot be written: nothing more is done", ledger_path(&self.path).display());
        self.ledger.write_all(to_line(entry).as_bytes()).with_context(told)?;
        self.ledger.sync_data().with_context(told)
    }
}

/// The kernel lets go of it when this process ends, however it does.
pub(super) fn lock(ledger: File, path: &Path) -> Result<Locked> {
    let told = || format!("another `blackstart build` works on {}: wait until it has ended", path.display());
    Locked::take(ledger).with_context(told)
}
