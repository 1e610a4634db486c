//! Owns `blackstart explore`: searches many seeds and schedules of a scenario in virtual time, makes what fails small,
//! confirms its culprit, and says how to see it again.

use super::print;
use crate::cli::ExploreArgs;
use crate::explore::repair::{self, Confirmation};
use crate::explore::{Bounds, Culprit, Failure, Found, file, search, shrink};
use crate::load;
use anyhow::Result;
use indicatif::{ProgressBar, ProgressDrawTarget};
use scenarios::judgement::Finding;
use scenarios::verdict::Verdict;
use std::fmt::Write;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Values of one thing varied that are printed at most.
const COVERED_MAX: usize = 12;

/// Searches; 0 when nothing fails, 1 when something does.
///
/// # Errors
/// Bad input; a folder that cannot be written.
pub fn run(args: &ExploreArgs, quiet: bool, color: bool) -> Result<u8> {
    let base = load::virtual_scenario(&args.scenario, color)?;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let over = AtomicBool::new(false);
    let seeds = if args.minutes.is_some() && args.seeds.is_none() { u64::MAX } else { args.seeds.unwrap_or(2_000) };
    let bounds = Bounds { first: args.seed, seeds, over, stop_at_first: args.stop_at_first, threads };
    let target = if quiet || !std::io::stderr().is_terminal() {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    };
    let bar = ProgressBar::with_draw_target((seeds != u64::MAX).then_some(seeds), target);
    let begun = crate::clock::Clock::start();
    let limit_ns = args.minutes.map(|minutes| minutes.saturating_mul(60_000_000_000));
    let on_seed = || {
        bar.inc(1);
        if limit_ns.is_some_and(|limit| begun.now() >= limit) {
            bounds.over.store(true, Ordering::Relaxed);
        }
    };
    let found = search(&bounds, || Ok(load::virtual_scenario(&args.scenario, color)?), on_seed)?;
    bar.finish_and_clear();
    print(&covered(&found, Duration::from_nanos(begun.now()), threads)?)?;
    let mut failures: Vec<(&Culprit, &Failure)> = found.failures.iter().collect();
    failures.sort_by_key(|(culprit, failure)| (std::cmp::Reverse(failure.seen), *culprit));
    for (number, (culprit, failure)) in failures.iter().enumerate() {
        if number < args.cases {
            print(&tell(args, &base, number + 1, culprit, failure)?)?;
        } else {
            let (seen, text) = (failure.seen, &failure.finding.text);
            print(&format!("{}. {} {}: {text} ({seen} seeds)", number + 1, culprit.invariant, culprit.service))?;
        }
    }
    Ok(if found.failures.is_empty() { crate::exit::OK } else { crate::exit::VIOLATED })
}

fn covered(found: &Found, took: Duration, threads: usize) -> Result<String> {
    let rate = found.seeds as f64 * 60.0 / took.as_secs_f64().max(1e-9);
    let mut text = format!(
        "{} seeds in {:.1} s on {threads} threads ({rate:.0} a minute, {} inputs)\n",
        found.seeds,
        took.as_secs_f64(),
        found.handed
    );
    let list = |counts: &std::collections::BTreeMap<String, u64>| {
        let shown = counts.iter().take(COVERED_MAX).map(|(value, count)| format!("{value} {count}"));
        let more = counts.len().saturating_sub(COVERED_MAX);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        shown.collect::<Vec<_>>().join(", ") + &more
    };
    writeln!(text, "  verdicts    {}", list(&found.verdicts))?;
    for (what, counts) in &found.coverage {
        writeln!(text, "  {what:<11} {}", list(counts))?;
    }
    Ok(text)
}

