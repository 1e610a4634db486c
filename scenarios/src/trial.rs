//! Owns what is observed while one image is on trial: it runs sealed off, several times, and each time its dependencies
//! are played in another way. Refuses to know how an image is run, and how a dependency is played.
//!
//! - [`judge`]: the invariants that a trial can judge; [`edges`]: how hard it leans on each dependency
//! - [`telemetry`]: which dependencies are telemetry

pub mod edges;
pub mod judge;
pub mod telemetry;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a dependency is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Play {
    /// Its name resolves; packets to it vanish.
    Vanish,
    /// Its name does not exist (NXDOMAIN); packets to a plain address vanish.
    Absent,
    /// Connections are refused at once.
    Refuse,
    /// Connections are accepted, and nothing is ever said.
    Hang,
    /// Requests by HTTP are answered with an error; other connections are closed when something was said.
    Fail,
    /// It is there: requests by HTTP are answered, other connections are accepted and read.
    Answer,
}

impl Play {
    /// What a reader is told of it.
    pub fn told(self) -> &'static str {
        match self {
            Self::Vanish => "packets to its dependencies vanish",
            Self::Absent => "its dependencies' names do not exist",
            Self::Refuse => "its dependencies refuse connections",
            Self::Hang => "its dependencies accept connections and say nothing",
            Self::Fail => "its dependencies answer with errors",
            Self::Answer => "its dependencies answer",
        }
    }
}

/// Whom the image wanted to reach: by the name that it asked for, or by a plain address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Dependency {
    /// The name as it was asked for, or the address where no name was asked for.
    pub name: String,
    /// The port; zero where only the name was asked for.
    pub port: u16,
    /// Whether by UDP; TCP otherwise.
    pub udp: bool,
}

impl std::fmt::Display for Dependency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.port, self.udp) {
            (0, _) => f.write_str(&self.name),
            (port, false) => write!(f, "{}:{port}", self.name),
            (port, true) => write!(f, "{}:{port}/udp", self.name),
        }
    }
}

/// How often a dependency was wanted in a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Knock {
    /// Whom.
    pub dependency: Dependency,
    /// Connections begun, datagrams sent, or (where the port is zero) lookups of its name.
    pub times: u32,
    /// The first time, in milliseconds since the image was started.
    pub first_ms: u64,
    /// The last time.
    pub last_ms: u64,
    /// The first request that was read, where one was: `GET /config`.
    pub request: Option<String>,
    /// Whether it is one of the needs that were allowed.
    pub allowed: bool,
}

/// What became of one question put to the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// It is well.
    Well,
    /// It answered that it is not: a status, an exit status, a text.
    Error(String),
    /// Nothing listens.
    Refused,
    /// No answer in time.
    Silent,
    /// The connection ended before an answer, or the answer made no sense.
    Broken(String),
}

/// All replies to one question in one step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Asked {
    /// How often it was well.
    pub well: u32,
    /// How often it answered with an error.
    pub errors: u32,
    /// How often nothing listened.
    pub refused: u32,
    /// How often there was no answer in time.
    pub silent: u32,
    /// How often a connection ended without an answer.
    pub broken: u32,
    /// When it was well for the first time, in milliseconds since the step began.
    pub first_well_ms: Option<u64>,
    /// The quickest answer that was well, in milliseconds.
    pub quickest_well_ms: Option<u64>,
    /// The slowest answer that was well.
    pub slowest_well_ms: u64,
    /// What all answers that were well took together, in milliseconds.
    #[serde(default)]
    pub well_ms: u64,
    /// How long the last question had been without an answer when the step ended, in milliseconds.
    #[serde(default)]
    pub waiting_ms: u64,
    /// The slowest answer of any kind, in milliseconds.
    pub slowest_ms: u64,
    /// The last reply that was not well.
    pub last_trouble: Option<String>,
}

impl Asked {
    /// Counts one reply, which took so long and came so long after the step began.
    pub fn count(&mut self, reply: &Reply, took_ms: u64, at_ms: u64) {
        let trouble = match reply {
            Reply::Well => {
                self.well += 1;
                self.first_well_ms = self.first_well_ms.or(Some(at_ms));
                self.quickest_well_ms = Some(self.quickest_well_ms.map_or(took_ms, |quickest| quickest.min(took_ms)));
                self.slowest_well_ms = self.slowest_well_ms.max(took_ms);
                self.well_ms += took_ms;
                None
            }
            Reply::Error(text) => {
                self.errors += 1;
                Some(text.clone())
            }
            Reply::Refused => {
                self.refused += 1;
                Some("nothing listens".to_owned())
            }
            Reply::Silent => {
                self.silent += 1;
                Some(format!("no answer in {took_ms} ms"))
            }
            Reply::Broken(text) => {
                self.broken += 1;
                Some(text.clone())
            }
        };
        if matches!(reply, Reply::Well | Reply::Error(_)) {
            self.slowest_ms = self.slowest_ms.max(took_ms);
        }
        self.last_trouble = trouble.or(self.last_trouble.take());
    }

