//! Owns the outages that show whether what is called soft is soft: nothing but softly used services gone, and nothing but
//! power to blame. Refuses to judge them; D1 does for answers, D9 for the time that they take.

use super::culprit::{Cause, Root, Trace};
use super::finding::{Victim, sorted};
use super::slo::{State, Zone, samples_for};
use super::{Outcome, Run};
use crate::event::Phase;
use crate::judgement::{InvariantResult, Link};
use crate::timeline::{Segment, ns};
use crate::traffic::zones;
use crate::verdict::Verdict;
use fixtures::graph::{Call, Service, Strength};
use fixtures::name::{ServiceName, ZoneName};
use std::collections::{BTreeMap, BTreeSet};

/// A zone's customers while only softly used services were gone for them.
pub(super) struct Without<'a> {
    pub(super) zone: Zone<'a>,
    pub(super) gone: Vec<&'a ServiceName>,
}

/// Every such stretch; `only` says which services may be gone.
pub(super) fn stretches<'a>(run: &Run<'a>, only: impl Fn(&ServiceName) -> bool) -> Vec<Without<'a>> {
    let needed = samples_for(run.case.scenario.steady_state.availability);
    let (_, soft) = run.hard_and_soft();
    let mut found = Vec::new();
    for segment in run.timeline.of_phase(Phase::Outage).filter(|segment| only_power(run, segment)) {
        let start_ns = segment.start_ns.saturating_add(ns(run.case.scenario.windows.shift));
        for zone in zones(&run.canaries).into_iter().filter(|_| start_ns < segment.end_ns) {
            let gone = gone_entirely(run, zone, segment);
            if !gone.is_empty() && gone.iter().all(|name| soft.contains(name) && only(name)) {
                let zone = run.zone_slo(zone, start_ns, segment.end_ns, needed);
                found.push(Without { zone, gone });
            }
        }
    }
    found
}

/// Services of which a zone has no copy left; empty where others lost some of theirs, whose loss could be felt as well.
fn gone_entirely<'a>(run: &Run<'a>, zone: &ZoneName, segment: &Segment) -> Vec<&'a ServiceName> {
    let gone = run.gone_for(zone, segment);
    let partly = run.case.graph.services.iter().any(|service| {
        let reach = run.reach(zone, &service.name);
        !gone.contains(&&service.name) && reach.iter().any(|&target| segment.dark.contains(run.host_name(target)))
    });
    if partly { Vec::new() } else { gone }
}

/// Whether nothing but power is to blame for what is seen in an outage.
pub(super) fn only_power(run: &Run<'_>, segment: &Segment) -> bool {
    let in_force = run
        .timeline
        .spells
        .iter()
        .filter(|spell| spell.from_ns < segment.end_ns && spell.to_ns.is_none_or(|to_ns| to_ns > segment.start_ns));
    let steps: Vec<_> = run.case.plan.rounds.iter().flat_map(|round| &round.steps).collect();
    let is_power = |fault: &str| steps.iter().filter(|step| step.fault == fault).all(|step| step.is_power());
    in_force.map(|spell| spell.fault.as_str()).all(is_power)
}

/// Services that nobody needs to start, nobody calls hard, and somebody calls or tells something: telemetry, flags, audit.
pub(super) fn never_missed<'a>(run: &Run<'a>) -> BTreeSet<&'a ServiceName> {
    let services = &run.case.graph.services;
    let called = services.iter().flat_map(|service| &service.calls);
    let mut soft: BTreeSet<&ServiceName> = called.map(|call| &call.to).collect();
    soft.extend(run.case.graph.telemetry.as_ref().map(|telemetry| &telemetry.service));
    for service in services {
        let hard = service.calls.iter().filter(|call| call.strength == Strength::Hard).map(|call| &call.to);
        for name in hard.chain(service.needs.iter().map(|need| &need.from)) {
            soft.remove(name);
        }
    }
    soft
}

