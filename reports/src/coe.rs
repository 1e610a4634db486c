//! Owns `coe.md`: the correction of error that a violated run writes, filled as far as evidence goes, and the shorter
//! report of the same kind for every other run. Refuses to name a person, and to fill what only people know: that stays
//! a named blank.
//!
//! - [`harmed`]: summary and impact
//! - [`measured`]: moments, times to detect, mitigate and recover, metrics
//! - [`causes`]: culprits and whys
//! - [`actions`]: action items by the policy
//! - [`assumed`]: what was taken for granted, and whether the verdict hangs on it
//! - [`questions`]: detection, diagnosis, mitigation, prevention; lessons
//! - [`lint`]: whether a page, also one that people edited, keeps the rules

mod actions;
mod assumed;
mod causes;
mod harmed;
pub mod lint;
mod measured;
mod questions;

use crate::actions::Told;
use crate::fingerprint::{Beside, Related, fingerprints};
use crate::gaps;
use crate::harm;
use crate::moments::Moments;
use crate::policy::{Date, Policy};
use crate::record::Record;
use crate::text::{code, count, markdown};
use crate::timeline;
use scenarios::event::{Event, EventId};
use scenarios::judgement::{Finding, Reason};
use scenarios::verdict::Verdict;

/// The page around the sections of a correction.
const CORRECTION: &str = include_str!("../templates/coe.md");

/// The page around the sections of a report on a run in which nothing was violated.
const REPORT: &str = include_str!("../templates/report.md");

/// Runs with the same fingerprint that are named; the others are counted.
const RELATED_MAX: usize = 6;

/// Name of the page of a run, without its ending: only a violated run needs a correction.
pub fn page_name(record: &Record) -> &'static str {
    if record.verdict == Verdict::Violated { "coe" } else { "report" }
}

/// The correction of error of a run, or its report where nothing was violated.
pub fn render(record: &Record, events: &[Event], beside: &Beside<'_>) -> String {
    let episodes = harm::since_fault(events);
    let moments = Moments::new(record, events, &episodes);
    let page = format!("{}.html", page_name(record));
    let section = |name: &str| match name {
        "title" => markdown(&record.title),
        "run" => code(&record.run),
        "summary" => harmed::summary(record, events, &episodes),
        "impact" => harmed::impact(record, events, &episodes),
        "moments" => measured::moments(&moments),
        "timeline" => timeline_section(record, events),
        "metrics" => measured::metrics(events, &moments, &page),
        "culprits" => causes::culprits(record),
        "whys" => causes::whys(record, events),
        "actions" => actions::actions(record, beside.policy),
        "questions" => questions::render(record, events, &episodes),
        "lessons" => questions::lessons(record),
        "related" => related(record, beside),
        "assumptions" => assumed::render(record),
        "caveats" => caveats(record),
        unknown => format!("(no section is called {unknown})"),
    };
    fill(if record.verdict == Verdict::Violated { CORRECTION } else { REPORT }, section)
}

/// Priority of a finding's action, and the day on which it is due by the policy.
pub(crate) fn due(record: &Record, finding: &Finding, policy: &Policy) -> (&'static str, Option<Date>) {
    let outcome = actions::Outcome::of(record, finding);
    (outcome.priority(), actions::day_of(record).map(|day| day.plus(outcome.days(policy))))
}

/// Priority of a finding's action as a number: 0 is the most urgent.
pub(crate) fn priority(record: &Record, finding: &Finding) -> u8 {
    match actions::Outcome::of(record, finding) {
        actions::Outcome::DataLost => 0,
        actions::Outcome::Unacceptable => 1,
        actions::Outcome::Tolerable => 2,
    }
}

/// Puts sections into the template in one pass, so that a section which contains braces is not filled again.
fn fill(template: &str, section: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, behind)) = after.split_once("}}") else { break };
        out.push_str(before);
        out.push_str(section(name).trim_end());
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// What only people know.
fn blank(what: &str) -> String {
    format!("_(blank: {what} — to be filled by the team)_")
}

/// `[e17, e18]`, or that nothing shows it.
fn cite(ids: &[EventId]) -> String {
    if ids.is_empty() { "[no event]".to_owned() } else { format!("[{}]", crate::text::list(ids)) }
}

