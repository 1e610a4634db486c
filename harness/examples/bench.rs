//! Owns the benchmark of what this harness does better than an engine's command line, side by side in one run, printed
//! as ratios. It must run as root on the engine's machine, because it watches deaths by itself. Refuses to judge.
//!
//! `cargo build --release && cargo run --release --example bench` — the last figures are in `figures/bench.txt`.

#[path = "bench/process.rs"]
mod process;

use agents::config::{HostConfig, InstanceConfig, Process};
use agents::runtime::clock::mono_ns;
use agents::wire::From;
use anyhow::{Context, Result, bail};
use fixtures::graph::{Acknowledge, Health, State};
use fixtures::name::{HostName, InstanceName, ZoneName};
use harness::clock::{self, Clock};
use harness::controller::{Do, Done, Input};
use harness::load;
use harness::world::World;
use harness::world::docker::engine::Engine;
use harness::world::docker::{DockerWorld, Options, Parts};
use process::{cpu_ticks, memory_kb};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, nice, pidfd_open};
use scenarios::plan::Unsynced;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc;

/// Hosts of one zone of `run-instances`: what the benchmark kills and starts.
const ZONE: &str = "az1";
const IDLE_AGENTS: usize = 60;
/// Power-offs and power-ons by each side.
const ROUNDS: usize = 5;
const IDLE_SECONDS: u64 = 20;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let executable = executable()?;
    let size = Command::new(&executable).arg("image").output()?.stdout.len();
    row("image, MB (at most 15)", size as f64 / 1e6, None);
    idle(&executable)?;
    runtime.block_on(region())
}

fn executable() -> Result<std::path::PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("../blackstart").canonicalize()?)
}

fn row(what: &str, ours: f64, engines: Option<f64>) {
    match engines {
        Some(engines) => println!("{what:<58} {ours:>9.1} {engines:>9.1}  engine ÷ ours {:.1}", engines / ours),
        None => println!("{what:<58} {ours:>9.1}"),
    }
}

/// Sixty agents without traffic, as plain processes: resident memory and processor time.
fn idle(executable: &std::path::Path) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("blackstart-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("host.json");
    std::fs::write(&path, serde_json::to_string(&idle_host()?)?)?;
    let start = |index: usize| {
        Command::new(executable).arg("agent").arg(&path).arg(index.to_string()).stderr(Stdio::null()).spawn()
    };
    let mut agents = (0..IDLE_AGENTS).map(start).collect::<std::io::Result<Vec<Child>>>()?;
    std::thread::sleep(Duration::from_secs(3));
    let ticks = |agents: &[Child]| agents.iter().map(|agent| cpu_ticks(agent.id())).sum::<u64>();
    let before = ticks(&agents);
    std::thread::sleep(Duration::from_secs(IDLE_SECONDS));
    let used = ticks(&agents) - before;
    let resident: Vec<u64> = agents.iter().map(|agent| memory_kb(agent.id(), "status", "VmRSS")).collect();
    for agent in &mut agents {
        agent.kill()?;
        agent.wait()?;
    }
    std::fs::remove_dir_all(&folder)?;
    let worst = resident.iter().max().copied().unwrap_or_default();
    row("an idle agent resident, MB, the largest of 60 (at most 4)", worst as f64 / 1024.0, None);
    // 100 ticks a second on every Linux that Rust runs on.
    row("60 idle agents, % of one core (at most 10)", used as f64 / IDLE_SECONDS as f64, None);
    Ok(())
}

fn idle_host() -> Result<HostConfig> {
    let (zone, host) = (ZoneName::new(ZONE)?, HostName("bench".to_owned()));
    let from = From { zone: zone.clone(), host: host.clone(), service: None, instance: None };
    let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
    let instance = |index: usize| InstanceConfig {
        from: from.clone(),
        name: InstanceName(format!("idle-{index}")),
        zone: zone.clone(),
        listen: SocketAddr::from(([127, 0, 0, 1], 21_000 + u16::try_from(index).unwrap_or_default())),
        seed: 1,
        operations: vec!["serve".to_owned()],
        interval_ns: 0,
        queue: 8,
        workers: None,
        grants: None,
        work: Duration::ZERO,
        needs: Vec::new(),
        calls: Vec::new(),
        state: State::None,
        store: agents::config::StoreConfig::default(),
        control: agents::config::ControlConfig::default(),
        acknowledge: Acknowledge::AfterSync,
        health: Health::Shallow,
        commons: agents::commons::Commons::default(),
        liveness: Health::Shallow,
        counts_arrivals: false,
    };
    let processes = (0..IDLE_AGENTS).map(|index| Process::Instance(instance(index))).collect();
    let (gate, state_dir) = (String::new(), std::env::temp_dir().display().to_string());
    Ok(HostConfig {
        host,
        zone,
        witness: nobody,
        gate,
        boot_gate: "/no-trouble".to_owned(),
        trouble_dir: String::new(),
        state_dir,
        boot: Duration::ZERO,
        processes,
    })
}

