//! Owns two regions on an engine in one run: the one that serves customers, and the one that is built out of it, with the
//! bootstrap network between them; or a region and the zone that is built into it, with what stands in for that; and the acts by
//! which it is built. Refuses to decide what is done next: the builder does.
//!
//! Everything is a run's: one hand, one witness, one guard. Hosts of the bootstrap network are on the bridges of the bootstrap
//! region's zones and believe to be elsewhere; those of what is built are made when the racks of their zone land.
//!
//! - `again`: a build whose builder died, or that was paused, is taken up
//! - `border`: how far apart what stands and what is built are, and what passes
//! - `calls`: who called whom, where packets pass
//! - `data`: values that come over, asked for by the witness
//! - `residency`: whether data that is marked for a country left its zone
//! - `software`: which hosts begin generic, and what they fetch

mod again;
mod border;
mod calls;
mod data;
mod residency;
mod software;

use super::built::Built;
use super::hand_link::Hand;
use super::{DockerWorld, OnProgress, Options, Parts, Shared, guard, power, provision, start_hosts};
use crate::clock::Clock;
use crate::controller::{Done, Input};
use crate::hand::protocol::{Answer, Deed, Ending, LeaseEnd, Rights, Task};
use crate::witness::protocol::Tell;
use crate::world::build::mover::Mover;
use crate::world::build::repository::Repository;
use crate::world::build::told::{ByHand, Told};
use crate::world::build::{self, Alter, servers};
use crate::world::docker::engine::{Engine, EngineInfo};
use crate::world::docker::standing::Made;
use crate::world::draw;
use agents::config::{HostConfig, Process, nanos};
use anyhow::{Context, Result, bail};
use border::apart;
use calls::Answers;
use fixtures::name::{HostName, ZoneName};
use fixtures::placement::Host;
use fixtures::regional::estate::{Estate, Part, Site};
use residency::Callers;
use scenarios::build::observed::Building;
use scenarios::build::plan::{Act, Border};
use scenarios::build::records::Records;
use scenarios::customers::Traffic;
use scenarios::event::{By, Detail, Place};
use scenarios::plan::Unsynced;
use scenarios::scenario::Gathered;
use software::Hosts;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// From the name servers of one zone that begin anew with other records to the next zone's.
const ZONES_APART: Duration = Duration::from_millis(300);
/// Pause between two probes of an instance that is not active: many of a build are dark for long.
const KEEN: Duration = Duration::from_secs(1);
/// How long everything stands when the builder is dead, or has paused.
pub const LEFT_FOR: Duration = Duration::from_secs(600);
/// How keys begin that the witness of a build writes that was taken up.
const AGAIN: &str = "again";
/// The version of the software that is there from the beginning, and how many versions each builder has for itself.
const FIRST_VERSION: u64 = 1;
const VERSIONS_EACH: u64 = 1_000_000;

/// What a build in containers is made of.
pub struct BuildParts {
    /// The engine, and what it says of itself.
    pub engine: (Engine, EngineInfo),
    /// The run's id.
    pub run: String,
    /// Choices.
    pub options: Options,
    /// Both regions, or the region and its new zone.
    pub estate: Estate,
    /// Who is behind each name at the beginning, where names of a region that stands are told.
    pub records: Records,
    /// What customers send.
    pub traffic: Traffic,
    /// What somebody wrote by hand.
    pub by_hand: Vec<ByHand>,
    /// Pause between two looks of the witness at somebody who is active.
    pub calm: Duration,
    /// The seed.
    pub seed: u64,
    /// The run's clock.
    pub clock: Arc<Clock>,
    /// How often the build has been taken up.
    pub again: u32,
    /// Called for each host that is there, with how many there will be.
    pub on_progress: OnProgress,
}

/// What is in force, as far as it was ordered.
#[derive(Debug, Clone)]
struct InForce {
    records: Records,
    /// What each name server was told last, by its place in the placement; who is not here was told nothing yet.
    told: BTreeMap<usize, Records>,
    inward: bool,
    border: Border,
    lit: BTreeSet<HostName>,
    /// Hosts that had power and lost it: they are started again, and do not wait at their gates.
    dead: BTreeSet<HostName>,
}

impl InForce {
    /// Everything is in the dark, and each name server has this in its file.
    fn at_first(estate: &Estate, records: Records) -> Self {
        let told = servers(estate).map(|index| (index, records.clone())).collect();
        let (lit, dead) = (BTreeSet::new(), BTreeSet::new());
        Self { records, told, inward: false, border: Border::Open, lit, dead }
    }