    /// Whether it was asked at all.
    pub fn is_any(&self) -> bool {
        self.well + self.not_well() > 0
    }

    /// What an answer that was well took on average, the slowest one left out: any machine is busy once.
    pub fn usual_well_ms(&self) -> u64 {
        match u64::from(self.well) {
            0 | 1 => self.quickest_well_ms.unwrap_or_default(),
            well => {
                let others = self.well_ms.saturating_sub(self.slowest_well_ms) / (well - 1);
                others.max(self.quickest_well_ms.unwrap_or_default())
            }
        }
    }

    /// How often it was not well, but for those to whom nobody listened yet.
    pub fn unwell(&self) -> u32 {
        self.errors + self.silent + self.broken
    }

    /// How often it was not well.
    pub fn not_well(&self) -> u32 {
        self.errors + self.refused + self.silent + self.broken
    }
}

/// Dependencies are played in one way for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// How.
    pub play: Play,
    /// Only these are played so, and all others answer; nothing where all are.
    pub only: Vec<String>,
    /// When it began, in milliseconds since the image was started.
    pub began_ms: u64,
    /// When it ended.
    pub ended_ms: u64,
    /// Whether it is up: `--probe`.
    pub probe: Asked,
    /// A request as a customer sends: `--call`, or the probe again.
    pub call: Asked,
    /// Whether it should be restarted: `--liveness`; never asked where none was given.
    pub liveness: Asked,
    /// Whom it wanted to reach.
    pub knocks: Vec<Knock>,
}

/// The image's first process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exit {
    /// In milliseconds since the image was started.
    pub at_ms: u64,
    /// Its exit status.
    pub status: i64,
    /// The last line that it wrote.
    pub last_line: String,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "it ended with status {} after {}", self.status, seconds(self.at_ms))?;
        if self.last_line.is_empty() { Ok(()) } else { write!(f, ": {}", self.last_line) }
    }
}

/// What an experiment is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Purpose {
    /// Everything is there, then goes away, then is back: what the others are compared with, and D6.
    Control,
    /// Everything but the allowed needs is missing from the start in this way, then appears: S1 (vanishing), S2, S3.
    Missing {
        /// How.
        play: Play,
    },
    /// Everything is missing for a long time, then appears: S8.
    Absence,
    /// Telemetry alone is missing in this way: D9.
    Telemetry {
        /// How.
        play: Play,
    },
    /// One dependency is missing from the start, appears, and goes away again: how hard the edge is.
    Edge {
        /// Whose.
        name: String,
    },
}

impl Purpose {
    /// A short name, the same in every trial.
    pub fn name(&self) -> String {
        let word = |play: &Play| match play {
            Play::Vanish => "vanish",
            Play::Absent => "absent",
            Play::Refuse => "refuse",
            Play::Hang => "hang",
            Play::Fail => "fail",
            Play::Answer => "answer",
        };
        match self {
            Self::Control => "control".to_owned(),
            Self::Missing { play } => format!("missing-{}", word(play)),
            Self::Absence => "absence".to_owned(),
            Self::Telemetry { play } => format!("telemetry-{}", word(play)),
            Self::Edge { name } => format!("without {name}"),
        }
    }
}

/// One run of the image, sealed off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Experiment {
    /// What it is for.
    pub purpose: Purpose,
    /// What was played, in order; those after an exit were not begun.
    pub steps: Vec<Step>,
    /// Whether it ended.
    pub exit: Option<Exit>,
}

impl Experiment {
    /// The exit as evidence.
    pub fn exit_told(&self) -> Option<String> {
        self.exit.as_ref().map(|exit| format!("{}: {exit}", self.purpose.name()))
    }

    /// Whom it wanted to reach, beside allowed needs, whenever.
    pub fn wanted(&self) -> impl Iterator<Item = &Knock> {
        self.steps.iter().flat_map(|step| &step.knocks).filter(|knock| !knock.allowed)
    }
}

/// Bounds that verdicts rest on, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bounds {
    /// How long it may take until it answers.
    pub start_within_ms: u64,
    /// How long one answer may take.
    pub answer_within_ms: u64,
    /// How long after its dependencies appeared a call must succeed.
    pub heal_within_ms: u64,
    /// How long the long absence was.
    pub absence_ms: u64,
    /// Whether a call was given; without one the probe stands for it.
    pub has_call: bool,
    /// Whether a liveness check was given.
    pub has_liveness: bool,
    /// Names that are telemetry, beside those that are known by name or port.
    pub telemetry: Vec<String>,
}

/// A time for people.
pub fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}
