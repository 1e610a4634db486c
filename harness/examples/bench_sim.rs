//! Owns the figures of the simulator that are not tests: inputs handed to state machines a second, game days a minute,
//! seeds a minute of a search, the same small workload here and in turmoil, and a black start of very many instances.
//! Refuses to fail: it prints, and the figures are committed.
//!
//! `cargo run --release --example bench_sim [INSTANCES...]`

#[path = "bench_sim/peers.rs"]
mod peers;

use fixtures::generate::{Spec, generate};
use fixtures::placement::Placement;
use fixtures::unit::Rate;
use harness::clock::Clock;
use harness::controller::{Do, Done, Input};
use harness::explore::{Bounds, search};
use harness::world::World;
use harness::world::sim::costs::Costs;
use harness::world::sim::{Parts, SimWorld};
use harness::{load, twin};
use scenarios::customers::Traffic;
use scenarios::event::{By, Event, EventId, Life};
use scenarios::scenario::Gathered;
use std::io::Write;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

#[expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
fn say(text: &str) {
    println!("{text}");
}

/// The highest resident memory of this process so far, in megabytes.
fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or_default() / 1024
}

#[expect(clippy::disallowed_methods, reason = "it measures wall time")]
fn now() -> Instant {
    Instant::now()
}

/// Game days with their log as text, as `run` writes it.
fn game_days(name: &str, seeds: u64) -> anyhow::Result<()> {
    let mut loaded = load::scenario(name, false)?;
    let (begun, mut handed, mut events, mut bytes) = (now(), 0, 0, 0);
    for seed in 0..seeds {
        let played = twin::play(&mut loaded, seed)?;
        handed += played.handed;
        events += played.events.len();
        bytes += played.events.iter().map(|event| reports::journal::to_line(event).len()).sum::<usize>();
    }
    let took = begun.elapsed().as_secs_f64();
    say(&format!(
        "{name:<22} {seeds} seeds: {:.0} inputs a second, {:.0} game days a minute on one core ({} events, {} MB of log)",
        handed as f64 / took,
        seeds as f64 * 60.0 / took,
        events,
        bytes / 1_000_000
    ));
    Ok(())
}

/// Seeds a minute of a search, as `explore` plays them.
fn seeds(name: &str, seeds: u64) -> anyhow::Result<()> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let bounds = Bounds { first: 0, seeds, over: AtomicBool::new(false), stop_at_first: false, threads };
    let begun = now();
    let found = search(&bounds, || Ok(load::scenario(name, false)?), || {})?;
    let a_minute = found.seeds as f64 * 60.0 / begun.elapsed().as_secs_f64();
    say(&format!("{name:<22} {seeds} seeds searched: {a_minute:.0} a minute on {threads} threads"));
    Ok(())
}

/// So many hosts, each of which calls one other every 100 ms.
fn peers(hosts: usize) -> anyhow::Result<()> {
    let (ours, theirs) = (peers::ours(hosts, 60)?, peers::turmoil(hosts, 4)?);
    say(&format!(
        "{hosts} hosts that call each other: {:.0} calls a second here, {:.0} in turmoil (tick 1 ms): {:.0} times as many; all requests: {:.0}, {:.0} times as many",
        ours.calls_a_second(),
        theirs.calls_a_second(),
        ours.calls_a_second() / theirs.calls_a_second(),
        ours.all_a_second(),
        ours.all_a_second() / theirs.all_a_second()
    ));
    Ok(())
}

/// The load of the machine, which every figure depends on.
fn load_average() -> String {
    std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned()
}

