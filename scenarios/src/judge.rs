//! Owns the way from a run's events to its judgement: which invariants there are, what makes a whole run worthless, and
//! how findings of several invariants relate. Refuses to know how each invariant is decided; that is one file each.

mod a1;
mod a2;
mod a3;
mod a4;
mod a5;
mod alarms;
mod arrivals;
mod commons;
mod culprit;
mod d1;
mod d2;
mod d3;
mod d4;
mod d5;
mod d6;
mod d7;
mod d8;
mod d9;
mod effect;
mod excuse;
mod finding;
mod granting;
pub mod history;
mod o1;
mod o2;
mod o3;
mod overload;
mod r1;
mod r2;
mod r3;
mod r4;
mod r5;
mod r6;
mod r7;
mod r8;
mod r9;
mod s1;
mod s2;
mod s3;
mod s4;
mod s5;
mod s6;
mod s7;
mod s8;
mod s9;
mod slo;
mod soft;
mod starting;
mod stateful;
mod steady;
mod stretch;
mod unstarted;
mod z1;
mod z2;
mod z3;
mod z4;
mod z5;
mod z6;
mod z7;
mod z8;
mod z9;

use crate::event::Event;
use crate::judgement::{Finding, InvariantResult, Judgement, Reason};
use crate::measure::measure_in;
use crate::plan::Plan;
use crate::scenario::Scenario;
use crate::timeline::Timeline;
use crate::traffic::{Window, windows};
use crate::verdict::Verdict;
use fixtures::graph::Graph;
use fixtures::placement::Placement;
use fixtures::topology::Topology;
use std::collections::BTreeMap;

pub use overload::RETRY_SETTING;
pub use s1::allowed;
pub(crate) use slo::falls_short;
pub use slo::samples_for;

/// Code of the caveat that says of a host that it has power again and its container is not started; its text begins with the host's
/// name and a colon.
pub const NOT_STARTED: &str = "not-started";

/// What was to happen, and where.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The game day.
    pub scenario: &'a Scenario,
    /// Its acts.
    pub plan: &'a Plan,
    /// The region's zones.
    pub topology: &'a Topology,
    /// The region's services.
    pub graph: &'a Graph,
    /// Which instance is where.
    pub placement: &'a Placement,
}

/// An invariant that can be judged.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its id.
    pub id: &'static str,
    /// A few words.
    pub title: &'static str,
    /// What must be true.
    pub statement: &'static str,
    judge: fn(&Run<'_>) -> Outcome,
}

/// Every invariant that can be judged.
pub fn catalogue() -> &'static [Entry] {
    &[
        z1::ENTRY,
        s5::ENTRY,
        a1::ENTRY,
        a2::ENTRY,
        a3::ENTRY,
        a4::ENTRY,
        a5::ENTRY,
        r1::ENTRY,
        r2::ENTRY,
        r3::ENTRY,
        r4::ENTRY,
        r5::ENTRY,
        r6::ENTRY,
        r7::ENTRY,
        r8::ENTRY,
        r9::ENTRY,
        s1::ENTRY,
        s2::ENTRY,
        s3::ENTRY,
        s4::ENTRY,
        s6::ENTRY,
        s7::ENTRY,
        s8::ENTRY,
        s9::ENTRY,
        z2::ENTRY,
        z3::ENTRY,
        z4::ENTRY,
        z5::ENTRY,
        z6::ENTRY,
        z7::ENTRY,
        z8::ENTRY,
        z9::ENTRY,
        d1::ENTRY,
        d2::ENTRY,
        d3::ENTRY,
        d4::ENTRY,
        d5::ENTRY,
        d6::ENTRY,
        d7::ENTRY,
        d8::ENTRY,
        d9::ENTRY,
        o1::ENTRY,
        o2::ENTRY,
        o3::ENTRY,
    ]
}

/// The word that stands for [`STANDARD`] in a scenario.
pub const STANDARD_WORD: &str = "standard";

/// Ids of what every scenario judges unless it says otherwise.
pub const STANDARD: [&str; 4] = ["Z1", "S5", "A1", "R1"];

/// Invariants that say that something is wrong and not how it came about: what they find follows from what an invariant
/// of one mechanism finds.
const GENERAL: [&str; 4] = ["S5", "Z1", "Z5", "R1"];

/// Invariants that are judged by what canaries saw and by nothing else.
const ASK_CUSTOMERS: [&str; 12] = ["Z1", "Z4", "Z5", "Z6", "Z8", "D1", "D4", "D9", "R1", "R5", "R6", "O3"];

