//! D9, telemetry is soft. Refuses to judge whether customers get an answer at all; D1 does.
//!
//! *Statement*: when what nobody should miss (telemetry, flags, audit) is dark, customers do not even wait longer.
//!
//! *Oracle*: while nothing is gone for a zone but services that nobody needs to start and nobody calls hard, from
//! `windows.shift` (s) on: the 99th percentile of latency <= `steady-state.latency-p99` (ms). Both from the scenario.
//!
//! *Horizon*: such an outage, with `1 / (1 - availability)` samples in a zone.
//!
//! *Inconclusive*: the machine was too busy for a word on latency in every such stretch.

use super::slo::State;
use super::soft::{self, Without};
use super::{Entry, Outcome, Run};
use fixtures::unit::Span;
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "D9",
    title: "telemetry is soft",
    statement: "When what nobody should miss is dark, customers do not even wait longer.",
    judge,
};

fn judge(run: &Run<'_>) -> Outcome {
    let missed_by_none = soft::never_missed(run);
    let stretches = soft::stretches(run, |name| missed_by_none.contains(name));
    let harmed = |one: &Without<'_>| matches!(one.zone.state, State::Slow | State::Unavailable);
    let p99 = Span(run.case.scenario.steady_state.latency_p99).to_string();
    let thresholds = BTreeMap::from([("latency-p99".to_owned(), p99)]);
    soft::outcome(run, ENTRY.id, &stretches, harmed, thresholds)
}
