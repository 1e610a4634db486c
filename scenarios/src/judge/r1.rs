//! R1, self-recovery after trigger removal. Refuses to look at instances; those are S5's.
//!
//! *Statement*: when everything is healed and has recovered, customers get again what they got before, at the same load.
//!
//! *Oracle*: in every quiet segment, for each zone with a canary: answered / sent >= `steady-state.availability` (%) and
//! p99 <= `steady-state.latency-p99` (ms), both from the scenario. Traffic is open-loop, so the load is the same.
//!
//! *Horizon*: 20 samples in each zone (`SAMPLES_MIN`: the baseline's own, so that before and after weigh the same).
//!
//! *Inconclusive*: as in Z1, the control canary missed its target in more than half of the windows.

use super::slo::Zone;
use super::steady::SAMPLES_MIN;
use super::z1::{merge, slo_thresholds};
use super::{Entry, Outcome, Run};
use crate::event::Phase;
use crate::traffic::zones;

pub(super) const ENTRY: Entry = Entry {
    id: "R1",
    title: "self-recovery after trigger removal",
    statement: "After everything is healed, customers in every zone get again what they are promised, at the same load.",
    judge,
};

fn judge(run: &Run<'_>) -> Outcome {
    let mut judged: Vec<Zone<'_>> = Vec::new();
    for segment in run.timeline.of_phase(Phase::Quiet) {
        for zone in zones(&run.canaries) {
            judged.push(run.zone_slo(zone, segment.start_ns, segment.end_ns, SAMPLES_MIN));
        }
    }
    let none = "the run has no quiet period with a canary: one that ends as planned would do".to_owned();
    let longer = format!("a quiet period of {} s or more would do", run.seconds_for(SAMPLES_MIN));
    merge(run, ENTRY.id, &judged, slo_thresholds(run, SAMPLES_MIN), none, &longer)
}
