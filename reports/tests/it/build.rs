//! Claims about the report of a build: what was waited for, tried again and called is told, and nothing from outside becomes
//! markup.

use crate::full;
use fixtures::name::{InstanceName, ServiceName, ZoneName};
use reports::build::checks::{CheckRow, Kind, open};
use reports::build::{BUILD_SCHEMA, BuildRecord, HandRow, from_json, page, to_json, told, trend};
use scenarios::build::check::{Check, Outcome};
use scenarios::build::observed::{Building, Delivery, FlowEnd, ObjectState, StepState};
use scenarios::build::plan::BuildPhase;
use scenarios::event::{Detail, Event, EventId, Life, Place};
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
        services: 25,
        instances: 200,
        ending: text.to_owned(),
        opened: false,
        verdict: Verdict::Violated,
        inconclusive: full.inconclusive,
        invariants: full.invariants,
        findings: full.findings,
        replay: text.to_owned(),
        took_ms: 90_000,
        steps: 12,
        tried_again: 1,
        by_hand: 0,
        hands: Vec::new(),
        found_in: Vec::new(),
        checks: Vec::new(),
        awaited: std::collections::BTreeMap::new(),
        stand_ins: Vec::new(),
        state: None,
    }
}

/// One that needed a hand, and was asked for what an earlier one had found.
fn by_hand(text: &str) -> BuildRecord {
    let record = record(text);
    let free = || text.to_owned();
    let hands = vec![HandRow { step: free(), what: free(), team: free(), evidence: EventId(3) }];
    let check = Check { from: free(), before: BuildPhase::Bake, found_in: None, finding: record.findings[0].clone() };
    BuildRecord { hands, by_hand: 1, checks: vec![CheckRow { check, outcome: Outcome::FoundAgain }], ..record }
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
    let software = |delivery| {
        let (from, text, sha256) = (Some(InstanceName(text.to_owned())), text.to_owned(), String::new());
        Detail::Build { seen: Building::Software { delivery, version: 1, sha256, from, text } }
    };
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
        (32, place("quota"), software(Delivery::Refused)),
        (33, place("quota"), software(Delivery::Fetched)),
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
    let came: Vec<&str> = franken.came.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((franken.attempts, came), (2, vec!["names-az1-0"]));
    let names = &told.phases[1].steps[0];
    assert_eq!((names.ready_ns / SECOND, names.begun_ns / SECOND), (5, 25), "it waited twenty seconds");
    assert_eq!(told.flows.len(), 1);
    assert_eq!((told.flows[0].calls, told.flows[0].crossed, told.flows[0].refused), (9, 9, 4));
    let given = told.software.values().map(|row| (row.verified, row.refused)).collect::<Vec<_>>();
    assert_eq!(given, [(1, 1)]);
    let text = page::report(&record("new"), &events("racks of az1")).markdown();
    for word in ["waited 20", "`franken`", "`quota`", "1 value: lost", "░", "Steps that needed a hand: **none**"] {
        assert!(text.contains(word), "{word:?} is missing in:\n{text}");
    }
}

#[test]
fn nothing_from_outside_becomes_markup() {
    for text in ["<script>alert(1)</script>", "`|`\n# no heading", "\u{1b}[31mred", "<b>"] {
        let page = page::report(&by_hand(text), &events(text));
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
    assert!(text(&[by_hand("storage")]).contains("1 act (storage)"), "whose it was: {}", text(&[by_hand("storage")]));
    let better = text(&[build("1", 3), build("2", 0), build("3", 0)]);
    assert!(better.contains("Met by the last 2 builds."), "{better}");
    assert!(text(&[build("1", 0)]).contains("all there are"));
    assert!(text(&[]).contains("Nothing was built yet."));
    let hostile = trend::page(&[build("<script>", 0)]).html();
    assert!(!hostile.contains("<script>"), "{hostile}");
}

#[test]
fn hands_and_open_findings_are_told_with_teams() {
    let told = page::report(&by_hand("new"), &events("new")).markdown();
    for word in
        ["Steps that needed a hand: **1 act**", "(team new; seen in `e3`)", "Open from earlier builds", "found again"]
    {
        assert!(told.contains(word), "{word:?} is missing in:\n{told}");
    }
    let phases = &events("new");
    let seen = reports::build::told(phases);
    assert_eq!(
        [0, 4, 5, 90].map(|at| seen.phase_at(at * SECOND)),
        [BuildPhase::Network, BuildPhase::Network, BuildPhase::Launch, BuildPhase::Launch].map(Some)
    );
}

#[test]
fn what_was_found_stands_open_until_a_later_build_of_the_kind_is_held() {
    let found = BuildRecord { run: "1".to_owned(), found_in: vec![BuildPhase::Bake], ..record("new") };
    let id = found.findings[0].invariant.clone();
    let stands = |records: &[BuildRecord], kind| {
        let open = open(records, kind, "new");
        let of_first = open.into_iter().find(|check| check.finding.invariant == id);
        of_first.map(|check| (check.from, check.before))
    };
    assert_eq!(stands(std::slice::from_ref(&found), Kind::Region), Some(("1".to_owned(), BuildPhase::Bake)));
    assert_eq!(stands(std::slice::from_ref(&found), Kind::Zone), None, "of another kind of build it says nothing");
    let later = |run: &str, verdict| {
        let mut record = BuildRecord { run: run.to_owned(), findings: Vec::new(), ..found.clone() };
        record.invariants.retain(|result| result.id != id);
        let result = scenarios::judgement::InvariantResult { verdict, ..found.invariants[0].clone() };
        record.invariants.push(scenarios::judgement::InvariantResult { id: id.clone(), ..result });
        record
    };
    let whole = |run: &str, verdict| BuildRecord { opened: true, ..later(run, verdict) };
    let (silent, held) = (whole("2", Verdict::NotJudged), whole("3", Verdict::Held));
    // One that was held as far as it got closes nothing, unless it says itself that it got far enough.
    let in_part = later("3", Verdict::Held);
    assert!(stands(&[found.clone(), in_part.clone()], Kind::Region).is_some(), "it ended before");
    for (outcome, is_open) in [(Outcome::Open, true), (Outcome::Gone, false)] {
        let check = Check::new("1", BuildPhase::Bake, &found.findings[0]);
        let asked = BuildRecord { checks: vec![CheckRow { check, outcome }], ..in_part.clone() };
        assert_eq!(stands(&[found.clone(), asked], Kind::Region).is_some(), is_open, "{outcome:?}");
    }
    assert!(stands(&[silent.clone(), found.clone()], Kind::Region).is_some(), "who does not judge closes nothing");
    assert_eq!(stands(&[held.clone(), silent, found.clone()], Kind::Region), None, "in whichever order they are read");
    let again = BuildRecord { run: "4".to_owned(), found_in: Vec::new(), ..found.clone() };
    let last = stands(&[found.clone(), held, again], Kind::Region);
    assert_eq!(last, Some(("4".to_owned(), BuildPhase::Open)), "one that does not say when is asked for at the end");
    let trend = trend::page(&[found]).markdown();
    assert!(trend.contains("Open findings") && trend.contains("asked for before bake"), "{trend}");
}

#[test]
fn a_record_is_read_as_it_was_written_and_a_later_one_is_refused() {
    let one = record("new");
    assert_eq!(from_json(&to_json(&one)), Ok(one.clone()));
    let later = BuildRecord { schema: BUILD_SCHEMA + 1, ..one };
    assert!(from_json(&to_json(&later)).expect_err("it is later").contains("schema 2"));
    assert!(from_json("{}").is_err());
}
