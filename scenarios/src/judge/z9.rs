//! Z9, no flapping. Refuses to judge whether there was enough capacity; customers tell that.
//!
//! *Statement*: signals that come and go do not take capacity away and bring it back.
//!
//! *Experiment*: telemetry, or whatever else whoever scales listens to, goes and comes back, several times.
//!
//! *Oracle*: of each scaled service in each zone, the turns of the number of its instances that take requests: a removal
//! after an addition, or the other way round. Seen by the witness, who is told `standby` by those that do not. Instances
//! that lose power, or at which a fault is aimed, are not looked at. Limit: 1 turn, and 1 more for each act on anything but
//! signals (a surge, a zone that goes dark or comes back): capacity may follow customers.
//!
//! *Horizon*: a scaled service, and 2 acts or more that take away nothing but telemetry or control planes.
//!
//! *Inconclusive*: nothing of its own.

use super::culprit::{Cause, Root, Trace};
use super::finding::{Victim, sorted};
use super::{Entry, Outcome, Run, count};
use crate::event::{Act, EventId, Life, STANDBY};
use crate::judgement::{InvariantResult, Link};
use crate::plan::Step;
use crate::verdict::Verdict;
use fixtures::graph::scaler::{MissingLoad, Scale};
use fixtures::graph::{Plane, Service};
use fixtures::name::ZoneName;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const ENTRY: Entry = Entry {
    id: "Z9",
    title: "no flapping",
    statement: "Signals that come and go do not take capacity away and bring it back.",
    judge,
};

/// Times that signals must have gone.
const GONE_MIN: usize = 2;

/// A change of what one instance does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    t_ns: u64,
    event: EventId,
    added: bool,
}

/// A scaled service in a zone, with what the witness saw.
struct Group<'a> {
    service: &'a Service,
    scale: Scale,
    zone: &'a ZoneName,
    changes: Vec<Change>,
}

impl Group<'_> {
    /// Changes that go the other way than the one before.
    fn turns(&self) -> Vec<Change> {
        self.changes.windows(2).filter(|pair| pair[0].added != pair[1].added).map(|pair| pair[1]).collect()
    }
}

fn judge(run: &Run<'_>) -> Outcome {
    let groups = groups(run);
    let steps = run.case.plan.rounds.iter().flat_map(|round| &round.steps);
    let done: Vec<&Step> = steps.filter(|step| run.timeline.done.contains_key(&step.id)).collect();
    let (signals, others): (Vec<&Step>, Vec<&Step>) = done.into_iter().partition(|step| is_of_signals(run, step));
    let gone = signals.iter().filter(|step| step.act == Act::Inject).count();
    let allowed = 1 + others.len();
    let flapping: Vec<(&Group<'_>, Vec<Change>)> =
        groups.iter().map(|group| (group, group.turns())).filter(|(_, turns)| turns.len() > allowed).collect();
    let told = |(group, turns): &(&Group<'_>, Vec<Change>)| {
        format!("`{}` in {} turned {} ({allowed} allowed)", group.service.name, group.zone, count(turns.len(), "time"))
    };
    let (verdict, reason) = if !flapping.is_empty() {
        (Verdict::Violated, flapping.iter().map(told).collect::<Vec<_>>().join("; "))
    } else if groups.is_empty() || gone < GONE_MIN {
        let reason = format!(
            "signals went {}: a scaled service, and telemetry that goes dark {GONE_MIN} times or more, would do",
            count(gone, "time")
        );
        (Verdict::NotJudged, reason)
    } else {
        let most = groups.iter().map(|group| group.turns().len()).max().unwrap_or_default();
        (
            Verdict::Held,
            format!("signals went {}, and capacity turned {} at most", count(gone, "time"), count(most, "time")),
        )
    };
    let events = flapping.iter().flat_map(|(_, turns)| turns.iter().map(|turn| turn.event));
    let evidence = sorted(events);
    let thresholds = BTreeMap::from([("turns of capacity".to_owned(), allowed.to_string())]);
    let result = InvariantResult { id: ENTRY.id.to_owned(), aspect: None, verdict, reason, thresholds, evidence };
    let victims = flapping.iter().map(|(group, turns)| victim(group, turns)).collect();
    Outcome { results: vec![result], findings: run.findings(ENTRY.id, victims) }
}

/// Whether a step is aimed at nothing but what a scaler listens to, or at control planes.
fn is_of_signals(run: &Run<'_>, step: &Step) -> bool {
    let telemetry = run.case.graph.telemetry.as_ref().map(|telemetry| &telemetry.service);
    let hosts: BTreeSet<_> = step.hosts.iter().collect();
    let mut hit =
        run.case.placement.instances.iter().enumerate().filter(|(index, _)| hosts.contains(run.host_name(*index)));
    let signal = |index: usize| {
        run.service_of(index).is_some_and(|service| service.plane == Plane::Control || telemetry == Some(&service.name))
    };
    !hosts.is_empty() && hit.all(|(index, _)| signal(index))
}

fn groups<'a>(run: &Run<'a>) -> Vec<Group<'a>> {
    let case = run.case;
    let zones: BTreeSet<&ZoneName> = case.placement.instances.iter().map(|instance| &instance.zone).collect();
    let mut groups = Vec::new();
    for service in &case.graph.services {
        let Some(scale) = service.scale else { continue };
        for &zone in &zones {
            let own = case.placement.instances.iter().enumerate();
            let own = own.filter(|(_, instance)| instance.service == service.name && instance.zone == *zone);
            let members: Vec<usize> = own.map(|(index, _)| index).collect();
            let mut changes: Vec<Change> = members.iter().flat_map(|&index| changes(run, index)).collect();
            changes.sort();
            if !members.is_empty() {
                groups.push(Group { service, scale, zone, changes });
            }
        }
    }
    groups
}

/// When an instance that was active all the while began to stand by, or to take requests again.
fn changes(run: &Run<'_>, instance: usize) -> Vec<Change> {
    let mut before = None;
    let mut changes = Vec::new();
    for (event, life, cause) in run.probes(instance, 0, u64::MAX) {
        // Who was gone in between begins as its graph says, which nobody has decided.
        let now = (life == Life::Active).then_some(cause != STANDBY);
        if let (Some(was), Some(takes)) = (before, now)
            && was != takes
            && !run.is_aimed_at(instance, event.t_ns)
        {
            changes.push(Change { t_ns: event.t_ns, event: event.id, added: takes });
        }
        before = now;
    }
    changes
}

fn victim(group: &Group<'_>, turns: &[Change]) -> Victim {
    let (first, last) = (turns.first().map_or(0, |turn| turn.t_ns), turns.last().map_or(0, |turn| turn.t_ns));
    let link = Link {
        who: format!("{} in {}", group.service.name, group.zone),
        waits_for: "a load that somebody tells".to_owned(),
        how: "scaling".to_owned(),
        since_ns: first,
        evidence: turns.iter().map(|turn| turn.event).collect(),
    };
    let hasty = group.scale.missing == MissingLoad::ScaleIn;
    let setting = format!("services.{}.scale", group.service.name);
    let root = Root {
        service: group.service.name.clone(),
        dependency: None,
        setting: Some(if hasty { format!("{setting}.missing") } else { format!("{setting}.in-after") }),
        cause: Cause::Flaps,
    };
    Victim {
        instance: None,
        zone: group.zone.clone(),
        from_ns: first,
        to_ns: last,
        trace: Trace { links: vec![link], root: Some(root) },
    }
}
