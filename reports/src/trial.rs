//! Owns the record of a trial, `trial.json`: what was asked of one image, what was observed, and how that was judged.
//! Refuses to judge, and to know how an image is run.
//!
//! - [`table`]: for the terminal; [`junit`]: for CI; [`fragment`]: a graph with measured edges

pub mod fragment;
pub mod junit;
pub mod table;

use scenarios::trial::edges::{Edge, edges};
use scenarios::trial::judge::{Judged, judge};
use scenarios::trial::{Bounds, Experiment};
use scenarios::verdict::Verdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Number of the record's schema; raised when a reader of the old one would misread the new one.
pub const TRIAL_SCHEMA: u32 = 1;

/// One trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrialRecord {
    /// [`TRIAL_SCHEMA`].
    pub schema: u32,
    /// The trial's id.
    pub run: String,
    /// The image, as it was named.
    pub image: String,
    /// What the image is, by its content.
    pub image_id: String,
    /// The service's name in the graph.
    pub service: String,
    /// This program's version.
    pub version: String,
    /// When it began (RFC 3339).
    pub started_utc: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The command line that does it again.
    pub replay: String,
    /// All verdicts together.
    #[schemars(with = "String")]
    pub verdict: Verdict,
    /// Bounds and choices.
    pub bounds: Bounds,
    /// Needs that were always there.
    pub allowed: Vec<String>,
    /// One for each invariant.
    pub invariants: Vec<Judged>,
    /// Whom it tried to reach, and how hard it leans on each.
    pub edges: Vec<Edge>,
    /// All that was observed.
    pub experiments: Vec<Experiment>,
    /// What a reader must know.
    pub caveats: Vec<String>,
    /// What could not be removed.
    pub residue: Vec<String>,
    /// Whether it was ended before it was complete.
    pub interrupted: bool,
}

/// What a trial is, beside what was observed.
#[derive(Debug, Clone, Default)]
pub struct Head {
    /// The trial's id.
    pub run: String,
    /// The image, as it was named.
    pub image: String,
    /// What the image is, by its content.
    pub image_id: String,
    /// The service's name in the graph.
    pub service: String,
    /// This program's version.
    pub version: String,
    /// When it began.
    pub started_utc: String,
    /// How long it took.
    pub took_ms: u64,
    /// The command line that does it again.
    pub replay: String,
    /// Needs that were always there.
    pub allowed: Vec<String>,
}

impl TrialRecord {
    /// Judges what was observed.
    pub fn of(head: Head, bounds: Bounds, experiments: Vec<Experiment>, caveats: Vec<String>) -> Self {
        let edges = edges(&experiments, &bounds);
        let invariants = judge(&experiments, &edges, &bounds);
        let Head { run, image, image_id, service, version, started_utc, took_ms, replay, allowed } = head;
        Self {
            schema: TRIAL_SCHEMA,
            run,
            image,
            image_id,
            service,
            version,
            started_utc,
            took_ms,
            replay,
            verdict: Verdict::merge(invariants.iter().map(|judged| judged.verdict)),
            bounds,
            allowed,
            invariants,
            edges,
            experiments,
            caveats,
            residue: Vec::new(),
            interrupted: false,
        }
    }
}

/// The record as `trial.json`: indented, with a newline at its end, and harmless in a terminal.
pub fn to_json(record: &TrialRecord) -> String {
    let text = serde_json::to_string_pretty(record).expect("a record has text keys and no serialiser of its own");
    crate::text::escaped_json(&text) + "\n"
}
