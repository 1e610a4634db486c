//! Owns name servers that answer with what once was. Inverse: they answer as before. Refuses to stop them.

use super::{Aim, Entry, Selection};
use crate::seed::Draw;
use fixtures::placement::Placement;
use fixtures::trouble::Trouble;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "names-stale",
    what: "name servers answer as when they started: what has become unhealthy since is in their answers again",
    inverse: "they answer as before",
    probe: "the serial number of each server's zone, asked over DNS, is that of its first version",
    rights: "the engine's host: its network, to look from outside",
};

/// Name servers with old answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamesStale {
    /// Whose name servers: of these hosts.
    pub hosts: Selection,
}

impl NamesStale {
    /// Disturbs no zone: what was known of names must carry everybody through.
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        Aim::of_names(&self.hosts, placement, draw, Trouble::NamesStale, false)
    }
}
