//! Claims about the report of a build: what was waited for, tried again and called is told, and nothing from outside becomes
//! markup.

use crate::full;
use fixtures::name::{InstanceName, ServiceName, ZoneName};
use reports::build::{BUILD_SCHEMA, BuildRecord, from_json, page, to_json, told, trend};
use scenarios::build::observed::{Building, FlowEnd, ObjectState, StepState};
use scenarios::build::plan::BuildPhase;
use scenarios::event::{Detail, Event, Life, Place};
use scenarios::verdict::Verdict;

const SECOND: u64 = 1_000_000_000;

fn record(text: &str) -> BuildRecord {
    let full = full::record(text);
    BuildRecord {
        schema: BUILD_SCHEMA,
        run: text.to_owned(),
        region: text.to_owned(),
        zone: None,
        parent: None,
        bootstrap: text.to_owned(),
        graph: text.to_owned(),
        world: "sim".to_owned(),
        seed: 1,
        version: "0".to_owned(),
        started_utc: String::new(),
        services: 24,
        instances: 200,
        ending: text.to_owned(),
        opened: false,
        verdict: Verdict::Violated,
        invariants: full.invariants,
        findings: full.findings,
        replay: text.to_owned(),
        took_ms: 90_000,
        steps: 12,
        tried_again: 1,
        by_hand: 0,
    }
}

fn events(text: &str) -> Vec<Event> {
    let service = |name: &str| ServiceName::new(name).expect("a name");
    let step = |step: &str, phase, state, attempt| {
        let (step, text) = (step.to_owned(), text.to_owned());
        Detail::Build { seen: Building::Step { step, phase, state, attempt, text } }
    };
    let phase = |phase| Detail::Build { seen: Building::Phase { phase } };
    let place = |service: &str| Place {
        zone: Some(ZoneName::new("az1").expect("a name")),
        host: None,
        service: Some(ServiceName::new(service).expect("a name")),
        instance: Some(InstanceName(format!("{service}-az1-0"))),
    };
    let flow = |refused| {
        let (to, end) = (service("table"), FlowEnd::Bootstrap);
        Detail::Build { seen: Building::Flow { to, end, crosses: true, calls: 9, refused } }
    };
    let (network, launch) = (BuildPhase::Network, BuildPhase::Launch);
    let object = Building::Object { key: text.to_owned(), at: None, hash: String::new(), state: ObjectState::Lost };
    let rows = [
        (1, Place::default(), phase(network)),
        (1, Place::default(), step("franken", network, StepState::Begun, 1)),
        (3, place("names"), Detail::Probe { outcome: Life::Active, cause: String::new(), took_us: 1 }),
        (4, Place::default(), step("franken", network, StepState::Retried, 2)),
        (5, Place::default(), step("franken", network, StepState::Done, 2)),
        (5, Place::default(), phase(launch)),
        (5, Place::default(), step("names", launch, StepState::Waiting, 0)),
        (25, place("x"), Detail::Build { seen: Building::Landed {} }),
        (25, Place::default(), step("names", launch, StepState::Begun, 1)),
        (30, place("quota"), flow(4)),
        (31, Place::default(), Detail::Build { seen: object }),
        (40, Place::default(), step("names", launch, StepState::Failed, 3)),
    ];
    let event = |(id, (at, place, detail)): (u64, (u64, Place, Detail))| Event {
        place,
        ..full::event(id, at * SECOND, detail)
    };
    (1..).zip(rows).map(event).collect()
}

#[test]
fn phases_steps_waits_and_callers_are_told() {
    let told = told(&events("racks of az1"));
    let phases: Vec<_> = told.phases.iter().map(|row| (row.phase, row.from_ns / SECOND, row.to_ns / SECOND)).collect();
    assert_eq!(phases, [(BuildPhase::Network, 1, 5), (BuildPhase::Launch, 5, 40)]);
    let franken = &told.phases[0].steps[0];
    assert_eq!((franken.attempts, franken.last.as_ref().map(InstanceName::as_str)), (2, Some("names-az1-0")));
    let names = &told.phases[1].steps[0];
    assert_eq!((names.ready_ns / SECOND, names.begun_ns / SECOND), (5, 25), "it waited twenty seconds");
    assert_eq!(told.flows.len(), 1);
    assert_eq!((told.flows[0].calls, told.flows[0].crossed, told.flows[0].refused), (9, 9, 4));
    let text = page::report(&record("new"), &events("racks of az1")).markdown();
    for word in ["waited 20", "`franken`", "`quota`", "1 value: lost", "░", "Steps that needed a hand: **none**"] {
        assert!(text.contains(word), "{word:?} is missing in:\n{text}");
    }
}

#[test]
fn nothing_from_outside_becomes_markup() {
    for text in ["<script>alert(1)</script>", "`|`\n# no heading", "\u{1b}[31mred", "<b>"] {
        let page = page::report(&record(text), &events(text));
        let (markdown, html) = (page.markdown(), page.html());
        assert!(!html.contains("<script") && !html.contains("<b>"), "{text:?}");
        assert!(!markdown.contains("\n# no heading") && !markdown.contains('\u{1b}'), "{text:?}:\n{markdown}");
    }
}

#[test]
fn from_build_to_build_it_is_told_what_needed_a_hand() {
    let build = |run: &str, by_hand| BuildRecord { run: run.to_owned(), by_hand, ..record("new") };
    let text = |builds: &[BuildRecord]| trend::page(builds).markdown();
    let worse = text(&[build("2", 3), build("1", 0)]);
    assert!(worse.contains("The last build is above it by 3 acts."), "{worse}");
    assert!(worse.find("`1`") < worse.find("`2`"), "the oldest first:\n{worse}");
    let better = text(&[build("1", 3), build("2", 0), build("3", 0)]);
    assert!(better.contains("Met by the last 2 builds."), "{better}");
    assert!(text(&[build("1", 0)]).contains("all there are"));
    assert!(text(&[]).contains("Nothing was built yet."));
    let hostile = trend::page(&[build("<script>", 0)]).html();
    assert!(!hostile.contains("<script>"), "{hostile}");
}

#[test]
fn a_record_is_read_as_it_was_written_and_a_later_one_is_refused() {
    let one = record("new");
    assert_eq!(from_json(&to_json(&one)), Ok(one.clone()));
    let later = BuildRecord { schema: BUILD_SCHEMA + 1, ..one };
    assert!(from_json(&to_json(&later)).expect_err("it is later").contains("schema 2"));
    assert!(from_json("{}").is_err());
}
