//! Owns the steps of the present round: which are still to be done, and when each is due. Refuses to carry any out.
//!
//! Most steps are due at a moment of their round. Those of a fault that waits for something to be observed are due so
//! long after that; until then they have no time.

use super::Nanos;
use fixtures::name::{ServiceName, ZoneName};
use scenarios::event::{Act, Life};
use scenarios::plan::{Round, Step};

/// What is to be done in a round.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    items: Vec<Item>,
}

#[derive(Debug)]
struct Item {
    step: Step,
    due: Option<Nanos>,
}

fn after(moment: Nanos, step: &Step) -> Nanos {
    moment.saturating_add(step.at_ms.saturating_mul(1_000_000))
}

impl Agenda {
    /// The agenda of a round that begins at `begun`.
    pub(super) fn new(round: &Round, begun: Nanos) -> Self {
        let item = |step: &Step| Item { step: step.clone(), due: step.after.is_none().then(|| after(begun, step)) };
        Self { items: round.steps.iter().map(item).collect() }
    }

    /// An instance of a service in a zone has become something: what waited for it is due so long from now.
    pub(super) fn observed(&mut self, now: Nanos, service: &ServiceName, zone: &ZoneName, becomes: Life) {
        for item in self.items.iter_mut().filter(|item| item.due.is_none()) {
            let waits = item.step.after.as_ref().is_some_and(|wanted| {
                &wanted.service == service
                    && wanted.becomes == becomes
                    && wanted.zone.as_ref().is_none_or(|wanted| wanted == zone)
            });
            if waits {
                item.due = Some(after(now, &item.step));
            }
        }
    }

    /// When the next step is due, if the time of any is known.
    pub(super) fn next_due(&self) -> Option<Nanos> {
        self.items.iter().filter_map(|item| item.due).min()
    }

    /// Takes the step that is due, the earliest first; of equally early ones the one that the plan names first.
    pub(super) fn take_due(&mut self, now: Nanos) -> Option<Step> {
        let due = self.next_due().filter(|due| *due <= now)?;
        let position = self.items.iter().position(|item| item.due == Some(due))?;
        Some(self.items.remove(position).step)
    }

    /// Faults that still wait for what never came; they are given up.
    pub(super) fn give_up(&mut self) -> Vec<String> {
        let mut faults: Vec<String> = self.items.drain(..).map(|item| item.step.fault).collect();
        faults.dedup();
        faults
    }

    /// Leaves out what would begin a rollout elsewhere, and the end of that; what has begun ends now. Returns the steps left
    /// out that would have begun something.
    pub(super) fn stop(&mut self, now: Nanos, is_of_it: impl Fn(&Step) -> bool) -> Vec<String> {
        let begins = |item: &&Item| is_of_it(&item.step) && item.step.act == Act::Inject;
        let left_out: Vec<String> = self.items.iter().filter(begins).map(|item| item.step.id.clone()).collect();
        self.items.retain(|item| !left_out.contains(&item.step.id) && !left_out.contains(&item.step.pair));
        for item in self.items.iter_mut().filter(|item| is_of_it(&item.step)) {
            item.due = Some(now);
        }
        left_out
    }

    /// Whether nothing is left to do.
    pub(super) fn is_done(&self) -> bool {
        self.items.is_empty()
    }
}
