//! D6, liveness is local. Refuses to count exits that a process tells of itself.
//!
//! *Statement*: nobody is restarted because a dependency of it is gone.
//!
//! *Oracle*: in an outage, no instance that kept its power, and at which no fault is aimed, refuses or breaks a connection
//! of the witness after it has answered: its process has ended. Limit: 0.
//!
//! *Horizon*: an outage in which somebody who kept its power lost all copies of a dependency that it calls hard, for 3 s or
//! longer: three failures in a row are what a usual liveness check waits for.
//!
//! *Inconclusive*: nothing of its own; an instance that dies of its machine makes the run inconclusive.

use super::culprit::{Cause, Root};
use super::finding::{Victim, sorted};
use super::starting::named;
use super::{Entry, Outcome, Run};
use crate::event::{EventId, Life, Phase};
use crate::judgement::InvariantResult;
use crate::timeline::Segment;
use crate::verdict::Verdict;
use fixtures::graph::Strength;
use fixtures::name::ServiceName;
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "D6",
    title: "liveness is local",
    statement: "Nobody is restarted because a dependency of it is gone.",
    judge,
};

/// How long a dependency must have been gone.
const GONE_NS: u64 = 3_000_000_000;
/// What the witness sees of a process that has ended.
const ENDED: [&str; 2] = ["refused", "broken"];

fn judge(run: &Run<'_>) -> Outcome {
    let (mut victims, mut looked_at) = (Vec::new(), Vec::new());
    for segment in run.timeline.of_phase(Phase::Outage) {
        if segment.end_ns.saturating_sub(segment.start_ns) < GONE_NS {
            continue;
        }
        for instance in run.unharmed(segment) {
            let Some(lost) = lost(run, instance, segment) else { continue };
            looked_at.push(segment.begin_event);
            victims.extend(restarted(run, instance, lost, segment));
        }
    }
    let names: Vec<String> =
        victims.iter().filter_map(|victim| victim.instance.as_ref()).map(ToString::to_string).collect();
    let evidence = |victim: &Victim| -> Vec<EventId> {
        victim.trace.links.iter().flat_map(|link| link.evidence.iter().copied()).collect()
    };
    let (verdict, reason, evidence) = if !victims.is_empty() {
        let names = named(names.iter().map(String::as_str));
        let reason = format!("{} instance(s) with power ended while a dependency was gone: {names}", victims.len());
        (Verdict::Violated, reason, victims.iter().flat_map(evidence).collect())
    } else if looked_at.is_empty() {
        let reason = "nobody with power lost a hard dependency for 3 s: a loss of power of all hosts of one would do";
        (Verdict::NotJudged, reason.to_owned(), Vec::new())
    } else {
        let reason = format!("{} instance(s) lost a hard dependency and stayed up", looked_at.len());
        (Verdict::Held, reason, looked_at)
    };
    let thresholds = BTreeMap::from([("restarts".to_owned(), "0".to_owned())]);
    let (id, evidence) = (ENTRY.id.to_owned(), sorted(evidence));
    let result = InvariantResult { id, aspect: None, verdict, reason, thresholds, evidence };
    Outcome { results: vec![result], findings: run.findings(ENTRY.id, victims) }
}

/// A hard dependency of which an instance reaches no copy with power.
fn lost<'a>(run: &Run<'a>, instance: usize, segment: &Segment) -> Option<&'a ServiceName> {
    let gone = run.gone_for(&run.case.placement.instances[instance].zone, segment);
    let calls = &run.service_of(instance)?.calls;
    let mut hard = calls.iter().filter(|call| call.strength == Strength::Hard).map(|call| &call.to);
    hard.find(|to| gone.contains(to))
}

fn restarted(run: &Run<'_>, instance: usize, lost: &ServiceName, segment: &Segment) -> Option<Victim> {
    let placed = &run.case.placement.instances[instance];
    // It answered when the outage began: whoever was still starting has not been restarted.
    if !run.answers(instance, segment.start_ns) {
        return None;
    }
    let probes = run.probes(instance, segment.start_ns, segment.end_ns).into_iter();
    let mut ended = probes.filter(|(_, life, cause)| *life == Life::Starting && ENDED.contains(cause));
    let (event, ..) = ended.next()?;
    let root = Root {
        service: placed.service.clone(),
        dependency: Some(lost.clone()),
        setting: Some(format!("services.{}.liveness", placed.service)),
        cause: Cause::Restarted,
    };
    let seen = (segment.start_ns, vec![segment.begin_event, event.id]);
    Some(run.held_back(instance, segment, (lost.to_string(), "hard call"), seen, root))
}
