//! D1, declared hardness is measured hardness. Refuses to judge latency; that is D9's.
//!
//! *Statement*: without what is called softly, customers still get an answer.
//!
//! *Experiment*: every copy of a softly used service is dark. `blackstart measure GRAPH` cuts every edge of a
//! graph, at call time and at start, and prints a table of declared and measured.
//!
//! *Oracle*: while nothing is gone for a zone but services that a request only leans on softly, from `windows.shift` (s)
//! on: answered (in full or degraded) / sent >= `steady-state.availability` (%). Both from the scenario.
//!
//! *Horizon*: such an outage, with `1 / (1 - availability)` samples in a zone. At start it is S2 that is judged.
//!
//! *Inconclusive*: nothing of its own.

use super::slo::State;
use super::soft::{self, Without};
use super::{Entry, Outcome, Run};
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "D1",
    title: "declared hardness is measured hardness",
    statement: "Without what is called softly, customers still get an answer.",
    judge,
};

fn judge(run: &Run<'_>) -> Outcome {
    let stretches = soft::stretches(run, |_| true);
    let harmed = |one: &Without<'_>| one.zone.state == State::Unavailable;
    let thresholds =
        BTreeMap::from([("availability".to_owned(), run.case.scenario.steady_state.availability.to_string())]);
    soft::outcome(run, ENTRY.id, &stretches, harmed, thresholds)
}
