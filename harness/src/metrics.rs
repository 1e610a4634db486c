//! Owns what a server of game days tells a collector (`/metrics`): what is counted when a run starts, ends or is refused,
//! and what is so right now. Refuses to look at any run by itself, to know a clock, and to serve anything.
//!
//! - [`table`]: the truth about names, labels and help; the dashboard, the rules and `docs/metrics.md` are checked with it
//! - `families`: the counts; `process`: what the kernel says of this process
//!
//! Every method may be called from any thread, and none waits for anybody. Moments are seconds since 1970.

mod families;
mod process;
mod regions;
pub mod table;

use crate::schedule::Outcome;
use families::{Families, Names};
use reports::history::Entry;
use reports::record::Record;
use scenarios::event::{Act, Detail, Event, Phase};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use table::{
    BUILD, CAVEATS, CONDITION_WELL, DELIVERIES, DELIVERY_RETRIES, DISK_FREE, DISK_SIZE, EVENTS, EVENTS_DROPPED, FAULTS,
    FINDINGS, FRAMES, FRAMES_DROPPED, HALTED, HTTP, IN_PROGRESS, INTERVENTIONS, LOST_WRITES, NEVER_BACK, PHASE,
    RECOVERY_TIME, REFUSALS, REQUESTS, RESIDUE, RUN_DURATION, RUN_STARTED, RUNS, RUNS_STARTED, SCENARIO_DECIDED,
    SCENARIO_FAILING, SCENARIO_VERDICT, SCHEDULE_DECIDED, SCHEDULE_KNOWN, SCHEDULE_LAG, SCHEDULE_LAST, SCHEDULE_NEXT,
    SCHEDULE_OUTCOME, SCHEDULE_PERIOD, SCHEDULE_REFUSED, UNFINISHED, VIEWERS, WRITES,
};

/// A run of before this server was started, as the history knows it.
#[derive(Debug, Clone, Copy)]
pub struct Remembered<'a> {
    /// Name of the scenario.
    pub scenario: &'a str,
    /// `docker`, `sim`.
    pub world: &'a str,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether CI would fail for it: a violation that no known gap accepts.
    pub fails: bool,
    /// The schedule that it was of.
    pub schedule: Option<&'a str>,
    /// When it ended.
    pub ended_s: f64,
}

/// The counts and states of one server.
#[derive(Debug)]
pub struct Metrics {
    families: Families,
    scenarios: Names,
    schedules: Names,
    conditions: Names,
    regions: Names,
    zones: Names,
    /// What is in force: the kind of each fault by its name.
    in_force: Mutex<BTreeMap<String, &'static str>>,
    /// Two that ask at once must not set the process's own metrics at once.
    rendering: Mutex<()>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Of a server that has just been started: nothing happened yet, and no run is under way.
    pub fn new() -> Self {
        let families = Families::new();
        families.set(BUILD, [env!("CARGO_PKG_VERSION")], 1.0);
        for gauge in [IN_PROGRESS, HALTED, UNFINISHED, VIEWERS] {
            families.set(gauge, [], 0.0);
        }
        for counter in [EVENTS, FRAMES, FRAMES_DROPPED] {
            families.add(counter, [], 0.0);
        }
        Self {
            families,
            scenarios: Names::default(),
            schedules: Names::default(),
            conditions: Names::default(),
            regions: Names::default(),
            zones: Names::default(),
            in_force: Mutex::default(),
            rendering: Mutex::default(),
        }
    }

    /// What collectors read, in the text format, version 0.0.4.
    pub fn render(&self) -> String {
        let _alone = self.rendering.lock().unwrap_or_else(PoisonError::into_inner);
        process::look(&self.families);
        self.families.render()
    }
}

