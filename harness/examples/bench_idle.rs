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
lasts = "10s"
"#;
/// After the first power-on, so that what starts together has ended.
const CALM: Duration = Duration::from_secs(10);
const SECONDS: u64 = 40;
/// Parts of the names of hosts whose agents are [`Kind::Busy`].
const BUSY: [&str; 2] = ["-telemetry-", "-table-store-"];

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
    let sizes: Vec<(Kind, [u64; 3])> = all.iter().filter_map(|pid| Some((kind(*pid)?, sizes(*pid)))).collect();
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
    // All processes of all hosts share the pages of one executable.
    say("memory, MB, the median and the largest (an agent: at most 6): resident | shared pages in parts | own");
    for wanted in [Kind::Supervisor, Kind::Agent, Kind::Busy, Kind::NameServer] {
        let of_kind: Vec<[u64; 3]> =
            sizes.iter().filter(|(kind, _)| *kind == wanted).map(|(_, sizes)| *sizes).collect();
        let column = |at: usize| {
            let mut column: Vec<u64> = of_kind.iter().map(|sizes| sizes[at]).collect();
            column.sort_unstable();
            let mb = |place: usize| column.get(place).map_or(0.0, |kb| *kb as f64 / 1024.0);
            format!("{:.1} {:.1}", mb(column.len() / 2), mb(column.len().saturating_sub(1)))
        };
        say(&format!("  {} {wanted:?}: {} | {} | {}", of_kind.len(), column(0), column(1), column(2)));
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

/// What a process of a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The host's first process.
    Supervisor,
    /// An agent with TLS, idle.
    Agent,
    /// An agent that is not idle where nothing happens: telemetry, to whom every other one keeps a connection, and the members
    /// of the table store, who keep their leader.
    Busy,
    /// An agent that is a name server, which is not idle either: every other one asks it.
    NameServer,
}

/// What a process is, from its arguments; none of these where it has ended meanwhile.
fn kind(pid: u32) -> Option<Kind> {
    let arguments = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
    let mut words = arguments.split('\0').skip(1);
    match (words.next()?, words.next()?) {
        ("host", _) => Some(Kind::Supervisor),
        ("agent", host) if host.contains("-names-") => Some(Kind::NameServer),
        ("agent", host) if BUSY.iter().any(|service| host.contains(service)) => Some(Kind::Busy),
        ("agent", _) => Some(Kind::Agent),
        _ => None,
    }
}

/// All that is resident; the same with shared pages counted in parts; what no file is behind. In kB.
fn sizes(pid: u32) -> [u64; 3] {
    [("status", "VmRSS"), ("smaps_rollup", "Pss"), ("status", "RssAnon")].map(|(file, of)| memory_kb(pid, file, of))
}
