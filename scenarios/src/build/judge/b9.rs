//! B9, opt-in. Refuses to know what a customer may do where it is known.
//!
//! *Statement*: a customer's identity reaches the region that is built only after that customer opts in, and then it does.
//!
//! *Oracle*: at the end every customer of the bootstrap region is looked for in the new region's own store. Limit: 0 who are
//! known there and did not opt in, and 0 who opted in and are not.
//!
//! *Horizon*: a build that gets as far as its audit, with a customer who did not opt in and one who did. *Inconclusive*: one
//! who could not be made known or looked for.

use super::{Build, Entry, Found, Outcome, count};
use crate::build::observed::{Building, Sought};
use crate::event::EventId;
use crate::verdict::Verdict;
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "B9",
    title: "only who opts in is known in the new region",
    statement: "A customer's identity reaches the region that is built only after that customer opts in.",
    judge,
};

fn judge(build: &Build<'_>) -> Outcome {
    let threshold = ("customers known without having asked, or unknown though they asked", "0".to_owned());
    let (mut asked, mut others) = (0_usize, 0_usize);
    let mut bad: Vec<(EventId, u64, &str, bool)> = Vec::new();
    let mut unsaid: BTreeMap<&str, (EventId, Sought)> = BTreeMap::new();
    for (event, seen) in build.seen() {
        let (customer, opted_in, known) = match seen {
            Building::Unsaid { what: what @ (Sought::Enrolment | Sought::Identity), name } => {
                unsaid.insert(name, (event.id, *what));
                continue;
            }
            Building::Identity { customer, opted_in, known } => (customer, opted_in, known),
            _ => continue,
        };
        // Who may never have been known anywhere is unknown here for another reason than a step of the build.
        if !known && unsaid.get(customer.as_str()).is_some_and(|(_, what)| *what == Sought::Enrolment) {
            continue;
        }
        unsaid.remove(customer.as_str());
        asked += usize::from(*opted_in);
        others += usize::from(!*opted_in);
        if opted_in != known {
            bad.push((event.id, event.t_ns, customer.as_str(), *known));
        }
    }
    let mut evidence: Vec<EventId> = bad.iter().map(|(event, ..)| *event).collect();
    if bad.is_empty() {
        evidence.extend(unsaid.values().map(|(event, _)| *event));
    }
    let (verdict, reason) = if !bad.is_empty() {
        (Verdict::Violated, format!("{} against their own word", count(bad.len(), "customer")))
    } else if !unsaid.is_empty() {
        let customers = count(unsaid.len(), "customer");
        (Verdict::Inconclusive, format!("{customers} could not be made known or looked for"))
    } else if others == 0 || asked == 0 {
        let reason = "nobody was looked for who had not opted in, or nobody who had: a build that gets as far as its audit \
                      would do";
        (Verdict::NotJudged, reason.to_owned())
    } else {
        (Verdict::Held, format!("{} known who opted in, and none of {others} who did not", count(asked, "customer")))
    };
    let service = build.case.estate.cast.accounts.clone();
    let findings = bad.first().zip(service).map(|((_, since_ns, customer, known), service)| {
        let how = if *known { "is known in the new region and did not opt in" } else { "opted in and is not known" };
        let text = format!("{customer}, of {}, {how}: the step `copy.opt-in` decides", count(bad.len(), "customer"));
        let (dependency, setting, affected) = (None, "copy.opt-in".to_owned(), Vec::new());
        Found { service, dependency, setting, text, affected, since_ns: *since_ns, evidence: evidence.clone() }
    });
    let findings = findings.into_iter().collect();
    Outcome { verdict, reason, threshold, evidence, findings }
}
