//! Owns name servers that answer with somebody else's addresses. Inverse: they answer as before. Refuses to stop them.

use super::{Aim, Entry, Selection};
use crate::seed::Draw;
use fixtures::placement::Placement;
use fixtures::trouble::Trouble;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "names-wrong",
    what: "name servers answer every service's name with another service's addresses",
    inverse: "they answer as before",
    probe: "a question to each server, over DNS, is answered with addresses that are not the service's",
    rights: "the engine's host: its network, to look from outside",
};

/// Name servers with wrong answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamesWrong {
    /// Whose name servers: of these hosts.
    pub hosts: Selection,
}

impl NamesWrong {
    /// Disturbs the zones whose servers they are: who is misled there cannot be expected to carry on.
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        Aim::of_names(&self.hosts, placement, draw, Trouble::NamesWrong, true)
    }
}