/// From darkness to everything seen active, with the event log written to a file.
fn black_start(instances: usize, regions: usize) -> anyhow::Result<(f64, f64)> {
    let copies = u32::try_from(instances / 900 / regions)?.max(1);
    let (name, services, zones, per_host) = ("bench".to_owned(), 300, 3, 20);
    let spec = Spec { name, services, regions, zones, copies, per_host, startup_cycle: false, seed: 7 };
    let made = generate(&spec)?;
    let begun = now();
    let placement = Placement::new(&made.topology, &made.graph);
    let (rate, writes) = (Rate { milli_per_s: 10_000 }, Rate { milli_per_s: 2_000 });
    let traffic = Traffic::plain(rate, writes, Duration::from_secs(2));
    let costs = Costs::calibrated()?;
    let (topology, graph) = (&made.topology, &made.graph);
    let parts = Parts {
        topology,
        graph,
        placement: &placement,
        traffic: &traffic,
        gathered: Gathered::default(),
        seed: 7,
        costs,
    };
    let mut world = SimWorld::new(&parts);
    let built = begun.elapsed().as_secs_f64();
    let mut log = Log::new()?;
    world.perform(Do::Provision);
    let mut active = vec![false; placement.instances.len()];
    let mut left = active.len();
    let mut lit_at = 0;
    while left > 0 {
        match world.next(u64::MAX) {
            Some(Input::Done(Ok(Done::Provisioned))) => {
                world.perform(Do::PowerOn(placement.hosts.iter().map(|host| host.name.clone()).collect()));
            }
            Some(Input::Done(Ok(Done::Lit { t_ns, .. }))) => lit_at = t_ns,
            Some(Input::Probe { instance, report, .. }) => {
                let is_active = report.life == Life::Active;
                left = if is_active { left - usize::from(!active[instance]) } else { left };
                active[instance] |= is_active;
                log.probe(&placement, instance, report.life, world.now())?;
            }
            Some(Input::Seen { t_ns, by, place, detail }) => log.write(t_ns, by, place, detail)?,
            Some(_) => {}
            None => anyhow::bail!("nothing is left to happen, and {left} instances are not active"),
        }
    }
    let took = begun.elapsed().as_secs_f64();
    let count = placement.instances.len();
    say(&format!(
        "black start of {count:>7} instances on {:>5} hosts of {regions} region(s): {took:6.2} s ({built:.2} s to build), {:.1} s of virtual time, {:.0} inputs a second, {} events, at most {} MB resident",
        placement.hosts.len(),
        (world.now() - lit_at) as f64 / 1e9,
        world.handed() as f64 / (took - built),
        log.events,
        resident_mb()
    ));
    Ok((count as f64, took))
}

/// The event log, as a run writes it.
struct Log {
    file: std::io::BufWriter<std::fs::File>,
    clock: Clock,
    events: u64,
}

impl Log {
    fn new() -> anyhow::Result<Self> {
        let file = std::io::BufWriter::new(tempfile::tempfile()?);
        Ok(Self { file, clock: Clock::standing(), events: 0 })
    }

    fn write(
        &mut self,
        t_ns: u64,
        by: By,
        place: scenarios::event::Place,
        detail: scenarios::event::Detail,
    ) -> anyhow::Result<()> {
        self.events += 1;
        let event = Event { id: EventId(self.events), t_ns, utc: self.clock.utc(t_ns), by, place, detail };
        writeln!(self.file, "{}", reports::journal::to_line(&event))?;
        Ok(())
    }

    fn probe(&mut self, placement: &Placement, instance: usize, outcome: Life, t_ns: u64) -> anyhow::Result<()> {
        let known = &placement.instances[instance];
        let place = scenarios::event::Place {
            zone: Some(known.zone.clone()),
            host: Some(placement.hosts[known.host].name.clone()),
            service: Some(known.service.clone()),
            instance: Some(known.name.clone()),
        };
        let detail = scenarios::event::Detail::Probe { outcome, cause: String::new(), took_us: 0 };
        self.write(t_ns, By::Witness, place, detail)
    }
}

fn main() -> anyhow::Result<()> {
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|size| size.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![1_000, 10_000, 100_000] } else { sizes };
    say(&format!("load before: {}", load_average()));
    game_days("minimal", 200)?;
    game_days("az-power-loss", 50)?;
    seeds("az-power-loss", 200)?;
    for hosts in [30, 60, 120] {
        peers(hosts)?;
    }
    let mut points = Vec::new();
    for size in sizes {
        points.push(black_start(size, 1)?);
    }
    black_start(100_000, 4)?;
    say(&format!("load after: {}", load_average()));
    if let (Some((few, quick)), Some((many, slow))) = (points.first(), points.last())
        && many > few
    {
        say(&format!("time grows as instances to the power of {:.2}", (slow / quick).ln() / (many / few).ln()));
    }
    Ok(())
}
