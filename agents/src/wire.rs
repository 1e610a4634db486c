//! Owns what agents say: to each other over HTTP, and to the witness as notes. Refuses to know sockets.
//!
//! HTTP: `POST /work/OPERATION`, `GET /need/KIND`, `GET /state/KEY`, `GET /livez`, `GET /readyz`, `GET /version`,
//! `GET /metrics`, and between members of a replicated store `POST /member` with a [`Letter`]. Counts are pushed with
//! `POST /push`. An operator asks `POST /switch/WORD/MILLISECONDS`. A scaler asks telemetry `GET /load/ZONE/SERVICE`, and
//! instances `POST /duty/takes`, `/duty/stands-by` or `/duty/tell`.
//! A generic host asks `GET /artefacts/SERVICE@EDITION` where others ask for the need of software.
//! A lookup of a name travels as DNS.
//! Answers are a [`Reply`] as JSON, with the status of [`Reply::status`]. Notes are one JSON [`Line`] each over one TCP
//! connection to the witness; they are best effort, numbered, and never hold anything up.

use crate::config::Target;
use crate::consensus::message::{Answer, Letter};
use crate::few::Few;
pub use fixtures::asked::Asked;
use fixtures::asked::is_zero;
pub use fixtures::delivery::Delivery;
pub use fixtures::graph::scaler::ScaleCause;
pub use fixtures::graph::telemetry::AlarmCause;
use fixtures::name::{HostName, InstanceName, ServiceName, ZoneName};
pub use fixtures::switch::Switch;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

/// Request header: milliseconds that the caller still waits.
pub const HEADER_REMAINING_MS: &str = "x-blackstart-remaining-ms";
/// Request header of whoever asks for a certificate: its public key, in hexadecimal digits.
pub const HEADER_KEY: &str = "x-blackstart-key";
/// Request header of whoever asks for a certificate: the names that it is to say, with commas between them.
pub const HEADER_NAMES: &str = "x-blackstart-names";
/// Request header: somebody on the way had asked before in vain. Absent otherwise.
pub const HEADER_AGAIN: &str = "x-blackstart-again";
/// Request header of whoever asks for a need: its name.
pub const HEADER_HOLDER: &str = "x-blackstart-holder";
/// Answer header of whoever gives out an artefact: its name.
pub const HEADER_BY: &str = "x-blackstart-by";
/// Request header: a customer's write, `KEY=VALUE`.
pub const HEADER_WRITE: &str = "x-blackstart-write";

/// Request header: a [`Letter`], as JSON.
pub const HEADER_LETTER: &str = "x-blackstart-letter";
/// Request header: [`Metrics`], as JSON.
pub const HEADER_METRICS: &str = "x-blackstart-metrics";

/// A text that many messages hold: shared, never copied.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Text(Arc<str>);

impl std::convert::From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl std::convert::From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl std::convert::From<Text> for String {
    fn from(text: Text) -> Self {
        text.0.as_ref().to_owned()
    }
}

impl Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is asked of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Perform an operation; a write is stored by the services with state on its way.
    Work {
        /// The operation.
        operation: Text,
        /// Key and value to store.
        write: Option<Box<Write>>,
        /// Somebody on the way, or the customer, had asked before in vain.
        again: bool,
    },
    /// Grant a need.
    Need {
        /// Its kind.
        kind: Text,
        /// Who asks for it; empty where nobody is to hold it.
        holder: Text,
    },
    /// Who is behind a name? Asked of a name server, over DNS.
    Lookup {
        /// The name, without a dot at its end.
        name: Text,
    },
    /// Read a key back.
    Read {
        /// The key.
        key: String,
    },
    /// Is it ready?
    Ready,
    /// A question of another member of a replicated store.
    Member(Box<Letter>),
    /// Take these counts. Asked of an instance of telemetry.
    Metrics(Box<Metrics>),
    /// How much arrives at a service in a zone? Asked of an instance of telemetry.
    Load(Box<LoadOf>),
    /// Take requests, or stand by; or say which it is. Asked of an instance that is scaled.
    Duty {
        /// True: take requests; false: stand by; `None`: go on.
        order: Option<bool>,
    },
    /// Obey a switch for so many nanoseconds; zero ends it.
    Switch {
        /// Which.
        switch: Switch,
        /// How long.
        for_ns: u64,
    },
    /// Is the process alive?
    Live,
    /// Which version of its service does it run? The answer's value is empty for what the graph says.
    Version,
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// Whose load is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadOf {
    /// The zone.
    pub zone: ZoneName,
    /// The service.
    pub service: ServiceName,
}

/// Counts of requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {
    /// Of one instance by interval, the oldest first; or sums of many, by zone and service.
    pub counts: Vec<Count>,
    /// Whether another instance of telemetry hands on what it was told.
    pub relayed: bool,
}

