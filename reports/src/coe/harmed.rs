//! Owns summary and impact of a correction of error: who was hurt, when, for how long, in numbers. Refuses to value harm
//! in money or reputation.

use super::causes::spans;
use super::{blank, cite};
use crate::harm::{self, Episode};
use crate::operations::{self, in_order};
use crate::record::Record;
use crate::text::{code, count, length, length_ms, markdown, share};
use crate::whys::result_of;
use fixtures::name::ZoneName;
use scenarios::build::observed::{Building, ObjectState};
use scenarios::event::{Act, Detail, Event, EventId, WriteOutcome};
use scenarios::verdict::Verdict;
use std::collections::{BTreeMap, BTreeSet};

/// Causes that a summary tells; the section on culprits tells all.
const CAUSES_MAX: usize = 3;

/// Stands alone: a reader of nothing else knows what happened and what changes.
pub(super) fn summary(record: &Record, events: &[Event], episodes: &[Episode]) -> String {
    let mut sentences = vec![format!(
        "In run {} of the game day {} (world {}), {}.",
        code(&record.run),
        code(&record.scenario),
        code(&record.world),
        violated(record)
    )];
    sentences.push(who_and_when(episodes));
    sentences.extend(came_late(record, events));
    if record.measurements.lost_acknowledged_writes > 0 {
        let lost = count(record.measurements.lost_acknowledged_writes, "acknowledged write");
        let shown = cite(&lost_writes(events));
        sentences.push(format!("At the end {lost} could not be read back with the value written {shown}."));
    }
    let causes: Vec<_> = record.findings.iter().filter(|finding| finding.consequence_of.is_none()).collect();
    for finding in causes.iter().take(CAUSES_MAX) {
        let sure = if finding.confirmed { "Confirmed" } else { "Suspected" };
        sentences.push(format!(
            "{sure} cause: {} {}.",
            spans(finding.text.trim_end_matches('.')),
            evidence_of(record, finding)
        ));
    }
    if causes.len() > CAUSES_MAX {
        sentences.push("Further causes are listed below.".to_owned());
    }
    if record.verdict != Verdict::Violated {
        return sentences.join("\n");
    }
    let settings: Vec<String> =
        causes.iter().filter_map(|finding| finding.setting.as_deref()).take(CAUSES_MAX).map(code).collect();
    sentences.push(if settings.is_empty() {
        format!("What changes: {}", blank("the change that the team decides on"))
    } else {
        format!("What changes: the setting {}.", settings.join(", "))
    });
    sentences.join("\n")
}

/// That customers waited, where any did: nobody's request failed then, and all the same it was harm.
fn came_late(record: &Record, events: &[Event]) -> Option<String> {
    let (promised, us) = harm::promised_latency(record)?;
    let zones = harm::late(&harm::by_time(events), us);
    let hurt: Vec<_> = zones.iter().filter(|(_, zone)| zone.late > 0).collect();
    let names: Vec<&str> = hurt.iter().map(|(zone, _)| zone.as_str()).collect();
    let sum = |of: fn(&harm::Late) -> u64| hurt.iter().map(|(_, zone)| of(zone)).fold(0, u64::saturating_add);
    let ids: Vec<EventId> = hurt.iter().flat_map(|(_, zone)| zone.evidence.iter().copied()).collect();
    let (late, answered) = (sum(|zone| zone.late), sum(|zone| zone.answered));
    (!hurt.is_empty()).then(|| {
        let (names, promised, shown) = (names.join(", "), markdown(promised), cite(&ids));
        format!(
            "Customers in {names} waited: {late} of {answered} answers came later than the promised {promised} {shown}."
        )
    })
}

fn evidence_of(record: &Record, finding: &scenarios::judgement::Finding) -> String {
    let mut all: Vec<_> = finding.chain.iter().flat_map(|link| link.evidence.iter().copied()).collect();
    if all.is_empty() {
        all.extend(result_of(record, finding).into_iter().flat_map(|result| result.evidence.iter().copied()));
    }
    cite(&all)
}

/// Events that show writes which were acknowledged and are gone.
fn lost_writes(events: &[Event]) -> Vec<EventId> {
    let gone = events.iter().filter(|event| match &event.detail {
        Detail::Write { outcome, .. } => matches!(outcome, WriteOutcome::Lost | WriteOutcome::Unreadable),
        Detail::Build { seen: Building::Object { state, .. } } => {
            matches!(state, ObjectState::Lost | ObjectState::Differs | ObjectState::NotCopied)
        }
        _ => false,
    });
    gone.map(|event| event.id).collect()
}

fn violated(record: &Record) -> String {
    let ids = record.invariants.iter().filter(|result| result.verdict == Verdict::Violated);
    let mut ids: Vec<String> = ids.map(|result| markdown(&result.id)).collect();
    ids.dedup();
    match ids.len() {
        0 if record.verdict == Verdict::Inconclusive => "nothing can be said: the run is inconclusive".to_owned(),
        0 => "no invariant was violated".to_owned(),
        1 => format!("invariant {} was violated", ids.join("")),
        _ => format!("the invariants {} were violated", ids.join(", ")),
    }
}

