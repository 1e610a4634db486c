//! Owns what a process is told of what all share: names, identities, telemetry and scaling. Refuses to decide anything with it;
//! that is the machine's.

pub mod scaler;
pub mod telemetry;

use crate::config::{Region, Target, Targets, nanos};
use crate::wire::{Realm, Text};
use fixtures::graph::Reach;
use fixtures::graph::names::{Lookups, NoneHealthy};
use fixtures::name::{RegionName, ServiceName, ZoneName};
use fixtures::placement::{Instance, endpoint};
use scaler::{DutyConfig, ScalerConfig};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use telemetry::{BoardConfig, MeterConfig};

/// The port of DNS.
pub const DNS_PORT: u16 = 53;

/// A process's part in names, identities and telemetry; by default none.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Commons {
    /// How it looks names up; `None`: it is told addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookups: Option<LookupConfig>,
    /// What it answers, where it is a name server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<DirectoryConfig>,
    /// Nanoseconds for which what it grants is valid, by kind; what is not here lasts for ever.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lifetimes: BTreeMap<String, u64>,
    /// After which part of its lifetime something granted is renewed, in millionths.
    #[serde(default)]
    pub renew_at_ppm: u32,
    /// Kinds of needs that it grants; `None` grants whatever it is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<String>>,
    /// Whether it is the authority, which signs its own certificate.
    #[serde(default)]
    pub is_authority: bool,
    /// The folder of the artefacts that it gives out, where it is a repository of software.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artefacts: Option<String>,
    /// The names that its own certificate says, where it is asked over TLS; the first is what it is known by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proves: Vec<String>,
    /// Keys, where there are bytes to protect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Keys>,
    /// Whose identities it has and believes.
    #[serde(default, skip_serializing_if = "Realm::is_first")]
    pub realm: Realm,
    /// Whom it believes too where it asks, and never where it is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abroad: Option<Abroad>,
    /// Whether it stores nothing for callers who do not show who they are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proven_only: bool,
    /// Whom it tells what it has counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meter: Option<MeterConfig>,
    /// Whom it watches, where it takes counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board: Option<BoardConfig>,
    /// Whom it scales, where it is a scaler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaler: Option<ScalerConfig>,
    /// Whether it takes requests at first, where it is scaled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duty: Option<DutyConfig>,
}

/// Identities across a border.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abroad {
    /// Whose.
    pub realm: Realm,
    /// Their root certificate, as PEM, where there are bytes to protect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
}

/// A region beside another one in the same run that has identities of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Apart {
    /// Which.
    pub region: RegionName,
    /// Its keys, where there are bytes to protect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Keys>,
}

/// What is trusted in a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Keys {
    /// The root's name, where it is not the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The root certificate, as PEM.
    pub root: String,
    /// The root's private key, as PEM: the authority's alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_key: Option<String>,
}

/// How somebody who is called is found and recognised; by default by the configuration, and not at all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Callee {
    /// The name to look up; `None`: the configuration says the addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// The name that it must prove to have; `None`: it is asked in the clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secure: Option<Text>,
}

/// How a process looks names up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LookupConfig {
    /// The service that answers.
    pub service: ServiceName,
    /// Its servers.
    pub servers: Targets,
    /// What is done with answers.
    pub behaviour: Lookups,
    /// Nanoseconds that one server is waited for.
    pub timeout_ns: u64,
    /// How many servers are asked at most.
    pub attempts: u32,
    /// Nanoseconds for which an answer may be used after its end.
    pub stale_max_ns: u64,
}

/// What a name server answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DirectoryConfig {
    /// Where it listens, over UDP and TCP.
    pub listen: SocketAddr,
    /// The domain that it answers for.
    pub domain: String,
    /// Names of services, as callers of each zone use them.
    pub services: Vec<Record>,
    /// Names of instances.
    pub instances: Vec<Record>,
    /// Nanoseconds for which an answer is good.
    pub ttl_ns: u64,
    /// Nanoseconds for which the answer that there is nothing is good.
    pub negative_ttl_ns: u64,
    /// Nanoseconds between two checks of an instance.
    pub health_interval_ns: u64,
    /// Failed checks in a row after which an instance is left out.
    pub health_failures: u32,
    /// What is answered where every instance of a name looks bad.
    pub none_healthy: NoneHealthy,
}