/// Runs.
impl Metrics {
    /// A run begins.
    pub fn started(&self, scenario: &str, world: &str, schedule: Option<Due<'_>>, now_s: f64) {
        let scenario = self.scenarios.bounded(scenario);
        let families = &self.families;
        families.add(RUNS_STARTED, [scenario, world], 1.0);
        // Series that are there before they grow: a first violated run is an increase, too.
        for outcome in Outcome::ENDED {
            families.add(RUNS, [scenario, world, outcome.word()], 0.0);
        }
        for result in ["answered", "lost"] {
            families.add(REQUESTS, [scenario, world, result], 0.0);
        }
        for counter in [NEVER_BACK, WRITES, LOST_WRITES, INTERVENTIONS] {
            families.add(counter, [scenario, world], 0.0);
        }
        for histogram in [RECOVERY_TIME, RUN_DURATION] {
            families.observe(histogram, [scenario, world], None);
        }
        families.set(IN_PROGRESS, [], 1.0);
        families.set(RUN_STARTED, [], now_s);
        if let Some(due) = schedule {
            let schedule = self.schedules.bounded(due.schedule);
            families.set(SCHEDULE_LAG, [schedule], (now_s - due.due_s).max(0.0));
            families.set(SCHEDULE_LAST, [schedule], now_s);
            families.set(SCHEDULE_REFUSED, [schedule], 0.0);
        }
    }

    /// A run has ended and left its record. What it left behind is added to what is known of earlier ones.
    pub fn ended(&self, record: &Record, outcome: Outcome, schedule: Option<&str>, now_s: f64) {
        let entry = Entry::of(record, &[]);
        let world = record.world.as_str();
        self.over();
        self.remember(Remembered {
            scenario: &record.scenario,
            world,
            outcome,
            fails: entry.fails,
            schedule,
            ended_s: now_s,
        });
        let scenario = self.scenarios.bounded(&record.scenario);
        let families = &self.families;
        families.add(RUNS, [scenario, world, outcome.word()], 1.0);
        families.observe(RUN_DURATION, [scenario, world], Some(record.measurements.total_s));
        let figures = &entry.figures;
        families.observe(RECOVERY_TIME, [scenario, world], figures.slowest_ms.map(|ms| ms / 1000.0));
        families.add(REQUESTS, [scenario, world, "answered"], figures.sent.saturating_sub(figures.lost) as f64);
        families.add(REQUESTS, [scenario, world, "lost"], figures.lost as f64);
        let counts = [
            (NEVER_BACK, figures.never_back),
            (WRITES, figures.writes),
            (LOST_WRITES, figures.lost_writes),
            (INTERVENTIONS, figures.interventions),
        ];
        for (counter, count) in counts {
            families.add(counter, [scenario, world], count as f64);
        }
        for found in &entry.findings {
            families.add(FINDINGS, [&found.invariant, if found.known { "true" } else { "false" }], 1.0);
        }
        for caveat in &record.caveats {
            families.add(CAVEATS, [&caveat.code], 1.0);
        }
        for row in &record.residue {
            families.shift(RESIDUE, [&row.object], 1.0);
        }
    }

    /// A run that was due did not begin. The reason is one of the server's own words, and so bounded.
    pub fn refused(&self, scenario: &str, world: &str, schedule: Option<&str>, reason: &'static str) {
        let scenario = self.scenarios.bounded(scenario);
        self.families.add(RUNS, [scenario, world, Outcome::Refused.word()], 1.0);
        self.families.add(REFUSALS, [reason], 1.0);
        if let Some(schedule) = schedule {
            let schedule = self.schedules.bounded(schedule);
            self.families.shift(SCHEDULE_REFUSED, [schedule], 1.0);
            self.families.state(
                SCHEDULE_OUTCOME,
                schedule,
                &Outcome::ENDED.map(Outcome::word),
                Outcome::Refused.word(),
            );
        }
    }

    /// A run of before this server, told in the order in which they ended: states are as they were, counts begin anew.
    pub fn remember(&self, run: Remembered<'_>) {
        let scenario = self.scenarios.bounded(run.scenario);
        let (world, word, families) = (run.world, run.outcome.word(), &self.families);
        if run.outcome.is_conclusive() {
            for verdict in [Outcome::Held, Outcome::Violated] {
                let is_so = f64::from(u8::from(verdict == run.outcome));
                families.set(SCENARIO_VERDICT, [scenario, world, verdict.word()], is_so);
            }
            let failing = run.fails && run.outcome == Outcome::Violated;
            families.set(SCENARIO_FAILING, [scenario, world], f64::from(u8::from(failing)));
            families.set(SCENARIO_DECIDED, [scenario, world], run.ended_s);
        }
        if let Some(schedule) = run.schedule {
            let schedule = self.schedules.bounded(schedule);
            families.state(SCHEDULE_OUTCOME, schedule, &Outcome::ENDED.map(Outcome::word), word);
            if run.outcome.is_conclusive() {
                families.set(SCHEDULE_DECIDED, [schedule], run.ended_s);
            }
        }
    }

