//! Owns the building of a region as one synchronous state machine: `(now, Input) -> Commands`. Refuses to know clocks,
//! containers and files, and in which order a region is built: that is its plan's.
//!
//! ```text
//!            racks, day          intent on the disk       act over        what must come of it
//!  waiting ------------> begun ---------------------> acting -----> settling ------------------> the next step
//!     ^                    ^                                            | not in time
//!     |                    '---------------- a few more times ----------'
//!     '-- paused, at the border of a phase                              '-> rolling back: steps undone, the last one first
//! ```
//!
//! - [`ledger`]: what is on the disk before it is done; whoever starts again takes it up there
//! - [`course`]: which step is next, and when one is over
//! - [`safety`]: when a step may change a live zone

mod course;
pub mod ledger;
mod safety;

use crate::controller::{Nanos, Report};
use fixtures::name::{InstanceName, ZoneName};
use ledger::{Entry, Ledger};
use scenarios::build::observed::{Building, StepState};
use scenarios::build::plan::{Act, BuildPhase, BuildPlan, Step};
use scenarios::event::{Detail, Place};
use std::collections::{BTreeMap, BTreeSet};

/// Times that a step is begun before it has failed.
pub const ATTEMPTS_MAX: u32 = 3;

/// What happens to the builder.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The build begins, or is taken up.
    Begin,
    /// The act under way has come to its end.
    Done(Result<(), String>),
    /// How an instance stands, as probed from outside.
    Probe {
        /// Which.
        instance: InstanceName,
        /// What came back.
        report: Report,
    },
    /// The racks of a zone have landed.
    Landed(ZoneName),
    /// Customers of a region that is live are harmed.
    Harm {
        /// In which zone.
        zone: ZoneName,
        /// What they did not get, in one sentence.
        text: String,
    },
    /// A host refuses the software that it was given: nothing that waiting mends, and no accident for certain.
    Refused {
        /// Who refuses it, and why.
        why: String,
    },
    /// The time of [`Builder::next_wake`] has come.
    Wake,
    /// Somebody wants it to stop at the end of this phase.
    Pause,
    /// What [`Command::Look`] asked for; an error is why it must not go on.
    Looked(Result<(), String>),
    /// Somebody wants it to go on.
    Resume,
    /// Somebody wants everything undone.
    RollBack,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Have this on the disk before anything that follows.
    Write(Entry),
    /// Write an event.
    Log {
        /// Where.
        place: Place,
        /// What.
        detail: Detail,
    },
    /// Begin an act. Each may be begun again: what is done already is left as it is.
    Do(Act),
    /// Look whether anything stands against this phase, and tell [`Input::Looked`].
    Look(BuildPhase),
    /// The build is over.
    End(Ending),
}

/// How a build ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The region is open.
    Completed,
    /// Everything was undone.
    RolledBack {
        /// Why.
        why: String,
    },
    /// A step failed after what cannot be undone: the region stands as it is.
    Stuck {
        /// The step.
        step: String,
        /// Why.
        why: String,
    },
    /// It stands at the border of a phase until it is taken up. No ledger says this of a build: an entry of its own says
    /// that it is paused.
    Paused {
        /// The phase that it stands before.
        before: BuildPhase,
        /// What stands against that phase; empty where somebody asked for the pause.
        why: String,
    },
}

/// Why everything is undone that did not fail.
pub const ASKED_FOR: &str = "somebody asked for it";

/// What the builder is at.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    Idle,
    /// The present step may not begin yet.
    Waiting,
    /// Its act is under way.
    Acting,
    /// Its act is over, and what must come of it is not there yet.
    Settling,
    /// Whether anything stands against the phase of the present step is being looked at.
    Looking,
    /// Nothing is begun until somebody says so.
    Paused,
    /// The present step is being undone.
    Undoing,
    Ended,
}

/// Builds a region.
#[derive(Debug)]
pub struct Builder {
    plan: BuildPlan,
    ledger: Ledger,
    stage: Stage,
    /// The place of the present step.
    position: usize,
    attempt: u32,
    /// When the present step's act was over.
    acted_at: Nanos,
    /// Until when the present step must be over.
    limit_at: Nanos,
    lives: BTreeMap<InstanceName, Report>,
    landed: BTreeSet<ZoneName>,
    /// Why nothing goes forward any more.
    rolling_back: Option<String>,
    pausing: bool,
    /// Phases before which it asks whether anything stands against them.
    looks_before: BTreeSet<BuildPhase>,
    /// Who the present step waited for last; whoever it fails for.
    lacking: Option<InstanceName>,
    /// What the present step was last said to wait for.
    told: String,
    wake: Option<Nanos>,
}

