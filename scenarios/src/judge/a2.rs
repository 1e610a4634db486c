//! A2, not acknowledged means consistent. Refuses to judge what was acknowledged; that is A1's.
//!
//! *Statement*: a write that was answered with an error, or not at all, is wholly there or wholly absent.
//!
//! *Experiment*: a store that takes a part of a write is gone for a while; customers go on writing.
//!
//! *Oracle*: each key that the witness wrote without an acknowledgement is read, when all is over, from every instance of
//! every service that keeps writes: none of them is kept by one such service and absent from all instances of another.
//! Limit: 0 keys. At most 40 keys are looked for, the first ones.
//!
//! *Horizon*: a write without an acknowledgement whose every keeper answered at the end, where there are two such services
//! or more, or one was found. With one keeper there are no halves: then one such write will do.
//!
//! *Inconclusive*: nothing of its own; what cannot be read says nothing.

use super::culprit::{Cause, Root, Trace};
use super::finding::{Victim, sorted};
use super::{Entry, Outcome, Run, count};
use crate::event::{By, Detail, Event, EventId, WriteOutcome};
use crate::judgement::{InvariantResult, Link};
use crate::verdict::Verdict;
use fixtures::name::{InstanceName, ServiceName};
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "A2",
    title: "not acknowledged means consistent",
    statement: "A write that was answered with an error, or not at all, is wholly there or wholly absent.",
    judge,
};

/// Events kept as evidence.
const EVIDENCE_MAX: usize = 10;

/// What is known of one key.
#[derive(Default)]
struct Doubted<'a> {
    failed: Option<&'a Event>,
    found: BTreeMap<&'a ServiceName, &'a Event>,
    /// With how many of its instances said so.
    absent: BTreeMap<&'a ServiceName, (usize, &'a Event)>,
}

impl<'a> Doubted<'a> {
    /// A service that kept it, and another of whose instances none did.
    fn halves(&self, run: &Run<'_>) -> Option<(&'a ServiceName, &'a ServiceName)> {
        let (kept, _) = self.found.first_key_value()?;
        let lacking = self.absent.keys().find(|name| !self.found.contains_key(*name) && self.is_absent(run, name))?;
        Some((kept, lacking))
    }

    /// Whether each instance of a service has said that it is not there.
    fn is_absent(&self, run: &Run<'_>, service: &ServiceName) -> bool {
        let all = run.case.placement.instances.iter().filter(|instance| instance.service == *service).count();
        self.absent.get(service).is_some_and(|(said, _)| *said == all)
    }

    /// Whether it is clear of every keeper.
    fn is_known(&self, run: &Run<'_>, keepers: &[&ServiceName]) -> bool {
        keepers.iter().all(|name| self.found.contains_key(*name) || self.is_absent(run, name))
    }

    fn evidence(&self) -> impl Iterator<Item = EventId> {
        let told = self.found.values().copied().chain(self.absent.values().map(|(_, event)| *event));
        self.failed.into_iter().chain(told).map(|event| event.id)
    }
}

