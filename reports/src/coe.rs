//! Owns `coe.md`: the correction of error that a violated run writes, filled as far as evidence goes. Refuses to name a
//! person, and to fill what only people know: that stays a named blank.
//!
//! - [`harmed`]: summary and impact
//! - [`causes`]: culprits, whys, action items
//! - [`questions`]: detection, diagnosis, mitigation, prevention

mod causes;
mod harmed;
mod questions;

use crate::harm;
use crate::record::{Origin, Record};
use crate::text::{code, markdown};
use crate::timeline;
use scenarios::event::{Event, EventId};
use scenarios::judgement::Reason;

/// The page around the sections.
const TEMPLATE: &str = include_str!("../templates/coe.md");

/// The correction of error of a run.
pub fn render(record: &Record, events: &[Event]) -> String {
    let episodes = harm::episodes(events);
    let section = |name: &str| match name {
        "title" => markdown(&record.title),
        "run" => code(&record.run),
        "summary" => harmed::summary(record, &episodes),
        "impact" => harmed::impact(record, events, &episodes),
        "timeline" => timeline_section(record, events),
        "culprits" => causes::culprits(record),
        "whys" => causes::whys(record),
        "actions" => causes::actions(record),
        "questions" => questions::render(record, events, &episodes),
        "related" => related(record),
        "caveats" => caveats(record),
        unknown => format!("(no section is called {unknown})"),
    };
    fill(TEMPLATE, section)
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
    let mut out = String::from("| UTC | run time | what | event |\n|---|---|---|---|\n");
    for row in timeline::rows(record, events) {
        let moment = crate::text::moment(row.t_ns);
        out.push_str(&format!("| {} | {moment} | {} | {} |\n", markdown(&row.utc), markdown(&row.text), row.evidence));
    }
    out
}

fn related(record: &Record) -> String {
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
    out.push_str(&format!(
        "- Earlier incidents of the same kind: {}\n",
        blank("links to incidents and earlier corrections")
    ));
    out
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
    for (name, parameter) in record.parameters.iter().filter(|(_, parameter)| parameter.origin == Origin::Assumed) {
        out.push_str(&format!("- Assumed, not measured: {} is {}.\n", markdown(name), markdown(&parameter.value)));
    }
    for (right, how) in &record.rights {
        out.push_str(&format!("- Right {}: {}.\n", code(right), markdown(how)));
    }
    for row in &record.residue {
        out.push_str(&format!("- Left behind: {} {}.\n", markdown(&row.object), code(&row.name)));
    }
    if out.is_empty() { "- None recorded.\n".to_owned() } else { out }
}
