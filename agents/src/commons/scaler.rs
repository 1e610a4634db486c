//! Owns what a process is told of scaling: whom it scales, or that somebody scales it. Refuses to decide who takes requests;
//! that is the machine's.

use crate::config::{Region, Target, Targets, nanos};
use fixtures::graph::scaler::{OnStart, Scale};
use fixtures::name::{InstanceName, ServiceName};
use serde::{Deserialize, Serialize};

/// Whom an instance of a scaler scales, and whom it asks for the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScalerConfig {
    /// Nanoseconds from one decision to the next.
    pub interval_ns: u64,
    /// Nanoseconds that an answer is waited for.
    pub timeout_ns: u64,
    /// Who knows the load.
    pub telemetry: Targets,
    /// Whom it scales, in its own zone.
    pub groups: Vec<GroupConfig>,
}

/// A service that is scaled in a zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupConfig {
    /// The service.
    pub service: ServiceName,
    /// How.
    pub scale: Scale,
    /// Its instances in the zone, the first to take requests first.
    pub members: Targets,
}

/// That somebody scales an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DutyConfig {
    /// The instances of its service in its zone that take requests from their own start on.
    pub starters: Vec<InstanceName>,
}

impl Region<'_> {
    /// An instance's part in scaling.
    pub(super) fn scaling(&self, index: usize) -> (Option<ScalerConfig>, Option<DutyConfig>) {
        let Some(scaler) = &self.graph.scaler else { return (None, None) };
        let instance = &self.placement.instances[index];
        let scales = (instance.service == scaler.service).then(|| {
            let group = |service: &fixtures::graph::Service| {
                let (service, scale) = (service.name.clone(), service.scale?);
                Some(GroupConfig { members: self.members(index, &service).into(), service, scale })
            };
            let groups = self.graph.services.iter().filter_map(group);
            let telemetry = self.graph.telemetry.as_ref();
            ScalerConfig {
                interval_ns: nanos(scaler.interval),
                // An answer that comes after the next decision is about the past.
                timeout_ns: nanos(scaler.timeout.min(scaler.interval)),
                telemetry: telemetry
                    .map_or_else(|| Vec::new().into(), |telemetry| self.targets(&instance.zone, &telemetry.service)),
                groups: groups.filter(|group| !group.members.is_empty()).collect(),
            }
        });
        let scale = self.graph.service(&instance.service).and_then(|service| service.scale);
        let duty = scale.map(|scale| {
            let members = self.members(index, &instance.service).into_iter();
            {
                let starters = match scale.on_start {
                    OnStart::Take => scale.start as usize,
                    OnStart::StandBy => 0,
                };
                DutyConfig { starters: members.take(starters).map(|member| member.name).collect() }
            }
        });
        (scales, duty)
    }

    /// Instances of a service in the zone of an instance.
    fn members(&self, index: usize, service: &ServiceName) -> Vec<Target> {
        let zone = &self.placement.instances[index].zone;
        self.targets(zone, service).iter().filter(|target| target.zone == *zone).cloned().collect()
    }
}
