//! Owns the course of a schedule: `(now, Input) -> Commands`, with no clock, no file and no process. Refuses to do anything
//! itself; whoever performs its commands does so in their order, and has a [`Command::Write`] on the disk before the next.

mod pending;
mod watch;

use super::ledger::{Choice, Entry, Halt, Held, Ledger, Slot};
use super::moment::{Moment, Now};
use super::rotation::digest;
use super::{Outcome, Plan, Reason, Schedule, World};
use pending::Pending;
use std::time::Duration;
use watch::Watch;

/// A wall clock that goes on by so much more than the other was put forward, or the machine slept: what was due meanwhile
/// was missed. A busy machine wakes a process within that.
const STEP: Duration = Duration::from_secs(60);

/// Of a server that was away for long, so many slots are counted; those before are not.
const MISSED_COUNTED: u64 = 10_000;

/// Between two looks while something goes on or is about to begin.
pub const LOOK: Duration = Duration::from_secs(1);
/// The longest time between two looks: the wall clock may step, and the other may stand still with a machine that sleeps.
const LOOK_AT_LEAST: Duration = Duration::from_secs(60);
/// A run that a person asked for and that takes longer is ended: it must not keep a schedule from going on.
const ASKED_TAKES: Duration = Duration::from_secs(3600);

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Time has passed.
    Tick,
    /// Whether there is room for a run: engine, hosts, memory, processes, disk.
    Examined {
        /// Which.
        run: String,
        /// What there is not enough of, or who else uses the engine.
        fit: Result<(), Unfit>,
    },
    /// A run has ended and is healed, whoever ended it, also one that was found at the start.
    Ended {
        /// Which.
        run: String,
        /// How.
        outcome: Outcome,
        /// Why, where its record does not say.
        why: String,
    },
    /// What goes on harms those whom it should not.
    Harms {
        /// Its id.
        run: String,
        /// Whom, and how much.
        why: String,
    },
    /// A condition was asked.
    Probed {
        /// Which, by its place.
        condition: usize,
        /// What is wrong, where it is not well.
        well: Result<(), String>,
    },
}

/// Why a run cannot begin now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// That can pass: somebody else uses the engine, the engine does not answer.
    ForNow(String),
    /// That does not pass by waiting.
    AtAll(String),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Have this on the disk before anything that follows.
    Write(Entry),
    /// Find out whether there is room for this.
    Examine {
        /// The id that it will have.
        run: String,
        /// What it is.
        choice: Choice,
    },
    /// Begin this.
    Start {
        /// Its id.
        run: String,
        /// What it is.
        choice: Choice,
    },
    /// End this; it heals itself.
    Stop {
        /// Its id.
        run: String,
        /// Why.
        why: String,
    },
    /// Find out what became of this, which an earlier process began; end, heal and remove what is left of it.
    Recover {
        /// Its id.
        run: String,
        /// What it is.
        choice: Choice,
    },
    /// Ask this.
    Probe {
        /// Which condition, by its place.
        condition: usize,
    },
}

/// A run that a person asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Who.
    pub by: String,
    /// A file, or the name of a built-in scenario.
    pub scenario: String,
    /// By how many zones its faults are moved on.
    pub turn: usize,
    /// Where.
    pub world: World,
    /// The standing region to hold it in, where one was named.
    pub region: Option<String>,
    /// Decides every random choice; drawn from the moment where nobody says.
    pub seed: Option<u64>,
}

/// A run that goes on.
#[derive(Debug, Clone)]
struct Running {
    run: String,
    /// The schedule that it is of.
    schedule: Option<usize>,
    /// When it is to be over, on the clock that does not step.
    until: Duration,
    /// Why it was told to stop.
    stopping: Option<String>,
    /// Begun by an earlier process.
    found: bool,
}

/// What the keeper is at, for those who look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doing {
    /// Nothing is due.
    Waiting,
    /// A slot is due and waits for this.
    Held {
        /// Which.
        slot: Option<Slot>,
        /// For what.
        why: String,
    },
    /// A run goes on.
    Running {
        /// Its id.
        run: String,
        /// Why it was told to stop, where it was.
        stopping: Option<String>,
    },
}

