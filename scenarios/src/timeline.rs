//! Owns the fold of events into segments, lives and dark spells: what was the case when. Refuses to judge it.
//!
//! Lives come from the witness, and from the plan's acts (who has no power is off, who has just got it is starting);
//! never from what an instance says of itself.

use crate::event::{Act, By, Detail, Event, EventId, Life, Phase};
use crate::plan::{BootTrouble, Deed, Plan, Step};
use fixtures::name::{HostName, InstanceName, ServiceName, ZoneName};
use fixtures::placement::Placement;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A stretch of a run between two `phase` events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its phase.
    pub phase: Phase,
    /// Its round.
    pub round: usize,
    /// Its beginning.
    pub start_ns: u64,
    /// Its end: the next phase's beginning, or the last event.
    pub end_ns: u64,
    /// The event that began it.
    pub begin_event: EventId,
    /// Hosts that were without power at any time in it.
    pub dark: BTreeSet<HostName>,
    /// Zones that a fault disturbed at any time in it.
    pub disturbed: BTreeSet<ZoneName>,
}

/// A stretch of an instance's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifeSpan {
    /// What it was.
    pub life: Life,
    /// What its answers named as missing.
    pub missing: Vec<ServiceName>,
    /// Its beginning; it lasts until the next span's.
    pub from_ns: u64,
    /// The event that shows it.
    pub event: EventId,
    /// Seen by the witness, rather than following from an act of the plan.
    pub witnessed: bool,
}

/// A time without power.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DarkSpell {
    /// Its beginning.
    pub from_ns: u64,
    /// Its end; `None` where no heal was seen.
    pub to_ns: Option<u64>,
    /// The event of the inject.
    pub event: EventId,
    /// The fault that began it.
    pub fault: String,
}

/// A fault from its first inject to the heal after which it does not come again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spell {
    /// Its name.
    pub fault: String,
    /// Its beginning.
    pub from_ns: u64,
    /// Its end; `None` where no heal was seen.
    pub to_ns: Option<u64>,
    /// What it is aimed at.
    pub hosts: Vec<HostName>,
    /// Zones that it disturbs.
    pub zones: Vec<ZoneName>,
    /// Whether it keeps its hosts from booting until it is healed.
    pub keeps_dark: bool,
    /// Whether it misleads whoever is in the zones that it disturbs: by names, grants or clocks.
    pub misleads: bool,
}

impl Spell {
    /// Whether it was in force at a moment.
    pub fn holds_at(&self, at_ns: u64) -> bool {
        self.from_ns <= at_ns && self.to_ns.is_none_or(|to_ns| to_ns > at_ns)
    }
}

fn spells(plan: &Plan, done: &BTreeMap<String, Done>) -> Vec<Spell> {
    let mut spells: Vec<Spell> = Vec::new();
    for round in &plan.rounds {
        let mut open: BTreeMap<&str, Spell> = BTreeMap::new();
        let carried = round.steps.iter().filter_map(|step| Some((done.get(&step.id)?.t_ns, step)));
        let mut carried: Vec<(u64, &Step)> = carried.collect();
        carried.sort_by_key(|(t_ns, step)| (*t_ns, step.act));
        for (t_ns, step) in carried {
            match step.act {
                Act::Inject => {
                    let spell = || Spell {
                        fault: step.fault.clone(),
                        from_ns: t_ns,
                        to_ns: None,
                        hosts: step.hosts.clone(),
                        zones: step.zones.clone(),
                        keeps_dark: step.deed == Deed::Boot { trouble: BootTrouble::Never },
                        misleads: matches!(step.deed, Deed::Trouble { .. }),
                    };
                    open.entry(&step.fault).or_insert_with(spell);
                }
                Act::Heal if step.closes => {
                    let ended = open.remove(step.fault.as_str());
                    spells.extend(ended.map(|spell| Spell { to_ns: Some(t_ns), ..spell }));
                }
                Act::Heal => {}
            }
        }
        spells.extend(open.into_values());
    }
    spells.sort_by_key(|spell| spell.from_ns);
    spells
}

/// A step that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// When it took effect.
    pub t_ns: u64,
    /// The event that says so.
    pub event: EventId,
}

