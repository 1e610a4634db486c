//! Owns a configuration push: running processes of a service take other settings. Inverse: they take those of before.
//! Refuses to end any process.

use super::{Entry, Rollout};

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "push",
    what: "running processes of a service take other settings at once, in all zones or one zone after the other",
    inverse: "the push is rolled back: they take the settings of before",
    probe: "each process says over the network which version it runs; those that run this one are counted",
    rights: "the engine's host: its network, to look from outside",
};

/// A configuration push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push(pub Rollout);
