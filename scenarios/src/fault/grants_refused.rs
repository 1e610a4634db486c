//! Owns sources of certificates and credentials that grant nothing. Inverse: they grant again. Refuses to take their hosts down.

use super::{Aim, Entry, Selection};
use crate::seed::Draw;
use fixtures::placement::Placement;
use fixtures::trouble::Trouble;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "grants-refused",
    what: "the authority or the source of credentials lives and grants nothing",
    inverse: "they grant again",
    probe: "a question for a grant to each of them is refused",
    rights: "the engine's host: its network, to look from outside",
};

/// Sources that grant nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantsRefused {
    /// Who grants: instances on these hosts, of the services named; where none is named, of all whose grants end.
    pub hosts: Selection,
}

impl GrantsRefused {
    /// Disturbs the zones of those who grant: what was granted there ends.
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        Aim::of_grants(&self.hosts, placement, draw, Trouble::GrantsRefused)
    }
}
