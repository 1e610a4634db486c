//! Owns when a rollout is stopped: what customers of a zone that has the new version got since, against the steady state.
//! Refuses to know who rolls back, and how.

use crate::event::{Detail, EventId, Place};
use crate::judge::{falls_short, samples_for};
use crate::scenario::SteadyState;
use crate::traffic::{Tally, window};
use fixtures::name::ZoneName;
use fixtures::unit::Span;
use std::time::Duration;

/// Windows of a canary below which a zone says nothing: two seconds, so that what is over in a moment stops nobody.
pub const WINDOWS_MIN: usize = 4;

/// One zone that has a new version, watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    zone: ZoneName,
    since_ns: u64,
    tally: Tally,
}

impl Watch {
    /// Watches a zone from a moment on.
    pub fn new(zone: ZoneName, since_ns: u64) -> Self {
        Self { zone, since_ns, tally: Tally::default() }
    }

    /// Takes note of something that was seen at a moment, where it is a window of this zone's customers that began after
    /// the first moment.
    pub fn saw(&mut self, t_ns: u64, place: &Place, detail: &Detail) {
        // Which event it is does not matter to a sum.
        if let Some(window) = window(t_ns, place, detail, EventId(0), false)
            && *window.zone == self.zone
            && window.start_ns >= self.since_ns
        {
            self.tally.add(&window);
        }
    }

    /// What customers did not get of the steady state, in one sentence; nothing where they got it, or where too little was
    /// seen to tell.
    pub fn failure(&self, steady: &SteadyState) -> Option<String> {
        let Tally { windows, sent, .. } = self.tally;
        if windows < WINDOWS_MIN || sent < samples_for(steady.availability) {
            return None;
        }
        let (zone, answered) = (&self.zone, self.tally.answered());
        if falls_short(answered, sent, steady.availability) {
            let promised = steady.availability;
            return Some(format!("{zone}: {answered} of {sent} requests answered (promised {promised})"));
        }
        let p99 = self.tally.percentile_us(99).map(Duration::from_micros)?;
        let promised = Span(steady.latency_p99);
        (p99 > steady.latency_p99).then(|| format!("{zone}: p99 {} ms (promised {promised})", p99.as_millis()))
    }
}
