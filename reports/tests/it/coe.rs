//! Owns the claims about the correction of error: evidence on every line, blanks with names, no person. Refuses to fix
//! its words: the committed sample does.

use crate::full;
use reports::{coe, journal, record};

fn sample() -> String {
    let record = record::from_json(full::RECORD).unwrap();
    coe::render(&record, &journal::read(full::EVENTS).unwrap().events)
}

fn section(page: &str, name: &str) -> String {
    let (_, after) = page.split_once(&format!("## {name}\n")).unwrap();
    after.split("\n## ").next().unwrap().trim().to_owned()
}

/// Whether the line cites an event: `e` and digits, alone.
fn cites(line: &str) -> bool {
    line.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
        word.strip_prefix('e').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

#[test]
fn every_why_and_every_moment_has_evidence() {
    let page = sample();
    let whys = section(&page, "Whys");
    for line in whys.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())) {
        assert!(cites(line), "{line}");
    }
    for line in section(&page, "Timeline").lines().filter(|line| line.starts_with("| 20")) {
        assert!(cites(line), "{line}");
    }
}

#[test]
fn last_why_can_be_changed() {
    let page = sample();
    let whys = section(&page, "Whys");
    let last = whys.lines().rfind(|line| line.starts_with(|c: char| c.is_ascii_digit())).unwrap();
    assert!(last.contains("`services.app.needs.session-cache`, which can be changed"), "{last}");
}

#[test]
fn no_blame_and_no_unfilled_placeholder() {
    let page = sample().to_lowercase();
    for word in ["should have", "human error", "operator mistake", "unknown", "{{", "}}", "[no event]"] {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn each_finding_has_one_action_with_owner_and_blank_date() {
    let actions = section(&sample(), "Action items");
    let rows: Vec<&str> = actions.lines().filter(|line| line.starts_with("| 1")).collect();
    assert_eq!(rows.len(), 1);
    assert!(rows[0].contains("| `web` | P1 |") && rows[0].contains("blank: due date"), "{}", rows[0]);
    assert!(rows[0].contains("`blackstart run github-2016 --world sim --seed 42` ends with S5 `held`"));
}

#[test]
fn summary_and_timeline_agree_on_the_harm() {
    let page = sample();
    let (summary, timeline) = (section(&page, "Summary"), section(&page, "Timeline"));
    let first = timeline.lines().find(|line| line.contains("first failures")).unwrap();
    let last = timeline.lines().rfind(|line| line.contains("still failing")).unwrap();
    let utc = |line: &str| line.split('|').nth(1).unwrap().trim().to_owned();
    assert!(summary.contains(&format!("from {} to {}", utc(first), utc(last))), "{summary}");
}

#[test]
fn placeholder_in_a_title_is_not_filled() {
    let mut record = record::from_json(full::RECORD).unwrap();
    record.title = "{{summary}}".to_owned();
    assert!(coe::render(&record, &[]).starts_with(r"# Correction of error: \{\{summary\}\}"));
}

#[test]
fn run_without_events_claims_no_harm() {
    let page = coe::render(&record::from_json(full::RECORD).unwrap(), &[]);
    assert!(section(&page, "Summary").contains("No customer request of a canary failed."));
    assert!(section(&page, "Incident questions").contains("No event shows a fault that was injected."));
}
