//! Owns name servers that say that nobody is there. Inverse: they answer as before. Refuses to stop them.

use super::{Aim, Entry, Selection};
use crate::seed::Draw;
use fixtures::placement::Placement;
use fixtures::trouble::Trouble;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "names-empty",
    what: "name servers answer every service's name with no address at all",
    inverse: "they answer as before",
    probe: "a question to each server, over DNS, is answered without any address",
    rights: "the engine's host: its network, to look from outside",
};

/// Name servers without addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamesEmpty {
    /// Whose name servers: of these hosts.
    pub hosts: Selection,
}

impl NamesEmpty {
    /// Disturbs no zone: what was known of names must carry everybody through.
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        Aim::of_names(&self.hosts, placement, draw, Trouble::NamesEmpty, false)
    }
}
