//! Owns the claims on `blackstart try` that need no engine: bad input is told whole, the schema says what is written, the graph
//! is one that `check` takes. Refuses to try an image.

use reports::trial::{Head, TrialRecord, fragment, junit, table};
use scenarios::trial::{Asked, Bounds, Dependency, Exit, Experiment, Knock, Play, Purpose, Reply, Step};
use std::process::Command;

fn knock(name: &str, port: u16, udp: bool) -> Knock {
    let dependency = Dependency { name: name.to_owned(), port, udp };
    Knock { dependency, times: 2, first_ms: 1, last_ms: 9, request: Some("GET /<x>".to_owned()), allowed: false }
}

/// A record with every field filled, and names that no service could have.
fn record() -> TrialRecord {
    let bounds = Bounds {
        start_within_ms: 1,
        answer_within_ms: 1,
        heal_within_ms: 1,
        absence_ms: 1,
        has_call: true,
        has_liveness: true,
        telemetry: vec!["x".to_owned()],
    };
    let mut asked = Asked::default();
    asked.count(&Reply::Well, 1, 1);
    asked.count(&Reply::Error("HTTP 503: \u{1b}[31m \"no\"".to_owned()), 1, 1);
    let names = [("DB.prod.example", 5432), ("db-prod-example", 1), ("10.0.0.9", 80), ("_srv._tcp.x", 0), ("ünï\"", 1)];
    let knocks: Vec<Knock> = names.iter().map(|(name, port)| knock(name, *port, *port == 80)).collect();
    let step = Step {
        play: Play::Refuse,
        only: vec!["x".to_owned()],
        began_ms: 0,
        ended_ms: 9,
        probe: asked.clone(),
        call: asked.clone(),
        liveness: asked,
        knocks,
    };
    let exit = Some(Exit { at_ms: 9, status: 1, last_line: "no".to_owned() });
    let experiments =
        [Purpose::Control, Purpose::Missing { play: Play::Vanish }, Purpose::Edge { name: "10.0.0.9".to_owned() }];
    let experiments =
        experiments.map(|purpose| Experiment { purpose, steps: vec![step.clone()], exit: exit.clone() }).to_vec();
    let head = Head { service: "Web Shop".to_owned(), image: "shop/web:1".to_owned(), ..Head::default() };
    TrialRecord::of(head, bounds, experiments, vec!["so".to_owned()])
}

#[test]
fn the_schema_is_that_of_the_record() {
    let text = format!("{:#}\n", serde_json::to_value(fixtures::schema::of::<TrialRecord>()).expect("it is JSON"));
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/schemas/trial.schema.json");
    if std::env::var_os("BLACKSTART_BLESS").is_some() {
        std::fs::write(&path, &text).expect("it is written");
    }
    assert_eq!(std::fs::read_to_string(&path).ok(), Some(text), "rewrite it with BLACKSTART_BLESS=1 cargo test");
    let record = record();
    let again: TrialRecord = serde_json::from_str(&reports::trial::to_json(&record)).expect("what is written is read");
    assert_eq!(again, record);
}

#[test]
fn the_graph_is_one_that_check_takes_whatever_names_there_were() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("graph.toml");
    let record = record();
    std::fs::write(&path, fragment::render(&record)).expect("it is written");
    let check =
        Command::new(assert_cmd::cargo::cargo_bin("blackstart")).arg("check").arg(&path).output().expect("it runs");
    let told = String::from_utf8_lossy(&check.stderr).into_owned() + &String::from_utf8_lossy(&check.stdout);
    assert_ne!(check.status.code(), Some(64), "{told}");
    assert_eq!(record.edges.len(), 5);
    assert!(!table::render(&record, false).contains('\u{1b}') && junit::render(&record).contains("S1 comes to answer"));
}

#[test]
fn bad_input_is_told_whole() {
    let run = |arguments: &[&str]| {
        let output = Command::new(assert_cmd::cargo::cargo_bin("blackstart")).arg("try").args(arguments).output();
        let output = output.expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (status, told) =
        run(&["x", "--env", "A", "--file", "b=c", "--file", "/b=/not/there", "--play", "n=999", "--play", "n"]);
    assert_eq!((status, told.matches("error: ").count()), (Some(64), 5), "{told}");
    for (flag, value) in [("--allow", "auth"), ("--probe", "8080"), ("--call", "http://db:80/"), ("--absence", "5")] {
        let (status, told) = run(&["x", flag, value]);
        assert!(status == Some(64) && told.contains(value), "{flag} {value}: {told}");
    }
}
