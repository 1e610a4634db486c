//! Owns what a host and its processes are told, as one JSON file per host in the image. Refuses to know where
//! addresses come from: the world that makes the region gives one per instance.

mod customer;
mod image;
mod software;
mod store;

use crate::commons::{Apart, Callee, Commons, Keys};
use crate::wire::{From, Text};
pub use customer::{CanaryConfig, Portion, RetryConfig};
use fixtures::graph::grants::Grants;
use fixtures::graph::identity::{Renew, WhenExpired};
use fixtures::graph::workers::Workers;
use fixtures::graph::{
    Acknowledge, Attempts, Backoff, Breaker, Graph, Health, Need, Reach, Routing, Scope, Service, State, Strength,
    WhenMissing,
};
use fixtures::name::{HostName, InstanceName, ServiceName, ZoneName};
use fixtures::placement::Placement;
use fixtures::topology::Topology;
pub use image::{AdapterConfig, ProgramConfig};
use serde::{Deserialize, Serialize};
pub use software::{GenericConfig, Software};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
pub use store::{ReplicationConfig, StoreConfig};

/// One host: what its first process needs to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostConfig {
    /// Its name.
    pub host: HostName,
    /// Its zone.
    pub zone: ZoneName,
    /// Where notes go.
    pub witness: SocketAddr,
    /// The file whose shared lock is the gate.
    pub gate: String,
    /// The file whose shared lock holds up a boot, once there is power; one that is not there holds up nothing.
    pub boot_gate: String,
    /// Folder of the files that say what is the matter on this host; empty where nothing ever is.
    #[serde(default)]
    pub trouble_dir: String,
    /// Folder on the zone's state volume that belongs to this host.
    pub state_dir: String,
    /// From power to the start of the first service.
    pub boot: Duration,
    /// Its services, and the canary where it has one.
    pub processes: Vec<Process>,
}

/// One process on a host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Process {
    /// A mock service.
    Instance(InstanceConfig),
    /// What becomes one by what it fetches.
    Generic(Box<GenericConfig>),
    /// A customer.
    Canary(CanaryConfig),
    /// Real software, run by the supervisor itself.
    Program(ProgramConfig),
    /// What speaks for it.
    Adapter(Box<AdapterConfig>),
}

/// One instance of a mock service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceConfig {
    /// Who it is, as notes say it.
    pub from: From,
    /// Its name.
    pub name: InstanceName,
    /// Its zone.
    pub zone: ZoneName,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Seeds its jitter.
    pub seed: u64,
    /// Operations it offers.
    pub operations: Vec<String>,
    /// Nanoseconds between two requests that it can carry; zero is unlimited.
    pub interval_ns: u64,
    /// Requests that may wait.
    pub queue: u32,
    /// Requests that may be under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<Workers>,
    /// How much it grants to those who need something of it.
    #[serde(default)]
    pub grants: Option<Grants>,
    /// What an operation costs by itself.
    pub work: Duration,
    /// Needs.
    pub needs: Vec<NeedConfig>,
    /// Calls.
    pub calls: Vec<CallConfig>,
    /// What it remembers.
    pub state: State,
    /// What belongs to that kind of state.
    #[serde(default)]
    pub store: StoreConfig,
    /// What an operator can switch at it.
    #[serde(default)]
    pub control: ControlConfig,
    /// When a write is acknowledged.
    pub acknowledge: Acknowledge,
    /// How deep `/readyz` looks.
    pub health: Health,
    /// Its part in names and identities.
    #[serde(default)]
    pub commons: Commons,
    /// What makes it end, so that it is started again.
    pub liveness: Health,
    /// Whether it counts what arrives, and tells the witness.
    #[serde(default)]
    pub counts_arrivals: bool,
}

/// What an operator can switch at an instance.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ControlConfig {
    /// Operations that change something.
    pub mutates: Vec<String>,
    /// Whether its callers have somewhere else to go: other zones hold instances that they may ask.
    pub movable: bool,
}

