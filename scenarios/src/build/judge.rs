//! Owns the way from what was seen of a build to its judgement: the invariants of a build, one file each, and what they
//! have in common. Refuses to know how each is decided.

mod b1;
mod b10;
mod b11;
mod b2;
mod b3;
mod b4;
mod b5;
mod b6;
mod b7;
mod b8;
mod b9;

use super::observed::{Building, StepState};
use super::plan::{Border, BuildPlan, Step};
use crate::event::{Detail, Event, EventId};
use crate::judgement::{Finding, InvariantResult, Link, Reason};
use crate::verdict::Verdict;
use fixtures::name::{HostName, InstanceName, ServiceName, TeamName};
use fixtures::regional::estate::Estate;
use std::collections::BTreeMap;

/// What was to be built, and where.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// Both regions.
    pub estate: &'a Estate,
    /// The steps.
    pub plan: &'a BuildPlan,
}

/// What a build shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// All invariants merged, and `inconclusive` where the build failed and none of them says why.
    pub verdict: Verdict,
    /// Why nothing can be said of the whole build; empty where something can.
    pub inconclusive: Vec<Reason>,
    /// Each invariant.
    pub invariants: Vec<InvariantResult>,
    /// One for each cause of a violation.
    pub findings: Vec<Finding>,
}

/// An invariant of a build.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its id.
    pub id: &'static str,
    /// A few words.
    pub title: &'static str,
    /// What must be true.
    pub statement: &'static str,
    judge: fn(&Build<'_>) -> Outcome,
}

/// Every invariant of a build.
pub fn catalogue() -> &'static [Entry] {
    &[
        b1::ENTRY,
        b2::ENTRY,
        b3::ENTRY,
        b4::ENTRY,
        b5::ENTRY,
        b6::ENTRY,
        b7::ENTRY,
        b8::ENTRY,
        b9::ENTRY,
        b10::ENTRY,
        b11::ENTRY,
    ]
}

/// The share of requests that customers must get answers to, in percent.
const AVAILABILITY_PERCENT: u64 = 99;
/// Windows of customers in a row that must fall short: one alone may be a change of leaders, or a machine that paused.
pub const WINDOWS_IN_A_ROW: u32 = 3;
/// Events kept as evidence of one thing.
const EVIDENCE_MAX: usize = 8;

/// Whether too few requests were answered.
pub fn falls_short(answered: u64, sent: u64) -> bool {
    answered * 100 < sent * AVAILABILITY_PERCENT
}

/// Whether customers got too little in a window.
fn is_short(window: &Event) -> bool {
    matches!(&window.detail, Detail::Canary { sent, ok, degraded, .. } if falls_short(ok + degraded, *sent))
}

/// The first windows in a row that fall short.
fn in_a_row<'a, 'e>(windows: &'a [&'e Event]) -> Option<&'a [&'e Event]> {
    windows.windows(WINDOWS_IN_A_ROW as usize).find(|run| run.iter().all(|window| is_short(window)))
}

/// Judges a build on its events.
pub fn judge(case: &Case<'_>, events: &[Event]) -> Judged {
    let build = Build { case, events };
    let (mut invariants, mut findings) = (Vec::new(), Vec::new());
    for entry in catalogue() {
        let Outcome { verdict, reason, threshold, evidence, findings: found } = (entry.judge)(&build);
        let thresholds = BTreeMap::from([(threshold.0.to_owned(), threshold.1)]);
        let evidence = evidence.into_iter().take(EVIDENCE_MAX).collect();
        let id = entry.id.to_owned();
        invariants.push(InvariantResult { id, aspect: None, verdict, reason, thresholds, evidence });
        findings.extend(found.into_iter().map(|one| build.finding(entry.id, one)));
    }
    let verdict = Verdict::merge(invariants.iter().map(|result| result.verdict));
    Judged { verdict, inconclusive: Vec::new(), invariants, findings }
}

