//! R8, recovery does not undo itself. Refuses to judge alarms on an absence; who is silent may be so for a reason of its own.
//!
//! *Statement*: what comes back does not act on what was so before it went.
//!
//! *Experiment*: something fails and is healed while telemetry is gone; then telemetry comes back, and is told all of it.
//!
//! *Oracle*: once telemetry is back, no alarm is raised for failures of a service in a zone that lost power meanwhile, and
//! whose instances were all active, by the witness, for the last `interval` x (`periods` + 4) before the alarm (s, from the
//! graph's `[telemetry]`: as long as an alarm may take, see O1), with no fault aimed at them. Looked at for so long, and 5 s
//! more, after its return: by then everybody has pushed what waited. Limit: 0 alarms. Whoever acts on an alarm, a person or a program, would take a
//! healthy zone out of service for an outage that is over.
//!
//! *Horizon*: all instances of telemetry were without power at one moment, and an instance of something that it watches had
//! its power back before telemetry had.
//!
//! *Inconclusive*: nothing of its own.

use super::alarms::budget;
use super::culprit::{Cause, Root, Trace};
use super::finding::{Victim, sorted};
use super::{Entry, Outcome, Run, count};
use crate::event::{AlarmCause, By, Detail, Event, EventId, Life};
use crate::judgement::{InvariantResult, Link};
use crate::timeline::{DarkSpell, ns};
use crate::verdict::Verdict;
use fixtures::graph::telemetry::Telemetry;
use fixtures::name::{ServiceName, ZoneName};
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "R8",
    title: "recovery does not undo itself",
    statement: "What comes back does not act on what was so before it went.",
    judge,
};

/// Who was not taken a push by telemetry asks it again after so long at most (docs/telemetry.md).
const PUSHED_NS: u64 = 5_000_000_000;

/// An alarm on failures.
struct Raised<'a> {
    event: &'a Event,
    zone: &'a ZoneName,
    about: &'a ServiceName,
}

fn judge(run: &Run<'_>) -> Outcome {
    let telemetry = run.case.graph.telemetry.as_ref();
    let blind = telemetry.map_or_else(Vec::new, |telemetry| blind(run, telemetry));
    let raised: Vec<Raised<'_>> = run.events.iter().filter_map(raised).collect();
    let is_old = |one: &&Raised<'_>| {
        telemetry.is_some_and(|telemetry| blind.iter().any(|spell| is_late(run, telemetry, spell, one)))
    };
    let old: Vec<&Raised<'_>> = raised.iter().filter(is_old).collect();
    let limit = telemetry.map_or_else(String::new, |telemetry| fixtures::unit::Span(budget(telemetry)).to_string());
    let (verdict, reason) = match (blind.first(), old.as_slice()) {
        (_, [first, ..]) => {
            let (about, zone) = (first.about, first.zone);
            let text = format!(
                "{} on what had been well for {limit} or longer, the first on `{about}` in {zone}",
                count(old.len(), "alarm")
            );
            (Verdict::Violated, text)
        }
        (Some(_), []) => {
            (Verdict::Held, format!("{} on failures, none of them on what was over", count(raised.len(), "alarm")))
        }
        (None, []) => {
            let reason = "telemetry was never gone while something that it watches failed: the loss of power of all of it, \
                          for longer than that of a service, would do";
            (Verdict::NotJudged, reason.to_owned())
        }
    };
    let evidence = sorted(blind.iter().map(|spell| spell.event).chain(old.iter().map(|one| one.event.id)));
    let thresholds = BTreeMap::from([("well for".to_owned(), limit)]);
    let result = InvariantResult { id: ENTRY.id.to_owned(), aspect: None, verdict, reason, thresholds, evidence };
    let victims = telemetry
        .into_iter()
        .flat_map(|telemetry| old.iter().map(|one| victim(run, telemetry, blind.first(), one)))
        .collect();
    Outcome { results: vec![result], findings: run.findings(ENTRY.id, victims) }
}

fn raised(event: &Event) -> Option<Raised<'_>> {
    let Detail::Alarm { about_zone, about, raised: true, cause, .. } = &event.detail else { return None };
    let failing = *cause == Some(AlarmCause::Failing) && event.by == By::Witness;
    let zone = about_zone.as_ref().filter(|_| failing)?;
    Some(Raised { event, zone, about })
}

