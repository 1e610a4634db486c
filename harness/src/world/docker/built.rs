//! Owns what stands of a region on an engine while a process works on it: the hand, the witness, hosts with their cables, and
//! what is known of their deaths and power. Refuses to act on any of it.

use super::Shared;
use super::hand_link::Hand;
use super::link::Speaker;
use super::region::Layout;
use crate::hand::net::wire;
use crate::hand::protocol::{Rights, Target, Task, Wire};
use crate::witness::protocol::{Errand, Seen, Tell};
use agents::wire::{Note, Reply};
use anyhow::{Context, Result};
use fixtures::name::HostName;
use fixtures::placement::Host;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};

/// How long a region that is given back waits for the engine to take note of deaths.
const DEATHS_WAIT: Duration = Duration::from_secs(3);

/// How long instances may take to say which version they run: a probe of the witness gives up before.
const VERSIONS_WAIT: Duration = Duration::from_secs(2);

/// What the way of a question to the witness and back may take beyond what its answer may.
const ERRAND_SLACK: Duration = Duration::from_secs(3);

/// What provisioning made.
pub(super) struct Built {
    pub(super) hand: Hand,
    pub(super) rights: Rights,
    pub(super) layout: Layout,
    pub(super) routed: bool,
    /// How packets are shaped, or why they cannot be.
    pub(super) shapes: Result<String, String>,
    pub(super) witness: RwLock<Option<Speaker>>,
    pub(super) containers: Mutex<BTreeMap<HostName, (usize, String)>>,
    pub(super) powered: Mutex<BTreeMap<HostName, u64>>,
    pub(super) powered_changed: Notify,
    pub(super) read_back: Notify,
    pub(super) lit: AtomicBool,
    /// Faults in force that are looked at.
    pub(super) watched: Mutex<BTreeSet<String>>,
    /// Hosts whose last loss of power the engine has taken note of.
    pub(super) deaths: Mutex<BTreeSet<HostName>>,
    pub(super) deaths_changed: Notify,
    /// What instances said of their versions, by their places.
    pub(super) versions: Mutex<BTreeMap<usize, String>>,
    pub(super) versions_changed: Notify,
    /// Who waits for the answer to which question of whoever moves data.
    pub(super) questions: Mutex<BTreeMap<u64, oneshot::Sender<Option<Reply>>>>,
}

impl Built {
    pub(super) fn new(
        hand: Hand,
        rights: Rights,
        layout: Layout,
        routed: bool,
        shapes: Result<String, String>,
    ) -> Self {
        Self {
            hand,
            rights,
            layout,
            routed,
            shapes,
            witness: RwLock::default(),
            containers: Mutex::default(),
            powered: Mutex::default(),
            powered_changed: Notify::new(),
            read_back: Notify::new(),
            lit: AtomicBool::new(false),
            watched: Mutex::default(),
            deaths: Mutex::default(),
            deaths_changed: Notify::new(),
            versions: Mutex::default(),
            versions_changed: Notify::new(),
            questions: Mutex::default(),
        }
    }

    pub(super) fn rights_used(&self) -> BTreeMap<String, String> {
        let power = match &self.rights {
            Rights { host_view: false, .. } => "engine (the hand sees no host processes)",
            Rights { cgroup_kill, .. } if !cgroup_kill.is_empty() => "hand: cgroup.kill",
            Rights { freezer, .. } if !freezer.is_empty() => "hand: freezer and SIGKILL",
            Rights { .. } => "hand: SIGKILL",
        };
        let links = match &self.rights.links {
            _ if self.layout.attached.is_some() => "none: the project's own networks, left as they are".to_owned(),
            Ok(()) => "hand: a bridge for each zone, forwarding between them, no way out".to_owned(),
            Err(why) => format!("one internal bridge for all zones ({why})"),
        };
        let had = |way: &str, right: &Result<(), String>| match right {
            Ok(()) => way.to_owned(),
            Err(why) => format!("none ({why})"),
        };
        let disks = match &self.layout.attached {
            Some(_) => "none: the project's own volumes, left as they are".to_owned(),
            None => had("hand: a filesystem for each zone on a loop device", &self.rights.disks),
        };
        BTreeMap::from([
            ("power".to_owned(), power.to_owned()),
            ("links".to_owned(), links),
            ("shapes".to_owned(), self.shapes.clone().unwrap_or_else(|why| format!("none ({why})"))),
            ("disks".to_owned(), disks),
            ("gate".to_owned(), "hand: a lock for each host".to_owned()),
        ])
    }

