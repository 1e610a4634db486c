//! Owns whom the faults of a run were aimed at, and who was harmed or did harm, by service and zone. Refuses to say
//! which of several faults of a run did the harm.

use crate::record::Record;
use fixtures::graph::Graph;
use fixtures::name::{HostName, ServiceName, ZoneName};
use scenarios::event::Act;
use scenarios::plan::{Deed, LinkAct, Step};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A kind of fault that met services in a zone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hit {
    /// `power-off`, `cut`, `disk-full` …
    pub fault: String,
    /// The zone.
    pub zone: ZoneName,
    /// Services with an instance there that it met, sorted.
    pub services: Vec<ServiceName>,
}

impl Hit {
    /// Whether it met a service.
    pub fn met(&self, service: &ServiceName) -> bool {
        self.services.binary_search(service).is_ok()
    }
}

/// A service that an invariant's violation is about, in one zone: as the culprit, or held back by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Harmed {
    /// The violated invariant.
    pub invariant: String,
    /// The service.
    pub service: ServiceName,
    /// The zone.
    pub zone: ZoneName,
    /// Whether it is the culprit, and not merely held back.
    pub culprit: bool,
}

/// The kinds of faults that can meet the services of a graph, in the words of [`Hit::fault`].
pub fn kinds(graph: &Graph) -> Vec<&'static str> {
    let everywhere = [
        "power-off",
        "restart",
        "boot",
        "pause",
        "kill",
        "exit",
        "processor",
        "memory",
        "disk-full",
        "disk-slow",
        "disk-errors",
        "cut",
        "link",
        "push",
        "deploy",
        "shift",
        "freeze",
    ];
    let named = ["names-empty", "names-stale", "names-wrong", "names-slow", "names-dead"];
    let known = ["grants-refused", "grants-expired", "clock-wrong"];
    let named = graph.names.iter().flat_map(|_| named);
    let known = graph.identity.iter().flat_map(|_| known);
    everywhere.into_iter().chain(named).chain(known).collect()
}

/// The kind of a deed: links that lose everything are cut, all others are bad links.
fn kind(deed: &Deed) -> &'static str {
    match deed {
        Deed::Power { .. } => "power-off",
        Deed::Restart => "restart",
        Deed::Network { rules } => {
            let cuts = |act: &LinkAct| matches!(act, LinkAct::Drop | LinkAct::Refuse);
            if rules.iter().any(|rule| cuts(&rule.act)) { "cut" } else { "link" }
        }
        other => other.word(),
    }
}

/// Whom the faults were aimed at.
pub fn hits(record: &Record) -> Vec<Hit> {
    let mut met: BTreeMap<(&str, ZoneName), BTreeSet<ServiceName>> = BTreeMap::new();
    let steps = record.plan.rounds.iter().flat_map(|round| &round.steps);
    for step in steps.filter(|step| step.act == Act::Inject) {
        let (hosts, kind) = (hosts(step), kind(&step.deed));
        for row in &record.instances {
            // A disk belongs to a zone; its step may name no host.
            let on_disk = is_disk(&step.deed) && step.zones.contains(&row.zone);
            if (hosts.contains(&row.host) || on_disk) && is_meant(&step.deed, &row.service) {
                met.entry((kind, row.zone.clone())).or_default().insert(row.service.clone());
            }
        }
    }
    let hit = |((fault, zone), services): ((&str, ZoneName), BTreeSet<ServiceName>)| Hit {
        fault: fault.to_owned(),
        zone,
        services: services.into_iter().collect(),
    };
    met.into_iter().map(hit).collect()
}

fn hosts(step: &Step) -> BTreeSet<&HostName> {
    let mut hosts: BTreeSet<&HostName> = step.hosts.iter().collect();
    if let Deed::Network { rules } = &step.deed {
        hosts.extend(rules.iter().flat_map(|rule| rule.from.iter().chain(&rule.to)));
    }
    hosts
}

fn is_disk(deed: &Deed) -> bool {
    matches!(deed, Deed::DiskFull | Deed::DiskSlow { .. } | Deed::DiskErrors)
}

/// Processes are ended, switched, and get other versions, by service; everything else meets whoever is on the host.
fn is_meant(deed: &Deed, service: &ServiceName) -> bool {
    match deed {
        Deed::End { services, .. } => services.contains(service),
        Deed::Trouble { services, .. } => services.is_empty() || services.contains(service),
        // Without a service it is the canaries that are switched.
        Deed::Switch { services, .. } => services.contains(service),
        Deed::Change { service: changed, .. } => changed == service,
        _ => true,
    }
}

/// Whom violations are about. A culprit that held nobody back is one in every zone where it has an instance.
pub fn harmed(record: &Record) -> Vec<Harmed> {
    let mut rows: BTreeSet<Harmed> = BTreeSet::new();
    for finding in &record.findings {
        let affected: Vec<_> = record.instances.iter().filter(|row| finding.affected.contains(&row.name)).collect();
        let zones: BTreeSet<&ZoneName> = affected.iter().map(|row| &row.zone).collect();
        let harmed = |service: &ServiceName, zone: &ZoneName| Harmed {
            invariant: finding.invariant.clone(),
            service: service.clone(),
            zone: zone.clone(),
            culprit: *service == finding.service,
        };
        rows.extend(affected.iter().map(|row| harmed(&row.service, &row.zone)));
        let own = record.instances.iter().filter(|row| row.service == finding.service);
        let own: BTreeSet<&ZoneName> = own.map(|row| &row.zone).collect();
        let meant: Vec<&&ZoneName> = own.iter().filter(|zone| zones.contains(**zone)).collect();
        let meant = if meant.is_empty() { own.iter().collect() } else { meant };
        rows.extend(meant.into_iter().map(|zone| harmed(&finding.service, zone)));
    }
    rows.into_iter().collect()
}
