//! The boundary between stable and metastable (R1), in virtual time. Refuses to judge; R1 does.
//!
//! The store of `retry-storm` stands still for a while; load, length and depth of that are varied, with three attempts and
//! with one. A region that comes back at one load and not at a higher one is *vulnerable* there.
//!
//! `cargo run --release --example sweep [PICTURE.svg]`

#[path = "sweep/picture.rs"]
mod picture;

use harness::{load, twin};
use picture::{Cell, Panel, class, draw};
use scenarios::fault::{Fault, Pause, Selection};
use scenarios::verdict::Verdict;
use std::time::Duration;

/// Requests a second of each zone's customers; a zone's store carries 40.
const LOADS: [u64; 8] = [8, 12, 16, 20, 24, 28, 32, 36];
/// Seconds of the stall.
const LENGTHS: [u64; 6] = [1, 2, 3, 5, 8, 12];
const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];

fn main() -> anyhow::Result<()> {
    println!(
        "cargo run --release --example sweep, {} seeds: `.` recovers, `M` stays down after the stall is over",
        SEEDS.len()
    );
    println!(
        "(metastable), `m` with some seeds, `b` was not well before it. Load: requests a second of each zone; 40 are carried."
    );
    let mut panels = Vec::new();
    for (attempts, name) in [(3, "retry-storm"), (1, "retry-storm-repaired")] {
        for zones in [vec!["az1"], vec!["az1", "az2"], vec![]] {
            let depth = if zones.is_empty() { 3 } else { zones.len() };
            let title = format!(
                "{attempts} attempt{}, the store of {depth} of 3 zones stalls",
                if attempts == 1 { "" } else { "s" }
            );
            println!("\n{title}\n\n  load {}", LENGTHS.map(|length| format!("{length:>4} s")).concat());
            let row = |rate: u64| {
                LENGTHS.iter().map(|length| cell(name, rate, *length, &zones)).collect::<anyhow::Result<_>>()
            };
            let cells: Vec<Vec<Cell>> = LOADS.iter().map(|rate| row(*rate)).collect::<anyhow::Result<_>>()?;
            for (rate, cells) in LOADS.iter().zip(&cells) {
                let marks: String = cells.iter().map(|cell| format!("{:>6}", cell.mark())).collect();
                println!("  {rate:>4} {marks}   {}", class(cells));
            }
            let confirmed = zones.is_empty().then(|| built_in(name)).transpose()?.flatten();
            panels.push(Panel { title, cells, confirmed });
        }
    }
    if let Some(path) = std::env::args().nth(1) {
        std::fs::write(path, draw(&panels, &LOADS, &LENGTHS))?;
    }
    Ok(())
}

/// Where the built-in game day itself is, which was held on an engine too (`figures/parity.txt`).
fn built_in(name: &str) -> anyhow::Result<Option<(usize, usize, &'static str)>> {
    let scenario = load::scenario(name, false)?.scenario;
    let load = LOADS.iter().position(|load| scenario.traffic.rate.milli_per_s == load * 1_000);
    let stall = scenario.faults.first().map(|fault| fault.lasts.as_secs());
    let length = LENGTHS.iter().position(|length| Some(*length) == stall);
    let said = if name.ends_with("-repaired") { "held on an engine" } else { "violated on an engine" };
    Ok(load.zip(length).map(|(load, length)| (load, length, said)))
}

fn cell(name: &str, rate: u64, seconds: u64, zones: &[&str]) -> anyhow::Result<Cell> {
    let mut loaded = load::scenario(name, false)?;
    loaded.scenario.traffic.rate.milli_per_s = rate * 1_000;
    for fault in &mut loaded.scenario.faults {
        let zones = zones.iter().map(|zone| fixtures::name::ZoneName::new(*zone)).collect::<Result<_, _>>()?;
        let services = vec![fixtures::name::ServiceName::new("store")?];
        fault.fault = Fault::Pause(Pause { hosts: Selection { zones, services, ..Selection::default() } });
        fault.lasts = Duration::from_secs(seconds);
    }
    let mut cell = Cell { down: 0, unwell: 0, seeds: SEEDS.len() };
    for seed in SEEDS {
        let judgement = twin::play_unlogged(&mut loaded, seed)?.judgement;
        let r1 = judgement.invariants.iter().find(|result| result.id == "R1").map(|result| result.verdict);
        match (judgement.inconclusive.is_empty(), r1) {
            (true, Some(Verdict::Held)) => {}
            (true, Some(Verdict::Violated)) => cell.down += 1,
            _ => cell.unwell += 1,
        }
    }
    Ok(cell)
}
