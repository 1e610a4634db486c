//! Owns `summary.md`: what a CI server shows on the page of a job, for one run or several. Refuses to repeat the
//! correction: it says what failed, who owns it, and how to see it again.

use crate::gaps;
use crate::record::Record;
use crate::text::{code, length_ms, list, markdown, share};
use scenarios::verdict::Verdict;

/// Findings of a run that are told at most; its other documents tell all.
const FINDINGS_MAX: usize = 20;

/// The page.
pub fn render(records: &[&Record]) -> String {
    let count = |verdict| records.iter().filter(|record| record.verdict == verdict).count();
    let failed = records.iter().filter(|record| gaps::fails(record)).count();
    let mut out = format!("## blackstart: {} of {} game days held\n\n", count(Verdict::Held), records.len());
    if failed == 0 && count(Verdict::Violated) > 0 {
        out.push_str("Everything that was violated is a known gap.\n\n");
    }
    out.push_str("| | scenario | verdict | lowest share answered in quiet | slowest return | writes lost | run |\n|---|---|---|---|---|---|---|\n");
    for record in records {
        out.push_str(&row(record));
    }
    for record in records.iter().filter(|record| record.verdict != Verdict::Held || !record.known_gaps.is_empty()) {
        out.push_str(&details(record));
    }
    out
}

fn sign(record: &Record) -> &'static str {
    match record.verdict {
        Verdict::Held if gaps::fails(record) => "❌",
        Verdict::Held => "✅",
        Verdict::Violated if gaps::fails(record) => "❌",
        Verdict::Violated => "🟡",
        Verdict::Inconclusive | Verdict::NotJudged => "⚠️",
    }
}

fn row(record: &Record) -> String {
    let quiet = record.measurements.availability.values().filter_map(|phases| phases.get("quiet")?.share);
    let lowest = quiet.reduce(f64::min);
    let slowest = record.measurements.restart_to_active_ms.map_or_else(|| "–".to_owned(), length_ms);
    let writes = &record.measurements;
    format!(
        "| {} | {} | {} | {} | {slowest} | {} of {} | {} |\n",
        sign(record),
        markdown(&record.scenario),
        record.verdict.word(),
        share(lowest),
        writes.lost_acknowledged_writes,
        writes.acknowledged_writes,
        cell(&record.run)
    )
}

/// A code span in a table, where a bar would begin the next cell.
fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}

fn details(record: &Record) -> String {
    let mut out = format!("\n### {}: {}\n\n", markdown(&record.scenario), record.verdict.word());
    for reason in &record.inconclusive {
        out.push_str(&format!("- {} ({})\n", markdown(&reason.text), list(&reason.evidence)));
    }
    for result in record.invariants.iter().filter(|result| result.verdict == Verdict::Violated) {
        let known = if gaps::is_accepted(record, &result.id) { " (known gap)" } else { "" };
        out.push_str(&format!(
            "- **{} violated**{known}: {} ({})\n",
            markdown(&result.id),
            markdown(&result.reason),
            list(&result.evidence)
        ));
    }
    for finding in record.findings.iter().take(FINDINGS_MAX) {
        let sure = if finding.confirmed { "confirmed" } else { "suspected" };
        let setting = finding.setting.as_deref().map_or_else(String::new, |setting| format!(", {}", code(setting)));
        out.push_str(&format!(
            "- {sure} culprit of {}: `{}`, team `{}`{setting}: {}\n",
            markdown(&finding.invariant),
            finding.service,
            finding.team,
            markdown(&finding.text)
        ));
    }
    if record.findings.len() > FINDINGS_MAX {
        out.push_str(&format!("- and {} findings more\n", record.findings.len() - FINDINGS_MAX));
    }
    for gap in &record.known_gaps {
        out.push_str(&format!(
            "- known gap {} `{}`, owner {}: {}\n",
            markdown(&gap.invariant),
            gap.service,
            markdown(&gap.owner),
            markdown(&gaps::told(gap))
        ));
    }
    out.push_str(&format!("- again: {}\n", code(&record.replay)));
    out
}
