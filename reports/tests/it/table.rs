//! Owns the claims about the table at the end of a run. Refuses to fix its words: the committed sample does.

use crate::full;
use reports::{record, table};
use scenarios::verdict::Verdict;

#[test]
fn first_line_is_verdict_scenario_run() {
    let record = record::from_json(full::RECORD).unwrap();
    let table = table::render(&record, false);
    assert_eq!(table.lines().next().unwrap(), "VIOLATED  github-2016 run 20260729T101500Z-4f2a");
    assert!(table.ends_with("  blackstart run github-2016 --world sim --seed 42\n"));
}

#[test]
fn colour_moves_no_column() {
    let record = record::from_json(full::RECORD).unwrap();
    let (plain, coloured) = (table::render(&record, false), table::render(&record, true));
    assert!(!plain.contains('\u{1b}') && coloured.contains("\u{1b}[1;31mviolated\u{1b}[0m"));
    let mut bare = String::new();
    let mut pieces = coloured.split('\u{1b}');
    bare.push_str(pieces.next().unwrap());
    pieces.for_each(|piece| bare.push_str(piece.split_once('m').unwrap().1));
    assert_eq!(bare, plain);
}

#[test]
fn almost_all_is_never_a_hundred_per_cent() {
    let mut record = record::from_json(full::RECORD).unwrap();
    let phases = record.measurements.availability.get_mut(&full::zone("az1")).unwrap();
    phases.get_mut("baseline").unwrap().share = Some(0.999_999);
    assert!(table::render(&record, false).contains("99.99 %"));
}

#[test]
fn inconclusive_run_says_why_first() {
    let mut record = record::from_json(full::RECORD).unwrap();
    record.verdict = Verdict::Inconclusive;
    record.inconclusive = vec![record.caveats[0].clone()];
    let table = table::render(&record, false);
    let at = |text: &str| table.find(text).unwrap_or_else(|| panic!("`{text}` is not in\n{table}"));
    assert!(at("INCONCLUSIVE  github-2016") < at("inconclusive: 12"));
    assert!(at("inconclusive: 12") < at("INVARIANTS"));
}
