//! S7, seeds. Refuses to ask where addresses come from: only whether somebody starts without name servers.
//!
//! *Statement*: who starts finds those whom it needs while nobody answers names.
//!
//! *Experiment*: hosts get power back while every name server of the region is dark, as when a region begins from nothing.
//!
//! *Oracle*: at the end of that recovery every instance that got power and has all its needs granted by somebody active is
//! active. Limit: 0 others.
//!
//! *Horizon*: a graph with `[names]`; a recovery that nothing cut short, all through which no name server was active; an
//! instance that needs somebody, who was active.
//!
//! *Inconclusive*: nothing of its own. Who waits for somebody who is not there is S5's matter.

use super::culprit::granting;
use super::starting::{Judged, Saying, named, outcome, services};
use super::{Entry, Outcome, Run};
use crate::timeline::Recovery;
use fixtures::name::ServiceName;
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "S7",
    title: "seeds",
    statement: "Who starts finds those whom it needs while nobody answers names.",
    judge,
};

fn judge(run: &Run<'_>) -> Outcome {
    let recoveries = run.timeline.recoveries(run.case.plan, run.case.scenario.windows.recovery);
    let judged: Vec<Judged<'_>> = recoveries
        .iter()
        .filter(|recovery| recovery.is_whole() && is_nameless(run, recovery))
        .flat_map(|recovery| (0..run.case.placement.instances.len()).filter_map(|one| started(run, one, recovery)))
        .collect();
    let victims = judged.iter().filter(|one| !one.is_well).map(|one| one.victim(run)).collect();
    let names = named(services(run, &judged).into_iter().map(ServiceName::as_str));
    let untold = match &run.case.graph.names {
        None => "the graph has no name servers that could be missing: `[names]` would do".to_owned(),
        Some(names) => format!(
            "nobody with needs got power while `{}` was dark: power for some hosts, and 4 s of recovery before its own, would do",
            names.service
        ),
    };
    let saying = Saying {
        id: ENTRY.id,
        wrong: "instance(s) got power while nobody answered names, and did not find those who grant what they need",
        right: format!("each started while nobody answered names: {names}"),
        untold,
        thresholds: BTreeMap::from([("instances that cannot start without names".to_owned(), "0".to_owned())]),
    };
    outcome(run, saying, &judged, victims)
}

/// Whether no name server was active from the gate to the end.
fn is_nameless(run: &Run<'_>, recovery: &Recovery) -> bool {
    let Some(names) = &run.case.graph.names else { return false };
    let all = run.case.placement.instances.iter().enumerate();
    let mut servers = all.filter(|(_, instance)| instance.service == names.service);
    let (from_ns, to_ns) = (recovery.gate_ns, recovery.end_ns);
    servers.all(|(index, server)| {
        let answers = |at_ns| run.is_active(index, at_ns) && !run.is_dark(index, at_ns);
        !answers(from_ns) && !answers(to_ns) && run.timeline.first_active(&server.name, from_ns, to_ns).is_none()
    })
}

/// How an instance that got power with a recovery came out of it, where everybody whom it needs was there.
fn started<'r>(run: &Run<'_>, instance: usize, recovery: &'r Recovery) -> Option<Judged<'r>> {
    let (placed, service) = (&run.case.placement.instances[instance], run.service_of(instance)?);
    let (_, step) = run.case.plan.step(&recovery.step)?;
    let lit = step.changes.contains(run.host_name(instance)) && !run.is_dark(instance, recovery.end_ns);
    let could = |need: &fixtures::graph::Need| granting(run, &placed.zone, &need.from, recovery.end_ns).is_some();
    if !lit || service.needs.is_empty() || !service.needs.iter().all(could) {
        return None;
    }
    let is_well = run.timeline.is_active_about(&placed.name, recovery.end_ns)
        || run.timeline.first_active(&placed.name, recovery.gate_ns, recovery.end_ns).is_some();
    Some(Judged { instance, recovery, is_well })
}
