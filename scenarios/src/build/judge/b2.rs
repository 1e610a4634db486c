//! B2, nothing crosses the border after the access list. Refuses to know what was sent.
//!
//! *Statement*: from the access list on nobody on either side of the border so much as tries to reach the other.
//!
//! *Oracle*: calls that the hand saw at the border after it refused, by caller. Limit: 0.
//!
//! *Horizon*: a border that refuses, and a bake after it.

use super::{Build, Callers, Entry, Outcome, count};
use crate::build::observed::Building;
use crate::build::plan::Border;
use crate::event::EventId;
use crate::verdict::Verdict;

pub(super) const ENTRY: Entry = Entry {
    id: "B2",
    title: "nothing crosses the border after the access list",
    statement: "From the access list on nobody on either side of the border so much as tries to reach the other.",
    judge,
};

/// Nothing is done in it, and everything is looked at.
const BAKE: &str = "border.bake";

fn judge(build: &Build<'_>) -> Outcome {
    let threshold = ("calls over the border", "0".to_owned());
    let Some(refused_at) = build.border(Border::Refused) else {
        let reason = "the border was never closed: a build that gets as far as its access list would do".to_owned();
        return Outcome { verdict: Verdict::NotJudged, reason, threshold, evidence: Vec::new(), findings: Vec::new() };
    };
    let mut callers = Callers::default();
    let mut calls = 0;
    let mut evidence: Vec<EventId> = Vec::new();
    for (event, seen) in build.seen() {
        // What was seen of calls is told in sums of a second: the first after the border closed may speak of before, and
        // speaks of refused ones alone.
        if let Building::Flow { to, crosses: true, refused, .. } = seen
            && event.t_ns >= refused_at
            && *refused > 0
        {
            callers.add(build, event, to, *refused);
            calls += refused;
            evidence.push(event.id);
        }
    }
    let cut_at = build.border(Border::Cut);
    let findings = callers.found(|service, to, calls| {
        let when = if cut_at.is_some() { "after the access list" } else { "after the access list and before the cut" };
        format!("`{service}` called `{to}` on the other side of the border {calls} times {when}")
    });
    // Whoever tries rarely has not tried yet when the border has just been closed.
    let is_baked = build.case.plan.place(BAKE).is_none_or(|_| build.is_over(BAKE));
    let (verdict, reason) = if calls == 0 && !is_baked {
        let reason = "nobody tried to cross the border so far: a build that gets through its bake would do".to_owned();
        (Verdict::NotJudged, reason)
    } else if calls == 0 {
        (Verdict::Held, "nobody tried to cross the border after the access list".to_owned())
    } else {
        let calls = count(usize::try_from(calls).unwrap_or(usize::MAX), "call");
        (Verdict::Violated, format!("{calls} over the border by {}", count(findings.len(), "edge")))
    };
    Outcome { verdict, reason, threshold, evidence, findings }
}
