//! B7, deployment safety in a live region. Refuses to judge a region without customers: it may go as fast as it can.
//!
//! *Statement*: no two zones of a live region are changed on one day, and what was changed in one bakes before another is.
//!
//! *Oracle*: steps that change a live zone, as they were begun and undone; days and bake are the plan's. Limit: 0.
//!
//! *Horizon*: a plan that changes two live zones or more.

use super::{Build, Entry, Found, Outcome, count};
use crate::build::observed::{Building, StepState};
use crate::event::EventId;
use crate::verdict::Verdict;
use fixtures::name::ZoneName;
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "B7",
    title: "deployment safety in a live region",
    statement: "No two zones of a live region are changed on one day, and what was changed in one bakes first.",
    judge,
};

fn judge(build: &Build<'_>) -> Outcome {
    let threshold = ("zones changed on one day", "1".to_owned());
    let mut changes: Vec<(u64, EventId, &ZoneName, &str)> = Vec::new();
    for (event, seen) in build.seen() {
        if let (Building::Step { step, state: StepState::Begun | StepState::Retried, .. }, Some(zone)) =
            (seen, &event.place.zone)
        {
            changes.push((event.t_ns, event.id, zone, step));
        }
    }
    let Some(rules) = build.case.plan.safety.filter(|_| changes.windows(2).any(|pair| pair[0].2 != pair[1].2)) else {
        let reason = "no two live zones were changed: the build of a zone would do".to_owned();
        return Outcome { verdict: Verdict::NotJudged, reason, threshold, evidence: Vec::new(), findings: Vec::new() };
    };
    let ns = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1);
    let mut last: BTreeMap<&ZoneName, u64> = BTreeMap::new();
    let mut bad: Vec<(u64, EventId, String)> = Vec::new();
    for (at, event, zone, step) in &changes {
        for (other, before) in last.iter().filter(|(other, _)| *other != zone) {
            if before / ns(rules.day) == at / ns(rules.day) {
                let text = format!("`{step}` changed {zone} on the day on which {other} was changed");
                bad.push((*at, *event, text));
            } else if at.saturating_sub(*before) < ns(rules.bake) {
                bad.push((
                    *at,
                    *event,
                    format!("`{step}` changed {zone} before what was changed in {other} had baked"),
                ));
            }
        }
        last.insert(zone, *at);
    }
    let evidence: Vec<EventId> = bad.iter().map(|(_, event, _)| *event).collect();
    let (verdict, reason) = if bad.is_empty() {
        (Verdict::Held, format!("{} of live zones, never two zones on one day", count(changes.len(), "change")))
    } else {
        (Verdict::Violated, format!("{} came too soon after another zone's", count(bad.len(), "change")))
    };
    let findings = bad.first().map(|(since_ns, _, text)| Found {
        service: build.case.estate.cast.packages.clone(),
        dependency: None,
        setting: "safety".to_owned(),
        text: text.clone(),
        affected: Vec::new(),
        since_ns: *since_ns,
        evidence: evidence.clone(),
    });
    Outcome { verdict, reason, threshold, evidence, findings: findings.into_iter().collect() }
}
