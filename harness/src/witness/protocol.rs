//! Owns what the controller and the witness say to each other: one JSON line each, over the witness's attached
//! standard input and output. Refuses to judge.

use agents::config::Target;
use agents::wire::{Ask, Line, Reply, Switch, Write};
use fixtures::name::InstanceName;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;

/// To the witness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Tell {
    /// What to watch; it begins at once.
    Begin(Box<Watch>),
    /// What time is it?
    Ping(u64),
    /// Begin or end a switch.
    Switch(SwitchOrder),
    /// These instances were dark, by their indices into [`Watch::probes`]: what was seen of them before says nothing now.
    Relit(Vec<usize>),
    /// Ask every instance which version of its service it runs.
    Versions,
    /// Ask an instance once, for whoever moves data.
    Ask(Box<Errand>),
    /// Stop writing, and read every acknowledged write back.
    ReadBack,
}

/// A question that somebody else has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Errand {
    /// Comes back.
    pub number: u64,
    /// Index into [`Watch::probes`] of the instance.
    pub probe: usize,
    /// The key.
    pub key: String,
    /// The value that is to be stored, and the operation by which; where there is none the key is read.
    pub store: Option<(String, String)>,
    /// How long it is waited for.
    pub timeout_ns: u64,
}

impl Errand {
    /// What the instance is asked.
    pub fn ask(&self) -> Ask {
        let key = self.key.clone();
        match &self.store {
            None => Ask::Read { key },
            Some((operation, value)) => {
                let write = Some(Box::new(Write { key, value: value.clone() }));
                Ask::Work { operation: operation.as_str().into(), write, again: false }
            }
        }
    }
}

/// A switch at instances, renewed until it is ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchOrder {
    /// The fault that it is.
    pub fault: String,
    /// What is switched.
    pub switch: Switch,
    /// On or off.
    pub on: bool,
    /// Indices into [`Watch::probes`] of the instances.
    pub instances: Vec<usize>,
    /// Indices into [`Watch::canaries`].
    pub canaries: Vec<usize>,
}

/// The value that the witness writes under a key of its ledger: whoever knows the key knows what was acknowledged, also after
/// the witness is gone.
pub(crate) fn value_of(key: &str) -> String {
    format!("v-{key}")
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
    /// Where each zone's canary listens to an operator.
    #[serde(default)]
    pub canaries: Vec<SocketAddr>,
    /// Who tries replicated stores.
    #[serde(default)]
    pub triers: Vec<Trier>,
    /// Where a write that was not acknowledged is looked for at the end; empty where nobody wants to know.
    #[serde(default)]
    pub doubted: Vec<InstanceName>,
    /// Groups of real software whose members have the same writes: what one acknowledged any other may tell.
    #[serde(default)]
    pub alike: Vec<Vec<InstanceName>>,
    /// How keys begin: in a standing region those of earlier game days are still there.
    #[serde(default)]
    pub keys_begin: String,
    /// After so many writes of a zone their keys come round, and none is remembered; zero is a ledger, read back at the end.
    #[serde(default)]
    pub keys_come_round: u64,
}

/// One who reads and writes registers of a replicated store, one after the other, at members of one zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trier {
    /// The service.
    pub service: String,
    /// Members.
    pub members: Vec<Target>,
    /// The operation by which is written.
    pub operation: String,
    /// Nanoseconds from one read or write to the next.
    pub interval_ns: u64,
    /// When it gives up on one.
    pub timeout_ns: u64,
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
    /// A write was answered with an error, or not at all.
    Unacknowledged {
        /// Its key.
        key: String,
        /// When.
        mono_ns: u64,
    },
    /// A write was read back.
    ReadBack {
        /// Its key.
        key: String,
        /// Whether it was acknowledged.
        acknowledged: bool,
        /// The instance it was read from.
        from: String,
        /// `Some(true)`: there, with its value. `Some(false)`: not. `None`: no answer.
        there: Option<bool>,
        /// When.
        mono_ns: u64,
    },
    /// A register was read or written, or was not.
    Operation {
        /// Index into [`Watch::triers`].
        trier: usize,
        /// The service.
        service: String,
        /// The member that was asked.
        member: Target,
        /// The register.
        key: String,
        /// The value written; `None` of a read.
        write: Option<String>,
        /// The value read.
        read: Option<String>,
        /// Whether it was answered without an error.
        done: bool,
        /// When it was asked for.
        began_ns: u64,
        /// When it ended.
        mono_ns: u64,
    },
    /// A switch was renewed at every instance.
    Switched {
        /// The fault that it is.
        fault: String,
        /// How many obey.
        obeying: usize,
        /// How many have nothing to switch.
        unable: usize,
        /// How many there are.
        of: usize,
        /// When.
        mono_ns: u64,
    },
    /// An instance was asked for its version, or did not answer.
    Version {
        /// Index into [`Watch::probes`].
        probe: usize,
        /// The name of the version; empty for what the graph says, and where it did not answer.
        version: String,
    },
    /// To [`Tell::Ask`].
    Answered {
        /// The number of the question.
        number: u64,
        /// What came back; nothing where nothing did.
        reply: Option<Box<Reply>>,
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
    /// It has all that it needs, and stands by because it is scaled.
    StandsBy,
}

impl Outcome {
    /// Whether nobody has to wait for it any more.
    pub fn is_well(&self) -> bool {
        matches!(self, Self::Active | Self::StandsBy)
    }
}
