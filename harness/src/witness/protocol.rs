//! Owns what the controller and the witness say to each other: one JSON line each, over the witness's attached
//! standard input and output. Refuses to judge.

use agents::config::Target;
use agents::wire::Line;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// To the witness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Tell {
    /// What to watch; it begins at once.
    Begin(Box<Watch>),
    /// What time is it?
    Ping(u64),
    /// Stop writing, and read every acknowledged write back.
    ReadBack,
}

/// What to watch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    /// Instances to probe.
    pub probes: Vec<Probed>,
    /// The region's API, for each zone as its customers see it.
    pub entries: Vec<Entry>,
    /// The operation that customers ask for.
    pub operation: String,
    /// Nanoseconds between two writes to one zone; zero writes nothing.
    pub write_interval_ns: u64,
    /// When the witness gives up on a write.
    pub timeout: Duration,
    /// Nanoseconds between two probes of an instance that is active.
    pub calm_ns: u64,
    /// Nanoseconds between two probes of one that is not.
    pub keen_ns: u64,
    /// The certificate of the run's root, as PEM, where instances are asked over TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
}

/// One instance to probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probed {
    /// It.
    pub target: Target,
    /// The operation that the probe asks for.
    pub operation: String,
}

/// The API as one zone's customers see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The zone.
    pub zone: String,
    /// Instances.
    pub targets: Vec<Target>,
}

/// From the witness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Seen {
    /// To [`Tell::Ping`]: both clocks of the engine's machine.
    Pong {
        /// The number of the ping.
        ping: u64,
        /// Monotonic clock.
        mono_ns: u64,
        /// Wall clock.
        wall_ns: u64,
    },
    /// A line of an agent, as it came.
    Line(Line),
    /// A probe whose outcome differs from the one before.
    Probe {
        /// Index into [`Watch::probes`].
        probe: usize,
        /// What came back.
        outcome: Outcome,
        /// When.
        mono_ns: u64,
        /// How long it took, in microseconds.
        took_us: u64,
    },
    /// Every instance was probed at least once since the last such message.
    Round {
        /// When the round ended.
        mono_ns: u64,
        /// Instances that answered in any way, by index.
        answering: Vec<usize>,
    },
    /// A write was acknowledged.
    Acknowledged {
        /// Its key.
        key: String,
        /// Instances that say they stored it.
        stored_at: Vec<String>,
        /// When.
        mono_ns: u64,
    },
    /// A write was read back.
    ReadBack {
        /// Its key.
        key: String,
        /// The instance it was read from.
        from: String,
        /// `Some(true)`: there, with its value. `Some(false)`: not. `None`: no answer.
        there: Option<bool>,
        /// When.
        mono_ns: u64,
    },
    /// All writes were read back.
    ReadBackDone,
}

/// What came back from a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Nothing.
    Silent(String),
    /// A failure, with the chain of what it says is missing.
    Failing {
        /// The cause, in a word.
        cause: String,
        /// Missing dependencies, the nearest first.
        missing: Vec<String>,
    },
    /// Success without soft dependencies.
    Degraded(Vec<String>),
    /// Success in full.
    Active,
}
