//! Z8, evacuate and return. Refuses to judge zones that lose power; those are Z1's and Z4's.
//!
//! *Statement*: traffic leaves a zone, and comes back, by the data plane alone, and no customer is harmed by either.
//!
//! *Experiment*: `shift`: instances in a zone send their callers elsewhere for a time, and nobody but they is asked to.
//!
//! *Oracle*: from `windows.shift` (s) after its beginning to its end, and from `windows.shift` after its end to the end of
//! its round, for each zone with a canary: answered / sent >= `steady-state.availability` (%) and p99 <=
//! `steady-state.latency-p99` (ms). All from the scenario. What a return does to caches and stores shows in the second.
//!
//! *Horizon*: a shift of `windows.shift` and `1 / (1 - availability)` samples in a zone, or more.
//!
//! *Inconclusive*: as in Z1, the control canary missed its target in more than half of the windows.

use super::culprit::{Cause, Root};
use super::finding::{Victim, sorted};
use super::slo::{State, Zone, samples_for};
use super::z1::{merge_blaming, slo_thresholds};
use super::{Entry, Outcome, Run, z4};
use crate::event::{Act, Phase};
use crate::plan::{Deed, Step, Switch};
use crate::timeline::ns;
use crate::traffic::zones;
use fixtures::unit::Span;

pub(super) const ENTRY: Entry = Entry {
    id: "Z8",
    title: "evacuate and return",
    statement: "Traffic leaves a zone, and comes back, by the data plane alone, and no customer is harmed by either.",
    judge,
};

fn judge(run: &Run<'_>) -> Outcome {
    let scenario = run.case.scenario;
    let needed = samples_for(scenario.steady_state.availability);
    let mut judged: Vec<Zone<'_>> = Vec::new();
    for (from_ns, to_ns) in stretches(run) {
        let start_ns = from_ns.saturating_add(ns(scenario.windows.shift));
        for zone in zones(&run.canaries).into_iter().filter(|_| start_ns < to_ns) {
            judged.push(run.zone_slo(zone, start_ns, to_ns, needed));
        }
    }
    // The time after the end may be short; it says nothing then, and nothing against the time before.
    if judged.iter().any(|zone| zone.state != State::TooFew) {
        judged.retain(|zone| zone.state != State::TooFew);
    }
    let seconds = scenario.windows.shift.as_secs_f64() + run.seconds_for(needed) as f64;
    let none = format!("no traffic was moved out of a zone for long enough: a `shift` of {seconds} s or more would do");
    let longer = format!("a shift of {seconds} s or more would do");
    let mut thresholds = slo_thresholds(run, needed);
    thresholds.insert("shift".to_owned(), Span(scenario.windows.shift).to_string());
    let mut outcome = merge_blaming(run, ENTRY.id, &judged, thresholds, (none, &longer), |zone| stays(run, zone));
    let shifts = shifts(run).filter_map(|step| run.timeline.done.get(&step.id)).map(|done| done.event);
    for result in &mut outcome.results {
        result.evidence = sorted(result.evidence.iter().copied().chain(shifts.clone()));
    }
    outcome
}

/// Steps with which traffic began to leave.
fn shifts<'a>(run: &Run<'a>) -> impl Iterator<Item = &'a Step> + Clone {
    let steps = run.case.plan.rounds.iter().flat_map(|round| &round.steps);
    steps.filter(|step| step.act == Act::Inject && matches!(step.deed, Deed::Switch { switch: Switch::Away, .. }))
}

/// From when to when traffic was away, and from when to when it was back.
fn stretches(run: &Run<'_>) -> Vec<(u64, u64)> {
    let quiet_end = |after_ns: u64| {
        let quiet = run.timeline.of_phase(Phase::Quiet).filter(|segment| segment.end_ns > after_ns);
        quiet.map(|segment| segment.end_ns).min().unwrap_or(after_ns)
    };
    let mut found = Vec::new();
    for step in shifts(run) {
        let (Some(begun), Some(ended)) = (run.timeline.done.get(&step.id), run.timeline.done.get(&step.pair)) else {
            continue;
        };
        found.push((begun.t_ns, ended.t_ns));
        found.push((ended.t_ns, quiet_end(ended.t_ns)));
    }
    found
}

/// Whoever went on asking those that had sent it elsewhere, where that is what was seen.
fn stays(run: &Run<'_>, zone: &Zone<'_>) -> Victim {
    let mut victim = run.blame(zone);
    if let Some(root) = victim.trace.root.as_mut().filter(|root| root.cause == Cause::LacksInVain)
        && let Some(to) = root.dependency.clone()
    {
        let setting = Some(z4::call_setting(run, &root.service, &to));
        *root = Root { setting, cause: Cause::Stays, ..root.clone() };
        return victim;
    }
    super::overload::refined(run, zone, victim, false)
}
