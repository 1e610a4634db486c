//! Z4, no stuck routing. Refuses to judge what is gone altogether; that is Z1's and Z3's.
//!
//! *Statement*: when copies of a service are dark, callers go to the others within the time that they are given.
//!
//! *Oracle*: in each outage, from `windows.shift` (s, from the scenario) after its beginning to its end, customers of zones
//! that lost nothing are answered as promised (`steady-state.availability`, %), or what they lack has no copy left that
//! could have answered.
//!
//! *Horizon*: an outage longer than `windows.shift`, in which a service had dark and active copies in reach of a zone that
//! lost nothing; `1 / (1 - availability)` samples in that zone.
//!
//! *Inconclusive*: nothing of its own.

use super::culprit::{Cause, Root};
use super::finding::{Victim, sorted};
use super::slo::{State, Zone, samples_for};
use super::{Entry, Outcome, Run};
use crate::event::Phase;
use crate::judgement::InvariantResult;
use crate::timeline::{Segment, ns};
use crate::traffic::zones;
use crate::verdict::Verdict;
use fixtures::name::{ServiceName, ZoneName};
use fixtures::unit::Span;
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "Z4",
    title: "no stuck routing",
    statement: "When copies of a service are dark, callers go to the others within the time that they are given.",
    judge,
};

fn judge(run: &Run<'_>) -> Outcome {
    let scenario = run.case.scenario;
    let needed = samples_for(scenario.steady_state.availability);
    let mut judged: Vec<Zone<'_>> = Vec::new();
    for segment in run.timeline.of_phase(Phase::Outage) {
        let (_, lit) = run.dark_and_lit(segment);
        let start_ns = segment.start_ns.saturating_add(ns(scenario.windows.shift));
        for zone in zones(&run.canaries).into_iter().filter(|zone| lit.contains(zone)) {
            if start_ns < segment.end_ns && has_half_dark(run, zone, segment) {
                judged.push(run.zone_slo(zone, start_ns, segment.end_ns, needed));
            }
        }
    }
    let stuck: Vec<Victim> = judged.iter().filter_map(|zone| stuck(run, zone)).collect();
    let enough = judged.iter().any(|zone| zone.state != State::TooFew);
    let (verdict, reason) = if !stuck.is_empty() {
        let texts: Vec<&str> =
            judged.iter().filter(|zone| zone.state == State::Unavailable).map(|zone| zone.text.as_str()).collect();
        (Verdict::Violated, format!("requests still failed although a copy could answer: {}", texts.join("; ")))
    } else if enough {
        let texts: Vec<&str> = judged.iter().map(|zone| zone.text.as_str()).collect();
        (Verdict::Held, texts.join("; "))
    } else {
        let seconds = scenario.windows.shift.as_secs_f64() + run.seconds_for(needed) as f64;
        let reason = format!(
            "no service had dark and active copies in reach of a zone that lost nothing, for long enough: an outage of some \
             of a regional service's hosts for {seconds} s or more would do"
        );
        (Verdict::NotJudged, reason)
    };
    let thresholds = BTreeMap::from([
        ("availability".to_owned(), scenario.steady_state.availability.to_string()),
        ("shift".to_owned(), Span(scenario.windows.shift).to_string()),
    ]);
    let evidence = sorted(judged.iter().flat_map(|zone| zone.evidence.iter().copied()));
    let result = InvariantResult { id: ENTRY.id.to_owned(), aspect: None, verdict, reason, thresholds, evidence };
    Outcome { results: vec![result], findings: run.findings(ENTRY.id, stuck) }
}

/// Whether some copies in reach are dark and others are not.
fn has_half_dark(run: &Run<'_>, zone: &ZoneName, segment: &Segment) -> bool {
    run.case.graph.services.iter().any(|service| {
        let reach = run.reach(zone, &service.name);
        let dark = reach.iter().filter(|&&target| segment.dark.contains(run.host_name(target))).count();
        dark > 0 && dark < reach.len()
    })
}

/// A zone whose customers fail for want of something that could have answered: whoever asked in vain is the root.
fn stuck(run: &Run<'_>, zone: &Zone<'_>) -> Option<Victim> {
    if zone.state != State::Unavailable {
        return None;
    }
    let mut victim = run.blame(zone);
    let root = victim.trace.root.as_mut()?;
    let to = root.dependency.clone()?;
    let reach = run.reach(zone.zone, &to);
    let half = reach.iter().any(|&target| run.is_dark(target, zone.start_ns))
        && reach.iter().any(|&target| !run.is_dark(target, zone.start_ns));
    if root.cause != Cause::LacksInVain || !half {
        return None;
    }
    *root = Root { setting: Some(call_setting(run, &root.service, &to)), cause: Cause::Clings, ..root.clone() };
    Some(victim)
}

/// What keeps a caller from asking somebody else: that it asks once, or that it asks the same one first each time.
pub(super) fn call_setting(run: &Run<'_>, service: &ServiceName, to: &ServiceName) -> String {
    let known = run.case.graph.service(service);
    let call = known.and_then(|known| known.calls.iter().find(|call| call.to == *to));
    let narrow = match call {
        Some(call) if call.attempts == 1 => ".attempts",
        Some(call) if call.breaker.is_none() => ".breaker",
        _ => "",
    };
    format!("services.{service}.calls.{to}{narrow}")
}
