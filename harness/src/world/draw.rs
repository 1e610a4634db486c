//! Owns what a run's seed decides before anything is made, for every world alike: each host's boot time, the seed of
//! each process, the host of each zone's canary, and what that canary is told. Refuses to know addresses.

use agents::commons::{Callee, Commons};
use agents::config::{CanaryConfig, InstanceConfig, Targets, nanos};
use agents::wire::From;
use fixtures::graph::{Acknowledge, Graph, Health, State};
use fixtures::name::{HostName, InstanceName, ServiceName, ZoneName};
use fixtures::placement::Placement;
use fixtures::topology::Topology;
use scenarios::scenario::Traffic;
use scenarios::seed::Seeds;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Length of a canary's window: short enough to see a shift of traffic, long enough to count something.
pub const WINDOW: Duration = Duration::from_millis(500);
/// Pause between two probes of an instance that is active.
pub const CALM: Duration = Duration::from_millis(1000);
/// Pause between two probes of an instance that is not active: the resolution of restart-to-active.
pub const KEEN: Duration = Duration::from_millis(200);

/// What was drawn for one host.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// From power to its first service.
    pub boot: Duration,
    /// Seeds of its instances, by slot.
    pub instances: Vec<u64>,
    /// Seed of its canary and echo, where it carries them.
    pub customers: Option<u64>,
}

/// Draws for every host, in placement order.
pub fn hosts(seed: u64, topology: &Topology, graph: &Graph, placement: &Placement) -> Vec<Drawn> {
    let mut seeds = Seeds::new(seed);
    let (boot, spread) = (topology.boot, nanos(topology.boot.max.saturating_sub(topology.boot.min)));
    let chosen = canary_hosts(graph, placement);
    let draw = |(index, host): (usize, &fixtures::placement::Host)| {
        let boot = boot.min + Duration::from_nanos(seeds.up_to(spread));
        let instances = host.instances.iter().map(|_| seeds.next_number()).collect();
        let customers = (chosen.get(&host.zone) == Some(&index)).then(|| seeds.next_number());
        Drawn { boot, instances, customers }
    };
    placement.hosts.iter().enumerate().map(draw).collect()
}

/// The host of each zone that carries its canary: the first with an instance of the entry service, else the first.
pub fn canary_hosts(graph: &Graph, placement: &Placement) -> BTreeMap<ZoneName, usize> {
    let mut chosen: BTreeMap<ZoneName, (bool, usize)> = BTreeMap::new();
    for (index, host) in placement.hosts.iter().enumerate() {
        let mut services = host.instances.iter().map(|&instance| &placement.instances[instance].service);
        let with_entry = services.any(|service| service == &graph.entry.service);
        match chosen.get(&host.zone) {
            Some((true, _)) => {}
            Some((false, _)) if !with_entry => {}
            _ => {
                chosen.insert(host.zone.clone(), (with_entry, index));
            }
        }
    }
    chosen.into_iter().map(|(zone, (_, index))| (zone, index)).collect()
}

/// A customer's place.
#[derive(Debug, Clone)]
pub struct Corner<'a> {
    /// Its zone.
    pub zone: &'a ZoneName,
    /// Its host.
    pub host: &'a HostName,
    /// Where its echo listens.
    pub echo: SocketAddr,
    /// The region's API, seen from there.
    pub entry: Targets,
    /// How it is found and recognised from there.
    pub callee: Callee,
    /// Its part in names and identities.
    pub commons: Commons,
    /// Its seed.
    pub seed: u64,
}

/// A zone's canary, and the echo for its control.
pub fn customers(corner: Corner<'_>, graph: &Graph, traffic: &Traffic) -> (InstanceConfig, CanaryConfig) {
    let Corner { zone, host, echo, entry, callee, commons, seed } = corner;
    // Where the name is looked up, nobody is told addresses.
    let entry = if callee.name.is_some() { Vec::new().into() } else { entry };
    let from = From { zone: zone.clone(), host: host.clone(), service: None, instance: None };
    let echo_instance = InstanceConfig {
        from: from.clone(),
        name: InstanceName(format!("echo-{zone}")),
        zone: zone.clone(),
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
        commons: Commons::default(),
        liveness: Health::Shallow,
    };
    let canary = CanaryConfig {
        from,
        zone: zone.clone(),
        seed,
        interval_ns: nanos(traffic.rate.interval()),
        timeout: traffic.timeout,
        window: WINDOW,
        operation: graph.entry.operation.to_string(),
        entry,
        echo,
        callee,
        commons,
    };
    (echo_instance, canary)
}

/// The first operation of a service: the one that a probe asks for.
pub fn probed_operation(graph: &Graph, service: &ServiceName) -> String {
    let operations = graph.service(service).map(|service| &service.operations);
    operations.and_then(|operations| operations.first()).map(ToString::to_string).unwrap_or_default()
}
