//! Owns what worlds have in common when a region is built in them: what instances are told that no graph says, how data comes
//! over, and how often the witness looks. Refuses to know in which world.
//!
//! - `repository`: artefacts of software, and what generic hosts know
//! - [`told`]: what instances are told that the graph does not say
//! - `mover`: how data comes over

pub(crate) mod mover;
pub(crate) mod repository;
pub mod told;

use agents::commons::{Apart, Keys};
use agents::config::{InstanceConfig, Region};
use fixtures::graph::State;
use fixtures::name::{InstanceName, ServiceName};
use fixtures::regional::estate::{Estate, Part, Site, Standing};
use mover::{Keepers, Mover};
use scenarios::build::observed::FlowEnd;
use std::collections::BTreeMap;
use told::ByHand;

/// Tells single instances something else than the graph says.
pub(crate) trait Alter {
    /// Whether an instance, by its place in the placement, is told something else.
    fn concerns(&self, index: usize) -> bool;
    /// What it is told, made from what the graph says.
    fn alter(&self, index: usize, config: InstanceConfig, region: &Region<'_>) -> InstanceConfig;
    /// The region that has identities of its own, where no bytes are to be protected.
    fn apart(&self) -> Option<Apart>;
}

/// The region that is built has identities of its own; a zone has those of its region.
pub(crate) fn apart(estate: &Estate, keys: Option<Keys>) -> Option<Apart> {
    let has_its_own = estate.new_zone().is_none() && estate.graph.identity.is_some();
    has_its_own.then(|| Apart { region: estate.build.region.clone(), keys })
}

/// Name servers that are told who is behind each name, by their places in the placement.
pub(crate) fn servers(estate: &Estate) -> impl Iterator<Item = usize> {
    let all = estate.placement.instances.iter().enumerate();
    let told = all.filter(|(_, instance)| instance.service == estate.cast.names && estate.is_told(instance.host));
    told.map(|(index, _)| index)
}

/// Whether a call passes the border.
pub(crate) fn crosses(here: Standing, there: Standing) -> bool {
    (here.site == Site::Build) != (there.site == Site::Build)
}

/// Whether a call is to what stands in for something, or leaves the bootstrap network for the region that it is in.
pub(crate) fn stands_in(here: Standing, there: Standing) -> bool {
    matches!(there.part, Part::Franken | Part::Proxy) || (here.site, there.site) == (Site::Network, Site::Bootstrap)
}

/// What is called there.
pub(crate) fn end_of(there: Standing) -> FlowEnd {
    match (there.site, there.part) {
        (_, Part::Franken) => FlowEnd::Franken,
        (_, Part::Proxy) => FlowEnd::Proxy,
        (Site::Bootstrap, _) => FlowEnd::Bootstrap,
        (Site::Network, _) => FlowEnd::Network,
        (Site::Build, _) => FlowEnd::Build,
    }
}

/// Whoever copies, and who keeps what in an estate.
pub(crate) fn mover(estate: &Estate, by_hand: &[ByHand]) -> Mover {
    let mut own: BTreeMap<ServiceName, Vec<InstanceName>> = BTreeMap::new();
    let mut groups: BTreeMap<(ServiceName, Site), Vec<InstanceName>> = BTreeMap::new();
    for instance in &estate.placement.instances {
        let standing = estate.standing[instance.host];
        let replicated = estate.graph.service(&instance.service).is_some_and(|one| one.state == State::Replicated);
        if standing.part == Part::Store {
            own.entry(instance.service.clone()).or_default().push(instance.name.clone());
        }
        if replicated && standing.part != Part::Proxy {
            let key = (instance.service.clone(), standing.site);
            groups.entry(key).or_default().push(instance.name.clone());
        }
    }
    let alike = groups.into_values().flat_map(|group| {
        let all = group.clone();
        group.into_iter().map(move |one| (one, all.clone()))
    });
    let operation = |name: &ServiceName| {
        let storing = estate.graph.services.iter().flat_map(|service| &service.calls);
        let storing = storing.into_iter().find(|call| call.carries_writes && &call.to == name);
        storing.map_or_else(|| super::draw::probed_operation(&estate.graph, name), |call| call.operation.to_string())
    };
    let operations = estate.cast.stores.iter().map(|name| (name.clone(), operation(name))).collect();
    let in_bootstrap = |name: &ServiceName| {
        let all = estate.placement.instances.iter();
        let of = all.filter(|one| one.service == *name && estate.standing[one.host].site == Site::Bootstrap);
        of.map(|one| one.name.clone()).collect()
    };
    let accounts = estate.cast.accounts.as_ref().map(|name| (name.clone(), in_bootstrap(name)));
    let (resident, alters) = (estate.cast.resident.clone(), by_hand.contains(&ByHand::AlteredCopy));
    Mover::new(Keepers { own, alike: alike.collect(), operations, accounts, resident, alters })
}
