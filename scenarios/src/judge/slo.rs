//! Owns the comparison of one zone's canary with the steady state over a stretch of time, with the two reasons for not
//! trusting it: too few samples, and a control canary that missed its own target. Refuses to know which invariant asks.
//!
//! The promise is one for all requests of a zone. Where customers ask for several operations each of them is looked at as
//! well, so that no share hides behind the others: one with as many samples as the zone needs must have the promised
//! availability itself; one with fewer must have answered something out of its first [`SILENT_MIN`] requests. Latency is
//! that of all requests: operations may cost what they cost.

use super::Run;
use crate::event::{Asked, EventId};
use crate::traffic::{Tally, Window, main_cause};
use fixtures::name::ZoneName;
use fixtures::unit::Percent;
use std::time::Duration;

/// Events kept as evidence of one zone.
const EVIDENCE_MAX: usize = 5;

/// Requests for one operation of which not a single one was answered. Chosen: where 95 % are promised, five in a row fail
/// by chance once in three million times.
pub(super) const SILENT_MIN: u64 = 5;

/// How one zone's customers fared.
pub(super) struct Zone<'e> {
    pub(super) zone: &'e ZoneName,
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    pub(super) tally: Tally,
    pub(super) state: State,
    pub(super) text: String,
    pub(super) evidence: Vec<EventId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Kept,
    TooFew,
    /// Availability was kept, and the machine was too busy for a word on latency.
    Busy,
    Slow,
    Unavailable,
}

/// Samples without which a share of failures as small as the promise allows cannot be seen: one request must weigh no
/// more than all that may fail.
pub fn samples_for(availability: Percent) -> u64 {
    let allowed_ppm = u64::from(1_000_000_u32.saturating_sub(availability.ppm));
    1_000_000_u64.checked_div(allowed_ppm).map_or(u64::MAX, |_| 1_000_000_u64.div_ceil(allowed_ppm))
}

pub(crate) fn falls_short(answered: u64, sent: u64, promised: Percent) -> bool {
    u128::from(answered) * 1_000_000 < u128::from(sent) * u128::from(promised.ppm)
}

/// The operation that fails most, of those that do not have what is promised.
fn hidden(tally: &Tally, promised: Percent, needed: u64) -> Option<(String, Asked)> {
    let fails = |asked: &Asked| {
        let enough = asked.sent >= needed;
        (enough && falls_short(asked.answered(), asked.sent, promised))
            || (!enough && asked.sent >= SILENT_MIN && asked.answered() == 0)
    };
    let failing = tally.operations.iter().filter(|(_, asked)| fails(asked));
    let worst = failing.max_by_key(|(_, asked)| asked.failures() * 1_000 / asked.sent.max(1))?;
    Some((worst.0.clone(), worst.1.clone()))
}

impl<'a> Run<'a> {
    /// Compares one zone with the steady state, between two moments.
    pub(super) fn zone_slo(&self, zone: &'a ZoneName, start_ns: u64, end_ns: u64, needed: u64) -> Zone<'a> {
        let slo = &self.case.scenario.steady_state;
        let inside = |window: &&Window<'_>| window.zone == zone && window.inside(start_ns, end_ns);
        let windows: Vec<&Window<'_>> = self.canaries.iter().filter(inside).collect();
        let tally = Tally::of(windows.iter().copied());
        let calm: Vec<&Window<'_>> = windows.iter().copied().filter(|window| self.is_calm(window)).collect();
        let p99 = Tally::of(calm.iter().copied()).percentile_us(99).map(Duration::from_micros);
        let unavailable = falls_short(tally.answered(), tally.sent, slo.availability);
        let hidden = hidden(&tally, slo.availability, needed);
        let (state, text) = if tally.sent < needed {
            (State::TooFew, format!("{zone}: {} samples of the {needed} needed", tally.sent))
        } else if unavailable {
            let cause = tally.main_cause().map_or_else(String::new, |cause| format!(", mostly `{cause}`"));
            let promised = slo.availability;
            let text = format!(
                "{zone}: {} of {} requests answered (promised {promised}){cause}",
                tally.answered(),
                tally.sent
            );
            (State::Unavailable, text)
        } else if let Some((operation, asked)) = &hidden {
            let cause = main_cause(&asked.failed).map_or_else(String::new, |cause| format!(", mostly `{cause}`"));
            let (answered, sent, promised) = (asked.answered(), asked.sent, slo.availability);
            let text = format!(
                "{zone}: {answered} of {sent} requests for `{operation}` answered (promised {promised}){cause}"
            );
            (State::Unavailable, text)
        } else if calm.len() * 2 < windows.len() {
            let text = format!("{zone}: the control canary missed its target in most windows, so latency says nothing");
            (State::Busy, text)
        } else if let Some(p99) = p99.filter(|p99| *p99 > slo.latency_p99) {
            (State::Slow, format!("{zone}: p99 {} ms (promised {} ms)", p99.as_millis(), slo.latency_p99.as_millis()))
        } else {
            (State::Kept, format!("{zone}: {} of {} requests answered", tally.answered(), tally.sent))
        };
        let telling = windows.iter().filter(|window| state != State::Unavailable || window.failures() > 0);
        // Whoever looks for a culprit asks what those requests lacked.
        let tally = match hidden {
            Some((_, asked)) if !unavailable => Tally { failed: asked.failed, ..tally },
            _ => tally,
        };
        let evidence = telling.take(EVIDENCE_MAX).map(|window| window.event).collect();
        Zone { zone, start_ns, end_ns, tally, state, text, evidence }
    }

    /// Whether the control canary met its target all through a window. A window that no control window overlaps was
    /// not watched, and is not calm.
    fn is_calm(&self, window: &Window<'_>) -> bool {
        let target = self.case.scenario.steady_state.latency_p99 / 2;
        let overlaps = |control: &&Window<'_>| {
            control.zone == window.zone && control.start_ns < window.end_ns && control.end_ns > window.start_ns
        };
        let mut watched = false;
        for control in self.controls.iter().filter(overlaps) {
            watched = true;
            let p99 = Tally::of([control]).percentile_us(99).map(Duration::from_micros);
            if control.failures() > 0 || p99.is_some_and(|p99| p99 > target) {
                return false;
            }
        }
        watched
    }

    /// How long a stretch must be to give so many samples at the scenario's rate, in whole seconds.
    pub(super) fn seconds_for(&self, samples: u64) -> u64 {
        samples.saturating_mul(1000).div_ceil(self.case.scenario.traffic.rate.milli_per_s.max(1))
    }
}
