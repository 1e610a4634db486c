//! Owns a case as files that run in every world: a scenario and its graph beside it. Refuses to write what files cannot
//! say yet.

use crate::load::Loaded;
use anyhow::{Context, Result, bail};
use fixtures::graph::Strength;
use fixtures::unit::Span;
use fixtures::version::{CallSettings, Settings};
use scenarios::customers::{Retry, Traffic};
use scenarios::fault::{Boot, Deploy, Fault, Link, Push, Rollout, Selection};
use scenarios::plan::{BootTrouble, Shape};
use scenarios::scenario::{After, Pulses, Scenario, TimedFault};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Writes a case as `NAME.toml` and `NAME-graph.toml` (and its topology as `NAME-zones.toml`) into a folder; returns the
/// scenario's path.
///
/// # Errors
/// Where the folder cannot be written, or a fault is of a kind that files cannot say yet.
pub fn write(loaded: &Loaded, name: &str, folder: &Path, comment: &str) -> Result<PathBuf> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("{} cannot be made; name another folder with --out", folder.display()))?;
    let mut case = loaded.clone();
    let graph = format!("{name}-graph");
    let zones = format!("{name}-zones");
    case.graph.name = fixtures::name::GraphName::new(graph.clone())?;
    case.topology.name = fixtures::name::TopologyName::new(zones.clone())?;
    let texts = [
        (format!("{zones}.toml"), fixtures::write::topology(&case.topology, comment)),
        (format!("{graph}.toml"), fixtures::write::graph(&case.graph, comment)),
        (format!("{name}.toml"), scenario(&case.scenario, name, &zones, &graph, comment)?),
    ];
    for (file, text) in &texts {
        let path = folder.join(file);
        std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(folder.join(format!("{name}.toml")))
}

/// A scenario as a file.
///
/// # Errors
/// Where a fault is of a kind that files cannot say yet.
pub fn scenario(scenario: &Scenario, name: &str, topology: &str, graph: &str, comment: &str) -> Result<String> {
    let mut text = String::from("#:schema ../schemas/scenario.schema.json\n#\n");
    for line in comment.lines() {
        writeln!(text, "{}", format!("# {line}").trim_end())?;
    }
    let title: String = scenario.title.chars().flat_map(char::escape_default).collect();
    writeln!(text, "name = \"{name}\"\ntitle = \"{title}\"\ntopology = \"{topology}\"\ngraph = \"{graph}\"")?;
    let ids: Vec<String> = scenario.invariants.iter().map(|id| format!("\"{id}\"")).collect();
    writeln!(text, "invariants = [{}]", ids.join(", "))?;
    let (traffic, steady, windows) = (&scenario.traffic, &scenario.steady_state, &scenario.windows);
    customers(&mut text, traffic)?;
    let (availability, p99) = (steady.availability, Span(steady.latency_p99));
    writeln!(text, "\n[steady-state]\navailability = \"{availability}\"\nlatency-p99 = \"{p99}\"")?;
    writeln!(text, "\n[windows]")?;
    let lengths = [
        ("settle", windows.settle),
        ("baseline", windows.baseline),
        ("shift", windows.shift),
        ("recovery", windows.recovery),
        ("quiet", windows.quiet),
    ];
    for (key, length) in lengths {
        writeln!(text, "{key} = \"{}\"", Span(length))?;
    }
    for fault in &scenario.faults {
        write_fault(&mut text, fault)?;
    }
    Ok(text)
}

fn customers(text: &mut String, traffic: &Traffic) -> Result<()> {
    let (rate, writes, timeout) = (traffic.rate, traffic.writes, Span(traffic.timeout));
    writeln!(text, "\n[traffic]\nrate = \"{rate}\"\nwrites = \"{writes}\"\ntimeout = \"{timeout}\"")?;
    if traffic.retry != Retry::ONCE {
        let Retry { attempts, timeout, backoff, budget } = traffic.retry;
        let (base, cap) = (Span(backoff.base), Span(backoff.cap));
        writeln!(text, "\n[traffic.retry]\nattempts = {attempts}")?;
        if let Some(timeout) = timeout {
            writeln!(text, "timeout = \"{}\"", Span(timeout))?;
        }
        writeln!(text, "backoff = \"{base}\"\ncap = \"{cap}\"\njitter = {}", backoff.jitter)?;
        if let Some(budget) = budget {
            writeln!(text, "budget = \"{budget}\"")?;
        }
    }
    for portion in &traffic.mix {
        let zones: Vec<String> = portion.zones.iter().map(|zone| format!("\"{zone}\"")).collect();
        writeln!(text, "\n[[traffic.mix]]\noperation = \"{}\"\nshare = \"{}\"", portion.operation, portion.share)?;
        if !zones.is_empty() {
            writeln!(text, "zones = [{}]", zones.join(", "))?;
        }
    }
    Ok(())
}

