//! Owns bad links between hosts: late, lossy, doubling or narrow. Inverse: packets pass as before. Refuses to know queues.

use super::{Aim, Entry, Selection, paths};
use crate::plan::{Deed, LinkAct, Shape};
use crate::seed::Draw;
use fixtures::placement::Placement;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "link",
    what: "packets between two sets of hosts are late, lost, doubled, or held to a rate",
    inverse: "packets pass as before",
    probe: "round trip, loss and throughput measured across the link, against what was asked",
    rights: "the engine's host: its network namespace and packet filter queues",
};

/// Packets between two sets of hosts fare badly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// One side; the senders, where it goes one way.
    pub from: Selection,
    /// The other side; `None` is every other host of the same regions.
    pub to: Option<Selection>,
    /// How each direction behaves: a round trip has the latency twice, unless it goes one way.
    pub shape: Shape,
    /// Only packets of `from` to `to`.
    pub one_way: bool,
}

impl Link {
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        let ends = paths::ends(&self.from, self.to.as_ref(), placement, draw);
        let rules = ends.rules(LinkAct::Shape(self.shape), self.one_way);
        Aim { zones: ends.disturbed(placement), hosts: ends.from, deed: Deed::Network { rules } }
    }
}