/// One act of a world, waited for.
async fn act(world: &mut DockerWorld, inputs: &mut mpsc::Receiver<Input>, act: Do) -> Result<(Done, f64)> {
    let began = mono_ns();
    world.perform(act);
    while let Some(input) = inputs.recv().await {
        if let Input::Done(result) = input {
            return Ok((result.map_err(anyhow::Error::msg)?, (mono_ns() - began) as f64 / 1e6));
        }
    }
    bail!("the world has ended")
}

async fn region() -> Result<()> {
    let loaded = load::scenario("az-power-loss", false).context("built in")?;
    let (engine, info) = Engine::connect().await?;
    let (sender, mut inputs) = mpsc::channel(65_536);
    let run = clock::run_id();
    let short = run.rsplit('-').next().unwrap_or_default().to_owned();
    let parts = Parts {
        engine,
        info,
        run,
        options: Options { agent_image: Some(import()?), ..Options::default() },
        topology: loaded.topology,
        graph: loaded.graph,
        placement: loaded.placement.clone(),
        images: std::collections::BTreeMap::new(),
        gathered: loaded.scenario.gathered(),
        traffic: loaded.scenario.traffic,
        seed: 1,
        clock: Arc::new(Clock::start()),
        stands: None,
        attached: None,
        elsewhere: std::collections::BTreeMap::new(),
        on_progress: Box::new(|_, _| {}),
    };
    let mut world = DockerWorld::new(parts, sender);
    let result = compare(&mut world, &mut inputs, &loaded.placement, &short).await;
    act(&mut world, &mut inputs, Do::Teardown).await?;
    Command::new("docker").args(["image", "rm", "-f", "blackstart:bench"]).stdout(Stdio::null()).status()?;
    result
}

/// The image of the real executable: the benchmark's own is not what runs in hosts.
fn import() -> Result<String> {
    let mut image = Command::new(executable()?).arg("image").stdout(Stdio::piped()).spawn()?;
    let stdout = image.stdout.take().context("it is piped")?;
    let imported = Command::new("docker").args(["import", "-", "blackstart:bench"]).stdin(stdout).output()?;
    anyhow::ensure!(image.wait()?.success() && imported.status.success(), "the image could not be imported");
    Ok("blackstart:bench".to_owned())
}

async fn compare(
    world: &mut DockerWorld,
    inputs: &mut mpsc::Receiver<Input>,
    placement: &fixtures::placement::Placement,
    short: &str,
) -> Result<()> {
    let all: Vec<HostName> = placement.hosts.iter().map(|host| host.name.clone()).collect();
    let zone: Vec<HostName> =
        placement.hosts.iter().filter(|host| host.zone.as_str() == ZONE).map(|host| host.name.clone()).collect();
    let names: Vec<String> = zone.iter().map(|host| format!("blackstart-{short}-host-{host}")).collect();
    let every: Vec<String> = all.iter().map(|host| format!("blackstart-{short}-host-{host}")).collect();
    let (_, provision_ms) = act(world, inputs, Do::Provision).await?;
    let (_, _) = act(world, inputs, Do::PowerOn(all.clone())).await?;
    let (mut ours_off, mut engines_off) = (Vec::new(), Vec::new());
    let (mut ours_on, mut engines_on, mut gates) = (Vec::new(), Vec::new(), Vec::new());
    // In turn: the machine's mood meets both.
    for _ in 0..ROUNDS {
        let seen = watch(&names)?;
        let (done, _) = act(world, inputs, Do::PowerOff { hosts: zone.clone(), unsynced: Unsynced::Kept }).await?;
        let Done::Dark { skew_ns, .. } = done else { bail!("a power-off ended as {done:?}") };
        // The hand sees every process, we the first ones: the larger counts, against us.
        ours_off.push(aside(move || told(seen)).await?.max(skew_ns as f64 / 1e6));
        settle(&names).await?;
        let (done, took) = act(world, inputs, Do::PowerOn(zone.clone())).await?;
        ours_on.push(took);
        if let Done::Lit { skew_ns, .. } = done {
            gates.push(skew_ns as f64 / 1e6);
        }
        let seen = watch(&names)?;
        let mut kill = Command::new("docker").arg("kill").args(&names).stdout(Stdio::null()).spawn()?;
        engines_off.push(aside(move || told(seen)).await?);
        aside(move || Ok(kill.wait()?)).await?;
        settle(&names).await?;
        let (began, started) = (mono_ns(), names.clone());
        aside(move || eight_at_a_time("docker start", &started)).await?;
        engines_on.push((mono_ns() - began) as f64 / 1e6);
    }
    println!(
        "rounds: power-off ours {ours_off:.1?}, engine {engines_off:.1?}; power-on ours {ours_on:.0?}, engine {engines_on:.0?}"
    );
    row("power-off of 22 hosts, first to last death, ms", median(&mut ours_off), Some(median(&mut engines_off)));
    row("power-on of 22 hosts, start to last gate, ms", median(&mut ours_on), Some(median(&mut engines_on)));
    row("power-on of 22 hosts, first to last gate, ms (under 20)", median(&mut gates), None);
    let engines_ms = aside(move || recreate(&every)).await?;
    row("provisioning of 66 hosts (ours: with all around them), ms", provision_ms, Some(engines_ms));
    Ok(())
}

