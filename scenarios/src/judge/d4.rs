//! D4, isolation. Refuses to judge operations that lean on what is gone; those are Z1's and D1's.
//!
//! *Statement*: one dependency that hangs leaves operations that do not use it as they are promised.
//!
//! *Experiment*: all of a dependency loses power, is paused or cut off: packets to it vanish, nobody refuses them.
//!
//! *Oracle*: in each outage, from `windows.shift` (s) on, of each operation that customers ask for and no call of which leads
//! to what is gone: answered / sent >= `steady-state.availability` (%), both from the scenario.
//!
//! *Horizon*: customers who ask for several operations (`traffic.mix`), one of which leads to what is gone and one of which
//! does not; `1 / (1 - availability)` samples of the latter in a zone.
//!
//! *Inconclusive*: nothing of its own.

use super::culprit::{Cause, Root};
use super::finding::{Victim, sorted};
use super::slo::{falls_short, samples_for};
use super::{Entry, Outcome, Run};
use crate::event::{Asked, EventId, Phase};
use crate::judgement::{InvariantResult, Link};
use crate::timeline::{Segment, ns};
use crate::traffic::{Window, main_cause, zones};
use crate::verdict::Verdict;
use fixtures::graph::Service;
use fixtures::name::{ServiceName, ZoneName};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const ENTRY: Entry = Entry {
    id: "D4",
    title: "isolation",
    statement: "One dependency that hangs leaves operations that do not use it as they are promised.",
    judge,
};

/// Windows kept as evidence of one operation.
const EVIDENCE_MAX: usize = 5;

/// What customers of a zone got of an operation that does not use what hangs.
struct Bystander<'a> {
    zone: &'a ZoneName,
    segment: &'a Segment,
    operation: String,
    asked: Asked,
    hangs: &'a ServiceName,
    evidence: Vec<EventId>,
}

impl Bystander<'_> {
    fn text(&self) -> String {
        let Asked { sent, .. } = self.asked;
        let cause = main_cause(&self.asked.failed).map_or_else(String::new, |cause| format!(", mostly `{cause}`"));
        let (zone, operation, answered) = (self.zone, &self.operation, self.asked.answered());
        format!("{zone}: {answered} of {sent} requests for `{operation}` answered while `{}` hung{cause}", self.hangs)
    }
}

