//! Owns where whoever is outside of a region reaches its services: each instance's address, and the names that lead there.
//! Refuses to know who comes.

use super::Shared;
use super::region::Layout;
use crate::doors::{Door, Doors};
use fixtures::placement::endpoint;
use std::net::SocketAddr;
use std::sync::Arc;

/// Who knows the doors of a run's region as soon as there are any.
#[derive(Clone)]
pub struct Doorkeeper(pub(super) Arc<Shared>);

impl Doorkeeper {
    /// `None` until the region has addresses.
    pub fn doors(&self) -> Option<Doors> {
        let built = self.0.built()?;
        Some(of(&built.layout))
    }
}

fn of(layout: &Layout) -> Doors {
    let mocks = layout.instance_addresses();
    let instances = layout.placement.instances.iter().zip(mocks);
    let door = |(instance, mock): (&fixtures::placement::Instance, SocketAddr)| {
        let service = layout.graph.service(&instance.service)?;
        let host = &layout.placement.hosts[instance.host];
        // Who speaks for real software is asked by the witness alone: customers ask the software itself.
        let address = match service.image.as_ref() {
            Some(image) => SocketAddr::from((layout.software_at(host), *image.ports.first()?)),
            None => mock,
        };
        Some(Door {
            service: instance.service.clone(),
            instance: instance.name.clone(),
            zone: instance.zone.clone(),
            name: endpoint(&layout.topology, service, &host.region, &instance.zone),
            address,
        })
    };
    Doors { doors: instances.filter_map(door).collect(), root: layout.roots() }
}
