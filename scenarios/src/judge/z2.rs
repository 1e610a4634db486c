//! Z2, zonal containment. Refuses to look at regional services: those are in all zones on purpose.
//!
//! *Statement*: a zonal service asks the zonal services of its own zone only, also when another zone is dark.
//!
//! *Oracle*: while a zone is dark, no instance of a zonal service in a zone that lost nothing names a zonal service as
//! missing of which all copies in its own zone are active, and copies elsewhere are dark: it can only have asked those.
//! Looked at by the witness. Limit: 0.
//!
//! *Horizon*: an outage of a whole zone with another zone that lost nothing, as long as `windows.shift` (s) or longer.
//!
//! *Inconclusive*: nothing of its own.

use super::culprit::{Cause, Root, call_path};
use super::finding::{Victim, sorted};
use super::starting::named;
use super::{Entry, Outcome, Run};
use crate::event::{EventId, Phase};
use crate::judgement::InvariantResult;
use crate::timeline::{Segment, ns};
use crate::verdict::Verdict;
use fixtures::graph::{Reach, Scope};
use fixtures::name::{ServiceName, ZoneName};
use fixtures::unit::Span;
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "Z2",
    title: "zonal containment",
    statement: "A zonal service asks the zonal services of its own zone only, also when another zone is dark.",
    judge,
};

fn judge(run: &Run<'_>) -> Outcome {
    let shift = run.case.scenario.windows.shift;
    let (mut victims, mut looked_at) = (Vec::new(), Vec::new());
    for segment in run.timeline.of_phase(Phase::Outage) {
        let (dark, lit) = run.dark_and_lit(segment);
        if dark.is_empty() || lit.is_empty() || segment.end_ns.saturating_sub(segment.start_ns) < ns(shift) {
            continue;
        }
        looked_at.push(segment.begin_event);
        let unharmed = run.unharmed(segment).into_iter();
        let zonal = unharmed.filter(|&instance| {
            run.service_of(instance).is_some_and(|service| service.scope == Scope::Zonal)
                && lit.contains(&&run.case.placement.instances[instance].zone)
        });
        victims.extend(zonal.filter_map(|instance| crossing(run, instance, segment)));
        victims.extend(lit.into_iter().filter_map(|zone| customers(run, zone, segment)));
    }
    let name = |victim: &Victim| victim.instance.as_ref().map(ToString::to_string).unwrap_or_default();
    let names: Vec<String> = victims.iter().map(name).collect();
    let evidence = |victim: &Victim| victim.trace.links.iter().flat_map(|link| link.evidence.clone()).collect();
    let (verdict, reason, evidence): (_, _, Vec<EventId>) = if !victims.is_empty() {
        let names = named(names.iter().map(String::as_str));
        let reason = format!("in zones that lost nothing, answers lacked zonal services of a dark zone: {names}");
        let all: Vec<Vec<EventId>> = victims.iter().map(evidence).collect();
        (Verdict::Violated, reason, all.into_iter().flatten().collect())
    } else if looked_at.is_empty() {
        let reason = format!("no zone went dark while another lost nothing, for {} or longer", Span(shift));
        (Verdict::NotJudged, reason, Vec::new())
    } else {
        let reason = "no zonal service lacked anything of a dark zone".to_owned();
        (Verdict::Held, reason, looked_at)
    };
    let thresholds = BTreeMap::from([("answers that lack another zone's copies".to_owned(), "0".to_owned())]);
    let (id, evidence) = (ENTRY.id.to_owned(), sorted(evidence));
    let result = InvariantResult { id, aspect: None, verdict, reason, thresholds, evidence };
    Outcome { results: vec![result], findings: run.findings(ENTRY.id, victims) }
}

/// The same, seen by customers of a zone: a probe now and then may miss what one request in three meets.
fn customers(run: &Run<'_>, zone: &ZoneName, segment: &Segment) -> Option<Victim> {
    let own =
        run.canaries.iter().filter(|window| window.zone == zone && window.inside(segment.start_ns, segment.end_ns));
    own.flat_map(|window| window.failed.keys().map(move |cause| (window, cause))).find_map(|(window, cause)| {
        let missing = ServiceName::new(cause.strip_prefix("missing:")?).ok()?;
        let path = call_path(run, &run.case.graph.entry.service, &missing);
        let caller = run.case.graph.service(path.get(path.len().checked_sub(2)?)?)?;
        let reach = run.reach(zone, &caller.name);
        let &instance = reach.first().filter(|_| caller.scope == Scope::Zonal)?;
        leads_out(run, instance, &missing, window.start_ns)
            .then(|| victim(run, instance, &missing, (window.start_ns, window.event), segment))
    })
}

/// An answer that lacks what is dark elsewhere and there at home.
fn crossing(run: &Run<'_>, instance: usize, segment: &Segment) -> Option<Victim> {
    let placed = &run.case.placement.instances[instance];
    let (span, called) = run.spans_in(instance, segment.start_ns, segment.end_ns).into_iter().find_map(|span| {
        let called = span.missing.iter().find_map(|missing| {
            let call = run.call_towards(&placed.service, missing)?;
            leads_out(run, instance, &call.to, span.from_ns).then_some(&call.to)
        })?;
        Some((span, called))
    })?;
    Some(victim(run, instance, called, (span.from_ns, span.event), segment))
}

/// An instance that asked elsewhere, with the moment and the event that show it.
fn victim(run: &Run<'_>, instance: usize, called: &ServiceName, seen: (u64, EventId), segment: &Segment) -> Victim {
    let placed = &run.case.placement.instances[instance];
    let calls = run.case.graph.service(&placed.service).into_iter().flat_map(|service| &service.calls);
    let wide = calls.filter(|call| &call.to == called).any(|call| call.reach == Reach::Region);
    let setting = format!("services.{}.calls.{called}", placed.service);
    let root = Root {
        service: placed.service.clone(),
        dependency: Some(called.clone()),
        setting: Some(if wide { format!("{setting}.reach") } else { setting }),
        cause: Cause::CrossesZones,
    };
    let seen = (seen.0, vec![segment.begin_event, seen.1]);
    run.held_back(instance, segment, (called.to_string(), "call to another zone"), seen, root)
}

fn leads_out(run: &Run<'_>, instance: usize, called: &ServiceName, at_ns: u64) -> bool {
    let zonal = run.case.graph.service(called).is_some_and(|service| service.scope == Scope::Zonal);
    let own = run.reach(&run.case.placement.instances[instance].zone, called);
    let well = !own.is_empty() && own.iter().all(|&target| run.is_active(target, at_ns));
    let copies = run.case.placement.instances.iter().enumerate();
    let mut elsewhere = copies.filter(|(index, copy)| &copy.service == called && !own.contains(index));
    zonal && well && elsewhere.any(|(index, _)| run.is_dark(index, at_ns))
}
