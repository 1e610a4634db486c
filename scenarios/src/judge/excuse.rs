//! Owns the one excuse for not being active: answering, and lacking only what a live fault keeps dark. Refuses to blame
//! anybody.
//!
//! An instance that does not answer is never excused, even where what it asks for is dark: that it needs it in order to
//! start is the defect.

use super::Run;
use crate::event::{Act, EventId, Life};
use crate::plan::Deed;
use fixtures::name::{HostName, ServiceName, ZoneName};

impl Run<'_> {
    /// Whether everything that the instance's answers name as missing is blocked, in the end, by nothing but dark hosts.
    pub(super) fn is_excused(&self, instance: usize, at_ns: u64) -> bool {
        let mut search = Search { run: self, at_ns, passed: Vec::new(), dark_seen: false };
        search.lacks_only_dark(instance) && search.dark_seen
    }

    /// Whether a service is out of a zone's reach by nothing but dark hosts.
    pub(super) fn is_dark_for(&self, zone: &ZoneName, service: &ServiceName, at_ns: u64) -> bool {
        let mut search = Search { run: self, at_ns, passed: Vec::new(), dark_seen: false };
        search.blocked_by_dark(zone, service) && search.dark_seen
    }

    /// The instances that a caller in a zone may ask.
    pub(super) fn reach(&self, zone: &ZoneName, service: &ServiceName) -> Vec<usize> {
        self.case.placement.targets(self.case.topology, self.case.graph, zone, service)
    }

    /// Whether the host of an instance is dark, or kept from booting by a fault.
    pub(super) fn is_dark(&self, instance: usize, at_ns: u64) -> bool {
        let host = self.host_of(instance);
        self.timeline.dark_at(host, at_ns).is_some() || self.timeline.is_kept_dark(host, at_ns)
    }

    /// Whether a fault in force is aimed at the host of an instance, or misleads everybody in its zone.
    pub(super) fn is_aimed_at(&self, instance: usize, at_ns: u64) -> bool {
        let zone = &self.case.placement.instances[instance].zone;
        self.timeline.is_aimed_at(self.host_of(instance), at_ns) || self.timeline.is_misled(zone, at_ns)
    }

    /// The switch that an operator has set at an instance, where it answers and obeys: fault, since when, and the event.
    pub(super) fn switch_at(&self, instance: usize, at_ns: u64) -> Option<(&str, u64, EventId)> {
        let host = self.host_of(instance);
        let placed = &self.case.placement.instances[instance];
        let serving = self.timeline.life_at(&placed.name, at_ns).is_some_and(|span| span.life == Life::Serving);
        let steps = self.case.plan.rounds.iter().flat_map(|round| &round.steps);
        let mut switches = steps.filter(|step| {
            let meant = matches!(&step.deed, Deed::Switch { services, .. } if services.contains(&placed.service));
            serving && meant && step.act == Act::Inject && step.hosts.contains(host)
        });
        switches.find_map(|step| {
            let begun = self.timeline.done.get(&step.id).filter(|done| done.t_ns <= at_ns)?;
            let healed = self.timeline.done.get(&step.pair).is_some_and(|done| done.t_ns <= at_ns);
            (!healed).then_some((step.fault.as_str(), begun.t_ns, begun.event))
        })
    }

    fn host_of(&self, instance: usize) -> &HostName {
        let placement = self.case.placement;
        &placement.hosts[placement.instances[instance].host].name
    }

    /// Whether the witness saw an instance active.
    pub(super) fn is_active(&self, instance: usize, at_ns: u64) -> bool {
        self.timeline.is_active(&self.case.placement.instances[instance].name, at_ns)
    }
}

/// A walk along what is missing. Who is met twice blocks nobody by itself: services that miss each other are excused
/// where one of them misses something dark as well, and only there (`dark_seen`).
struct Search<'r, 'a> {
    run: &'r Run<'a>,
    at_ns: u64,
    passed: Vec<usize>,
    dark_seen: bool,
}

impl Search<'_, '_> {
    fn lacks_only_dark(&mut self, instance: usize) -> bool {
        if self.passed.contains(&instance) {
            return true;
        }
        self.passed.push(instance);
        let placed = &self.run.case.placement.instances[instance];
        let missing = self.run.timeline.missing_at(&placed.name, self.at_ns);
        // An error names the whole path; what lies behind somebody else is asked of them, as the witness saw them: who ran
        // out of time on the way names whoever came next, and be they well. A degraded answer names only what is behind.
        let service = self.run.case.graph.service(&placed.service);
        let (own, behind): (Vec<&ServiceName>, Vec<&ServiceName>) =
            missing.iter().partition(|name| service.is_some_and(|service| service.leans_on(name)));
        let asked = if own.is_empty() { behind } else { own };
        !asked.is_empty() && asked.into_iter().all(|service| self.blocked_by_dark(&placed.zone, service))
    }

    fn blocked_by_dark(&mut self, zone: &ZoneName, service: &ServiceName) -> bool {
        let targets = self.run.reach(zone, service);
        !targets.is_empty()
            && targets.into_iter().all(|target| {
                let dark = self.run.is_dark(target, self.at_ns);
                self.dark_seen |= dark;
                dark || self.lacks_only_dark(target)
            })
    }
}
