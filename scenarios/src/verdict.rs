//! Owns the four verdicts and their merging. Refuses to know what was judged.

use serde::{Deserialize, Serialize};

/// The verdict on one invariant, or on a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// This run could not have revealed it.
    NotJudged,
    /// What must be true was true.
    Held,
    /// Nothing can be said: bad baseline, a fault without effect, a busy machine, a failed harness.
    Inconclusive,
    /// What must be true was not.
    Violated,
}

impl Verdict {
    /// Merges by priority: violated, then inconclusive, then held. A set in which nothing was judged is inconclusive.
    pub fn merge(verdicts: impl IntoIterator<Item = Self>) -> Self {
        match verdicts.into_iter().max() {
            None | Some(Self::NotJudged) => Self::Inconclusive,
            Some(verdict) => verdict,
        }
    }

    /// The word used in files and output.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotJudged => "not-judged",
            Self::Held => "held",
            Self::Inconclusive => "inconclusive",
            Self::Violated => "violated",
        }
    }
}
