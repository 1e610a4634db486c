//! B3, no data is lost or changed in the migration. Refuses to know what the data is.
//!
//! *Statement*: what was acknowledged in either region before, while and after data was copied is there at the end, as it
//! was written, in the region that it was written to.
//!
//! *Oracle*: every acknowledged write is looked for at the end where it ought to be, and every copied value has the hash of
//! the original. Limit: 0 lost, 0 changed.
//!
//! *Horizon*: a build that gets as far as its audit, with something that was acknowledged.

use super::{Build, Entry, Found, Outcome, count};
use crate::build::observed::{Building, ObjectState};
use crate::event::{Detail, EventId, WriteOutcome};
use crate::verdict::Verdict;

pub(super) const ENTRY: Entry = Entry {
    id: "B3",
    title: "no data is lost or changed in the migration",
    statement: "What was acknowledged in either region is there at the end, as it was written, in that region.",
    judge,
};

fn judge(build: &Build<'_>) -> Outcome {
    let threshold = ("values lost or changed", "0".to_owned());
    let (mut kept, mut copied) = (0_usize, 0_usize);
    let mut bad: Vec<(EventId, u64, &str, ObjectState)> = Vec::new();
    for (event, seen) in build.seen() {
        let Building::Object { key, state, .. } = seen else { continue };
        match state {
            ObjectState::Kept => kept += 1,
            ObjectState::Copied => copied += 1,
            ObjectState::Emptied | ObjectState::Marked => {}
            ObjectState::Differs | ObjectState::NotCopied | ObjectState::Lost => {
                bad.push((event.id, event.t_ns, key.as_str(), *state));
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
    let findings = bad.first().and_then(|(_, _, key, state)| found(build, key, *state, bad.len(), &evidence));
    Outcome { verdict, reason, threshold, evidence, findings: findings.into_iter().collect() }
}

/// The store whose proxy took the write in, and when: before, while or after data was copied.
fn found(build: &Build<'_>, key: &str, state: ObjectState, values: usize, evidence: &[EventId]) -> Option<Found> {
    let write = build.events.iter().find(|event| {
        matches!(&event.detail, Detail::Write { key: written, outcome: WriteOutcome::Acknowledged, .. } if written == key)
    });
    let stored_at = write.and_then(|event| match &event.detail {
        Detail::Write { stored_at, .. } => stored_at.first().cloned(),
        _ => None,
    });
    let placement = &build.case.estate.placement;
    let stored = stored_at.as_ref().and_then(|name| placement.instance_by_name(name));
    let service =
        stored.map(|instance| instance.service.clone()).or_else(|| build.case.estate.cast.stores.first().cloned())?;
    let written_at = write.map_or(0, |event| event.t_ns);
    let copied_at = build.step("copy.first", crate::build::observed::StepState::Begun).map(|(at, _)| at);
    let when = match copied_at {
        Some(at) if written_at >= at => "after the copy began and before the switch",
        Some(_) => "before the copy",
        None => "in a build that copied nothing",
    };
    let word = match state {
        ObjectState::Differs => "changed",
        ObjectState::NotCopied => "not copied",
        _ => "lost",
    };
    let text = format!(
        "{} of `{service}` {word}: `{key}` was acknowledged {when}, and nothing took it over",
        count(values, "value")
    );
    let evidence = write.map(|event| event.id).into_iter().chain(evidence.iter().copied()).collect();
    let (setting, affected) = ("copy.last".to_owned(), stored_at.into_iter().collect());
    Some(Found { service, dependency: None, setting, text, affected, since_ns: written_at, evidence })
}
