//! Owns what an instance is told of its state beyond its kind. Refuses to know what it does with it.

use super::{Region, Targets, nanos};
use fixtures::graph::Service;
use fixtures::graph::store::{Backlog, Cache, Reads, StoreSettings, TornEnd, Voters};
use fixtures::name::{InstanceName, ZoneName};
use serde::{Deserialize, Serialize};

/// What belongs to the kind of state of an instance.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// Of a replicated store.
    pub replication: Option<ReplicationConfig>,
    /// Of a cache.
    pub cache: Option<Cache>,
    /// Of a queue.
    pub backlog: Option<Backlog>,
    /// What it makes of a torn end of its file.
    pub torn_end: TornEnd,
}

/// The members of a replicated store, the same list for each of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicationConfig {
    /// All members.
    pub members: Targets,
    /// Of each: whether it votes.
    pub voters: Vec<bool>,
    /// Pause between two signs of life of a leader, in nanoseconds.
    pub heartbeat_ns: u64,
    /// The shortest time without a leader after which a member wants to lead, in nanoseconds.
    pub election_ns: u64,
    /// What a read gives.
    #[serde(default)]
    pub reads: Reads,
    /// From one entry copied to a member that lags behind to the next, in nanoseconds; `None`: all that it misses, at once.
    #[serde(default)]
    pub copy_ns: Option<u64>,
}

impl ReplicationConfig {
    /// A member's place in the list.
    pub fn place(&self, name: &InstanceName) -> Option<u32> {
        let place = self.members.iter().position(|member| &member.name == name)?;
        u32::try_from(place).ok()
    }
}

/// What an instance of a service in a zone is told.
pub(super) fn of(region: &Region<'_>, zone: &ZoneName, service: &Service) -> StoreConfig {
    let replication = service.store.replication.map(|replication| {
        let members = region.targets(zone, &service.name);
        let first = members.first().map(|member| member.zone.clone());
        let votes = |member: &super::Target| match replication.voters {
            Voters::All => true,
            Voters::FirstZone => Some(&member.zone) == first.as_ref(),
        };
        ReplicationConfig {
            voters: members.iter().map(votes).collect(),
            members,
            heartbeat_ns: nanos(replication.heartbeat),
            election_ns: nanos(replication.election_timeout),
            reads: replication.reads,
            copy_ns: replication.copies.map(|rate| nanos(rate.interval()).max(1)),
        }
    });
    let StoreSettings { cache, backlog, torn_end, .. } = service.store;
    StoreConfig { replication, cache, backlog, torn_end }
}
