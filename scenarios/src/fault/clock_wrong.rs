//! Owns hosts whose clock is wrong. Inverse: it is right again. Refuses to change the machine's own clock.

use super::{Aim, Entry, Selection};
use crate::plan::Deed;
use crate::seed::Draw;
use fixtures::placement::Placement;
use fixtures::trouble::Trouble;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "clock-wrong",
    what: "the hosts' clock, as every process on them reads it, is ahead or behind",
    inverse: "the clock is right again",
    probe: "the time that each host's processes tell in their answers, against the engine machine's",
    rights: "the engine's host: its network, to look from outside",
};

/// Hosts with a wrong clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockWrong {
    /// Which.
    pub hosts: Selection,
    /// Milliseconds by which it is ahead; below zero it is behind.
    pub ahead_ms: i64,
}

impl ClockWrong {
    /// Disturbs the zones of the hosts.
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        let trouble = Trouble::ClockWrong { ahead_ms: self.ahead_ms };
        Aim::whole(&self.hosts, placement, draw, Deed::Trouble { trouble, services: Vec::new() })
    }
}
