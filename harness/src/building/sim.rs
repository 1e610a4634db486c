//! Owns the loop that carries a build out in virtual time: what the builder is told, what becomes of its commands, and a
//! builder that is killed and taken up from what was on the disk. Refuses to decide anything: the builder does.

use super::{Harm, Spec, Watch, is_last_before, look, looks_before, place_of, racks};
use crate::builder::ledger::{Entry, Ledger};
use crate::builder::{Builder, Command, Ending, Input};
use crate::clock::Clock;
use crate::controller::{Nanos, Report};
use crate::world::sim::build::{BuildWorld, News};
use anyhow::{Result, bail};
use fixtures::name::{InstanceName, ZoneName};
use fixtures::regional::estate::{Estate, Site};
use scenarios::build::judge;
use scenarios::build::plan::{BuildPhase, BuildPlan};
use scenarios::event::{By, Detail, Event, EventId, Life, Place};
use std::collections::{BTreeMap, VecDeque};

/// How long the bootstrap region may take until all of it is active.
const SETTLE_NS: Nanos = 120_000_000_000;

/// Where it is built: the world, what was seen and written, and what a builder that begins anew is told.
pub(super) struct Yard<'a> {
    pub(super) world: BuildWorld<'a>,
    estate: &'a Estate,
    plan: &'a BuildPlan,
    spec: &'a Spec,
    watch: &'a mut dyn Watch,
    clock: Clock,
    pub(super) events: Vec<Event>,
    pub(super) entries: Vec<Entry>,
    lives: BTreeMap<InstanceName, Report>,
    /// Racks that have not landed, the next first.
    racks: VecDeque<(Nanos, ZoneName)>,
    landed: Vec<ZoneName>,
    /// Acts that are not over, and how many of those belong to a builder that is gone.
    acting: usize,
    orphaned: usize,
    harm: Harm,
    /// What the builder is told next.
    inputs: VecDeque<Input>,
    /// What stands against the phase that was asked about last.
    against: String,
}

/// What a command leads to.
enum Then {
    /// The next one.
    GoesOn,
    /// The builder is killed.
    Killed,
    /// The build is over.
    Over(Ending),
}

impl<'a> Yard<'a> {
    pub(super) fn new(
        world: BuildWorld<'a>,
        (estate, plan): (&'a Estate, &'a BuildPlan),
        spec: &'a Spec,
        watch: &'a mut dyn Watch,
    ) -> Self {
        Self {
            world,
            estate,
            plan,
            spec,
            watch,
            clock: Clock::standing(),
            events: Vec::new(),
            entries: Vec::new(),
            lives: BTreeMap::new(),
            racks: VecDeque::new(),
            landed: Vec::new(),
            acting: 0,
            orphaned: 0,
            harm: Harm::default(),
            inputs: VecDeque::new(),
            against: String::new(),
        }
    }

