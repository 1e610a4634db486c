//! Owns name servers that do not answer. Inverse: they answer again. Refuses to take their hosts down.

use super::{Aim, Entry, Selection};
use crate::seed::Draw;
use fixtures::placement::Placement;
use fixtures::trouble::Trouble;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "names-dead",
    what: "name servers answer no question",
    inverse: "they answer again",
    probe: "no answer comes to a question to each server over DNS",
    rights: "the engine's host: its network, to look from outside",
};

/// Name servers that are silent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamesDead {
    /// Whose name servers: of these hosts.
    pub hosts: Selection,
}

impl NamesDead {
    /// Disturbs no zone: what was known of names must carry everybody through.
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        Aim::of_names(&self.hosts, placement, draw, Trouble::NamesDead, false)
    }
}
