//! Owns making a region on an engine: image, volumes, hand, networks, witness, hosts. Refuses to give it power.

use super::built::Built;
use super::engine::{ContainerSpec, NetworkSpec, VolumeMount, is_overlap};
use super::faults::base_latencies;
use super::guard::Guard;
use super::hand_link::{Hand, LEASE_MS};
use super::link::converse;
use super::names::{LABEL_HOST, LABEL_ROLE, LABEL_ZONE, ROLE_WITNESS};
use super::raise::Raise;
use super::region::{Layout, Theirs};
use super::software::files::{self, Owner};
use super::subnet::Block;
use super::{CALLS_AT_ONCE, Shared, at_once, attached, image, software, start_hosts};
use crate::controller::Input;
use crate::hand::disk::place::{DISKS_DIR, LINK};
use crate::hand::protocol::{Answer, Lease, LeaseEnd, Rights, Task};
use crate::hand::{HOST_UID, SHARED_DIR, STATE_DIR};
use crate::witness::protocol::{Seen, Tell};
use crate::world::HOST_MEMORY_BYTES;
use agents::commons::{Apart, Keys};
use anyhow::{Context, Result, bail};
use fixtures::graph::image::ImageService;
use fixtures::name::HostName;
use fixtures::placement::Host;
use scenarios::event::{By, Detail, Place};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Blocks of addresses that are tried: other runs and other networks may hold some.
const BLOCKS_TRIED: u64 = 64;
/// Processes and threads of a host of ours.
const HOST_PIDS: i64 = 256;
/// Of a host of real software.
const SOFTWARE_PIDS: i64 = 1024;
const SOFTWARE_MEMORY_BYTES: i64 = 1 << 30;
/// Makes the region of a run; every host waits at its gate.
pub(super) async fn provision(shared: &Arc<Shared>) -> Result<()> {
    shared.guard_with(Guard::set_up(&shared.names.run, shared.options.no_rights)?);
    import(shared).await?;
    shared_volume(shared).await?;
    let (hand, rights) = raise_hand(shared, LeaseEnd::HealAndRemove).await?;
    shared.going_on()?;
    state_volumes(shared, &hand, &rights).await?;
    let built = Arc::new(networks(shared, hand, rights, None).await?);
    shared.set_built(Arc::clone(&built));
    let layout = &built.layout;
    let configs = layout.host_configs();
    let file = |config: &agents::config::HostConfig| {
        Ok((format!("hosts/{}.json", config.host), serde_json::to_string(config)?))
    };
    let files = configs.iter().map(file).collect::<Result<Vec<_>>>()?;
    let gates = configs.iter().map(|config| config.host.to_string()).collect();
    built.hand.ask(Task::Prepare { files, gates }).await?;
    if shared.graph.has_images() {
        real_software_can_be_had(shared, &built)?;
        built.hand.ask(Task::Software).await?;
    }
    shared.going_on()?;
    raise_witness(shared, &built).await?;
    shared.follow_engine();
    hosts(shared, &built, layout.placement.hosts.clone()).await?;
    built.tell_witness(&Tell::Begin(Box::new(layout.watch()))).await
}

pub(super) async fn import(shared: &Shared) -> Result<()> {
    if shared.options.agent_image.is_some() {
        return Ok(());
    }
    let tar = image::build(shared.options.agent.as_deref(), &shared.info.architecture)?;
    shared.engine.import_image(&shared.names.image(), &shared.names.labels(&[]), tar).await
}

/// The volume that the hand and all hosts see.
pub(super) async fn shared_volume(shared: &Shared) -> Result<()> {
    shared.engine.create_volume(&shared.names.object("shared"), &shared.names.labels(&[]), None).await
}

/// A volume for the state of each zone's hosts: on a disk of its own where the hand can make one.
pub(super) async fn state_volumes(shared: &Shared, hand: &Hand, rights: &Rights) -> Result<()> {
    let zones: Vec<String> = shared.topology.zones().map(|(_, zone)| zone.name.to_string()).collect();
    let mut devices = BTreeMap::new();
    if rights.disks.is_ok() {
        let large = shared.graph.has_images();
        match hand.ask(Task::Disks { zones: zones.clone(), large }).await? {
            Answer::Disks(made) => devices.extend(made),
            other => bail!("the hand answered {other:?} to the disks"),
        }
    }
    for zone in &zones {
        let labels = shared.names.labels(&[(LABEL_ZONE, zone)]);
        let name = shared.names.object(&format!("state-{zone}"));
        let device = match devices.get(zone) {
            // The device of a region that stands may have another number when the machine has been restarted.
            Some(_) if shared.names.region.is_some() => Some(link_to_device(shared, zone).await?),
            device => device.cloned(),
        };
        shared.engine.create_volume(&name, &labels, device.as_deref()).await?;
    }
    Ok(())
}

