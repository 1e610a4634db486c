//! S3, heals on the next call. Refuses to look at who lost power; those are S5's.
//!
//! *Statement*: whoever kept its power while a dependency was away answers in full again soon after that is back, without
//! a restart.
//!
//! *Oracle*: at the end of a recovery (at most `windows.recovery`, s, from the scenario), no instance that was up all the
//! time still lacks a dependency of which a copy in its reach is active since 5 s or more. 5 s: a breaker of the usual kind
//! opens for 1 s, the witness looks at who is well once a second; the rest is margin. Limit: 0.
//!
//! *Horizon*: a dependency was dark and returned, and a caller of it kept its power.
//!
//! *Inconclusive*: nothing of its own: a recovery that ended before anything can be said is not judged.

use super::culprit::{Cause, Root, Trace};
use super::finding::Victim;
use super::starting::{Judged, Saying, named, outcome, services};
use super::{Entry, Outcome, Run};
use crate::event::{Life, Phase};
use crate::judgement::Link;
use crate::timeline::{Recovery, ns};
use fixtures::graph::Call;
use fixtures::name::ServiceName;
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "S3",
    title: "heals on the next call",
    statement: "Whoever kept its power answers in full again soon after a dependency has returned, without a restart.",
    judge,
};

/// How long a dependency must have been back.
const SINCE_NS: u64 = 5_000_000_000;

/// Somebody who was up all the time, and the call that still fails.
struct Left<'r> {
    judged: Judged<'r>,
    call: Option<&'r Call>,
}

fn judge(run: &Run<'_>) -> Outcome {
    let recoveries = run.timeline.recoveries(run.case.plan, run.case.scenario.windows.recovery);
    let left: Vec<Left<'_>> =
        recoveries.iter().filter(|one| one.is_whole()).flat_map(|recovery| left_after(run, recovery)).collect();
    let victims = left.iter().filter_map(|one| Some(victim(run, &one.judged, one.call?))).collect();
    let judged: Vec<Judged<'_>> = left.into_iter().map(|one| one.judged).collect();
    let names = named(services(run, &judged).into_iter().map(ServiceName::as_str));
    let saying = Saying {
        id: ENTRY.id,
        wrong: "instance(s) that were up all the time still lacked a dependency 5 s after it was back",
        right: format!("each lost a dependency and answered in full again: {names}"),
        untold: "no dependency of anybody who kept power went away and returned: a loss of power of one service's hosts, and \
                 5 s of recovery, would do"
            .to_owned(),
        thresholds: BTreeMap::from([("after a dependency is back".to_owned(), "5s".to_owned())]),
    };
    outcome(run, saying, &judged, victims)
}

fn left_after<'r>(run: &Run<'r>, recovery: &'r Recovery) -> Vec<Left<'r>> {
    let phases = [Phase::Outage, Phase::PowerOn, Phase::Recovery];
    let in_round = |segment: &&crate::timeline::Segment| {
        segment.round == recovery.round && phases.contains(&segment.phase) && segment.start_ns < recovery.end_ns
    };
    let segments: Vec<_> = run.timeline.segments.iter().filter(in_round).collect();
    let all = 0..run.case.placement.instances.len();
    let up = all.filter(|instance| segments.iter().all(|segment| run.unharmed(segment).contains(instance)));
    up.filter_map(|instance| {
        let service = run.service_of(instance)?;
        let zone = &run.case.placement.instances[instance].zone;
        // Of a dependency with copies elsewhere, the loss of some of them is told too: a caller may cling to them.
        let was_away = |call: &Call| {
            let mut reach = run.reach(zone, &call.to).into_iter();
            reach.any(|target| {
                let host = run.host_name(target);
                segments.iter().any(|segment| segment.phase == Phase::Outage && segment.dark.contains(host))
                    && !run.is_dark(target, recovery.end_ns)
            })
        };
        if !service.calls.iter().any(was_away) {
            return None;
        }
        let name = &run.case.placement.instances[instance].name;
        if run.timeline.is_active_about(name, recovery.end_ns) {
            return Some(Left { judged: Judged { instance, recovery, is_well: true }, call: None });
        }
        let span = run.timeline.life_at(name, recovery.end_ns)?;
        let call = span.missing.iter().find_map(|missing| {
            let call = run.call_towards(&service.name, missing)?;
            is_back(run, zone, &call.to, recovery.end_ns).then_some(call)
        })?;
        Some(Left { judged: Judged { instance, recovery, is_well: false }, call: Some(call) })
    })
    .collect()
}

fn is_back(run: &Run<'_>, zone: &fixtures::name::ZoneName, service: &ServiceName, at_ns: u64) -> bool {
    run.reach(zone, service).into_iter().any(|target| {
        let span = run.timeline.life_at(&run.case.placement.instances[target].name, at_ns);
        span.is_some_and(|span| span.life == Life::Active && span.from_ns.saturating_add(SINCE_NS) <= at_ns)
    })
}

fn victim(run: &Run<'_>, judged: &Judged<'_>, call: &Call) -> Victim {
    let instance = &run.case.placement.instances[judged.instance];
    let setting = format!("services.{}.calls.{}", instance.service, call.to);
    // A breaker that stays open for longer than we waited is all that needs to be known.
    let open = call.breaker.is_some_and(|breaker| ns(breaker.open_for) > SINCE_NS);
    let span = run.timeline.life_at(&instance.name, judged.recovery.end_ns);
    let link = Link {
        who: instance.name.to_string(),
        waits_for: call.to.to_string(),
        how: "call".to_owned(),
        since_ns: span.map_or(0, |span| span.from_ns),
        evidence: span.map(|span| span.event).into_iter().chain([judged.recovery.event]).collect(),
    };
    let root = Root {
        service: instance.service.clone(),
        dependency: Some(call.to.clone()),
        setting: Some(if open { format!("{setting}.breaker") } else { setting }),
        cause: Cause::LacksInVain,
    };
    let trace = Trace { links: vec![link], root: Some(root) };
    Victim { trace, ..judged.victim(run) }
}
