//! Owns the vocabulary of what is observed in a run: one [`Event`] is one line of `events.jsonl`, and what every
//! invariant is judged on. Refuses to know how anything was observed, or where the line is kept.
//!
//! Every event says who saw it. A verdict may not rest on [`By::Own`] alone: what an instance says of itself explains,
//! what the witness and the canaries saw decides.

use crate::build::observed::Building;
pub use fixtures::asked::Asked;
use fixtures::asked::is_zero;
pub use fixtures::graph::scaler::ScaleCause;
pub use fixtures::graph::telemetry::AlarmCause;
use fixtures::name::{HostName, InstanceName, ServiceName, ZoneName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The cause in the probe of an instance that is active and stands by.
pub const STANDBY: &str = "standby";

/// Number of the event schema; a reader of a higher number refuses, a reader of a lower one converts.
pub const EVENT_SCHEMA: u32 = 1;

/// An event's id, unique in its run and ascending: `e17`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventId(pub u64);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{}", self.0)
    }
}

impl From<EventId> for String {
    fn from(id: EventId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for EventId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let number = text.strip_prefix('e').and_then(|digits| digits.parse().ok());
        number.map(Self).ok_or_else(|| format!("`{text}` is no event id such as `e17`"))
    }
}

/// One observation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// Monotonic nanoseconds since the start of the run, on the clock of the machine where it was seen, mapped to the
    /// controller's. Lines are in order of arrival, not of this time.
    pub t_ns: u64,
    /// The same moment in UTC (RFC 3339, milliseconds).
    pub utc: String,
    /// Who saw it.
    pub by: By,
    /// Where it was seen.
    #[serde(flatten)]
    pub place: Place,
    /// What was seen.
    #[serde(flatten)]
    pub detail: Detail,
}

/// Where something was seen; a field is absent where it has no meaning.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Place {
    /// The zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<ZoneName>,
    /// The host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostName>,
    /// The service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// The instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceName>,
}

