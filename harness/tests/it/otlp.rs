//! Owns the claims about game days as traces: the JSON of OTLP as its specification has it, every time inside its parent's,
//! the same ids every time. Runs are simulated; refuses to send anything.

use crate::prometheus::held;
use reports::otlp::traces;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

fn spans(text: &str) -> Vec<Value> {
    let body: Value = serde_json::from_str(text).expect("it is JSON");
    let resource = &body["resourceSpans"][0];
    assert_eq!(attribute(&resource["resource"], "service.name"), Some("blackstart".to_owned()));
    let scope = &resource["scopeSpans"][0];
    assert_eq!(scope["scope"]["name"], "blackstart");
    scope["spans"].as_array().expect("it is a list").clone()
}

fn attribute(of: &Value, key: &str) -> Option<String> {
    let mut all = of["attributes"].as_array().into_iter().flatten();
    let value = &all.find(|attribute| attribute["key"] == key)?["value"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    text(&value["stringValue"]).or_else(|| text(&value["intValue"])).or_else(|| {
        let values = value["arrayValue"]["values"].as_array()?;
        Some(values.iter().filter_map(|value| text(&value["stringValue"])).collect::<Vec<_>>().join(","))
    })
}

fn hex(value: &Value, digits: usize) -> String {
    let text = value.as_str().expect("it is a text");
    assert!(text.len() == digits && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)), "{text}");
    assert!(text.bytes().any(|byte| byte != b'0'), "an id of zeros is none");
    text.to_owned()
}

/// Required fields by the specification: ids in hexadecimal, 64-bit numbers as texts, kinds and codes as numbers.
fn sound(span: &Value) -> (String, u64, u64) {
    hex(&span["traceId"], 32);
    assert!(span["name"].as_str().is_some_and(|name| !name.is_empty()));
    assert_eq!(span["kind"], 1);
    let moment =
        |key: &str| span[key].as_str().and_then(|text| text.parse::<u64>().ok()).unwrap_or_else(|| panic!("{key}"));
    let (from, to) = (moment("startTimeUnixNano"), moment("endTimeUnixNano"));
    assert!(from <= to, "{span}");
    for event in span["events"].as_array().into_iter().flatten() {
        let at: u64 = event["timeUnixNano"].as_str().and_then(|text| text.parse().ok()).expect("it is a text");
        assert!((from..=to).contains(&at) && event["name"].is_string(), "{event}");
    }
    for value in span["attributes"].as_array().into_iter().flatten().map(|attribute| &attribute["value"]) {
        let known = ["stringValue", "intValue", "boolValue", "arrayValue"];
        let keys: Vec<&String> = value.as_object().expect("one of several").keys().collect();
        assert!(keys.len() == 1 && known.contains(&keys[0].as_str()), "{value}");
        assert!(value.get("intValue").is_none_or(Value::is_string), "{value}");
    }
    (hex(&span["spanId"], 16), from, to)
}

/// One root, and every other span inside its parent.
#[track_caller]
fn nest(spans: &[Value], about: &str) {
    let by_id: BTreeMap<String, (u64, u64)> = spans.iter().map(sound).map(|(id, from, to)| (id, (from, to))).collect();
    assert_eq!(by_id.len(), spans.len(), "{about}: each has its own id");
    let traces: BTreeSet<&str> = spans.iter().filter_map(|span| span["traceId"].as_str()).collect();
    assert_eq!(traces.len(), 1);
    let (roots, others): (Vec<&Value>, Vec<&Value>) = spans.iter().partition(|span| span.get("parentSpanId").is_none());
    assert_eq!(roots.len(), 1, "{about}");
    for span in others {
        let (_, from, to) = sound(span);
        let (parent_from, parent_to) = by_id[&hex(&span["parentSpanId"], 16)];
        assert!(parent_from <= from && to <= parent_to, "{about}: {span}");
    }
}

/// A run may end anywhere: interrupted, or with the machine.
#[test]
fn what_is_left_of_a_run_is_a_trace_too() {
    let (record, events) = held("github-2016");
    for kept in (0..events.len()).step_by(events.len() / 40 + 1) {
        nest(&spans(&traces(&record, &events[..kept])), &format!("{kept} events"));
    }
}

#[test]
fn a_game_day_is_a_trace_whose_times_nest() {
    for scenario in ["github-2016", "az-power-loss", "bad-push-by-zone", "each-zone-in-turn", "flapping-link"] {
        let (record, events) = held(scenario);
        let spans = spans(&traces(&record, &events));
        nest(&spans, scenario);
        let named = |name: &str| spans.iter().filter(|span| span["name"] == name).count();
        for phase in
            ["provision", "settle", "baseline", "outage", "recovery", "quiet", "read-back", "teardown", "round 0"]
        {
            assert!(named(phase) >= 1, "{scenario}: {phase}");
        }
        let begins = |word: &str| {
            spans.iter().filter(|span| span["name"].as_str().is_some_and(|name| name.starts_with(word))).count()
        };
        let injects = events.iter().filter(|event| {
            matches!(event.detail, scenarios::event::Detail::StepDone { act: scenarios::event::Act::Inject, .. })
        });
        assert_eq!((begins("fault "), begins("inject ")), (injects.clone().count(), injects.count()), "{scenario}");
    }
}

#[test]
fn a_trace_says_what_was_violated_where_and_when_it_really_was() {
    let (record, events) = held("github-2016");
    let text = traces(&record, &events);
    let spans = spans(&text);
    assert_eq!(text, traces(&record, &events), "the same run is the same trace");
    let root = spans.iter().find(|span| span.get("parentSpanId").is_none()).expect("there is one");
    assert_eq!((root["name"].as_str(), root["status"]["code"].as_u64()), (Some("game day github-2016"), Some(2)));
    assert_eq!(attribute(root, "blackstart.verdict").as_deref(), Some("violated"));
    let names: Vec<&str> =
        root["events"].as_array().expect("a list").iter().filter_map(|event| event["name"].as_str()).collect();
    assert!(names.contains(&"invariant") && names.contains(&"finding"), "{names:?}");
    let fault = spans.iter().find(|span| span["name"] == "fault az1-dark").expect("there is one");
    assert_eq!(attribute(fault, "blackstart.zones").as_deref(), Some("az1"));
    assert_eq!(attribute(fault, "blackstart.fault.kind").as_deref(), Some("power"));
    assert!(fault["attributes"].as_array().expect("a list").iter().any(|value| value["value"]["boolValue"] == true));
    // Virtual time begins in 2000; a collector would throw that away.
    let day = format!("{}", 1_700_000_000_000_000_000_u64);
    assert!(root["startTimeUnixNano"].as_str().expect("a text") > day.as_str());
    let mut other = record.clone();
    other.run = "20261125T101112Z-abcdef".to_owned();
    let moved = traces(&other, &events);
    assert!(moved.contains("\"startTimeUnixNano\":\"1795601472000000000\""), "20261125T101112Z is 1795601472");
    assert!(!moved.contains(root["traceId"].as_str().expect("a text")));
    other.world = "docker".to_owned();
    other.started_utc = "2026-11-25T10:11:12.345Z".to_owned();
    assert!(traces(&other, &events).contains("\"startTimeUnixNano\":\"1795601472345000000\""));
}
