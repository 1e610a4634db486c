//! Owns `blackstart build`: builds a region or a zone, in virtual time or in containers, or takes a build up, and leaves its
//! record, its events, its ledger, its report, its lessons, and what was generated for it. Refuses to know how a world does it.

mod docker;

use super::print;
use crate::builder::Ending;
use crate::builder::ledger::{Entry, Ledger};
use crate::building::defect::Defect;
use crate::building::docker::real;
use crate::building::folder::{Asked, Folder};
use crate::building::shown::Shown;
use crate::building::{Built, NoBorder, Spec, Watch, record, watched, whole_graph};
use crate::cli::{BuildArgs, BuildWorldName};
use crate::load::{self, BadInput};
use crate::{clock, dashboards, exit};
use anyhow::{Context, Result};
use fixtures::graph::Graph;
use fixtures::name::RegionName;
use fixtures::regional::RegionalError;
use fixtures::regional::estate::Estate;
use reports::build::checks::{Kind, open};
use reports::build::{BuildRecord, configuration, from_json, lessons, page, regional_json, to_json, trend};
use reports::policy::Policy;
use scenarios::build::plan::BuildPlan;
use scenarios::event::Event;
use scenarios::verdict::Verdict;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Builds it, writes everything, and says how it went.
///
/// # Errors
/// Bad input: names, a graph that cannot be read, a world that there is none of, a build that cannot be taken up. A folder
/// that cannot be written.
pub fn run(args: &BuildArgs, quiet: bool, color: bool) -> Result<u8> {
    if args.world == BuildWorldName::Docker || docker::is_there(args) {
        return docker::run(args, quiet, color);
    }
    let shown = Shown::new(quiet, color);
    let (asked, spec, mut work, warnings) = match &args.take_up {
        Some(run) => taken_up(args, run, color, shown)?,
        None => begun(args, color, shown)?,
    };
    super::write_err(&warnings);
    let built = watched(&spec, &mut work).map_err(bad_names)?;
    work.shown.over();
    let (run, folder) = (work.run.clone(), work.path.clone());
    let record = recorded(&spec, &built, &run, &asked);
    write(&folder, &record, &built).with_context(|| {
        format!("the build's folder {} cannot be written; name another with --out", folder.display())
    })?;
    super::write_err(&write_trend(&args.out)?);
    print(&told(&record, &built, (&run, &args.out, &folder))?)?;
    Ok(status(&record, &built.ending))
}

/// The work on one build: its folder, and who looks on.
struct Work {
    run: String,
    path: PathBuf,
    asked: Asked,
    /// Absent before it begins: names that do not fit together leave no folder.
    folder: Option<Folder>,
    shown: Shown,
}

impl Watch for Work {
    fn begins(&mut self, estate: &Estate, plan: &BuildPlan) -> Result<()> {
        match self.folder {
            Some(_) => self.shown.say(&format!("run {} is played again up to the end of its ledger", self.run)),
            None => self.folder = Some(Folder::begin(&self.path, &self.asked)?),
        }
        self.shown.begins(estate, plan);
        Ok(())
    }

    fn event(&mut self, event: &Event) {
        self.shown.event(event);
    }

    fn entry(&mut self, entry: &Entry) -> Result<()> {
        self.folder.as_mut().map_or(Ok(()), |folder| folder.write(entry))
    }
}

/// Its record, with the command that does it again.
fn recorded(spec: &Spec, built: &Built, run: &str, asked: &Asked) -> BuildRecord {
    record::with_defects(record::of(spec, built, run, &asked.graph), &asked.defects)
}

/// What is asked for by these arguments.
fn asked_by(args: &BuildArgs) -> Asked {
    Asked {
        region: args.region.clone(),
        from: args.from.clone(),
        zone: args.zone.clone(),
        parent: args.parent.clone(),
        graph: args.graph.clone(),
        world: if args.world == BuildWorldName::Docker { "docker" } else { "sim" }.to_owned(),
        seed: args.seed.unwrap_or_else(clock::fresh_seed),
        defects: args.defect.iter().map(ToString::to_string).collect(),
        checks: Vec::new(),
    }
}

/// A new build.
fn begun(args: &BuildArgs, color: bool, shown: Shown) -> Result<(Asked, Spec, Work, String)> {
    let (asked, spec, warnings) = wanted(args, color)?;
    let run = clock::run_id();
    let path = args.out.join(&run);
    Ok((asked.clone(), spec, Work { run, path, asked, folder: None, shown }, warnings))
}

