//! R3, queues drain. Refuses to count items: what a queue says of its own length decides nothing.
//!
//! *Statement*: when what works off a queue is back, the newest work is not kept waiting by what is stale.
//!
//! *Oracle*: the witness hands an item to each instance of a queue in every probe. Within 5 s after what the queue hands its
//! items to is back, one such item is done in time. 5 s: a breaker of the usual kind opens for 1 s, an item that failed
//! comes up again after 200 ms, a usual item expires after a second or two; the rest is margin. Limit: 0 later.
//!
//! *Horizon*: a queue that answers when an item is done kept its power, no copy of what it hands items to could be asked for
//! 3 s or longer, and then one could again for 5 s.
//!
//! *Inconclusive*: nothing of its own: a recovery that ended before anything can be said is not judged.

use super::culprit::Trace;
use super::finding::Victim;
use super::starting::{Judged, Saying, named, outcome, services};
use super::{Entry, Outcome, Run, stateful};
use crate::judgement::Link;
use crate::timeline::Recovery;
use fixtures::graph::State;
use fixtures::graph::store::Answers;
use fixtures::name::ServiceName;
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "R3",
    title: "queues drain",
    statement: "When what works off a queue is back, the newest work is not kept waiting by what is stale.",
    judge,
};

/// Within which new work must be done.
const WITHIN_NS: u64 = 5_000_000_000;
/// How long nobody can have worked anything off.
const AWAY_NS: u64 = 3_000_000_000;

fn judge(run: &Run<'_>) -> Outcome {
    let recoveries = run.timeline.recoveries(run.case.plan, run.case.scenario.windows.recovery);
    let judged: Vec<Judged<'_>> =
        recoveries.iter().filter(|one| one.is_whole()).flat_map(|recovery| drained(run, recovery)).collect();
    let victims = judged.iter().filter(|one| !one.is_well).filter_map(|one| victim(run, one)).collect();
    let names = named(services(run, &judged).into_iter().map(ServiceName::as_str));
    let saying = Saying {
        id: ENTRY.id,
        wrong: "instance(s) of a queue had done nothing new 5 s after their items could be worked off again",
        right: format!("each could not work anything off, and did new work soon afterwards: {names}"),
        untold:
            "no queue with power was kept from working off its items, and then could for long enough: a loss of power, \
                 for 3 s or more, of all that it hands items to, and 5 s of recovery, would do"
                .to_owned(),
        thresholds: BTreeMap::from([("new work after the return".to_owned(), "5s".to_owned())]),
    };
    outcome(run, saying, &judged, victims)
}

/// Instances of queues whose items could not be worked off until a recovery began.
fn drained<'r>(run: &Run<'_>, recovery: &'r Recovery) -> Vec<Judged<'r>> {
    let until_ns = recovery.gate_ns.saturating_add(WITHIN_NS);
    let judged = |instance: usize| {
        let service = run.service_of(instance)?;
        let waits = service.store.backlog.is_some_and(|backlog| backlog.answers == Answers::WhenDone);
        if service.state != State::Queue || !waits || !was_kept_waiting(run, instance, recovery) {
            return None;
        }
        let name = &run.case.placement.instances[instance].name;
        let is_well = run.timeline.is_active_about(name, recovery.gate_ns)
            || run.timeline.first_active(name, recovery.gate_ns, until_ns.min(recovery.end_ns)).is_some()
            || (recovery.end_ns < until_ns && run.timeline.is_active_about(name, recovery.end_ns));
        // Who was not given the whole time may still have done it.
        (is_well || recovery.end_ns >= until_ns).then_some(Judged { instance, recovery, is_well })
    };
    (0..run.case.placement.instances.len()).filter_map(judged).collect()
}

/// Whether a fault that ended with a recovery was aimed at all copies of something that a queue calls, and not at itself.
fn was_kept_waiting(run: &Run<'_>, instance: usize, recovery: &Recovery) -> bool {
    let Some(service) = run.service_of(instance) else { return false };
    let zone = &run.case.placement.instances[instance].zone;
    let own = run.host_name(instance);
    run.timeline.spells.iter().any(|spell| {
        let long = recovery.gate_ns.saturating_sub(spell.from_ns) >= AWAY_NS;
        let ended = spell.to_ns == Some(recovery.gate_ns) && !spell.hosts.contains(own);
        let gone = |to: &ServiceName| {
            let reach = run.reach(zone, to);
            !reach.is_empty() && reach.iter().all(|&target| spell.hosts.contains(run.host_name(target)))
        };
        long && ended && service.calls.iter().any(|call| gone(&call.to))
    })
}

fn victim(run: &Run<'_>, judged: &Judged<'_>) -> Option<Victim> {
    let placed = &run.case.placement.instances[judged.instance];
    let (root, waits_for) = stateful::root(run, &placed.service)?;
    let at_ns = judged.recovery.gate_ns.saturating_add(WITHIN_NS);
    let span = run.timeline.life_at(&placed.name, at_ns);
    let link = Link {
        who: placed.name.to_string(),
        waits_for,
        how: "state".to_owned(),
        since_ns: span.map_or(0, |span| span.from_ns),
        evidence: span.map(|span| span.event).into_iter().chain([judged.recovery.event]).collect(),
    };
    Some(Victim {
        instance: Some(placed.name.clone()),
        zone: placed.zone.clone(),
        from_ns: judged.recovery.gate_ns,
        to_ns: at_ns,
        trace: Trace { links: vec![link], root: Some(root) },
    })
}
