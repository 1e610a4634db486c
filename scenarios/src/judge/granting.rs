//! Owns returns of many at once to those who grant what they need within limits: who came back in time, and whom they had
//! nothing for. Refuses to say what a limit must outlast; R4 and R7 do.
//!
//! Who grants speaks of its callers here: how often it was asked, and how many it turned away.

use super::culprit::{Cause, Root, Trace};
use super::finding::{Victim, sorted};
use super::s5::stuck_after;
use super::{Entry, Outcome, Run};
use crate::event::{Detail, Event, EventId};
use crate::judgement::{InvariantResult, Link};
use crate::timeline::Recovery;
use crate::verdict::Verdict;
use fixtures::graph::{Need, Service};
use fixtures::name::ServiceName;
use fixtures::unit::Span;
use std::collections::{BTreeMap, BTreeSet};

/// Fewer at once are no fleet.
const FLEET_MIN: usize = 2;
/// Who asks in vain asks again within half a second, and who is asked tells of it within a second and a half.
const STILL_NS: u64 = 2_500_000_000;
/// Events kept as evidence of one return.
const EVIDENCE_MAX: usize = 5;

/// Instances of one service whose power returned at once, and one need of theirs.
pub(super) struct Return<'a> {
    pub(super) service: &'a Service,
    pub(super) need: &'a Need,
    pub(super) granter: &'a Service,
    pub(super) recovery: Recovery,
    /// All of them.
    pub(super) fleet: Vec<usize>,
    /// Those that were not active in time.
    pub(super) late: Vec<usize>,
    /// What tells that the granter turned some away to the end; nothing where it did not.
    pub(super) turned_away: Vec<EventId>,
}

/// What limits whoever grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// How much of it there is.
    Quota,
    /// How fast it is granted.
    Pace,
}

impl Limit {
    fn root(self, granter: &Service) -> Root {
        let (word, cause) = match self {
            Self::Quota => ("counts", Cause::CountsTheLost),
            Self::Pace => ("rate", Cause::GrantsSlowly),
        };
        let service = granter.name.clone();
        let setting = Some(format!("services.{service}.grants.{word}"));
        Root { service, dependency: None, setting, cause }
    }

    fn is_of(self, granter: &Service) -> bool {
        granter.grants.is_some_and(|grants| match self {
            Self::Quota => grants.most.is_some(),
            Self::Pace => grants.rate.is_some(),
        })
    }
}

impl<'a> Run<'a> {
    /// Every return of a fleet to a granter with a limit. A quota is forgotten with the power of who keeps it, and says
    /// nothing then.
    pub(super) fn returns(&self, limit: Limit) -> Vec<Return<'a>> {
        let recoveries = self.timeline.recoveries(self.case.plan, self.case.scenario.windows.recovery);
        let placed = &self.case.placement.instances;
        let mut returns = Vec::new();
        for recovery in recoveries.into_iter().filter(Recovery::is_whole) {
            let late: BTreeSet<usize> = stuck_after(self, &recovery).into_iter().map(|one| one.instance).collect();
            let back = self.returned(&recovery);
            let of = |name: &ServiceName| -> Vec<usize> {
                back.iter().copied().filter(|&one| placed[one].service == *name).collect()
            };
            for service in &self.case.graph.services {
                for need in &service.needs {
                    let granter = self.case.graph.service(&need.from).filter(|granter| limit.is_of(granter));
                    let Some(granter) = granter else { continue };
                    let fleet = of(&service.name);
                    if fleet.len() < FLEET_MIN || (limit == Limit::Quota && !of(&granter.name).is_empty()) {
                        continue;
                    }
                    let late = fleet.iter().copied().filter(|one| late.contains(one)).collect();
                    let turned_away = self.turned_away(&granter.name, limit, recovery.gate_ns, recovery.end_ns);
                    let recovery = recovery.clone();
                    returns.push(Return { service, need, granter, recovery, fleet, late, turned_away });
                }
            }
        }
        returns
    }

    /// What tells that a granter turned somebody away for its limit between two moments, and still did at the end.
    pub(super) fn turned_away(&self, granter: &ServiceName, limit: Limit, from_ns: u64, to_ns: u64) -> Vec<EventId> {
        let count = |event: &Event| match (&event.detail, limit) {
            (Detail::Arrived { denied, .. }, Limit::Quota) => *denied,
            (Detail::Arrived { postponed, .. }, Limit::Pace) => *postponed,
            _ => 0,
        };
        let tells = self.events.iter().filter(|event| {
            count(event) > 0 && event.place.service.as_ref() == Some(granter) && (from_ns..=to_ns).contains(&event.t_ns)
        });
        let tells: Vec<&Event> = tells.collect();
        let still = tells.last().is_some_and(|last| last.t_ns >= to_ns.saturating_sub(STILL_NS));
        tells.into_iter().rev().take(if still { EVIDENCE_MAX } else { 0 }).map(|event| event.id).collect()
    }
}

