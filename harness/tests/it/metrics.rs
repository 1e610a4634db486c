//! Owns the claims about what a server of game days tells: the table is all of it, documents and dashboards name nothing
//! else, states say what they should, and no text from outside can make it grow without bound. Refuses to judge the format:
//! see `prometheus.rs`.

use crate::prometheus::record;
use harness::dashboards::{alerts, files, grafana, panels};
use harness::metrics::table::{ALL, LABELS, Row, Shape};
use harness::metrics::{Due, Metrics, Remembered};
use harness::region::state::{Phase as At, State, ZoneState};
use harness::schedule::Outcome;
use harness::schedule::moment::Moment;
use scenarios::event::{Act, By, Detail, Event, EventId, Phase, Place};
use scenarios::judgement::Reason;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn event(detail: Detail) -> Event {
    Event { id: EventId(1), t_ns: 0, utc: String::new(), by: By::Controller, place: Place::default(), detail }
}

fn done(fault: &str, act: Act, what: &str) -> Event {
    let (fault, what) = (fault.to_owned(), what.to_owned());
    event(Detail::StepDone {
        step: String::new(),
        fault,
        act,
        what,
        method: String::new(),
        skew_ns: 0,
        hosts: vec![],
        unsynced_lost: vec![],
        torn: vec![],
    })
}

/// Everything that can be told has been told once.
pub(crate) fn everything(metrics: &Metrics) {
    let day = record("github-2016");
    metrics.set_schedule("nightly", 86_400.0, 1.0);
    metrics.set_next_run("nightly", Some(100.0));
    metrics.started(&day.scenario, "sim", Some(Due { schedule: "nightly", due_s: 3.0 }), 5.0);
    metrics.event(&event(Detail::Phase { phase: Phase::Outage, round: 0 }));
    metrics.event(&done("dark", Act::Inject, ""));
    let mut left = day.clone();
    left.residue.push(reports::record::ResidueRow { object: "network".to_owned(), name: "n".to_owned() });
    let busy = Reason { code: "machine-busy".to_owned(), text: String::new(), evidence: vec![] };
    left.caveats.push(busy);
    metrics.ended(&left, Outcome::Violated, Some("nightly"), 9.0);
    metrics.event(&event(Detail::Phase { phase: Phase::Outage, round: 0 }));
    metrics.refused("minimal", "docker", Some("nightly"), "halted");
    metrics.set_halted(true);
    metrics.set_condition("quiet-hours", false);
    metrics.events_dropped("live", 3);
    metrics.set_viewers(2);
    metrics.frames(10, 1);
    metrics.http("/runs/{run}", 200);
    metrics.set_receiver("webhook");
    metrics.delivery("webhook", "failed", 4);
    metrics.set_regions(&[standing()]);
    assert!(metrics.look_at_disk(Path::new("/")).is_some());
}

/// A region that stands, and came back from the dark once.
fn standing() -> State {
    let zone = |zone: &str, share| ZoneState {
        zone: zone.to_owned(),
        now: Some(share),
        hour: Some(share),
        day: Some(share),
        all: Some(share),
        wanted: 1_000,
        answered: 750,
    };
    State {
        name: "blue".to_owned(),
        run: "20261130T100000Z-abc123".to_owned(),
        phase: At::Well,
        since: Moment(0),
        at: Moment(0),
        built: Some(Moment(5_000)),
        why: String::new(),
        day: None,
        hosts: 9,
        instances: 9,
        active: 8,
        zones: vec![zone("az1", 0.75), zone("az2", 1.0)],
        black_starts: 1,
        last_black_start_ms: Some(1_500),
        drift: vec!["host az1-api-0 was restarted by somebody".to_owned()],
    }
}

