//! Owns which hosts of a build in containers begin generic: what they are told, and the artefacts that repositories give out,
//! as files of the volume that all hosts share. Refuses to decide what software is, and when it changes.

use super::file_of;
use crate::hand::SHARED_DIR;
use crate::world::build::repository::Repository;
use agents::config::{HostConfig, InstanceConfig, Process};
use anyhow::{Result, bail};
use fixtures::regional::estate::Estate;
use std::collections::BTreeMap;

/// Folder of artefacts, below [`SHARED_DIR`]: every repository gives out the same.
const ARTEFACTS_DIR: &str = "artefacts";

/// What hosts are told, and what those that begin generic fetch.
pub(super) struct Hosts {
    /// Configurations, in the placement's order.
    pub(super) configs: Vec<HostConfig>,
    /// Names of the artefacts that each fetches.
    fetched: Vec<Vec<String>>,
    artefacts: BTreeMap<String, String>,
}

impl Hosts {
    /// Makes hosts generic whose instances fetch their software; `version` is that of what they have to fetch at least.
    ///
    /// # Errors
    /// Where two artefacts would have one name.
    pub(super) fn new(
        estate: &Estate,
        repository: &Repository,
        version: u64,
        mut configs: Vec<HostConfig>,
    ) -> Result<Self> {
        let mut fetched = Vec::new();
        let mut artefacts: BTreeMap<String, String> = BTreeMap::new();
        for (config, host) in configs.iter_mut().zip(&estate.placement.hosts) {
            let mut names = Vec::new();
            for (process, &index) in config.processes.iter_mut().zip(&host.instances) {
                let Process::Instance(instance) = process else { continue };
                gives_out(instance, estate);
                let Some(packed) = repository.pack(estate, index, version, instance.clone()) else { continue };
                let name = packed.expected.name();
                if artefacts.insert(name.clone(), packed.artefact.clone()).is_some_and(|other| other != packed.artefact)
                {
                    bail!("instances of `{}` in one zone differ in their software: one artefact cannot be both", name);
                }
                *process = Process::Generic(Box::new(packed.generic));
                names.push(name);
            }
            fetched.push(names);
        }
        Ok(Self { configs, fetched, artefacts })
    }

    /// What some hosts are told, by their places in the placement, as files below the shared folder: first what they fetch, so
    /// that it is there when they read what to fetch.
    ///
    /// # Errors
    /// Where a configuration cannot be written as a file.
    pub(super) fn files(&self, hosts: &[usize]) -> Result<Vec<(String, String)>> {
        let names = hosts.iter().flat_map(|&host| &self.fetched[host]);
        let wanted: BTreeMap<&String, &String> = names.filter_map(|name| self.artefacts.get_key_value(name)).collect();
        let artefacts = wanted.into_iter().map(|(name, text)| Ok((format!("{ARTEFACTS_DIR}/{name}"), text.clone())));
        artefacts.chain(hosts.iter().map(|&host| file_of(&self.configs[host]))).collect()
    }

    /// The same of every host.
    ///
    /// # Errors
    /// As [`Self::files`].
    pub(super) fn all(&self) -> Result<Vec<(String, String)>> {
        self.files(&(0..self.configs.len()).collect::<Vec<_>>())
    }
}

/// Whoever answers for packages is a repository, wherever it is.
fn gives_out(instance: &mut InstanceConfig, estate: &Estate) {
    if instance.from.service.as_ref() == Some(&estate.cast.packages) {
        instance.commons.artefacts = Some(format!("{SHARED_DIR}/{ARTEFACTS_DIR}"));
    }
}
