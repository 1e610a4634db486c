//! Owns the run record, `record.json`: the one serialised contract between the parts, numbered by [`RECORD_SCHEMA`].
//! Refuses to know how a run is made, and renders nothing.

use fixtures::graph::{Scope, Strength};
use fixtures::name::{HostName, InstanceName, ServiceName, TeamName, ZoneName};
use scenarios::event::EventId;
use scenarios::judgement::{Finding, InvariantResult, Measurements, Reason};
use scenarios::plan::Plan;
use scenarios::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Number of the record's schema; raised when a reader of the old one would misread the new one.
pub const RECORD_SCHEMA: u32 = 1;

/// Why a text is no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A later version wrote it, and reading on would misread it.
    #[error("record has schema {found}, and this version reads up to {RECORD_SCHEMA}: use the version that wrote it")]
    Newer {
        /// The number in the file.
        found: u32,
    },
    /// Numbers begin at 1.
    #[error("record has schema 0, which no version ever wrote")]
    Zero,
    /// It is no JSON, or lacks its schema number.
    #[error("not a run record")]
    NotARecord(#[source] serde_json::Error),
    /// Its schema is known, and its content is not what that schema says.
    #[error("run record of schema {schema} is damaged")]
    Damaged {
        /// The number in the file.
        schema: u32,
        /// What and where.
        #[source]
        source: serde_json::Error,
    },
}

/// The number alone, read before anything else is believed.
#[derive(Deserialize)]
struct Header {
    schema: u32,
}

/// The record as `record.json`: indented, with a newline at its end, and harmless in a terminal.
pub fn to_json(record: &Record) -> String {
    let text = serde_json::to_string_pretty(record).expect("a record has text keys and no serialiser of its own");
    crate::text::escaped_json(&text) + "\n"
}

/// Reads `record.json` of this schema or an earlier one. Unknown fields are passed over: adding one does not raise the
/// number.
///
/// # Errors
/// [`RecordError`] where a later schema wrote it, or it is damaged.
pub fn from_json(text: &str) -> Result<Record, RecordError> {
    let header: Header = serde_json::from_str(text).map_err(RecordError::NotARecord)?;
    match header.schema {
        0 => Err(RecordError::Zero),
        // The conversion of an earlier schema becomes an arm of its own here, above the current one.
        RECORD_SCHEMA => {
            serde_json::from_str(text).map_err(|source| RecordError::Damaged { schema: header.schema, source })
        }
        found => Err(RecordError::Newer { found }),
    }
}

/// Everything about one run except its events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// [`RECORD_SCHEMA`] of the writer.
    pub schema: u32,
    /// The run's id; sorts by time.
    pub run: String,
    /// Name of the scenario.
    pub scenario: String,
    /// Its title.
    pub title: String,
    /// Name of the topology.
    pub topology: String,
    /// Name of the graph.
    pub graph: String,
    /// `docker`, `sim` …
    pub world: String,
    /// The seed that decided every random choice of the harness.
    pub seed: u64,
    /// `blackstart`, `engine`, `api`, `kernel`: version by name.
    pub versions: BTreeMap<String, String>,
    /// What the run was of, in the words of whoever held it: a build, a commit. Runs of one label are compared with those
    /// of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// RFC 3339, milliseconds.
    pub started_utc: String,
    /// The run's verdict.
    pub verdict: Verdict,
    /// Why the whole run is inconclusive; empty where it is not.
    pub inconclusive: Vec<Reason>,
    /// Every inject with its heal.
    pub plan: Plan,
    /// What the result leans on, by name.
    pub parameters: BTreeMap<String, Parameter>,
    /// What the verdict would have been with other values of the assumed parameters; absent where nobody tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assumptions: Option<Assumptions>,
    /// Whether the run was ended before its time, so that its verdict is that of a part of it; absent where it was not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// How each right was had: `power`, `links`, `gate` …
    pub rights: BTreeMap<String, String>,
    /// Hosts.
    pub hosts: Vec<HostRow>,
    /// Instances.
    pub instances: Vec<InstanceRow>,
    /// Services with their edges, so that a report draws the graph from the record alone; absent in early records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceRow>,
    /// Each invariant asked for.
    pub invariants: Vec<InvariantResult>,
    /// One for each cause of a violation.
    pub findings: Vec<Finding>,
    /// Entries of the known-gaps file that speak of this scenario.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known_gaps: Vec<GapRow>,
    /// Acts on hosts between power-on and active.
    pub interventions: Vec<InterventionRow>,
    /// Figures.
    pub measurements: Measurements,
    /// What a reader must know before believing the result.
    pub caveats: Vec<Reason>,
    /// What was still there after the run.
    pub residue: Vec<ResidueRow>,
    /// The command that repeats this run.
    pub replay: String,
}