    fn log(&mut self, t_ns: Nanos, by: By, place: Place, detail: Detail) {
        let id = EventId(self.events.len() as u64 + 1);
        let event = Event { id, t_ns, utc: self.clock.utc(t_ns), by, place, detail };
        self.watch.event(&event);
        self.events.push(event);
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
    pub(super) fn settle(&mut self) -> Result<()> {
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

    pub(super) fn run(&mut self) -> Result<Ending> {
        let mut builder = self.builder(Ledger::default());
        self.inputs.push_back(Input::Begin);
        let mut commands = Vec::new();
        loop {
            let next = match self.inputs.pop_front() {
                Some(input) => input,
                None if builder.is_paused() => match self.at_a_pause(&builder) {
                    Some(ending) => return Ok(ending),
                    None => Input::Resume,
                },
                None => match self.wait(&builder) {
                    Some(input) => input,
                    None => continue,
                },
            };
            builder.handle(self.world.now(), next, &mut commands);
            let mut then = Then::GoesOn;
            for command in commands.drain(..) {
                then = self.perform(command)?;
                if !matches!(then, Then::GoesOn) {
                    break;
                }
            }
            match then {
                Then::GoesOn => {}
                Then::Over(ending) => return Ok(ending),
                Then::Killed => {
                    builder = self.builder(self.reread());
                    self.take_up();
                }
            }
        }
    }

    fn builder(&self, ledger: Ledger) -> Builder {
        Builder::new(self.plan.clone(), ledger).looking_before(looks_before(self.spec))
    }

    /// Whoever has just taken a paused build up goes on with it; everybody else ends there.
    fn at_a_pause(&mut self, builder: &Builder) -> Option<Ending> {
        if matches!(self.entries.last(), Some(Entry::TakenUp { .. })) {
            return None;
        }
        let before = builder.present().map_or(BuildPhase::Open, |step| step.phase);
        Some(Ending::Paused { before, why: std::mem::take(&mut self.against) })
    }

    fn perform(&mut self, command: Command) -> Result<Then> {
        match command {
            Command::Write(entry) => return self.write(entry),
            Command::Log { place, detail } => self.log(self.world.now(), By::Controller, place, detail),
            Command::Do(act) => {
                self.acting += 1;
                self.world.perform(&act);
            }
            Command::Look(phase) => self.look(phase),
            Command::End(ending) => return Ok(Then::Over(ending)),
        }
        Ok(Then::GoesOn)
    }

    /// What builders before had written must come again as it was; what comes after that is new.
    fn write(&mut self, entry: Entry) -> Result<Then> {
        let earlier = &self.spec.earlier;
        match earlier.get(self.entries.len()) {
            Some(known) if *known != entry => bail!(
                "played again, entry {} of the ledger is {entry:?} and not {known:?}: take a build up with the version and \
                 the graph that it was begun with, or begin anew",
                self.entries.len() + 1
            ),
            Some(_) => {}
            None => self.watch.entry(&entry)?,
        }
        if self.pauses_after(&entry) {
            self.inputs.push_back(Input::Pause);
        }
        self.entries.push(entry);
        let written = self.entries.len();
        if self.spec.rolled_back_after == Some(written) {
            self.inputs.push_back(Input::RollBack);
        }
        let ended_here = written == earlier.len() || matches!(earlier.get(written), Some(Entry::TakenUp { .. }));
        let is_killed = ended_here || self.spec.killed_after.contains(&written);
        Ok(if is_killed { Then::Killed } else { Then::GoesOn })
    }

    /// Whether the step that is about to be begun is the last before a pause: as it was, where that is known, or as it is
    /// wanted.
    fn pauses_after(&self, entry: &Entry) -> bool {
        let Entry::Intent { step, .. } = entry else { return false };
        if let Some(rest) = self.spec.earlier.get(self.entries.len() + 1..).filter(|rest| !rest.is_empty()) {
            let over = rest.iter().position(|entry| matches!(entry, Entry::Done { .. } | Entry::TakenUp { .. }));
            return over.is_some_and(|over| matches!(rest.get(over + 1), Some(Entry::Paused { .. })));
        }
        is_last_before(self.plan, step, self.spec.pause_before)
    }

    fn look(&mut self, phase: BuildPhase) {
        let case = judge::Case { estate: self.estate, plan: self.plan };
        let (seen, looked) = look(self.spec, phase, &case, &self.events);
        for (place, detail) in seen {
            self.log(self.world.now(), By::Controller, place, detail);
        }
        self.against = looked.as_ref().err().cloned().unwrap_or_default();
        self.inputs.push_back(Input::Looked(looked));
    }

    /// What was on the disk, read as whoever starts again reads it.
    fn reread(&self) -> Ledger {
        let text: String = self.entries.iter().map(crate::builder::ledger::to_line).collect();
        Ledger::read(&text).unwrap_or_default()
    }

    /// A builder that begins anew is told everything once more.
    fn take_up(&mut self) {
        self.orphaned = self.acting;
        let lives = self.lives.iter();
        let probes = lives.map(|(name, report)| Input::Probe { instance: name.clone(), report: report.clone() });
        let landed = self.landed.iter().cloned().map(Input::Landed);
        self.inputs = probes.chain(landed).chain([Input::Begin]).collect();
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
