//! Owns making a region on an engine: image, volumes, hand, networks, witness, hosts. Refuses to give it power.

use super::engine::{ContainerSpec, NetworkSpec, VolumeMount, is_overlap};
use super::hand_link::{Hand, LEASE};
use super::link::converse;
use super::names::{LABEL_HOST, LABEL_ROLE, LABEL_ZONE, ROLE_HAND, ROLE_WITNESS};
use super::region::Layout;
use super::subnet::Block;
use super::{Built, Shared, at_once, image, observe};
use crate::controller::Input;
use crate::hand::protocol::{Answer, Rights, Task};
use crate::hand::{HOST_UID, MACHINE_ROOT, SHARED_DIR, STATE_DIR};
use crate::witness::protocol::{Seen, Tell};
use anyhow::{Context, Result, bail};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Creations and starts under way at once. The engine does about ten starts a second on two cores, and no more with
/// more of them under way.
pub(super) const STARTS_AT_ONCE: usize = 8;
/// Blocks of addresses that are tried: other runs and other networks may hold some.
const BLOCKS_TRIED: u64 = 64;
/// A host carries a supervisor and a few agents of some MB.
const HOST_MEMORY_BYTES: i64 = 192 * 1024 * 1024;
const HOST_PIDS: i64 = 256;
/// The hand acts at a moment and sees what happens then: it must not wait for its turn behind those it acts on. The
/// greatest share there is; it is idle nearly always.
const HAND_CPU_SHARES: i64 = 262_144;
/// A share counts beside siblings only: below the engine's own group it would count among containers, and not against
/// the engine. Under the systemd driver the hand stays where the engine puts it.
const HAND_CGROUP_PARENT: &str = "/";

/// What the hand needs on the engine's machine, and no more; `--privileged` asks for all there are, which an engine that
/// lacks one of them itself refuses. Run the machine's own programs (SYS_CHROOT) and with them packet filter rules
/// (NET_ADMIN, NET_RAW), kill (KILL), write control groups and state folders (the rest).
const RIGHTS_WANTED: &[&str] = &["SYS_CHROOT", "NET_ADMIN", "NET_RAW", "KILL", "CHOWN", "FOWNER", "DAC_OVERRIDE"];
/// What it needs in any case: folders on the run's own volumes that belong to the hosts' user.
const RIGHTS_LEAST: &[&str] = &["CHOWN", "FOWNER", "DAC_OVERRIDE"];

/// Makes the region of a run; every host waits at its gate.
pub(super) async fn provision(shared: &Arc<Shared>) -> Result<()> {
    import(shared).await?;
    volumes(shared).await?;
    let (hand, rights) = raise_hand(shared).await?;
    shared.going_on()?;
    let built = Arc::new(networks(shared, hand, rights).await?);
    shared.set_built(Arc::clone(&built));
    let layout = &built.layout;
    let configs = layout.host_configs();
    let file = |config: &agents::config::HostConfig| {
        Ok((format!("hosts/{}.json", config.host), serde_json::to_string(config)?))
    };
    let files = configs.iter().map(file).collect::<Result<Vec<_>>>()?;
    let state_dirs = configs.iter().map(|config| format!("{}/{}", config.zone, config.host)).collect();
    let gates = configs.iter().map(|config| config.host.to_string()).collect();
    built.hand.ask(Task::Prepare { files, state_dirs, gates }).await?;
    shared.going_on()?;
    raise_witness(shared, &built).await?;
    shared.follow_engine();
    hosts(shared, &built).await?;
    built.tell_witness(&Tell::Begin(Box::new(layout.watch()))).await
}

async fn import(shared: &Shared) -> Result<()> {
    if shared.options.agent_image.is_some() {
        return Ok(());
    }
    let tar = image::build(shared.options.agent.as_deref(), &shared.info.architecture)?;
    shared.engine.import_image(&shared.names.image(), &shared.names.labels(&[]), tar).await
}

async fn volumes(shared: &Shared) -> Result<()> {
    let zones = shared.topology.zones().map(|(_, zone)| zone.name.to_string());
    let state = zones.map(|zone| (format!("state-{zone}"), Some(zone)));
    for (name, zone) in std::iter::once(("shared".to_owned(), None)).chain(state) {
        let more: Vec<(&str, &str)> = zone.iter().map(|zone| (LABEL_ZONE, zone.as_str())).collect();
        shared.engine.create_volume(&shared.names.object(&name), &shared.names.labels(&more)).await?;
    }
    Ok(())
}

fn state_volume(shared: &Shared, zone: &str, target: &str) -> VolumeMount {
    let volume = shared.names.object(&format!("state-{zone}"));
    VolumeMount { volume, target: target.to_owned(), read_only: false }
}