/// The link beside a disk's image that leads to its device, as the engine's machine has it.
async fn link_to_device(shared: &Shared, zone: &str) -> Result<String> {
    let folder = shared.engine.volume_path(&shared.names.object("shared")).await?;
    Ok(format!("{folder}/{DISKS_DIR}/{zone}{LINK}"))
}

fn state_volume(shared: &Shared, zone: &str, target: &str) -> VolumeMount {
    let volume = shared.names.object(&format!("state-{zone}"));
    // The image's own folder belongs to the hosts' user, and so does a volume that is first mounted over it.
    VolumeMount { volume, target: target.to_owned(), read_only: false, copy: true }
}

pub(super) async fn raise_hand(shared: &Arc<Shared>, then: LeaseEnd) -> Result<(Hand, Rights)> {
    let watcher = Arc::clone(shared);
    let raise = Raise {
        engine: &shared.engine,
        names: &shared.names,
        image: shared.image(),
        no_rights: shared.options.no_rights,
        lease: Lease { silence_ms: LEASE_MS, then },
        day: None,
    };
    raise.raise(move || watcher.part_gone("the hand")).await
}

/// Makes a bridge for each zone with forwarding between them and no way out; where the hand may write no rules, one
/// internal bridge for all. `apart` is the region that has a root of its own.
pub(super) async fn networks(shared: &Arc<Shared>, hand: Hand, rights: Rights, apart: Option<Apart>) -> Result<Built> {
    let subnets = shared.topology.zones().count() + 1;
    let most = shared.topology.zones().map(|(_, zone)| hosts_in(shared, zone.name.as_str())).max().unwrap_or(0);
    let routed = rights.links.is_ok();
    let keys = match &shared.graph.identity {
        Some(_) => Some(agents::runtime::tls::new_root().context("the run's root cannot be made")?),
        None => None,
    };
    // The run's short id is random: runs that start together begin at different blocks.
    let first = u64::from_str_radix(&shared.names.short, 16).unwrap_or_default();
    for number in first..first + BLOCKS_TRIED {
        let block =
            Block::new(number, subnets, most).context("the region has more hosts than addresses can be had for")?;
        match claim(shared, &block, subnets, routed).await {
            Err(error) if is_overlap(&error) => release(shared, subnets).await?,
            Err(error) => return Err(error),
            Ok(()) => {
                let mut shapes = Err("zones share one bridge".to_owned());
                if routed {
                    let bridges = (0..subnets).map(|subnet| shared.names.bridge(subnet)).collect();
                    shapes = link(shared, &hand, bridges).await?;
                }
                let layout = Layout { apart, ..shared.layout(block, keys.clone()) };
                match &shapes {
                    Ok(_) => drop(hand.ask(Task::Latencies { rules: base_latencies(&layout) }).await?),
                    Err(why) => {
                        shared
                            .caveat("latency-not-applied", format!("links have no latency of the topology: {why}"))
                            .await;
                    }
                }
                return Ok(Built::new(hand, rights, layout, routed, shapes));
            }
        }
    }
    bail!(
        "every block of 198.18.0.0/15 that was tried is taken by another network; `blackstart clean` removes what dead runs left"
    )
}

/// Links the bridges; returns how packets are shaped, or why they cannot be.
pub(super) async fn link(shared: &Shared, hand: &Hand, bridges: Vec<String>) -> Result<Result<String, String>> {
    match hand.ask(Task::Links { bridges, seed: shared.seed }).await? {
        Answer::Linked { shapes, caveats } => {
            for text in caveats {
                shared.caveat("links-limited", text).await;
            }
            Ok(shapes)
        }
        other => bail!("the hand answered {other:?} to the bridges"),
    }
}

