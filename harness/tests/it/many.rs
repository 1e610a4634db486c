//! Owns the claims about commands on many runs, used as somebody would who has just held a few: actions, the weekly
//! review, readiness, pages of services. Runs are simulated.

use crate::documents::{Ended, blackstart, read};
use std::path::Path;

/// Runs blackstart with a folder of runs below `folder`.
fn with_runs(folder: &Path, arguments: &[&str]) -> Ended {
    let runs = folder.join("runs");
    blackstart(&[arguments, &["--runs", runs.to_str().expect("UTF-8")]].concat())
}

fn hold(folder: &Path, arguments: &[&str]) -> Ended {
    let runs = folder.join("runs");
    blackstart(&[&["run", "-q", "--world", "sim", "--out", runs.to_str().expect("UTF-8")], arguments].concat())
}

/// The game day of github-2016 on the repaired graph: what a team does about its correction.
fn repaired(folder: &Path) -> String {
    let game_day = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/game-days/github-2016.toml");
    let text = read(&game_day).replace("graph = \"github-2016\"", "graph = \"github-2016-repaired\"");
    let path = folder.join("github-2016.toml");
    std::fs::write(&path, text).expect("it can be written");
    path.to_str().expect("UTF-8").to_owned()
}

/// The newest run's page.
fn newest_page(folder: &Path, name: &str) -> String {
    let runs = std::fs::read_dir(folder.join("runs")).expect("it is there").flatten();
    let mut pages: Vec<_> = runs.map(|run| run.path().join(name)).filter(|page| page.is_file()).collect();
    pages.sort();
    read(pages.last().expect("a run left one"))
}

#[test]
fn an_action_is_open_verified_and_reopened_by_runs() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let folder = folder.path();
    let repaired = repaired(folder);
    let state = |state: &str| with_runs(folder, &["coe", "actions", "--state", state]).out;
    hold(folder, &["github-2016", "--seed", "1"]);
    assert!(
        state("open").contains("S5 app needs.session-cache") && state("to-do").contains("1 open"),
        "{}",
        state("all")
    );
    assert!(newest_page(folder, "coe.md").contains("found in no other run of the history"));
    hold(folder, &[&repaired, "--seed", "1"]);
    assert!(state("verified").contains("held in ") && state("to-do").contains("no action fits"), "{}", state("all"));
    hold(folder, &["github-2016", "--seed", "2"]);
    assert!(state("reopened").contains("1 reopened") && state("open").contains("no action fits"), "{}", state("all"));
    let page = newest_page(folder, "coe.md");
    assert!(page.contains("found in 1 other run"), "{page}");
    let team = |name: &str| with_runs(folder, &["coe", "actions", "--team", name]).out;
    assert!(team("application").contains("session-cache") && team("traffic").contains("no action fits"));
    assert!(with_runs(folder, &["coe", "actions", "--overdue"]).out.contains("no action fits"), "it is due in 30 days");
}

/// Due on the very day, an action of an old run is overdue: the next report tells it, and keeps the linter's rules.
#[test]
fn what_is_overdue_is_told_in_the_next_report() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let folder = folder.path();
    hold(folder, &["github-2016", "--seed", "1"]);
    let runs = folder.join("runs");
    let run = std::fs::read_dir(&runs).expect("it is there").flatten().find(|run| run.path().join("coe.md").is_file());
    let run = run.expect("a run was held");
    let id = run.file_name().to_string_lossy().into_owned();
    let old = format!("20200101{}", &id[8..]);
    let record = read(&run.path().join("record.json")).replace(&id, &old);
    std::fs::rename(run.path(), runs.join(&old)).expect("it can be renamed");
    std::fs::write(runs.join(&old).join("record.json"), record).expect("it can be written");
    assert_eq!(with_runs(folder, &["history", "--rebuild"]).status, 0);
    let late = with_runs(folder, &["coe", "actions", "--overdue", "--format", "json"]);
    let value: serde_json::Value = serde_json::from_str(&late.out).expect("it is JSON");
    assert!(value["actions"][0]["days_overdue"].as_i64() > Some(2000), "{}", late.out);
    hold(folder, &["minimal", "--seed", "1"]);
    let report = newest_page(folder, "report.md");
    assert!(
        report.contains("- Overdue: ") && report.contains("since 2020-01-31, P1 of team `application`"),
        "{report}"
    );
    assert!(newest_page(folder, "report.html").contains("<li>Overdue: "));
    let pages = std::fs::read_dir(&runs).expect("it is there").flatten();
    let page = pages.map(|run| run.path().join("report.md")).find(|page| page.is_file()).expect("it was held");
    let judged = blackstart(&["coe", "lint", page.to_str().expect("UTF-8")]);
    assert_eq!(judged.status, 0, "{}", judged.out);
    // Rendered again, it says the same of other runs.
    let again = blackstart(&["report", page.parent().and_then(Path::to_str).expect("UTF-8"), "--format", "coe"]);
    assert!(again.out.contains("- Overdue: "), "{}", again.out);
}

