//! S2, errors and no crash. Refuses to ask for full answers; those are S5's.
//!
//! *Statement*: with a dependency missing at its start, an instance stays up and answers what it can; it neither waits in
//! silence nor ends.
//!
//! *Oracle*: after each power-on, an instance of which some dependency is out of reach (all copies dark), and whose
//! certificate and credentials can be had, answers the witness, with errors or without, at the end of its recovery (at
//! most `windows.recovery`, s, from the scenario). Limit: 0 silent. How often its process ended is told where its host
//! says so; the verdict does not need that.
//!
//! *Horizon*: a start during which some dependency was dark all the time.
//!
//! *Inconclusive*: the run ended before the limit and before it answered.

use super::starting::{Judged, Saying, named, outcome, services};
use super::stretch::is_allowed;
use super::{Entry, Outcome, Run};
use crate::event::{Detail, HostChange};
use crate::timeline::Recovery;
use fixtures::name::ServiceName;
use fixtures::unit::Span;
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "S2",
    title: "errors, not crash",
    statement: "With a dependency missing at its start, an instance stays up and answers what it can.",
    judge,
};

fn judge(run: &Run<'_>) -> Outcome {
    let limit = run.case.scenario.windows.recovery;
    let recoveries = run.timeline.recoveries(run.case.plan, limit);
    let judged: Vec<Judged<'_>> =
        recoveries.iter().filter(|one| one.is_whole()).flat_map(|recovery| lacking(run, recovery)).collect();
    let victims = judged.iter().filter(|one| !one.is_well).map(|one| one.victim(run)).collect();
    let names = named(services(run, &judged).into_iter().map(ServiceName::as_str));
    let ends = ends(run, &judged);
    let ends = if ends > 0 { format!(" (their processes ended {ends} times)") } else { String::new() };
    let wrong = format!("instance(s) that lacked a dependency at their start did not answer{ends}");
    let saying = Saying {
        id: ENTRY.id,
        wrong: &wrong,
        right: format!("each started without a dependency and answered: {names}"),
        untold: format!(
            "nobody started while a dependency was dark: a power-on of a service whose dependency stays dark for {} more \
             would do",
            Span(limit)
        ),
        thresholds: BTreeMap::from([("answers within".to_owned(), Span(limit).to_string())]),
    };
    outcome(run, saying, &judged, victims)
}

fn lacking<'r>(run: &Run<'_>, recovery: &'r Recovery) -> Vec<Judged<'r>> {
    let back = run.came_back(recovery).into_iter();
    back.filter(|&instance| is_telling(run, instance, recovery))
        .map(|instance| Judged { instance, recovery, is_well: run.answers(instance, recovery.end_ns) })
        .collect()
}

/// Whether a dependency was dark all through its start, and everything that it may need was not.
fn is_telling(run: &Run<'_>, instance: usize, recovery: &Recovery) -> bool {
    let Some(service) = run.service_of(instance) else { return false };
    let zone = &run.case.placement.instances[instance].zone;
    let is_dark = |name: &ServiceName, at_ns| {
        let reach = run.reach(zone, name);
        !reach.is_empty() && reach.iter().all(|&target| run.is_dark(target, at_ns))
    };
    let gone = |name: &ServiceName| is_dark(name, recovery.gate_ns) && is_dark(name, recovery.end_ns);
    let (allowed, others): (Vec<_>, Vec<_>) = service.needs.iter().partition(|need| is_allowed(&need.kind));
    let lacks = others.iter().any(|need| gone(&need.from)) || service.calls.iter().any(|call| gone(&call.to));
    lacks && allowed.iter().all(|need| run.reach(zone, &need.from).iter().any(|&t| run.answers(t, recovery.end_ns)))
}

/// How often processes of the instances that do not answer ended, as their hosts say.
fn ends(run: &Run<'_>, judged: &[Judged<'_>]) -> usize {
    let bad = judged.iter().filter(|one| !one.is_well);
    let of = |one: &Judged<'_>| {
        let (from_ns, to_ns) = (one.recovery.gate_ns, one.recovery.end_ns);
        let host = run.host_name(one.instance);
        let ended = run.events.iter().filter(|event| {
            (from_ns..=to_ns).contains(&event.t_ns)
                && event.place.host.as_ref() == Some(host)
                && matches!(event.detail, Detail::Host { change: HostChange::ServiceExited, .. })
        });
        ended.count()
    };
    bad.map(of).sum()
}