fn judge(run: &Run<'_>) -> Outcome {
    let promised = run.case.scenario.steady_state.availability;
    let needed = samples_for(promised);
    let mut judged: Vec<Bystander<'_>> = Vec::new();
    for segment in run.timeline.of_phase(Phase::Outage) {
        for zone in zones(&run.canaries) {
            judged.extend(bystanders(run, zone, segment).into_iter().filter(|one| one.asked.sent >= needed));
        }
    }
    let harmed =
        |one: &&Bystander<'_>| falls_short(one.asked.answered(), one.asked.sent, promised) && one.asked.failures() > 0;
    let bad: Vec<&Bystander<'_>> = judged.iter().filter(harmed).collect();
    let texts = |ones: &[&Bystander<'_>]| ones.iter().map(|one| one.text()).collect::<Vec<_>>().join("; ");
    let (verdict, reason) = if !bad.is_empty() {
        (Verdict::Violated, texts(&bad))
    } else if judged.is_empty() {
        let seconds = run.case.scenario.windows.shift.as_secs_f64() + run.seconds_for(needed) as f64;
        let reason = format!(
            "customers never asked for one operation that leads to what hung and for one that does not, for long enough: \
             `traffic.mix` with both, and {seconds} s or more in which all of a dependency is dark or paused, would do"
        );
        (Verdict::NotJudged, reason)
    } else {
        (Verdict::Held, texts(&judged.iter().collect::<Vec<_>>()))
    };
    let told: Vec<&Bystander<'_>> = if bad.is_empty() { judged.iter().collect() } else { bad.clone() };
    let evidence = sorted(told.iter().flat_map(|one| one.evidence.iter().copied()));
    let thresholds = BTreeMap::from([("availability".to_owned(), promised.to_string())]);
    let result = InvariantResult { id: ENTRY.id.to_owned(), aspect: None, verdict, reason, thresholds, evidence };
    let victims = bad.into_iter().map(|one| victim(run, one)).collect();
    Outcome { results: vec![result], findings: run.findings(ENTRY.id, victims) }
}

/// Operations of a zone's customers that use nothing that is harmed, where another one leads to what is gone altogether.
fn bystanders<'a>(run: &'a Run<'a>, zone: &'a ZoneName, segment: &'a Segment) -> Vec<Bystander<'a>> {
    let unharmed: BTreeSet<usize> = run.unharmed(segment).into_iter().collect();
    let whole = |service: &ServiceName| run.reach(zone, service).iter().all(|target| unharmed.contains(target));
    let gone = |service: &ServiceName| !run.reach(zone, service).iter().any(|target| unharmed.contains(target));
    let start_ns = segment.start_ns.saturating_add(ns(run.case.scenario.windows.shift));
    let inside = |window: &&Window<'_>| window.zone == zone && window.inside(start_ns, segment.end_ns);
    let windows: Vec<&Window<'_>> = run.canaries.iter().filter(inside).collect();
    let mut asked: BTreeMap<&str, (Asked, Vec<EventId>)> = BTreeMap::new();
    for window in windows {
        for (operation, counts) in window.operations {
            let (sum, evidence) = asked.entry(operation).or_default();
            sum.add(counts);
            if counts.failures() > 0 && evidence.len() < EVIDENCE_MAX {
                evidence.push(window.event);
            }
        }
    }
    let used: BTreeMap<&str, BTreeSet<&ServiceName>> =
        asked.keys().map(|operation| (*operation, used_by(run, operation))).collect();
    let Some(hangs) = used.values().flatten().copied().find(|service| gone(service)) else { return Vec::new() };
    let stands_by = |operation: &str| used[operation].iter().all(|service| whole(service));
    asked
        .into_iter()
        .filter(|(operation, _)| stands_by(operation))
        .map(|(operation, (asked, evidence))| Bystander {
            zone,
            segment,
            operation: operation.to_owned(),
            asked,
            hangs,
            evidence,
        })
        .collect()
}

/// Every service that a request for an operation of the entry may reach, the entry included.
fn used_by<'a>(run: &Run<'a>, operation: &str) -> BTreeSet<&'a ServiceName> {
    let graph = run.case.graph;
    let mut open: Vec<(&ServiceName, &str)> = vec![(&graph.entry.service, operation)];
    let mut seen: BTreeSet<(&ServiceName, String)> = BTreeSet::new();
    let mut used = BTreeSet::new();
    while let Some((name, operation)) = open.pop() {
        used.insert(name);
        if !seen.insert((name, operation.to_owned())) {
            continue;
        }
        for call in graph.service(name).into_iter().flat_map(|service| &service.calls) {
            if call.during.iter().any(|during| during.as_str() == operation) {
                open.push((&call.to, call.operation.as_str()));
            }
        }
    }
    used
}

/// Whoever turned requests away: the last that answers named, or the entry itself.
fn victim(run: &Run<'_>, one: &Bystander<'_>) -> Victim {
    let graph = run.case.graph;
    let missing = main_cause(&one.asked.failed).and_then(|cause| cause.strip_prefix("missing:"));
    let named = missing.and_then(|name| graph.services.iter().find(|service| service.name.as_str() == name));
    let full: Option<&Service> = named.or_else(|| graph.service(&graph.entry.service));
    let service = full.map_or(&graph.entry.service, |service| &service.name);
    let setting = full.filter(|full| full.workers.is_some()).map(|full| format!("services.{}.workers", full.name));
    let root = Root {
        service: service.clone(),
        dependency: Some(one.hangs.clone()),
        setting,
        cause: Cause::Shares(one.operation.clone()),
    };
    let link = Link {
        who: service.to_string(),
        waits_for: one.hangs.to_string(),
        how: "requests under way".to_owned(),
        since_ns: one.segment.start_ns,
        evidence: std::iter::once(one.segment.begin_event).chain(one.evidence.iter().copied()).collect(),
    };
    Victim::of_zone(one.zone, (one.segment.start_ns, one.segment.end_ns), link, root)
}
