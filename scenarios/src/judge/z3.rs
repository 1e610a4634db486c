//! Z3, scope discipline. Refuses to read scopes off a graph; G3 does that without a run.
//!
//! *Statement*: what is regional or global is not gone with one zone.
//!
//! *Oracle*: while one or more zones are dark as a whole and an availability zone of the same region lost nothing, no
//! regional or global service has all its instances in the dark. Limit: 0.
//!
//! *Horizon*: an outage of a whole zone with an availability zone that lost nothing. What lives in a zone that was never
//! cut is not seen: Z5 asks for every zone.
//!
//! *Inconclusive*: nothing of its own.

use super::culprit::{Cause, Root};
use super::finding::{Victim, sorted};
use super::starting::named;
use super::{Entry, Outcome, Run};
use crate::event::Phase;
use crate::judgement::InvariantResult;
use crate::timeline::Segment;
use crate::verdict::Verdict;
use fixtures::graph::{Scope, Service};
use fixtures::name::ServiceName;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const ENTRY: Entry = Entry {
    id: "Z3",
    title: "scope discipline",
    statement: "What is regional or global is not gone with one zone.",
    judge,
};

fn judge(run: &Run<'_>) -> Outcome {
    let (mut victims, mut looked_at) = (Vec::new(), Vec::new());
    for segment in run.timeline.of_phase(Phase::Outage) {
        let (dark, lit) = run.dark_and_lit(segment);
        if dark.is_empty() || lit.is_empty() {
            continue;
        }
        looked_at.push(segment.begin_event);
        let shared = run.case.graph.services.iter().filter(|service| service.scope != Scope::Zonal);
        victims.extend(shared.flat_map(|service| gone(run, service, segment)));
    }
    let services: BTreeSet<&ServiceName> =
        victims.iter().filter_map(|victim| victim.trace.root.as_ref()).map(|root| &root.service).collect();
    let (verdict, reason) = if !services.is_empty() {
        let names = named(services.into_iter().map(ServiceName::as_str));
        (Verdict::Violated, format!("all instances were in the dark zones, of what should be in every zone: {names}"))
    } else if looked_at.is_empty() {
        let reason = "no zone went dark as a whole while another lost nothing: a loss of one zone's power would do";
        (Verdict::NotJudged, reason.to_owned())
    } else {
        (Verdict::Held, "every regional and global service kept an instance in a lit zone".to_owned())
    };
    let thresholds = BTreeMap::from([("services gone with a zone".to_owned(), "0".to_owned())]);
    let (id, evidence) = (ENTRY.id.to_owned(), sorted(looked_at));
    let result = InvariantResult { id, aspect: None, verdict, reason, thresholds, evidence };
    Outcome { results: vec![result], findings: run.findings(ENTRY.id, victims) }
}

/// The instances of a service that is gone with its zones.
fn gone(run: &Run<'_>, service: &Service, segment: &Segment) -> Vec<Victim> {
    let placement = run.case.placement;
    let copies: Vec<usize> =
        (0..placement.instances.len()).filter(|&index| placement.instances[index].service == service.name).collect();
    let (dark, _) = run.dark_and_lit(segment);
    if copies.is_empty() || !copies.iter().all(|&index| dark.contains(&&placement.instances[index].zone)) {
        return Vec::new();
    }
    let victim = |index: usize| {
        let host = run.host_name(index);
        let spell = run.timeline.dark_at(host, segment.start_ns);
        let evidence = spell.map(|spell| spell.event).into_iter().chain([segment.begin_event]).collect();
        let seen = (segment.start_ns, evidence);
        run.held_back(index, segment, (format!("power of {host}"), "power"), seen, root(&service.name))
    };
    copies.into_iter().map(victim).collect()
}

/// Whoever lives in too few zones is its own root.
pub(super) fn root(service: &ServiceName) -> Root {
    let setting = Some(format!("services.{service}.zones"));
    Root { service: service.clone(), dependency: None, setting, cause: Cause::Pinned }
}
