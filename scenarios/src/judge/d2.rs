//! D2, bounded amplification. Refuses to look at attempts on whoever is dark; they do no harm there.
//!
//! *Statement*: one request of a customer never becomes more than a few attempts at any one dependency.
//!
//! *Oracle*: in each outage, of each service that answers, the requests that reached it <= 3 x those of them that nobody on
//! the way had sent before in vain. Counted where they arrive: each attempt says whether it is a further one, or made for
//! one. 3: what one layer makes with the three attempts that are the default of the AWS SDKs
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>); with more than that, layers multiply.
//!
//! *Horizon*: an outage in which 20 requests or more reached a service, and some of them were further attempts: somebody
//! answered with errors, because what it calls itself was gone.
//!
//! *Inconclusive*: nothing of its own.

use super::arrivals::{Arrived, ENOUGH};
use super::culprit::{Cause, Root, call_path};
use super::finding::{Victim, sorted};
use super::overload::{self, RETRY_SETTING};
use super::{Entry, Outcome, Run};
use crate::event::Phase;
use crate::judgement::InvariantResult;
use crate::timeline::Segment;
use crate::verdict::Verdict;
use fixtures::name::ServiceName;
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "D2",
    title: "bounded amplification",
    statement: "One request of a customer never becomes more than three attempts at any one dependency.",
    judge,
};

/// Attempts for each first one.
const ATTEMPTS_MAX: u64 = 3;

/// What reached a service in an outage.
struct Asked<'a> {
    service: &'a ServiceName,
    arrived: Arrived,
    segment: &'a Segment,
}

impl Asked<'_> {
    fn is_too_often(&self) -> bool {
        self.arrived.received > ATTEMPTS_MAX * self.arrived.first()
    }

    fn text(&self) -> String {
        let tenths = self.arrived.received.saturating_mul(10) / self.arrived.first().max(1);
        format!("`{}`: {}.{} attempts for each first one", self.service, tenths / 10, tenths % 10)
    }
}

fn judge(run: &Run<'_>) -> Outcome {
    let mut asked: Vec<Asked<'_>> = Vec::new();
    for segment in run.timeline.of_phase(Phase::Outage) {
        let arrived = run.arrived(segment.start_ns, segment.end_ns).into_iter();
        let told = arrived.filter(|(_, arrived)| arrived.received >= ENOUGH && arrived.again > 0);
        asked.extend(told.map(|(service, arrived)| Asked { service, arrived, segment }));
    }
    let bad: Vec<&Asked<'_>> = asked.iter().filter(|one| one.is_too_often()).collect();
    let (verdict, reason) = if !bad.is_empty() {
        (Verdict::Violated, bad.iter().map(|one| one.text()).collect::<Vec<_>>().join("; "))
    } else if let Some(most) = asked.iter().max_by_key(|one| one.arrived.received * 1_000 / one.arrived.first().max(1))
    {
        (Verdict::Held, format!("at most {}", most.text()))
    } else {
        let reason = format!(
            "nobody was asked again who could answer: {ENOUGH} requests or more through a service that answers, while all \
             of what it calls itself is dark, would do"
        );
        (Verdict::NotJudged, reason)
    };
    let told: Vec<&Asked<'_>> = if bad.is_empty() { asked.iter().collect() } else { bad.clone() };
    let evidence = sorted(told.iter().flat_map(|one| one.arrived.evidence.iter().copied()));
    let thresholds = BTreeMap::from([("attempts for each first one".to_owned(), ATTEMPTS_MAX.to_string())]);
    let result = InvariantResult { id: ENTRY.id.to_owned(), aspect: None, verdict, reason, thresholds, evidence };
    let victims = bad.into_iter().filter_map(|one| victim(run, one)).collect();
    Outcome { results: vec![result], findings: run.findings(ENTRY.id, victims) }
}

/// Of the calls on the way the one that tries most often; of equals the one nearest to the customer, and customers
/// themselves where they try as often.
fn victim(run: &Run<'_>, asked: &Asked<'_>) -> Option<Victim> {
    let entry = &run.case.graph.entry.service;
    let path = call_path(run, entry, asked.service);
    let worst = overload::most_insistent(run, &path);
    let customers = run.case.scenario.traffic.retry.attempts;
    let root = match worst {
        Some((caller, call)) if call.attempts > customers => Root {
            service: caller.name.clone(),
            dependency: Some(call.to.clone()),
            setting: Some(format!("services.{}.calls.{}.attempts", caller.name, call.to)),
            cause: Cause::Multiplies(asked.service.clone()),
        },
        _ => Root {
            service: entry.clone(),
            dependency: Some(asked.service.clone()),
            setting: Some(RETRY_SETTING.to_owned()),
            cause: Cause::Insistent,
        },
    };
    let who = path.get(path.len().saturating_sub(2)).unwrap_or(entry).to_string();
    let told = (who, asked.service.to_string(), "call, again and again");
    run.besieged((asked.service, &asked.arrived.evidence), asked.segment, told, root)
}
