//! Owns the plan: every act of a game day in order, each inject with its heal, and the hosts each is aimed at.
//! Refuses to perform anything.

mod deed;

pub use crate::scenario::Observed;
pub use deed::{BootTrouble, Deed, LinkAct, LinkRule, Shape, Unsynced};

pub use fixtures::switch::Switch;

use crate::event::Act;
use crate::fault::Wave;
use crate::scenario::{After, RecoveryFrom, Scenario, TimedFault};
use crate::seed::Draw;
use fixtures::name::{HostName, ZoneName};
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
    /// Steps by time; a heal comes before an inject of the same instant. Those that wait for an event come last, because
    /// nobody knows when they will be due.
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
    /// Milliseconds from the beginning of the round, or from the first moment in it at which `after` is observed.
    pub at_ms: u64,
    /// What must be observed first: a change, seen after it was not so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Observed>,
    /// What is done, or undone.
    #[serde(default = "power")]
    pub deed: Deed,
    /// Hosts that this fault is aimed at; of a heal the same.
    pub hosts: Vec<HostName>,
    /// Hosts whose power really changes: a host that another fault (still) holds dark does not.
    pub changes: Vec<HostName>,
    /// Zones that cannot be expected to carry on while the fault lasts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<ZoneName>,
    /// Of a heal: recovery begins, because the fault does not come again, or (where a scenario says so) none does. Of an
    /// inject: false.
    #[serde(default = "always")]
    pub closes: bool,
    /// The id of the step that undoes it, or that it undoes.
    pub pair: String,
}

/// Records of before there was anything else have power-offs only,
fn power() -> Deed {
    Deed::Power { unsynced: Unsynced::Kept }
}

/// and each of their heals begins a recovery.
fn always() -> bool {
    true
}

impl Step {
    /// Whether it takes power, or gives it back.
    pub fn is_power(&self) -> bool {
        matches!(self.deed, Deed::Power { .. } | Deed::Restart)
    }

    /// Whether the fault happens in one instant: there is an effect to be seen, and nothing that lasts.
    pub fn is_instant(&self) -> bool {
        matches!(self.deed, Deed::End { .. } | Deed::Restart)
    }

    /// Whether its effect passes by itself, so that it must have been seen, and need not be seen all the time: hosts
    /// that boot late have booted at last.
    pub fn passes(&self) -> bool {
        let late = matches!(&self.deed, Deed::Boot { trouble } if *trouble != BootTrouble::Never);
        self.is_instant() || late
    }

    /// Whether it may harm those who are recovering from something else. To heal what passes by itself harms nobody; a
    /// restart gives power back.
    pub fn disturbs(&self) -> bool {
        self.act == Act::Inject || !self.passes() || self.is_power()
    }

    /// Whether hosts that get power meanwhile stay dark.
    pub fn keeps_dark(&self) -> bool {
        self.deed == Deed::Boot { trouble: BootTrouble::Never }
    }

    /// Whether nobody can expect its hosts to be active while it lasts, although they have power.
    pub fn hampers(&self) -> bool {
        !self.is_power() && !self.passes() && !self.keeps_dark()
    }

    /// Whether recovery begins with it.
    pub fn begins_recovery(&self) -> bool {
        self.act == Act::Heal && self.closes
    }
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
        let longest_ms = self.rounds.iter().map(|round| round.longest_dark_ms(host)).max();
        Duration::from_millis(longest_ms.unwrap_or(0))
    }
}

impl Round {
    fn longest_dark_ms(&self, host: &HostName) -> u64 {
        let (mut longest_ms, mut since_ms) = (0, None);
        let (mut has_power, mut kept_dark) = (true, 0_u32);
        for step in &self.steps {
            if step.changes.contains(host) {
                has_power = step.act == Act::Heal;
            }
            if step.keeps_dark() && step.hosts.contains(host) {
                kept_dark = if step.act == Act::Inject { kept_dark + 1 } else { kept_dark.saturating_sub(1) };
            }
            match since_ms {
                None if !has_power => since_ms = Some(step.at_ms),
                Some(since) if has_power && kept_dark == 0 => {
                    longest_ms = longest_ms.max(step.at_ms.saturating_sub(since));
                    since_ms = None;
                }
                _ => {}
            }
        }
        longest_ms
    }
}

