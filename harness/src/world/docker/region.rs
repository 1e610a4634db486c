//! Owns what a run's region looks like on an engine before anything is made: addresses, and each host's configuration.
//! Refuses to make it.

use super::software::{self, Images};
use super::standing::Standing;
use super::subnet::Block;
use crate::hand::boot::BOOT_DIR;
use crate::hand::trouble::TROUBLE_DIR;
use crate::hand::{GATES_DIR, SHARED_DIR, STATE_DIR};
use crate::witness::NOTES_PORT;
use crate::witness::protocol::{Entry, Probed, Watch};
use crate::world::draw::{self, Corner, Drawn};
use agents::commons::{Apart, Keys};
use agents::config::{HostConfig, InstanceConfig, Process, Region, nanos};
use fixtures::graph::Graph;
use fixtures::name::{HostName, ZoneName};
use fixtures::placement::{Host, Placement};
use fixtures::topology::Topology;
use scenarios::customers::Traffic;
use scenarios::scenario::Gathered;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Port of a host's first instance; the others follow.
const FIRST_PORT: u16 = 8_000;
/// Port of a zone's echo, on the host of its canary.
const ECHO_PORT: u16 = 7_999;
/// From one number of ports that a run has in the machine's own network to the next.
const PORTS_APART: u16 = 10;
/// Between two writes to a zone by which a standing region ages, and after how many their keys come round. Stores append and do
/// not compact: at this pace the disk of a zone takes two years of it.
const AGES_EVERY: Duration = Duration::from_secs(120);
const AGES_KEYS: u64 = 1_000;

/// Software that others run, for which hosts of ours only speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theirs {
    /// Where each host's software is.
    pub addresses: BTreeMap<HostName, Ipv4Addr>,
    /// The first port of ours: we are in a network that is not ours alone.
    pub ports: u16,
}

/// The region of one run with its addresses.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Zones.
    pub topology: Topology,
    /// Services.
    pub graph: Graph,
    /// Instances.
    pub placement: Placement,
    /// What the images of the graph say of themselves.
    pub images: Images,
    /// Where the software is that others run.
    pub attached: Option<Theirs>,
    /// Where hosts really are that may be in another zone than they believe to be: those of a build.
    pub elsewhere: BTreeMap<HostName, ZoneName>,
    /// Traffic.
    pub traffic: Traffic,
    /// What is gathered because it is judged.
    pub gathered: Gathered,
    /// Decides jitter and boot times.
    pub seed: u64,
    /// Subnets: the witness's first, then the zones'.
    pub block: Block,
    /// The run's root, where its graph has identities.
    pub keys: Option<Keys>,
    /// The region that has a root of its own, where one is built out of another.
    pub apart: Option<Apart>,
}

impl Layout {
    /// Every root of the run, for who asks from outside.
    pub fn roots(&self) -> Option<String> {
        let apart = self.apart.iter().filter_map(|apart| apart.keys.as_ref());
        let roots: Vec<&str> = self.keys.iter().chain(apart).map(|keys| keys.root.as_str()).collect();
        (!roots.is_empty()).then(|| roots.concat())
    }

    /// Zones in the order of their subnets.
    pub fn zones(&self) -> Vec<ZoneName> {
        self.topology.zones().map(|(_, zone)| zone.name.clone()).collect()
    }

    /// The zone's number: its subnet is one more.
    pub fn zone_number(&self, zone: &ZoneName) -> usize {
        self.topology.zones().position(|(_, known)| &known.name == zone).unwrap_or_default()
    }

    /// The zone that a host is in.
    pub fn zone_of<'a>(&'a self, host: &'a Host) -> &'a ZoneName {
        self.elsewhere.get(&host.name).unwrap_or(&host.zone)
    }

    /// The number of the zone that a host is in.
    pub fn number_of(&self, host: &Host) -> usize {
        self.zone_number(self.zone_of(host))
    }

    /// A host's address.
    pub fn address(&self, host: &Host) -> Ipv4Addr {
        let zone = self.zone_of(host);
        let mates = self.placement.hosts.iter().filter(|other| self.zone_of(other) == zone);
        let place = mates.take_while(|other| other.name != host.name).count();
        self.block.host(self.zone_number(zone) + 1, place)
    }

    /// Where the real software of a host is.
    pub fn software_at(&self, host: &Host) -> Ipv4Addr {
        let theirs = self.attached.as_ref().and_then(|theirs| theirs.addresses.get(&host.name));
        theirs.copied().unwrap_or_else(|| self.address(host))
    }

    /// The port that is this one in a network of our own.
    fn port(&self, own: u16) -> u16 {
        let place = |ports: u16| match own {
            NOTES_PORT => ports,
            ECHO_PORT => ports + 1,
            draw::CANARY_PORT => ports + 2,
            _ => ports + 3 + own.saturating_sub(FIRST_PORT) % (PORTS_APART - 3),
        };
        self.attached.as_ref().map_or(own, |theirs| place(theirs.ports))
    }

    /// Where a host's first instance is asked.
    fn first_address(&self, host: &Host) -> SocketAddr {
        SocketAddr::from((self.address(host), self.port(FIRST_PORT)))
    }

    /// Where notes are left for the witness.
    pub fn notes(&self) -> SocketAddr {
        SocketAddr::from((self.witness(), self.port(NOTES_PORT)))
    }

    /// Where a host's canary listens to an operator.
    fn canary_at(&self, host: &Host) -> SocketAddr {
        SocketAddr::from((self.address(host), self.port(draw::CANARY_PORT)))
    }

