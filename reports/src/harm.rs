//! Owns when customers were hurt: for each zone, its canary's first failing window after a fault, and the end of the
//! failing. Refuses to know why, and looks at nothing but canaries that stand for customers.

use crate::record::Record;
use fixtures::name::ZoneName;
use scenarios::event::{Act, Detail, Event, EventId, Phase};
use std::collections::BTreeMap;

/// One window of a zone's customers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The event.
    pub id: EventId,
    /// End of the window.
    pub t_ns: u64,
    /// The same in UTC.
    pub utc: String,
    /// Its length.
    pub window_ns: u64,
    /// Requests sent.
    pub sent: u64,
    /// Requests that were not answered.
    pub failed: u64,
    /// The commonest cause of failure.
    pub cause: String,
}

/// Failing of one zone's customers between two outages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode {
    /// The zone.
    pub zone: ZoneName,
    /// The first failing window.
    pub first: Window,
    /// The last failing window.
    pub last: Window,
    /// The window after the last failing one; absent where customers still failed when nobody looked any more.
    pub back: Option<Window>,
    /// Requests sent from the first failing window to the last.
    pub sent: u64,
    /// Of those, failed.
    pub failed: u64,
}

impl Episode {
    /// Beginning of the first failing window to the end of the last.
    pub fn length_ns(&self) -> u64 {
        self.last.t_ns.saturating_sub(self.first.t_ns).saturating_add(self.first.window_ns)
    }
}

/// Events by the time at which they were seen; the journal has them by arrival.
pub(crate) fn by_time(events: &[Event]) -> Vec<&Event> {
    let mut sorted: Vec<&Event> = events.iter().collect();
    sorted.sort_by_key(|event| (event.t_ns, event.id));
    sorted
}

/// The event as a customer's window, where it is one.
fn window(event: &Event) -> Option<(&ZoneName, Window)> {
    let Detail::Canary { control: false, window_ns, sent, ok, degraded, failed, .. } = &event.detail else {
        return None;
    };
    // A request that nobody answered in any way counts as failed although no cause names it.
    let unanswered = sent.saturating_sub(ok.saturating_add(*degraded));
    let named = failed.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
    let cause = failed.iter().max_by_key(|(_, count)| **count).map(|(cause, _)| cause.clone()).unwrap_or_default();
    let window = Window {
        id: event.id,
        t_ns: event.t_ns,
        utc: event.utc.clone(),
        window_ns: *window_ns,
        sent: *sent,
        failed: unanswered.max(named),
        cause,
    };
    event.place.zone.as_ref().map(|zone| (zone, window))
}

/// Every zone's failing, by the time of its first failing window. A new outage phase begins new episodes.
pub fn episodes(events: &[Event]) -> Vec<Episode> {
    let mut open: BTreeMap<ZoneName, Episode> = BTreeMap::new();
    let mut closed = Vec::new();
    for event in by_time(events) {
        if matches!(event.detail, Detail::Phase { phase: Phase::Outage, .. }) {
            closed.extend(std::mem::take(&mut open).into_values());
        }
        let Some((zone, window)) = window(event) else { continue };
        match open.get_mut(zone) {
            None if window.failed > 0 => {
                let (sent, failed) = (window.sent, window.failed);
                let first = window.clone();
                open.insert(
                    zone.clone(),
                    Episode { zone: zone.clone(), first, last: window, back: None, sent, failed },
                );
            }
            None => {}
            Some(episode) if window.failed > 0 => {
                episode.sent = episode.sent.saturating_add(window.sent);
                episode.failed = episode.failed.saturating_add(window.failed);
                episode.last = window;
                episode.back = None;
            }
            // A window in which nothing was sent shows nobody that service is back.
            Some(episode) if window.sent > 0 => {
                episode.back.get_or_insert(window);
            }
            Some(_) => {}
        }
    }
    closed.extend(open.into_values());
    closed.sort_by_key(|episode| (episode.first.t_ns, episode.first.id));
    closed
}

