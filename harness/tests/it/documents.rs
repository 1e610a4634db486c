//! Owns the claims about what runs leave for people and for CI: corrections that keep the linter's rules and name the
//! culprit, one combined result, a ledger that accepts and fails. Runs are simulated; refuses to start containers.

use clap::Parser;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) struct Ended {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn blackstart(arguments: &[&str]) -> Ended {
    let mut command: Command = Command::new(assert_cmd::cargo::cargo_bin!("blackstart"));
    let output = command.args(arguments).env("NO_COLOR", "1").output().expect("it can be started");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    Ended { status: output.status.code().expect("it exits"), out: text(output.stdout), err: text(output.stderr) }
}

/// Holds scenarios in virtual time; the runs' folders by name.
fn held(out: &Path, arguments: &[&str]) -> (Ended, Vec<PathBuf>) {
    let out_text = out.to_str().expect("a path of ours is UTF-8");
    let ended =
        blackstart(&[&["run", "--quiet", "--world", "sim", "--seed", "7", "--out", out_text], arguments].concat());
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(out).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default();
    folders.retain(|folder| folder.join("record.json").is_file());
    // By scenario: of two runs in one second the ids do not say which was first.
    folders.sort_by_key(|folder| scenario(folder));
    (ended, folders)
}

fn scenario(run: &Path) -> String {
    reports::record::from_json(&read(&run.join("record.json"))).expect("it is a record").scenario
}

pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every pair of the built-in fixtures, incidents among them: the correction names the culprit that the graph's page names,
/// and the repaired twin needs none.
#[test]
fn every_violated_day_leaves_a_correction_without_a_breach() {
    for pair in harness::matrix::pairs::all() {
        let (scenario, twin) = (pair.scenario, pair.twin());
        let folder = tempfile::tempdir().expect("a folder can be made");
        let (ended, runs) = held(folder.path(), &[scenario, &twin]);
        assert_eq!(ended.status, 1, "{}", ended.err);
        let page = runs[0].join("coe.md");
        let text = read(&page);
        let culprits =
            text.split("## Culprits").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("it is there");
        for expected in &pair.expected {
            assert!(culprits.contains(&expected.setting), "{scenario}: {}: {culprits}", expected.setting);
        }
        let whys = text.split("## Whys").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("it is there");
        let longest = whys
            .split("### ")
            .map(|chain| chain.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).count())
            .max();
        assert!(longest >= Some(5), "{scenario}: {whys}");
        let twin = runs[1].join("report.md");
        for page in [&page, &twin] {
            let judged = blackstart(&["coe", "lint", page.to_str().expect("UTF-8")]);
            assert_eq!((judged.status, judged.err.as_str()), (0, ""), "{}", judged.out);
        }
        assert!(read(&runs[0].join("coe.html")).contains("v-violated"));
        assert!(read(&runs[1].join("report.html")).contains("v-held"));
        assert!(!runs[1].join("coe.md").exists(), "a held run needs no correction");
    }
}

#[test]
fn an_edited_correction_is_judged() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let (_, runs) = held(folder.path(), &["github-2016"]);
    let page = runs[0].join("coe.md");
    let edited = read(&page).replace("which can be changed", "a human error by @jm");
    std::fs::write(&page, edited).expect("it can be written");
    let judged = blackstart(&["coe", "lint", page.to_str().expect("UTF-8")]);
    assert_eq!(judged.status, 1);
    assert!(judged.out.contains("last-why: `human error`") && judged.out.contains("person: `@jm`"), "{}", judged.out);
    assert_eq!(blackstart(&["coe", "lint", "nowhere.md"]).status, 64);
}

