//! Owns the time in which a keeper has a region: takes it over, gives power where there is none, watches its customers and its
//! instances, deploys now and then, and says how it stands. Refuses to hold game days, and to repair a host by itself.

use super::ages::{Deployment, Seen, Step};
use super::availability::{Availability, Window};
use super::declared::{Declared, Region, gathered};
use super::drift::{DIED, Known};
use super::folder::{Folder, Lock};
use super::ledger::{self, What};
use super::state::{Phase, SAID_EVERY, State, zones};
use crate::clock::{Clock, Keeping};
use crate::controller::{Do, Done, Input};
use crate::schedule::moment::Moment;
use crate::world::World;
use crate::world::docker::engine::Engine;
use crate::world::docker::names::Names;
use crate::world::docker::software::{Images, known_images};
use crate::world::docker::standing::{Standing, Stands};
use crate::world::docker::survey::Survey;
use crate::world::docker::{DockerWorld, Options, Parts};
use anyhow::{Context, Result, anyhow, bail};
use fixtures::name::{HostName, ZoneName};
use scenarios::event::{By, Detail, Life, Place};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Observations that may wait.
const INPUTS_MAX: usize = 4096;
/// How often a keeper looks whether somebody wants the region.
const TICK: Duration = Duration::from_millis(250);
/// What customers got is on the disk so often.
const KEPT_EVERY: Duration = Duration::from_secs(10);
/// Keys that only make state grow begin so; those of game days do not.
const AGE_KEYS: &str = "age-";

/// Why a tenure ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// A game day wants the region.
    Wanted,
    /// Somebody ends the keeper.
    Told,
    /// The region is lost.
    Lost(String),
}

/// What a keeper knows of the region that it takes over.
#[derive(Debug, Clone, Copy)]
pub struct Before {
    /// When it was lost, or last seen well; `None` where it was given over by somebody who had it.
    pub lost: Option<Moment>,
}

/// A region that is held.
struct Tenure<'k> {
    folder: &'k Folder,
    declared: &'k Declared,
    region: &'k Region,
    world: DockerWorld,
    inputs: mpsc::Receiver<Input>,
    clock: Keeping,
    availability: Availability,
    /// Instances that were seen active, by their place.
    active: BTreeSet<usize>,
    /// Hosts that died since.
    dead: BTreeSet<HostName>,
    drift: Vec<String>,
    phase: Phase,
    since: Moment,
    starting: Option<Starting>,
    deployment: Option<Deployment>,
    /// When the next one is due.
    deploys_at: Option<Duration>,
    deployed: usize,
    black_starts: (usize, Option<u64>),
    said: Option<Duration>,
    kept: Option<Duration>,
}

/// Power was given, and not everybody is active yet.
#[derive(Debug, Clone, Copy)]
struct Starting {
    hosts: usize,
    lost: Option<Moment>,
    found: Duration,
    lit: Duration,
}

/// Holds the region until somebody wants it, ends the keeper, or it is lost. Everything that works on it ends with this.
pub fn hold(
    folder: &Folder,
    declared: &Declared,
    region: &Region,
    before: Before,
    leave: &watch::Receiver<bool>,
) -> End {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return End::Lost(error.to_string()),
    };
    let held = runtime.block_on(async {
        let mut tenure = Tenure::begin(folder, declared, region, before, leave.clone()).await?;
        tenure.go_on(leave.clone()).await
    });
    held.unwrap_or_else(|error| End::Lost(format!("{error:#}")))
}

impl<'k> Tenure<'k> {
    async fn begin(
        folder: &'k Folder,
        declared: &'k Declared,
        region: &'k Region,
        before: Before,
        leave: watch::Receiver<bool>,
    ) -> Result<Self> {
        let clock = Keeping::start();
        let (engine, info) = Engine::connect().await?;
        let (sender, inputs) = mpsc::channel(INPUTS_MAX);
        let built = declared.built.as_ref().context("the region was never completed")?;
        let standing = Standing {
            name: declared.name.clone(),
            day: None,
            made: built.made.clone(),
            keys_begin: AGE_KEYS.to_owned(),
            accepts_drift: true,
            only_ages: true,
        };
        let names = Names::new(&declared.run, info.systemd_cgroups);
        let images = known_images(&engine, &region.graph).await?;
        let stands = Stands::TakenOver(Box::new(standing));
        let parts = parts(declared, region, (engine.clone(), info), stands, images);
        let world = DockerWorld::new(parts, sender);
        let entries = ledger::read(folder);
        let (count, last) = ledger::black_starts(&entries);
        let last = last.and_then(|entry| match entry.what {
            What::BlackStart { since_power_ms, .. } => Some(since_power_ms),
            _ => None,
        });
        let deployed = entries.iter().filter(|entry| matches!(entry.what, What::Deployed { .. })).count();
        let mut tenure = Self {
            folder,
            declared,
            region,
            world,
            inputs,
            availability: folder.read("availability.json").unwrap_or_default().unwrap_or_default(),
            active: BTreeSet::new(),
            dead: BTreeSet::new(),
            drift: Vec::new(),
            phase: Phase::Starting,
            since: clock.now().wall,
            starting: None,
            deployment: None,
            deploys_at: deploys_at(declared, built.at, &entries, clock.now().wall),
            deployed,
            black_starts: (count, last),
            said: None,
            kept: None,
            clock,
        };
        tenure.say("")?;
        tenure.take_over((engine, names), before, leave).await?;
        Ok(tenure)
    }

