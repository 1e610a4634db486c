//! Owns the claims about what a CI server concludes from `junit.xml`. Refuses to fix its words: the committed sample does.

use crate::full;
use reports::junit;
use reports::record::{Record, from_json};
use scenarios::verdict::Verdict;

/// Names of the elements inside each test case: `failure`, `error`, `skipped`, or nothing where it passed.
fn outcomes(record: &Record) -> Vec<(String, String)> {
    let xml = junit::render(record);
    let document = roxmltree::Document::parse(&xml).unwrap();
    let cases = document.descendants().filter(|node| node.has_tag_name("testcase"));
    let outcome = |case: roxmltree::Node<'_, '_>| {
        let inside = case.first_element_child().map_or("", |child| child.tag_name().name()).to_owned();
        (case.attribute("name").unwrap().to_owned(), inside)
    };
    cases.map(outcome).collect()
}

#[test]
fn each_verdict_has_its_outcome() {
    let mut record = from_json(full::RECORD).unwrap();
    let mut fourth = record.invariants[0].clone();
    (fourth.id, fourth.verdict) = ("R1".to_owned(), Verdict::Inconclusive);
    record.invariants.push(fourth);
    let expect = [
        ("S5 in github-2016", "failure"),
        ("A1 (process kill) in github-2016", ""),
        ("Z1 in github-2016", "skipped"),
        ("R1 in github-2016", "error"),
    ];
    assert_eq!(outcomes(&record), expect.map(|(name, inside)| (name.to_owned(), inside.to_owned())));
}

#[test]
fn inconclusive_run_is_never_green() {
    let mut record = from_json(full::RECORD).unwrap();
    record.verdict = Verdict::Inconclusive;
    record.invariants.retain(|result| result.verdict == Verdict::Held);
    let last = outcomes(&record).pop().unwrap();
    assert_eq!(last, ("run in github-2016".to_owned(), "error".to_owned()));
}
