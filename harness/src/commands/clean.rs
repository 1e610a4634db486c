//! Owns `blackstart clean`: removes what dead runs left behind.

use super::print;
use crate::world::docker::engine::Engine;
use crate::world::docker::sweep::{self, Remains};
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Removes what is there of dead runs, or of the runs named; a run whose hand still runs is left alone.
///
/// # Errors
/// Where the engine does not answer.
pub fn run(named: &[String], dry_run: bool) -> Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (engine, _) = Engine::connect().await?;
        let found = sweep::remains(&engine).await?;
        let wanted = |run: &String| named.is_empty() || named.contains(run);
        let mut status = crate::exit::OK;
        let mut text = String::new();
        for unknown in named.iter().filter(|run| !found.contains_key(*run)) {
            writeln!(text, "{unknown}: nothing is there")?;
        }
        for (run, remains) in found.iter().filter(|(run, _)| wanted(run)) {
            if remains.alive {
                writeln!(text, "{run}: still running (its lease is alive); left alone: {}", counts(remains))?;
            } else if dry_run {
                writeln!(text, "{run}: would remove {}", counts(remains))?;
            } else {
                let left = sweep::clean_run(&engine, run).await?;
                writeln!(text, "{run}: removed {}", counts(remains))?;
                for (object, name) in left {
                    status = crate::exit::HARNESS;
                    writeln!(text, "{run}: still there: {object} {name}")?;
                }
            }
        }
        if text.is_empty() {
            text += "nothing to remove\n";
        }
        print(&text)?;
        Ok(status)
    })
}

fn counts(remains: &Remains) -> String {
    let counts: BTreeMap<&str, usize> = remains.objects.iter().map(|(kind, names)| (*kind, names.len())).collect();
    let words: BTreeSet<String> = counts
        .into_iter()
        .map(|(kind, count)| format!("{count} {kind}{}", if count == 1 { "" } else { "s" }))
        .collect();
    words.into_iter().collect::<Vec<_>>().join(", ")
}