    /// Hosts without power get theirs, all together.
    async fn take_over(&mut self, engine: (Engine, Names), before: Before, leave: watch::Receiver<bool>) -> Result<()> {
        self.act(Do::Provision, leave.clone()).await?;
        let hosts: Vec<HostName> = self.region.placement.hosts.iter().map(|host| host.name.clone()).collect();
        self.act(Do::PowerOn(hosts.clone()), leave).await?;
        let lit = self.clock.now().mono;
        let zones: Vec<ZoneName> = self.region.topology.zones().map(|(_, zone)| zone.name.clone()).collect();
        let survey = Survey::of(&engine.0, &engine.1, &hosts, &zones).await?;
        let known: Known = self.folder.read("known.json")?.unwrap_or_default();
        let started: Known = survey.hosts.iter().map(|(host, seen)| (host.clone(), seen.started.clone())).collect();
        let fresh = started.iter().filter(|(host, at)| known.get(*host) != Some(at)).count();
        // The hand that an engine starts again with itself may have given power before this keeper came.
        let came_back = before.lost.is_some() && fresh == hosts.len() && !known.is_empty();
        // Less than all of them is no black start: hosts that died alone, and that is told as drift.
        if self.world.relit() == hosts.len() || came_back {
            let hosts = hosts.len();
            self.starting = Some(Starting { hosts, lost: before.lost, found: Duration::ZERO, lit });
        } else {
            // Customers went on while nobody counted.
            self.availability.begin_at(self.clock.now().wall);
            self.drifted(&known, &survey)?;
        }
        if self.starting.is_some() || known.is_empty() || before.lost.is_none() {
            self.folder.write("known.json", &started)?;
        }
        Ok(())
    }

    /// What is not as it was left is told once, by whoever finds it first.
    fn drifted(&mut self, known: &Known, survey: &Survey) -> Result<()> {
        let Some(built) = &self.declared.built else { return Ok(()) };
        let zones: Vec<ZoneName> = self.region.topology.zones().map(|(_, zone)| zone.name.clone()).collect();
        let ought = super::drift::Ought { made: &built.made, image: &built.image, zones: &zones, known };
        let found: Vec<String> = super::drift::found(ought, survey).into_iter().map(|drift| drift.text).collect();
        if !found.is_empty() {
            self.write(What::Drift { run: None, found: found.clone(), accepted: None })?;
        }
        self.drift = found;
        Ok(())
    }

    fn write(&self, what: What) -> Result<()> {
        ledger::write(self.folder, self.clock.now().wall, what)
    }

    /// Performs an act to its end; what is seen meanwhile counts.
    async fn act(&mut self, act: Do, mut leave: watch::Receiver<bool>) -> Result<Done> {
        self.world.perform(act);
        loop {
            tokio::select! {
                input = self.inputs.recv() => match input.context("the world has ended")? {
                    Input::Done(done) => return done.map_err(|why| anyhow!(why)),
                    Input::Lost { why } => bail!(why),
                    input => self.saw(input),
                },
                _ = leave.wait_for(|leave| *leave) => bail!("the keeper was ended"),
            }
        }
    }

