//! Owns what a host of real software is told: what its supervisor runs, and what speaks for it. Refuses to know engines
//! and images; a world has filled in every template.

use crate::wire::From;
use fixtures::graph::image::{Client, Probe, RestartPolicy};
use fixtures::name::{InstanceName, ServiceName};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// Real software on a host: the process that its owner would run there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProgramConfig {
    /// The instance that it is.
    pub name: InstanceName,
    /// Its service.
    pub service: ServiceName,
    /// Program and arguments.
    pub run: Vec<String>,
    /// Variables beside the host's own.
    pub environment: Vec<(String, String)>,
    /// Where it begins.
    pub working_dir: String,
    /// What its owner does when it ends while there is power.
    pub restart: RestartPolicy,
    /// A file that says that it has been started once: an owner starts it the first time, whatever the policy.
    pub marker: String,
}

/// What speaks for real software: it takes what customers, callers and the witness ask of an instance, and asks the
/// software the same in its own protocol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdapterConfig {
    /// Who it is, as notes say it.
    pub from: From,
    /// The instance that it speaks for.
    pub name: InstanceName,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Operations that the service offers.
    pub operations: Vec<String>,
    /// Whether customers' writes are stored.
    pub stores: bool,
    /// How the software is asked whether it answers.
    pub probe: Probe,
    /// How operations, reads and writes reach it.
    pub client: Client,
    /// Where the software is.
    pub own: IpAddr,
    /// Every member of the service and where it is, itself included, in order.
    pub members: Vec<(InstanceName, IpAddr)>,
    /// Variables of the software, which its commands have too.
    pub environment: Vec<(String, String)>,
    /// Where the sentinels are, where they are asked who is the master.
    pub sentinels: Vec<SocketAddr>,
}
