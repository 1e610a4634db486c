//! Owns what is known of conditions: since when each has been well. Refuses to ask; that is a command.

use super::{Command, Duration};
use crate::schedule::Condition;

/// What is known of one condition.
#[derive(Debug, Clone, Default)]
struct Known {
    last: Option<Result<(), String>>,
    well_since: Option<Duration>,
    asked: Option<Duration>,
    waiting: bool,
}

/// What is known of all.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    known: Vec<Known>,
    armed: bool,
}

impl Watch {
    pub(super) fn new(conditions: usize) -> Self {
        Self { known: vec![Known::default(); conditions], armed: false }
    }

    pub(super) fn last(&self) -> impl Iterator<Item = Option<&Result<(), String>>> {
        self.known.iter().map(|known| known.last.as_ref())
    }

    pub(super) fn is_armed(&self) -> bool {
        self.armed
    }

    pub(super) fn answered(&mut self, condition: usize, well: Result<(), String>, at: Duration) {
        let Some(known) = self.known.get_mut(condition) else { return };
        known.waiting = false;
        known.well_since = well.is_ok().then(|| known.well_since.unwrap_or(at));
        known.last = Some(well);
    }

    /// Asks those that are wanted, each as often as it says; what is known of the others is forgotten: nobody looked.
    pub(super) fn ask(
        &mut self,
        conditions: &[Condition],
        wanted: &[usize],
        now: Duration,
        commands: &mut Vec<Command>,
    ) {
        self.armed = !wanted.is_empty();
        for (place, (condition, known)) in conditions.iter().zip(&mut self.known).enumerate() {
            if !wanted.contains(&place) {
                let waiting = known.waiting;
                *known = Known { waiting, ..Known::default() };
            } else if !known.waiting && known.asked.is_none_or(|asked| now >= asked + condition.every) {
                (known.asked, known.waiting) = (Some(now), true);
                commands.push(Command::Probe { condition: place });
            }
        }
    }

    /// The first of some that is not well.
    pub(super) fn bad(&self, conditions: &[Condition], of: &[usize]) -> Option<String> {
        of.iter().find_map(|&place| match &self.known.get(place)?.last {
            Some(Err(what)) => Some(format!("`{}` is not well: {what}", conditions[place].name)),
            _ => None,
        })
    }

    /// The first of some that has not been well for long enough.
    pub(super) fn unready(&self, conditions: &[Condition], of: &[usize], now: Duration) -> Option<String> {
        if let Some(bad) = self.bad(conditions, of) {
            return Some(bad);
        }
        of.iter().find_map(|&place| {
            let (condition, known) = (&conditions[place], &self.known[place]);
            let well = known.well_since.map(|since| now.saturating_sub(since));
            let enough = well.is_some_and(|well| well >= condition.well_for);
            let for_now = fixtures::unit::Span(Duration::from_secs(well.unwrap_or_default().as_secs()));
            (!enough).then(|| {
                let wanted = fixtures::unit::Span(condition.well_for);
                format!("`{}` has been seen well for {for_now} of {wanted}", condition.name)
            })
        })
    }
}
