//! Owns the question whether a game day fits a region: its zones, services, hosts and operations exist, and every fault
//! hits somebody. Refuses to change the scenario.

mod change;

use crate::fault::{
    Aim, Cut, CutShape, Deploy, DiskErrors, DiskFull, DiskSlow, Fault, MEMBERS_MIN, PowerOff, Push, Restart, Selection,
};
use crate::plan::{Deed, round_numbers};
use crate::raw::{Named, RawFault, RawScenario};
use crate::scenario::{After, Scenario, TimedFault};
use crate::seed::Draw;
use fixtures::decode::{Located, decode};
use fixtures::diagnostic::{Diagnostic, Source};
use fixtures::graph::Graph;
use fixtures::name::HostName;
use fixtures::nearest::nearest;
use fixtures::placement::Placement;
use fixtures::topology::Topology;
use std::ops::Range;

/// Everything in which the scenario does not fit the region; empty where it fits. The source is the scenario's, for
/// the places.
pub fn bind(scenario: &Scenario, source: &Source, topology: &Topology, graph: &Graph) -> Vec<Diagnostic> {
    let written = decode::<RawScenario>(source).0;
    let placement = Placement::new(topology, graph);
    let region = Region { source, topology, graph, placement: &placement };
    let mut found = region.unknown(customers_in(written.as_ref()));
    let raw = faults_in(written.as_ref());
    for fault in &scenario.faults {
        let raw = raw.iter().find(|raw| raw.get().name.as_ref().is_some_and(|name| name.get() == &fault.name));
        let unknown: Vec<Diagnostic> = raw.into_iter().flat_map(|raw| region.unknown_of(raw.get())).collect();
        if unknown.is_empty() {
            let span = raw.and_then(|raw| raw.get().kinds().pop()).map(|(_, span)| span);
            found.extend(region.in_vain(fault, span.clone()));
            found.extend(region.power_twice(fault, scenario, span.clone()));
            found.extend(region.held_twice(fault, scenario, span));
            found.extend(region.rushed(fault, scenario, raw.map(Located::get)));
        }
        found.extend(unknown);
    }
    found
}

/// Topology and graph that a scenario asks for, where its file says so much, whatever else is wrong with it.
pub fn region_of(source: &Source) -> Option<(String, String)> {
    let raw = decode::<RawScenario>(source).0?;
    Some((raw.topology?.get().to_string(), raw.graph?.get().to_string()))
}

/// Zones, services and hosts that stand for nothing, of a scenario that has other mistakes as well.
pub fn unknown_names(source: &Source, topology: &Topology, graph: &Graph) -> Vec<Diagnostic> {
    let written = decode::<RawScenario>(source).0;
    let placement = Placement::new(topology, graph);
    let region = Region { source, topology, graph, placement: &placement };
    let of_faults = faults_in(written.as_ref()).iter().flat_map(|raw| region.unknown_of(raw.get()));
    region.unknown(customers_in(written.as_ref())).into_iter().chain(of_faults).collect()
}

/// The faults of a file as they are written, as far as they can be read.
fn faults_in(written: Option<&RawScenario>) -> &[Located<RawFault>] {
    written.and_then(|raw| raw.faults.as_deref()).unwrap_or_default()
}

/// What the customers of a file name.
fn customers_in(written: Option<&RawScenario>) -> Vec<(Named, &Located<String>)> {
    let traffic = written.and_then(|raw| raw.traffic.as_ref());
    traffic.map(|traffic| traffic.get().names()).unwrap_or_default()
}

/// What a scenario must fit.
struct Region<'a> {
    source: &'a Source,
    topology: &'a Topology,
    graph: &'a Graph,
    placement: &'a Placement,
}

