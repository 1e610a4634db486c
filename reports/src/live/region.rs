//! Owns what is known of a run before anything happens in it: zones, hosts, instances, and every step of the plan. A
//! viewer is told it once. Refuses to change.

use crate::record::Record;
use fixtures::name::{HostName, InstanceName, ServiceName, ZoneName};
use fixtures::unit::{Percent, Span};
use scenarios::event::Act;
use scenarios::judge::Case;
use scenarios::plan::{Observed, Plan, Step};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::Duration;

/// Which run it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Its id.
    pub run: String,
    /// `docker`, `sim` …
    pub world: String,
    /// Its seed.
    pub seed: u64,
}

/// The region of a run with its plan. Places are indices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Region {
    /// The run's id.
    pub run: String,
    /// Name of the scenario.
    pub scenario: String,
    /// Its title.
    pub title: String,
    /// `docker`, `sim` …
    pub world: String,
    /// The seed.
    pub seed: u64,
    /// Zones in the order of the topology.
    pub zones: Vec<ZoneName>,
    /// Hosts, by zone.
    pub hosts: Vec<Host>,
    /// Services that have an instance.
    pub services: Vec<ServiceName>,
    /// Instances, by host.
    pub instances: Vec<Instance>,
    /// How many rounds the plan has.
    pub rounds: usize,
    /// Steps of all rounds in their order.
    pub steps: Vec<PlannedStep>,
    /// How long phases last, or may last.
    pub windows: Windows,
    /// The share of requests that customers are promised an answer to, in parts of a million.
    pub promised_ppm: u32,
}

/// A host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Its name.
    pub name: HostName,
    /// Its zone.
    pub zone: usize,
}

/// An instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its name.
    pub name: InstanceName,
    /// Its service.
    pub service: usize,
    /// Its host.
    pub host: usize,
}

/// A step of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// Its id.
    pub id: String,
    /// The fault's name.
    pub fault: String,
    /// Inject or heal.
    pub act: Act,
    /// What it does, in a word; `power` is the loss of power.
    pub what: String,
    /// The round, from 0.
    pub round: usize,
    /// Milliseconds from the beginning of the round, or from what it waits for.
    pub at_ms: u64,
    /// What it waits for, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// How many hosts it is aimed at.
    pub hosts: usize,
    /// Whether the fault happens in an instant, or passes by itself.
    pub passes: bool,
    /// The step that undoes it, or that it undoes.
    pub pair: usize,
}

/// Lengths of phases, in milliseconds; 0 is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Windows {
    /// The most that the first power-on may take.
    pub settle_ms: u64,
    /// Quiet traffic before the first fault.
    pub baseline_ms: u64,
    /// The most that a recovery may take.
    pub recovery_ms: u64,
    /// Quiet traffic after it.
    pub quiet_ms: u64,
}

impl Region {
    /// Of a run that begins.
    pub fn of_case(about: About, case: &Case<'_>) -> Self {
        let scenario = case.scenario;
        let zones: Vec<ZoneName> = case.topology.zones().map(|(_, zone)| zone.name.clone()).collect();
        let hosts = case.placement.hosts.iter().map(|host| (host.name.clone(), host.zone.clone()));
        let instances = case.placement.instances.iter().map(|one| (one.name.clone(), one.service.clone(), one.host));
        let windows = Windows {
            settle_ms: ms(scenario.windows.settle),
            baseline_ms: ms(scenario.windows.baseline),
            recovery_ms: ms(scenario.windows.recovery),
            quiet_ms: ms(scenario.windows.quiet),
        };
        let title = (scenario.name.as_str(), scenario.title.as_str());
        Self::new(
            about,
            title,
            zones,
            hosts.collect(),
            instances.collect(),
            case.plan,
            windows,
            scenario.steady_state.availability.ppm,
        )
    }