/// What a new build is asked for, with what stands open of earlier ones.
fn wanted(args: &BuildArgs, color: bool) -> Result<(Asked, Spec, String)> {
    let asked = asked_by(args);
    let (spec, warnings) = spec(&asked, color)?;
    let (records, _) = earlier(&args.out);
    let kind = Kind::of(spec.zone.is_some(), asked.parent.is_some());
    let asked = Asked { checks: open(&records, kind, spec.graph.name.as_str()), ..asked };
    let spec = Spec { pause_before: args.pause_before, checks: asked.checks.clone(), ..spec };
    Ok((asked, spec, warnings))
}

/// A build that an earlier process began: what it had done is played again, and goes on.
fn taken_up(args: &BuildArgs, run: &str, color: bool, shown: Shown) -> Result<(Asked, Spec, Work, String)> {
    let path = args.out.join(run);
    let (folder, asked, entries) = Folder::take_up(&path)?;
    let mut ledger = Ledger::default();
    entries.iter().for_each(|entry| ledger.apply(entry));
    let refused = if asked.region != args.region {
        Some(format!("error: run {run} builds `{}`, and not `{}`\n", asked.region, args.region))
    } else if ledger.ended.is_some() {
        Some(format!("error: run {run} is over: nothing of it is left to be done\nhelp: begin another build\n"))
    } else {
        None
    };
    if let Some(text) = refused {
        return Err(BadInput { text }.into());
    }
    let (spec, warnings) = spec(&asked, color)?;
    let checks = asked.checks.clone();
    let spec = Spec { pause_before: args.pause_before, earlier: entries, checks, ..spec };
    let work = Work { run: run.to_owned(), path, asked: asked.clone(), folder: Some(folder), shown };
    Ok((asked, spec, work, warnings))
}

/// Records of builds in a folder, and what could not be read of them.
fn earlier(out: &Path) -> (Vec<BuildRecord>, String) {
    let (mut records, mut unread) = (Vec::new(), String::new());
    let entries = std::fs::read_dir(out).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path().join("build.json")).filter(|path| path.is_file()) {
        let read = std::fs::read_to_string(&path).map_err(|error| error.to_string());
        match read.and_then(|text| from_json(&text)) {
            Ok(record) => records.push(record),
            Err(why) => unread += &format!("warning: {} is left out of the trend: {why}\n", path.display()),
        }
    }
    (records, unread)
}

