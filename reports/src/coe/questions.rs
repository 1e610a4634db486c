//! Owns the incident questions of a correction of error: what the events answer, and a named blank for each question
//! that they do not. Refuses to guess what people did or knew.

use super::causes::spans;
use super::{blank, cite};
use crate::harm::{self, Episode};
use crate::record::Record;
use crate::text::{code, length, markdown};
use scenarios::event::{Act, AlarmCause, By, Detail, Event, NeedOutcome};
use scenarios::judgement::InvariantResult;
use scenarios::measure;
use scenarios::verdict::Verdict;
use std::collections::BTreeMap;

/// Four blocks.
pub(super) fn render(record: &Record, events: &[Event], episodes: &[Episode]) -> String {
    let by_time = harm::by_time(events);
    let blocks = [
        ("Detection", detection(events, &by_time, episodes)),
        ("Diagnosis", diagnosis(record, &by_time)),
        ("Mitigation", mitigation(record, &by_time, episodes)),
        ("Prevention", prevention(record)),
    ];
    blocks.iter().map(|(name, lines)| format!("### {name}\n\n- {}\n\n", lines.join("\n- "))).collect()
}

/// The first act of this verb that was done.
fn first_done<'a>(events: &[&'a Event], wanted: Act) -> Option<&'a Event> {
    let done = |event: &&&Event| matches!(&event.detail, Detail::StepDone { act, .. } if *act == wanted);
    events.iter().find(done).copied()
}

fn detection(events: &[Event], by_time: &[&Event], episodes: &[Episode]) -> Vec<String> {
    let mut lines = Vec::new();
    let fault = first_done(by_time, Act::Inject);
    let after = fault.and_then(|fault| episodes.iter().find(|episode| episode.first.t_ns >= fault.t_ns));
    lines.push(match (fault, after) {
        (Some(fault), Some(episode)) => format!(
            "From the fault to the end of the first window in which a customer (in {}) failed: {} {}",
            episode.zone,
            length(episode.first.t_ns.saturating_sub(fault.t_ns)),
            cite(&[fault.id, episode.first.id])
        ),
        (Some(fault), None) => format!("No customer's request failed after the fault {}", cite(&[fault.id])),
        (None, _) => "No event shows a fault that was injected.".to_owned(),
    });
    lines.extend(alarm(events));
    lines.push(blank("how the time to detect could be halved"));
    lines
}

/// What the region's own telemetry raised, or blanks where it raised nothing.
fn alarm(events: &[Event]) -> Vec<String> {
    let Some((fault, raised)) = measure::detection(events) else {
        return vec![
            "The harness's own canaries saw it; the region's own alarms are not observed.".to_owned(),
            blank("which alarm of the region's own told of it, and when"),
            blank("why no alarm existed, where none did"),
        ];
    };
    let Detail::Alarm { about_zone, about, cause, failed, requests, .. } = &raised.detail else { return Vec::new() };
    let why = match cause {
        Some(AlarmCause::NoData) => "nobody told anything".to_owned(),
        _ => format!("{failed} of {requests} requests failed"),
    };
    let after = length(raised.t_ns - fault.t_ns);
    let place = about_zone.as_ref().map_or_else(|| "all zones together".to_owned(), ToString::to_string);
    let text = format!("The region's own alarm on `{about}` in {place} was raised {after} after the fault: {why}");
    vec![format!("{text} {}", cite(&[fault.id, raised.id]))]
}

