//! Owns what a run's seed decides before anything is made, for every world alike: each host's boot time, the seed of
//! each process, the host of each zone's canary, and what that canary is told. Refuses to know addresses.

use crate::witness::protocol::{SwitchOrder, Trier};
use agents::commons::{Callee, Commons};
use agents::config::{CanaryConfig, InstanceConfig, Portion, Region, RetryConfig, Target, Targets, nanos};
use agents::wire::{From, Switch};
use fixtures::graph::{Acknowledge, Graph, Health, State};
use fixtures::name::{HostName, InstanceName, ServiceName, ZoneName};
use fixtures::placement::Placement;
use fixtures::topology::Topology;
use scenarios::customers::{Retry, Traffic};
use scenarios::scenario::Gathered;
use scenarios::seed::Seeds;
use scenarios::traffic::WINDOW;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Pause between two probes of an instance that is active, in a small region, and the longest in any.
const CALM: Duration = Duration::from_millis(1000);
const CALM_MAX: Duration = Duration::from_millis(2500);
/// Probes of active instances in a second, beyond which each is looked at more rarely: a probe asks for all that stands
/// behind an instance, and being watched is most of what an idle region does.
const CALM_PROBES_PER_S: u32 = 30;
/// Pause between two probes of an instance that is not active: the resolution of restart-to-active.
pub const KEEN: Duration = Duration::from_millis(200);

/// Pause between two probes of an instance that is active, in a region of so many.
pub fn calm(instances: usize, gathered: Gathered) -> Duration {
    if gathered.looks_often {
        return CALM;
    }
    let each = Duration::from_secs(1) / CALM_PROBES_PER_S;
    each.saturating_mul(u32::try_from(instances).unwrap_or(u32::MAX)).clamp(CALM, CALM_MAX)
}

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

/// Between two requests of canaries that nobody wants to ask: longer than any game day.
const SILENCE: Duration = Duration::from_secs(30 * 86_400);
/// Port of a zone's canary, on its host.
pub const CANARY_PORT: u16 = 7_998;

/// The hosts that carry a canary, by zone.
pub fn canary_names(graph: &Graph, placement: &Placement) -> Vec<HostName> {
    canary_hosts(graph, placement).into_values().map(|host| placement.hosts[host].name.clone()).collect()
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
        workers: None,
        grants: None,
        work: Duration::ZERO,
        needs: Vec::new(),
        calls: Vec::new(),
        state: State::None,
        store: agents::config::StoreConfig::default(),
        control: agents::config::ControlConfig::default(),
        acknowledge: Acknowledge::AfterSync,
        health: Health::Shallow,
        commons: Commons::default(),
        liveness: Health::Shallow,
        counts_arrivals: false,
    };
    let canary = CanaryConfig {
        from,
        zone: zone.clone(),
        seed,
        interval_ns: nanos(if traffic.is_silent() { SILENCE } else { traffic.rate.interval() }),
        timeout: traffic.timeout,
        listen: Some(SocketAddr::new(echo.ip(), CANARY_PORT)),
        window: WINDOW,
        mix: mix(zone, graph, traffic),
        retry: retry(traffic),
        entry,
        echo,
        callee,
        commons,
    };
    (echo_instance, canary)
}

/// What the customers of a zone ask for; where nothing is said, the entry's operation alone.
fn mix(zone: &ZoneName, graph: &Graph, traffic: &Traffic) -> Vec<Portion> {
    let portions = traffic.mix_of(zone).into_iter();
    let mut mix: Vec<Portion> =
        portions.map(|said| Portion { operation: said.operation.to_string(), ppm: said.share.ppm }).collect();
    if mix.is_empty() {
        mix.push(Portion { operation: graph.entry.operation.to_string(), ppm: 1_000_000 });
    }
    mix
}

fn retry(traffic: &Traffic) -> RetryConfig {
    let Retry { attempts, timeout, backoff, budget } = traffic.retry;
    RetryConfig { attempts, timeout, backoff, budget_ppm: budget.map(|budget| budget.ppm) }
}

