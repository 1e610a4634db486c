//! Owns the surroundings of a build in containers: the engine, signals, the terminal. Refuses to know how it is built.

use crate::building::Spec;
use crate::building::docker::again::{Asked, Found};
use crate::building::docker::{How, Interrupted, Left, build as build_there};
use crate::cli::BuildArgs;
use crate::run::Stop;
use crate::terminal::Terminal;
use crate::world::docker::Options;
use crate::world::docker::engine::Engine;
use anyhow::{Context, Result};

/// Builds it, and removes everything.
///
/// # Errors
/// No engine; what the build itself says.
pub(super) fn build(spec: &Spec, args: &BuildArgs, (run, found): (&str, Option<Found>), quiet: bool) -> Result<Left> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let engine = Engine::connect().await?;
        let mut stop = Stop::listen(false).context("signals cannot be listened to")?;
        let terminal = Terminal::new(quiet);
        let (services, version) = (spec.graph.services.len(), &engine.1.version);
        terminal.say(&format!(
            "{} out of {}, graph {} ({services} services)\nrun {run}, seed {}, world docker (engine {version})\n",
            spec.build, spec.bootstrap, spec.graph.name, spec.seed
        ));
        let asked = match &found {
            Some(found) => Asked { again: found.asked.again + 1, ..found.asked.clone() },
            None => Asked {
                region: args.region.clone(),
                from: args.from.clone(),
                graph: args.graph.clone(),
                seed: spec.seed,
                defects: args.defect.iter().map(ToString::to_string).collect(),
                again: 0,
            },
        };
        let options = Options { agent: args.agent.clone(), ..Options::default() };
        let how = How { engine, run: run.to_owned(), out: &args.out, options, terminal, asked, found };
        let left = build_there(spec, how, &mut stop).await;
        if left.as_ref().is_err_and(|error| error.is::<Interrupted>()) {
            Terminal::new(quiet).say("         interrupted: everything was removed");
        }
        left
    })
}
