//! Z5, every zone. Refuses to let the zones that were cut stand for those that were not.
//!
//! *Statement*: whichever zone goes dark, customers in the others get what they are promised.
//!
//! *Experiment*: each availability zone in turn loses power as a whole.
//!
//! *Oracle*: that of Z1, in the outage of each zone.
//!
//! *Horizon*: every availability zone was dark as a whole while another lost nothing; those that were not are named. Each
//! outage was long enough for Z1.
//!
//! *Inconclusive*: as Z1.

use super::slo::{Zone, samples_for};
use super::z1::{merge, slo_thresholds};
use super::{Entry, Outcome, Run};
use crate::event::Phase;
use crate::timeline::ns;
use crate::traffic::zones;
use crate::verdict::Verdict;
use fixtures::name::ZoneName;
use fixtures::topology::ZoneKind;
use fixtures::unit::Span;
use std::collections::BTreeSet;

pub(super) const ENTRY: Entry = Entry {
    id: "Z5",
    title: "every zone",
    statement: "Whichever zone goes dark, customers in the others get what they are promised.",
    judge,
};

fn judge(run: &Run<'_>) -> Outcome {
    let scenario = run.case.scenario;
    let needed = samples_for(scenario.steady_state.availability);
    let mut uncut: BTreeSet<&ZoneName> = run
        .case
        .topology
        .zones()
        .filter(|(_, zone)| zone.kind == ZoneKind::Availability)
        .map(|(_, zone)| &zone.name)
        .collect();
    let mut judged: Vec<Zone<'_>> = Vec::new();
    for segment in run.timeline.of_phase(Phase::Outage) {
        let (dark, lit) = run.dark_and_lit(segment);
        let start_ns = segment.start_ns.saturating_add(ns(scenario.windows.shift));
        if dark.is_empty() || lit.is_empty() || start_ns >= segment.end_ns {
            continue;
        }
        uncut.retain(|zone| !dark.contains(zone));
        let heard = zones(&run.canaries).into_iter().filter(|zone| lit.contains(zone));
        judged.extend(heard.map(|zone| run.zone_slo(zone, start_ns, segment.end_ns, needed)));
    }
    let seconds = scenario.windows.shift.as_secs_f64() + run.seconds_for(needed) as f64;
    let longer = format!("outages of {seconds} s or more would do");
    let mut thresholds = slo_thresholds(run, needed);
    thresholds.insert("shift".to_owned(), Span(scenario.windows.shift).to_string());
    let none =
        "no zone was dark as a whole while another lost nothing: the loss of each zone in turn would do".to_owned();
    let mut outcome = merge(run, ENTRY.id, &judged, thresholds, none, &longer);
    if let Some(result) = outcome.results.first_mut()
        && result.verdict == Verdict::Held
        && !uncut.is_empty()
    {
        let names: Vec<&str> = uncut.iter().map(|zone| zone.as_str()).collect();
        result.verdict = Verdict::NotJudged;
        result.reason = format!(
            "never dark as a whole: {}; an outage of each of them of {seconds} s or more would do",
            names.join(", ")
        );
    }
    outcome
}
