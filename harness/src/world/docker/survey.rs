//! Owns looking at what an engine has of a standing region, without touching it. Refuses to say what is wrong with it.

use super::CALLS_AT_ONCE;
use super::engine::survey::Inspected;
use super::engine::{Engine, ObjectKind};
use super::names::{LABEL_ROLE, Names};
use anyhow::Result;
use fixtures::name::{HostName, ZoneName};
use futures_util::{StreamExt, stream};
use std::collections::{BTreeMap, BTreeSet};

/// What is there of a region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Containers of its hosts.
    pub hosts: BTreeMap<HostName, Inspected>,
    /// Subnets of its networks, by the number of each.
    pub networks: BTreeMap<usize, Vec<String>>,
    /// Zones whose disks are there.
    pub disks: BTreeSet<ZoneName>,
    /// Kind and name of what carries its label and is no part of it.
    pub extra: Vec<(&'static str, String)>,
}

impl Survey {
    /// Looks.
    ///
    /// # Errors
    /// Where the engine does not answer.
    pub async fn of(engine: &Engine, names: &Names, hosts: &[HostName], zones: &[ZoneName]) -> Result<Self> {
        let mut survey = Self::default();
        for kind in ObjectKind::ALL {
            for found in engine.find(kind, &names.label()).await? {
                let host = names.host_of(&found.name).map(|host| HostName(host.to_owned()));
                match kind {
                    ObjectKind::Container if host.as_ref().is_some_and(|host| hosts.contains(host)) => {}
                    ObjectKind::Container if found.labels.contains_key(LABEL_ROLE) => {}
                    ObjectKind::Network => match number(names, &found.name, zones.len()) {
                        Some(number) => drop(survey.networks.insert(number, engine.subnets(&found.name).await?)),
                        None => survey.extra.push((kind.word(), found.name)),
                    },
                    ObjectKind::Volume if found.name == names.object("shared") => {}
                    ObjectKind::Volume => {
                        let is_its = |zone: &&ZoneName| names.object(&format!("state-{zone}")) == found.name;
                        match zones.iter().find(is_its) {
                            Some(zone) => drop(survey.disks.insert(zone.clone())),
                            None => survey.extra.push((kind.word(), found.name)),
                        }
                    }
                    ObjectKind::Image if found.name.starts_with(&names.image()) => {}
                    _ => survey.extra.push((kind.word(), found.name)),
                }
            }
        }
        let looks = stream::iter(hosts.iter().cloned()).map(|host| async move {
            let seen = engine.inspect(&names.object(&format!("host-{host}"))).await;
            (host, seen)
        });
        for (host, seen) in looks.buffer_unordered(CALLS_AT_ONCE).collect::<Vec<_>>().await {
            match seen {
                Ok(seen) => drop(survey.hosts.insert(host, seen)),
                Err(error) if format!("{error:#}").to_lowercase().contains("no such container") => {}
                Err(error) => return Err(error),
            }
        }
        Ok(survey)
    }
}

/// The number of one of the region's networks: the witness's first, then one for each zone.
fn number(names: &Names, network: &str, zones: usize) -> Option<usize> {
    (0..=zones).find(|number| names.object(&format!("net-{number}")) == network)
}
