//! Owns want of processor time. Inverse: the quota is as before and nothing burns it. Refuses to slow anybody else down.

use super::{Aim, Entry, Selection};
use crate::plan::Deed;
use crate::seed::Draw;
use fixtures::placement::Placement;
use fixtures::unit::Percent;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "processor",
    what: "each host is left a part of one core, and kept busy",
    inverse: "the quota is as before and nothing burns it",
    probe: "the host's processor time a second, and how often its quota stopped it",
    rights: "the engine's host: control groups",
};

/// Hosts are short of processor time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processor {
    /// Which.
    pub hosts: Selection,
    /// What each host is left, of one core.
    pub left: Percent,
}

impl Processor {
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        Aim::whole(&self.hosts, placement, draw, Deed::Processor { left_milli: self.left.ppm / 1_000 })
    }
}
