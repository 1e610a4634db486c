//! Owns the figures of the live view: two hundred viewers, fifty of them slow or deaf, of nine hundred instances that
//! change ten times a second; what that costs the server, and by how much it delays a clock of ten milliseconds on another
//! thread. Refuses to fail: it prints, and the figures are committed.
//!
//! `cargo run --release --example bench_live [SECONDS [ROUNDS]]`
//!
//! Of several rounds the quietest counts: what else a machine does makes a clock later, and never earlier.
//! Viewers are a process of their own (this one again), so that what they cost is not counted.

use fixtures::name::ServiceName;
use harness::live::follow::FRAME;
use harness::live::{Hub, Limits, Over, Runs, follow, router, tune};
use reports::journal;
use reports::live::Picture;
use reports::live::page::Offer;
use reports::live::region::{About, Region};
use scenarios::event::{By, Detail, Event, EventId, Life, Place};
use scenarios::judge::Case;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const VIEWERS: usize = 200;
const SLOW: usize = 25;
const DEAF: usize = 25;
const TICK: Duration = Duration::from_millis(10);

#[expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::disallowed_methods, reason = "it measures wall time")]
fn now() -> Instant {
    Instant::now()
}

/// User and system time of a thread of this process, or of the whole process, in seconds.
fn cpu_s(stat: &str) -> f64 {
    let text = std::fs::read_to_string(stat).unwrap_or_default();
    let rest = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks: Vec<u64> = rest.split(' ').skip(11).take(2).filter_map(|word| word.parse().ok()).collect();
    ticks.iter().sum::<u64>() as f64 / 100.0
}

fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).unwrap_or_default()
}

/// The stat file of the thread with a name.
fn thread_stat(name: &str) -> String {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten().map(|task| task.path());
    let mut named =
        tasks.filter(|path| std::fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim() == name));
    let found = named.next();
    found.map_or_else(String::new, |path| path.join("stat").display().to_string())
}

struct One(Arc<Hub>);

impl Runs for One {
    fn hub(&self, _: &str) -> Option<Arc<Hub>> {
        Some(Arc::clone(&self.0))
    }

    fn offer(&self) -> Offer {
        Offer::default()
    }
}

/// A region of nine hundred instances.
fn region() -> anyhow::Result<Region> {
    let loaded = harness::load::scenario("az-power-loss-300", false)?;
    let harness::load::Loaded { scenario, topology, graph, placement, plan, .. } = &loaded;
    let about = About { run: "bench".to_owned(), world: "sim".to_owned(), seed: 1 };
    Ok(Region::of_case(about, &Case { scenario, plan, topology, graph, placement }))
}

/// Serves as `run --live` does: a thread of its own that lets others go first.
fn serve(hub: &Arc<Hub>, folder: &Path, over: &Over, name: &str) -> anyhow::Result<SocketAddr> {
    use axum::serve::ListenerExt;
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let app = router(Arc::new(One(Arc::clone(hub))));
    let following = follow(Arc::clone(hub), folder.to_path_buf(), over.clone());
    std::thread::Builder::new().name(name.to_owned()).spawn(move || -> anyhow::Result<()> {
        harness::live::alone::yield_to_others();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            tokio::spawn(following);
            let listener = tokio::net::TcpListener::from_std(listener)?;
            Ok(axum::serve(listener.tap_io(tune), app).await?)
        })
    })?;
    Ok(address)
}

/// How late a clock of ten milliseconds was, over a time, in microseconds: it is a run's own loop, on a runtime of its own.
fn lateness(over: Duration) -> anyhow::Result<Vec<u64>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(async {
        let begun = now();
        let mut late = Vec::new();
        let mut due = begun;
        while due.duration_since(begun) < over {
            due += TICK;
            tokio::time::sleep_until(due.into()).await;
            late.push(u64::try_from(now().saturating_duration_since(due).as_micros()).unwrap_or(u64::MAX));
        }
        late.sort_unstable();
        late
    }))
}

