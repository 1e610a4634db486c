//! Owns the map of what was covered: for each service, zone and kind of fault what the newest run that put them together
//! says. Refuses to fill a gap: a fault that never met a service in a zone was never tested there.

use super::{Subject, stale};
use crate::history::Entry;
use crate::history::hits::kinds;
use crate::page::{Page, Text};
use fixtures::name::{ServiceName, ZoneName};
use scenarios::verdict::Verdict;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of one service, zone and kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// The newest run held as far as this service is concerned.
    Held,
    /// It was the culprit of a violation there, or held back by one.
    Violated,
    /// It held, too long ago or as another service than it is now.
    Stale,
    /// They never met.
    Never,
}

impl Cell {
    /// Letter, colour and word.
    fn told(self) -> (&'static str, &'static str) {
        match self {
            Self::Held => ("H", "held"),
            Self::Violated => ("V", "violated"),
            Self::Stale => ("S", "stale"),
            Self::Never => ("·", "never"),
        }
    }
}

/// The map.
#[derive(Debug, Clone)]
pub struct Coverage {
    cells: BTreeMap<(ServiceName, String, ZoneName), Cell>,
}

impl Coverage {
    /// From runs that count, the newest first.
    pub(super) fn new(runs: &[&Entry], subject: &Subject<'_>, shapes: &BTreeMap<ServiceName, String>) -> Self {
        let mut cells = BTreeMap::new();
        for run in runs {
            for hit in &run.hits {
                for service in &hit.services {
                    let key = (service.clone(), hit.fault.clone(), hit.zone.clone());
                    if cells.contains_key(&key) {
                        continue;
                    }
                    if let Some(cell) = judged(run, service, &hit.zone, subject, shapes) {
                        cells.insert(key, cell);
                    }
                }
            }
        }
        Self { cells }
    }

    /// What is known of one.
    pub fn cell(&self, service: &ServiceName, fault: &str, zone: &ZoneName) -> Cell {
        self.cells.get(&(service.clone(), fault.to_owned(), zone.clone())).copied().unwrap_or(Cell::Never)
    }

    /// How many of each, over all kinds of faults.
    fn count(&self, subject: &Subject<'_>, wanted: Cell) -> usize {
        let mut number = 0;
        for service in &subject.graph.services {
            for fault in kinds(subject.graph) {
                number += subject.zones.iter().filter(|zone| self.cell(&service.name, fault, zone) == wanted).count();
            }
        }
        number
    }

    pub(super) fn draw(&self, page: &mut Page, subject: &Subject<'_>) {
        page.heading("Coverage");
        if subject.zones.is_empty() {
            page.say("No zone is known: no run was held on this graph, and no topology was named.");
            return;
        }
        let zones: Vec<String> = subject.zones.iter().map(ToString::to_string).collect();
        let all = subject.graph.services.len() * kinds(subject.graph).len() * zones.len();
        let of = |cell| self.count(subject, cell);
        page.say(format!(
            "{} of {all} pairs of service and zone under a kind of fault were put to the test: {} held, {} violated, {} stale; \
             {} never.",
            all - of(Cell::Never),
            of(Cell::Held),
            of(Cell::Violated),
            of(Cell::Stale),
            of(Cell::Never)
        ));
        page.say(
            Text::new()
                .plain("One letter for each zone, in the order ")
                .codes(&zones)
                .plain(": ")
                .mark("held", "H")
                .plain(" held, ")
                .mark("violated", "V")
                .plain(" violated (of several faults of a run nobody can say which), ")
                .mark("stale", "S")
                .plain(" stale, ")
                .mark("never", "·")
                .plain(" never."),
        );
        let met: BTreeSet<&str> = self.cells.keys().map(|(_, fault, _)| fault.as_str()).collect();
        let (asked, missing): (Vec<&str>, Vec<&str>) =
            kinds(subject.graph).into_iter().partition(|kind| met.contains(kind));
        let rows = subject.graph.services.iter().map(|service| {
            let mut row = vec![Text::new().code(service.name.to_string())];
            row.extend(asked.iter().map(|fault| self.zones(&service.name, fault, subject.zones)));
            row
        });
        let head: Vec<&'static str> = std::iter::once("service")
            .chain(kinds(subject.graph).into_iter().filter(|kind| met.contains(kind)))
            .collect();
        if !asked.is_empty() {
            page.table(&head, rows.collect(), "");
        }
        if !missing.is_empty() {
            page.say(Text::new().plain("Never tried on any service: ").codes(missing).plain("."));
        }
    }

    fn zones(&self, service: &ServiceName, fault: &str, zones: &BTreeSet<ZoneName>) -> Text {
        let mut text = Text::new();
        for zone in zones {
            let (letter, class) = self.cell(service, fault, zone).told();
            text = text.mark(class, letter);
        }
        text
    }
}

/// What a run says of a service in a zone; `None` where it judged nothing that could concern it.
fn judged(
    run: &Entry,
    service: &ServiceName,
    zone: &ZoneName,
    subject: &Subject<'_>,
    shapes: &BTreeMap<ServiceName, String>,
) -> Option<Cell> {
    if run.harmed.iter().any(|row| &row.service == service && &row.zone == zone) {
        return Some(Cell::Violated);
    }
    // What was violated without a culprit may have been anybody.
    let unexplained = run.findings.iter().any(|found| found.service.is_none());
    let any = run.invariants.values().any(|verdict| matches!(verdict, Verdict::Held | Verdict::Violated));
    if unexplained || !any {
        return None;
    }
    Some(if stale(run, service, subject, shapes).is_some() { Cell::Stale } else { Cell::Held })
}
