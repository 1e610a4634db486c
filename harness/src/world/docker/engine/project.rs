//! Owns the engine's calls for containers of a project that somebody else started: what they are, everything that an engine says
//! of them, their restart policies, and which addresses of their networks are taken. Refuses to know what a game day does there.

use super::{Engine, InspectContainerOptions, InspectNetworkOptions, ObjectKind, explain};
use crate::hand::borrowed::pool::{Pool, address};
use crate::hand::borrowed::{Endpoint, Policy};
use anyhow::{Context, Result};
use bollard::errors::Error;
use bollard::models::{
    ContainerInspectResponse, ContainerUpdateBody, NetworkInspect, NetworkSettings, RestartPolicy,
    RestartPolicyNameEnum,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// On each container that Compose made: its project.
pub const COMPOSE_PROJECT: &str = "com.docker.compose.project";

/// A container of a project.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Member {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// How it is.
    pub condition: Condition,
    /// Whether the engine removes it when it ends.
    pub removed_at_end: bool,
    /// `host`, `container:ID`, `none`, or a network.
    pub network_mode: String,
    /// Parent of its control group; empty is the engine's own.
    pub cgroup_parent: String,
    /// What its owner wants when it ends.
    pub policy: Policy,
    /// Its addresses.
    pub endpoints: Vec<Endpoint>,
    /// Drivers of its networks.
    pub drivers: BTreeSet<String>,
}

/// How a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Condition {
    /// It runs, or is about to again.
    pub running: bool,
    /// It is at a standstill.
    pub paused: bool,
    /// It has ended, and the engine waits before it starts it again.
    pub restarting: bool,
}

impl Engine {
    /// All containers of a project, running or not.
    ///
    /// # Errors
    /// Where the engine does not answer.
    pub async fn members(&self, project: &str) -> Result<Vec<Member>> {
        let label = format!("{COMPOSE_PROJECT}={project}");
        let mut members = Vec::new();
        let mut drivers: BTreeMap<String, String> = BTreeMap::new();
        for found in self.find(ObjectKind::Container, &label).await? {
            let Some(seen) = self.look(&found.name).await? else { continue };
            let mut member = member(seen, found.labels);
            for endpoint in &member.endpoints {
                if !drivers.contains_key(&endpoint.network) {
                    let network = self.network(&endpoint.network).await?.and_then(|seen| seen.driver);
                    drivers.insert(endpoint.network.clone(), network.unwrap_or_default());
                }
            }
            member.drivers = member.endpoints.iter().filter_map(|end| drivers.get(&end.network).cloned()).collect();
            members.push(member);
        }
        Ok(members)
    }

    /// How a container is; `None` where it is not there.
    ///
    /// # Errors
    /// Where the engine does not answer.
    pub async fn condition(&self, id: &str) -> Result<Option<Condition>> {
        Ok(self.look(id).await?.map(|seen| condition(&seen)))
    }

    /// The addresses of a container.
    ///
    /// # Errors
    /// Where the engine does not answer.
    pub async fn endpoints(&self, id: &str) -> Result<Vec<Endpoint>> {
        let settings = self.look(id).await?.and_then(|seen| seen.network_settings);
        Ok(settings.map(endpoints).unwrap_or_default())
    }

    /// Gives a container another restart policy, and changes nothing else of it.
    ///
    /// # Errors
    /// Where the engine refuses it.
    pub async fn set_restart(&self, id: &str, policy: &Policy) -> Result<()> {
        let name = match policy.name.as_str() {
            "always" => RestartPolicyNameEnum::ALWAYS,
            "unless-stopped" => RestartPolicyNameEnum::UNLESS_STOPPED,
            "on-failure" => RestartPolicyNameEnum::ON_FAILURE,
            _ => RestartPolicyNameEnum::NO,
        };
        let restart = RestartPolicy { name: Some(name), maximum_retry_count: Some(policy.retries) };
        let body = ContainerUpdateBody { restart_policy: Some(restart), ..ContainerUpdateBody::default() };
        let set = self.docker.update_container(id, body).await.map_err(explain);
        set.with_context(|| format!("the restart policy of {id} could not be set to `{}`", policy.name))
    }

