//! Owns sources of certificates and credentials that grant what has ended already. Inverse: what they grant is good again. Refuses to take back what was granted before.

use super::{Aim, Entry, Selection};
use crate::seed::Draw;
use fixtures::placement::Placement;
use fixtures::trouble::Trouble;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "grants-expired",
    what: "the authority or the source of credentials grants such as have expired already",
    inverse: "what they grant is good again",
    probe: "what each of them grants to a question has ended",
    rights: "the engine's host: its network, to look from outside",
};

/// Sources that grant what has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantsExpired {
    /// Who grants: instances on these hosts, of the services named; where none is named, of all whose grants end.
    pub hosts: Selection,
}

impl GrantsExpired {
    /// Disturbs the zones of those who grant: what was granted there ends.
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        Aim::of_grants(&self.hosts, placement, draw, Trouble::GrantsExpired)
    }
}