    /// From here on names are as these records say; returns the name servers that have to be told. Whoever was told the same
    /// already goes on, and so do those of zones that are left out: but what stands in for a zone is not in it.
    fn name(&mut self, estate: &Estate, records: &Records) -> BTreeSet<usize> {
        self.records = records.clone();
        let told = Records { left_out: Vec::new(), ..records.clone() };
        let is_left_out = |index: usize| {
            let instance = &estate.placement.instances[index];
            estate.standing[instance.host].site != Site::Network && records.left_out.contains(&instance.zone)
        };
        let others = |index: &usize| !is_left_out(*index) && self.told.get(index) != Some(&told);
        let wanted: BTreeSet<usize> = servers(estate).filter(others).collect();
        self.told.extend(wanted.iter().map(|index| (*index, told.clone())));
        wanted
    }
}

/// What is built on an engine, and out of what.
pub struct BuildSite {
    shared: Arc<Shared>,
    world: DockerWorld,
    estate: Estate,
    by_hand: Vec<ByHand>,
    calm: Duration,
    in_force: Mutex<InForce>,
    mover: Mutex<Mover>,
    answers: tokio::sync::Mutex<Answers>,
    callers: Mutex<Callers>,
    numbers: AtomicU64,
    /// From what the key of whoever signs software follows; no host of the build ever has it.
    signs: OnceLock<String>,
    /// How often the build has been taken up.
    again: u32,
}

impl BuildSite {
    /// A site on which nothing was made yet; what is seen goes to `inputs`.
    pub fn new(parts: BuildParts, inputs: mpsc::Sender<Input>) -> Self {
        let BuildParts { engine, run, options, estate, records, .. } = parts;
        let BuildParts { traffic, by_hand, calm, seed, clock, again, on_progress, .. } = parts;
        let (engine, info) = engine;
        let world = DockerWorld::new(
            Parts {
                engine,
                info,
                run,
                options,
                topology: apart(&estate),
                graph: estate.graph.clone(),
                placement: estate.placement.clone(),
                images: BTreeMap::new(),
                traffic,
                gathered: Gathered::default(),
                seed,
                clock,
                stands: None,
                attached: None,
                elsewhere: whereabouts(&estate),
                on_progress,
            },
            inputs,
        );
        let in_force = InForce::at_first(&estate, records);
        Self {
            shared: Arc::clone(&world.shared),
            world,
            mover: Mutex::new(build::mover(&estate, &by_hand)),
            estate,
            by_hand,
            calm,
            in_force: Mutex::new(in_force),
            answers: tokio::sync::Mutex::default(),
            callers: Mutex::default(),
            numbers: AtomicU64::new(1),
            signs: OnceLock::new(),
            again,
        }
    }

    /// Makes what stands from the beginning, all in the dark: bridges of all zones, the bootstrap region, the bootstrap network.
    ///
    /// # Errors
    /// Where the engine does not make it, or grants the hand no rights: then nobody sees who calls whom.
    pub async fn provision(&self) -> Result<()> {
        let (shared, secret) = (&self.shared, agents::runtime::tls::new_secret()?);
        shared.guard_with(guard::Guard::set_up(&shared.names.run, shared.options.no_rights)?);
        provision::import(shared).await?;
        provision::shared_volume(shared).await?;
        let (hand, rights) = provision::raise_hand(shared, LeaseEnd::HealAndRemove).await?;
        if !rights.host_view || rights.links.is_err() {
            bail!(
                "a region or a zone is built in containers only with a hand that has rights on the engine's machine: it sees who calls \
                 whom, and is the border. `--world sim` needs none"
            )
        }
        // Of a build nobody loses what was not synced: a zone needs no disk of its own, and many would only be in each other's way.
        let rights = Rights { disks: Err("a build loses nothing that was not synced".to_owned()), ..rights };
        provision::state_volumes(shared, &hand, &rights).await?;
        let apart =
            build::apart(&self.estate, Some(agents::runtime::tls::new_root_of(self.estate.build.region.as_str())?));
        let built = Arc::new(provision::networks(shared, hand, rights, apart).await?);
        shared.set_built(Arc::clone(&built));
        built.hand.ask(Task::Tap).await?;
        self.signs.get_or_init(|| secret);
        let told = self.told(&built, FIRST_VERSION)?;
        let files = told.all()?;
        let gates = told.configs.iter().map(|config| config.host.to_string()).collect();
        built.hand.ask(Task::Prepare { files, gates }).await?;
        provision::raise_witness(shared, &built).await?;
        shared.follow_engine();
        provision::hosts(shared, &built, self.hosts_of(|site, _| site != Site::Build)).await?;
        self.favour(&built).await?;
        self.watch(&built).await
    }