/// Starts the hand: with all rights where the engine grants them, else with none but the shared volumes.
async fn raise_hand(shared: &Arc<Shared>) -> Result<(Hand, Rights)> {
    let zones = shared.topology.zones().map(|(_, zone)| zone.name.to_string());
    let mut volumes: Vec<VolumeMount> =
        zones.map(|zone| state_volume(shared, &zone, &format!("{STATE_DIR}/{zone}"))).collect();
    let shared_volume = shared.names.object("shared");
    volumes.push(VolumeMount { volume: shared_volume, target: SHARED_DIR.to_owned(), read_only: false });
    let spec = ContainerSpec {
        name: shared.names.object("hand"),
        hostname: "hand".to_owned(),
        image: shared.image(),
        command: vec![image::EXECUTABLE.to_owned(), "hand".to_owned()],
        labels: shared.names.labels(&[(LABEL_ROLE, ROLE_HAND)]),
        user: "0:0".to_owned(),
        volumes,
        privileged: !shared.options.no_rights,
        machine_root: if shared.options.no_rights { String::new() } else { MACHINE_ROOT.to_owned() },
        capabilities: if shared.options.no_rights { RIGHTS_LEAST } else { RIGHTS_WANTED },
        cpu_shares: HAND_CPU_SHARES,
        cgroup_parent: if shared.info.systemd_cgroups { String::new() } else { HAND_CGROUP_PARENT.to_owned() },
        attach: true,
        ..ContainerSpec::default()
    };
    match start_hand(shared, &spec).await {
        Err(error) if spec.privileged => {
            tracing::warn!("the engine grants the hand no rights ({error:#}); going on without");
            shared.engine.remove_container(&spec.name).await?;
            start_hand(
                shared,
                &ContainerSpec { privileged: false, machine_root: String::new(), capabilities: RIGHTS_LEAST, ..spec },
            )
            .await
        }
        started => started,
    }
}

async fn start_hand(shared: &Arc<Shared>, spec: &ContainerSpec) -> Result<(Hand, Rights)> {
    shared.engine.create(spec).await?;
    let attached = shared.engine.attach(&spec.name).await?;
    shared.engine.start(&spec.name).await?;
    let watcher = Arc::clone(shared);
    let hand = Hand::new(attached, move || watcher.part_gone("the hand"));
    let (run, short) = (shared.names.run.clone(), shared.names.short.clone());
    let lease_ms = u64::try_from(LEASE.as_millis())?;
    let cgroups = vec![shared.names.cgroup_root()];
    match hand.ask(Task::Hello { run, short, cgroups, lease_ms }).await? {
        Answer::Hello(rights) => {
            hand.keep_lease();
            Ok((hand, rights))
        }
        other => bail!("the hand answered {other:?} to a greeting"),
    }
}

/// Makes a bridge for each zone with forwarding between them and no way out; where the hand may write no rules, one
/// internal bridge for all.
async fn networks(shared: &Arc<Shared>, hand: Hand, rights: Rights) -> Result<Built> {
    let subnets = shared.topology.zones().count() + 1;
    let most = shared.topology.zones().map(|(_, zone)| hosts_in(shared, zone.name.as_str())).max().unwrap_or(0);
    let routed = rights.links.is_ok();
    // The run's short id is random: runs that start together begin at different blocks.
    let first = u64::from_str_radix(&shared.names.short, 16).unwrap_or_default();
    for number in first..first + BLOCKS_TRIED {
        let block =
            Block::new(number, subnets, most).context("the region has more hosts than addresses can be had for")?;
        match claim(shared, &block, subnets, routed).await {
            Err(error) if is_overlap(&error) => release(shared, subnets).await?,
            Err(error) => return Err(error),
            Ok(()) => {
                if routed {
                    let bridges = (0..subnets).map(|subnet| shared.names.bridge(subnet)).collect();
                    hand.ask(Task::Links { bridges }).await?;
                }
                let layout = Layout {
                    topology: shared.topology.clone(),
                    graph: shared.graph.clone(),
                    placement: shared.placement.clone(),
                    traffic: shared.traffic,
                    seed: shared.seed,
                    block,
                };
                return Ok(Built::new(hand, rights, layout, routed));
            }
        }
    }
    bail!(
        "every block of 198.18.0.0/15 that was tried is taken by another network; `blackstart clean` removes what dead runs left"
    )
}

fn hosts_in(shared: &Shared, zone: &str) -> usize {
    shared.placement.hosts.iter().filter(|host| host.zone.as_str() == zone).count()
}

async fn claim(shared: &Shared, block: &Block, subnets: usize, routed: bool) -> Result<()> {
    let labels = shared.names.labels(&[]);
    for subnet in 0..if routed { subnets } else { 1 } {
        let name = shared.names.object(&format!("net-{subnet}"));
        let bridge = shared.names.bridge(subnet);
        let range = if routed { block.subnet(subnet) } else { block.whole(subnets) };
        let gateway = block.gateway(subnet).to_string();
        let spec = NetworkSpec {
            name: &name,
            bridge: &bridge,
            subnet: &range,
            gateway: &gateway,
            internal: !routed,
            labels: &labels,
        };
        shared.engine.create_network(spec).await?;
    }
    Ok(())
}

