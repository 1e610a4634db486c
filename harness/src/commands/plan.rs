//! Owns `blackstart plan`: what a run would do, without doing it.

use super::print;
use crate::cli::Format;
use crate::load::{self, Loaded};
use anyhow::Result;
use fixtures::name::HostName;
use fixtures::unit::Span;
use scenarios::event::Act;
use scenarios::plan::Observed;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Prints the plan of a scenario.
///
/// # Errors
/// Bad input; standard output gone.
pub fn run(scenario: &str, format: Format, color: bool) -> Result<u8> {
    let loaded = load::scenario(scenario, color)?;
    super::write_err(&loaded.warnings);
    match format {
        Format::Json => print(&serde_json::to_string_pretty(&loaded.plan)?)?,
        Format::Text => print(&text(&loaded)?)?,
    }
    Ok(crate::exit::OK)
}

fn text(loaded: &Loaded) -> Result<String> {
    let Loaded { scenario, topology, graph, placement, plan, .. } = loaded;
    let mut text = format!("{}: {}\n", scenario.name, scenario.title);
    let zones = topology.zones().count();
    writeln!(
        text,
        "\nregion     {} ({zones} zones), graph {}: {} services, {} instances on {} hosts",
        topology.name,
        graph.name,
        graph.services.len(),
        placement.instances.len(),
        placement.hosts.len()
    )?;
    let traffic = &scenario.traffic;
    let asks =
        if traffic.is_silent() { "no canary asks".to_owned() } else { format!("each zone's canary {}", traffic.rate) };
    writeln!(text, "traffic    {asks}, writes {} to each zone", traffic.writes)?;
    for portion in &traffic.mix {
        writeln!(text, "           asks for {portion}")?;
    }
    if traffic.retry.attempts > 1 {
        writeln!(text, "           tries again: {}", traffic.retry)?;
    }
    let windows = &scenario.windows;
    writeln!(
        text,
        "steady     {} answered, p99 within {}",
        scenario.steady_state.availability,
        Span(scenario.steady_state.latency_p99)
    )?;
    writeln!(text, "judged     {}", scenario.invariants.join(", "))?;
    writeln!(text, "\nat most {} to settle, {} of baseline, then", Span(windows.settle), Span(windows.baseline))?;
    let mut touched: BTreeSet<&HostName> = BTreeSet::new();
    for (number, round) in plan.rounds.iter().enumerate() {
        writeln!(text, "round {number}")?;
        for step in &round.steps {
            touched.extend(&step.hosts);
            let (verb, hosts) = match (step.act, step.is_power()) {
                (Act::Inject, true) => ("power off", &step.changes),
                (Act::Heal, true) => ("power on ", &step.changes),
                (Act::Inject, false) => ("inject   ", &step.hosts),
                (Act::Heal, false) => ("heal     ", &step.hosts),
            };
            let at = Span(std::time::Duration::from_millis(step.at_ms)).to_string();
            let after = step.after.as_ref().map_or_else(String::new, after);
            let zones = by_zone(loaded, hosts);
            writeln!(text, "  {at:>6}  {verb} {} ({}){after}: {zones}", hosts.len(), step.fault)?;
        }
        let (recovery, quiet) = (Span(windows.recovery), Span(windows.quiet));
        writeln!(text, "  then at most {recovery} until everything is active, and {quiet} of quiet traffic")?;
    }
    let spared: Vec<HostName> =
        placement.hosts.iter().map(|host| host.name.clone()).filter(|host| !touched.contains(host)).collect();
    writeln!(
        text,
        "\nnot touched: {} hosts{}",
        spared.len(),
        if spared.is_empty() { String::new() } else { format!(": {}", by_zone(loaded, &spared)) }
    )?;
    text += "only objects that this run makes and labels are ever acted on; nothing on the network is reachable from them\n";
    Ok(text)
}

/// ` once store in az1 becomes active`.
fn after(observed: &Observed) -> String {
    let zone = observed.zone.as_ref().map_or_else(String::new, |zone| format!(" in {zone}"));
    format!(" once {}{zone} becomes {}", observed.service, observed.becomes.word())
}

/// `az1 (22), az2 (3: az2-cache-0, …)`.
fn by_zone(loaded: &Loaded, hosts: &[HostName]) -> String {
    let zone_of: BTreeMap<&HostName, &str> =
        loaded.placement.hosts.iter().map(|host| (&host.name, host.zone.as_str())).collect();
    let mut zones: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for host in hosts {
        zones.entry(zone_of.get(host).copied().unwrap_or_default()).or_default().push(host.as_str());
    }
    let shown = |(zone, hosts): (&str, Vec<&str>)| {
        let all = loaded.placement.hosts.iter().filter(|host| host.zone.as_str() == zone).count();
        if hosts.len() == all {
            format!("all {all} of {zone}")
        } else {
            format!("{} of {zone} ({})", hosts.len(), hosts.join(", "))
        }
    };
    if zones.is_empty() {
        "no host changes".to_owned()
    } else {
        zones.into_iter().map(shown).collect::<Vec<_>>().join(", ")
    }
}