    /// The witness's address.
    pub fn witness(&self) -> Ipv4Addr {
        self.block.host(0, 0)
    }

    /// Address and port of every instance, in placement order.
    pub fn instance_addresses(&self) -> Vec<SocketAddr> {
        let hosts: Vec<Ipv4Addr> = self.placement.hosts.iter().map(|host| self.address(host)).collect();
        let address = |instance: &fixtures::placement::Instance| {
            SocketAddr::from((hosts[instance.host], self.port(FIRST_PORT + instance.slot)))
        };
        self.placement.instances.iter().map(address).collect()
    }

    /// What each host is told, in placement order.
    pub fn host_configs(&self) -> Vec<HostConfig> {
        self.host_configs_with(&|_, config, _| config)
    }

    /// The same where single instances, by their places in the placement, are told something else than the graph says.
    pub fn host_configs_with(
        &self,
        alter: &dyn Fn(usize, InstanceConfig, &Region<'_>) -> InstanceConfig,
    ) -> Vec<HostConfig> {
        let addresses = self.instance_addresses();
        let region = Region::new(&self.topology, &self.graph, &self.placement, &addresses);
        let region = region.with_keys(self.keys.clone()).with_apart(self.apart.clone());
        let region = region.counting(self.gathered.counts_arrivals);
        let drawn = draw::hosts(self.seed, &self.topology, &self.graph, &self.placement);
        let config = |(host, drawn): (&Host, Drawn)| {
            let instances = host.instances.iter().zip(&drawn.instances);
            let instance = |(&index, &seed): (&usize, &u64)| {
                Process::Instance(alter(index, region.instance(index, seed), &region))
            };
            let mut processes: Vec<Process> = match software::processes(self, host, self.first_address(host)) {
                // The software itself is run by others.
                Some([_, adapter]) if self.attached.is_some() => vec![adapter],
                Some(real) => real.into(),
                None => instances.map(instance).collect(),
            };
            if let Some(seed) = drawn.customers {
                let echo = SocketAddr::from((self.address(host), self.port(ECHO_PORT)));
                let entry = region.targets(&host.zone, &self.graph.entry.service);
                let (callee, commons) =
                    (region.callee(&host.zone, &self.graph.entry.service), region.customer(&host.zone));
                let corner = Corner { zone: &host.zone, host: &host.name, echo, entry, callee, commons, seed };
                let (echo, mut canary) = draw::customers(corner, &self.graph, &self.traffic);
                canary.listen = Some(self.canary_at(host));
                processes.extend([Process::Instance(echo), Process::Canary(canary)]);
            }
            HostConfig {
                host: host.name.clone(),
                zone: host.zone.clone(),
                witness: self.notes(),
                gate: format!("{SHARED_DIR}/{GATES_DIR}/{}", host.name),
                boot_gate: format!("{SHARED_DIR}/{BOOT_DIR}/{}", host.name),
                trouble_dir: format!("{SHARED_DIR}/{TROUBLE_DIR}/{}", host.name),
                state_dir: format!("{STATE_DIR}/{}", host.name),
                // Real containers take as long as they take.
                boot: if self.attached.is_some() { Duration::ZERO } else { drawn.boot },
                processes,
            }
        };
        self.placement.hosts.iter().zip(drawn).map(config).collect()
    }

    /// What the witness is told.
    pub fn watch(&self) -> Watch {
        let addresses = self.instance_addresses();
        let region = Region::new(&self.topology, &self.graph, &self.placement, &addresses);
        let probe = |index: usize| {
            let instance = &self.placement.instances[index];
            let target = agents::config::Target {
                name: instance.name.clone(),
                zone: instance.zone.clone(),
                address: addresses[index],
                secure: region.callee(&instance.zone, &instance.service).secure,
            };
            Probed { target, operation: draw::probed_operation(&self.graph, &instance.service) }
        };
        let entry = |zone: &ZoneName| Entry {
            zone: zone.to_string(),
            targets: region.targets(zone, &self.graph.entry.service).into(),
        };
        Watch {
            probes: (0..self.placement.instances.len()).map(probe).collect(),
            entries: self.zones().iter().map(entry).collect(),
            operation: self.graph.entry.operation.to_string(),
            write_interval_ns: nanos(self.traffic.writes.interval()),
            timeout: self.traffic.timeout,
            calm_ns: nanos(draw::calm(self.placement.instances.len(), self.gathered)),
            keen_ns: nanos(draw::KEEN),
            root: self.roots(),
            canaries: draw::canary_hosts(&self.graph, &self.placement)
                .into_values()
                .map(|host| self.canary_at(&self.placement.hosts[host]))
                .collect(),
            triers: if self.gathered.tries_stores { draw::triers(&region) } else { Vec::new() },
            doubted: draw::doubted(&self.graph, &self.placement, self.gathered),
            alike: draw::alike(&self.graph, &self.placement),
            keys_begin: String::new(),
            keys_come_round: 0,
        }
    }

    /// The same of a region that was taken over.
    pub fn watch_of(&self, standing: &Standing) -> Watch {
        let mut watch = Watch { keys_begin: standing.keys_begin.clone(), ..self.watch() };
        if standing.only_ages {
            watch.write_interval_ns = nanos(AGES_EVERY);
            watch.keys_come_round = AGES_KEYS;
            (watch.triers, watch.doubted) = (Vec::new(), Vec::new());
        }
        watch
    }
}
