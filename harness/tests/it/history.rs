//! Owns the claims about the history of runs: every run is in it, it is the same when made anew from the records, it is
//! never a reason to lose a run, and several processes may write it at once. Runs are simulated.

use crate::documents::{blackstart, read};
use harness::history::{FILE, Filter, History};
use std::path::Path;
use std::process::{Command, Stdio};

fn run(out: &Path, arguments: &[&str]) -> crate::documents::Ended {
    let out = out.to_str().expect("a path of ours is UTF-8");
    blackstart(&[&["run", "--quiet", "--world", "sim", "--out", out], arguments].concat())
}

fn history(out: &Path, arguments: &[&str]) -> crate::documents::Ended {
    let out = out.to_str().expect("a path of ours is UTF-8");
    blackstart(&[&["history", "--runs", out], arguments].concat())
}

fn ids(text: &str) -> Vec<String> {
    let value: serde_json::Value = serde_json::from_str(text).expect("it is JSON");
    let runs = value["runs"].as_array().expect("it is a list");
    runs.iter().map(|run| run["run"].as_str().expect("it is a text").to_owned()).collect()
}

#[test]
fn every_run_is_entered_listed_and_filtered() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let out = folder.path();
    run(out, &["minimal", "github-2016", "--seed", "7", "--label", "first"]);
    run(out, &["minimal", "--seed", "8"]);
    let all = history(out, &[]);
    assert_eq!((all.status, all.err.as_str()), (0, ""));
    for part in
        ["minimal", "github-2016", "violated", "held", "first", "minimal in sim, the oldest first", "HH  verdicts"]
    {
        assert!(all.out.contains(part), "{part}: {}", all.out);
    }
    let count = |arguments: &[&str]| ids(&history(out, &[arguments, &["--format", "json"]].concat()).out).len();
    let filters: [(&[&str], usize); 9] = [
        (&[], 3),
        (&["minimal"], 2),
        (&["minimal", "github-2016"], 3),
        (&["--verdict", "violated"], 1),
        (&["--label", "first"], 2),
        (&["--world", "docker"], 0),
        (&["--since", "2999-01-01"], 0),
        (&["--until", "1999-01-01"], 0),
        (&["--limit", "1"], 1),
    ];
    for (arguments, expected) in filters {
        assert_eq!(count(arguments), expected, "{arguments:?}");
    }
    // By time, also within one second: the newest first.
    let runs = ids(&history(out, &["--format", "json"]).out);
    let newest = reports::record::from_json(&read(&out.join(&runs[0]).join("record.json"))).expect("it is a record");
    assert_eq!((newest.scenario.as_str(), newest.seed), ("minimal", 8));
    assert!(history(out, &["--format", "html"]).out.contains("<svg role=\"img\""));
    assert!(history(out, &["--format", "markdown"]).out.starts_with("# Game days\n"));
}

#[test]
fn it_is_the_same_when_made_anew_and_of_an_earlier_form_it_is_made_anew() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let out = folder.path();
    run(out, &["github-2016", "minimal", "--seed", "3"]);
    let entries = || History::open(out).expect("it opens").all().expect("it is read");
    let before = entries();
    assert_eq!(before.len(), 2);
    assert!(before.iter().any(|entry| !entry.gone.is_empty()), "{before:?}");
    assert_eq!(history(out, &["--rebuild"]).status, 0);
    assert_eq!(entries(), before);
    std::fs::remove_file(out.join(FILE)).expect("it can be removed");
    assert_eq!(entries(), before, "where there is none it is made");
    let connection = rusqlite::Connection::open(out.join(FILE)).expect("it opens");
    connection.execute_batch("DELETE FROM runs; PRAGMA user_version = 0;").expect("it can be spoilt");
    drop(connection);
    assert_eq!(entries(), before, "of an earlier form it is made anew");
    // A record that cannot be read is told and hides no other.
    let broken = out.join("20200101T000000Z-000000");
    std::fs::create_dir(&broken).expect("it can be made");
    std::fs::write(broken.join("record.json"), "{}").expect("it can be written");
    let rebuilt = history(out, &["--rebuild"]);
    assert_eq!(rebuilt.status, 2);
    assert!(
        rebuilt.err.contains("20200101T000000Z-000000") && rebuilt.out.contains("2 runs entered"),
        "{}",
        rebuilt.err
    );
    assert_eq!(entries(), before);
}

#[test]
fn a_history_that_cannot_be_used_loses_no_run() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let out = folder.path().join("runs");
    std::fs::create_dir_all(out.join(FILE)).expect("it can be made");
    let ended = run(&out, &["minimal", "--seed", "1", "--format", "json"]);
    assert_eq!(ended.status, 0, "{}", ended.err);
    reports::record::from_json(&ended.out).expect("the record is printed");
    let loud = blackstart(&["run", "--world", "sim", "--out", out.to_str().expect("UTF-8"), "minimal", "--seed", "1"]);
    assert!(loud.err.contains("not in the history") && loud.err.contains("--rebuild"), "{}", loud.err);
    let foreign = folder.path().join("foreign");
    std::fs::create_dir(&foreign).expect("it can be made");
    let connection = rusqlite::Connection::open(foreign.join(FILE)).expect("it opens");
    connection.execute_batch("CREATE TABLE mine (x); INSERT INTO mine VALUES (1);").expect("it can be written");
    let refused = history(&foreign, &["--rebuild"]);
    assert_eq!(refused.status, 2);
    assert!(refused.err.contains("no history of blackstart"), "{}", refused.err);
    let kept: u32 = connection.query_row("SELECT count(*) FROM mine", [], |row| row.get(0)).expect("it is there");
    assert_eq!(kept, 1);
    connection.execute_batch("PRAGMA application_id = 1651209076; PRAGMA user_version = 99;").expect("it is ours now");
    let later = history(&foreign, &[]);
    assert!(later.status == 2 && later.err.contains("a later blackstart"), "{}", later.err);
}

