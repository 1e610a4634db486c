//! Owns the order of faults as written: what each waits for is there, none waits for itself, and somebody begins. Refuses
//! to look at anything else of them, so that a fault with other mistakes is in order all the same.

use super::Problems;
use crate::raw::{RawAfter, RawFault};
use fixtures::decode::Located;
use fixtures::nearest::nearest;
use std::ops::Range;

/// A fault's name, and what it waits for, with the place.
struct Waiting<'r> {
    name: Option<&'r str>,
    after: Option<(&'r RawAfter, Range<usize>)>,
}

pub(super) fn check(list: &[Located<RawFault>], problems: &mut Problems<'_>) {
    let waiting: Vec<Waiting<'_>> = list.iter().map(|fault| one(fault.get())).collect();
    references(&waiting, problems);
    triggers(&waiting, problems);
}

fn one(raw: &RawFault) -> Waiting<'_> {
    Waiting {
        name: raw.name.as_ref().map(|name| name.get().as_str()),
        after: raw.after.as_ref().map(|after| (after.get(), after.span())),
    }
}

/// Every `after` names another fault, and none goes round in a circle.
fn references(waiting: &[Waiting<'_>], problems: &mut Problems<'_>) {
    let names: Vec<&str> = waiting.iter().filter_map(|one| one.name).collect();
    for one in waiting {
        let Some((RawAfter::Round(after), span)) = &one.after else { continue };
        if !names.contains(&after.as_str()) {
            let help = match nearest(after, names.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("faults here: {}", names.join(", ")),
            };
            // A name that was no text was told of, and may be the one that is meant.
            if names.len() == waiting.len() {
                problems.error("unknown-fault", span.clone(), format!("no fault `{after}`"), help);
            }
        } else if let Some(name) = one.name.filter(|name| in_circle(waiting, after, name)) {
            let message = format!("`{name}` comes after itself");
            problems.error("after-cycle", span.clone(), message, "leave `after` out at the fault that comes first");
        }
    }
}

/// A fault that waits for an event waits for the effect of another one: by itself nothing changes.
fn triggers(waiting: &[Waiting<'_>], problems: &mut Problems<'_>) {
    let unread = problems.removed.iter().any(|removed| removed.key == "after");
    if unread || waiting.iter().any(|one| one.after.is_none()) {
        return;
    }
    for one in waiting {
        let Some((RawAfter::Event(_), span)) = &one.after else { continue };
        let message = match one.name {
            Some(name) => format!("`{name}` waits for an event, and nothing happens before it"),
            None => "this fault waits for an event, and nothing happens before it".to_owned(),
        };
        problems.error("trigger-alone", span.clone(), message, "add the fault that brings the event about");
    }
}

/// Whether the way from one fault to what it waits for, and so on, comes to `start`.
fn in_circle(waiting: &[Waiting<'_>], first: &str, start: &str) -> bool {
    let mut here = first;
    for _ in waiting {
        if here == start {
            return true;
        }
        let Some(one) = waiting.iter().find(|one| one.name == Some(here)) else { return false };
        let Some((RawAfter::Round(after), _)) = &one.after else { return false };
        here = after;
    }
    false
}
