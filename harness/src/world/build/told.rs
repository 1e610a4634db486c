//! Owns what each instance of an estate is told that the graph does not say: name servers and whom they answer with, who
//! asks which of them, proxies and their backs, what the Franken instance does without, and what somebody wrote into a
//! configuration by hand. Refuses to know when anything is told.

use super::Alter;
use agents::commons::{Apart, Callee, DNS_PORT, DirectoryConfig, Record};
use agents::config::{CallConfig, InstanceConfig, NeedConfig, Region, StoreConfig, Target, Targets};
use fixtures::graph::identity::{CERTIFICATE, Renew, WhenExpired};
use fixtures::graph::names::Cache;
use fixtures::graph::{Attempts, Need, Routing, State, Strength, WhenMissing};
use fixtures::name::ServiceName;
use fixtures::placement::endpoint;
use fixtures::regional::estate::{Estate, Part, Site};
use scenarios::build::records::Records;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// How long a proxy waits for the store behind it.
const PROXY_TIMEOUT: Duration = Duration::from_millis(800);

/// The kind of need that [`ByHand::Needs`] adds.
const TABLE: &str = "table";

/// What somebody wrote into one service's configuration by hand: defects, each with its twin in not being there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ByHand {
    /// In the region that is built, calls of a service go to another one's addresses in the bootstrap region.
    Pinned {
        /// Who calls.
        service: ServiceName,
        /// Whom.
        to: ServiceName,
    },
    /// In the region that is built, a service asks the Franken instance for its software, by its address.
    PinnedNeed {
        /// Who.
        service: ServiceName,
    },
    /// In the region that is built, a service keeps the addresses that it once looked up until it ends.
    OldAddresses {
        /// Who.
        service: ServiceName,
    },
    /// In the region that is built, a service gets its certificate from the bootstrap region's authority.
    ForeignIdentity {
        /// Who.
        service: ServiceName,
    },
    /// In the region that is built, a service needs one more thing to start.
    Needs {
        /// Who.
        service: ServiceName,
        /// From whom.
        from: ServiceName,
    },
    /// In what is built, whatever a service keeps is kept by another one too.
    Backup {
        /// Who keeps.
        service: ServiceName,
        /// Who keeps it too.
        to: ServiceName,
    },
    /// In every repository, the artefact of a service is another one than was signed.
    Tampered {
        /// Whose.
        service: ServiceName,
        /// How.
        how: Tampering,
    },
    /// In the region that is built, the names of a service lead to its instances in the first zone alone.
    OneZone {
        /// Which.
        service: ServiceName,
    },
    /// What is copied from the bootstrap region's stores is changed on its way.
    AlteredCopy,
    /// In the bootstrap region, an instance of a service carries so many requests a second.
    Capacity {
        /// Which.
        service: ServiceName,
        /// Requests a second.
        per_second: u32,
    },
}

/// How an artefact is another one than was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tampering {
    /// Its payload was changed.
    Altered,
    /// Somebody else signed it.
    ForeignSigner,
}

/// What instances of an estate are told.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    pub(crate) estate: &'a Estate,
    pub(crate) by_hand: &'a [ByHand],
    /// Whether proxies store in the region's own stores.
    pub(crate) inward: bool,
    pub(crate) records: &'a Records,
}

