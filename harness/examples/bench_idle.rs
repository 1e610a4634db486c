//! Owns the figures of a region in which nothing happens but what a region does by itself: look-ups, health checks,
//! renewals of certificates and credentials, pushes of telemetry, a store's heartbeats, and being watched. It must run on
//! the engine's machine. Refuses to judge: it prints, and the figures are committed.
//!
//! `cargo build --release && cargo run --release --example bench_idle`

#[path = "bench/process.rs"]
mod process;

use anyhow::{Context, Result, bail};
use process::{cpu_ticks, memory_kb};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The grown `run-instances`, with a customer every ten seconds: nobody must be there for a run to have a baseline.
const DAY: &str = r#"
name = "idle"
topology = "us-test-1"
graph = "run-instances"
[traffic]
rate = "0.1/s"
writes = "0.1/s"
[windows]
baseline = "60s"
[[faults]]
name = "never-reached"
power-off = { services = ["metering"] }
lasts = "1s"
"#;
/// After the first power-on, so that what starts together has ended.
const CALM: Duration = Duration::from_secs(10);
const SECONDS: u64 = 40;

#[expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
fn say(text: &str) {
    println!("{text}");
}

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let day = folder.path().join("idle.toml");
    std::fs::write(&day, DAY)?;
    let executable = std::env::current_exe()?
        .parent()
        .and_then(std::path::Path::parent)
        .map(|target| target.join("blackstart"))
        .context("the executable has no folder")?;
    let mut run = Command::new(executable)
        .arg("run")
        .arg(&day)
        .arg("--out")
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("run `cargo build --release` first")?;
    let mut lines = BufReader::new(run.stderr.take().context("it is piped")?).lines();
    let told = |lines: &mut std::io::Lines<_>, wanted: &dyn Fn(&str) -> bool| -> Result<String> {
        for line in lines.by_ref() {
            let line: String = line?;
            if wanted(&line) {
                return Ok(line);
            }
        }
        bail!("the run ended before its baseline")
    };
    let first = told(&mut lines, &|line| line.starts_with("run "))?;
    let id = first.split([' ', ',']).nth(1).and_then(|id| id.rsplit('-').next()).context("a run has an id")?.to_owned();
    told(&mut lines, &|line| line.trim_end().ends_with("baseline"))?;
    std::thread::sleep(CALM);
    let group = format!("/blackstart-{id}/z");
    let before: u64 = processes(&group).iter().map(|pid| cpu_ticks(*pid)).sum();
    std::thread::sleep(Duration::from_secs(SECONDS));
    let all = processes(&group);
    let used = all.iter().map(|pid| cpu_ticks(*pid)).sum::<u64>().saturating_sub(before);
    // All processes of all hosts share the pages of one executable.
    let (resident, own) = (sorted(&all, "VmRSS"), sorted(&all, "RssAnon"));
    let hosts = all.len();
    let ended = Command::new("kill").args(["-s", "INT", &run.id().to_string()]).status()?;
    // Whatever it still says, it must not wait for somebody to read it.
    lines.for_each(drop);
    run.wait()?;
    if !ended.success() || hosts == 0 {
        bail!("the region was not there to be measured");
    }
    // 100 ticks a second on every Linux that Rust runs on.
    say(&format!(
        "an idle region, {hosts} processes, % of one core (at most 15)      {:.1}",
        used as f64 / SECONDS as f64
    ));
    for (what, sizes) in [("resident", resident), ("of that their own, and not the executable's", own)] {
        let mb = |at: usize| sizes.get(at).copied().unwrap_or_default() as f64 / 1024.0;
        say(&format!("{what}, MB, the median and the largest (at most 6): {:.1} {:.1}", mb(hosts / 2), mb(hosts - 1)));
    }
    Ok(())
}

/// Processes in the control groups below one.
fn processes(group: &str) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| std::fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|text| text.contains(group)))
        .collect()
}

/// Memory of every process, from the smallest, in kB.
fn sorted(pids: &[u32], of: &str) -> Vec<u64> {
    let mut sizes: Vec<u64> = pids.iter().map(|pid| memory_kb(*pid, of)).collect();
    sizes.sort_unstable();
    sizes
}
