//! O1, detection. Refuses to judge whoever watches from the zone that went dark; O2 does.
//!
//! *Statement*: the region notices by itself, in time and by its name, whoever has lost power.
//!
//! *Experiment*: all instances that a service has in a zone lose power together, and an instance of telemetry keeps its own.
//!
//! *Oracle*: for each such service in its zone an alarm reaches the witness within `interval` x (`periods` + 4) (s, from the
//! graph's `[telemetry]`): two periods of silence, as many bad ones as raise it, one until a peer is told, one until the next
//! ends. Limit: none is missing. An absence is what must raise it: who is dark tells nothing.
//!
//! *Horizon*: a graph with telemetry, and such a loss of power for longer than that, with nothing but power to blame.
//!
//! *Inconclusive*: nothing of its own.

use super::alarms::{Darkened, budget, darkened, first, spells};
use super::culprit::{Cause, Root};
use super::finding::{Victim, sorted};
use super::{Entry, Outcome, Run};
use crate::event::EventId;
use crate::judgement::{InvariantResult, Link};
use crate::verdict::Verdict;
use fixtures::graph::telemetry::{Missing, Over, Telemetry};
use fixtures::unit::Span;
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "O1",
    title: "detection",
    statement: "The region notices by itself, in time and by its name, whoever has lost power.",
    judge,
};

fn judge(run: &Run<'_>) -> Outcome {
    let telemetry = run.case.graph.telemetry.as_ref();
    let seen = telemetry.map_or_else(Vec::new, |telemetry| darkened(run, telemetry));
    let seen: Vec<&Darkened<'_>> = seen.iter().filter(|one| one.watched).collect();
    let (mut victims, mut alarms): (Vec<Victim>, Vec<(EventId, u64)>) = (Vec::new(), Vec::new());
    for (telemetry, one) in telemetry.into_iter().flat_map(|telemetry| seen.iter().map(move |one| (telemetry, one))) {
        match first(run, telemetry, (one.zone, Some(one.service)), one.segment.start_ns) {
            Some(alarm) => alarms.push((alarm.id, alarm.t_ns - one.segment.start_ns)),
            None => victims.push(unnoticed(run, telemetry, one)),
        }
    }
    let latest_ms = alarms.iter().map(|(_, after_ns)| after_ns / 1_000_000).max().unwrap_or_default();
    let (verdict, reason) = match telemetry {
        None => (Verdict::NotJudged, "the graph has no telemetry that could tell: `[telemetry]` would do".to_owned()),
        Some(telemetry) if seen.is_empty() => {
            let long = Span(budget(telemetry));
            let reason = format!(
                "no service lost all of its instances in a zone, with telemetry elsewhere, for long enough: more than {long} \
                 would do"
            );
            (Verdict::NotJudged, reason)
        }
        Some(telemetry) if !victims.is_empty() => {
            let reason = format!(
                "no alarm within {} on {} of {} services in their zones that had lost power",
                Span(budget(telemetry)),
                victims.len(),
                seen.len()
            );
            (Verdict::Violated, reason)
        }
        Some(_) => {
            let reason = format!("an alarm on each of {}, the last after {latest_ms} ms", seen.len());
            (Verdict::Held, reason)
        }
    };
    let begins = seen.iter().map(|one| one.segment.begin_event);
    let evidence = sorted(begins.chain(alarms.iter().map(|(alarm, _)| *alarm)));
    let limit = telemetry.map_or_else(String::new, |telemetry| Span(budget(telemetry)).to_string());
    let thresholds = BTreeMap::from([("time-to-detect".to_owned(), limit)]);
    let result = InvariantResult { id: ENTRY.id.to_owned(), aspect: None, verdict, reason, thresholds, evidence };
    Outcome { results: vec![result], findings: run.findings(ENTRY.id, victims) }
}

fn unnoticed(run: &Run<'_>, telemetry: &Telemetry, one: &Darkened<'_>) -> Victim {
    let setting = match (telemetry.alarms.over, telemetry.alarms.missing) {
        // It names no zone, whatever it takes silence for.
        (Over::Region, _) => Some("telemetry.alarms.over"),
        (Over::Zone, Missing::NotBreaching) => Some("telemetry.alarms.missing"),
        (Over::Zone, Missing::Breaching) => None,
    };
    let root = Root {
        service: telemetry.service.clone(),
        dependency: None,
        setting: setting.map(str::to_owned),
        cause: Cause::Unnoticed,
    };
    let spells = spells(run, one.zone, one.service, one.segment.end_ns.saturating_sub(1));
    let link = Link {
        who: telemetry.service.to_string(),
        waits_for: format!("a word from `{}` in {}", one.service, one.zone),
        how: "alarm".to_owned(),
        since_ns: one.segment.start_ns,
        evidence: sorted(spells.into_iter().chain([one.segment.begin_event])),
    };
    Victim::of_zone(one.zone, (one.segment.start_ns, one.segment.end_ns), link, root)
}
