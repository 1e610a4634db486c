//! Owns the shape of `[traffic]` as people write it, with its defaults in the documentation of each key. Refuses to judge
//! what is in it.

use super::Named;
use fixtures::decode::Located;
use fixtures::unit::{Percent, Rate, Span};
use schemars::JsonSchema;
use serde::Deserialize;

/// Open-loop traffic.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawTraffic {
    /// Whether anybody of ours asks: without canaries customers are whoever others send, and nothing else is said of them here.
    /// Default: `true`.
    pub canaries: Option<Located<bool>>,
    /// Requests of each zone's canary. Default: `5/s`.
    pub rate: Option<Located<Rate>>,
    /// Writes of the witness to each zone. Default: `2/s`.
    pub writes: Option<Located<Rate>>,
    /// When a customer gives up. Default: `2s`.
    pub timeout: Option<Located<Span>>,
    /// What customers ask for. Default: the entry's operation alone.
    pub mix: Option<Vec<Located<RawPortion>>>,
    /// How customers try a failed request again. Default: they do not.
    pub retry: Option<Located<RawRetry>>,
}

/// An operation, and its part of the requests.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawPortion {
    /// An operation of the entry service.
    #[schemars(required)]
    pub operation: Option<Located<String>>,
    /// Its part of the requests; those of a zone make 100%.
    #[schemars(required)]
    pub share: Option<Located<Percent>>,
    /// Only customers in these zones, for whom portions without zones do not count then. Default: every zone that no
    /// portion names.
    pub zones: Option<Located<Vec<Located<String>>>>,
}

/// How customers try a failed request (an error, or an attempt that took too long) again, within the time that they give it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawRetry {
    /// Attempts in all, from 1 to 20. Default: `2`.
    pub attempts: Option<Located<u32>>,
    /// Bound of one attempt. Default: the time of a request divided by `attempts`.
    pub timeout: Option<Located<Span>>,
    /// Upper bound of the first pause; it doubles with each further one. Zero tries again at once. Default: `100ms`.
    pub backoff: Option<Located<Span>>,
    /// Upper bound of every pause. Default: `1s`.
    pub cap: Option<Located<Span>>,
    /// Whether a pause is drawn between a tenth of its bound and the bound. Default: `true`.
    pub jitter: Option<Located<bool>>,
    /// Further attempts for each request sent by the customers of a zone, at most. Default: no bound.
    pub budget: Option<Located<Percent>>,
}

impl RawTraffic {
    /// Every operation and zone that is named, with its place.
    pub fn names(&self) -> Vec<(Named, &Located<String>)> {
        let mut names = Vec::new();
        for portion in self.mix.iter().flatten().map(Located::get) {
            names.extend(portion.operation.as_ref().map(|operation| (Named::Operation, operation)));
            let zones = portion.zones.iter().flat_map(Located::get);
            names.extend(zones.map(|zone| (Named::Zone, zone)));
        }
        names
    }
}
