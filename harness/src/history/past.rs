//! Owns what the history says to the documents of one run: other runs that found the same, and actions. Refuses to fail:
//! a document without it is still one.

use super::{FILE, History};
use anyhow::Result;
use reports::actions::{Action, Told, actions};
use reports::fingerprint::{Beside, Related, fingerprints};
use reports::policy::{Date, Policy};
use reports::record::Record;
use std::path::Path;

/// Related runs of each fingerprint that are looked up.
const RELATED_MAX: u32 = 50;

/// What is known of other runs; nothing where nobody looked.
#[derive(Debug, Default)]
pub struct Past {
    known: Option<Known>,
}

#[derive(Debug)]
struct Known {
    related: Vec<Related>,
    actions: Vec<Action>,
    today: Date,
}

impl Past {
    /// What a history knows beside one run.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn of(history: &History, record: &Record) -> Result<Self> {
        let related = history.related(&fingerprints(record), &record.run, RELATED_MAX)?;
        let actions = actions(&history.with_findings()?);
        Ok(Self { known: Some(Known { related, actions, today: crate::clock::today() }) })
    }

    /// The same for the folder of a run; nothing where no history lies beside it.
    pub fn beside_run(folder: &Path, record: &Record) -> Self {
        let runs = folder.join("..");
        if !runs.join(FILE).is_file() {
            return Self::default();
        }
        let known = History::open(&runs).and_then(|history| Self::of(&history, record));
        known.unwrap_or_else(|error| {
            tracing::warn!("the document says nothing of other runs: {error:#}");
            Self::default()
        })
    }

    /// What a document tells that is not in its run.
    pub fn beside<'a>(&'a self, policy: &'a Policy) -> Beside<'a> {
        let Some(Known { related, actions, today }) = &self.known else { return Beside::of(policy) };
        let actions = Told { actions, policy, today: *today };
        Beside { policy, related: Some(related), actions: Some(actions) }
    }
}
