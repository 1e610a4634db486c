//! Owns the choice of an instance to ask: routing, and a circuit breaker for each instance. Refuses to know requests,
//! and addresses: it chooses an index into the list of targets that it was made for.
//!
//! Breaker: closed -> (failures in a row) -> open -> (time) -> half-open: one trial -> closed or open again.

use super::Nanos;
use super::ordered::Ordered;
use crate::config::{Target, nanos};
use fixtures::graph::{Breaker, Routing};
use fixtures::name::ZoneName;
use std::ops::Range;

/// For how long an instance that stands by is not asked again, where others can be.
const STANDBY_NS: Nanos = 500_000_000;

/// Chooses among the instances behind one endpoint name.
#[derive(Debug)]
pub struct Picker {
    count: usize,
    near: Near,
    /// Breakers of the targets that failed since they last answered; the others are closed.
    gates: Ordered<usize, BreakerGate>,
    breaker: Option<Breaker>,
    next: usize,
}

/// Which targets come first because they are in the caller's own zone.
#[derive(Debug)]
enum Near {
    /// These: a placement puts a zone's instances beside each other.
    Run(Range<usize>),
    /// Where they do not lie beside each other.
    Scattered(Box<[bool]>),
}

#[derive(Debug, Clone, Copy, Default)]
struct BreakerGate {
    failures: u32,
    open_until: Option<Nanos>,
}

/// How good a choice is; the smallest is the best: not tried yet, closed, near.
#[derive(Debug, Clone, Copy)]
struct Rank {
    tried: bool,
    open: bool,
    far: bool,
}

impl Near {
    fn new(targets: &[Target], routing: Routing, zone: &ZoneName) -> Self {
        let is_near = |target: &Target| routing == Routing::ZoneFirst && &target.zone == zone;
        let Some(start) = targets.iter().position(is_near) else { return Self::Run(0..0) };
        let length = targets[start..].iter().take_while(|target| is_near(target)).count();
        if targets[start + length..].iter().any(is_near) {
            return Self::Scattered(targets.iter().map(is_near).collect());
        }
        Self::Run(start..start + length)
    }

    fn contains(&self, index: usize) -> bool {
        match self {
            Self::Run(run) => run.contains(&index),
            Self::Scattered(near) => near[index],
        }
    }
}

impl Picker {
    /// A picker for a caller in `zone`. With [`Routing::Spread`] no target is near.
    pub fn new(targets: &[Target], breaker: Option<Breaker>, routing: Routing, zone: &ZoneName, first: usize) -> Self {
        let near = Near::new(targets, routing, zone);
        Self { count: targets.len(), near, gates: Ordered::default(), breaker, next: first }
    }

    /// A picker for newer targets. Breakers of those that stay are kept; `kept` says where an old one is now.
    #[must_use]
    pub fn carried_over(
        &self,
        targets: &[Target],
        routing: Routing,
        zone: &ZoneName,
        kept: impl Fn(usize) -> Option<usize>,
    ) -> Self {
        let first = self.next % targets.len().max(1);
        let mut picker = Self::new(targets, self.breaker, routing, zone, first);
        for (old, gate) in self.gates.iter() {
            if let Some(index) = kept(old) {
                picker.gates.insert(index, *gate);
            }
        }
        picker
    }

    /// How many targets there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether every breaker is open: asking now is likely to be in vain.
    pub fn all_open(&self, now: Nanos) -> bool {
        let all = self.gates.len() == self.count && self.count > 0;
        all && self.gates.iter().all(|(_, gate)| gate.is_open(now))
    }

    fn is_open(&self, index: usize, now: Nanos) -> bool {
        !self.gates.is_empty() && self.gates.get(&index).is_some_and(|gate| gate.is_open(now))
    }

    /// The instance to ask: not yet tried and closed before the others, near before far, in turn. With every breaker
    /// open it still names one (fail-open: a breaker must not be what keeps a caller from a dependency that is back).
    pub fn pick(&mut self, now: Nanos, tried: &[usize]) -> Option<usize> {
        let best = self.best(now, tried)?;
        self.next = (best + 1) % self.count;
        if let (Some(breaker), Some(gate)) = (self.breaker, self.gates.get_mut(&best))
            && gate.open_until.is_some_and(|until| until <= now)
        {
            // This one is the trial; until it ends (or is never heard of again) the breaker is open to the others.
            gate.open_until = Some(now.saturating_add(nanos(breaker.open_for)));
        }
        Some(best)
    }