/// Judges returns of fleets to a limit: violated where one was held up by a granter, whose setting is blamed for that.
pub(super) fn judge(run: &Run<'_>, entry: &Entry, limit: Limit, would_do: &str) -> Outcome {
    let returns = run.returns(limit);
    let bad: Vec<&Return<'_>> = returns.iter().filter(|one| one.is_held_up()).collect();
    let good: Vec<&Return<'_>> = returns.iter().filter(|one| one.late.is_empty()).collect();
    let (verdict, told) = match (bad.is_empty(), good.is_empty()) {
        (false, _) => (Verdict::Violated, bad.clone()),
        (true, false) => (Verdict::Held, good),
        (true, true) => (Verdict::NotJudged, Vec::new()),
    };
    let texts: BTreeSet<String> = told.iter().map(|one| one.text(run)).collect();
    let reason = match verdict {
        Verdict::NotJudged => would_do.to_owned(),
        _ => texts.into_iter().collect::<Vec<_>>().join("; "),
    };
    let in_time = Span(run.case.scenario.windows.recovery).to_string();
    let result = InvariantResult {
        id: entry.id.to_owned(),
        aspect: None,
        verdict,
        reason,
        thresholds: BTreeMap::from([("recovery".to_owned(), in_time)]),
        evidence: sorted(
            told.iter().flat_map(|one| std::iter::once(one.recovery.event).chain(one.turned_away.iter().copied())),
        ),
    };
    let victims = bad.iter().flat_map(|one| one.victims(run, &limit.root(one.granter))).collect();
    Outcome { results: vec![result], findings: run.findings(entry.id, victims) }
}

impl Return<'_> {
    /// Whether some were late because the granter had nothing for them.
    pub(super) fn is_held_up(&self) -> bool {
        !self.late.is_empty() && !self.turned_away.is_empty()
    }

    /// `2 of 4 instances of `web` were not active within 6s`, or that all were.
    pub(super) fn text(&self, run: &Run<'_>) -> String {
        let limit = Span(run.case.scenario.windows.recovery);
        let (all, late, name) = (self.fleet.len(), self.late.len(), &self.service.name);
        if late > 0 {
            return format!("{late} of {all} instances of `{name}` were not active within {limit}");
        }
        let names = self.fleet.iter().map(|&index| &run.case.placement.instances[index].name);
        let (gate, deadline) = (self.recovery.gate_ns, self.recovery.deadline_ns);
        let last = names
            .filter_map(|name| run.timeline.first_active(name, gate, deadline))
            .map(|span| span.from_ns)
            .max()
            .unwrap_or(gate);
        let ms = last.saturating_sub(gate) / 1_000_000;
        format!("{all} instances of `{name}` were active {ms} ms after power-on")
    }

    /// Those that were late, with the granter's limit as their root.
    pub(super) fn victims(&self, run: &Run<'_>, root: &Root) -> Vec<Victim> {
        let victim = |&index: &usize| {
            let instance = &run.case.placement.instances[index];
            let link = Link {
                who: instance.name.to_string(),
                waits_for: self.granter.name.to_string(),
                how: format!("need {}, turned away", self.need.kind),
                since_ns: self.recovery.gate_ns,
                evidence: std::iter::once(self.recovery.event).chain(self.turned_away.iter().copied()).collect(),
            };
            Victim {
                instance: Some(instance.name.clone()),
                zone: instance.zone.clone(),
                from_ns: self.recovery.gate_ns,
                to_ns: self.recovery.end_ns,
                trace: Trace { links: vec![link], root: Some(root.clone()) },
            }
        };
        self.late.iter().map(victim).collect()
    }
}
