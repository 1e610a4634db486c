//! Owns what became of a standing region: one line an entry, in a file that stays small. Refuses to decide anything.

use super::folder::Folder;
use crate::schedule::moment::Moment;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::io::Write;

/// A ledger of more bytes is made small, and then has so many of its last entries.
const LARGE_BYTES: u64 = 512 << 10;
const KEPT: usize = 1_000;

/// What became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// It stands, and its customers are well.
    Built {
        /// From its first object, in milliseconds.
        took_ms: u64,
        /// Hosts.
        hosts: usize,
        /// Instances.
        instances: usize,
    },
    /// Whoever worked on it lost it: the engine, the hand or the witness is gone.
    Lost {
        /// Why, as it was seen.
        why: String,
    },
    /// Hosts without power got theirs, all together, and everybody was active again by itself.
    BlackStart {
        /// Hosts that had none.
        hosts: usize,
        /// From when it was lost, or last seen well, to when everybody was active, in milliseconds.
        since_lost_ms: u64,
        /// From when it was found to when everybody was active.
        since_found_ms: u64,
        /// From power to when everybody was active.
        since_power_ms: u64,
    },
    /// A game day began in it.
    Lent {
        /// Its id.
        run: String,
        /// What is held.
        scenario: String,
    },
    /// It was given back.
    GivenBack {
        /// By which run.
        run: String,
        /// What could not be given back; empty is good.
        troubled: Vec<String>,
    },
    /// A service was deployed anew, zone by zone.
    Deployed {
        /// Which.
        service: String,
        /// The name of what was deployed.
        version: String,
    },
    /// A deployment was stopped.
    NotDeployed {
        /// Of which service.
        service: String,
        /// Why.
        why: String,
    },
    /// It is not as it was declared, or as it was left.
    Drift {
        /// The game day that was about to begin, where one was.
        run: Option<String>,
        /// What is different.
        found: Vec<String>,
        /// Whether it was accepted; `None` where nothing hung on it.
        accepted: Option<bool>,
    },
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Moment,
    /// What.
    pub what: What,
}

/// Writes an entry; the only one who writes is whoever works on the region.
///
/// # Errors
/// Where the disk does not take it.
pub fn write(folder: &Folder, at: Moment, what: What) -> Result<()> {
    let path = folder.file("ledger.jsonl");
    let told = || format!("{} cannot be written", path.display());
    make_small(folder)?;
    let mut line = serde_json::to_string(&Entry { at, what })?;
    line.push('\n');
    let mut file = OpenOptions::new().create(true).append(true).open(&path).with_context(told)?;
    file.write_all(line.as_bytes()).and_then(|()| file.sync_data()).with_context(told)
}

/// All that is kept, the oldest first; lines that a crash tore are left out.
pub fn read(folder: &Folder) -> Vec<Entry> {
    let text = std::fs::read_to_string(folder.file("ledger.jsonl")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn make_small(folder: &Folder) -> Result<()> {
    let path = folder.file("ledger.jsonl");
    if std::fs::metadata(&path).is_ok_and(|file| file.len() > LARGE_BYTES) {
        let all = read(folder);
        let kept: Result<String, _> = all[all.len().saturating_sub(KEPT)..]
            .iter()
            .map(|entry| serde_json::to_string(entry).map(|line| line + "\n"))
            .collect();
        folder.write_text("ledger.jsonl", &kept?)?;
    }
    Ok(())
}

/// The last time that it came back, with how many times it did, of what is kept.
pub fn black_starts(entries: &[Entry]) -> (usize, Option<&Entry>) {
    let mut starts = entries.iter().filter(|entry| matches!(entry.what, What::BlackStart { .. }));
    let last = starts.clone().next_back();
    (starts.by_ref().count(), last)
}
