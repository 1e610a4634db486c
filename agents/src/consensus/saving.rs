//! Owns what has to be on the disk before it may be said: records in their order, and what waits for them. Refuses to
//! know what they mean.
//!
//! A record that could not be written, and everything after it, is written again: to keep a later one without an earlier
//! one would leave a gap.

use super::Effect;
use super::message::{Index, Term};
use crate::machine::Nanos;
use std::collections::VecDeque;

/// Pause before records that could not be written are tried again.
const RETRY_NS: Nanos = 250_000_000;

/// What waits for a record.
#[derive(Debug)]
pub enum Held {
    /// An effect.
    Effect(Effect),
    /// A member's vote for itself, in the ballot with this number.
    Ballot(u64),
    /// The own log, up to here, whose last entry has this term.
    Entries {
        /// The term of the last entry.
        term: Term,
        /// Its place.
        last: Index,
    },
    /// The right to vote.
    Membership,
}

/// Records on their way to the disk.
#[derive(Debug)]
pub struct Saving {
    last: u64,
    saved: u64,
    /// The last record that holds the term.
    term: u64,
    /// Records after `saved`.
    unsaved: VecDeque<(u64, &'static str, String)>,
    /// How many of them the disk has in hand.
    in_hand: usize,
    failed: bool,
    retry_at: Nanos,
    held: VecDeque<(u64, Held)>,
}

impl Default for Saving {
    fn default() -> Self {
        let (unsaved, held) = (VecDeque::new(), VecDeque::new());
        Self { last: 0, saved: 0, term: 0, unsaved, in_hand: 0, failed: false, retry_at: Nanos::MAX, held }
    }
}

impl Saving {
    /// Writes a record; returns its number.
    pub fn save(&mut self, key: &'static str, value: String, fx: &mut Vec<Effect>) -> u64 {
        self.last += 1;
        self.unsaved.push_back((self.last, key, value.clone()));
        // While an earlier one is missing, nothing later is written.
        if !self.failed {
            self.in_hand += 1;
            fx.push(Effect::Save { record: self.last, key, value });
        }
        self.last
    }

    /// Writes the record of a term.
    pub fn term(&mut self, value: String, fx: &mut Vec<Effect>) -> u64 {
        self.term = self.save(super::log::RECORD_TERM, value, fx);
        self.term
    }

    /// The last record of a term.
    pub fn term_number(&self) -> u64 {
        self.term
    }

    /// The last record.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Keeps something until a record is on the disk.
    pub fn hold(&mut self, record: u64, held: Held) {
        let position = self.held.partition_point(|(known, _)| *known <= record);
        self.held.insert(position, (record, held));
    }

    /// Whether something of this kind waits.
    pub fn is_held(&self, wanted: impl Fn(&Held) -> bool) -> bool {
        self.held.iter().any(|(_, held)| wanted(held))
    }

    /// Says something as soon as a record is on the disk: now, where it is.
    pub fn say_after(&mut self, record: u64, effect: Effect, fx: &mut Vec<Effect>) {
        if record <= self.saved { fx.push(effect) } else { self.hold(record, Held::Effect(effect)) }
    }

    /// A record is on the disk, or could not be put there; returns what waited for it.
    pub fn saved(&mut self, now: Nanos, record: u64, ok: bool) -> Vec<Held> {
        self.in_hand = self.in_hand.saturating_sub(1);
        if ok && record == self.saved + 1 {
            self.unsaved.pop_front();
            self.saved = record;
        } else if record > self.saved {
            self.failed = true;
        }
        if self.failed && self.in_hand == 0 {
            self.retry_at = now.saturating_add(RETRY_NS);
        }
        let free = self.held.partition_point(|(waits_for, _)| *waits_for <= self.saved);
        self.held.drain(..free).map(|(_, held)| held).collect()
    }

    /// When it wants to try again; the highest number is never.
    pub fn retry_at(&self) -> Nanos {
        self.retry_at
    }

    /// Tries again what could not be written.
    pub fn wake(&mut self, now: Nanos, fx: &mut Vec<Effect>) {
        if self.retry_at > now {
            return;
        }
        (self.failed, self.retry_at) = (false, Nanos::MAX);
        for (record, key, value) in &self.unsaved {
            self.in_hand += 1;
            fx.push(Effect::Save { record: *record, key, value: value.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(fx: &mut Vec<Effect>) -> Vec<u64> {
        let number = |effect| if let Effect::Save { record, .. } = effect { Some(record) } else { None };
        fx.drain(..).filter_map(number).collect()
    }

    #[test]
    fn what_waits_is_freed_in_order_and_a_failure_writes_everything_after_it_again() {
        let (mut saving, mut fx) = (Saving::default(), Vec::new());
        for ballot in 1..=3 {
            let record = saving.save("k", "v".to_owned(), &mut fx);
            saving.hold(record, Held::Ballot(ballot));
        }
        assert_eq!(numbers(&mut fx), [1, 2, 3]);
        assert_eq!(saving.saved(0, 1, true).len(), 1);
        assert!(saving.saved(0, 2, false).is_empty());
        assert!(saving.saved(0, 3, true).is_empty(), "the one before it is missing");
        saving.save("k", "v".to_owned(), &mut fx);
        assert!(numbers(&mut fx).is_empty(), "nothing is written behind a gap");
        saving.wake(saving.retry_at(), &mut fx);
        assert_eq!(numbers(&mut fx), [2, 3, 4]);
        assert_eq!((2..=4).map(|record| saving.saved(0, record, true).len()).collect::<Vec<_>>(), [1, 1, 0]);
        assert_eq!(saving.retry_at(), Nanos::MAX);
    }
}
