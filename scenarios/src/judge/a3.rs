//! A3, no split brain. Refuses to ask a store who leads it; the history is the witness's, who asks members on both sides of
//! every cut.
//!
//! *Statement*: never do two writers decide for one key; what is read is what was written last, wherever it is asked.
//!
//! *Oracle*: the witness's reads and writes of each register of a replicated store can be put into one order that keeps
//! who came after whom, and in which every read gives the last value written ([`super::history`]). Limit: 0 breaches.
//!
//! *Horizon*: while a fault was in force, at least one write was acknowledged and one read answered; else nothing was
//! asked of a group that was divided.

use super::finding::sorted;
use super::history::{self, BEFORE, Breach, Operation, What};
use super::{Entry, Outcome, Run};
use crate::event::{By, Detail, Event, EventId, OperationOutcome, Phase};
use crate::judgement::{Finding, InvariantResult, Link};
use crate::verdict::Verdict;
use fixtures::name::ServiceName;
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "A3",
    title: "no split brain",
    statement: "What is read of a replicated store is what was written last, on every side of every cut.",
    judge,
};

/// One register, with its operations in order of arrival.
pub(super) struct Register<'e> {
    pub(super) service: &'e ServiceName,
    pub(super) key: &'e str,
    pub(super) events: Vec<&'e Event>,
}

fn judge(run: &Run<'_>) -> Outcome {
    let registers = registers(run);
    let breaches: Vec<(&Register<'_>, Breach)> = registers
        .iter()
        .filter_map(|register| Some((register, history::check(&operations(register)).err()?)))
        .collect();
    let all: usize = registers.iter().map(|register| register.events.len()).sum();
    if !breaches.is_empty() {
        let texts: Vec<String> = breaches.iter().map(|(register, breach)| sentence(register, breach)).collect();
        let evidence = sorted(breaches.iter().flat_map(|(register, breach)| evidence(register, breach)));
        let result = result(Verdict::Violated, texts.join("; "), evidence);
        return Outcome { results: vec![result], findings: findings(run, &breaches) };
    }
    let (writes, reads) = during_faults(run, &registers);
    let (Some(write), Some(read)) = (writes.first(), reads.first()) else {
        let reason = if registers.is_empty() {
            "nobody read or wrote a replicated store: a region with `state = \"replicated\"` would do".to_owned()
        } else {
            format!(
                "of {all} reads and writes, {} writes were acknowledged and {} reads answered while a fault was in force: a \
                 longer fault would do",
                writes.len(),
                reads.len()
            )
        };
        return Outcome { results: vec![result(Verdict::NotJudged, reason, Vec::new())], findings: Vec::new() };
    };
    let reason = format!(
        "{all} reads and writes of {} register(s) fit one order; {} writes were acknowledged and {} reads answered while a \
         fault was in force",
        registers.len(),
        writes.len(),
        reads.len()
    );
    let result = result(Verdict::Held, reason, sorted([*write, *read]));
    Outcome { results: vec![result], findings: Vec::new() }
}

/// What was read and written, in order of arrival.
pub(super) fn registers<'e>(run: &Run<'e>) -> Vec<Register<'e>> {
    let mut registers: BTreeMap<(&ServiceName, &str), Vec<&Event>> = BTreeMap::new();
    for event in run.events.iter().filter(|event| event.by == By::Witness) {
        if let (Detail::Operation { key, .. }, Some(service)) = (&event.detail, &event.place.service) {
            registers.entry((service, key)).or_default().push(event);
        }
    }
    registers.into_iter().map(|((service, key), events)| Register { service, key, events }).collect()
}

/// The operations on a register, each known by its place.
pub(super) fn operations(register: &Register<'_>) -> Vec<Operation> {
    let operation = |(id, event): (usize, &&Event)| {
        let Detail::Operation { write, read, began_ns, outcome, .. } = &event.detail else { return None };
        let what = match write {
            Some(value) => What::Write(value.clone()),
            None => What::Read(read.clone()),
        };
        let end = (*outcome == OperationOutcome::Done).then_some(event.t_ns);
        Some(Operation { id, begin: *began_ns, end, what })
    };
    register.events.iter().enumerate().filter_map(operation).collect()
}

