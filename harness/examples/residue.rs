//! Owns the soak of what is left behind: kills the controller of many game days at random instants, every second time
//! its hand as well, and tells how long it took until nothing was left. Refuses to retry.
//!
//! `cargo build --release && cargo run --release --example residue -- TIMES [SEED]` — as root on the engine's machine.
//! The figures of the last one are in `figures/residue.txt`.

use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

#[path = "../tests/docker/lab.rs"]
#[expect(
    dead_code,
    reason = "the soak looks at what is left by the same means as the tests, and needs no more of them"
)]
mod lab;

/// Scenarios that together hold every family of faults.
const SCENARIOS: [&str; 3] = ["minimal", "every-fault", "region-black-start"];
/// Instants lie within so many milliseconds from the start of a run.
const WITHIN_MS: u64 = 40_000;
/// A leak is told after this.
const GONE: Duration = Duration::from_secs(60);
/// What the design promises.
const PROMISED: Duration = Duration::from_secs(15);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let times: usize = arguments.first().context("usage: residue TIMES [SEED]")?.parse()?;
    let seed: u64 = arguments.get(1).map_or(Ok(1), |text| text.parse())?;
    let executable = std::env::current_exe()?.with_file_name("../blackstart");
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut took = Vec::new();
    let (mut leaks, mut hands) = (0_usize, 0_usize);
    for number in 0..times {
        let scenario = SCENARIOS[number % SCENARIOS.len()];
        let after = Duration::from_millis(chance.u64(0..WITHIN_MS));
        let (run, hand) = kill(&executable, scenario, after, number % 2 == 1)?;
        hands += usize::from(hand);
        let began = agents::runtime::clock::mono_ns();
        let since = || Duration::from_nanos(agents::runtime::clock::mono_ns() - began);
        let mut left = lab::left_of(&run);
        while !left.is_empty() && since() < GONE {
            std::thread::sleep(Duration::from_millis(200));
            left = lab::left_of(&run);
        }
        eprintln!("{}/{times} {scenario} killed after {after:?}, hand too: {hand}: {:?} {left:?}", number + 1, since());
        leaks += usize::from(!left.is_empty());
        took.push(since().as_secs_f64());
    }
    took.sort_by(f64::total_cmp);
    let late = took.iter().filter(|seconds| **seconds > PROMISED.as_secs_f64()).count();
    println!(
        "{times} controllers killed, {hands} of them with their hands, seed {seed}, blackstart {}",
        env!("CARGO_PKG_VERSION")
    );
    println!("left anything: {leaks}; took more than {} s until nothing was left: {late}", PROMISED.as_secs());
    println!(
        "seconds until nothing was left: min {:.1}, median {:.1}, max {:.1}",
        took[0],
        took[times / 2],
        took[times - 1]
    );
    ensure!(leaks == 0 && late == 0, "something was left, or for too long");
    Ok(())
}

/// Starts a run and kills it so long after it said its id; tells the id and whether its hand was killed as well.
fn kill(executable: &Path, scenario: &str, after: Duration, hand_too: bool) -> Result<(String, bool)> {
    use std::io::BufRead;
    let out = tempfile::tempdir()?;
    let mut command = Command::new(executable);
    command.args(["run", scenario, "--out"]).arg(out.path()).stdout(Stdio::null()).stderr(Stdio::piped());
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
    std::thread::sleep(after);
    let hand = hand_too && lab::kill_hand(&run);
    child.kill()?;
    child.wait()?;
    Ok((run, hand))
}