/// When the first fault took effect, by the clock of the run; its beginning where there was none.
fn fault_ns<'a>(events: impl IntoIterator<Item = &'a Event>) -> u64 {
    let done = |event: &&Event| matches!(&event.detail, Detail::StepDone { act: Act::Inject, .. });
    events.into_iter().filter(done).map(|event| event.t_ns).min().unwrap_or(0)
}

/// The failing since the first fault took effect: before it a region is still getting up. Without a fault all of it.
pub fn since_fault(events: &[Event]) -> Vec<Episode> {
    let fault_ns = fault_ns(events);
    let mut all = episodes(events);
    all.retain(|episode| episode.last.t_ns >= fault_ns);
    all
}

/// First and last canary window of each zone: the events that its figures are counted from.
pub(crate) fn windows_by_zone(events: &[Event]) -> BTreeMap<ZoneName, (EventId, EventId)> {
    let mut zones: BTreeMap<ZoneName, (EventId, EventId)> = BTreeMap::new();
    for event in by_time(events) {
        if let Some((zone, window)) = window(event) {
            zones.entry(zone.clone()).or_insert((window.id, window.id)).1 = window.id;
        }
    }
    zones
}

/// Time that a zone's customers spent below a target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Below {
    /// Windows below it, added up.
    pub ns: u64,
    /// The first and the last of them.
    pub evidence: Vec<EventId>,
}

/// Windows since the first fault in which fewer requests than the target share (in parts per million) were answered, by
/// zone: a region that is still getting up is below every target, and nobody's harm.
pub fn below(events: &[Event], target_ppm: u32) -> BTreeMap<ZoneName, Below> {
    let mut zones: BTreeMap<ZoneName, Below> = BTreeMap::new();
    let fault_ns = fault_ns(events);
    for event in by_time(events).into_iter().filter(|event| event.t_ns >= fault_ns) {
        let Some((zone, window)) = window(event) else { continue };
        let answered = u128::from(window.sent.saturating_sub(window.failed));
        if answered * 1_000_000 < u128::from(window.sent) * u128::from(target_ppm) {
            let below = zones.entry(zone.clone()).or_default();
            below.ns = below.ns.saturating_add(window.window_ns);
            below.evidence.truncate(1);
            below.evidence.push(window.id);
        }
    }
    zones
}

/// Answers to a zone's customers since the first fault that came later than was promised.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Late {
    /// Answers that came too late.
    pub late: u64,
    /// All answers.
    pub answered: u64,
    /// The first and the last window with a late one; of an undisturbed zone the first and the last of all.
    pub evidence: Vec<EventId>,
}

/// What a run promised as the 99th percentile of latency: as written, and in microseconds.
pub(crate) fn promised_latency(record: &Record) -> Option<(&str, u64)> {
    let value = &record.parameters.get("steady-state.latency-p99")?.value;
    let span = fixtures::unit::Span::try_from(value.clone()).ok()?;
    Some((value, u64::try_from(span.0.as_micros()).unwrap_or(u64::MAX)))
}

/// Answers later than a promise, by zone. A latency is known by the upper bound of its bucket, as the judge takes it.
pub fn late(by_time: &[&Event], promised_us: u64) -> BTreeMap<ZoneName, Late> {
    let mut zones: BTreeMap<ZoneName, Late> = BTreeMap::new();
    let fault_ns = fault_ns(by_time.iter().copied());
    for event in by_time.iter().filter(|event| event.t_ns >= fault_ns) {
        let (Detail::Canary { control: false, latency_us, .. }, Some(zone)) = (&event.detail, &event.place.zone) else {
            continue;
        };
        let own = zones.entry(zone.clone()).or_default();
        let late_before = own.late;
        for (bound, count) in latency_us {
            own.answered = own.answered.saturating_add(*count);
            own.late = own.late.saturating_add(if *bound > promised_us { *count } else { 0 });
        }
        if late_before == 0 && own.late > 0 {
            own.evidence.clear();
        }
        if late_before == 0 || own.late > late_before {
            own.evidence.truncate(1);
            own.evidence.push(event.id);
        }
    }
    zones
}
