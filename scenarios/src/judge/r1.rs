//! R1, self-recovery after trigger removal. Refuses to look at instances; those are S5's.
//!
//! *Statement*: when everything is healed and has recovered, customers get again what they got before, at the same load.
//!
//! *Oracle*: in every quiet segment, for each zone with a canary: answered / sent >= `steady-state.availability` (%) and
//! p99 <= `steady-state.latency-p99` (ms), both from the scenario. Traffic is open-loop, so the load is the same.
//!
//! Of several operations none may hide behind the others; `slo.rs` says which are looked at by themselves.
//!
//! Where names were in trouble, it is judged from the moment at which every answer given meanwhile has ended: the time to
//! live is part of the promise, not a failure to recover.
//!
//! *Horizon*: 20 samples in each zone (`SAMPLES_MIN`: the baseline's own, so that before and after weigh the same).
//!
//! *Inconclusive*: as in Z1, the control canary missed its target in more than half of the windows.

use super::slo::Zone;
use super::steady::SAMPLES_MIN;
use super::z1::{merge, slo_thresholds};
use super::{Entry, Outcome, Run};
use crate::event::{Act, Phase};
use crate::plan::{Deed, Step};
use crate::timeline::ns;
use crate::traffic::zones;

pub(super) const ENTRY: Entry = Entry {
    id: "R1",
    title: "self-recovery after trigger removal",
    statement: "After everything is healed, customers in every zone get again what they are promised, at the same load.",
    judge,
};

/// An answer that has just ended is used once more while a new one is asked for.
const ASKING_NS: u64 = 500_000_000;

/// When the last answer has ended that name servers gave while they were in trouble.
fn misled_until(run: &Run<'_>, before_ns: u64) -> u64 {
    let Some(names) = &run.case.graph.names else { return 0 };
    let good_ns = ns(names.ttl.max(names.negative_ttl)).saturating_add(ASKING_NS);
    let steps = run.case.plan.rounds.iter().flat_map(|round| &round.steps);
    let misleads = |step: &&Step| {
        step.act == Act::Heal && matches!(&step.deed, Deed::Trouble { trouble, .. } if trouble.is_of_names())
    };
    let healed = steps.filter(misleads).filter_map(|step| run.timeline.done.get(&step.id)).map(|done| done.t_ns);
    healed.filter(|t_ns| *t_ns <= before_ns).max().map_or(0, |t_ns| t_ns.saturating_add(good_ns))
}

fn judge(run: &Run<'_>) -> Outcome {
    let mut judged: Vec<Zone<'_>> = Vec::new();
    for segment in run.timeline.of_phase(Phase::Quiet) {
        for zone in zones(&run.canaries) {
            let start_ns = segment.start_ns.max(misled_until(run, segment.start_ns)).min(segment.end_ns);
            judged.push(run.zone_slo(zone, start_ns, segment.end_ns, SAMPLES_MIN));
        }
    }
    let none = "the run has no quiet period with a canary: one that ends as planned would do".to_owned();
    let longer = format!("a quiet period of {} s or more would do", run.seconds_for(SAMPLES_MIN));
    merge(run, ENTRY.id, &judged, slo_thresholds(run, SAMPLES_MIN), none, &longer)
}
