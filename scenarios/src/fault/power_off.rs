//! Owns power loss: which hosts lose power. Inverse: the same hosts get power again, unless another fault still
//! holds them dark. Refuses to know how a process is killed.

use fixtures::name::{HostName, ServiceName, ZoneName};
use fixtures::placement::Placement;

/// Hosts lose power.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PowerOff {
    /// The zones; empty means all zones of the region.
    pub zones: Vec<ZoneName>,
    /// Only hosts that carry an instance of one of these; empty means every host.
    pub services: Vec<ServiceName>,
}

impl PowerOff {
    /// The hosts that lose power, in placement order.
    pub fn hosts(&self, placement: &Placement) -> Vec<HostName> {
        let carries = |host: &fixtures::placement::Host| {
            self.services.is_empty()
                || host.instances.iter().any(|&index| self.services.contains(&placement.instances[index].service))
        };
        let in_zone = |zone: &ZoneName| self.zones.is_empty() || self.zones.contains(zone);
        let hosts = placement.hosts.iter().filter(|host| in_zone(&host.zone) && carries(host));
        hosts.map(|host| host.name.clone()).collect()
    }
}
