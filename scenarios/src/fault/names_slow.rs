//! Owns name servers that answer late. Inverse: they answer at once. Refuses to lose answers.

use super::{Aim, Entry, Selection};
use crate::seed::Draw;
use fixtures::placement::Placement;
use fixtures::trouble::Trouble;
use std::time::Duration;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "names-slow",
    what: "every answer of name servers comes late",
    inverse: "they answer at once",
    probe: "the time that each server takes to answer a question over DNS",
    rights: "the engine's host: its network, to look from outside",
};

/// Name servers that are slow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamesSlow {
    /// Whose name servers: of these hosts.
    pub hosts: Selection,
    /// How late an answer comes.
    pub delay: Duration,
}

impl NamesSlow {
    /// Disturbs no zone: what was known of names must carry everybody through.
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        Aim::of_names(&self.hosts, placement, draw, Trouble::NamesSlow { delay_ms: super::millis(self.delay) }, false)
    }
}