fn who_and_when(episodes: &[Episode]) -> String {
    let ends = episodes.iter().map(|episode| &episode.last).max_by_key(|window| window.t_ns);
    let (Some(first), Some(last)) = (episodes.first(), ends) else {
        return "No customer request of a canary failed.".to_owned();
    };
    let mut zones: Vec<&str> = episodes.iter().map(|episode| episode.zone.as_str()).collect();
    zones.sort_unstable();
    zones.dedup();
    let failed: u64 = episodes.iter().fold(0, |sum, episode| sum.saturating_add(episode.failed));
    let sent: u64 = episodes.iter().fold(0, |sum, episode| sum.saturating_add(episode.sent));
    let harm_ns = last.t_ns.saturating_sub(first.first.t_ns).saturating_add(first.first.window_ns);
    let over = if episodes.iter().all(|episode| episode.back.is_some()) {
        "Every zone was answered again before the run ended."
    } else {
        "It had not ended when the run did."
    };
    format!(
        "Customers in {} were hurt for {}, in canary windows that ended from {} to {}: \
         {failed} of {sent} requests failed [{}, {}]. {over}",
        zones.join(", "),
        length(harm_ns),
        markdown(&first.first.utc),
        markdown(&last.utc),
        first.first.id,
        last.id
    )
}

/// Impact in numbers, each with the events it is counted from.
pub(super) fn impact(record: &Record, events: &[Event], episodes: &[Episode]) -> String {
    let mut out = asked(record);
    out.push_str(&traffic_table(record, events));
    out.push('\n');
    out.push_str(&operations_table(record, events));
    out.push_str(&attempts_table(record, events));
    out.push_str(if episodes.is_empty() {
        "No window of a customer failed after the first fault.\n"
    } else {
        "| customers in | first failing window | last failing window | length | failed of sent | answered again | events |\n\
         |---|---|---|---|---|---|---|\n"
    });
    for episode in episodes {
        let back = episode.back.as_ref().map_or_else(|| "not seen".to_owned(), |back| markdown(&back.utc));
        let mut ids = vec![episode.first.id, episode.last.id];
        ids.extend(episode.back.as_ref().map(|back| back.id));
        out.push_str(&format!(
            "| {} | {} | {} | {} | {} of {} | {back} | {} |\n",
            episode.zone,
            markdown(&episode.first.utc),
            markdown(&episode.last.utc),
            length(episode.length_ns()),
            episode.failed,
            episode.sent,
            cite(&ids)
        ));
    }
    out.push('\n');
    out.push_str(&below_target(record, events));
    out.push_str(&late(record, events));
    out.push_str(&writes(record, events));
    out.push_str(&returns(record, events));
    out.push_str(&format!("- Money, reputation: {}\n", blank("what the harm would have cost real customers")));
    out
}

/// Seconds that each zone spent in windows below the declared availability.
fn below_target(record: &Record, events: &[Event]) -> String {
    let Some(target) = record.parameters.get("steady-state.availability") else { return String::new() };
    let ppm = fixtures::unit::Percent::try_from(target.value.clone()).map(|percent| percent.ppm);
    let Ok(ppm) = ppm else { return String::new() };
    let mut out = String::new();
    for (zone, below) in harm::below(events, ppm) {
        out.push_str(&format!(
            "- Customers in {zone}: {} in windows with less than {} answered {}.\n",
            length(below.ns),
            markdown(&target.value),
            cite(&below.evidence)
        ));
    }
    out
}

/// Which service customers ask; a graph has one entry.
fn asked(record: &Record) -> String {
    let entries: Vec<String> =
        record.services.iter().filter(|row| row.entry).map(|row| code(row.name.as_str())).collect();
    if entries.is_empty() { String::new() } else { format!("Requests of customers to {}:\n\n", entries.join(", ")) }
}

/// Answers of each zone that came later than was promised.
fn late(record: &Record, events: &[Event]) -> String {
    let Some((promised, us)) = harm::promised_latency(record) else { return String::new() };
    let line = |(zone, seen): (&ZoneName, &harm::Late)| {
        let (promised, shown) = (markdown(promised), cite(&seen.evidence));
        format!("- Customers in {zone}: {} of {} answers later than {promised} {shown}.\n", seen.late, seen.answered)
    };
    harm::late(&harm::by_time(events), us).iter().map(line).collect()
}

/// Returns from the dark, of instances whose host was seen to get power back.
fn returns(record: &Record, events: &[Event]) -> String {
    // Without a round nothing was to lose power by a fault: a build takes it by steps of its own.
    if record.plan.rounds.is_empty() {
        return String::new();
    }
    let mut powered = BTreeSet::new();
    let mut power_ons = Vec::new();
    for event in harm::by_time(events) {
        // Other faults than a loss of power have a kind in a word; the region's first power-on is no return.
        if let Detail::StepDone { act: Act::Heal, hosts, fault, what, .. } = &event.detail
            && what.is_empty()
            && !fault.is_empty()
        {
            powered.extend(hosts);
            power_ons.push(event.id);
        }
    }
    let lost_power: Vec<_> = record.instances.iter().filter(|row| powered.contains(&row.host)).collect();
    if lost_power.is_empty() {
        return "- No instance was seen to lose its power and get it back.\n".to_owned();
    }
    let never = lost_power.iter().filter(|row| row.restart_to_active_ms.is_none()).count();
    let all = lost_power.len();
    let since = cite(&power_ons);
    let mut out =
        format!("- Instances that lost power and were not seen active again: {never} of {all}, since {since}.\n");
    if let Some(ms) = record.measurements.restart_to_active_ms {
        out.push_str(&format!("- Slowest return from power-on to active: {}, since {since}.\n", length_ms(ms)));
    }
    out
}

