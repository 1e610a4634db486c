//! D8, static data suffices. Refuses to judge control planes; they may be gone.
//!
//! *Statement*: without control planes, data planes answer as before.
//!
//! *Experiment*: services of the control plane are dark, all of them or some, and nothing else is.
//!
//! *Oracle*: in such an outage, after `windows.shift` (s, from the scenario), no instance of the data plane fails a request
//! of the witness for want of a service of the control plane. Answers that lack it softly are degraded and pass. Limit: 0.
//!
//! *Horizon*: an outage longer than `windows.shift` in which everything dark is control plane, and some of it has no copy
//! left.
//!
//! *Inconclusive*: nothing of its own.

use super::culprit::{Cause, Root};
use super::finding::{Victim, sorted};
use super::starting::named;
use super::{Entry, Outcome, Run};
use crate::event::{By, Detail, EventId, Life, Phase};
use crate::judgement::InvariantResult;
use crate::timeline::{Segment, ns};
use crate::verdict::Verdict;
use fixtures::graph::Plane;
use fixtures::name::ServiceName;
use fixtures::unit::Span;
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "D8",
    title: "static data suffices",
    statement: "Without control planes, data planes answer as before.",
    judge,
};

fn judge(run: &Run<'_>) -> Outcome {
    let shift = run.case.scenario.windows.shift;
    let (mut victims, mut looked_at) = (Vec::new(), Vec::new());
    for segment in run.timeline.of_phase(Phase::Outage) {
        let long = segment.end_ns.saturating_sub(segment.start_ns) > ns(shift);
        if !long || !only_control(run, segment) {
            continue;
        }
        looked_at.push(segment.begin_event);
        let data = run.unharmed(segment).into_iter().filter(|&instance| plane(run, instance) == Some(Plane::Data));
        victims.extend(data.filter_map(|instance| failing(run, instance, segment)));
    }
    let names: Vec<String> =
        victims.iter().filter_map(|victim: &Victim| victim.instance.as_ref()).map(ToString::to_string).collect();
    let (verdict, reason) = if !victims.is_empty() {
        let names = named(names.iter().map(String::as_str));
        (Verdict::Violated, format!("data planes failed for want of a control plane: {names}"))
    } else if looked_at.is_empty() {
        let reason = format!(
            "control planes were never gone alone for longer than {}: a loss of power of the hosts of one, and nothing else, \
             would do",
            Span(shift)
        );
        (Verdict::NotJudged, reason)
    } else {
        (Verdict::Held, "no data plane failed for want of a control plane".to_owned())
    };
    let own = victims.iter().flat_map(|victim| &victim.trace.links).flat_map(|link| link.evidence.iter().copied());
    let evidence: Vec<EventId> = sorted(own.chain(looked_at));
    let thresholds = BTreeMap::from([("failing data planes".to_owned(), "0".to_owned())]);
    let result = InvariantResult { id: ENTRY.id.to_owned(), aspect: None, verdict, reason, thresholds, evidence };
    Outcome { results: vec![result], findings: run.findings(ENTRY.id, victims) }
}

fn plane(run: &Run<'_>, instance: usize) -> Option<Plane> {
    run.service_of(instance).map(|service| service.plane)
}

/// Whether everything dark is control plane, and some of it has no copy left anywhere.
fn only_control(run: &Run<'_>, segment: &Segment) -> bool {
    let instances = 0..run.case.placement.instances.len();
    let is_dark = |instance: &usize| segment.dark.contains(run.host_name(*instance));
    let (dark, lit): (Vec<usize>, Vec<usize>) = instances.partition(is_dark);
    let name = |instance: &usize| &run.case.placement.instances[*instance].service;
    let control = dark.iter().all(|&instance| plane(run, instance) == Some(Plane::Control));
    control && dark.iter().map(name).any(|service| !lit.iter().map(name).any(|other| other == service))
}

/// A data plane that fails and names a control plane as missing.
fn failing(run: &Run<'_>, instance: usize, segment: &Segment) -> Option<Victim> {
    let placed = &run.case.placement.instances[instance];
    let from_ns = segment.start_ns.saturating_add(ns(run.case.scenario.windows.shift));
    let (event, call) = run.events.iter().find_map(|event| {
        let Detail::State { to: Life::Serving, degraded: false, missing } = &event.detail else { return None };
        let own = event.by == By::Witness && event.place.instance.as_ref() == Some(&placed.name);
        // One that failed before and still does has no event of its own in the stretch.
        let lasts = || run.timeline.life_at(&placed.name, from_ns).is_some_and(|span| span.event == event.id);
        let within = (from_ns..segment.end_ns).contains(&event.t_ns) || lasts();
        let call = missing.iter().find_map(|name| {
            let call = run.call_towards(&placed.service, name)?;
            is_control(run, &call.to).then_some(call)
        });
        Some((event, call?)).filter(|_| own && within)
    })?;
    let root = Root {
        service: placed.service.clone(),
        dependency: Some(call.to.clone()),
        setting: Some(format!("services.{}.calls.{}", placed.service, call.to)),
        cause: Cause::Lacks,
    };
    let seen = (event.t_ns, vec![segment.begin_event, event.id]);
    Some(run.held_back(instance, segment, (call.to.to_string(), "hard call"), seen, root))
}

fn is_control(run: &Run<'_>, service: &ServiceName) -> bool {
    run.case.graph.service(service).is_some_and(|service| service.plane == Plane::Control)
}
