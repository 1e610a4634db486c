//! Owns the course of a game day as one synchronous state machine: `(now, Input) -> Commands`. Refuses to know
//! clocks, containers and files, so that the same controller runs in every world.
//!
//! ```text
//! provision -> settle -> baseline -> { outage -> recovery -> quiet }* -> read-back -> teardown
//!      |          |         |             any phase: interrupt, failure             ^
//!      '----------'---------'------------------------------------------------------'
//! ```
//!
//! - [`course`]: which phase follows which, and when
//! - [`agenda`]: the steps of the present round, and when each is due
//! - [`steps`]: carrying a step out: intent, act, what it changed
//! - [`rollout`]: watching customers of zones that have a new version, and stopping
//! - [`watch`]: what the world sees: lives, effects of faults, interventions

mod agenda;
mod course;
mod rollout;
mod steps;
mod watch;

use agenda::Agenda;
use fixtures::name::{HostName, InstanceName, ZoneName};
use fixtures::placement::Placement;
use rollout::Rollouts;
use scenarios::event::{By, Detail, Life, Phase, Place};
use scenarios::plan::{Deed, Plan, Step, Unsynced};
use scenarios::scenario::Scenario;
use std::collections::{BTreeMap, BTreeSet};

/// Nanoseconds since the run began.
pub type Nanos = u64;

/// What happens to the controller.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The run begins.
    Begin,
    /// The act under way has come to its end.
    Done(Result<Done, String>),
    /// Something was observed that goes into the record as it is.
    Seen {
        /// When.
        t_ns: Nanos,
        /// Who saw it.
        by: By,
        /// Where.
        place: Place,
        /// What.
        detail: Detail,
    },
    /// A probe of the witness whose outcome differs from the one before.
    Probe {
        /// When.
        t_ns: Nanos,
        /// The instance, by its place in the placement.
        instance: usize,
        /// What came back.
        report: Report,
    },
    /// The witness has probed every instance once more; these answered in some way.
    Round {
        /// When the round ended.
        t_ns: Nanos,
        /// Instances, by their place in the placement.
        answering: Vec<usize>,
    },
    /// Somebody has looked whether a fault is in force.
    Effect {
        /// When.
        t_ns: Nanos,
        /// The fault.
        fault: String,
        /// What was seen.
        effect: Effect,
    },
    /// The engine's event stream shows an act on a host.
    Engine {
        /// When.
        t_ns: Nanos,
        /// The host.
        host: HostName,
        /// `start`, `die`, `oom`, `exec_create` …
        action: String,
    },
    /// The time of [`Controller::next_wake`] has come.
    Wake,
    /// Somebody wants the run to end.
    Interrupt,
    /// Somebody outside says that the run must not go on.
    Stop {
        /// Why.
        why: String,
    },
    /// A part of the harness is gone.
    Lost {
        /// Which, and why.
        why: String,
    },
}

/// One look at a fault from outside of what it is aimed at.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Effect {
    /// Whether it is in force.
    pub holds: bool,
    /// What was seen, in one sentence.
    pub text: String,
    /// What was asked for, by name with its unit.
    pub asked: BTreeMap<String, f64>,
    /// What was measured, by the same names.
    pub measured: BTreeMap<String, f64>,
}

/// What a probe brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How it stands, as far as an outsider can tell: silent is [`Life::Starting`] here.
    pub life: Life,
    /// It answered in full but for soft dependencies.
    pub degraded: bool,
    /// Dependencies that its answer names.
    pub missing: Vec<fixtures::name::ServiceName>,
    /// Why it is not active; empty where it is.
    pub cause: String,
    /// How long the probe took, in microseconds.
    pub took_us: u64,
}

/// Acts of a world; one at a time.
#[derive(Debug, Clone, PartialEq)]
pub enum Do {
    /// Make the region; every host waits without power.
    Provision,
    /// Give hosts power, all at once.
    PowerOn(Vec<HostName>),
    /// Take power from hosts, all at once.
    PowerOff {
        /// The hosts.
        hosts: Vec<HostName>,
        /// What becomes of data that was not synced, where a whole zone is among them.
        unsynced: Unsynced,
    },
    /// Begin a fault other than the loss of power; from then on the world looks at it, again and again, until it ends.
    Inject {
        /// Its name.
        fault: String,
        /// What it does.
        deed: Deed,
        /// To which hosts.
        hosts: Vec<HostName>,
    },
    /// End such a fault.
    Heal {
        /// Its name.
        fault: String,
        /// What it did.
        deed: Deed,
        /// To which hosts.
        hosts: Vec<HostName>,
    },
    /// Read the ledger back.
    ReadBack,
    /// Remove everything.
    Teardown,
    /// Leave the region standing, for those who look around.
    Leave,
}

