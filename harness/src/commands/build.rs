//! Owns `blackstart build`: builds a region or a zone in virtual time, and leaves its record, its events, its ledger, its report, and
//! what was generated for it. Refuses to build in containers: that is not there yet, and it says so.

use super::print;
use crate::builder::Ending;
use crate::builder::ledger::to_line;
use crate::building::{Built, Spec, build};
use crate::cli::{BuildArgs, BuildWorldName};
use crate::load::{self, BadInput};
use crate::{clock, dashboards, exit};
use anyhow::{Context, Result};
use fixtures::name::RegionName;
use reports::build::page;
use reports::build::{BUILD_SCHEMA, BuildRecord, regional_json, to_json};
use scenarios::verdict::Verdict;
use std::fmt::Write;
use std::path::Path;

/// Builds it, writes everything, and says how it went.
///
/// # Errors
/// Bad input: names, a graph that cannot be read, a world that there is none of. A folder that cannot be written.
pub fn run(args: &BuildArgs, color: bool) -> Result<u8> {
    let (spec, warnings) = spec(args, color)?;
    super::write_err(&warnings);
    let run = clock::run_id();
    let built = build(&spec).map_err(bad_names)?;
    let record = record(args, &run, &spec, &built);
    let folder = args.out.join(&run);
    write(&folder, &record, &built).with_context(|| {
        format!("the build's folder {} cannot be written; name another with --out", folder.display())
    })?;
    print(&told(&record, &built, &folder)?)?;
    Ok(status(&record))
}

/// What was asked for, or every problem with it.
fn spec(args: &BuildArgs, color: bool) -> Result<(Spec, String)> {
    let mut problems = String::new();
    let mut name = |text: &str, what: &str| {
        RegionName::new(text).map_err(|error| problems += &format!("error: {what}: {error}\n")).ok()
    };
    let (region, from) = (name(&args.region, "the region to be built"), name(&args.from, "--from"));
    if args.world == BuildWorldName::Docker {
        problems += "error: a region cannot be built in containers yet\nhelp: --world sim builds it in virtual time\n";
    }
    let graph = load::graph(&args.graph, color);
    match (region, from, graph) {
        (Some(region), Some(from), Ok((graph, warnings))) if problems.is_empty() => {
            let seed = args.seed.unwrap_or_else(clock::fresh_seed);
            let spec = match &args.zone {
                Some(zone) => Spec::of_zone(graph, region, zone, args.parent.as_deref(), seed),
                None => Spec::new(graph, from, region, seed),
            };
            Ok((spec, warnings))
        }
        (_, _, Err(bad)) => Err(BadInput { text: problems + &bad.text }.into()),
        _ => Err(BadInput { text: problems }.into()),
    }
}

/// Names that do not fit together are the caller's to change.
fn bad_names(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<fixtures::regional::RegionalError>() {
        Some(why) => BadInput { text: format!("error: {why}\n") }.into(),
        None => error,
    }
}

fn record(args: &BuildArgs, run: &str, spec: &Spec, built: &Built) -> BuildRecord {
    let ending = match &built.ending {
        Ending::Completed => "open to customers".to_owned(),
        Ending::RolledBack { why } => format!("rolled back ({why})"),
        Ending::Stuck { step, why } => format!("stuck at {step} ({why})"),
    };
    BuildRecord {
        schema: BUILD_SCHEMA,
        run: run.to_owned(),
        region: spec.build.to_string(),
        zone: built.estate.new_zone().map(ToString::to_string),
        bootstrap: spec.bootstrap.to_string(),
        graph: spec.graph.name.to_string(),
        world: "sim".to_owned(),
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
        replay: replay(args, spec),
    }
}

fn replay(args: &BuildArgs, spec: &Spec) -> String {
    let how = match &args.zone {
        Some(zone) => {
            let parent = args.parent.as_ref().map(|parent| format!(" --parent {parent}")).unwrap_or_default();
            format!("--zone {zone}{parent}")
        }
        None => format!("--from {}", spec.bootstrap),
    };
    format!("blackstart build {} {how} --graph {} --world sim --seed {}", spec.build, args.graph, spec.seed)
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
