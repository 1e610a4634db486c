//! Owns a control plane that changes nothing any more: every call that would is refused as a lack of capacity is, and
//! everything else is answered; a scaler decides nothing. Inverse: calls that change something are taken again. Refuses
//! to know which operations change something; a service says that itself.

use super::{Aim, Entry, Selection};
use crate::plan::Switch;
use crate::seed::Draw;
use fixtures::placement::Placement;

/// Its row in the table of faults.
pub const ENTRY: Entry = Entry {
    kind: "freeze",
    what: "operations that change something (`mutates`) are refused with `capacity`, as a cloud's are that has none left; a \
           tap counts every call to them; nothing is scaled",
    inverse: "they are taken again; also by themselves, two seconds after the last renewal",
    probe: "the witness renews it at every instance and counts those that obey",
    rights: "none: it is an operator's call to the instances",
};

/// The control plane is frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// Where.
    pub hosts: Selection,
}

impl Freeze {
    /// No zone is disturbed by it: whoever leans on a control plane to carry on is to be seen.
    pub(super) fn aim(&self, placement: &Placement, draw: Draw<'_>) -> Aim {
        Aim::switched(&self.hosts, placement, draw, Switch::Freeze)
    }
}