/// Who saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The witness, outside every zone.
    Witness,
    /// A canary inside a zone, as a customer there.
    Canary,
    /// The instance or host itself.
    #[serde(rename = "self")]
    Own,
    /// The instance that was asked, of those who asked it.
    Callee,
    /// The container engine's event stream.
    Engine,
    /// The hand.
    Hand,
    /// The controller.
    Controller,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Detail {
    /// A phase of the run begins; the phase before it ends.
    Phase {
        /// Which.
        phase: Phase,
        /// Round of the plan (from 0) that it belongs to.
        round: usize,
    },
    /// An act is about to happen; synced to disk before the act.
    StepIntent {
        /// The step's id in the plan.
        step: String,
        /// The fault's name.
        fault: String,
        /// Inject or heal.
        act: Act,
        /// The hosts it is aimed at.
        hosts: Vec<HostName>,
    },
    /// The act is done. Its time is when it took effect: last death at power-off, gate opened at power-on, rule in force.
    StepDone {
        /// The step's id in the plan.
        step: String,
        /// The fault's name.
        fault: String,
        /// Inject or heal.
        act: Act,
        /// What it does, in a word such as `pause`; empty is the loss of power.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        what: String,
        /// How it was done, such as `cgroup.kill`.
        method: String,
        /// Nanoseconds from the first host's change to the last one's.
        skew_ns: u64,
        /// Hosts that changed.
        hosts: Vec<HostName>,
        /// Zones whose disk really lost what had not been synced.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unsynced_lost: Vec<ZoneName>,
        /// Hosts of real software one of whose files ends in a part of what was written to it and not synced.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        torn: Vec<HostName>,
    },
    /// A look at whether a fault is in force.
    FaultEffect {
        /// The fault's name.
        fault: String,
        /// Whether it is in force, as seen from outside of what it is aimed at.
        holds: bool,
        /// Hosts that it is aimed at.
        expected: usize,
        /// Hosts of those on which it was seen; of power, hosts seen dead.
        dead: usize,
        /// Instances that answered although they should not.
        answering: Vec<InstanceName>,
        /// What was seen, in one sentence; empty where the counts say it all.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
        /// What was asked for, by name with its unit: `latency_ms`, `loss_percent`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        asked: BTreeMap<String, f64>,
        /// What was measured, by the same names.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        measured: BTreeMap<String, f64>,
    },
    /// Something about a host.
    Host {
        /// What happened.
        change: HostChange,
        /// A free explanation, such as an exit status.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        note: String,
    },
    /// An instance's life.
    State {
        /// The state it is now in.
        to: Life,
        /// Answers, and in full but for soft dependencies.
        #[serde(default)]
        degraded: bool,
        /// Dependencies that its answer names as missing.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        missing: Vec<ServiceName>,
    },
    /// An instance asks for a need.
    Need {
        /// What it needs.
        need: String,
        /// The service that grants it.
        from: ServiceName,
        /// How it went.
        outcome: NeedOutcome,
        /// Asks so far.
        attempts: u32,
    },
    /// Calls of one instance to one dependency since its last such event.
    Call {
        /// The dependency.
        to: ServiceName,
        /// Attempts sent.
        sent: u64,
        /// Attempts failed, by cause.
        failed: BTreeMap<String, u64>,
        /// Whether the dependency is hard.
        hard: bool,
    },
    /// What others asked of an instance, counted where it arrived since the last such event, whose time is the end.
    Arrived {
        /// Nanoseconds that it covers.
        over_ns: u64,
        /// Requests for work, of callers, customers and the witness.
        received: u64,
        /// Of those, sent because somebody on the way had asked before in vain.
        again: u64,
        /// Of those, turned away because too many waited.
        refused: u64,
        /// Of those, taken in although whoever asked would not wait until their turn.
        late: u64,
        /// Asks of others for what they need to start, which are none of the requests for work.
        #[serde(default, skip_serializing_if = "none")]
        needs: u64,
        /// Of those, denied because there is no more of it.
        #[serde(default, skip_serializing_if = "none")]
        denied: u64,
        /// Of those, put off because they came too soon after others.
        #[serde(default, skip_serializing_if = "none")]
        postponed: u64,
    },
    /// Calls of an operation that changes something, counted where they arrived since the last such event.
    Tap {
        /// The operation.
        operation: String,
        /// Calls.
        calls: u64,
        /// Of those, refused because nothing may be changed.
        refused: u64,
    },
    /// An instance could hand counts to telemetry again, after it had to drop some.
    Metrics {
        /// Intervals that telemetry will never know of.
        dropped: u64,
    },
    /// An instance of telemetry (the event's place) has raised or cleared an alarm.
    Alarm {
        /// The zone that it is about; absent where it is about all of them together.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        about_zone: Option<ZoneName>,
        /// The service that it is about.
        about: ServiceName,
        /// Raised, or cleared.
        raised: bool,
        /// Why it was raised; absent where it was cleared.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<AlarmCause>,
        /// Requests that failed in the last period.
        failed: u64,
        /// Requests in it.
        requests: u64,
    },
    /// An instance of a scaler (the event's place) has changed how many instances of a service take requests in its zone.
    Scaled {
        /// The service.
        group: ServiceName,
        /// How many took requests before.
        from: u32,
        /// How many do now.
        to: u32,
        /// Why.
        cause: ScaleCause,
    },
    /// One window of a canary.
    Canary {
        /// True for the control canary, which calls an echo without dependencies.
        control: bool,
        /// Number of the window since the canary began; a gap is a lost window.
        seq: u64,
        /// Length of the window in nanoseconds; it ended at the event's time.
        window_ns: u64,
        /// Requests whose intended time lay in the window.
        sent: u64,
        /// Answered in full.
        ok: u64,
        /// Answered without a soft dependency.
        degraded: u64,
        /// Failed, by cause: `timeout`, `refused`, `missing:cache` …
        failed: BTreeMap<String, u64>,
        /// Latency from the *intended* send time (no coordinated omission): bucket upper bound in microseconds, count.
        latency_us: Vec<(u64, u64)>,
        /// Attempts after the first one of a request.
        #[serde(default, skip_serializing_if = "is_zero")]
        retries: u64,
        /// The same counts of each operation; empty where only one is asked for.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        operations: BTreeMap<String, Asked>,
    },
    /// A probe whose outcome differs from the one before, or one kept as a sample.
    Probe {
        /// What came back.
        outcome: Life,
        /// Why, where it is not active; [`STANDBY`] of one that is and sends its callers to others, because it is scaled.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        cause: String,
        /// How long it took, in microseconds.
        took_us: u64,
    },
    /// A write of the ledger.
    Write {
        /// Its key.
        key: String,
        /// What became of it.
        outcome: WriteOutcome,
        /// The instances that acknowledged it as stored.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        stored_at: Vec<InstanceName>,
    },
    /// A read or a write by which the witness tries a replicated store; the event's time is when it ended.
    Operation {
        /// The register.
        key: String,
        /// The value written; absent of a read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        write: Option<String>,
        /// The value read; absent where there was none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        read: Option<String>,
        /// When it was asked for, in nanoseconds since the start of the run.
        began_ns: u64,
        /// How it ended.
        outcome: OperationOutcome,
    },
    /// A rollout goes to no further zone, and is rolled back where it has been.
    RolloutStopped {
        /// Its name.
        rollout: String,
        /// What customers did not get, in one sentence.
        text: String,
        /// Steps of the plan that are left out: those that would have begun it elsewhere.
        left_out: Vec<String>,
    },
    /// Somebody acted on a host between power-on and active.
    Intervention {
        /// The act, in the engine's word: `start`, `exec_create`, `update` …
        action: String,
    },
    /// Something about the building of a region.
    Build {
        /// What was seen of it.
        seen: Building,
    },
    /// An invariant has been judged.
    Invariant {
        /// Its id.
        invariant: String,
        /// The verdict.
        verdict: crate::verdict::Verdict,
    },
    /// Something a reader must know before believing the result.
    Caveat {
        /// A short stable word for it.
        code: String,
        /// The sentence.
        text: String,
    },
    /// Something of the run was still there at the end.
    Residue {
        /// `container`, `network`, `cgroup` …
        object: String,
        /// Its name.
        name: String,
    },
}