    async fn go_on(&mut self, mut leave: watch::Receiver<bool>) -> Result<End> {
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                input = self.inputs.recv() => match input.context("the world has ended")? {
                    Input::Lost { why } => return self.lost(why),
                    Input::Done(done) => self.deployment_acted(done)?,
                    input => self.saw(input),
                },
                _ = leave.wait_for(|leave| *leave) => {
                    self.let_go()?;
                    return Ok(End::Told);
                }
                _ = tick.tick() => {
                    if self.folder.holder(Lock::Day).is_some() {
                        self.stop_deployment("a game day wants the region")?;
                        self.let_go()?;
                        return Ok(End::Wanted);
                    }
                    if self.dead.len() == self.region.placement.hosts.len() {
                        return self.lost("every host lost its power".to_owned());
                    }
                    self.look()?;
                }
            }
        }
    }

    /// Leaves what is known behind. Whoever has the region next must know of hosts that died, also where the hand gave them power
    /// meanwhile.
    fn let_go(&self) -> Result<()> {
        self.keep()?;
        if self.dead.is_empty() {
            return Ok(());
        }
        let mut known: Known = self.folder.read("known.json")?.unwrap_or_default();
        known.extend(self.dead.iter().map(|host| (host.clone(), DIED.to_owned())));
        self.folder.write("known.json", &known)
    }

    fn lost(&mut self, why: String) -> Result<End> {
        self.keep()?;
        self.write(What::Lost { why: why.clone() })?;
        Ok(End::Lost(why))
    }

    fn saw(&mut self, input: Input) {
        match input {
            Input::Seen { by: By::Canary, place, detail, .. } => self.counted(&place, &detail),
            Input::Seen { detail: Detail::Caveat { code, text }, .. }
                if code == "region-drift" && !self.drift.contains(&text) =>
            {
                self.drift.push(text);
            }
            Input::Probe { instance, report, .. } => {
                if report.life == Life::Active {
                    self.active.insert(instance);
                } else {
                    self.active.remove(&instance);
                }
            }
            Input::Engine { host, action, .. } => match action.as_str() {
                "die" => drop(self.dead.insert(host)),
                "start" => drop(self.dead.remove(&host)),
                _ => {}
            },
            _ => {}
        }
    }

    fn counted(&mut self, place: &Place, detail: &Detail) {
        let Detail::Canary { control: false, window_ns, sent, ok, degraded, .. } = detail else { return };
        let Some(zone) = &place.zone else { return };
        let window = Window {
            zone: zone.as_str(),
            end: self.clock.now().wall,
            length: Duration::from_nanos(*window_ns),
            sent: *sent,
            answered: ok + degraded,
            in_day: false,
        };
        self.availability.add(window, per_s(self.region));
    }

    fn all_active(&self) -> bool {
        self.active.len() == self.region.placement.instances.len()
    }

    /// What time brings.
    fn look(&mut self) -> Result<()> {
        let now = self.clock.now();
        if let Some(starting) = self.starting
            && self.all_active()
        {
            self.starting = None;
            let since = |from: Duration| u64::try_from(now.mono.saturating_sub(from).as_millis()).unwrap_or(u64::MAX);
            let since_found_ms = since(starting.found);
            let lost_ms = starting.lost.map(|lost| u64::try_from(now.wall.since(lost).as_millis()).unwrap_or(u64::MAX));
            let since_power_ms = since(starting.lit);
            self.write(What::BlackStart {
                hosts: starting.hosts,
                since_lost_ms: lost_ms.unwrap_or(since_found_ms),
                since_found_ms,
                since_power_ms,
            })?;
            self.black_starts = (self.black_starts.0 + 1, Some(since_power_ms));
        }
        let phase = match (self.all_active(), self.starting.is_some(), self.phase) {
            (true, _, _) => Phase::Well,
            (false, true, _) | (false, false, Phase::Starting) => Phase::Starting,
            (false, false, _) => Phase::Unwell,
        };
        if phase != self.phase {
            (self.phase, self.since) = (phase, now.wall);
            self.said = None;
        }
        self.deploy(now.mono)?;
        if self.said.is_none_or(|said| now.mono.saturating_sub(said) >= SAID_EVERY) {
            self.said = Some(now.mono);
            let missing = self.region.placement.instances.len() - self.active.len();
            let why = if missing > 0 { format!("{missing} instances are not active") } else { String::new() };
            self.say(&why)?;
        }
        if self.kept.is_none_or(|kept| now.mono.saturating_sub(kept) >= KEPT_EVERY) {
            self.kept = Some(now.mono);
            self.keep()?;
        }
        Ok(())
    }

    fn keep(&self) -> Result<()> {
        self.folder.write("availability.json", &self.availability)
    }

    fn say(&self, why: &str) -> Result<()> {
        let now = self.clock.now().wall;
        self.folder.write(
            "state.json",
            &State {
                name: self.declared.name.clone(),
                run: self.declared.run.clone(),
                phase: self.phase,
                since: self.since,
                at: now,
                built: self.declared.built.as_ref().map(|built| built.at),
                why: why.to_owned(),
                day: None,
                hosts: self.region.placement.hosts.len(),
                instances: self.region.placement.instances.len(),
                active: self.active.len(),
                zones: zones(&self.availability, now),
                black_starts: self.black_starts.0,
                last_black_start_ms: self.black_starts.1,
                drift: self
                    .drift
                    .iter()
                    .cloned()
                    .chain(self.dead.iter().map(|host| format!("host {host} died")))
                    .collect(),
            },
        )
    }
}

