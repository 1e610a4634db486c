//! D7, no bimodal path. Refuses to look at further attempts; those are D2's.
//!
//! *Statement*: what is done for one request while something is gone is done for each request always, and not much more of
//! it.
//!
//! *Experiment*: something that is asked for each request goes, and comes back.
//!
//! *Oracle*: for each service, in each outage and each recovery, first requests that reach it for one that reaches the
//! entry <= 2 x what it was in the baseline, to which 20 requests are added: so many say nothing, and a rare operation must not
//! look like a new way. Counted where they arrive; whoever is dark counts for nothing, and the witness's own looks, at most
//! five a second at each instance, are taken off. 2: chosen; with one of two zones gone,
//! those of the other are asked twice as often. A way that nobody has gone on a good day is a way that nobody knows
//! (<https://aws.amazon.com/builders-library/avoiding-fallback-in-distributed-systems>).
//!
//! *Horizon*: 20 requests at the entry in the baseline and in an outage of 3 s or more, in which some service behind it was asked for at
//! most half as many of them: it was gone.
//!
//! *Inconclusive*: nothing of its own.

use super::arrivals::{Arrived, ENOUGH};
use super::culprit::{Cause, Root, call_path};
use super::finding::{Victim, sorted};
use super::{Entry, Outcome, Run};
use crate::event::Phase;
use crate::judgement::InvariantResult;
use crate::timeline::Segment;
use crate::verdict::Verdict;
use fixtures::graph::State;
use fixtures::name::ServiceName;
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "D7",
    title: "no bimodal path",
    statement: "What is done for one request while something is gone is done for each request always, and at most twice.",
    judge,
};

/// How much more of it may be done.
const PERCENT_MAX: u64 = 200;
/// How often the witness looks at an instance that is not active (`KEEN` of the worlds): more often than on a good day.
const LOOKS_PER_S: u64 = 5;
/// Each tells once a second what has arrived: a shorter stretch holds the word of one and not of another.
const STRETCH_MIN_NS: u64 = 3_000_000_000;
/// What is asked for at most so much less is gone.
const GONE_PERCENT: u64 = 50;

type All<'a> = BTreeMap<&'a ServiceName, Arrived>;

/// First requests at a service for so many at the entry.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    first: u64,
    of: u64,
}

impl Share {
    fn of(all: &All<'_>, service: &ServiceName, entry: &ServiceName) -> Self {
        let first = |name| all.get(name).map_or(0, Arrived::first);
        Self { first: first(service), of: first(entry) }
    }

    /// In per cent of another; where that other was nothing, of one request.
    fn percent_of(self, other: Self) -> u64 {
        let (mine, others) = (
            u128::from(self.first) * u128::from(other.of),
            u128::from(other.first.max(1)) * u128::from(self.of.max(1)),
        );
        u64::try_from(mine * 100 / others).unwrap_or(u64::MAX)
    }

    fn text(self) -> String {
        let percent = self.first.saturating_mul(100) / self.of.max(1);
        format!("{}.{:02}", percent / 100, percent % 100)
    }
}

/// A service in a stretch of a run.
struct Asked<'a> {
    service: &'a ServiceName,
    arrived: Arrived,
    segment: &'a Segment,
    before: Share,
    now: Share,
    /// So many of them may be the witness's own.
    looks: u64,
}

impl Asked<'_> {
    fn is_too_much(&self) -> bool {
        let before = Share { first: self.before.first + ENOUGH, ..self.before };
        let now = Share { first: self.now.first.saturating_sub(self.looks), ..self.now };
        now.percent_of(before) > PERCENT_MAX
    }

    fn text(&self) -> String {
        let (now, before) = (self.now.text(), self.before.text());
        format!("`{}`: {now} requests for each of a customer's, {before} before the fault", self.service)
    }
}

