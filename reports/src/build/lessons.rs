//! Owns the lessons of a build: its record in the form of a game day's, so that what it found becomes a correction of error
//! by the same rules, with the same linter. Refuses to write one of its own: [`crate::coe`] does.

use super::page::what;
use super::{BuildRecord, told};
use crate::fingerprint::Beside;
use crate::orr::rows_of;
use crate::policy::Policy;
use crate::record::{HostRow, InstanceRow, InterventionRow, RECORD_SCHEMA, Record};
use crate::text::clean_to;
use fixtures::name::TeamName;
use fixtures::placement::Instance;
use fixtures::regional::estate::Estate;
use scenarios::build::observed::{Building, Delivery, ObjectState, Sought, StepState};
use scenarios::event::{Detail, Event, WriteOutcome};
use scenarios::judgement::Measurements;
use scenarios::plan::Plan;
use scenarios::verdict::Verdict;
use std::collections::BTreeMap;

/// The correction of error of a build in which something was violated.
pub fn correction(record: &BuildRecord, estate: &Estate, events: &[Event], policy: &Policy) -> Option<String> {
    if record.verdict != Verdict::Violated {
        return None;
    }
    let since = since_it_began(estate, events);
    let page = crate::coe::render(&as_run(record, estate, events), &since, &Beside::of(policy));
    Some(page.replace("`coe.html`", "`build.html`"))
}

/// What was seen since the build began: before that the region comes up that serves customers. Nobody lives in what is built,
/// so that its canaries stand for no customer.
fn since_it_began(estate: &Estate, events: &[Event]) -> Vec<Event> {
    let is_phase = |event: &&Event| matches!(&event.detail, Detail::Build { seen: Building::Phase { .. } });
    let began = events.iter().find(is_phase).map_or(0, |event| event.t_ns);
    let lives = |event: &Event| event.place.zone.as_ref().is_some_and(|zone| estate.bootstrap.zones.contains(zone));
    let is_told = |event: &&Event| !matches!(event.detail, Detail::Canary { .. }) || lives(event);
    events.iter().filter(|event| event.t_ns >= began).filter(is_told).cloned().collect()
}

/// Its kind, as the name of what tests it again.
fn kind(record: &BuildRecord) -> &'static str {
    match (&record.zone, &record.parent) {
        (None, _) => "region-build",
        (Some(_), None) => "zone-build",
        (Some(_), Some(_)) => "local-zone-build",
    }
}

/// The record of a build as that of a run.
pub fn as_run(record: &BuildRecord, estate: &Estate, events: &[Event]) -> Record {
    let placement = &estate.placement;
    let hosts = placement.hosts.iter().map(|host| HostRow {
        name: host.name.clone(),
        zone: host.zone.clone(),
        address: String::new(),
    });
    let services = rows_of(&estate.graph);
    let teams: BTreeMap<_, &TeamName> = services.iter().map(|row| (&row.name, &row.team)).collect();
    let row = |instance: &Instance| {
        Some(InstanceRow {
            name: instance.name.clone(),
            service: instance.service.clone(),
            team: (*teams.get(&instance.service)?).clone(),
            host: placement.hosts[instance.host].name.clone(),
            zone: instance.zone.clone(),
            restart_to_active_ms: None,
        })
    };
    Record {
        schema: RECORD_SCHEMA,
        run: record.run.clone(),
        scenario: kind(record).to_owned(),
        title: format!("the build of {}", what(record)),
        topology: record.region.clone(),
        graph: record.graph.clone(),
        world: record.world.clone(),
        seed: record.seed,
        versions: BTreeMap::from([("blackstart".to_owned(), record.version.clone())]),
        label: None,
        started_utc: record.started_utc.clone(),
        verdict: record.verdict,
        inconclusive: record.inconclusive.clone(),
        plan: Plan { rounds: Vec::new() },
        parameters: BTreeMap::new(),
        assumptions: None,
        interrupted: false,
        rights: BTreeMap::new(),
        hosts: hosts.collect(),
        instances: placement.instances.iter().filter_map(row).collect(),
        invariants: record.invariants.clone(),
        findings: record.findings.clone(),
        known_gaps: Vec::new(),
        interventions: interventions(events),
        measurements: measurements(events),
        caveats: Vec::new(),
        residue: Vec::new(),
        replay: record.replay.clone(),
        services,
    }
}