fn judge(run: &Run<'_>) -> Outcome {
    let keepers: Vec<&ServiceName> = run.case.graph.keepers().into_iter().map(|keeper| &keeper.name).collect();
    let doubted = doubted(run);
    let known: Vec<(&str, &Doubted<'_>)> =
        doubted.iter().filter(|(_, one)| one.is_known(run, &keepers)).map(|(key, one)| (*key, one)).collect();
    let bad: Vec<(&str, &Doubted<'_>)> = known.iter().copied().filter(|(_, one)| one.halves(run).is_some()).collect();
    let (verdict, reason) = match (known.len(), bad.first()) {
        (0, _) => {
            let reason = "no write without an acknowledgement could be read back from everybody who keeps writes: the loss \
                          of one of them while customers write, and its return, would do";
            (Verdict::NotJudged, reason.to_owned())
        }
        (all, Some((key, one))) => {
            let halves = one.halves(run).map_or_else(String::new, |(kept, lacking)| {
                format!(": {key} is there at `{kept}` and not at `{lacking}`")
            });
            (Verdict::Violated, format!("of {} {} are half there{halves}", writes(all), bad.len()))
        }
        (all, None) => {
            let there = known.iter().filter(|(_, one)| !one.found.is_empty()).count();
            (Verdict::Held, format!("of {} {there} are wholly there, and the others wholly absent", writes(all)))
        }
    };
    let told = if bad.is_empty() { &known } else { &bad };
    let evidence = sorted(told.iter().flat_map(|(_, one)| one.evidence())).into_iter().take(EVIDENCE_MAX).collect();
    let thresholds = BTreeMap::from([("half there".to_owned(), "0".to_owned())]);
    let result = InvariantResult { id: ENTRY.id.to_owned(), aspect: None, verdict, reason, thresholds, evidence };
    let victims = bad.iter().filter_map(|(key, one)| victim(run, key, one)).collect();
    Outcome { results: vec![result], findings: run.findings(ENTRY.id, victims) }
}

fn writes(number: usize) -> String {
    format!("{} without an acknowledgement", count(number, "write"))
}

/// What the witness found out of each key that was not acknowledged.
fn doubted<'a>(run: &Run<'a>) -> BTreeMap<&'a str, Doubted<'a>> {
    let mut doubted: BTreeMap<&str, Doubted<'_>> = BTreeMap::new();
    for event in run.events.iter().filter(|event| event.by == By::Witness) {
        let Detail::Write { key, outcome, stored_at } = &event.detail else { continue };
        let service = || service_of(run, stored_at.first()?);
        match outcome {
            WriteOutcome::Unacknowledged => doubted.entry(key).or_default().failed = Some(event),
            WriteOutcome::Found => {
                let found = &mut doubted.entry(key).or_default().found;
                found.extend(service().map(|service| (service, event)));
            }
            WriteOutcome::Absent => {
                let absent = &mut doubted.entry(key).or_default().absent;
                if let Some(service) = service() {
                    absent.entry(service).or_insert((0, event)).0 += 1;
                }
            }
            WriteOutcome::Acknowledged | WriteOutcome::ReadBack | WriteOutcome::Lost | WriteOutcome::Unreadable => {}
        }
    }
    doubted
}

fn service_of<'a>(run: &Run<'a>, instance: &InstanceName) -> Option<&'a ServiceName> {
    Some(&run.case.placement.instance_by_name(instance)?.service)
}

/// Whoever hands one write to several, the last of which it lacks.
fn victim(run: &Run<'_>, key: &str, doubted: &Doubted<'_>) -> Option<Victim> {
    let (kept, lacking) = doubted.halves(run)?;
    let carries =
        |caller: &&fixtures::graph::Service| caller.calls.iter().filter(|call| call.carries_writes).count() > 1;
    let splits = run.case.graph.services.iter().find(carries)?;
    let failed = doubted.failed?;
    let link = |who: &ServiceName, waits_for: String, told: Option<&&Event>| Link {
        who: who.to_string(),
        waits_for,
        how: format!("write {key}"),
        since_ns: failed.t_ns,
        evidence: std::iter::once(failed.id).chain(told.map(|event| event.id)).collect(),
    };
    let links = vec![
        link(&splits.name, kept.to_string(), doubted.found.get(kept)),
        link(&splits.name, lacking.to_string(), doubted.absent.get(lacking).map(|(_, event)| event)),
    ];
    let root = Root {
        service: splits.name.clone(),
        dependency: Some(lacking.clone()),
        setting: Some(format!("services.{}.calls.{lacking}.carries-writes", splits.name)),
        cause: Cause::WritesTwice,
    };
    let zone = run.case.placement.instances.iter().find(|instance| &instance.service == lacking)?.zone.clone();
    let trace = Trace { links, root: Some(root) };
    Some(Victim { instance: None, zone, from_ns: failed.t_ns, to_ns: run.timeline.end_ns, trace })
}
