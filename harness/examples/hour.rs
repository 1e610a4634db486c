//! Owns the hour on an engine: a server with a schedule and a region that stands, both killed at random instants, and what came of
//! it: no slot lost, none run twice, what the region's customers got, how much memory the server took, and nothing left. Refuses
//! to retry.
//!
//! `cargo build --release && cargo run --release --example hour -- MINUTES [SEED] [EXECUTABLE]` — as root on the engine's machine.
//! The figures of the last one are in `figures/hour.txt`.

use anyhow::{Context, Result, ensure};
use fixtures::diagnostic::Source;
use harness::region::folder::{Folder, Lock};
use harness::region::ledger::{self as region_ledger, What};
use harness::region::state::{Phase, State};
use harness::schedule::keeper::slot_after;
use harness::schedule::ledger::{Entry, Slot};
use harness::schedule::moment::Moment;
use harness::schedule::{Variants, load};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[path = "../tests/docker/lab.rs"]
#[expect(
    dead_code,
    reason = "the hour looks at what is left by the same means as the tests, and needs no more of them"
)]
mod lab;

const REGION: &str = "hour";
/// A game day every so many minutes, deployments between them.
const SCHEDULE: &str = "
[[regions]]
name = 'hour'
scenario = 'minimal'
deploy-every = '6m'

[[schedules]]
name = 'days'
cron = '*/2 * * * *'
scenarios = ['minimal']
region = 'hour'
takes-at-most = '10m'
waits-at-most = '90s'
";
/// From one kill to the next, in seconds.
const KILLS_S: std::ops::Range<u64> = 60..300;
/// For how long nobody is there after one, in milliseconds.
const AWAY_MS: std::ops::Range<u64> = 0..25_000;
/// One in so many kills takes the region's keeper with the server.
const KEEPER_TOO: usize = 3;
const PATIENCE: Duration = Duration::from_secs(240);

#[expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::disallowed_methods, reason = "a benchmark times by the machine's clock")]
fn now() -> (Moment, Instant) {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    (Moment(i64::try_from(since.as_millis()).unwrap_or_default()), Instant::now())
}

/// Where everything is.
struct Place {
    executable: PathBuf,
    schedule: PathBuf,
    runs: PathBuf,
    root: PathBuf,
}

impl Place {
    fn serve(&self) -> Result<Child> {
        let mut command = Command::new(&self.executable);
        command.arg("serve").arg(&self.schedule).args(["--quiet", "--listen", "127.0.0.1:0", "--out"]).arg(&self.runs);
        command.arg("--root").arg(&self.root).stdin(Stdio::null()).stdout(Stdio::null());
        command.spawn().context("the server cannot be started")
    }

    fn region(&self) -> Folder {
        Folder::of(&self.root, REGION)
    }

    fn state(&self) -> Option<State> {
        State::read(&self.region())
    }
}