fn interventions(events: &[Event]) -> Vec<InterventionRow> {
    let row = |event: &Event| match &event.detail {
        Detail::Intervention { action } => {
            Some(InterventionRow { host: event.place.host.clone()?, action: action.clone(), evidence: event.id })
        }
        _ => None,
    };
    events.iter().filter_map(row).collect()
}

fn measurements(events: &[Event]) -> Measurements {
    let count = |wanted: &dyn Fn(&Detail) -> bool| events.iter().filter(|event| wanted(&event.detail)).count() as u64;
    let told = told(events);
    Measurements {
        acknowledged_writes: count(&|detail| {
            matches!(detail, Detail::Write { outcome: WriteOutcome::Acknowledged, .. })
        }),
        lost_acknowledged_writes: count(&|detail| {
            let Detail::Build { seen: Building::Object { state, .. } } = detail else { return false };
            matches!(state, ObjectState::Lost | ObjectState::Differs | ObjectState::NotCopied)
        }),
        interventions: interventions(events).len() as u64,
        total_s: told.took_ns() as f64 / 1e9,
        ..Measurements::default()
    }
}

/// The words for what was seen of a build, where a person must see it; `None` for what says nothing by itself.
pub(crate) fn words(seen: &Building, event: &Event) -> Option<String> {
    let zone = || event.place.zone.as_ref().map(ToString::to_string).unwrap_or_default();
    let who = || event.place.instance.as_ref().map(ToString::to_string).unwrap_or_default();
    let clean = |text: &str| clean_to(text, 200);
    let text = match seen {
        Building::Phase { phase } => format!("phase: {}", phase.word()),
        Building::Step { step, state: StepState::Waiting, text, .. } => {
            format!("{} waits: {}", clean(step), clean(text))
        }
        Building::Step { step, state: StepState::Retried, attempt, .. } => {
            format!("{} is begun again (attempt {attempt})", clean(step))
        }
        Building::Step { step, state: StepState::Failed, text, .. } => {
            format!("{} fails: {}", clean(step), clean(text))
        }
        Building::Step { step, state: StepState::Undone, .. } => format!("{} is undone", clean(step)),
        Building::Landed {} => format!("racks of {} have landed", clean(&zone())),
        Building::Border { border } => format!("the border is {}", border.word()),
        Building::Paused { phase, text } if text.is_empty() => format!("paused before {}", phase.word()),
        Building::Paused { phase, text } => format!("paused before {}: {}", phase.word(), clean(text)),
        Building::Hand { step, text } => format!("by hand, at {}: {}", clean(step), clean(text)),
        Building::Check { from, invariant, text, .. } if !text.is_empty() => {
            format!("{} of build {} is still so: {}", clean(invariant), clean(from), clean(text))
        }
        Building::Object { key, state, .. } => match state {
            ObjectState::Lost => format!("{} is lost", clean(key)),
            ObjectState::Differs => format!("{} has another value than before", clean(key)),
            ObjectState::NotCopied => format!("{} is not copied", clean(key)),
            _ => return None,
        },
        Building::Software { delivery: Delivery::Refused, text, .. } => {
            format!("{} refuses the software that it was given: {}", clean(&who()), clean(text))
        }
        Building::Software { delivery: Delivery::Damaged, text, .. } => {
            format!("the copy of its software on the disk of {} is no good: {}", clean(&who()), clean(text))
        }
        Building::Unsaid { what, name } => match what {
            Sought::Enrolment => format!("{} could not be made known", clean(name)),
            Sought::Identity => format!("nobody said whether {} is known", clean(name)),
            Sought::Marked => format!("{} did not say whether it has {}", clean(&who()), clean(name)),
        },
        Building::Left { key, to, .. } => format!("{} is sent from {} to {to}", clean(key), clean(&who())),
        _ => return None,
    };
    Some(text)
}