/// What happened to the requests of a service in a zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The zone.
    pub zone: ZoneName,
    /// The service.
    pub service: ServiceName,
    /// Nanoseconds since the end of what it covers.
    pub age_ns: u64,
    /// Requests answered, in full or without a soft dependency.
    pub served: u64,
    /// Requests that failed, or whose caller did not wait for the end.
    pub failed: u64,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reply {
    /// Absent on success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// The instance that answers.
    pub by: Text,
    /// Soft dependencies that were missing anywhere behind this answer.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub degraded: Few<ServiceName>,
    /// On failure: the chain of missing dependencies, the nearest first.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub missing: Few<ServiceName>,
    /// Instances that stored the write.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub stored_at: Few<InstanceName>,
    /// The value read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Who is behind the name that was looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<Box<Records>>,
    /// For how long what was granted is valid; absent is for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Box<Grant>>,
    /// The certificate that was granted, as PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Box<str>>,
    /// The answer to [`Ask::Member`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<Box<Answer>>,
}

/// An answer to a lookup; without targets it says that there is nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// Who is behind the name.
    pub targets: Vec<Target>,
    /// Nanoseconds for which the answer is good.
    pub ttl_ns: u64,
    /// Number of this version of the names.
    pub serial: u32,
}

/// From when to when something granted is valid, in nanoseconds of the clock that all hosts of a region share when theirs
/// are right (in containers: the engine machine's monotonic clock).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Grant {
    /// Not before.
    pub from_ns: i64,
    /// Not after.
    pub until_ns: i64,
    /// Whose authority granted it.
    #[serde(default, skip_serializing_if = "Realm::is_first")]
    pub realm: Realm,
}

/// All who have one root in common. There is one, but where a region is built out of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Realm(pub u8);

impl Realm {
    /// Of a region that is built beside the one that stands.
    pub const BUILT: Self = Self(1);

    /// Whether it is the one that there always is.
    pub fn is_first(&self) -> bool {
        *self == Self::default()
    }
}

/// Why a request failed: typed, so that a caller can decide, and fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// A hard dependency is missing; `missing` names it.
    DependencyMissing,
    /// The queue is full; another try makes it worse.
    Overloaded,
    /// The caller's time is up.
    Deadline,
    /// No such operation, need or path here.
    Unknown,
    /// The key is not here.
    NotFound,
    /// The write could not be stored.
    Storage,
    /// It is not granted.
    Denied,
    /// It changes nothing now, as one that has no capacity left.
    Capacity,
    /// It takes no requests now; others do.
    Away,
    /// It went wrong in the instance itself; another one of the same version would do no better.
    Internal,
    /// It stands by: others of its service take requests.
    Standby,
}

impl Reply {
    /// A success.
    pub fn ok(by: &InstanceName) -> Self {
        Self::by(&by.as_str().into())
    }

    /// A success, of a name that is shared.
    pub fn by(by: &Text) -> Self {
        // Field by field: a default text is one that all threads share, and counting its holders keeps them waiting for
        // each other.
        let (degraded, missing, stored_at) = (Few::new(), Few::new(), Few::new());
        let (value, records, grant, certificate, member) = (None, None, None, None, None);
        Self { error: None, by: by.clone(), degraded, missing, stored_at, value, records, grant, certificate, member }
    }

    /// A failure.
    pub fn fail(by: &InstanceName, error: Failure) -> Self {
        Self { error: Some(error), ..Self::ok(by) }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self.error {
            None => 200,
            Some(Failure::Unknown | Failure::NotFound) => 404,
            Some(Failure::Denied) => 403,
            Some(Failure::Overloaded) => 429,
            Some(Failure::Deadline) => 504,
            Some(Failure::Internal) => 500,
            Some(
                Failure::DependencyMissing | Failure::Storage | Failure::Capacity | Failure::Away | Failure::Standby,
            ) => 503,
        }
    }

    /// A word for counting failures by cause: `missing:cache` names the last of the chain, where the trouble is.
    pub fn cause(&self) -> Option<String> {
        Some(match self.error? {
            Failure::DependencyMissing => {
                self.missing.last().map_or_else(|| "missing".to_owned(), |service| format!("missing:{service}"))
            }
            Failure::Overloaded => "overloaded".to_owned(),
            Failure::Deadline => "deadline".to_owned(),
            Failure::Unknown => "unknown".to_owned(),
            Failure::NotFound => "not-found".to_owned(),
            Failure::Storage => "storage".to_owned(),
            Failure::Denied => "denied".to_owned(),
            Failure::Capacity => "capacity".to_owned(),
            Failure::Away => "away".to_owned(),
            Failure::Internal => "internal".to_owned(),
            Failure::Standby => "standby".to_owned(),
        })
    }
}