#[test]
fn a_folder_of_scenarios_leaves_one_result() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let days = folder.path().join("days");
    std::fs::create_dir(&days).expect("it can be made");
    let game_days = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/game-days");
    for name in ["github-2016", "github-2016-repaired"] {
        std::fs::copy(game_days.join(format!("{name}.toml")), days.join(format!("{name}.toml")))
            .expect("it can be copied");
    }
    // What is no scenario is passed over.
    let graphs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/graphs");
    std::fs::copy(graphs.join("minimal.toml"), days.join("minimal.toml")).expect("it can be copied");
    let out = folder.path().join("runs");
    let (ended, runs) = held(&out, &[days.to_str().expect("UTF-8")]);
    assert_eq!((ended.status, runs.len()), (1, 2), "{}", ended.err);
    let result: serde_json::Value = serde_json::from_str(&read(&out.join("combined/result.json"))).expect("it is JSON");
    assert_eq!((result["verdict"].as_str(), result["status"].as_u64()), (Some("violated"), Some(1)));
    let verdicts: Vec<&str> =
        result["runs"].as_array().expect("a list").iter().filter_map(|run| run["verdict"].as_str()).collect();
    assert_eq!(verdicts, ["held", "violated"], "in the order of the files, -repaired first");
    assert_eq!(read(&out.join("combined/junit.xml")).matches("<testsuite ").count(), 2);
    assert!(read(&out.join("combined/summary.md")).contains("1 of 2 game days held"));
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).expect("it can be made");
    assert_eq!(held(&out, &[empty.to_str().expect("UTF-8")]).0.status, 64);
}

#[test]
fn a_known_gap_does_not_fail_until_its_day_or_until_it_has_gone() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let ledger = folder.path().join("gaps.toml");
    let entry = |scenario: &str, until: &str| {
        format!(
            "[[gaps]]\nscenario = '{scenario}'\ninvariant = 'S5'\nservice = 'app'\nowner = 'application'\nuntil = '{until}'\nreason = 'r'\n"
        )
    };
    let with = |text: &str, scenario: &str| {
        std::fs::write(&ledger, text).expect("it can be written");
        held(&folder.path().join("runs"), &[scenario, "--known-gaps", ledger.to_str().expect("UTF-8")]).0
    };
    let accepted = with(&entry("github-2016", "2999-12-31"), "github-2016");
    assert_eq!(accepted.status, 0, "{}{}", accepted.out, accepted.err);
    assert!(accepted.out.contains("VIOLATED"), "it is still shown: {}", accepted.out);
    assert_eq!(with(&entry("github-2016", "2001-01-31"), "github-2016").status, 1, "its day has passed");
    assert_eq!(with(&entry("github-2016-repaired", "2999-12-31"), "github-2016-repaired").status, 1, "it has gone");
    let bad = with("[[gaps]]\nowner = 'x'\n", "github-2016");
    assert_eq!(bad.status, 64);
    assert!(bad.err.contains("gaps.toml") && bad.err.contains("`until`"), "{}", bad.err);
}

#[test]
fn static_findings_are_told_to_programs() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("day.toml");
    std::fs::write(&path, "name = 'day'\ncolour = 'red'\n").expect("it can be written");
    let path = path.to_str().expect("UTF-8");
    let scan = blackstart(&["check", "--format", "sarif", path, "nowhere.toml"]);
    assert_eq!((scan.status, scan.err.as_str()), (64, ""));
    let log: serde_json::Value = serde_json::from_str(&scan.out).expect("it is JSON");
    let rules: Vec<&str> =
        log["runs"][0]["results"].as_array().expect("a list").iter().filter_map(|one| one["ruleId"].as_str()).collect();
    assert!(rules.contains(&"unknown-key") && rules.contains(&"unreadable"), "{rules:?}");
    let fine = blackstart(&["check", "--format", "json", "github-2016"]);
    assert_eq!((fine.status, fine.out.trim()), (0, "{\n  \"findings\": []\n}"));
}

/// The jobs in the docs cannot be run here; their command lines can be held to what the executable takes.
#[test]
fn the_jobs_in_the_docs_call_blackstart_as_it_is() {
    let mut calls = 0;
    for file in ["github.yml", "gitlab.yml"] {
        let text = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ci").join(file));
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            let Some((before, rest)) = line.split_once("blackstart ") else { continue };
            if !(before.ends_with("run: ") || before.ends_with("- ")) {
                continue;
            }
            let words = rest.split(" > ").next().expect("a line").split_whitespace();
            let parsed = harness::cli::Cli::try_parse_from(std::iter::once("blackstart").chain(words));
            assert!(
                parsed.is_ok(),
                "{file}: {line}: {}",
                parsed.err().map(|error| error.to_string()).unwrap_or_default()
            );
            calls += 1;
        }
    }
    assert_eq!(calls, 6);
}
