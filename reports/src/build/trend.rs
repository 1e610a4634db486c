//! Owns what many builds say together: from build to build how long they took, what was tried again, what needed a
//! hand and whose that was, and what stands open. Refuses to read folders.

use super::BuildRecord;
use super::checks::{Kind, open};
use super::page::{mark, what};
use crate::page::{Page, Text};
use crate::text::{count, length};
use scenarios::build::check::Check;
use std::collections::BTreeSet;

/// The page of these builds, the oldest first.
pub fn page(records: &[BuildRecord]) -> Page {
    let mut all: Vec<&BuildRecord> = records.iter().collect();
    all.sort_by(|a, b| a.run.cmp(&b.run));
    let mut page = Page::new("Builds");
    page.say(bar(&all));
    let row = |record: &&BuildRecord| {
        let hands: Text = match record.by_hand {
            0 => "none".into(),
            acts => Text::new().mark("violated", count(acts, "act")).plain(teams(record)),
        };
        vec![
            Text::new().code(record.run.clone()),
            what(record).into(),
            length(record.took_ms.saturating_mul(1_000_000)).into(),
            record.steps.to_string().into(),
            record.tried_again.to_string().into(),
            hands,
            mark(record.verdict),
            record.ending.clone().into(),
        ]
    };
    let head = ["build", "what", "took", "steps", "tried again", "by hand", "verdict", "ending"];
    page.table(&head, all.iter().map(row).collect(), "Nothing was built yet.");
    stand_open(&mut page, records);
    page
}

/// Whose acts they were, each once: ` (storage, network)`.
fn teams(record: &BuildRecord) -> String {
    let teams: BTreeSet<&str> = record.hands.iter().map(|hand| hand.team.as_str()).collect();
    let teams: Vec<&str> = teams.into_iter().collect();
    if teams.is_empty() { String::new() } else { format!(" ({})", teams.join(", ")) }
}

/// What was found and not shown to be gone since: checks of the next build of the same kind and graph.
fn stand_open(page: &mut Page, records: &[BuildRecord]) {
    let kinds: BTreeSet<(Kind, &str)> =
        records.iter().map(|record| (Kind::of_record(record), record.graph.as_str())).collect();
    let open = kinds.into_iter().flat_map(|(kind, graph)| open(records, kind, graph));
    let item = |check: Check| {
        let Check { from, before, finding, .. } = check;
        Text::new()
            .code(finding.invariant)
            .plain(": ")
            .append(Text::told(&finding.text))
            .plain(format!(". Team {}; found by ", finding.team))
            .code(from)
            .plain(format!("; asked for before {}", before.word()))
    };
    page.heading("Open findings");
    page.list(open.map(item).collect(), "None: what was found was shown to be gone since.");
}

/// Whether the bar for automation is met, and since when.
fn bar(all: &[&BuildRecord]) -> Text {
    let bar = "The bar for automation: no step of a build needs a hand. ";
    let meeting = all.iter().rev().take_while(|record| record.by_hand == 0).count();
    let text = match (all.last(), meeting) {
        (None, _) => "Nothing was built yet.".to_owned(),
        (Some(last), 0) => format!("The last build is above it by {}.", count(last.by_hand, "act")),
        (Some(_), builds) if builds == all.len() => format!("Met by {}, all there are.", count(builds, "build")),
        (Some(_), builds) => format!("Met by the last {}.", count(builds, "build")),
    };
    Text::new().plain(bar).strong(text)
}
