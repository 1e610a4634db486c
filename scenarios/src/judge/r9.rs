//! R9, redundancy restored. Refuses to look at who is not active at all; that is S5's. Who leads a replicated store is not
//! seen from outside, and not judged.
//!
//! *Statement*: a zone that has its power back takes its share again, whoever decides how much that is.
//!
//! *Experiment*: a zone of a service that is scaled loses power and has it back, while its scaler cannot decide anything.
//!
//! *Oracle*: at the end of each recovery, of each service with a `scale`, in each zone in which instances of it had their power
//! back: at least `scale.min` take requests, or as many as are active where that is fewer. Limit: 0 zones with fewer.
//!
//! *Horizon*: instances of a service with a `scale` had their power back in a recovery that had its whole time.
//!
//! *Inconclusive*: nothing of its own.

use super::culprit::{Cause, Root, Trace};
use super::finding::{Victim, sorted};
use super::overload::stands_by;
use super::{Entry, Outcome, Run};
use crate::judgement::{InvariantResult, Link};
use crate::timeline::Recovery;
use crate::verdict::Verdict;
use fixtures::graph::Service;
use fixtures::graph::scaler::Scale;
use fixtures::name::ZoneName;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const ENTRY: Entry = Entry {
    id: "R9",
    title: "redundancy restored",
    statement: "A zone that has its power back takes its share again, whoever decides how much that is.",
    judge,
};

/// A scaled service in a zone whose power returned.
struct Share<'a> {
    service: &'a Service,
    zone: &'a ZoneName,
    scale: Scale,
    recovery: &'a Recovery,
    takes: Vec<usize>,
    stands_by: Vec<usize>,
}

impl Share<'_> {
    fn is_short(&self) -> bool {
        self.takes.len() < (self.scale.min as usize).min(self.takes.len() + self.stands_by.len())
    }

    fn text(&self) -> String {
        let (service, zone, min) = (&self.service.name, self.zone, self.scale.min);
        format!("{} of `{service}` in {zone} took requests at last, at least {min} were to", self.takes.len())
    }
}

fn judge(run: &Run<'_>) -> Outcome {
    let recoveries = run.timeline.recoveries(run.case.plan, run.case.scenario.windows.recovery);
    let judged = recoveries.iter().filter(|recovery| recovery.is_whole());
    let shares: Vec<Share<'_>> = judged.flat_map(|recovery| shares(run, recovery)).collect();
    let bad: Vec<&Share<'_>> = shares.iter().filter(|share| share.is_short()).collect();
    let texts = |of: &[&Share<'_>]| {
        let texts: BTreeSet<String> = of.iter().map(|share| share.text()).collect();
        texts.into_iter().collect::<Vec<_>>().join("; ")
    };
    let (verdict, reason) = if !bad.is_empty() {
        (Verdict::Violated, texts(&bad))
    } else if !shares.is_empty() {
        (Verdict::Held, texts(&shares.iter().collect::<Vec<_>>()))
    } else {
        let reason = "no zone of a service that is scaled had its power back: a loss of power of such a service (`scale`) \
                      would do";
        (Verdict::NotJudged, reason.to_owned())
    };
    let evidence =
        sorted(bad.iter().flat_map(|share| evidence(run, share)).chain(shares.iter().map(|one| one.recovery.event)));
    let thresholds = BTreeMap::from([("zones with fewer".to_owned(), "0".to_owned())]);
    let result = InvariantResult { id: ENTRY.id.to_owned(), aspect: None, verdict, reason, thresholds, evidence };
    let victims = bad.iter().map(|share| victim(run, share)).collect();
    Outcome { results: vec![result], findings: run.findings(ENTRY.id, victims) }
}

/// What each scaled service did at the end of a recovery, in each zone in which it had its power back.
fn shares<'a>(run: &Run<'a>, recovery: &'a Recovery) -> Vec<Share<'a>> {
    let placement = run.case.placement;
    let back = run.returned(recovery);
    let returned = |service: &Service, zone: &ZoneName| {
        back.iter().any(|&index| {
            let instance = &placement.instances[index];
            instance.service == service.name && instance.zone == *zone
        })
    };
    let mut shares: BTreeMap<(usize, &ZoneName), Share<'_>> = BTreeMap::new();
    for (index, instance) in placement.instances.iter().enumerate() {
        let place = run.case.graph.services.iter().position(|service| service.name == instance.service);
        let Some((place, service)) = place.map(|place| (place, &run.case.graph.services[place])) else { continue };
        let Some(scale) = service.scale else { continue };
        if !run.is_active(index, recovery.end_ns) || !returned(service, &instance.zone) {
            continue;
        }
        let share = shares.entry((place, &instance.zone)).or_insert_with(|| Share {
            service,
            zone: &instance.zone,
            scale,
            recovery,
            takes: Vec::new(),
            stands_by: Vec::new(),
        });
        let sort = if stands_by(run, index, recovery.end_ns) { &mut share.stands_by } else { &mut share.takes };
        sort.push(index);
    }
    shares.into_values().collect()
}

/// What the witness saw last of those that stand by.
fn evidence(run: &Run<'_>, share: &Share<'_>) -> Vec<crate::event::EventId> {
    let last = |&index: &usize| run.probes(index, 0, share.recovery.end_ns).pop().map(|(event, ..)| event.id);
    share.stands_by.iter().filter_map(last).collect()
}

fn victim(run: &Run<'_>, share: &Share<'_>) -> Victim {
    let service = &share.service.name;
    let scaler = run.case.graph.scaler.as_ref().map(|scaler| scaler.service.clone());
    let link = Link {
        who: format!("{service} in {}", share.zone),
        waits_for: scaler.as_ref().map_or_else(|| "a scaler".to_owned(), ToString::to_string),
        how: "stands by until it is told".to_owned(),
        since_ns: share.recovery.gate_ns,
        evidence: std::iter::once(share.recovery.event).chain(evidence(run, share)).collect(),
    };
    let root = Root {
        service: service.clone(),
        dependency: scaler,
        setting: Some(format!("services.{service}.scale.on-start")),
        cause: Cause::WaitsToBeTold,
    };
    let trace = Trace { links: vec![link], root: Some(root) };
    let (from_ns, to_ns) = (share.recovery.gate_ns, share.recovery.end_ns);
    let instance = share.stands_by.first().map(|&index| run.case.placement.instances[index].name.clone());
    Victim { instance, zone: share.zone.clone(), from_ns, to_ns, trace }
}
