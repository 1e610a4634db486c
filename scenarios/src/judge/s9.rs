//! S9, identity that ends in the dark is renewed. Refuses to judge customers while nobody can renew anything.
//!
//! *Statement*: whoever comes back after its identity has ended gets a new one by itself.
//!
//! *Experiment*: whoever grants certificates or credentials is out of reach for longer than those last; or hosts are.
//!
//! *Oracle*: at the end of the recovery after that, no instance with power shows the witness a certificate that has ended
//! (`untrusted`), or tells it that it serves nobody for want of whoever grants what it needs. Limit: 0.
//!
//! *Horizon*: a graph with identities; an outage longer than `certificate-lifetime` (or `credential-lifetime`; s, from the
//! graph) in which an instance was dark or disturbed, or all who grant it that were dark for it; and a recovery that nothing
//! cut short.
//!
//! *Inconclusive*: nothing of its own.

use super::culprit::{Cause, Root, Trace};
use super::finding::Victim;
use super::starting::{Judged, Saying, named, outcome, services};
use super::{Entry, Outcome, Run};
use crate::event::{Life, Phase};
use crate::judgement::Link;
use crate::timeline::{Recovery, Segment, ns};
use fixtures::graph::identity::{Identity, Renew};
use fixtures::graph::{Attempts, Need};
use fixtures::name::ServiceName;
use fixtures::unit::Span;
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "S9",
    title: "identity that ends in the dark is renewed",
    statement: "Whoever comes back after its identity has ended gets a new one by itself.",
    judge,
};

/// What the witness makes of a certificate that has ended.
const UNTRUSTED: &str = "untrusted";

fn judge(run: &Run<'_>) -> Outcome {
    let identity = run.case.graph.identity.as_ref();
    let recoveries = run.timeline.recoveries(run.case.plan, run.case.scenario.windows.recovery);
    let mut lapsed: Vec<(Judged<'_>, &Need)> = Vec::new();
    for (identity, recovery) in
        identity.into_iter().flat_map(|identity| recoveries.iter().map(move |one| (identity, one)))
    {
        for instance in (0..run.case.placement.instances.len()).filter(|_| recovery.is_whole()) {
            let Some(need) = ended(run, identity, instance, recovery) else { continue };
            // A recovery ends with the last of them; what shows that may bear a moment just after.
            let name = &run.case.placement.instances[instance].name;
            let active = run.timeline.is_active_about(name, recovery.end_ns);
            let is_well = active || !lacks(run, instance, need, recovery.end_ns);
            lapsed.push((Judged { instance, recovery, is_well }, need));
        }
    }
    let victims = lapsed.iter().filter(|(one, _)| !one.is_well).map(|(one, need)| victim(run, one, need)).collect();
    let judged: Vec<Judged<'_>> = lapsed.into_iter().map(|(one, _)| one).collect();
    let list = named(services(run, &judged).into_iter().map(ServiceName::as_str));
    let untold = match identity {
        None => "the graph has no identities that could end: `[identity]` would do".to_owned(),
        Some(identity) => format!(
            "no identity ended while nobody could renew it: {} or more without power of all who grant one would do",
            Span(identity.certificate_lifetime.min(identity.credential_lifetime))
        ),
    };
    let saying = Saying {
        id: ENTRY.id,
        wrong: "instance(s) did not get a new identity after theirs had ended",
        right: format!("identities ended where nobody could renew them, and were renewed after that: {list}"),
        untold,
        thresholds: BTreeMap::from([("instances without a valid identity".to_owned(), "0".to_owned())]),
    };
    outcome(run, saying, &judged, victims)
}

/// What an instance has that may have ended in the outage before a recovery.
fn ended<'a>(run: &Run<'a>, identity: &Identity, instance: usize, recovery: &Recovery) -> Option<&'a Need> {
    if run.is_dark(instance, recovery.end_ns) || run.is_aimed_at(instance, recovery.end_ns) {
        return None;
    }
    let zone = &run.case.placement.instances[instance].zone;
    let before = |segment: &&Segment| segment.round == recovery.round && segment.end_ns <= recovery.end_ns;
    let needs = &run.service_of(instance)?.needs;
    needs.iter().find(|need| {
        let Some(lifetime) = identity.lifetime(need.kind.as_str()) else { return false };
        run.timeline.of_phase(Phase::Outage).filter(before).any(|segment| {
            let long = segment.end_ns.saturating_sub(segment.start_ns) > ns(lifetime);
            long && (!run.unharmed(segment).contains(&instance) || run.gone_for(zone, segment).contains(&&need.from))
        })
    })
}

/// Whether the witness last saw that an instance has no valid identity.
fn lacks(run: &Run<'_>, instance: usize, need: &Need, at_ns: u64) -> bool {
    let untrusted = run.probes(instance, 0, at_ns).pop().is_some_and(|(.., cause)| cause == UNTRUSTED);
    let span = run.timeline.life_at(&run.case.placement.instances[instance].name, at_ns);
    untrusted || span.is_some_and(|span| span.life == Life::Serving && span.missing == [need.from.clone()])
}

fn victim(run: &Run<'_>, one: &Judged<'_>, need: &Need) -> Victim {
    let placed = &run.case.placement.instances[one.instance];
    let setting = format!("services.{}.needs.{}", placed.service, need.kind);
    let narrow = match need.attempts {
        _ if need.renew == Renew::Never => ".renew",
        Attempts::AtMost(_) => ".attempts",
        Attempts::Unlimited => "",
    };
    let root = Root {
        service: placed.service.clone(),
        dependency: Some(need.from.clone()),
        setting: Some(format!("{setting}{narrow}")),
        cause: Cause::GaveUp(need.kind.to_string()),
    };
    let state = run.timeline.life_at(&placed.name, one.recovery.end_ns).map(|span| span.event);
    let link = Link {
        who: placed.name.to_string(),
        waits_for: need.from.to_string(),
        how: format!("need {}", need.kind),
        since_ns: one.recovery.gate_ns,
        evidence: state.into_iter().chain([one.recovery.event]).collect(),
    };
    Victim {
        instance: Some(placed.name.clone()),
        zone: placed.zone.clone(),
        from_ns: one.recovery.gate_ns,
        to_ns: one.recovery.end_ns,
        trace: Trace { links: vec![link], root: Some(root) },
    }
}
