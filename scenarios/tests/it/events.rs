//! Claims about the event file's lines.

use fixtures::name::{HostName, InstanceName, ServiceName, ZoneName};
use scenarios::build::observed::Building;
use scenarios::event::{
    Act, AlarmCause, Asked, By, Detail, Event, EventId, HostChange, Life, NeedOutcome, OperationOutcome, Phase, Place,
    ScaleCause, WriteOutcome,
};
use scenarios::verdict::Verdict;
use std::collections::BTreeMap;

fn step_done(step: String, fault: String, host: HostName) -> Detail {
    Detail::StepDone {
        step,
        fault,
        act: Act::Heal,
        what: String::new(),
        method: "cgroup.kill".into(),
        skew_ns: 7,
        hosts: vec![host],
        unsynced_lost: vec![ZoneName::new("az1").expect("a name")],
        torn: vec![HostName("db-az1-0".to_owned())],
    }
}

fn every_detail() -> Vec<(&'static str, Detail)> {
    let (host, instance) = (HostName("az1-api-0".into()), InstanceName("api-az1-0".into()));
    let service = ServiceName::new("cache").expect("a name");
    let (step, fault) = ("r0.dark.inject".to_owned(), "dark".to_owned());
    let failed = BTreeMap::from([("missing:cache".to_owned(), 2)]);
    vec![
        ("phase", Detail::Phase { phase: Phase::ReadBack, round: 1 }),
        (
            "step-intent",
            Detail::StepIntent {
                step: step.clone(),
                fault: fault.clone(),
                act: Act::Inject,
                hosts: vec![host.clone()],
            },
        ),
        ("step-done", step_done(step, fault.clone(), host)),
        (
            "fault-effect",
            Detail::FaultEffect {
                fault,
                holds: false,
                expected: 2,
                dead: 1,
                answering: vec![instance.clone()],
                text: "211 ms a round trip".into(),
                asked: BTreeMap::from([("latency_ms".to_owned(), 200.0)]),
                measured: BTreeMap::from([("latency_ms".to_owned(), 210.5)]),
            },
        ),
        ("host", Detail::Host { change: HostChange::OutOfMemory, note: "137".into() }),
        ("state", Detail::State { to: Life::Serving, degraded: true, missing: vec![service.clone()] }),
        (
            "need",
            Detail::Need {
                need: "certificate".into(),
                from: service.clone(),
                outcome: NeedOutcome::GaveUp,
                attempts: 5,
            },
        ),
        ("call", Detail::Call { to: service, sent: 9, failed: failed.clone(), hard: true }),
        (
            "canary",
            Detail::Canary {
                control: true,
                seq: 3,
                window_ns: 500,
                sent: 5,
                ok: 2,
                degraded: 1,
                failed,
                latency_us: vec![(1000, 3)],
                retries: 4,
                operations: BTreeMap::from([("buy".to_owned(), Asked { sent: 2, ok: 1, ..Asked::default() })]),
            },
        ),
    ]
}

/// Further kinds.
fn further_details(instance: InstanceName) -> Vec<(&'static str, Detail)> {
    vec![
        ("probe", Detail::Probe { outcome: Life::Starting, cause: "refused".into(), took_us: 12 }),
        ("write", Detail::Write { key: "k1".into(), outcome: WriteOutcome::ReadBack, stored_at: vec![instance] }),
        ("metrics", Detail::Metrics { dropped: 4 }),
        (
            "alarm",
            Detail::Alarm {
                about_zone: Some(ZoneName::new("az2").expect("a name")),
                about: ServiceName::new("store").expect("a name"),
                raised: true,
                cause: Some(AlarmCause::NoData),
                failed: 0,
                requests: 0,
            },
        ),
        (
            "scaled",
            Detail::Scaled {
                group: ServiceName::new("web").expect("a name"),
                from: 2,
                to: 1,
                cause: ScaleCause::NoData,
            },
        ),
        (
            "arrived",
            Detail::Arrived {
                over_ns: 5,
                received: 4,
                again: 3,
                refused: 1,
                late: 2,
                needs: 0,
                denied: 0,
                postponed: 0,
            },
        ),
        ("tap", Detail::Tap { operation: "create".into(), calls: 3, refused: 2 }),
        (
            "operation",
            Detail::Operation {
                key: "register-0".into(),
                write: Some("1-2".into()),
                read: None,
                began_ns: 5,
                outcome: OperationOutcome::Unknown,
            },
        ),
        ("build", Detail::Build { seen: Building::Landed {} }),
        ("intervention", Detail::Intervention { action: "exec_create".into() }),
        ("invariant", Detail::Invariant { invariant: "S5".into(), verdict: Verdict::NotJudged }),
        ("caveat", Detail::Caveat { code: "oom".into(), text: "a process was killed".into() }),
        ("residue", Detail::Residue { object: "network".into(), name: "bs-az1".into() }),
    ]
}

#[test]
fn every_kind_of_event_survives_its_line() {
    let full = Place {
        zone: Some(ZoneName::new("az1").expect("a name")),
        host: Some(HostName("az1-api-0".into())),
        service: Some(ServiceName::new("api").expect("a name")),
        instance: Some(InstanceName("api-az1-0".into())),
    };
    for by in [By::Witness, By::Canary, By::Own, By::Callee, By::Engine, By::Hand, By::Controller] {
        for (kind, detail) in every_detail().into_iter().chain(further_details(InstanceName("store-az1-0".into()))) {
            for place in [Place::default(), full.clone()] {
                let event = Event {
                    id: EventId(17),
                    t_ns: u64::MAX,
                    utc: "2026-01-02T03:04:05.678Z".into(),
                    by,
                    place,
                    detail: detail.clone(),
                };
                let line = serde_json::to_string(&event).expect("an event is JSON");
                assert!(line.contains(&format!("\"kind\":\"{kind}\"")), "{line}");
                assert!(line.starts_with("{\"id\":\"e17\","), "{line}");
                let back: Event = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
                assert_eq!(back, event);
            }
        }
    }
}

#[test]
fn lines_of_before_there_was_anything_but_power_and_one_operation_still_read() {
    let head = r#"{"id":"e1","t_ns":5,"utc":"","by":"hand","#;
    let done = r#""kind":"step-done","step":"s","fault":"f","act":"heal","method":"m","skew_ns":7,"hosts":[]}"#;
    let look = r#""kind":"fault-effect","fault":"f","holds":true,"expected":2,"dead":2,"answering":[]}"#;
    let canary = r#""kind":"canary","control":false,"seq":3,"window_ns":5,"sent":1,"ok":1,"degraded":0,"failed":{},"latency_us":[]}"#;
    for tail in [done, look, canary] {
        let line = format!("{head}{tail}");
        let event: Event = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(serde_json::to_string(&event).expect("an event is JSON"), line, "nothing is added to it either");
    }
    let step = r#"{"id":"r0.f.heal","fault":"f","act":"heal","at_ms":5,"hosts":[],"changes":[],"pair":"r0.f.inject"}"#;
    let step: scenarios::plan::Step = serde_json::from_str(step).expect("a step of an earlier plan reads");
    assert!(step.is_power() && step.begins_recovery());
}

#[test]
fn self_is_the_word_for_own() {
    assert_eq!(serde_json::to_string(&By::Own).expect("JSON"), "\"self\"");
}

#[test]
fn wrong_event_ids_are_refused() {
    for text in ["\"17\"", "\"e\"", "\"ex\"", "17"] {
        assert!(serde_json::from_str::<EventId>(text).is_err(), "{text}");
    }
}
