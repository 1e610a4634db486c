//! Owns deployments in a standing region: now and then a service gets a new build of what it runs, zone by zone, and each zone's
//! customers are watched before the next one gets it. Refuses to perform anything: `(what has happened) -> what is to be done`.
//!
//! A build is a version that differs in its name alone. It is in force in a zone until the zone has shown that it can bear it;
//! then the name goes too, so that nothing has to be remembered of it when somebody takes the region over.

use crate::controller::Do;
use fixtures::graph::Graph;
use fixtures::name::{HostName, ServiceName, ZoneName};
use fixtures::placement::Placement;
use fixtures::version::{Settings, Version};
use scenarios::plan::Deed;
use std::time::Duration;

/// How long a zone has the new build before the next one gets it.
const BAKE: Duration = Duration::from_secs(5);
/// A zone whose instances are not all active again after so long has not borne it.
const BACK_WITHIN: Duration = Duration::from_secs(90);
/// A zone's customers must get so much of what they ask for while it bakes.
const LEAST: f64 = 0.5;

/// A deployment on its way.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// Of which service.
    pub service: ServiceName,
    /// The name of the build.
    pub version: String,
    waves: Vec<(ZoneName, Vec<HostName>)>,
    at: usize,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The zone is about to get it.
    Due,
    /// An act is under way; this follows.
    Acting(Next),
    /// Its processes are coming back; then this.
    Returning { since: Duration, then: Next },
    /// They are back, and watched.
    Baking { since: Duration },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Bake,
    NextZone,
}

/// What is to be done about it now.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Nothing.
    Wait,
    /// This.
    Act(Do),
    /// It is everywhere.
    Done,
    /// It was stopped, for this reason; what it had begun is to be ended.
    Stopped(String),
}

/// How the region stands.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// Time that never steps.
    pub now: Duration,
    /// Whether every instance is active.
    pub all_active: bool,
    /// What customers of a zone got lately, from 0 to 1.
    pub share: &'a dyn Fn(&ZoneName) -> Option<f64>,
}

impl Deployment {
    /// The deployment with this number: services come round. `None` where no service has an instance.
    pub fn new(number: usize, graph: &Graph, placement: &Placement) -> Option<Self> {
        let services: Vec<&ServiceName> = graph.services.iter().map(|service| &service.name).collect();
        let service = (*services.get(number.checked_rem(services.len())?)?).clone();
        let mut waves: Vec<(ZoneName, Vec<HostName>)> = Vec::new();
        for instance in placement.instances.iter().filter(|instance| instance.service == service) {
            let host = placement.hosts.get(instance.host)?.name.clone();
            match waves.iter_mut().find(|(zone, _)| *zone == instance.zone) {
                Some((_, hosts)) if hosts.contains(&host) => {}
                Some((_, hosts)) => hosts.push(host),
                None => waves.push((instance.zone.clone(), vec![host])),
            }
        }
        let version = format!("build-{}", number + 1);
        (!waves.is_empty()).then_some(Self { service, version, waves, at: 0, stage: Stage::Due })
    }

    fn fault(&self) -> (String, Deed, Vec<HostName>) {
        let (zone, hosts) = &self.waves[self.at];
        let version = Version { name: self.version.clone(), at_start: true, set: Settings::default() };
        let deed = Deed::Change { service: self.service.clone(), version, guarded: false };
        (format!("{}-{zone}", self.version), deed, hosts.clone())
    }

