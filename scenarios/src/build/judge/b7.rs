//! B7, deployment safety in a live region. Refuses to judge a region without customers: it may go as fast as it can.
//!
//! *Statement*: no two zones of a live region are changed on one day, what was changed in one bakes before another is, and no
//! more than a share of them is changed in part at once.
//!
//! *Oracle*: steps that change a live zone, as they were begun; days, bake and share are the plan's. Limit: 0. What is undone
//! is not held against anybody: it has to be fast.
//!
//! *Horizon*: a plan that changes two live zones or more.

use super::{Build, Entry, Found, Outcome, count};
use crate::build::observed::{Building, StepState};
use crate::build::plan::{Act, BuildPhase, Safety};
use crate::event::EventId;
use crate::verdict::Verdict;
use fixtures::name::{InstanceName, ServiceName, ZoneName};
use fixtures::placement::Instance;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(super) const ENTRY: Entry = Entry {
    id: "B7",
    title: "deployment safety in a live region",
    statement: "No two zones of a live region are changed on one day, what was changed in one bakes first, and no more \
                than a share of them is changed in part at once.",
    judge,
};

/// A step that changes a live zone is begun.
struct Change<'a> {
    at_ns: u64,
    event: EventId,
    zone: &'a ZoneName,
    step: &'a str,
    phase: BuildPhase,
}

/// A change that came too soon.
struct Breach<'a> {
    at_ns: u64,
    event: EventId,
    zone: &'a ZoneName,
    step: &'a str,
    setting: &'static str,
    text: String,
}

fn judge(build: &Build<'_>) -> Outcome {
    let threshold = ("zones changed on one day", "1".to_owned());
    let changes: Vec<Change<'_>> = build
        .seen()
        .filter_map(|(event, seen)| match (seen, &event.place.zone) {
            (Building::Step { step, phase, state: StepState::Begun | StepState::Retried, .. }, Some(zone)) => {
                Some(Change { at_ns: event.t_ns, event: event.id, zone, step, phase: *phase })
            }
            _ => None,
        })
        .collect();
    let Some(rules) = build.case.plan.safety.filter(|_| changes.windows(2).any(|pair| pair[0].zone != pair[1].zone))
    else {
        let reason = "no two live zones were changed: the build of a zone would do".to_owned();
        return Outcome { verdict: Verdict::NotJudged, reason, threshold, evidence: Vec::new(), findings: Vec::new() };
    };
    let mut bad = too_soon(&changes, rules);
    bad.extend(too_many(build, &changes, rules));
    bad.sort_by_key(|breach| breach.at_ns);
    let mut evidence: Vec<EventId> = bad.iter().map(|breach| breach.event).collect();
    evidence.dedup();
    let (verdict, reason) = if bad.is_empty() {
        (Verdict::Held, format!("{} of live zones, never two zones on one day", count(changes.len(), "change")))
    } else {
        (Verdict::Violated, format!("{} against the rules of a live region", count(bad.len(), "change")))
    };
    let findings = bad.first().map(|breach| {
        let (service, affected) = changed(build, breach);
        let (setting, text, since_ns) = (breach.setting.to_owned(), breach.text.clone(), breach.at_ns);
        Found { service, dependency: None, setting, text, affected, since_ns, evidence: evidence.clone() }
    });
    Outcome { verdict, reason, threshold, evidence, findings: findings.into_iter().collect() }
}

/// What the step changed in the zone: its name servers, or who was given power or lost it; whoever rolls changes out where
/// neither is known.
fn changed(build: &Build<'_>, breach: &Breach<'_>) -> (ServiceName, Vec<InstanceName>) {
    let estate = build.case.estate;
    let placed = estate.placement.instances.iter();
    let act = build.case.plan.place(breach.step).map(|place| &build.case.plan.steps[place].act);
    let is_changed = |one: &&Instance| match act {
        Some(Act::Names(_)) => one.service == estate.cast.names && estate.is_told(one.host),
        Some(Act::PowerOn(hosts) | Act::PowerOff(hosts)) => hosts.contains(&estate.placement.hosts[one.host].name),
        _ => false,
    };
    let changed: Vec<&Instance> = placed.filter(|one| one.zone == *breach.zone).filter(is_changed).collect();
    let service = changed.first().map_or_else(|| estate.cast.packages.clone(), |one| one.service.clone());
    (service, changed.iter().map(|one| one.name.clone()).collect())
}

fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1)
}

/// On the day of another zone's change, or before that has baked.
fn too_soon<'a>(changes: &[Change<'a>], rules: Safety) -> Vec<Breach<'a>> {
    let mut last: BTreeMap<&ZoneName, u64> = BTreeMap::new();
    let mut bad = Vec::new();
    for Change { at_ns, event, zone, step, .. } in changes {
        let mut breach = |setting, text| bad.push(Breach { at_ns: *at_ns, event: *event, zone, step, setting, text });
        for (other, before) in last.iter().filter(|(other, _)| *other != zone) {
            if before / ns(rules.day) == at_ns / ns(rules.day) {
                breach("safety.day", format!("`{step}` changed {zone} on the day on which {other} was changed"));
            } else if at_ns.saturating_sub(*before) < ns(rules.bake) {
                let text = format!("`{step}` changed {zone} before what was changed in {other} had baked");
                breach("safety.bake", text);
            }
        }
        last.insert(zone, *at_ns);
    }
    bad
}

/// While more than a share of zones has some of a phase's changes, and not all of them.
fn too_many<'a>(build: &Build<'_>, changes: &[Change<'a>], rules: Safety) -> Vec<Breach<'a>> {
    let steps = &build.case.plan.steps;
    let zones: BTreeSet<&ZoneName> = steps.iter().filter_map(|step| step.touches.as_ref()).collect();
    let most = (zones.len() * rules.share_percent as usize / 100).max(1);
    let mut begun: BTreeSet<&str> = BTreeSet::new();
    let mut bad = Vec::new();
    for change in changes {
        begun.insert(change.step);
        let in_part = |zone: &&&ZoneName| {
            let of_zone = steps.iter().filter(|one| one.phase == change.phase && one.touches.as_ref() == Some(**zone));
            let (done, open): (Vec<_>, Vec<_>) = of_zone.partition(|one| begun.contains(one.id.as_str()));
            !done.is_empty() && !open.is_empty()
        };
        let ahead = zones.iter().filter(in_part).count();
        if ahead > most {
            let text = format!("`{}` left {ahead} zones changed in part, and {most} may be", change.step);
            let Change { at_ns, event, zone, step, .. } = *change;
            bad.push(Breach { at_ns, event, zone, step, setting: "safety.share-percent", text });
        }
    }
    bad
}