/// A name and who is behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The name, without a dot at its end.
    pub name: Text,
    /// Who.
    pub targets: Targets,
}

impl Region<'_> {
    /// How instances of a service are found and recognised by callers in a zone.
    pub fn callee(&self, zone: &ZoneName, service: &ServiceName) -> Callee {
        let (names, identity) = (&self.graph.names, &self.graph.identity);
        let Some(service) = self.graph.service(service).filter(|_| names.is_some() || identity.is_some()) else {
            return Callee::default();
        };
        let Some(name) = self.endpoint(zone, service) else { return Callee::default() };
        let secure = identity.as_ref().is_some_and(|identity| identity.is_secure(service));
        Callee { name: names.is_some().then(|| name.clone()), secure: secure.then_some(name) }
    }

    /// Addresses of a service for callers in a zone, as far as the configuration says them, and how the rest is found.
    ///
    /// No name stands for a zonal service's copies in all zones: who reaches beyond its zone goes by addresses.
    /// Who has `seeds` has addresses beside the name, and uses them until it is answered.
    pub(crate) fn known_targets(
        &self,
        zone: &ZoneName,
        service: &ServiceName,
        reach: Reach,
        seeds: bool,
    ) -> (Targets, Callee) {
        let mut callee = self.callee(zone, service);
        if reach == Reach::Region {
            callee.name = None;
        }
        let is_blank = callee.name.is_some() && !seeds;
        let targets = if is_blank { Vec::new().into() } else { self.targets_within(zone, service, reach) };
        (targets, callee)
    }

    /// A service's name for callers in a zone. Copies of a zonal service that a local zone lacks are the parent's.
    fn endpoint(&self, zone: &ZoneName, service: &fixtures::graph::Service) -> Option<Text> {
        let (region, _) = self.topology.zone(zone)?;
        let copies = self.placement.targets(self.topology, self.graph, zone, &service.name);
        let home = copies.first().map_or(zone, |&copy| &self.placement.instances[copy].zone);
        let zone = if service.scope == fixtures::graph::Scope::Zonal { home } else { zone };
        Some(endpoint(self.topology, service, &region.name, zone).as_str().into())
    }

    /// How a process in a zone looks names up.
    pub fn lookups(&self, zone: &ZoneName, behaviour: Lookups) -> Option<LookupConfig> {
        let names = self.graph.names.as_ref()?;
        let region = self.topology.zone(zone)?.0;
        let servers = self.placement.instances.iter().enumerate().filter(|(_, instance)| {
            instance.service == names.service && self.placement.hosts[instance.host].region == region.name
        });
        let server = |(index, instance): (usize, &Instance)| {
            let address = SocketAddr::new(self.addresses[index].ip(), DNS_PORT);
            Target { name: instance.name.clone(), zone: instance.zone.clone(), address, secure: None }
        };
        Some(LookupConfig {
            service: names.service.clone(),
            servers: servers.map(server).collect::<Vec<_>>().into(),
            behaviour,
            timeout_ns: nanos(names.lookup_timeout),
            attempts: names.lookup_attempts,
            stale_max_ns: nanos(names.stale_max),
        })
    }

    /// The part of one instance.
    pub(crate) fn commons(&self, index: usize) -> Commons {
        let (meter, board) = self.telemetry(index);
        let (scaler, duty) = self.scaling(index);
        Commons { meter, board, scaler, duty, ..self.named(index) }
    }

    /// Its part in names and identities.
    fn named(&self, index: usize) -> Commons {
        let instance = &self.placement.instances[index];
        let (graph, zone) = (self.graph, &instance.zone);
        let Some(service) = graph.service(&instance.service) else { return Commons::default() };
        if graph.names.is_none() && graph.identity.is_none() {
            return Commons::default();
        }
        let mut commons = self.customer(zone);
        commons.lookups = self.lookups(zone, service.lookups);
        if graph.names.as_ref().is_some_and(|names| names.service == service.name) {
            // Who answers names must not wait for any.
            (commons.lookups, commons.directory) = (None, self.directory(index));
        }
        let needs = graph.services.iter().flat_map(|other| &other.needs).filter(|need| need.from == service.name);
        let mut kinds: Vec<String> = needs.map(|need| need.kind.to_string()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let Some(identity) = &graph.identity else {
            commons.grants = Some(kinds);
            return commons;
        };
        commons.renew_at_ppm = identity.renew_at.ppm;
        commons.is_authority = identity.authority == service.name;
        if let Some(keys) = self.keys_in(zone).filter(|_| commons.is_authority) {
            commons.keys = Some(keys.clone());
        }
        let lifetime = |kind: &String| Some((kind.clone(), nanos(identity.lifetime(kind)?)));
        commons.lifetimes = kinds.iter().filter_map(lifetime).collect();
        commons.grants = Some(kinds);
        if identity.is_secure(service) {
            let name = self.endpoint(zone, service).map(|name| name.to_string());
            commons.proves = name.into_iter().chain([self.instance_name(instance)]).collect();
        }
        commons
    }

    /// The part of somebody in a zone who only asks.
    pub fn customer(&self, zone: &ZoneName) -> Commons {
        let keys = self.keys_in(zone).map(|keys| Keys { root: keys.root.clone(), ..Keys::default() });
        let realm = if self.is_apart(zone) { Realm::BUILT } else { Realm::default() };
        Commons { lookups: self.lookups(zone, Lookups::default()), keys, realm, ..Commons::default() }
    }

    /// Whether who is in a zone, or believes to be, has identities of the region that has its own.
    fn is_apart(&self, zone: &ZoneName) -> bool {
        let of = self.topology.zone(zone).map(|(region, _)| &region.name);
        self.apart.as_ref().is_some_and(|apart| Some(&apart.region) == of)
    }

    /// The keys of the realm of a zone.
    fn keys_in(&self, zone: &ZoneName) -> Option<&Keys> {
        if self.is_apart(zone) { self.apart.as_ref()?.keys.as_ref() } else { self.keys.as_ref() }
    }

    /// What somebody in the region that has identities of its own has to believe to ask anybody of the other one.
    pub fn abroad(&self) -> Option<Abroad> {
        let root = self.keys.as_ref().map(|keys| keys.root.clone());
        self.apart.as_ref().map(|_| Abroad { realm: Realm::default(), root })
    }

    /// An instance's own name.
    fn instance_name(&self, instance: &Instance) -> String {
        let region = &self.placement.hosts[instance.host].region;
        format!("{}.{}.{region}.{}", instance.name, instance.zone, self.topology.domain)
    }

    fn directory(&self, index: usize) -> Option<DirectoryConfig> {
        let names = self.graph.names.as_ref()?;
        let own = &self.placement.hosts[self.placement.instances[index].host].region;
        let mut services: BTreeMap<Text, Targets> = BTreeMap::new();
        let zones = self.topology.zones().filter(|(region, _)| &region.name == own);
        for zone in zones.map(|(_, zone)| &zone.name) {
            for service in &self.graph.services {
                if let Some(name) = self.endpoint(zone, service) {
                    services.entry(name).or_insert_with(|| self.targets(zone, &service.name));
                }
            }
        }
        let behind: BTreeMap<&fixtures::name::InstanceName, &Target> =
            services.values().flat_map(|targets| targets.iter()).map(|target| (&target.name, target)).collect();
        let instances = self.placement.instances.iter().filter_map(|instance| {
            let target = (*behind.get(&instance.name)?).clone();
            Some(Record { name: self.instance_name(instance).as_str().into(), targets: vec![target].into() })
        });
        let instances = instances.collect();
        Some(DirectoryConfig {
            listen: SocketAddr::new(self.addresses[index].ip(), DNS_PORT),
            domain: self.topology.domain.to_string(),
            services: services.into_iter().map(|(name, targets)| Record { name, targets }).collect(),
            instances,
            ttl_ns: nanos(names.ttl),
            negative_ttl_ns: nanos(names.negative_ttl),
            health_interval_ns: nanos(names.health_interval),
            health_failures: names.health_failures,
            none_healthy: names.none_healthy,
        })
    }
}
