//! Owns the loop in which an instance waits: can I start? no; can I start? yes. Refuses to know what it serves.

use super::exchange::{Ended, Purpose, Sending};
use super::lookup::{Lookups, Waiter};
use super::route::{Ready, Route, Traveller};
use super::timer::TimerKind;
use super::{Machine, Nanos, Output};
use crate::config::{NeedConfig, nanos};
use crate::wire::{Ask, Grant, NeedOutcome, Note};
use fixtures::graph::{Attempts, Backoff, Routing, WhenMissing};
use fixtures::name::ZoneName;
use std::net::SocketAddr;

/// Exit status of a process that ends because a need is missing.
pub const EXIT_NEED_MISSING: i32 = 75;

/// The shortest bound of a pause: a graph with a back-off of zero must not turn a wait into a loop.
const PAUSE_MIN_NS: Nanos = 1_000_000;

/// Where a list is not known yet, the place in it that is asked first is drawn out of so many.
const TURNS: usize = 1 << 16;

/// How one need stands.
#[derive(Debug)]
pub struct NeedState {
    held: bool,
    /// An ask is under way.
    asking: bool,
    attempts: u32,
    tried: Vec<SocketAddr>,
    route: Route,
    /// What was granted last, where it ends.
    pub(super) grant: Option<Grant>,
}

impl NeedState {
    /// A need, of an instance in `zone`, that was not asked for yet. Whom it asks first is drawn, or a fleet that
    /// starts together would all ask the same one.
    pub fn new(config: &NeedConfig, zone: &ZoneName, lookups: &mut Lookups, rng: &mut fastrand::Rng) -> Self {
        let name = lookups.place(&config.callee);
        let first =
            rng.usize(0..if name.is_some() && config.targets.is_empty() { TURNS } else { config.targets.len().max(1) });
        let route = Route::new(&config.targets, None, Routing::ZoneFirst, zone, first, name);
        Self { held: false, asking: false, attempts: 0, tried: Vec::new(), route, grant: None }
    }

    /// Whether the instance has it.
    pub fn is_acquired(&self) -> bool {
        self.held
    }

    /// Whether it is being asked for.
    pub(super) fn is_asked(&self) -> bool {
        self.asking
    }

    /// It is taken away; says whether it was there.
    pub(super) fn lose(&mut self) -> bool {
        std::mem::take(&mut self.held)
    }
}

/// The pause after attempt number `attempt` (from 0): full jitter between a tenth of the bound and the bound, so that
/// a fleet that starts together does not ask together, and nobody hammers.
pub fn pause(backoff: &Backoff, attempt: u32, rng: &mut fastrand::Rng) -> Nanos {
    let bound = nanos(backoff.bound(attempt)).max(PAUSE_MIN_NS);
    if backoff.jitter { rng.u64(bound / 10..=bound) } else { bound }
}

impl Machine {
    /// Asks for one need; `waited` where its name was waited for.
    pub(super) fn ask_for_need(&mut self, now: Nanos, index: usize, waited: bool, out: &mut Vec<Output>) {
        let config = &self.role.config.needs[index];
        let state = &mut self.needs[index];
        let zone = &self.role.config.zone;
        let traveller = Traveller { who: Waiter::Need(index), waited, callee: &config.callee, zone };
        let wires = (&mut self.exchange, &mut self.timers);
        match state.route.refresh(now, traveller, &mut self.lookups, wires, out) {
            Ready::Yes => {}
            Ready::Later => {
                state.asking = true;
                return;
            }
            Ready::No => return self.need_missed(now, index, out),
        }
        if state.tried.len() >= state.route.count() {
            state.tried.clear();
        }
        let Some(target) = state.route.pick(now, &state.tried) else {
            return self.need_missed(now, index, out);
        };
        let to = state.route.address(target);
        state.tried.push(to);
        state.asking = true;
        let (secure, timeout) = (state.route.secure(target), nanos(config.timeout));
        let ask = Ask::Need { kind: self.role.kinds[index].clone(), holder: self.name.as_str().into() };
        let sending = Sending { purpose: Purpose::Need(index), target, to, secure, ask, timeout };
        self.exchange.send(now, sending, &mut self.timers, out);
    }

    /// One ask came to an end.
    pub(super) fn need_answered(&mut self, now: Nanos, index: usize, ended: &Ended, out: &mut Vec<Output>) {
        self.needs[index].asking = false;
        let granted = ended.result.as_ref().ok().filter(|reply| reply.error.is_none()).map(|reply| &reply.grant);
        if !granted.is_some_and(|grant| self.take_grant(now, index, grant.as_deref().copied())) {
            return self.need_missed(now, index, out);
        }
        let state = &mut self.needs[index];
        // A renewal that went well is nothing to tell of.
        let tells = !state.held || state.attempts > 0;
        state.held = true;
        state.attempts = state.attempts.saturating_add(1);
        if tells {
            self.note_need(index, NeedOutcome::Acquired, out);
        }
        if self.needs[index].grant.is_some() {
            self.needs[index].attempts = 0;
        }
        self.serve_if_complete(now, out);
    }

    fn need_missed(&mut self, now: Nanos, index: usize, out: &mut Vec<Output>) {
        let config = &self.role.config.needs[index];
        let state = &mut self.needs[index];
        state.asking = false;
        state.attempts = state.attempts.saturating_add(1);
        let attempts = state.attempts;
        if matches!(config.attempts, Attempts::AtMost(limit) if attempts >= limit) {
            self.note_need(index, NeedOutcome::GaveUp, out);
            return;
        }
        // Told at the first miss and then ever more rarely: enough to explain, too little to flood.
        if attempts.is_power_of_two() {
            self.note_need(index, NeedOutcome::Waiting, out);
        }
        let config = &self.role.config.needs[index];
        match config.when_missing {
            WhenMissing::Exit if !self.needs[index].held => out.push(Output::Exit(EXIT_NEED_MISSING)),
            WhenMissing::Exit | WhenMissing::Wait => {
                let pause = pause(&config.backoff, attempts - 1, &mut self.rng);
                self.timers.set(now.saturating_add(pause), TimerKind::Need(index));
            }
        }
    }

    pub(super) fn note_need(&self, index: usize, outcome: NeedOutcome, out: &mut Vec<Output>) {
        let config = &self.role.config.needs[index];
        let (need, from) = (config.kind.clone(), config.from.clone());
        out.push(Output::Note(Note::Need { need, from, outcome, attempts: self.needs[index].attempts }));
    }
}