impl Alter for Told<'_> {
    fn concerns(&self, index: usize) -> bool {
        let instance = &self.estate.placement.instances[index];
        let standing = self.estate.standing[instance.host];
        let names = instance.service == self.estate.cast.names && self.estate.is_told(instance.host);
        let new = standing.site == Site::Build && self.estate.new_zone().is_some();
        let gives = self.by_hand.iter().any(|one| one.is_given_by(&instance.service));
        let mut by_hand = self.by_hand.iter();
        standing.site == Site::Network
            || names
            || new
            || gives
            || by_hand.any(|one| one.is_about(&instance.service, standing.site))
    }

    fn alter(&self, index: usize, mut config: InstanceConfig, region: &Region<'_>) -> InstanceConfig {
        let instance = &self.estate.placement.instances[index];
        let standing = self.estate.standing[instance.host];
        if let Some(directory) = config.commons.directory.as_mut().filter(|_| self.estate.is_told(instance.host)) {
            self.answer(directory, region);
        }
        let new = standing.site == Site::Build && self.estate.new_zone().is_some();
        if let Some(lookups) = config.commons.lookups.as_mut().filter(|_| new) {
            // The new zone's own name server, and those of the live zones.
            let known = lookups.servers.to_vec();
            lookups.servers = self.servers(Site::Build, region).chain(known).collect::<Vec<_>>().into();
        }
        if standing.site == Site::Network {
            if let Some(lookups) = &mut config.commons.lookups {
                lookups.servers = self.servers(Site::Network, region).collect::<Vec<_>>().into();
            }
            if standing.part == Part::Franken && instance.service != self.estate.cast.packages {
                config.needs.clear();
            }
            if standing.part == Part::Franken {
                self.prove_for_all_zones(&mut config, &instance.service);
            }
            if standing.part == Part::Proxy {
                self.stand_in(&mut config, &instance.service, region);
            }
        }
        if self.by_hand.iter().any(|one| one.is_given_by(&instance.service)) {
            config.commons.grants.get_or_insert_default().push(TABLE.to_owned());
        }
        for one in self.by_hand.iter().filter(|one| one.is_about(&instance.service, standing.site)) {
            self.write_by_hand(one, &mut config, region);
        }
        config
    }

    fn apart(&self) -> Option<Apart> {
        super::apart(self.estate, None)
    }
}

impl ByHand {
    /// Services that it speaks of.
    pub fn services(&self) -> Vec<&ServiceName> {
        match self {
            Self::Pinned { service, to } | Self::Backup { service, to } => vec![service, to],
            Self::Needs { service, from } => vec![service, from],
            Self::PinnedNeed { service }
            | Self::OldAddresses { service }
            | Self::ForeignIdentity { service }
            | Self::OneZone { service }
            | Self::Tampered { service, .. }
            | Self::Capacity { service, .. } => vec![service],
            Self::AlteredCopy => Vec::new(),
        }
    }

    /// Whether somebody needs something more of a service.
    fn is_given_by(&self, service: &ServiceName) -> bool {
        matches!(self, Self::Needs { from, .. } if from == service)
    }

    fn is_about(&self, wanted: &ServiceName, site: Site) -> bool {
        let (service, place) = match self {
            Self::Pinned { service, .. }
            | Self::PinnedNeed { service }
            | Self::OldAddresses { service }
            | Self::Backup { service, .. }
            | Self::Needs { service, .. } => (service, Site::Build),
            Self::Capacity { service, .. } => (service, Site::Bootstrap),
            // From its first host on, which is in the bootstrap network.
            Self::ForeignIdentity { service } => return service == wanted && site != Site::Bootstrap,
            // They are about the repository, about name servers, who are told anyhow, and about whoever copies.
            Self::Tampered { .. } | Self::OneZone { .. } | Self::AlteredCopy => return false,
        };
        service == wanted && site == place
    }
}

