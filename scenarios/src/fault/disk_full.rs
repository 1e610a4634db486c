//! Owns full disks. Inverse: what takes the room is gone. Refuses to touch any disk but the zone's own.

use super::{Aim, Entry, Selection};
use crate::plan::Deed;
use crate::seed::Draw;
use fixtures::name::ZoneName;
use fixtures::placement::Placement;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "disk-full",
    what: "no room is left on the zone's disk",
    inverse: "what takes the room is gone",
    probe: "a write to the zone's disk fails for want of room",
    rights: "the engine's host: loop devices and mounts",
};

/// Disks without room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskFull {
    /// Whose disks; a zone has one. Empty means all zones of the region.
    pub zones: Vec<ZoneName>,
}

impl DiskFull {
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        Aim::whole(&Selection::of_zones(self.zones.clone()), placement, draw, Deed::DiskFull)
    }
}
