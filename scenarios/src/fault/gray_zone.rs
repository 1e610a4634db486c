//! Owns the gray zone: it answers its health checks and serves its customers badly. Inverse: packets pass as before.
//! Refuses to touch the witness's probes.

use super::{Aim, Entry, Selection, paths};
use crate::plan::{Deed, LinkAct, LinkRule, Shape};
use crate::seed::Draw;
use fixtures::name::ZoneName;
use fixtures::placement::Placement;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "gray-zone",
    what: "every packet between hosts inside, into and out of a zone may be late or lost; health checks are answered",
    inverse: "packets pass as before",
    probe: "round trip and loss measured inside and across the zone, and the witness's probes answered",
    rights: "the engine's host: its network namespace and packet filter queues",
};

/// A zone that looks well and is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrayZone {
    /// Which.
    pub zone: ZoneName,
    /// How each direction behaves.
    pub shape: Shape,
}

impl GrayZone {
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        let zone = Selection::of_zones(vec![self.zone.clone()]);
        let ends = paths::ends(&zone, None, placement, draw);
        let act = LinkAct::Shape(self.shape);
        let inside = LinkRule { from: ends.from.clone(), to: ends.from.clone(), act };
        let mut rules = ends.rules(act, false);
        rules.insert(0, inside);
        Aim { zones: vec![self.zone.clone()], hosts: ends.from, deed: Deed::Network { rules } }
    }
}
