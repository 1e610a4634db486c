//! Owns slow disks. Inverse: writes take as long as before. Refuses to fail them.

use super::{Aim, Entry, Selection};
use crate::plan::Deed;
use crate::seed::Draw;
use fixtures::name::ZoneName;
use fixtures::placement::Placement;
use std::time::Duration;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "disk-slow",
    what: "every write to the zone's disk waits",
    inverse: "writes take as long as before",
    probe: "the time that a synced write to the zone's disk takes",
    rights: "the engine's host: loop devices and mounts",
};

/// The shortest delay of a write: the kernel's control groups hold writes back in slices of a tenth of a second and let
/// one of a slice through (`block/blk-throttle.c`), so writes that come one at a time cannot be held back for less.
pub const DELAY_MIN: Duration = Duration::from_millis(200);

/// Disks on which every write waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskSlow {
    /// Whose disks; a zone has one. Empty means all zones of the region.
    pub zones: Vec<ZoneName>,
    /// How long a write waits; at least [`DELAY_MIN`].
    pub delay: Duration,
}

impl DiskSlow {
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        Aim::whole(
            &Selection::of_zones(self.zones.clone()),
            placement,
            draw,
            Deed::DiskSlow { delay_ms: super::millis(self.delay) },
        )
    }
}
