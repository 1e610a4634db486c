//! Owns the making of a run's record out of its plan, its events and what the world says of itself. Refuses to judge:
//! that is [`scenarios::judge`].

use super::Day;
use crate::clock::Clock;
use crate::journal::Journal;
use crate::outside::Said;
use fixtures::graph::{Graph, Service, Strength};
use fixtures::name::HostName;
use fixtures::unit::Span;
use reports::record::{
    CallRow, HostRow, InstanceRow, InterventionRow, NeedRow, Origin, Parameter, RECORD_SCHEMA, Record, ResidueRow,
    ServiceRow,
};
use scenarios::assumed::Assumed;
use scenarios::event::{Detail, Event};
use scenarios::judgement::{Judgement, Reason};
use scenarios::verdict::Verdict;
use std::collections::BTreeMap;

/// What a world says of itself and of the run in it.
pub(super) struct Facts {
    /// Its name.
    pub(super) world: &'static str,
    /// Versions of what it is made of.
    pub(super) versions: BTreeMap<String, String>,
    /// How each right was had.
    pub(super) rights: BTreeMap<String, String>,
    /// Address of each host.
    pub(super) addresses: BTreeMap<HostName, String>,
    /// Measured figures that the result leans on, with their units.
    pub(super) measured: BTreeMap<String, String>,
    /// What others say of the run.
    pub(super) said: Vec<Said>,
}

impl Day<'_> {
    /// The record of this run.
    pub(super) fn record(&self, run: &str, seed: u64, clock: &Clock, facts: Facts, journal: &Journal) -> Record {
        let events = journal.events();
        let judgement = scenarios::judge::judge(&self.case(), events);
        let Judgement { mut verdict, inconclusive, mut invariants, findings, measurements } = judgement;
        let Facts { world, mut versions, rights, addresses, measured, said } = facts;
        invariants.extend(said.iter().map(|said| said.row(events)));
        if inconclusive.is_empty() {
            verdict = Verdict::merge(invariants.iter().map(|result| result.verdict));
        }
        versions.insert("blackstart".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
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
        let mut record = Record {
            schema: RECORD_SCHEMA,
            run: run.to_owned(),
            scenario: self.loaded.scenario.name.clone(),
            title: self.loaded.scenario.title.clone(),
            topology: self.loaded.topology.name.to_string(),
            graph: self.loaded.graph.name.to_string(),
            world: world.to_owned(),
            seed,
            versions,
            label: self.args.label.clone(),
            started_utc: clock.started_utc(),
            verdict,
            inconclusive,
            plan: self.loaded.plan.clone(),
            parameters: self.parameters(measured),
            assumptions: None,
            interrupted: false,
            rights,
            hosts: hosts.collect(),
            instances: instances.collect(),
            services: services(&self.loaded.graph),
            invariants,
            findings,
            known_gaps: Vec::new(),
            interventions: events.iter().filter_map(intervention).collect(),
            measurements,
            caveats: caveats(events),
            residue: events.iter().filter_map(residue).collect(),
            replay: self.replay(world, seed),
        };
        reports::gaps::apply(&mut record, self.gaps, crate::clock::today());
        record
    }

    fn parameters(&self, measured: BTreeMap<String, String>) -> BTreeMap<String, Parameter> {
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
        let portions: Vec<String> = traffic.mix.iter().map(ToString::to_string).collect();
        let mix = (!portions.is_empty()).then(|| ("traffic.mix", portions.join(", ")));
        let retry = (traffic.retry.attempts > 1).then(|| ("traffic.retry", traffic.retry.to_string()));
        let declared = declared.into_iter().chain(mix).chain(retry);
        let row = |(name, value): (&str, String)| (name.to_owned(), Parameter { value, origin: Origin::Declared });
        let measured = measured.into_iter().map(|(name, value)| (name, Parameter { value, origin: Origin::Measured }));
        // What no file says was not declared, whatever its value is.
        let assumed = self.loaded.assumed().into_iter().map(assumed);
        declared.map(row).chain(measured).chain(assumed).collect()
    }

    fn replay(&self, world: &str, seed: u64) -> String {
        let turn = self.args.turn;
        let turn = if turn == 0 { String::new() } else { format!(" --turn {turn}") };
        let mock = if self.args.mock { " --mock" } else { "" };
        let place = match &self.attachment {
            Some(attachment) => format!("--attach {} --yes-attach", attachment.project),
            None => format!("--world {world}"),
        };
        format!("blackstart run {} {place} --seed {seed}{turn}{mock}", self.argument)
    }
}

fn assumed(assumed: Assumed) -> (String, Parameter) {
    let Assumed { name, value, places, .. } = assumed;
    let value = if places > 1 { format!("{value} in {places} places") } else { value };
    (name.to_owned(), Parameter { value, origin: Origin::Assumed })
}

/// The graph's services, with each edge once.
fn services(graph: &Graph) -> Vec<ServiceRow> {
    let row = |service: &Service| ServiceRow {
        name: service.name.clone(),
        team: service.team.clone(),
        scope: service.scope,
        entry: service.name == graph.entry.service,
        needs: service
            .needs
            .iter()
            .map(|need| NeedRow { need: need.kind.to_string(), from: need.from.clone() })
            .collect(),
        calls: calls(service),
    };
    graph.services.iter().map(row).collect()
}

/// Whom a service calls; several calls of one service are one edge, hard where any of them is.
fn calls(service: &Service) -> Vec<CallRow> {
    let mut rows: Vec<CallRow> = Vec::new();
    for call in &service.calls {
        match rows.iter_mut().find(|row| row.to == call.to) {
            Some(row) if call.strength == Strength::Hard => row.strength = Strength::Hard,
            Some(_) => {}
            None => rows.push(CallRow { to: call.to.clone(), strength: call.strength }),
        }
    }
    rows
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
