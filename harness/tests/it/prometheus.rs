//! Owns the claims that only Prometheus itself can judge: what is told is well-formed, rules are sound and fire when they
//! should and not otherwise, and a real server of its own that scrapes ours raises the alert. Refuses to trust our reading
//! of its language. Where `promtool` or `prometheus` (Debian's package has both) is not installed the tests say so; with
//! BLACKSTART_REQUIRE_TOOLS=1 they fail.

use crate::documents::{blackstart, read};
use harness::clock::Clock;
use harness::dashboards::{self, RULES_FILE, RUNBOOKS, alerts, grafana, panels};
use harness::metrics::Metrics;
use harness::schedule::Outcome;
use reports::record::Record;
use scenarios::event::Event;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// Whether a tool is there.
pub(crate) fn has(program: &str) -> bool {
    let version = if program == "openssl" { "version" } else { "--version" };
    let asked = Command::new(program).arg(version).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if asked.is_ok_and(|status| status.success()) {
        return true;
    }
    assert!(std::env::var_os("BLACKSTART_REQUIRE_TOOLS").is_none(), "{program} is not installed");
    eprintln!("SKIPPED: {program} is not installed");
    false
}

/// What `promtool` says: whether it is content, and its words.
fn promtool(arguments: &[&str], input: &str) -> (bool, String) {
    let mut child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it was there before");
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let words = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), words)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of ours is UTF-8")
}

/// The record of a game day in virtual time.
pub(crate) fn record(scenario: &str) -> Record {
    held(scenario).0
}

/// The same with its events.
pub(crate) fn held(scenario: &str) -> (Record, Vec<Event>) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let out = text(folder.path());
    let quick = ["--assumptions-within", "0s"];
    let ended = blackstart(
        &[["run", scenario, "--quiet", "--world", "sim", "--seed", "7", "--out", out].as_slice(), &quick].concat(),
    );
    let mut entries = std::fs::read_dir(folder.path()).expect("it is there").flatten().map(|entry| entry.path());
    let run = entries.find(|path| path.join("record.json").is_file()).unwrap_or_else(|| panic!("{}", ended.err));
    let record = reports::record::from_json(&read(&run.join("record.json"))).expect("it is a record");
    let journal = reports::journal::read(&read(&run.join("events.jsonl"))).expect("it is a journal");
    (record, journal.events)
}

#[test]
fn what_is_told_passes_promtool() {
    if !has("promtool") {
        return;
    }
    let metrics = Metrics::new();
    assert_eq!(promtool(&["check", "metrics"], &metrics.render()), (true, String::new()), "before anything happened");
    crate::metrics::everything(&metrics);
    assert_eq!(promtool(&["check", "metrics"], &metrics.render()), (true, String::new()));
    let (content, words) = promtool(&["check", "metrics"], "# TYPE runs_total gauge\nruns_total 1\n");
    assert!(!content && words.contains("runs_total"), "it does judge: {words}");
}

#[test]
fn rules_and_every_query_of_the_dashboard_pass_promtool() {
    if !has("promtool") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    let ended = blackstart(&["dashboards", "--out", text(folder.path())]);
    assert_eq!((ended.status, ended.err.as_str()), (0, ""));
    let (content, words) = promtool(&["check", "rules", text(&folder.path().join(RULES_FILE))], "");
    let expected = format!("{} rules found", alerts::ALERTS.len() + alerts::RECORDED.len());
    assert!(content && words.contains(&expected), "{words}");
    let queries = panels::SECTIONS.iter().flat_map(|section| section.panels).flat_map(|panel| panel.queries);
    let mut rules = "groups:\n  - name: queries\n    rules:\n".to_owned();
    for (number, (query, _)) in queries.enumerate() {
        let query = grafana::filled(query).replace("$__rate_interval", "5m").replace("$__interval", "1h");
        let query = Value::from(query.replace("$__range", "7d"));
        rules += &format!("      - record: query{number}\n        expr: {query}\n");
    }
    let path = folder.path().join("queries.yml");
    std::fs::write(&path, rules).expect("it can be written");
    let (content, words) = promtool(&["check", "rules", text(&path)], "");
    assert!(content, "{words}");
}

/// An alert with series that make it fire within ten minutes, and with series that do not.
struct Trial {
    alert: &'static str,
    fires: &'static [&'static str],
    quiet: &'static [&'static str],
}

const SERVER: &str = "job=\"b\",instance=\"i\"";

