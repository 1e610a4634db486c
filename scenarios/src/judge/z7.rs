//! Z7, gray zones are seen. Refuses to judge zones that lose power; O1 does.
//!
//! *Statement*: a zone that looks well and serves its customers badly is told from the others, by its name.
//!
//! *Experiment*: packets inside, into and out of one zone are late and lost (`gray-zone`).
//!
//! *Oracle*: where, from the beginning of the fault on, at least `alarms.failed` (%, from the graph's `[telemetry]`) of the
//! requests of the zone's customers fail, an alarm about that zone reaches the witness before the fault ends. Limit: none is
//! missing. An average over zones hides one of them: that is what the alarm must not look at.
//!
//! *Horizon*: a graph with telemetry, a gray zone for longer than `interval` x (`periods` + 4) (s, from the graph), and
//! customers of it who are harmed that much.
//!
//! *Inconclusive*: nothing of its own.

use super::alarms::{budget, first_between};
use super::culprit::{Cause, Root};
use super::finding::{Victim, sorted};
use super::{Entry, Outcome, Run, starting};
use crate::event::{Act, EventId};
use crate::fault::Fault;
use crate::judgement::{InvariantResult, Link};
use crate::timeline::{Done, ns};
use crate::traffic::Tally;
use crate::verdict::Verdict;
use fixtures::graph::telemetry::{Over, Telemetry};
use fixtures::name::ZoneName;
use fixtures::unit::Span;
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "Z7",
    title: "gray zones are seen",
    statement: "A zone that looks well and serves its customers badly is told from the others, by its name.",
    judge,
};

/// A gray zone whose customers were harmed.
struct Gray<'a> {
    zone: &'a ZoneName,
    begun: &'a Done,
    to_ns: u64,
    failed: u64,
    sent: u64,
    windows: Vec<EventId>,
    alarm: Option<EventId>,
}

fn judge(run: &Run<'_>) -> Outcome {
    let telemetry = run.case.graph.telemetry.as_ref();
    let seen = telemetry.map_or_else(Vec::new, |telemetry| gray(run, telemetry));
    let unseen: Vec<&Gray<'_>> = seen.iter().filter(|one| one.alarm.is_none()).collect();
    let text = |one: &Gray<'_>| format!("{}: {} of {} requests failed", one.zone, one.failed, one.sent);
    let list = |ones: &[&Gray<'_>]| ones.iter().map(|one| text(one)).collect::<Vec<String>>().join("; ");
    let (verdict, reason) = match telemetry {
        None => (Verdict::NotJudged, "the graph has no telemetry that could tell: `[telemetry]` would do".to_owned()),
        Some(telemetry) if seen.is_empty() => {
            let reason = format!(
                "no zone was gray for long enough with {} of its customers' requests failing: more than {} of such a fault \
                 would do",
                telemetry.alarms.failed,
                Span(budget(telemetry))
            );
            (Verdict::NotJudged, reason)
        }
        Some(_) if !unseen.is_empty() => {
            (Verdict::Violated, format!("no alarm named the zone whose customers were harmed: {}", list(&unseen)))
        }
        Some(_) => {
            let zones = starting::named(seen.iter().map(|one| one.zone.as_str()));
            (Verdict::Held, format!("alarms named the zone whose customers were harmed: {zones}"))
        }
    };
    let own = |one: &Gray<'_>| [Some(one.begun.event), one.alarm].into_iter().flatten().collect::<Vec<EventId>>();
    let evidence = sorted(seen.iter().flat_map(|one| own(one).into_iter().chain(one.windows.iter().copied())));
    let victims =
        telemetry.map_or_else(Vec::new, |telemetry| unseen.iter().map(|one| victim(telemetry, one)).collect());
    let failed = telemetry.map(|telemetry| telemetry.alarms.failed.to_string()).unwrap_or_default();
    let thresholds = BTreeMap::from([("failed".to_owned(), failed)]);
    let result = InvariantResult { id: ENTRY.id.to_owned(), aspect: None, verdict, reason, thresholds, evidence };
    Outcome { results: vec![result], findings: run.findings(ENTRY.id, victims) }
}

/// Gray zones, as far as their customers noticed.
fn gray<'a>(run: &'a Run<'a>, telemetry: &Telemetry) -> Vec<Gray<'a>> {
    let grays = run.case.scenario.faults.iter().filter_map(|fault| match &fault.fault {
        Fault::GrayZone(gray) => Some((fault, &gray.zone)),
        _ => None,
    });
    let mut found = Vec::new();
    for (fault, zone) in grays {
        let steps = run.case.plan.rounds.iter().flat_map(|round| &round.steps);
        for step in steps.filter(|step| step.fault == fault.name && step.act == Act::Inject) {
            let (Some(begun), Some(ended)) = (run.timeline.done.get(&step.id), run.timeline.done.get(&step.pair))
            else {
                continue;
            };
            let long = ended.t_ns.saturating_sub(begun.t_ns) > ns(budget(telemetry));
            let own = run.canaries.iter().filter(|window| window.zone == zone);
            let own = own.filter(|window| window.start_ns >= begun.t_ns && window.end_ns <= ended.t_ns);
            let windows: Vec<_> = own.collect();
            let tally = Tally::of(windows.iter().copied());
            let failed = tally.sent.saturating_sub(tally.answered());
            let share = u128::from(tally.sent) * u128::from(telemetry.alarms.failed.ppm);
            if !long || failed == 0 || u128::from(failed) * 1_000_000 < share {
                continue;
            }
            let alarm = first_between(run, (zone, None), begun.t_ns, ended.t_ns).map(|event| event.id);
            let harmed = windows.iter().filter(|window| window.failures() > 0).take(EVIDENCE_MAX);
            let windows = harmed.map(|window| window.event).collect();
            found.push(Gray { zone, begun, to_ns: ended.t_ns, failed, sent: tally.sent, windows, alarm });
        }
    }
    found
}

/// Canary windows kept as evidence.
const EVIDENCE_MAX: usize = 5;

fn victim(telemetry: &Telemetry, one: &Gray<'_>) -> Victim {
    let averaged = telemetry.alarms.over == Over::Region;
    let root = Root {
        service: telemetry.service.clone(),
        dependency: None,
        setting: averaged.then(|| "telemetry.alarms.over".to_owned()),
        cause: Cause::Averages,
    };
    let link = Link {
        who: telemetry.service.to_string(),
        waits_for: format!("as much trouble in all zones as there is in {}", one.zone),
        how: "alarm".to_owned(),
        since_ns: one.begun.t_ns,
        evidence: sorted([one.begun.event].into_iter().chain(one.windows.iter().copied())),
    };
    Victim::of_zone(one.zone, (one.begun.t_ns, one.to_ns), link, root)
}