    /// What is to be done now.
    pub fn step(&mut self, seen: Seen<'_>) -> Step {
        match self.stage {
            Stage::Due => {
                self.stage = Stage::Acting(Next::Bake);
                let (fault, deed, hosts) = self.fault();
                Step::Act(Do::Inject { fault, deed, hosts })
            }
            Stage::Acting(_) => Step::Wait,
            Stage::Returning { since, then } if seen.all_active && seen.now > since => {
                self.stage = match then {
                    Next::Bake => Stage::Baking { since: seen.now },
                    Next::NextZone if self.at + 1 == self.waves.len() => return Step::Done,
                    Next::NextZone => {
                        self.at += 1;
                        Stage::Due
                    }
                };
                Step::Wait
            }
            Stage::Returning { since, .. } if seen.now.saturating_sub(since) > BACK_WITHIN => {
                let (zone, within) = (&self.waves[self.at].0, fixtures::unit::Span(BACK_WITHIN));
                Step::Stopped(format!("its instances in {zone} were not active again within {within}"))
            }
            Stage::Baking { since } if seen.now.saturating_sub(since) >= BAKE => {
                let zone = &self.waves[self.at].0;
                if let Some(share) = (seen.share)(zone).filter(|share| *share < LEAST) {
                    let got = share * 100.0;
                    return Step::Stopped(format!("customers of {zone} got {got:.0} % of what they asked for"));
                }
                self.stage = Stage::Acting(Next::NextZone);
                let (fault, deed, hosts) = self.fault();
                Step::Act(Do::Heal { fault, deed, hosts })
            }
            Stage::Returning { .. } | Stage::Baking { .. } => Step::Wait,
        }
    }

    /// The act under way has ended.
    pub fn acted(&mut self, now: Duration) {
        if let Stage::Acting(then) = self.stage {
            // Who is gone is seen gone within a second, or was back before anybody looked.
            self.stage = Stage::Returning { since: now + SEEN_WITHIN, then };
        }
    }
}

/// The witness looks at each instance at least so often, and twice.
const SEEN_WITHIN: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use super::*;

    fn region() -> (Graph, Placement) {
        let loaded = crate::load::scenario("minimal", false).expect("it is built in");
        (loaded.graph, loaded.placement)
    }

    fn seen(at: u64, all_active: bool, share: &dyn Fn(&ZoneName) -> Option<f64>) -> Seen<'_> {
        Seen { now: Duration::from_secs(at), all_active, share }
    }

    #[test]
    fn a_build_goes_from_zone_to_zone_and_leaves_no_version_behind() {
        let (graph, placement) = region();
        let mut deployment = Deployment::new(4, &graph, &placement).expect("there are services");
        assert_eq!((deployment.service.as_str(), deployment.version.as_str()), ("store", "build-5"));
        let (mut in_force, mut zones, mut now) = (Vec::new(), Vec::new(), 0);
        loop {
            now += 1;
            match deployment.step(seen(now, true, &|_| Some(1.0))) {
                Step::Act(Do::Inject { fault, hosts, .. }) => {
                    assert!(in_force.is_empty(), "one zone at a time");
                    assert_eq!(hosts.len(), 1, "a zone has one store");
                    zones.push(fault.clone());
                    in_force.push(fault);
                    deployment.acted(Duration::from_secs(now));
                }
                Step::Act(Do::Heal { fault, .. }) => {
                    assert_eq!(in_force.pop(), Some(fault));
                    deployment.acted(Duration::from_secs(now));
                }
                Step::Wait => {}
                Step::Done => break,
                other => panic!("{other:?}"),
            }
            assert!(now < 1_000, "it ends");
        }
        assert!(in_force.is_empty());
        assert_eq!(zones, ["build-5-az1", "build-5-az2", "build-5-az3"]);
    }

    #[test]
    fn a_zone_that_does_not_come_back_or_harms_its_customers_stops_it() {
        let (graph, placement) = region();
        for (all_active, share, why) in [(false, 1.0, "not active again"), (true, 0.2, "customers of az1")] {
            let mut deployment = Deployment::new(0, &graph, &placement).expect("there are services");
            assert!(matches!(deployment.step(seen(1, true, &|_| Some(1.0))), Step::Act(_)));
            deployment.acted(Duration::from_secs(1));
            let steps = (2..300).map(|now| deployment.step(seen(now, all_active, &|_| Some(share))));
            let stopped = steps.into_iter().find_map(|step| match step {
                Step::Stopped(why) => Some(why),
                _ => None,
            });
            assert!(stopped.as_ref().is_some_and(|text| text.contains(why)), "{stopped:?}");
        }
    }
}