#[test]
fn many_processes_enter_and_rebuild_at_once_and_none_is_lost() {
    const PROCESSES: usize = 8;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let out = folder.path().to_str().expect("UTF-8");
    let start = |arguments: &[&str]| {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("blackstart"));
        command.args(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it can be started")
    };
    let mut children = Vec::new();
    for number in 0..PROCESSES {
        let seed = number.to_string();
        children.push(start(&["run", "--world", "sim", "--out", out, "minimal", "minimal", "--seed", &seed]));
        children.push(start(&["history", "--runs", out, "--rebuild"]));
    }
    for child in children {
        let output = child.wait_with_output().expect("it ends");
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && !err.contains("history"), "{err}");
    }
    let (runs, _) = History::open(folder.path()).expect("it opens").select(&Filter::default()).expect("it is read");
    assert_eq!(runs.len(), 2 * PROCESSES);
}

/// Ten runs under a label, with these seeds.
fn ten(out: &Path, scenario: &str, label: &str, seeds: std::ops::Range<u64>) {
    for seed in seeds {
        run(out, &[scenario, "--label", label, "--seed", &seed.to_string()]);
    }
}

/// The built-in graph with hosts that serve later: what a slower start looks like.
fn slow_files(folder: &Path) -> String {
    let game_days = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/game-days");
    let topology = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/topologies/us-test-1.toml");
    let slower = read(&topology).replace("min = \"50ms\", max = \"250ms\"", "min = \"450ms\", max = \"650ms\"");
    assert_ne!(slower, read(&topology), "the topology says it in other words");
    std::fs::write(folder.join("us-test-1.toml"), slower).expect("it can be written");
    std::fs::copy(game_days.join("minimal.toml"), folder.join("minimal.toml")).expect("it can be copied");
    folder.join("minimal.toml").to_str().expect("UTF-8").to_owned()
}

#[test]
fn a_slower_build_is_a_regression_and_the_same_one_is_none() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let out = folder.path().join("runs");
    ten(&out, "minimal", "one", 1..11);
    ten(&out, "minimal", "two", 11..21);
    let same = history(&out, &["minimal", "--against", "last-held"]);
    assert_eq!(same.status, 0, "{}{}", same.out, same.err);
    assert!(same.out.starts_with("no regression\n") && same.out.contains("10 runs"), "{}", same.out);
    let slow = slow_files(folder.path());
    ten(&out, &slow, "slow", 1..11);
    // The last that was held is of the label before; with the same seeds it is plainer still.
    for against in ["last-held", "label:one"] {
        let worse = history(&out, &["--against", against]);
        assert_eq!(worse.status, 1, "{}{}", worse.out, worse.err);
        assert!(worse.out.starts_with("REGRESSION: slowest return × "), "{}", worse.out);
        assert_eq!(worse.out.contains("Runs of the same seed"), against == "label:one", "{}", worse.out);
    }
    let back = history(&out, &["--now", "label:one", "--against", "label:slow", "--format", "json"]);
    assert_eq!(back.status, 0);
    let value: serde_json::Value = serde_json::from_str(&back.out).expect("it is JSON");
    assert_eq!(value["comparison"]["outcome"], "better");
}

#[test]
fn what_cannot_be_compared_is_told() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let out = folder.path();
    run(out, &["minimal", "github-2016", "--seed", "1"]);
    run(out, &["minimal", "--seed", "2"]);
    let few = history(out, &["minimal", "--against", "last-held"]);
    assert_eq!(few.status, 3, "{}", few.out);
    assert!(few.out.starts_with("too few runs to tell: 1 against 1"), "{}", few.out);
    let runs = ids(&history(out, &["--format", "json"]).out);
    let cases: [(&[&str], &str); 6] = [
        (&["github-2016", "--against", "last-held"], "was held before"),
        (&["--against", "label:none"], "has the label `none`"),
        (&["--against", "nowhere"], "there is no one run `nowhere`"),
        (&["minimal", "--against", &runs[0]], "is in both sets"),
        (&["minimal", "--against", &runs[1]], "not comparable"),
        (&["minimal", "--against", "last-held", "--now", "last-held"], "is the older set"),
    ];
    for (arguments, told) in cases {
        let ended = history(out, arguments);
        assert!(ended.status == 64 && ended.err.contains(told), "{arguments:?}: {}", ended.err);
        assert!(ended.err.contains("help: "), "{}", ended.err);
    }
    let nowhere = blackstart(&["history", "--runs", "/nowhere/runs"]);
    assert!(nowhere.status == 64 && nowhere.err.contains("no folder of runs"), "{}", nowhere.err);
    assert!(!Path::new("/nowhere").exists());
}