fn judge(run: &Run<'_>) -> Outcome {
    let (asked, gone) = asked(run);
    let bad: Vec<&Asked<'_>> = asked.iter().filter(|one| one.is_too_much()).collect();
    let (verdict, reason) = if !bad.is_empty() {
        (Verdict::Violated, bad.iter().map(|one| one.text()).collect::<Vec<_>>().join("; "))
    } else if gone.is_some() {
        let most = asked.iter().max_by_key(|one| one.now.percent_of(one.before));
        (Verdict::Held, most.map_or_else(String::new, |most| format!("at most {}", most.text())))
    } else {
        let reason = format!(
            "nothing that customers' requests go to was gone: the loss of a service behind the entry would do, with \
             {ENOUGH} requests or more before it and while it lasts"
        );
        (Verdict::NotJudged, reason)
    };
    let told = bad.iter().flat_map(|one| one.arrived.told.iter().copied());
    let evidence = sorted(told.chain(gone.map(|segment| segment.begin_event)));
    let thresholds = BTreeMap::from([("of what it is before a fault".to_owned(), format!("{PERCENT_MAX} %"))]);
    let result = InvariantResult { id: ENTRY.id.to_owned(), aspect: None, verdict, reason, thresholds, evidence };
    let victims = bad.into_iter().filter_map(|one| victim(run, one)).collect();
    Outcome { results: vec![result], findings: run.findings(ENTRY.id, victims) }
}

/// What reached whom in each outage and each recovery, and the first outage in which something was gone.
fn asked<'r>(run: &'r Run<'_>) -> (Vec<Asked<'r>>, Option<&'r Segment>) {
    let entry = &run.case.graph.entry.service;
    let Some(baseline) = run.timeline.of_phase(Phase::Baseline).next() else { return (Vec::new(), None) };
    let before = run.arrived(baseline.start_ns, baseline.end_ns);
    let (mut asked, mut gone) = (Vec::new(), None);
    let long = |one: &&Segment| {
        matches!(one.phase, Phase::Outage | Phase::Recovery)
            && one.end_ns.saturating_sub(one.start_ns) >= STRETCH_MIN_NS
    };
    for segment in run.timeline.segments.iter().filter(long) {
        let now = run.arrived(segment.start_ns, segment.end_ns);
        let shares = |service: &ServiceName| (Share::of(&before, service, entry), Share::of(&now, service, entry));
        let (then, since) = shares(entry);
        if then.of < ENOUGH || since.of < ENOUGH {
            continue;
        }
        let is_gone = |service: &&&ServiceName| {
            let (before, now) = shares(service);
            before.first >= ENOUGH && now.percent_of(before) <= GONE_PERCENT
        };
        if segment.phase == Phase::Outage && before.keys().find(is_gone).is_some() {
            gone = gone.or(Some(segment));
        }
        asked.extend(now.iter().map(|(&service, arrived)| {
            let (before, now) = shares(service);
            let copies = run.case.placement.instances.iter().filter(|instance| &instance.service == service).count();
            let seconds = (segment.end_ns - segment.start_ns).div_ceil(1_000_000_000);
            let looks = copies as u64 * seconds * LOOKS_PER_S;
            Asked { service, arrived: arrived.clone(), segment, before, now, looks }
        }));
    }
    (asked, gone)
}

/// Who asks it in the place of somebody else; else the cache before it that has lost what it knew; else whoever asks it.
fn victim(run: &Run<'_>, asked: &Asked<'_>) -> Option<Victim> {
    let path = call_path(run, &run.case.graph.entry.service, asked.service);
    let caller = run.case.graph.service(path.get(path.len().checked_sub(2)?)?)?;
    let calls = || caller.calls.iter().filter(|call| &call.to == asked.service);
    let call = calls().find(|call| call.fallback).or_else(|| calls().next())?;
    let (setting, cause) = if call.fallback {
        (format!("services.{}.calls.{}.fallback", caller.name, call.to), Cause::FallsBack)
    } else if caller.state == State::Cache {
        (format!("services.{}.state", caller.name), Cause::Flooded)
    } else {
        (format!("services.{}.calls.{}", caller.name, call.to), Cause::Flooded)
    };
    let root = Root { service: caller.name.clone(), dependency: Some(call.to.clone()), setting: Some(setting), cause };
    let told = (caller.name.to_string(), asked.service.to_string(), "call, for want of another");
    run.besieged((asked.service, &asked.arrived.told), asked.segment, told, root)
}
