//! Owns the committed samples: each rendered file is what today's renderers make of `record.json` and `events.jsonl`.
//! `BLACKSTART_BLESS=1` writes them anew. Refuses to write the two that are read: later
//! versions must read what this one wrote.

use crate::full::{EVENTS, RECORD};
use reports::fingerprint::Beside;
use reports::{coe, html, journal, junit, record, summary, table};
use scenarios::event::EventId;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

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
    check("table.txt", &table::render(&record, false));
    check("junit.xml", &junit::render(&record));
    check("summary.md", &summary::render(&[&record]));
    check("coe.html", &html::render(&record, &events, &Beside::default()));
    check("coe.md", &coe::render(&record, &events, &Beside::default()));
}
