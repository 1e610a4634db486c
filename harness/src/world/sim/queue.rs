//! Owns the order in which things happen: by time, and at one time in the order in which they were entered. Refuses to
//! know what happens.
//!
//! What happens soon lies in one short sorted list, what happens later in the buckets of a radix heap: an entry lies in
//! the bucket of the highest bit in which its time differs from the present. The lowest bucket becomes the list where it
//! is short, and is dealt out to nearer buckets where it is not. So an entry is moved a few times, always through
//! neighbouring memory, however many there are. Entries of equal time always keep their order.

use crate::controller::Nanos;
use std::collections::VecDeque;

const BUCKETS: usize = 64;
/// A bucket of at most so many entries is sorted at once.
const SORTED_MAX: usize = 48;
/// A list that has grown to so many entries is dealt out to the buckets.
const SOON_MAX: usize = 192;

/// What is to happen, by time.
#[derive(Debug)]
pub(super) struct Queue<T> {
    /// The time of the last entry taken.
    now: Nanos,
    /// Entries before `horizon`, by time.
    soon: VecDeque<(Nanos, T)>,
    horizon: Nanos,
    /// The time from which the buckets of all other entries follow: not after any of them.
    base: Nanos,
    buckets: Vec<Vec<(Nanos, T)>>,
    /// A bit for each bucket that holds something.
    filled: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let buckets = (0..BUCKETS).map(|_| Vec::new()).collect();
        Self { now: 0, soon: VecDeque::new(), horizon: 1, base: 0, buckets, filled: 0 }
    }
}

impl<T> Queue<T> {
    /// Enters something; what is late already happens at once.
    pub(super) fn push(&mut self, at: Nanos, item: T) {
        let at = at.max(self.now);
        if at >= self.horizon {
            return self.put_off(at, item);
        }
        // Before anything of the list was taken, buckets follow from its beginning, which is still to come.
        if self.soon.len() >= SOON_MAX && self.now >= self.base {
            self.spread();
            if at >= self.horizon {
                return self.put_off(at, item);
            }
        }
        let is_last = self.soon.back().is_none_or(|(last, _)| *last <= at);
        if is_last {
            self.soon.push_back((at, item));
        } else {
            let position = self.soon.partition_point(|(known, _)| *known <= at);
            self.soon.insert(position, (at, item));
        }
    }

    fn put_off(&mut self, at: Nanos, item: T) {
        let bucket = bucket(self.base, at);
        self.buckets[bucket].push((at, item));
        self.filled |= 1 << bucket;
    }

    /// The list has become long: all that is later than the present goes back to the buckets.
    fn spread(&mut self) {
        let now = self.now;
        let later = self.soon.split_off(self.soon.partition_point(|(at, _)| *at <= now));
        (self.base, self.horizon) = (now, now + 1);
        // They come before whatever of the same time is entered from now on: their order stays.
        for (at, item) in later {
            self.put_off(at, item);
        }
    }

    /// When the next thing happens.
    pub(super) fn next_at(&mut self) -> Option<Nanos> {
        while self.soon.is_empty() && self.filled != 0 {
            self.open();
        }
        self.soon.front().map(|(at, _)| *at)
    }

    /// Takes the next thing, unless it happens after `limit`.
    pub(super) fn pop(&mut self, limit: Nanos) -> Option<(Nanos, T)> {
        self.next_at().filter(|at| *at <= limit)?;
        let (at, item) = self.soon.pop_front()?;
        self.now = at;
        Some((at, item))
    }

    /// The lowest filled bucket, before which nothing is left, becomes the list or is dealt out.
    fn open(&mut self) {
        let lowest = self.filled.trailing_zeros() as usize;
        let mut opened = std::mem::take(&mut self.buckets[lowest]);
        self.filled &= !(1 << lowest);
        let Some(first) = opened.iter().map(|(at, _)| *at).min() else { return };
        self.base = first;
        if opened.len() <= SORTED_MAX {
            opened.sort_by_key(|(at, _)| *at);
            // The bucket ends where the next higher bit changes; everything that is left lies behind it.
            self.horizon = ((first >> lowest) + 1).checked_mul(1 << lowest).unwrap_or(Nanos::MAX);
            self.soon.extend(opened.drain(..));
        } else {
            self.horizon = first + 1;
            for (at, item) in opened.drain(..) {
                if at == first {
                    self.soon.push_back((at, item));
                } else {
                    self.put_off(at, item);
                }
            }
        }
        // Its room is used again.
        if self.buckets[lowest].is_empty() {
            self.buckets[lowest] = opened;
        }
    }
}

fn bucket(base: Nanos, at: Nanos) -> usize {
    63_usize.saturating_sub((base ^ at).leading_zeros() as usize)
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
            // Now and then many at once, at few times: long lists and long buckets.
            let burst = if rng.u8(0..200) == 0 { 400 } else { 0 };
            for _ in 0..burst {
                let at = now + [0, 1, 7, 3_000, rng.u64(0..2_000)][rng.usize(0..5)];
                queue.push(at, entered);
                plain.push((at, entered));
                entered += 1;
            }
            if rng.u8(0..5) < 2 {
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
