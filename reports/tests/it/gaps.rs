//! Owns the claims about the known-gaps ledger: what it accepts is shown and does not fail, and what is no longer true
//! fails. Refuses to know today: the tests say what day it is.

use crate::full;
use fixtures::diagnostic::Source;
use reports::gaps::{Gap, apply, fails, load};
use reports::policy::Date;
use reports::record::{GapState, Record, from_json};
use reports::{junit, summary};
use scenarios::verdict::Verdict;

const LEDGER: &str = "[[gaps]]\nscenario = 'github-2016'\ninvariant = 'S5'\nservice = 'app'\nowner = 'web'\nuntil = '2026-12-31'\nreason = 'the cache moves in autumn'\n";

fn ledger(text: &str) -> Result<Vec<Gap>, Vec<String>> {
    let source = Source { name: "gaps.toml".to_owned(), text: text.to_owned() };
    load(&source).map_err(|found| found.into_iter().map(|one| one.message).collect())
}

fn on(day: &str, text: &str) -> Record {
    let mut record = from_json(full::RECORD).unwrap();
    apply(&mut record, &ledger(text).unwrap(), Date::parse(day).unwrap());
    record
}

/// How many cases of the JUnit file failed.
fn failures(record: &Record) -> usize {
    let xml = junit::render(record);
    let document = roxmltree::Document::parse(&xml).unwrap();
    document.descendants().filter(|node| node.has_tag_name("failure")).count()
}

#[test]
fn a_listed_finding_is_shown_and_does_not_fail() {
    let record = on("2026-12-31", LEDGER);
    assert!(record.findings[0].known && !fails(&record));
    assert_eq!((record.verdict, record.known_gaps[0].state), (Verdict::Violated, GapState::Accepted));
    assert_eq!(failures(&record), 0);
    let page = summary::render(&[&record]);
    assert!(page.contains("S5 violated** (known gap)") && page.contains("accepted until 2026-12-31"), "{page}");
}

#[test]
fn it_fails_when_its_day_has_passed() {
    let record = on("2027-01-01", LEDGER);
    assert!(!record.findings[0].known && fails(&record));
    assert_eq!(record.known_gaps[0].state, GapState::Expired);
    assert_eq!(failures(&record), 2, "the invariant and the entry");
}

#[test]
fn it_fails_when_its_finding_has_gone() {
    let mut record = from_json(full::RECORD).unwrap();
    record.findings.clear();
    record.verdict = Verdict::Held;
    record.invariants.iter_mut().for_each(|result| result.verdict = Verdict::Held);
    assert!(!fails(&record));
    apply(&mut record, &ledger(LEDGER).unwrap(), Date::parse("2026-08-01").unwrap());
    assert_eq!(record.known_gaps[0].state, GapState::Gone);
    assert!(fails(&record));
    assert_eq!(failures(&record), 1);
}

#[test]
fn a_run_that_could_not_show_it_says_nothing() {
    let mut record = from_json(full::RECORD).unwrap();
    record.findings.clear();
    record.invariants.iter_mut().for_each(|result| result.verdict = Verdict::Inconclusive);
    apply(&mut record, &ledger(LEDGER).unwrap(), Date::parse("2026-08-01").unwrap());
    assert_eq!(record.known_gaps[0].state, GapState::NotSeen);
    assert!(!fails(&record));
}

#[test]
fn another_scenario_service_or_setting_is_not_accepted() {
    assert!(on("2026-08-01", &LEDGER.replace("github-2016", "minimal")).known_gaps.is_empty());
    for other in [LEDGER.replace("'app'", "'cache'"), format!("{LEDGER}setting = 'services.app.calls.cache'\n")] {
        assert!(fails(&on("2026-08-01", &other)), "{other}");
    }
}

#[test]
fn what_follows_from_an_accepted_finding_is_accepted() {
    let mut record = from_json(full::RECORD).unwrap();
    let mut result = record.invariants[0].clone();
    result.id = "R1".to_owned();
    record.invariants.push(result);
    let mut follows = record.findings[0].clone();
    (follows.invariant, follows.consequence_of) = ("R1".to_owned(), Some("S5".to_owned()));
    record.findings.push(follows);
    apply(&mut record, &ledger(LEDGER).unwrap(), Date::parse("2026-08-01").unwrap());
    assert!(!fails(&record));
    record.findings[1].consequence_of = None;
    assert!(fails(&record), "a cause of its own is not listed");
}

#[test]
fn every_problem_of_a_ledger_is_told() {
    let found =
        ledger("[[gaps]]\nscenario = 'x'\ninvariant = 'S5'\nservice = 'app'\nuntil = '31.12.2026'\nreason = ' '\n")
            .unwrap_err();
    for word in ["`31.12.2026` is no day", "no `owner`", "no `reason`"] {
        assert!(found.iter().any(|message| message.contains(word)), "{word}: {found:?}");
    }
    assert!(ledger("[[gaps]]\ncolour = 'red'\n").unwrap_err().iter().any(|message| message.contains("colour")));
    assert!(ledger("# nothing\n").is_err());
}

#[test]
fn days_are_counted_over_months_and_leap_years() {
    let plus = |day: &str, days| Date::parse(day).unwrap().plus(days).to_string();
    assert_eq!(plus("2026-07-29", 30), "2026-08-28");
    assert_eq!(plus("2026-12-31", 1), "2027-01-01");
    assert_eq!(plus("2028-02-28", 1), "2028-02-29");
    assert_eq!(plus("2100-02-28", 1), "2100-03-01");
    assert_eq!(Date::of_run("20261125T043541Z-4f2a1b").unwrap().to_string(), "2026-11-25");
    for wrong in ["2026-02-30", "2026-13-01", "26-01-01", "2026-1-1", "20260101", "yesterday", "2026-01-01x", ""] {
        assert_eq!(Date::parse(wrong), None, "{wrong}");
    }
}
