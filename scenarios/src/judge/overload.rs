//! Owns the question whether customers fail because a service has too much to do, and who gives it that. Refuses to judge.
//!
//! Seen from outside: while they fail, copies of the service that have power turn the witness away as `overloaded`, or do
//! not answer it in time, although no fault is aimed at them.

use super::Run;
use super::culprit::{Cause, Root, call_path};
use super::finding::Victim;
use super::slo::{State, Zone};
use fixtures::name::ServiceName;

/// What the witness is told by who has too much to do.
const TOO_MUCH: [&str; 3] = ["overloaded", "timeout", "deadline"];

/// The same victim, with the root that an overload has: whoever tries again and again, where `retries` is asked about;
/// else the service that is too small.
pub(super) fn refined(run: &Run<'_>, zone: &Zone<'_>, victim: Victim, retries: bool) -> Victim {
    let missing = || zone.tally.main_cause()?.strip_prefix("missing:");
    let named = missing().and_then(|name| run.case.graph.services.iter().find(|known| known.name.as_str() == name));
    let bounded = named.filter(|service| service.capacity.is_some() && zone.state == State::Unavailable);
    let Some(service) = bounded.filter(|service| is_overloaded(run, zone, &service.name)) else { return victim };
    let mut victim = victim;
    let storm = || {
        let path = call_path(run, &run.case.graph.entry.service, &service.name);
        let caller = path.len().checked_sub(2).and_then(|at| run.case.graph.service(&path[at]))?;
        let call = caller.calls.iter().find(|call| call.to == service.name && call.attempts > 1)?;
        Some(Root {
            service: caller.name.clone(),
            dependency: Some(call.to.clone()),
            setting: Some(format!("services.{}.calls.{}.attempts", caller.name, call.to)),
            cause: Cause::Storm,
        })
    };
    let small = || Root {
        service: service.name.clone(),
        dependency: None,
        setting: Some(format!("services.{}.capacity", service.name)),
        cause: Cause::TooSmall,
    };
    let root = if retries { storm() } else { None };
    victim.trace.root = Some(root.unwrap_or_else(small));
    victim
}

fn is_overloaded(run: &Run<'_>, zone: &Zone<'_>, service: &ServiceName) -> bool {
    run.reach(zone.zone, service).into_iter().any(|target| {
        let up = !run.is_dark(target, zone.start_ns) && !run.is_aimed_at(target, zone.start_ns);
        // The last word before the stretch holds until another one is told.
        let before = run.probes(target, 0, zone.start_ns).pop();
        let within = run.probes(target, zone.start_ns, zone.end_ns);
        up && before.into_iter().chain(within).any(|(.., cause)| TOO_MUCH.contains(&cause))
    })
}