#[test]
fn reviews_and_pages_are_written_where_they_are_asked_for() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let folder = folder.path();
    let out = folder.join("out");
    let out = out.to_str().expect("UTF-8");
    hold(folder, &["github-2016", "minimal", "--seed", "1"]);
    let today = newest_page(folder, "record.json");
    let run = reports::record::from_json(&today).expect("it is a record").run;
    let week = reports::week::Week::of(reports::policy::Date::of_run(&run).expect("its id has a day")).to_string();
    let review = with_runs(folder, &["ops-review", "--week", &week, "--out", out]);
    assert_eq!((review.status, review.out.lines().count()), (0, 2), "{}", review.err);
    for path in review.out.lines() {
        assert!(read(Path::new(path)).contains("2 runs: 1 held, 1 violated"), "{path}");
    }
    let readiness = with_runs(folder, &["orr", "github-2016", "--out", out]);
    assert_eq!(readiness.status, 0, "{}", readiness.err);
    let page = read(&folder.join("out/orr-github-2016.md"));
    assert!(page.contains("| `app` | V·· |") && page.contains("never tested"), "{page}");
    let elsewhere = ["orr", "github-2016", "--topology", "run-instances-300-zones", "--out", out];
    assert_eq!(with_runs(folder, &elsewhere).status, 0);
    let pages = with_runs(folder, &["docs", "github-2016", "--out", out]);
    assert!(pages.status == 0 && pages.out.starts_with("6 pages in "), "{}", pages.err);
    assert!(pages.err.contains("orr-github-2016.md is no page of this graph"), "{}", pages.err);
    let app = read(&folder.join("out/app.md"));
    assert!(app.contains("does not answer") && app.contains("## When a dependency is gone"), "{app}");
    assert_eq!(with_runs(folder, &["docs", "github-2016", "--out", out]).status, 0);
    assert_eq!(read(&folder.join("out/app.md")), app, "the same bytes again");
}

#[test]
fn without_runs_nothing_is_measured_and_mistakes_are_told() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let folder = folder.path();
    let out = folder.join("out");
    let out = out.to_str().expect("UTF-8");
    let pages = with_runs(folder, &["docs", "run-instances-300", "--out", out]);
    assert!(pages.status == 0 && pages.out.starts_with("301 pages"), "{}", pages.err);
    assert!(pages.err.contains("nothing is measured"), "{}", pages.err);
    let readiness = with_runs(folder, &["orr", "run-instances-300", "--out", out]);
    assert_eq!(readiness.status, 0, "{}", readiness.err);
    assert!(read(&folder.join("out/orr-run-instances-300.md")).contains("0 of 15300 pairs"));
    assert!(!folder.join("runs").exists(), "a folder that is not there is not made");
    let cases: [(&[&str], &str); 5] = [
        (&["docs", "nope"], "there is no built-in graph `nope`"),
        (&["orr", "minimal", "--topology", "nope"], "there is no built-in topology `nope`"),
        (&["ops-review", "--week", "2026-47"], "is no week such as 2026-W47"),
        (&["coe", "actions"], "there is no folder of runs"),
        (&["ops-review"], "there is no folder of runs"),
    ];
    for (arguments, told) in cases {
        let ended = with_runs(folder, arguments);
        assert!(ended.status == 64 && ended.err.contains(told), "{arguments:?}: {} {}", ended.status, ended.err);
    }
}