async fn release(shared: &Shared, subnets: usize) -> Result<()> {
    for subnet in 0..subnets {
        shared.engine.remove_network(&shared.names.object(&format!("net-{subnet}"))).await?;
    }
    Ok(())
}

async fn raise_witness(shared: &Arc<Shared>, built: &Arc<Built>) -> Result<()> {
    let spec = ContainerSpec {
        name: shared.names.object("witness"),
        hostname: "witness".to_owned(),
        image: shared.image(),
        command: vec![image::EXECUTABLE.to_owned(), "witness".to_owned()],
        labels: shared.names.labels(&[(LABEL_ROLE, ROLE_WITNESS)]),
        user: format!("{HOST_UID}:{HOST_UID}"),
        network: Some((built.network(shared, 0), built.layout.witness().to_string())),
        attach: true,
        ..ContainerSpec::default()
    };
    shared.engine.create(&spec).await?;
    let attached = shared.engine.attach(&spec.name).await?;
    shared.engine.start(&spec.name).await?;
    let (speaker, mut seen) = converse::<Seen>(attached);
    built.set_witness(speaker);
    // The clocks first: everything that follows is told in the engine machine's time.
    let asked = shared.clock.now();
    built.tell_witness(&Tell::Ping(0)).await?;
    match tokio::time::timeout(LEASE, seen.recv()).await {
        Ok(Some(Seen::Pong { mono_ns, wall_ns, .. })) => {
            shared.clock.calibrate(asked, shared.clock.now(), mono_ns, wall_ns);
        }
        Ok(other) => bail!("the witness answered {other:?} to the question of the time"),
        Err(_) => bail!("the witness did not answer"),
    }
    tokio::spawn(listen(Arc::clone(shared), Arc::clone(built), seen));
    Ok(())
}

/// Passes on what the witness tells.
async fn listen(shared: Arc<Shared>, built: Arc<Built>, mut seen: mpsc::Receiver<Seen>) {
    let mut observer = observe::Observer::default();
    while let Some(message) = seen.recv().await {
        built.note(&message);
        for input in observer.translate(&shared.clock, message) {
            if shared.inputs.send(input).await.is_err() {
                return;
            }
        }
    }
    shared.part_gone("the witness");
}

async fn hosts(shared: &Arc<Shared>, built: &Arc<Built>) -> Result<()> {
    let all = built.layout.placement.hosts.clone();
    at_once(STARTS_AT_ONCE, all, |host| async move {
        shared.going_on()?;
        let zone = built.layout.zone_number(&host.zone);
        let name = shared.names.object(&format!("host-{}", host.name));
        let spec = ContainerSpec {
            name: name.clone(),
            hostname: host.name.to_string().chars().take(63).collect(),
            image: shared.image(),
            command: vec![
                image::EXECUTABLE.to_owned(),
                "host".to_owned(),
                format!("{SHARED_DIR}/hosts/{}.json", host.name),
            ],
            labels: shared.names.labels(&[(LABEL_ZONE, host.zone.as_str()), (LABEL_HOST, host.name.as_str())]),
            user: format!("{HOST_UID}:{HOST_UID}"),
            network: Some((built.network(shared, zone + 1), built.layout.address(&host).to_string())),
            volumes: vec![
                state_volume(shared, host.zone.as_str(), STATE_DIR),
                VolumeMount { volume: shared.names.object("shared"), target: SHARED_DIR.to_owned(), read_only: true },
            ],
            cgroup_parent: if built.rights.host_view { shared.names.cgroup_parent(zone) } else { String::new() },
            memory_bytes: HOST_MEMORY_BYTES,
            pids: HOST_PIDS,
            ..ContainerSpec::default()
        };
        let id = shared.engine.create(&spec).await?;
        built.created(&host.name, zone, id);
        shared.engine.start(&name).await?;
        shared.progress("hosts", built.layout.placement.hosts.len());
        Ok(())
    })
    .await?;
    Ok(())
}

impl Shared {
    /// Ends provisioning early where the run was cancelled.
    pub(super) fn going_on(&self) -> Result<()> {
        if *self.cancelled.borrow() {
            bail!("cancelled")
        }
        Ok(())
    }

    /// Tells the controller that a part of the harness has ended, unless everything is being removed.
    pub(super) fn part_gone(&self, what: &str) {
        if !self.is_tearing_down() {
            // Full only where the controller is overwhelmed by far worse news.
            let _full = self.inputs.try_send(Input::Lost { why: format!("{what} ended unexpectedly") });
        }
    }
}
