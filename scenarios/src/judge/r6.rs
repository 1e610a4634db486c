//! R6, replacement capacity. Refuses to judge zones that lost power themselves; they have an excuse.
//!
//! *Statement*: what is copied to those who come back leaves the others enough to serve their customers.
//!
//! *Experiment*: a member of a replicated store loses power, and has to be given all that was written meanwhile when it is
//! back.
//!
//! *Oracle*: from the return of a member's power to the end of the quiet period after it, or to the next fault, for each zone
//! with a canary that kept its power: answered / sent >= `steady-state.availability` (%) and p99 <= `steady-state.latency-p99` (ms), both from
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
use crate::event::{Act, Phase};
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
    let (mut judged, placed): (Vec<Zone<'_>>, _) = (Vec::new(), &run.case.placement.instances);
    for recovery in recoveries.iter().filter(|recovery| recovery.is_whole()) {
        let back = run.returned(recovery);
        let is_member = |index: &usize| stores.iter().any(|store| store.name == placed[*index].service);
        if !back.iter().any(is_member) {
            continue;
        }
        let end_ns = ends(run, recovery);
        let lost = |zone: &ZoneName| {
            let mut here = (0..placed.len()).filter(|&index| placed[index].zone == *zone);
            here.any(|index| back.contains(&index) || run.was_dark(index, recovery.gate_ns, end_ns))
        };
        let kept = zones(&run.canaries).into_iter().filter(|zone| !lost(zone));
        judged.extend(kept.map(|zone| run.zone_slo(zone, recovery.gate_ns, end_ns, SAMPLES_MIN)));
    }
    let none = "no member of a replicated store with a `capacity` had its power back: the loss of power of a zone of such a \
                store would do";
    let longer = format!("a quiet period of {} s or more would do", run.seconds_for(SAMPLES_MIN));
    let thresholds = slo_thresholds(run, SAMPLES_MIN);
    merge_blaming(run, ENTRY.id, &judged, thresholds, (none.to_owned(), &longer), |zone| blame(run, zone, &stores))
}

/// Until when customers are looked at: the end of the quiet period, or the next fault before it.
fn ends(run: &Run<'_>, recovery: &Recovery) -> u64 {
    let later = |t_ns: u64| t_ns > recovery.gate_ns;
    let quiet =
        run.timeline.of_phase(Phase::Quiet).find(|segment| later(segment.start_ns)).map(|segment| segment.end_ns);
    let steps = run.case.plan.rounds.iter().flat_map(|round| &round.steps).filter(|step| step.act == Act::Inject);
    let faults =
        steps.filter_map(|step| run.timeline.done.get(&step.id)).map(|done| done.t_ns).filter(|t_ns| later(*t_ns));
    faults.chain(quiet).min().unwrap_or(recovery.end_ns)
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
