//! Owns processes killed outright, once. Inverse: none is needed; the host's own supervisor starts them again. Refuses to
//! take the host down.

use super::{Aim, Entry, Selection, zones_of};
use crate::plan::Deed;
use crate::seed::Draw;
use fixtures::placement::Placement;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "kill",
    what: "service processes get SIGKILL, once",
    inverse: "none is needed: the host's supervisor starts them again",
    probe: "each process seen before is gone",
    rights: "the engine's host: process ids",
};

/// Service processes are killed: of the services named in the selection; where none is named, all of the hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kill {
    /// Which.
    pub hosts: Selection,
}

impl Kill {
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        let hosts = self.hosts.resolve(placement, draw);
        let services = super::services_on(&hosts, &self.hosts.services, placement);
        Aim { zones: zones_of(&hosts, placement), hosts, deed: Deed::End { services, kill: true } }
    }
}
