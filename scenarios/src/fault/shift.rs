//! Owns the routing switch that moves traffic out of zones by the data plane alone: instances there send their callers
//! elsewhere. Inverse: they take requests again. Refuses to know who has somewhere else to go; that follows from a
//! service's scope.

use super::{Aim, Entry, Selection};
use crate::plan::Switch;
use crate::seed::Draw;
use fixtures::placement::Placement;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "shift",
    what: "instances of regional and global services in the zones answer `away`, upon which callers ask one elsewhere; zonal \
           ones, which are nowhere else, go on",
    inverse: "they take requests again; also by themselves, two seconds after the last renewal",
    probe: "the witness renews it at every instance and counts those that obey",
    rights: "none: it is an operator's call to the instances",
};

/// Traffic is moved out of zones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    /// Which.
    pub zones: Selection,
}

impl Shift {
    /// No zone is disturbed by it: moving away is what it is for.
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        Aim::switched(&self.zones, placement, draw, Switch::Away)
    }
}
