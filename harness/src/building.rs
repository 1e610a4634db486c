//! Owns one build, of a region or of a zone, from a graph and two names to its judgement: in virtual time, in memory alone.
//! Refuses to write anything of it: the command line, benchmarks and tests do with it what they want.
//!
//! - [`defect`]: words for defects that a build can play
//! - [`docker`]: the same in containers, where what must be on the disk is there before it is done
//! - [`record`]: what the record says

pub mod defect;
pub mod docker;
pub mod record;

use crate::builder::ledger::{Entry, Ledger};
use crate::builder::{Builder, Command, Ending, Input};
use crate::clock::Clock;
use crate::controller::{Nanos, Report};
use crate::world::sim::build::told::ByHand;
use crate::world::sim::build::{BuildParts, BuildWorld, News};
use crate::world::sim::costs::Costs;
use agents::config::nanos;
use anyhow::{Context, Result, bail};
use fixtures::graph::Graph;
use fixtures::name::{HostName, InstanceName, RegionName, ZoneName};
use fixtures::regional::addition::Added;
use fixtures::regional::estate::{Estate, Site, Wanted};
use fixtures::unit::Rate;
use scenarios::build::judge::{self, Judged};
use scenarios::build::plan::{Border, BuildPlan};
use scenarios::build::records::Records;
use scenarios::build::region::{self, Course};
use scenarios::build::zone::{self, NewZone};
use scenarios::customers::Traffic;
use scenarios::event::{By, Detail, Event, EventId, Life, Place};
use scenarios::seed::Seeds;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How long the bootstrap region may take until all of it is active.
const SETTLE_NS: Nanos = 120_000_000_000;
/// Customers are harmed where so many windows in a row fall short.
const HARMED_WINDOWS: u32 = 3;

/// What is built.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The services.
    pub graph: Graph,
    /// The region that stands and serves customers.
    pub bootstrap: RegionName,
    /// The region to be built; where a zone is, the region that stands.
    pub build: RegionName,
    /// The zone that is built into the region that stands; `None` builds a region.
    pub zone: Option<ZoneSpec>,
    /// The most instances that one host carries.
    pub per_host: u32,
    /// Whether each instance that the build starts has a host to itself.
    pub apart: bool,
    /// Times, and what is left out.
    pub course: Course,
    /// What somebody wrote into configurations by hand.
    pub by_hand: Vec<ByHand>,
    /// When racks of the first zone land at the earliest, and those of the last at the latest.
    pub racks: (Duration, Duration),
    /// Decides everything.
    pub seed: u64,
    /// After which of the ledger's entries (from 1) the builder is killed, and taken up again from the ledger.
    pub killed_after: Vec<usize>,
    /// After which of the ledger's entries everything is to be undone.
    pub rolled_back_after: Option<usize>,
}

/// A zone that is built.
#[derive(Debug, Clone)]
pub struct ZoneSpec {
    /// Its name, in short or in full.
    pub name: String,
    /// The zone that holds its control plane, likewise, where it is a local zone.
    pub parent: Option<String>,
    /// How it is built.
    pub course: zone::Course,
}

impl Spec {
    /// A build with the usual times.
    pub fn new(graph: Graph, bootstrap: RegionName, build: RegionName, seed: u64) -> Self {
        Self {
            graph,
            bootstrap,
            build,
            zone: None,
            per_host: 8,
            apart: false,
            course: Course::default(),
            by_hand: Vec::new(),
            racks: (Duration::from_secs(10), Duration::from_secs(20)),
            seed,
            killed_after: Vec::new(),
            rolled_back_after: None,
        }
    }

    /// A zone that is built into a region that stands, with the usual times.
    pub fn of_zone(graph: Graph, region: RegionName, name: &str, parent: Option<&str>, seed: u64) -> Self {
        let (name, parent) = (name.to_owned(), parent.map(ToOwned::to_owned));
        let zone = Some(ZoneSpec { name, parent, course: zone::Course::default() });
        Self { zone, ..Self::new(graph, region.clone(), region, seed) }
    }
}

/// What a build left.
#[derive(Debug)]
pub struct Built {
    /// In which world: `sim` or `docker`.
    pub world: &'static str,
    /// Both regions.
    pub estate: Estate,
    /// What was to be done.
    pub plan: BuildPlan,
    /// Everything seen.
    pub events: Vec<Event>,
    /// What was on the disk.
    pub entries: Vec<Entry>,
    /// How it ended.
    pub ending: Ending,
    /// Who has power, what names say, where proxies store, what passes the border.
    pub state: (Vec<HostName>, Records, bool, Border),
    /// What is thought of it.
    pub judged: Judged,
    /// Inputs handed to state machines.
    pub handed: u64,
    /// What customers send.
    pub traffic: Traffic,
}

