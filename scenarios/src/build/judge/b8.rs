//! B8, residency. Refuses to know what a country's law says, and to judge data that is not marked.
//!
//! *Statement*: data that is marked for a country never leaves its zone.
//!
//! *Oracle*: requests with such data that the hand saw on their way out of the zone, by caller; one that did not get through
//! because the link was cut counts as well. Limit: 0.
//!
//! *Horizon*: data that was marked, in a local zone. *Inconclusive*: a store outside that did not say what it has.

use super::{Build, Callers, Entry, Outcome, count};
use crate::build::observed::{Building, ObjectState, Sought};
use crate::event::EventId;
use crate::verdict::Verdict;

pub(super) const ENTRY: Entry = Entry {
    id: "B8",
    title: "marked data never leaves its zone",
    statement: "Data that is marked for a country never leaves its zone.",
    judge,
};

fn judge(build: &Build<'_>) -> Outcome {
    let threshold = ("values that left", "0".to_owned());
    let mut callers = Callers::default();
    let mut marked = 0_usize;
    let (mut evidence, mut unsaid): (Vec<EventId>, Vec<EventId>) = (Vec::new(), Vec::new());
    for (event, seen) in build.seen() {
        match seen {
            Building::Object { state: ObjectState::Marked, .. } => marked += 1,
            Building::Left { to, .. } => {
                callers.add(build, event, to, 1);
                evidence.push(event.id);
            }
            Building::Unsaid { what: Sought::Marked, .. } => unsaid.push(event.id),
            _ => {}
        }
    }
    let left = evidence.len();
    let findings = callers.found(|service, to, times| {
        format!("`{service}` sent data that is marked for its country to `{to}`, out of its zone, {times} times")
    });
    let (verdict, reason) = if left > 0 {
        (Verdict::Violated, format!("{} with marked data out of the zone", count(left, "request")))
    } else if marked == 0 {
        (Verdict::NotJudged, "no data was marked for a country: the build of a local zone would do".to_owned())
    } else if !unsaid.is_empty() {
        let stores = count(unsaid.len(), "store");
        evidence = unsaid;
        (Verdict::Inconclusive, format!("{stores} outside the zone did not say whether marked data is there"))
    } else {
        (Verdict::Held, format!("{} marked for their country, and none left its zone", count(marked, "value")))
    };
    Outcome { verdict, reason, threshold, evidence, findings }
}
