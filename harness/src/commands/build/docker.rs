//! Owns the surroundings of a build in containers: what was asked for, now or then, the engine, signals, the terminal. Refuses
//! to know how it is built.

use super::{bad_names, recorded, spec, status, told, wanted, write, write_trend};
use crate::building::Spec;
use crate::building::docker::again::{Asked, Found};
use crate::building::docker::{How, Interrupted, Left, build as build_there};
use crate::building::folder;
use crate::building::shown::Shown;
use crate::cli::BuildArgs;
use crate::commands::{print, write_err};
use crate::load::BadInput;
use crate::run::Stop;
use crate::terminal::Terminal;
use crate::world::docker::Options;
use crate::world::docker::engine::Engine;
use crate::{clock, exit};
use anyhow::{Context, Result};

/// Whether what is to be taken up is in containers.
pub(super) fn is_there(args: &BuildArgs) -> bool {
    args.take_up.as_ref().is_some_and(|run| Found::is_there(&args.out, run))
}

/// Builds it or takes it up, writes everything, and says how it went.
///
/// # Errors
/// Bad input, no engine, a folder that cannot be written.
pub(super) fn run(args: &BuildArgs, quiet: bool, color: bool) -> Result<u8> {
    let found = args.take_up.as_ref().map(|run| found(args, run)).transpose()?;
    let (asked, spec, warnings) = match &found {
        Some(found) => then(args, found, color)?,
        None => wanted(args, color)?,
    };
    write_err(&warnings);
    let run = args.take_up.clone().unwrap_or_else(clock::run_id);
    let Left { built, residue } = match build(&spec, (asked.clone(), args), (&run, found), (quiet, color)) {
        Ok(left) => left,
        Err(error) if error.is::<Interrupted>() => return Ok(exit::INTERRUPTED),
        Err(error) => return Err(bad_names(error)),
    };
    let record = recorded(&spec, &built, &run, &asked);
    let folder = args.out.join(&run);
    write(&folder, &record, &built).with_context(|| {
        format!("the build's folder {} cannot be written; name another with --out", folder.display())
    })?;
    write_err(&write_trend(&args.out)?);
    print(&told(&record, &built, (&run, &args.out, &folder))?)?;
    for (kind, name) in &residue {
        write_err(&format!("error: left behind: {kind} {name}\n"));
    }
    Ok(if residue.is_empty() { status(&record, &built.ending) } else { exit::HARNESS })
}

/// What the builder left whose build is taken up.
fn found(args: &BuildArgs, run: &str) -> Result<Found> {
    let bad = |text: String| BadInput { text };
    let found = Found::read(&args.out, run).map_err(|why| {
        bad(format!("error: nothing of run {run} can be taken up: {why}\nhelp: begin another build\n"))
    })?;
    if found.asked.what.region != args.region {
        let text = format!("error: run {run} builds `{}`, and not `{}`\n", found.asked.what.region, args.region);
        return Err(bad(text).into());
    }
    Ok(found)
}

/// What was asked for then.
fn then(args: &BuildArgs, found: &Found, color: bool) -> Result<(folder::Asked, Spec, String)> {
    let asked = found.asked.what.clone();
    let (spec, warnings) = spec(&asked, color)?;
    let spec = Spec { pause_before: args.pause_before, checks: asked.checks.clone(), ..spec };
    Ok((asked, spec, warnings))
}

/// Builds it, and removes everything unless it is paused.
///
/// # Errors
/// No engine; what the build itself says.
fn build(
    spec: &Spec,
    (what, args): (folder::Asked, &BuildArgs),
    (run, found): (&str, Option<Found>),
    (quiet, color): (bool, bool),
) -> Result<Left> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let engine = Engine::connect().await?;
        let mut stop = Stop::listen(false).context("signals cannot be listened to")?;
        let terminal = Terminal::new(quiet);
        let (services, version) = (spec.graph.services.len(), &engine.1.version);
        let built = match &spec.zone {
            Some(zone) => format!("{} into {}", zone.name, spec.build),
            None => format!("{} out of {}", spec.build, spec.bootstrap),
        };
        terminal.say(&format!(
            "{built}, graph {} ({services} services)\nrun {run}, seed {}, world docker (engine {version})\n",
            spec.graph.name, spec.seed
        ));
        let asked = Asked { what, again: found.as_ref().map_or(0, |found| found.asked.again + 1) };
        let options = Options { agent: args.agent.clone(), ..Options::default() };
        let shown = Shown::new(quiet, color);
        let how = How { engine, run: run.to_owned(), out: &args.out, options, terminal, shown, asked, found };
        let left = build_there(spec, how, &mut stop).await;
        if left.as_ref().is_err_and(|error| error.is::<Interrupted>()) {
            Terminal::new(quiet).say("         interrupted: everything was removed");
        }
        left
    })
}
