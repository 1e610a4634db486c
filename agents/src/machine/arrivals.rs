//! Owns the counts of what arrives at an instance: how much it was asked, how much of that only because somebody on the
//! way had asked before in vain, how much it had no room for, how much it took in although whoever asked would not wait
//! until its turn, and how often others asked it for what they need. Refuses to know who asked, and what was answered.
//!
//! It speaks of its callers and not of itself: it counts what reached it, before anything is decided. Nothing is counted
//! where nobody wants to know.

use super::timer::TimerKind;
use super::{Machine, Nanos, Output};
use crate::wire::{Failure, Note};

/// How often arrivals are told to the witness.
const TOLD_EVERY_NS: Nanos = 1_000_000_000;

/// What has arrived since it was told last.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Arrivals {
    since: Nanos,
    received: u64,
    again: u64,
    refused: u64,
    late: u64,
    needs: u64,
    denied: u64,
    postponed: u64,
}

impl Machine {
    /// Somebody asks for work.
    pub(super) fn count_arrival(&mut self, now: Nanos, again: bool) {
        if self.begins_to_count(now) {
            self.arrivals.received += 1;
            self.arrivals.again += u64::from(again);
        }
    }

    /// Somebody asks for what it needs.
    pub(super) fn count_need(&mut self, now: Nanos) {
        if self.begins_to_count(now) {
            self.arrivals.needs += 1;
        }
    }

    /// Whether it counts at all; what is counted first begins a time that is told when it is over.
    fn begins_to_count(&mut self, now: Nanos) -> bool {
        if !self.role.config.counts_arrivals {
            return false;
        }
        if self.arrivals.received + self.arrivals.needs == 0 {
            self.arrivals.since = now;
            self.timers.set(now.saturating_add(TOLD_EVERY_NS), TimerKind::Arrivals);
        }
        true
    }

    /// The last one was turned away, because too many wait.
    pub(super) fn count_turned_away(&mut self) {
        self.arrivals.refused += 1;
    }

    /// What was needed was not granted: there is no more of it, or not yet.
    pub(super) fn count_not_granted(&mut self, why: Failure) {
        match why {
            Failure::Denied => self.arrivals.denied += 1,
            _ => self.arrivals.postponed += 1,
        }
    }

    /// The last one was taken in, and its time will be up before its turn.
    pub(super) fn count_late(&mut self) {
        self.arrivals.late += 1;
    }

    /// Tells the witness.
    pub(super) fn note_arrivals(&mut self, now: Nanos, out: &mut Vec<Output>) {
        let Arrivals { since, received, again, refused, late, needs, denied, postponed } =
            std::mem::take(&mut self.arrivals);
        let over_ns = now.saturating_sub(since);
        out.push(Output::Note(Note::Arrived { over_ns, received, again, refused, late, needs, denied, postponed }));
    }
}
