//! Owns the rules of a correction of error, for pages that blackstart wrote and for those that people edited: no person as
//! a cause, no last why that explains nothing, every figure with its evidence, every action with one owner and one day.
//! Refuses to mend a page, and to know where it lies.
//!
//! - [`page`]: a page as sections, tables and lists
//! - [`words`]: what a text may not say
//! - [`tables`]: timeline and action items
//! - [`chains`][]: whys

mod chains;
mod page;
mod tables;
mod words;

use crate::policy::Policy;
use page::{Page, Section};
use scenarios::event::EventId;
use std::collections::BTreeSet;
use std::fmt;

/// One breach of one rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Breach {
    /// Line from 1.
    pub line: usize,
    /// The rule, a short stable word.
    pub rule: &'static str,
    /// What is wrong, and what would be right.
    pub text: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.line, self.rule, self.text)
    }
}

/// Sections of a correction, in their order.
const CORRECTION: [&str; 11] = [
    "Summary",
    "Impact",
    "Moments",
    "Timeline",
    "Metrics",
    "Culprits",
    "Whys",
    "Action items",
    "Incident questions",
    "Related",
    "Caveats",
];

/// Sections of a report on a run in which nothing was violated.
const REPORT: [&str; 7] = ["Summary", "Impact", "Moments", "Timeline", "Metrics", "Related", "Caveats"];

/// Sections in which every figure needs its evidence.
const COUNTED: [&str; 4] = ["Summary", "Impact", "Moments", "Incident questions"];

/// Collects breaches.
#[derive(Debug, Default)]
struct Breaches(Vec<Breach>);

impl Breaches {
    fn add(&mut self, line: usize, rule: &'static str, text: impl Into<String>) {
        self.0.push(Breach { line, rule, text: text.into() });
    }
}

/// Every breach of a page, by line. With the events of its run, what it cites must be among them.
pub fn lint(text: &str, policy: &Policy, events: Option<&BTreeSet<EventId>>) -> Vec<Breach> {
    let page = Page::read(text);
    let mut breaches = Breaches::default();
    let correction = match page.title {
        Some((_, title)) if title.starts_with("Correction of error: ") => true,
        Some((_, title)) if title.starts_with("Game day report: ") => false,
        _ => {
            breaches.add(
                1,
                "title",
                "the page begins with `# Correction of error: TITLE` or `# Game day report: TITLE`",
            );
            true
        }
    };
    sections(&page, if correction { &CORRECTION } else { &REPORT }, &mut breaches);
    words::check(&page, &mut breaches);
    figures(&page, &mut breaches);
    summary(&page, policy, &mut breaches);
    tables::timeline(&page, &mut breaches);
    tables::window(&page, &mut breaches);
    if correction {
        chains::check(&page, policy, &mut breaches);
        tables::actions(&page, &mut breaches);
    }
    if let Some(events) = events {
        cited(&page, events, &mut breaches);
    }
    breaches.0.sort();
    breaches.0.dedup();
    breaches.0
}

fn sections(page: &Page<'_>, wanted: &[&str], breaches: &mut Breaches) {
    let mut last = 0;
    for name in wanted {
        let mut own = page.sections.iter().filter(|section| section.name == *name);
        let Some(section) = own.next() else {
            breaches.add(1, "missing-section", format!("there is no section `## {name}`"));
            continue;
        };
        if let Some(again) = own.next() {
            breaches.add(again.line, "repeated-section", format!("`## {name}` stands here a second time"));
        }
        if section.lines.iter().all(|(_, line)| line.trim().is_empty()) {
            breaches.add(
                section.line,
                "empty-section",
                format!("`## {name}` says nothing: write it, or leave its blank"),
            );
        }
        if section.line < last {
            breaches.add(
                section.line,
                "section-order",
                format!("`## {name}` stands before a section that comes before it"),
            );
        }
        last = last.max(section.line);
    }
}

/// Figures of the sections that count: each line cites the event that it is counted from.
fn figures(page: &Page<'_>, breaches: &mut Breaches) {
    for section in page.sections.iter().filter(|section| COUNTED.contains(&section.name)) {
        for (number, line) in section.lines.iter().filter(|(_, line)| page::has_figure(line) && !page::cites(line)) {
            let figure = page::figures(line).next().unwrap_or_default();
            breaches.add(
                *number,
                "figure-without-evidence",
                format!("`{figure}`: cite the event that shows it, such as [e17]"),
            );
        }
    }
}

fn summary(page: &Page<'_>, policy: &Policy, breaches: &mut Breaches) {
    let Some(section) = page.section("Summary") else { return };
    let sentences = section.lines.iter().map(|(_, line)| page::sentences(line)).sum::<usize>();
    let most = policy.summary_sentences_max;
    if sentences > most {
        breaches.add(
            section.line,
            "long-summary",
            format!("{sentences} sentences: at most {most}, so that it is read"),
        );
    }
}

fn cited(page: &Page<'_>, events: &BTreeSet<EventId>, breaches: &mut Breaches) {
    for Section { lines, .. } in &page.sections {
        for (number, line) in lines {
            for id in page::citations(line).filter(|id| !events.contains(id)) {
                breaches.add(*number, "event-not-there", format!("{id} is not in events.jsonl of this run"));
            }
        }
    }
}
