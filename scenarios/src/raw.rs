//! Owns the shape of a game-day file as people write it, with its defaults in the documentation of each key. Refuses to
//! judge what is in it; that is [`crate::load`]'s.

mod faults;
mod traffic;

pub use faults::{
    Named, RawAfter, RawBoot, RawCallSettings, RawClock, RawCut, RawDisk, RawFault, RawGrayZone, RawLink, RawMemory,
    RawObserved, RawPowerOff, RawProcessor, RawRollout, RawSelection, RawSet, RawSlowDisk, RawSurge, RawVersion,
    Written,
};
pub use traffic::{RawPortion, RawRetry, RawTraffic};

use fixtures::decode::Located;
use fixtures::name::{GraphName, TopologyName};
use fixtures::unit::{Percent, Span};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;

/// A game day.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "blackstart game day")]
pub struct RawScenario {
    /// Its name.
    #[schemars(required)]
    pub name: Option<Located<String>>,
    /// One sentence for people. Default: the name.
    pub title: Option<Located<String>>,
    /// The topology it is played in.
    #[schemars(required)]
    pub topology: Option<Located<TopologyName>>,
    /// The graph of services it is played on.
    #[schemars(required)]
    pub graph: Option<Located<GraphName>>,
    /// Ids of the invariants that are judged. `standard` stands for `Z1`, `S5`, `A1` and `R1`. Default: `["standard"]`.
    pub invariants: Option<Located<Vec<Located<String>>>>,
    /// What customers send.
    pub traffic: Option<Located<RawTraffic>>,
    /// What must be true of canary traffic before a fault and again after it.
    pub steady_state: Option<Located<RawSteadyState>>,
    /// How long each phase lasts, and limits.
    pub windows: Option<Located<RawWindows>>,
    /// What is done to the region; at least one.
    #[schemars(required)]
    pub faults: Option<Vec<Located<RawFault>>>,
}

/// The service level objective of each zone.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawSteadyState {
    /// Share of requests answered, in full or degraded; above 0% and below 100%. Default: `99%`.
    pub availability: Option<Located<Percent>>,
    /// 99th percentile of latency. Default: `1s`.
    pub latency_p99: Option<Located<Span>>,
}

/// Lengths and limits of phases; none of them zero.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawWindows {
    /// The most that the first power-on may take. Default: `60s`.
    pub settle: Option<Located<Span>>,
    /// Quiet traffic before the first fault. Default: `6s`.
    pub baseline: Option<Located<Span>>,
    /// How long survivors may take to shift away from what is gone. Default: `3s`.
    pub shift: Option<Located<Span>>,
    /// From power-on, the limit for everything that has power to be active. Default: `30s`.
    pub recovery: Option<Located<Span>>,
    /// From which heal on recovery is judged. Default: `each-heal`.
    pub recovery_from: Option<Located<RawRecoveryFrom>>,
    /// Quiet traffic after recovery. Default: `5s`.
    pub quiet: Option<Located<Span>>,
}

/// From which heal on recovery is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawRecoveryFrom {
    /// From each one: nothing else may happen in its recovery window.
    EachHeal,
    /// From the last one of its round: what happens before it is one incident of several parts.
    LastHeal,
}

/// The schema of game-day files, for editors.
pub fn schema() -> Schema {
    fixtures::schema::of::<RawScenario>()
}
