//! Owns `blackstart build`: builds a region or a zone in virtual time, or a region in containers, and leaves its record, its
//! events, its ledger, its report, and what was generated for it. Refuses to build a zone in containers: that is not there yet,
//! and it says so.

mod docker;

use super::print;
use crate::builder::ledger::to_line;
use crate::building::defect::Defect;
use crate::building::docker::again::{Asked, Found};
use crate::building::docker::{Interrupted, real};
use crate::building::{Built, Spec, build, record};
use crate::cli::{BuildArgs, BuildWorldName};
use crate::load::{self, BadInput};
use crate::{clock, dashboards, exit};
use anyhow::{Context, Result};
use fixtures::graph::Graph;
use fixtures::name::RegionName;
use reports::build::{BuildRecord, from_json, page, regional_json, to_json, trend};
use scenarios::verdict::Verdict;
use std::fmt::Write;
use std::path::Path;

/// Builds it, writes everything, and says how it went.
///
/// # Errors
/// Bad input: names, a graph that cannot be read, a world that there is none of. A folder that cannot be written.
pub fn run(args: &BuildArgs, quiet: bool, color: bool) -> Result<u8> {
    let found = found(args)?;
    let asked = found.as_ref().map(|found| asked_again(args, found)).transpose()?;
    let args = asked.as_ref().unwrap_or(args);
    let (spec, warnings) = spec(args, color)?;
    super::write_err(&warnings);
    let run = args.take_up.clone().unwrap_or_else(clock::run_id);
    let (built, residue) = match args.world {
        BuildWorldName::Sim => (build(&spec).map_err(bad_names)?, Vec::new()),
        BuildWorldName::Docker => match docker::build(&spec, args, (&run, found), quiet) {
            Ok(left) => (left.built, left.residue),
            Err(error) if error.is::<Interrupted>() => return Ok(exit::INTERRUPTED),
            Err(error) => return Err(bad_names(error)),
        },
    };
    let mut record = record::of(&spec, &built, &run, &args.graph);
    record.replay.extend(args.defect.iter().map(|defect| format!(" --defect {defect}")));
    let folder = args.out.join(&run);
    write(&folder, &record, &built).with_context(|| {
        format!("the build's folder {} cannot be written; name another with --out", folder.display())
    })?;
    super::write_err(&write_trend(&args.out)?);
    print(&told(&record, &built, &folder)?)?;
    for (kind, name) in &residue {
        super::write_err(&format!("error: left behind: {kind} {name}\n"));
    }
    Ok(if residue.is_empty() { status(&record) } else { exit::HARNESS })
}

/// What the builder left whose build is taken up.
fn found(args: &BuildArgs) -> Result<Option<Found>> {
    let Some(run) = &args.take_up else { return Ok(None) };
    let bad = |text: String| BadInput { text };
    let found = Found::read(&args.out, run).map_err(|why| {
        bad(format!(
            "error: nothing of run {run} can be taken up: {why}\nhelp: a build in containers can be, from its first step to its \
             end, where --out is as it was then\n"
        ))
    })?;
    if found.asked.region != args.region {
        let text = format!("error: run {run} builds `{}`, and not `{}`\n", found.asked.region, args.region);
        return Err(bad(text).into());
    }
    Ok(Some(found))
}

/// The arguments as they were then.
fn asked_again(args: &BuildArgs, found: &Found) -> Result<BuildArgs> {
    let Asked { region, from, graph, seed, defects, .. } = found.asked.clone();
    let defect = defects.iter().map(|text| text.parse()).collect::<Result<Vec<Defect>, String>>();
    Ok(BuildArgs {
        region,
        from,
        graph,
        seed: Some(seed),
        defect: defect.map_err(|why| anyhow::anyhow!("the defects of the run: {why}"))?,
        world: BuildWorldName::Docker,
        ..args.clone()
    })
}