/// Pause from one read or write of a trier to the next, and how long it waits for one.
const TRY_EVERY: Duration = Duration::from_millis(100);
const TRY_FOR: Duration = Duration::from_secs(1);

/// Who tries the replicated stores of a region: one in each zone that has members.
pub fn triers(region: &Region<'_>) -> Vec<Trier> {
    let Region { graph, placement, addresses, .. } = region;
    let mut triers: BTreeMap<(&ServiceName, &ZoneName), Vec<Target>> = BTreeMap::new();
    let replicated =
        |service: &ServiceName| graph.service(service).is_some_and(|known| known.state == State::Replicated);
    for (instance, &address) in placement.instances.iter().zip(*addresses) {
        if replicated(&instance.service) {
            let (name, zone) = (instance.name.clone(), instance.zone.clone());
            let secure = region.callee(&zone, &instance.service).secure;
            let target = Target { name, zone, address, secure };
            triers.entry((&instance.service, &instance.zone)).or_default().push(target);
        }
    }
    let trier = |((service, _), members): ((&ServiceName, &ZoneName), Vec<Target>)| Trier {
        service: service.to_string(),
        members,
        operation: probed_operation(graph, service),
        interval_ns: nanos(TRY_EVERY),
        timeout_ns: nanos(TRY_FOR),
    };
    triers.into_iter().map(trier).collect()
}

/// Where a write that was not acknowledged may be all the same, if somebody wants to know.
pub fn doubted(graph: &Graph, placement: &Placement, gathered: Gathered) -> Vec<InstanceName> {
    if !gathered.reads_doubted {
        return Vec::new();
    }
    let keepers: Vec<&ServiceName> = graph.keepers().into_iter().map(|keeper| &keeper.name).collect();
    let kept = placement.instances.iter().filter(|instance| keepers.contains(&&instance.service));
    kept.map(|instance| instance.name.clone()).collect()
}

/// Members of replicated stores that are real images. One that acknowledged a write speaks for all: it is not known which of them
/// have it, and any of them may be asked.
pub fn alike(graph: &Graph, placement: &Placement) -> Vec<Vec<InstanceName>> {
    let replicated = graph.services.iter().filter(|one| one.state == State::Replicated && one.image.is_some());
    let members = replicated.map(|service| {
        let members = placement.instances.iter().filter(|instance| instance.service == service.name);
        members.map(|instance| instance.name.clone()).collect()
    });
    members.collect()
}

/// Instances on these hosts, by their places.
pub fn instances_on(placement: &Placement, hosts: &[HostName]) -> Vec<usize> {
    let instances = placement.instances.iter().enumerate();
    let meant = instances.filter(|(_, instance)| hosts.contains(&placement.hosts[instance.host].name));
    meant.map(|(index, _)| index).collect()
}

/// The witness's order for a switch at the instances of some services on some hosts.
pub fn switch_order(
    (graph, placement): (&Graph, &Placement),
    fault: &str,
    (services, switch): (&[ServiceName], Switch),
    hosts: &[HostName],
    on: bool,
) -> SwitchOrder {
    let mut instances = instances_on(placement, hosts);
    instances.retain(|&index| services.contains(&placement.instances[index].service));
    let carriers = canary_names(graph, placement).into_iter().enumerate();
    let surges = matches!(switch, Switch::Surge { .. });
    let canaries = carriers.filter(|(_, host)| surges && hosts.contains(host)).map(|(index, _)| index).collect();
    SwitchOrder { fault: fault.to_owned(), switch, on, instances, canaries }
}

/// The first operation of a service: the one that a probe asks for.
pub fn probed_operation(graph: &Graph, service: &ServiceName) -> String {
    let operations = graph.service(service).map(|service| &service.operations);
    operations.and_then(|operations| operations.first()).map(ToString::to_string).unwrap_or_default()
}