/// Keeps a schedule.
#[derive(Debug)]
pub struct Keeper {
    plan: Plan,
    ledger: Ledger,
    watch: Watch,
    /// What was asked for or is due, and has not begun.
    pending: Option<Pending>,
    running: Option<Running>,
    /// Runs of an earlier process that are not accounted for.
    finding: Vec<Held>,
    /// What was due before this moment of the wall clock was missed: nobody was there.
    present: Moment,
    /// When something was handled last.
    seen: Now,
    /// The last id that was given; ids of one moment differ.
    numbered: u64,
}

impl Keeper {
    /// Takes up what a ledger says; what an earlier process had begun is found out about first.
    pub fn new(plan: Plan, ledger: Ledger, now: Now, commands: &mut Vec<Command>) -> Self {
        let finding: Vec<Held> = ledger.open().cloned().collect();
        let watch = Watch::new(plan.conditions.len());
        let mut keeper = Self {
            plan,
            ledger,
            watch,
            pending: None,
            running: None,
            finding,
            present: now.wall,
            seen: now,
            numbered: 0,
        };
        keeper.begin_anew(now, commands);
        keeper.set_back(now, commands);
        keeper.find_next(commands);
        keeper
    }

    /// A schedule that is new begins now; so does one that says something else than before about when it is due: what it
    /// says now was not due while nobody had said it.
    fn begin_anew(&mut self, now: Now, commands: &mut Vec<Command>) {
        for schedule in self.plan.schedules.clone() {
            let (name, says) = (schedule.name, schedule.due.to_string());
            let is_known = self.ledger.accounted_until(&name).is_some();
            let known = self.ledger.due(&name);
            let is_the_same = known == Some(&says);
            // A ledger of an earlier version knows when, and not what.
            let begins = !is_known || known.is_some() && !is_the_same;
            if begins {
                self.write(Entry::Accounted { schedule: name.clone(), until: now.wall }, commands);
            }
            if !is_the_same {
                self.write(Entry::Due { schedule: name, says }, commands);
            }
        }
    }

    /// What is accounted for lies ahead: the clock was put forward once, and is right again. Slots in which something was
    /// begun stay what they were; the others are due again.
    fn set_back(&mut self, now: Now, commands: &mut Vec<Command>) {
        for schedule in self.plan.schedules.clone() {
            let Some(accounted) = self.ledger.accounted_until(&schedule.name) else { continue };
            let until = self.ledger.begun_until(&schedule.name).map_or(now.wall, |begun| begun.max(now.wall));
            if accounted > until {
                self.write(Entry::SetBack { schedule: schedule.name.clone(), until }, commands);
            }
        }
    }

    /// What was written so far.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What is kept.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What goes on.
    pub fn doing(&self) -> Doing {
        match (&self.running, &self.pending) {
            (Some(running), _) => Doing::Running { run: running.run.clone(), stopping: running.stopping.clone() },
            (None, Some(pending)) => Doing::Held { slot: pending.slot.clone(), why: pending.waits_for.clone() },
            (None, None) => Doing::Waiting,
        }
    }

    /// Each condition's state: what is wrong with it, `None` where it has not been asked.
    pub fn conditions(&self) -> impl Iterator<Item = (&str, Option<&Result<(), String>>)> {
        self.plan.conditions.iter().zip(self.watch.last()).map(|(condition, last)| (condition.name.as_str(), last))
    }

    /// Something happened.
    pub fn handle(&mut self, now: Now, input: Input, commands: &mut Vec<Command>) {
        let ought = self.seen.wall.plus(now.mono.saturating_sub(self.seen.mono));
        if now.wall.since(ought) > STEP {
            self.present = now.wall;
        }
        if ought.since(now.wall) > STEP {
            self.present = self.present.min(now.wall);
            self.set_back(now, commands);
        }
        self.seen = now;
        match input {
            Input::Tick => {}
            Input::Examined { run, fit } => self.examined(now, &run, fit, commands),
            Input::Ended { run, outcome, why } => self.ended(now, &run, outcome, why, commands),
            Input::Harms { run, why } => {
                if self.running.as_ref().is_some_and(|running| running.run == run) {
                    self.stop(why, commands);
                }
            }
            Input::Probed { condition, well } => self.watch.answered(condition, well, now.mono),
        }
        self.look(now, commands);
    }