/// The soft call to blame: of those to what was gone the one that may hold up its caller for longest.
pub(super) fn victim(run: &Run<'_>, without: &Without<'_>) -> Victim {
    let zone = &without.zone;
    let calls =
        run.case.graph.services.iter().flat_map(|service| service.calls.iter().map(move |call| (service, call)));
    let soft = calls.filter(|(_, call)| call.strength == Strength::Soft && without.gone.contains(&&call.to));
    let worst = soft.max_by_key(|(_, call)| (call.breaker.is_none(), call.timeout.saturating_mul(call.attempts)));
    let Some((service, call)) = worst else {
        // Nobody asks what is gone: customers miss what somebody made of its silence.
        return super::overload::refined(run, zone, run.blame(zone), false);
    };
    Victim {
        instance: None,
        zone: zone.zone.clone(),
        from_ns: zone.start_ns,
        to_ns: zone.end_ns,
        trace: Trace { links: vec![link(run, zone, service, call)], root: Some(blamed(service, call)) },
    }
}

fn blamed(service: &Service, call: &Call) -> Root {
    Root {
        service: service.name.clone(),
        dependency: Some(call.to.clone()),
        setting: Some(format!("services.{}.calls.{}.timeout", service.name, call.to)),
        cause: Cause::HardlySoft,
    }
}

fn link(run: &Run<'_>, zone: &Zone<'_>, service: &Service, call: &Call) -> Link {
    let gone = run.reach(zone.zone, &call.to).into_iter();
    let spell = gone.filter_map(|target| run.timeline.dark_at(run.host_name(target), zone.start_ns)).next();
    Link {
        who: service.name.to_string(),
        waits_for: call.to.to_string(),
        how: "soft call".to_owned(),
        since_ns: zone.start_ns,
        evidence: spell.map(|spell| spell.event).into_iter().chain(zone.evidence.iter().copied()).collect(),
    }
}

/// The outcome of D1 or D9.
pub(super) fn outcome(
    run: &Run<'_>,
    id: &str,
    stretches: &[Without<'_>],
    harmed: impl Fn(&Without<'_>) -> bool,
    thresholds: BTreeMap<String, String>,
) -> Outcome {
    let bad: Vec<&Without<'_>> = stretches.iter().filter(|one| harmed(one)).collect();
    let told: Vec<&Without<'_>> = stretches.iter().filter(|one| one.zone.state != State::TooFew).collect();
    let text = |ones: &[&Without<'_>]| {
        let texts = ones.iter().map(|one| format!("without {}: {}", list(&one.gone), one.zone.text));
        texts.collect::<Vec<String>>().join("; ")
    };
    let (verdict, reason, evidence) = if !bad.is_empty() {
        (Verdict::Violated, text(&bad), &bad)
    } else if told.iter().any(|one| one.zone.state == State::Kept) {
        (Verdict::Held, text(&told), &told)
    } else if !told.is_empty() {
        (Verdict::Inconclusive, format!("machine-busy: {}", text(&told)), &told)
    } else {
        let slo = &run.case.scenario.steady_state;
        let seconds =
            run.case.scenario.windows.shift.as_secs_f64() + run.seconds_for(samples_for(slo.availability)) as f64;
        let reason = format!(
            "at no time was a softly used service all that was gone for a zone, for long enough: {seconds} s or more without \
             power of all its hosts would do"
        );
        (Verdict::NotJudged, reason, &told)
    };
    let evidence = sorted(evidence.iter().flat_map(|one| one.zone.evidence.iter().copied()));
    let result = InvariantResult { id: id.to_owned(), aspect: None, verdict, reason, thresholds, evidence };
    let victims = bad.into_iter().map(|one| victim(run, one)).collect();
    Outcome { results: vec![result], findings: run.findings(id, victims) }
}

fn list(names: &[&ServiceName]) -> String {
    names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
}
