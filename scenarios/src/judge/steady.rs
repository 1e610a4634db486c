//! Owns the two conditions before any fault: everything came up once, and customers had what they are promised. Refuses
//! to know faults. A run without them is inconclusive: a region that was never well cannot show that it recovers.

use super::slo::State;
use super::{Run, count, culprit};
use crate::event::Phase;
use crate::judgement::Reason;
use crate::traffic::zones;

/// Samples of each zone's canary below which a baseline (or, for R1, a quiet period) says nothing. Chosen: a baseline
/// that had to show the promise itself, `1 / (1 - availability)`, would take longer than the outage.
pub(super) const SAMPLES_MIN: u64 = 20;

/// Instances named in a sentence.
const NAMED_MAX: usize = 8;

pub(super) fn reasons(run: &Run<'_>) -> Vec<Reason> {
    // Where nobody of ours asks, what others measure is the steady state of customers.
    let customers = || if run.case.scenario.traffic.is_silent() { None } else { bad_baseline(run) };
    never_steady(run).or_else(customers).into_iter().collect()
}

fn never_steady(run: &Run<'_>) -> Option<Reason> {
    let code = "never-steady".to_owned();
    let Some(settle) = run.timeline.of_phase(Phase::Settle).next() else {
        let text = "the run ended before the region was switched on".to_owned();
        return Some(Reason { code, text, evidence: Vec::new() });
    };
    let at_ns = settle.end_ns;
    let instances = run.case.placement.instances.iter().enumerate();
    let missing: Vec<usize> = instances
        .filter(|(_, instance)| !run.timeline.is_active_about(&instance.name, at_ns))
        .map(|(index, _)| index)
        .collect();
    if missing.is_empty() {
        return None;
    }
    let mut evidence = vec![settle.begin_event];
    let mut named = Vec::new();
    for &index in missing.iter().take(NAMED_MAX) {
        let trace = culprit::trace(run, index, at_ns);
        if let Some(link) = trace.links.first() {
            named.push(format!("{} (waits for {}, {})", link.who, link.waits_for, link.how));
            evidence.extend(&link.evidence);
        }
    }
    let more = missing.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let text = format!(
        "before any fault, {} never became active: {}{more}",
        count(missing.len(), "instance"),
        named.join("; ")
    );
    evidence.sort();
    evidence.dedup();
    Some(Reason { code, text, evidence })
}

fn bad_baseline(run: &Run<'_>) -> Option<Reason> {
    let code = "bad-baseline".to_owned();
    let Some(baseline) = run.timeline.of_phase(Phase::Baseline).next() else {
        return Some(Reason { code, text: "the run has no baseline".to_owned(), evidence: Vec::new() });
    };
    let zones = zones(&run.canaries);
    if zones.is_empty() {
        let text = "no canary was heard: nobody knows what customers had".to_owned();
        return Some(Reason { code, text, evidence: vec![baseline.begin_event] });
    }
    let all = zones.into_iter().map(|zone| run.zone_slo(zone, baseline.start_ns, baseline.end_ns, SAMPLES_MIN));
    // A busy machine is no bad baseline: availability was kept, and windows are weighed one by one later.
    let bad: Vec<_> = all.filter(|zone| !matches!(zone.state, State::Kept | State::Busy)).collect();
    if bad.is_empty() {
        return None;
    }
    let texts: Vec<&str> = bad.iter().map(|zone| zone.text.as_str()).collect();
    let text = format!("before any fault, customers did not have the steady state: {}", texts.join("; "));
    Some(Reason { code, text, evidence: bad.into_iter().flat_map(|zone| zone.evidence).collect() })
}
