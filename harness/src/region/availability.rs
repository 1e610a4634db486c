//! Owns what the customers of a standing region got, for each zone, over minutes, hours and days, in bounded room. Refuses to
//! know a clock: moments come with what is counted.
//!
//! A zone that is dark has no customers who could tell: what they would have sent meanwhile counts as not answered, from the
//! pace at which they send.

use crate::schedule::moment::Moment;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Lengths of the buckets in milliseconds, and how many of each are kept: two hours, eight days, four hundred days.
const KINDS: [(i64, usize); 3] = [(60_000, 120), (3_600_000, 192), (86_400_000, 400)];
/// From one window of a canary to the next a busy machine takes no longer; what is missing after that was never sent.
const SILENCE: Duration = Duration::from_secs(3);
/// One gap counts for no more: nobody was there who could say what was wanted.
const GAP_MAX: Duration = Duration::from_secs(86_400);

/// Requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Sent.
    pub sent: u64,
    /// Answered, in full or without what was not needed.
    pub answered: u64,
    /// Not sent, because whoever sends them was dark.
    pub unsent: u64,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.answered += other.answered;
        self.unsent += other.unsent;
    }

    /// The share that was answered; `None` where nothing was wanted.
    pub fn share(self) -> Option<f64> {
        let wanted = self.sent + self.unsent;
        (wanted > 0).then(|| self.answered as f64 / wanted as f64)
    }
}

/// What customers of one zone got.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// Ever.
    pub all: Count,
    /// While game days were held.
    pub in_days: Count,
    /// Minutes, hours, days: the number of each since 1970, and what was in it.
    buckets: [VecDeque<(i64, Count)>; 3],
    /// When the last window ended.
    last: Option<Moment>,
}

/// What customers got.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Availability {
    zones: BTreeMap<String, Zone>,
}

/// One window of a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window<'w> {
    /// Its zone.
    pub zone: &'w str,
    /// When it ended.
    pub end: Moment,
    /// How long it was.
    pub length: Duration,
    /// Sent.
    pub sent: u64,
    /// Answered.
    pub answered: u64,
    /// Whether a game day was held meanwhile.
    pub in_day: bool,
}

impl Availability {
    /// Counts a window. `per_s` is how many requests a zone's customers send in a second.
    pub fn add(&mut self, window: Window<'_>, per_s: f64) {
        let Window { zone, end, length, sent, answered, in_day } = window;
        let zone = self.zones.entry(zone.to_owned()).or_default();
        let gap = zone.last.map_or(Duration::ZERO, |last| end.minus(length).since(last));
        let silent = if gap > SILENCE { gap.min(GAP_MAX) } else { Duration::ZERO };
        let unsent = (silent.as_secs_f64() * per_s).round() as u64;
        zone.last = Some(zone.last.map_or(end, |last| last.max(end)));
        let count = Count { sent, answered, unsent };
        zone.all.add(count);
        if in_day {
            zone.in_days.add(count);
        }
        for (buckets, (length_ms, kept)) in zone.buckets.iter_mut().zip(KINDS) {
            let number = end.0.div_euclid(length_ms);
            let newest = buckets.back().map(|(known, _)| *known);
            match buckets.iter_mut().rev().find(|(known, _)| *known == number) {
                Some((_, known)) => known.add(count),
                // A clock that was put back: what fits into nothing that is kept is only in the sum.
                None if newest.is_some_and(|newest| newest > number) => {}
                None => buckets.push_back((number, count)),
            }
            while buckets.len() > kept {
                buckets.pop_front();
            }
        }
    }

    /// Nobody wanted anything before this moment: the region was on its way, or was given to nobody on purpose.
    pub fn begin_at(&mut self, moment: Moment) {
        for zone in self.zones.values_mut() {
            zone.last = Some(moment);
        }
    }

    /// Each zone.
    pub fn zones(&self) -> impl Iterator<Item = (&str, &Zone)> {
        self.zones.iter().map(|(name, zone)| (name.as_str(), zone))
    }
}

impl Zone {
    /// What was counted in the last so many minutes, hours or days before a moment, by whichever fits.
    pub fn within(&self, now: Moment, span: Duration) -> Count {
        let span_ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        let fits = |(_, (length_ms, kept)): &(usize, (i64, usize))| {
            span_ms <= length_ms.saturating_mul(i64::try_from(*kept).unwrap_or(i64::MAX))
        };
        let kind = KINDS.into_iter().enumerate().find(fits).unwrap_or((2, KINDS[2]));
        let (place, (length_ms, _)) = kind;
        let first = now.0.saturating_sub(span_ms).div_euclid(length_ms);
        let mut count = Count::default();
        for (_, one) in self.buckets[place].iter().filter(|(number, _)| *number > first) {
            count.add(*one);
        }
        count
    }

    /// When its last window ended.
    pub fn last(&self) -> Option<Moment> {
        self.last
    }
}
