//! Owns the figures of a server's year in virtual time: runs, crashes, and whether memory stays where it is. Refuses to
//! judge: it prints; the test of the same year judges.
//!
//! `cargo run --release --example bench_year`

#[path = "../tests/it/year.rs"]
mod year;

use anyhow::{Context, Result};
use fixtures::diagnostic::Source;
use harness::schedule::ledger::Ledger;
use harness::schedule::moment::Moment;
use harness::schedule::{Variants, load};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use year::Course;

const DAY: Duration = Duration::from_secs(24 * 3600);
const YEARS: u64 = 5;

#[expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
fn say(text: &str) {
    println!("{text}");
}

/// Resident memory, in MB.
fn resident_mb() -> f64 {
    let told = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = told.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap_or_default() / 1024.0
}

#[expect(clippy::disallowed_methods, reason = "a benchmark times itself")]
fn main() -> Result<()> {
    let mut resolve = |scenario: &str| {
        let turns = if scenario == "az-power-loss" { vec!["az1", "az2", "az3"] } else { vec![""] };
        Ok(Variants { scenario: scenario.to_owned(), turns: turns.into_iter().map(str::to_owned).collect() })
    };
    let source = Source { name: "schedule".to_owned(), text: year::SCHEDULE.to_owned() };
    let file = load(&source, &mut resolve).map_err(|found| anyhow::anyhow!("{found:?}"))?;
    let from = Moment::parse("2026-01-01T00:00:00Z").context("a moment")?;
    for seed in 1..=YEARS {
        let began = Instant::now();
        let before = resident_mb();
        let run_at_most = Duration::from_secs(25 * 60);
        let told = year::live(
            &file.plan,
            Course { from, lasts: 365 * DAY, deaths: 10, away_at_most: 2 * DAY, run_at_most, seed },
        );
        let (runs, deaths, lines) = (told.started.len(), told.deaths, told.disk.lines().count());
        let ledger = Ledger::read(&told.disk).map_err(|why| anyhow::anyhow!(why))?;
        let small: usize = ledger.compacted().iter().map(|entry| Ledger::line(entry).len()).sum();
        let (begun, passed) = year::accounts(&told.disk);
        let variants: BTreeSet<_> =
            told.started.iter().map(|one| (one.choice.scenario.clone(), one.choice.turn)).collect();
        let longest = told.started.iter().filter_map(|one| Some(one.to?.since(one.from))).max().unwrap_or_default();
        let (slots, refused, variants) = (begun.len(), passed.values().sum::<u64>(), variants.len());
        drop((told, ledger, begun, passed));
        say(&format!(
            "year {seed}: {runs} runs of {slots} slots (the longest {} min, {variants} variants), {refused} refused, {deaths} deaths of the server, {lines} lines of the ledger ({} kB made small), {:.1} s; \
             resident memory {before:.1} MB at the start, {:.1} MB at the end",
            longest.as_secs() / 60,
            small / 1024,
            began.elapsed().as_secs_f64(),
            resident_mb()
        ));
    }
    Ok(())
}
