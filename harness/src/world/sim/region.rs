//! Owns what a simulated region is made of before anything happens: its hosts, its processes, their addresses, and what
//! the witness is told. Refuses to let anything happen.

use super::costs::Costs;
use super::faults::WHOLE_MILLI;
use super::process::{Host, Process, Program};
use crate::witness::protocol::{Entry, Probed, Watch};
use crate::world::build::Alter;
use crate::world::draw::{self, Corner};
use agents::commons::DNS_PORT;
use agents::config::{Region, Target, nanos};
use agents::machine::role::Role;
use fixtures::graph::Graph;
use fixtures::name::{HostName, ServiceName, ZoneName};
use fixtures::placement::Placement;
use fixtures::topology::Topology;
use scenarios::customers::Traffic;
use scenarios::scenario::Gathered;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// Port of a host's first instance; the others follow.
const FIRST_PORT: u16 = 8_000;
/// Port of a zone's echo, on the host of its canary.
const ECHO_PORT: u16 = 7_999;
/// Address of the first host; the others follow.
const FIRST_ADDRESS: u32 = 0x0A00_0001;
/// Probes that the witness makes in a second at most, of instances that are active and of those that are not: in a
/// region of many thousand instances it looks at each more rarely.
const CALM_PROBES_PER_S: u64 = 10_000;
const KEEN_PROBES_PER_S: u64 = 100_000;

/// What a run is made of, for [`super::SimWorld::new`].
#[derive(Debug, Clone)]
pub struct Parts<'a> {
    /// Zones.
    pub topology: &'a Topology,
    /// Services.
    pub graph: &'a Graph,
    /// Instances.
    pub placement: &'a Placement,
    /// Traffic.
    pub traffic: &'a Traffic,
    /// What is gathered because it is judged.
    pub gathered: Gathered,
    /// Decides everything.
    pub seed: u64,
    /// What things cost.
    pub costs: Costs,
}

/// A region that stands in the dark.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) hosts: Vec<Host>,
    pub(super) names: Vec<HostName>,
    pub(super) processes: Vec<Process>,
    pub(super) watch: Watch,
}

/// The address of a host, by its place in the placement.
pub(super) fn address(host: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(FIRST_ADDRESS + u32::try_from(host).unwrap_or(u32::MAX)))
}

/// Where each instance listens, in placement order.
pub(super) fn addresses(placement: &Placement) -> Vec<SocketAddr> {
    let address = |instance: &fixtures::placement::Instance| {
        SocketAddr::new(self::address(instance.host), FIRST_PORT + instance.slot)
    };
    placement.instances.iter().map(address).collect()
}

/// The process that listens on an address; `None` where there is no such host.
pub(super) fn locate(hosts: &[Host], to: SocketAddr) -> Option<u32> {
    let IpAddr::V4(ip) = to.ip() else { return None };
    let host = hosts.get(u32::from(ip).checked_sub(FIRST_ADDRESS)? as usize)?;
    match to.port() {
        ECHO_PORT => host.echo,
        DNS_PORT => host.names,
        draw::CANARY_PORT => host.echo.map(|echo| echo + 1),
        port => Some(host.first + u32::from(port.checked_sub(FIRST_PORT)?)).filter(|at| *at < host.first + host.count),
    }
}

