//! Owns what a record says of customers beyond a zone's sums: each operation by itself, where several were asked for, and
//! how often requests were tried. Refuses to know how a page shows it.

use crate::record::Record;
use fixtures::name::ZoneName;
use scenarios::event::Asked;
use scenarios::judgement::Availability;
use std::collections::{BTreeMap, BTreeSet};

/// Phases in which customers are counted, in the order of a run.
pub(crate) const PHASES: [&str; 4] = ["baseline", "outage", "recovery", "quiet"];

/// One operation in one phase of one zone.
pub(crate) struct Row<'r> {
    pub(crate) zone: &'r ZoneName,
    pub(crate) phase: &'r str,
    pub(crate) operation: &'r str,
    pub(crate) asked: &'r Asked,
}

/// How often the requests of one zone were tried in one phase.
pub(crate) struct Tried<'r> {
    pub(crate) zone: &'r ZoneName,
    pub(crate) phase: &'r str,
    pub(crate) requests: u64,
    pub(crate) attempts: u64,
    /// Attempts for each request.
    pub(crate) times: f64,
}

/// Phases in the order of a run, which is not that of the alphabet; what is no phase comes last.
pub(crate) fn in_order(phases: &BTreeMap<String, Availability>) -> Vec<(&String, &Availability)> {
    let mut rows: Vec<_> = phases.iter().collect();
    rows.sort_by_key(|(phase, _)| PHASES.iter().position(|known| known == phase).unwrap_or(PHASES.len()));
    rows
}

fn stretches(record: &Record) -> impl Iterator<Item = (&ZoneName, &String, &Availability)> {
    let zones = record.measurements.availability.iter();
    zones.flat_map(|(zone, phases)| in_order(phases).into_iter().map(move |(phase, figures)| (zone, phase, figures)))
}

/// Every operation, by zone and phase; nothing where only one was asked for.
pub(crate) fn rows(record: &Record) -> Vec<Row<'_>> {
    let all = stretches(record).flat_map(|(zone, phase, figures)| {
        figures.operations.iter().map(move |(operation, asked)| Row { zone, phase, operation, asked })
    });
    all.collect()
}

/// Attempts by zone and phase, where something was tried again in the run; else nothing.
pub(crate) fn tried(record: &Record) -> Vec<Tried<'_>> {
    if stretches(record).all(|(.., figures)| figures.retries == 0) {
        return Vec::new();
    }
    let all = stretches(record).filter(|(.., figures)| figures.sent > 0).map(|(zone, phase, figures)| Tried {
        zone,
        phase,
        requests: figures.sent,
        attempts: figures.sent.saturating_add(figures.retries),
        times: figures.amplification().unwrap_or(1.0),
    });
    all.collect()
}

/// The operations of a zone, each once.
pub(crate) fn names(phases: &BTreeMap<String, Availability>) -> BTreeSet<&str> {
    phases.values().flat_map(|figures| figures.operations.keys()).map(String::as_str).collect()
}

/// Answered of sent; `None` where nothing was sent.
pub(crate) fn answered(asked: &Asked) -> Option<f64> {
    (asked.sent > 0).then(|| asked.answered() as f64 / asked.sent as f64)
}
