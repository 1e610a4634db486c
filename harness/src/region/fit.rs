//! Owns the question whether a game day can be held in a region: they must be of the same zones and the same services.
//! Refuses to make them fit.

use super::declared::Region;
use crate::load::Loaded;
use fixtures::placement::Placement;
use std::collections::BTreeMap;

/// Differences that are told at most; more say the same.
const TOLD_MAX: usize = 8;

/// What keeps a game day from being held in a region; empty where nothing does.
pub fn differences(region: &Region, loaded: &Loaded) -> Vec<String> {
    let mut found = Vec::new();
    zones(region, loaded, &mut found);
    services(region, loaded, &mut found);
    if found.is_empty() && region.topology != loaded.topology {
        found.push("the topologies have the same zones, and differ in latencies, boot times or hosts".to_owned());
    }
    if found.is_empty() && region.graph != loaded.graph {
        found.push(
            "the graphs have the same services, and differ in their entry, or in what all of them share".to_owned(),
        );
    }
    let more = found.len().saturating_sub(TOLD_MAX);
    found.truncate(TOLD_MAX);
    if more > 0 {
        found.push(format!("and {more} more"));
    }
    found
}

/// What customers of the region do other than those that the game day has in mind; it is held with the region's.
pub fn customers(region: &Region, loaded: &Loaded) -> Option<String> {
    let (ours, theirs) = (&region.traffic, &loaded.scenario.traffic);
    let mut told = Vec::new();
    if ours.rate != theirs.rate {
        told.push(format!("send {} in each zone, not {}", ours.rate, theirs.rate));
    }
    if ours.timeout != theirs.timeout {
        let (ours, theirs) = (fixtures::unit::Span(ours.timeout), fixtures::unit::Span(theirs.timeout));
        told.push(format!("give up after {ours}, not {theirs}"));
    }
    if ours.mix != theirs.mix {
        told.push("ask for other operations, or in other shares".to_owned());
    }
    if ours.retry != theirs.retry {
        told.push(format!("try again differently ({}, not {})", ours.retry, theirs.retry));
    }
    (!told.is_empty()).then(|| format!("customers of the region {}", told.join(", and ")))
}

fn zones(region: &Region, loaded: &Loaded, found: &mut Vec<String>) {
    let names = |topology: &fixtures::topology::Topology| -> Vec<String> {
        topology.zones().map(|(_, zone)| zone.name.to_string()).collect()
    };
    let (ours, theirs) = (names(&region.topology), names(&loaded.topology));
    let only =
        |of: &[String], other: &[String]| of.iter().filter(|name| !other.contains(name)).cloned().collect::<Vec<_>>();
    told(found, "zone", &only(&theirs, &ours), &only(&ours, &theirs));
}

fn services(region: &Region, loaded: &Loaded, found: &mut Vec<String>) {
    let ours: BTreeMap<String, _> = region.graph.services.iter().map(|one| (one.name.to_string(), one)).collect();
    let theirs: BTreeMap<String, _> = loaded.graph.services.iter().map(|one| (one.name.to_string(), one)).collect();
    let wanted: Vec<String> = theirs.keys().filter(|name| !ours.contains_key(*name)).cloned().collect();
    let spare: Vec<String> = ours.keys().filter(|name| !theirs.contains_key(*name)).cloned().collect();
    told(found, "service", &wanted, &spare);
    let count = |placement: &Placement, name: &str| {
        placement.instances.iter().filter(|instance| instance.service.as_str() == name).count()
    };
    for (name, service) in theirs.iter().filter(|(name, _)| ours.contains_key(*name)) {
        let (here, there) = (count(&region.placement, name), count(&loaded.placement, name));
        if here != there {
            found.push(format!("service {name} has {here} instances in the region, and {there} in the game day"));
        } else if ours.get(name) != Some(service) {
            found.push(format!("service {name} is declared otherwise: its needs, calls, operations or state"));
        }
    }
}

fn told(found: &mut Vec<String>, what: &str, wanted: &[String], spare: &[String]) {
    if !wanted.is_empty() {
        found.push(format!("the region has no {what} {}", wanted.join(", ")));
    }
    if !spare.is_empty() {
        found.push(format!("the game day knows no {what} {}", spare.join(", ")));
    }
}