    /// A person asks for a run. It takes no account of a schedule's windows, but of everything else.
    ///
    /// # Errors
    /// Why not, for people.
    pub fn ask(&mut self, now: Now, ask: Ask, commands: &mut Vec<Command>) -> Result<String, String> {
        if let Some(Halt { by, since }) = self.ledger.halt() {
            return Err(format!("halted by {by} since {since}: resume first"));
        }
        if let Some(running) = &self.running {
            return Err(format!("run {} goes on: one at a time", running.run));
        }
        if let Some(pending) = &self.pending {
            return Err(format!("another run is about to begin ({}): one at a time", pending.choice.scenario));
        }
        let run = self.id(now, &ask.scenario);
        let Ask { by, scenario, turn, world, region, seed } = ask;
        let seed = seed.unwrap_or_else(|| now.wall.0.unsigned_abs() % 1_000_000);
        let why = format!("{by} asked for it");
        let choice = Choice { scenario, turn, world, region, seed, why };
        self.pending = Some(Pending::asked(run.clone(), choice, by, now.mono));
        self.look(now, commands);
        Ok(run)
    }

    /// Stops everything, and keeps it so.
    pub fn halt(&mut self, now: Now, by: &str, commands: &mut Vec<Command>) {
        if self.ledger.halt().is_none() {
            self.write(Entry::Halted { by: by.to_owned(), at: now.wall }, commands);
        }
        self.stop(format!("halted by {by}"), commands);
        self.look(now, commands);
    }

    /// Lets the schedule go on.
    pub fn resume(&mut self, now: Now, by: &str, commands: &mut Vec<Command>) {
        if self.ledger.halt().is_some() {
            self.write(Entry::Resumed { by: by.to_owned(), at: now.wall }, commands);
        }
        self.look(now, commands);
    }

    /// The server is about to end. What a person was told would begin is told not to have; a slot is due again for the next
    /// server.
    pub fn leave(&mut self, now: Now, why: &str, commands: &mut Vec<Command>) {
        if self.pending.as_ref().is_some_and(|pending| pending.slot.is_none()) {
            self.refuse(now, Reason::Halted, why.to_owned(), commands);
        }
        self.pending = None;
        self.stop(why.to_owned(), commands);
    }

    /// Whether nothing goes on that this process began. What an earlier one began is the next one's, too.
    pub fn can_leave(&self) -> bool {
        self.running.as_ref().is_none_or(|running| running.found)
    }

    /// How long nothing will change by time alone; [`LOOK`] where something is due soon or goes on.
    pub fn sleep(&self, now: Now) -> Duration {
        if self.running.is_some() || self.pending.is_some() || self.watch.is_armed() {
            return LOOK;
        }
        let next = self.plan.schedules.iter().filter_map(|schedule| self.next(schedule)).map(|(_, at)| at).min();
        // Conditions are asked some time before.
        let early = self.plan.conditions.iter().map(|condition| condition.well_for + 3 * condition.every).max();
        let until = next.map_or(LOOK_AT_LEAST, |at| at.minus(early.unwrap_or_default()).since(now.wall));
        until.clamp(LOOK, LOOK_AT_LEAST)
    }

    /// The next slot of a schedule, and when it begins.
    pub fn next(&self, schedule: &Schedule) -> Option<(Slot, Moment)> {
        slot_after(schedule, self.ledger.accounted_until(&schedule.name)?)
    }

    fn write(&mut self, entry: Entry, commands: &mut Vec<Command>) {
        self.ledger.apply(&entry);
        commands.push(Command::Write(entry));
    }

    /// One after the other: they may need the same engine.
    fn find_next(&mut self, commands: &mut Vec<Command>) {
        if self.finding.is_empty() {
            return;
        }
        let Held { run, choice, .. } = self.finding.remove(0);
        self.running =
            Some(Running { run: run.clone(), schedule: None, until: Duration::MAX, stopping: None, found: true });
        commands.push(Command::Recover { run, choice });
    }

    fn stop(&mut self, why: String, commands: &mut Vec<Command>) {
        if let Some(running) = self.running.as_mut().filter(|running| running.stopping.is_none() && !running.found) {
            running.stopping = Some(why.clone());
            commands.push(Command::Stop { run: running.run.clone(), why });
        }
    }

