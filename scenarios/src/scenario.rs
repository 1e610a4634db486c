//! Owns the resolved game day: which region, which traffic, which faults when, what is judged. Refuses to know files,
//! clocks and worlds.

use crate::customers::Traffic;
use crate::event::Life;
use crate::fault::Fault;
use fixtures::name::{GraphName, ServiceName, TopologyName, ZoneName};
use fixtures::unit::Percent;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One game day, with nothing left to default.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// One sentence for people.
    pub title: String,
    /// The topology it asks for.
    pub topology: TopologyName,
    /// The graph it asks for.
    pub graph: GraphName,
    /// What customers send.
    pub traffic: Traffic,
    /// What must be true of canary traffic before a fault and again after it.
    pub steady_state: SteadyState,
    /// How long each phase lasts, and limits.
    pub windows: Windows,
    /// Faults in file order.
    pub faults: Vec<TimedFault>,
    /// Ids of the invariants that are judged.
    pub invariants: Vec<String>,
}

impl Scenario {
    /// What must be gathered for the judges that are asked.
    pub fn gathered(&self) -> Gathered {
        let asks = |ids: &[&str]| self.invariants.iter().any(|id| ids.contains(&id.as_str()));
        Gathered {
            tries_stores: asks(&["A3", "A5"]),
            counts_arrivals: asks(&["D2", "D3", "D7", "R2", "R4", "R7"]),
            reads_doubted: asks(&["A2"]),
            looks_often: self.faults.iter().any(|fault| fault.lasts < SHORT),
        }
    }
}

/// A fault is proved by two whole rounds of looks: two of two and a half seconds each, and one answer that does
/// not come.
const SHORT: Duration = Duration::from_secs(6);

/// What a world gathers only where somebody judges it, because it costs much. Nothing of it by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gathered {
    /// Whether the witness tries replicated stores: as many requests as a zone's customers send.
    pub tries_stores: bool,
    /// Whether instances count what arrives: a line each second of each instance.
    pub counts_arrivals: bool,
    /// Whether the witness reads back what was not acknowledged, wherever it may be.
    pub reads_doubted: bool,
    /// Whether the witness looks at everybody each second, however large the region: a fault is over soon.
    pub looks_often: bool,
}

/// The service level objective, per zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SteadyState {
    /// Share of requests answered (in full or degraded).
    pub availability: Percent,
    /// 99th percentile of latency.
    pub latency_p99: Duration,
}

/// Lengths and limits of phases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// The most that the first power-on may take until every instance is active.
    pub settle: Duration,
    /// Quiet traffic before the first fault.
    pub baseline: Duration,
    /// After a fault, how long survivors may take to shift away from what is gone; not judged by Z1.
    pub shift: Duration,
    /// From power-on, the limit for everything that has power to be active.
    pub recovery: Duration,
    /// From which heal on recovery is judged.
    pub recovery_from: RecoveryFrom,
    /// Quiet traffic after recovery.
    pub quiet: Duration,
}

/// From which heal on recovery is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RecoveryFrom {
    /// Each one; nothing else may happen in its recovery window.
    #[default]
    EachHeal,
    /// The last one of its round: what happens before is one incident of several parts.
    LastHeal,
}

/// A fault with its place on the timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct TimedFault {
    /// Its name, unique in the scenario.
    pub name: String,
    /// What it does.
    pub fault: Fault,
    /// What it waits for; `None` is the beginning of the first round.
    pub after: Option<After>,
    /// When it begins, from the beginning of its round or from what it waits for.
    pub at: Duration,
    /// How much later than `at` it may begin: the moment is drawn from the seed. Zero: exactly then.
    pub within: Duration,
    /// How often it comes and goes.
    pub pulses: Pulses,
    /// How long it (or each pulse) lasts; zero for what happens in one instant.
    pub lasts: Duration,
}

/// How often a fault comes and goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulses {
    /// How many times; at least 1.
    pub times: u32,
    /// From the beginning of one to the beginning of the next; longer than each lasts. Zero where there is one.
    pub every: Duration,
}

impl Pulses {
    /// One.
    pub const ONCE: Self = Self { times: 1, every: Duration::ZERO };
}

/// What a fault waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// Another fault, after whose round (healed, recovered, quiet) this one's round begins.
    Round(String),
    /// Something observed in the first round.
    Event(Observed),
}

/// A change that the witness may observe: some instance of a service becomes what it was not before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// Of this service.
    pub service: ServiceName,
    /// In this zone; `None` is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<ZoneName>,
    /// What it becomes.
    pub becomes: Life,
}
