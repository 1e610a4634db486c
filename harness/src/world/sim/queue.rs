//! Owns the order in which things happen: by time, and at one time in the order in which they were entered. Refuses to
//! know what happens.
//!
//! A radix heap: an entry lies in the bucket of the highest bit in which its time differs from the present. It moves a
//! few times to nearer buckets, always through neighbouring memory, however many entries there are. Entries of equal
//! time are always in the same bucket, in their order.

use crate::controller::Nanos;
use std::collections::VecDeque;

const BUCKETS: usize = 64;

/// What is to happen, by time.
#[derive(Debug)]
pub(super) struct Queue<T> {
    /// The time of the last entry taken.
    now: Nanos,
    /// Entries of that time.
    present: VecDeque<T>,
    buckets: Vec<Vec<(Nanos, T)>>,
    /// A bit for each bucket that holds something.
    filled: u64,
    /// The earliest time in the lowest filled bucket, where it is known.
    earliest: Option<Nanos>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let buckets = (0..BUCKETS).map(|_| Vec::new()).collect();
        Self { now: 0, present: VecDeque::new(), buckets, filled: 0, earliest: None }
    }
}

impl<T> Queue<T> {
    /// Enters something; what is late already happens at once.
    pub(super) fn push(&mut self, at: Nanos, item: T) {
        if at <= self.now {
            self.present.push_back(item);
            return;
        }
        let bucket = bucket(self.now, at);
        self.buckets[bucket].push((at, item));
        self.filled |= 1 << bucket;
        if self.earliest.is_some_and(|earliest| at < earliest) {
            self.earliest = Some(at);
        }
    }

    /// When the next thing happens.
    pub(super) fn next_at(&mut self) -> Option<Nanos> {
        if !self.present.is_empty() {
            return Some(self.now);
        }
        if self.earliest.is_none() && self.filled != 0 {
            let lowest = &self.buckets[self.filled.trailing_zeros() as usize];
            self.earliest = lowest.iter().map(|(at, _)| *at).min();
        }
        self.earliest
    }

    /// Takes the next thing, unless it happens after `limit`.
    pub(super) fn pop(&mut self, limit: Nanos) -> Option<(Nanos, T)> {
        let at = self.next_at().filter(|at| *at <= limit)?;
        if self.present.is_empty() {
            self.go_to(at);
        }
        self.present.pop_front().map(|item| (self.now, item))
    }

    /// Makes `at` the present: the lowest filled bucket, in which it lies, is dealt out to nearer ones.
    fn go_to(&mut self, at: Nanos) {
        let lowest = self.filled.trailing_zeros() as usize;
        let mut dealt = std::mem::take(&mut self.buckets[lowest]);
        self.filled &= !(1 << lowest);
        self.now = at;
        self.earliest = None;
        for (time, item) in dealt.drain(..) {
            if time == at {
                self.present.push_back(item);
            } else {
                let nearer = bucket(at, time);
                self.buckets[nearer].push((time, item));
                self.filled |= 1 << nearer;
            }
        }
        // Its room is used again.
        self.buckets[lowest] = dealt;
    }
}

fn bucket(now: Nanos, at: Nanos) -> usize {
    63 - (now ^ at).leading_zeros() as usize
}

#[cfg(test)]
mod tests {
    use super::Queue;

    #[test]
    fn everything_comes_by_time_and_at_one_time_in_the_order_of_entering() {
        let mut rng = fastrand::Rng::with_seed(5);
        let mut queue = Queue::default();
        let mut plain: Vec<(u64, u64)> = Vec::new();
        let (mut now, mut entered) = (0, 0);
        for _ in 0..20_000 {
            if rng.u8(0..5) < 3 {
                let at = now + [0, 1, rng.u64(0..50), rng.u64(0..5_000_000)][rng.usize(0..4)];
                queue.push(at, entered);
                plain.push((at, entered));
                entered += 1;
            } else {
                let limit = now + rng.u64(0..3_000_000);
                let position = plain.iter().enumerate().min_by_key(|(_, entry)| **entry).map(|(position, _)| position);
                let expected = position.filter(|&position| plain[position].0 <= limit).map(|p| plain.remove(p));
                assert_eq!(queue.pop(limit), expected);
                now = expected.map_or(now, |(at, _)| at);
            }
        }
    }
}
