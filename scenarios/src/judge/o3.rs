//! O3, the blind run. Refuses to judge what customers get while telemetry is all that is gone; D9 does.
//!
//! *Statement*: a region comes back in the same way when nobody watches.
//!
//! *Experiment*: power returns to a part of the region while all telemetry is dark, and stays so.
//!
//! *Oracle*: from `windows.recovery` (s, from the scenario) after the return until telemetry is back, or something else is
//! taken away, for each zone with a canary: answered / sent >= `steady-state.availability` (%) and p99 <=
//! `steady-state.latency-p99` (ms), both from the scenario. What R1 asks for with telemetry.
//!
//! *Horizon*: a graph with telemetry, a return during its outage, and 20 samples in each zone after that (`SAMPLES_MIN`).
//!
//! *Inconclusive*: as in Z1, the control canary missed its target in more than half of the windows.

use super::slo::Zone;
use super::steady::SAMPLES_MIN;
use super::z1::{merge, slo_thresholds};
use super::{Entry, Outcome, Run};
use crate::event::Act;
use crate::timeline::ns;
use crate::traffic::zones;
use fixtures::graph::telemetry::Telemetry;

pub(super) const ENTRY: Entry = Entry {
    id: "O3",
    title: "recovery needs no watcher",
    statement: "A region comes back in the same way when nobody watches.",
    judge,
};

fn judge(run: &Run<'_>) -> Outcome {
    let window = run.case.scenario.windows.recovery;
    let mut judged: Vec<Zone<'_>> = Vec::new();
    for telemetry in run.case.graph.telemetry.iter() {
        for recovery in run.timeline.recoveries(run.case.plan, window) {
            let start_ns = recovery.gate_ns.saturating_add(ns(window));
            let until_ns = blind_until(run, telemetry, recovery.gate_ns).min(next_inject(run, recovery.gate_ns));
            for zone in zones(&run.canaries).into_iter().filter(|_| start_ns < until_ns) {
                judged.push(run.zone_slo(zone, start_ns, until_ns, SAMPLES_MIN));
            }
        }
    }
    let seconds = window.as_secs() + run.seconds_for(SAMPLES_MIN);
    let none = match &run.case.graph.telemetry {
        None => "the graph has no telemetry that could be gone: `[telemetry]` would do".to_owned(),
        Some(telemetry) => format!(
            "nothing got its power back while all of `{}` was dark for long enough: {seconds} s after such a return would do",
            telemetry.service
        ),
    };
    let longer = format!("{seconds} s without telemetry after the return would do");
    merge(run, ENTRY.id, &judged, slo_thresholds(run, SAMPLES_MIN), none, &longer)
}

/// Until when all telemetry is dark, where it is at a moment; else that moment.
fn blind_until(run: &Run<'_>, telemetry: &Telemetry, at_ns: u64) -> u64 {
    let all = run.case.placement.instances.iter().enumerate();
    let copies = all.filter(|(_, placed)| placed.service == telemetry.service);
    let until = |(index, _)| {
        let spell = run.timeline.dark_at(run.host_name(index), at_ns)?;
        Some(spell.to_ns.unwrap_or(u64::MAX))
    };
    let ends: Option<Vec<u64>> = copies.map(until).collect();
    ends.and_then(|ends| ends.into_iter().min()).unwrap_or(at_ns)
}

/// When something was taken away next.
fn next_inject(run: &Run<'_>, after_ns: u64) -> u64 {
    let steps = run.case.plan.rounds.iter().flat_map(|round| &round.steps);
    let injects = steps.filter(|step| step.act == Act::Inject).filter_map(|step| run.timeline.begun.get(&step.id));
    injects.copied().filter(|begun_ns| *begun_ns > after_ns).min().unwrap_or(u64::MAX)
}
