//! Owns power loss. Inverse: the same hosts get power again, unless another fault still holds them dark. Refuses to know
//! how a process is killed.

use super::{Aim, Entry, Selection};
use crate::plan::{Deed, Unsynced};
use crate::seed::Draw;
use fixtures::placement::Placement;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "power-off",
    what: "every process of the hosts dies at once and nothing may start them; what a zone's disk had not synced is lost, \
           torn or kept",
    inverse: "the hosts get power at once, unless another fault still holds them dark",
    probe: "every process is seen dead, and the witness gets no answer from any of their instances",
    rights: "the engine's host: process ids and control groups; for lost or torn data also loop devices and mounts",
};

/// Hosts lose power.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PowerOff {
    /// Which.
    pub hosts: Selection,
    /// What becomes of data that was not synced. Lost and torn need whole zones: a zone has one disk, and it keeps its
    /// data while any of the zone's hosts has power.
    pub unsynced: Unsynced,
}

impl PowerOff {
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        Aim::whole(&self.hosts, placement, draw, Deed::Power { unsynced: self.unsynced })
    }
}