impl Judged {
    /// The same of a build that failed, with how: where nothing was violated it cannot be believed to have held.
    #[must_use]
    pub fn failed(mut self, how: &str, events: &[Event]) -> Self {
        if self.verdict == Verdict::Violated {
            return self;
        }
        let is_it = |event: &&Event| {
            let failed = |state: &StepState| *state == StepState::Failed;
            matches!(&event.detail, Detail::Build { seen: Building::Step { state, .. } } if failed(state))
                || matches!(&event.detail, Detail::Build { seen: Building::Hand { .. } })
        };
        let evidence = events.iter().rfind(is_it).map(|event| event.id).into_iter().collect();
        let text = format!("the build is {how}, and no invariant says why");
        self.inconclusive.push(Reason { code: "build-failed".to_owned(), text, evidence });
        self.verdict = Verdict::merge([self.verdict, Verdict::Inconclusive]);
        self
    }
}

/// Who was seen at the border after it refused: what the bake has found so far.
pub fn crossed(case: &Case<'_>, events: &[Event]) -> Vec<Finding> {
    let build = Build { case, events };
    let outcome = (b2::ENTRY.judge)(&build);
    outcome.findings.into_iter().map(|one| build.finding(b2::ENTRY.id, one)).collect()
}

/// A build with what was seen of it.
struct Build<'a> {
    case: &'a Case<'a>,
    events: &'a [Event],
}

/// What one invariant says.
struct Outcome {
    verdict: Verdict,
    reason: String,
    threshold: (&'static str, String),
    evidence: Vec<EventId>,
    findings: Vec<Found>,
}

/// A cause, as an invariant tells it.
struct Found {
    service: ServiceName,
    dependency: Option<ServiceName>,
    setting: String,
    text: String,
    affected: Vec<InstanceName>,
    since_ns: u64,
    evidence: Vec<EventId>,
}

impl Build<'_> {
    /// What was seen of the build itself.
    fn seen(&self) -> impl Iterator<Item = (&Event, &Building)> {
        self.events.iter().filter_map(|event| match &event.detail {
            Detail::Build { seen } => Some((event, seen)),
            _ => None,
        })
    }

    /// When the border first became so.
    fn border(&self, wanted: Border) -> Option<u64> {
        let found = self.seen().find(|(_, seen)| matches!(seen, Building::Border { border } if *border == wanted));
        found.map(|(event, _)| event.t_ns)
    }

    /// When a step was last in a state.
    fn step(&self, id: &str, wanted: StepState) -> Option<(u64, EventId)> {
        let is = |seen: &Building| matches!(seen, Building::Step { step, state, .. } if step == id && *state == wanted);
        self.seen().filter(|(_, seen)| is(seen)).map(|(event, _)| (event.t_ns, event.id)).last()
    }

    /// Whether a step was over: it was seen to be, or one that follows it was begun (whoever was killed in between told nobody).
    fn is_over(&self, id: &str) -> bool {
        let is_begun = |step: &Step| {
            self.step(&step.id, StepState::Begun).or_else(|| self.step(&step.id, StepState::Retried)).is_some()
        };
        let later = self.case.plan.steps.iter().skip_while(|step| step.id != id).skip(1);
        self.step(id, StepState::Done).is_some() || later.into_iter().any(is_begun)
    }

    /// Who is missing, by what customers' requests failed of; the entry where that names nobody.
    fn missing(&self, cause: &str) -> ServiceName {
        let graph = &self.case.estate.graph;
        let named = cause.split(':').nth(1);
        let named = named.and_then(|name| graph.services.iter().find(|service| service.name.as_str() == name));
        named.map_or_else(|| graph.entry.service.clone(), |service| service.name.clone())
    }

    fn finding(&self, invariant: &str, found: Found) -> Finding {
        let Found { service, dependency, setting, text, affected, since_ns, evidence } = found;
        let team = self.case.estate.graph.service(&service).map(|service| service.team.clone());
        // Every service of a build is of its graph, and has a team.
        let team = team.or_else(|| TeamName::new("unknown").ok()).unwrap_or_else(|| unreachable!("it is a name"));
        let evidence: Vec<EventId> = evidence.into_iter().take(EVIDENCE_MAX).collect();
        let waits_for = dependency.as_ref().map_or_else(|| setting.clone(), ToString::to_string);
        let who = affected.first().map_or_else(|| service.to_string(), ToString::to_string);
        let link = Link { who, waits_for, how: invariant.to_owned(), since_ns, evidence };
        Finding {
            invariant: invariant.to_owned(),
            service,
            team,
            dependency,
            setting: Some(setting),
            text,
            confirmed: false,
            consequence_of: None,
            affected,
            chain: vec![link],
            known: false,
        }
    }
}

