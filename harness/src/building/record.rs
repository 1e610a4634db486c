//! Owns what the record of a build says beyond its judgement: what was built, how it ended, and the command that does it
//! again. Refuses to write it anywhere.

use super::{Built, Spec};
use crate::builder::Ending;
use fixtures::regional::estate::What;
use reports::build::{BUILD_SCHEMA, BuildRecord, told};

/// The record of a build; `graph` is how whoever asked for it named the graph.
pub fn of(spec: &Spec, built: &Built, run: &str, graph: &str) -> BuildRecord {
    let ending = match &built.ending {
        Ending::Completed => "open to customers".to_owned(),
        Ending::RolledBack { why } => format!("rolled back ({why})"),
        Ending::Stuck { step, why } => format!("stuck at {step} ({why})"),
    };
    let told = told(&built.events);
    BuildRecord {
        schema: BUILD_SCHEMA,
        run: run.to_owned(),
        region: spec.build.to_string(),
        zone: built.estate.new_zone().map(ToString::to_string),
        parent: match &built.estate.what {
            What::LocalZone { parent, .. } => Some(parent.to_string()),
            What::Region | What::Zone(_) => None,
        },
        bootstrap: spec.bootstrap.to_string(),
        graph: spec.graph.name.to_string(),
        world: built.world.to_owned(),
        seed: spec.seed,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_utc: built.events.first().map(|event| event.utc.clone()).unwrap_or_default(),
        services: built.estate.graph.services.len(),
        instances: built.estate.placement.instances.len(),
        ending,
        opened: built.ending == Ending::Completed,
        verdict: built.judged.verdict,
        invariants: built.judged.invariants.clone(),
        findings: built.judged.findings.clone(),
        replay: replay(spec, built.world, graph),
        took_ms: told.took_ns() / 1_000_000,
        steps: told.steps().count(),
        tried_again: told.steps().filter(|step| step.attempts > 1).count(),
        by_hand: told.hands,
    }
}

fn replay(spec: &Spec, world: &str, graph: &str) -> String {
    let how = match &spec.zone {
        Some(zone) => {
            let parent = zone.parent.as_ref().map(|parent| format!(" --parent {parent}")).unwrap_or_default();
            format!("--zone {}{parent}", zone.name)
        }
        None => format!("--from {}", spec.bootstrap),
    };
    format!("blackstart build {} {how} --graph {graph} --world {world} --seed {}", spec.build, spec.seed)
}