fn until(what: &str, is_so: impl Fn() -> bool) -> Result<()> {
    let (_, began) = now();
    while !is_so() {
        ensure!(began.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// Resident memory of a process, in MB.
fn resident_mb(pid: u32) -> f64 {
    let told = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = told.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap_or_default() / 1024.0
}

fn signal(pid: u32, name: &str) {
    // One that is gone already needs none.
    let _gone = Command::new("kill").args(["-s", name, &pid.to_string()]).stderr(Stdio::null()).status();
}

fn keeper(place: &Place) -> Option<u32> {
    let said: serde_json::Value = serde_json::from_str(&place.region().holder(Lock::Keeper)?).ok()?;
    u32::try_from(said["pid"].as_u64()?).ok()
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let minutes: u64 = arguments.first().context("usage: hour MINUTES [SEED] [EXECUTABLE]")?.parse()?;
    let seed: u64 = arguments.get(1).map_or(Ok(1), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let own = std::env::current_exe()?.with_file_name("../blackstart");
    let place = Place {
        executable: arguments.get(2).map_or(own, PathBuf::from),
        schedule: folder.path().join("schedule.toml"),
        runs: folder.path().join("runs"),
        root: folder.path().join("regions"),
    };
    std::fs::write(&place.schedule, SCHEDULE)?;
    let (began, clock) = now();
    let mut server = place.serve()?;
    let held = hold(&place, &mut server, Duration::from_secs(minutes * 60), seed);
    // In order, so that what goes on is healed.
    let (ended, _) = now();
    let memory = resident_mb(server.id());
    signal(server.id(), "TERM");
    server.wait()?;
    let told = held.and_then(|held| report(&place, held, (began, ended), memory));
    let left = remove(&place);
    say(&format!("{:<34} {:>8.1}", "minutes in all", clock.elapsed().as_secs_f64() / 60.0));
    told?;
    let left = left?;
    say(&format!("{:<34} {:>8}", "what is left", if left.is_empty() { "nothing" } else { "this:" }));
    ensure!(left.is_empty(), "left behind: {left:#?}");
    Ok(())
}

/// What was done to it.
struct Held {
    kills: usize,
    keepers: usize,
    memory_mb: f64,
    lasted: Duration,
}

fn hold(place: &Place, server: &mut Child, lasts: Duration, seed: u64) -> Result<Held> {
    until("a region that is well", || place.state().is_some_and(|state| state.phase == Phase::Well))?;
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut held = Held { kills: 0, keepers: 0, memory_mb: resident_mb(server.id()), lasted: lasts };
    let (_, clock) = now();
    loop {
        let pause = Duration::from_secs(chance.u64(KILLS_S));
        let left = lasts.saturating_sub(clock.elapsed());
        if pause >= left {
            std::thread::sleep(left);
            held.lasted = clock.elapsed();
            return Ok(held);
        }
        std::thread::sleep(pause);
        let with_keeper = held.kills % KEEPER_TOO == KEEPER_TOO - 1;
        signal(server.id(), "KILL");
        server.wait()?;
        if let Some(pid) = keeper(place).filter(|_| with_keeper) {
            signal(pid, "KILL");
            held.keepers += 1;
        }
        held.kills += 1;
        let day = place.state().and_then(|state| state.day).is_some();
        eprintln!(
            "{:>6.1} s: the server is killed{}{}",
            clock.elapsed().as_secs_f64(),
            if with_keeper { ", and the region's keeper" } else { "" },
            if day { "; a game day goes on" } else { "" }
        );
        std::thread::sleep(Duration::from_millis(chance.u64(AWAY_MS)));
        *server = place.serve()?;
    }
}

/// What the ledger of the server says, slot by slot.
struct Slots {
    due: usize,
    begun: usize,
    refused: u64,
    lost: Vec<Moment>,
    twice: Vec<Moment>,
    outcomes: BTreeMap<String, usize>,
}

fn slots(place: &Place, (began, ended): (Moment, Moment)) -> Result<Slots> {
    let source = Source { name: "schedule.toml".to_owned(), text: SCHEDULE.to_owned() };
    let mut resolve = |name: &str| Ok(Variants { scenario: name.to_owned(), turns: vec![String::new()] });
    let file = load(&source, &mut resolve).map_err(|found| anyhow::anyhow!("{found:?}"))?;
    let schedule = &file.plan.schedules[0];
    let text = std::fs::read_to_string(place.runs.join("serve/ledger.jsonl"))?;
    let (mut begun, mut twice, mut passed, mut outcomes) = (BTreeSet::new(), Vec::new(), Vec::new(), BTreeMap::new());
    let mut known = began;
    for entry in text.lines().filter_map(|line| serde_json::from_str::<Entry>(line).ok()) {
        match entry {
            Entry::Accounted { until, .. } => known = until,
            Entry::Begun { slot: Some(slot), .. } if !begun.insert(slot.due) => twice.push(slot.due),
            Entry::Refused { slot, slots, reason, .. } => {
                *outcomes.entry(format!("refused ({})", reason.word())).or_default() += usize::try_from(slots)?;
                passed.push((slot.due, slots));
            }
            Entry::Ended { outcome, .. } => *outcomes.entry(outcome.word().to_owned()).or_default() += 1,
            _ => {}
        }
    }
    let mut due: Vec<Moment> = Vec::new();
    let mut next: Option<(Slot, Moment)> = slot_after(schedule, known);
    // One that is due when the server is told to end is the next server's.
    while let Some((slot, _)) = next.take_if(|(_, at)| at.plus(Duration::from_secs(95)) < ended) {
        next = slot_after(schedule, slot.due);
        due.push(slot.due);
    }
    let mut accounted: BTreeSet<Moment> = begun.clone();
    let mut refused = 0;
    for (last, slots) in passed {
        refused += slots;
        let before: Vec<Moment> = due.iter().copied().filter(|due| *due <= last).collect();
        let count = usize::try_from(slots)?.min(before.len());
        accounted.extend(&before[before.len() - count..]);
        if begun.contains(&last) {
            twice.push(last);
        }
    }
    let lost = due.iter().copied().filter(|due| !accounted.contains(due)).collect();
    Ok(Slots { due: due.len(), begun: begun.len(), refused, lost, twice, outcomes })
}

fn report(place: &Place, held: Held, span: (Moment, Moment), memory: f64) -> Result<()> {
    let slots = slots(place, span)?;
    let state = place.state().context("the region says how it stands")?;
    say(&format!("the hour on an engine, blackstart {}", env!("CARGO_PKG_VERSION")));
    let row = |what: &str, value: String| say(&format!("{what:<34} {value:>8}"));
    row("minutes with the region", format!("{:.1}", held.lasted.as_secs_f64() / 60.0));
    row("kills of the server", held.kills.to_string());
    row("of these with the region's keeper", held.keepers.to_string());
    row("slots that were due", slots.due.to_string());
    row("slots begun", slots.begun.to_string());
    row("slots refused, with a reason", slots.refused.to_string());
    row("slots lost", slots.lost.len().to_string());
    row("slots run twice", slots.twice.len().to_string());
    for (outcome, count) in &slots.outcomes {
        row(&format!("  {outcome}"), count.to_string());
    }
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in region_ledger::read(&place.region()) {
        let word = match entry.what {
            What::Lent { .. } => "  game days begun in it",
            What::GivenBack { ref troubled, .. } if troubled.is_empty() => "  given back in order",
            What::GivenBack { .. } => "  left by a killed run, and healed",
            What::Deployed { .. } => "  deployments",
            What::NotDeployed { .. } => "  deployments stopped",
            What::Lost { .. } => "  lost by its keeper",
            What::BlackStart { .. } => "  black starts",
            What::Drift { .. } => "  drift told",
            What::Built { .. } => continue,
        };
        *found.entry(word).or_default() += 1;
    }
    row("the region at the end", state.phase.word().to_owned());
    for (word, count) in found {
        row(word, count.to_string());
    }
    for zone in &state.zones {
        let share = zone.all.unwrap_or_default() * 100.0;
        row(&format!("  {} answered", zone.zone), format!("{share:.2} %"));
        row("    of so many requests", zone.wanted.to_string());
    }
    row("server's resident MB, at first", format!("{:.1}", held.memory_mb));
    row("server's resident MB, at the end", format!("{memory:.1}"));
    ensure!(slots.lost.is_empty(), "slots were lost: {:?}", slots.lost);
    ensure!(slots.twice.is_empty(), "slots were run twice: {:?}", slots.twice);
    Ok(())
}

/// Removes the region, and looks for whatever else is there.
fn remove(place: &Place) -> Result<Vec<String>> {
    let mut runs: Vec<String> = run_folders(&place.runs);
    runs.extend(place.state().map(|state| state.run));
    let down = Command::new(&place.executable).args(["region", "down", REGION, "--root"]).arg(&place.root).output()?;
    ensure!(down.status.success(), "{}", String::from_utf8_lossy(&down.stderr));
    let found = || -> Vec<String> { runs.iter().flat_map(|run| lab::left_of(run)).collect() };
    let _leaks = until("nothing left", || found().is_empty());
    Ok(found())
}

fn run_folders(runs: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(runs).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| runs.join(name).join("events.jsonl").is_file()).collect()
}
