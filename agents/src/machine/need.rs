//! Owns the loop in which an instance waits: can I start? no; can I start? yes. Refuses to know what it serves.

use super::exchange::{Ended, Purpose, Sending};
use super::target::Picker;
use super::timer::TimerKind;
use super::{Machine, Nanos, Output};
use crate::config::{NeedConfig, nanos};
use crate::wire::{Ask, NeedOutcome, Note};
use fixtures::graph::{Attempts, Backoff, Routing, WhenMissing};
use fixtures::name::ZoneName;

/// Exit status of a process that ends because a need is missing.
pub const EXIT_NEED_MISSING: i32 = 75;

/// The shortest bound of a pause: a graph with a back-off of zero must not turn a wait into a loop.
const PAUSE_MIN_NS: Nanos = 1_000_000;

/// How one need stands.
#[derive(Debug)]
pub struct NeedState {
    standing: Standing,
    attempts: u32,
    tried: Vec<usize>,
    picker: Picker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Missing,
    Acquired,
    GaveUp,
}

impl NeedState {
    /// A need, of an instance in `zone`, that was not asked for yet. Whom it asks first is drawn, or a fleet that
    /// starts together would all ask the same one.
    pub fn new(config: &NeedConfig, zone: &ZoneName, rng: &mut fastrand::Rng) -> Self {
        let first = rng.usize(0..config.targets.len().max(1));
        let picker = Picker::new(&config.targets, None, Routing::ZoneFirst, zone, first);
        Self { standing: Standing::Missing, attempts: 0, tried: Vec::new(), picker }
    }

    /// Whether the instance has it.
    pub fn is_acquired(&self) -> bool {
        self.standing == Standing::Acquired
    }
}

/// The pause after attempt number `attempt` (from 0): full jitter between a tenth of the bound and the bound, so that
/// a fleet that starts together does not ask together, and nobody hammers.
pub fn pause(backoff: &Backoff, attempt: u32, rng: &mut fastrand::Rng) -> Nanos {
    let bound = nanos(backoff.bound(attempt)).max(PAUSE_MIN_NS);
    if backoff.jitter { rng.u64(bound / 10..=bound) } else { bound }
}

impl Machine {
    /// Asks for one need.
    pub(super) fn ask_for_need(&mut self, now: Nanos, index: usize, out: &mut Vec<Output>) {
        let config = &self.role.config.needs[index];
        let state = &mut self.needs[index];
        if state.tried.len() >= config.targets.len() {
            state.tried.clear();
        }
        let Some(target) = state.picker.pick(now, &state.tried) else {
            return self.need_missed(now, index, out);
        };
        state.tried.push(target);
        let to = config.targets[target].address;
        let ask = Ask::Need { kind: self.role.kinds[index].clone() };
        let sending = Sending { purpose: Purpose::Need(index), target, to, ask, timeout: nanos(config.timeout) };
        self.exchange.send(now, sending, &mut self.timers, out);
    }

    /// One ask came to an end.
    pub(super) fn need_answered(&mut self, now: Nanos, index: usize, ended: &Ended, out: &mut Vec<Output>) {
        if !ended.result.as_ref().is_ok_and(|reply| reply.error.is_none()) {
            return self.need_missed(now, index, out);
        }
        self.needs[index].standing = Standing::Acquired;
        self.needs[index].attempts = self.needs[index].attempts.saturating_add(1);
        self.note_need(index, NeedOutcome::Acquired, out);
        self.serve_if_complete(now, out);
    }

    fn need_missed(&mut self, now: Nanos, index: usize, out: &mut Vec<Output>) {
        let config = &self.role.config.needs[index];
        let state = &mut self.needs[index];
        state.attempts = state.attempts.saturating_add(1);
        let attempts = state.attempts;
        if matches!(config.attempts, Attempts::AtMost(limit) if attempts >= limit) {
            state.standing = Standing::GaveUp;
            self.note_need(index, NeedOutcome::GaveUp, out);
            return;
        }
        // Told at the first miss and then ever more rarely: enough to explain, too little to flood.
        if attempts.is_power_of_two() {
            self.note_need(index, NeedOutcome::Waiting, out);
        }
        let config = &self.role.config.needs[index];
        match config.when_missing {
            WhenMissing::Exit => out.push(Output::Exit(EXIT_NEED_MISSING)),
            WhenMissing::Wait => {
                let pause = pause(&config.backoff, attempts - 1, &mut self.rng);
                self.timers.set(now.saturating_add(pause), TimerKind::Need(index));
            }
        }
    }

    fn note_need(&self, index: usize, outcome: NeedOutcome, out: &mut Vec<Output>) {
        let config = &self.role.config.needs[index];
        let (need, from) = (config.kind.clone(), config.from.clone());
        out.push(Output::Note(Note::Need { need, from, outcome, attempts: self.needs[index].attempts }));
    }
}