    /// A scenario that nobody holds any more: it must not fail for ever. Its counts stay.
    pub fn forget_scenario(&self, scenario: &str, world: &str) {
        for verdict in [Outcome::Held, Outcome::Violated] {
            self.families.forget(SCENARIO_VERDICT, [scenario, world, verdict.word()]);
        }
        self.families.forget(SCENARIO_FAILING, [scenario, world]);
        self.families.forget(SCENARIO_DECIDED, [scenario, world]);
    }

    /// Runs that an earlier server left unfinished, and that this one ends as interrupted.
    pub fn set_unfinished(&self, runs: u64) {
        self.families.set(UNFINISHED, [], runs as f64);
    }

    /// No run is under way any more, whatever became of it. [`Metrics::ended`] says so too.
    pub fn over(&self) {
        self.families.set(IN_PROGRESS, [], 0.0);
        self.families.clear(PHASE);
    }

    /// What happens in the run under way: its phase, and what is in force.
    pub fn event(&self, event: &Event) {
        self.families.add(EVENTS, [], 1.0);
        match &event.detail {
            Detail::Phase { phase, .. } => self.phase(*phase),
            Detail::StepDone { fault, act, what, .. } => self.step(fault, *act, what),
            _ => {}
        }
    }

    fn phase(&self, phase: Phase) {
        if phase == Phase::Ended {
            self.families.clear(PHASE);
            // Everything was removed, and with it what was in force.
            return self.set_healed();
        }
        for other in PHASES {
            let is_so = f64::from(u8::from(other == phase));
            self.families.set(PHASE, [scenarios::measure::word(other)], is_so);
        }
    }

    fn step(&self, fault: &str, act: Act, what: &str) {
        let mut in_force = self.in_force();
        match act {
            Act::Inject => {
                let kind = KINDS.iter().find(|kind| **kind == what).copied();
                let kind = kind.unwrap_or(if what.is_empty() { "power" } else { families::OTHER });
                if in_force.insert(fault.to_owned(), kind).is_none() {
                    self.families.shift(FAULTS, [kind], 1.0);
                }
            }
            Act::Heal => {
                if let Some(kind) = in_force.remove(fault) {
                    self.families.shift(FAULTS, [kind], -1.0);
                }
            }
        }
    }

    fn in_force(&self) -> MutexGuard<'_, BTreeMap<String, &'static str>> {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is in force any more: the hand has healed everything, with or without the controller.
    pub fn set_healed(&self) {
        let mut in_force = self.in_force();
        for kind in std::mem::take(&mut *in_force).into_values() {
            self.families.shift(FAULTS, [kind], -1.0);
        }
    }

    /// What a sweep found that ended runs left: by the kind of object, how many.
    pub fn set_residue(&self, found: &BTreeMap<String, u64>) {
        self.families.clear(RESIDUE);
        for (object, count) in found {
            self.families.set(RESIDUE, [object], *count as f64);
        }
    }
}

/// Phases that last.
const PHASES: [Phase; 9] = [
    Phase::Provision,
    Phase::Settle,
    Phase::Baseline,
    Phase::Outage,
    Phase::PowerOn,
    Phase::Recovery,
    Phase::Quiet,
    Phase::ReadBack,
    Phase::Teardown,
];

/// Words of `scenarios::plan::Deed::word`; others are told as `other`.
const KINDS: [&str; 23] = [
    "boot",
    "pause",
    "kill",
    "exit",
    "processor",
    "memory",
    "disk-full",
    "disk-slow",
    "disk-errors",
    "network",
    "freeze",
    "shift",
    "surge",
    "push",
    "deploy",
    "names-empty",
    "names-stale",
    "names-wrong",
    "names-slow",
    "names-dead",
    "grants-refused",
    "grants-expired",
    "clock-wrong",
];

/// When a run of a schedule was due.
#[derive(Debug, Clone, Copy)]
pub struct Due<'a> {
    /// The schedule.
    pub schedule: &'a str,
    /// When.
    pub due_s: f64,
}

