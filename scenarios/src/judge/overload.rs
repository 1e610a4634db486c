//! Owns the question whether customers fail because a service has too much to do, and who gives it that, or keeps from it
//! those that could help. Refuses to judge.
//!
//! Seen from outside: while they fail, copies of the service that have power turn the witness away as `overloaded`, or do
//! not answer it in time, although no fault is aimed at them; or customers send more than those copies are declared to
//! carry. Customers who try again give it more than they ask for.

use super::Run;
use super::culprit::{Cause, Root, call_path};
use super::finding::Victim;
use super::slo::{State, Zone};
use crate::event::{Life, STANDBY};
use crate::timeline::ns;
use fixtures::graph::scaler::MissingLoad;
use fixtures::graph::{Call, Service};
use fixtures::name::ServiceName;

/// The setting that customers are blamed by.
pub const RETRY_SETTING: &str = "traffic.retry";

/// What the witness is told by who has too much to do.
const TOO_MUCH: [&str; 3] = ["overloaded", "timeout", "deadline"];

/// The same victim, with the root that an overload has: whoever tries again and again, where `retries` is asked about;
/// else the service that is too small.
pub(super) fn refined(run: &Run<'_>, zone: &Zone<'_>, victim: Victim, retries: bool) -> Victim {
    let missing = || zone.tally.main_cause()?.strip_prefix("missing:");
    let named = missing().and_then(|name| run.case.graph.services.iter().find(|known| known.name.as_str() == name));
    let bounded = named.filter(|service| service.capacity.is_some() && zone.state == State::Unavailable);
    let Some(service) = bounded.filter(|service| is_overloaded(run, zone, service)) else { return victim };
    let mut victim = victim;
    let storm = || {
        let path = call_path(run, &run.case.graph.entry.service, &service.name);
        let worst = most_insistent(run, &path);
        // Nobody is nearer to the customer than customers themselves; but only what they really send counts.
        let customers = run.case.scenario.traffic.retry.attempts;
        if insist(zone) && worst.is_none_or(|(_, call)| customers >= call.attempts) {
            return Some(Root {
                service: run.case.graph.entry.service.clone(),
                dependency: Some(service.name.clone()),
                setting: Some(RETRY_SETTING.to_owned()),
                cause: Cause::Insistent,
            });
        }
        let (caller, call) = worst?;
        Some(Root {
            service: caller.name.clone(),
            dependency: Some(call.to.clone()),
            setting: Some(format!("services.{}.calls.{}.attempts", caller.name, call.to)),
            cause: Cause::Storm,
        })
    };
    let small = || {
        let scaled_in = is_scaled_in(run, zone, service);
        let (what, cause) = if scaled_in { ("scale.missing", Cause::ScaledIn) } else { ("capacity", Cause::TooSmall) };
        Root {
            service: service.name.clone(),
            dependency: None,
            setting: Some(format!("services.{}.{what}", service.name)),
            cause,
        }
    };
    let root = if retries { storm() } else { None };
    victim.trace.root = Some(root.unwrap_or_else(small));
    victim
}

/// Of the calls on a way the one that tries most often; of equals the one nearest to the customer.
pub(super) fn most_insistent<'r>(run: &Run<'r>, path: &[ServiceName]) -> Option<(&'r Service, &'r Call)> {
    let hop = |pair: &[ServiceName]| {
        let caller = run.case.graph.service(&pair[0])?;
        Some((caller, caller.calls.iter().find(|call| call.to == pair[1])?))
    };
    let again = path.windows(2).filter_map(hop).filter(|(_, call)| call.attempts > 1);
    again.rev().max_by_key(|(_, call)| call.attempts)
}

/// Whether customers made at least half as many attempts again as they had requests. A budget keeps them far below that.
fn insist(zone: &Zone<'_>) -> bool {
    zone.tally.sent > 0 && zone.tally.retries.saturating_mul(2) >= zone.tally.sent
}

/// Whether the witness is turned away or kept waiting, or customers send more than what is left of it can carry.
fn is_overloaded(run: &Run<'_>, zone: &Zone<'_>, service: &Service) -> bool {
    // It has too much to do since the fault began, and may have said so before the stretch that is judged.
    let from_ns = zone.start_ns.saturating_sub(ns(run.case.scenario.windows.shift));
    let up = |target: &usize| {
        let harmed = run.is_dark(*target, zone.start_ns) || run.is_aimed_at(*target, zone.start_ns);
        !harmed && !stands_by(run, *target, zone.end_ns)
    };
    let left: Vec<usize> = run.reach(zone.zone, &service.name).into_iter().filter(up).collect();
    let says = left.iter().any(|&target| {
        let before = run.probes(target, 0, from_ns).pop();
        let within = run.probes(target, from_ns, zone.end_ns);
        before.into_iter().chain(within).any(|(.., cause)| TOO_MUCH.contains(&cause))
    });
    says || (!left.is_empty() && sent_milli_per_s(run, zone) > carried_milli_per_s(service, left.len()))
}

/// Whether some of it stood by, where whoever scales it takes missing data for no load.
fn is_scaled_in(run: &Run<'_>, zone: &Zone<'_>, service: &Service) -> bool {
    let hasty = service.scale.is_some_and(|scale| scale.missing == MissingLoad::ScaleIn);
    hasty && run.reach(zone.zone, &service.name).into_iter().any(|target| stands_by(run, target, zone.end_ns))
}

/// Whether an instance sent its callers to others when the witness looked last.
pub(super) fn stands_by(run: &Run<'_>, target: usize, to_ns: u64) -> bool {
    let last = run.probes(target, 0, to_ns).pop();
    last.is_some_and(|(_, life, cause)| life == Life::Active && cause == STANDBY)
}

/// What customers of all zones sent, in thousandths of an attempt a second; each attempt asks the service at least once.
fn sent_milli_per_s(run: &Run<'_>, zone: &Zone<'_>) -> u64 {
    let within = run.canaries.iter().filter(|window| window.inside(zone.start_ns, zone.end_ns));
    let (sent, spent_ns) = within.fold((0_u64, 0_u64), |(sent, spent_ns), window| {
        let own = if window.zone == zone.zone { window.end_ns.saturating_sub(window.start_ns) } else { 0 };
        (sent + window.sent + window.retries, spent_ns + own)
    });
    let milli = u128::from(sent) * 1_000_000_000_000;
    milli.checked_div(u128::from(spent_ns)).and_then(|milli| u64::try_from(milli).ok()).unwrap_or_default()
}

fn carried_milli_per_s(service: &Service, copies: usize) -> u64 {
    service.capacity.map_or(u64::MAX, |rate| rate.milli_per_s.saturating_mul(copies as u64))
}