/// Makes hosts and processes, in placement order.
pub(super) fn build(parts: &Parts<'_>, alter: Option<&dyn Alter>) -> Built {
    let Parts { topology, graph, placement, traffic, seed, .. } = parts;
    let addresses = addresses(placement);
    let region = Region::new(topology, graph, placement, &addresses).counting(parts.gathered.counts_arrivals);
    let region = region.with_apart(alter.and_then(Alter::apart));
    let zones: BTreeMap<&ZoneName, u16> = topology.zones().map(|(_, zone)| &zone.name).zip(0..).collect();
    let mut roles: BTreeMap<(&ZoneName, &ServiceName), Arc<Role>> = BTreeMap::new();
    let (mut hosts, mut processes) = (Vec::new(), Vec::new());
    for (index, (host, drawn)) in placement.hosts.iter().zip(draw::hosts(*seed, topology, graph, placement)).enumerate()
    {
        let number = u32::try_from(index).unwrap_or(u32::MAX);
        let first = u32::try_from(processes.len()).unwrap_or(u32::MAX);
        let mut names = None;
        for (&place, seed) in host.instances.iter().zip(drawn.instances) {
            let instance = &placement.instances[place];
            let role = match alter.filter(|alter| alter.concerns(place)) {
                Some(alter) => Arc::new(Role::new(alter.alter(place, region.instance(place, 0), &region))),
                None => {
                    let role = roles.entry((&instance.zone, &instance.service));
                    Arc::clone(role.or_insert_with(|| Arc::new(Role::new(region.instance(place, 0)))))
                }
            };
            let keeps = role.config.state.has_file();
            if role.config.commons.directory.is_some() {
                names = u32::try_from(processes.len()).ok();
            }
            let program = Program::Instance { role, name: instance.name.clone(), seed };
            processes.push(Process::new(number, program, keeps));
        }
        let mut echo = None;
        if let Some(seed) = drawn.customers {
            echo = u32::try_from(processes.len()).ok();
            let corner = Corner {
                zone: &host.zone,
                host: &host.name,
                echo: SocketAddr::new(self::address(index), ECHO_PORT),
                entry: region.targets(&host.zone, &graph.entry.service),
                callee: region.callee(&host.zone, &graph.entry.service),
                commons: region.customer(&host.zone),
                seed,
            };
            let (config, canary) = draw::customers(corner, graph, traffic);
            let name = config.name.clone();
            let program = Program::Instance { role: Arc::new(Role::new(config)), name, seed };
            processes.push(Process::new(number, program, false));
            processes.push(Process::new(number, Program::Customer(Box::new(canary)), false));
        }
        let count = u32::try_from(processes.len()).unwrap_or(u32::MAX) - first;
        let zone = zones.get(&host.zone).copied().unwrap_or_default();
        hosts.push(Host {
            zone,
            lit: false,
            reachable: false,
            power: 0,
            boot_ns: nanos(drawn.boot),
            left_milli: WHOLE_MILLI,
            first,
            count,
            echo,
            names,
        });
    }
    let names = placement.hosts.iter().map(|host| host.name.clone()).collect();
    Built { hosts, names, processes, watch: watch(parts, &region, &addresses) }
}

/// What the witness is told.
fn watch(parts: &Parts<'_>, region: &Region<'_>, addresses: &[SocketAddr]) -> Watch {
    let services = parts.graph.services.iter().map(|service| &service.name);
    let operations: BTreeMap<&ServiceName, String> =
        services.map(|name| (name, draw::probed_operation(parts.graph, name))).collect();
    let probe = |(instance, &address): (&fixtures::placement::Instance, &SocketAddr)| {
        let (name, zone) = (instance.name.clone(), instance.zone.clone());
        let secure = region.callee(&zone, &instance.service).secure;
        let target = Target { name, zone, address, secure };
        Probed { target, operation: operations.get(&instance.service).cloned().unwrap_or_default() }
    };
    let probes: Vec<Probed> = parts.placement.instances.iter().zip(addresses).map(probe).collect();
    let entry = |zone: &ZoneName| Entry {
        zone: zone.to_string(),
        targets: region.targets(zone, &parts.graph.entry.service).into(),
    };
    let all = probes.len() as u64;
    Watch {
        entries: parts.topology.zones().map(|(_, zone)| entry(&zone.name)).collect(),
        operation: parts.graph.entry.operation.to_string(),
        write_interval_ns: nanos(parts.traffic.writes.interval()),
        timeout: parts.traffic.timeout,
        calm_ns: nanos(draw::calm(parts.placement.instances.len(), parts.gathered))
            .max(all * (1_000_000_000 / CALM_PROBES_PER_S)),
        keen_ns: nanos(draw::KEEN).max(all * (1_000_000_000 / KEEN_PROBES_PER_S)),
        root: None,
        canaries: draw::canary_hosts(parts.graph, parts.placement)
            .into_values()
            .map(|host| SocketAddr::new(address(host), draw::CANARY_PORT))
            .collect(),
        triers: if parts.gathered.tries_stores { draw::triers(region) } else { Vec::new() },
        doubted: draw::doubted(parts.graph, parts.placement, parts.gathered),
        alike: draw::alike(parts.graph, parts.placement),
        keys_begin: String::new(),
        keys_come_round: 0,
        probes,
    }
}
