//! Owns what a process is told of telemetry: whom it pushes its counts to, and, where it takes them, whom it watches.
//! Refuses to decide when an alarm is raised; that is the machine's.

use super::Callee;
use crate::config::{Region, Target, Targets, nanos};
use fixtures::graph::Reach;
use fixtures::graph::telemetry::Alarms;
use fixtures::name::{ServiceName, ZoneName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How an instance counts, and whom it tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeterConfig {
    /// Who takes counts.
    pub targets: Targets,
    /// How they are found and recognised.
    #[serde(default)]
    pub callee: Callee,
    /// Nanoseconds that one count covers.
    pub interval_ns: u64,
    /// Nanoseconds that one push may take.
    pub timeout_ns: u64,
    /// Counts that wait at most.
    pub buffer: u32,
}

/// Whom an instance of telemetry watches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoardConfig {
    /// The other instances of telemetry in the region.
    pub peers: Targets,
    /// Services, in each zone that holds an instance of them.
    pub watched: Vec<(ZoneName, ServiceName)>,
    /// Nanoseconds of a period.
    pub interval_ns: u64,
    /// Nanoseconds that a peer is waited for.
    pub timeout_ns: u64,
    /// When an alarm is raised.
    pub alarms: Alarms,
}

impl Region<'_> {
    /// An instance's part in telemetry.
    pub(super) fn telemetry(&self, index: usize) -> (Option<MeterConfig>, Option<BoardConfig>) {
        let Some(telemetry) = &self.graph.telemetry else { return (None, None) };
        let instance = &self.placement.instances[index];
        let (targets, callee) = self.known_targets(&instance.zone, &telemetry.service, Reach::Zone, false);
        let (interval_ns, timeout_ns) = (nanos(telemetry.interval), nanos(telemetry.timeout));
        let meter = MeterConfig { targets, callee, interval_ns, timeout_ns, buffer: telemetry.buffer };
        let board = (instance.service == telemetry.service).then(|| {
            let others = self.targets(&instance.zone, &telemetry.service);
            let others: Vec<Target> = others.iter().filter(|peer| peer.name != instance.name).cloned().collect();
            let peers = others.into();
            BoardConfig { peers, watched: self.watched(index), interval_ns, timeout_ns, alarms: telemetry.alarms }
        });
        (Some(meter), board)
    }

    /// Every service in every zone of an instance's region.
    fn watched(&self, index: usize) -> Vec<(ZoneName, ServiceName)> {
        let region = |index: usize| &self.placement.hosts[self.placement.instances[index].host].region;
        let beside = (0..self.placement.instances.len()).filter(|&other| region(other) == region(index));
        let instances = beside.map(|other| &self.placement.instances[other]);
        let all: BTreeSet<_> = instances.map(|instance| (instance.zone.clone(), instance.service.clone())).collect();
        all.into_iter().collect()
    }
}
