//! Owns the making of a run's record out of its plan, its events and what the world says of itself. Refuses to judge:
//! that is [`scenarios::judge`].

use super::Day;
use crate::clock::Clock;
use crate::journal::Journal;
use crate::world::docker::DockerWorld;
use fixtures::unit::Span;
use reports::record::{HostRow, InstanceRow, InterventionRow, Origin, Parameter, RECORD_SCHEMA, Record, ResidueRow};
use scenarios::event::{Detail, Event};
use scenarios::judgement::{Judgement, Reason};
use std::collections::BTreeMap;

impl Day<'_> {
    /// The record of this run.
    pub(super) fn record(&self, run: &str, seed: u64, clock: &Clock, world: &DockerWorld, journal: &Journal) -> Record {
        let events = journal.events();
        let judgement = scenarios::judge::judge(&self.case(), events);
        let Judgement { verdict, inconclusive, invariants, findings, measurements } = judgement;
        let addresses = world.addresses();
        let placement = &self.loaded.placement;
        let hosts = placement.hosts.iter().map(|host| HostRow {
            name: host.name.clone(),
            zone: host.zone.clone(),
            address: addresses.get(&host.name).cloned().unwrap_or_default(),
        });
        let team = |service| self.loaded.graph.service(service).map(|service| service.team.clone());
        let instances = placement.instances.iter().filter_map(|instance| {
            Some(InstanceRow {
                name: instance.name.clone(),
                service: instance.service.clone(),
                team: team(&instance.service)?,
                host: placement.hosts[instance.host].name.clone(),
                zone: instance.zone.clone(),
                restart_to_active_ms: measurements.restart_to_active_ms_by_instance.get(&instance.name).copied(),
            })
        });
        Record {
            schema: RECORD_SCHEMA,
            run: run.to_owned(),
            scenario: self.loaded.scenario.name.clone(),
            title: self.loaded.scenario.title.clone(),
            topology: self.loaded.topology.name.to_string(),
            graph: self.loaded.graph.name.to_string(),
            world: "docker".to_owned(),
            seed,
            versions: self.versions(),
            started_utc: clock.started_utc(),
            verdict,
            inconclusive,
            plan: self.loaded.plan.clone(),
            parameters: self.parameters(),
            rights: world.rights(),
            hosts: hosts.collect(),
            instances: instances.collect(),
            invariants,
            findings,
            interventions: events.iter().filter_map(intervention).collect(),
            measurements,
            caveats: caveats(events),
            residue: events.iter().filter_map(residue).collect(),
            replay: self.replay(seed),
        }
    }

    fn versions(&self) -> BTreeMap<String, String> {
        let of = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        BTreeMap::from([
            of("blackstart", env!("CARGO_PKG_VERSION")),
            of("engine", &self.info.version),
            of("api", &self.info.api),
            of("kernel", &self.info.kernel),
        ])
    }

    fn parameters(&self) -> BTreeMap<String, Parameter> {
        let scenario = &self.loaded.scenario;
        let (traffic, steady, windows) = (&scenario.traffic, &scenario.steady_state, &scenario.windows);
        let boot = self.loaded.topology.boot;
        let declared = [
            ("traffic.rate", traffic.rate.to_string()),
            ("traffic.writes", traffic.writes.to_string()),
            ("traffic.timeout", Span(traffic.timeout).to_string()),
            ("steady-state.availability", steady.availability.to_string()),
            ("steady-state.latency-p99", Span(steady.latency_p99).to_string()),
            ("windows.settle", Span(windows.settle).to_string()),
            ("windows.baseline", Span(windows.baseline).to_string()),
            ("windows.shift", Span(windows.shift).to_string()),
            ("windows.recovery", Span(windows.recovery).to_string()),
            ("windows.quiet", Span(windows.quiet).to_string()),
            ("boot", format!("{} to {}", Span(boot.min), Span(boot.max))),
        ];
        let row = |(name, value): (&str, String)| (name.to_owned(), Parameter { value, origin: Origin::Declared });
        declared.into_iter().map(row).collect()
    }

    fn replay(&self, seed: u64) -> String {
        format!("blackstart run {} --world docker --seed {seed}", self.argument)
    }
}

fn intervention(event: &Event) -> Option<InterventionRow> {
    let Detail::Intervention { action } = &event.detail else { return None };
    Some(InterventionRow { host: event.place.host.clone()?, action: action.clone(), evidence: event.id })
}

fn residue(event: &Event) -> Option<ResidueRow> {
    let Detail::Residue { object, name } = &event.detail else { return None };
    Some(ResidueRow { object: object.clone(), name: name.clone() })
}

/// Caveats by code: the last sentence of each code stands for all, with every event as evidence.
fn caveats(events: &[Event]) -> Vec<Reason> {
    let mut caveats: BTreeMap<&str, Reason> = BTreeMap::new();
    for event in events {
        if let Detail::Caveat { code, text } = &event.detail {
            let new = || Reason { code: code.clone(), text: String::new(), evidence: Vec::new() };
            let reason = caveats.entry(code).or_insert_with(new);
            reason.text.clone_from(text);
            reason.evidence.push(event.id);
        }
    }
    caveats.into_values().collect()
}