    /// The IPv4 addresses of a network; `None` where it has none that an engine gives by itself.
    ///
    /// # Errors
    /// Where the engine does not answer.
    pub async fn pool(&self, network: &str) -> Result<Option<Pool>> {
        Ok(self.network(network).await?.and_then(pool))
    }

    /// Everything that the engine says of a container; `None` where it is not there.
    ///
    /// # Errors
    /// Where the engine does not answer.
    pub async fn all_of_container(&self, id: &str) -> Result<Option<Value>> {
        let Some(seen) = self.look(id).await? else { return Ok(None) };
        Ok(Some(serde_json::to_value(seen)?))
    }

    /// Everything that the engine says of a network; `None` where it is not there.
    ///
    /// # Errors
    /// Where the engine does not answer.
    pub async fn all_of_network(&self, id: &str) -> Result<Option<Value>> {
        let Some(seen) = self.network(id).await? else { return Ok(None) };
        Ok(Some(serde_json::to_value(seen)?))
    }

    async fn look(&self, id: &str) -> Result<Option<ContainerInspectResponse>> {
        match self.docker.inspect_container(id, None::<InspectContainerOptions>).await {
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            seen => Ok(Some(seen.map_err(explain).with_context(|| format!("container {id} cannot be looked at"))?)),
        }
    }

    async fn network(&self, id: &str) -> Result<Option<NetworkInspect>> {
        match self.docker.inspect_network(id, None::<InspectNetworkOptions>).await {
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            seen => Ok(Some(seen.map_err(explain).with_context(|| format!("network {id} cannot be looked at"))?)),
        }
    }
}

fn member(seen: ContainerInspectResponse, labels: BTreeMap<String, String>) -> Member {
    let condition = condition(&seen);
    let host = seen.host_config.unwrap_or_default();
    let policy = host.restart_policy.unwrap_or_default();
    Member {
        id: seen.id.unwrap_or_default(),
        name: seen.name.unwrap_or_default().trim_start_matches('/').to_owned(),
        labels,
        condition,
        removed_at_end: host.auto_remove.unwrap_or_default(),
        network_mode: host.network_mode.unwrap_or_default(),
        cgroup_parent: host.cgroup_parent.unwrap_or_default(),
        policy: Policy {
            name: policy.name.map(|name| name.to_string()).unwrap_or_default(),
            retries: policy.maximum_retry_count.unwrap_or_default(),
        },
        endpoints: seen.network_settings.map(endpoints).unwrap_or_default(),
        drivers: BTreeSet::new(),
    }
}

fn condition(seen: &ContainerInspectResponse) -> Condition {
    let state = seen.state.as_ref();
    let is = |of: fn(&bollard::models::ContainerState) -> Option<bool>| state.and_then(of).unwrap_or_default();
    Condition {
        running: is(|state| state.running),
        paused: is(|state| state.paused),
        restarting: is(|state| state.restarting),
    }
}

/// Addresses on networks, by their names.
fn endpoints(settings: NetworkSettings) -> Vec<Endpoint> {
    let networks: BTreeMap<_, _> = settings.networks.unwrap_or_default().into_iter().collect();
    let endpoint = |end: bollard::models::EndpointSettings| {
        let chosen = end.ipam_config.and_then(|own| own.ipv4_address).filter(|own| !own.is_empty());
        Some(Endpoint { network: end.network_id?, address: address(&end.ip_address?)?, fixed: chosen.is_some() })
    };
    networks.into_values().filter_map(endpoint).collect()
}

fn pool(seen: NetworkInspect) -> Option<Pool> {
    let ends = seen.containers.unwrap_or_default();
    let mut used: BTreeSet<_> = ends.into_values().filter_map(|end| address(&end.ipv4_address?)).collect();
    let configs = seen.ipam?.config.unwrap_or_default();
    for config in &configs {
        used.extend(config.gateway.as_deref().and_then(address));
        used.extend(
            config.auxiliary_addresses.iter().flat_map(|named| named.values()).filter_map(|text| address(text)),
        );
    }
    let of = |config: &bollard::models::IpamConfig| {
        let range = config.ip_range.as_deref().filter(|range| !range.is_empty());
        Pool::new(config.subnet.as_deref()?, range, used.clone())
    };
    configs.iter().find_map(of)
}
