//! Owns the vocabulary of what is seen while a region is built: the part of [`crate::event::Detail`] that game days do not
//! have. Refuses to know how anything was seen.

use super::plan::{Border, BuildPhase};
pub use fixtures::delivery::Delivery;
use fixtures::name::{InstanceName, ServiceName};
use serde::{Deserialize, Serialize};

/// How keys of data begin that is marked for a country: it must not leave its zone.
pub const MARKED: &str = "resident-";

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Building {
    /// A phase begins; the one before it ends.
    Phase {
        /// Which.
        phase: BuildPhase,
    },
    /// Something about a step; the event's zone is the live zone that it changes, where it changes one.
    Step {
        /// Its id.
        step: String,
        /// The phase that it belongs to.
        phase: BuildPhase,
        /// What became of it.
        state: StepState,
        /// How often it has been begun.
        attempt: u32,
        /// What it waits for, or why it is so; empty where the state says it all.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
    },
    /// The racks of a zone (the event's place) have landed.
    Landed {},
    /// It stands at the border of a phase, and goes on when somebody says so.
    Paused {
        /// The phase that it stands before.
        phase: BuildPhase,
        /// What stands against it; empty where somebody asked for the pause.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
    },
    /// Somebody had to do something, or has to: where an instance is the cause, it is the event's place.
    Hand {
        /// The step that it is about.
        step: String,
        /// What.
        text: String,
    },
    /// What an earlier build found was looked for before a phase; the event's place is the service that was found.
    Check {
        /// The earlier build.
        from: String,
        /// The invariant.
        invariant: String,
        /// The phase.
        phase: BuildPhase,
        /// What is still so; empty where nothing that was seen so far says so.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
    },
    /// What passes between the two regions has changed.
    Border {
        /// To this.
        border: Border,
    },
    /// A name server (the event's place) answers a name otherwise than before, or as before although others do not.
    Answer {
        /// The name.
        name: String,
        /// Who is behind it.
        targets: Vec<InstanceName>,
    },
    /// Calls of an instance (the event's place) since the last such event, over the border or to what stands in for
    /// something.
    Flow {
        /// The service called.
        to: ServiceName,
        /// Where that instance is.
        end: FlowEnd,
        /// Whether the two are on different sides of the border.
        crosses: bool,
        /// Attempts.
        calls: u64,
        /// Of those, refused or dropped at the border.
        refused: u64,
    },
    /// A customer of the bootstrap region was looked for in the region that is built, at the end.
    Identity {
        /// Who.
        customer: String,
        /// Whether it had opted in.
        opted_in: bool,
        /// Whether it is known there.
        known: bool,
    },
    /// Something that is judged could not be found out, however often somebody was asked: the event's place is who ought to
    /// have said it.
    Unsaid {
        /// What.
        what: Sought,
        /// The customer, or a key of the data.
        name: String,
    },
    /// Data that is marked for a country was sent out of its zone by an instance (the event's place).
    Left {
        /// Its key.
        key: String,
        /// The service that it was sent to.
        to: ServiceName,
        /// Whether it did not get through, because there was no link.
        refused: bool,
    },
    /// Something became of the software of an instance (the event's place), as its host says.
    Software {
        /// What.
        delivery: Delivery,
        /// Its version; 0 where that is not known.
        #[serde(default)]
        version: u64,
        /// SHA-256 of its payload, in hexadecimal digits; empty where that is not known.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        sha256: String,
        /// Who gave it out; absent where it was on the host's own disk.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<InstanceName>,
        /// Why it is not run; empty where it is.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
    },
    /// A value that was copied, or looked for afterwards.
    Object {
        /// Its key.
        key: String,
        /// Where it is, or ought to be; absent where nobody has it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<InstanceName>,
        /// The hash of its value (FNV-1a, 64 bits); empty where there is none.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        hash: String,
        /// What became of it.
        state: ObjectState,
    },
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// It waits for something before it may begin.
    Waiting,
    /// It is begun; this is on the disk.
    Begun,
    /// It was begun again.
    Retried,
    /// What it was to bring about is there.
    Done,
    /// It did not come about in time.
    Failed,
    /// It is being undone.
    Undoing,
    /// It was undone.
    Undone,
}

/// What somebody was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sought {
    /// To make a customer known in the bootstrap region.
    Enrolment,
    /// Whether a customer is known in the region that is built.
    Identity,
    /// Whether data that is marked for a country is where it must not be.
    Marked,
}

/// Where whoever was called is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlowEnd {
    /// In the bootstrap region.
    Bootstrap,
    /// In the bootstrap network.
    Network,
    /// It is the Franken instance.
    Franken,
    /// It is a proxy.
    Proxy,
    /// In the build region.
    Build,
}

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectState {
    /// It was written to its new place and read back from there with the same hash.
    Copied,
    /// Its new place has another value.
    Differs,
    /// It could not be copied.
    NotCopied,
    /// At the end it was where it ought to be, with the value that was acknowledged.
    Kept,
    /// At the end it was not.
    Lost,
    /// Its old place has nothing of it any more.
    Emptied,
    /// It was written in its zone, and is marked for that zone's country.
    Marked,
}
