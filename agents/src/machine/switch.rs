//! Owns what an operator can switch at an instance: that it changes nothing, and that its callers are to ask elsewhere.
//! Refuses to know who switches, and why.
//!
//! A switch is on for a short time and has to be renewed: one that is forgotten goes off by itself.

use super::timer::TimerKind;
use super::{Machine, Nanos, Output, RequestId};
use crate::wire::{Ask, Failure, Note, Reply, Switch};
use std::collections::BTreeMap;

/// Word in the answer of an instance that obeys.
pub const OBEYS: &str = "obeys";
/// How often the tap is told to the witness.
const TAP_EVERY_NS: Nanos = 2_000_000_000;

/// Switches of an instance, and what its tap has counted.
#[derive(Debug, Default)]
pub(super) struct Switches {
    frozen_until: Nanos,
    away_until: Nanos,
    /// Calls of operations that change something since the tap was told last, and how many were refused.
    tapped: BTreeMap<String, (u64, u64)>,
    told: Nanos,
}

impl Switches {
    /// Whether it changes nothing at present.
    pub(super) fn is_frozen(&self, now: Nanos) -> bool {
        now < self.frozen_until
    }
}

impl Machine {
    /// Sets a switch for a time, or (none) ends it. Who has nothing to switch says so.
    pub(super) fn switch(&mut self, now: Nanos, id: RequestId, ask: &Ask, out: &mut Vec<Output>) {
        let Ask::Switch { switch, for_ns } = ask else { return };
        let control = &self.role.config.control;
        let can = match switch {
            Switch::Freeze => !control.mutates.is_empty() || self.takes.is_some() || self.scaler.is_some(),
            Switch::Away => control.movable,
            Switch::Surge { .. } => false,
        };
        let reply = if can {
            let until = now.saturating_add(*for_ns);
            match switch {
                Switch::Freeze => self.switches.frozen_until = until,
                Switch::Away => self.switches.away_until = until,
                Switch::Surge { .. } => {}
            }
            Reply { value: Some(OBEYS.to_owned()), ..Reply::by(&self.by) }
        } else {
            Reply { error: Some(Failure::Unknown), ..Reply::by(&self.by) }
        };
        out.push(Output::Respond { id, reply });
    }

    /// Why an operation is refused now, if it is. Calls of operations that change something are counted, also of those that
    /// are sent elsewhere.
    pub(super) fn switched_off(&mut self, now: Nanos, operation: &str, out: &mut Vec<Output>) -> Option<Failure> {
        let control = &self.role.config.control;
        let away = now < self.switches.away_until;
        if !control.mutates.iter().any(|mutates| mutates == operation) {
            return away.then_some(Failure::Away);
        }
        let frozen = !away && self.switches.is_frozen(now);
        let (calls, refused) = self.switches.tapped.entry(operation.to_owned()).or_default();
        *calls += 1;
        *refused += u64::from(frozen);
        let due = self.switches.told.saturating_add(TAP_EVERY_NS);
        if now >= due {
            self.tell_tap(now, out);
        } else {
            // Nobody may call after this one.
            self.timers.set_if_absent(due, TimerKind::Tap);
        }
        if away { Some(Failure::Away) } else { frozen.then_some(Failure::Capacity) }
    }

    /// Tells the witness what the tap has counted since it was told last.
    pub(super) fn tell_tap(&mut self, now: Nanos, out: &mut Vec<Output>) {
        self.switches.told = now;
        self.timers.cancel(TimerKind::Tap);
        for (operation, (calls, refused)) in std::mem::take(&mut self.switches.tapped) {
            out.push(Output::Note(Note::Tap { operation, calls, refused }));
        }
    }
}