/// One line to the witness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The engine machine's monotonic clock, nanoseconds.
    pub mono_ns: u64,
    /// Number of the line since the process began.
    pub seq: u64,
    /// Lines dropped before this one, because the witness could not be reached or did not keep up.
    pub dropped: u64,
    /// Who.
    pub from: From,
    /// What.
    pub note: Note,
}

/// Who sends a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct From {
    /// The zone.
    pub zone: ZoneName,
    /// The host.
    pub host: HostName,
    /// The service, where it is an instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// The instance, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceName>,
}

/// What a process tells of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "note", rename_all = "kebab-case")]
pub enum Note {
    /// The host's first process passed the gate.
    Powered,
    /// A service process was started on the host.
    ServiceStarted {
        /// Which.
        process: String,
    },
    /// A service process ended.
    ServiceExited {
        /// Which.
        process: String,
        /// Its exit status, in words.
        status: String,
    },
    /// The instance began to ask for its needs.
    Starting,
    /// The instance has its needs and answers.
    Serving,
    /// A need was asked for.
    Need {
        /// Its kind.
        need: String,
        /// The service that grants it.
        from: ServiceName,
        /// `waiting`, `acquired` or `gave-up`.
        outcome: NeedOutcome,
        /// Asks so far.
        attempts: u32,
    },
    /// Something became of the software that it is to run.
    Software {
        /// What.
        delivery: Delivery,
        /// Its version; 0 where that is not known.
        version: u64,
        /// SHA-256 of its payload, in hexadecimal digits; empty where that is not known.
        sha256: String,
        /// Who gave it out; empty where it was on the host's own disk.
        from: String,
        /// Why it is not run; empty where it is.
        why: String,
    },
    /// Calls to one dependency since the last such note.
    Call {
        /// The dependency.
        to: ServiceName,
        /// Attempts sent.
        sent: u64,
        /// Attempts failed, by cause.
        failed: BTreeMap<String, u64>,
        /// Hard or soft.
        hard: bool,
    },
    /// What others asked of the instance, since the last such note.
    Arrived {
        /// Nanoseconds that it covers.
        over_ns: u64,
        /// Requests for work.
        received: u64,
        /// Of those, sent because somebody on the way had asked before in vain.
        again: u64,
        /// Of those, turned away because too many waited.
        refused: u64,
        /// Of those, taken in although whoever asked would not wait until their turn.
        late: u64,
        /// Asks for what others need.
        needs: u64,
        /// Of those, denied because there is no more of it.
        denied: u64,
        /// Of those, put off because they came too soon after others.
        postponed: u64,
    },
    /// Calls of an operation that changes something since the last such note.
    Tap {
        /// The operation.
        operation: String,
        /// Calls.
        calls: u64,
        /// Of those, refused because nothing may be changed.
        refused: u64,
    },
    /// Telemetry takes counts again after some had to be dropped.
    Metrics {
        /// Intervals that nobody will ever know of.
        dropped: u64,
    },
    /// An alarm was raised or cleared.
    Alarm {
        /// The zone that it is about; absent where it is about all of them together.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        zone: Option<ZoneName>,
        /// The service that it is about.
        service: ServiceName,
        /// Raised, or cleared.
        raised: bool,
        /// Why it was raised.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<AlarmCause>,
        /// Requests that failed in the last period.
        failed: u64,
        /// Requests in it.
        requests: u64,
    },
    /// A scaler has changed how many instances of a service take requests in its zone.
    Scaled {
        /// The service.
        group: ServiceName,
        /// How many took requests before.
        from: u32,
        /// How many do now.
        to: u32,
        /// Why.
        cause: ScaleCause,
    },
    /// One window of a canary.
    Canary {
        /// True for the control canary.
        control: bool,
        /// Number of the window.
        seq: u64,
        /// When it ended, on the engine machine's monotonic clock.
        end_ns: u64,
        /// Its length.
        window_ns: u64,
        /// Requests intended in it.
        sent: u64,
        /// Answered in full.
        ok: u64,
        /// Answered without a soft dependency.
        degraded: u64,
        /// Failed, by cause.
        failed: BTreeMap<String, u64>,
        /// Bucket upper bound in microseconds, count.
        latency_us: Vec<(u64, u64)>,
        /// Attempts after the first one of a request.
        #[serde(default, skip_serializing_if = "is_zero")]
        retries: u64,
        /// The same counts of each operation; empty where only one is asked for.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        operations: BTreeMap<String, Asked>,
    },
}

/// How asking for a need went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NeedOutcome {
    /// It will ask again.
    Waiting,
    /// It has it.
    Acquired,
    /// It will never ask again.
    GaveUp,
}