impl Region<'_> {
    /// Names that stand for nothing.
    fn unknown(&self, names: Vec<(Named, &Located<String>)>) -> Vec<Diagnostic> {
        let zones: Vec<&str> = self.topology.zones().map(|(_, zone)| zone.name.as_str()).collect();
        let services: Vec<&str> = self.graph.services.iter().map(|service| service.name.as_str()).collect();
        let hosts: Vec<&str> = self.placement.hosts.iter().map(|host| host.name.as_str()).collect();
        let entry = &self.graph.entry.service;
        let offered = self.graph.service(entry).into_iter().flat_map(|service| &service.operations);
        let operations: Vec<&str> = offered.map(|operation| operation.as_str()).collect();
        let check = |(named, text): (Named, &Located<String>)| {
            let word = text.get().as_str();
            let (code, known, message) = match named {
                Named::Zone => {
                    ("unknown-zone", &zones, format!("no zone `{word}` in topology `{}`", self.topology.name))
                }
                Named::Service => {
                    ("unknown-service", &services, format!("no service `{word}` in graph `{}`", self.graph.name))
                }
                Named::Host => {
                    let (topology, graph) = (&self.topology.name, &self.graph.name);
                    ("unknown-host", &hosts, format!("no host `{word}` where `{graph}` runs in `{topology}`"))
                }
                Named::Operation => {
                    let graph = &self.graph.name;
                    let message = format!("`{entry}`, the entry of graph `{graph}`, has no operation `{word}`");
                    ("unknown-operation", &operations, message)
                }
            };
            let help = match nearest(word, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known: {}", known.join(", ")),
            };
            let error = Diagnostic::error(code, self.source, Some(text.span()), message).with_help(help);
            (!known.contains(&word)).then_some(error)
        };
        names.into_iter().filter_map(check).collect()
    }

    /// Names of a fault that stand for nothing.
    fn unknown_of(&self, raw: &RawFault) -> Vec<Diagnostic> {
        self.unknown(raw.names()).into_iter().chain(self.unknown_calls(raw)).collect()
    }

    /// A fault that hits nobody.
    fn in_vain(&self, fault: &TimedFault, span: Option<Range<usize>>) -> Option<Diagnostic> {
        let draw = Draw { seed: 0, fault: &fault.name };
        let Aim { hosts, deed, .. } = fault.fault.aim(self.placement, draw);
        let error =
            |code, message, help| Some(Diagnostic::error(code, self.source, span.clone(), message).with_help(help));
        if let Fault::Cut(cut) = &fault.fault
            && cut.shape != CutShape::Full
        {
            let members = cut.members(self.placement, draw).len();
            return if members < MEMBERS_MIN { self.too_few(fault, cut, members, span) } else { None };
        }
        if let (Deed::Trouble { trouble, services }, true) = (&deed, hosts.is_empty())
            && services.is_empty()
        {
            let lacks = if trouble.is_of_names() { "name servers" } else { "grants that end" };
            let message =
                format!("the fault `{}` is one of {lacks}, and graph `{}` has none", fault.name, self.graph.name);
            let help = if trouble.is_of_names() {
                "give the graph a `[names]` table"
            } else {
                "give the graph an `[identity]` table"
            };
            return error("no-such-part", message, help);
        }
        if hosts.is_empty() {
            let message = format!("the fault `{}` hits no host", fault.name);
            let help = "no host fits `zones`, `services` and `hosts` together: they must name others";
            return error("no-host", message, help);
        }
        match deed {
            Deed::Network { rules } if rules.is_empty() => {
                let message = format!("no packet can meet the fault `{}`", fault.name);
                error("no-link", message, "`to` names nobody but hosts of `from`: it must name others")
            }
            _ => None,
        }
    }

    fn too_few(&self, fault: &TimedFault, cut: &Cut, members: usize, span: Option<Range<usize>>) -> Option<Diagnostic> {
        let what = if cut.from.zones.len() == 1 { "host" } else { "member" };
        let message = format!("`{}` partitions {members} {what}(s) in part: that takes {MEMBERS_MIN}", fault.name);
        let help = "let `from` cover three zones, or one zone with three hosts; or use `shape = \"full\"`";
        Some(Diagnostic::error("too-few-members", self.source, span, message).with_help(help))
    }

    /// A power fault that waits for an event, on hosts from which another one takes power in the same round: whose
    /// release gives power back could not be planned.
    fn power_twice(&self, fault: &TimedFault, scenario: &Scenario, span: Option<Range<usize>>) -> Option<Diagnostic> {
        if !fault.fault.takes_power() || !matches!(fault.after, Some(After::Event(_))) {
            return None;
        }
        // Of a share, every host that the seed may choose.
        let hosts = |one: &TimedFault| match &one.fault {
            Fault::PowerOff(PowerOff { hosts, .. }) | Fault::Restart(Restart { hosts }) => {
                hosts.matched(self.placement).map(|host| host.name.clone()).collect()
            }
            _ => Vec::new(),
        };
        let own = hosts(fault);
        let rounds = round_numbers(&scenario.faults);
        let mates = scenario.faults.iter().zip(rounds).filter(|(_, round)| *round == 0).map(|(other, _)| other);
        let mut rivals = mates.filter(|other| other.name != fault.name && other.fault.takes_power());
        let rival = rivals.find(|other| hosts(other).iter().any(|host| own.contains(host)))?;
        let message = format!("`{}` waits for an event and takes power from hosts of `{}`", fault.name, rival.name);
        let help = "in one round they must have no host in common: nobody knows which of them ends last";
        Some(Diagnostic::error("power-twice", self.source, span, message).with_help(help))
    }

    /// Two faults of one kind on the same host at the same time: the heal of the one would end the other. Power is
    /// given back by the last, rules on packets add up, and what happens in an instant is over.
    fn held_twice(&self, fault: &TimedFault, scenario: &Scenario, span: Option<Range<usize>>) -> Option<Diagnostic> {
        let rounds = round_numbers(&scenario.faults);
        let numbered = || scenario.faults.iter().zip(&rounds);
        let (own_at, own_round) =
            numbered().enumerate().find(|(_, (one, _))| one.name == fault.name).map(|(at, (_, round))| (at, *round))?;
        let (kind, own) = (holds(&fault.fault), self.held(&fault.fault)?);
        let rival = numbered().take(own_at).find(|(other, round)| {
            **round == own_round
                && holds(&other.fault) == kind
                && overlap(fault, other)
                && self.held(&other.fault).is_some_and(|hosts| hosts.iter().any(|host| own.contains(host)))
        });
        let message =
            format!("`{}` and `{}` hold {kind} on the same hosts at the same time", fault.name, rival?.0.name);
        let help = "the heal of one would end the other: let one begin after the other has ended, or make one of them";
        Some(Diagnostic::error("fault-twice", self.source, span, message).with_help(help))
    }

    /// Hosts at which a fault is in force for a while, and healed; of a share, every one that the seed may choose.
    fn held(&self, fault: &Fault) -> Option<Vec<HostName>> {
        let selection = match fault {
            Fault::Boot(boot) => boot.hosts.clone(),
            Fault::Pause(pause) => pause.hosts.clone(),
            Fault::Freeze(freeze) => freeze.hosts.clone(),
            Fault::Shift(shift) => shift.zones.clone(),
            Fault::Surge(surge) => surge.zones.clone(),
            Fault::Processor(processor) => processor.hosts.clone(),
            Fault::Memory(memory) => memory.hosts.clone(),
            Fault::DiskFull(DiskFull { zones })
            | Fault::DiskSlow(DiskSlow { zones, .. })
            | Fault::DiskErrors(DiskErrors { zones }) => Selection::of_zones(zones.clone()),
            Fault::ClockWrong(clock) => clock.hosts.clone(),
            Fault::Push(Push(rollout)) | Fault::Deploy(Deploy(rollout)) => rollout.hosts(),
            Fault::PowerOff(_)
            | Fault::NamesEmpty(_)
            | Fault::NamesStale(_)
            | Fault::NamesWrong(_)
            | Fault::NamesSlow(_)
            | Fault::NamesDead(_)
            | Fault::GrantsRefused(_)
            | Fault::GrantsExpired(_)
            | Fault::Kill(_)
            | Fault::Exit(_)
            | Fault::Restart(_)
            | Fault::Cut(_)
            | Fault::Link(_)
            | Fault::GrayZone(_) => return None,
        };
        Some(selection.matched(self.placement).map(|host| host.name.clone()).collect())
    }
}

/// What a fault holds hosts in; of those that hold them in the same only one can be in force.
fn holds(fault: &Fault) -> String {
    match fault.rollout() {
        Some(rollout) => format!("another version of `{}`", rollout.service),
        None => format!("`{}`", fault.entry().kind),
    }
}

/// Whether two faults of one round may be in force at the same time. Of one that waits for an event nobody knows.
fn overlap(one: &TimedFault, other: &TimedFault) -> bool {
    let window = |fault: &TimedFault| {
        let pulses = fault.pulses.every.saturating_mul(fault.pulses.times.saturating_sub(1));
        (fault.at, fault.at.saturating_add(fault.within).saturating_add(pulses).saturating_add(fault.lasts))
    };
    let is_timed = |fault: &TimedFault| !matches!(fault.after, Some(After::Event(_)));
    let ((from, to), (other_from, other_to)) = (window(one), window(other));
    is_timed(one) && is_timed(other) && from < other_to && other_from < to
}
