//! Owns a server's year in virtual time: a keeper whose process is killed again and again, between any two commands, and a
//! disk that has what was synced. Refuses to judge; it tells what happened.

use harness::schedule::keeper::{Command, Input, Keeper};
use harness::schedule::ledger::{Choice, Entry, Ledger, Slot};
use harness::schedule::moment::{Moment, Now};
use harness::schedule::{Outcome, Plan};
use std::collections::BTreeMap;
use std::time::Duration;

/// Some three runs a day, with everything that can keep one back.
pub(crate) const SCHEDULE: &str = r#"
time-zone = "Europe/Dublin"
[[blocked-dates]]
from = "2026-12-20"
to = "2026-12-27"
reason = "nobody is there"
[[conditions]]
name = "shop"
http = "http://127.0.0.1:1/health"
well-for = "2m"
[[schedules]]
name = "zones"
cron = "0 */6 * * *"
jitter = "20m"
scenarios = ["az-power-loss", "region-black-start"]
blocked = ["Fri 16:00-24:00", "Sat,Sun 00:00-06:00"]
missed-within = "2h"
[[schedules]]
name = "small"
cron = "10 9,12 * * MON-FRI"
world = "sim"
scenarios = ["minimal"]
allowed = ["Mon-Fri 09:00-17:00"]
"#;

/// How a year goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Course {
    /// When it begins.
    pub(crate) from: Moment,
    /// How long it is.
    pub(crate) lasts: Duration,
    /// Of a thousand commands, how many the process does not outlive.
    pub(crate) deaths: u64,
    /// How long it is away then, at most.
    pub(crate) away_at_most: Duration,
    /// How long a run takes, at most.
    pub(crate) run_at_most: Duration,
    /// Decides everything.
    pub(crate) seed: u64,
}

/// What happened.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Every process that was started for a run: for which slot, what, when, and when it was over.
    pub(crate) started: Vec<Started>,
    /// The ledger as it was on the disk in the end.
    pub(crate) disk: String,
    /// How often the process was killed.
    pub(crate) deaths: u64,
    /// Probes that were asked.
    pub(crate) probes: u64,
}

/// A run that really began.
#[derive(Debug, Clone)]
pub(crate) struct Started {
    /// Its id.
    pub(crate) run: String,
    /// What it is.
    pub(crate) choice: Choice,
    /// When it began.
    pub(crate) from: Moment,
    /// When it was over.
    pub(crate) to: Option<Moment>,
    /// What its own record says, where it came to that.
    verdict: Option<Outcome>,
}

/// xorshift64*: a year must be the same everywhere.
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { self.next() % limit }
    }

    fn span(&mut self, most: Duration) -> Duration {
        Duration::from_millis(1 + self.below(u64::try_from(most.as_millis()).unwrap_or(u64::MAX)))
    }
}

struct World<'p> {
    plan: &'p Plan,
    course: Course,
    chance: Chance,
    wall: Moment,
    /// The clock of the process that lives just now.
    born: Moment,
    /// What goes on, by its place in `told.started`, and when it ends by itself.
    going: Option<(usize, Moment)>,
    inputs: Vec<(Moment, Input)>,
    told: Told,
}

/// Lives through a year.
pub(crate) fn live(plan: &Plan, course: Course) -> Told {
    let chance = Chance(course.seed.wrapping_mul(2) + 1);
    let mut world = World {
        plan,
        course,
        chance,
        wall: course.from,
        born: course.from,
        going: None,
        inputs: Vec::new(),
        told: Told::default(),
    };
    let end = course.from.plus(course.lasts);
    while world.wall < end {
        world.live_once(end);
    }
    // What it died of last is accounted for by the process after it.
    world.course.deaths = 0;
    world.live_once(end);
    world.told
}

