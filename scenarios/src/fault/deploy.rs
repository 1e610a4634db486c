//! Owns a deployment: processes of a service end and start as another version. Inverse: they end and start as the version
//! of before. Refuses to change what a process is while it runs.

use super::{Entry, Rollout};

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "deploy",
    what: "processes of a service get SIGTERM and are started again as another version, in all zones or one zone after the \
           other",
    inverse: "it is rolled back: they get SIGTERM and are started again as the version of before",
    probe: "the processes of before are gone, and none that answers runs another version than this one",
    rights: "the engine's host: process ids, and its network, to look from outside",
};

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deploy(pub Rollout);
