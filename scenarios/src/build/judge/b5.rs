//! B5, nothing leans on what stood in for something once that is gone. Refuses to judge who leans on it before.
//!
//! *Statement*: after the Franken instance, the proxies, and what stood in for a zone are gone nobody asks them for anything.
//!
//! *Oracle*: calls to any of them that the hand saw after the step that took their power. Limit: 0.
//!
//! *Horizon*: a build that shuts one of them down.

use super::{Build, Callers, Entry, Outcome, count};
use crate::build::observed::{Building, FlowEnd, StepState};
use crate::event::EventId;
use crate::verdict::Verdict;

pub(super) const ENTRY: Entry = Entry {
    id: "B5",
    title: "nothing leans on what is gone",
    statement: "After the Franken instance and the proxies are gone nobody asks them for anything.",
    judge,
};

/// What was seen of calls is told in sums of a second.
const TOLD_EVERY_NS: u64 = 1_000_000_000;

fn judge(build: &Build<'_>) -> Outcome {
    let threshold = ("calls to what is gone", "0".to_owned());
    let gone = |id: &str| build.step(id, StepState::Done).map(|(at, _)| at + TOLD_EVERY_NS);
    let (proxies, franken, stand_in) = (gone("proxies.off"), gone("shutdown.hosts"), gone("migrate.stand-in.off"));
    if proxies.is_none() && franken.is_none() && stand_in.is_none() {
        let reason = "nothing that stood in for something was shut down: a build that gets as far would do".to_owned();
        return Outcome { verdict: Verdict::NotJudged, reason, threshold, evidence: Vec::new(), findings: Vec::new() };
    }
    let mut callers = Callers::default();
    let mut calls = 0;
    let mut evidence: Vec<EventId> = Vec::new();
    for (event, seen) in build.seen() {
        let Building::Flow { to, end, calls: number, .. } = seen else { continue };
        let since = match end {
            FlowEnd::Proxy => proxies,
            FlowEnd::Franken => franken,
            FlowEnd::Network => stand_in,
            _ => None,
        };
        if since.is_some_and(|since| event.t_ns > since) {
            callers.add(build, event, to, *number);
            calls += number;
            evidence.push(event.id);
        }
    }
    let findings = callers.found(|service, to, calls| {
        format!("`{service}` asked what stood in for `{to}` {calls} times after it was gone")
    });
    let (verdict, reason) = if calls == 0 {
        (Verdict::Held, "nobody asked what had stood in for something after it was gone".to_owned())
    } else {
        let calls = count(usize::try_from(calls).unwrap_or(usize::MAX), "call");
        (Verdict::Violated, format!("{calls} to what was gone by {}", count(findings.len(), "edge")))
    };
    Outcome { verdict, reason, threshold, evidence, findings }
}
