//! Owns a surge: customers of zones send several times what they sent. Inverse: they send what they sent before. Refuses
//! to know who these customers are; a world has one canary in each zone.

use super::{Aim, Entry, Selection};
use crate::plan::{Deed, Switch};
use crate::seed::Draw;
use fixtures::placement::Placement;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "surge",
    what: "the customers in the zones send so many times as many requests, open loop",
    inverse: "they send as many as before; also by themselves, two seconds after the last renewal",
    probe: "the witness renews it at every canary and counts those that obey",
    rights: "none: it is an operator's call to the canaries",
};

/// The most that a canary sends, in times of what it sent before.
pub const FACTOR_MAX: u32 = 100;

/// Customers send more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surge {
    /// Where.
    pub zones: Selection,
    /// How many times as much; at least 2.
    pub factor: u32,
}

impl Surge {
    /// No zone is disturbed by it: whoever promises something promises it to all who come.
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        let hosts = self.zones.resolve(placement, draw);
        let switch = Switch::Surge { factor: self.factor };
        Aim { zones: Vec::new(), hosts, deed: Deed::Switch { services: Vec::new(), switch } }
    }
}
