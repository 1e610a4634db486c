//! Owns what is run unattended, when, and when not: what a schedule file says, and the decisions that follow from it.
//! Refuses to do any of it, to open a file and to know what time it is; [`crate::serve`] does.

pub mod calendar;
pub mod file;
pub mod keeper;
pub mod ledger;
pub mod moment;
pub mod preview;
mod rotation;

pub use file::{File, conditions, load};

use calendar::{Recurrence, Windows};
use scenarios::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Everything that is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What is run when.
    pub schedules: Vec<Schedule>,
    /// What must be well meanwhile.
    pub conditions: Vec<Condition>,
}

/// What is run when.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// When it is due.
    pub due: Recurrence,
    /// At most so much later, decided by the slot.
    pub jitter: Duration,
    /// When it may run at all.
    pub windows: Windows,
    /// What it runs, one a slot, in turn.
    pub scenarios: Vec<Variants>,
    /// Where.
    pub world: World,
    /// The standing region that it is run in.
    pub region: Option<String>,
    /// A run that takes longer is ended.
    pub takes_at_most: Duration,
    /// How long a slot waits for the engine to be free and for conditions to be well.
    pub waits_at_most: Duration,
    /// What becomes of a slot that nobody was there for: run if it is no older than this; nothing is run where it is zero.
    pub missed_within: Duration,
    /// Which conditions, by their place in [`Plan::conditions`].
    pub conditions: Vec<usize>,
}

/// A scenario, and what it can be turned into by moving its faults on from zone to zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variants {
    /// A file, or the name of a built-in one.
    pub scenario: String,
    /// The zones that each variant hits, for people; one empty text where there is nothing to turn.
    pub turns: Vec<String>,
}

/// What must be well before a run begins, and while it lasts.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// Its name.
    pub name: String,
    /// What is asked.
    pub question: Question,
    /// How long it must have been well before a run begins.
    pub well_for: Duration,
    /// How often it is asked.
    pub every: Duration,
    /// How long an answer may take; none is no good answer.
    pub timeout: Duration,
}

/// A question to the world outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// Well while this address answers with a status of 200 to 299.
    Http {
        /// It.
        url: String,
    },
    /// Well while a query to a Prometheus server has exactly one value, or one for each series, all of them within limits.
    Prometheus {
        /// The server.
        url: String,
        /// PromQL.
        query: String,
        /// All values are below this.
        below: Option<f64>,
        /// All values are above this.
        above: Option<f64>,
    },
}

/// Where something is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum World {
    /// Real containers.
    Docker,
    /// Virtual time.
    Sim,
}

impl World {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Sim => "sim",
        }
    }
}

/// What became of a run, or of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is due, or goes on.
    Pending,
    /// Its verdict is `held`.
    Held,
    /// Its verdict is `violated`.
    Violated,
    /// Nothing can be said, or the harness failed.
    Inconclusive,
    /// It was ended before its time, and healed.
    Interrupted,
    /// It was not begun.
    Refused,
}

impl Outcome {
    /// All that are not `pending`: what is counted.
    pub const ENDED: [Self; 5] = [Self::Held, Self::Violated, Self::Inconclusive, Self::Interrupted, Self::Refused];

    /// Whether it says anything about the region.
    pub fn is_conclusive(self) -> bool {
        matches!(self, Self::Held | Self::Violated)
    }

    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Held => "held",
            Self::Violated => "violated",
            Self::Inconclusive => "inconclusive",
            Self::Interrupted => "interrupted",
            Self::Refused => "refused",
        }
    }
}

/// Of a run that was not interrupted.
impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Held => Self::Held,
            Verdict::Violated => Self::Violated,
            Verdict::Inconclusive | Verdict::NotJudged => Self::Inconclusive,
        }
    }
}

/// Why a slot passes without a run, as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Somebody has halted everything.
    Halted,
    /// It is blocked, or not allowed, then.
    Window,
    /// A condition is not well, or has not been for long enough.
    Condition,
    /// Nobody was there.
    Missed,
    /// Another run went on.
    Busy,
    /// There is no room for it, or no engine.
    Room,
    /// An earlier version did not say.
    #[default]
    Unsaid,
}

impl Reason {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Halted => "halted",
            Self::Window => "window",
            Self::Condition => "condition",
            Self::Missed => "missed",
            Self::Busy => "busy",
            Self::Room => "room",
            Self::Unsaid => "unsaid",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
