//! Owns the suspicion that names or identities hold somebody back. Refuses to convict: it names a setting that could be the
//! reason, given what was done to the region and what was seen; only a run with that one thing repaired confirms it.

use super::Run;
use super::culprit::{Cause, Root, Trace};
use crate::event::Act;
use crate::judgement::Link;
use crate::plan::Deed;
use fixtures::graph::Need;
use fixtures::graph::identity::Renew;
use fixtures::graph::names::{Cache, Empty};
use fixtures::name::{ServiceName, ZoneName};

/// The setting with which a service may keep an answer that was wrong when it was given: name servers were in trouble before.
pub(super) fn poisoned_lookups(run: &Run<'_>, service: &ServiceName, at_ns: u64) -> Option<String> {
    let service = run.case.graph.service(service)?;
    let steps = run.case.plan.rounds.iter().flat_map(|round| &round.steps);
    let misled_before = |step: &crate::plan::Step| {
        let misled = matches!(&step.deed, Deed::Trouble { trouble, .. } if trouble.is_of_names());
        let done = run.timeline.done.get(&step.id);
        step.act == Act::Inject && misled && done.is_some_and(|done| done.t_ns <= at_ns)
    };
    if service.lookups.cache != Cache::ForEver || !steps.into_iter().any(misled_before) {
        return None;
    }
    Some(format!("services.{}.lookups.cache", service.name))
}

/// The setting for want of which a service does not know whom to ask, where its answers say that names are missing.
pub(super) fn unknown_name(run: &Run<'_>, service: &ServiceName, missing: &[ServiceName]) -> Option<String> {
    let names = run.case.graph.names.as_ref().filter(|names| missing.last() == Some(&names.service))?;
    let service = run.case.graph.service(service).filter(|service| service.name != names.service)?;
    if !service.lookups.stale {
        return Some(format!("services.{}.lookups.stale", service.name));
    }
    (service.lookups.empty == Empty::Believe).then(|| format!("services.{}.lookups.empty", service.name))
}

/// The walk to somebody in a zone who did not know whom to ask, where what is missing is who answers names.
pub(super) fn blind(run: &Run<'_>, zone: &ZoneName, missing: &ServiceName, at_ns: u64) -> Option<Trace> {
    let names = run.case.graph.names.as_ref().filter(|names| names.service == *missing)?;
    let mut here = run.case.placement.instances.iter().filter(|instance| instance.zone == *zone);
    let (instance, span) = here.find_map(|instance| {
        let span = run.timeline.life_at(&instance.name, at_ns)?;
        // It says so of itself: whoever called it says one name more.
        (span.missing.len() == 2 && span.missing.last() == Some(&names.service)).then_some((instance, span))
    })?;
    let link = Link {
        who: instance.name.to_string(),
        waits_for: names.service.to_string(),
        how: "lookup".to_owned(),
        since_ns: span.from_ns,
        evidence: vec![span.event],
    };
    let root = Root {
        service: instance.service.clone(),
        dependency: Some(names.service.clone()),
        setting: unknown_name(run, &instance.service, &span.missing),
        cause: Cause::Lacks,
    };
    Some(Trace { links: vec![link], root: Some(root) })
}

/// Whether a service never renews what it needs.
pub(super) fn never_renews(run: &Run<'_>, service: &ServiceName, need: &str) -> bool {
    let needs = run.case.graph.service(service).into_iter().flat_map(|service| &service.needs);
    needs.into_iter().any(|known| known.kind.as_str() == need && known.renew == Renew::Never)
}

/// The need that a service had and lost, where its answers say that whoever grants it is missing.
pub(super) fn lost_need<'r>(run: &'r Run<'_>, service: &ServiceName, missing: &[ServiceName]) -> Option<&'r Need> {
    let [from] = missing else { return None };
    let service = run.case.graph.service(service)?;
    let called = service.calls.iter().any(|call| call.to == *from);
    service.needs.iter().find(|need| need.from == *from && !called)
}
