//! Owns the claims about documents that many runs write: they are the committed samples, and text from outside does no
//! harm in them, neither as Markdown nor in a browser. Refuses to hold runs.

use crate::full::RECORD;
use crate::history::{sample, ten};
use crate::hostile::{ATTACKS, is_harmful, well_formed};
use crate::reviews::{graph, zones};
use crate::samples::check;
use fixtures::graph::Graph;
use proptest::prelude::*;
use reports::actions::{Told, actions};
use reports::fingerprint::{Beside, Fingerprint};
use reports::history::Entry;
use reports::history::compare::{Comparison, Limits};
use reports::history::list::Listing;
use reports::orr::{self, Subject};
use reports::page::Page;
use reports::policy::{Date, Policy};
use reports::week::Week;
use reports::{coe, docs, html, ops_review};

/// The sample, the newest first.
fn newest_first() -> Vec<Entry> {
    sample().into_iter().rev().collect()
}

#[track_caller]
fn both(name: &str, page: &Page) {
    check(&format!("{name}.md"), &page.markdown());
    check(&format!("{name}.html"), &page.html());
}

#[test]
fn lists_and_comparisons_are_the_committed_samples() {
    let runs = newest_first();
    let listing = Listing { runs: &runs, left_off: 0 };
    check("history.txt", &listing.text());
    both("history", &listing.page());
    let ms = |times: f64| move |at: u64| (1000.0 + (at * at) as f64) * times;
    let (old, new) = (ten("20261109T090000Z", ms(1.0), 4), ten("20261116T090000Z", ms(1.3), 4));
    check("comparison.txt", &Comparison::new(&old, &new, &Limits::default()).text());
}

/// The week of the sample, told on a day of the next one.
fn week_of(runs: &[Entry]) -> Page {
    let (week, today) = (Week::parse("2026-W47").unwrap(), Date::parse("2026-11-25").unwrap());
    ops_review::review(runs, week, &Policy::default(), today)
}

fn readiness_of(graph: &Graph, runs: &[Entry]) -> Page {
    let (zones, today) = (zones(), Date::parse("2026-11-25").unwrap());
    orr::review(Subject { graph, zones: &zones, runs, today, stale_after: 90 })
}

#[test]
fn reviews_actions_and_pages_of_services_are_the_committed_samples() {
    let (runs, graph) = (newest_first(), graph("github-2016"));
    both("ops-review-2026-W47", &week_of(&runs));
    both("orr-github-2016", &readiness_of(&graph, &runs));
    let (actions, policy) = (actions(&runs), Policy::default());
    let told = Told { actions: &actions, policy: &policy, today: Date::parse("2026-11-25").unwrap() };
    check("actions.txt", &told.text());
    both("actions", &told.page());
    for (name, page) in docs::pages(&graph, &runs) {
        check(&format!("docs/{name}"), &page.markdown());
    }
}

/// The sample with this text wherever text is free.
fn hostile(text: &str) -> Vec<Entry> {
    let mut runs = newest_first();
    for (position, run) in runs.iter_mut().enumerate() {
        let free = || text.to_owned();
        (run.title, run.build, run.replay, run.label) = (free(), free(), free(), Some(free()));
        if position % 3 == 0 {
            (run.run, run.scenario, run.world, run.graph) = (free(), free(), free(), free());
        }
        for hit in &mut run.hits {
            hit.fault = free();
        }
        for found in &mut run.findings {
            (found.text, found.invariant, found.setting) = (free(), free(), Some(free()));
            found.fingerprint = Fingerprint(free());
        }
    }
    runs
}

#[track_caller]
fn harmless_page(name: &str, page: &Page) {
    let (text, browser) = (page.markdown(), page.html());
    for (form, out) in [("md", &text), ("html", &browser)] {
        assert_eq!(out.chars().find(|c| is_harmful(*c)), None, "in {name}.{form}");
        assert!(out.len() < 600_000, "{name}.{form} has {} bytes", out.len());
    }
    well_formed(&browser);
    // One heading of the first level, and fences in pairs: no text begins a block of its own.
    assert_eq!(text.lines().filter(|line| line.starts_with("# ")).count(), 1, "{name}");
    assert!(text.lines().filter(|line| line.starts_with("```")).count().is_multiple_of(2), "{name}");
}

#[track_caller]
fn harmless(text: &str) {
    let runs = hostile(text);
    let listing = Listing { runs: &runs, left_off: 1 };
    let comparison = Comparison::new(&runs[..9], &runs[9..], &Limits::default());
    for out in [listing.text(), comparison.text(), listing.json(), comparison.json()] {
        assert_eq!(out.chars().find(|c| is_harmful(*c)), None);
    }
    // Escaped for a terminal, it means the same.
    let value: serde_json::Value = serde_json::from_str(&listing.json()).unwrap();
    assert_eq!(value["runs"][0]["title"], text);
    harmless_page("history", &listing.page());
    harmless_page("comparison", &comparison.page());
    let (actions, policy) = (actions(&runs), Policy::default());
    let told = Told { actions: &actions, policy: &policy, today: Date::parse("2027-11-25").unwrap() };
    for out in [told.text(), told.json()] {
        assert_eq!(out.chars().find(|c| is_harmful(*c)), None);
    }
    harmless_page("actions", &told.page());
    harmless_page("ops-review", &week_of(&runs));
    let mut graph = graph("github-2016");
    graph.title = text.to_owned();
    harmless_page("orr", &readiness_of(&graph, &runs));
    for (name, page) in docs::pages(&graph, &runs) {
        harmless_page(&name, &page);
    }
    in_a_correction(&told);
}

/// Overdue actions are told in the next correction too.
#[track_caller]
fn in_a_correction(told: &Told<'_>) {
    let record = reports::record::from_json(RECORD).unwrap();
    let beside = Beside { policy: told.policy, related: None, actions: Some(*told) };
    let (page, browser) = (coe::render(&record, &[], &beside), html::render(&record, &[], &beside));
    let late = told.actions.iter().filter(|action| action.overdue(told.policy, told.today).is_some()).count().min(11);
    assert_eq!(page.lines().filter(|line| line.starts_with("- Overdue: ")).count(), late);
    for out in [&page, &browser] {
        assert_eq!(out.chars().find(|c| is_harmful(*c)), None);
    }
    well_formed(&browser);
}

#[test]
fn known_attacks_do_no_harm_in_documents_of_many_runs() {
    let (long, wide) = ("x".repeat(10_000), "電源".repeat(5_000));
    ATTACKS.into_iter().chain([long.as_str(), wide.as_str()]).for_each(harmless);
}

#[test]
fn markup_has_no_effect_in_markdown_of_many_runs() {
    let runs = hostile("<img src=x> | [a](b)\n- c\n# d ```");
    let page = Listing { runs: &runs, left_off: 0 }.page().markdown();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ")).collect();
    let bars = |line: &&str| line.replace("\\|", "").matches('|').count();
    assert!(rows.iter().all(|line| bars(line) == bars(&rows[0])), "{page}");
    for line in page.lines() {
        let outside: String = line.split('`').step_by(2).collect();
        assert!(!outside.replace("\\<", "").contains("<img") && !line.starts_with("- c"), "{line}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_does_no_harm_in_documents_of_many_runs(text in any::<String>()) {
        harmless(&text);
    }

    #[test]
    fn any_mix_of_specials_does_no_harm_there(text in r#"[<>&"'`|\\\[\]{}#*_~! \n\r\t\x00\x1b\u{202e}\u{2067}a-c电0-9.)+-]{0,200}"#) {
        harmless(&text);
    }
}
