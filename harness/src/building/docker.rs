//! Owns one build of a region or a zone in containers, from nothing to its judgement, with everything removed unless it is
//! paused: events and ledger are on the disk as they come, an entry before what follows from it. Refuses to decide what is done
//! next, and how.
//!
//! - [`again`]: what is on the disk for whoever takes a build up whose builder died, or that is paused

pub mod again;

use super::shown::Shown;
use super::{
    Built, Harm, Spec, ZoneSpec, has_border, is_last_before, judged, look, looks_before, place_of, planned, racks,
    traffic,
};
use crate::builder::ledger::{Entry, to_line};
use crate::builder::{Builder, Command, Ending, Input};
use crate::clock::Clock;
use crate::controller::{Input as Seen, Nanos, Report};
use crate::journal::Journal;
use crate::run::Stop;
use crate::terminal::Terminal;
use crate::world::docker::Options;
use crate::world::docker::build::{BuildParts, BuildSite, LEFT_FOR};
use crate::world::docker::engine::{Engine, EngineInfo};
use again::{Asked, Files, Found};
use anyhow::{Context, Result, bail};
use fixtures::name::{HostName, InstanceName, ZoneName};
use fixtures::regional::estate::{Estate, Site};
use fixtures::unit::Rate;
use scenarios::build::judge;
use scenarios::build::plan::{Act, BuildPhase, BuildPlan, Safety};
use scenarios::build::zone;
use scenarios::event::{By, Detail, Life, Place, WriteOutcome};
use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long the bootstrap region may take until all of it is active.
const SETTLE: Duration = Duration::from_secs(180);
/// How long a step may take before it is begun again: real hosts of a whole region take most of a minute.
const LIMIT: Duration = Duration::from_secs(150);
/// A virtual day of a live region. Harm that a change does is seen once name servers have begun anew (two seconds), clients ask
/// again (the names' `ttl`, five seconds at most here) and three windows of customers have fallen short (three seconds): that long
/// a change bakes, and it may be undone on its own day.
const DAY: Duration = Duration::from_secs(20);
const BAKE: Duration = Duration::from_secs(10);
/// How often calls are looked at.
const TAPPED_EVERY: Duration = Duration::from_secs(1);
/// Writes of the witness to each zone: every one is read back in the end, one after the other, and some have to come in the
/// moment between the first copy and the turn, which takes some tenths of a second.
const WRITES: Rate = Rate { milli_per_s: 4_000 };
/// Pause between two looks of the witness at somebody who is active, for each instance that there is: a look asks for all that
/// stands behind an instance, and is the same work for real.
const CALM_EACH: Duration = Duration::from_millis(25);
const INPUTS_MAX: usize = 8_192;

/// Where and for whom it is built.
pub struct How<'a> {
    /// The engine, and what it says of itself.
    pub engine: (Engine, EngineInfo),
    /// The run's id.
    pub run: String,
    /// Below which folder that of the run is.
    pub out: &'a Path,
    /// Choices.
    pub options: Options,
    /// What is shown while hosts are made.
    pub terminal: Terminal,
    /// What is shown of the build.
    pub shown: Shown,
    /// What was asked for, for whoever takes it up.
    pub asked: Asked,
    /// What an earlier builder left, where one died.
    pub found: Option<Found>,
}

/// What came of it.
pub struct Left {
    /// The build.
    pub built: Built,
    /// What could not be removed, with the reason.
    pub residue: Vec<(String, String)>,
}

/// Somebody wanted it to end.
#[derive(Debug, thiserror::Error)]
#[error("interrupted: everything was removed")]
pub struct Interrupted;

/// The same times in containers as in virtual time, but for how long a step may take and how long a day is.
#[must_use]
pub fn real(spec: Spec) -> Spec {
    let course = scenarios::build::region::Course { limit: LIMIT, ..spec.course };
    let zone = spec.zone.map(|ZoneSpec { name, parent, course }| {
        let safety = Safety { day: DAY, bake: BAKE, ..course.safety };
        ZoneSpec { name, parent, course: zone::Course { safety, limit: LIMIT, ..course } }
    });
    Spec { course, zone, apart: true, ..spec }
}

