//! Owns whether a failed request is tried again, and after which pause. Refuses to know requests and their answers.
//!
//! Budget: each request sent earns a part of a further attempt, and each further attempt costs a whole one. What was not
//! used is kept up to a bound, so that a long calm does not pay for a storm.

use crate::config::RetryConfig;
use crate::machine::Nanos;
use crate::machine::need::pause;

/// Further attempts that can be saved up.
const SAVED_MAX: u64 = 10;
/// What one further attempt costs: budgets are in parts per million of a request.
const COST: u64 = 1_000_000;
/// Pauses are drawn apart from the phases of traffic, or a setting of retries would move every request.
const APART: u64 = 0x5245_5452_5945_5321;

/// Decides on further attempts of one customer.
#[derive(Debug)]
pub(super) struct Retries {
    config: RetryConfig,
    saved: u64,
    rng: fastrand::Rng,
}

impl Retries {
    pub(super) fn new(config: RetryConfig, seed: u64) -> Self {
        Self { config, saved: 0, rng: fastrand::Rng::with_seed(seed ^ APART) }
    }

    /// A request is sent for the first time.
    pub(super) fn earn(&mut self) {
        let earned = self.config.budget_ppm.map_or(0, u64::from);
        self.saved = (self.saved + earned).min(SAVED_MAX * COST);
    }

    /// When the attempt that begins now is given up, at the latest at the end of the request's time.
    pub(super) fn until(&self, now: Nanos, deadline: Nanos) -> Nanos {
        let bound = self.config.timeout.map_or(u64::MAX, crate::config::nanos);
        now.saturating_add(bound).min(deadline)
    }

    /// When a request that has been tried so often and has failed is tried again; `None` where it is not.
    pub(super) fn again(&mut self, now: Nanos, attempts: u32, deadline: Nanos) -> Option<Nanos> {
        if attempts >= self.config.attempts {
            return None;
        }
        let at = now.saturating_add(pause(&self.config.backoff, attempts.saturating_sub(1), &mut self.rng));
        // An attempt that could only begin when nobody waits for it is none, and costs nothing.
        if at >= deadline {
            return None;
        }
        if self.config.budget_ppm.is_some() {
            self.saved = self.saved.checked_sub(COST)?;
        }
        Some(at)
    }
}
