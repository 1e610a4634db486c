//! Owns trouble at boot: late, not at all, or through a bottleneck. Inverse: hosts that still wait boot at once. Refuses
//! to take power: a host that keeps it notices nothing.

use super::{Aim, Entry, Selection};
use crate::plan::{BootTrouble, Deed};
use crate::seed::Draw;
use fixtures::placement::Placement;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "boot",
    what: "hosts that get power while it lasts boot late, not before it is healed, or so many at a time",
    inverse: "hosts that still wait boot at once",
    probe: "those that should wait are seen waiting at their gates, and the witness gets no answer from them",
    rights: "none beyond power: the gates are the hand's own",
};

/// Hosts do not boot as they should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// Which.
    pub hosts: Selection,
    /// In which way.
    pub trouble: BootTrouble,
}

impl Boot {
    /// Disturbs no zone by itself: what takes the power does.
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        let hosts = self.hosts.resolve(placement, draw);
        Aim { zones: Vec::new(), hosts, deed: Deed::Boot { trouble: self.trouble } }
    }
}
