//! Owns what `region list` and `region status` print for people. Refuses to look at a region.

use crate::clock::Keeping;
use crate::region::folder::Folder;
use crate::region::ledger::{self, What};
use crate::region::state::{State, ZoneState};
use anyhow::Result;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

/// Entries of the ledger that are shown.
const ENTRIES: usize = 12;

/// A table of regions.
pub(super) fn list(states: &[State], root: &Path) -> Result<String> {
    if states.is_empty() {
        return Ok(format!("no region is kept in {}\n", root.display()));
    }
    let now = Keeping::start().now().wall;
    let mut text =
        format!("{:<16} {:<9} {:>9}  {:<34} {}\n", "region", "state", "age", "answered in the last hour", "drift");
    for state in states {
        let age = state.built.map_or_else(|| "-".to_owned(), |built| age(now.since(built)));
        let zones: Vec<String> = state.zones.iter().map(|zone| format!("{} {}", zone.zone, share(zone.hour))).collect();
        let drift = if state.drift.is_empty() { "none".to_owned() } else { state.drift.len().to_string() };
        writeln!(text, "{:<16} {:<9} {age:>9}  {:<34} {drift}", state.name, state.phase.word(), zones.join(", "))?;
    }
    Ok(text)
}

/// One region.
pub(super) fn status(state: &State, folder: &Folder) -> Result<String> {
    let now = Keeping::start().now().wall;
    let mut text = format!("region {}: {} since {}", state.name, state.phase.word(), state.since);
    if !state.why.is_empty() {
        write!(text, " ({})", state.why)?;
    }
    text.push('\n');
    if let Some(built) = state.built {
        writeln!(text, "  built {built}, {} ago; run {}", age(now.since(built)), state.run)?;
    }
    writeln!(text, "  {} hosts; {} of {} instances active", state.hosts, state.active, state.instances)?;
    if let Some(ms) = state.last_black_start_ms {
        writeln!(
            text,
            "  came back from the dark {} times, the last time {:.1} s after power",
            state.black_starts,
            seconds(ms)
        )?;
    }
    if !state.zones.is_empty() {
        writeln!(
            text,
            "\n  {:<10} {:>12} {:>12} {:>12} {:>12}  requests",
            "answered", "5 minutes", "hour", "day", "ever"
        )?;
    }
    for ZoneState { zone, now, hour, day, all, wanted, answered } in &state.zones {
        let [now, hour, day, all] = [now, hour, day, all].map(|value| share(*value));
        writeln!(text, "  {zone:<10} {now:>12} {hour:>12} {day:>12} {all:>12}  {answered} of {wanted}")?;
    }
    if !state.drift.is_empty() {
        text += "\n  not as it was declared, or left\n";
        for drift in &state.drift {
            writeln!(text, "    {drift}")?;
        }
    }
    let entries = ledger::read(folder);
    text += "\n  lately\n";
    for entry in &entries[entries.len().saturating_sub(ENTRIES)..] {
        writeln!(text, "    {}  {}", entry.at, said(&entry.what))?;
    }
    Ok(text)
}

fn said(what: &What) -> String {
    match what {
        What::Built { took_ms, hosts, instances } => {
            format!("built: {hosts} hosts, {instances} instances, in {:.1} s", seconds(*took_ms))
        }
        What::Lost { why } => format!("lost: {why}"),
        What::BlackStart { hosts, since_lost_ms, since_found_ms, since_power_ms } => format!(
            "black start: {hosts} hosts got power together; active {:.1} s after that, {:.1} s after it was found, {:.1} s after it was lost",
            seconds(*since_power_ms),
            seconds(*since_found_ms),
            seconds(*since_lost_ms)
        ),
        What::Lent { run, scenario } => format!("game day {scenario}, run {run}"),
        What::GivenBack { run, troubled } if troubled.is_empty() => format!("given back by run {run}"),
        What::GivenBack { run, troubled } => format!("given back by run {run}, but: {}", troubled.join("; ")),
        What::Deployed { service, version } => format!("deployed: {version} of {service}, zone by zone"),
        What::NotDeployed { service, why } => format!("a deployment of {service} was stopped: {why}"),
        What::Drift { found, accepted, .. } => {
            let how = match accepted {
                Some(true) => " (accepted)",
                Some(false) => " (refused)",
                None => "",
            };
            format!("drift{how}: {}", found.join("; "))
        }
    }
}

fn seconds(ms: u64) -> f64 {
    Duration::from_millis(ms).as_secs_f64()
}

fn share(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |share| format!("{:.2} %", (share * 10_000.0).floor() / 100.0))
}

fn age(span: Duration) -> String {
    let seconds = span.as_secs();
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m"),
        (0, hours, minutes) => format!("{hours}h {minutes}m"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}