/// Does what blocks on another thread: the hand's lease must be kept meanwhile.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await?
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Waits until the engine has taken note of all deaths: what starts next shall not pay for what died before.
async fn settle(names: &[String]) -> Result<()> {
    let names = names.to_vec();
    aside(move || {
        loop {
            let output = Command::new("docker").args(["inspect", "-f", "{{.State.Running}}"]).args(&names).output()?;
            anyhow::ensure!(output.status.success(), "docker inspect failed");
            if !String::from_utf8(output.stdout)?.contains("true") {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    })
    .await
}

/// Watches the first processes of these containers, of whoever kills them, in the same way: from now on, on a thread
/// of its own that comes first at the processors, because a watcher that waits for its turn sees many deaths as one.
fn watch(names: &[String]) -> Result<JoinHandle<Result<f64>>> {
    let output = Command::new("docker").args(["inspect", "-f", "{{.State.Pid}}"]).args(names).output()?;
    let pids = String::from_utf8(output.stdout)?;
    let pids = pids.lines().filter_map(|line| Pid::from_raw(line.trim().parse().ok()?));
    let watched = pids.map(|pid| Ok(pidfd_open(pid, PidfdFlags::empty())?)).collect::<Result<Vec<OwnedFd>>>()?;
    anyhow::ensure!(watched.len() == names.len(), "not every host runs before a power-off");
    let watch = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for process in &watched {
        let once = epoll::EventFlags::IN | epoll::EventFlags::ONESHOT;
        epoll::add(&watch, process, epoll::EventData::new_u64(0), once)?;
    }
    Ok(std::thread::spawn(move || skew_ms(&watch, watched.len())))
}

fn told(seen: JoinHandle<Result<f64>>) -> Result<f64> {
    seen.join().unwrap_or_else(|_| bail!("the watcher panicked"))
}

/// From the first death to the last, in milliseconds.
fn skew_ms(watch: &OwnedFd, mut alive: usize) -> Result<f64> {
    nice(-20)?;
    let (mut first, mut last, mut events) = (None, 0, Vec::with_capacity(alive));
    while alive > 0 {
        events.clear();
        alive -= epoll::wait(watch, spare_capacity(&mut events), None)?;
        last = mono_ns();
        first.get_or_insert(last);
    }
    Ok((last - first.unwrap_or(last)) as f64 / 1e6)
}

fn eight_at_a_time(command: &str, names: &[String]) -> Result<()> {
    let script = format!("printf '%s\\n' {} | xargs -P 8 -n 1 {command} >/dev/null", names.join(" "));
    anyhow::ensure!(Command::new("sh").args(["-c", &script]).status()?.success(), "{command} failed");
    Ok(())
}

/// Removes these containers and makes the same again by the engine's command line, eight at a time; milliseconds.
fn recreate(names: &[String]) -> Result<f64> {
    let mut lines = Vec::new();
    let format = "{{.HostConfig.NetworkMode}} {{range .NetworkSettings.Networks}}{{.IPAMConfig.IPv4Address}}{{end}} \
                  {{.HostConfig.CgroupParent}} {{.Config.Image}} {{join .Config.Entrypoint \" \"}} \
                  {{range .Mounts}}{{.Name}}:{{.Destination}} {{end}}";
    for name in names {
        let output = Command::new("docker").args(["inspect", "-f", format, name]).output()?;
        let text = String::from_utf8(output.stdout)?;
        let words: Vec<&str> = text.split_whitespace().collect();
        let [network, address, parent, image, program, host, config, mounts @ ..] = words.as_slice() else {
            bail!("{name}: {text}")
        };
        let mounts: String = mounts.iter().map(|mount| format!(" -v {mount}")).collect();
        let run = names.iter().find(|other| *other == name).context("it is one of them")?.split('-').nth(1);
        lines.push(format!(
            "docker run -d --name {name} --label blackstart.bench={} --network {network} --ip {address} --cgroup-parent \
             {parent}{mounts} --cap-drop ALL --security-opt no-new-privileges --read-only --user 65532:65532 --memory \
             192m --pids-limit 256 -e LD_LIBRARY_PATH=/lib --entrypoint {program} {image} {host} {config} >/dev/null",
            run.unwrap_or_default()
        ));
    }
    Command::new("docker").args(["rm", "-f"]).args(names).stdout(Stdio::null()).status()?;
    let folder = std::env::temp_dir().join(format!("blackstart-bench-{}.sh", std::process::id()));
    std::fs::write(&folder, lines.join("\n"))?;
    let began = mono_ns();
    let script = format!("tr '\\n' '\\0' < {} | xargs -0 -P 8 -I{{}} sh -c '{{}}'", folder.display());
    let ok = Command::new("sh").args(["-c", &script]).status()?.success();
    let took = (mono_ns() - began) as f64 / 1e6;
    std::fs::remove_file(&folder)?;
    Command::new("docker").args(["rm", "-f"]).args(names).stdout(Stdio::null()).status()?;
    anyhow::ensure!(ok, "docker run failed");
    Ok(took)
}
