//! Owns who is behind each service's names in the region that is built, at one moment of the build. Refuses to know
//! addresses and name servers.

use fixtures::graph::{Graph, Scope};
use fixtures::name::{InstanceName, RegionName, ServiceName, ZoneName};
use fixtures::placement::{Placement, endpoint};
use fixtures::topology::Topology;
use std::collections::BTreeMap;

/// Who is behind each service's names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Records {
    /// Instances by service. A zonal service's instance is behind the name of its own zone; one that stands in for all
    /// zones behind all.
    pub behind: BTreeMap<ServiceName, Vec<InstanceName>>,
    /// Instances that stand in for copies of all zones.
    pub everywhere: Vec<InstanceName>,
    /// Zones whose own name servers are passed over: they go on as before.
    pub left_out: Vec<ZoneName>,
}

impl Records {
    /// The same with others behind a service.
    #[must_use]
    pub fn with(mut self, service: &ServiceName, instances: Vec<InstanceName>) -> Self {
        self.behind.insert(service.clone(), instances);
        self
    }

    /// The places in the placement of who is behind each name of the region, by the name; each name once.
    pub fn names(
        &self,
        (topology, graph, placement): (&Topology, &Graph, &Placement),
        region: &RegionName,
    ) -> BTreeMap<String, Vec<usize>> {
        let by_name: BTreeMap<&InstanceName, usize> =
            placement.instances.iter().enumerate().map(|(index, instance)| (&instance.name, index)).collect();
        let zones = topology.regions.iter().filter(|one| &one.name == region).flat_map(|one| &one.zones);
        let zones: Vec<&ZoneName> = zones.map(|zone| &zone.name).collect();
        let mut names = BTreeMap::new();
        for (name, instances) in &self.behind {
            let Some(service) = graph.service(name) else { continue };
            for zone in &zones {
                let fits = |instance: &&InstanceName| {
                    let index = by_name.get(instance);
                    let own = index.is_some_and(|&index| &placement.instances[index].zone == *zone);
                    service.scope != Scope::Zonal || own || self.everywhere.contains(instance)
                };
                let places = instances.iter().filter(fits).filter_map(|instance| by_name.get(instance).copied());
                names.entry(endpoint(topology, service, region, zone)).or_insert_with(|| places.collect::<Vec<_>>());
            }
        }
        names
    }
}
