//! Owns what a build remembers: entries, one line of JSON each, and what they amount to. Refuses to know where they are
//! kept; whoever keeps them has each on the disk before the act that it announces.

use super::Ending;
use crate::controller::Nanos;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The form of the entries.
pub const LEDGER_SCHEMA: u32 = 1;

/// What is written down. Times are nanoseconds of the build's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// The first line: in which form the others are, and what is built.
    Begun {
        /// [`LEDGER_SCHEMA`] of the writer.
        schema: u32,
        /// The region.
        region: String,
        /// A digest of the plan: a ledger goes with one plan alone.
        plan: u64,
        /// When.
        at: Nanos,
    },
    /// Another builder has taken it up: the one before it ended here.
    TakenUp {
        /// When.
        at: Nanos,
    },
    /// A step is about to be begun.
    Intent {
        /// Its id.
        step: String,
        /// How often it has been, this time included.
        attempt: u32,
        /// When.
        at: Nanos,
    },
    /// A step is over.
    Done {
        /// Its id.
        step: String,
        /// When.
        at: Nanos,
    },
    /// The build stops at the border of a phase.
    Paused {
        /// When.
        at: Nanos,
    },
    /// It goes on.
    Resumed {
        /// When.
        at: Nanos,
    },
    /// From here on steps are undone.
    RollingBack {
        /// Why.
        why: String,
        /// When.
        at: Nanos,
    },
    /// A step was undone.
    Undone {
        /// Its id.
        step: String,
        /// When.
        at: Nanos,
    },
    /// The build is over.
    Ended {
        /// How.
        ending: Ending,
        /// When.
        at: Nanos,
    },
}

/// Why a text is no ledger of this build.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A line that is complete and no entry.
    #[error("line {line} is no entry of a build")]
    NotAnEntry {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A later version wrote it.
    #[error("it has schema {0}, and this version reads up to {LEDGER_SCHEMA}: use the version that wrote it")]
    Newer(u32),
}

/// What entries amount to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    /// The region, and the digest of the plan.
    pub begun: Option<(String, u64)>,
    /// Steps that are over and were not undone, with when.
    pub done: BTreeMap<String, Nanos>,
    /// A step that was begun and is not over, and how often.
    pub open: Option<(String, u32)>,
    /// Whether it is paused.
    pub paused: bool,
    /// Why it is rolled back.
    pub rolling_back: Option<String>,
    /// How it ended.
    pub ended: Option<Ending>,
    /// Steps that were begun more than once, and how often.
    pub retried: BTreeMap<String, u32>,
}

impl Ledger {
    /// Reads entries, one line each. A last line without its end is none: nothing was done for it.
    ///
    /// # Errors
    /// [`LedgerError`] where a line is damaged, or a later version wrote it.
    pub fn read(text: &str) -> Result<Self, LedgerError> {
        let mut ledger = Self::default();
        entries(text)?.iter().for_each(|entry| ledger.apply(entry));
        Ok(ledger)
    }

    /// Takes one entry up.
    pub fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Begun { region, plan, .. } => self.begun = Some((region.clone(), *plan)),
            Entry::TakenUp { .. } => {}
            Entry::Intent { step, attempt, .. } => {
                self.open = Some((step.clone(), *attempt));
                if *attempt > 1 {
                    self.retried.insert(step.clone(), *attempt);
                }
            }
            Entry::Done { step, at } => {
                self.open = None;
                self.done.insert(step.clone(), *at);
            }
            Entry::Paused { .. } => self.paused = true,
            Entry::Resumed { .. } => self.paused = false,
            Entry::RollingBack { why, .. } => self.rolling_back = Some(why.clone()),
            Entry::Undone { step, .. } => {
                self.open = None;
                self.done.remove(step);
            }
            Entry::Ended { ending, .. } => self.ended = Some(ending.clone()),
        }
    }
}

/// Entries of a text, one line each. A last line without its end is none.
///
/// # Errors
/// [`LedgerError`] where a line is damaged, or a later version wrote it.
pub fn entries(text: &str) -> Result<Vec<Entry>, LedgerError> {
    let mut entries = Vec::new();
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let Some(line) = line.strip_suffix('\n') else { break };
        let entry = serde_json::from_str(line).map_err(|source| LedgerError::NotAnEntry { line: index + 1, source })?;
        if let Entry::Begun { schema, .. } = &entry
            && *schema > LEDGER_SCHEMA
        {
            return Err(LedgerError::Newer(*schema));
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// An entry as one line, with its newline.
pub fn to_line(entry: &Entry) -> String {
    serde_json::to_string(entry).expect("an entry has text keys and no serialiser of its own") + "\n"
}