/// The recovery that a heal begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Round of the plan.
    pub round: usize,
    /// The heal's id in the plan.
    pub step: String,
    /// When the gate opened.
    pub gate_ns: u64,
    /// The event of the heal.
    pub event: EventId,
    /// The latest moment at which an instance may become active: the limit, or the next step of the plan before it.
    pub deadline_ns: u64,
    /// When recovery ended and the state counts: the end of its phase, not after the deadline.
    pub end_ns: u64,
    /// The run ended before the limit, so that who was not back yet might have come.
    pub cut: bool,
    /// Another act came when less than three quarters of the limit were over: a fault that waited for an event, or one at
    /// its time after a power-on that took long (a loader sees to the rest; the engine's usual second is within the last
    /// quarter). Who was not back yet is judged by the recovery that follows it.
    pub overtaken: bool,
}

impl Recovery {
    /// Whether everybody had the whole time that was promised.
    pub fn is_whole(&self) -> bool {
        !self.cut && !self.overtaken
    }
}

/// Tolerance between clocks: a moment seen by the witness and the controller's phase that followed from it.
const CLOCKS_APART_NS: u64 = 100_000_000;

/// What was the case when.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timeline {
    /// Segments in order.
    pub segments: Vec<Segment>,
    /// Lives by instance, each by time.
    pub lives: BTreeMap<InstanceName, Vec<LifeSpan>>,
    /// Dark spells by host, each by time.
    pub dark: BTreeMap<HostName, Vec<DarkSpell>>,
    /// Steps of the plan that were carried out.
    pub done: BTreeMap<String, Done>,
    /// Faults in force, by when they began.
    pub spells: Vec<Spell>,
    /// Steps that would have begun a rollout elsewhere, before it was stopped.
    left_out: BTreeSet<String>,
    /// Beginnings of steps: the intent, or where there is none the deed.
    pub(crate) begun: BTreeMap<String, u64>,
    /// The last event's time.
    pub end_ns: u64,
}

