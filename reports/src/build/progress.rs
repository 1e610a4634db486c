//! Owns how far a build is: the fold of its events, for a plan that is known beforehand, into phases with their steps, what
//! is awaited and how much of it is active. Refuses to know in which world it is built, and to draw: [`super::tree`] does.

use crate::text::{clean, moment};
use fixtures::name::{InstanceName, ServiceName};
use fixtures::regional::estate::{Estate, Site};
use scenarios::build::observed::{Building, StepState};
use scenarios::build::plan::{BuildPhase, BuildPlan, Step, Until};
use scenarios::event::{Detail, Event, Life};
use std::collections::{BTreeMap, HashMap};

/// How far a build is.
#[derive(Debug, Clone)]
pub struct Progress {
    title: String,
    phases: Vec<PhaseNow>,
    by_step: HashMap<String, (usize, usize)>,
    /// Who is built, and stays.
    built: Vec<InstanceName>,
    lives: HashMap<InstanceName, Life>,
    /// The place of the present phase; `None` before the first.
    present: Option<usize>,
    began_ns: u64,
    now_ns: u64,
    hands: usize,
    /// Why it stands at the border of a phase; empty where it goes on.
    paused: String,
}

/// A phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseNow {
    /// Which.
    pub phase: BuildPhase,
    /// Its steps, in their order.
    pub steps: Vec<StepNow>,
    /// When it began; absent where it did not yet.
    pub from_ns: Option<u64>,
    /// When it was over.
    pub to_ns: Option<u64>,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepNow {
    /// Its id.
    pub id: String,
    /// How it stands; absent where nothing is known of it yet.
    pub state: Option<StepState>,
    /// Since when.
    pub since_ns: u64,
    /// How often it was begun.
    pub attempts: u32,
    /// What is done, what it waits for, or why it failed.
    pub text: String,
    /// Who must come of it, by service.
    pub awaited: BTreeMap<ServiceName, Vec<InstanceName>>,
}

impl StepNow {
    fn new(estate: &Estate, step: &Step) -> Self {
        let mut awaited: BTreeMap<ServiceName, Vec<InstanceName>> = BTreeMap::new();
        let instances: &[InstanceName] = match &step.until {
            Until::Answering(instances) | Until::Active { instances, .. } => instances,
            Until::Done | Until::Passed(_) => &[],
        };
        for name in instances {
            if let Some(placed) = estate.placement.instance_by_name(name) {
                awaited.entry(placed.service.clone()).or_default().push(name.clone());
            }
        }
        Self { id: step.id.clone(), state: None, since_ns: 0, attempts: 0, text: String::new(), awaited }
    }
}

impl PhaseNow {
    /// Steps that are over.
    pub fn done(&self) -> usize {
        self.steps.iter().filter(|step| step.state == Some(StepState::Done)).count()
    }

    /// Steps that were undone.
    pub fn undone(&self) -> usize {
        self.steps.iter().filter(|step| step.state == Some(StepState::Undone)).count()
    }
}

impl Progress {
    /// Before anything has happened.
    pub fn new(estate: &Estate, plan: &BuildPlan) -> Self {
        let title = match estate.new_zone() {
            Some(zone) => format!("{zone} into {}", estate.bootstrap.region),
            None => format!("{} out of {}", estate.build.region, estate.bootstrap.region),
        };
        let mut phases: Vec<PhaseNow> = Vec::new();
        let mut by_step = HashMap::new();
        for step in &plan.steps {
            let at = phases.iter().position(|known| known.phase == step.phase).unwrap_or_else(|| {
                phases.push(PhaseNow { phase: step.phase, steps: Vec::new(), from_ns: None, to_ns: None });
                phases.len() - 1
            });
            by_step.insert(step.id.clone(), (at, phases[at].steps.len()));
            phases[at].steps.push(StepNow::new(estate, step));
        }
        let built = estate.instances(|standing| standing.site == Site::Build);
        let lives = HashMap::new();
        let (present, began_ns, now_ns, hands, paused) = (None, 0, 0, 0, String::new());
        Self { title, phases, by_step, built, lives, present, began_ns, now_ns, hands, paused }
    }

