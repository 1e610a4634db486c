//! Owns the shape of a judgement: invariants with their verdicts, findings with their culprits and evidence, and
//! measurements. Refuses to know how any of them is reached.

use crate::event::{Asked, EventId};
use crate::verdict::Verdict;
use fixtures::asked::is_zero;
use fixtures::name::{HostName, InstanceName, ServiceName, TeamName, ZoneName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a run shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// All invariants merged, and `inconclusive` where the run itself cannot be believed.
    pub verdict: Verdict,
    /// Why the whole run is inconclusive; empty where it is not.
    pub inconclusive: Vec<Reason>,
    /// Each invariant asked for.
    pub invariants: Vec<InvariantResult>,
    /// One for each cause of a violation.
    pub findings: Vec<Finding>,
    /// Figures, computed from events alone.
    pub measurements: Measurements,
}

/// A sentence with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// A short stable word: `bad-baseline`, `fault-without-effect`, `machine-busy`, `harness-failed` …
    pub code: String,
    /// The sentence.
    pub text: String,
    /// Events that show it.
    pub evidence: Vec<EventId>,
}

/// One invariant judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InvariantResult {
    /// `S5`, `Z1` …
    pub id: String,
    /// Which side of the invariant, where a run can show one and not the other: `process kill`, `unsynced data lost`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aspect: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// One or two sentences: what was seen, or what would reveal it.
    pub reason: String,
    /// Thresholds with units, by name.
    pub thresholds: BTreeMap<String, String>,
    /// Events that show it.
    pub evidence: Vec<EventId>,
}

/// One cause of violated invariants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The violated invariant.
    pub invariant: String,
    /// The culprit's service.
    pub service: ServiceName,
    /// Its team.
    pub team: TeamName,
    /// What it leans on, where the cause is a need or a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependency: Option<ServiceName>,
    /// The setting to change, as a path in the graph file: `services.app.needs.session-cache`; of customers, in the
    /// scenario's: `traffic.retry`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setting: Option<String>,
    /// One sentence for people.
    pub text: String,
    /// True only when a run with nothing but this repaired was held.
    pub confirmed: bool,
    /// The invariant whose finding this one merely follows from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consequence_of: Option<String>,
    /// Instances that it held back.
    pub affected: Vec<InstanceName>,
    /// From the customer's harm down to the cause.
    pub chain: Vec<Link>,
    /// True where a known-gaps file lists it.
    #[serde(default)]
    pub known: bool,
}

/// One step of a chain: somebody waits for something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Who waits: an instance, or a zone's customers.
    pub who: String,
    /// What it waits for.
    pub waits_for: String,
    /// How: `need session-cache`, `hard call`, `power`.
    pub how: String,
    /// Since when, in nanoseconds of the run.
    pub since_ns: u64,
    /// Events that show it.
    pub evidence: Vec<EventId>,
}

/// Figures of a run, computed from its events. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Measurements {
    /// First to last death of each power-off, the widest of the run.
    pub power_off_skew_ms: Option<f64>,
    /// How processes were killed.
    pub power_off_method: Option<String>,
    /// First to last gate of each power-on, the widest of the run (the first power-on of the region included).
    pub power_on_skew_ms: Option<f64>,
    /// The slowest instance from power-on to active.
    pub restart_to_active_ms: Option<f64>,
    /// The same for each instance that lost power (its slowest return).
    pub restart_to_active_ms_by_instance: BTreeMap<InstanceName, f64>,
    /// From the first fault in force to the first alarm that the region's own telemetry raised; absent where it raised none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_detect_ms: Option<f64>,
    /// Answered ÷ sent by zone, then by phase (`baseline`, `outage`, `recovery`, `quiet`).
    pub availability: BTreeMap<ZoneName, BTreeMap<String, Availability>>,
    /// Writes acknowledged to the witness.
    pub acknowledged_writes: u64,
    /// Of those, not there (or not readable) at the end.
    pub lost_acknowledged_writes: u64,
    /// Acts of anybody on a host between power-on and active.
    pub interventions: u64,
    /// Seconds that were not a declared baseline, outage, recovery or quiet window.
    pub overhead_s: f64,
    /// Seconds from the first event to the last.
    pub total_s: f64,
    /// Seconds of each phase.
    pub phase_s: BTreeMap<String, f64>,
    /// Hosts with the longest time from power to first service, for information.
    pub boot_ms_by_host: BTreeMap<HostName, f64>,
}

/// Traffic of one zone in one phase.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Availability {
    /// Requests sent.
    pub sent: u64,
    /// Answered in full.
    pub ok: u64,
    /// Answered without a soft dependency.
    pub degraded: u64,
    /// Failed, by cause.
    pub failed: BTreeMap<String, u64>,
    /// (ok + degraded) ÷ sent; absent where nothing was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Latency percentiles in milliseconds, from intended send times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<f64>,
    /// 99th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
    /// Attempts after the first one of a request.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u64,
    /// Of each operation, where several are asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub operations: BTreeMap<String, Asked>,
}

impl Availability {
    /// Attempts for each request, at least 1; `None` where nothing was tried again.
    pub fn amplification(&self) -> Option<f64> {
        let attempts = self.sent.saturating_add(self.retries) as f64;
        (self.sent > 0 && self.retries > 0).then(|| attempts / self.sent as f64)
    }
}
