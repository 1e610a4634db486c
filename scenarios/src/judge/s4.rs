//! S4, order independence. Refuses to know which order is the right one: there must be none.
//!
//! *Statement*: in whatever order services get their power back, all of them become active in the end.
//!
//! *Experiment*: everything dark, then power for one service after the other. `blackstart measure GRAPH --orders N` does it
//! in many orders (at random, in the order of needs, against it) and tells the best and the worst time with its order.
//!
//! *Oracle*: when the last of them has got power, each instance with power is active (or excused, as in S5) within
//! `windows.recovery` (s, from the scenario).
//!
//! *Horizon*: a round in which at least two services got power at different moments.
//!
//! *Inconclusive*: the run ended before the limit and before everybody was back.

use super::starting::{Judged, Saying, outcome};
use super::{Entry, Outcome, Run};
use crate::timeline::Recovery;
use fixtures::name::ServiceName;
use fixtures::unit::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(super) const ENTRY: Entry = Entry {
    id: "S4",
    title: "order independence",
    statement: "In whatever order services get power, all of them become active in the end.",
    judge,
};

/// Services of an order that are named.
const NAMED_MAX: usize = 12;

fn judge(run: &Run<'_>) -> Outcome {
    let limit = run.case.scenario.windows.recovery;
    let recoveries = run.timeline.recoveries(run.case.plan, limit);
    let (mut judged, mut told) = (Vec::new(), Vec::new());
    for round in 0..run.case.plan.rounds.len() {
        let mut own: Vec<&Recovery> = recoveries.iter().filter(|recovery| recovery.round == round).collect();
        own.sort_by_key(|recovery| recovery.gate_ns);
        let order = order(run, &own);
        let (Some(last), true) = (own.last(), order.len() > 1) else { continue };
        if last.cut {
            continue;
        }
        let took = Duration::from_nanos(last.end_ns.saturating_sub(last.gate_ns));
        told.push(format!("{} (all back {:.1} s after the last)", order.join(", "), took.as_secs_f64()));
        let all = 0..run.case.placement.instances.len();
        let lit =
            all.filter(|&instance| !run.is_dark(instance, last.end_ns) && !run.is_aimed_at(instance, last.end_ns));
        judged.extend(lit.map(|instance| {
            let name = &run.case.placement.instances[instance].name;
            let is_well = run.timeline.is_active_about(name, last.end_ns) || run.is_excused(instance, last.end_ns);
            Judged { instance, recovery: last, is_well }
        }));
    }
    let victims = judged.iter().filter(|one: &&Judged<'_>| !one.is_well).map(|one| one.victim(run)).collect();
    let wrong = format!("instance(s) were not active after power came back in this order: {}", told.join("; "));
    let saying = Saying {
        id: ENTRY.id,
        wrong: &wrong,
        right: format!("everybody came back, in this order: {}", told.join("; ")),
        untold: "all services got power at once: a round in which it comes back to one after the other would do"
            .to_owned(),
        thresholds: BTreeMap::from([("recovery".to_owned(), Span(limit).to_string())]),
    };
    outcome(run, saying, &judged, victims)
}

/// Services in the order of their power, those of one moment together.
fn order(run: &Run<'_>, recoveries: &[&Recovery]) -> Vec<String> {
    let of = |recovery: &&Recovery| {
        let Some((_, step)) = run.case.plan.step(&recovery.step) else { return BTreeSet::new() };
        let hosts = run.case.placement.hosts.iter().filter(|host| step.changes.contains(&host.name));
        let instances = hosts.flat_map(|host| &host.instances);
        instances.map(|&index| &run.case.placement.instances[index].service).collect::<BTreeSet<&ServiceName>>()
    };
    let steps = recoveries.iter().map(of).filter(|services| !services.is_empty());
    let words = steps.map(|services| {
        let names: Vec<&str> = services.iter().take(NAMED_MAX).map(|name| name.as_str()).collect();
        names.join(" + ")
    });
    words.collect()
}
