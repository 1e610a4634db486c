//! Owns the shape of configuration pushes and deployments as people write them. Refuses to judge what is in it.

use super::{Names, Written};
use fixtures::decode::Located;
use fixtures::graph::Strength;
use fixtures::unit::{Rate, Span};
use schemars::JsonSchema;
use serde::Deserialize;

/// Which service gets another version, where, and how carefully.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawRollout {
    /// The service.
    #[schemars(required)]
    pub service: Option<Located<String>>,
    /// What is different in the version; at least one setting.
    #[schemars(required)]
    pub set: Option<Located<RawVersion>>,
    /// Only in these zones. Default: the whole region.
    pub zones: Names,
    /// From one zone to the next. Default: all zones at once.
    pub bake_time: Option<Located<Span>>,
    /// With `bake-time`: goes to no further zone, and is rolled back, when customers of a zone that has the version fall
    /// below the steady state. Default: false.
    pub stop_on_failure: Option<Located<bool>>,
}

/// What is different in a version.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawVersion {
    /// What an operation costs by itself.
    pub work: Option<Located<Span>>,
    /// Requests that an instance carries.
    pub capacity: Option<Located<Rate>>,
    /// Every operation answers an error; health checks say that all is well. Only `true`.
    pub fails: Option<Located<bool>>,
    /// The process ends right after its start. Only `false`, and only in a deployment.
    pub starts: Option<Located<bool>>,
    /// Calls that are made in another way.
    pub calls: Option<Located<Vec<Located<RawCallSettings>>>>,
}

/// How calls to one dependency are made; what is not here stays as the graph says.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawCallSettings {
    /// The dependency.
    #[schemars(required)]
    pub to: Option<Located<String>>,
    /// Bound of one attempt.
    pub timeout: Option<Located<Span>>,
    /// Attempts in all.
    pub attempts: Option<Located<u32>>,
    /// Hard or soft.
    pub strength: Option<Located<Strength>>,
}

impl RawRollout {
    /// Its choice of zones.
    pub fn written(&self) -> Written<'_> {
        Written::new(&self.zones, &None, &None, &None)
    }

    /// The calls that are made in another way.
    pub fn calls(&self) -> impl Iterator<Item = &Located<RawCallSettings>> {
        let set = self.set.as_ref().and_then(|set| set.get().calls.as_ref());
        set.into_iter().flat_map(Located::get)
    }
}