/// Writes what all builds in a folder say together; returns what could not be read of them.
fn write_trend(out: &Path) -> Result<String> {
    let (records, unread) = earlier(out);
    let page = trend::page(&records);
    for (name, text) in [("trend.md", page.markdown()), ("trend.html", page.html())] {
        let path = out.join(name);
        std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(unread)
}

/// What was asked for, or every problem with it.
fn spec(asked: &Asked, color: bool) -> Result<(Spec, String)> {
    let mut problems = String::new();
    let mut name = |text: &str, what: &str| {
        RegionName::new(text).map_err(|error| problems += &format!("error: {what}: {error}\n")).ok()
    };
    let (region, from) = (name(&asked.region, "the region to be built"), name(&asked.from, "--from"));
    let is_docker = asked.world == "docker";
    let mut defects = Vec::new();
    for text in &asked.defects {
        match text.parse::<Defect>() {
            Ok(defect) if defect.is_of(asked.zone.is_some()) => defects.push(defect),
            Ok(_) => {
                let (what, other) = if asked.zone.is_some() { ("zone", "region") } else { ("region", "zone") };
                problems +=
                    &format!("error: --defect {text}: the build of a {what} cannot play it: it is one of a {other}\n");
            }
            Err(why) => problems += &format!("error: --defect {text}: {why}\n"),
        }
    }
    let graph = load::graph(&asked.graph, color);
    if is_docker && graph.as_ref().is_ok_and(|(graph, _)| graph.has_images()) {
        problems += "error: a region with real images cannot be built in containers: its hosts are no mock services\n";
    }
    match (region, from, graph) {
        (Some(region), Some(from), Ok((graph, warnings))) if problems.is_empty() => {
            let mut spec = match &asked.zone {
                Some(zone) => Spec::of_zone(graph, region, zone, asked.parent.as_deref(), asked.seed),
                None => Spec::new(graph, from, region, asked.seed),
            };
            // A build has services that the graph does not name; names that do not fit are told when it begins.
            let problems = whole_graph(&spec).map_or_else(|_| String::new(), |graph| unknown(&defects, &graph));
            if !problems.is_empty() {
                return Err(BadInput { text: problems }.into());
            }
            defects.into_iter().for_each(|defect| defect.play(&mut spec));
            Ok((if is_docker { real(spec) } else { spec }, warnings))
        }
        (_, _, Err(bad)) => Err(BadInput { text: problems + &bad.text }.into()),
        _ => Err(BadInput { text: problems }.into()),
    }
}

/// What defects speak of that the build does not have.
fn unknown(defects: &[Defect], graph: &Graph) -> String {
    let services = defects.iter().flat_map(Defect::services).filter(|name| graph.service(name).is_none());
    services.map(|name| format!("error: --defect: graph `{}` has no service `{name}`\n", graph.name)).collect()
}

/// Names that do not fit together, and borders that there are none of, are the caller's to change.
fn bad_names(error: anyhow::Error) -> anyhow::Error {
    let names = error.downcast_ref::<RegionalError>().map(ToString::to_string);
    let border = || error.downcast_ref::<NoBorder>().map(ToString::to_string);
    match names.or_else(border) {
        Some(why) => BadInput { text: format!("error: {why}\n") }.into(),
        None => error,
    }
}

/// A region that is not open was not built, whatever was seen of it; one that is paused as somebody asked says nothing yet.
fn status(record: &BuildRecord, ending: &Ending) -> u8 {
    match record.verdict {
        Verdict::Violated => exit::VIOLATED,
        _ if matches!(ending, Ending::Paused { why, .. } if why.is_empty()) => exit::INCONCLUSIVE,
        _ if !record.opened => exit::VIOLATED,
        Verdict::Held => exit::OK,
        Verdict::Inconclusive | Verdict::NotJudged => exit::INCONCLUSIVE,
    }
}

/// What is generated of a region from its name and its graph: path below the region's folder, and text.
pub fn generated(estate: &Estate) -> Vec<(PathBuf, String)> {
    let (regional, below) = (&estate.build, |folder: &str, name: String| Path::new(folder).join(name));
    let zones: Vec<String> = regional.zones.iter().map(ToString::to_string).collect();
    let mut files = vec![
        (PathBuf::from("regional.json"), regional_json(regional)),
        (PathBuf::from("README.md"), page::region(regional, &estate.graph).markdown()),
    ];
    let pages = configuration::pages(estate).into_iter();
    files.extend(pages.map(|(name, page)| (below("services", name), page.markdown())));
    files.extend(configuration::files(estate).into_iter().map(|(name, text)| (below("config", name), text)));
    let shown = dashboards::of_region(regional.region.as_str(), &zones, "README.md");
    files.extend(shown.map(|(name, text)| (PathBuf::from(name), text)));
    files
}

fn write(folder: &Path, record: &BuildRecord, built: &Built) -> Result<()> {
    let region = folder.join("region");
    std::fs::create_dir_all(region.join("services"))?;
    std::fs::create_dir_all(region.join("config"))?;
    let report = page::report(record, &built.events);
    let lines: String = built.events.iter().map(|event| reports::journal::to_line(event) + "\n").collect();
    let files = [
        (folder.join("build.json"), to_json(record)),
        (folder.join("events.jsonl"), lines),
        (folder.join("build.md"), report.markdown()),
        (folder.join("build.html"), report.html()),
    ];
    let generated = generated(&built.estate).into_iter().map(|(name, text)| (region.join(name), text));
    let correction = lessons::correction(record, &built.estate, &built.events, &Policy::USUAL);
    let correction = correction.map(|text| (folder.join("coe.md"), text));
    for (path, text) in files.into_iter().chain(generated).chain(correction) {
        std::fs::write(&path, text)?;
    }
    Ok(())
}

/// The end of a build, for a terminal.
fn told(record: &BuildRecord, built: &Built, (run, out, folder): (&str, &Path, &Path)) -> Result<String> {
    let mut text = String::new();
    writeln!(text, "{}: {}", page::what(record), record.ending)?;
    for phase in reports::build::told(&built.events).phases {
        let seconds = phase.to_ns.saturating_sub(phase.from_ns) as f64 / 1e9;
        writeln!(text, "  {:<29} {seconds:>7.1} s", phase.phase.word())?;
    }
    for result in &record.invariants {
        writeln!(text, "{:<4} {:<12} {}", result.id, result.verdict.word(), result.reason)?;
    }
    for reason in &record.inconclusive {
        writeln!(text, "inconclusive: {}", reason.text)?;
    }
    for finding in &record.findings {
        writeln!(text, "finding {}: {} (team {})", finding.invariant, finding.text, finding.team)?;
    }
    for row in &record.checks {
        let finding = &row.check.finding;
        let (id, from, outcome) = (&finding.invariant, &row.check.from, row.outcome.word());
        writeln!(text, "open from {from}: {id}: {} (team {}): {outcome}", finding.text, finding.team)?;
    }
    for hand in &record.hands {
        writeln!(text, "by hand, at {}: {} (team {})", hand.step, hand.what, hand.team)?;
    }
    if matches!(built.ending, Ending::Paused { .. }) {
        writeln!(text, "to go on: blackstart build {} --take-up {run} --out {}", record.region, out.display())?;
    }
    writeln!(text, "{}: {}", record.verdict.word(), folder.display())?;
    Ok(text)
}
