//! D5, health checks fail open. Refuses to judge name servers that are in trouble themselves; that is S6's.
//!
//! *Statement*: when every instance of a service looks unwell, it is asked all the same.
//!
//! *Experiment*: what the readiness check of a service looks at is gone altogether, and the service itself is not.
//!
//! *Oracle*: in such an outage nobody is left without anybody to ask: no caller with power tells the witness that names
//! gave it no instance of a service whose instances in reach all have power and answer, and no customer is left without an
//! address of the entry. Limit: 0.
//!
//! *Horizon*: a graph with names; an outage in which a service whose `health` is deep lost all of a hard dependency, and
//! kept its own power, for longer than checks need to notice and answers to end: `health-interval` x `health-failures` +
//! `ttl` (s, from the graph) + `windows.shift` (s, from the scenario).
//!
//! *Inconclusive*: nothing of its own.

use super::culprit::{Cause, Root, Trace};
use super::finding::{Victim, sorted};
use super::starting::named;
use super::{Entry, Outcome, Run};
use crate::event::{By, Detail, Event, EventId, Life, Phase};
use crate::judgement::{InvariantResult, Link};
use crate::timeline::{Segment, ns};
use crate::verdict::Verdict;
use fixtures::graph::names::Names;
use fixtures::graph::{Health, Service, Strength};
use fixtures::name::{ServiceName, ZoneName};
use fixtures::unit::Span;
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) const ENTRY: Entry = Entry {
    id: "D5",
    title: "health checks fail open",
    statement: "When every instance of a service looks unwell, it is asked all the same.",
    judge,
};

/// What a canary counts that was told no address.
const NO_ADDRESS: &str = "no-address";

/// A service all of whose instances in reach of a zone looked unwell, and had power.
struct Group<'a> {
    service: &'a Service,
    zone: &'a ZoneName,
    segment: &'a Segment,
    /// What its readiness check looks at.
    lost: &'a ServiceName,
}

fn judge(run: &Run<'_>) -> Outcome {
    let names = run.case.graph.names.as_ref();
    let groups = names.map_or_else(Vec::new, |names| groups(run, names));
    let victims: Vec<Victim> =
        names.map_or_else(Vec::new, |names| groups.iter().filter_map(|group| emptied(run, names, group)).collect());
    let list = || named(groups.iter().map(|group| group.service.name.as_str()));
    let (verdict, reason) = if !victims.is_empty() {
        (Verdict::Violated, format!("nobody was told where to find what had power and answered: {}", list()))
    } else if groups.is_empty() {
        let reason = match names {
            None => "the graph has no names, whose health checks could fail: `[names]` would do".to_owned(),
            Some(names) => format!(
                "no service with a deep readiness check lost all of what that looks at, for long enough: {} or more without \
                 power of all its hosts would do",
                Span(long_enough(run, names))
            ),
        };
        (Verdict::NotJudged, reason)
    } else {
        (Verdict::Held, format!("all instances looked unwell, and were asked: {}", list()))
    };
    let own = victims.iter().flat_map(|victim| &victim.trace.links).flat_map(|link| link.evidence.iter().copied());
    let evidence: Vec<EventId> = sorted(own.chain(groups.iter().map(|group| group.segment.begin_event)));
    let thresholds = BTreeMap::from([("callers without anybody to ask".to_owned(), "0".to_owned())]);
    let result = InvariantResult { id: ENTRY.id.to_owned(), aspect: None, verdict, reason, thresholds, evidence };
    Outcome { results: vec![result], findings: run.findings(ENTRY.id, victims) }
}

/// From the loss of a dependency until no answer of before is used any more.
fn noticed(names: &Names) -> Duration {
    names.health_interval.saturating_mul(names.health_failures).saturating_add(names.ttl)
}

fn long_enough(run: &Run<'_>, names: &Names) -> Duration {
    noticed(names).saturating_add(run.case.scenario.windows.shift)
}

