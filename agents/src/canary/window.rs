//! Owns the windows of one stream of a canary: counts and latencies by *intended* time, of several operations each by
//! itself too. Refuses to know why something was asked.

use crate::machine::Nanos;
use crate::wire::{Asked, Note, Text};
use std::collections::BTreeMap;

/// Windows that are not complete yet.
#[derive(Debug)]
pub(super) struct Windows {
    control: bool,
    length: Nanos,
    /// What is asked for, by place.
    operations: Vec<Text>,
    begin: Nanos,
    open: BTreeMap<u64, Window>,
    /// Number of the next window to be told.
    next: u64,
}

#[derive(Debug, Default)]
struct Window {
    all: Asked,
    /// Of each operation, by its place.
    each: BTreeMap<usize, Asked>,
    latency_us: BTreeMap<u64, u64>,
}

impl Windows {
    pub(super) fn new(control: bool, length: Nanos, operations: Vec<Text>) -> Self {
        Self { control, length, operations, begin: 0, open: BTreeMap::new(), next: 0 }
    }

    pub(super) fn start(&mut self, now: Nanos) {
        self.begin = now;
    }

    /// When the window that `now` lies in ends: strictly after `now`.
    pub(super) fn next_end(&self, now: Nanos) -> Nanos {
        self.end(now.saturating_sub(self.begin) / self.length)
    }

    fn end(&self, number: u64) -> Nanos {
        self.begin + (number + 1) * self.length
    }

    /// A request for an operation whose intended time is `intended`; returns its window's number.
    pub(super) fn sent(&mut self, intended: Nanos, operation: usize) -> u64 {
        let number = intended.saturating_sub(self.begin) / self.length;
        self.count(number, operation, |asked| asked.sent += 1);
        number
    }

    /// A request of a window will be tried again.
    pub(super) fn tried_again(&mut self, number: u64, operation: usize) {
        self.count(number, operation, |asked| asked.retries += 1);
    }

    fn count(&mut self, number: u64, operation: usize, count: impl Fn(&mut Asked)) {
        let window = self.open.entry(number).or_default();
        count(&mut window.all);
        if self.operations.len() > 1 {
            count(window.each.entry(operation).or_default());
        }
    }

    /// A request ended: `Ok(degraded)` or its cause of failure. Failed requests have no latency: a fast refusal must
    /// not make a window look quick.
    pub(super) fn ended(&mut self, number: u64, operation: usize, latency: Nanos, result: &Result<bool, String>) {
        match result {
            Ok(degraded) => {
                self.count(number, operation, |asked| {
                    *(if *degraded { &mut asked.degraded } else { &mut asked.ok }) += 1;
                });
                let window = self.open.entry(number).or_default();
                *window.latency_us.entry(bucket(latency / 1000)).or_default() += 1;
            }
            Err(cause) => self.count(number, operation, |asked| *asked.failed.entry(cause.clone()).or_default() += 1),
        }
    }

    /// Takes the windows that have ended and wait for no answer, in order.
    pub(super) fn complete(&mut self, now: Nanos) -> Vec<Note> {
        let mut notes = Vec::new();
        while self.end(self.next) <= now {
            let number = self.next;
            if self.open.get(&number).is_some_and(|window| !window.is_complete()) {
                break;
            }
            let window = self.open.remove(&number).unwrap_or_default();
            self.next += 1;
            let Asked { sent, ok, degraded, failed, retries } = window.all;
            let each = window.each.into_iter().map(|(place, asked)| (self.operations[place].to_string(), asked));
            notes.push(Note::Canary {
                control: self.control,
                seq: number,
                end_ns: self.end(number),
                window_ns: self.length,
                sent,
                ok,
                degraded,
                failed,
                latency_us: window.latency_us.into_iter().collect(),
                retries,
                operations: each.collect(),
            });
        }
        notes
    }
}

impl Window {
    fn is_complete(&self) -> bool {
        self.all.answered() + self.all.failures() == self.all.sent
    }
}

/// Upper bound of the bucket that holds `us`: sixteen buckets for each doubling, so at most 6 % above the value.
fn bucket(us: u64) -> u64 {
    let shift = us.max(16).ilog2() - 4;
    (((us >> shift) + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::bucket;

    #[test]
    fn buckets_are_at_most_six_percent_wide() {
        for us in (0..4000).chain((1..60).map(|n| n * 99_991)) {
            let bound = bucket(us);
            assert!(bound >= us && bound - us <= us / 16 + 1, "{us} is put into {bound}");
        }
    }
}