    fn ended(&mut self, now: Now, run: &str, outcome: Outcome, why: String, commands: &mut Vec<Command>) {
        let Some(running) = self.running.take_if(|running| running.run == run) else { return };
        let told = [running.stopping.unwrap_or_default(), why].into_iter().filter(|text| !text.is_empty());
        let why = told.collect::<Vec<_>>().join("; ");
        self.write(Entry::Ended { run: run.to_owned(), outcome, why, at: now.wall }, commands);
        self.find_next(commands);
    }

    fn look(&mut self, now: Now, commands: &mut Vec<Command>) {
        self.look_after_running(now, commands);
        if self.running.is_none() {
            self.refuse_missed(now, commands);
            self.take_up(now, commands);
            self.look_after_pending(now, commands);
        }
        let wanted = self.wanted_conditions(now);
        self.watch.ask(&self.plan.conditions, &wanted, now.mono, commands);
    }

    /// Why what goes on has to end.
    fn look_after_running(&mut self, now: Now, commands: &mut Vec<Command>) {
        let Some(running) = &self.running else { return };
        let schedule = running.schedule.map(|place| &self.plan.schedules[place]);
        let why = if let Some(halt) = self.ledger.halt() {
            Some(format!("halted by {}", halt.by))
        } else if now.mono >= running.until {
            Some("it took longer than `takes-at-most`".to_owned())
        } else if let Some(why) = schedule.and_then(|one| one.windows.fits(now.wall, Duration::from_millis(1)).err()) {
            // The clock was put forward, or the run is slower than it was taken for.
            Some(why)
        } else {
            let conditions = self.conditions_of(running.schedule);
            self.watch.bad(&self.plan.conditions, &conditions)
        };
        if let Some(why) = why {
            self.stop(why, commands);
        }
    }

    /// Conditions of a schedule; of a run that a person asked for, all.
    fn conditions_of(&self, schedule: Option<usize>) -> Vec<usize> {
        match schedule {
            Some(place) => self.plan.schedules[place].conditions.clone(),
            None => (0..self.plan.conditions.len()).collect(),
        }
    }

    /// What must be asked now: of what goes on, what waits, and what begins soon.
    fn wanted_conditions(&self, now: Now) -> Vec<usize> {
        let mut wanted = Vec::new();
        if let Some(running) = &self.running {
            wanted.extend(self.conditions_of(running.schedule));
        }
        if let Some(pending) = &self.pending {
            wanted.extend(self.conditions_of(pending.schedule));
        }
        for schedule in &self.plan.schedules {
            let Some((_, at)) = self.next(schedule) else { continue };
            let soon = |place: &&usize| {
                let condition = &self.plan.conditions[**place];
                at.minus(condition.well_for + 2 * condition.every) <= now.wall
            };
            wanted.extend(schedule.conditions.iter().filter(soon));
        }
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    /// An id that sorts by time, as every run has.
    fn id(&mut self, now: Now, what: &str) -> String {
        self.numbered += 1;
        let chance = digest(&Slot { schedule: format!("{what}/{}", self.numbered), due: now.wall }) & 0xFFF;
        // As in `clock::run_id`: the part of the second first, in 4096 parts.
        let part = now.wall.0.rem_euclid(1000) * 4096 / 1000;
        format!("{}-{part:03x}{chance:03x}", now.wall.compact())
    }
}

/// When a slot begins: some time after it is due, always the same for the same slot.
pub fn begins(schedule: &Schedule, slot: &Slot) -> Moment {
    let jitter_ms = u64::try_from(schedule.jitter.as_millis()).unwrap_or(u64::MAX);
    let late_ms = if jitter_ms == 0 { 0 } else { digest(slot) % (jitter_ms + 1) };
    slot.due.plus(Duration::from_millis(late_ms))
}

/// The first slot of a schedule that is due after a moment, and when it begins.
pub fn slot_after(schedule: &Schedule, accounted: Moment) -> Option<(Slot, Moment)> {
    let due = schedule.due.next_after(accounted)?;
    let slot = Slot { schedule: schedule.name.clone(), due };
    let at = begins(schedule, &slot);
    Some((slot, at))
}
