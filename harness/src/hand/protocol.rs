//! Owns what the controller and the hand say to each other: one JSON line each, over the hand's attached standard
//! input and output. Refuses to know how anything is done.

use serde::{Deserialize, Serialize};

/// From the controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Comes back in the [`Word`].
    pub id: u64,
    /// What to do.
    pub task: Task,
}

/// What the hand can do. Every task can be asked for twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// The first order: which run it is, and how long silence may last before the hand acts alone.
    Hello {
        /// The run's id.
        run: String,
        /// The run's short id, in names of rules and bridges.
        short: String,
        /// Control groups of the run, below which its zones' groups are.
        cgroups: Vec<String>,
        /// Milliseconds without any order after which the lease has ended.
        lease_ms: u64,
    },
    /// The controller is alive.
    Beat,
    /// Write files into the shared folder, make state folders, and close the gates of these hosts.
    Prepare {
        /// Path below the shared folder, and text.
        files: Vec<(String, String)>,
        /// Folders below the state folder.
        state_dirs: Vec<String>,
        /// Hosts.
        gates: Vec<String>,
    },
    /// Allow forwarding between these bridges and nothing else out of them.
    Links {
        /// Bridge interfaces.
        bridges: Vec<String>,
    },
    /// Kill every process of these hosts at once.
    PowerOff {
        /// Control groups whose hosts are all meant: one write kills them.
        whole: Vec<String>,
        /// The hosts.
        hosts: Vec<Target>,
    },
    /// Close the gates of these hosts: they wait there when they are started.
    CloseGates {
        /// Hosts.
        gates: Vec<String>,
    },
    /// Open the gates of these hosts at once.
    OpenGates {
        /// Hosts.
        gates: Vec<String>,
    },
    /// Remove rules and control groups; say what is still there.
    Finish,
}

/// One host that is to die.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its name.
    pub host: String,
    /// Its control group: the zone's, then the container's id.
    pub cgroup: String,
}

/// From the hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// The order's id.
    pub id: u64,
    /// The answer, or a sentence that says what went wrong.
    pub result: Result<Answer, String>,
}

/// The hand's answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It is done.
    Done,
    /// To [`Task::Hello`].
    Hello(Rights),
    /// To [`Task::PowerOff`].
    Dark(Dark),
    /// To [`Task::OpenGates`].
    Open {
        /// Monotonic clock before the first gate opened.
        first_ns: u64,
        /// Monotonic clock after the last one.
        last_ns: u64,
    },
    /// To [`Task::Finish`]: kind and name of what is still there.
    Left(Vec<(String, String)>),
}

/// What this hand can do here: probed, never assumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights {
    /// It sees the host's processes and control groups.
    pub host_view: bool,
    /// Root of the hierarchy that has `cgroup.kill`, seen from the hand; empty where there is none.
    pub cgroup_kill: String,
    /// Root of the v1 freezer; empty where there is none.
    pub freezer: String,
    /// It can write packet filter rules; otherwise why not.
    pub links: Result<(), String>,
    /// Monotonic clock at the time of the answer.
    pub mono_ns: u64,
}

/// How hosts died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dark {
    /// How it was done: `cgroup.kill`, `freezer`, `sigkill`.
    pub method: String,
    /// Hosts none of whose processes is left.
    pub dead: Vec<String>,
    /// Processes watched.
    pub processes: usize,
    /// Monotonic clock when the first process was seen dead.
    pub first_ns: u64,
    /// Monotonic clock when the last one was.
    pub last_ns: u64,
}
