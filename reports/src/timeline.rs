//! Owns the timeline: which events of a run a person must see, and in which words; once as rows for the renderers, and
//! once line by line while the run goes on. Refuses to judge, to lay out, and to write a row that no event shows.

use crate::harm;
use crate::record::Record;
use crate::text::{clean, clean_to, count, length, list, moment};
use fixtures::name::{HostName, InstanceName};
use scenarios::event::{Act, By, Detail, Event, EventId, HostChange, Life, NeedOutcome, ScaleCause, WriteOutcome};
use std::collections::{BTreeMap, HashMap, HashSet};

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Nanoseconds of the run.
    pub t_ns: u64,
    /// The same in UTC.
    pub utc: String,
    /// What happened: one line without controls.
    pub text: String,
    /// The event that shows it.
    pub evidence: EventId,
}

impl Row {
    fn at(event: &Event, text: String) -> Self {
        Self { t_ns: event.t_ns, utc: clean_to(&event.utc, 40), text, evidence: event.id }
    }
}

/// The rows of a run by time.
pub fn rows(record: &Record, events: &[Event]) -> Vec<Row> {
    let events_by_time = harm::by_time(events);
    let mut teller = Teller::default();
    let mut rows: Vec<Row> =
        events_by_time.iter().filter_map(|event| Some(Row::at(event, teller.tell(event)?))).collect();
    harm_rows(events, &mut rows);
    return_rows(record, &events_by_time, &mut rows);
    rows.sort_by_key(|row| (row.t_ns, row.evidence));
    rows
}

/// Tells events one after the other, and of looks at a fault those alone that differ from the look before.
#[derive(Debug, Default)]
pub(crate) struct Teller {
    effects: BTreeMap<String, (bool, usize, usize)>,
}

impl Teller {
    /// The words for an event; `None` where it says nothing by itself.
    pub(crate) fn tell(&mut self, event: &Event) -> Option<String> {
        let Detail::FaultEffect { fault, holds, dead, answering, .. } = &event.detail else {
            return words(&event.detail, event);
        };
        // Looks are many; only one that differs from the look before says something.
        let look = (*holds, *dead, answering.len());
        let before = self.effects.insert(fault.clone(), look);
        (before != Some(look)).then(|| effect(&event.detail))
    }
}

/// What a terminal shows of an event as it happens, its time first; `None` for noise. It remembers nothing, so a look at
/// a fault is shown only where the fault does *not* hold.
pub fn line(event: &Event) -> Option<String> {
    let text = match &event.detail {
        Detail::FaultEffect { holds: false, .. } => effect(&event.detail),
        // Its end follows within moments.
        Detail::StepIntent { .. } => return None,
        detail => words(detail, event)?,
    };
    Some(format!("{:>12}  {text}", moment(event.t_ns)))
}

