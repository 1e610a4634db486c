//! Owns the power cycle of hosts. Inverse: they get power at once. Refuses to lose data: that takes a whole zone without
//! power.

use super::{Aim, Entry, Selection};
use crate::plan::Deed;
use crate::seed::Draw;
use fixtures::placement::Placement;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "restart",
    what: "the hosts lose power and get it back at once, once",
    inverse: "they have power again",
    probe: "every process seen before is gone",
    rights: "the engine's host: process ids and control groups",
};

/// Hosts lose power and get it back at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restart {
    /// Which.
    pub hosts: Selection,
}

impl Restart {
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        Aim::whole(&self.hosts, placement, draw, Deed::Restart)
    }
}
