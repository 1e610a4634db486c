//! Owns the way from a run's events to its judgement: which invariants there are, what makes a whole run worthless, and
//! how findings of several invariants relate. Refuses to know how each invariant is decided; that is one file each.

mod a1;
mod a3;
mod culprit;
mod effect;
mod excuse;
mod finding;
pub mod history;
mod r1;
mod s5;
mod slo;
mod stateful;
mod steady;
mod z1;

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
    &[z1::ENTRY, s5::ENTRY, a1::ENTRY, a3::ENTRY, r1::ENTRY]
}

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
    for outcome in asked.map(|entry| (entry.judge)(&run)) {
        invariants.extend(outcome.results);
        findings.extend(outcome.findings);
    }
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

/// A finding with the same root as one of S5 follows from that one.
fn consequences(findings: &mut [Finding]) {
    let root = |finding: &Finding| (finding.service.clone(), finding.dependency.clone(), finding.setting.clone());
    let roots: Vec<_> = findings.iter().filter(|finding| finding.invariant == "S5").map(root).collect();
    for finding in findings.iter_mut().filter(|finding| finding.invariant != "S5") {
        if roots.contains(&root(finding)) {
            finding.consequence_of = Some("S5".to_owned());
        }
    }
}

fn disbelieve(invariants: &mut [InvariantResult], reasons: &[Reason]) {
    let codes: Vec<&str> = reasons.iter().map(|reason| reason.code.as_str()).collect();
    for result in invariants.iter_mut().filter(|result| result.verdict != Verdict::NotJudged) {
        result.reason = format!("not believed ({}); what was seen: {}", codes.join(", "), result.reason);
        result.verdict = Verdict::Inconclusive;
    }
}
