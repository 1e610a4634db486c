//! Owns the action items of a correction of error: one for each finding, with one owner, one date, and the game day that
//! tests it again. Refuses to say that one is done: a later run does.

use super::blank;
use crate::policy::{Date, Policy};
use crate::record::Record;
use crate::text::{code, markdown};
use crate::whys::is_of_a_build;
use scenarios::judgement::{Finding, InvariantResult};
use scenarios::verdict::Verdict;

/// How bad what a finding did is: the three classes of outcome that decide priorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Acknowledged data is gone.
    DataLost,
    /// Harm that does not end by itself, or that left the zone of the fault.
    Unacceptable,
    /// It follows from another finding, or is accepted for now.
    Tolerable,
}

impl Outcome {
    pub(super) fn of(record: &Record, finding: &Finding) -> Self {
        if finding.known || finding.consequence_of.is_some() {
            Self::Tolerable
        } else if finding.invariant.starts_with('A') && record.measurements.lost_acknowledged_writes > 0 {
            Self::DataLost
        } else {
            Self::Unacceptable
        }
    }

    pub(super) fn priority(self) -> &'static str {
        match self {
            Self::DataLost => "P0",
            Self::Unacceptable => "P1",
            Self::Tolerable => "P2",
        }
    }

    pub(super) fn days(self, policy: &Policy) -> u32 {
        let [p0, p1, p2] = policy.due_days;
        match self {
            Self::DataLost => p0,
            Self::Unacceptable => p1,
            Self::Tolerable => p2,
        }
    }
}

/// The day of the run: its id has a real one even where its events are in virtual time.
pub(super) fn day_of(record: &Record) -> Option<Date> {
    Date::of_run(&record.run).or_else(|| Date::parse(&record.started_utc))
}

/// One row for each finding.
pub(super) fn actions(record: &Record, policy: &Policy) -> String {
    let mut out = String::from(
        "| # | action | owner (team) | priority | due | success criterion | tested again by |\n|---|---|---|---|---|---|---|\n",
    );
    for (index, finding) in record.findings.iter().enumerate() {
        let (priority, day) = super::due(record, finding, policy);
        let due = day.map_or_else(|| blank("due date"), |date| date.to_string());
        out.push_str(&format!(
            "| {} | {} | `{}` | {} | {due} | {} of {} is `held` | {} |\n",
            index + 1,
            action(finding),
            finding.team,
            priority,
            markdown(&finding.invariant),
            cell(&record.scenario),
            cell(&record.replay),
        ));
    }
    out.push_str(&unexplained(record, policy));
    let [p0, p1, p2] = policy.due_days;
    out.push_str(&format!(
        "\nDue by the policy: {p0} days for P0 (acknowledged data lost), {p1} for P1 (no return by itself, or harm outside \
         the fault), {p2} for P2 (follows from another finding, or accepted for now).\n"
    ));
    out
}

/// What was violated without a culprit: the entry's team, whose customers were promised it, has to find one.
fn unexplained(record: &Record, policy: &Policy) -> String {
    let violated = record.invariants.iter().filter(|result| result.verdict == Verdict::Violated);
    let without = violated.filter(|result| record.findings.iter().all(|finding| finding.invariant != result.id));
    let owner =
        record.services.iter().find(|row| row.entry).map_or_else(|| blank("owner"), |row| format!("`{}`", row.team));
    let [_, days, _] = policy.due_days;
    let due = day_of(record).map_or_else(|| blank("due date"), |day| day.plus(days).to_string());
    let row = |(number, result): (usize, &InvariantResult)| {
        let (id, number) = (markdown(&result.id), record.findings.len() + number + 1);
        let (scenario, replay) = (cell(&record.scenario), cell(&record.replay));
        format!(
            "| {number} | Find what violated {id}: no culprit was seen | {owner} | P1 | {due} | {id} of {scenario} is `held` | {replay} |\n"
        )
    };
    without.enumerate().map(row).collect()
}

/// A code span inside a table, where a bar would begin the next cell.
fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

fn action(finding: &Finding) -> String {
    let invariant = markdown(&finding.invariant);
    let where_to = match &finding.setting {
        Some(setting) => format!("Change {}", cell(setting)),
        None => format!("Change the design of `{}`", finding.service),
    };
    match &finding.dependency {
        // Of whom a build finds nobody is away.
        Some(on) if !is_of_a_build(finding) => format!(
            "{where_to} so that `{}` keeps {invariant} while `{on}` is away and after it returns",
            finding.service
        ),
        _ => format!("{where_to} so that `{}` keeps {invariant}", finding.service),
    }
}
