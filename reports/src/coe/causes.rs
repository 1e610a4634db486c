//! Owns culprits, whys and contributing factors of a correction of error. Refuses to end a chain with a person, or with a
//! word such as "unknown": its last why is something that can be changed, or a named blank.

use super::{blank, cite};
use crate::harm;
use crate::record::Record;
use crate::text::{code, list, markdown};
use crate::whys::{chains, result_of};
use scenarios::event::Event;
use scenarios::judgement::Finding;
use std::collections::{BTreeMap, BTreeSet};

/// Who held what back: the confirmed first, then the suspected.
pub(super) fn culprits(record: &Record) -> String {
    let mut out = String::new();
    for (title, confirmed) in [("Confirmed", true), ("Suspected", false)] {
        let own: Vec<_> = record.findings.iter().enumerate().filter(|(_, one)| one.confirmed == confirmed).collect();
        if own.is_empty() {
            continue;
        }
        let what = if confirmed {
            "a run with only this repaired was held"
        } else {
            "read from what was observed, not yet repaired alone"
        };
        out.push_str(&format!("### {title} ({what})\n\n"));
        own.into_iter().for_each(|(index, finding)| out.push_str(&culprit(record, index, finding)));
        out.push('\n');
    }
    if out.is_empty() { "No culprit was found in what was observed.\n".to_owned() } else { out }
}

fn culprit(record: &Record, index: usize, finding: &Finding) -> String {
    let sure = if finding.confirmed { "confirmed" } else { "suspected" };
    let leans = finding.dependency.as_ref().map_or_else(String::new, |on| format!(" leans on `{on}`"));
    let mut out = format!(
        "{}. **`{}`**{leans} (team `{}`, {sure}, {}). {}\n",
        index + 1,
        finding.service,
        finding.team,
        markdown(&finding.invariant),
        spans(&finding.text)
    );
    if let Some(setting) = &finding.setting {
        out.push_str(&format!("   - Setting: {}\n", code(setting)));
    }
    if !finding.affected.is_empty() {
        out.push_str(&format!("   - Held back: {}\n", markdown(&list(&finding.affected))));
    }
    if let Some(result) = result_of(record, finding) {
        out.push_str(&format!("   - Seen: {} {}\n", spans(&result.reason), cite(&result.evidence)));
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
    out
}

/// One chain for each finding, from harm to what can be changed; the longest first.
pub(super) fn whys(record: &Record, events: &[Event]) -> String {
    let chains = chains(record, &harm::by_time(events));
    if chains.is_empty() {
        return blank("why this happened; no finding names a cause");
    }
    let mut out = factors(record);
    for (finding, whys) in &chains {
        out.push_str(&format!("### {}: `{}`\n\n", markdown(&finding.invariant), finding.service));
        for (index, why) in whys.iter().enumerate() {
            let (question, answer) = (spans(&why.question), spans(&why.answer));
            out.push_str(&format!("{}. {question} {answer} {}\n", index + 1, cite(&why.evidence)));
        }
        let ends = whys.last().is_some_and(|why| why.setting.is_some());
        let further = if ends {
            "why it was built that way, and what let it pass"
        } else {
            "why that is so; what was observed ends here"
        };
        out.push_str(&format!("{}. {}\n\n", whys.len() + 1, blank(further)));
    }
    out
}

/// Who waits for whom over all findings, each pair once: the graph whose longest ways are the chains below.
fn factors(record: &Record) -> String {
    let mut edges: BTreeMap<(String, String), BTreeSet<usize>> = BTreeMap::new();
    for (index, finding) in record.findings.iter().enumerate() {
        for link in &finding.chain {
            let edge = (service_of(record, &link.who), service_of(record, &link.waits_for));
            edges.entry(edge).or_default().insert(index + 1);
        }
    }
    let shared = edges.values().filter(|findings| findings.len() > 1).count();
    if shared == 0 {
        return String::new();
    }
    let mut out = String::from("Factors that several findings share:\n\n");
    for ((who, waits_for), findings) in edges.iter().filter(|(_, findings)| findings.len() > 1) {
        let findings: Vec<&usize> = findings.iter().collect();
        out.push_str(&format!("- {} waits for {}: culprits {}\n", code(who), code(waits_for), list(&findings)));
    }
    out.push('\n');
    out
}

/// An instance as its service; everything else as it is.
fn service_of(record: &Record, who: &str) -> String {
    let row = record.instances.iter().find(|row| row.name.as_str() == who);
    row.map_or_else(|| who.to_owned(), |row| row.service.to_string())
}

/// Markdown in which what stood between back-ticks is code; the rest has no meaning. An odd back-tick is text.
pub(super) fn spans(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return markdown(text);
    }
    let part = |(index, part): (usize, &&str)| if index % 2 == 1 { code(part) } else { keep_ends(part) };
    parts.iter().enumerate().map(part).collect()
}

/// Cleaned text has no white space at its ends; between two code spans it needs it.
fn keep_ends(part: &str) -> String {
    let inner = markdown(part);
    let before = if part.starts_with(' ') { " " } else { "" };
    let after = if part.ends_with(' ') && !inner.is_empty() { " " } else { "" };
    format!("{before}{inner}{after}")
}
