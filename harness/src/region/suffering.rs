//! Owns the question whether a game day harms those whom it should not: customers of zones that no fault of it is aimed at.
//! Refuses to end it; whoever asks does.

use fixtures::name::ZoneName;
use scenarios::event::{By, Detail, Event, Phase};
use scenarios::plan::Plan;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// When a game day is ended for its bystanders.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// They must be answered at least this share of their requests, from 0 to 1.
    pub least: f64,
    /// Over so long.
    pub over: Duration,
}

/// Watches the customers of zones that no fault is aimed at.
#[derive(Debug, Clone)]
pub struct Watch {
    bound: Bound,
    bystanders: BTreeMap<ZoneName, VecDeque<Seen>>,
    /// Whether it is between the first power and the end: what comes before and after is not the game day's doing.
    on: bool,
}

/// What a window says.
#[derive(Debug, Clone, Copy)]
struct Seen {
    end_ns: u64,
    length_ns: u64,
    sent: u64,
    answered: u64,
}

impl Watch {
    /// Of a plan, in a region of these zones.
    pub fn new(bound: Bound, plan: &Plan, zones: impl IntoIterator<Item = ZoneName>) -> Self {
        let steps = plan.rounds.iter().flat_map(|round| &round.steps);
        let aimed: BTreeSet<&ZoneName> = steps.flat_map(|step| &step.zones).collect();
        let bystanders = zones.into_iter().filter(|zone| !aimed.contains(zone));
        Self { bound, bystanders: bystanders.map(|zone| (zone, VecDeque::new())).collect(), on: false }
    }

    /// Takes an event; a sentence where somebody has suffered enough.
    pub fn saw(&mut self, event: &Event) -> Option<String> {
        match &event.detail {
            Detail::Phase { phase, .. } => {
                self.on = !matches!(phase, Phase::Provision | Phase::Settle | Phase::Teardown | Phase::Ended);
                None
            }
            Detail::Canary { control: false, window_ns, sent, ok, degraded, .. }
                if self.on && event.by == By::Canary =>
            {
                let seen = Seen { end_ns: event.t_ns, length_ns: *window_ns, sent: *sent, answered: ok + degraded };
                self.counted(event.place.zone.as_ref()?, seen)
            }
            _ => None,
        }
    }

    fn counted(&mut self, zone: &ZoneName, seen: Seen) -> Option<String> {
        let over_ns = u64::try_from(self.bound.over.as_nanos()).unwrap_or(u64::MAX);
        let windows = self.bystanders.get_mut(zone)?;
        windows.push_back(seen);
        while windows.front().is_some_and(|first| seen.end_ns.saturating_sub(first.end_ns) >= over_ns) {
            windows.pop_front();
        }
        // A sum over less than that says nothing yet.
        let covered: u64 = windows.iter().map(|window| window.length_ns).sum();
        let (sent, answered) =
            windows.iter().fold((0, 0), |(sent, answered), one| (sent + one.sent, answered + one.answered));
        let share = answered as f64 / sent.max(1) as f64;
        (covered >= over_ns && sent > 0 && share < self.bound.least).then(|| {
            let over = fixtures::unit::Span(self.bound.over);
            format!(
                "customers of {zone}, at which no fault is aimed, got {:.1} % of their requests answered over {over}, less than {:.1} %",
                share * 100.0,
                self.bound.least * 100.0
            )
        })
    }
}