/// Builds a region or a zone.
///
/// # Errors
/// Names that do not fit, a phase that there is none of, an engine that does not do what it should, [`Interrupted`]; everything
/// is removed all the same.
pub async fn build(spec: &Spec, how: How<'_>, stop: &mut Stop) -> Result<Left> {
    let (estate, plan, records) = planned(spec)?;
    has_border(&plan, spec.pause_before)?;
    let Files { clock, journal, ledger, entries, known } = Files::open(how.out, &how.run, how.found.is_some())?;
    let builder = Builder::new(plan.clone(), known).looking_before(looks_before(spec));
    if !builder.fits() {
        bail!("the ledger of run {} is of another plan: the graph, or this program, has changed since", how.run)
    }
    let mut traffic = traffic();
    traffic.writes = WRITES;
    let mut seen = how.shown;
    seen.begins(&estate, &plan);
    let (sender, inputs) = mpsc::channel(INPUTS_MAX);
    let shown = how.terminal.clone();
    let parts = BuildParts {
        engine: how.engine,
        run: how.run,
        options: how.options,
        estate: estate.clone(),
        records,
        traffic: traffic.clone(),
        by_hand: spec.by_hand.clone(),
        calm: CALM_EACH * u32::try_from(estate.placement.instances.len()).unwrap_or(u32::MAX),
        seed: spec.seed,
        clock: Arc::clone(&clock),
        again: how.asked.again,
        on_progress: Box::new(move |what, of| shown.progress(what, of)),
    };
    let (acts, done) = mpsc::channel(4);
    let (landings, landed) = mpsc::channel(4);
    let mut yard = Yard {
        site: Arc::new(BuildSite::new(parts, sender)),
        estate: &estate,
        spec,
        clock,
        journal,
        ledger,
        entries,
        lives: BTreeMap::new(),
        harm: Harm::default(),
        terminal: how.terminal,
        shown: seen,
        channels: Channels { inputs, acts, done, landings, landed },
        asked: how.asked,
        landed: Vec::new(),
        waiting: VecDeque::new(),
        darkening: Vec::new(),
        against: String::new(),
    };
    let ended = yard.build((&plan, builder), how.found, stop).await;
    yard.shown.over();
    let state = yard.site.state();
    let (ending, residue) = yard.leave(ended).await?;
    let events = yard.journal.events().to_vec();
    let entries = std::mem::take(&mut yard.entries);
    drop(yard);
    let judged = judged(&judge::Case { estate: &estate, plan: &plan }, &events, &ending);
    let built = Built { world: "docker", estate, plan, events, entries, ending, state, judged, handed: 0, traffic };
    Ok(Left { built, residue })
}

struct Channels {
    inputs: mpsc::Receiver<Seen>,
    acts: mpsc::Sender<Result<(), String>>,
    done: mpsc::Receiver<Result<(), String>>,
    landings: mpsc::Sender<Result<ZoneName>>,
    landed: mpsc::Receiver<Result<ZoneName>>,
}

/// Where it is built: the site, and what was seen and written.
struct Yard<'a> {
    site: Arc<BuildSite>,
    estate: &'a Estate,
    spec: &'a Spec,
    clock: Arc<Clock>,
    journal: Journal,
    ledger: crate::locked::Locked,
    entries: Vec<Entry>,
    lives: BTreeMap<InstanceName, Report>,
    harm: Harm,
    terminal: Terminal,
    shown: Shown,
    channels: Channels,
    asked: Asked,
    /// Zones whose racks have landed.
    landed: Vec<ZoneName>,
    /// What the builder is to be told next.
    waiting: VecDeque<Input>,
    /// Hosts that lose power by the act under way.
    darkening: Vec<HostName>,
    /// What stands against the phase that was asked about last.
    against: String,
}

