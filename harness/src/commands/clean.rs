//! Owns `blackstart clean`: removes what dead runs left behind.

use super::print;
use crate::world::docker::engine::Engine;
use crate::world::docker::raise::finish_dead_run;
use crate::world::docker::sweep::{self, LeaseState, Remains};
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Removes what is there of dead runs, or of the runs named. A run whose lease is alive is left alone; so is a region
/// that is held for those who look around, unless it is named.
///
/// # Errors
/// Where the engine does not answer.
pub fn run(named: &[String], dry_run: bool) -> Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (engine, info) = Engine::connect().await?;
        let found = sweep::remains(&engine).await?;
        let wanted = |run: &String| named.is_empty() || named.contains(run);
        let mut status = crate::exit::OK;
        let mut text = String::new();
        for unknown in named.iter().filter(|run| !found.contains_key(*run)) {
            writeln!(text, "{unknown}: nothing is there")?;
        }
        for (run, remains) in found.iter().filter(|(run, _)| wanted(run)) {
            if remains.lease == LeaseState::Alive {
                writeln!(text, "{run}: still running (its lease is alive); left alone: {}", counts(remains))?;
            } else if remains.lease == LeaseState::Holding && !named.contains(run) {
                writeln!(text, "{run}: held to look around; left alone: {}", counts(remains))?;
                writeln!(text, "    to remove it: blackstart clean {run}")?;
            } else if remains.lease == LeaseState::Standing && !named.contains(run) {
                let name = remains.region.as_deref().unwrap_or_default();
                writeln!(text, "{run}: region `{name}` stands; left alone: {}", counts(remains))?;
                writeln!(text, "    to remove it: blackstart region down {name}, or blackstart clean {run}")?;
            } else if dry_run {
                writeln!(text, "{run}: would remove {}", counts(remains))?;
            } else {
                let left = finish_dead_run(&engine, &info, run, false).await?;
                let all_but = if left.is_empty() { "" } else { ", but for what follows" };
                writeln!(text, "{run}: removed {}{all_but}", counts(remains))?;
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
