//! Owns the claims about `blackstart check` and what it finds without running anything: places, forms, exit statuses, and
//! the ledger that accepts a finding. Refuses to start containers.

use assert_cmd::Command;
use serde_json::Value;
use std::path::Path;

fn check(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("blackstart").expect("the executable was built");
    let output = command.arg("check").args(arguments).current_dir(folder).env("NO_COLOR", "1").output();
    let output = output.expect("it can be started");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
    (output.status.code().expect("it exits"), text(output.stdout), text(output.stderr))
}

/// Every mistake of the issue in one file; G1 stops a graph from being one and is told alone.
const WRONG: &str = "name = \"shop\"
entry = { service = \"web\", peak = \"60/s\" }

[[services]]
name = \"web\"
team = \"front\"

[[services.calls]]
to = \"basket\"
attempts = 3
timeout = \"300ms\"

[[services.calls]]
to = \"sessions\"
reach = \"region\"
timeout = \"200ms\"

[[services]]
name = \"basket\"
team = \"shop\"

[[services.calls]]
to = \"ledger\"
attempts = 4
timeout = \"900ms\"

[[services]]
name = \"ledger\"
team = \"money\"
scope = \"regional\"
zones = 1

[[services]]
name = \"sessions\"
team = \"front\"
capacity = \"20/s\"
";

const REPAIRED: [(&str, &str); 6] = [
    ("attempts = 3\n", "attempts = 1\n"),
    ("reach = \"region\"\n", ""),
    ("attempts = 4\n", ""),
    ("timeout = \"900ms\"\n", "timeout = \"250ms\"\n"),
    ("zones = 1\n", ""),
    ("capacity = \"20/s\"", "capacity = \"30/s\""),
];

fn folder_with(name: &str, text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    std::fs::write(folder.path().join(name), text).expect("it can be written");
    folder
}

#[test]
fn a_graph_written_wrongly_is_told_with_place_and_remedy() {
    let folder = folder_with("shop.toml", WRONG);
    let (status, out, err) = check(folder.path(), &["shop.toml"]);
    assert_eq!((status, err.as_str()), (1, ""), "{out}");
    for (place, words) in [
        ("shop.toml:24:12", "retries multiply: web -3x-> basket -4x-> ledger: 12 attempts on `ledger`"),
        ("shop.toml:15:9", "`web` is zonal and calls the copies of zonal `sessions` in every zone"),
        ("shop.toml:22:1", "`basket` is in several zones and cannot answer without `ledger`, which is in one"),
        ("shop.toml:25:11", "`basket` waits 900ms for `ledger`, and `web` waits only 300ms for `basket`"),
        ("shop.toml:31:9", "`ledger` is regional and lives in one zone"),
        ("shop.toml:36:12", "with one of 3 zones gone `sessions` carries 40/s, and at peak 60/s arrive"),
    ] {
        assert!(out.contains(place) && out.contains(words), "{place} {words} is missing in:\n{out}");
    }
    assert_eq!(out.matches("= help: ").count(), 6, "each says what to change:\n{out}");
    assert!(out.ends_with("1 checked, 6 finding(s)\n"), "{out}");
    let repaired = REPAIRED.iter().fold(WRONG.to_owned(), |text, (wrong, right)| text.replace(wrong, right));
    let (status, out, _) = check(folder_with("shop.toml", &repaired).path(), &["shop.toml"]);
    assert_eq!((status, out.as_str()), (0, "1 checked, no problem found\n"));
}

#[test]
fn a_startup_cycle_is_told_with_the_edge_to_soften() {
    let cycle = WRONG.replace("team = \"money\"", "team = \"money\"\nneeds = [{ kind = \"k\", from = \"sessions\" }]");
    let cycle = cycle.replace("capacity = \"20/s\"", "needs = [{ kind = \"k\", from = \"ledger\" }]");
    let (status, out, err) = check(folder_with("shop.toml", &cycle).path(), &["shop.toml"]);
    assert_eq!((status, out.as_str()), (64, ""));
    assert!(err.contains("start-up cycle: ledger needs sessions needs ledger"), "{err}");
    assert!(err.contains("shop.toml:30") || err.contains("shop.toml:37"), "{err}");
}

#[test]
fn findings_are_told_to_programs_and_to_code_scanning() {
    let folder = folder_with("shop.toml", WRONG);
    let (status, out, _) = check(folder.path(), &["--format", "json", "shop.toml"]);
    let found: Value = serde_json::from_str(&out).expect("it is JSON");
    let rows = found["findings"].as_array().expect("a list");
    let checks: Vec<&str> = rows.iter().filter_map(|row| row["check"].as_str()).collect();
    assert_eq!((status, checks), (1, vec!["G3", "G8", "G5", "G6", "G3", "G7"]));
    assert_eq!(rows[2]["setting"], "services.basket.calls.ledger.attempts");
    assert_eq!((&rows[2]["line"], &rows[2]["accepted"]), (&Value::from(24), &Value::from(false)));
    let (status, out, _) = check(folder.path(), &["--format", "sarif", "shop.toml"]);
    let log: Value = serde_json::from_str(&out).expect("it is JSON");
    let results = log["runs"][0]["results"].as_array().expect("a list");
    assert_eq!((status, results.len()), (1, 6));
    assert_eq!(results[2]["ruleId"], "retry-product");
    assert_eq!(results[2]["properties"]["check"], "G5");
    assert_eq!(results[2]["locations"][0]["physicalLocation"]["region"]["startLine"], 24);
}

fn gap(check: &str, service: &str, until: &str) -> String {
    format!(
        "[[gaps]]\nscenario = \"shop\"\ninvariant = \"{check}\"\nservice = \"{service}\"\nowner = \"me\"\nuntil = \"{until}\"\n\
         reason = \"meant so\"\n"
    )
}

#[test]
fn a_finding_that_is_meant_is_accepted_until_its_day() {
    let only_pin = REPAIRED.iter().filter(|(wrong, _)| *wrong != "zones = 1\n");
    let text = only_pin.fold(WRONG.to_owned(), |text, (wrong, right)| text.replace(wrong, right));
    let folder = folder_with("shop.toml", &text);
    let ledger = |text: String| {
        std::fs::write(folder.path().join("gaps.toml"), text).expect("it can be written");
        check(folder.path(), &["--known-gaps", "gaps.toml", "shop.toml"])
    };
    let both = gap("G3", "ledger", "2099-12-31") + &gap("G8", "basket", "2099-12-31");
    let (status, out, _) = ledger(both.clone());
    assert_eq!(status, 0, "{out}");
    assert!(out.contains("known gap of `shop`, accepted until 2099-12-31 (me): G3") && out.contains("2 known gap(s)"));
    let (status, out, _) = ledger(both.replacen("2099", "2001", 1));
    assert_eq!(status, 1, "its day has passed: {out}");
    let (status, out, _) = ledger(both + &gap("G7", "sessions", "2099-12-31"));
    assert!(status == 1 && out.contains("G7 of `sessions` in `shop` is not found any more"), "{out}");
    let (status, out, _) = check(folder.path(), &["--known-gaps", "gaps.toml", "--format", "sarif", "shop.toml"]);
    let log: Value = serde_json::from_str(&out).expect("it is JSON");
    let suppressed = log["runs"][0]["results"].as_array().expect("a list").iter();
    assert_eq!((status, suppressed.filter(|row| row.get("suppressions").is_some()).count()), (1, 2));
}

/// A scenario tells what arrives and how long customers wait.
#[test]
fn a_scenario_is_checked_with_its_own_traffic() {
    let graph = "name = \"small\"\nentry = { service = \"a\" }\n[[services]]\nname = \"a\"\nteam = \"t\"\ncapacity = \"20/s\"\n\
                 [[services.calls]]\nto = \"b\"\ntimeout = \"900ms\"\n[[services]]\nname = \"b\"\nteam = \"t\"\n";
    let folder = folder_with("small.toml", graph);
    let day = |traffic: &str| {
        let text = format!(
            "name = \"day\"\ntopology = \"us-test-1\"\ngraph = \"small\"\n[traffic]\n{traffic}\n[[faults]]\nname = \"dark\"\n\
             power-off = {{ zones = [\"az1\"] }}\nlasts = \"5s\"\n"
        );
        std::fs::write(folder.path().join("day.toml"), text).expect("it can be written");
        check(folder.path(), &["./day.toml"])
    };
    assert_eq!(day("rate = \"13/s\"").0, 0);
    let (status, out, _) = day("rate = \"14/s\"");
    assert!(status == 1 && out.contains("carries 40/s, and at peak 42/s arrive"), "{out}");
    let (status, out, _) = day("timeout = \"800ms\"");
    assert!(status == 1 && out.contains("a customer waits only 800ms"), "{out}");
}
