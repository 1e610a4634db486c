//! Owns `blackstart orr`: the operational readiness review of a graph. Refuses to answer a question that no run answers.

use super::ops_review::{told, write};
use super::print;
use crate::cli::OrrArgs;
use crate::history::History;
use crate::load;
use anyhow::Result;
use fixtures::name::ZoneName;
use reports::history::Entry;
use reports::orr::{Subject, review};
use std::collections::BTreeSet;
use std::path::Path;

/// Writes the review, and says where.
///
/// # Errors
/// Bad input: a graph or topology that cannot be read. A history or a file that cannot be used.
pub fn run(args: &OrrArgs, color: bool) -> Result<u8> {
    let (graph, warnings) = load::graph(&args.graph, color)?;
    super::write_err(&warnings);
    let runs = runs_of(&args.runs)?;
    let zones = match &args.topology {
        Some(topology) => load::topology(topology, color)?.zones().map(|(_, zone)| zone.name.clone()).collect(),
        None => zones(&graph.name.to_string(), &runs),
    };
    let (today, stale_after) = (crate::clock::today(), args.stale_after);
    let page = review(Subject { graph: &graph, zones: &zones, runs: &runs, today, stale_after });
    print(&told(&write(&args.out, &format!("orr-{}", graph.name), &page)?))?;
    Ok(crate::exit::OK)
}

/// All runs of a folder; none where there is no such folder: then nothing was tested.
///
/// # Errors
/// A history that cannot be used.
pub(super) fn runs_of(folder: &Path) -> Result<Vec<Entry>> {
    if !folder.is_dir() {
        tracing::warn!(
            "there is no folder of runs {}: nothing is measured; --runs DIR names another",
            folder.display()
        );
        return Ok(Vec::new());
    }
    History::open(folder)?.all()
}

/// The zones in which runs on the graph were, and those of built-in scenarios of it.
fn zones(graph: &str, runs: &[Entry]) -> BTreeSet<ZoneName> {
    let mut zones: BTreeSet<ZoneName> =
        runs.iter().filter(|run| run.graph == graph).flat_map(|run| &run.hits).map(|hit| hit.zone.clone()).collect();
    for name in scenarios::builtin::scenario_names() {
        let Ok(loaded) = load::scenario(name, false) else { continue };
        if loaded.graph.name.as_str() == graph {
            zones.extend(loaded.placement.instances.iter().map(|instance| instance.zone.clone()));
        }
    }
    zones
}