#[test]
fn a_standing_region_is_told_of_and_one_that_is_gone_is_not() {
    let metrics = Metrics::new();
    metrics.set_regions(&[standing()]);
    let series = [
        ("blackstart_region_state{region=\"blue\",state=\"well\"}", 1.0),
        ("blackstart_region_state{region=\"blue\",state=\"lost\"}", 0.0),
        ("blackstart_region_availability_ratio{region=\"blue\",zone=\"az1\"}", 0.75),
        ("blackstart_region_customer_requests{region=\"blue\",zone=\"az1\"}", 1_000.0),
        ("blackstart_region_instances_active{region=\"blue\"}", 8.0),
        ("blackstart_region_drift{region=\"blue\"}", 1.0),
        ("blackstart_region_last_black_start_seconds{region=\"blue\"}", 1.5),
        ("blackstart_region_built_timestamp_seconds{region=\"blue\"}", 5.0),
    ];
    told(&metrics, &series.map(|(series, value)| (series, Some(value))));
    metrics.set_regions(&[]);
    told(&metrics, &series.map(|(series, _)| (series, None)));
}

/// The value of one series.
fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

#[track_caller]
fn told(metrics: &Metrics, expected: &[(&str, Option<f64>)]) {
    let text = metrics.render();
    for (series, wanted) in expected {
        assert_eq!(value(&text, series), *wanted, "{series} in:\n{text}");
    }
}

#[test]
fn the_table_is_all_that_is_told() {
    let metrics = Metrics::new();
    everything(&metrics);
    let text = metrics.render();
    let told: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let table: BTreeMap<&str, &str> = ALL.iter().map(|row| (row.name, row.shape.word())).collect();
    assert_eq!(told, table);
    let labels: BTreeSet<&str> = ALL.iter().flat_map(|row| row.labels).copied().collect();
    assert_eq!(labels, LABELS.iter().map(|(name, _)| *name).collect());
    for row in ALL {
        assert!(row.help.ends_with('.') && !row.unit.is_empty(), "{}", row.name);
        assert!(row.name.starts_with("blackstart_") || row.name.starts_with("process_"), "{}", row.name);
        assert_eq!(row.name.ends_with("_total"), row.shape == Shape::Counter, "{}", row.name);
        if let Shape::Histogram(bounds) = row.shape {
            assert!(bounds.is_sorted_by(|a, b| a < b), "{}", row.name);
        }
    }
}

#[test]
fn an_ended_run_is_counted_with_what_it_measured() {
    let metrics = Metrics::new();
    let day = record("github-2016");
    metrics.set_schedule("nightly", 3600.0, 0.0);
    metrics.started("github-2016", "sim", Some(Due { schedule: "nightly", due_s: 90.0 }), 97.5);
    let violated = "blackstart_runs_total{outcome=\"violated\",scenario=\"github-2016\",world=\"sim\"}";
    told(
        &metrics,
        &[
            (violated, Some(0.0)),
            ("blackstart_run_in_progress", Some(1.0)),
            ("blackstart_run_started_timestamp_seconds", Some(97.5)),
            ("blackstart_schedule_lag_seconds{schedule=\"nightly\"}", Some(7.5)),
            ("blackstart_schedule_last_run_timestamp_seconds{schedule=\"nightly\"}", Some(97.5)),
            ("blackstart_recovery_seconds_count{scenario=\"github-2016\",world=\"sim\"}", Some(0.0)),
        ],
    );
    metrics.ended(&day, Outcome::Violated, Some("nightly"), 200.0);
    let slowest_s = day.measurements.restart_to_active_ms.expect("some came back") / 1000.0;
    told(
        &metrics,
        &[
            (violated, Some(1.0)),
            ("blackstart_run_in_progress", Some(0.0)),
            ("blackstart_recovery_seconds_sum{scenario=\"github-2016\",world=\"sim\"}", Some(slowest_s)),
            ("blackstart_scenario_failing{scenario=\"github-2016\",world=\"sim\"}", Some(1.0)),
            ("blackstart_schedule_outcome{outcome=\"violated\",schedule=\"nightly\"}", Some(1.0)),
            ("blackstart_schedule_outcome{outcome=\"held\",schedule=\"nightly\"}", Some(0.0)),
            ("blackstart_schedule_last_conclusive_timestamp_seconds{schedule=\"nightly\"}", Some(200.0)),
            ("blackstart_findings_total{invariant=\"S5\",known=\"false\"}", Some(1.0)),
        ],
    );
    // What decides nothing leaves the verdict as it was; what is accepted violates and does not fail.
    metrics.ended(&day, Outcome::Inconclusive, Some("nightly"), 300.0);
    let verdict = "blackstart_scenario_verdict{scenario=\"github-2016\",verdict=\"violated\",world=\"sim\"}";
    told(
        &metrics,
        &[
            (verdict, Some(1.0)),
            ("blackstart_schedule_last_conclusive_timestamp_seconds{schedule=\"nightly\"}", Some(200.0)),
            ("blackstart_schedule_outcome{outcome=\"inconclusive\",schedule=\"nightly\"}", Some(1.0)),
        ],
    );
    let run = Remembered {
        scenario: "github-2016",
        world: "sim",
        outcome: Outcome::Violated,
        fails: false,
        schedule: None,
        ended_s: 400.0,
    };
    metrics.remember(run);
    let failing = "blackstart_scenario_failing{scenario=\"github-2016\",world=\"sim\"}";
    told(&metrics, &[(verdict, Some(1.0)), (failing, Some(0.0)), (violated, Some(1.0))]);
    metrics.forget_scenario("github-2016", "sim");
    told(&metrics, &[(verdict, None), (failing, None), (violated, Some(1.0))]);
}

