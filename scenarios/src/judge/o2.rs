//! O2, whoever watches a zone does not go dark with it. Refuses to judge whether those who still watch raise alarms; O1
//! does.
//!
//! *Statement*: when a zone goes dark, somebody outside it still watches.
//!
//! *Experiment*: a whole zone loses power, and another keeps its own.
//!
//! *Oracle*: an alarm about that zone reaches the witness within `interval` x (`periods` + 4) (s, from the graph's
//! `[telemetry]`), or an instance of telemetry had power all the time. Limit: no zone without either.
//!
//! *Horizon*: a graph with telemetry, and a zone without power for longer than that, with nothing but power to blame.
//!
//! *Inconclusive*: nothing of its own.

use super::alarms::{Darkened, budget, darkened, first, spells};
use super::finding::{Victim, sorted};
use super::{Entry, Outcome, Run, z3};
use crate::event::EventId;
use crate::judgement::{InvariantResult, Link};
use crate::verdict::Verdict;
use fixtures::graph::telemetry::Telemetry;
use fixtures::unit::Span;
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "O2",
    title: "who watches does not go dark with it",
    statement: "When a zone goes dark, somebody outside it still watches.",
    judge,
};

fn judge(run: &Run<'_>) -> Outcome {
    let telemetry = run.case.graph.telemetry.as_ref();
    let all = telemetry.map_or_else(Vec::new, |telemetry| darkened(run, telemetry));
    let mut zones: Vec<&Darkened<'_>> = all.iter().filter(|one| one.whole_zone).collect();
    zones.dedup_by(|a, b| a.zone == b.zone && a.segment.start_ns == b.segment.start_ns);
    let alarm = |one: &Darkened<'_>| first(run, telemetry?, (one.zone, None), one.segment.start_ns);
    let blind: Vec<&Darkened<'_>> = zones.iter().copied().filter(|one| !one.watched && alarm(one).is_none()).collect();
    let (verdict, reason) = match telemetry {
        None => {
            (Verdict::NotJudged, "the graph has no telemetry that could go dark: `[telemetry]` would do".to_owned())
        }
        Some(telemetry) if zones.is_empty() => {
            let long = Span(budget(telemetry));
            (Verdict::NotJudged, format!("no zone was dark for long enough: more than {long} would do"))
        }
        Some(telemetry) if !blind.is_empty() => {
            let zones = super::starting::named(blind.iter().map(|one| one.zone.as_str()));
            (Verdict::Violated, format!("all of `{}` went dark with what it watches: {zones}", telemetry.service))
        }
        Some(telemetry) => {
            let reason = format!("`{}` had power elsewhere in {} outage(s) of a zone", telemetry.service, zones.len());
            (Verdict::Held, reason)
        }
    };
    let alarms: Vec<EventId> = zones.iter().filter_map(|one| alarm(one)).map(|event| event.id).collect();
    let evidence = sorted(zones.iter().map(|one| one.segment.begin_event).chain(alarms));
    let victims =
        telemetry.map_or_else(Vec::new, |telemetry| blind.iter().map(|one| victim(run, telemetry, one)).collect());
    let thresholds = BTreeMap::from([("zones that nobody watches".to_owned(), "0".to_owned())]);
    let result = InvariantResult { id: ENTRY.id.to_owned(), aspect: None, verdict, reason, thresholds, evidence };
    Outcome { results: vec![result], findings: run.findings(ENTRY.id, victims) }
}

fn victim(run: &Run<'_>, telemetry: &Telemetry, one: &Darkened<'_>) -> Victim {
    let spells = spells(run, one.zone, &telemetry.service, one.segment.end_ns.saturating_sub(1));
    let link = Link {
        who: telemetry.service.to_string(),
        waits_for: format!("power of {}, which it watches", one.zone),
        how: "power".to_owned(),
        since_ns: one.segment.start_ns,
        evidence: sorted(spells.into_iter().chain([one.segment.begin_event])),
    };
    Victim::of_zone(one.zone, (one.segment.start_ns, one.segment.end_ns), link, z3::root(&telemetry.service))
}
