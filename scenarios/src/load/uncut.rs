//! Owns the room for recovery: between a heal from which recovery is judged and the next step of its round there is the
//! whole recovery window, else whoever is slow would be judged on less time than the file promises. Refuses to look at faults that wait for an event:
//! nobody knows when they will come.

use super::Problems;
use super::faults::Placed;
use crate::event::Act;
use crate::fault::Fault;
use crate::plan::{BootTrouble, round_numbers};
use crate::scenario::{After, RecoveryFrom, TimedFault, Windows};
use fixtures::unit::Span;
use std::time::Duration;

/// A step that a fault will take, at some moment between two.
struct Moment {
    act: Act,
    earliest: Duration,
    latest: Duration,
}

pub(super) fn check(placed: &[Placed], windows: &Windows, problems: &mut Problems<'_>) {
    if windows.recovery_from == RecoveryFrom::LastHeal {
        return by_last_heal(placed, problems);
    }
    let faults: Vec<TimedFault> = placed.iter().map(|placed| placed.fault.clone()).collect();
    let rounds = round_numbers(&faults);
    let timed = |fault: &TimedFault| !matches!(fault.after, Some(After::Event(_)));
    for (healed, round) in faults.iter().zip(&rounds).filter(|(fault, _)| timed(fault)) {
        let Some(heal) = moments(healed).pop() else { continue };
        for (other, _) in placed.iter().zip(&rounds).filter(|(other, number)| *number == round && timed(&other.fault)) {
            let own = other.fault.name == healed.name;
            let steps = moments(&other.fault);
            let cut = steps
                .iter()
                .filter(|step| !own && disturbs(&other.fault, step))
                .find(|step| cuts(step, &heal, windows));
            if let Some(step) = cut {
                complain(step, &heal, healed, other, windows, problems);
            }
        }
    }
}

/// After the last heal of a round there is nothing, unless something waits for an event: nobody knows which is the last then.
fn by_last_heal(placed: &[Placed], problems: &mut Problems<'_>) {
    for guarded in placed.iter().filter(|placed| is_guarded(&placed.fault.fault)) {
        let message = format!(
            "`{}` may be rolled back early, so that the last heal of its round is not known",
            guarded.fault.name
        );
        let help = "leave `windows.recovery-from` out, or `stop-on-failure`";
        problems.error("recovery-from-event", guarded.time.clone(), message, help);
    }
    for waits in placed.iter().filter(|placed| matches!(placed.fault.after, Some(After::Event(_)))) {
        let message =
            format!("`{}` waits for an event, so that the last heal of its round is not known", waits.fault.name);
        let help = "leave `windows.recovery-from` out, or give the fault a moment of its own";
        problems.error("recovery-from-event", waits.time.clone(), message, help);
    }
}

/// The steps of a fault in order; the last is the heal with which recovery begins.
fn moments(fault: &TimedFault) -> Vec<Moment> {
    let lasts = fault.lasts.max(Duration::from_millis(1));
    let moment = |act, at: Duration| Moment { act, earliest: at, latest: at.saturating_add(fault.within) };
    let pulse = |number: u32| {
        let begin = fault.at.saturating_add(fault.pulses.every.saturating_mul(number));
        [moment(Act::Inject, begin), moment(Act::Heal, begin.saturating_add(lasts))]
    };
    if let Some(rollout) = fault.fault.rollout() {
        // Zones follow each other at moments of which the file does not know how many there are.
        let until = fault.at.saturating_add(lasts);
        let begins = Moment { act: Act::Inject, earliest: fault.at, latest: until.saturating_add(fault.within) };
        let heals = if rollout.stop_on_failure { fault.at } else { until };
        let healed = Moment { act: Act::Heal, earliest: heals, latest: until.saturating_add(fault.within) };
        if rollout.bake.is_some() {
            return vec![begins, healed];
        }
    }
    // The middle ones lie between the first and the last two; more than a handful say nothing new.
    (0..fault.pulses.times.max(1)).flat_map(pulse).collect()
}

/// Whether customers decide when it is rolled back.
fn is_guarded(fault: &Fault) -> bool {
    fault.rollout().is_some_and(|rollout| rollout.stop_on_failure)
}

/// Whether a step may harm those who are recovering. The heal of what happened in one instant does nothing; that of a
/// late boot or a bottleneck lets hosts boot that would have booted anyway; whom the heal lets see right again is judged
/// from then on.
fn disturbs(fault: &TimedFault, step: &Moment) -> bool {
    let gentle = match &fault.fault {
        Fault::Kill(_) | Fault::Exit(_) => true,
        // Names, grants and clocks that are right again mislead nobody.
        Fault::NamesEmpty(_)
        | Fault::NamesStale(_)
        | Fault::NamesWrong(_)
        | Fault::NamesSlow(_)
        | Fault::NamesDead(_)
        | Fault::GrantsRefused(_)
        | Fault::GrantsExpired(_)
        | Fault::ClockWrong(_) => true,
        Fault::Boot(boot) => boot.trouble != BootTrouble::Never,
        _ => false,
    };
    step.act == Act::Inject || !gentle
}

fn cuts(step: &Moment, heal: &Moment, windows: &Windows) -> bool {
    let may_follow = match step.act {
        Act::Inject => step.latest >= heal.earliest,
        Act::Heal => step.latest > heal.earliest,
    };
    may_follow && step.earliest < heal.latest.saturating_add(windows.recovery)
}

fn complain(
    step: &Moment,
    heal: &Moment,
    healed: &TimedFault,
    other: &Placed,
    windows: &Windows,
    problems: &mut Problems<'_>,
) {
    let verb = if step.act == Act::Inject { "begins" } else { "ends" };
    let how = if heal.earliest == heal.latest && step.earliest == step.latest {
        verb.to_owned()
    } else {
        format!("{verb} up to")
    };
    let message = format!(
        "`{}` {how} {} after `{}` is healed, inside its recovery window of {}",
        other.fault.name,
        Span(step.latest.saturating_sub(heal.earliest)),
        healed.name,
        Span(windows.recovery)
    );
    let help = format!(
        "let it happen at {} of the round or later, end both together, shorten `windows.recovery`, or begin a new round \
         with `after = \"{}\"`",
        Span(heal.latest.saturating_add(windows.recovery)),
        healed.name
    );
    problems.error("recovery-cut", other.time.clone(), message, help);
}