/// Writes so many changed instances ten times a second, as a journal does.
fn write(region: &Region, folder: &Path, changes: usize, stop: &AtomicBool) -> anyhow::Result<u64> {
    let path = folder.join("events.jsonl");
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    let lives = [Life::Active, Life::Serving, Life::Starting, Life::Off];
    let (mut id, mut turn, begun) = (0_u64, 0_usize, now());
    while !stop.load(Ordering::Relaxed) {
        let mut text = String::new();
        for number in 0..changes {
            let at = (turn * changes + number) % region.instances.len();
            let (instance, service) = (&region.instances[at], &region.services[region.instances[at].service]);
            id += 1;
            let to = lives[(turn * changes + number) / region.instances.len() % lives.len()];
            let missing: Vec<ServiceName> =
                if to == Life::Serving { vec![region.services[0].clone()] } else { Vec::new() };
            let event = Event {
                id: EventId(id),
                t_ns: u64::try_from(begun.elapsed().as_nanos())?,
                utc: "2026-11-01T00:00:00.000Z".to_owned(),
                by: By::Witness,
                place: Place {
                    zone: Some(region.zones[region.hosts[instance.host].zone].clone()),
                    host: Some(region.hosts[instance.host].name.clone()),
                    service: Some(service.clone()),
                    instance: Some(instance.name.clone()),
                },
                detail: Detail::State { to, degraded: false, missing },
            };
            text += &journal::to_line(&event);
            text.push('\n');
        }
        file.write_all(text.as_bytes())?;
        turn += 1;
        let due = FRAME * u32::try_from(turn)?;
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
    }
    Ok(id)
}

/// One viewer: how it reads.
fn view(address: SocketAddr, number: usize, bytes: &AtomicU64, frames: &AtomicU64) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(format!("GET /api/runs/bench/live HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())?;
    if number < DEAF {
        std::thread::sleep(Duration::from_secs(3_600));
    }
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = if number < DEAF + SLOW {
            std::thread::sleep(Duration::from_millis(500));
            stream.read(&mut buffer[..10_000])?
        } else {
            stream.read(&mut buffer)?
        };
        if count == 0 {
            return Ok(());
        }
        bytes.fetch_add(count as u64, Ordering::Relaxed);
        frames.fetch_add(
            buffer[..count].windows(12).filter(|part| part == b"event: delta").count() as u64,
            Ordering::Relaxed,
        );
    }
}

/// The process of all viewers: until its orders end, then it tells what came.
fn viewers(address: SocketAddr) -> anyhow::Result<()> {
    let counts: Arc<(AtomicU64, AtomicU64)> = Arc::default();
    for number in 0..VIEWERS {
        let counts = Arc::clone(&counts);
        std::thread::Builder::new().stack_size(256 << 10).spawn(move || view(address, number, &counts.0, &counts.1))?;
    }
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    say(&format!("{} {}", counts.0.load(Ordering::Relaxed), counts.1.load(Ordering::Relaxed)));
    Ok(())
}

struct Load {
    name: &'static str,
    changes: usize,
    viewers: bool,
}

/// What a round showed.
struct Round {
    viewers: usize,
    used: f64,
    resident_kb: u64,
    late_us: Vec<u64>,
    missed: u64,
    came: String,
}

impl Round {
    fn late_ms(&self, share: f64) -> f64 {
        let at = (self.late_us.len() as f64 * share) as usize;
        self.late_us.get(at).or(self.late_us.last()).copied().unwrap_or_default() as f64 / 1000.0
    }
}

