//! Owns `blackstart parity`: the same scenarios in both worlds, and where they disagree. Also makes the simulator's
//! calibration from a recorded run. Refuses to explain a difference away.

mod calibrate;
mod table;

use super::print;
use crate::cli::ParityArgs;
use crate::explore::Culprit;
use crate::load;
use crate::twin;
use anyhow::{Context, Result, bail};
use reports::record::Record;
use scenarios::judgement::{Finding, InvariantResult, Measurements};
use scenarios::verdict::Verdict;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

/// The factor between medians of restart-to-active that counts as agreement, in hundredths.
const FACTOR_PER_CENT: f64 = 150.0;

/// Compares; 0 where everything agrees, 1 where something does not.
///
/// # Errors
/// Bad input; no engine; a run that leaves no record.
pub fn run(args: &ParityArgs, quiet: bool, color: bool) -> Result<u8> {
    if args.calibrate {
        print(&calibrate::measure(&args.out)?)?;
        return Ok(crate::exit::OK);
    }
    let builtin: Vec<String> = scenarios::builtin::scenario_names().map(str::to_owned).collect();
    let names = if args.scenarios.is_empty() { &builtin } else { &args.scenarios };
    let mut rows = Vec::new();
    for name in names {
        let mut loaded = load::virtual_scenario(name, color)?;
        let simulated = twin::play(&mut loaded, args.seed)?.judgement;
        let recorded = match &args.recorded {
            Some(folder) => find(folder, &loaded.scenario.name)?,
            None => hold(name, args.seed, quiet)?,
        };
        let medians = median(&recorded.measurements).zip(median(&simulated.measurements));
        let row = Row {
            scenario: loaded.scenario.name.clone(),
            verdicts: (recorded.verdict, simulated.verdict),
            medians_ms: medians,
            differences: compare(&recorded, &simulated),
        };
        let word = if row.differences.is_empty() { "agree" } else { "DISAGREE" };
        print(&format!("{:<26} {word:<9} {}", row.scenario, said(medians)))?;
        for difference in &row.differences {
            print(&format!("    {difference}"))?;
        }
        rows.push(row);
    }
    if let Some(path) = &args.record {
        let text = table::table(args.seed, &rows)?;
        std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let agree = rows.iter().all(|row| row.differences.is_empty());
    Ok(if agree { crate::exit::OK } else { crate::exit::VIOLATED })
}

/// One scenario in both worlds: first as an engine had it, then simulated.
struct Row {
    scenario: String,
    verdicts: (Verdict, Verdict),
    /// Medians over instances from power to active.
    medians_ms: Option<(f64, f64)>,
    differences: Vec<String>,
}

/// Holds a scenario on an engine, as its own process, and reads the record that it prints.
pub(super) fn hold(name: &str, seed: u64, quiet: bool) -> Result<Record> {
    let executable = std::env::current_exe().context("this executable cannot find itself")?;
    let mut command = Command::new(executable);
    command.args(["run", name, "--world", "docker", "--format", "json", "--seed", &seed.to_string()]);
    if quiet {
        command.arg("--quiet");
    }
    let output = command.stderr(Stdio::inherit()).output().context("the run on an engine could not be started")?;
    let text = String::from_utf8_lossy(&output.stdout);
    reports::record::from_json(&text).with_context(|| format!("the run of `{name}` on an engine left no record"))
}

/// The latest record of a scenario in a folder of runs, or of folders of runs.
fn find(folder: &Path, scenario: &str) -> Result<Record> {
    let mut found: Option<Record> = None;
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        let entries = std::fs::read_dir(&next).with_context(|| format!("{} cannot be read", next.display()))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.ends_with("record.json") {
                let record = reports::record::from_json(&std::fs::read_to_string(&path)?)?;
                let fits = record.scenario == scenario && record.world == "docker";
                if fits && found.as_ref().is_none_or(|known| known.run < record.run) {
                    found = Some(record);
                }
            }
        }
    }
    match found {
        Some(record) => Ok(record),
        None => bail!("no run of `{scenario}` on an engine is in {}", folder.display()),
    }
}

fn compare(recorded: &Record, simulated: &scenarios::judgement::Judgement) -> Vec<String> {
    let mut differences = Vec::new();
    if recorded.verdict != simulated.verdict {
        differences.push(format!("verdict: docker {:?}, sim {:?}", recorded.verdict, simulated.verdict));
    }
    let rows = |results: &[InvariantResult]| -> BTreeSet<String> {
        let row = |result: &InvariantResult| {
            let aspect = result.aspect.as_ref().map(|aspect| format!(" ({aspect})")).unwrap_or_default();
            format!("{}{aspect} {:?}", result.id, result.verdict)
        };
        results.iter().map(row).collect()
    };
    let culprits = |findings: &[Finding]| -> BTreeSet<String> {
        let text = |finding: &Finding| {
            let Culprit { invariant, service, dependency, setting } = Culprit::of(finding);
            format!("{invariant} {service} {dependency} {setting}")
        };
        findings.iter().map(text).collect()
    };
    let pairs = [
        (rows(&recorded.invariants), rows(&simulated.invariants)),
        (culprits(&recorded.findings), culprits(&simulated.findings)),
    ];
    for (docker, sim) in pairs {
        differences.extend(docker.difference(&sim).map(|row| format!("docker only: {row}")));
        differences.extend(sim.difference(&docker).map(|row| format!("sim only: {row}")));
    }
    if let (Some(docker), Some(sim)) = (median(&recorded.measurements), median(&simulated.measurements)) {
        let factor = (sim / docker).max(docker / sim) * 100.0;
        if factor > FACTOR_PER_CENT {
            differences.push(format!("restart to active, median: a factor of {:.2}", factor / 100.0));
        }
    }
    differences
}

/// The median over instances from power to active, in milliseconds.
fn median(measurements: &Measurements) -> Option<f64> {
    let mut all: Vec<f64> = measurements.restart_to_active_ms_by_instance.values().copied().collect();
    all.sort_by(f64::total_cmp);
    let middle = all.len() / 2;
    let (low, high) = (all.get(all.len().checked_sub(1)? / 2)?, all.get(middle)?);
    Some((low + high) / 2.0)
}

fn said(medians: Option<(f64, f64)>) -> String {
    let text = |(docker, sim): (f64, f64)| {
        format!("restart to active, median: docker {docker:.0} ms, sim {sim:.0} ms ({:.2})", sim / docker)
    };
    medians.map(text).unwrap_or_default()
}
