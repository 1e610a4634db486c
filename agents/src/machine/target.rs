//! Owns the choice of an instance to ask: routing, and a circuit breaker for each instance. Refuses to know requests.
//!
//! Breaker: closed -> (failures in a row) -> open -> (time) -> half-open: one trial -> closed or open again.

use super::Nanos;
use crate::config::{Target, nanos};
use fixtures::graph::{Breaker, Routing};
use fixtures::name::ZoneName;

/// Chooses among the instances behind one endpoint name.
#[derive(Debug)]
pub struct Picker {
    targets: Vec<Target>,
    gates: Vec<BreakerGate>,
    breaker: Option<Breaker>,
    /// Whether the caller's own zone comes first, and which targets are in it.
    near: Vec<bool>,
    next: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct BreakerGate {
    failures: u32,
    open_until: Option<Nanos>,
}

impl Picker {
    /// A picker for a caller in `zone`. With [`Routing::Spread`] no target is near.
    pub fn new(targets: &[Target], breaker: Option<Breaker>, routing: Routing, zone: &ZoneName, first: usize) -> Self {
        let near = targets.iter().map(|target| routing == Routing::ZoneFirst && &target.zone == zone).collect();
        let gates = vec![BreakerGate::default(); targets.len()];
        Self { targets: targets.to_vec(), gates, breaker, near, next: first }
    }

    /// The target with this index.
    pub fn target(&self, index: usize) -> &Target {
        &self.targets[index]
    }

    /// How many targets there are.
    pub fn count(&self) -> usize {
        self.targets.len()
    }

    /// Whether every breaker is open: asking now is likely to be in vain.
    pub fn all_open(&self, now: Nanos) -> bool {
        !self.targets.is_empty() && (0..self.targets.len()).all(|index| self.is_open(index, now))
    }

    fn is_open(&self, index: usize, now: Nanos) -> bool {
        self.gates[index].open_until.is_some_and(|until| now < until)
    }

    /// The instance to ask: not yet tried and closed before the others, near before far, in turn. With every breaker
    /// open it still names one (fail-open: a breaker must not be what keeps a caller from a dependency that is back).
    pub fn pick(&mut self, now: Nanos, tried: &[usize]) -> Option<usize> {
        let count = self.targets.len();
        let rank = |index: usize| (tried.contains(&index), self.is_open(index, now), !self.near[index]);
        let in_turn = (0..count).map(|step| (self.next + step) % count);
        let best = in_turn.min_by_key(|&index| rank(index))?;
        self.next = (best + 1) % count;
        if let (Some(breaker), Some(until)) = (self.breaker, self.gates[best].open_until)
            && until <= now
        {
            // This one is the trial; until it ends (or is never heard of again) the breaker is open to the others.
            self.gates[best].open_until = Some(now.saturating_add(nanos(breaker.open_for)));
        }
        Some(best)
    }

    /// The instance answered.
    pub fn succeeded(&mut self, index: usize) {
        self.gates[index] = BreakerGate::default();
    }

    /// The instance did not answer.
    pub fn failed(&mut self, index: usize, now: Nanos) {
        let Some(breaker) = self.breaker else { return };
        let gate = &mut self.gates[index];
        gate.failures = gate.failures.saturating_add(1);
        if gate.failures >= breaker.failures {
            // A trial that fails opens it again: `failures` stays above the limit until a success.
            gate.open_until = Some(now.saturating_add(nanos(breaker.open_for)));
        }
    }
}