    /// The bootstrap region comes first at the processors: elsewhere it would have machines of its own, and what is built would
    /// take nothing from its customers.
    async fn favour(&self, built: &Built) -> Result<()> {
        let zones = self.estate.bootstrap.zones.iter();
        let groups = zones.map(|zone| self.shared.names.cgroup_path(built.layout.zone_number(zone))).collect();
        built.hand.ask(Task::Favour { groups }).await.map(drop)
    }

    /// Has the witness begin.
    async fn watch(&self, built: &Built) -> Result<()> {
        let mut watch = built.layout.watch();
        (watch.calm_ns, watch.keen_ns) = (nanos(self.calm), nanos(KEEN));
        if self.again > 0 {
            // Keys of an earlier witness are there already.
            watch.keys_begin = format!("{AGAIN}{}-", self.again);
        }
        built.tell_witness(&Tell::Begin(Box::new(watch))).await
    }

    /// From here on the hand leaves everything as it is when the builder dies, for whoever takes the build up.
    ///
    /// # Errors
    /// Where the hand is gone.
    pub async fn leave_when_gone(&self) -> Result<()> {
        let ms = u64::try_from(LEFT_FOR.as_millis())?;
        self.shared.need_built()?.hand.ask(Task::Lease(LeaseEnd::Leave { ms })).await.map(drop)
    }

    /// What was made, for whoever takes the build up.
    pub fn made(&self) -> Option<Made> {
        self.shared.built().map(|built| Made { signs: self.signs.get().cloned(), ..built.made() })
    }

    /// The racks of a zone land: its hosts are made, and wait in the dark.
    ///
    /// # Errors
    /// Where the engine does not make them.
    pub async fn land(&self, zone: &ZoneName) -> Result<()> {
        let built = self.shared.need_built()?;
        let hosts = self.hosts_of(|site, of| site == Site::Build && of == zone);
        provision::hosts(&self.shared, &built, hosts).await.with_context(|| format!("the racks of {zone}"))
    }

    fn hosts_of(&self, wanted: impl Fn(Site, &ZoneName) -> bool) -> Vec<Host> {
        let hosts = self.estate.placement.hosts.iter().zip(&self.estate.standing);
        hosts.filter(|(host, standing)| wanted(standing.site, &host.zone)).map(|(host, _)| host.clone()).collect()
    }

    /// What each host is told now, and what it fetches: software of this version.
    fn told(&self, built: &Built, version: u64) -> Result<Hosts> {
        let (records, inward) = {
            let in_force = self.in_force();
            (in_force.records.clone(), in_force.inward)
        };
        let told = Told { estate: &self.estate, by_hand: &self.by_hand, inward, records: &records };
        let configs = built.layout.host_configs_with(&|index, config, region| {
            if told.concerns(index) { told.alter(index, config, region) } else { config }
        });
        let secret = self.signs.get().context("nobody signs software yet")?;
        Hosts::new(&self.estate, &Repository::new(secret.as_bytes(), &self.by_hand), version, configs)
    }

    fn in_force(&self) -> MutexGuard<'_, InForce> {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn callers(&self) -> MutexGuard<'_, Callers> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who has power, what names say, where proxies store, what passes the border: two builds that ended alike agree in it.
    pub fn state(&self) -> (Vec<HostName>, Records, bool, Border) {
        let in_force = self.in_force();
        let hosts = self.estate.placement.hosts.iter().map(|host| &host.name);
        let lit = hosts.filter(|host| in_force.lit.contains(host)).cloned().collect();
        (lit, in_force.records.clone(), in_force.inward, in_force.border)
    }

    /// How each right was had, for the record.
    pub fn rights(&self) -> BTreeMap<String, String> {
        self.shared.built().map(|built| built.rights_used()).unwrap_or_default()
    }