impl World<'_> {
    fn now(&self) -> Now {
        Now { wall: self.wall, mono: self.wall.since(self.born) }
    }

    /// From a start of the process to its death.
    fn live_once(&mut self, end: Moment) {
        self.born = self.wall;
        self.inputs.clear();
        let ledger = Ledger::read(&self.told.disk).expect("its own ledger");
        let mut commands = Vec::new();
        let mut keeper = Keeper::new(self.plan.clone(), ledger, self.now(), &mut commands);
        loop {
            if !self.perform(std::mem::take(&mut commands)) {
                return self.die();
            }
            if self.wall >= end && self.going.is_none() && self.inputs.is_empty() {
                self.wall = self.wall.plus(Duration::from_secs(1));
                return;
            }
            let tick = self.wall.plus(keeper.sleep(self.now()));
            let first =
                self.inputs.iter().enumerate().min_by_key(|(_, (at, _))| *at).map(|(place, (at, _))| (place, *at));
            let over = self.going.map(|(_, at)| at);
            let next = [Some(tick), first.map(|(_, at)| at), over].into_iter().flatten().min().unwrap_or(tick);
            self.wall = self.wall.max(next);
            let input = match (first, over) {
                (_, Some(at)) if at <= self.wall => self.over(),
                (Some((place, at)), _) if at <= self.wall => self.inputs.swap_remove(place).1,
                _ => Input::Tick,
            };
            keeper.handle(self.now(), input, &mut commands);
        }
    }

    /// `false` where the process dies in the middle.
    fn perform(&mut self, commands: Vec<Command>) -> bool {
        for command in commands {
            if self.chance.below(1000) < self.course.deaths {
                return false;
            }
            let soon = self.wall.plus(Duration::from_millis(20));
            match command {
                Command::Write(entry) => self.write(&entry),
                Command::Examine { run, .. } => self.inputs.push((soon, Input::Examined { run, fit: Ok(()) })),
                Command::Start { run, choice } => {
                    let ends = self.wall.plus(self.chance.span(self.course.run_at_most));
                    let started = Started { run, choice, from: self.wall, to: None, verdict: None };
                    self.told.started.push(started);
                    self.going = Some((self.told.started.len() - 1, ends));
                }
                Command::Stop { .. } => {
                    if let Some((_, ends)) = &mut self.going {
                        *ends = (*ends).min(self.wall.plus(Duration::from_secs(5)));
                    }
                }
                Command::Recover { run, .. } => {
                    let begun = self.told.started.iter().find(|one| one.run == run);
                    let outcome = begun.and_then(|one| one.verdict).unwrap_or(Outcome::Interrupted);
                    let soon = begun.and_then(|one| one.to).map_or(soon, |to| to.max(soon));
                    self.inputs.push((soon, Input::Ended { run, outcome, why: String::new() }));
                }
                Command::Probe { condition } => {
                    self.told.probes += 1;
                    // One in two hundred is no good answer.
                    let well = if self.chance.below(200) == 0 { Err("503".to_owned()) } else { Ok(()) };
                    self.inputs.push((soon, Input::Probed { condition, well }));
                }
            }
        }
        true
    }

    /// Half of a line may be all that a dying process leaves.
    fn write(&mut self, entry: &Entry) {
        let line = Ledger::line(entry);
        let whole = self.told.disk.rfind('\n').map_or(0, |at| at + 1);
        self.told.disk.truncate(whole);
        self.told.disk.push_str(&line);
    }

    fn over(&mut self) -> Input {
        let (place, _) = self.going.take().expect("something goes on");
        let outcome = [Outcome::Held, Outcome::Violated, Outcome::Inconclusive][self.chance.below(3) as usize];
        let started = &mut self.told.started[place];
        (started.to, started.verdict) = (Some(self.wall), Some(outcome));
        Input::Ended { run: started.run.clone(), outcome, why: String::new() }
    }

    /// What goes on is tied to the process: it heals itself.
    fn die(&mut self) {
        self.told.deaths += 1;
        if self.chance.below(4) == 0 {
            self.told.disk.push_str("{\"begun\":{\"run\":\"2026");
        }
        if let Some((place, _)) = self.going.take() {
            self.told.started[place].to = Some(self.wall.plus(Duration::from_secs(3)));
        }
        let away = self.chance.span(self.course.away_at_most);
        // Mostly it is started again at once.
        let away = if self.chance.below(4) == 0 { away } else { away / 1000 };
        // Often before what it began has healed.
        self.wall = self.wall.plus(Duration::from_millis(200) + away);
    }
}

/// By slot, the runs that began for it, as the ledger tells; and how many slots passed, by schedule.
pub(crate) fn accounts(disk: &str) -> (BTreeMap<Slot, Vec<String>>, BTreeMap<String, u64>) {
    let mut begun: BTreeMap<Slot, Vec<String>> = BTreeMap::new();
    let mut passed: BTreeMap<String, u64> = BTreeMap::new();
    for entry in disk.lines().filter_map(|line| serde_json::from_str::<Entry>(line).ok()) {
        match entry {
            Entry::Begun { run, slot: Some(slot), .. } => begun.entry(slot).or_default().push(run),
            Entry::Refused { slot, slots, .. } => *passed.entry(slot.schedule).or_default() += slots,
            _ => {}
        }
    }
    (begun, passed)
}