    /// The network with this number; where zones share one bridge, that one.
    pub(super) fn network(&self, shared: &Shared, number: usize) -> String {
        shared.names.object(&format!("net-{}", if self.routed { number } else { 0 }))
    }

    /// Whether the hand lays the cables of hosts, and the engine's networks have no endpoint of theirs.
    pub(super) fn is_wired(&self) -> bool {
        self.routed && self.rights.host_view
    }

    /// The cables of all hosts that were made.
    pub(super) fn wires(&self, shared: &Shared) -> Vec<Wire> {
        let hosts = self.layout.placement.hosts.iter().enumerate();
        let wire = |(number, host): (usize, &Host)| {
            let (subnet, block) = (self.layout.number_of(host) + 1, &self.layout.block);
            Some(Wire {
                host: self.target(shared, &host.name)?,
                interface: wire::name(&shared.names.short, number),
                bridge: shared.names.bridge(subnet),
                address: self.layout.address(host),
                prefix: if shared.by_gateway() { wire::ALONE } else { block.prefix() },
                gateway: block.gateway(subnet),
            })
        };
        hosts.filter_map(wire).collect()
    }

    /// The network of a host with its address there, where the engine lays its cable.
    pub(super) fn endpoint(&self, shared: &Shared, host: &Host) -> Option<(String, String)> {
        let network = || self.network(shared, self.layout.number_of(host) + 1);
        (!self.is_wired()).then(|| (network(), self.layout.address(host).to_string()))
    }

    /// The network that a host which was made is on, where the engine lays its cable.
    pub(super) fn network_of(&self, shared: &Shared, host: &HostName) -> String {
        self.network(shared, self.container(host).map_or(0, |(zone, _)| zone + 1))
    }

