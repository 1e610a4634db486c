//! Owns the claims about the correction of error: evidence on every line, blanks with names, no person. Refuses to fix
//! its words: the committed sample does.

use crate::full;
use reports::fingerprint::Beside;
use reports::{coe, journal, record};

fn sample() -> String {
    let record = record::from_json(full::RECORD).unwrap();
    coe::render(&record, &journal::read(full::EVENTS).unwrap().events, &Beside::default())
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
    for line in whys.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit()) && !line.contains("_(blank:"))
    {
        assert!(cites(line), "{line}");
    }
    for line in section(&page, "Timeline").lines().filter(|line| line.starts_with("| 20")) {
        assert!(cites(line), "{line}");
    }
}

#[test]
fn the_chain_is_five_whys_deep_and_ends_in_what_can_be_changed() {
    let page = sample();
    let whys = section(&page, "Whys");
    let numbered: Vec<&str> = whys.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).collect();
    let (blank, answered) = numbered.split_last().unwrap();
    assert!(blank.contains("_(blank: why it was built that way"), "{blank}");
    assert!(answered.len() >= 5, "{whys}");
    let last = answered.last().unwrap();
    assert!(last.contains("`services.app.needs.session-cache`, which can be changed"), "{last}");
    assert!(whys.contains("Why were 5 asks not enough? `cache-az1-0` was seen active at"), "{whys}");
}

#[test]
fn no_blame_and_no_unfilled_placeholder() {
    let page = sample().to_lowercase();
    for word in ["should have", "human error", "operator mistake", "unknown", "{{", "}}", "[no event]"] {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn each_finding_has_one_action_with_owner_date_and_test() {
    let actions = section(&sample(), "Action items");
    let rows: Vec<&str> = actions.lines().filter(|line| line.starts_with("| 1")).collect();
    assert_eq!(rows.len(), 1);
    // 30 days of the usual policy after the day of the run's id.
    assert!(rows[0].contains("| `web` | P1 | 2026-08-28 |"), "{}", rows[0]);
    assert!(rows[0].contains("S5 of `github-2016` is `held` | `blackstart run github-2016 --world sim --seed 42` |"));
}

#[test]
fn moments_have_times_and_evidence() {
    let moments = section(&sample(), "Moments");
    for wanted in [
        "| first fault in force | 2026-07-29T10:15:24.143Z | +24.143 s | e14 |",
        "| mitigated: customers of every zone answered again | not observed | – | – |",
        "- Time to mitigate, from first impact: not observed in this run.",
    ] {
        assert!(moments.contains(wanted), "{wanted} is missing in\n{moments}");
    }
}

#[test]
fn suspected_and_confirmed_are_told_apart() {
    let mut record = record::from_json(full::RECORD).unwrap();
    let mut second = record.findings[0].clone();
    second.confirmed = true;
    record.findings.push(second);
    let culprits = section(&coe::render(&record, &[], &Beside::default()), "Culprits");
    let (confirmed, suspected) = culprits.split_once("### Suspected").unwrap();
    assert!(confirmed.starts_with("### Confirmed") && confirmed.contains("2. **`app`**"), "{culprits}");
    assert!(suspected.contains("1. **`app`**"), "{culprits}");
}

#[test]
fn a_held_run_gets_a_shorter_report_of_the_same_kind() {
    let mut record = record::from_json(full::RECORD).unwrap();
    record.verdict = scenarios::verdict::Verdict::Held;
    record.findings.clear();
    record.invariants.retain(|result| result.verdict == scenarios::verdict::Verdict::Held);
    let page = coe::render(&record, &[], &Beside::default());
    assert!(page.starts_with("# Game day report: "));
    assert!(!page.contains("## Whys") && page.contains("no invariant was violated"), "{page}");
    assert_eq!(coe::page_name(&record), "report");
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
    assert!(coe::render(&record, &[], &Beside::default()).starts_with(r"# Correction of error: \{\{summary\}\}"));
}

#[test]
fn run_without_events_claims_no_harm() {
    let page = coe::render(&record::from_json(full::RECORD).unwrap(), &[], &Beside::default());
    assert!(section(&page, "Summary").contains("No customer request of a canary failed."));
    assert!(section(&page, "Incident questions").contains("No event shows a fault that was injected."));
}