/// A case with what was observed, folded once for all invariants.
struct Run<'a> {
    case: &'a Case<'a>,
    events: &'a [Event],
    timeline: Timeline,
    canaries: Vec<Window<'a>>,
    controls: Vec<Window<'a>>,
}

/// What one invariant says.
struct Outcome {
    results: Vec<InvariantResult>,
    findings: Vec<Finding>,
}

/// Judges a run on its events.
pub fn judge(case: &Case<'_>, events: &[Event]) -> Judgement {
    let run = Run {
        case,
        events,
        timeline: Timeline::new(case.plan, case.placement, events),
        canaries: windows(events, false),
        controls: windows(events, true),
    };
    let mut inconclusive = steady::reasons(&run);
    inconclusive.extend(effect::reasons(&run));
    let asked = catalogue().iter().filter(|entry| case.scenario.invariants.iter().any(|id| id == entry.id));
    let (mut invariants, mut findings) = (Vec::new(), Vec::new());
    let silent = case.scenario.traffic.is_silent();
    for outcome in asked
        .map(|entry| if silent && ASK_CUSTOMERS.contains(&entry.id) { nobody(entry.id) } else { (entry.judge)(&run) })
    {
        invariants.extend(outcome.results);
        findings.extend(outcome.findings);
    }
    follows_from_mechanism(&mut findings);
    consequences(&mut findings);
    if !inconclusive.is_empty() {
        // Whatever was seen may have another cause than the fault: nothing is believed, and nobody is blamed.
        disbelieve(&mut invariants, &inconclusive);
        findings.clear();
    }
    let verdict = if inconclusive.is_empty() {
        Verdict::merge(invariants.iter().map(|result| result.verdict))
    } else {
        Verdict::Inconclusive
    };
    let measurements = measure_in(&run.timeline, case, events);
    Judgement { verdict, inconclusive, invariants, findings, measurements }
}

/// What an invariant about customers says where nobody of ours asks.
fn nobody(id: &str) -> Outcome {
    let reason = "nobody of ours asked (`traffic.canaries` is false): what customers had is for others to say (E1, E2)";
    let result = InvariantResult {
        id: id.to_owned(),
        aspect: None,
        verdict: Verdict::NotJudged,
        reason: reason.to_owned(),
        thresholds: BTreeMap::new(),
        evidence: Vec::new(),
    };
    Outcome { results: vec![result], findings: Vec::new() }
}

/// Whether an invariant is about one mechanism, and neither general nor about data.
fn is_of_mechanism(invariant: &str) -> bool {
    !GENERAL.contains(&invariant) && !invariant.starts_with('A')
}

/// A general finding follows from that of a mechanism where both name the same service, or one names what the other leans
/// on.
fn follows_from_mechanism(findings: &mut [Finding]) {
    let causes: Vec<Finding> = findings.iter().filter(|one| is_of_mechanism(&one.invariant)).cloned().collect();
    for finding in findings.iter_mut().filter(|one| GENERAL.contains(&one.invariant.as_str())) {
        let cause = causes.iter().find(|cause| {
            cause.service == finding.service
                || finding.dependency.as_ref() == Some(&cause.service)
                || cause.dependency.as_ref() == Some(&finding.service)
        });
        finding.consequence_of = cause.map(|cause| cause.invariant.clone());
    }
}

/// A finding with the same root as one of S5 follows from that one.
fn consequences(findings: &mut [Finding]) {
    let root = |finding: &Finding| (finding.service.clone(), finding.dependency.clone(), finding.setting.clone());
    let roots: Vec<_> = findings.iter().filter(|finding| finding.invariant == "S5").map(root).collect();
    let others = findings.iter_mut().filter(|finding| {
        finding.invariant != "S5" && finding.consequence_of.is_none() && !is_of_mechanism(&finding.invariant)
    });
    for finding in others {
        if roots.contains(&root(finding)) {
            finding.consequence_of = Some("S5".to_owned());
        }
    }
}

/// `1 instance`, `3 instances`.
fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

fn disbelieve(invariants: &mut [InvariantResult], reasons: &[Reason]) {
    let codes: Vec<&str> = reasons.iter().map(|reason| reason.code.as_str()).collect();
    for result in invariants.iter_mut().filter(|result| result.verdict != Verdict::NotJudged) {
        result.reason = format!("not believed ({}); what was seen: {}", codes.join(", "), result.reason);
        result.verdict = Verdict::Inconclusive;
    }
}
