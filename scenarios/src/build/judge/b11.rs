//! B11, what is built serves its customers. Refuses to judge the region that stands, and who is in the dark.
//!
//! *Statement*: on its game day, and from then on, every zone of what is built that has power serves customers of its own: while
//! another zone is dark, and once it has come back itself.
//!
//! *Oracle*: of no such zone do canaries tell three windows in a row in which less than 99 % of requests were answered. A zone is
//! dark from the step that takes its power until everything is active again. Of a local zone that is without its link only the data
//! plane is asked for, which is another step's; customers who want something of the region wait until the link is back. Limit: 0.
//!
//! *Horizon*: a build that gets as far as its game day.

use super::{Build, Entry, Found, Outcome, count, in_a_row};
use crate::build::observed::{Building, StepState};
use crate::build::plan::BuildPhase;
use crate::event::{Detail, Event, EventId};
use crate::verdict::Verdict;
use fixtures::name::ZoneName;
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "B11",
    title: "what is built serves while a zone of it is dark, and afterwards",
    statement: "On its game day every zone of what is built that has power serves its customers.",
    judge,
};

fn judge(build: &Build<'_>) -> Outcome {
    let threshold = ("windows in a row below 99 %", "0".to_owned());
    let zones = build.case.estate.arriving();
    let windows: BTreeMap<&ZoneName, Vec<&Event>> =
        zones.iter().map(|zone| (zone, windows(build, zone))).filter(|(_, windows)| !windows.is_empty()).collect();
    let seen: usize = windows.values().map(Vec::len).sum();
    let harmed: Vec<(&ZoneName, &[&Event])> =
        windows.iter().filter_map(|(zone, windows)| in_a_row(windows).map(|run| (*zone, run))).collect();
    let evidence: Vec<EventId> = harmed.iter().flat_map(|(_, run)| run.iter().map(|event| event.id)).collect();
    let (verdict, reason) = match (seen, harmed.is_empty()) {
        (0, _) => (
            Verdict::NotJudged,
            "no customer of what was built was seen on a game day: a build that gets as far would do".to_owned(),
        ),
        (_, true) => {
            (Verdict::Held, format!("{} of zones with power, none of them harmed for long", count(seen, "window")))
        }
        (_, false) => {
            let names = harmed.iter().map(|(zone, _)| zone.to_string()).collect::<Vec<_>>().join(", ");
            (Verdict::Violated, format!("customers were harmed in {names}, which had power"))
        }
    };
    let findings = found(build, &harmed, &evidence).into_iter().collect();
    Outcome { verdict, reason, threshold, evidence, findings }
}

/// Windows of a zone's customers since the game day began, but for those that have a part in its dark.
fn windows<'a>(build: &Build<'a>, zone: &ZoneName) -> Vec<&'a Event> {
    let is_game_day = |seen: &Building| matches!(seen, Building::Phase { phase: BuildPhase::GameDay });
    let Some(began) = build.seen().find(|(_, seen)| is_game_day(seen)).map(|(event, _)| event.t_ns) else {
        return Vec::new();
    };
    let link = between(build, "game.link.cut", "game.link.back");
    let dark = [dark(build, zone.as_str()), dark(build, "region"), link];
    let of_zone = build.events.iter().filter(|event| event.place.zone.as_ref() == Some(zone));
    let is_lit = |event: &&Event| {
        let Detail::Canary { control: false, window_ns, .. } = &event.detail else { return false };
        let from = event.t_ns.saturating_sub(*window_ns);
        from >= began && !dark.iter().flatten().any(|(off, on)| event.t_ns >= *off && from <= *on)
    };
    of_zone.filter(is_lit).collect()
}

/// From when until when the game day had a zone, or the region, in the dark.
fn dark(build: &Build<'_>, what: &str) -> Option<(u64, u64)> {
    between(build, &format!("game.{what}.off"), &format!("game.{what}.on"))
}

/// From the beginning of one step to the end of another.
fn between(build: &Build<'_>, from: &str, to: &str) -> Option<(u64, u64)> {
    let (from, _) = build.step(from, StepState::Begun)?;
    Some((from, build.step(to, StepState::Done).map_or(u64::MAX, |(at, _)| at)))
}

/// Whom the most customers missed, and which zone was dark meanwhile.
fn found(build: &Build<'_>, harmed: &[(&ZoneName, &[&Event])], evidence: &[EventId]) -> Option<Found> {
    let since_ns = harmed.iter().flat_map(|(_, run)| run.iter().map(|event| event.t_ns)).min()?;
    let mut missed: BTreeMap<&str, u64> = BTreeMap::new();
    for event in harmed.iter().flat_map(|(_, run)| run.iter()) {
        let Detail::Canary { failed, .. } = &event.detail else { continue };
        failed.iter().for_each(|(cause, number)| *missed.entry(cause.as_str()).or_default() += number);
    }
    let cause = missed.into_iter().max_by_key(|(_, number)| *number).map_or("no answer", |(cause, _)| cause);
    let service = build.missing(cause);
    let zones = build.case.estate.arriving();
    let dark_then =
        zones.iter().find(|zone| dark(build, zone.as_str()).is_some_and(|(off, on)| since_ns >= off && since_ns <= on));
    let when =
        dark_then.map_or_else(|| "although all of it had power".to_owned(), |zone| format!("while {zone} was dark"));
    let names = harmed.iter().map(|(zone, _)| zone.to_string()).collect::<Vec<_>>().join(", ");
    let text = format!("`{service}` was missing to customers in {names} {when} (`{cause}`)");
    let setting = format!("services.{service}.placement");
    Some(Found {
        service,
        dependency: None,
        setting,
        text,
        affected: Vec::new(),
        since_ns,
        evidence: evidence.to_vec(),
    })
}