#[test]
fn faults_are_in_force_from_their_inject_to_their_heal() {
    let metrics = Metrics::new();
    let (power, network) =
        ("blackstart_faults_in_force{kind=\"power\"}", "blackstart_faults_in_force{kind=\"network\"}");
    for fault in ["az1-dark", "az2-dark"] {
        metrics.event(&done(fault, Act::Inject, ""));
    }
    metrics.event(&done("cut", Act::Inject, "network"));
    metrics.event(&done("az1-dark", Act::Heal, ""));
    metrics.event(&done("az1-dark", Act::Heal, ""));
    metrics.event(&event(Detail::Phase { phase: Phase::Recovery, round: 0 }));
    let recovery = "blackstart_run_phase{phase=\"recovery\"}";
    told(&metrics, &[(power, Some(1.0)), (network, Some(1.0)), (recovery, Some(1.0))]);
    metrics.event(&event(Detail::Phase { phase: Phase::Ended, round: 0 }));
    told(&metrics, &[(power, Some(0.0)), (network, Some(0.0)), (recovery, None)]);
}

#[test]
fn refusals_are_counted_in_a_row_and_what_is_gone_is_forgotten() {
    let metrics = Metrics::new();
    let row = "blackstart_schedule_refused_in_a_row{schedule=\"nightly\"}";
    metrics.set_schedule("nightly", 3600.0, 0.0);
    told(&metrics, &[(row, Some(0.0))]);
    for _ in 0..3 {
        metrics.refused("minimal", "docker", Some("nightly"), "condition");
    }
    told(&metrics, &[(row, Some(3.0)), ("blackstart_refusals_total{reason=\"condition\"}", Some(3.0))]);
    metrics.started("minimal", "docker", Some(Due { schedule: "nightly", due_s: 0.0 }), 0.0);
    told(&metrics, &[(row, Some(0.0))]);
    metrics.set_next_run("nightly", Some(5.0));
    metrics.set_next_run("nightly", None);
    assert!(!metrics.render().contains("blackstart_schedule_next_run"));
    metrics.forget_schedule("nightly");
    assert!(!metrics.render().contains("nightly"));
    metrics.set_residue(&BTreeMap::from([("network".to_owned(), 2)]));
    metrics.set_residue(&BTreeMap::new());
    told(&metrics, &[("blackstart_residue_objects{object=\"network\"}", None)]);
}