    /// Performs an act, to its end. Each can be begun again: what is done already is left as it is.
    ///
    /// # Errors
    /// Where the engine or the hand does not do it.
    pub async fn perform(&self, act: &Act) -> Result<()> {
        match act {
            Act::PowerOn(hosts) => self.power_on(hosts).await,
            Act::PowerOff(hosts) => self.power_off(hosts).await,
            Act::Names(records) => self.answer_from(records).await,
            Act::Turn { inward } => self.turn(*inward).await,
            Act::Border(border) => self.close(*border).await,
            Act::Copy => self.move_data(Mover::copy).await,
            Act::Empty => self.move_data(Mover::empty).await,
            Act::Audit => {
                self.move_data(Mover::audit).await?;
                self.look_abroad().await
            }
            Act::Enrol(customers) => self.move_data(|mover| mover.enrol(customers)).await,
            Act::Admit(customers) => self.move_data(|mover| mover.admit(customers)).await,
            Act::Mark(keepers) => self.move_data(|mover| mover.mark(keepers)).await,
            Act::Nothing => Ok(()),
        }
    }

    /// Has what is being made end as soon as that is safe.
    pub fn cancel(&self) {
        // The receiver lives in `shared`.
        let _kept = self.world.cancel.send(true);
    }

    /// Removes everything; what is still there after that is the residue.
    ///
    /// # Errors
    /// Where the engine does not answer.
    pub async fn tear_down(&self) -> Result<Vec<(String, String)>> {
        match self.shared.tear_down().await? {
            Done::TornDown { residue, .. } => Ok(residue),
            other => bail!("a region that is removed ended as {other:?}"),
        }
    }

    async fn power_on(&self, hosts: &[HostName]) -> Result<()> {
        let (shared, built) = (&self.shared, self.shared.need_built()?);
        let (dark, dead): (Vec<HostName>, Vec<HostName>) = {
            let in_force = self.in_force();
            let dark = hosts.iter().filter(|host| !in_force.lit.contains(host)).cloned();
            let dark: Vec<HostName> = dark.collect();
            let dead = dark.iter().filter(|host| in_force.dead.contains(host)).cloned().collect();
            (dark, dead)
        };
        if !dead.is_empty() {
            power::await_known_dead(shared, &built, &dead).await?;
            start_hosts(shared, &built, &dead, || ()).await?;
        }
        let gates = dark.iter().map(ToString::to_string).collect();
        built.hand.ask(Task::OpenGates { gates }).await?;
        {
            let mut in_force = self.in_force();
            in_force.dead.retain(|host| !dark.contains(host));
            in_force.lit.extend(dark);
        }
        built.tell_witness(&Tell::Relit(draw::instances_on(&built.layout.placement, hosts))).await
    }

    async fn power_off(&self, hosts: &[HostName]) -> Result<()> {
        let (shared, built) = (&self.shared, self.shared.need_built()?);
        let alive: Vec<HostName> = {
            let in_force = self.in_force();
            let is_there = |host: &&HostName| built.container(host).is_some() && !in_force.dead.contains(host);
            hosts.iter().filter(is_there).cloned().collect()
        };
        if alive.is_empty() {
            return Ok(());
        }
        power::power_off(shared, &built, &alive, Unsynced::Kept).await?;
        let mut in_force = self.in_force();
        in_force.lit.retain(|host| !alive.contains(host));
        in_force.dead.extend(alive);
        Ok(())
    }

    /// Name servers begin anew with other records, one zone after the other. Whoever was told the same already goes on.
    async fn answer_from(&self, records: &Records) -> Result<()> {
        let wanted = self.in_force().name(&self.estate, records);
        self.tell_anew(&wanted).await
    }

    async fn turn(&self, inward: bool) -> Result<()> {
        self.in_force().inward = inward;
        let estate = &self.estate;
        let is_proxy = |index: &usize| {
            let standing = estate.standing[estate.placement.instances[*index].host];
            standing.part == Part::Proxy
        };
        let proxies = (0..estate.placement.instances.len()).filter(is_proxy).collect();
        self.tell_anew(&proxies).await?;
        // What was on its way over a proxy that ended has come to its end by then, and is known.
        tokio::time::sleep(self.shared.traffic.timeout).await;
        Ok(())
    }