/// Deployments.
impl Tenure<'_> {
    fn deploy(&mut self, now: Duration) -> Result<()> {
        let Some(due) = self.deploys_at else { return Ok(()) };
        if self.deployment.is_none() && now >= due && self.all_active() {
            self.deployment = Deployment::new(self.deployed, &self.region.graph, &self.region.placement);
        }
        let all_active = self.all_active();
        let (availability, wall) = (&self.availability, self.clock.now().wall);
        let share = |zone: &ZoneName| {
            let (_, counted) = availability.zones().find(|(name, _)| *name == zone.as_str())?;
            counted.within(wall, Duration::from_secs(60)).share()
        };
        let Some(deployment) = &mut self.deployment else { return Ok(()) };
        match deployment.step(Seen { now, all_active, share: &share }) {
            Step::Wait => {}
            Step::Act(act) => self.world.perform(act),
            Step::Done => {
                let (service, version) = (deployment.service.to_string(), deployment.version.clone());
                self.deployment = None;
                self.deployed += 1;
                self.deploys_at = Some(now + Duration::from_millis(self.declared.deploy_every_ms));
                self.write(What::Deployed { service, version })?;
            }
            Step::Stopped(why) => {
                self.stop_deployment(&why)?;
                // What it had begun is healed by whoever takes the region over, which is this keeper.
                bail!("a deployment was stopped: {why}");
            }
        }
        Ok(())
    }

    fn deployment_acted(&mut self, done: Result<Done, String>) -> Result<()> {
        let now = self.clock.now().mono;
        match (done, &mut self.deployment) {
            (Ok(_), Some(deployment)) => deployment.acted(now),
            (Ok(_), None) => {}
            (Err(why), _) => self.stop_deployment(&why)?,
        }
        Ok(())
    }

    fn stop_deployment(&mut self, why: &str) -> Result<()> {
        let Some(deployment) = self.deployment.take() else { return Ok(()) };
        self.deployed += 1;
        self.deploys_at = Some(self.clock.now().mono + Duration::from_millis(self.declared.deploy_every_ms));
        self.write(What::NotDeployed { service: deployment.service.to_string(), why: why.to_owned() })
    }
}

/// When the next deployment is due, from now on; nothing is where none is wanted.
fn deploys_at(declared: &Declared, built: Moment, entries: &[ledger::Entry], now: Moment) -> Option<Duration> {
    let every = Duration::from_millis(declared.deploy_every_ms);
    let is_one = |entry: &&ledger::Entry| matches!(entry.what, What::Deployed { .. } | What::NotDeployed { .. });
    let last = entries.iter().rev().find(is_one).map_or(built, |entry| entry.at);
    (!every.is_zero()).then(|| every.saturating_sub(now.since(last)))
}

/// Requests of a zone's customers in a second.
pub fn per_s(region: &Region) -> f64 {
    region.traffic.rate.milli_per_s as f64 / 1000.0
}

/// What a world over this region is made of.
pub fn parts(
    declared: &Declared,
    region: &Region,
    (engine, info): (Engine, crate::world::docker::engine::EngineInfo),
    stands: Stands,
    images: Images,
) -> Parts {
    Parts {
        engine,
        info,
        run: declared.run.clone(),
        options: Options {
            agent: None,
            agent_image: declared.agent_image.clone(),
            no_rights: declared.no_rights,
            // For ever: whoever takes it over ends that.
            keep: Duration::from_millis(u64::MAX),
        },
        topology: region.topology.clone(),
        graph: region.graph.clone(),
        placement: region.placement.clone(),
        images,
        traffic: region.traffic.clone(),
        gathered: gathered(),
        seed: declared.seed,
        clock: Arc::new(Clock::start()),
        stands: Some(stands),
        attached: None,
        elsewhere: std::collections::BTreeMap::new(),
        on_progress: Box::new(|_, _| {}),
    }
}
