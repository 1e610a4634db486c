//! Owns the claims about what trials mean, and that a page says it first where one flips the verdict. Refuses to play a
//! game day.

use crate::full;
use reports::assumptions::{flips, shifts, undecided};
use reports::fingerprint::Beside;
use reports::record::{Assumptions, Record, TrialRow, UntriedRow};
use reports::{coe, html, record};
use scenarios::verdict::Verdict::{self, Held, Inconclusive, NotJudged, Violated};

fn trial(instead: &str, verdict: Verdict, changed: &[&str]) -> TrialRow {
    TrialRow {
        parameter: "windows.recovery".to_owned(),
        assumed: "30s".to_owned(),
        instead: instead.to_owned(),
        verdict,
        changed: changed.iter().map(|id| (*id).to_owned()).collect(),
    }
}

fn trials(verdict: Verdict) -> Assumptions {
    let trials = vec![
        trial("a", Violated, &[]),
        trial("b", Held, &["S5"]),
        trial("c", Violated, &["R1"]),
        trial("d", Inconclusive, &["S5"]),
        trial("e", NotJudged, &[]),
    ];
    let untried =
        UntriedRow { parameter: "boot".to_owned(), instead: vec!["1s".to_owned()], reason: "no time".to_owned() };
    Assumptions { verdict, trials, untried: vec![untried] }
}

fn names(rows: &[&TrialRow]) -> String {
    rows.iter().map(|row| row.instead.as_str()).collect()
}

#[test]
fn only_the_opposite_verdict_flips() {
    let violated = trials(Violated);
    assert_eq!([flips(&violated), shifts(&violated), undecided(&violated)].map(|rows| names(&rows)), ["b", "c", "de"]);
    assert_eq!(names(&flips(&trials(Held))), "ac");
    assert_eq!(names(&flips(&trials(Inconclusive))), "");
}

fn pages(assumptions: Option<Assumptions>) -> (String, String) {
    let record = Record { assumptions, ..record::from_json(full::RECORD).unwrap() };
    let beside = Beside::default();
    (coe::render(&record, &[], &beside), html::render(&record, &[], &beside))
}

#[test]
fn both_pages_say_which_assumption_decides() {
    let (page, browser) = pages(Some(trials(Violated)));
    assert!(page.contains("| `windows.recovery` | 30s | b | held |"), "{page}");
    assert!(page.contains("- Not tried, no time: `boot` 1s."));
    assert!(browser.contains("<li><code>boot</code> 1s: no time</li>"));
    assert!(!page.contains("| `windows.recovery` | 30s | c |"));
    let warning = browser.find("An assumption decides").unwrap();
    assert!(warning < browser.find("id=\"invariants\"").unwrap(), "it stands at the head");
    assert!(browser.contains("<code>windows.recovery</code> b instead of 30s it would be held."));
}

#[test]
fn pages_do_not_claim_what_was_not_tried() {
    let (page, browser) = pages(None);
    assert!(page.contains("Nobody tried whether another value"), "{page}");
    assert!(!browser.contains("id=\"assumptions\"") && !browser.contains("An assumption decides"));
    let (page, browser) = pages(Some(Assumptions { trials: Vec::new(), ..trials(Violated) }));
    assert!(!page.contains("flips the verdict") && !browser.contains("No assumed value decides"), "{page}");
}
