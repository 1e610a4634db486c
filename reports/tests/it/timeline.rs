//! Owns the claims about which events a person sees. Refuses to fix every word: the committed sample does.

use crate::full::{self, event};
use reports::{journal, record, timeline};
use scenarios::event::{Detail, Event, Life, Place};
use std::collections::BTreeMap;

fn window(id: u64, second: u64, sent: u64, ok: u64) -> Event {
    let detail = Detail::Canary {
        control: false,
        seq: id,
        window_ns: 1_000_000_000,
        sent,
        ok,
        degraded: 0,
        failed: BTreeMap::new(),
        latency_us: Vec::new(),
        retries: 0,
        operations: BTreeMap::new(),
    };
    let place = Place { zone: Some(full::zone("az1")), ..Place::default() };
    Event { place, ..event(id, second * 1_000_000_000, detail) }
}

fn rows(events: &[Event]) -> Vec<String> {
    let rows = timeline::rows(&record::from_json(full::RECORD).unwrap(), events);
    rows.into_iter().map(|row| format!("{} {}", row.evidence, row.text)).collect()
}

#[test]
fn failing_customers_get_their_rows() {
    // The window at 4 s is good and failing begins again at 5 s: return is after the last failing window.
    let events =
        [window(1, 1, 10, 10), window(2, 3, 10, 4), window(3, 4, 10, 10), window(4, 5, 10, 9), window(5, 6, 10, 10)];
    let expect = [
        "e2 customers in az1: first failures, 6 of 10 requests (no answer)",
        "e4 customers in az1: last failures, 1 of 10 requests",
        "e5 customers in az1: every request answered again",
    ];
    assert_eq!(rows(&events), expect);
}

#[test]
fn silence_is_not_a_return() {
    let events = [window(1, 1, 10, 0), window(2, 2, 0, 0)];
    assert_eq!(rows(&events)[1], "e1 customers in az1: still failing when last looked at");
}

#[test]
fn order_of_arrival_does_not_matter() {
    let mut events = journal::read(full::EVENTS).unwrap().events;
    let before = rows(&events);
    events.reverse();
    assert_eq!(rows(&events), before);
}

#[test]
fn looks_at_a_fault_are_shown_when_they_change() {
    let look = |id, holds, dead| {
        let fault = "dark".to_owned();
        let detail = Detail::FaultEffect {
            fault,
            holds,
            expected: 3,
            dead,
            answering: Vec::new(),
            text: String::new(),
            asked: BTreeMap::new(),
            measured: BTreeMap::new(),
        };
        event(id, id, detail)
    };
    let events = [look(1, false, 2), look(2, true, 3), look(3, true, 3), look(4, false, 2)];
    let expect = [
        "e1 dark is not in force: 2 of 3 hosts dead",
        "e2 dark is in force: 3 of 3 hosts dead, nothing answers",
        "e4 dark is not in force: 2 of 3 hosts dead",
    ];
    assert_eq!(rows(&events), expect);
}

#[test]
fn every_row_cites_an_event_of_its_time() {
    let events = journal::read(full::EVENTS).unwrap().events;
    let rows = timeline::rows(&record::from_json(full::RECORD).unwrap(), &events);
    assert!(rows.is_sorted_by_key(|row| row.t_ns));
    for row in rows {
        let shown = events.iter().find(|event| event.id == row.evidence).unwrap();
        assert_eq!((shown.t_ns, &shown.utc), (row.t_ns, &row.utc), "{row:?}");
    }
}

#[test]
fn live_lines_leave_noise_out() {
    let noise = Detail::Probe { outcome: Life::Active, cause: String::new(), took_us: 1 };
    assert_eq!(timeline::line(&event(1, 1, noise)), None);
    assert_eq!(timeline::line(&window(1, 1, 10, 0)), None);
    let act = Detail::Intervention { action: "start".to_owned() };
    let line = timeline::line(&event(1, 61_250_000_000, act)).unwrap();
    assert_eq!(line, "   +61.250 s  intervention: start on an unnamed place");
}