/// The round of each fault, in their order: one more than that of the fault it comes after. A loaded scenario has no
/// circle; in one made by hand a circle ends where every fault has been passed once.
pub(crate) fn round_numbers(faults: &[TimedFault]) -> Vec<usize> {
    let number = |fault: &TimedFault| {
        let (mut here, mut rounds) = (fault, 0);
        while let Some(next) = before(here, faults) {
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

/// The fault after whose round another one's begins.
fn before<'f>(fault: &TimedFault, faults: &'f [TimedFault]) -> Option<&'f TimedFault> {
    let Some(After::Round(name)) = &fault.after else { return None };
    faults.iter().find(|other| &other.name == name)
}

/// Resolves a scenario on a placement. The same three give the same plan, byte for byte.
pub fn plan(scenario: &Scenario, placement: &Placement, seed: u64) -> Plan {
    let numbers = round_numbers(&scenario.faults);
    let rounds = numbers.iter().max().map_or(0, |last| last + 1);
    let round = |wanted: usize| {
        let faults = scenario.faults.iter().zip(&numbers).filter(|(_, number)| **number == wanted);
        let mut steps: Vec<Step> = faults.flat_map(|(fault, _)| steps(fault, wanted, placement, seed)).collect();
        // Stable: steps of the same act and instant keep the order of the file.
        steps.sort_by_key(|step| (step.after.is_some(), step.at_ms, step.act == Act::Inject));
        count_power(&mut steps);
        if scenario.windows.recovery_from == RecoveryFrom::LastHeal {
            close_last(&mut steps);
        }
        Round { steps }
    };
    Plan { rounds: (0..rounds).map(round).collect() }
}

/// The pairs of steps of a fault, one for each pulse, or for each of its waves.
fn steps(fault: &TimedFault, round: usize, placement: &Placement, seed: u64) -> Vec<Step> {
    let draw = Draw { seed, fault: &fault.name };
    let waves = fault.fault.waves(placement, draw);
    let late_ms = draw.of("moment").below(whole_ms(fault.within).saturating_add(1));
    let first_ms = whole_ms(fault.at).saturating_add(late_ms);
    let times = fault.pulses.times.max(1);
    let pulse = |number: u32| {
        let name = if times == 1 { fault.name.clone() } else { format!("{}.{number}", fault.name) };
        let at_ms = first_ms.saturating_add(whole_ms(fault.pulses.every).saturating_mul(u64::from(number)));
        let wave = |wave: &Wave| pair(fault, &format!("r{round}.{name}"), at_ms, number + 1 == times, wave);
        waves.iter().flat_map(wave).collect::<Vec<Step>>()
    };
    (0..times).flat_map(pulse).collect()
}

/// What belongs to one wave has a name of its own, by which worlds hold it and judges look at it. All waves are healed
/// together.
fn pair(fault: &TimedFault, name: &str, at_ms: u64, last: bool, wave: &Wave) -> [Step; 2] {
    let aim = &wave.aim;
    let named = |name: &str| wave.name.as_ref().map_or_else(|| name.to_owned(), |wave| format!("{name}.{wave}"));
    let (inject, heal) = (format!("{}.inject", named(name)), format!("{}.heal", named(name)));
    // At least one millisecond, so that a heal never sorts before its own inject.
    let begins_ms = at_ms.saturating_add(whole_ms(wave.after));
    let until_ms = at_ms.saturating_add(whole_ms(fault.lasts)).max(begins_ms.saturating_add(1));
    let after = match &fault.after {
        Some(After::Event(observed)) => Some(observed.clone()),
        _ => None,
    };
    let step = |act, at_ms, id: &String, pair: &String| Step {
        id: id.clone(),
        fault: named(&fault.name),
        act,
        at_ms,
        after: after.clone(),
        deed: aim.deed.clone(),
        hosts: aim.hosts.clone(),
        changes: Vec::new(),
        zones: aim.zones.clone(),
        closes: last && act == Act::Heal,
        pair: pair.clone(),
    };
    [step(Act::Inject, begins_ms, &inject, &heal), step(Act::Heal, until_ms, &heal, &inject)]
}

/// Half of the range, so that a sum of two never overflows.
fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).min(u64::MAX / 2)
}

/// Recovery begins with the last heal alone.
fn close_last(steps: &mut [Step]) {
    let last = steps.iter().rposition(|step| step.act == Act::Heal);
    for (number, step) in steps.iter_mut().enumerate() {
        step.closes = Some(number) == last;
    }
}

/// A host has power if and only if no live fault holds it; only the first hold and the last release change anything.
fn count_power(steps: &mut [Step]) {
    let mut holds: BTreeMap<HostName, u32> = BTreeMap::new();
    for step in steps.iter_mut().filter(|step| step.is_power()) {
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
