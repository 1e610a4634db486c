//! Owns the measuring of what things cost, in a run of `minimal` that it holds and watches; that one has no TLS: a handshake
//! is measured by itself. Refuses every other scenario: a simulator that is tuned to what it is compared with shows nothing.

use crate::hand::hierarchy::Hierarchies;
use crate::world::docker::names::Names;
use crate::world::sim::costs::Costs;
use anyhow::{Context, Result, bail};
use fixtures::name::{InstanceName, ServiceName};
use scenarios::event::{By, Detail, Event, HostChange, Life, Phase};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// From an append to its being on the disk: no event shows it, so it is assumed (a solid-state disk's flush).
const SYNC_ASSUMED_NS: u64 = 1_000_000;
/// Bounds within which a measured cost is believed.
const MESSAGE_NS: std::ops::RangeInclusive<u64> = 10_000..=1_000_000;
const LATENCY_NS: std::ops::RangeInclusive<u64> = 5_000..=1_000_000;

/// `minimal` with ten times its customers: what more messages cost is what one costs; what hosts do all the time is not.
const BUSY: &str = r#"
name = "minimal-busy"
topology = "us-test-1"
graph = "minimal"
[traffic]
rate = "100/s"
[steady-state]
availability = "95%"
[windows]
baseline = "8s"
shift = "2s"
[[faults]]
name = "az1-dark"
power-off = { zones = ["az1"] }
lasts = "5s"
"#;

/// Holds `minimal` on an engine of this machine, and once more with ten times its customers, watches what their hosts use of
/// its processors, and makes the calibration, as JSON. The runs' files are left in `out`.
///
/// # Errors
/// Where a run is not held, or shows too little: with rights and control groups alone it is seen what hosts use.
pub(super) fn measure(out: &Path) -> Result<String> {
    std::fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    let busy = out.join("minimal-busy.toml");
    std::fs::write(&busy, BUSY).with_context(|| format!("{} cannot be written", busy.display()))?;
    let (calm, busy) = (hold("minimal".as_ref(), out)?, hold(&busy, out)?);
    let more = busy.messages_each_s - calm.messages_each_s;
    let more_ns = busy.hosts_ns_each_s - calm.hosts_ns_each_s;
    let outside_ns = busy.outside_ns_each_s - calm.outside_ns_each_s;
    if more <= 0.0 || more_ns <= 0.0 {
        bail!("with ten times the customers hosts did not use more of the machine: is it busy with something else?");
    }
    let message_ns = whole(more_ns / more).clamp(*MESSAGE_NS.start(), *MESSAGE_NS.end());
    let start_ns = median(starts(&calm.events)).context("no start of a service was seen")?;
    // A probe opens a connection (three ways), its request costs one message, its answer takes one way.
    let leaf = median(probes(&calm.events, &["credentials", "store"])).context("no probe of a leaf was seen")?;
    let latency_ns = (leaf.saturating_sub(message_ns) / 4).clamp(*LATENCY_NS.start(), *LATENCY_NS.end());
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let costs = Costs {
        source: format!("run {} of minimal on an engine, by `blackstart parity --calibrate`", calm.run),
        cores: u32::try_from(cores)?,
        start_ns,
        message_ns,
        outside_milli: u32::try_from(whole(outside_ns.max(0.0) / more_ns * 1_000.0))?,
        handshake_ns: agents::runtime::handshake::cost_ns()?,
        latency_ns,
        sync_ns: SYNC_ASSUMED_NS,
    };
    Ok(serde_json::to_string_pretty(&costs)?)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "measured, and above zero")]
fn whole(value: f64) -> u64 {
    value as u64
}

/// A run, and what its baseline took in each second.
struct Held {
    run: String,
    events: Vec<Event>,
    messages_each_s: f64,
    /// Processor time of all hosts.
    hosts_ns_each_s: f64,
    /// That of the rest of the machine.
    outside_ns_each_s: f64,
}

/// Processor time used so far: by all hosts, and by the whole machine.
type Used = (u64, u64);

fn hold(day: &Path, out: &Path) -> Result<Held> {
    let executable = std::env::current_exe().context("this executable cannot find itself")?;
    let mut run = Command::new(executable)
        .arg("run")
        .arg(day)
        .args(["--world", "docker", "--out"])
        .arg(out)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("the run on an engine could not be started")?;
    let watched = watch(run.stderr.take().context("it is piped")?);
    let status = run.wait().context("the run on an engine was lost sight of")?;
    if !status.success() {
        bail!("`{}` was not held ({status}): nothing is measured on a machine that is not well", day.display());
    }
    let (run, began, ended) = watched?;
    let path = out.join(&run).join("events.jsonl");
    let text = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let events = reports::journal::read(&text)?.events;
    let (messages, seconds) = messages(&events)?;
    #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
    let each_s = |from: u64, to: u64| to.saturating_sub(from) as f64 / seconds;
    let hosts = each_s(began.0, ended.0);
    Ok(Held {
        run,
        events,
        messages_each_s: messages / seconds,
        hosts_ns_each_s: hosts,
        outside_ns_each_s: each_s(began.1, ended.1) - hosts,
    })
}