/// Builds a region.
///
/// # Errors
/// Names that do not fit, a calibration that is damaged, or a bootstrap region that does not come up.
pub fn build(spec: &Spec) -> Result<Built> {
    let (estate, plan, records) = planned(spec)?;
    let traffic = traffic();
    let costs = Costs::calibrated().context("the calibration that was compiled in is damaged")?;
    let calm = calm(estate.placement.instances.len());
    let Spec { by_hand, seed, .. } = spec;
    let parts = BuildParts { estate: &estate, traffic: &traffic, by_hand, records: &records, calm, seed: *seed, costs };
    let mut site = Yard::new(BuildWorld::new(&parts), &estate, spec);
    site.settle()?;
    let ending = site.run(&plan);
    let Yard { world, events, entries, .. } = site;
    let (state, handed) = (world.state(), world.handed());
    drop(world);
    let judged = judge::judge(&judge::Case { estate: &estate, plan: &plan }, &events);
    Ok(Built {
        world: "sim",
        plan,
        events,
        entries,
        ending,
        state,
        judged,
        handed,
        traffic: traffic.clone(),
        estate: estate.clone(),
    })
}

/// Where everything stands, what is done, and who is behind each name at first.
fn planned(spec: &Spec) -> Result<(Estate, BuildPlan, Records)> {
    let Spec { graph, bootstrap, build, .. } = spec;
    let Some(ZoneSpec { name, parent, course }) = &spec.zone else {
        let estate = Estate::new(Wanted { graph, bootstrap, build, per_host: spec.per_host, apart: spec.apart })?;
        let plan = region::plan(&estate, &spec.course);
        return Ok((estate, plan, Records::default()));
    };
    let (zone, parent, per_host) = (name.as_str(), parent.as_deref(), spec.per_host);
    let estate = Estate::with_zone(Added { graph, region: bootstrap, zone, parent, per_host })?;
    let new = NewZone::of(&estate, &course.forgotten).context("an estate with a new zone has one")?;
    let plan = zone::plan(&new, course);
    Ok((estate, plan, new.records.before))
}

/// What customers of each zone send, and what the witness writes to each.
fn traffic() -> Traffic {
    let rate = |per_s: u64| Rate { milli_per_s: per_s * 1_000 };
    Traffic::plain(rate(5), rate(2), Duration::from_secs(2))
}

/// The witness looks at more instances more rarely: a look asks for all that stands behind an instance.
fn calm(instances: usize) -> Duration {
    Duration::from_millis(4 * instances as u64).clamp(Duration::from_secs(1), Duration::from_secs(10))
}

/// Where it is built: the world, what was seen and written, and what a builder that begins anew is told.
struct Yard<'a> {
    world: BuildWorld<'a>,
    estate: &'a Estate,
    spec: &'a Spec,
    clock: Clock,
    events: Vec<Event>,
    entries: Vec<Entry>,
    lives: BTreeMap<InstanceName, Report>,
    /// Racks that have not landed, the next first.
    racks: VecDeque<(Nanos, ZoneName)>,
    landed: Vec<ZoneName>,
    /// Acts that are not over, and how many of those belong to a builder that is gone.
    acting: usize,
    orphaned: usize,
    harm: Harm,
}

/// Whether customers of the bootstrap region get too little, again and again.
#[derive(Debug, Default)]
struct Harm {
    harmed: BTreeMap<ZoneName, u32>,
    /// Until the region has come up itself, nobody is harmed by a build.
    guards: bool,
}

impl Harm {
    fn look(&mut self, estate: &Estate, place: &Place, detail: &Detail) -> Option<Input> {
        let Detail::Canary { control: false, sent, ok, degraded, .. } = detail else { return None };
        let zone = place.zone.clone().filter(|zone| self.guards && estate.bootstrap.zones.contains(zone))?;
        let answered = ok + degraded;
        let count = self.harmed.entry(zone.clone()).or_default();
        *count = if judge::falls_short(answered, *sent) { *count + 1 } else { 0 };
        let text = format!("{answered} of {sent} requests were answered in {HARMED_WINDOWS} windows in a row");
        (*count == HARMED_WINDOWS).then_some(Input::Harm { zone, text })
    }
}

/// Where an instance is, for an event of it.
fn place_of(estate: &Estate, instance: &InstanceName) -> Option<Place> {
    let placed = estate.placement.instance_by_name(instance)?;
    Some(Place {
        zone: Some(placed.zone.clone()),
        host: Some(estate.placement.hosts[placed.host].name.clone()),
        service: Some(placed.service.clone()),
        instance: Some(instance.clone()),
    })
}

/// When the racks of which zone land, the next first.
fn racks(spec: &Spec, estate: &Estate, now: Nanos) -> VecDeque<(Nanos, ZoneName)> {
    let mut seeds = Seeds::new(spec.seed ^ 0x52_41_43_4B);
    let (first, last) = spec.racks;
    let begin = now + nanos(first);
    let zones = estate.arriving().into_iter();
    let mut racks: Vec<(Nanos, ZoneName)> =
        zones.map(|zone| (begin + seeds.up_to(nanos(last.saturating_sub(first))), zone)).collect();
    racks.sort();
    racks.into()
}

