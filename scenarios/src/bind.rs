//! Owns the question whether a game day fits a region: its zones and services exist, and every fault hits somebody.
//! Refuses to change the scenario.

use crate::fault::Fault;
use crate::raw::{RawFault, RawScenario};
use crate::scenario::{Scenario, TimedFault};
use fixtures::decode::{Located, decode};
use fixtures::diagnostic::{Diagnostic, Source};
use fixtures::graph::Graph;
use fixtures::nearest::nearest;
use fixtures::placement::Placement;
use fixtures::topology::Topology;
use std::ops::Range;

/// Everything in which the scenario does not fit the region; empty where it fits. The source is the scenario's, for
/// the places.
pub fn bind(scenario: &Scenario, source: &Source, topology: &Topology, graph: &Graph) -> Vec<Diagnostic> {
    let raw = decode::<RawScenario>(source).0.and_then(|raw| raw.faults).unwrap_or_default();
    let placement = Placement::new(topology, graph);
    let mut found = Vec::new();
    for fault in &scenario.faults {
        let raw = raw.iter().find(|raw| raw.get().name.as_ref().is_some_and(|name| name.get() == &fault.name));
        found.extend(bind_fault(fault, raw, source, topology, graph, &placement));
    }
    found
}

fn bind_fault(
    fault: &TimedFault,
    raw: Option<&Located<RawFault>>,
    source: &Source,
    topology: &Topology,
    graph: &Graph,
    placement: &Placement,
) -> Vec<Diagnostic> {
    let Fault::PowerOff(power_off) = &fault.fault else { return Vec::new() };
    let power_off = &power_off.hosts;
    let written = raw.and_then(|raw| raw.get().power_off.as_ref());
    let zones_written = written.and_then(|power_off| power_off.get().zones.as_ref());
    let services_written = written.and_then(|power_off| power_off.get().services.as_ref());
    let mut found = Vec::new();
    let zones: Vec<&str> = topology.zones().map(|(_, zone)| zone.name.as_str()).collect();
    for zone in power_off.zones.iter().map(|zone| zone.as_str()).filter(|zone| !zones.contains(zone)) {
        let message = format!("no zone `{zone}` in topology `{}`", topology.name);
        found.push(unknown("unknown-zone", source, place(zones_written, zone), message, zone, &zones));
    }
    let services: Vec<&str> = graph.services.iter().map(|service| service.name.as_str()).collect();
    for service in power_off.services.iter().map(|service| service.as_str()).filter(|name| !services.contains(name)) {
        let message = format!("no service `{service}` in graph `{}`", graph.name);
        found.push(unknown("unknown-service", source, place(services_written, service), message, service, &services));
    }
    if found.is_empty() && power_off.matched(placement).next().is_none() {
        let message = format!("the fault `{}` hits no host", fault.name);
        let span = written.map(Located::span);
        let help = "the services run on no host of these zones; `zones` or `services` must name others";
        found.push(Diagnostic::error("no-host", source, span, message).with_help(help));
    }
    found
}

fn place(list: Option<&Located<Vec<Located<String>>>>, word: &str) -> Option<Range<usize>> {
    list?.get().iter().find(|text| text.get() == word).map(Located::span)
}

fn unknown(
    code: &'static str,
    source: &Source,
    span: Option<Range<usize>>,
    message: String,
    word: &str,
    known: &[&str],
) -> Diagnostic {
    let help = match nearest(word, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("known: {}", known.join(", ")),
    };
    Diagnostic::error(code, source, span, message).with_help(help)
}