impl Yard<'_> {
    async fn build(
        &mut self,
        (plan, builder): (&BuildPlan, Builder),
        found: Option<Found>,
        stop: &mut Stop,
    ) -> Result<Ending> {
        match found {
            Some(found) => {
                self.shown.say("taken up again");
                self.shown.recall(self.journal.events());
                let done = (plan, builder.ledger());
                self.site.take_up(&found.made, done, self.journal.events()).await?;
                (self.landed, self.harm.guards) = (found.landed, true);
            }
            None => {
                self.provision(stop).await?;
                self.settle(stop).await?;
            }
        }
        self.save()?;
        self.site.leave_when_gone().await?;
        let watch = self.look_at_calls();
        let landing = self.land();
        let ending = self.run((plan, builder), stop).await;
        watch.abort();
        landing.abort();
        self.site.tell_of_crowding().await;
        while let Ok(seen) = self.channels.inputs.try_recv() {
            self.take(seen)?;
        }
        ending
    }

    /// A paused build stands for whoever takes it up: its hand sees that nobody is there any more, and waits. Everything of any
    /// other is removed; returns what could not be.
    async fn leave(&mut self, ended: Result<Ending>) -> Result<(Ending, Vec<(String, String)>)> {
        if let Ok(ending @ Ending::Paused { .. }) = ended {
            self.shown.say(&format!("paused: everything stands for {} s, and is removed then", LEFT_FOR.as_secs()));
            return Ok((ending, Vec::new()));
        }
        self.site.cancel();
        let residue = self.site.tear_down().await;
        again::forget(self.journal.folder());
        Ok((ended?, residue?))
    }

    async fn provision(&self, stop: &mut Stop) -> Result<()> {
        let made = self.site.provision();
        tokio::pin!(made);
        // What is seen meanwhile waits in its channel, which is long enough for regions in the dark.
        tokio::select! {
            made = &mut made => made,
            () = stop.wanted() => self.interrupted(),
        }
    }

    /// What is there is on the disk, for whoever takes the build up.
    fn save(&self) -> Result<()> {
        let made = self.site.made().context("nothing was made yet")?;
        let found = Found { asked: self.asked.clone(), made, landed: self.landed.clone() };
        found.write(self.journal.folder())
    }

    fn interrupted<T>(&self) -> Result<T> {
        self.terminal.say("         stopping: everything is removed first");
        Err(Interrupted.into())
    }

    fn log(&mut self, t_ns: Nanos, by: By, place: Place, detail: Detail) -> Result<()> {
        self.journal.write(t_ns, by, place, detail, false)?;
        if let Some(event) = self.journal.events().last() {
            self.shown.event(event);
        }
        Ok(())
    }

    /// Takes in what was seen; returns what the builder has to be told of it.
    fn take(&mut self, seen: Seen) -> Result<Option<Input>> {
        match seen {
            Seen::Seen { t_ns, by, place, detail } => {
                if let Detail::Write { key, outcome: WriteOutcome::Acknowledged, stored_at } = &detail {
                    self.site.was_acknowledged(key, stored_at);
                }
                let harm = self.harm.look(self.estate, &place, &detail);
                self.log(t_ns, by, place, detail)?;
                Ok(harm)
            }
            Seen::Probe { t_ns, instance, report } => {
                let instance = self.estate.placement.instances[instance].name.clone();
                let Some(place) = place_of(self.estate, &instance) else { return Ok(None) };
                let (outcome, cause) = (report.life, report.cause.clone());
                self.log(t_ns, By::Witness, place, Detail::Probe { outcome, cause, took_us: report.took_us })?;
                self.lives.insert(instance.clone(), report.clone());
                Ok(Some(Input::Probe { instance, report }))
            }
            Seen::Lost { why } => bail!("{why}"),
            _ => Ok(None),
        }
    }

    /// Gives the bootstrap region power, and waits until it serves.
    async fn settle(&mut self, stop: &mut Stop) -> Result<()> {
        self.shown.say(if self.spec.zone.is_some() { "the region comes up" } else { "the bootstrap region comes up" });
        let hosts = self.estate.hosts(|standing| standing.site == Site::Bootstrap);
        self.site.perform(&Act::PowerOn(hosts)).await?;
        let own = self.estate.instances(|standing| standing.site == Site::Bootstrap);
        let limit = tokio::time::sleep(SETTLE);
        tokio::pin!(limit);
        while let Some(lacking) = own.iter().find(|name| !self.is_active(name)) {
            let lacking = lacking.clone();
            tokio::select! {
                biased;
                () = stop.wanted() => return self.interrupted(),
                seen = self.channels.inputs.recv() => {
                    self.take(seen.context("the world has ended")?)?;
                }
                () = &mut limit => {
                    let how = self.lives.get(&lacking).map_or("never seen", |report| report.cause.as_str());
                    bail!("the bootstrap region does not come up: {lacking} is not active ({how})")
                }
            }
        }
        self.harm.guards = true;
        Ok(())
    }

    fn is_active(&self, name: &InstanceName) -> bool {
        self.lives.get(name).is_some_and(|report| report.life == Life::Active)
    }

    /// Racks land, one zone after the other.
    fn land(&self) -> tokio::task::JoinHandle<()> {
        let mut racks: VecDeque<(Nanos, ZoneName)> = racks(self.spec, self.estate, self.clock.now());
        racks.retain(|(_, zone)| !self.landed.contains(zone));
        let (site, clock, landings) = (Arc::clone(&self.site), Arc::clone(&self.clock), self.channels.landings.clone());
        tokio::spawn(async move {
            for (at, zone) in racks {
                tokio::time::sleep(Duration::from_nanos(at.saturating_sub(clock.now()))).await;
                let landed = site.land(&zone).await.map(|()| zone);
                let failed = landed.is_err();
                if landings.send(landed).await.is_err() || failed {
                    return;
                }
            }
        })
    }

    /// Calls are looked at again and again; a hand that is gone is told elsewhere.
    fn look_at_calls(&self) -> tokio::task::JoinHandle<()> {
        let site = Arc::clone(&self.site);
        tokio::spawn(async move {
            while site.look_at_calls().await.is_ok() {
                tokio::time::sleep(TAPPED_EVERY).await;
            }
        })
    }

    async fn run(&mut self, (plan, mut builder): (&BuildPlan, Builder), stop: &mut Stop) -> Result<Ending> {
        let lives = self.lives.iter();
        let probes = lives.map(|(name, report)| Input::Probe { instance: name.clone(), report: report.clone() });
        let landed = self.landed.iter().cloned().map(Input::Landed);
        self.waiting = probes.chain(landed).chain([Input::Begin]).collect();
        let mut commands = Vec::new();
        loop {
            let input = match self.waiting.pop_front() {
                Some(input) => input,
                None if builder.is_paused() => match self.at_a_pause(&builder) {
                    Some(ending) => return Ok(ending),
                    None => Input::Resume,
                },
                None => match self.wait(&builder, stop).await? {
                    Some(input) => input,
                    None => continue,
                },
            };
            builder.handle(self.clock.now(), input, &mut commands);
            for command in commands.drain(..) {
                match command {
                    Command::Write(entry) => self.write(plan, entry)?,
                    Command::Log { place, detail } => self.log(self.clock.now(), By::Controller, place, detail)?,
                    Command::Do(act) => self.perform(act),
                    Command::Look(phase) => {
                        let looked = self.look(plan, phase).await?;
                        self.waiting.push_back(looked);
                    }
                    Command::End(ending) => return Ok(ending),
                }
            }
        }
    }

    /// Whether what earlier builds found, or the bake, stands against a phase.
    async fn look(&mut self, plan: &BuildPlan, phase: BuildPhase) -> Result<Input> {
        // Calls are told in sums of a second: the last sum is of before the phase too.
        self.site.look_at_calls().await?;
        while let Ok(seen) = self.channels.inputs.try_recv() {
            let told = self.take(seen)?;
            self.waiting.extend(told);
        }
        let case = judge::Case { estate: self.estate, plan };
        let (seen, looked) = look(self.spec, phase, &case, self.journal.events());
        for (place, detail) in seen {
            self.log(self.clock.now(), By::Controller, place, detail)?;
        }
        self.against = looked.as_ref().err().cloned().unwrap_or_default();
        Ok(Input::Looked(looked))
    }

    /// Whoever has just taken a paused build up goes on with it; everybody else ends there.
    fn at_a_pause(&mut self, builder: &Builder) -> Option<Ending> {
        if matches!(self.entries.last(), Some(Entry::TakenUp { .. })) {
            return None;
        }
        let before = builder.present().map_or(BuildPhase::Open, |step| step.phase);
        Some(Ending::Paused { before, why: std::mem::take(&mut self.against) })
    }

    fn write(&mut self, plan: &BuildPlan, entry: Entry) -> Result<()> {
        let written = self.ledger.write_all(to_line(&entry).as_bytes()).and_then(|()| self.ledger.sync_data());
        written.context("the build's ledger cannot be written")?;
        if matches!(&entry, Entry::Intent { step, .. } if is_last_before(plan, step, self.spec.pause_before)) {
            self.waiting.push_back(Input::Pause);
        }
        self.entries.push(entry);
        Ok(())
    }

    /// What is seen of hosts that have just lost power is of before: nobody of them answers now.
    fn darken(&mut self) {
        let hosts = std::mem::take(&mut self.darkening);
        let placed = self.estate.placement.instances.iter();
        let dark = placed.filter(|instance| hosts.contains(&self.estate.placement.hosts[instance.host].name));
        for name in dark.map(|instance| instance.name.clone()) {
            let report = Report {
                life: Life::Starting,
                degraded: false,
                missing: Vec::new(),
                cause: "dark".to_owned(),
                took_us: 0,
            };
            self.lives.insert(name.clone(), report.clone());
            self.waiting.push_back(Input::Probe { instance: name, report });
        }
    }

    fn perform(&mut self, act: Act) {
        if let Act::PowerOff(hosts) = &act {
            self.darkening.clone_from(hosts);
        }
        let (site, acts) = (Arc::clone(&self.site), self.channels.acts.clone());
        tokio::spawn(async move {
            let result = site.perform(&act).await.map_err(|error| format!("{error:#}"));
            // The loop has ended: nobody waits for this.
            let _ended = acts.send(result).await;
        });
    }

    /// The next thing that the builder has to be told.
    async fn wait(&mut self, builder: &Builder, stop: &mut Stop) -> Result<Option<Input>> {
        let now = self.clock.now();
        let wake = builder.next_wake().map(|at| Duration::from_nanos(at.saturating_sub(now)));
        let sleep = async {
            match wake {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        let Channels { inputs, done, landed, .. } = &mut self.channels;
        let seen = tokio::select! {
            biased;
            () = stop.wanted() => return self.interrupted(),
            // What was seen before an act was over is known when it is over.
            seen = inputs.recv() => seen.context("the world has ended")?,
            landed = landed.recv() => {
                let zone = landed.context("no racks are on their way")??;
                self.landed.push(zone.clone());
                self.save()?;
                return Ok(Some(Input::Landed(zone)));
            }
            done = done.recv() => {
                let done = Input::Done(done.context("no act is under way")?);
                self.darken();
                self.waiting.push_back(done);
                return Ok(None);
            }
            () = sleep => return Ok(Some(Input::Wake)),
        };
        self.take(seen)
    }
}
