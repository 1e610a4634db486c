//! Owns the soak of what is left behind: kills the controllers of many game days at random instants, every second time
//! the hand as well, and tells how long it took until nothing was left. Refuses to retry.
//!
//! `cargo build --release && cargo run --release --example residue -- TIMES [SEED] [AT ONCE]` — as root on the engine's
//! machine. The figures of the last one are in `figures/residue.txt`.

use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[path = "../tests/docker/lab.rs"]
#[expect(
    dead_code,
    reason = "the soak looks at what is left by the same means as the tests, and needs no more of them"
)]
mod lab;

/// Scenarios that together hold every family of faults, and about how long each takes on a machine that has others to
/// do: instants lie within that. The large one takes the engine most of a minute to make, so it comes seldom.
const SCENARIOS: [(&str, u64); 5] = [
    ("minimal", 22_000),
    (EVERY_FAMILY, 26_000),
    ("minimal", 22_000),
    (EVERY_FAMILY, 26_000),
    ("region-black-start", 60_000),
];
const EVERY_FAMILY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docker/every-family/every-family.toml");
/// Between two looks at what is left.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A leak is told after this.
const GONE: Duration = Duration::from_secs(120);
/// What the design promises.
const PROMISED: Duration = Duration::from_secs(15);

/// One kill, and what came of it.
struct Kill {
    scenario: &'static str,
    after: Duration,
    hand_too: bool,
}

struct Outcome {
    hand: bool,
    leaked: bool,
    seconds: f64,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, usual: u64| arguments.get(at).map_or(Ok(usual), |text| text.parse::<u64>());
    let times = usize::try_from(number(0, 0)?)?;
    ensure!(times > 0, "usage: residue TIMES [SEED] [AT ONCE]");
    let (seed, at_once) = (number(1, 1)?, number(2, 1)?.max(1));
    let executable = std::env::current_exe()?.with_file_name("../blackstart");
    let mut chance = fastrand::Rng::with_seed(seed);
    let kills: Vec<Kill> = (0..times)
        .map(|number| {
            let (scenario, within_ms) = SCENARIOS[number % SCENARIOS.len()];
            // Whether the hand dies as well must not follow from which scenario it is.
            let hand_too = (number / SCENARIOS.len() + number) % 2 == 1;
            Kill { scenario, after: Duration::from_millis(chance.u64(0..within_ms)), hand_too }
        })
        .collect();
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..at_once)
            .map(|_| {
                scope.spawn(|| -> Result<()> {
                    while let Some(kill) = kills.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let outcome = carry_out(&executable, kill)?;
                        outcomes.lock().expect("no lane panics").push(outcome);
                    }
                    Ok(())
                })
            })
            .collect();
        lanes.into_iter().try_for_each(|lane| lane.join().expect("no lane panics"))
    })?;
    tell(&outcomes.into_inner().expect("no lane panics"), seed, at_once)
}

fn tell(outcomes: &[Outcome], seed: u64, at_once: u64) -> Result<()> {
    let mut took: Vec<f64> = outcomes.iter().map(|outcome| outcome.seconds).collect();
    took.sort_by(f64::total_cmp);
    let leaks = outcomes.iter().filter(|outcome| outcome.leaked).count();
    let late = took.iter().filter(|seconds| **seconds > PROMISED.as_secs_f64()).count();
    let hands = outcomes.iter().filter(|outcome| outcome.hand).count();
    let times = outcomes.len();
    println!(
        "{times} controllers killed, {hands} of them with their hands, {at_once} at once, seed {seed}, blackstart {}",
        env!("CARGO_PKG_VERSION")
    );
    println!("left anything: {leaks}; took more than {} s until nothing was left: {late}", PROMISED.as_secs());
    let at = |percent: usize| took[(times * percent / 100).min(times - 1)];
    println!(
        "seconds until nothing was left: min {:.1}, median {:.1}, 99 % {:.1}, max {:.1}",
        took[0],
        at(50),
        at(99),
        took[times - 1]
    );
    ensure!(leaks == 0, "something was left");
    Ok(())
}

/// Kills once, and waits until nothing is left.
fn carry_out(executable: &Path, kill: &Kill) -> Result<Outcome> {
    let (run, hand) = start_and_kill(executable, kill)?;
    let began = agents::runtime::clock::mono_ns();
    let since = || Duration::from_nanos(agents::runtime::clock::mono_ns() - began);
    let mut left = lab::left_of(&run);
    while !left.is_empty() && since() < GONE {
        std::thread::sleep(LOOK_EVERY);
        left = lab::left_of(&run);
    }
    let (scenario, after, took) = (kill.scenario.rsplit('/').next().unwrap_or_default(), kill.after, since());
    eprintln!("{run} {scenario} killed after {after:?}, hand too: {hand}: {took:?} {left:?}");
    Ok(Outcome { hand, leaked: !left.is_empty(), seconds: took.as_secs_f64() })
}

/// Starts a run and kills it so long after it said its id; tells the id and whether its hand was killed as well.
fn start_and_kill(executable: &Path, kill: &Kill) -> Result<(String, bool)> {
    use std::io::BufRead;
    let out = tempfile::tempdir()?;
    let mut command = Command::new(executable);
    command.args(["run", kill.scenario, "--out"]).arg(out.path()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut lines = std::io::BufReader::new(child.stderr.take().context("it is piped")?).lines();
    let run = loop {
        let line = lines.next().context("the run ended before it said its id")??;
        if let Some(rest) = line.strip_prefix("run ") {
            break rest.split(',').next().unwrap_or_default().to_owned();
        }
    };
    // Whoever writes must not wait for a reader.
    std::thread::spawn(move || lines.for_each(drop));
    std::thread::sleep(kill.after);
    let hand = kill.hand_too && lab::kill_hand(&run);
    child.kill()?;
    child.wait()?;
    Ok((run, hand))
}
