//! Owns the committed samples: each rendered file is what today's renderers make of `record.json` and `events.jsonl`.
//! `BLACKSTART_BLESS=1` writes them anew. Refuses to write what is read, records and events: later
//! versions must read what this one wrote.

use crate::full::{EVENTS, RECORD};
use fixtures::diagnostic::{Diagnostic, Source};
use reports::fingerprint::{Beside, Related, fingerprint};
use reports::record::Record;
use reports::{coe, html, journal, junit, record, sarif, summary, table};
use scenarios::event::EventId;
use scenarios::verdict::Verdict;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

const HELD_RECORD: &str = include_str!("../../samples/held/record.json");
const HELD_EVENTS: &str = include_str!("../../samples/held/events.jsonl");

#[track_caller]
pub(crate) fn check(name: &str, now: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name);
    if std::env::var_os("BLACKSTART_BLESS").is_some() {
        std::fs::write(&path, now).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == now, "samples/{name} differs; `BLACKSTART_BLESS=1 cargo test` rewrites it. Now:\n{now}");
}

#[test]
fn committed_sample_is_read() {
    let record = record::from_json(RECORD).unwrap();
    let journal = journal::read(EVENTS).unwrap();
    assert_eq!(record.schema, 1);
    assert_eq!(record.findings[0].service.as_str(), "app");
    assert_eq!(journal.torn, None);
    assert!(!journal.events.is_empty());
}

/// Whether everything in `old` is in `new`: a later version may add fields and may lose none.
fn keeps(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            old.iter().all(|(name, value)| new.get(name).is_some_and(|new| keeps(value, new)))
        }
        (Value::Array(old), Value::Array(new)) => {
            old.len() == new.len() && old.iter().zip(new).all(|(old, new)| keeps(old, new))
        }
        _ => old == new,
    }
}

#[test]
fn sample_loses_nothing_when_written_again() {
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let again = record::to_json(&record::from_json(RECORD).unwrap());
    assert!(keeps(&parse(RECORD), &parse(&again)), "{again}");
    for (line, event) in EVENTS.lines().zip(journal::read(EVENTS).unwrap().events) {
        let again = journal::to_line(&event);
        assert!(keeps(&parse(line), &parse(&again)), "{line}\n{again}");
    }
}

#[test]
fn sample_cites_only_events_that_exist() {
    let events: BTreeSet<EventId> = journal::read(EVENTS).unwrap().events.iter().map(|event| event.id).collect();
    let record = record::from_json(RECORD).unwrap();
    let cited = record.invariants.iter().flat_map(|result| &result.evidence);
    let linked = record.findings.iter().flat_map(|finding| &finding.chain).flat_map(|link| &link.evidence);
    let warned = record.caveats.iter().flat_map(|caveat| &caveat.evidence);
    for id in cited.chain(linked).chain(warned) {
        assert!(events.contains(id), "{id} is cited and not in events.jsonl");
    }
}

#[test]
fn renderers_make_the_committed_files() {
    let record = record::from_json(RECORD).unwrap();
    let events = journal::read(EVENTS).unwrap().events;
    let related = other_runs(&record);
    let beside = Beside { related: Some(&related), ..Beside::default() };
    check("table.txt", &table::render(&record, false));
    check("junit.xml", &junit::render(&record));
    check("summary.md", &summary::render(&[&record]));
    check("coe.html", &html::render(&record, &events, &beside));
    check("coe.md", &coe::render(&record, &events, &beside));
}

/// Two earlier runs in which the same was found.
fn other_runs(record: &Record) -> Vec<Related> {
    let run = |run: &str, world: &str, confirmed| Related {
        fingerprint: fingerprint(&record.findings[0]),
        run: run.to_owned(),
        scenario: "github-2016".to_owned(),
        world: world.to_owned(),
        verdict: Verdict::Violated,
        confirmed,
    };
    vec![run("20260722T101500Z-07c1", "docker", false), run("20260715T101500Z-b9d4", "sim", true)]
}

/// The pages of a run in which nothing was violated: `minimal` in virtual time, with seed 7.
#[test]
fn renderers_make_the_committed_files_of_a_held_run() {
    let record = record::from_json(HELD_RECORD).unwrap();
    let events = journal::read(HELD_EVENTS).unwrap().events;
    check("held/report.md", &coe::render(&record, &events, &Beside::default()));
    check("held/report.html", &html::render(&record, &events, &Beside::default()));
}

/// What static checks say to code scanning.
#[test]
fn static_findings_are_the_committed_file() {
    let source = Source { name: "day.toml".to_owned(), text: "name = 'day'\ncolour = 'red'\n".to_owned() };
    let found = Diagnostic::error("unknown-key", &source, Some(13..19), "there is no key `colour`");
    check("findings.sarif", &sarif::render(&[sarif::Row::from(&found)], &[source], "0.1.0"));
}
