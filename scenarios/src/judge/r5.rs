//! R5, cold-cache safe. Refuses to judge what else keeps customers from being served; that is R1's.
//!
//! *Statement*: with its caches cold and all customers there, a store survives what the caches ask of it.
//!
//! *Experiment*: a cache loses what it knew with its power, or what it knew ends while its store is out of reach; then
//! everything is healed.
//!
//! *Oracle*: in every quiet segment, for each zone with a canary: answered / sent >= `steady-state.availability` (%, from the
//! scenario); of the zones that fall short those count whose customers lack what a store behind a cache does not carry. What
//! else they lack, and that they wait, is R1's.
//!
//! *Horizon*: a cache before a store with a capacity was on a host without power, or a fault was aimed at its store for
//! longer than `cache.ttl`; and, as in R1, 20 samples in each zone.
//!
//! *Inconclusive*: as in R1.

use super::culprit::Cause;
use super::finding::Victim;
use super::slo::{State as Fared, Zone};
use super::steady::SAMPLES_MIN;
use super::z1::{merge_blaming, slo_thresholds};
use super::{Entry, Outcome, Run};
use crate::event::{Act, Phase};
use crate::plan::Step;
use crate::traffic::zones;
use fixtures::graph::{Service, State};
use fixtures::name::ServiceName;

pub(super) const ENTRY: Entry = Entry {
    id: "R5",
    title: "cold-cache safe",
    statement: "With its caches cold and all customers there, a store survives what the caches ask of it.",
    judge,
};

fn judge(run: &Run<'_>) -> Outcome {
    let is_cold = run.case.graph.services.iter().any(|cache| is_cold(run, cache));
    let quiet = run.timeline.of_phase(Phase::Quiet).filter(|_| is_cold);
    let fared = quiet.flat_map(|segment| {
        zones(&run.canaries).into_iter().map(|zone| run.zone_slo(zone, segment.start_ns, segment.end_ns, SAMPLES_MIN))
    });
    let flooded = |zone: &Zone<'_>| zone.state == Fared::Unavailable && is_flooded(&run.blame(zone));
    let by_itself = |zone: &Zone<'_>| matches!(zone.state, Fared::Unavailable | Fared::Slow) && !flooded(zone);
    let (others, mut judged): (Vec<Zone<'_>>, Vec<Zone<'_>>) = fared.partition(by_itself);
    // Whatever ails customers there would hide a cold cache: that the others fare well shows nothing.
    if !others.is_empty() && !judged.iter().any(flooded) {
        judged.clear();
    }
    let none = if is_cold {
        "customers were in trouble for something else (R1 tells), which hides what a cold cache does: a fault that is over \
         with its heal would do"
    } else {
        "no cache before a store with a capacity was cold: its loss of power, or a fault of its store that lasts for longer \
         than its values do, would do"
    };
    let longer = format!("a quiet period of {} s or more would do", run.seconds_for(SAMPLES_MIN));
    let thresholds = slo_thresholds(run, SAMPLES_MIN);
    merge_blaming(run, ENTRY.id, &judged, thresholds, (none.to_owned(), &longer), |zone| run.blame(zone))
}

fn is_flooded(victim: &Victim) -> bool {
    victim.trace.root.as_ref().is_some_and(|root| root.cause == Cause::Flooded)
}

/// Whether a cache had nothing that it could use, at some moment.
fn is_cold(run: &Run<'_>, cache: &Service) -> bool {
    let Some(settings) = cache.store.cache.filter(|_| cache.state == State::Cache) else { return false };
    let stores: Vec<&ServiceName> = cache
        .calls
        .iter()
        .map(|call| &call.to)
        .filter(|to| run.case.graph.service(to).is_some_and(|store| store.capacity.is_some()))
        .collect();
    let placement = run.case.placement;
    let hits = |step: &Step, is_meant: &dyn Fn(&ServiceName) -> bool| {
        let meant = placement.instances.iter().filter(|instance| is_meant(&instance.service));
        meant.map(|instance| &placement.hosts[instance.host].name).any(|host| step.hosts.contains(host))
    };
    let lasts = |step: &Step| {
        let fault = run.case.scenario.faults.iter().find(|fault| fault.name == step.fault);
        fault.map_or(std::time::Duration::ZERO, |fault| fault.lasts)
    };
    let steps = run.case.plan.rounds.iter().flat_map(|round| &round.steps);
    let mut injected = steps.filter(|step| step.act == Act::Inject && run.timeline.done.contains_key(&step.id));
    !stores.is_empty()
        && injected.any(|step| {
            (step.is_power() && hits(step, &|name| *name == cache.name))
                || (lasts(step) > settings.ttl && hits(step, &|name| stores.contains(&name)))
        })
}