/// Phases of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The region is being made.
    Provision,
    /// First power-on until every instance is active.
    Settle,
    /// Quiet traffic before any fault.
    Baseline,
    /// A fault is in force and none of the round's was healed yet.
    Outage,
    /// Hosts that were dark are being started and wait at their gates: dark still, and no part of the declared outage.
    PowerOn,
    /// From a heal until everything that has power is active, the limit, or the next heal.
    Recovery,
    /// After recovery, without faults.
    Quiet,
    /// The ledger is read back.
    ReadBack,
    /// Everything is being removed.
    Teardown,
    /// Everything was removed (or left standing, where that was asked for).
    Ended,
}

/// A fault's two verbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// The fault begins.
    Inject,
    /// The fault ends.
    Heal,
}

/// What can happen to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostChange {
    /// Its first process passed the gate: it has power.
    Powered,
    /// Its first process is dead.
    Dead,
    /// A service process was started.
    ServiceStarted,
    /// A service process ended and will be started again.
    ServiceExited,
    /// The engine killed something in it for want of memory.
    OutOfMemory,
}

/// An instance's life (design: off → starting → serving → active).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Life {
    /// Its host has no power.
    Off,
    /// It has power and does not answer.
    Starting,
    /// It answers, with errors or without a soft dependency.
    Serving,
    /// A request through it succeeds in full.
    Active,
}

impl Life {
    /// As in events and files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Active => "active",
        }
    }
}

/// How asking for a need went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NeedOutcome {
    /// Not yet: it will ask again.
    Waiting,
    /// It has it.
    Acquired,
    /// It will never ask again.
    GaveUp,
}

/// How a read or a write of a register ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationOutcome {
    /// Answered.
    Done,
    /// Not answered, or with an error: a write may have happened all the same.
    Unknown,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WriteOutcome {
    /// Acknowledged to the witness.
    Acknowledged,
    /// Read back with the value written.
    ReadBack,
    /// Acknowledged, and not there or with another value.
    Lost,
    /// Acknowledged, and its store did not answer when it was read back.
    Unreadable,
    /// Answered with an error, or not at all. Told where A2 is judged.
    Unacknowledged,
    /// Not acknowledged, and there all the same.
    Found,
    /// Not acknowledged, and not there.
    Absent,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn none(count: &u64) -> bool {
    *count == 0
}