fn groups<'a>(run: &'a Run<'a>, names: &Names) -> Vec<Group<'a>> {
    let mut groups = Vec::new();
    for segment in run.timeline.of_phase(Phase::Outage) {
        let misled = run.timeline.spells.iter().any(|spell| {
            spell.misleads && spell.from_ns < segment.end_ns && spell.to_ns.is_none_or(|to_ns| to_ns > segment.start_ns)
        });
        let long = segment.end_ns.saturating_sub(segment.start_ns) > ns(long_enough(run, names));
        let unharmed = run.unharmed(segment);
        for (_, zone) in run.case.topology.zones().filter(|_| long && !misled) {
            let gone = run.gone_for(&zone.name, segment);
            for service in run.case.graph.services.iter().filter(|service| service.health == Health::Deep) {
                let reach = run.reach(&zone.name, &service.name);
                let whole = !reach.is_empty() && reach.iter().all(|target| unharmed.contains(target));
                let mut hard = service.calls.iter().filter(|call| call.strength == Strength::Hard);
                if let (true, Some(call)) = (whole, hard.find(|call| gone.contains(&&call.to))) {
                    groups.push(Group { service, zone: &zone.name, segment, lost: &call.to });
                }
            }
        }
    }
    groups
}

/// Somebody in the zone who was left without anybody to ask, while whom it wanted to ask answered.
fn emptied(run: &Run<'_>, names: &Names, group: &Group<'_>) -> Option<Victim> {
    let Group { service, zone, segment, lost } = group;
    let from_ns = segment.start_ns.saturating_add(ns(noticed(names)));
    let answer = run.reach(zone, &service.name).into_iter().all(|target| run.answers(target, from_ns));
    let (who, evidence) = without_anybody(run, names, group).filter(|_| answer)?;
    let root = Root {
        service: names.service.clone(),
        dependency: Some(service.name.clone()),
        setting: Some("names.none-healthy".to_owned()),
        cause: Cause::FailsClosed,
    };
    let asks = Link {
        who,
        waits_for: format!("an instance of `{}`", service.name),
        how: "lookup".to_owned(),
        since_ns: segment.start_ns,
        evidence,
    };
    let unwell = Link {
        who: service.name.to_string(),
        waits_for: lost.to_string(),
        how: "readiness check".to_owned(),
        since_ns: segment.start_ns,
        evidence: vec![segment.begin_event],
    };
    let trace = Trace { links: vec![asks, unwell], root: Some(root) };
    Some(Victim { instance: None, zone: (*zone).clone(), from_ns: segment.start_ns, to_ns: segment.end_ns, trace })
}

/// A caller of the group, or the zone's customers.
fn without_anybody(run: &Run<'_>, names: &Names, group: &Group<'_>) -> Option<(String, Vec<EventId>)> {
    let Group { service, zone, segment, .. } = group;
    let within = |event: &&Event| (segment.start_ns..segment.end_ns).contains(&event.t_ns);
    let is_here = |event: &&Event| {
        let mut placed = run.case.placement.instances.iter();
        placed.any(|placed| event.place.instance.as_ref() == Some(&placed.name) && placed.zone == **zone)
    };
    let lacks = |event: &&Event| match &event.detail {
        Detail::State { to: Life::Serving, degraded: false, missing } => {
            event.by == By::Witness && *missing == [service.name.clone(), names.service.clone()]
        }
        _ => false,
    };
    if let Some(event) = run.events.iter().filter(within).filter(lacks).find(is_here) {
        return Some((event.place.instance.as_ref()?.to_string(), vec![event.id]));
    }
    let own = run.canaries.iter().filter(|window| window.zone == *zone && service.name == run.case.graph.entry.service);
    let told = own.filter(|window| window.inside(segment.start_ns, segment.end_ns));
    let window = told.into_iter().find(|window| window.failed.contains_key(NO_ADDRESS))?;
    Some((format!("customers in {zone}"), vec![window.event]))
}
