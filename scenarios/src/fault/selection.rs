//! Owns the choice of hosts that a fault is aimed at. Refuses to know what happens to them.

use crate::seed::Draw;
use fixtures::name::{HostName, ServiceName, ZoneName};
use fixtures::placement::{Host, Placement};
use fixtures::unit::Percent;
use std::collections::BTreeSet;

/// Hosts, by what is known of them; a host must fit every list that is not empty. All empty: every host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// In one of these zones.
    pub zones: Vec<ZoneName>,
    /// Carrying an instance of one of these.
    pub services: Vec<ServiceName>,
    /// One of these.
    pub hosts: Vec<HostName>,
    /// Only this share of the hosts that fit (at least one), chosen from the seed; `None` is all.
    pub share: Option<Percent>,
}

impl Selection {
    /// All hosts of some zones.
    pub fn of_zones(zones: Vec<ZoneName>) -> Self {
        Self { zones, ..Self::default() }
    }

    /// Whether nothing is asked for, so that every host fits.
    pub fn is_everything(&self) -> bool {
        self.zones.is_empty() && self.services.is_empty() && self.hosts.is_empty()
    }

    /// The hosts that fit, in placement order, whatever share of them is meant.
    pub fn matched<'p>(&'p self, placement: &'p Placement) -> impl Iterator<Item = &'p Host> {
        placement.hosts.iter().filter(|host| {
            let carries = |index: &usize| self.services.contains(&placement.instances[*index].service);
            (self.zones.is_empty() || self.zones.contains(&host.zone))
                && (self.services.is_empty() || host.instances.iter().any(carries))
                && (self.hosts.is_empty() || self.hosts.contains(&host.name))
        })
    }

    /// The hosts meant, in placement order.
    pub fn resolve(&self, placement: &Placement, draw: Draw<'_>) -> Vec<HostName> {
        let matched: Vec<HostName> = self.matched(placement).map(|host| host.name.clone()).collect();
        let Some(share) = self.share else { return matched };
        let wanted = (matched.len() as u64 * u64::from(share.ppm)).div_ceil(1_000_000);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX).max(1);
        let mut order: Vec<usize> = (0..matched.len()).collect();
        draw.of("share").shuffle(&mut order);
        order.truncate(wanted);
        order.sort_unstable();
        order.into_iter().map(|position| matched[position].clone()).collect()
    }
}

/// The zones of some hosts, in placement order, each once.
pub fn zones_of(hosts: &[HostName], placement: &Placement) -> Vec<ZoneName> {
    let hosts: BTreeSet<&HostName> = hosts.iter().collect();
    let mut zones: Vec<ZoneName> = Vec::new();
    for host in placement.hosts.iter().filter(|host| hosts.contains(&host.name)) {
        if zones.last() != Some(&host.zone) {
            zones.push(host.zone.clone());
        }
    }
    zones
}
