//! Owns `blackstart matrix`: every invariant with its defect and its twin, as a table that fails where a cell is wrong.

use super::print;
use crate::cli::{MatrixArgs, MatrixWorld};
use crate::explore::Culprit;
use crate::load::BadInput;
use crate::matrix::pairs::{self, HEALTHY, Pair};
use crate::matrix::{Count, Healthy, Row, healthy, row};
use anyhow::{Context, Result};
use scenarios::verdict::Verdict;
use std::fmt::Write;

/// Plays everything and prints the table; 1 where a cell is wrong.
///
/// # Errors
/// A scenario that has no pair; a run that could not be held; a file that cannot be written.
pub fn run(args: &MatrixArgs, quiet: bool) -> Result<u8> {
    let chosen = chosen(&args.scenarios)?;
    let text = match args.world {
        MatrixWorld::Sim => simulated(&chosen, args)?,
        MatrixWorld::Docker => on_engine(&chosen, args, quiet)?,
    };
    if let Some(path) = &args.record {
        std::fs::write(path, &text.0).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    print(&text.0)?;
    Ok(if text.1 { crate::exit::OK } else { crate::exit::VIOLATED })
}

fn chosen(names: &[String]) -> Result<Vec<Pair>> {
    let all = pairs::all();
    for name in names {
        if !all.iter().any(|pair| pair.scenario == name) {
            let known: Vec<&str> = all.iter().map(|pair| pair.scenario).collect();
            let text = format!("error: `{name}` is no defect with a twin\nhelp: there are: {}\n", known.join(", "));
            return Err(BadInput { text }.into());
        }
    }
    Ok(all.into_iter().filter(|pair| names.is_empty() || names.iter().any(|name| name == pair.scenario)).collect())
}

/// The table, and whether all of it is right.
type Told = (String, bool);

fn simulated(chosen: &[Pair], args: &MatrixArgs) -> Result<Told> {
    let seeds = args.seed..args.seed.saturating_add(args.seeds);
    let mut text = format!(
        "blackstart matrix --seeds {}: every defect found, with its culprit, confirmed by repair, and its twin held\n\
         each seed as it is, without self-reports, and with exchanged names\n\n{}",
        args.seeds,
        head("sim")
    );
    let (mut right, mut wrong) = (true, String::new());
    for pair in chosen {
        let begun = crate::clock::Clock::start();
        let rows = row(pair, seeds.clone())?;
        let seconds = begun.now() as f64 / 1e9;
        for row in rows {
            right &= row.is_right();
            writeln!(text, "{}", line(&row, seconds))?;
            if !row.wrong.is_empty() {
                writeln!(wrong, "{} {}: {}", row.invariant, row.scenario, row.wrong)?;
            }
        }
    }
    if args.scenarios.is_empty() {
        text += "\nhealthy scenarios, judged by every invariant\n";
        for scenario in HEALTHY {
            let all = healthy(scenario, seeds.clone())?;
            right &= all.clean.is_whole();
            writeln!(text, "{}", healthy_line(&all))?;
            if !all.wrong.is_empty() {
                writeln!(wrong, "{}: {}", all.scenario, all.wrong)?;
            }
        }
    }
    if !wrong.is_empty() {
        write!(text, "\nwrong:\n{wrong}")?;
    }
    Ok((text, right))
}

fn head(world: &str) -> String {
    format!(
        "{:<4} {:<20} {:<6} {:>9} {:>9} {:>9} {:>9} {:>8}  {}\n",
        "", "defect", world, "found", "culprit", "confirmed", "twin held", "seconds", "culprit"
    )
}

fn count(count: Count) -> String {
    format!("{}/{}", count.right, count.all)
}

/// One row of the table; without the seconds it is the same on every machine.
fn line(row: &Row, seconds: f64) -> String {
    format!(
        "{:<4} {:<20} {:<6} {:>9} {:>9} {:>9} {:>9} {seconds:>8.1}  {}",
        row.invariant,
        row.scenario,
        if row.is_right() { "right" } else { "WRONG" },
        count(row.found),
        count(row.named),
        count(row.confirmed),
        count(row.held),
        row.culprit
    )
}

fn healthy_line(all: &Healthy) -> String {
    let word = if all.clean.is_whole() { "right" } else { "WRONG" };
    format!("     {:<28} {word:<6} {:>9}  judged: {}", all.scenario, count(all.clean), all.judged.join(" "))
}

/// Each defect and each twin once, as containers.
fn on_engine(chosen: &[Pair], args: &MatrixArgs, quiet: bool) -> Result<Told> {
    let mut text = format!("blackstart matrix --world docker, seed {}\n\n{}", args.seed, head("docker"));
    let mut right = true;
    for pair in chosen {
        let begun = crate::clock::Clock::start();
        let defect = super::parity::hold(pair.scenario, args.seed, quiet)?;
        let twin = super::parity::hold(&pair.twin(), args.seed, quiet)?;
        let seconds = begun.now() as f64 / 1e9;
        for expected in &pair.expected {
            let is_it = |culprit: &Culprit| {
                culprit.invariant == expected.invariant
                    && culprit.service == expected.service
                    && culprit.setting == expected.setting
            };
            let found = defect
                .invariants
                .iter()
                .any(|result| result.id == expected.invariant && result.verdict == Verdict::Violated);
            let named = defect.findings.iter().map(Culprit::of).any(|culprit| is_it(&culprit));
            let held = twin.verdict == Verdict::Held;
            right &= found && named && held;
            let word = |is: bool| if is { "yes" } else { "NO" };
            writeln!(
                text,
                "{:<4} {:<20} {:<6} {:>9} {:>9} {:>9} {:>9} {seconds:>8.1}  {}",
                expected.invariant,
                pair.scenario,
                if found && named && held { "right" } else { "WRONG" },
                word(found),
                word(named),
                // The twin is the run with only that repaired.
                word(named && held),
                word(held),
                expected.setting
            )?;
        }
    }
    Ok((text, right))
}