    /// Takes an event in; whether a phase begins with it.
    pub fn see(&mut self, event: &Event) -> bool {
        self.now_ns = self.now_ns.max(event.t_ns);
        match &event.detail {
            Detail::Build { seen: Building::Phase { phase } } => return self.enter(*phase, event.t_ns),
            Detail::Build { seen: Building::Step { step, state, attempt, text, .. } } => {
                self.step(event.t_ns, step, (*state, *attempt), text);
            }
            Detail::Build { seen: Building::Paused { phase, text } } => {
                let why = if text.is_empty() { "somebody asked for it".to_owned() } else { clean(text) };
                self.paused = format!("before {}, {why}", phase.word());
            }
            Detail::Build { seen: Building::Hand { .. } } => {
                self.hands += 1;
                self.paused.clear();
            }
            Detail::Intervention { .. } => self.hands += 1,
            Detail::Probe { outcome, .. } => {
                if let Some(instance) = &event.place.instance {
                    self.lives.insert(instance.clone(), *outcome);
                }
            }
            _ => {}
        }
        false
    }

    fn enter(&mut self, phase: BuildPhase, at_ns: u64) -> bool {
        let Some(next) = self.phases.iter().position(|known| known.phase == phase) else { return false };
        // Whoever takes a build up says again where it is.
        if self.present == Some(next) {
            return false;
        }
        match self.present.and_then(|present| self.phases.get_mut(present)) {
            Some(before) => before.to_ns = Some(at_ns),
            None => self.began_ns = at_ns,
        }
        self.present = Some(next);
        self.phases[next].from_ns.get_or_insert(at_ns);
        true
    }

    fn step(&mut self, at_ns: u64, id: &str, (state, attempt): (StepState, u32), text: &str) {
        let Some(&(phase, place)) = self.by_step.get(id) else { return };
        let is_last = place + 1 == self.phases[phase].steps.len();
        let step = &mut self.phases[phase].steps[place];
        if step.state != Some(state) {
            step.since_ns = at_ns;
        }
        step.state = Some(state);
        step.attempts = step.attempts.max(attempt);
        if !text.is_empty() {
            step.text = clean(text);
        }
        if is_last && state == StepState::Done {
            self.phases[phase].to_ns = Some(at_ns);
        }
        self.paused.clear();
    }

    /// What is built, and out of or into what.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// All phases, in the order of the plan.
    pub fn phases(&self) -> &[PhaseNow] {
        &self.phases
    }

    /// The place of the present phase; `None` before the first.
    pub fn present(&self) -> Option<usize> {
        self.present
    }

    /// The step that it is at: the one that something was said of last, and that is not over.
    pub fn at(&self) -> Option<&StepNow> {
        let steps = &self.phases.get(self.present?)?.steps;
        let is_open = |step: &&StepNow| {
            matches!(step.state, Some(StepState::Waiting | StepState::Begun | StepState::Retried | StepState::Failed))
        };
        steps.iter().rev().find(is_open)
    }

    /// Since it began, in nanoseconds.
    pub fn gone_ns(&self) -> u64 {
        if self.present.is_none() { 0 } else { self.now_ns.saturating_sub(self.began_ns) }
    }

    /// The latest moment that anything was seen of.
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// How many of these are active.
    pub fn active(&self, instances: &[InstanceName]) -> usize {
        instances.iter().filter(|name| self.lives.get(*name) == Some(&Life::Active)).count()
    }

    /// How many of those who are built are active, of how many.
    pub fn share(&self) -> (usize, usize) {
        (self.active(&self.built), self.built.len())
    }

    /// Steps that were begun more than once.
    pub fn tried_again(&self) -> usize {
        self.phases.iter().flat_map(|phase| &phase.steps).filter(|step| step.attempts > 1).count()
    }

    /// Acts of anybody who is not the builder.
    pub fn hands(&self) -> usize {
        self.hands
    }

    /// Why it stands at the border of a phase; empty where it goes on.
    pub fn paused(&self) -> &str {
        &self.paused
    }

    /// Where it is, in one line: for whoever has no terminal, at each border of a phase.
    pub fn line(&self) -> String {
        let Some(present) = self.present else { return format!("{}: not begun", self.title) };
        let (active, of) = self.share();
        format!(
            "{:>12}  phase {} of {}: {} ({})",
            moment(self.now_ns),
            present + 1,
            self.phases.len(),
            self.phases[present].phase.word(),
            share_words(active, of)
        )
    }
}

/// `12 of 75 instances active, 16 %`.
pub(super) fn share_words(active: usize, of: usize) -> String {
    format!("{active} of {of} instances active, {} %", active * 100 / of.max(1))
}