impl Told<'_> {
    /// What a name server of the region that is built answers.
    fn answer(&self, directory: &mut DirectoryConfig, region: &Region<'_>) {
        let estate = self.estate;
        let mut names = self.records.names((&estate.topology, &estate.graph, &estate.placement), &estate.build.region);
        names.values_mut().for_each(|places| self.keep_first_zone(places));
        let target = |index: &usize| self.target(*index, region);
        let mut behind: BTreeMap<usize, Target> = BTreeMap::new();
        for index in names.values().flatten() {
            behind.entry(*index).or_insert_with(|| target(index));
        }
        let record = |(name, places): (&String, &Vec<usize>)| {
            let targets: Vec<Target> = places.iter().filter_map(|place| behind.get(place).cloned()).collect();
            Record { name: name.as_str().into(), targets: targets.into() }
        };
        directory.services = names.iter().map(record).collect();
        // Who is behind a name is looked at, and nobody else.
        let own = |target: &Target| {
            let name = format!("{}.{}.{}", target.name, target.zone, estate.topology.domain);
            Record { name: name.as_str().into(), targets: vec![target.clone()].into() }
        };
        directory.instances = behind.values().map(own).collect();
    }

    /// Of a service that somebody wrote down in its first zone alone, who is there; where nobody is, all.
    fn keep_first_zone(&self, places: &mut Vec<usize>) {
        let instances = &self.estate.placement.instances;
        let is_written = |index: &usize| {
            let of = |one: &ByHand| matches!(one, ByHand::OneZone { service } if *service == instances[*index].service);
            self.by_hand.iter().any(of)
        };
        let is_first = |index: &usize| self.estate.build.zones.first() == Some(&instances[*index].zone);
        if places.iter().any(is_first) {
            places.retain(|index| !is_written(index) || is_first(index));
        }
    }

    fn target(&self, index: usize, region: &Region<'_>) -> Target {
        let instance = &self.estate.placement.instances[index];
        let secure = region.callee(&instance.zone, &instance.service).secure;
        let (name, zone) = (instance.name.clone(), instance.zone.clone());
        Target { name, zone, address: region.addresses[index], secure }
    }

    /// Instances of a service on hosts of one site.
    fn copies(&self, service: &ServiceName, wanted: impl Fn(Site, Part) -> bool, region: &Region<'_>) -> Vec<Target> {
        let all = self.estate.placement.instances.iter().enumerate();
        let fits = |instance: &fixtures::placement::Instance| {
            let standing = self.estate.standing[instance.host];
            &instance.service == service && wanted(standing.site, standing.part)
        };
        all.filter(|(_, instance)| fits(instance)).map(|(index, _)| self.target(index, region)).collect()
    }

    /// Name servers on one site: in a bootstrap network the Franken instance alone.
    fn servers(&self, wanted: Site, region: &Region<'_>) -> impl Iterator<Item = Target> {
        let copies = self.copies(&self.estate.cast.names, |site, _| site == wanted, region);
        copies.into_iter().map(|target| {
            let address = SocketAddr::new(target.address.ip(), DNS_PORT);
            Target { address, secure: None, ..target }
        })
    }

    /// The Franken instance is asked by the names of every zone, and has to prove them.
    fn prove_for_all_zones(&self, config: &mut InstanceConfig, service: &ServiceName) {
        let (estate, proves) = (self.estate, &mut config.commons.proves);
        let Some(service) = estate.graph.service(service).filter(|_| !proves.is_empty()) else { return };
        for zone in &estate.build.zones {
            let name = endpoint(&estate.topology, service, &estate.build.region, zone);
            if !proves.contains(&name) {
                proves.push(name);
            }
        }
    }

    /// Build region in front, bootstrap region behind: it proves to be, and believes, whom the new region's own identity
    /// says, and hands everything on.
    fn stand_in(&self, config: &mut InstanceConfig, service: &ServiceName, region: &Region<'_>) {
        let behind = if self.inward { Site::Build } else { Site::Bootstrap };
        let targets: Targets = self.copies(service, |site, _| site == behind, region).into();
        let secure = targets.first().and_then(|target| target.secure.clone());
        let hand_on = |operation: &String| CallConfig {
            to: service.clone(),
            operation: operation.clone(),
            during: vec![operation.clone()],
            strength: Strength::Hard,
            timeout: PROXY_TIMEOUT,
            attempts: 2,
            backoff: Need::BACKOFF,
            breaker: None,
            routing: Routing::Spread,
            carries_writes: true,
            fallback: false,
            targets: targets.clone(),
            callee: Callee { name: None, secure: secure.clone() },
        };
        config.calls = config.operations.iter().map(hand_on).collect();
        (config.state, config.store) = (State::None, StoreConfig::default());
        config.interval_ns = 0;
        // To the stores behind it is nobody; in front nobody stores who does not prove to be of the new region.
        config.commons.abroad = if self.inward { None } else { region.abroad() };
        config.commons.proven_only = region.apart.is_some() && !config.commons.proves.is_empty();
    }

    /// A call that carries along whatever is written, and is waited for by nobody.
    fn backup(&self, to: &ServiceName, during: Vec<String>, callee: Callee) -> CallConfig {
        let calls = self.estate.graph.services.iter().flat_map(|service| &service.calls);
        let storing = calls.into_iter().find(|call| call.carries_writes && &call.to == to);
        CallConfig {
            to: to.clone(),
            operation: storing.map(|call| call.operation.to_string()).unwrap_or_default(),
            during,
            strength: Strength::Soft,
            timeout: Duration::from_millis(300),
            attempts: 1,
            backoff: Need::BACKOFF,
            breaker: None,
            routing: Routing::ZoneFirst,
            carries_writes: true,
            fallback: false,
            targets: Vec::new().into(),
            callee,
        }
    }

    fn write_by_hand(&self, one: &ByHand, config: &mut InstanceConfig, region: &Region<'_>) {
        match one {
            ByHand::Pinned { to, .. } => {
                let targets: Targets = self.copies(to, |site, _| site == Site::Bootstrap, region).into();
                for call in config.calls.iter_mut().filter(|call| &call.to == to) {
                    (call.callee.name, call.targets) = (None, targets.clone());
                }
                // Whoever wrote the addresses down saw to it that they answer: it is the border that is to find them.
                config.commons.abroad = region.abroad();
            }
            ByHand::PinnedNeed { .. } => {
                let packages = &self.estate.cast.packages;
                let targets: Targets = self.copies(packages, |_, part| part == Part::Franken, region).into();
                for need in config.needs.iter_mut().filter(|need| &need.from == packages) {
                    (need.callee.name, need.targets) = (None, targets.clone());
                }
            }
            ByHand::ForeignIdentity { .. } => {
                let authority = self.estate.cast.authority.iter();
                let there = authority.flat_map(|name| self.copies(name, |site, _| site == Site::Bootstrap, region));
                let targets: Targets = there.collect::<Vec<_>>().into();
                for need in config.needs.iter_mut().filter(|need| need.kind == CERTIFICATE) {
                    (need.callee.name, need.targets) = (None, targets.clone());
                }
                config.commons.abroad = region.abroad();
            }
            ByHand::OldAddresses { .. } => {
                if let Some(lookups) = &mut config.commons.lookups {
                    lookups.behaviour.cache = Cache::ForEver;
                }
            }
            ByHand::Backup { to, .. } => {
                let callee = region.callee(&config.zone, to);
                let backup = self.backup(to, config.operations.clone(), callee);
                config.calls.push(backup);
            }
            ByHand::Needs { from, .. } => config.needs.push(NeedConfig {
                kind: TABLE.to_owned(),
                from: from.clone(),
                attempts: Attempts::Unlimited,
                when_missing: WhenMissing::Wait,
                timeout: Duration::from_millis(500),
                backoff: Need::BACKOFF,
                targets: Vec::new().into(),
                callee: region.callee(&config.zone, from),
                renew: Renew::BeforeExpiry,
                when_expired: WhenExpired::Keep,
            }),
            ByHand::Tampered { .. } | ByHand::OneZone { .. } | ByHand::AlteredCopy => {}
            ByHand::Capacity { per_second, .. } => {
                config.interval_ns = 1_000_000_000 / u64::from((*per_second).max(1));
            }
        }
    }
}