impl Builder {
    /// A builder that takes up what a ledger says; an empty one begins.
    pub fn new(plan: BuildPlan, ledger: Ledger) -> Self {
        Self {
            plan,
            ledger,
            stage: Stage::Idle,
            position: 0,
            attempt: 0,
            acted_at: 0,
            limit_at: 0,
            lives: BTreeMap::new(),
            landed: BTreeSet::new(),
            rolling_back: None,
            pausing: false,
            looks_before: BTreeSet::new(),
            lacking: None,
            told: String::new(),
            wake: None,
        }
    }

    /// The same, asking before these phases whether anything stands against them.
    #[must_use]
    pub fn looking_before(mut self, phases: BTreeSet<BuildPhase>) -> Self {
        self.looks_before = phases;
        self
    }

    /// When it wants [`Input::Wake`], if at all.
    pub fn next_wake(&self) -> Option<Nanos> {
        self.wake
    }

    /// What was written so far.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The step that it is at; `None` before the first and after the last.
    pub fn present(&self) -> Option<&Step> {
        if matches!(self.stage, Stage::Idle | Stage::Ended) { None } else { self.plan.steps.get(self.position) }
    }

    /// Whether it waits for somebody to say that it goes on.
    pub fn is_paused(&self) -> bool {
        self.stage == Stage::Paused
    }

    /// One step; commands are appended in the order in which they are to be performed.
    pub fn handle(&mut self, now: Nanos, input: Input, out: &mut Vec<Command>) {
        if self.stage == Stage::Ended {
            return;
        }
        match input {
            Input::Begin => self.begin(now, out),
            Input::Done(result) => self.done(now, result, out),
            Input::Probe { instance, report } => {
                self.lives.insert(instance, report);
            }
            Input::Landed(zone) => {
                let place = Place { zone: Some(zone.clone()), ..Place::default() };
                if self.landed.insert(zone) {
                    out.push(Command::Log { place, detail: Detail::Build { seen: Building::Landed {} } });
                }
            }
            Input::Harm { zone, text } => {
                if self.plan.guarded {
                    self.roll_back(now, format!("customers in {zone} are harmed: {text}"), out);
                }
            }
            Input::Refused { why } => self.refused(now, why, out),
            Input::Wake => {}
            Input::Pause => self.pausing = true,
            Input::Looked(looked) => self.looked(now, looked, out),
            Input::Resume => self.resume(now, out),
            Input::RollBack => {
                self.by_hand("everything was to be undone", out);
                self.roll_back(now, ASKED_FOR.to_owned(), out);
            }
        }
        self.go_on(now, out);
    }

    fn write(&mut self, entry: Entry, out: &mut Vec<Command>) {
        self.ledger.apply(&entry);
        out.push(Command::Write(entry));
    }

    fn tell(&self, state: StepState, text: String, out: &mut Vec<Command>) {
        let Some(step) = self.plan.steps.get(self.position) else { return };
        let place = Place { zone: step.touches.clone(), ..Place::default() };
        let (phase, step) = (step.phase, step.id.clone());
        let seen = Building::Step { step, phase, state, attempt: self.attempt, text };
        out.push(Command::Log { place, detail: Detail::Build { seen } });
    }

    /// Somebody had to do something at the present step, or has to.
    fn by_hand(&self, text: &str, out: &mut Vec<Command>) {
        let step = self.plan.steps.get(self.position).map(|step| step.id.clone()).unwrap_or_default();
        let place = Place { instance: self.lacking.clone(), ..Place::default() };
        let seen = Building::Hand { step, text: text.to_owned() };
        out.push(Command::Log { place, detail: Detail::Build { seen } });
    }

    fn end(&mut self, now: Nanos, ending: Ending, out: &mut Vec<Command>) {
        if let Ending::Stuck { why, .. } = &ending {
            self.by_hand(&format!("it is stuck: {why}"), out);
        }
        self.write(Entry::Ended { ending: ending.clone(), at: now }, out);
        self.stage = Stage::Ended;
        self.wake = None;
        out.push(Command::End(ending));
    }
}
