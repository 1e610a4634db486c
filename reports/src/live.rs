//! Owns the picture of a run while it goes on: a fold of its events, for a region that is known beforehand, into who is
//! off, starting, serving and active, what customers of each zone get, where the plan stands, and what has happened. Gives
//! it whole, or only what changed since it was last asked. Refuses to know who looks, how often, and over which wire.
//!
//! - [`region`]: what is known before anything happens; told once
//! - [`now`]: what stands at a moment, and what may change in it
//! - [`mod@line`]: one line of `events.jsonl`, read no further than the picture needs
//! - [`zone`]: what customers of one zone get
//! - [`screen`]: the same picture as lines of a terminal
//! - [`page`]: and as a page for a browser

pub mod line;
pub mod now;
pub mod page;
pub mod region;
pub mod screen;
pub mod zone;

use crate::record::Record;
use crate::text::clean;
use crate::timeline::Teller;
use fixtures::name::HostName;
use now::{Delta, Ending, Entry, Letters, Now, PhaseNow, Proof, Stand, StepNow, StepState, Weight};
use region::Region;
use scenarios::event::{Act, By, Detail, Event, HostChange, Life, Phase};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use zone::Customers;

/// Entries of the timeline that are kept; `events.jsonl` has all.
pub const TIMELINE_MAX: usize = 200;

/// A host has power.
const POWER: u8 = 1;
/// A fault other than the loss of power is in force on it.
const FAULT: u8 = 2;

/// The picture of one run.
#[derive(Debug)]
pub struct Picture {
    region: Arc<Region>,
    by_instance: HashMap<String, usize>,
    by_host: HashMap<HostName, usize>,
    by_service: HashMap<String, usize>,
    by_step: HashMap<String, usize>,
    now: Now,
    /// Of each host: when its power last changed, and how many faults are in force on it.
    hosts: Vec<HostStand>,
    teller: Teller,
    /// The region is being taken down: what stood last stands.
    still: bool,
    changed: Changed,
}

#[derive(Debug, Clone, Copy, Default)]
struct HostStand {
    since_ns: u64,
    faults: u32,
}

/// What is not told yet.
#[derive(Debug, Default)]
struct Changed {
    phase: bool,
    rounds: bool,
    hosts: bool,
    /// Instances, each once, and whether one is in there.
    instances: Vec<usize>,
    is_in: Vec<bool>,
    missing: BTreeSet<usize>,
    /// Windows of each zone.
    windows: Vec<usize>,
    steps: BTreeSet<usize>,
    entries: usize,
    ending: bool,
    unread: bool,
}

impl Changed {
    fn of(region: &Region) -> Self {
        Self { is_in: vec![false; region.instances.len()], windows: vec![0; region.zones.len()], ..Self::default() }
    }

    fn any(&self) -> bool {
        self.phase
            || self.rounds
            || self.hosts
            || !self.instances.is_empty()
            || !self.missing.is_empty()
            || self.windows.iter().any(|count| *count > 0)
            || !self.steps.is_empty()
            || self.entries > 0
            || self.ending
            || self.unread
    }
}

impl Picture {
    /// Before anything has happened: everything is off.
    pub fn new(region: Arc<Region>) -> Self {
        let now = Now {
            t_ms: 0,
            phase: None,
            rounds: vec![None; region.rounds],
            instances: Letters::of(Stand::Off.letter(), region.instances.len()),
            missing: std::collections::BTreeMap::new(),
            hosts: Letters::of(b'0', region.hosts.len()),
            zones: vec![Customers::default(); region.zones.len()],
            steps: vec![StepNow::default(); region.steps.len()],
            told: 0,
            timeline: VecDeque::new(),
            ending: None,
            unread: 0,
        };
        Self {
            by_instance: region.instances.iter().enumerate().map(|(at, one)| (one.name.to_string(), at)).collect(),
            by_host: region.hosts.iter().enumerate().map(|(at, one)| (one.name.clone(), at)).collect(),
            by_service: region.services.iter().enumerate().map(|(at, one)| (one.to_string(), at)).collect(),
            by_step: region.steps.iter().enumerate().map(|(at, one)| (one.id.clone(), at)).collect(),
            hosts: vec![HostStand::default(); region.hosts.len()],
            teller: Teller::default(),
            still: false,
            changed: Changed::of(&region),
            now,
            region,
        }
    }

    /// What was known beforehand.
    pub fn region(&self) -> &Arc<Region> {
        &self.region
    }

    /// What stands.
    pub fn now(&self) -> &Now {
        &self.now
    }

    /// Everything that stands, to be told whole.
    pub fn snapshot(&self) -> Now {
        self.now.clone()
    }

