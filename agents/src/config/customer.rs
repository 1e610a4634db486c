//! Owns what a customer inside a zone is told: whom it asks for what, how often, and how it tries again. Refuses to know
//! where that was written.

use super::Targets;
use crate::commons::{Callee, Commons};
use crate::wire::From;
use fixtures::graph::Backoff;
use fixtures::name::ZoneName;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;

/// The canary of a zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CanaryConfig {
    /// Who it is, as notes say it.
    pub from: From,
    /// Its zone.
    pub zone: ZoneName,
    /// Seeds the phase of its traffic, and its pauses.
    pub seed: u64,
    /// Nanoseconds between two requests.
    pub interval_ns: u64,
    /// When it gives up on a request.
    pub timeout: Duration,
    /// Where it listens to an operator.
    #[serde(default)]
    pub listen: Option<SocketAddr>,
    /// Length of a window.
    pub window: Duration,
    /// What it asks for; never empty.
    pub mix: Vec<Portion>,
    /// How it tries again.
    pub retry: RetryConfig,
    /// The region's API as the generated name resolves in this zone.
    pub entry: Targets,
    /// The echo without dependencies, for the control canary.
    pub echo: SocketAddr,
    /// How the region's API is found and recognised.
    #[serde(default)]
    pub callee: Callee,
    /// Its part in names and identities.
    #[serde(default)]
    pub commons: Commons,
}

/// An operation, and its part of the requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Portion {
    /// The operation.
    pub operation: String,
    /// Its part, in parts per million.
    pub ppm: u32,
}

/// How a customer tries a failed request again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryConfig {
    /// Attempts in all, at least 1.
    pub attempts: u32,
    /// Bound of one attempt; `None` is what is left of the request's time.
    pub timeout: Option<Duration>,
    /// Pause between two attempts.
    pub backoff: Backoff,
    /// Further attempts for each request sent, in parts per million; `None` sets no bound.
    pub budget_ppm: Option<u32>,
}
