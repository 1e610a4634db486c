//! Owns what canaries saw, as windows and sums of windows. Refuses to say whether it was good enough.

use crate::event::{Asked, By, Detail, Event, EventId, Place};
use fixtures::name::ZoneName;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Length of a canary's window: short enough to see a shift of traffic, long enough to count something.
pub const WINDOW: Duration = Duration::from_millis(500);

/// One window of a canary.
#[derive(Debug, Clone, Copy)]
pub struct Window<'e> {
    /// Its zone.
    pub zone: &'e ZoneName,
    /// Its beginning.
    pub start_ns: u64,
    /// Its end.
    pub end_ns: u64,
    /// The event.
    pub event: EventId,
    /// Requests whose intended time lay in it.
    pub sent: u64,
    /// Answered in full.
    pub ok: u64,
    /// Answered without a soft dependency.
    pub degraded: u64,
    /// Failed, by cause.
    pub failed: &'e BTreeMap<String, u64>,
    /// Bucket upper bound in microseconds, count.
    pub latency_us: &'e [(u64, u64)],
    /// Attempts after the first one of a request.
    pub retries: u64,
    /// Of each operation, where several are asked for.
    pub operations: &'e BTreeMap<String, Asked>,
}

impl Window<'_> {
    /// Wholly between two moments. One that straddles a boundary belongs to neither side: nobody knows which of its
    /// requests lay where.
    pub fn inside(&self, start_ns: u64, end_ns: u64) -> bool {
        self.start_ns >= start_ns && self.end_ns <= end_ns
    }

    /// Requests that were not answered.
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }
}

/// The windows of all canaries, or of all control canaries, in order of arrival.
pub fn windows(events: &[Event], of_control: bool) -> Vec<Window<'_>> {
    events
        .iter()
        .filter(|event| event.by == By::Canary)
        .filter_map(|event| window(event.t_ns, &event.place, &event.detail, event.id, of_control))
        .collect()
}

/// The window that something seen at a moment is, where it is one.
pub(crate) fn window<'e>(
    t_ns: u64,
    place: &'e Place,
    detail: &'e Detail,
    event: EventId,
    of_control: bool,
) -> Option<Window<'e>> {
    let Detail::Canary { control, window_ns, sent, ok, degraded, failed, latency_us, retries, operations, .. } = detail
    else {
        return None;
    };
    if *control != of_control {
        return None;
    }
    Some(Window {
        zone: place.zone.as_ref()?,
        start_ns: t_ns.saturating_sub(*window_ns),
        end_ns: t_ns,
        event,
        sent: *sent,
        ok: *ok,
        degraded: *degraded,
        failed,
        latency_us,
        retries: *retries,
        operations,
    })
}

/// The zones that have a canary.
pub fn zones<'e>(windows: &[Window<'e>]) -> BTreeSet<&'e ZoneName> {
    windows.iter().map(|window| window.zone).collect()
}

/// A sum of windows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Windows summed.
    pub windows: usize,
    /// Requests sent.
    pub sent: u64,
    /// Answered in full.
    pub ok: u64,
    /// Answered without a soft dependency.
    pub degraded: u64,
    /// Failed, by cause.
    pub failed: BTreeMap<String, u64>,
    /// Counts by bucket upper bound in microseconds.
    pub latency_us: BTreeMap<u64, u64>,
    /// Attempts after the first one of a request.
    pub retries: u64,
    /// Of each operation, where several are asked for.
    pub operations: BTreeMap<String, Asked>,
}

impl Tally {
    /// Sums windows.
    pub fn of<'w, 'e: 'w>(windows: impl IntoIterator<Item = &'w Window<'e>>) -> Self {
        let mut tally = Self::default();
        for window in windows {
            tally.add(window);
        }
        tally
    }

    /// One more window.
    pub fn add(&mut self, window: &Window<'_>) {
        self.windows += 1;
        self.sent += window.sent;
        self.ok += window.ok;
        self.degraded += window.degraded;
        self.retries += window.retries;
        for (operation, asked) in window.operations {
            self.operations.entry(operation.clone()).or_default().add(asked);
        }
        for (cause, count) in window.failed {
            *self.failed.entry(cause.clone()).or_default() += count;
        }
        for (bound, count) in window.latency_us {
            *self.latency_us.entry(*bound).or_default() += count;
        }
    }

    /// Answered in full or degraded.
    pub fn answered(&self) -> u64 {
        self.ok + self.degraded
    }

    /// The upper bound of the bucket in which the given share of requests (in per cent) has been answered; `None`
    /// without any latency.
    pub fn percentile_us(&self, per_cent: u64) -> Option<u64> {
        let total: u64 = self.latency_us.values().sum();
        let rank = (total * per_cent).div_ceil(100).max(1);
        let mut seen = 0;
        for (bound, count) in &self.latency_us {
            seen += count;
            if seen >= rank {
                return Some(*bound);
            }
        }
        None
    }

    /// The failure seen most often.
    pub fn main_cause(&self) -> Option<&str> {
        main_cause(&self.failed)
    }
}

/// The cause that most requests failed for.
pub(crate) fn main_cause(failed: &BTreeMap<String, u64>) -> Option<&str> {
    let counted = failed.iter().filter(|(_, count)| **count > 0);
    counted.max_by_key(|(_, count)| **count).map(|(cause, _)| cause.as_str())
}
