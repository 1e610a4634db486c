//! Owns the moments by which an incident is measured: fault, first impact, first sight, power back, mitigation,
//! the region's own alarm, recovery, each with the event that shows it. Refuses to take the harness's own sight for an
//! alarm of the region.

use crate::harm::{self, Episode};
use crate::lives::{Stretch, lives};
use crate::record::Record;
use scenarios::event::{Act, By, Detail, Event, EventId, Life};
use scenarios::measure;

/// One moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Nanoseconds of the run.
    pub t_ns: u64,
    /// The same in UTC.
    pub utc: String,
    /// The event that shows it.
    pub id: EventId,
}

impl Moment {
    fn of(event: &Event) -> Self {
        Self { t_ns: event.t_ns, utc: event.utc.clone(), id: event.id }
    }

    fn window(window: &harm::Window) -> Self {
        Self { t_ns: window.t_ns, utc: window.utc.clone(), id: window.id }
    }
}

/// The moments of a run; one that was not observed is absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Moments {
    /// The first fault took effect.
    pub fault: Option<Moment>,
    /// A customer's request failed for the first time since.
    pub impact: Option<Moment>,
    /// Somebody outside saw trouble for the first time since: the witness, or a canary.
    pub seen: Option<Moment>,
    /// The region's own telemetry raised an alarm for the first time since.
    pub alarmed: Option<Moment>,
    /// The last fault was healed.
    pub healed: Option<Moment>,
    /// Customers of every zone were answered again.
    pub mitigated: Option<Moment>,
    /// Every instance that had not been active was active again, and customers were answered.
    pub recovered: Option<Moment>,
}

impl Moments {
    /// Reads them from what was observed.
    pub fn new(record: &Record, events: &[Event], episodes: &[Episode]) -> Self {
        let by_time = harm::by_time(events);
        let done =
            |event: &&&Event, wanted: Act| matches!(&event.detail, Detail::StepDone { act, .. } if *act == wanted);
        let Some(fault) = by_time.iter().find(|event| done(event, Act::Inject)) else { return Self::default() };
        let healed = by_time.iter().rev().find(|event| done(event, Act::Heal)).copied();
        let harmed: Vec<&Episode> = episodes.iter().filter(|episode| episode.first.t_ns >= fault.t_ns).collect();
        let impact = harmed.first().map(|episode| Moment::window(&episode.first));
        let seen = by_time.iter().find(|event| event.t_ns >= fault.t_ns && shows_trouble(event));
        let over = harmed.iter().all(|episode| episode.back.is_some());
        let backs = harmed.iter().filter_map(|episode| episode.back.as_ref());
        let mitigated = backs.max_by_key(|back| back.t_ns).filter(|_| over).map(Moment::window);
        let unhurt_or_over = harmed.is_empty() || mitigated.is_some();
        let active = unhurt_or_over.then(|| last_return(&lives(record, &by_time), fault.t_ns)).flatten();
        let active = active.and_then(|stretch| by_time.iter().find(|event| event.id == stretch.evidence));
        let active = active.map(|event| Moment::of(event));
        let recovered = active.map(|active| match &mitigated {
            Some(mitigated) if mitigated.t_ns > active.t_ns => mitigated.clone(),
            _ => active,
        });
        Self {
            fault: Some(Moment::of(fault)),
            impact,
            seen: seen.map(|event| Moment::of(event)),
            alarmed: measure::detection(events).map(|(_, alarm)| Moment::of(alarm)),
            healed: healed.map(Moment::of),
            mitigated,
            recovered,
        }
    }
}

/// Whether somebody outside saw that something does not work. A look at the fault itself is none: that is the harness
/// watching its own act.
fn shows_trouble(event: &Event) -> bool {
    match &event.detail {
        Detail::State { to, .. } => event.by == By::Witness && *to != Life::Active,
        Detail::Probe { outcome, .. } => event.by == By::Witness && *outcome != Life::Active,
        Detail::Canary { control: false, failed, .. } => failed.values().any(|count| *count > 0),
        _ => false,
    }
}

/// The last time that somebody who had been away since the fault became active, where at the end everybody was.
fn last_return(lives: &[Vec<Stretch>], fault_ns: u64) -> Option<Stretch> {
    let away = |life: &&Vec<Stretch>| life.iter().any(|one| one.from_ns >= fault_ns && one.life != Life::Active);
    let mut last: Option<Stretch> = None;
    for life in lives.iter().filter(away) {
        let end = life.last().filter(|end| end.life == Life::Active)?;
        if last.is_none_or(|known| known.from_ns < end.from_ns) {
            last = Some(*end);
        }
    }
    last
}