/// `1 call`, `3 calls`.
fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Causes by whoever calls and whom; where only a host was seen, by that.
#[derive(Default)]
struct Callers(BTreeMap<(ServiceName, ServiceName, Option<HostName>), Called>);

/// What was called, and by which instances.
struct Called {
    affected: Vec<InstanceName>,
    /// Services of a host, any of whom may have called.
    candidates: Vec<ServiceName>,
    calls: u64,
    since_ns: u64,
    evidence: Vec<EventId>,
}

impl Callers {
    fn add(&mut self, build: &Build<'_>, event: &Event, to: &ServiceName, calls: u64) {
        let Some(Caller { service, host, instances, candidates }) = Caller::of(build, event, to) else { return };
        let since_ns = event.t_ns;
        let new = || Called { affected: Vec::new(), candidates, calls: 0, since_ns, evidence: Vec::new() };
        let called = self.0.entry((service, to.clone(), host)).or_insert_with(new);
        called.affected.extend(instances);
        called.affected.sort();
        called.affected.dedup();
        called.calls += calls;
        called.evidence.push(event.id);
    }

    /// One cause for each caller and callee, in `words`: a function of caller, callee and calls.
    fn found(self, words: impl Fn(&ServiceName, &ServiceName, u64) -> String) -> Vec<Found> {
        let found = |((service, to, host), called): ((ServiceName, ServiceName, Option<HostName>), Called)| {
            let Called { affected, candidates, calls, since_ns, evidence } = called;
            let text = words(&service, &to, calls);
            let (setting, text) = match host {
                None => (format!("services.{service}.calls.{to}"), text),
                Some(host) => {
                    let names: Vec<String> = candidates.iter().map(|name| format!("`{name}`")).collect();
                    let names = names.join(", ");
                    (format!("hosts.{host}.calls.{to}"), format!("{text}, or another one of {host}: {names}"))
                }
            };
            Found { service, dependency: Some(to), setting, text, affected, since_ns, evidence }
        };
        self.0.into_iter().map(found).collect()
    }
}

/// Who called, as far as it was seen.
struct Caller {
    service: ServiceName,
    /// Where only that is known.
    host: Option<HostName>,
    instances: Vec<InstanceName>,
    candidates: Vec<ServiceName>,
}

impl Caller {
    /// Of a host with several instances it is not seen which of them called: first comes one that has `to` among what it
    /// calls or needs.
    fn of(build: &Build<'_>, event: &Event, to: &ServiceName) -> Option<Self> {
        if let Some(service) = event.place.service.clone() {
            let instances = event.place.instance.iter().cloned().collect();
            return Some(Self { service, host: None, instances, candidates: Vec::new() });
        }
        let (graph, placement) = (&build.case.estate.graph, &build.case.estate.placement);
        let host = placement.hosts.iter().find(|host| Some(&host.name) == event.place.host.as_ref())?;
        let placed = host.instances.iter().map(|&place| &placement.instances[place]);
        let mut candidates: Vec<ServiceName> = placed.clone().map(|one| one.service.clone()).collect();
        candidates.sort();
        candidates.dedup();
        let asks = |name: &&ServiceName| {
            let service = graph.service(name);
            service.is_some_and(|one| {
                one.calls.iter().any(|call| call.to == *to) || one.needs.iter().any(|need| need.from == *to)
            })
        };
        let service = candidates.iter().find(asks).or(candidates.first())?.clone();
        let instances = placed.map(|one| one.name.clone()).collect();
        Some(Self { service, host: Some(host.name.clone()), instances, candidates })
    }
}