/// Schedules and what holds them up.
impl Metrics {
    /// A schedule that the server keeps: how long it usually is from one of its runs to the next, and since when it is known.
    pub fn set_schedule(&self, schedule: &str, period_s: f64, known_s: f64) {
        let schedule = self.schedules.bounded(schedule);
        self.families.set(SCHEDULE_PERIOD, [schedule], period_s);
        self.families.set(SCHEDULE_KNOWN, [schedule], known_s);
        self.families.shift(SCHEDULE_REFUSED, [schedule], 0.0);
    }

    /// When its next run is due; `None` where none is.
    pub fn set_next_run(&self, schedule: &str, next_s: Option<f64>) {
        let schedule = self.schedules.bounded(schedule);
        match next_s {
            Some(next_s) => self.families.set(SCHEDULE_NEXT, [schedule], next_s),
            None => self.families.forget(SCHEDULE_NEXT, [schedule]),
        }
    }

    /// A schedule that is no more: it must not be late for ever.
    pub fn forget_schedule(&self, schedule: &str) {
        let families = &self.families;
        let gauges = [
            SCHEDULE_LAG,
            SCHEDULE_LAST,
            SCHEDULE_NEXT,
            SCHEDULE_PERIOD,
            SCHEDULE_KNOWN,
            SCHEDULE_DECIDED,
            SCHEDULE_REFUSED,
        ];
        for gauge in gauges {
            families.forget(gauge, [schedule]);
        }
        for outcome in Outcome::ENDED {
            families.forget(SCHEDULE_OUTCOME, [schedule, outcome.word()]);
        }
        self.schedules.forget(schedule);
    }

    /// Whether everything is halted.
    pub fn set_halted(&self, halted: bool) {
        self.families.set(HALTED, [], f64::from(u8::from(halted)));
    }

    /// Whether a condition is well.
    pub fn set_condition(&self, condition: &str, well: bool) {
        self.families.set(CONDITION_WELL, [self.conditions.bounded(condition)], f64::from(u8::from(well)));
    }
}

/// The server itself.
impl Metrics {
    /// Events that a buffer did not take; zero where it has just been made, so that it is known.
    pub fn events_dropped(&self, buffer: &'static str, count: u64) {
        self.families.add(EVENTS_DROPPED, [buffer], count as f64);
    }

    /// Who watches live now.
    pub fn set_viewers(&self, viewers: usize) {
        self.families.set(VIEWERS, [], viewers as f64);
    }

    /// Frames of the live view that were handed over, and that were not.
    pub fn frames(&self, handed: u64, dropped: u64) {
        self.families.add(FRAMES, [], handed as f64);
        self.families.add(FRAMES_DROPPED, [], dropped as f64);
    }

    /// A request was answered. The route is the pattern, not the path that was asked for.
    pub fn http(&self, route: &str, status: u16) {
        self.families.add(HTTP, [route, &status.to_string()], 1.0);
    }

    /// Looks at the disk of the runs' folder: bytes free, where that can be told.
    pub fn look_at_disk(&self, runs: &Path) -> Option<u64> {
        let found = rustix::fs::statvfs(runs).ok()?;
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        self.families.set(DISK_FREE, [], free as f64);
        self.families.set(DISK_SIZE, [], found.f_blocks.saturating_mul(found.f_frsize) as f64);
        Some(free)
    }

    /// What became of a message: `delivered`, `failed`, `dropped`; and attempts after its first one.
    pub fn delivery(&self, receiver: &'static str, result: &'static str, retries: u32) {
        self.families.add(DELIVERIES, [receiver, result], 1.0);
        self.families.add(DELIVERY_RETRIES, [receiver], f64::from(retries));
    }

    /// A receiver that messages go to, before the first one.
    pub fn set_receiver(&self, receiver: &'static str) {
        for result in ["delivered", "failed", "dropped"] {
            self.families.add(DELIVERIES, [receiver, result], 0.0);
        }
        self.families.add(DELIVERY_RETRIES, [receiver], 0.0);
    }
}
