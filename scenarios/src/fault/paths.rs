//! Owns the two ends of a network fault and the rules between them. Refuses to know what happens to the packets.

use super::{Selection, zones_of};
use crate::plan::{LinkAct, LinkRule};
use crate::seed::Draw;
use fixtures::name::{HostName, RegionName, ZoneName};
use fixtures::placement::Placement;

/// Two sets of hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) from: Vec<HostName>,
    pub(super) to: Vec<HostName>,
    /// Whether somebody named the `to` end; else it is everybody else, and they must carry on.
    named: bool,
}

/// Resolves both ends. A host that both name is at the `from` end only: nobody is cut from itself.
pub(super) fn ends(from: &Selection, to: Option<&Selection>, placement: &Placement, draw: Draw<'_>) -> Ends {
    let from = from.resolve(placement, draw);
    let mut hosts = match to {
        Some(to) => to.resolve(placement, draw),
        None => mates(&from, placement),
    };
    hosts.retain(|host| !from.contains(host));
    Ends { from, to: hosts, named: to.is_some() }
}

/// All hosts of the regions of some.
fn mates(hosts: &[HostName], placement: &Placement) -> Vec<HostName> {
    let own = placement.hosts.iter().filter(|host| hosts.contains(&host.name));
    let regions: Vec<&RegionName> = own.map(|host| &host.region).collect();
    let mates = placement.hosts.iter().filter(|host| regions.contains(&&host.region));
    mates.map(|host| host.name.clone()).collect()
}

impl Ends {
    /// A rule for each direction.
    pub(super) fn rules(&self, act: LinkAct, one_way: bool) -> Vec<LinkRule> {
        if self.from.is_empty() || self.to.is_empty() {
            return Vec::new();
        }
        let rule = |from: &[HostName], to: &[HostName]| LinkRule { from: from.to_vec(), to: to.to_vec(), act };
        let there = rule(&self.from, &self.to);
        if one_way { vec![there] } else { vec![there, rule(&self.to, &self.from)] }
    }

    /// Zones that cannot be expected to carry on.
    pub(super) fn disturbed(&self, placement: &Placement) -> Vec<ZoneName> {
        let named = self.to.iter().filter(|_| self.named);
        let hosts: Vec<HostName> = self.from.iter().chain(named).cloned().collect();
        zones_of(&hosts, placement)
    }
}
