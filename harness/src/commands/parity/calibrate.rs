//! Owns the measuring of what things cost in a recorded run of `minimal`. Refuses every other scenario: a simulator that
//! is tuned to what it is compared with shows nothing.

use crate::world::sim::costs::Costs;
use anyhow::{Context, Result, bail};
use fixtures::name::{InstanceName, ServiceName};
use scenarios::event::{By, Detail, Event, HostChange, Life};
use std::collections::BTreeMap;
use std::path::Path;

/// From an append to its being on the disk: no event shows it, so it is assumed (a solid-state disk's flush).
const SYNC_ASSUMED_NS: u64 = 1_000_000;
/// Bounds within which a measured cost is believed.
const MESSAGE_NS: std::ops::RangeInclusive<u64> = 10_000..=1_000_000;
const LATENCY_NS: std::ops::RangeInclusive<u64> = 5_000..=1_000_000;

/// The calibration as JSON.
///
/// # Errors
/// Where the run is none of `minimal` on an engine, or shows too little.
pub(super) fn from_run(run: &Path) -> Result<String> {
    let read = |name: &str| {
        let path = run.join(name);
        std::fs::read_to_string(&path)
            .with_context(|| format!("{} cannot be read: give a run's folder", path.display()))
    };
    let record = reports::record::from_json(&read("record.json")?)?;
    if record.scenario != "minimal" || record.world != "docker" {
        bail!(
            "the run is one of `{}` in world {}; only `minimal` on an engine calibrates",
            record.scenario,
            record.world
        );
    }
    let events = reports::journal::read(&read("events.jsonl")?)?.events;
    let start_ns = median(starts(&events)).context("no start of a service was seen")?;
    // A probe opens a connection (three ways), its request costs one message, its answer takes one way: 4 l + m. One
    // call more over a kept connection: 2 l + 2 m.
    let leaf = median(probes(&events, &["credentials", "store"])).context("no probe of a leaf was seen")?;
    let nested = median(probes(&events, &["api"])).context("no probe of the entry was seen")?;
    let call = nested.saturating_sub(leaf);
    let message = (2 * call).saturating_sub(leaf) / 3;
    let message_ns = message.clamp(*MESSAGE_NS.start(), *MESSAGE_NS.end());
    let latency_ns = (leaf.saturating_sub(message_ns) / 4).clamp(*LATENCY_NS.start(), *LATENCY_NS.end());
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let costs = Costs {
        source: format!("run {} of minimal on an engine, by `blackstart parity --calibrate`", record.run),
        cores: u32::try_from(cores)?,
        start_ns,
        message_ns,
        latency_ns,
        sync_ns: SYNC_ASSUMED_NS,
    };
    Ok(serde_json::to_string_pretty(&costs)?)
}

fn median(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

/// From the supervisor's start of each instance to its first breath.
fn starts(events: &[Event]) -> Vec<u64> {
    let mut begun: BTreeMap<&str, u64> = BTreeMap::new();
    let mut took = Vec::new();
    let mut by_time: Vec<&Event> = events.iter().filter(|event| event.by == By::Own).collect();
    by_time.sort_by_key(|event| event.t_ns);
    for event in by_time {
        match &event.detail {
            Detail::Host { change: HostChange::ServiceStarted, note } => {
                begun.insert(note, event.t_ns);
            }
            Detail::State { to: Life::Starting, .. } => {
                let name = event.place.instance.as_ref().map(InstanceName::as_str).unwrap_or_default();
                took.extend(begun.remove(name).map(|since| event.t_ns - since));
            }
            _ => {}
        }
    }
    took
}

/// How long probes of some services took that came back in full.
fn probes(events: &[Event], services: &[&str]) -> Vec<u64> {
    let took = |event: &Event| match &event.detail {
        Detail::Probe { outcome: Life::Active, took_us, .. } => {
            let service = event.place.service.as_ref().map(ServiceName::as_str)?;
            services.contains(&service).then_some(took_us * 1_000)
        }
        _ => None,
    };
    events.iter().filter_map(took).collect()
}