/// Acknowledged writes, and answered reads, that lay in an outage from beginning to end.
pub(super) fn during_faults(run: &Run<'_>, registers: &[Register<'_>]) -> (Vec<EventId>, Vec<EventId>) {
    let outages: Vec<(u64, u64)> =
        run.timeline.of_phase(Phase::Outage).map(|segment| (segment.start_ns, segment.end_ns)).collect();
    let (mut writes, mut reads) = (Vec::new(), Vec::new());
    for event in registers.iter().flat_map(|register| &register.events) {
        let Detail::Operation { write, began_ns, outcome: OperationOutcome::Done, .. } = &event.detail else {
            continue;
        };
        if outages.iter().any(|(start, end)| began_ns >= start && event.t_ns <= *end) {
            if write.is_some() { writes.push(event.id) } else { reads.push(event.id) }
        }
    }
    (writes, reads)
}

fn result(verdict: Verdict, reason: String, evidence: Vec<EventId>) -> InvariantResult {
    InvariantResult {
        id: ENTRY.id.to_owned(),
        aspect: None,
        verdict,
        reason,
        thresholds: BTreeMap::from([("breaches".to_owned(), "0".to_owned())]),
        evidence,
    }
}

fn ids(breach: &Breach) -> Vec<usize> {
    match breach {
        Breach::NeverWritten { read: id } | Breach::WrittenTwice { write: id } => vec![*id],
        Breach::Crossed { earlier, later, between, last } => vec![*earlier, *later, *between, *last],
    }
}

fn evidence(register: &Register<'_>, breach: &Breach) -> Vec<EventId> {
    ids(breach).into_iter().filter_map(|id| register.events.get(id).map(|event| event.id)).collect()
}

/// An operation in words.
pub(super) fn told(register: &Register<'_>, id: usize) -> String {
    if id == BEFORE {
        return "the beginning".to_owned();
    }
    match register.events.get(id).map(|event| &event.detail) {
        Some(Detail::Operation { write: Some(value), .. }) => format!("the write of {value}"),
        Some(Detail::Operation { read: Some(value), .. }) => format!("a read of {value}"),
        _ => "a read of nothing".to_owned(),
    }
}

fn sentence(register: &Register<'_>, breach: &Breach) -> String {
    let key = register.key;
    match breach {
        Breach::NeverWritten { read } => format!("{key}: {} that nobody had begun to write", told(register, *read)),
        Breach::WrittenTwice { write } => format!("{key}: {} came twice", told(register, *write)),
        Breach::Crossed { earlier, later, between, last } => {
            let told = |id: usize| told(register, id);
            format!(
                "{key}: {} had ended before {} began, and {} before {} began: no order explains both",
                told(*earlier),
                told(*later),
                told(*between),
                told(*last)
            )
        }
    }
}

/// One finding for each service, on its first breach.
fn findings(run: &Run<'_>, breaches: &[(&Register<'_>, Breach)]) -> Vec<Finding> {
    let mut first: BTreeMap<&ServiceName, (&Register<'_>, &Breach)> = BTreeMap::new();
    for (register, breach) in breaches {
        first.entry(register.service).or_insert((register, breach));
    }
    first.into_iter().map(|(service, (register, breach))| finding(run, service, register, breach)).collect()
}

fn finding(run: &Run<'_>, service: &ServiceName, register: &Register<'_>, breach: &Breach) -> Finding {
    let events: Vec<&&Event> = ids(breach).into_iter().filter_map(|id| register.events.get(id)).collect();
    let mut affected: Vec<_> = events.iter().filter_map(|event| event.place.instance.clone()).collect();
    affected.sort();
    affected.dedup();
    let links = events.iter().map(|event| Link {
        who: event.place.instance.as_ref().map_or_else(|| service.to_string(), ToString::to_string),
        waits_for: "one order with all others".to_owned(),
        how: format!("register {}", register.key),
        since_ns: event.t_ns,
        evidence: vec![event.id],
    });
    Finding {
        invariant: ENTRY.id.to_owned(),
        service: service.clone(),
        team: run.team(service),
        dependency: None,
        // What a member says before a majority has it is the one thing here that can be set wrong.
        setting: Some(run.storing(service, "acknowledge")),
        text: format!("members of `{service}` told different stories: {}", sentence(register, breach)),
        confirmed: false,
        consequence_of: None,
        affected,
        chain: links.collect(),
        known: false,
    }
}
