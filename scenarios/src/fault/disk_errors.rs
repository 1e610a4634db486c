//! Owns failing disks. Inverse: reads and writes succeed again. Refuses to damage what is on them.

use super::{Aim, Entry, Selection};
use crate::plan::Deed;
use crate::seed::Draw;
use fixtures::name::ZoneName;
use fixtures::placement::Placement;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "disk-errors",
    what: "reads and writes of data on the zone's disk fail",
    inverse: "reads and writes succeed again",
    probe: "a write to the zone's disk fails with an input/output error",
    rights: "the engine's host: loop devices and mounts",
};

/// Disks on which reads and writes fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskErrors {
    /// Whose disks; a zone has one. Empty means all zones of the region.
    pub zones: Vec<ZoneName>,
}

impl DiskErrors {
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        Aim::whole(&Selection::of_zones(self.zones.clone()), placement, draw, Deed::DiskErrors)
    }
}
