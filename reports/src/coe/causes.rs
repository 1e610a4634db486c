//! Owns culprits, whys and action items of a correction of error: one of each for every finding. Refuses to end a chain
//! with a person, or with a word such as "unknown": its last why is something that can be changed.

use super::{blank, cite};
use crate::record::Record;
use crate::text::{code, list, markdown, moment};
use scenarios::event::EventId;
use scenarios::judgement::{Finding, InvariantResult};

/// Who held what back, and how sure that is.
pub(super) fn culprits(record: &Record) -> String {
    let mut out = String::new();
    for (index, finding) in record.findings.iter().enumerate() {
        let sure = if finding.confirmed { "confirmed" } else { "suspected" };
        let leans = finding.dependency.as_ref().map_or_else(String::new, |on| format!(" leans on `{on}`"));
        out.push_str(&format!(
            "{}. **`{}`**{leans} (team `{}`, {sure}, {}). {}\n",
            index + 1,
            finding.service,
            finding.team,
            markdown(&finding.invariant),
            markdown(&finding.text)
        ));
        if let Some(setting) = &finding.setting {
            out.push_str(&format!("   - Setting: {}\n", code(setting)));
        }
        if !finding.affected.is_empty() {
            out.push_str(&format!("   - Held back: {}\n", markdown(&list(&finding.affected))));
        }
        if let Some(result) = result_of(record, finding) {
            out.push_str(&format!("   - Seen: {} {}\n", markdown(&result.reason), cite(&result.evidence)));
            for (name, value) in &result.thresholds {
                out.push_str(&format!("   - Threshold: {} {}\n", markdown(name), markdown(value)));
            }
        }
        if let Some(other) = &finding.consequence_of {
            out.push_str(&format!("   - Follows from the finding of {}.\n", markdown(other)));
        }
        if finding.known {
            out.push_str("   - A known gap: listed in the known-gaps file of this run.\n");
        }
    }
    if out.is_empty() { "No culprit was found in what was observed.\n".to_owned() } else { out }
}

/// The result that a finding explains; an invariant judged in several aspects has its violated one.
fn result_of<'a>(record: &'a Record, finding: &Finding) -> Option<&'a InvariantResult> {
    let own = record.invariants.iter().filter(|result| result.id == finding.invariant);
    own.max_by_key(|result| result.verdict)
}

/// One chain for each finding, from harm to what can be changed.
pub(super) fn whys(record: &Record) -> String {
    let mut out = String::new();
    for finding in &record.findings {
        out.push_str(&format!("### {}: `{}`\n\n", markdown(&finding.invariant), finding.service));
        for (index, link) in finding.chain.iter().enumerate() {
            out.push_str(&format!(
                "{}. Why did {} not get on? Waiting for {} ({}) since {} {}\n",
                index + 1,
                markdown(&link.who),
                markdown(&link.waits_for),
                markdown(&link.how),
                moment(link.since_ns),
                cite(&link.evidence)
            ));
        }
        out.push_str(&format!(
            "{}. {} {}\n\n",
            finding.chain.len() + 1,
            last_why(finding),
            cite(&evidence(record, finding))
        ));
    }
    if out.is_empty() { blank("why this happened; no finding names a cause") } else { out }
}

/// What can be changed. The words are the harness's own, so that no chain ends in a word that explains nothing.
fn last_why(finding: &Finding) -> String {
    let leans = match &finding.dependency {
        Some(on) => format!("`{}` is built to lean on `{on}`", finding.service),
        None => format!("`{}` is built that way", finding.service),
    };
    match (&finding.setting, &finding.consequence_of) {
        (Some(setting), _) => {
            format!("Why was that possible? {leans}: the graph says so in {}, which can be changed.", code(setting))
        }
        (None, Some(other)) => {
            format!("Why was that possible? {leans}, and the cause found for {} sets it off.", markdown(other))
        }
        (None, None) => format!("Why was that possible? {leans}: a property of its design, which can be changed."),
    }
}

/// Events behind the last why: those of the deepest link, else those of the invariant.
fn evidence(record: &Record, finding: &Finding) -> Vec<EventId> {
    let deepest = finding.chain.last().map(|link| link.evidence.clone()).filter(|ids| !ids.is_empty());
    deepest.or_else(|| result_of(record, finding).map(|result| result.evidence.clone())).unwrap_or_default()
}

/// One action for each finding.
pub(super) fn actions(record: &Record) -> String {
    let mut out =
        String::from("| # | action | owner (team) | priority | success criterion | due |\n|---|---|---|---|---|---|\n");
    for (index, finding) in record.findings.iter().enumerate() {
        out.push_str(&format!(
            "| {} | {} | `{}` | {} | {} ends with {} `held` | {} |\n",
            index + 1,
            action(finding),
            finding.team,
            priority(record, finding),
            code(&record.replay).replace('|', "\\|"),
            markdown(&finding.invariant),
            blank("due date")
        ));
    }
    out
}

fn action(finding: &Finding) -> String {
    let invariant = markdown(&finding.invariant);
    let where_to = match &finding.setting {
        Some(setting) => format!("Change {}", code(setting).replace('|', "\\|")),
        None => format!("Change the design of `{}`", finding.service),
    };
    match &finding.dependency {
        Some(on) => format!(
            "{where_to} so that `{}` keeps {invariant} while `{on}` is away and after it returns",
            finding.service
        ),
        None => format!("{where_to} so that `{}` keeps {invariant}", finding.service),
    }
}

/// Lost data first, then harm that does not end by itself, then what follows from another finding or is accepted.
fn priority(record: &Record, finding: &Finding) -> &'static str {
    if finding.known || finding.consequence_of.is_some() {
        "P2"
    } else if finding.invariant.starts_with('A') && record.measurements.lost_acknowledged_writes > 0 {
        "P0"
    } else {
        "P1"
    }
}
