//! Owns the questions that show whether names, grants or clocks of a region on an engine are in trouble, and which version
//! processes run. Refuses to ask them: the hand does.

use super::region::Layout;
use crate::hand::protocol::{Target, TroubleProbe};
use agents::config::{InstanceConfig, Process};
use fixtures::name::{HostName, ServiceName, ZoneName};
use fixtures::trouble::{InForce, Trouble};
use std::collections::BTreeMap;

/// Places at which one fault is looked at: enough to see it in every zone, few enough to be quick.
const PROBES_MAX: usize = 6;
/// Processes that are asked for their version; of more the first in every zone.
const VERSIONS_MAX: usize = 18;

/// Where trouble on some hosts is looked at, and what is asked there.
pub(super) fn trouble_probes(
    layout: &Layout,
    trouble: &Trouble,
    services: &[ServiceName],
    hosts: &[HostName],
    target: &dyn Fn(&HostName) -> Option<Target>,
) -> Vec<TroubleProbe> {
    let in_force = InForce { trouble: trouble.clone(), services: services.to_vec() };
    let mut probes: Vec<TroubleProbe> = Vec::new();
    let configs = layout.host_configs();
    let mut instances: Vec<&InstanceConfig> = Vec::new();
    for config in configs.iter().filter(|config| hosts.contains(&config.host)) {
        let on_host = config.processes.iter().filter_map(|process| match process {
            Process::Instance(instance) => Some(instance),
            // Trouble is of game days, whose hosts are made with what they run.
            Process::Generic(_) | Process::Canary(_) | Process::Program(_) | Process::Adapter(_) => None,
        });
        instances.extend(on_host.filter(|one| in_force.is_about(one.from.service.as_ref())));
    }
    if matches!(trouble, Trouble::ClockWrong { .. }) {
        // Who answers in the clear tells the time whatever becomes of certificates meanwhile.
        instances.sort_by_key(|instance| !instance.commons.proves.is_empty());
    }
    let mut most = PROBES_MAX;
    if matches!(trouble, Trouble::Changed(_)) {
        (instances, most) = (one_of_each_zone_first(instances), VERSIONS_MAX);
    }
    for instance in instances {
        let host = &instance.from.host;
        // From another host of the zone, as its neighbours see it.
        let others = layout.placement.hosts.iter().filter(|other| other.zone == instance.zone && other.name != *host);
        let from = others.map(|other| &other.name).next().unwrap_or(host);
        let (Some(from), Some(host)) = (target(from), target(host)) else { continue };
        let blank = TroubleProbe {
            from,
            host,
            at: instance.listen.to_string(),
            name: String::new(),
            expected: Vec::new(),
            secure: None,
            root: None,
        };
        let is_of_names = trouble.is_of_names();
        let asked =
            if is_of_names { names(instance, trouble, blank) } else { process(layout, instance, trouble, blank) };
        probes.extend(asked.filter(|_| probes.len() < most));
    }
    probes
}

/// The first of every zone, then the second of every zone, and so on.
fn one_of_each_zone_first(instances: Vec<&InstanceConfig>) -> Vec<&InstanceConfig> {
    let mut met: BTreeMap<&ZoneName, usize> = BTreeMap::new();
    let numbered = instances.into_iter().map(|instance| {
        let number = met.entry(&instance.zone).or_default();
        *number += 1;
        (*number, instance)
    });
    let mut numbered: Vec<(usize, &InstanceConfig)> = numbered.collect();
    numbered.sort_by_key(|(number, _)| *number);
    numbered.into_iter().map(|(_, instance)| instance).collect()
}

/// A question to a name server: a name of its own zone that somebody is behind, or its zone's own record.
fn names(server: &InstanceConfig, trouble: &Trouble, blank: TroubleProbe) -> Option<TroubleProbe> {
    let directory = server.commons.directory.as_ref()?;
    let near = |record: &&agents::commons::Record| record.targets.iter().any(|target| target.zone == server.zone);
    let record = directory.services.iter().find(near).or(directory.services.first())?;
    let name = if *trouble == Trouble::NamesStale { directory.domain.clone() } else { record.name.to_string() };
    Some(TroubleProbe {
        at: directory.listen.to_string(),
        name,
        expected: record.targets.iter().map(|target| target.address.to_string()).collect(),
        ..blank
    })
}

/// A question to a process: for what it grants, or for the time.
fn process(layout: &Layout, instance: &InstanceConfig, trouble: &Trouble, blank: TroubleProbe) -> Option<TroubleProbe> {
    let name = match trouble {
        Trouble::ClockWrong { .. } | Trouble::Changed(_) => String::new(),
        _ => instance.commons.lifetimes.keys().next()?.clone(),
    };
    let secure = instance.commons.proves.first().cloned();
    Some(TroubleProbe { name, secure, root: layout.roots(), ..blank })
}
