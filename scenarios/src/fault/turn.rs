//! Owns the moving of faults from zone to zone: the same fault, elsewhere. Refuses to know why.

use super::{Fault, Selection};
use fixtures::name::ZoneName;

impl Fault {
    /// Puts every zone that it names where `to` says. `false`, and nothing is moved, where it names hosts: those are where
    /// they are.
    pub fn turn(&mut self, to: &mut dyn FnMut(&ZoneName) -> ZoneName) -> bool {
        let mut zones = Vec::new();
        if !self.places(&mut zones) {
            return false;
        }
        for zone in zones {
            *zone = to(zone);
        }
        true
    }

    /// Whether it names any zone.
    pub fn names_a_zone(&mut self) -> bool {
        let mut zones = Vec::new();
        self.places(&mut zones) && !zones.is_empty()
    }

    fn places<'f>(&'f mut self, zones: &mut Vec<&'f mut ZoneName>) -> bool {
        let selections: Vec<&mut Selection> = match self {
            Self::PowerOff(fault) => vec![&mut fault.hosts],
            Self::Boot(fault) => vec![&mut fault.hosts],
            Self::Pause(fault) => vec![&mut fault.hosts],
            Self::Kill(fault) => vec![&mut fault.hosts],
            Self::Exit(fault) => vec![&mut fault.hosts],
            Self::Restart(fault) => vec![&mut fault.hosts],
            Self::Processor(fault) => vec![&mut fault.hosts],
            Self::Memory(fault) => vec![&mut fault.hosts],
            Self::NamesEmpty(fault) => vec![&mut fault.hosts],
            Self::NamesStale(fault) => vec![&mut fault.hosts],
            Self::NamesWrong(fault) => vec![&mut fault.hosts],
            Self::NamesSlow(fault) => vec![&mut fault.hosts],
            Self::NamesDead(fault) => vec![&mut fault.hosts],
            Self::GrantsRefused(fault) => vec![&mut fault.hosts],
            Self::GrantsExpired(fault) => vec![&mut fault.hosts],
            Self::ClockWrong(fault) => vec![&mut fault.hosts],
            Self::Freeze(fault) => vec![&mut fault.hosts],
            Self::Shift(fault) => vec![&mut fault.zones],
            Self::Surge(fault) => vec![&mut fault.zones],
            Self::Cut(fault) => std::iter::once(&mut fault.from).chain(&mut fault.to).collect(),
            Self::Link(fault) => std::iter::once(&mut fault.from).chain(&mut fault.to).collect(),
            Self::GrayZone(fault) => {
                zones.push(&mut fault.zone);
                Vec::new()
            }
            Self::DiskFull(fault) => {
                zones.extend(&mut fault.zones);
                Vec::new()
            }
            Self::DiskSlow(fault) => {
                zones.extend(&mut fault.zones);
                Vec::new()
            }
            Self::DiskErrors(fault) => {
                zones.extend(&mut fault.zones);
                Vec::new()
            }
            Self::Push(fault) => {
                zones.extend(&mut fault.0.zones);
                Vec::new()
            }
            Self::Deploy(fault) => {
                zones.extend(&mut fault.0.zones);
                Vec::new()
            }
        };
        let all = selections.iter().all(|selection| selection.hosts.is_empty());
        zones.extend(selections.into_iter().flat_map(|selection| &mut selection.zones));
        all
    }
}