/// Nanoseconds of a duration, in the width of an event's time.
pub fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Timeline {
    /// Folds events, in any order of arrival.
    pub fn new(plan: &Plan, placement: &Placement, events: &[Event]) -> Self {
        let mut by_time: Vec<&Event> = events.iter().collect();
        by_time.sort_by_key(|event| (event.t_ns, event.id));
        let mut timeline = Self { end_ns: by_time.last().map_or(0, |event| event.t_ns), ..Self::default() };
        for event in by_time {
            match &event.detail {
                Detail::Phase { phase, round } => timeline.begin(*phase, *round, event),
                Detail::RolloutStopped { left_out, .. } => timeline.left_out.extend(left_out.iter().cloned()),
                Detail::StepIntent { step, .. } => {
                    timeline.begun.entry(step.clone()).or_insert(event.t_ns);
                }
                Detail::StepDone { step, .. } => timeline.done(plan, placement, step, event),
                Detail::State { to, missing, .. } if event.by == By::Witness => {
                    let Some(instance) = &event.place.instance else { continue };
                    timeline.live(instance, *to, missing.clone(), event, true);
                }
                _ => {}
            }
        }
        if let Some(last) = timeline.segments.last_mut() {
            last.end_ns = timeline.end_ns;
        }
        timeline.spells = spells(plan, &timeline.done);
        timeline.shade();
        timeline
    }

    fn begin(&mut self, phase: Phase, round: usize, event: &Event) {
        if let Some(last) = self.segments.last_mut() {
            last.end_ns = event.t_ns;
        }
        let (start_ns, begin_event) = (event.t_ns, event.id);
        let (dark, disturbed) = (BTreeSet::new(), BTreeSet::new());
        self.segments.push(Segment { phase, round, start_ns, end_ns: start_ns, begin_event, dark, disturbed });
    }

    fn live(&mut self, instance: &InstanceName, life: Life, missing: Vec<ServiceName>, event: &Event, witnessed: bool) {
        let span = LifeSpan { life, missing, from_ns: event.t_ns, event: event.id, witnessed };
        self.lives.entry(instance.clone()).or_default().push(span);
    }

    fn done(&mut self, plan: &Plan, placement: &Placement, id: &str, event: &Event) {
        let Some((_, step)) = plan.step(id) else { return };
        self.done.entry(id.to_owned()).or_insert(Done { t_ns: event.t_ns, event: event.id });
        self.begun.entry(id.to_owned()).or_insert(event.t_ns);
        let changes: BTreeSet<&HostName> = step.changes.iter().collect();
        for host in placement.hosts.iter().filter(|host| changes.contains(&host.name)) {
            let spells = self.dark.entry(host.name.clone()).or_default();
            let life = match step.act {
                Act::Inject => {
                    let fault = step.fault.clone();
                    spells.push(DarkSpell { from_ns: event.t_ns, to_ns: None, event: event.id, fault });
                    Life::Off
                }
                Act::Heal => {
                    if let Some(spell) = spells.last_mut() {
                        spell.to_ns.get_or_insert(event.t_ns);
                    }
                    Life::Starting
                }
            };
            for &index in &host.instances {
                self.live(&placement.instances[index].name, life, Vec::new(), event, false);
            }
        }
    }

    fn shade(&mut self) {
        for segment in &mut self.segments {
            let touches = |spell: &DarkSpell| {
                spell.from_ns < segment.end_ns && spell.to_ns.is_none_or(|to_ns| to_ns > segment.start_ns)
            };
            let dark = self.dark.iter().filter(|(_, spells)| spells.iter().any(touches));
            segment.dark = dark.map(|(host, _)| host.clone()).collect();
            let disturbing = self.spells.iter().filter(|spell| {
                spell.from_ns < segment.end_ns && spell.to_ns.is_none_or(|to_ns| to_ns > segment.start_ns)
            });
            segment.disturbed = disturbing.flat_map(|spell| spell.zones.iter().cloned()).collect();
        }
    }

    /// Whether a rollout was stopped before a step, or before what it would undo.
    pub fn is_left_out(&self, step: &Step) -> bool {
        self.left_out.contains(&step.id) || self.left_out.contains(&step.pair)
    }

    /// Segments of a phase.
    pub fn of_phase(&self, phase: Phase) -> impl Iterator<Item = &Segment> {
        self.segments.iter().filter(move |segment| segment.phase == phase)
    }

    /// What an instance was at a moment; `None` before anything was seen of it.
    pub fn life_at(&self, instance: &InstanceName, at_ns: u64) -> Option<&LifeSpan> {
        self.lives.get(instance)?.iter().rev().find(|span| span.from_ns <= at_ns)
    }

    /// What an instance that answers, and not in full, named as missing when it last named anything: an answer that came
    /// too late, or none for want of room, says nothing new of what is missing.
    pub fn missing_at(&self, instance: &InstanceName, at_ns: u64) -> &[ServiceName] {
        let spans = self.lives.get(instance).into_iter().flatten().rev().skip_while(|span| span.from_ns > at_ns);
        let mut serving = spans.take_while(|span| span.life == Life::Serving);
        serving.find(|span| !span.missing.is_empty()).map_or(&[], |span| &span.missing)
    }

    /// Whether the witness saw it active at a moment.
    pub fn is_active(&self, instance: &InstanceName, at_ns: u64) -> bool {
        self.life_at(instance, at_ns).is_some_and(|span| span.life == Life::Active)
    }

    /// The first time that the witness saw it active, between two moments.
    pub fn first_active(&self, instance: &InstanceName, from_ns: u64, to_ns: u64) -> Option<&LifeSpan> {
        let within = |span: &&LifeSpan| {
            span.life == Life::Active && span.witnessed && span.from_ns >= from_ns && span.from_ns <= to_ns
        };
        self.lives.get(instance)?.iter().find(within)
    }

    /// The spell that keeps a host dark at a moment.
    pub fn dark_at(&self, host: &HostName, at_ns: u64) -> Option<&DarkSpell> {
        let holds = |spell: &&DarkSpell| spell.from_ns <= at_ns && spell.to_ns.is_none_or(|to_ns| to_ns > at_ns);
        self.dark.get(host)?.iter().find(holds)
    }

    /// Whether a fault is aimed at a host at a moment.
    pub fn is_aimed_at(&self, host: &HostName, at_ns: u64) -> bool {
        self.spells.iter().any(|spell| spell.holds_at(at_ns) && spell.hosts.contains(host))
    }

    /// Whether a fault misleads a whole zone at a moment, the one at which it is healed included: nobody has seen it end
    /// by then.
    pub fn is_misled(&self, zone: &ZoneName, at_ns: u64) -> bool {
        let holds = |spell: &Spell| spell.holds_at(at_ns) || spell.to_ns == Some(at_ns);
        self.spells.iter().any(|spell| spell.misleads && holds(spell) && spell.zones.contains(zone))
    }

    /// Whether a fault keeps a host from booting at a moment.
    pub fn is_kept_dark(&self, host: &HostName, at_ns: u64) -> bool {
        self.spells.iter().any(|spell| spell.keeps_dark && spell.holds_at(at_ns) && spell.hosts.contains(host))
    }

    /// When a host last got power before a moment; the run's beginning where it never lost it.
    pub fn powered_since(&self, host: &HostName, at_ns: u64) -> u64 {
        let ends = self.dark.get(host).into_iter().flatten().filter_map(|spell| spell.to_ns);
        ends.filter(|to_ns| *to_ns <= at_ns).max().unwrap_or(0)
    }

    /// Whether the witness saw it active at a moment, give or take the tolerance between clocks.
    pub fn is_active_about(&self, instance: &InstanceName, at_ns: u64) -> bool {
        let until_ns = at_ns.saturating_add(CLOCKS_APART_NS);
        self.is_active(instance, at_ns) || self.first_active(instance, at_ns, until_ns).is_some()
    }

    /// The recovery of every heal that was carried out.
    pub fn recoveries(&self, plan: &Plan, limit: Duration) -> Vec<Recovery> {
        let mut recoveries = Vec::new();
        for (number, round) in plan.rounds.iter().enumerate() {
            for step in round.steps.iter().filter(|step| step.begins_recovery()) {
                // Of steps that count from different moments only the deed tells which is later.
                let is_later = |other: &&Step| other.at_ms > step.at_ms || other.after != step.after;
                // What harms nobody ends nobody's recovery: hosts that boot late have booted when their fault is healed.
                let later = round.steps.iter().filter(is_later).filter(|other| other.disturbs());
                let begun: Vec<u64> = later.filter_map(|other| self.begun.get(&other.id)).copied().collect();
                if let Some(done) = self.done.get(&step.id) {
                    recoveries.push(self.recovery(number, &step.id, done, &begun, limit));
                }
            }
        }
        recoveries
    }

    fn recovery(&self, round: usize, step: &str, done: &Done, later: &[u64], limit: Duration) -> Recovery {
        let after = || self.segments.iter().filter(|segment| segment.start_ns > done.t_ns);
        // The moment before the next act: what that act ends was in force until it.
        let next = later.iter().filter(|begun_ns| **begun_ns > done.t_ns).min().map(|begun_ns| begun_ns - 1);
        // Whatever follows recovery: quiet, the next round, or the end.
        let over = after().find(|segment| segment.phase != Phase::Recovery || segment.round != round);
        let is_trouble = |phase| matches!(phase, Phase::Outage | Phase::ReadBack | Phase::Teardown);
        let trouble = after().find(|segment| is_trouble(segment.phase)).map(|segment| segment.start_ns);
        let limit_ns = done.t_ns.saturating_add(ns(limit));
        let deadline_ns = [next, trouble].into_iter().flatten().fold(limit_ns.min(self.end_ns), u64::min);
        let aborted = over.is_none_or(|segment| matches!(segment.phase, Phase::ReadBack | Phase::Teardown));
        Recovery {
            round,
            step: step.to_owned(),
            gate_ns: done.t_ns,
            event: done.event,
            deadline_ns,
            end_ns: deadline_ns.min(over.map_or(u64::MAX, |segment| segment.start_ns)),
            cut: aborted && deadline_ns < limit_ns && next.is_none_or(|next_ns| next_ns > deadline_ns),
            overtaken: next.is_some_and(|next_ns| next_ns < done.t_ns.saturating_add(ns(limit) / 4 * 3)),
        }
    }
}