/// Writes what all builds in a folder say together; returns what could not be read of them.
fn write_trend(out: &Path) -> Result<String> {
    let (mut records, mut unread) = (Vec::new(), String::new());
    let entries = std::fs::read_dir(out).with_context(|| format!("{} cannot be read", out.display()))?;
    for path in entries.flatten().map(|entry| entry.path().join("build.json")).filter(|path| path.is_file()) {
        let read = std::fs::read_to_string(&path).map_err(|error| error.to_string());
        match read.and_then(|text| from_json(&text)) {
            Ok(record) => records.push(record),
            Err(why) => unread += &format!("warning: {} is left out of the trend: {why}\n", path.display()),
        }
    }
    let page = trend::page(&records);
    for (name, text) in [("trend.md", page.markdown()), ("trend.html", page.html())] {
        let path = out.join(name);
        std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(unread)
}

/// What was asked for, or every problem with it.
fn spec(args: &BuildArgs, color: bool) -> Result<(Spec, String)> {
    let mut problems = String::new();
    let mut name = |text: &str, what: &str| {
        RegionName::new(text).map_err(|error| problems += &format!("error: {what}: {error}\n")).ok()
    };
    let (region, from) = (name(&args.region, "the region to be built"), name(&args.from, "--from"));
    if args.world == BuildWorldName::Docker && args.zone.is_some() {
        problems += "error: a zone cannot be built in containers yet\nhelp: --world sim builds it in virtual time\n";
    }
    let graph = load::graph(&args.graph, color);
    if let Ok((graph, _)) = &graph {
        problems += &unknown(args, graph);
    }
    match (region, from, graph) {
        (Some(region), Some(from), Ok((graph, warnings))) if problems.is_empty() => {
            let seed = args.seed.unwrap_or_else(clock::fresh_seed);
            let mut spec = match &args.zone {
                Some(zone) => Spec::of_zone(graph, region, zone, args.parent.as_deref(), seed),
                None => Spec::new(graph, from, region, seed),
            };
            args.defect.iter().cloned().for_each(|defect| defect.play(&mut spec));
            if args.world == BuildWorldName::Docker {
                spec = real(spec);
            }
            Ok((spec, warnings))
        }
        (_, _, Err(bad)) => Err(BadInput { text: problems + &bad.text }.into()),
        _ => Err(BadInput { text: problems }.into()),
    }
}

/// What defects speak of that the graph does not have, and images, which no build has.
fn unknown(args: &BuildArgs, graph: &Graph) -> String {
    let services = args.defect.iter().flat_map(Defect::services).filter(|name| graph.service(name).is_none());
    let mut problems: String =
        services.map(|name| format!("error: --defect: graph `{}` has no service `{name}`\n", graph.name)).collect();
    if args.world == BuildWorldName::Docker && graph.has_images() {
        problems += "error: a region with real images cannot be built in containers: its hosts are no mock services\n";
    }
    problems
}

/// Names that do not fit together are the caller's to change.
fn bad_names(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<fixtures::regional::RegionalError>() {
        Some(why) => BadInput { text: format!("error: {why}\n") }.into(),
        None => error,
    }
}

/// A region that is not open was not built, whatever was seen of it.
fn status(record: &BuildRecord) -> u8 {
    match record.verdict {
        Verdict::Violated => exit::VIOLATED,
        _ if !record.opened => exit::VIOLATED,
        Verdict::Held => exit::OK,
        Verdict::Inconclusive | Verdict::NotJudged => exit::INCONCLUSIVE,
    }
}

fn write(folder: &Path, record: &BuildRecord, built: &Built) -> Result<()> {
    let region = folder.join("region");
    std::fs::create_dir_all(region.join("services"))?;
    let report = page::report(record, &built.events);
    let lines: String = built.events.iter().map(|event| reports::journal::to_line(event) + "\n").collect();
    let ledger: String = built.entries.iter().map(to_line).collect();
    let regional = &built.estate.build;
    let files = [
        (folder.join("build.json"), to_json(record)),
        (folder.join("events.jsonl"), lines),
        (folder.join("ledger.jsonl"), ledger),
        (folder.join("build.md"), report.markdown()),
        (folder.join("build.html"), report.html()),
        (region.join("regional.json"), regional_json(regional)),
        (region.join("README.md"), page::region(regional, &built.estate.graph).markdown()),
    ];
    let services = reports::docs::pages(&built.estate.graph, &[]).into_iter();
    let services = services.map(|(name, page)| (region.join("services").join(name), page.markdown()));
    let shown = dashboards::files("README.md").map(|(name, text)| (region.join(name), text));
    for (path, text) in files.into_iter().chain(services).chain(shown) {
        std::fs::write(&path, text)?;
    }
    Ok(())
}

/// The end of a build, for a terminal.
fn told(record: &BuildRecord, built: &Built, folder: &Path) -> Result<String> {
    let mut text = String::new();
    writeln!(text, "{}: {}", page::what(record), record.ending)?;
    for phase in reports::build::told(&built.events).phases {
        let seconds = phase.to_ns.saturating_sub(phase.from_ns) as f64 / 1e9;
        writeln!(text, "  {:<29} {seconds:>7.1} s", phase.phase.word())?;
    }
    for result in &record.invariants {
        writeln!(text, "{:<4} {:<12} {}", result.id, result.verdict.word(), result.reason)?;
    }
    for finding in &record.findings {
        writeln!(text, "finding {}: {} (team {})", finding.invariant, finding.text, finding.team)?;
    }
    writeln!(text, "{}: {}", record.verdict.word(), folder.display())?;
    Ok(text)
}
