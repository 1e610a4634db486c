//! S1, minimal start set. Refuses to know which services it should be: each one that a run started alone is judged.
//!
//! *Statement*: a service comes to answer with nothing reachable but its certificate and its credentials.
//!
//! *Experiment*: everything is dark; one service, whoever grants its needs of the kinds `certificate` and
//! `credentials` (and theirs in turn), and name servers, where there are any, get power. `blackstart measure GRAPH` does it with each service of a graph.
//!
//! *Oracle*: at the end of its recovery (at most `windows.recovery`, s, from the scenario) the witness gets an answer of
//! each instance, with errors or without. Limit: 0 silent.
//!
//! *Horizon*: a start in which every instance of every other service was dark from beginning to end, and the allowed ones
//! were not.
//!
//! *Inconclusive*: nothing of its own; a source of credentials that does not start is judged itself.

use super::starting::{Judged, Saying, named, outcome, services};
use super::stretch::is_allowed;
use super::{Entry, Outcome, Run};
use crate::timeline::Recovery;
use fixtures::graph::Graph;
use fixtures::name::ServiceName;
use fixtures::unit::Span;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const ENTRY: Entry = Entry {
    id: "S1",
    title: "minimal start set",
    statement: "A service comes to answer with nothing reachable but its certificate and credential source.",
    judge,
};

fn judge(run: &Run<'_>) -> Outcome {
    let limit = run.case.scenario.windows.recovery;
    let recoveries = run.timeline.recoveries(run.case.plan, limit);
    let judged: Vec<Judged<'_>> =
        recoveries.iter().filter(|one| one.is_whole()).flat_map(|recovery| alone(run, recovery)).collect();
    let victims = judged.iter().filter(|one| !one.is_well).map(|one| one.victim(run)).collect();
    let names = named(services(run, &judged).into_iter().map(ServiceName::as_str));
    let saying = Saying {
        id: ENTRY.id,
        wrong: "instance(s) that had power, a certificate and credentials did not answer",
        right: format!("each started alone and answered: {names}"),
        untold: format!(
            "no service was started alone: a power-on of one service and the source of its certificate and credentials, with \
             all others dark for {} would do",
            Span(limit)
        ),
        thresholds: BTreeMap::from([("answers within".to_owned(), Span(limit).to_string())]),
    };
    outcome(run, saying, &judged, victims)
}

/// Instances of services that were alone in a recovery but for what is allowed.
fn alone<'r>(run: &Run<'_>, recovery: &'r Recovery) -> Vec<Judged<'r>> {
    let instances = &run.case.placement.instances;
    let lit = |index: &usize| !run.is_dark(*index, recovery.gate_ns) || !run.is_dark(*index, recovery.end_ns);
    let lit: BTreeSet<&ServiceName> = (0..instances.len()).filter(lit).map(|index| &instances[index].service).collect();
    let back = run.came_back(recovery).into_iter();
    let alone = back.filter(|&instance| {
        let allowed = allowed(run.case.graph, &instances[instance].service);
        let others = lit.iter().any(|service| !allowed.contains(*service));
        let missing = allowed.iter().any(|service| !lit.contains(service));
        !others && !missing
    });
    alone.map(|instance| Judged { instance, recovery, is_well: run.answers(instance, recovery.end_ns) }).collect()
}

/// A service, and who may be there when it starts: whoever grants its needs of the kinds `certificate` and `credentials`,
/// and theirs in turn; and, where the graph has any, the name servers, without which nobody finds them.
pub fn allowed<'a>(graph: &'a Graph, service: &'a ServiceName) -> BTreeSet<&'a ServiceName> {
    let names = graph.names.iter().map(|names| &names.service);
    let mut open: Vec<&ServiceName> = std::iter::once(service).chain(names).collect();
    let mut all: BTreeSet<&ServiceName> = open.iter().copied().collect();
    while let Some(service) = open.pop().and_then(|name| graph.service(name)) {
        for need in service.needs.iter().filter(|need| is_allowed(&need.kind)) {
            if all.insert(&need.from) {
                open.push(&need.from);
            }
        }
    }
    all
}