/// A year of drawn scenarios, and names that are no names.
#[test]
fn what_comes_from_outside_cannot_make_it_grow() {
    let metrics = Metrics::new();
    for number in 0..2000 {
        metrics.refused(&format!("drawn-{number}"), "sim", Some(&format!("s\"{number}\n")), "busy");
        metrics.set_condition(&format!("c{number}"), true);
    }
    let text = metrics.render();
    assert_eq!(text.matches("blackstart_condition_well{").count(), 201);
    assert_eq!(text.matches("blackstart_runs_total{").count(), 201);
    assert_eq!(
        value(&text, "blackstart_runs_total{outcome=\"refused\",scenario=\"other\",world=\"sim\"}"),
        Some(1800.0)
    );
    assert!(text.contains("schedule=\"s\\\"7\\n\""));
}

#[test]
fn the_process_is_told_of() {
    let text = Metrics::new().render();
    let figure = |name: &str| value(&text, name).unwrap_or_else(|| panic!("{name}"));
    assert!(figure("process_resident_memory_bytes") > 1e6);
    assert!(figure("process_open_fds") >= 3.0 && figure("process_max_fds") > figure("process_open_fds"));
    assert!(figure("process_start_time_seconds") > 1.7e9 && figure("process_threads") >= 1.0);
}

/// Names in a query that could be metrics, and the labels that are asked of them.
fn names(query: &str) -> Vec<(String, Vec<String>)> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut found = Vec::new();
    let mut rest = query;
    while let Some(start) = ["blackstart", "process_"].iter().filter_map(|prefix| rest.find(prefix)).min() {
        let start = rest[..start].rfind(|c| !word(c)).map_or(0, |at| at + 1);
        let end = rest[start..].find(|c| !word(c)).map_or(rest.len(), |length| start + length);
        let after = &rest[end..];
        let inside = after.strip_prefix('{').and_then(|after| after.split('}').next()).unwrap_or_default();
        let labels =
            inside.split(',').filter_map(|part| part.split(['=', '!']).next()).map(|label| label.trim().to_owned());
        found.push((rest[start..end].to_owned(), labels.filter(|label| !label.is_empty()).collect()));
        rest = after;
    }
    found
}

/// The row that a name in a query means.
fn row(name: &str) -> Option<&'static Row> {
    let is = |row: &&&Row| {
        let parts = ["_bucket", "_sum", "_count"];
        let histogram = matches!(row.shape, Shape::Histogram(_));
        (row.name == name && !histogram)
            || (histogram && parts.iter().any(|part| name.strip_suffix(part) == Some(row.name)))
    };
    ALL.iter().find(is).copied()
}

#[test]
fn dashboards_and_rules_name_only_what_there_is() {
    let recorded = alerts::RECORDED.iter().map(|rule| (rule.name, rule.expr));
    let told = alerts::ALERTS.iter().map(|rule| (rule.name, rule.expr));
    let panels = panels::SECTIONS.iter().flat_map(|section| section.panels);
    let queries = panels.flat_map(|panel| panel.queries.iter().map(|(query, _)| (panel.title, *query)));
    let mut asked = BTreeSet::new();
    for (place, query) in recorded.chain(told).chain(queries) {
        let found = names(&grafana::filled(query));
        assert!(!found.is_empty(), "{place}: {query}");
        for (name, labels) in found {
            let Some(row) = row(&name) else {
                assert!(alerts::RECORDED.iter().any(|rule| rule.name == name), "{place}: there is no {name}");
                continue;
            };
            for label in labels.iter().filter(|label| *label != "instance") {
                assert!(row.labels.contains(&label.as_str()), "{place}: {name} has no {label}");
            }
            asked.insert(row.name);
        }
    }
    // What nobody looks at need not be told.
    let unseen: Vec<&str> = ALL.iter().map(|row| row.name).filter(|name| !asked.contains(name)).collect();
    let for_queries_of_people = [
        "blackstart_runs_started_total",
        "blackstart_run_duration_seconds",
        "blackstart_scenario_last_conclusive_timestamp_seconds",
        "blackstart_acknowledged_writes_total",
    ];
    assert_eq!(unseen, for_queries_of_people);
}

