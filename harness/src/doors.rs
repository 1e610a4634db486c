//! Owns the form in which it is told where a region's services are reached from outside. Refuses to know who knows it, and who
//! comes.

use fixtures::name::{InstanceName, ServiceName, ZoneName};
use serde::Serialize;
use std::net::SocketAddr;

/// Where one instance is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Door {
    /// Its service.
    pub service: ServiceName,
    /// The instance.
    pub instance: InstanceName,
    /// Its zone.
    pub zone: ZoneName,
    /// The name under which the service is called in that zone; its certificate is for that.
    pub name: String,
    /// Its address and first port.
    pub address: SocketAddr,
}

/// The doors of a region, and what is believed there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doors {
    /// Of every instance, in placement order.
    pub doors: Vec<Door>,
    /// The region's root certificate (PEM), where services prove who they are.
    pub root: Option<String>,
}
