//! S8, starts that wait for ever, at a bounded pace. Refuses to judge whether the wait was right; that is S1's and S2's.
//!
//! *Statement*: an instance that waits for what it needs in order to start comes up when that is there at last, however
//! long it took.
//!
//! *Oracle*: at the end of a recovery, every instance with power, whose needs can all be granted since at least 3 s by an
//! active instance in reach, answers. 3 s: the longest pause between two asks of a healthy service is 500 ms, one ask takes
//! at most 500 ms, a process and a probe another 500 ms each; the rest is margin. Limit: 0 silent.
//!
//! *Horizon*: somebody had power while one of its needs could not be granted; and where a need gives up after a number of
//! attempts, for longer than those take.
//!
//! *Inconclusive*: nothing of its own.

use super::starting::{Judged, Saying, named, outcome, services};
use super::{Entry, Outcome, Run, s5};
use crate::event::Life;
use crate::timeline::Recovery;
use crate::verdict::Verdict;
use fixtures::graph::Service;
use fixtures::name::ServiceName;
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "S8",
    title: "waits for ever, at a bounded pace",
    statement: "An instance that waits for a need comes up when it can be had at last, however long that took.",
    judge,
};

/// How long needs must have been grantable.
const SINCE_NS: u64 = 3_000_000_000;

fn judge(run: &Run<'_>) -> Outcome {
    let recoveries = run.timeline.recoveries(run.case.plan, run.case.scenario.windows.recovery);
    let judged: Vec<Judged<'_>> =
        recoveries.iter().filter(|one| one.is_whole()).flat_map(|recovery| waited(run, recovery)).collect();
    let victims = judged.iter().filter(|one| !one.is_well).map(|one| one.victim(run)).collect();
    let names = named(services(run, &judged).into_iter().map(ServiceName::as_str));
    let saying = Saying {
        id: ENTRY.id,
        wrong: "instance(s) did not answer although all they need could be had",
        right: format!("each had to wait for a need, and came up when it was there: {names}"),
        untold:
            "nobody had to wait for a need: a power-on while what grants a need stays dark for 10 s longer would do"
                .to_owned(),
        thresholds: BTreeMap::from([("after a need can be had".to_owned(), "3s".to_owned())]),
    };
    let mut outcome = outcome(run, saying, &judged, victims);
    if let (Some(result), Some(reason)) = (outcome.results.first_mut(), s5::beyond_horizon(run))
        && result.verdict == Verdict::Held
    {
        (result.verdict, result.reason) = (Verdict::NotJudged, reason);
    }
    outcome
}

/// Instances that had power while a need could not be granted, and whose needs can be granted now for long enough.
fn waited<'r>(run: &Run<'_>, recovery: &'r Recovery) -> Vec<Judged<'r>> {
    let all = 0..run.case.placement.instances.len();
    let waited = all.filter(|&instance| {
        let Some(service) = run.service_of(instance).filter(|service| !service.needs.is_empty()) else { return false };
        let powered_ns = run.timeline.powered_since(run.host_name(instance), recovery.end_ns);
        !run.is_dark(instance, recovery.end_ns)
            && !run.is_aimed_at(instance, recovery.end_ns)
            && powered_ns > 0
            && had_to_wait(run, instance, service, powered_ns)
            && (run.answers(instance, recovery.end_ns) || can_be_had(run, instance, service, recovery.end_ns))
    });
    waited.map(|instance| Judged { instance, recovery, is_well: run.answers(instance, recovery.end_ns) }).collect()
}

fn had_to_wait(run: &Run<'_>, instance: usize, service: &Service, powered_ns: u64) -> bool {
    let zone = &run.case.placement.instances[instance].zone;
    // A second on: whoever starts together with it is no wait to speak of.
    let at_ns = powered_ns + 1_000_000_000;
    service.needs.iter().any(|need| run.reach(zone, &need.from).iter().all(|&target| run.is_dark(target, at_ns)))
}

fn can_be_had(run: &Run<'_>, instance: usize, service: &Service, at_ns: u64) -> bool {
    let zone = &run.case.placement.instances[instance].zone;
    let is_old = |target: usize| {
        let span = run.timeline.life_at(&run.case.placement.instances[target].name, at_ns);
        span.is_some_and(|span| span.life == Life::Active && span.from_ns.saturating_add(SINCE_NS) <= at_ns)
    };
    service.needs.iter().all(|need| run.reach(zone, &need.from).into_iter().any(is_old))
}