    /// Tells instances their configuration anew, one zone after the other: a file, and the end of a process, which its host
    /// starts again. Who is in the dark reads the file when power comes.
    async fn tell_anew(&self, wanted: &BTreeSet<usize>) -> Result<()> {
        let built = self.shared.need_built()?;
        // Later than everything that earlier builders told.
        let version = u64::from(self.again) * VERSIONS_EACH + FIRST_VERSION + self.number();
        let told = self.told(&built, version)?;
        let configs = &told.configs;
        let mut zones: BTreeMap<usize, BTreeMap<usize, Vec<usize>>> = BTreeMap::new();
        for &index in wanted {
            let host = self.estate.placement.instances[index].host;
            zones.entry(self.estate.standing[host].zone).or_default().entry(host).or_default().push(index);
        }
        let last = zones.keys().next_back().copied();
        for (zone, hosts) in zones {
            let files = told.files(&hosts.keys().copied().collect::<Vec<_>>())?;
            built.hand.ask(Task::Prepare { files, gates: Vec::new() }).await?;
            let (mut targets, mut processes) = (Vec::new(), Vec::new());
            for (host, instances) in hosts {
                let name = &configs[host].host;
                if !self.in_force().lit.contains(name) {
                    continue;
                }
                let places = instances.iter().filter_map(|&index| self.process_of(&configs[host], index));
                let Some(target) = built.target(&self.shared, name) else { continue };
                targets.push(target);
                processes.push(places.collect());
            }
            if !targets.is_empty() {
                // Agents end when they are asked to.
                let ending = Ending::Asked { patience_ms: Vec::new() };
                self.begin_anew(&built.hand, Deed::End { hosts: targets, processes, ending }).await?;
            }
            if Some(zone) != last {
                tokio::time::sleep(ZONES_APART).await;
            }
        }
        Ok(())
    }

    /// The place of an instance in its host's configuration.
    fn process_of(&self, config: &HostConfig, index: usize) -> Option<usize> {
        let name = &self.estate.placement.instances[index].name;
        let is_it = |process: &Process| match process {
            Process::Instance(instance) => instance.name == *name,
            Process::Generic(generic) => generic.own.name == *name,
            _ => false,
        };
        config.processes.iter().position(is_it)
    }

    async fn begin_anew(&self, hand: &Hand, deed: Deed) -> Result<()> {
        let fault = format!("told-{}", self.number());
        hand.ask(Task::Inject { fault: fault.clone(), deed }).await?;
        hand.ask(Task::Heal { fault }).await.map(drop)
    }

    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Tells what was seen of calls since the last time.
    ///
    /// # Errors
    /// Where the hand is gone.
    pub async fn look_at_calls(&self) -> Result<()> {
        let built = self.shared.need_built()?;
        let mut answers = self.answers.lock().await;
        self.tell_calls(&built, &mut answers).await
    }

    async fn tell_calls(&self, built: &Built, answers: &mut Answers) -> Result<()> {
        let Answer::Tapped(tapped) = built.hand.ask(Task::Tapped).await? else {
            bail!("the hand did not say what it saw of calls");
        };
        let closed = self.in_force().border != Border::Open;
        let told = calls::told(&self.estate, &built.layout, (&tapped, closed), answers, self.shared.clock.now());
        if tapped.lost {
            self.shared.caveat("calls-lost", "more calls were made than the hand could count".to_owned()).await;
        }
        for (place, seen) in told {
            self.callers().look(&self.estate, &place, &seen);
            self.tell_at(place, seen).await;
        }
        Ok(())
    }

    /// How often the machine had no room for a neighbour is told once, when all was seen.
    pub async fn tell_of_crowding(&self) {
        self.shared.tell_of_crowding().await;
    }

    async fn tell(&self, seen: Building) {
        self.tell_at(Place::default(), seen).await;
    }

    async fn tell_at(&self, place: Place, seen: Building) {
        let (t_ns, by, detail) = (self.shared.clock.now(), By::Hand, Detail::Build { seen });
        // The loop has ended: nobody waits for this.
        let _ended = self.shared.inputs.send(Input::Seen { t_ns, by, place, detail }).await;
    }
}

/// The zone in which each host really is: all are named, so that all reach even their neighbours over their gateways, where
/// packets are seen.
fn whereabouts(estate: &Estate) -> BTreeMap<HostName, ZoneName> {
    let hosts = estate.placement.hosts.iter().map(|host| (host.name.clone(), host.zone.clone()));
    hosts.chain(estate.real_zones()).collect()
}

fn file_of(config: &HostConfig) -> Result<(String, String)> {
    Ok((format!("hosts/{}.json", config.host), serde_json::to_string(config)?))
}