fn hosts_in(shared: &Shared, zone: &str) -> usize {
    let is_in = |host: &&Host| shared.elsewhere.get(&host.name).unwrap_or(&host.zone).as_str() == zone;
    shared.placement.hosts.iter().filter(is_in).count()
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

pub(super) async fn raise_witness(shared: &Arc<Shared>, built: &Arc<Built>) -> Result<()> {
    let mut spec = ContainerSpec {
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
    if shared.attached.is_some() {
        // Where the escorts are, and at no address of the machine but its own.
        (spec.network, spec.machine_network) = (None, true);
        spec.command.push(built.layout.notes().to_string());
    }
    shared.engine.create(&spec).await?;
    let attached = shared.engine.attach(&spec.name).await?;
    shared.engine.start(&spec.name).await?;
    let (speaker, mut seen) = converse::<Seen>(attached);
    built.set_witness(speaker);
    // The clocks first: everything that follows is told in the engine machine's time.
    let asked = shared.clock.now();
    built.tell_witness(&Tell::Ping(0)).await?;
    let answered = async {
        // Hosts of a region that stands have notes for it at once; they are of before it came.
        loop {
            match seen.recv().await {
                Some(Seen::Pong { mono_ns, wall_ns, .. }) => return Ok((mono_ns, wall_ns)),
                Some(Seen::Line(_)) => {}
                other => bail!("the witness answered {other:?} to the question of the time"),
            }
        }
    };
    match tokio::time::timeout(Duration::from_millis(LEASE_MS), answered).await {
        Ok(answered) => {
            let (mono_ns, wall_ns) = answered?;
            shared.clock.calibrate(asked, shared.clock.now(), mono_ns, wall_ns);
        }
        Err(_) => bail!("the witness did not answer"),
    }
    tokio::spawn(listen(Arc::clone(shared), Arc::clone(built), seen));
    Ok(())
}

/// Passes on what the witness tells.
async fn listen(shared: Arc<Shared>, built: Arc<Built>, mut seen: mpsc::Receiver<Seen>) {
    // What waited for a witness says how it was before this one came.
    let taken = shared.standing().is_some().then(|| shared.clock.to_mono(shared.clock.now()));
    let mut observer = crate::world::observe::Observer::from_then_on(taken);
    while let Some(message) = seen.recv().await {
        built.note(&message);
        for input in observer.translate(&shared.clock, message) {
            if shared.is_of_no_use(&input) {
                continue;
            }
            if shared.inputs.send(input).await.is_err() {
                return;
            }
        }
    }
    shared.part_gone("the witness");
}

/// A container that is a host: this executable is its first process, and what that has to know is in the folder that all see.
pub(super) fn host_container(shared: &Shared, host: &Host) -> ContainerSpec {
    let zone = shared.elsewhere.get(&host.name).unwrap_or(&host.zone);
    ContainerSpec {
        name: shared.names.object(&format!("host-{}", host.name)),
        hostname: host.name.to_string().chars().take(63).collect(),
        image: shared.image(),
        command: vec![
            image::EXECUTABLE.to_owned(),
            "host".to_owned(),
            format!("{SHARED_DIR}/hosts/{}.json", host.name),
        ],
        labels: shared.names.labels(&[(LABEL_ZONE, zone.as_str()), (LABEL_HOST, host.name.as_str())]),
        user: format!("{HOST_UID}:{HOST_UID}"),
        volumes: vec![VolumeMount {
            volume: shared.names.object("shared"),
            target: SHARED_DIR.to_owned(),
            read_only: true,
            copy: false,
        }],
        memory_bytes: i64::try_from(HOST_MEMORY_BYTES).unwrap_or(i64::MAX),
        pids: HOST_PIDS,
        ..ContainerSpec::default()
    }
}

/// Makes these hosts and starts them; each waits at its gate.
pub(super) async fn hosts(shared: &Arc<Shared>, built: &Arc<Built>, wanted: Vec<Host>) -> Result<()> {
    at_once(CALLS_AT_ONCE, wanted.clone(), |host| async move {
        shared.going_on()?;
        // A group is of those who believe to be in one zone: what stands in for others has none in common with its neighbours.
        let zone = built.layout.zone_number(&host.zone);
        let mut spec = host_container(shared, &host);
        spec.network = built.endpoint(shared, &host);
        spec.volumes.insert(0, state_volume(shared, built.layout.zone_of(&host).as_str(), STATE_DIR));
        if built.rights.host_view {
            spec.cgroup_parent = shared.names.cgroup_parent(zone);
        }
        // Name servers listen on the port of DNS, and have no capability for that.
        spec.low_ports = shared.graph.names.is_some();
        spec.by_gateway = shared.by_gateway();
        let real = software::on_host(&built.layout, &host).map(|(_, _, image)| image);
        let spec = real.map_or(spec.clone(), |image| of_image(shared, &host, image, spec));
        let id = shared.engine.create(&spec).await?;
        if real.is_some() {
            furnish(shared, built, &host, &spec).await?;
        }
        built.created(&host.name, zone, id);
        Ok(())
    })
    .await?;
    if built.is_wired() {
        built.hand.ask(Task::Wires { wires: built.wires(shared) }).await?;
    }
    let names: Vec<HostName> = wanted.iter().map(|host| host.name.clone()).collect();
    start_hosts(shared, built, &names, || shared.progress("hosts", names.len())).await?;
    all_wait(shared, wanted).await
}

/// Without rights there is neither a cable that only the hand can pull nor a disk that loses anything.
fn real_software_can_be_had(shared: &Shared, built: &Built) -> Result<()> {
    if !built.is_wired() || built.rights.disks.is_err() {
        bail!(
            "real software needs a hand with rights on the engine's machine: cables of its own, and a disk for each zone. \
             `docs/images.md` says why; `--mock` plays each image as a mock service"
        )
    }
    image::must_be_static(shared.options.agent.as_deref())
}

/// The container of a host of real software: made from its owner's image.
fn of_image(shared: &Shared, host: &Host, image: &ImageService, ours: ContainerSpec) -> ContainerSpec {
    let own = shared.images.get(&image.reference).map(|facts| facts.user.clone()).unwrap_or_default();
    ContainerSpec {
        image: image.reference.clone(),
        command: software::command(host),
        user: image.user.clone().unwrap_or(own),
        memory_bytes: SOFTWARE_MEMORY_BYTES,
        pids: SOFTWARE_PIDS,
        low_ports: true,
        real: true,
        in_memory: image.in_memory.clone(),
        ..ours
    }
}

/// Puts the files into a container of real software, the folders on its zone's disk included.
async fn furnish(shared: &Shared, built: &Built, host: &Host, spec: &ContainerSpec) -> Result<()> {
    let passwd = shared.engine.text_of(&spec.name, "/etc/passwd").await?;
    let group = shared.engine.text_of(&spec.name, "/etc/group").await?;
    let owner = Owner::of(&spec.user, &passwd, &group).with_context(|| format!("image {}", spec.image))?;
    shared.engine.put(&spec.name, files::tar(&built.layout, host, owner)?).await
}

/// A host that does not live long enough to wait for power would look like one that waits for ever.
async fn all_wait(shared: &Arc<Shared>, wanted: Vec<Host>) -> Result<()> {
    let all = wanted.len();
    let ended = at_once(CALLS_AT_ONCE, wanted, |host| async move {
        let ended = shared.engine.ended(&shared.names.object(&format!("host-{}", host.name))).await?;
        Ok(ended.map(|(status, line)| (host.name, status, line)))
    });
    let ended: Vec<_> = ended.await?.into_iter().flatten().collect();
    if let Some((host, status, line)) = ended.first() {
        let many = ended.len();
        bail!("{many} of {all} hosts ended before they had power; the first, {host}, with status {status}: {line}")
    }
    Ok(())
}

impl Shared {
    /// What the run's files and its seed make of a region with these addresses and keys.
    pub(super) fn layout(&self, block: Block, keys: Option<Keys>) -> Layout {
        Layout {
            topology: self.topology.clone(),
            graph: self.graph.clone(),
            placement: self.placement.clone(),
            images: self.images.clone(),
            attached: self.attached.as_ref().map(|attachment| Theirs {
                addresses: attachment.hosts.iter().map(|(host, lent)| (host.clone(), lent.address)).collect(),
                ports: attached::ports_of(&self.names.short),
            }),
            traffic: self.traffic.clone(),
            gathered: self.gathered,
            elsewhere: self.elsewhere.clone(),
            seed: self.seed,
            block,
            keys,
            apart: None,
        }
    }

    /// Ends provisioning early where the run was cancelled.
    pub(super) fn going_on(&self) -> Result<()> {
        if *self.cancelled.borrow() {
            bail!("cancelled")
        }
        Ok(())
    }

    /// Instances of a standing region count what arrives whether a game day is judged by it or not.
    fn is_of_no_use(&self, input: &Input) -> bool {
        let counts = matches!(input, Input::Seen { detail: Detail::Arrived { .. }, .. });
        counts && !self.gathered.counts_arrivals
    }

    /// Tells what a reader of the record must know.
    pub(super) async fn caveat(&self, code: &str, text: String) {
        let detail = Detail::Caveat { code: code.to_owned(), text };
        let (t_ns, by, place) = (self.clock.now(), By::Controller, Place::default());
        // The controller's loop has ended: nobody waits for this.
        let _ended = self.inputs.send(Input::Seen { t_ns, by, place, detail }).await;
    }

    /// Tells the controller that a part of the harness has ended, unless everything is being removed.
    pub(super) fn part_gone(&self, what: &str) {
        if !self.is_tearing_down() {
            // Full only where the controller is overwhelmed by far worse news.
            let _full = self.inputs.try_send(Input::Lost { why: format!("{what} ended unexpectedly") });
        }
    }
}
