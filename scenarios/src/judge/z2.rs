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

use super::culprit::{Cause, Root, Trace};
use super::finding::{Victim, sorted};
use super::starting::named;
use super::{Entry, Outcome, Run};
use crate::event::{EventId, Phase};
use crate::judgement::{InvariantResult, Link};
use crate::timeline::{LifeSpan, Segment, ns};
use crate::verdict::Verdict;
use fixtures::graph::{Reach, Scope};
use fixtures::name::ServiceName;
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

/// An answer that lacks what is dark elsewhere and there at home.
fn crossing(run: &Run<'_>, instance: usize, segment: &Segment) -> Option<Victim> {
    let placed = &run.case.placement.instances[instance];
    let (span, called) = run.spans_in(instance, segment.start_ns, segment.end_ns).into_iter().find_map(|span| {
        let called = span.missing.iter().find_map(|missing| {
            let call = run.call_towards(&placed.service, missing)?;
            leads_out(run, instance, &call.to, span).then_some(&call.to)
        })?;
        Some((span, called))
    })?;
    let reach = run.case.graph.service(&placed.service)?.calls.iter().find(|call| &call.to == called)?.reach;
    let setting = format!("services.{}.calls.{called}", placed.service);
    let root = Root {
        service: placed.service.clone(),
        dependency: Some(called.clone()),
        setting: Some(if reach == Reach::Region { format!("{setting}.reach") } else { setting }),
        cause: Cause::CrossesZones,
    };
    let link = Link {
        who: placed.name.to_string(),
        waits_for: called.to_string(),
        how: "call to another zone".to_owned(),
        since_ns: span.from_ns,
        evidence: vec![span.event, segment.begin_event],
    };
    Some(Victim {
        instance: Some(placed.name.clone()),
        zone: placed.zone.clone(),
        from_ns: segment.start_ns,
        to_ns: segment.end_ns,
        trace: Trace { links: vec![link], root: Some(root) },
    })
}

fn leads_out(run: &Run<'_>, instance: usize, called: &ServiceName, span: &LifeSpan) -> bool {
    let zonal = run.case.graph.service(called).is_some_and(|service| service.scope == Scope::Zonal);
    let own = run.reach(&run.case.placement.instances[instance].zone, called);
    let well = !own.is_empty() && own.iter().all(|&target| run.is_active(target, span.from_ns));
    let copies = run.case.placement.instances.iter().enumerate();
    let mut elsewhere = copies.filter(|(index, copy)| &copy.service == called && !own.contains(index));
    zonal && well && elsewhere.any(|(index, _)| run.is_dark(index, span.from_ns))
}