fn diagnosis(record: &Record, events: &[&Event]) -> Vec<String> {
    let mut lines = Vec::new();
    // What an instance says of itself explains, and decides nothing: the line says who said it. Before the first fault a
    // region is getting up, and everybody lacks something.
    let fault_ns = first_done(events, Act::Inject).map_or(0, |fault| fault.t_ns);
    let mut first: Option<String> = None;
    let mut right: Option<String> = None;
    for event in events.iter().filter(|event| event.t_ns >= fault_ns && event.by == By::Own) {
        let Detail::Need { need, from, outcome, .. } = &event.detail else { continue };
        if *outcome == NeedOutcome::Acquired || right.is_some() {
            continue;
        }
        let who = event.place.instance.as_ref().map_or("an instance", |name| name.as_str());
        let text = format!("{} said that it lacked {} from `{from}` {}", code(who), code(need), cite(&[event.id]));
        let service = record.instances.iter().find(|row| row.name.as_str() == who).map(|row| &row.service);
        let is_culprits = record.findings.iter().any(|finding| {
            finding.dependency.as_ref() == Some(from) && service.is_none_or(|service| *service == finding.service)
        });
        right = is_culprits.then(|| text.clone());
        first.get_or_insert(text);
    }
    lines.push(match (right, first) {
        (Some(text), _) => format!("First self-report since the fault that names what a culprit lacked: {text}"),
        (None, Some(text)) => format!("First self-report since the fault that names a missing need: {text}"),
        (None, None) => "No instance reported a missing need of its own after the fault.".to_owned(),
    });
    lines.push(blank("what responders looked at first, and what made the diagnosis hard"));
    lines
}

fn mitigation(record: &Record, events: &[&Event], episodes: &[Episode]) -> Vec<String> {
    let mut lines = Vec::new();
    let acts: Vec<_> = record.interventions.iter().map(|row| row.evidence).collect();
    lines.push(match acts.len() {
        0 => "Nobody acted on a host between power-on and active: no intervention was observed.".to_owned(),
        number => format!("Interventions between power-on and active: {number} {}", cite(&acts)),
    });
    let last_heal = events.iter().rev().find(|event| matches!(event.detail, Detail::StepDone { act: Act::Heal, .. }));
    for episode in episodes {
        let (Some(heal), zone) = (last_heal, &episode.zone) else { break };
        lines.push(match &episode.back {
            Some(back) if back.t_ns >= heal.t_ns => format!(
                "Customers in {zone} were answered again {} after the last heal {}",
                length(back.t_ns - heal.t_ns),
                cite(&[heal.id, back.id])
            ),
            Some(back) => {
                format!("Customers in {zone} were answered again before the last heal {}", cite(&[back.id, heal.id]))
            }
            None => {
                format!("Customers in {zone} still failed when last looked at {}", cite(&[heal.id, episode.last.id]))
            }
        });
    }
    lines.push(blank("which act would have ended the harm, and whether a runbook names it"));
    lines.push(blank("how the time to mitigate could be halved"));
    lines
}

fn prevention(record: &Record) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    lines.push(format!("The game day {} shows it each time: {}", code(&record.scenario), code(&record.replay)));
    let mut settings: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for finding in &record.findings {
        if let Some(setting) = &finding.setting {
            settings.entry(setting).or_default().push(markdown(&finding.invariant));
        }
    }
    for (setting, invariants) in settings {
        let (setting, verb) = (code(setting), if invariants.len() == 1 { "tests" } else { "test" });
        lines.push(format!("A review of {setting} before release shows what {} {verb}.", invariants.join(", ")));
    }
    lines.push(blank("which change brought this in, and why its tests did not show it"));
    lines.push(blank("when the last operational readiness review of these services was, and what it asked"));
    lines
}

/// What went well, what went wrong, and where luck helped.
pub(super) fn lessons(record: &Record) -> String {
    let ids = |wanted: Verdict| {
        let own = record.invariants.iter().filter(|result| result.verdict == wanted);
        let line = |result: &InvariantResult| format!("   - {}: {}\n", markdown(&result.id), spans(&result.reason));
        own.map(line).collect::<String>()
    };
    let mut out = String::new();
    for (title, verdict) in [
        ("Went well", Verdict::Held),
        ("Went wrong", Verdict::Violated),
        ("Cannot be told", Verdict::Inconclusive),
        ("Not tested by this run", Verdict::NotJudged),
    ] {
        let lines = ids(verdict);
        if !lines.is_empty() {
            out.push_str(&format!("- {title}:\n{lines}"));
        }
    }
    out.push_str(&format!("- Where luck helped: {}\n", blank("what would have been worse on another day")));
    if !record.findings.is_empty() {
        out.push_str(&format!(
            "- For other teams: {}\n",
            blank("the question that this adds to the operational readiness review of all teams")
        ));
    }
    out
}