    pub(super) fn created(&self, host: &HostName, zone: usize, id: String) {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner).insert(host.clone(), (zone, id));
    }

    /// A host's zone number and container id.
    pub(super) fn container(&self, host: &HostName) -> Option<(usize, String)> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner).get(host).cloned()
    }

    /// A host as the hand knows it: of a project of others its own container.
    pub(super) fn target(&self, shared: &Shared, host: &HostName) -> Option<Target> {
        match &shared.attached {
            Some(attachment) => attachment.target(host),
            None => self.own_target(shared, host),
        }
    }

    /// A container of ours for a host, as the hand knows it.
    pub(super) fn own_target(&self, shared: &Shared, host: &HostName) -> Option<Target> {
        let (zone, id) = self.container(host)?;
        Some(Target { host: host.to_string(), cgroup: shared.names.cgroup_of(zone, &id) })
    }

    pub(super) fn all_targets(&self, shared: &Shared) -> Vec<Target> {
        self.layout.placement.hosts.iter().filter_map(|host| self.target(shared, &host.name)).collect()
    }

    pub(super) fn set_witness(&self, speaker: Speaker) {
        *self.witness.write().unwrap_or_else(PoisonError::into_inner) = Some(speaker);
    }

    pub(super) async fn tell_witness(&self, tell: &Tell) -> Result<()> {
        let speaker = self.witness.read().unwrap_or_else(PoisonError::into_inner).clone();
        speaker.context("there is no witness yet")?.say(tell).await.context("the witness")
    }

    /// Gives a host that was started its cable, whoever started it: one that somebody else starts passes its gate at once.
    pub(super) fn plug(self: &Arc<Self>, host: &HostName) {
        if self.is_wired() {
            let (hand, host) = (self.hand.clone(), host.to_string());
            // One that is dark again needs none, and a hand that is gone is told elsewhere.
            tokio::spawn(async move { hand.try_ask(Task::Plug { host }).await });
        }
    }

    /// The engine has taken note of a death.
    pub(super) fn died(&self, host: HostName) {
        self.deaths.lock().unwrap_or_else(PoisonError::into_inner).insert(host);
        self.deaths_changed.notify_one();
    }

    /// Hosts are about to die: the engine knows of none of these deaths yet.
    pub(super) fn forget_deaths(&self, hosts: &[HostName]) {
        self.deaths.lock().unwrap_or_else(PoisonError::into_inner).retain(|host| !hosts.contains(host));
    }

    /// Waits until the engine has taken note that these hosts died.
    pub(super) async fn await_deaths(&self, hosts: &[HostName]) {
        let known = || {
            let deaths = self.deaths.lock().unwrap_or_else(PoisonError::into_inner);
            hosts.iter().all(|host| deaths.contains(host))
        };
        while !known() {
            self.deaths_changed.notified().await;
        }
    }

    /// The same for a moment: whom the engine lost before anybody listened, nobody hears of.
    pub(super) async fn await_deaths_or_go_on(&self, hosts: &[HostName]) {
        let _late = tokio::time::timeout(DEATHS_WAIT, self.await_deaths(hosts)).await;
    }

    /// Asks all instances which version they run; those that run another than the graph's, by their places. Who does not
    /// answer in time runs none.
    pub(super) async fn ask_versions(&self) -> Result<BTreeMap<usize, String>> {
        let all = self.layout.placement.instances.len();
        self.versions.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.tell_witness(&Tell::Versions).await?;
        let known = || self.versions.lock().unwrap_or_else(PoisonError::into_inner).len();
        let asked = async {
            while known() < all {
                self.versions_changed.notified().await;
            }
        };
        let _late = tokio::time::timeout(VERSIONS_WAIT, asked).await;
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner).clone();
        versions.retain(|_, version| !version.is_empty());
        Ok(versions)
    }

    /// Has the witness ask an instance once; nothing where nothing came back, or no witness is there.
    pub(super) async fn ask_instance(&self, errand: Errand) -> Option<Reply> {
        let (number, within) = (errand.number, Duration::from_nanos(errand.timeout_ns) + ERRAND_SLACK);
        let (sender, answer) = oneshot::channel();
        self.questions.lock().unwrap_or_else(PoisonError::into_inner).insert(number, sender);
        self.tell_witness(&Tell::Ask(Box::new(errand))).await.ok()?;
        let answered = tokio::time::timeout(within, answer).await;
        self.questions.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
        answered.ok()?.ok()?
    }

    pub(super) fn was_lit(&self) -> bool {
        self.lit.load(Ordering::Relaxed)
    }

    pub(super) fn set_lit(&self) {
        self.lit.store(true, Ordering::Relaxed);
    }

    /// Notes of the witness that acts wait for.
    pub(super) fn note(&self, seen: &Seen) {
        match seen {
            Seen::ReadBackDone => self.read_back.notify_one(),
            Seen::Answered { number, reply } => {
                let asked = self.questions.lock().unwrap_or_else(PoisonError::into_inner).remove(number);
                // Whoever asked may have given up meanwhile.
                let _gave_up = asked.map(|asked| asked.send(reply.as_deref().cloned()));
            }
            Seen::Version { probe, version } => {
                self.versions.lock().unwrap_or_else(PoisonError::into_inner).insert(*probe, version.clone());
                self.versions_changed.notify_one();
            }
            Seen::Line(line) if line.note == Note::Powered => {
                let mut powered = self.powered.lock().unwrap_or_else(PoisonError::into_inner);
                powered.insert(line.from.host.clone(), line.mono_ns);
                self.powered_changed.notify_one();
            }
            _ => {}
        }
    }

    pub(super) fn forget_powered(&self) {
        self.powered.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// When each of these hosts passed its gate, as far as their notes arrive in time.
    pub(super) async fn await_powered(&self, hosts: &[HostName], wait: Duration) -> Vec<u64> {
        let passed = || {
            let powered = self.powered.lock().unwrap_or_else(PoisonError::into_inner);
            hosts.iter().filter_map(|host| powered.get(host).copied()).collect::<Vec<u64>>()
        };
        let all = async {
            while passed().len() < hosts.len() {
                self.powered_changed.notified().await;
            }
        };
        // A timeout leaves fewer notes than hosts, which the caller tells.
        let _late = tokio::time::timeout(wait, all).await;
        passed()
    }
}
