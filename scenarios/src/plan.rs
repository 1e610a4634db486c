//! Owns the plan: every act of a game day in order, each inject with its heal, and the hosts each is aimed at.
//! Refuses to perform anything.

use crate::event::Act;
use crate::fault::Fault;
use crate::scenario::{Scenario, TimedFault};
use fixtures::name::HostName;
use fixtures::placement::Placement;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What a run will do, resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Rounds, one after the other; each ends with everything healed, recovered and quiet.
    pub rounds: Vec<Round>,
}

/// Faults that overlap in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// Steps by time; a heal comes before an inject of the same instant.
    pub steps: Vec<Step>,
}

/// One act at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// `r0.az1-dark.inject`.
    pub id: String,
    /// The fault's name.
    pub fault: String,
    /// Inject or heal.
    pub act: Act,
    /// Milliseconds from the beginning of the round.
    pub at_ms: u64,
    /// Inject: hosts that this fault holds dark. Heal: the same.
    pub hosts: Vec<HostName>,
    /// Hosts whose power really changes: a host that another fault (still) holds dark does not.
    pub changes: Vec<HostName>,
    /// The id of the step that undoes it, or that it undoes.
    pub pair: String,
}

impl Plan {
    /// The hosts without power right after a step of a round, both from 0. Every round begins with all hosts lit.
    pub fn hosts_dark_after(&self, round: usize, step: usize) -> BTreeSet<HostName> {
        let mut dark = BTreeSet::new();
        for step in self.rounds.get(round).into_iter().flat_map(|round| round.steps.iter().take(step + 1)) {
            match step.act {
                Act::Inject => dark.extend(step.changes.iter().cloned()),
                Act::Heal => dark.retain(|host| !step.changes.contains(host)),
            }
        }
        dark
    }

    /// The step with this id, and its round.
    pub fn step(&self, id: &str) -> Option<(usize, &Step)> {
        let mut all =
            self.rounds.iter().enumerate().flat_map(|(n, round)| round.steps.iter().map(move |step| (n, step)));
        all.find(|(_, step)| step.id == id)
    }

    /// The longest time that a host is without power, over all rounds; zero for a host that never loses it.
    pub fn longest_dark(&self, host: &HostName) -> Duration {
        let mut longest_ms = 0;
        for round in &self.rounds {
            let mut since_ms = None;
            for step in round.steps.iter().filter(|step| step.changes.contains(host)) {
                match step.act {
                    Act::Inject => since_ms = Some(step.at_ms),
                    Act::Heal => longest_ms = longest_ms.max(since_ms.map_or(0, |since| step.at_ms - since)),
                }
            }
        }
        Duration::from_millis(longest_ms)
    }
}

/// The round of each fault, in their order: one more than that of the fault it comes after. A loaded scenario has no
/// circle; in one made by hand a circle ends where every fault has been passed once.
pub(crate) fn round_numbers(faults: &[TimedFault]) -> Vec<usize> {
    let number = |fault: &TimedFault| {
        let (mut here, mut rounds) = (fault, 0);
        while let Some(next) = here.after.as_ref().and_then(|after| faults.iter().find(|other| &other.name == after)) {
            if rounds + 1 >= faults.len() {
                break;
            }
            here = next;
            rounds += 1;
        }
        rounds
    };
    faults.iter().map(number).collect()
}

/// Resolves a scenario on a placement. The same two give the same plan, byte for byte.
pub fn plan(scenario: &Scenario, placement: &Placement) -> Plan {
    let numbers = round_numbers(&scenario.faults);
    let rounds = numbers.iter().max().map_or(0, |last| last + 1);
    let round = |wanted: usize| {
        let faults = scenario.faults.iter().zip(&numbers).filter(|(_, number)| **number == wanted);
        let mut steps: Vec<Step> = faults.flat_map(|(fault, _)| pair_of_steps(fault, wanted, placement)).collect();
        // Stable: steps of the same act and instant keep the order of the file.
        steps.sort_by_key(|step| (step.at_ms, step.act == Act::Inject));
        count_power(&mut steps);
        Round { steps }
    };
    Plan { rounds: (0..rounds).map(round).collect() }
}

fn pair_of_steps(fault: &TimedFault, round: usize, placement: &Placement) -> [Step; 2] {
    let hosts = match &fault.fault {
        Fault::PowerOff(power_off) => power_off.hosts(placement),
    };
    let id = |act: &str| format!("r{round}.{}.{act}", fault.name);
    let at_ms = whole_ms(fault.at);
    // At least one millisecond, so that a heal never sorts before its own inject.
    let until_ms = at_ms.saturating_add(whole_ms(fault.lasts).max(1));
    let step = |act, at_ms, id, pair| Step {
        id,
        fault: fault.name.clone(),
        act,
        at_ms,
        hosts: hosts.clone(),
        changes: Vec::new(),
        pair,
    };
    [step(Act::Inject, at_ms, id("inject"), id("heal")), step(Act::Heal, until_ms, id("heal"), id("inject"))]
}

/// Half of the range, so that a sum of two never overflows.
fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).min(u64::MAX / 2)
}

/// A host has power if and only if no live fault holds it; only the first hold and the last release change anything.
fn count_power(steps: &mut [Step]) {
    let mut holds: BTreeMap<HostName, u32> = BTreeMap::new();
    for step in steps {
        for host in &step.hosts {
            let count = holds.entry(host.clone()).or_default();
            let changes = match step.act {
                Act::Inject => {
                    *count += 1;
                    *count == 1
                }
                Act::Heal => {
                    *count = count.saturating_sub(1);
                    *count == 0
                }
            };
            if changes {
                step.changes.push(host.clone());
            }
        }
    }
}