    /// The first in turn of the best rank that anybody has. Ranks are looked through one after the other, so that a
    /// healthy list is not walked to its end.
    fn best(&self, now: Nanos, tried: &[usize]) -> Option<usize> {
        for bits in 0..8_u8 {
            let rank = Rank { tried: bits & 4 != 0, open: bits & 2 != 0, far: bits & 1 != 0 };
            if (rank.tried && tried.is_empty()) || (rank.open && self.gates.is_empty()) {
                continue;
            }
            if let Some(index) = self.first(now, tried, rank) {
                return Some(index);
            }
        }
        None
    }

    fn first(&self, now: Nanos, tried: &[usize], rank: Rank) -> Option<usize> {
        let (from, to) = match &self.near {
            Near::Run(run) if !rank.far => (run.start, run.end),
            _ => (0, self.count),
        };
        let begin = self.next.clamp(from, to);
        let fits = |index: &usize| {
            self.near.contains(*index) != rank.far
                && tried.contains(index) == rank.tried
                && self.is_open(*index, now) == rank.open
        };
        (begin..to).chain(from..begin).find(fits)
    }

    /// The instance answered.
    pub fn succeeded(&mut self, index: usize) {
        if !self.gates.is_empty() {
            self.gates.remove(&index);
        }
    }

    /// The instance stands by: it is asked again after a while, whatever breakers there are.
    pub fn stands_by(&mut self, index: usize, now: Nanos) {
        self.gates.get_or_default(index).open_until = Some(now.saturating_add(STANDBY_NS));
    }

    /// The instance did not answer.
    pub fn failed(&mut self, index: usize, now: Nanos) {
        let Some(breaker) = self.breaker else { return };
        let gate = self.gates.get_or_default(index);
        gate.failures = gate.failures.saturating_add(1);
        if gate.failures >= breaker.failures {
            // A trial that fails opens it again: `failures` stays above the limit until a success.
            gate.open_until = Some(now.saturating_add(nanos(breaker.open_for)));
        }
    }
}

impl BreakerGate {
    fn is_open(&self, now: Nanos) -> bool {
        self.open_until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fixtures::name::InstanceName;
    use std::net::SocketAddr;
    use std::time::Duration;

    fn targets(zones: &[&str]) -> Vec<Target> {
        let target = |zone: &&str| Target {
            name: InstanceName((*zone).to_owned()),
            zone: ZoneName::new(*zone).expect("a name"),
            address: SocketAddr::from(([127, 0, 0, 1], 1)),
            secure: None,
        };
        zones.iter().map(target).collect()
    }

    /// The choice, said in one line: the smallest rank, and of those the first in turn.
    fn plainly(picker: &Picker, targets: &[Target], zone: &ZoneName, now: Nanos, tried: &[usize]) -> Option<usize> {
        let rank = |&index: &usize| (tried.contains(&index), picker.is_open(index, now), &targets[index].zone != zone);
        (0..targets.len()).map(|step| (picker.next + step) % targets.len()).min_by_key(rank)
    }

    #[test]
    fn the_choice_is_the_first_in_turn_of_the_best_rank() {
        let breaker = Some(Breaker { failures: 1, open_for: Duration::from_nanos(40) });
        let zone = ZoneName::new("az2").expect("a name");
        for zones in [&["az1", "az2", "az2", "az3"][..], &["az2", "az1", "az2", "az3", "az2"], &["az1", "az3"]] {
            let targets = targets(zones);
            let mut picker = Picker::new(&targets, breaker, Routing::ZoneFirst, &zone, 0);
            let mut rng = fastrand::Rng::with_seed(3);
            for now in 0..2_000 {
                let tried: Vec<usize> = (0..targets.len()).filter(|_| rng.u8(0..3) == 0).collect();
                let expected = plainly(&picker, &targets, &zone, now, &tried);
                let picked = picker.pick(now, &tried);
                assert_eq!(picked, expected, "at {now} of {zones:?}, tried {tried:?}");
                let index = picked.expect("there are targets");
                if rng.bool() { picker.failed(index, now) } else { picker.succeeded(index) }
            }
        }
    }
}
