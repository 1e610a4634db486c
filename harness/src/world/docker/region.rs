//! Owns what a run's region looks like on an engine before anything is made: addresses, and each host's configuration.
//! Refuses to make it.

use super::subnet::Block;
use crate::hand::boot::BOOT_DIR;
use crate::hand::{GATES_DIR, SHARED_DIR, STATE_DIR};
use crate::witness::NOTES_PORT;
use crate::witness::protocol::{Entry, Probed, Watch};
use agents::config::{CanaryConfig, HostConfig, InstanceConfig, Process, Region, nanos};
use agents::wire::From;
use fixtures::graph::{Acknowledge, Graph, Health, State};
use fixtures::name::{ServiceName, ZoneName};
use fixtures::placement::{Host, Placement};
use fixtures::topology::Topology;
use scenarios::scenario::Traffic;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Port of a host's first instance; the others follow.
const FIRST_PORT: u16 = 8_000;
/// Port of a zone's echo, on the host of its canary.
const ECHO_PORT: u16 = 7_999;
/// Length of a canary's window: short enough to see a shift of traffic, long enough to count something.
const WINDOW: Duration = Duration::from_millis(500);
/// Pause between two probes of an instance that is active, and of one that is not. The second is the resolution of
/// restart-to-active.
const CALM: Duration = Duration::from_millis(1000);
const KEEN: Duration = Duration::from_millis(200);

/// The region of one run with its addresses.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Zones.
    pub topology: Topology,
    /// Services.
    pub graph: Graph,
    /// Instances.
    pub placement: Placement,
    /// Traffic.
    pub traffic: Traffic,
    /// Decides jitter and boot times.
    pub seed: u64,
    /// Subnets: the witness's first, then the zones'.
    pub block: Block,
}

impl Layout {
    /// Zones in the order of their subnets.
    pub fn zones(&self) -> Vec<ZoneName> {
        self.topology.zones().map(|(_, zone)| zone.name.clone()).collect()
    }

    /// The zone's number: its subnet is one more.
    pub fn zone_number(&self, zone: &ZoneName) -> usize {
        self.topology.zones().position(|(_, known)| &known.name == zone).unwrap_or_default()
    }

    /// A host's address.
    pub fn address(&self, host: &Host) -> IpAddr {
        let mates = self.placement.hosts.iter().filter(|other| other.zone == host.zone);
        let place = mates.take_while(|other| other.name != host.name).count();
        IpAddr::V4(self.block.host(self.zone_number(&host.zone) + 1, place))
    }

    /// The witness's address.
    pub fn witness(&self) -> IpAddr {
        IpAddr::V4(self.block.host(0, 0))
    }

    /// Address and port of every instance, in placement order.
    pub fn instance_addresses(&self) -> Vec<SocketAddr> {
        let hosts: Vec<IpAddr> = self.placement.hosts.iter().map(|host| self.address(host)).collect();
        let address = |instance: &fixtures::placement::Instance| {
            SocketAddr::new(hosts[instance.host], FIRST_PORT + instance.slot)
        };
        self.placement.instances.iter().map(address).collect()
    }

    /// The host of each zone that carries its canary: one with an instance of the entry service, else the first.
    pub fn canary_host(&self, zone: &ZoneName) -> Option<&Host> {
        let mut mates = self.placement.hosts.iter().filter(|host| &host.zone == zone);
        let is_entry = |index: &usize| self.placement.instances[*index].service == self.graph.entry.service;
        let with_entry = mates.clone().find(|host| host.instances.iter().any(is_entry));
        with_entry.or_else(|| mates.next())
    }

