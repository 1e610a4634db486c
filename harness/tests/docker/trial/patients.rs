//! Owns the settings in which our own executable is put on trial, healthy and not, with the verdicts that are right for each.
//! Refuses to try them: a test does, and the example that records all of them.

use reports::trial::TrialRecord;

/// One setting.
pub(super) struct Patient {
    /// Its name.
    pub(super) name: &'static str,
    /// What `blackstart patient` is told.
    pub(super) settings: &'static str,
    /// More arguments of `try`.
    pub(super) arguments: &'static [&'static str],
    /// Right verdicts: S1, S2, S3, S8, D6, D9.
    pub(super) right: [&'static str; 6],
    /// Words that the verdicts' reasons and the edges must contain.
    pub(super) says: &'static [&'static str],
}

/// The verdicts of a record in the order of the table, and everything that it says.
pub(super) fn told(record: &TrialRecord) -> (Vec<&'static str>, String) {
    let edges = record.edges.iter().map(|edge| format!("{} {}: {}", edge.hardness.told(), edge.name, edge.reason));
    let judged = record.invariants.iter();
    let reasons = judged.map(|judged| format!("{} {}: {}", judged.id, judged.verdict.word(), judged.reason));
    let text = reasons.chain(edges).chain(record.caveats.clone()).collect::<Vec<_>>().join("\n");
    (record.invariants.iter().map(|judged| judged.verdict.word()).collect(), text)
}

const H: &str = "held";
const V: &str = "violated";
const N: &str = "not-judged";

/// Every question that a patient answers.
pub(super) const QUESTIONS: [&str; 6] =
    ["--probe", "http://:8080/readyz", "--call", "http://:8080/work", "--liveness", "http://:8080/livez"];

/// All settings.
pub(super) const PATIENTS: [Patient; 13] = [
    Patient {
        name: "healthy",
        settings: r#"{"port":8080,"dependencies":[{"at":"db:5432"},{"at":"cache:6379","soft":true}],"telemetry":"otel-collector:4318"}"#,
        arguments: &[],
        right: [H, H, H, H, H, H],
        says: &["hard at call db", "soft cache", "soft otel-collector"],
    },
    Patient {
        name: "wants-nobody",
        settings: r#"{"port":8080}"#,
        arguments: &[],
        right: [H, N, N, N, N, N],
        says: &[],
    },
    Patient {
        name: "needs-an-allowed-one",
        settings: r#"{"port":8080,"dependencies":[{"at":"auth:443","start":"exit"},{"at":"db:5432"}]}"#,
        arguments: &["--allow", "auth:443"],
        right: [H, H, H, H, H, N],
        says: &["hard at call db", "not measured auth"],
    },
    Patient {
        name: "asks-over-tls",
        settings: r#"{"port":8080,"dependencies":[{"at":"auth:443","roots":"/etc/blackstart/ca.pem","start":"exit"},{"at":"db:5432","roots":"/etc/blackstart/ca.pem"}]}"#,
        arguments: &["--allow", "certificate,auth:443"],
        right: [H, H, H, H, H, N],
        says: &["hard at call db", "not measured auth"],
    },
    Patient {
        name: "exits-without-config",
        settings: r#"{"port":8080,"dependencies":[{"at":"config:8500","start":"exit"}]}"#,
        arguments: &[],
        right: [V, V, V, V, H, N],
        says: &["hard at start config", "ended with status 1"],
    },
    Patient {
        name: "waits-before-it-listens",
        settings: r#"{"port":8080,"dependencies":[{"at":"db:5432","start":"wait"}]}"#,
        arguments: &[],
        right: [V, H, H, H, H, N],
        says: &["hard at start db", "listens to nobody"],
    },
    Patient {
        name: "hard-coded-address",
        settings: r#"{"port":8080,"dependencies":[{"at":"10.11.12.13:5432","start":"wait"}]}"#,
        arguments: &[],
        right: [V, H, H, H, H, N],
        says: &["hard at start 10.11.12.13"],
    },
    Patient {
        name: "asks-once",
        settings: r#"{"port":8080,"dependencies":[{"at":"db:5432","start":"background","tries":1}]}"#,
        arguments: &[],
        right: [H, H, V, V, H, N],
        says: &["was not there at the start"],
    },
    Patient {
        name: "gives-up",
        // Half a second each and what a try takes: longer than a window, shorter than the long absence.
        settings: r#"{"port":8080,"dependencies":[{"at":"db:5432","start":"background","tries":15}]}"#,
        arguments: &["--absence", "14s"],
        right: [H, H, H, V, H, N],
        says: &["was not there at the start"],
    },
    Patient {
        name: "waits-for-ever-for-an-answer",
        settings: r#"{"port":8080,"dependencies":[{"at":"db:5432","no-timeout":true}]}"#,
        arguments: &[],
        right: [H, V, H, H, H, N],
        says: &["no call was answered"],
    },
    Patient {
        name: "deep-liveness",
        settings: r#"{"port":8080,"deep-liveness":true,"dependencies":[{"at":"db:5432"}]}"#,
        arguments: &[],
        right: [H, H, H, H, V, N],
        says: &["liveness check leans on its dependencies"],
    },
    Patient {
        name: "dies-with-its-dependency",
        settings: r#"{"port":8080,"dependencies":[{"at":"db:5432","dies-without":true}]}"#,
        arguments: &[],
        right: [H, H, H, H, V, N],
        says: &["fatal: db:5432 is gone"],
    },
    Patient {
        name: "telemetry-blocks",
        settings: r#"{"port":8080,"dependencies":[{"at":"db:5432"}],"telemetry":"statsd:8125","telemetry-blocks-ms":1500}"#,
        arguments: &[],
        right: [H, H, H, H, H, V],
        says: &["statsd", "calls take"],
    },
];