fn traffic_table(record: &Record, events: &[Event]) -> String {
    let windows = harm::windows_by_zone(events);
    let mut out = String::from(
        "| zone | phase | sent | in full | degraded | failed, by cause | answered | p99 | counted from |\n",
    );
    out.push_str("|---|---|---|---|---|---|---|---|---|\n");
    for (zone, phases) in &record.measurements.availability {
        let from = counted_from(&windows, zone);
        for (phase, figures) in in_order(phases) {
            let failed = by_cause(&figures.failed);
            let p99 = figures.p99_ms.map_or_else(|| "–".to_owned(), length_ms);
            out.push_str(&format!(
                "| {zone} | {} | {} | {} | {} | {failed} | {} | {p99} | {from} |\n",
                markdown(phase),
                figures.sent,
                figures.ok,
                figures.degraded,
                share(figures.share)
            ));
        }
    }
    out
}

/// The events that a zone's figures are counted from.
fn counted_from(windows: &BTreeMap<ZoneName, (EventId, EventId)>, zone: &ZoneName) -> String {
    windows.get(zone).map_or_else(|| "no event".to_owned(), |(a, b)| format!("canary windows {a} to {b}"))
}

fn by_cause(failed: &BTreeMap<String, u64>) -> String {
    let failed: Vec<String> = failed.iter().map(|(cause, number)| format!("{number} {}", markdown(cause))).collect();
    if failed.is_empty() { "0".to_owned() } else { failed.join(", ") }
}

/// Each operation by itself, where customers asked for several.
fn operations_table(record: &Record, events: &[Event]) -> String {
    let (rows, windows) = (operations::rows(record), harm::windows_by_zone(events));
    if rows.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "| zone | phase | operation | sent | in full | degraded | failed, by cause | answered | counted from |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for operations::Row { zone, phase, operation, asked } in rows {
        out.push_str(&format!(
            "| {zone} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
            markdown(phase),
            markdown(operation),
            asked.sent,
            asked.ok,
            asked.degraded,
            by_cause(&asked.failed),
            share(operations::answered(asked)),
            counted_from(&windows, zone)
        ));
    }
    out + "\n"
}

/// How often requests were tried, where customers tried anything again.
fn attempts_table(record: &Record, events: &[Event]) -> String {
    let (rows, windows) = (operations::tried(record), harm::windows_by_zone(events));
    if rows.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "| zone | phase | requests | attempts | attempts for each request | counted from |\n|---|---|---|---|---|---|\n",
    );
    for operations::Tried { zone, phase, requests, attempts, times } in rows {
        let (phase, from) = (markdown(phase), counted_from(&windows, zone));
        out.push_str(&format!("| {zone} | {phase} | {requests} | {attempts} | {times:.2} | {from} |\n"));
    }
    out + "\n"
}

/// The events between which writes were acknowledged.
fn acknowledged_between(events: &[Event]) -> String {
    let mut all = events
        .iter()
        .filter(|event| matches!(event.detail, Detail::Write { outcome: WriteOutcome::Acknowledged, .. }))
        .map(|event| event.id);
    match (all.next(), all.next_back()) {
        (Some(first), Some(last)) => format!("; acknowledged from {first} to {last}"),
        (Some(only), None) => format!("; acknowledged in {only}"),
        _ => String::new(),
    }
}

fn writes(record: &Record, events: &[Event]) -> String {
    if record.measurements.acknowledged_writes == 0 {
        return "- No write was acknowledged, so none could be lost.\n".to_owned();
    }
    // A build reads back what was acknowledged as its last step: one that does not get so far says nothing of it.
    let is_looked_for = |event: &Event| {
        matches!(
            &event.detail,
            Detail::Build { seen: Building::Object { state: ObjectState::Kept | ObjectState::Lost, .. } }
        )
    };
    if record.plan.rounds.is_empty() && !events.iter().any(is_looked_for) {
        return format!(
            "- Writes acknowledged: {}; none was read back, because the build did not get that far{}.\n",
            record.measurements.acknowledged_writes,
            acknowledged_between(events)
        );
    }
    let gone = lost_writes(events);
    let evidence = if gone.is_empty() { "no `write` event says otherwise".to_owned() } else { cite(&gone) };
    format!(
        "- Writes acknowledged: {}; of those lost or not readable at the end: {} ({evidence}{}).\n",
        record.measurements.acknowledged_writes,
        record.measurements.lost_acknowledged_writes,
        acknowledged_between(events)
    )
}