fn timeline_section(record: &Record, events: &[Event]) -> String {
    let mut out = String::from("All times in UTC");
    let is_virtual = record.world == "sim" && record.started_utc.starts_with("2000-01-01");
    out.push_str(if is_virtual {
        ", of a clock that begins at 2000-01-01: the run was held in virtual time.\n\n"
    } else {
        ".\n\n"
    });
    out.push_str("| UTC | run time | what | event |\n|---|---|---|---|\n");
    for row in timeline::rows(record, events) {
        let moment = crate::text::moment(row.t_ns);
        out.push_str(&format!("| {} | {moment} | {} | {} |\n", markdown(&row.utc), markdown(&row.text), row.evidence));
    }
    out
}

fn related(record: &Record, beside: &Beside<'_>) -> String {
    let others = beside.related;
    let mut out = format!("- Repeat this run: {}\n", code(&record.replay));
    out.push_str(&format!(
        "- Scenario {}, graph {}, topology {}, world {}, seed {}.\n",
        code(&record.scenario),
        code(&record.graph),
        code(&record.topology),
        code(&record.world),
        record.seed
    ));
    for (name, version) in &record.versions {
        out.push_str(&format!("- Version of {}: {}\n", markdown(name), markdown(version)));
    }
    for print in fingerprints(record) {
        let own: Vec<&Related> = others.into_iter().flatten().filter(|other| other.fingerprint == print).collect();
        out.push_str(&format!("- Fingerprint {}: {}\n", code(&print.0), found_again(&own, others.is_some())));
    }
    out.push_str(&format!(
        "- Earlier incidents of the same kind: {}\n",
        blank("links to incidents and earlier corrections")
    ));
    for line in beside.actions.iter().flat_map(Told::overdue) {
        out.push_str(&format!("- Overdue: {}\n", spans(&line)));
    }
    out
}

/// Plain text in which what stands between back-ticks is code.
fn spans(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(at, part)| if at % 2 == 1 { code(part) } else { spaced(part) }).collect()
}

/// Cleaned text has no white space at its ends; before and after a name it matters.
fn spaced(part: &str) -> String {
    let (before, after) = (part.starts_with(' '), part.len() > 1 && part.ends_with(' '));
    format!("{}{}{}", if before { " " } else { "" }, markdown(part), if after { " " } else { "" })
}

/// Other runs with one fingerprint, in one sentence.
fn found_again(runs: &[&Related], looked: bool) -> String {
    if !looked {
        return "no history of runs was looked at.".to_owned();
    }
    if runs.is_empty() {
        return "found in no other run of the history.".to_owned();
    }
    let mut told: Vec<String> = runs.iter().take(RELATED_MAX).map(|run| other_run(run)).collect();
    if runs.len() > RELATED_MAX {
        told.push(format!("and {} earlier", runs.len() - RELATED_MAX));
    }
    format!("found in {}: {}.", count(runs.len(), "other run"), told.join("; "))
}

fn other_run(run: &Related) -> String {
    let confirmed = if run.confirmed { ", culprit confirmed" } else { "" };
    let (id, scenario, world) = (code(&run.run), code(&run.scenario), code(&run.world));
    format!("{id} ({scenario}, world {world}, {}{confirmed})", run.verdict.word())
}

fn caveats(record: &Record) -> String {
    let mut out = String::new();
    let line =
        |reason: &Reason| format!("- {} ({}) {}\n", markdown(&reason.text), code(&reason.code), cite(&reason.evidence));
    out.extend(record.inconclusive.iter().map(line));
    out.extend(record.caveats.iter().map(line));
    if record.findings.iter().any(|finding| !finding.confirmed) {
        out.push_str("- A suspected culprit is read from what was observed; it is confirmed when a run with only that repaired is held.\n");
    }
    for gap in &record.known_gaps {
        out.push_str(&format!(
            "- Known gap {} `{}` of {}: {}.\n",
            markdown(&gap.invariant),
            gap.service,
            markdown(&gap.owner),
            markdown(&gaps::told(gap))
        ));
    }
    for (right, how) in &record.rights {
        out.push_str(&format!("- Right {}: {}.\n", code(right), markdown(how)));
    }
    for row in &record.residue {
        out.push_str(&format!("- Left behind: {} {}.\n", markdown(&row.object), code(&row.name)));
    }
    if out.is_empty() { "- None recorded.\n".to_owned() } else { out }
}
