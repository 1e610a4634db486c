//! Owns the claims about what a run takes for granted: a verdict that hangs on an assumed value says so, what a file says is
//! never doubted, and the time for trials is kept. Runs are simulated; refuses to start containers.

use harness::assumptions::tried;
use harness::load::{self, Loaded};
use reports::assumptions::flips;
use reports::record::Assumptions;
use scenarios::verdict::Verdict;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A cache that boots late, and an application that asks for it eight times and then never again: whether it comes back
/// hangs on how long it waits between two asks.
const DAY: &str = r#"
name = "late-cache"
topology = "us-test-1"
graph = "hasty"
[traffic]
rate = "10/s"
[steady-state]
availability = "95%"
[windows]
baseline = "4s"
shift = "2s"
recovery = "12s"
quiet = "3s"
[[faults]]
name = "az1-dark"
power-off = { zones = ["az1"] }
lasts = "6s"
[[faults]]
name = "cache-late"
boot = { zones = ["az1"], services = ["cache"], late = "1500ms" }
at = "2s"
lasts = "10s"
"#;

const GRAPH: &str = r#"
name = "hasty"
entry = { service = "app" }
[[services]]
name = "app"
team = "application"
needs = [{ kind = "session-cache", from = "cache", attempts = 8 }]
[[services]]
name = "cache"
team = "storage"
"#;

const SEED: u64 = 7;

fn loaded(folder: &Path, graph: &str) -> Loaded {
    std::fs::write(folder.join("late-cache.toml"), DAY).expect("it can be written");
    std::fs::write(folder.join("hasty.toml"), graph).expect("it can be written");
    load::scenario(folder.join("late-cache.toml").to_str().expect("UTF-8"), false).expect("it is right")
}

fn of(graph: &str, verdict: Verdict, within: Duration) -> Assumptions {
    let folder = tempfile::tempdir().expect("a folder can be made");
    tried(&loaded(folder.path(), graph), SEED, verdict, within).expect("the simulator works")
}

#[test]
fn a_verdict_that_hangs_on_an_assumed_value_says_so() {
    let assumptions = of(GRAPH, Verdict::Violated, Duration::MAX);
    let flips: Vec<String> = flips(&assumptions)
        .iter()
        .map(|row| format!("{} {} instead of {}: {}", row.parameter, row.instead, row.assumed, row.verdict.word()))
        .collect();
    assert_eq!(flips, ["needs.backoff 100ms growing to 1s instead of 50ms growing to 500ms: held"]);
    assert!(assumptions.untried.is_empty() && assumptions.trials.len() > 10, "{assumptions:?}");
}

#[test]
fn what_a_file_says_is_not_tried() {
    let said = GRAPH.replace("attempts = 8", "attempts = 8, backoff = { base = \"50ms\", cap = \"500ms\" }");
    let assumptions = of(&said, Verdict::Violated, Duration::MAX);
    assert!(flips(&assumptions).is_empty());
    let parameters: Vec<&str> = assumptions.trials.iter().map(|row| row.parameter.as_str()).collect();
    assert!(!parameters.contains(&"needs.backoff") && parameters.contains(&"needs.timeout"), "{parameters:?}");
}

#[test]
fn without_time_every_parameter_is_named_as_not_tried() {
    let assumptions = of(GRAPH, Verdict::Violated, Duration::ZERO);
    assert!(assumptions.trials.is_empty());
    assert!(assumptions.untried.iter().any(|row| row.parameter == "needs.backoff"), "{assumptions:?}");
}

#[test]
fn a_twin_with_another_verdict_is_no_witness() {
    let assumptions = of(GRAPH, Verdict::Held, Duration::MAX);
    assert!(assumptions.trials.is_empty() && flips(&assumptions).is_empty());
    assert!(assumptions.untried.iter().all(|row| row.reason.contains("violated")), "{assumptions:?}");
}

#[test]
fn a_run_tells_it_in_its_record_and_its_pages() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let _ready = loaded(folder.path(), GRAPH);
    let out = folder.path().join("runs");
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("blackstart"));
    command.args(["run", "--quiet", "--world", "sim", "--seed", &SEED.to_string(), "--out"]).arg(&out);
    let output = command.arg(folder.path().join("late-cache.toml")).output().expect("it can be started");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let mut entries = std::fs::read_dir(&out).expect("it was made").flatten().map(|entry| entry.path());
    let run = entries.find(|entry| entry.is_dir()).expect("it left a run");
    let read = |name: &str| std::fs::read_to_string(run.join(name)).expect("it was written");
    let record = reports::record::from_json(&read("record.json")).expect("it is a record");
    assert!(record.parameters["needs.backoff"].origin == reports::record::Origin::Assumed);
    assert!(record.parameters["windows.recovery"].origin == reports::record::Origin::Declared);
    assert!(read("coe.md").contains("| `needs.backoff` | 50ms growing to 500ms | 100ms growing to 1s | held |"));
    assert!(read("coe.html").contains("An assumption decides"));
}