/// Series as `name{labels} values`; `@` stands for job and instance. Time begins at zero.
const TRIALS: &[Trial] = &[
    Trial {
        alert: "BlackstartRunViolated",
        fires: &["blackstart_scenario_failing{@,scenario=\"minimal\",world=\"docker\"} 0 1x20"],
        quiet: &["blackstart_scenario_failing{@,scenario=\"minimal\",world=\"docker\"} 0x20"],
    },
    Trial {
        alert: "BlackstartFaultWithoutRun",
        fires: &["blackstart_faults_in_force{@,kind=\"power\"} 1x20", "blackstart_run_in_progress{@} 0x20"],
        quiet: &["blackstart_faults_in_force{@,kind=\"power\"} 1x20", "blackstart_run_in_progress{@} 1x20"],
    },
    Trial { alert: "BlackstartDown", fires: &["up{@} 0x20"], quiet: &["blackstart_build_info{@,version=\"1\"} 1x20"] },
    Trial {
        alert: "BlackstartNoConclusiveRun",
        fires: &[
            "blackstart_schedule_last_conclusive_timestamp_seconds{@,schedule=\"a\"} 1x20",
            "blackstart_schedule_period_seconds{@,schedule=\"a\"} 60x20",
        ],
        quiet: &[
            "blackstart_schedule_last_conclusive_timestamp_seconds{@,schedule=\"a\"} 1+60x20",
            "blackstart_schedule_known_timestamp_seconds{@,schedule=\"a\"} 1x20",
            "blackstart_schedule_period_seconds{@,schedule=\"a\"} 60x20",
        ],
    },
    // One that never decided anything is told too.
    Trial {
        alert: "BlackstartNoConclusiveRun",
        fires: &[
            "blackstart_schedule_known_timestamp_seconds{@,schedule=\"a\"} 1x20",
            "blackstart_schedule_period_seconds{@,schedule=\"a\"} 60x20",
        ],
        quiet: &[
            "blackstart_schedule_known_timestamp_seconds{@,schedule=\"a\"} 1x20",
            "blackstart_schedule_period_seconds{@,schedule=\"a\"} 3600x20",
        ],
    },
    Trial {
        alert: "BlackstartScheduleLate",
        fires: &[
            "blackstart_schedule_lag_seconds{@,schedule=\"a\"} 301x20",
            "blackstart_schedule_last_run_timestamp_seconds{@,schedule=\"a\"} 1x20",
        ],
        quiet: &[
            "blackstart_schedule_lag_seconds{@,schedule=\"a\"} 299x20",
            "blackstart_schedule_last_run_timestamp_seconds{@,schedule=\"a\"} 1x20",
        ],
    },
    // It is over an hour after it was begun.
    Trial {
        alert: "BlackstartScheduleLate",
        fires: &[
            "blackstart_schedule_lag_seconds{@,schedule=\"a\"} 301x20",
            "blackstart_schedule_last_run_timestamp_seconds{@,schedule=\"a\"} 1x20",
        ],
        quiet: &[
            "blackstart_schedule_lag_seconds{@,schedule=\"a\"} 301x200",
            "blackstart_schedule_last_run_timestamp_seconds{@,schedule=\"a\"} 1x200",
        ],
    },
    Trial {
        alert: "BlackstartScheduleLate",
        fires: &[
            "blackstart_schedule_next_run_timestamp_seconds{@,schedule=\"a\"} 60x20",
            "blackstart_run_in_progress{@} 0x20",
            "blackstart_halted{@} 0x20",
        ],
        quiet: &[
            "blackstart_schedule_next_run_timestamp_seconds{@,schedule=\"a\"} 60x20",
            "blackstart_run_in_progress{@} 1x20",
            "blackstart_halted{@} 0x20",
        ],
    },
    Trial {
        alert: "BlackstartResidueLeft",
        fires: &["blackstart_residue_objects{@,object=\"network\"} 2x20"],
        quiet: &["blackstart_residue_objects{@,object=\"network\"} 0x20"],
    },
    Trial {
        alert: "BlackstartHalted",
        fires: &["blackstart_halted{@} 1x200"],
        quiet: &["blackstart_halted{@} 1x30 0x170"],
    },
    Trial {
        alert: "BlackstartRefusedInARow",
        fires: &["blackstart_schedule_refused_in_a_row{@,schedule=\"a\"} 0 1 2 3x20"],
        quiet: &["blackstart_schedule_refused_in_a_row{@,schedule=\"a\"} 0 1 2x20"],
    },
    Trial {
        alert: "BlackstartConditionBad",
        fires: &["blackstart_condition_well{@,condition=\"c\"} 0x200"],
        quiet: &["blackstart_condition_well{@,condition=\"c\"} 1x200"],
    },
    Trial {
        alert: "BlackstartRegionNotWell",
        fires: &["blackstart_region_state{@,region=\"r\",state=\"lost\"} 1x200"],
        quiet: &[
            "blackstart_region_state{@,region=\"r\",state=\"lost\"} 1x10 0x190",
            "blackstart_region_state{@,region=\"r\",state=\"lent\"} 1x200",
        ],
    },
    Trial {
        alert: "BlackstartRunStuck",
        fires: &["blackstart_run_started_timestamp_seconds{@} 1x200", "blackstart_run_in_progress{@} 1x200"],
        quiet: &["blackstart_run_started_timestamp_seconds{@} 1x200", "blackstart_run_in_progress{@} 0x200"],
    },
    Trial {
        alert: "BlackstartServerRestartedMidRun",
        fires: &["blackstart_unfinished_runs{@} 1x20", "process_start_time_seconds{@} 1x20"],
        quiet: &["blackstart_unfinished_runs{@} 0x20", "process_start_time_seconds{@} 1x20"],
    },
    Trial {
        alert: "BlackstartDiskNearlyFull",
        fires: &["blackstart_disk_free_bytes{@} 9x30", "blackstart_disk_size_bytes{@} 100x30"],
        quiet: &["blackstart_disk_free_bytes{@} 11x30", "blackstart_disk_size_bytes{@} 100x30"],
    },
    Trial {
        alert: "BlackstartEventsDropped",
        fires: &["blackstart_events_dropped_total{@,buffer=\"live\"} 0 0 7x20"],
        quiet: &["blackstart_events_dropped_total{@,buffer=\"live\"} 7x20"],
    },
    Trial {
        alert: "BlackstartDeliveriesFail",
        fires: &["blackstart_deliveries_total{@,receiver=\"webhook\",result=\"failed\"} 0 0 1x20"],
        quiet: &["blackstart_deliveries_total{@,receiver=\"webhook\",result=\"delivered\"} 0 0 1x20"],
    },
];

