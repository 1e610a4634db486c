//! Owns what customers of one zone get: their canary's last windows, sums since the beginning, and when they began and
//! ceased to be harmed. Refuses to know the zone's hosts.

use super::now::Weight;
use crate::text::clean;
use fixtures::name::ZoneName;
use scenarios::event::{Detail, Event};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Windows of a zone that are kept: two minutes of one second each.
pub const WINDOWS_MAX: usize = 120;

/// Windows in which everything was answered, one after the other, before customers count as served again: a zone that
/// fails every second time is not back.
const BACK_AFTER: u32 = 3;

/// What customers of one zone get.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Customers {
    /// Requests since the beginning.
    pub sent: u64,
    /// Of those, answered, in full or degraded.
    pub answered: u64,
    /// The last windows, oldest first.
    pub windows: VecDeque<Window>,
    /// Whether they fail, and in how many windows since the last failure everything was answered.
    #[serde(skip)]
    failing: Option<u32>,
}

/// One window of a canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[u64; 6]", into = "[u64; 6]")]
pub struct Window {
    /// Its end.
    pub t_ms: u64,
    /// Its length.
    pub over_ms: u64,
    /// Requests.
    pub sent: u64,
    /// Of those, answered, in full or degraded.
    pub answered: u64,
    /// Of those, degraded.
    pub degraded: u64,
    /// The 99th percentile of latency, in microseconds; 0 where nothing was answered.
    pub p99_us: u64,
}

impl From<[u64; 6]> for Window {
    fn from([t_ms, over_ms, sent, answered, degraded, p99_us]: [u64; 6]) -> Self {
        Self { t_ms, over_ms, sent, answered, degraded, p99_us }
    }
}

impl From<Window> for [u64; 6] {
    fn from(window: Window) -> Self {
        [window.t_ms, window.over_ms, window.sent, window.answered, window.degraded, window.p99_us]
    }
}

/// What a window says that the one before did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing.
    Nothing,
    /// Customers begin to fail.
    Harmed { failed: u64, sent: u64, cause: String },
    /// Everything has been answered again for a while.
    Back,
}

/// Words for an entry of the timeline.
pub(super) struct Words {
    pub(super) weight: Weight,
    pub(super) text: String,
}

impl Said {
    /// As the timeline of a report tells it.
    pub(super) fn words(self, zone: &ZoneName) -> Option<Words> {
        match self {
            Self::Nothing => None,
            Self::Harmed { failed, sent, cause } => {
                let cause = if cause.is_empty() { "no answer".to_owned() } else { clean(&cause) };
                let text = format!("customers in {zone}: first failures, {failed} of {sent} requests ({cause})");
                Some(Words { weight: Weight::Bad, text })
            }
            Self::Back => {
                let text = format!("customers in {zone}: every request answered again");
                Some(Words { weight: Weight::Good, text })
            }
        }
    }
}

impl Customers {
    /// Takes a window in; `None` where the event is none.
    pub(super) fn take(&mut self, event: &Event) -> Option<Said> {
        let Detail::Canary { window_ns, sent, ok, degraded, failed, latency_us, .. } = &event.detail else {
            return None;
        };
        let answered = ok.saturating_add(*degraded);
        let window = Window {
            t_ms: event.t_ns / 1_000_000,
            over_ms: window_ns / 1_000_000,
            sent: *sent,
            answered,
            degraded: *degraded,
            p99_us: p99(latency_us),
        };
        self.sent = self.sent.saturating_add(*sent);
        self.answered = self.answered.saturating_add(answered);
        self.push(window);
        let named = failed.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
        let failures = sent.saturating_sub(answered).max(named);
        Some(match &mut self.failing {
            own @ None if failures > 0 => {
                *own = Some(0);
                let cause = failed.iter().max_by_key(|(_, count)| **count).map(|(cause, _)| cause.clone());
                Said::Harmed { failed: failures, sent: *sent, cause: cause.unwrap_or_default() }
            }
            Some(good) if failures > 0 => {
                *good = 0;
                Said::Nothing
            }
            // A window in which nothing was sent shows nobody that service is back.
            Some(good) if *sent > 0 => {
                *good += 1;
                if *good < BACK_AFTER {
                    return Some(Said::Nothing);
                }
                self.failing = None;
                Said::Back
            }
            _ => Said::Nothing,
        })
    }

    fn push(&mut self, window: Window) {
        self.windows.push_back(window);
        if self.windows.len() > WINDOWS_MAX {
            self.windows.pop_front();
        }
    }

    /// The sums, and so many of the last windows.
    pub(super) fn last(&self, count: usize) -> Self {
        let windows = self.windows.iter().skip(self.windows.len().saturating_sub(count)).copied().collect();
        Self { sent: self.sent, answered: self.answered, windows, failing: None }
    }

    /// Takes over newer sums and further windows.
    pub(super) fn apply(&mut self, more: &Self) {
        (self.sent, self.answered) = (more.sent, more.answered);
        more.windows.iter().for_each(|window| self.push(*window));
    }

    /// Requests and answers of the last so many milliseconds before a moment.
    pub fn lately(&self, t_ms: u64, over_ms: u64) -> (u64, u64) {
        let recent = self.windows.iter().filter(|window| window.t_ms.saturating_add(over_ms) > t_ms);
        recent.fold((0, 0), |(sent, answered), one| (sent + one.sent, answered + one.answered))
    }
}

/// From buckets of upper bounds and counts.
fn p99(latency_us: &[(u64, u64)]) -> u64 {
    let all = latency_us.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
    let rank = all - all / 100;
    let mut below = 0_u64;
    for (bound, count) in latency_us {
        below = below.saturating_add(*count);
        if below >= rank && all > 0 {
            return *bound;
        }
    }
    0
}