/// One need, with the instances that can grant it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NeedConfig {
    /// Its kind.
    pub kind: String,
    /// The service that grants it.
    pub from: ServiceName,
    /// Limit of asks.
    pub attempts: Attempts,
    /// Wait or exit.
    pub when_missing: WhenMissing,
    /// Bound of one ask.
    pub timeout: Duration,
    /// Pause between asks.
    pub backoff: Backoff,
    /// Who can grant it.
    pub targets: Targets,
    /// How they are found and recognised.
    #[serde(default)]
    pub callee: Callee,
    /// When it is asked for again.
    pub renew: Renew,
    /// What the instance does when it has ended.
    pub when_expired: WhenExpired,
}

/// One call, with the instances that can answer it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallConfig {
    /// The dependency.
    pub to: ServiceName,
    /// The operation there.
    pub operation: String,
    /// Our operations that make it.
    pub during: Vec<String>,
    /// Hard or soft.
    pub strength: Strength,
    /// Bound of one attempt.
    pub timeout: Duration,
    /// Attempts in all.
    pub attempts: u32,
    /// Pause between attempts.
    pub backoff: Backoff,
    /// Circuit breaker per instance.
    pub breaker: Option<Breaker>,
    /// Order of instances.
    pub routing: Routing,
    /// Whether a write travels along.
    pub carries_writes: bool,
    /// Made only where the call before it has failed, in its place.
    #[serde(default)]
    pub fallback: bool,
    /// Who can answer it.
    pub targets: Targets,
    /// How they are found and recognised.
    #[serde(default)]
    pub callee: Callee,
}

/// One instance that can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its name.
    pub name: InstanceName,
    /// Its zone.
    pub zone: ZoneName,
    /// Its address.
    pub address: SocketAddr,
    /// The name that it must prove to have, where it is asked over TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secure: Option<Text>,
}

/// The instances behind one endpoint name, seen from one zone: one list, shared by all who may call it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Target>", into = "Vec<Target>")]
pub struct Targets(Arc<[Target]>);

impl std::convert::From<Vec<Target>> for Targets {
    fn from(targets: Vec<Target>) -> Self {
        Self(targets.into())
    }
}

impl std::convert::From<Targets> for Vec<Target> {
    fn from(targets: Targets) -> Self {
        targets.0.to_vec()
    }
}

impl Deref for Targets {
    type Target = [Target];
    fn deref(&self) -> &[Target] {
        &self.0
    }
}

/// Resolves names to targets: the part of the placement that configurations need.
#[derive(Debug)]
pub struct Region<'a> {
    /// Zones.
    pub topology: &'a Topology,
    /// Services.
    pub graph: &'a Graph,
    /// Instances.
    pub placement: &'a Placement,
    /// Address of each instance, in placement order.
    pub addresses: &'a [SocketAddr],
    /// Keys of the run, where a world has bytes to protect.
    pub keys: Option<Keys>,
    /// The region that has identities of its own, where there is one beside the others.
    pub apart: Option<Apart>,
    /// Whether instances count what arrives.
    pub counts_arrivals: bool,
    /// Instances of each service, in placement order.
    copies: BTreeMap<&'a ServiceName, Vec<usize>>,
    /// Lists made so far.
    lists: RefCell<BTreeMap<(ZoneName, ServiceName, bool), Targets>>,
}

impl<'a> Region<'a> {
    /// A region with these instances; `addresses` are theirs, in placement order.
    pub fn new(
        topology: &'a Topology,
        graph: &'a Graph,
        placement: &'a Placement,
        addresses: &'a [SocketAddr],
    ) -> Self {
        let mut copies: BTreeMap<&ServiceName, Vec<usize>> = BTreeMap::new();
        for (index, instance) in placement.instances.iter().enumerate() {
            copies.entry(&instance.service).or_default().push(index);
        }
        Self {
            topology,
            graph,
            placement,
            addresses,
            keys: None,
            apart: None,
            counts_arrivals: false,
            copies,
            lists: RefCell::default(),
        }
    }

    /// The same region with the keys of a run.
    #[must_use]
    pub fn with_keys(self, keys: Option<Keys>) -> Self {
        Self { keys, ..self }
    }

    /// The same, where one of its regions has identities of its own.
    #[must_use]
    pub fn with_apart(self, apart: Option<Apart>) -> Self {
        Self { apart, ..self }
    }

    /// The same region, whose instances count what arrives, or do not.
    #[must_use]
    pub fn counting(self, counts_arrivals: bool) -> Self {
        Self { counts_arrivals, ..self }
    }