    /// Takes one more event in, in the order of `events.jsonl`.
    pub fn event(&mut self, event: &Event) {
        if line::is_passed_over(&event.detail) {
            return;
        }
        self.seen_at(event.t_ns);
        match &event.detail {
            Detail::Phase { phase, round } => self.phase(event.t_ns, *phase, *round),
            Detail::StepIntent { step, .. } => self.step(step, StepState::Begun, event.t_ns),
            Detail::StepDone { step, act, what, hosts, .. } => {
                self.step(step, StepState::Done, event.t_ns);
                if what.is_empty() {
                    self.power(hosts, *act == Act::Heal, event.t_ns);
                } else {
                    self.fault(step, hosts, *act);
                }
            }
            Detail::FaultEffect { fault, holds, .. } => self.proof(fault, *holds),
            Detail::Host { change, .. } => self.host(event, *change),
            Detail::State { to, degraded, missing } => {
                if let (Some(instance), false) = (&event.place.instance, event.by == By::Own) {
                    let missing =
                        missing.iter().filter_map(|name| self.by_service.get(name.as_str()).copied()).collect();
                    self.stands(instance.as_str(), Stand::new(*to, *degraded), missing);
                }
            }
            Detail::Canary { control: false, .. } => self.window(event),
            Detail::RolloutStopped { left_out, .. } => {
                left_out.iter().for_each(|step| self.step(step, StepState::LeftOut, event.t_ns));
            }
            _ => {}
        }
        // The end of a step follows within moments, and the plan shows it under way.
        let is_intent = matches!(event.detail, Detail::StepIntent { .. });
        if let (false, Some(text)) = (is_intent, self.teller.tell(event)) {
            self.tell(Entry { id: event.id.0, t_ms: event.t_ns / 1_000_000, weight: Weight::of(&event.detail), text });
        }
    }

    /// Counts a line that was no event.
    pub fn unread(&mut self) {
        self.now.unread += 1;
        self.changed.unread = true;
    }

    /// The run has been judged: the record is there.
    pub fn judged(&mut self, record: &Record) {
        self.now.ending = Some(Ending::judged(record));
        self.changed.ending = true;
    }

    /// The run has ended without a verdict that anybody could read.
    pub fn lost(&mut self, why: &str) {
        self.now.ending = Some(Ending::lost(clean(why)));
        self.changed.ending = true;
    }

    /// What changed since this was last asked; `None` where nothing did. Time alone is no change.
    pub fn delta(&mut self) -> Option<Delta> {
        if !self.changed.any() {
            return None;
        }
        let changed = std::mem::replace(&mut self.changed, Changed::of(&self.region));
        let now = &self.now;
        let mut delta = Delta { t_ms: now.t_ms, ..Delta::default() };
        delta.phase = changed.phase.then_some(now.phase).flatten();
        delta.rounds = changed.rounds.then(|| now.rounds.clone());
        delta.hosts = changed.hosts.then(|| now.hosts.clone());
        delta.instances(&now.instances, &changed.instances);
        let missing = |at: usize| (at, now.missing.get(&at).cloned().unwrap_or_default());
        delta.missing = changed.missing.into_iter().map(missing).collect();
        for (at, (zone, count)) in
            now.zones.iter().zip(changed.windows).enumerate().filter(|(_, (_, count))| *count > 0)
        {
            delta.zones.push((at, zone.last(count)));
        }
        delta.steps = changed.steps.into_iter().map(|at| (at, now.steps[at])).collect();
        let kept = now.timeline.len();
        delta.timeline = now.timeline.iter().skip(kept.saturating_sub(changed.entries)).cloned().collect();
        delta.told = (changed.entries > 0).then_some(now.told);
        delta.ending = changed.ending.then(|| now.ending.clone()).flatten();
        delta.unread = changed.unread.then_some(now.unread);
        Some(delta)
    }

    fn seen_at(&mut self, t_ns: u64) {
        self.now.t_ms = self.now.t_ms.max(t_ns / 1_000_000);
    }

    fn phase(&mut self, t_ns: u64, phase: Phase, round: usize) {
        let t_ms = t_ns / 1_000_000;
        self.now.phase = Some(PhaseNow { phase, round, since_ms: t_ms });
        self.changed.phase = true;
        match (phase, self.now.rounds.get_mut(round)) {
            (Phase::Outage, Some(began @ None)) => {
                *began = Some(t_ms);
                self.changed.rounds = true;
            }
            (Phase::Teardown, _) => self.still = true,
            (Phase::Ended, _) if self.now.ending.is_none() => {
                self.still = true;
                self.now.ending = Some(Ending::judging());
                self.changed.ending = true;
            }
            _ => {}
        }
    }

    fn step(&mut self, id: &str, state: StepState, t_ns: u64) {
        let Some(&at) = self.by_step.get(id) else { return };
        let own = &mut self.now.steps[at];
        (own.state, own.t_ms) = (state, t_ns / 1_000_000);
        self.changed.steps.insert(at);
    }

