//! Owns what several invariants ask of one stretch of a run: which zones are dark as a whole, which services are gone, who
//! lost nothing, and who answers. Refuses to judge.

use super::Run;
use super::culprit::call_path;
use crate::event::{Act, By, Detail, Event, Life};
use crate::plan::{Deed, Step};
use crate::timeline::{LifeSpan, Recovery, Segment};
use fixtures::graph::{Call, Service, Strength};
use fixtures::name::{HostName, NeedKind, ServiceName, ZoneName};
use std::collections::BTreeSet;

/// Kinds of needs that every service may have: proof of who it is, and what it may do with that.
pub(super) const ALLOWED: [&str; 2] = ["certificate", "credentials"];

/// Whether a need is one that every service may have.
pub(super) fn is_allowed(kind: &NeedKind) -> bool {
    ALLOWED.contains(&kind.as_str())
}

impl<'a> Run<'a> {
    /// Zones of which every host is dark in a segment, and zones of which none is.
    pub(super) fn dark_and_lit(&self, segment: &Segment) -> (Vec<&'a ZoneName>, Vec<&'a ZoneName>) {
        let (mut dark, mut lit) = (Vec::new(), Vec::new());
        for (_, zone) in self.case.topology.zones() {
            let mut hosts = self.case.placement.hosts_in(&zone.name).peekable();
            if hosts.peek().is_none() {
                continue;
            }
            let all: Vec<bool> = hosts.map(|host| segment.dark.contains(&host.name)).collect();
            if all.iter().all(|dark| *dark) {
                dark.push(&zone.name);
            } else if all.iter().all(|dark| !dark) {
                lit.push(&zone.name);
            }
        }
        (dark, lit)
    }

