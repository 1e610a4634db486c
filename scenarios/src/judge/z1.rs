//! Z1, survivors carry the load. Refuses to look at zones that lost power.
//!
//! *Statement*: while a zone is dark, customers in the others get what they are promised.
//!
//! *Oracle*: in each outage, from `windows.shift` (s) after its beginning to its end, for each zone without a dark host
//! that has a canary: answered (in full or degraded) / sent >= `steady-state.availability` (%), and the 99th percentile
//! of latency <= `steady-state.latency-p99` (ms, upper bound of its bucket). All from the scenario.
//!
//! Of several operations none may hide behind the others; `slo.rs` says which are looked at by themselves.
//!
//! *Horizon*: `1 / (1 - availability)` samples in each zone; no surviving zone, nothing to judge.
//!
//! *Inconclusive*: the zone's control canary failed, or had a p99 above half of `latency-p99`, in more than half of the
//! windows: then latency says nothing (availability is judged all the same).

use super::finding::Victim;
use super::slo::{State, Zone, samples_for};
use super::{Entry, Outcome, Run};
use crate::event::Phase;
use crate::judgement::InvariantResult;
use crate::timeline::ns;
use crate::traffic::zones;
use crate::verdict::Verdict;
use fixtures::name::ZoneName;
use fixtures::unit::Span;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const ENTRY: Entry = Entry {
    id: "Z1",
    title: "survivors carry the load",
    statement: "While a zone is dark, customers in the other zones get what they are promised.",
    judge,
};

fn judge(run: &Run<'_>) -> Outcome {
    let scenario = run.case.scenario;
    let needed = samples_for(scenario.steady_state.availability);
    let shift_ns = ns(scenario.windows.shift);
    let mut judged: Vec<Zone<'_>> = Vec::new();
    let mut survivors = false;
    for segment in run.timeline.of_phase(Phase::Outage) {
        let start_ns = segment.start_ns.saturating_add(shift_ns);
        let lit = zones(&run.canaries)
            .into_iter()
            .filter(|zone| !segment.disturbed.contains(*zone))
            .filter(|zone| run.case.placement.hosts_in(zone).all(|host| !segment.dark.contains(&host.name)));
        for zone in lit {
            survivors = true;
            // An outage that the next act follows within the shift leaves nothing to judge; the next one does.
            if start_ns < segment.end_ns {
                judged.push(run.zone_slo(zone, start_ns, segment.end_ns, needed));
            }
        }
    }
    // A stretch too short to be judged says nothing against a zone that another one could be judged by.
    let told: BTreeSet<&ZoneName> =
        judged.iter().filter(|zone| zone.state != State::TooFew).map(|zone| zone.zone).collect();
    judged.retain(|zone| zone.state != State::TooFew || !told.contains(zone.zone));
    let none = if survivors {
        format!(
            "every outage was over before survivors must have shifted; one longer than {} would do",
            Span(scenario.windows.shift)
        )
    } else {
        "no zone with a canary kept its power: an outage that leaves a zone lit would do".to_owned()
    };
    let seconds = scenario.windows.shift.as_secs_f64() + run.seconds_for(needed) as f64;
    let longer = format!("an outage of {seconds} s or more would do");
    let mut thresholds = slo_thresholds(run, needed);
    thresholds.insert("shift".to_owned(), Span(scenario.windows.shift).to_string());
    merge(run, ENTRY.id, &judged, thresholds, none, &longer)
}

/// The thresholds of a comparison with the steady state.
pub(super) fn slo_thresholds(run: &Run<'_>, needed: u64) -> BTreeMap<String, String> {
    let slo = &run.case.scenario.steady_state;
    BTreeMap::from([
        ("availability".to_owned(), slo.availability.to_string()),
        ("latency-p99".to_owned(), Span(slo.latency_p99).to_string()),
        ("samples".to_owned(), needed.to_string()),
    ])
}

/// One result of several zones: harm, then doubt, then too little to say, then held.
pub(super) fn merge(
    run: &Run<'_>,
    id: &str,
    zones: &[Zone<'_>],
    thresholds: BTreeMap<String, String>,
    none: String,
    longer: &str,
) -> Outcome {
    // After everything is healed, only what keeps itself up can still be too much.
    let after = id == super::r1::ENTRY.id;
    let blame = |zone: &Zone<'_>| super::overload::refined(run, zone, run.blame(zone), after);
    merge_blaming(run, id, zones, thresholds, (none, longer), blame)
}

/// As [`merge`], with a way of its own from a zone that was harmed to whoever is to blame.
pub(super) fn merge_blaming(
    run: &Run<'_>,
    id: &str,
    zones: &[Zone<'_>],
    thresholds: BTreeMap<String, String>,
    (none, longer): (String, &str),
    blame: impl Fn(&Zone<'_>) -> Victim,
) -> Outcome {
    let worst = zones.iter().map(|zone| zone.state).max();
    let harmed = |zone: &&Zone<'_>| matches!(zone.state, State::Unavailable | State::Slow);
    let telling = zones.iter().filter(|zone| match worst {
        Some(State::Unavailable | State::Slow) => harmed(zone),
        worst => Some(zone.state) == worst,
    });
    let telling: Vec<&Zone<'_>> = telling.collect();
    let texts: Vec<&str> = telling.iter().map(|zone| zone.text.as_str()).collect();
    let seen = texts.join("; ");
    let (verdict, reason) = match worst {
        None => (Verdict::NotJudged, none),
        Some(State::Unavailable | State::Slow) => (Verdict::Violated, seen),
        Some(State::Busy) => (Verdict::Inconclusive, format!("machine-busy: {seen}")),
        Some(State::TooFew) => (Verdict::NotJudged, format!("{seen}; {longer}")),
        Some(State::Kept) => (Verdict::Held, seen),
    };
    let evidence = telling.iter().flat_map(|zone| zone.evidence.iter().copied()).collect();
    let result = InvariantResult { id: id.to_owned(), aspect: None, verdict, reason, thresholds, evidence };
    let victims = zones.iter().filter(harmed).map(blame).collect();
    Outcome { results: vec![result], findings: run.findings(id, victims) }
}
