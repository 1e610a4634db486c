//! R2, no thundering herd. Refuses to count what is asked of somebody dark: that reaches nobody.
//!
//! *Statement*: who waits to start does not hammer those who grant what it needs.
//!
//! *Experiment*: many start while what they need cannot be granted yet, because whoever grants it waits for something too.
//!
//! *Oracle*: in an outage or a recovery, the asks for needs that an instance counts in about a second <= 10 x the instances
//! that can ask it. 10: a pause of 50 ms that doubles up to 500 ms, with full jitter, makes six asks in its first second and
//! fewer in each that follows (<https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter>); who
//! does not back off makes a hundred.
//!
//! *Horizon*: an instance that grants something was asked in such a second, and somebody had to ask it again: twice as often
//! as there are instances that can.
//!
//! *Inconclusive*: nothing of its own.

use super::culprit::{Cause, Root, Trace};
use super::finding::{Victim, sorted};
use super::{Entry, Outcome, Run};
use crate::event::{Detail, Event, Phase};
use crate::judgement::{InvariantResult, Link};
use crate::verdict::Verdict;
use fixtures::graph::Need;
use fixtures::name::ServiceName;
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "R2",
    title: "no thundering herd",
    statement: "Who waits to start does not hammer those who grant what it needs.",
    judge,
};

/// Asks in a second, for each instance that can ask.
const EACH_MAX: u64 = 10;
/// As many of them say that somebody had to ask again.
const EACH_TELLING: u64 = 2;
/// A time that is told must be about a second, or one ask in a moment would count for a thousand.
const SECOND_NS: u64 = 1_000_000_000;

/// What one instance was asked in about a second.
struct Asked<'a> {
    event: &'a Event,
    instance: usize,
    asks: u64,
    /// Instances that can ask it.
    askers: u64,
}

impl Asked<'_> {
    fn is_too_much(&self) -> bool {
        self.asks > EACH_MAX * self.askers
    }

    fn text(&self, run: &Run<'_>) -> String {
        let name = &run.case.placement.instances[self.instance].name;
        format!("`{name}` was asked {} times in a second by {} instance(s)", self.asks, self.askers)
    }
}

fn judge(run: &Run<'_>) -> Outcome {
    let stretches = [Phase::Outage, Phase::Recovery].into_iter().flat_map(|phase| run.timeline.of_phase(phase));
    let stretches: Vec<(u64, u64)> = stretches.map(|one| (one.start_ns, one.end_ns)).collect();
    let within = |event: &&Event| stretches.iter().any(|(from, to)| (*from..=*to).contains(&event.t_ns));
    let asked: Vec<Asked<'_>> = run.events.iter().filter(within).filter_map(|event| asked(run, event)).collect();
    let bad: Vec<&Asked<'_>> = asked.iter().filter(|one| one.is_too_much()).collect();
    let most = |of: &[&Asked<'_>]| of.iter().max_by_key(|one| one.asks * 1_000 / one.askers).map(|one| one.text(run));
    let all: Vec<&Asked<'_>> = asked.iter().collect();
    let (verdict, reason) = if let Some(text) = most(&bad) {
        (Verdict::Violated, format!("at most, {text}"))
    } else if let Some(text) = most(&all) {
        (Verdict::Held, format!("at most, {text}"))
    } else {
        let reason =
            "nobody was asked again for what it could not grant yet: a start of several instances, 3 s before \
                      whoever grants what they need can do that, would do"
                .to_owned();
        (Verdict::NotJudged, reason)
    };
    let told = if bad.is_empty() { &all } else { &bad };
    let evidence = sorted(told.iter().take(5).map(|one| one.event.id));
    let thresholds = BTreeMap::from([("asks in a second, each".to_owned(), EACH_MAX.to_string())]);
    let result = InvariantResult { id: ENTRY.id.to_owned(), aspect: None, verdict, reason, thresholds, evidence };
    let victims = bad.iter().filter_map(|one| victim(run, one)).collect();
    Outcome { results: vec![result], findings: run.findings(ENTRY.id, victims) }
}

/// What an event tells of asks, where they say something.
fn asked<'a>(run: &Run<'_>, event: &'a Event) -> Option<Asked<'a>> {
    let Detail::Arrived { over_ns, needs, .. } = &event.detail else { return None };
    let name = event.place.instance.as_ref()?;
    let instance = run.case.placement.instances.iter().position(|placed| &placed.name == name)?;
    let service = &run.case.placement.instances[instance].service;
    let can_ask = |&index: &usize| {
        let placed = &run.case.placement.instances[index];
        asks(run, &placed.service, service).is_some() && run.reach(&placed.zone, service).contains(&instance)
    };
    let askers = (0..run.case.placement.instances.len()).filter(can_ask).count() as u64;
    let asks = needs.saturating_mul(SECOND_NS) / (*over_ns).max(SECOND_NS);
    (askers > 0 && asks >= EACH_TELLING * askers).then_some(Asked { event, instance, asks, askers })
}

/// The need for which one service asks another.
fn asks<'r>(run: &'r Run<'_>, from: &ServiceName, to: &ServiceName) -> Option<&'r Need> {
    run.case.graph.service(from)?.needs.iter().find(|need| &need.from == to)
}

/// Of those who ask, the one that pauses least.
fn victim(run: &Run<'_>, asked: &Asked<'_>) -> Option<Victim> {
    let placed = &run.case.placement.instances[asked.instance];
    let callers = run.case.graph.services.iter();
    let needs = callers.filter_map(|caller| Some((caller, asks(run, &caller.name, &placed.service)?)));
    let (caller, need) = needs.min_by_key(|(caller, need)| (need.backoff.cap, &caller.name))?;
    let segment = run.timeline.segments.iter().find(|one| (one.start_ns..=one.end_ns).contains(&asked.event.t_ns))?;
    let link = Link {
        who: caller.name.to_string(),
        waits_for: placed.name.to_string(),
        how: format!("need {}, again and again", need.kind),
        since_ns: segment.start_ns,
        evidence: vec![segment.begin_event, asked.event.id],
    };
    let root = Root {
        service: caller.name.clone(),
        dependency: Some(placed.service.clone()),
        setting: Some(format!("services.{}.needs.{}.backoff", caller.name, need.kind)),
        cause: Cause::Hammers(need.kind.to_string()),
    };
    let trace = Trace { links: vec![link], root: Some(root) };
    let (from_ns, to_ns) = (segment.start_ns, segment.end_ns);
    Some(Victim { instance: Some(placed.name.clone()), zone: placed.zone.clone(), from_ns, to_ns, trace })
}
