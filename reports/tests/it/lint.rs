//! Owns the claims about the linter of corrections: pages that blackstart wrote pass, and each kind of bad page is told by
//! its rule. Refuses to judge style.

use crate::full;
use reports::coe::lint::lint;
use reports::fingerprint::Beside;
use reports::policy::Policy;
use reports::{coe, journal, record};
use scenarios::event::EventId;
use std::collections::BTreeSet;

fn sample() -> String {
    let record = record::from_json(full::RECORD).unwrap();
    coe::render(&record, &journal::read(full::EVENTS).unwrap().events, &Beside::default())
}

fn events() -> BTreeSet<EventId> {
    journal::read(full::EVENTS).unwrap().events.iter().map(|event| event.id).collect()
}

fn rules(page: &str) -> Vec<&'static str> {
    lint(page, &Policy::default(), Some(&events())).into_iter().map(|breach| breach.rule).collect()
}

#[test]
fn what_blackstart_wrote_passes() {
    let breaches = lint(&sample(), &Policy::default(), Some(&events()));
    let told: Vec<String> = breaches.iter().map(ToString::to_string).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

/// The sample with one thing changed breaks exactly the rule that speaks of it.
#[track_caller]
fn bad(from: &str, to: &str, rule: &str) {
    let page = sample();
    assert!(page.contains(from), "the sample has no {from:?}");
    let found = rules(&page.replacen(from, to, 1));
    assert!(found.contains(&rule), "{rule} was not told, but {found:?}");
}

/// The last answered why of the sample.
const END: &str = "Why was that possible? `app` is built to lean on `cache`: the graph says so in `services.app.needs.session-cache`, which can be changed";

/// The sample's only action.
fn action() -> String {
    sample().lines().find(|line| line.starts_with("| 1 | Change")).unwrap().to_owned()
}

/// The action with one cell written anew.
fn cell(number: usize, text: &str) -> String {
    let line = action();
    let mut cells: Vec<&str> = line.split('|').collect();
    cells[number] = text;
    cells.join("|")
}

#[test]
fn bad_whys_are_told() {
    bad(END, "Why was that possible? It was human error", "last-why");
    bad(END, "Why was that possible? An oversight in the rollout", "last-why");
    bad(END, "Why was that possible? A bug", "last-why");
    bad(END, "Why was that possible? The cause is unknown", "last-why");
    bad(END, "Why was that possible? A process failure", "last-why");
    bad(END, "Why was that possible? An engineer pushed the wrong version", "person");
    bad(END, "Why was that possible? It broke when Jane Miller restarted it", "person");
    bad(END, "Why was that possible? @jmiller restarted it", "person");
    bad(END, "Why was that possible? He forgot the cache", "person");
    bad("which can be changed [e28, e40, e50]", "which can be changed", "why-without-evidence");
    let page = sample();
    let (before, after) = page.split_once("### S5: `app`").unwrap();
    let (_, rest) = after.split_once("## Action items").unwrap();
    let shallow = format!("{before}### S5: `app`\n\n1. Why? The cache was late. [e48]\n\n## Action items{rest}");
    assert!(rules(&shallow).contains(&"few-whys"));
    let none = format!("{before}\n## Action items{rest}");
    assert!(rules(&none).contains(&"no-whys"), "{:?}", rules(&none));
}

#[test]
fn bad_actions_are_told() {
    let line = action();
    bad(&line, &cell(3, " "), "action-owner");
    bad(&line, &cell(3, " _(blank: owner — to be filled by the team)_ "), "action-owner");
    bad(&line, &cell(3, " `web`, `storage` "), "action-owners");
    bad(&line, &cell(3, " web and storage "), "action-owners");
    bad(&line, &cell(3, " @jmiller "), "action-owners");
    bad(&line, &cell(4, " soon "), "action-priority");
    bad(&line, &cell(5, " next quarter "), "action-date");
    bad(&line, &cell(5, " 2026-02-30 "), "action-date");
    bad(&line, &cell(5, " 2026-08-28 or 2026-09-28 "), "action-date");
    bad(&line, &cell(5, " 2026-01-01 "), "action-date");
    bad(&line, &cell(6, " "), "action-criterion");
    bad(&line, &cell(7, " – "), "action-test");
    bad(&format!("{line}\n"), "", "no-action");
}

#[test]
fn bad_timelines_are_told() {
    bad(
        "| 2026-07-29T10:15:14.000Z | +14.000 s | baseline | e3 |",
        "| 2026-07-29T10:15:14.000Z | +14.000 s | baseline | |",
        "moment-without-evidence",
    );
    bad("| 2026-07-29T10:15:14.000Z | +14.000 s", "| 12:15 CEST | +14.000 s", "time-zone");
    bad("| 2026-07-29T10:15:14.000Z | +14.000 s", "| 2026-07-29T10:19:14.000Z | +14.000 s", "time-order");
    bad("to 2026-07-29T10:16:49.000Z: ", "to 2026-07-29T10:17:49.000Z: ", "impact-window");
}

#[test]
fn bad_figures_words_and_shapes_are_told() {
    bad("requests failed [e19, e62]", "requests failed", "figure-without-evidence");
    bad("- Writes acknowledged:", "- Customers lost: 1200\n- Writes acknowledged:", "figure-without-evidence");
    bad("[e14, e19]", "[e14, e9999]", "event-not-there");
    bad("It had not ended when the run did.", "The team should have noticed.", "hindsight");
    bad("It had not ended when the run did.", "The rest is TBD.", "placeholder");
    bad("It had not ended when the run did.", &"It went on. ".repeat(20), "long-summary");
    bad("## Impact\n", "## Effects\n", "missing-section");
    bad("## Caveats\n", "## Impact\n\nx\n\n## Caveats\n", "repeated-section");
    bad("# Correction of error:", "# Notes:", "title");
    let page = sample();
    let (before, after) = page.split_once("## Related\n").unwrap();
    let (_, rest) = after.split_once("## Caveats").unwrap();
    assert!(rules(&format!("{before}## Related\n\n## Caveats{rest}")).contains(&"empty-section"));
}

#[test]
fn a_policy_changes_what_is_asked() {
    let strict = Policy { summary_sentences_max: 2, ..Policy::default() };
    assert!(lint(&sample(), &strict, None).iter().any(|breach| breach.rule == "long-summary"));
}
