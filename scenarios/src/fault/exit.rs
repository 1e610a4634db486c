//! Owns processes asked to end, once. Inverse: none is needed; the host's own supervisor starts them again. Refuses to
//! insist, but where an owner of real software says after how long.

use super::{Aim, Entry, Selection, zones_of};
use crate::plan::Deed;
use crate::seed::Draw;
use fixtures::placement::Placement;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "exit",
    what: "service processes get SIGTERM, once; real software that is still there after its `stop-timeout` gets SIGKILL",
    inverse: "none is needed: the host's supervisor starts them again",
    probe: "each process seen before is gone",
    rights: "the engine's host: process ids",
};

/// Service processes are asked to end: of the services named in the selection; where none is named, all of the hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Which.
    pub hosts: Selection,
}

impl Exit {
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        let hosts = self.hosts.resolve(placement, draw);
        let services = super::services_on(&hosts, &self.hosts.services, placement);
        Aim { zones: zones_of(&hosts, placement), hosts, deed: Deed::End { services, kill: false } }
    }
}
