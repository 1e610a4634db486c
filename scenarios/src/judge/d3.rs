//! D3, deadlines. Refuses to judge whether there was enough capacity; customers tell that.
//!
//! *Statement*: nobody works for a caller who has stopped waiting.
//!
//! *Experiment*: a service has more to do than it carries, for a while.
//!
//! *Oracle*: from the first fault on, in each phase, of the requests that reached a service, at most 10 % are taken in
//! although whoever asked would not wait until their turn: that turn is spent in vain. Each request says how long its
//! caller waits. 10 %, and not none: chosen, for those whose caller had spent most of its own time before it asked.
//!
//! *Horizon*: 20 requests or more in a phase at a service that turned some away or took some in too late.
//!
//! *Inconclusive*: nothing of its own.

use super::arrivals::{Arrived, ENOUGH};
use super::culprit::{Cause, Root};
use super::finding::{Victim, sorted};
use super::{Entry, Outcome, Run};
use crate::event::Phase;
use crate::judgement::InvariantResult;
use crate::timeline::Segment;
use crate::verdict::Verdict;
use fixtures::graph::Service;
use fixtures::name::ServiceName;
use fixtures::unit::Span;
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) const ENTRY: Entry =
    Entry { id: "D3", title: "deadlines", statement: "Nobody works for a caller who has stopped waiting.", judge };

/// Share of requests that may be taken in too late.
const LATE_PERCENT_MAX: u64 = 10;

/// A service that had more to do than it carries.
struct Busy<'a> {
    service: &'a ServiceName,
    arrived: Arrived,
    segment: &'a Segment,
}

impl Busy<'_> {
    fn is_vain(&self) -> bool {
        self.arrived.late >= ENOUGH && self.arrived.late * 100 > self.arrived.received * LATE_PERCENT_MAX
    }

    fn text(&self) -> String {
        let Arrived { received, refused, late, .. } = &self.arrived;
        format!("`{}`: {late} of {received} requests taken in too late, {refused} turned away", self.service)
    }
}

fn judge(run: &Run<'_>) -> Outcome {
    let mut busy: Vec<Busy<'_>> = Vec::new();
    let judged = |segment: &&Segment| matches!(segment.phase, Phase::Outage | Phase::Recovery | Phase::Quiet);
    for segment in run.timeline.segments.iter().filter(judged) {
        let arrived = run.arrived(segment.start_ns, segment.end_ns).into_iter();
        let told = arrived.filter(|(_, arrived)| arrived.received >= ENOUGH && arrived.refused + arrived.late > 0);
        busy.extend(told.map(|(service, arrived)| Busy { service, arrived, segment }));
    }
    let bad: Vec<&Busy<'_>> = busy.iter().filter(|one| one.is_vain()).collect();
    let (verdict, reason) = if !bad.is_empty() {
        (Verdict::Violated, bad.iter().map(|one| one.text()).collect::<Vec<_>>().join("; "))
    } else if let Some(most) = busy.iter().max_by_key(|one| one.arrived.late * 1_000 / one.arrived.received) {
        (Verdict::Held, format!("at most {}", most.text()))
    } else {
        let reason = format!(
            "no service with a limit had more to do than it carries: {ENOUGH} requests or more of a surge above its capacity \
             would do"
        );
        (Verdict::NotJudged, reason)
    };
    let told: Vec<&Busy<'_>> = if bad.is_empty() { busy.iter().collect() } else { bad.clone() };
    let evidence = sorted(told.iter().flat_map(|one| one.arrived.evidence.iter().copied()));
    let thresholds = BTreeMap::from([("taken in too late".to_owned(), format!("{LATE_PERCENT_MAX}%"))]);
    let result = InvariantResult { id: ENTRY.id.to_owned(), aspect: None, verdict, reason, thresholds, evidence };
    let victims = bad.into_iter().filter_map(|one| victim(run, one)).collect();
    Outcome { results: vec![result], findings: run.findings(ENTRY.id, victims) }
}

fn victim(run: &Run<'_>, busy: &Busy<'_>) -> Option<Victim> {
    let service = run.case.graph.service(busy.service)?;
    let patience = patience(run, service);
    // Whoever has a queue lets its callers wait in it; whoever has none takes too long itself.
    let setting = if service.capacity.is_some() { "queue" } else { "work" };
    let root = Root {
        service: service.name.clone(),
        dependency: None,
        setting: Some(format!("services.{}.{setting}", service.name)),
        cause: Cause::Late,
    };
    let waits_for = format!("the requests before it, for longer than the {} that its callers wait", Span(patience));
    let told = (service.name.to_string(), waits_for, "queue");
    run.besieged((busy.service, &busy.arrived.evidence), busy.segment, told, root)
}

/// How long the most patient caller waits for one answer.
fn patience(run: &Run<'_>, service: &Service) -> Duration {
    let calls = run.case.graph.services.iter().flat_map(|caller| &caller.calls);
    let longest = calls.filter(|call| call.to == service.name).map(|call| call.timeout).max();
    longest.unwrap_or(run.case.scenario.traffic.timeout)
}