/// How an act ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// The region is there, dark.
    Provisioned,
    /// Hosts have power.
    Lit {
        /// When the last gate opened.
        t_ns: Nanos,
        /// From the first gate to the last.
        skew_ns: u64,
        /// How.
        method: String,
    },
    /// Hosts are dark.
    Dark {
        /// When the last process died.
        t_ns: Nanos,
        /// From the first death to the last.
        skew_ns: u64,
        /// How.
        method: String,
        /// Hosts seen dead.
        dead: Vec<HostName>,
        /// Zones whose disks lost what was not synced.
        unsynced_lost: Vec<ZoneName>,
        /// Hosts of real software one of whose files ends in a part of what was not synced.
        torn: Vec<HostName>,
        /// What a reader must know of it: a zone whose disk could not lose anything, and why.
        caveats: Vec<String>,
    },
    /// A fault was begun.
    Injected {
        /// When.
        t_ns: Nanos,
        /// How.
        method: String,
        /// The first look at it; none where there is nothing to be seen yet.
        effect: Option<Effect>,
    },
    /// A fault was ended.
    Healed {
        /// When.
        t_ns: Nanos,
        /// How.
        method: String,
    },
    /// The ledger was read back; its lines came as [`Input::Seen`].
    ReadBack,
    /// The region was left standing.
    Left,
    /// Everything was removed, but for this.
    TornDown {
        /// Kind and name.
        residue: Vec<(String, String)>,
        /// What is new on the machine and not the run's: kind and name.
        others: Vec<(String, String)>,
    },
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Write an event.
    Log {
        /// When it was seen.
        t_ns: Nanos,
        /// Who saw it.
        by: By,
        /// Where.
        place: Place,
        /// What.
        detail: Detail,
        /// Whether it must be on the disk before anything else is done.
        synced: bool,
    },
    /// Begin an act.
    Do(Do),
    /// End the act under way as soon as that is safe; its end still comes as [`Input::Done`].
    Cancel,
    /// The run is over.
    End(Ending),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// As planned.
    Completed,
    /// Somebody wanted it to.
    Interrupted,
    /// The harness failed.
    Failed(String),
}

/// The controller of one run.
#[derive(Debug)]
pub struct Controller {
    scenario: Scenario,
    plan: Plan,
    placement: Placement,
    keep: bool,
    stage: Stage,
    busy: Option<Do>,
    /// How each instance stands, as probed from outside.
    lives: BTreeMap<InstanceName, Known>,
    /// When the witness last looked at each instance and told a change.
    looked: BTreeMap<usize, Nanos>,
    /// Instances whose host has power and that are not active.
    awaited: BTreeSet<usize>,
    /// Zone of each host.
    zones: BTreeMap<HostName, ZoneName>,
    /// Hosts that the act under way is aimed at.
    acting_on: BTreeSet<HostName>,
    /// Hosts that must be dark.
    dark: BTreeSet<HostName>,
    /// Hosts seen dead.
    dead: BTreeSet<HostName>,
    /// Losses of power in force: name, and complete rounds of the witness since.
    live_faults: BTreeMap<String, u32>,
    /// When a fault was healed last: when the region, or the part of it that was dark, got power.
    lit_at: Nanos,
    /// The steps of the present round.
    agenda: Agenda,
    /// Zones that have a new version, watched.
    rollouts: Rollouts,
    /// Rounds of the witness that recovery must still wait for: a process that was killed and came back between two
    /// looks was never seen gone.
    rounds_owed: u32,
    /// The step under way.
    present: Option<Step>,
    /// When the act under way began.
    act_since: Nanos,
    /// Hosts that the harness itself acted on, and between which moments.
    own_acts: Vec<(BTreeSet<HostName>, Nanos, Nanos)>,
    ending: Option<Ending>,
    wake: Option<Nanos>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    life: Life,
    degraded: bool,
    missing: Vec<fixtures::name::ServiceName>,
}

/// Where in its course a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Idle,
    Provision,
    Settle { limit: Nanos },
    Baseline { until: Nanos },
    Round { round: usize, recovering: bool },
    Quiet { round: usize, until: Nanos, last: bool },
    ReadBack,
    Teardown,
    Ended,
}