fn tell(
    args: &ExploreArgs,
    base: &load::Loaded,
    number: usize,
    culprit: &Culprit,
    failure: &Failure,
) -> Result<String> {
    let shrunk = shrink::shrink(failure.varied.applied(base), failure.seed, culprit)?;
    let played = crate::twin::play(&mut shrunk.loaded.clone(), failure.seed)?;
    let found = Culprit::all(&played.judgement).into_iter().find(|(known, _)| known == culprit);
    let finding = found.map_or_else(|| failure.finding.clone(), |(_, finding)| finding);
    let confirmed = match repair::confirm(&shrunk.loaded, failure.seed, &finding)? {
        Confirmation::Confirmed => "confirmed: with only that repaired the same day is held",
        Confirmation::Refuted => "suspected: with only that repaired the same day still fails",
        Confirmation::NotRepairable => "suspected: it names nothing that could be repaired alone",
    };
    let mut text = format!("\n{number}. {} {}: {}\n", culprit.invariant, culprit.service, finding.text);
    let chain: Vec<String> = finding
        .chain
        .iter()
        .map(|link| format!("{} waiting for {} ({})", link.who, link.waits_for, link.how))
        .collect();
    if !chain.is_empty() {
        writeln!(text, "   {}.", chain.join("; "))?;
    }
    writeln!(text, "   setting: {}; {confirmed}", if culprit.setting.is_empty() { "none" } else { &culprit.setting })?;
    writeln!(text, "   seen with {} seeds, first with {}", failure.seen, failure.seed)?;
    let loaded = &shrunk.loaded;
    writeln!(
        text,
        "   smallest: {} fault(s), {} services on {} hosts, after {} game days",
        loaded.scenario.faults.len(),
        loaded.graph.services.len(),
        loaded.placement.hosts.len(),
        shrunk.played
    )?;
    let name = format!("{}-{number}", loaded.scenario.name);
    let comment = format!(
        "The smallest case found by a search with `{}`: {}.\nExpected: {} violated, culprit {} {}",
        args.scenario, finding.text, culprit.invariant, culprit.service, culprit.setting
    );
    let path = match file::write(loaded, &name, &args.out, &comment) {
        Ok(path) => path,
        Err(error) => {
            writeln!(text, "   not written: {error:#}")?;
            return Ok(text);
        }
    };
    let (shown, seed) = (path.display(), failure.seed);
    writeln!(text, "   replay: blackstart run {shown} --world sim --seed {seed}")?;
    writeln!(text, "   on an engine: blackstart run {shown} --world docker --seed {seed}")?;
    let twin = twin(args, loaded, &name, &finding)?;
    if let Some(twin) = &twin {
        writeln!(text, "   with only that repaired: blackstart run {} --world sim --seed {seed}", twin.display())?;
    }
    if args.on_engine {
        writeln!(text, "   on an engine: {}", held_on_engine(&path, twin.as_deref(), seed, culprit)?)?;
    }
    Ok(text)
}

/// The case with only the culprit repaired, as a file beside it; `None` where that is nothing that one repairs alone.
fn twin(args: &ExploreArgs, case: &load::Loaded, name: &str, finding: &Finding) -> Result<Option<PathBuf>> {
    let Some(repaired) = repair::repaired(case, finding) else { return Ok(None) };
    let setting = finding.setting.as_deref().unwrap_or_default();
    let comment = format!("The twin of `{name}` in which only `{setting}` is repaired.\nExpected: held.");
    file::write(&repaired, &format!("{name}-repaired"), &args.out, &comment).map(Some)
}

/// Holds a case and its twin on an engine, and says what that shows.
fn held_on_engine(case: &Path, twin: Option<&Path>, seed: u64, culprit: &Culprit) -> Result<String> {
    let hold = |path: &Path| super::parity::hold(&path.display().to_string(), seed, true);
    let record = hold(case)?;
    if !record.findings.iter().any(|finding| Culprit::of(finding) == *culprit) {
        return Ok(format!("{:?} there, without this culprit", record.verdict).to_lowercase());
    }
    let Some(twin) = twin else { return Ok("the same culprit; suspected".to_owned()) };
    Ok(match hold(twin)?.verdict {
        Verdict::Held => "the same culprit; confirmed: with only that repaired the same day is held".to_owned(),
        other => format!("the same culprit; suspected: with only that repaired the day is {other:?}"),
    })
}