/// Whether an alarm came when telemetry was back, on what was over by then.
fn is_late(run: &Run<'_>, telemetry: &Telemetry, spell: &Blind<'_>, one: &Raised<'_>) -> bool {
    let until_ns = spell.to_ns.saturating_add(ns(budget(telemetry))).saturating_add(PUSHED_NS);
    (spell.to_ns..=until_ns).contains(&one.event.t_ns)
        && spell.zones.contains(&one.zone)
        && was_well(run, telemetry, one)
}

/// Whether all that an alarm is about was active for as long as an alarm may take.
fn was_well(run: &Run<'_>, telemetry: &Telemetry, one: &Raised<'_>) -> bool {
    let to_ns = one.event.t_ns;
    let from_ns = to_ns.saturating_sub(ns(budget(telemetry)));
    let placed = run.case.placement.instances.iter().enumerate();
    let mut copies = placed.filter(|(_, copy)| copy.service == *one.about && copy.zone == *one.zone).peekable();
    copies.peek().is_some()
        && copies.all(|(index, copy)| {
            let lives = run.timeline.lives.get(&copy.name).into_iter().flatten();
            let mut later = lives.filter(|span| (from_ns..to_ns).contains(&span.from_ns));
            run.timeline.is_active(&copy.name, from_ns)
                && later.all(|span| span.life == Life::Active)
                && !run.was_dark(index, from_ns, to_ns)
                && !run.is_aimed_at(index, from_ns)
                && !run.is_aimed_at(index, to_ns)
        })
}

/// A time without telemetry.
struct Blind<'a> {
    from_ns: u64,
    to_ns: u64,
    /// The loss of power of its last instance.
    event: EventId,
    /// Where something that it watches lost power and had it back meanwhile.
    zones: Vec<&'a ZoneName>,
}

/// Each time without telemetry in which something that it watches was without power, and was so no more before its end.
fn blind<'a>(run: &Run<'a>, telemetry: &Telemetry) -> Vec<Blind<'a>> {
    let placed = &run.case.placement.instances;
    let (watchers, watched): (Vec<usize>, Vec<usize>) =
        (0..placed.len()).partition(|&index| placed[index].service == telemetry.service);
    let spells = |index: usize| run.timeline.dark.get(run.host_name(index)).into_iter().flatten();
    // The last of them to go dark begins it, the first to be back ends it.
    let mut all: Vec<Blind<'_>> = Vec::new();
    for spell in watchers.iter().flat_map(|&index| spells(index)) {
        let at = |index: &usize| {
            let there =
                |other: &&DarkSpell| other.from_ns <= spell.from_ns && other.to_ns.is_none_or(|to| to > spell.from_ns);
            spells(*index).find(there)
        };
        let dark: Option<Vec<&DarkSpell>> = watchers.iter().map(at).collect();
        let Some(to_ns) = dark.and_then(|dark| dark.iter().filter_map(|one| one.to_ns).min()) else { continue };
        let over = |index: &&usize| {
            spells(**index)
                .any(|other| other.from_ns < to_ns && other.to_ns.is_some_and(|end| end > spell.from_ns && end < to_ns))
        };
        let zones: Vec<&ZoneName> = watched.iter().filter(over).map(|&index| &placed[index].zone).collect();
        if !zones.is_empty() && !all.iter().any(|known| known.from_ns == spell.from_ns) {
            all.push(Blind { from_ns: spell.from_ns, to_ns, event: spell.event, zones });
        }
    }
    all
}

fn victim(run: &Run<'_>, telemetry: &Telemetry, blind: Option<&Blind<'_>>, one: &Raised<'_>) -> Victim {
    let root = Root {
        service: telemetry.service.clone(),
        dependency: None,
        setting: Some("telemetry.alarms.late".to_owned()),
        cause: Cause::OldNews,
    };
    let link = Link {
        who: format!("{} in {}", one.about, one.zone),
        waits_for: "whoever acts on alarms".to_owned(),
        how: "alarm".to_owned(),
        since_ns: one.event.t_ns,
        evidence: blind.map(|spell| spell.event).into_iter().chain([one.event.id]).collect(),
    };
    let trace = Trace { links: vec![link], root: Some(root) };
    Victim { instance: None, zone: one.zone.clone(), from_ns: one.event.t_ns, to_ns: run.timeline.end_ns, trace }
}