/// A group of a test file: these series, and whether the alert fires at the end.
fn group(alert: &str, series: &[&str], fires: bool) -> String {
    let mut text = String::from("  - interval: 1m\n    input_series:\n");
    for line in series {
        let (name, values) = line.split_once("} ").expect("labels, then values");
        let name = name.replace('@', SERVER) + "}";
        text += &format!("      - {{ series: {}, values: {} }}\n", Value::from(name), Value::from(values));
    }
    let long = series.iter().any(|line| line.contains("x200") || line.contains("x170"));
    let at = if long { "190m" } else { "15m" };
    let expr = Value::from(format!("count(ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}})"));
    text += &format!("    promql_expr_test:\n      - expr: {expr}\n        eval_time: {at}\n");
    if fires {
        text += "        exp_samples: [{ labels: '{}', value: 1 }]\n";
    }
    text
}

/// What is told of a violated run, to the letter.
const TOLD: &str = r#"  - interval: 1m
    input_series:
      - { series: 'blackstart_scenario_failing{scenario="minimal",world="docker"}', values: 0 1 0 }
    alert_rule_test:
      - { alertname: BlackstartRunViolated, eval_time: 0m, exp_alerts: [] }
      - alertname: BlackstartRunViolated
        eval_time: 1m
        exp_alerts:
          - exp_labels: { severity: critical, scenario: minimal, world: docker }
            exp_annotations:
              summary: minimal was violated in docker
              description: "The last run of minimal that decided anything was violated, by something that no known gap accepts: the region did not come back by itself. It is over when a run of the same scenario is held."
              runbook_url: docs/metrics.md#blackstartrunviolated
      - { alertname: BlackstartRunViolated, eval_time: 2m, exp_alerts: [] }
"#;

#[test]
fn each_alert_fires_when_it_should_and_not_otherwise() {
    let tried: BTreeSet<&str> = TRIALS.iter().map(|trial| trial.alert).collect();
    assert_eq!(tried, alerts::ALERTS.iter().map(|alert| alert.name).collect());
    if !has("promtool") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    std::fs::write(folder.path().join(RULES_FILE), dashboards::rules::render(RUNBOOKS)).expect("it can be written");
    let mut file = format!("rule_files: [{RULES_FILE}]\nevaluation_interval: 1m\ntests:\n{TOLD}");
    for trial in TRIALS {
        file += &group(trial.alert, trial.fires, true);
        file += &group(trial.alert, trial.quiet, false);
    }
    let path = folder.path().join("trials.yml");
    std::fs::write(&path, &file).expect("it can be written");
    let (content, words) = promtool(&["test", "rules", text(&path)], "");
    assert!(content, "{words}\n{file}");
}