/// Reads what a run says while it goes on: its id, and what was used when its baseline began and when that ended.
fn watch(said: impl std::io::Read) -> Result<(String, Used, Used)> {
    let hierarchies = Hierarchies::under(Path::new("/sys/fs/cgroup"));
    let (mut run, mut at) = (None, BTreeMap::new());
    for line in BufReader::new(said).lines() {
        let line = line.context("the run's words could not be read")?;
        if let Some(rest) = line.strip_prefix("run ") {
            run = rest.split([' ', ',']).next().map(str::to_owned);
        }
        let phase = ["baseline", "outage"].into_iter().find(|phase| line.trim_end().ends_with(&format!("  {phase}")));
        if let (Some(phase), Some(run)) = (phase, &run) {
            let group = |slices| hierarchies.processor_ns(&Names::new(run, slices).cgroup_root());
            let hosts = group(false).or_else(|| group(true)).context("no control group counts what hosts use")?;
            let machine = hierarchies.processor_ns("/").context("no control group counts what the machine uses")?;
            at.insert(phase, (hosts, machine));
        }
    }
    match (run, at.get("baseline"), at.get("outage")) {
        (Some(run), Some(began), Some(ended)) => Ok((run, *began, *ended)),
        _ => bail!("the run did not come to an outage"),
    }
}

/// Messages of the baseline, and its seconds: what customers sent and what was called for that, once where it arrived and
/// once where its answer did, and writes, whose answers leave the region. Calls are told every two seconds, so that the
/// baseline's are those of the whole run in proportion. What the witness looks at is not in the log; it is the same in
/// every run.
fn messages(events: &[Event]) -> Result<(f64, f64)> {
    let mut by_time: Vec<&Event> = events.iter().collect();
    by_time.sort_by_key(|event| event.t_ns);
    let (mut since, mut lasted_ns) = (None, 0);
    let (mut sent_then, mut sent_ever, mut others) = (0, 0, 0);
    for event in by_time {
        match &event.detail {
            Detail::Phase { phase, .. } => {
                lasted_ns += since.take().map_or(0, |since| event.t_ns - since);
                since = (*phase == Phase::Baseline).then_some(event.t_ns);
            }
            Detail::Canary { sent, .. } => {
                sent_ever += sent;
                sent_then += if since.is_some() { *sent } else { 0 };
            }
            Detail::Call { sent, .. } => others += 2 * sent,
            Detail::Write { .. } => others += 1,
            _ => {}
        }
    }
    if sent_then == 0 || lasted_ns == 0 {
        bail!("no customer sent anything in the baseline");
    }
    let seconds = std::time::Duration::from_nanos(lasted_ns).as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
    let messages = (2 * sent_then + others * sent_then / sent_ever) as f64;
    Ok((messages, seconds))
}

fn median(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

/// From the supervisor's start of each instance to its first breath.
fn starts(events: &[Event]) -> Vec<u64> {
    let mut begun: BTreeMap<&str, u64> = BTreeMap::new();
    let mut took = Vec::new();
    let mut by_time: Vec<&Event> = events.iter().filter(|event| event.by == By::Own).collect();
    by_time.sort_by_key(|event| event.t_ns);
    for event in by_time {
        match &event.detail {
            Detail::Host { change: HostChange::ServiceStarted, note } => {
                begun.insert(note, event.t_ns);
            }
            Detail::State { to: Life::Starting, .. } => {
                let name = event.place.instance.as_ref().map(InstanceName::as_str).unwrap_or_default();
                took.extend(begun.remove(name).map(|since| event.t_ns - since));
            }
            _ => {}
        }
    }
    took
}

/// How long probes of some services took that came back in full.
fn probes(events: &[Event], services: &[&str]) -> Vec<u64> {
    let took = |event: &Event| match &event.detail {
        Detail::Probe { outcome: Life::Active, took_us, .. } => {
            let service = event.place.service.as_ref().map(ServiceName::as_str)?;
            services.contains(&service).then_some(took_us * 1_000)
        }
        _ => None,
    };
    events.iter().filter_map(took).collect()
}