/// The words for an event that matters by itself.
fn words(detail: &Detail, event: &Event) -> Option<String> {
    let text = match detail {
        Detail::Phase { phase, round: 0 } => scenarios::measure::word(*phase).to_owned(),
        Detail::Phase { phase, round } => format!("{} (round {})", scenarios::measure::word(*phase), round + 1),
        Detail::StepIntent { fault, act, hosts, .. } => {
            let (hosts, fault) = (count(hosts.len(), "host"), clean(fault));
            // What kind of fault it is only the plan says; a power-on without one is the region's first.
            match act {
                _ if fault.is_empty() => format!("next: the region's first power-on, {hosts}"),
                Act::Inject => format!("next: {fault} begins on {hosts}"),
                Act::Heal => format!("next: {fault} is healed on {hosts}"),
            }
        }
        Detail::StepDone { fault, act, what, method, hosts, .. } if !what.is_empty() => {
            let verb = match act {
                Act::Inject => "begins",
                Act::Heal if matches!(what.as_str(), "push" | "deploy") => "is rolled back",
                Act::Heal => "is healed",
            };
            let what = if what == "deploy" { "deployment".to_owned() } else { clean(what) };
            format!("{what} of {} {verb}: {} ({})", count(hosts.len(), "host"), clean(fault), clean(method))
        }
        Detail::StepDone { fault, act, method, skew_ns, hosts, .. } => {
            let of = if fault.is_empty() { "the region".to_owned() } else { clean(fault) };
            let (hosts, skew) = (count(hosts.len(), "host"), length(*skew_ns));
            format!("{} of {of}: {hosts} within {skew} ({})", act_word(*act), clean(method))
        }
        Detail::Host { change: HostChange::OutOfMemory, note } => {
            format!("out of memory on {}{}", place(event), aside(note))
        }
        Detail::Need { need, from, outcome: NeedOutcome::GaveUp, attempts } => format!(
            "{} gave up {} from {from} for good after {}{}",
            place(event),
            clean(need),
            count(*attempts, "ask"),
            if event.by == By::Own { " (says the instance itself)" } else { "" }
        ),
        Detail::Write { key, outcome: WriteOutcome::Lost, .. } => {
            format!("acknowledged write {} is lost", clean_to(key, 80))
        }
        Detail::Write { key, outcome: WriteOutcome::Unreadable, .. } => {
            format!("acknowledged write {} could not be read back", clean_to(key, 80))
        }
        Detail::RolloutStopped { rollout, text, .. } => {
            format!("{} goes to no further zone and is rolled back: {}", clean(rollout), clean(text))
        }
        Detail::Scaled { group, from, to, cause } => {
            let zone = event.place.zone.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{group} in {}: {from} took requests, now {to} ({})", clean_to(&zone, 80), why_scaled(*cause))
        }
        Detail::Intervention { action } => format!("intervention: {} on {}", clean(action), place(event)),
        Detail::Invariant { invariant, verdict } => format!("{} {}", clean(invariant), verdict.word()),
        Detail::Caveat { code, text } => format!("caveat {}: {}", clean(code), clean(text)),
        Detail::Build { seen } => return crate::build::lessons::words(seen, event),
        Detail::Residue { object, name } => format!("left behind: {} {}", clean(object), clean(name)),
        _ => return None,
    };
    Some(text)
}

fn why_scaled(cause: ScaleCause) -> &'static str {
    match cause {
        ScaleCause::Load => "its load",
        ScaleCause::NoData => "nobody told its load",
        ScaleCause::Lost => "in place of one that does not answer",
    }
}

/// A look at a fault.
fn effect(detail: &Detail) -> String {
    let Detail::FaultEffect { fault, holds, expected, dead, answering, text, .. } = detail else {
        return String::new();
    };
    if !text.is_empty() {
        let how = if *holds { "is in force" } else { "is not in force" };
        return format!("{} {how}: {}", clean(fault), clean(text));
    }
    let seen = format!("{dead} of {} dead", count(*expected, "host"));
    match (holds, answering.is_empty()) {
        (true, _) => format!("{} is in force: {seen}, nothing answers", clean(fault)),
        (false, true) => format!("{} is not in force: {seen}", clean(fault)),
        (false, false) => format!("{} is not in force: {seen}, answering: {}", clean(fault), list(answering)),
    }
}

/// First failure of each zone's customers, and their return.
fn harm_rows(events: &[Event], rows: &mut Vec<Row>) {
    for episode in harm::episodes(events) {
        let (zone, first, last) = (&episode.zone, &episode.first, &episode.last);
        let row = |window: &harm::Window, text: String| Row {
            t_ns: window.t_ns,
            utc: clean_to(&window.utc, 40),
            text,
            evidence: window.id,
        };
        let cause = if first.cause.is_empty() { "no answer".to_owned() } else { clean(&first.cause) };
        let text =
            format!("customers in {zone}: first failures, {} of {} requests ({cause})", first.failed, first.sent);
        rows.push(row(first, text));
        if episode.back.is_some() && last.id != first.id {
            let text = format!("customers in {zone}: last failures, {} of {} requests", last.failed, last.sent);
            rows.push(row(last, text));
        }
        match &episode.back {
            Some(back) => rows.push(row(back, format!("customers in {zone}: every request answered again"))),
            None => rows.push(row(last, format!("customers in {zone}: still failing when last looked at"))),
        }
    }
}