/// A page that collectors ask for, as small as may be. It answers for as long as the test's process lives.
fn endpoint(metrics: Arc<Metrics>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0_u8; 4096];
            // A collector that goes away is no matter of ours.
            let _gone = stream.read(&mut request);
            let body = metrics.render();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\nconnection: close";
            let _gone = write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        }
    });
    address
}

/// A Prometheus of our own, with the rules that we hand out, evaluated twice a second. It ends with this value.
pub(crate) struct Prometheus {
    child: Child,
    address: SocketAddr,
    data: tempfile::TempDir,
    clock: Clock,
}

impl Prometheus {
    /// Scrapes this address, by this path; `None` where it is not installed.
    pub(crate) fn scraping(target: SocketAddr, path: &str) -> Option<Self> {
        if !has("prometheus") {
            return None;
        }
        let data = tempfile::tempdir().expect("a folder can be made");
        let address =
            TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port is free");
        std::fs::write(data.path().join(RULES_FILE), dashboards::rules::render(RUNBOOKS)).expect("it can be written");
        let config = format!(
            "global: {{ scrape_interval: 500ms, evaluation_interval: 500ms }}\nrule_files: [{RULES_FILE}]\nscrape_configs:\n  \
             - {{ job_name: blackstart, metrics_path: {path}, static_configs: [{{ targets: ['{target}'] }}] }}\n"
        );
        let file = data.path().join("prometheus.yml");
        std::fs::write(&file, config).expect("it can be written");
        let log = std::fs::File::create(data.path().join("log")).expect("it can be written");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", data.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("it was there before");
        Some(Self { child, address, data, clock: Clock::start() })
    }

    /// Alerts that fire now: name, and scenario where there is one. `None` before it answers.
    fn firing(&self) -> Option<BTreeSet<(String, String)>> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        stream.write_all(b"GET /api/v1/alerts HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let value: Value = serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()?;
        let alerts = value["data"]["alerts"].as_array()?.iter().filter(|alert| alert["state"] == "firing");
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Some(alerts.map(|alert| (word(&alert["labels"]["alertname"]), word(&alert["labels"]["scenario"]))).collect())
    }

    /// Asks until exactly these fire.
    #[track_caller]
    pub(crate) fn expect(&self, wanted: &[(&str, &str)]) {
        let wanted = wanted.iter().map(|(name, scenario)| ((*name).to_owned(), (*scenario).to_owned())).collect();
        let until = self.clock.now() + 60_000_000_000;
        let mut seen = None;
        while seen.as_ref() != Some(&wanted) {
            let log = || std::fs::read_to_string(self.data.path().join("log")).unwrap_or_default();
            assert!(self.clock.now() < until, "wanted {wanted:?}, and {seen:?} fire\n{}", log());
            std::thread::sleep(Duration::from_millis(50));
            seen = self.firing();
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It has nothing that must be kept.
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

#[test]
fn a_real_prometheus_alerts_on_a_violated_run_and_on_no_held_one() {
    let metrics = Arc::new(Metrics::new());
    let (held, violated) = (record("minimal"), record("github-2016"));
    let end = |record: &Record, outcome| {
        metrics.started(&record.scenario, &record.world, None, 1.0);
        metrics.ended(record, outcome, None, 2.0);
    };
    end(&held, Outcome::from(held.verdict));
    let Some(prometheus) = Prometheus::scraping(endpoint(metrics.clone()), "/metrics") else { return };
    prometheus.expect(&[]);
    end(&violated, Outcome::from(violated.verdict));
    prometheus.expect(&[("BlackstartRunViolated", "github-2016")]);
    // What decides nothing mends nothing; a held run does.
    end(&violated, Outcome::Interrupted);
    metrics.set_unfinished(1);
    prometheus.expect(&[("BlackstartRunViolated", "github-2016"), ("BlackstartServerRestartedMidRun", "")]);
    end(&Record { verdict: held.verdict, ..violated }, Outcome::Held);
    metrics.set_unfinished(0);
    prometheus.expect(&[]);
}
