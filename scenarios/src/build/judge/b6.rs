//! B6, no start-up cycle survives launch. Refuses to read the answer from a graph: a need that only one region's
//! configuration has is in none.
//!
//! *Statement*: with the link cut the new region comes back by itself, each of its zones first and then all of it; so does a
//! new zone.
//!
//! *Oracle*: after each power-on of the game day everything is active in time, as the witness sees it. Where it is not, the
//! needs that instances say they wait for lead from one service to the next; those that lead back are the cycle. Limit: 0
//! instances that do not return.
//!
//! *Horizon*: a build that gets as far as its black start, the last of these power-ons, or as one that fails; a region's with
//! the link cut. *Inconclusive*: a power-on that was broken off before its time was over.

use super::{Build, Entry, Found, Outcome, count};
use crate::build::observed::StepState;
use crate::build::plan::{Act, Border, BuildPhase, Step};
use crate::event::{Detail, EventId, Life, NeedOutcome};
use crate::verdict::Verdict;
use fixtures::name::{InstanceName, ServiceName};
use fixtures::regional::estate::Site;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const ENTRY: Entry = Entry {
    id: "B6",
    title: "no start-up cycle survives launch",
    statement: "With the link cut the new region, all of it dark, comes back by itself.",
    judge,
};

fn judge(build: &Build<'_>) -> Outcome {
    let threshold = ("instances that do not return", "0".to_owned());
    let told = |verdict, reason: String, evidence| Outcome {
        verdict,
        reason,
        threshold: threshold.clone(),
        evidence,
        findings: Vec::new(),
    };
    let is_alone = build.case.estate.new_zone().is_some() || build.border(Border::Cut).is_some();
    let lit: Vec<&Step> = power_ons(build).filter(|_| is_alone).collect();
    let begun = |step: &Step| build.step(&step.id, StepState::Begun);
    let mut open = lit.iter().filter(|step| !build.is_over(&step.id));
    if let Some((step, (begun_at, begun_event))) = open.find_map(|step| Some((*step, begun(step)?))) {
        if build.step(&step.id, StepState::Failed).is_none() {
            let reason = format!("`{}` was broken off before it was known whether everything comes back", step.id);
            return told(Verdict::Inconclusive, reason, vec![begun_event]);
        }
        let (missing, evidence) = missing(build, step, begun_at);
        let mut findings = cycles(build, begun_at, &missing);
        findings.extend(absent(build, step, begun_at, &missing).filter(|_| findings.is_empty()));
        let reason = format!("{} did not come back from the dark at `{}`", count(missing.len(), "instance"), step.id);
        return Outcome { verdict: Verdict::Violated, reason, threshold, evidence, findings };
    }
    let Some((_, black_start)) = lit.last().and_then(|step| begun(step)) else {
        let reason = "what was built was never dark as a whole, with no link left: a build that gets as far would do";
        return told(Verdict::NotJudged, reason.to_owned(), Vec::new());
    };
    told(Verdict::Held, "everything came back from the dark by itself".to_owned(), vec![black_start])
}

/// Steps of the game day that give power back, the black start of everything last.
fn power_ons<'a>(build: &Build<'a>) -> impl Iterator<Item = &'a Step> {
    let steps = build.case.plan.steps.iter();
    steps.filter(|step| step.phase == BuildPhase::GameDay && matches!(step.act, Act::PowerOn(_)))
}

/// Whether an instance was given power by a step.
fn was_dark(build: &Build<'_>, step: &Step, name: &InstanceName) -> bool {
    let placement = &build.case.estate.placement;
    let host = placement.instance_by_name(name).map(|one| &placement.hosts[one.host].name);
    matches!(&step.act, Act::PowerOn(hosts) if host.is_some_and(|host| hosts.contains(host)))
}

/// Instances of what is built that are not active: of those that were dark the witness must have seen it since, and of others
/// it may say nothing for as long as nothing changes.
fn missing(build: &Build<'_>, step: &Step, since_ns: u64) -> (BTreeSet<InstanceName>, Vec<EventId>) {
    let mut lives: BTreeMap<&InstanceName, (Life, EventId, u64)> = BTreeMap::new();
    for event in build.events {
        if let (Detail::Probe { outcome, .. }, Some(instance)) = (&event.detail, &event.place.instance) {
            lives.insert(instance, (*outcome, event.id, event.t_ns));
        }
    }
    let is_back = |name: &InstanceName| {
        let seen = lives.get(name);
        seen.is_some_and(|(life, _, at)| *life == Life::Active && (*at >= since_ns || !was_dark(build, step, name)))
    };
    let own = build.case.estate.instances(|standing| standing.site == Site::Build);
    let missing: BTreeSet<InstanceName> = own.into_iter().filter(|name| !is_back(name)).collect();
    let evidence = missing.iter().filter_map(|name| lives.get(name)).map(|(_, id, _)| *id).collect();
    (missing, evidence)
}

/// What each service waits for, by whom that is given: the need, an event that shows it, and who waits.
type Waits = BTreeMap<ServiceName, BTreeMap<ServiceName, (String, EventId, InstanceName)>>;

/// What those who do not return wait for. Others of their services, in zones that had power, say nothing of that.
fn waits(build: &Build<'_>, since_ns: u64, missing: &BTreeSet<InstanceName>) -> Waits {
    let mut waits = Waits::new();
    for event in build.events.iter().filter(|event| event.t_ns >= since_ns) {
        let Detail::Need { need, from, outcome, .. } = &event.detail else { continue };
        let (Some(service), Some(instance)) = (&event.place.service, &event.place.instance) else { continue };
        if !missing.contains(instance) {
            continue;
        }
        let of_service = waits.entry(service.clone()).or_default();
        if *outcome == NeedOutcome::Acquired {
            of_service.remove(from);
        } else {
            of_service.insert(from.clone(), (need.clone(), event.id, instance.clone()));
        }
    }
    waits
}

/// Who does not return where nobody waits in a circle: whoever waits for something, or else the first who was dark.
fn absent(build: &Build<'_>, step: &Step, since_ns: u64, missing: &BTreeSet<InstanceName>) -> Option<Found> {
    let waits = waits(build, since_ns, missing);
    let waiting = waits.iter().find_map(|(service, edges)| Some((service, edges.iter().next()?)));
    if let Some((service, (to, (need, event, instance)))) = waiting {
        return Some(Found {
            service: service.clone(),
            dependency: Some(to.clone()),
            setting: format!("services.{service}.needs.{need}"),
            text: format!("`{service}` did not come back from the dark at `{}`: it waits for `{to}`", step.id),
            affected: vec![instance.clone()],
            since_ns,
            evidence: vec![*event],
        });
    }
    let dark = missing.iter().find(|name| was_dark(build, step, name));
    let first = dark.or(missing.first())?;
    let service = build.case.estate.placement.instance_by_name(first)?.service.clone();
    let text = format!("`{service}` did not come back from the dark at `{}`, and did not say why", step.id);
    let evidence = build.step(&step.id, StepState::Failed).map(|(_, event)| event).into_iter().collect();
    let (setting, affected) = (format!("services.{service}"), vec![first.clone()]);
    Some(Found { service, dependency: None, setting, text, affected, since_ns, evidence })
}

/// Services that wait for each other in a circle, each circle once.
fn cycles(build: &Build<'_>, since_ns: u64, missing: &BTreeSet<InstanceName>) -> Vec<Found> {
    let waits = waits(build, since_ns, missing);
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
fn circle(waits: &Waits, start: &ServiceName) -> Option<Vec<ServiceName>> {
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
