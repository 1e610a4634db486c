//! Owns a case as files that run in every world: a scenario, its graph and its topology beside it. Refuses to know what
//! is in a fault; that is [`kinds`]'.

mod kinds;

use crate::load::Loaded;
use anyhow::{Context, Result};
use fixtures::unit::Span;
use fixtures::write::{escaped, list};
use scenarios::customers::{Retry, Traffic};
use scenarios::scenario::{After, Observed, Pulses, RecoveryFrom, Scenario, TimedFault};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Writes a case as `NAME.toml` and `NAME-graph.toml` (and its topology as `NAME-zones.toml`) into a folder; returns the
/// scenario's path.
///
/// # Errors
/// Where the folder cannot be written.
pub fn write(loaded: &Loaded, name: &str, folder: &Path, comment: &str) -> Result<PathBuf> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("{} cannot be made; name another folder with --out", folder.display()))?;
    let mut case = loaded.clone();
    let graph = format!("{name}-graph");
    let zones = format!("{name}-zones");
    case.graph.name = fixtures::name::GraphName::new(graph.clone())?;
    case.topology.name = fixtures::name::TopologyName::new(zones.clone())?;
    let texts = [
        (format!("{zones}.toml"), fixtures::write::topology(&case.topology, comment)),
        (format!("{graph}.toml"), fixtures::write::graph(&case.graph, comment)),
        (format!("{name}.toml"), scenario(&case.scenario, name, &zones, &graph, comment)?),
    ];
    for (file, text) in &texts {
        let path = folder.join(file);
        std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(folder.join(format!("{name}.toml")))
}

/// A scenario as a file.
///
/// # Errors
/// None; writing into a text does not fail.
pub fn scenario(scenario: &Scenario, name: &str, topology: &str, graph: &str, comment: &str) -> Result<String> {
    let mut text = String::from("#:schema ../schemas/scenario.schema.json\n#\n");
    for line in comment.lines() {
        writeln!(text, "{}", format!("# {line}").trim_end())?;
    }
    let title = escaped(&scenario.title);
    writeln!(text, "name = \"{name}\"\ntitle = \"{title}\"\ntopology = \"{topology}\"\ngraph = \"{graph}\"")?;
    writeln!(text, "invariants = {}", list(&scenario.invariants))?;
    let (traffic, steady, windows) = (&scenario.traffic, &scenario.steady_state, &scenario.windows);
    customers(&mut text, traffic)?;
    let (availability, p99) = (steady.availability, Span(steady.latency_p99));
    writeln!(text, "\n[steady-state]\navailability = \"{availability}\"\nlatency-p99 = \"{p99}\"")?;
    writeln!(text, "\n[windows]")?;
    let lengths = [
        ("settle", windows.settle),
        ("baseline", windows.baseline),
        ("shift", windows.shift),
        ("recovery", windows.recovery),
        ("quiet", windows.quiet),
    ];
    for (key, length) in lengths {
        writeln!(text, "{key} = \"{}\"", Span(length))?;
    }
    if windows.recovery_from == RecoveryFrom::LastHeal {
        writeln!(text, "recovery-from = \"last-heal\"")?;
    }
    for fault in &scenario.faults {
        write_fault(&mut text, fault)?;
    }
    Ok(text)
}

fn customers(text: &mut String, traffic: &Traffic) -> Result<()> {
    let (rate, writes, timeout) = (traffic.rate, traffic.writes, Span(traffic.timeout));
    let asks = if traffic.is_silent() { "canaries = false".to_owned() } else { format!("rate = \"{rate}\"") };
    writeln!(text, "\n[traffic]\n{asks}\nwrites = \"{writes}\"\ntimeout = \"{timeout}\"")?;
    if traffic.retry != Retry::ONCE {
        let Retry { attempts, timeout, backoff, budget } = traffic.retry;
        let (base, cap) = (Span(backoff.base), Span(backoff.cap));
        writeln!(text, "\n[traffic.retry]\nattempts = {attempts}")?;
        if let Some(timeout) = timeout {
            writeln!(text, "timeout = \"{}\"", Span(timeout))?;
        }
        writeln!(text, "backoff = \"{base}\"\ncap = \"{cap}\"\njitter = {}", backoff.jitter)?;
        if let Some(budget) = budget {
            writeln!(text, "budget = \"{budget}\"")?;
        }
    }
    for portion in &traffic.mix {
        writeln!(text, "\n[[traffic.mix]]\noperation = \"{}\"\nshare = \"{}\"", portion.operation, portion.share)?;
        if !portion.zones.is_empty() {
            writeln!(text, "zones = {}", list(&portion.zones))?;
        }
    }
    Ok(())
}

fn write_fault(text: &mut String, fault: &TimedFault) -> Result<()> {
    let (kind, keys) = (fault.fault.entry().kind, kinds::keys(&fault.fault));
    writeln!(text, "\n[[faults]]\nname = \"{}\"\n{kind} = {{ {keys} }}", fault.name)?;
    match &fault.after {
        None => {}
        Some(After::Round(name)) => writeln!(text, "after = \"{name}\"")?,
        Some(After::Event(Observed { service, zone, becomes })) => {
            let zone = zone.iter().map(|zone| format!(", zone = \"{zone}\"")).collect::<String>();
            let becomes = becomes.word();
            writeln!(text, "after = {{ service = \"{service}\"{zone}, becomes = \"{becomes}\" }}")?;
        }
    }
    writeln!(text, "at = \"{}\"", Span(fault.at))?;
    if !fault.within.is_zero() {
        writeln!(text, "within = \"{}\"", Span(fault.within))?;
    }
    if fault.pulses != Pulses::ONCE {
        writeln!(text, "times = {}\nevery = \"{}\"", fault.pulses.times, Span(fault.pulses.every))?;
    }
    // What happens in one instant does not last.
    if !fault.lasts.is_zero() {
        writeln!(text, "lasts = \"{}\"", Span(fault.lasts))?;
    }
    Ok(())
}