impl Controller {
    /// A controller for one run. With `keep`, a run that completes leaves its region standing.
    pub fn new(scenario: Scenario, plan: Plan, placement: Placement, keep: bool) -> Self {
        let off = Known { life: Life::Off, degraded: false, missing: Vec::new() };
        let lives = placement.instances.iter().map(|instance| (instance.name.clone(), off.clone())).collect();
        let zones = placement.hosts.iter().map(|host| (host.name.clone(), host.zone.clone())).collect();
        let dark = placement.hosts.iter().map(|host| host.name.clone()).collect();
        Self {
            scenario,
            plan,
            placement,
            keep,
            stage: Stage::Idle,
            busy: None,
            lives,
            looked: BTreeMap::new(),
            awaited: BTreeSet::new(),
            zones,
            acting_on: BTreeSet::new(),
            dark,
            dead: BTreeSet::new(),
            live_faults: BTreeMap::new(),
            lit_at: 0,
            agenda: Agenda::default(),
            rollouts: Rollouts::default(),
            rounds_owed: 0,
            present: None,
            act_since: 0,
            own_acts: Vec::new(),
            ending: None,
            wake: None,
        }
    }

    /// When it wants [`Input::Wake`], if at all.
    pub fn next_wake(&self) -> Option<Nanos> {
        self.wake
    }

    /// One step; commands are appended in the order in which they are to be performed.
    pub fn handle(&mut self, now: Nanos, input: Input, out: &mut Vec<Command>) {
        match input {
            Input::Begin => self.begin(now, out),
            Input::Done(result) => self.done(now, result, out),
            Input::Seen { t_ns, by, place, detail } => {
                self.watch_customers(now, (t_ns, by), &place, &detail, out);
                out.push(Command::Log { t_ns, by, place, detail, synced: false });
            }
            Input::Probe { t_ns, instance, report } => self.probed(t_ns, instance, report, out),
            Input::Round { t_ns, answering } => self.round_probed(t_ns, &answering, out),
            Input::Effect { t_ns, fault, effect } => self.effect_seen(t_ns, fault, effect, out),
            Input::Engine { t_ns, host, action } => self.engine_saw(t_ns, host, &action, out),
            Input::Wake => {}
            Input::Interrupt => self.stop(now, Ending::Interrupted, out),
            Input::Stop { why } => self.stop_short(now, why, out),
            Input::Lost { why } => self.fail(now, why, out),
        }
        self.go_on(now, out);
    }

    fn log(&self, t_ns: Nanos, detail: Detail, out: &mut Vec<Command>) {
        let (by, place) = (By::Controller, Place::default());
        out.push(Command::Log { t_ns, by, place, detail, synced: false });
    }

    fn enter(&self, now: Nanos, phase: Phase, round: usize, out: &mut Vec<Command>) {
        self.log(now, Detail::Phase { phase, round }, out);
    }

    fn act(&mut self, act: Do, out: &mut Vec<Command>) {
        self.acting_on = match &act {
            Do::PowerOn(hosts) | Do::PowerOff { hosts, .. } => hosts.iter().cloned().collect(),
            Do::Inject { hosts, .. } | Do::Heal { hosts, .. } => hosts.iter().cloned().collect(),
            _ => BTreeSet::new(),
        };
        self.busy = Some(act.clone());
        out.push(Command::Do(act));
    }

    fn fail(&mut self, now: Nanos, why: String, out: &mut Vec<Command>) {
        if matches!(self.stage, Stage::Teardown | Stage::Ended) {
            return;
        }
        let caveat = Detail::Caveat { code: "harness-failed".to_owned(), text: why.clone() };
        self.log(now, caveat, out);
        self.stop(now, Ending::Failed(why), out);
    }

    /// Ends the run because of what somebody outside says; it is complete as far as it went, and nothing can be concluded.
    fn stop_short(&mut self, now: Nanos, why: String, out: &mut Vec<Command>) {
        if self.ending.is_none() && !matches!(self.stage, Stage::Teardown | Stage::Ended) {
            self.log(now, Detail::Caveat { code: "stopped".to_owned(), text: why }, out);
            self.stop(now, Ending::Completed, out);
        }
    }

    /// Ends the run early: whatever is under way is ended first, then everything is removed.
    fn stop(&mut self, now: Nanos, ending: Ending, out: &mut Vec<Command>) {
        if matches!(self.stage, Stage::Teardown | Stage::Ended) {
            return;
        }
        self.ending.get_or_insert(ending);
        if self.busy.is_some() {
            out.push(Command::Cancel);
        } else {
            self.tear_down(now, out);
        }
    }

    fn tear_down(&mut self, now: Nanos, out: &mut Vec<Command>) {
        self.stage = Stage::Teardown;
        self.enter(now, Phase::Teardown, 0, out);
        let leaves = self.keep && self.ending.is_none();
        self.act(if leaves { Do::Leave } else { Do::Teardown }, out);
    }

    fn end(&mut self, now: Nanos, out: &mut Vec<Command>) {
        self.enter(now, Phase::Ended, 0, out);
        self.stage = Stage::Ended;
        self.wake = None;
        out.push(Command::End(self.ending.clone().unwrap_or(Ending::Completed)));
    }
}
