//! Owns a game day whose faults are moved on by some zones, so that every zone is hit in its turn. Refuses to know which
//! turn it is.

use crate::scenario::{After, Scenario};
use fixtures::name::ZoneName;
use fixtures::topology::{Topology, ZoneKind};
use std::collections::{BTreeMap, BTreeSet};

/// How many variants there are: as many as availability zones of the region that has the most, or one, where no fault
/// names a zone, or some fault names hosts, which cannot be moved.
pub fn turns(scenario: &Scenario, topology: &Topology) -> usize {
    let mut faults = scenario.faults.clone();
    let can_move = faults.iter_mut().all(|timed| timed.fault.turn(&mut |zone| zone.clone()));
    let names_one = faults.iter_mut().any(|timed| timed.fault.names_a_zone());
    if can_move && names_one { rings(topology).iter().map(Vec::len).max().unwrap_or(1).max(1) } else { 1 }
}

/// The same game day, with every fault, and whoever sends traffic by zone, `by` availability zones further on in their
/// region. Local zones stay: there is nobody like them.
#[must_use]
pub fn turned(scenario: &Scenario, topology: &Topology, by: usize) -> Scenario {
    let mut to: BTreeMap<ZoneName, ZoneName> = BTreeMap::new();
    for ring in rings(topology) {
        for (place, zone) in ring.iter().enumerate() {
            to.insert(zone.clone(), ring[(place + by) % ring.len()].clone());
        }
    }
    let mut next = |zone: &ZoneName| to.get(zone).unwrap_or(zone).clone();
    let mut scenario = scenario.clone();
    if by == 0 || turns(&scenario, topology) <= 1 {
        return scenario;
    }
    for timed in &mut scenario.faults {
        timed.fault.turn(&mut next);
        if let Some(After::Event(observed)) = &mut timed.after {
            observed.zone = observed.zone.as_ref().map(&mut next);
        }
    }
    for zone in scenario.traffic.mix.iter_mut().flat_map(|portion| &mut portion.zones) {
        *zone = next(zone);
    }
    scenario
}

/// The zones that faults name, in order of name.
pub fn zones(scenario: &Scenario) -> BTreeSet<ZoneName> {
    let mut zones = BTreeSet::new();
    for mut timed in scenario.faults.clone() {
        timed.fault.turn(&mut |zone| {
            zones.insert(zone.clone());
            zone.clone()
        });
    }
    zones
}

/// The availability zones of each region, in order.
fn rings(topology: &Topology) -> Vec<Vec<ZoneName>> {
    let mut rings: BTreeMap<&fixtures::name::RegionName, Vec<ZoneName>> = BTreeMap::new();
    for (region, zone) in topology.zones() {
        if matches!(zone.kind, ZoneKind::Availability) {
            rings.entry(&region.name).or_default().push(zone.name.clone());
        }
    }
    rings.into_values().collect()
}