    /// What each host is told, in placement order.
    pub fn host_configs(&self) -> Vec<HostConfig> {
        let addresses = self.instance_addresses();
        let region =
            Region { topology: &self.topology, graph: &self.graph, placement: &self.placement, addresses: &addresses };
        let mut rng = Seeds(self.seed);
        let boot = self.topology.boot;
        let spread = nanos(boot.max.saturating_sub(boot.min));
        let config = |host: &Host| {
            let boot = boot.min + Duration::from_nanos(rng.next() % (spread + 1));
            let mut processes: Vec<Process> = Vec::new();
            for &index in &host.instances {
                processes.push(Process::Instance(region.instance(index, rng.next())));
            }
            if self.canary_host(&host.zone).is_some_and(|chosen| chosen.name == host.name) {
                processes.extend(self.customers(host, &region, rng.next()));
            }
            HostConfig {
                host: host.name.clone(),
                zone: host.zone.clone(),
                witness: SocketAddr::new(self.witness(), NOTES_PORT),
                gate: format!("{SHARED_DIR}/{GATES_DIR}/{}", host.name),
                boot_gate: format!("{SHARED_DIR}/{BOOT_DIR}/{}", host.name),
                state_dir: format!("{STATE_DIR}/{}", host.name),
                boot,
                processes,
            }
        };
        self.placement.hosts.iter().map(config).collect()
    }

    /// A zone's canary, and the echo for its control.
    fn customers(&self, host: &Host, region: &Region<'_>, seed: u64) -> Vec<Process> {
        let from = From { zone: host.zone.clone(), host: host.name.clone(), service: None, instance: None };
        let echo = SocketAddr::new(self.address(host), ECHO_PORT);
        let echo_instance = InstanceConfig {
            from: from.clone(),
            name: fixtures::name::InstanceName(format!("echo-{}", host.zone)),
            zone: host.zone.clone(),
            listen: echo,
            seed,
            operations: vec!["serve".to_owned()],
            interval_ns: 0,
            queue: 0,
            work: Duration::ZERO,
            needs: Vec::new(),
            calls: Vec::new(),
            state: State::None,
            acknowledge: Acknowledge::AfterSync,
            health: Health::Shallow,
        };
        let canary = CanaryConfig {
            from,
            zone: host.zone.clone(),
            seed,
            interval_ns: nanos(self.traffic.rate.interval()),
            timeout: self.traffic.timeout,
            window: WINDOW,
            operation: self.graph.entry.operation.to_string(),
            entry: region.targets(&host.zone, &self.graph.entry.service),
            echo,
        };
        vec![Process::Instance(echo_instance), Process::Canary(canary)]
    }

    /// What the witness is told.
    pub fn watch(&self) -> Watch {
        let addresses = self.instance_addresses();
        let region =
            Region { topology: &self.topology, graph: &self.graph, placement: &self.placement, addresses: &addresses };
        let probe = |index: usize| {
            let instance = &self.placement.instances[index];
            let target = agents::config::Target {
                name: instance.name.clone(),
                zone: instance.zone.clone(),
                address: addresses[index],
            };
            Probed { target, operation: self.probed_operation(&instance.service) }
        };
        let entry = |zone: &ZoneName| Entry {
            zone: zone.to_string(),
            targets: region.targets(zone, &self.graph.entry.service),
        };
        Watch {
            probes: (0..self.placement.instances.len()).map(probe).collect(),
            entries: self.zones().iter().map(entry).collect(),
            operation: self.graph.entry.operation.to_string(),
            write_interval_ns: nanos(self.traffic.writes.interval()),
            timeout: self.traffic.timeout,
            calm_ns: nanos(CALM),
            keen_ns: nanos(KEEN),
        }
    }

    /// The first operation of a service: the one that a probe asks for.
    fn probed_operation(&self, service: &ServiceName) -> String {
        let operations = self.graph.service(service).map(|service| &service.operations);
        operations.and_then(|operations| operations.first()).map(ToString::to_string).unwrap_or_default()
    }
}

/// The run's seed, drawn from one number after the other (splitmix64, Steele et al. 2014).
#[derive(Debug)]
struct Seeds(u64);

impl Seeds {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
