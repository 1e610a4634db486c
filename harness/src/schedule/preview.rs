//! Owns the calendar ahead: what would be run when, and what would be refused. Refuses to know what conditions will say.

use super::keeper::slot_after;
use super::ledger::{Choice, Entry, Ledger, Slot};
use super::moment::Moment;
use super::rotation::choose;
use super::{Plan, Reason};
use serde::Serialize;

/// One line of the calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ahead {
    /// What it is due for.
    pub slot: Slot,
    /// When it begins.
    pub begins: Moment,
    /// The same where the schedule is at home.
    pub local: String,
    /// What would be run.
    pub choice: Choice,
    /// Why it will be refused, as far as the calendar can tell.
    pub refused: Option<String>,
}

/// The next slots of all schedules, in the order of their beginnings. What is refused does not count as run, so that the
/// rotation goes on from there.
pub fn preview(plan: &Plan, ledger: &Ledger, now: Moment, wanted: usize) -> Vec<Ahead> {
    let mut ledger = ledger.clone();
    for schedule in &plan.schedules {
        let until = ledger.accounted_until(&schedule.name).unwrap_or(now).max(now);
        ledger.apply(&Entry::Accounted { schedule: schedule.name.clone(), until });
    }
    let mut ahead = Vec::new();
    while ahead.len() < wanted {
        let next = plan.schedules.iter().filter_map(|schedule| {
            let (slot, at) = slot_after(schedule, ledger.accounted_until(&schedule.name)?)?;
            Some((at, slot, schedule))
        });
        let Some((at, slot, schedule)) = next.min_by_key(|(at, ..)| *at) else { break };
        let Some(choice) = choose(schedule, &ledger, &slot) else { break };
        let refused = schedule.windows.fits(at, schedule.takes_at_most).err();
        let entry = match &refused {
            Some(why) => Entry::Refused { slot: slot.clone(), slots: 1, reason: Reason::Window, why: why.clone(), at },
            None => {
                let (slot, choice) = (Some(slot.clone()), choice.clone());
                Entry::Begun { run: "to come".to_owned(), slot, by: None, choice, at }
            }
        };
        ledger.apply(&entry);
        let local = schedule.windows.zone.local(at);
        ahead.push(Ahead { slot, begins: at, local, choice, refused });
    }
    ahead
}
