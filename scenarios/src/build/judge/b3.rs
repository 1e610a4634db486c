//! B3, no data is lost or changed in the migration. Refuses to know what the data is.
//!
//! *Statement*: what was acknowledged in either region before, while and after data was copied is there at the end, as it
//! was written, in the region that it was written to.
//!
//! *Oracle*: every acknowledged write is looked for at the end where it ought to be, with the value that was acknowledged, and
//! every copied value has the hash of the original. Limit: 0 lost, 0 changed.
//!
//! *Horizon*: a build that gets as far as its audit, with something that was acknowledged.

use super::{Build, Entry, Found, Outcome, count};
use crate::build::observed::{Building, ObjectState, StepState};
use crate::event::{Detail, Event, EventId, WriteOutcome};
use crate::verdict::Verdict;
use fixtures::name::{InstanceName, ServiceName};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const ENTRY: Entry = Entry {
    id: "B3",
    title: "no data is lost or changed in the migration",
    statement: "What was acknowledged in either region is there at the end, as it was written, in that region.",
    judge,
};

fn judge(build: &Build<'_>) -> Outcome {
    let threshold = ("values lost or changed", "0".to_owned());
    let (mut kept, mut copied) = (0_usize, 0_usize);
    let mut bad: Vec<(EventId, &str, ObjectState)> = Vec::new();
    for (event, seen) in build.seen() {
        let Building::Object { key, state, .. } = seen else { continue };
        match state {
            ObjectState::Kept => kept += 1,
            ObjectState::Copied => copied += 1,
            ObjectState::Emptied | ObjectState::Marked => {}
            ObjectState::Differs | ObjectState::NotCopied | ObjectState::Lost => {
                bad.push((event.id, key.as_str(), *state));
            }
        }
    }
    let evidence: Vec<EventId> = bad.iter().map(|(id, ..)| *id).collect();
    let (verdict, reason) = if !bad.is_empty() {
        (Verdict::Violated, format!("{} lost or changed, {kept} were kept", count(bad.len(), "value")))
    } else if kept == 0 {
        (
            Verdict::NotJudged,
            "nothing was looked for at the end: a build that gets as far as its audit would do".to_owned(),
        )
    } else {
        (Verdict::Held, format!("{} at the end where they ought to be, {copied} of them copied", count(kept, "value")))
    };
    Outcome { verdict, reason, threshold, evidence, findings: findings(build, &bad) }
}

/// Values that one step lost or changed, of one service.
struct Lost<'a> {
    key: &'a str,
    how: &'static str,
    when: &'static str,
    write: Option<&'a Event>,
    values: usize,
    evidence: Vec<EventId>,
}

/// One cause for each store whose proxy took writes in, each step that has to take them over, and what became of them.
fn findings(build: &Build<'_>, bad: &[(EventId, &str, ObjectState)]) -> Vec<Found> {
    let keys: BTreeSet<&str> = bad.iter().map(|(_, key, _)| *key).collect();
    let mut writes: BTreeMap<&str, &Event> = BTreeMap::new();
    for event in build.events {
        if let Detail::Write { key, outcome: WriteOutcome::Acknowledged, .. } = &event.detail
            && keys.contains(key.as_str())
        {
            writes.entry(key).or_insert(event);
        }
    }
    let copied_at = build.step("copy.first", StepState::Begun).map(|(at, _)| at);
    let mut causes: BTreeMap<(ServiceName, String, &str), Lost<'_>> = BTreeMap::new();
    for (event, key, state) in bad {
        let write = writes.get(key).copied();
        let stored = stored_at(write).and_then(|name| build.case.estate.placement.instance_by_name(name));
        let of = stored.map(|one| one.service.clone()).or_else(|| build.case.estate.cast.stores.first().cloned());
        let Some(service) = of else { continue };
        let (setting, when) = match copied_at {
            Some(at) if write.is_some_and(|write| write.t_ns >= at) => {
                ("copy.last".to_owned(), "after the copy began and before the switch")
            }
            Some(_) => ("copy.first".to_owned(), "before the copy"),
            None => (format!("services.{service}.state"), "in a build that copied nothing"),
        };
        let (word, how) = match state {
            ObjectState::Differs => ("changed", "another value is there"),
            ObjectState::NotCopied => ("not copied", "nothing took it over"),
            _ => ("lost", "nothing took it over"),
        };
        let new = || Lost { key, how, when, write, values: 0, evidence: Vec::new() };
        let cause = causes.entry((service, setting, word)).or_insert_with(new);
        cause.values += 1;
        cause.evidence.push(*event);
    }
    causes.into_iter().map(found).collect()
}

/// Where a write was said to be stored.
fn stored_at(write: Option<&Event>) -> Option<&InstanceName> {
    match &write?.detail {
        Detail::Write { stored_at, .. } => stored_at.first(),
        _ => None,
    }
}

fn found(((service, setting, word), lost): ((ServiceName, String, &str), Lost<'_>)) -> Found {
    let Lost { key, how, when, write, values, evidence } = lost;
    let values = count(values, "value");
    let text = format!("{values} of `{service}` {word}: `{key}` was acknowledged {when}, and {how}");
    let evidence = write.map(|event| event.id).into_iter().chain(evidence).collect();
    let affected = stored_at(write).cloned().into_iter().collect();
    let since_ns = write.map_or(0, |event| event.t_ns);
    Found { service, dependency: None, setting, text, affected, since_ns, evidence }
}
