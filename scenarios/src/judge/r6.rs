//! R6, replacement capacity. Refuses to judge zones that lost power themselves; they have an excuse.
//!
//! *Statement*: what is copied to those who come back leaves the others enough to serve their customers.
//!
//! *Experiment*: a member of a replicated store loses power, and has to be given all that was written meanwhile when it is
//! back.
//!
//! *Oracle*: from the return of a member's power to the end of the quiet period after it, for each zone with a canary that
//! kept its power: answered / sent >= `steady-state.availability` (%) and p99 <= `steady-state.latency-p99` (ms), both from
//! the scenario.
//!
//! *Horizon*: a member of a replicated store with a `capacity` had its power back in a recovery that had its whole time; and
//! 20 samples in each zone (`SAMPLES_MIN`).
//!
//! *Inconclusive*: as in Z1, the control canary missed its target in more than half of the windows.

use super::culprit::{Cause, Root};
use super::finding::Victim;
use super::slo::Zone;
use super::steady::SAMPLES_MIN;
use super::z1::{merge_blaming, slo_thresholds};
use super::{Entry, Outcome, Run};
use crate::event::Phase;
use crate::judgement::Link;
use crate::timeline::Recovery;
use crate::traffic::zones;
use fixtures::graph::{Service, State};
use fixtures::name::ZoneName;

pub(super) const ENTRY: Entry = Entry {
    id: "R6",
    title: "replacement capacity",
    statement: "What is copied to those who come back leaves the others enough to serve their customers.",
    judge,
};

fn judge(run: &Run<'_>) -> Outcome {
    let copied = |service: &&Service| service.state == State::Replicated && service.capacity.is_some();
    let stores: Vec<&Service> = run.case.graph.services.iter().filter(copied).collect();
    let recoveries = run.timeline.recoveries(run.case.plan, run.case.scenario.windows.recovery);
    let mut judged: Vec<Zone<'_>> = Vec::new();
    for recovery in recoveries.iter().filter(|recovery| !recovery.overtaken && !recovery.cut) {
        let back = zones_back(run, recovery, &stores);
        if back.is_empty() {
            continue;
        }
        let mut quiet = run.timeline.of_phase(Phase::Quiet);
        let end_ns =
            quiet.find(|segment| segment.start_ns >= recovery.gate_ns).map_or(recovery.end_ns, |one| one.end_ns);
        let kept = zones(&run.canaries).into_iter().filter(|zone| !back.contains(zone));
        judged.extend(kept.map(|zone| run.zone_slo(zone, recovery.gate_ns, end_ns, SAMPLES_MIN)));
    }
    let none = "no member of a replicated store with a `capacity` had its power back: the loss of power of a zone of such a \
                store would do";
    let longer = format!("a quiet period of {} s or more would do", run.seconds_for(SAMPLES_MIN));
    let thresholds = slo_thresholds(run, SAMPLES_MIN);
    merge_blaming(run, ENTRY.id, &judged, thresholds, (none.to_owned(), &longer), |zone| blame(run, zone, &stores))
}

/// Zones in which something had its power back, if a member of one of the stores had.
fn zones_back<'r>(run: &Run<'r>, recovery: &Recovery, stores: &[&Service]) -> Vec<&'r ZoneName> {
    let Some((_, step)) = run.case.plan.step(&recovery.step).filter(|(_, step)| step.is_power()) else {
        return Vec::new();
    };
    let placement = run.case.placement;
    let back = |index: &usize| step.changes.contains(&placement.hosts[placement.instances[*index].host].name);
    let back: Vec<usize> = (0..placement.instances.len()).filter(back).collect();
    let is_member = |index: &usize| stores.iter().any(|store| store.name == placement.instances[*index].service);
    if !back.iter().any(is_member) {
        return Vec::new();
    }
    back.into_iter().map(|index| &placement.instances[index].zone).collect()
}

/// The store that copies without a limit, if there is one; else as customers have it.
fn blame(run: &Run<'_>, zone: &Zone<'_>, stores: &[&Service]) -> Victim {
    let copies = |store: &&&Service| store.store.replication.is_some_and(|replication| replication.copies.is_none());
    let Some(store) = stores.iter().find(copies) else { return run.blame(zone) };
    let link = Link {
        who: format!("customers in {}", zone.zone),
        waits_for: store.name.to_string(),
        how: "request, behind what is copied".to_owned(),
        since_ns: zone.start_ns,
        evidence: zone.evidence.clone(),
    };
    let root = Root {
        service: store.name.clone(),
        dependency: None,
        setting: Some(format!("services.{}.replication.copies", store.name)),
        cause: Cause::CopiesAtOnce,
    };
    Victim::of_zone(zone.zone, (zone.start_ns, zone.end_ns), link, root)
}
