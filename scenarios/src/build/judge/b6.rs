//! B6, no start-up cycle survives launch. Refuses to read the answer from a graph: a need that only one region's
//! configuration has is in none.
//!
//! *Statement*: with the link cut the new region, all of it dark, comes back by itself; so does a new zone.
//!
//! *Oracle*: after the power-on of its black start everything is active in time, as the witness sees it. Where it is not, the
//! needs that instances say they wait for lead from one service to the next; those that lead back are the cycle. Limit: 0
//! instances that do not return.
//!
//! *Horizon*: a build that gets as far as its black start; a region's with the link cut.

use super::{Build, Entry, Found, Outcome, count};
use crate::build::observed::StepState;
use crate::build::plan::Border;
use crate::event::{Detail, EventId, Life, NeedOutcome};
use crate::verdict::Verdict;
use fixtures::name::{InstanceName, ServiceName};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const ENTRY: Entry = Entry {
    id: "B6",
    title: "no start-up cycle survives launch",
    statement: "With the link cut the new region, all of it dark, comes back by itself.",
    judge,
};

const BLACK_START: &str = "game.region.on";

fn judge(build: &Build<'_>) -> Outcome {
    let threshold = ("instances that do not return", "0".to_owned());
    let new_zone = build.case.estate.new_zone();
    let black_start = new_zone.map_or_else(|| BLACK_START.to_owned(), |zone| format!("game.{zone}.on"));
    let is_alone = new_zone.is_some() || build.border(Border::Cut).is_some();
    let begun = build.step(&black_start, StepState::Begun).filter(|_| is_alone);
    let Some((begun_at, begun_event)) = begun else {
        let reason =
            "what was built was never dark as a whole, with no link left: a build that gets as far would do".to_owned();
        return Outcome { verdict: Verdict::NotJudged, reason, threshold, evidence: Vec::new(), findings: Vec::new() };
    };
    if build.step(&black_start, StepState::Done).is_some() {
        let reason = "everything came back from the dark by itself".to_owned();
        return Outcome {
            verdict: Verdict::Held,
            reason,
            threshold,
            evidence: vec![begun_event],
            findings: Vec::new(),
        };
    }
    let (missing, evidence) = missing(build, begun_at);
    let findings = cycles(build, begun_at, &missing);
    let reason = format!("{} did not come back from the dark", count(missing.len(), "instance"));
    Outcome { verdict: Verdict::Violated, reason, threshold, evidence, findings }
}

/// Instances of the new region that the witness did not see active again.
fn missing(build: &Build<'_>, since_ns: u64) -> (BTreeSet<InstanceName>, Vec<EventId>) {
    let mut lives: BTreeMap<&InstanceName, (Life, EventId)> = BTreeMap::new();
    for event in build.events.iter().filter(|event| event.t_ns >= since_ns) {
        if let (Detail::Probe { outcome, .. }, Some(instance)) = (&event.detail, &event.place.instance) {
            lives.insert(instance, (*outcome, event.id));
        }
    }
    let own = build.case.estate.instances(|standing| standing.site == fixtures::regional::estate::Site::Build);
    let is_missing = |name: &InstanceName| lives.get(name).is_none_or(|(life, _)| *life != Life::Active);
    let missing: BTreeSet<InstanceName> = own.into_iter().filter(is_missing).collect();
    let evidence = missing.iter().filter_map(|name| lives.get(name)).map(|(_, id)| *id).collect();
    (missing, evidence)
}

/// Services that wait for each other in a circle, each circle once.
fn cycles(build: &Build<'_>, since_ns: u64, missing: &BTreeSet<InstanceName>) -> Vec<Found> {
    let mut waits: BTreeMap<ServiceName, BTreeMap<ServiceName, (String, EventId, InstanceName)>> = BTreeMap::new();
    for event in build.events.iter().filter(|event| event.t_ns >= since_ns) {
        let Detail::Need { need, from, outcome, .. } = &event.detail else { continue };
        let (Some(service), Some(instance)) = (&event.place.service, &event.place.instance) else { continue };
        let of_service = waits.entry(service.clone()).or_default();
        if *outcome == NeedOutcome::Acquired {
            of_service.remove(from);
        } else if missing.contains(instance) {
            of_service.insert(from.clone(), (need.clone(), event.id, instance.clone()));
        }
    }
    let mut found = Vec::new();
    let mut told: BTreeSet<BTreeSet<ServiceName>> = BTreeSet::new();
    for start in waits.keys() {
        let Some(circle) = circle(&waits, start) else { continue };
        if !told.insert(circle.iter().cloned().collect()) {
            continue;
        }
        // The edge that the graph does not have is the hidden one; of several, or of none, the first.
        let edges = circle.iter().zip(circle.iter().cycle().skip(1));
        let hidden = |(from, to): &(&ServiceName, &ServiceName)| {
            let service = build.case.estate.graph.service(from);
            !service.is_some_and(|service| service.needs.iter().any(|need| &need.from == *to))
        };
        let edge = edges.clone().find(hidden).or_else(|| edges.clone().next());
        let Some((service, to)) = edge else { continue };
        let Some((need, event, instance)) = waits.get(service).and_then(|edges| edges.get(to)) else { continue };
        // Several circles may lead over one edge: it is told once.
        let is_told = |one: &Found| one.service == *service && one.dependency.as_ref() == Some(to);
        if found.iter().any(is_told) {
            continue;
        }
        let names: Vec<String> = circle.iter().map(|name| format!("`{name}`")).collect();
        found.push(Found {
            service: service.clone(),
            dependency: Some(to.clone()),
            setting: format!("services.{service}.needs.{need}"),
            text: format!("{} wait for each other to start: only what was cut had broken the circle", names.join(", ")),
            affected: vec![instance.clone()],
            since_ns,
            evidence: vec![*event],
        });
    }
    found
}

/// The way from a service over what it waits for back to itself.
fn circle(
    waits: &BTreeMap<ServiceName, BTreeMap<ServiceName, (String, EventId, InstanceName)>>,
    start: &ServiceName,
) -> Option<Vec<ServiceName>> {
    let mut ways: Vec<Vec<ServiceName>> = vec![vec![start.clone()]];
    let mut reached = BTreeSet::new();
    while let Some(way) = ways.pop() {
        for next in waits.get(way.last()?)?.keys() {
            if next == start {
                return Some(way);
            }
            if reached.insert(next.clone()) && waits.contains_key(next) {
                ways.push(way.iter().cloned().chain([next.clone()]).collect());
            }
        }
    }
    None
}