    /// Of a run that is over, from its record alone.
    pub fn of_record(record: &Record) -> Self {
        let mut zones: Vec<ZoneName> = Vec::new();
        for host in &record.hosts {
            if !zones.contains(&host.zone) {
                zones.push(host.zone.clone());
            }
        }
        let place: HashMap<&HostName, usize> =
            record.hosts.iter().enumerate().map(|(at, host)| (&host.name, at)).collect();
        let hosts = record.hosts.iter().map(|host| (host.name.clone(), host.zone.clone()));
        let instance = |row: &crate::record::InstanceRow| {
            Some((row.name.clone(), row.service.clone(), place.get(&row.host).copied()?))
        };
        let said = |name: &str| record.parameters.get(name).map(|one| one.value.clone()).unwrap_or_default();
        let length = |name: &str| Span::try_from(said(name)).map_or(0, |span| ms(span.0));
        let windows = Windows {
            settle_ms: length("windows.settle"),
            baseline_ms: length("windows.baseline"),
            recovery_ms: length("windows.recovery"),
            quiet_ms: length("windows.quiet"),
        };
        let about = About { run: record.run.clone(), world: record.world.clone(), seed: record.seed };
        let instances = record.instances.iter().filter_map(instance).collect();
        let promised = Percent::try_from(said("steady-state.availability")).map_or(0, |share| share.ppm);
        let title = (record.scenario.as_str(), record.title.as_str());
        Self::new(about, title, zones, hosts.collect(), instances, &record.plan, windows, promised)
    }

    #[expect(clippy::too_many_arguments, reason = "each is one part of the region, and both ways here have them all")]
    fn new(
        about: About,
        (scenario, title): (&str, &str),
        zones: Vec<ZoneName>,
        hosts: Vec<(HostName, ZoneName)>,
        instances: Vec<(InstanceName, ServiceName, usize)>,
        plan: &Plan,
        windows: Windows,
        promised_ppm: u32,
    ) -> Self {
        let mut services: Vec<ServiceName> = instances.iter().map(|(_, service, _)| service.clone()).collect();
        services.sort();
        services.dedup();
        let zone = |name: &ZoneName| zones.iter().position(|zone| zone == name).unwrap_or_default();
        let hosts = hosts.into_iter().map(|(name, own)| Host { zone: zone(&own), name }).collect();
        let instance = |(name, service, host): (InstanceName, ServiceName, usize)| Instance {
            service: services.binary_search(&service).unwrap_or_default(),
            name,
            host,
        };
        Self {
            run: about.run,
            scenario: crate::text::clean_to(scenario, 80),
            title: crate::text::clean(title),
            world: about.world,
            seed: about.seed,
            hosts,
            instances: instances.into_iter().map(instance).collect(),
            services,
            zones,
            rounds: plan.rounds.len(),
            steps: steps(plan),
            windows,
            promised_ppm,
        }
    }
}

fn steps(plan: &Plan) -> Vec<PlannedStep> {
    let all =
        || plan.rounds.iter().enumerate().flat_map(|(round, own)| own.steps.iter().map(move |step| (round, step)));
    let place: HashMap<&str, usize> = all().enumerate().map(|(at, (_, step))| (step.id.as_str(), at)).collect();
    let planned = |(round, step): (usize, &Step)| PlannedStep {
        id: step.id.clone(),
        fault: step.fault.clone(),
        act: step.act,
        what: if step.deed.word().is_empty() { "power" } else { step.deed.word() }.to_owned(),
        round,
        at_ms: step.at_ms,
        after: step.after.as_ref().map(after),
        hosts: step.hosts.len(),
        passes: step.passes(),
        pair: place.get(step.pair.as_str()).copied().unwrap_or_default(),
    };
    all().map(planned).collect()
}

/// `store in az1 becomes active`.
fn after(observed: &Observed) -> String {
    let zone = observed.zone.as_ref().map_or_else(String::new, |zone| format!(" in {zone}"));
    format!("{}{zone} becomes {}", observed.service, observed.becomes.word())
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