/// A value with where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// The value with its unit.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a parameter comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Seen in this run.
    Measured,
    /// Written in a file or on the command line.
    Declared,
    /// A default.
    Assumed,
}

/// The same game day again in virtual time, each time with one assumed parameter changed and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assumptions {
    /// The verdict in virtual time with nothing changed, which the trials are compared with.
    pub verdict: Verdict,
    /// Each parameter with each other value, in the order of their names in the files.
    pub trials: Vec<TrialRow>,
    /// Parameters that were not tried, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untried: Vec<UntriedRow>,
}

/// One trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialRow {
    /// The parameter, a key of [`Record::parameters`].
    pub parameter: String,
    /// Its value in the run.
    pub assumed: String,
    /// Its value in the trial.
    pub instead: String,
    /// What the trial's verdict was.
    pub verdict: Verdict,
    /// Invariants that were judged otherwise than with nothing changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
}

/// A parameter that was not tried, or not with every value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UntriedRow {
    /// The parameter.
    pub parameter: String,
    /// Its values that were not tried.
    pub instead: Vec<String>,
    /// Why not.
    pub reason: String,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRow {
    /// Name.
    pub name: HostName,
    /// Zone.
    pub zone: ZoneName,
    /// Address in the world, where it has one.
    pub address: String,
}

/// One instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceRow {
    /// Name.
    pub name: InstanceName,
    /// Service.
    pub service: ServiceName,
    /// The service's team.
    pub team: TeamName,
    /// Host.
    pub host: HostName,
    /// Zone.
    pub zone: ZoneName,
    /// Milliseconds from power-on to active, its slowest; absent where it never lost power or never came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_to_active_ms: Option<f64>,
}

/// One service of the graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRow {
    /// Name.
    pub name: ServiceName,
    /// Its team.
    pub team: TeamName,
    /// How far it spreads.
    pub scope: Scope,
    /// Whether customers call it.
    pub entry: bool,
    /// What an instance must have before it serves.
    pub needs: Vec<NeedRow>,
    /// Whom it calls while it serves, each once.
    pub calls: Vec<CallRow>,
}

/// One need of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeedRow {
    /// What is needed.
    pub need: String,
    /// Who grants it.
    pub from: ServiceName,
}

/// One call of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRow {
    /// The service called.
    pub to: ServiceName,
    /// Hard, where any of its calls there is.
    pub strength: Strength,
}

/// One entry of a known-gaps file, as this run met it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapRow {
    /// The invariant that it says is violated.
    pub invariant: String,
    /// The culprit that it names.
    pub service: ServiceName,
    /// Who promised to close it.
    pub owner: String,
    /// The last day on which it is accepted, `2027-01-31`.
    pub until: String,
    /// Why it is accepted for now.
    pub reason: String,
    /// What became of it.
    pub state: GapState,
}

/// What became of a known gap in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapState {
    /// It was found again, and is accepted.
    Accepted,
    /// It was found again after its last day.
    Expired,
    /// The run could have shown it and did not: the entry must be taken out.
    Gone,
    /// The run could not have shown it.
    NotSeen,
}

/// One act on a host that was not the region's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterventionRow {
    /// The host.
    pub host: HostName,
    /// What was done.
    pub action: String,
    /// The event.
    pub evidence: EventId,
}

/// One thing left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResidueRow {
    /// `container`, `network`, `cgroup` …
    pub object: String,
    /// Its name.
    pub name: String,
}
