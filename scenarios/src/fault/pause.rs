//! Owns frozen hosts: they keep their connections and answer nothing. Inverse: every process goes on where it stood.
//! Refuses to know freezers.

use super::{Aim, Entry, Selection};
use crate::plan::Deed;
use crate::seed::Draw;
use fixtures::placement::Placement;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "pause",
    what: "every process of the hosts is frozen: connections stay, nothing answers",
    inverse: "every process goes on where it stood",
    probe: "the freezer says frozen, their processor time stands still, and the witness gets no answer",
    rights: "the engine's host: control groups",
};

/// Hosts are frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Which.
    pub hosts: Selection,
}

impl Pause {
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        Aim::whole(&self.hosts, placement, draw, Deed::Pause)
    }
}
