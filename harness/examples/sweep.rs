//! The boundary between stable and metastable (R1), in virtual time: `cargo run --release --example sweep`. Refuses to
//! judge; R1 does.
//!
//! The store of `retry-storm` stands still for a while; load, length and depth of that are varied, with three attempts and
//! with one. A region that comes back at one load and not at a higher one is *vulnerable* there.

use harness::{load, twin};
use scenarios::fault::{Fault, Pause, Selection};
use scenarios::verdict::Verdict;
use std::time::Duration;

/// Requests a second of each zone's customers; a zone's store carries 40.
const LOADS: [u64; 8] = [8, 12, 16, 20, 24, 28, 32, 36];
/// Seconds of the stall.
const LENGTHS: [u64; 6] = [1, 2, 3, 5, 8, 12];
const SEED: u64 = 7;

fn main() -> anyhow::Result<()> {
    println!("cargo run --release --example sweep, seed {SEED}: `.` recovers, `M` stays down after the stall is over");
    println!("(metastable), `b` was not well before it. Load: requests a second of each zone; 40 are carried.");
    for (attempts, name) in [(3, "retry-storm"), (1, "retry-storm-repaired")] {
        for zones in [vec!["az1"], vec!["az1", "az2"], vec![]] {
            let depth = if zones.is_empty() { 3 } else { zones.len() };
            println!("\n{attempts} attempt(s), the store of {depth} of 3 zones stalls\n");
            let heads: Vec<String> = LENGTHS.iter().map(|length| format!("{length:>4} s")).collect();
            println!("  load {}", heads.join(""));
            for rate in LOADS {
                let marks: Vec<String> = LENGTHS
                    .iter()
                    .map(|length| Ok(format!("{:>6}", mark(name, rate, *length, &zones)?)))
                    .collect::<anyhow::Result<_>>()?;
                println!("  {rate:>4} {}", marks.join(""));
            }
        }
    }
    Ok(())
}

fn mark(name: &str, rate: u64, seconds: u64, zones: &[&str]) -> anyhow::Result<&'static str> {
    let mut loaded = load::scenario(name, false)?;
    loaded.scenario.traffic.rate.milli_per_s = rate * 1_000;
    for fault in &mut loaded.scenario.faults {
        let zones = zones.iter().map(|zone| fixtures::name::ZoneName::new(*zone)).collect::<Result<_, _>>()?;
        let services = vec![fixtures::name::ServiceName::new("store")?];
        fault.fault = Fault::Pause(Pause { hosts: Selection { zones, services, ..Selection::default() } });
        fault.lasts = Duration::from_secs(seconds);
    }
    let judgement = twin::play_unlogged(&mut loaded, SEED)?.judgement;
    let r1 = judgement.invariants.iter().find(|result| result.id == "R1").map(|result| result.verdict);
    Ok(match (judgement.inconclusive.is_empty(), r1) {
        (true, Some(Verdict::Held)) => ".",
        (true, Some(Verdict::Violated)) => "M",
        _ => "b",
    })
}
