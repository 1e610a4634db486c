//! B1, customers of the bootstrap region never notice. Refuses to judge what is built: its own customers
//! are another invariant's (B11).
//!
//! *Statement*: customers of the bootstrap region are served as if nothing were built.
//!
//! *Oracle*: of no zone of the bootstrap region do canaries tell three windows in a row in which less than 99 % of requests
//! were answered. Limit: 0.
//!
//! *Horizon*: a build that began. *Inconclusive*: no window of its canaries.

use super::{Build, Entry, Found, Outcome, in_a_row, is_short};
use crate::build::observed::{Building, StepState};
use crate::event::{Detail, Event, EventId};
use crate::verdict::Verdict;
use fixtures::name::ZoneName;
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "B1",
    title: "customers of the bootstrap region never notice",
    statement: "Customers of the bootstrap region are served as if nothing were built.",
    judge,
};

fn judge(build: &Build<'_>) -> Outcome {
    // Before the first phase the region comes up itself.
    let began = build.seen().find(|(_, seen)| matches!(seen, Building::Phase { .. }));
    let began = began.map_or(u64::MAX, |(event, _)| event.t_ns);
    let mut zones: BTreeMap<&ZoneName, Vec<&Event>> = BTreeMap::new();
    let mut failed: BTreeMap<&str, u64> = BTreeMap::new();
    for event in build.events.iter().filter(|event| event.t_ns >= began) {
        let Detail::Canary { control: false, failed: causes, .. } = &event.detail else { continue };
        let Some(zone) = event.place.zone.as_ref().filter(|zone| build.case.estate.bootstrap.zones.contains(zone))
        else {
            continue;
        };
        zones.entry(zone).or_default().push(event);
        for (cause, number) in causes.iter().filter(|_| is_short(event)) {
            *failed.entry(cause.as_str()).or_default() += number;
        }
    }
    let windows: usize = zones.values().map(Vec::len).sum();
    let first = |run: &[&Event]| (run[0].t_ns, run.iter().map(|event| event.id).collect::<Vec<EventId>>());
    let harmed: Vec<(&ZoneName, u64, Vec<EventId>)> = zones
        .iter()
        .filter_map(|(zone, windows)| in_a_row(windows).map(first).map(|(at, ids)| (*zone, at, ids)))
        .collect();
    let evidence: Vec<EventId> = harmed.iter().flat_map(|(_, _, ids)| ids.iter().copied()).collect();
    let names = harmed.iter().map(|(zone, ..)| zone.to_string()).collect::<Vec<_>>().join(", ");
    let (verdict, reason) = match (windows, harmed.is_empty()) {
        (0, _) => (Verdict::NotJudged, "no customer of the bootstrap region was seen".to_owned()),
        (_, true) => (Verdict::Held, format!("{windows} windows of customers, none of them harmed for long")),
        (_, false) => (Verdict::Violated, format!("customers were harmed in {names}")),
    };
    let worst = failed.into_iter().max_by_key(|(_, number)| *number).map(|(cause, _)| cause.to_owned());
    let findings = harmed.first().map(|(zone, since_ns, _)| {
        let changed = changed(build, zone, *since_ns);
        found(build, (worst, changed), *since_ns, &names, evidence.clone())
    });
    let threshold = ("windows in a row below 99 %", "0".to_owned());
    Outcome { verdict, reason, threshold, evidence, findings: findings.into_iter().collect() }
}

/// The step that changed a live zone last before its customers were harmed.
fn changed<'a>(build: &'a Build<'_>, zone: &ZoneName, before_ns: u64) -> Option<&'a str> {
    let changes = build.seen().filter(|(event, _)| event.place.zone.as_ref() == Some(zone) && event.t_ns <= before_ns);
    let changes = changes.filter_map(|(_, seen)| match seen {
        Building::Step { step, state: StepState::Begun | StepState::Retried, .. } => Some(step.as_str()),
        _ => None,
    });
    changes.last()
}

/// The last of the chain that customers' errors name is what has too little for both regions, or is not found any more
/// since a step changed their zone.
fn found(
    build: &Build<'_>,
    (cause, changed): (Option<String>, Option<&str>),
    since_ns: u64,
    zones: &str,
    evidence: Vec<EventId>,
) -> Found {
    let cause = cause.unwrap_or_default();
    let service = build.missing(&cause);
    let (text, setting) = match changed {
        Some(step) => {
            let text = format!("`{service}` failed customers in {zones} since `{step}` changed that zone (`{cause}`)");
            (text, step.to_owned())
        }
        None => {
            let text = format!(
                "`{service}` of the bootstrap region has too little for its own customers and a region that is built: in \
                 {zones} requests failed (`{cause}`)"
            );
            (text, format!("services.{service}.capacity"))
        }
    };
    Found { service, dependency: None, setting, text, affected: Vec::new(), since_ns, evidence }
}