#[test]
fn the_dashboard_is_whole_and_nothing_lies_on_something_else() {
    let [(_, text), (_, rules)] = files("https://example.test/runbooks");
    assert!(rules.contains("\"https://example.test/runbooks#blackstartrunviolated\""));
    let dashboard: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    let panels = dashboard["panels"].as_array().expect("it is a list");
    let (mut taken, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64()), "{}", panel["title"]);
        let place = |key: &str| panel["gridPos"][key].as_u64().expect("it is a number");
        assert!(place("x") + place("w") <= 24, "{}", panel["title"]);
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(taken.insert((x, y)), "{} lies on another one", panel["title"]);
            }
        }
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}");
            assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{}", panel["title"]);
            assert!(panel["targets"].as_array().is_some_and(|targets| !targets.is_empty()));
        }
    }
    let variables = dashboard["templating"]["list"].as_array().expect("it is a list");
    let names: Vec<&str> = variables.iter().filter_map(|variable| variable["name"].as_str()).collect();
    assert_eq!(names, ["datasource", "instance", "scenario"]);
    assert_eq!(files("a"), files("a"));
}

/// What `docs/metrics.md` says between its marks, from the tables.
fn documented() -> [(&'static str, String); 4] {
    let cell = |text: &str| text.replace('|', "\\|");
    let mut metrics = "| metric | type | labels | unit | says |\n|---|---|---|---|---|\n".to_owned();
    for row in ALL {
        let labels: Vec<String> = row.labels.iter().map(|label| format!("`{label}`")).collect();
        let (shape, labels) = (row.shape.word(), labels.join(", "));
        metrics += &format!("| `{}` | {shape} | {labels} | {} | {} |\n", row.name, row.unit, cell(row.help));
    }
    let mut labels = "| label | values |\n|---|---|\n".to_owned();
    labels.extend(LABELS.iter().map(|(label, values)| format!("| `{label}` | {values} |\n")));
    let mut recorded = "| rule | says |\n|---|---|\n".to_owned();
    recorded.extend(alerts::RECORDED.iter().map(|rule| format!("| `{}` | {} |\n", rule.name, rule.help)));
    let mut told = "| alert | severity | fires where | for |\n|---|---|---|---|\n".to_owned();
    for alert in alerts::ALERTS {
        let link = format!("[{}](#{})", alert.name, alert.name.to_lowercase());
        told += &format!("| {link} | {} | `{}` | {} |\n", alert.severity.word(), cell(alert.expr), alert.lasts);
    }
    [("metrics", metrics), ("labels", labels), ("recorded", recorded), ("alerts", told)]
}

#[test]
fn the_documents_tell_of_every_metric_and_what_to_do_about_every_alert() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let mut text = std::fs::read_to_string(&path).expect("it is there");
    for (name, wanted) in documented() {
        let (open, close) = (format!("<!-- {name}: from the code -->\n"), "<!-- end -->\n");
        let start = text.find(&open).unwrap_or_else(|| panic!("{open}")) + open.len();
        let end = start + text[start..].find(close).expect("it ends");
        if std::env::var_os("BLACKSTART_BLESS").is_some() {
            text.replace_range(start..end, &wanted);
        }
        assert!(
            text[start..].starts_with(&wanted),
            "docs/metrics.md, {name}: rewrite it with BLACKSTART_BLESS=1 cargo test"
        );
    }
    if std::env::var_os("BLACKSTART_BLESS").is_some() {
        std::fs::write(&path, &text).expect("it can be written");
    }
    for alert in alerts::ALERTS {
        let runbook = text.split(&format!("\n### {}\n", alert.name)).nth(1).and_then(|rest| rest.split("\n#").next());
        assert!(runbook.is_some_and(|runbook| runbook.trim().len() > 80), "{}: say what to do", alert.name);
    }
}