fn measure(load: &Load, region: &Arc<Region>, over: Duration, name: &str) -> anyhow::Result<Round> {
    let folder = tempfile::tempdir()?;
    let hub = Hub::new(Picture::new(Arc::clone(region)), Limits::default());
    let done = Over::default();
    let address = serve(&hub, folder.path(), &done, name)?;
    let mut child = None;
    if load.viewers {
        let mut command = std::process::Command::new(std::env::current_exe()?);
        command.arg("viewers").arg(address.to_string());
        child = Some(command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn()?);
        while hub.viewers() < VIEWERS {
            std::thread::sleep(TICK);
        }
    }
    let stop = AtomicBool::new(false);
    let (late_us, used) = std::thread::scope(|scope| -> anyhow::Result<_> {
        let writing = scope.spawn(|| write(region, folder.path(), load.changes, &stop));
        // What is bound to a beginning is over.
        std::thread::sleep(Duration::from_secs(2));
        let stat = thread_stat(name);
        let before = cpu_s(&stat);
        let late = lateness(over);
        let used = cpu_s(&stat) - before;
        stop.store(true, Ordering::Relaxed);
        let _lines = writing.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
        Ok((late?, used / over.as_secs_f64() * 100.0))
    })?;
    let (viewers, missed, resident_kb) = (hub.viewers(), hub.missed(), resident_kb());
    let mut came = String::new();
    if let Some(mut child) = child {
        drop(child.stdin.take());
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut came)?;
        }
        child.wait()?;
    }
    done.say();
    Ok(Round { viewers, used, resident_kb, late_us, missed, came: came.trim().to_owned() })
}

fn tell(load: &Load, rounds: &[Round]) {
    let least = |of: &dyn Fn(&Round) -> f64| rounds.iter().map(of).fold(f64::INFINITY, f64::min);
    let most = |of: &dyn Fn(&Round) -> f64| rounds.iter().map(of).fold(0.0, f64::max);
    let came = rounds.last().map_or("", |round| &round.came);
    say(&format!(
        "{:<40} {:>3} viewers: server {:.2} % of a core at most, resident {:.1} MB at most; the clock of 10 ms late by p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms in the quietest round (p99 {:.2} ms, max {:.2} ms in the loudest); frames that slow viewers missed {}{}",
        load.name,
        rounds.iter().map(|round| round.viewers).max().unwrap_or_default(),
        most(&|round| round.used),
        most(&|round| round.resident_kb as f64 / 1024.0),
        least(&|round| round.late_ms(0.5)),
        least(&|round| round.late_ms(0.99)),
        least(&|round| round.late_ms(1.0)),
        most(&|round| round.late_ms(0.99)),
        most(&|round| round.late_ms(1.0)),
        rounds.iter().map(|round| round.missed).sum::<u64>(),
        if came.is_empty() { String::new() } else { format!("; bytes and deltas that came in the last round: {came}") }
    ));
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, address] = &arguments[..]
        && word == "viewers"
    {
        return viewers(address.parse()?);
    }
    let number = |at: usize, usual: u64| arguments.get(at).map_or(Ok(usual), |word| word.parse::<u64>());
    let (over, rounds) = (Duration::from_secs(number(0, 20)?), number(1, 3)?);
    let region = Arc::new(region()?);
    let (instances, hosts, zones) = (region.instances.len(), region.hosts.len(), region.zones.len());
    say(&format!(
        "{instances} instances on {hosts} hosts in {zones} zones; {VIEWERS} viewers, of whom {SLOW} read at most 20 kB/s and {DEAF} nothing; {rounds} rounds of {over:?}"
    ));
    let loads = [
        Load { name: "nothing changes", changes: 0, viewers: false },
        Load { name: "90 change ten times a second", changes: 90, viewers: false },
        Load { name: "90 change ten times a second", changes: 90, viewers: true },
        Load { name: "all 900 change ten times a second", changes: 900, viewers: false },
        Load { name: "all 900 change ten times a second", changes: 900, viewers: true },
    ];
    let mut all: Vec<Vec<Round>> = loads.iter().map(|_| Vec::new()).collect();
    // Beside each other, so that what else the machine does is the same for all.
    for round in 0..rounds {
        for (at, load) in loads.iter().enumerate() {
            all[at].push(measure(load, &region, over, &format!("live-{round}-{at}"))?);
        }
    }
    loads.iter().zip(&all).for_each(|(load, rounds)| tell(load, rounds));
    Ok(())
}