    /// What was seen of a fault belongs to its inject that was done last.
    fn proof(&mut self, fault: &str, holds: bool) {
        let proof = if holds { Proof::Holds } else { Proof::Fails };
        let steps = self.region.steps.iter().zip(&self.now.steps).enumerate();
        let done = steps.filter(|(_, (step, now))| {
            step.act == Act::Inject && step.fault == fault && now.state != StepState::Planned
        });
        let Some(at) = done.max_by_key(|(_, (_, now))| now.t_ms).map(|(at, _)| at) else { return };
        if self.now.steps[at].proof != proof {
            self.now.steps[at].proof = proof;
            self.changed.steps.insert(at);
        }
    }

    fn power(&mut self, hosts: &[HostName], on: bool, t_ns: u64) {
        for at in hosts.iter().filter_map(|host| self.by_host.get(host).copied()).collect::<Vec<_>>() {
            self.power_of(at, on, t_ns);
        }
    }

    fn power_of(&mut self, at: usize, on: bool, t_ns: u64) {
        if !self.still && t_ns >= self.hosts[at].since_ns {
            self.hosts[at].since_ns = t_ns;
            self.mark(at, POWER, on);
        }
    }

    fn mark(&mut self, at: usize, bit: u8, on: bool) {
        let before = self.now.hosts.get(at);
        let after = if on { before | bit } else { before & !bit };
        if after != before {
            self.now.hosts.set(at, after);
            self.changed.hosts = true;
        }
    }

    /// A fault begins on hosts, or ends. What happens in one instant, or passes by itself, is in force nowhere.
    fn fault(&mut self, step: &str, hosts: &[HostName], act: Act) {
        let passes = self.by_step.get(step).is_none_or(|&at| self.region.steps[at].passes);
        if passes || self.still {
            return;
        }
        for at in hosts.iter().filter_map(|host| self.by_host.get(host).copied()).collect::<Vec<_>>() {
            let faults = &mut self.hosts[at].faults;
            *faults = if act == Act::Inject { *faults + 1 } else { faults.saturating_sub(1) };
            let is_in_force = *faults > 0;
            self.mark(at, FAULT, is_in_force);
        }
    }

    fn host(&mut self, event: &Event, change: HostChange) {
        let Some(&at) = event.place.host.as_ref().and_then(|host| self.by_host.get(host)) else { return };
        match change {
            HostChange::Powered => self.power_of(at, true, event.t_ns),
            HostChange::Dead => self.power_of(at, false, event.t_ns),
            HostChange::ServiceStarted | HostChange::ServiceExited | HostChange::OutOfMemory => {}
        }
    }

    /// An instance stands so, as somebody else than itself saw; it names these services as missing.
    pub(crate) fn stands(&mut self, instance: &str, stand: Stand, missing: Vec<usize>) {
        let Some(&at) = self.by_instance.get(instance) else { return };
        if self.still {
            return;
        }
        if self.now.instances.get_byte(at) != stand.letter() {
            self.now.instances.set_byte(at, stand.letter());
            if !std::mem::replace(&mut self.changed.is_in[at], true) {
                self.changed.instances.push(at);
            }
        }
        let before = self.now.missing.get(&at).map(Vec::as_slice).unwrap_or_default();
        if before != missing {
            if missing.is_empty() {
                self.now.missing.remove(&at);
            } else {
                self.now.missing.insert(at, missing);
            }
            self.changed.missing.insert(at);
        }
    }

    fn window(&mut self, event: &Event) {
        let Some(zone) = &event.place.zone else { return };
        let Some(at) = self.region.zones.iter().position(|name| name == zone) else { return };
        let Some(said) = self.now.zones[at].take(event) else { return };
        self.changed.windows[at] += 1;
        if let Some(said) = said.words(zone) {
            let (id, t_ms) = (event.id.0, event.t_ns / 1_000_000);
            self.tell(Entry { id, t_ms, weight: said.weight, text: said.text });
        }
    }

    fn tell(&mut self, entry: Entry) {
        self.now.told += 1;
        self.now.timeline.push_back(entry);
        if self.now.timeline.len() > TIMELINE_MAX {
            self.now.timeline.pop_front();
        }
        self.changed.entries = (self.changed.entries + 1).min(TIMELINE_MAX);
    }
}

impl Stand {
    /// As a look from outside found it.
    pub fn new(life: Life, degraded: bool) -> Self {
        match life {
            Life::Off => Self::Off,
            Life::Starting => Self::Starting,
            Life::Serving if degraded => Self::Degraded,
            Life::Serving => Self::Serving,
            Life::Active => Self::Active,
        }
    }
}