    /// The instances that the endpoint name of `callee` stands for, seen from `zone`: the same list for all who ask.
    pub fn targets(&self, zone: &ZoneName, callee: &ServiceName) -> Targets {
        self.targets_within(zone, callee, Reach::Zone)
    }

    pub(crate) fn targets_within(&self, zone: &ZoneName, callee: &ServiceName, reach: Reach) -> Targets {
        let key = (zone.clone(), callee.clone(), reach == Reach::Region);
        if let Some(known) = self.lists.borrow().get(&key) {
            return known.clone();
        }
        let copies = self.copies.get(callee).map(Vec::as_slice).unwrap_or_default();
        let indices = self.placement.targets_within(self.topology, self.graph, zone, callee, copies, reach);
        let target = |index: usize| {
            let instance = &self.placement.instances[index];
            // The name in its certificate is that of its own zone, whoever calls.
            let secure = if reach == Reach::Zone { zone } else { &instance.zone };
            let secure = self.callee(secure, callee).secure;
            Target { name: instance.name.clone(), zone: instance.zone.clone(), address: self.addresses[index], secure }
        };
        let list = Targets::from(indices.into_iter().map(target).collect::<Vec<Target>>());
        self.lists.borrow_mut().insert(key, list.clone());
        list
    }

    /// The configuration of one instance (by its place in the placement).
    ///
    /// # Panics
    /// Where the placement names a service that its own graph lacks: only a bug in the placement could.
    pub fn instance(&self, index: usize, seed: u64) -> InstanceConfig {
        let instance = &self.placement.instances[index];
        let service = self.graph.service(&instance.service).expect("the placement was made from this graph");
        let zone = &instance.zone;
        InstanceConfig {
            from: From {
                zone: zone.clone(),
                host: self.placement.hosts[instance.host].name.clone(),
                service: Some(service.name.clone()),
                instance: Some(instance.name.clone()),
            },
            name: instance.name.clone(),
            zone: zone.clone(),
            listen: self.addresses[index],
            seed,
            operations: service.operations.iter().map(ToString::to_string).collect(),
            interval_ns: service.capacity.map_or(0, |rate| nanos(rate.interval())),
            queue: service.queue,
            workers: service.workers,
            grants: service.grants,
            work: service.work,
            needs: service.needs.iter().map(|need| self.need(zone, need, service.lookups.seeds)).collect(),
            calls: self.calls(zone, service),
            state: service.state,
            store: store::of(self, zone, service),
            control: ControlConfig {
                mutates: service.mutates.iter().map(ToString::to_string).collect(),
                movable: service.scope != Scope::Zonal,
            },
            acknowledge: service.acknowledge,
            health: service.health,
            commons: self.commons(index),
            liveness: service.liveness,
            counts_arrivals: self.counts_arrivals,
        }
    }

    fn need(&self, zone: &ZoneName, need: &Need, seeds: bool) -> NeedConfig {
        let (targets, callee) = self.known_targets(zone, &need.from, Reach::Zone, seeds);
        NeedConfig {
            kind: need.kind.to_string(),
            from: need.from.clone(),
            attempts: need.attempts,
            when_missing: need.when_missing,
            timeout: need.timeout,
            backoff: need.backoff,
            targets,
            callee,
            renew: need.renew,
            when_expired: need.when_expired,
        }
    }

    fn calls(&self, zone: &ZoneName, service: &Service) -> Vec<CallConfig> {
        let config = |call: &fixtures::graph::Call| {
            let (targets, callee) = self.known_targets(zone, &call.to, call.reach, service.lookups.seeds);
            CallConfig {
                to: call.to.clone(),
                operation: call.operation.to_string(),
                during: call.during.iter().map(ToString::to_string).collect(),
                strength: call.strength,
                timeout: call.timeout,
                attempts: call.attempts,
                backoff: call.backoff,
                breaker: call.breaker,
                routing: call.routing,
                carries_writes: call.carries_writes,
                fallback: call.fallback,
                targets,
                callee,
            }
        };
        service.calls.iter().map(config).collect()
    }
}

/// Nanoseconds as the machines count them; 584 years are enough.
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