fn write_fault(text: &mut String, fault: &TimedFault) -> Result<()> {
    let plain = fault.within.is_zero() && fault.pulses == Pulses::ONCE;
    if !plain {
        bail!("the fault `{}` says more than a search can write into a file yet", fault.name);
    }
    let (kind, keys) = match &fault.fault {
        Fault::PowerOff(power_off) => {
            let unsynced = format!("{:?}", power_off.unsynced).to_lowercase();
            ("power-off", keys(&power_off.hosts, [format!("unsynced = \"{unsynced}\"")]))
        }
        Fault::Boot(Boot { hosts, trouble: BootTrouble::Late(ms) }) => {
            ("boot", keys(hosts, [format!("late = \"{ms}ms\"")]))
        }
        // Only latency: that is all that a search varies.
        Fault::Link(Link { from, to, shape, one_way })
            if *shape == (Shape { latency_us: shape.latency_us, ..Shape::default() }) =>
        {
            let to = to.iter().map(|to| format!("to = {{ {} }}", keys(to, [])));
            let latency = Span(Duration::from_micros(shape.latency_us));
            let from = format!("from = {{ {} }}", keys(from, []));
            let way = one_way.then(|| "one-way = true".to_owned());
            let all = [from].into_iter().chain(to).chain([format!("latency = \"{latency}\"")]).chain(way);
            ("link", all.collect::<Vec<_>>().join(", "))
        }
        Fault::NamesEmpty(fault) => ("names-empty", keys(&fault.hosts, [])),
        Fault::NamesStale(fault) => ("names-stale", keys(&fault.hosts, [])),
        Fault::NamesWrong(fault) => ("names-wrong", keys(&fault.hosts, [])),
        Fault::NamesDead(fault) => ("names-dead", keys(&fault.hosts, [])),
        Fault::NamesSlow(fault) => ("names-slow", keys(&fault.hosts, [format!("delay = \"{}\"", Span(fault.delay))])),
        Fault::GrantsRefused(fault) => ("grants-refused", keys(&fault.hosts, [])),
        Fault::GrantsExpired(fault) => ("grants-expired", keys(&fault.hosts, [])),
        Fault::ClockWrong(fault) => {
            let way = if fault.ahead_ms < 0 { "behind" } else { "ahead" };
            let off = Span(Duration::from_millis(fault.ahead_ms.unsigned_abs()));
            ("clock-wrong", keys(&fault.hosts, [format!("{way} = \"{off}\"")]))
        }
        Fault::Push(Push(rollout)) => ("push", self::rollout(rollout)),
        Fault::Deploy(Deploy(rollout)) => ("deploy", self::rollout(rollout)),
        _ => bail!("the fault `{}` is of a kind that a search cannot write into a file yet", fault.name),
    };
    writeln!(text, "\n[[faults]]\nname = \"{}\"\n{kind} = {{ {keys} }}", fault.name)?;
    match &fault.after {
        None => {}
        Some(After::Round(name)) => writeln!(text, "after = \"{name}\"")?,
        Some(After::Event(_)) => bail!("the fault `{}` waits for an event, which no file can say yet", fault.name),
    }
    writeln!(text, "at = \"{}\"\nlasts = \"{}\"", Span(fault.at), Span(fault.lasts))?;
    Ok(())
}

/// The keys of a push or a deployment.
fn rollout(rollout: &Rollout) -> String {
    let Rollout { service, set, zones, bake, stop_on_failure } = rollout;
    let Settings { work, capacity, fails, does_not_start, calls } = set;
    let calls: Vec<String> = calls.iter().map(call).collect();
    let settings = [
        work.map(|work| format!("work = \"{}\"", Span(work))),
        capacity.map(|capacity| format!("capacity = \"{capacity}\"")),
        fails.then(|| "fails = true".to_owned()),
        does_not_start.then(|| "starts = false".to_owned()),
        (!calls.is_empty()).then(|| format!("calls = [{}]", calls.join(", "))),
    ];
    let settings: Vec<String> = settings.into_iter().flatten().collect();
    let own = [format!("service = \"{service}\""), format!("set = {{ {} }}", settings.join(", "))];
    let bake = bake.map(|bake| format!("bake-time = \"{}\"", Span(bake)));
    let stop = stop_on_failure.then(|| "stop-on-failure = true".to_owned());
    let zones = selection(&Selection::of_zones(zones.clone()));
    own.into_iter().chain(zones).chain(bake).chain(stop).collect::<Vec<_>>().join(", ")
}

/// How calls to one dependency are made in a version.
fn call(call: &CallSettings) -> String {
    let CallSettings { to, timeout, attempts, strength } = call;
    let strength = strength.map(|strength| match strength {
        Strength::Hard => "strength = \"hard\"".to_owned(),
        Strength::Soft => "strength = \"soft\"".to_owned(),
    });
    let timeout = timeout.map(|timeout| format!("timeout = \"{}\"", Span(timeout)));
    let attempts = attempts.map(|attempts| format!("attempts = {attempts}"));
    let keys = [Some(format!("to = \"{to}\"")), timeout, attempts, strength];
    format!("{{ {} }}", keys.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// The keys of a choice of hosts, and others, as a table has them.
fn keys<const COUNT: usize>(hosts: &Selection, more: [String; COUNT]) -> String {
    selection(hosts).into_iter().chain(more).collect::<Vec<_>>().join(", ")
}

/// The keys of a choice of hosts.
fn selection(selection: &Selection) -> Vec<String> {
    let Selection { zones, services, hosts, share } = selection;
    let zones: Vec<String> = zones.iter().map(ToString::to_string).collect();
    let services: Vec<String> = services.iter().map(ToString::to_string).collect();
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    let list = |(key, names): (&str, Vec<String>)| {
        let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        (!names.is_empty()).then(|| format!("{key} = [{}]", quoted.join(", ")))
    };
    let lists = [("zones", zones), ("services", services), ("hosts", hosts)].into_iter().filter_map(list);
    lists.chain(share.map(|share| format!("share = \"{share}\""))).collect()
}