/// After each power-on, the last instance that became active, and those that never did.
fn return_rows(record: &Record, events: &[&Event], rows: &mut Vec<Row>) {
    for (index, heal) in events.iter().enumerate() {
        let Detail::StepDone { act: Act::Heal, hosts, fault, what, .. } = &heal.detail else { continue };
        if !what.is_empty() {
            continue;
        }
        let later = events.get(index + 1..).unwrap_or_default();
        let until = later.iter().position(|event| matches!(event.detail, Detail::StepDone { act: Act::Inject, .. }));
        let returns = Returns::read(later.get(..until.unwrap_or(later.len())).unwrap_or_default());
        let powered = instances_on(record, hosts);
        let active: BTreeMap<&InstanceName, &Event> =
            powered.iter().filter_map(|name| Some((*name, returns.first_active(name)?))).collect();
        let of = format!("{} of {}", active.len(), count(powered.len(), "instance"));
        if let Some((name, event)) = active.iter().max_by_key(|(_, event)| (event.t_ns, event.id)) {
            let took = length(event.t_ns.saturating_sub(heal.t_ns));
            let text = format!(
                "last to become active after {}: {}, {took} after power-on ({of})",
                named(fault),
                clean(name.as_str())
            );
            rows.push(Row::at(event, text));
        }
        let never: Vec<&InstanceName> = powered.into_iter().filter(|name| !active.contains_key(name)).collect();
        if !never.is_empty() {
            let shown_by = never.iter().filter_map(|name| returns.last_probe(name)).max_by_key(|event| event.t_ns);
            let text = format!("not active by now since {}: {}", named(fault), list(&never));
            rows.push(Row::at(shown_by.unwrap_or(heal), text));
        }
    }
}

/// A power-on by its fault; the region's first one ends none.
fn named(fault: &str) -> String {
    if fault.is_empty() { "the region's first power-on".to_owned() } else { format!("power-on of {}", clean(fault)) }
}

fn instances_on<'a>(record: &'a Record, hosts: &[HostName]) -> Vec<&'a InstanceName> {
    let hosts: HashSet<&HostName> = hosts.iter().collect();
    record.instances.iter().filter(|row| hosts.contains(&row.host)).map(|row| &row.name).collect()
}

/// What was seen of each instance in a stretch, read in one pass: a long run has a million events.
#[derive(Default)]
struct Returns<'e> {
    seen: HashMap<&'e InstanceName, Seen<'e>>,
}

/// What was seen of one instance.
#[derive(Default)]
struct Seen<'e> {
    probed_active: Option<&'e Event>,
    told_active: Option<&'e Event>,
    last_probe: Option<&'e Event>,
}

impl<'e> Returns<'e> {
    fn read(events: &[&'e Event]) -> Self {
        let mut returns = Self::default();
        for event in events {
            let Some(instance) = &event.place.instance else { continue };
            match &event.detail {
                Detail::Probe { outcome, .. } => {
                    let seen = returns.seen.entry(instance).or_default();
                    seen.last_probe = Some(event);
                    if *outcome == Life::Active {
                        seen.probed_active.get_or_insert(event);
                    }
                }
                Detail::State { to: Life::Active, .. } => {
                    returns.seen.entry(instance).or_default().told_active.get_or_insert(event);
                }
                _ => {}
            }
        }
        returns
    }

    /// The first probe that found it active; what else says so only where nobody ever probed it.
    fn first_active(&self, name: &InstanceName) -> Option<&'e Event> {
        let seen = self.seen.get(name)?;
        if seen.last_probe.is_some() { seen.probed_active } else { seen.told_active }
    }

    fn last_probe(&self, name: &InstanceName) -> Option<&'e Event> {
        self.seen.get(name)?.last_probe
    }
}

/// The narrowest place that an event names.
fn place(event: &Event) -> String {
    let place = &event.place;
    let names = [
        place.instance.as_ref().map(ToString::to_string),
        place.host.as_ref().map(ToString::to_string),
        place.service.as_ref().map(ToString::to_string),
        place.zone.as_ref().map(ToString::to_string),
    ];
    names.into_iter().flatten().next().map_or_else(|| "an unnamed place".to_owned(), |name| clean_to(&name, 80))
}

fn aside(note: &str) -> String {
    if note.is_empty() { String::new() } else { format!(" ({})", clean(note)) }
}

fn act_word(act: Act) -> &'static str {
    match act {
        Act::Inject => "power-off",
        Act::Heal => "power-on",
    }
}
