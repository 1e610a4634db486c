//! Owns want of memory. Inverse: what fills it is gone. Refuses to take more than the host's own limit.

use super::{Aim, Entry, Selection};
use crate::plan::Deed;
use crate::seed::Draw;
use fixtures::placement::Placement;
use fixtures::unit::Percent;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "memory",
    what: "each host's memory is filled to a share of its limit",
    inverse: "what fills it is gone",
    probe: "the host's memory in use against its limit",
    rights: "the engine's host: control groups",
};

/// Hosts are short of memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// Which.
    pub hosts: Selection,
    /// How far each host's limit is filled.
    pub fill: Percent,
}

impl Memory {
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        Aim::whole(&self.hosts, placement, draw, Deed::Memory { fill_milli: self.fill.ppm / 1_000 })
    }
}
