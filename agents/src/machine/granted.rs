//! Owns how much whoever grants has granted, and whether there is room for one more now. Refuses to know what is granted,
//! and for how long.

use super::Nanos;
use crate::config::nanos;
use crate::wire::{Failure, Text};
use fixtures::graph::grants::{Counts, Grants};
use std::collections::BTreeSet;

/// What an instance has granted since its start.
#[derive(Debug, Clone, Default)]
pub(super) struct Granted {
    asks: usize,
    holders: BTreeSet<Text>,
    /// When it grants again.
    next: Nanos,
}

impl Granted {
    /// Grants once more to somebody, or says why not: there is no more of it, or not yet.
    pub(super) fn take(&mut self, now: Nanos, limits: &Grants, holder: &Text) -> Result<(), Failure> {
        // Who only looks whether it is granted keeps nothing.
        if holder.is_empty() {
            return Ok(());
        }
        let count = match limits.counts {
            Counts::Holders if self.holders.contains(holder) => 0,
            Counts::Holders => self.holders.len() + 1,
            Counts::Asks => self.asks + 1,
        };
        if limits.most.is_some_and(|most| count > most as usize) {
            return Err(Failure::Denied);
        }
        if now < self.next {
            return Err(Failure::Overloaded);
        }
        self.next = now.saturating_add(limits.rate.map_or(0, |rate| nanos(rate.interval())));
        self.asks += 1;
        self.holders.insert(holder.clone());
        Ok(())
    }
}