impl<'a> Yard<'a> {
    fn new(world: BuildWorld<'a>, estate: &'a Estate, spec: &'a Spec) -> Self {
        Self {
            world,
            estate,
            spec,
            clock: Clock::standing(),
            events: Vec::new(),
            entries: Vec::new(),
            lives: BTreeMap::new(),
            racks: VecDeque::new(),
            landed: Vec::new(),
            acting: 0,
            orphaned: 0,
            harm: Harm::default(),
        }
    }

    fn log(&mut self, t_ns: Nanos, by: By, place: Place, detail: Detail) {
        let id = EventId(self.events.len() as u64 + 1);
        self.events.push(Event { id, t_ns, utc: self.clock.utc(t_ns), by, place, detail });
    }

    /// Takes news in; returns what the builder has to be told of it.
    fn take(&mut self, news: News) -> Option<Input> {
        match news {
            News::Seen { t_ns, by, place, detail } => {
                let harm = self.harm.look(self.estate, &place, &detail);
                self.log(t_ns, by, place, detail);
                harm
            }
            News::Probe { t_ns, instance, report } => {
                let place = place_of(self.estate, &instance)?;
                let (outcome, cause) = (report.life, report.cause.clone());
                self.log(t_ns, By::Witness, place, Detail::Probe { outcome, cause, took_us: report.took_us });
                self.lives.insert(instance.clone(), report.clone());
                Some(Input::Probe { instance, report })
            }
            News::Done => {
                self.acting = self.acting.saturating_sub(1);
                if self.orphaned > 0 {
                    self.orphaned -= 1;
                    return None;
                }
                Some(Input::Done(Ok(())))
            }
        }
    }

    /// Waits until the bootstrap region serves.
    fn settle(&mut self) -> Result<()> {
        self.world.begin();
        self.acting = 1;
        let own = self.estate.instances(|standing| standing.site == Site::Bootstrap);
        loop {
            let Some(news) = self.world.next(SETTLE_NS) else {
                let lacking = own.iter().find(|name| !self.is_active(name)).map(ToString::to_string);
                bail!("the bootstrap region does not come up: {}", lacking.unwrap_or_default());
            };
            self.take(news);
            if own.iter().all(|name| self.is_active(name)) {
                break;
            }
        }
        self.racks = racks(self.spec, self.estate, self.world.now());
        self.harm.guards = true;
        Ok(())
    }

    fn is_active(&self, name: &InstanceName) -> bool {
        self.lives.get(name).is_some_and(|report| report.life == Life::Active)
    }

    fn run(&mut self, plan: &BuildPlan) -> Ending {
        let mut builder = Builder::new(plan.clone(), Ledger::default());
        let mut input = Some(Input::Begin);
        let mut commands = Vec::new();
        let mut restarts = VecDeque::new();
        loop {
            let next = match restarts.pop_front().or_else(|| input.take()) {
                Some(input) => input,
                None => match self.wait(&builder) {
                    Some(input) => input,
                    None => continue,
                },
            };
            builder.handle(self.world.now(), next, &mut commands);
            let mut killed = false;
            for command in commands.drain(..) {
                match command {
                    Command::Write(entry) => {
                        self.entries.push(entry);
                        killed = self.spec.killed_after.contains(&self.entries.len());
                        if self.spec.rolled_back_after == Some(self.entries.len()) {
                            restarts.push_back(Input::RollBack);
                        }
                    }
                    Command::Log { place, detail } => self.log(self.world.now(), By::Controller, place, detail),
                    Command::Do(act) => {
                        self.acting += 1;
                        self.world.perform(&act);
                    }
                    Command::End(ending) => return ending,
                }
                if killed {
                    break;
                }
            }
            if killed {
                commands.clear();
                builder = Builder::new(plan.clone(), self.reread());
                restarts = self.take_up();
            }
        }
    }

    /// What was on the disk, read as whoever starts again reads it.
    fn reread(&self) -> Ledger {
        let text: String = self.entries.iter().map(crate::builder::ledger::to_line).collect();
        Ledger::read(&text).unwrap_or_default()
    }

    /// What a builder that begins anew is told first: the witness tells everything once more.
    fn take_up(&mut self) -> VecDeque<Input> {
        self.orphaned = self.acting;
        let lives = self.lives.iter();
        let probes = lives.map(|(name, report)| Input::Probe { instance: name.clone(), report: report.clone() });
        let landed = self.landed.iter().cloned().map(Input::Landed);
        probes.chain(landed).chain([Input::Begin]).collect()
    }

    /// The next thing that the builder has to be told.
    fn wait(&mut self, builder: &Builder) -> Option<Input> {
        let landing = self.racks.front().map_or(Nanos::MAX, |(at, _)| *at);
        let limit = builder.next_wake().unwrap_or(Nanos::MAX).min(landing);
        match self.world.next(limit) {
            Some(news) => self.take(news),
            None if landing <= self.world.now() => {
                let (_, zone) = self.racks.pop_front()?;
                self.landed.push(zone.clone());
                Some(Input::Landed(zone))
            }
            None => Some(Input::Wake),
        }
    }
}