    /// Services of which a caller in a zone reaches no copy that is not dark in a segment.
    pub(super) fn gone_for(&self, zone: &ZoneName, segment: &Segment) -> Vec<&'a ServiceName> {
        let is_gone = |service: &&Service| {
            let reach = self.reach(zone, &service.name);
            !reach.is_empty() && reach.iter().all(|&target| segment.dark.contains(self.host_name(target)))
        };
        self.case.graph.services.iter().filter(is_gone).map(|service| &service.name).collect()
    }

    /// The host of an instance.
    pub(super) fn host_name(&self, instance: usize) -> &'a HostName {
        let placement = self.case.placement;
        &placement.hosts[placement.instances[instance].host].name
    }

    /// The service of an instance.
    pub(super) fn service_of(&self, instance: usize) -> Option<&'a Service> {
        self.case.graph.service(&self.case.placement.instances[instance].service)
    }

    /// Instances that kept their power all through a segment, and at which no fault was aimed in it.
    pub(super) fn unharmed(&self, segment: &Segment) -> Vec<usize> {
        let aimed = |host: &HostName| {
            let mut spells = self.timeline.spells.iter();
            spells.any(|spell| {
                spell.from_ns < segment.end_ns
                    && spell.to_ns.is_none_or(|to_ns| to_ns > segment.start_ns)
                    && spell.hosts.contains(host)
            })
        };
        let all = 0..self.case.placement.instances.len();
        all.filter(|&instance| {
            let host = self.host_name(instance);
            !segment.dark.contains(host) && !aimed(host)
        })
        .collect()
    }

    /// Instances that kept their power all through a segment, whatever misleads them.
    pub(super) fn unharmed_hosts(&self, segment: &Segment) -> Vec<usize> {
        let all = 0..self.case.placement.instances.len();
        all.filter(|&instance| !segment.dark.contains(self.host_name(instance))).collect()
    }

    /// Whether name servers misbehaved at any time between two moments.
    pub(super) fn names_in_trouble(&self, from_ns: u64, to_ns: u64) -> bool {
        let steps = self.case.plan.rounds.iter().flat_map(|round| &round.steps);
        let of_names = |step: &&Step| {
            let names = matches!(&step.deed, Deed::Trouble { trouble, .. } if trouble.is_of_names());
            names && step.act == Act::Inject
        };
        let faults: BTreeSet<&str> = steps.filter(of_names).map(|step| step.fault.as_str()).collect();
        let mut spells = self.timeline.spells.iter().filter(|spell| faults.contains(spell.fault.as_str()));
        spells.any(|spell| spell.from_ns < to_ns && spell.to_ns.is_none_or(|healed_ns| healed_ns > from_ns))
    }

    /// What an instance was in a segment: the span at its beginning, and those that begin in it.
    pub(super) fn spans_in(&self, instance: usize, from_ns: u64, to_ns: u64) -> Vec<&LifeSpan> {
        let name = &self.case.placement.instances[instance].name;
        let first = self.timeline.life_at(name, from_ns);
        let lives = self.timeline.lives.get(name).into_iter().flatten();
        first.into_iter().chain(lives.filter(|span| span.from_ns > from_ns && span.from_ns < to_ns)).collect()
    }

    /// Probes of an instance by the witness between two moments, with the word for what was wrong.
    pub(super) fn probes(&self, instance: usize, from_ns: u64, to_ns: u64) -> Vec<(&'a Event, Life, &'a str)> {
        let name = &self.case.placement.instances[instance].name;
        let within = |event: &&'a Event| {
            event.by == By::Witness
                && (from_ns..to_ns).contains(&event.t_ns)
                && event.place.instance.as_ref() == Some(name)
        };
        let probe = |event: &'a Event| match &event.detail {
            Detail::Probe { outcome, cause, .. } => Some((event, *outcome, cause.as_str())),
            _ => None,
        };
        self.events.iter().filter(within).filter_map(probe).collect()
    }

    /// Instances on the hosts whose power a recovery gave back; none where it healed something else.
    pub(super) fn returned(&self, recovery: &Recovery) -> Vec<usize> {
        let placement = self.case.placement;
        let step = self.case.plan.step(&recovery.step).map(|(_, step)| step).filter(|step| step.is_power());
        let is_back = |index: &usize| step.is_some_and(|step| step.changes.contains(self.host_name(*index)));
        (0..placement.instances.len()).filter(is_back).collect()
    }

    /// Whether an instance was without power at some moment between two.
    pub(super) fn was_dark(&self, index: usize, from_ns: u64, to_ns: u64) -> bool {
        let mut spells = self.timeline.dark.get(self.host_name(index)).into_iter().flatten();
        spells.any(|spell| spell.from_ns < to_ns && spell.to_ns.is_none_or(|end_ns| end_ns > from_ns))
    }

    /// Whether an instance answers at a moment, with errors or without.
    pub(super) fn answers(&self, instance: usize, at_ns: u64) -> bool {
        let name = &self.case.placement.instances[instance].name;
        let span = self.timeline.life_at(name, at_ns);
        span.is_some_and(|span| matches!(span.life, Life::Serving | Life::Active))
            || self.timeline.is_active_about(name, at_ns)
    }

    /// Instances that got power with a recovery and have it at its end, without a fault aimed at them.
    pub(super) fn came_back(&self, recovery: &Recovery) -> Vec<usize> {
        let Some((_, step)) = self.case.plan.step(&recovery.step) else { return Vec::new() };
        let changes: BTreeSet<&HostName> = step.changes.iter().collect();
        let all = 0..self.case.placement.instances.len();
        all.filter(|&instance| {
            changes.contains(self.host_name(instance))
                && !self.is_dark(instance, recovery.end_ns)
                && !self.is_aimed_at(instance, recovery.end_ns)
        })
        .collect()
    }

    /// The first call on the way from an instance's service to what its answers lack.
    pub(super) fn call_towards(&self, service: &ServiceName, missing: &ServiceName) -> Option<&'a Call> {
        let path = call_path(self, service, missing);
        let called = path.get(1).unwrap_or(missing);
        self.case.graph.service(service)?.calls.iter().find(|call| &call.to == called)
    }

    /// Services that customers' requests cannot do without, and those that they lean on softly and in no other way.
    pub(super) fn hard_and_soft(&self) -> (BTreeSet<&'a ServiceName>, BTreeSet<&'a ServiceName>) {
        let graph = self.case.graph;
        let (mut hard, mut all) = (BTreeSet::from([&graph.entry.service]), BTreeSet::from([&graph.entry.service]));
        for (reached, soft_too) in [(&mut hard, false), (&mut all, true)] {
            let mut open = vec![&graph.entry.service];
            while let Some(service) = open.pop().and_then(|name| graph.service(name)) {
                for call in service.calls.iter().filter(|call| soft_too || call.strength == Strength::Hard) {
                    if reached.insert(&call.to) {
                        open.push(&call.to);
                    }
                }
            }
        }
        // Everybody pushes metrics, and nobody waits for an answer.
        all.extend(graph.telemetry.as_ref().map(|telemetry| &telemetry.service));
        let soft = all.difference(&hard).copied().collect();
        (hard, soft)
    }
}
