//! Owns the claims about entries of runs and the statistics over them. Refuses to hold runs: the committed sample is
//! eighteen game days in virtual time, moved to three weeks of November.

use crate::full;
use fixtures::seed::Seeds;
use reports::history::compare::{Change, Comparison, Limits, Metric};
use reports::history::gone::Did;
use reports::history::list::Listing;
use reports::history::rank::{holm, mean_difference, p_higher, p_paired, p_smallest, paired_shift, shift};
use reports::history::trend::trends;
use reports::history::{Entry, Figures};
use reports::record::from_json;
use scenarios::verdict::Verdict;

pub(crate) const HISTORY: &str = include_str!("../../samples/history.jsonl");

/// The sample, the oldest first.
pub(crate) fn sample() -> Vec<Entry> {
    HISTORY.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[track_caller]
fn near(value: f64, expected: f64) {
    assert!((value - expected).abs() < 1e-9, "{value} is not {expected}");
}

/// Every way to choose the second sample out of all values, counted one by one.
fn by_hand(first: &[f64], second: &[f64]) -> f64 {
    let all: Vec<f64> = first.iter().chain(second).copied().collect();
    let rank = |value: f64| {
        let below = all.iter().filter(|other| **other < value).count() as f64;
        let same = all.iter().filter(|other| **other == value).count() as f64;
        below + (same + 1.0) / 2.0
    };
    let seen: f64 = second.iter().map(|value| rank(*value)).sum();
    let (mut more, mut total) = (0_u32, 0_u32);
    for chosen in (0_u32..1 << all.len()).filter(|chosen| chosen.count_ones() as usize == second.len()) {
        let sum: f64 = (0..all.len()).filter(|at| chosen >> at & 1 == 1).map(|at| rank(all[at])).sum();
        total += 1;
        more += u32::from(sum >= seen - 1e-9);
    }
    f64::from(more) / f64::from(total)
}

#[test]
fn ranks_are_exact_with_and_without_ties() {
    // Mann and Whitney's smallest case: of 20 arrangements one is so extreme.
    near(p_higher(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]), 1.0 / 20.0);
    near(p_smallest(3, 3), 1.0 / 20.0);
    near(p_smallest(10, 10), 1.0 / 184_756.0);
    let mut seeds = Seeds::new(1);
    for _ in 0..50 {
        let mut draw = |count: u64| (0..count).map(|_| seeds.below(6) as f64).collect::<Vec<_>>();
        let (first, second) = (draw(6), draw(5));
        near(p_higher(&first, &second), by_hand(&first, &second));
    }
    near(p_higher(&[2.0; 4], &[2.0; 4]), 1.0);
    near(p_higher(&[], &[1.0]), 1.0);
    near(p_higher(&[1.0, 2.0], &[f64::INFINITY; 2]), 1.0 / 6.0);
}

#[test]
fn many_runs_are_told_by_the_normal_distribution_nearly_the_same() {
    let first: Vec<f64> = (0..40).map(f64::from).collect();
    let second: Vec<f64> = (0..40).map(|value| f64::from(value) + 8.5).collect();
    // Sixty values are counted one by one, eighty are not.
    let (exact, near_) = (p_higher(&first[..30], &second[..30]), p_higher(&first, &second));
    assert!(exact < 0.01 && near_ < 0.01 && near_ > 1e-5, "{exact} {near_}");
    assert!(p_higher(&second, &first) > 0.99);
}

#[test]
fn signed_ranks_and_holm_are_as_published() {
    // All eight of eight above zero: one of 256 ways.
    near(p_paired(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]), 1.0 / 256.0);
    near(p_paired(&[0.0; 8]), 1.0);
    // Wilcoxon's table: of five, a sum of 14 or more has 2 of 32 ways.
    near(p_paired(&[-1.0, 2.0, 3.0, 4.0, 5.0]), 2.0 / 32.0);
    // Holm 1979: the smallest times three, the next times two, never falling.
    let adjusted = holm(&[0.01, 0.04, 0.03]);
    [0.03, 0.06, 0.06].iter().zip(adjusted).for_each(|(expected, value)| near(value, *expected));
    assert_eq!(holm(&[]), Vec::<f64>::new());
}

#[test]
fn intervals_cover_the_truth_as_often_as_they_say() {
    let mut seeds = Seeds::new(7);
    let mut noise = || (0..12).map(|_| seeds.below(10_000) as f64 / 10_000.0).sum::<f64>() - 6.0;
    let (mut shifts, mut pairs, mut means) = (0, 0, 0);
    for _ in 0..400 {
        let first: Vec<f64> = (0..10).map(|_| noise()).collect();
        let second: Vec<f64> = (0..10).map(|_| noise() + 2.0).collect();
        let differences: Vec<f64> = first.iter().zip(&second).map(|(a, b)| b - a).collect();
        let covers = |low: f64, high: f64| usize::from(low <= 2.0 && 2.0 <= high);
        let effect = shift(&first, &second, 0.95).unwrap();
        shifts += covers(effect.low, effect.high);
        let effect = paired_shift(&differences, 0.95).unwrap();
        pairs += covers(effect.low, effect.high);
        let effect = mean_difference(&first, &second, 0.95).unwrap();
        means += covers(effect.low, effect.high);
    }
    // 380 of 400 are 95 %; a bootstrap of ten values is known to be a little narrow.
    assert!(shifts >= 370 && pairs >= 370 && means >= 350, "{shifts} {pairs} {means}");
}

/// Ten runs whose figures are the sample's with this slowest return and these lost requests.
pub(crate) fn ten(name: &str, ms: impl Fn(u64) -> f64, lost: u64) -> Vec<Entry> {
    let entry = Entry::of(&from_json(full::RECORD).unwrap(), &[]);
    let run = |at: u64| {
        let figures = Figures {
            slowest_ms: Some(ms(at)),
            typical_ms: Some(ms(at)),
            sent: 1000,
            lost,
            lowest_share: Some(1.0 - lost as f64 / 1000.0),
            ..Figures::default()
        };
        Entry { run: format!("{name}-{at}"), seed: at + ms(0) as u64, verdict: Verdict::Held, figures, ..entry.clone() }
    };
    (0..10).map(run).collect()
}

fn change(comparison: &Comparison, metric: Metric) -> Change {
    comparison.rows.iter().find(|row| row.metric == metric).unwrap().change
}

#[test]
fn what_is_sure_but_too_small_to_matter_is_no_regression() {
    let slow = |times: f64| move |at: u64| (1000.0 + at as f64) * times;
    let compare = |times| Comparison::new(&ten("a", slow(1.0), 0), &ten("b", slow(times), 0), &Limits::default());
    assert_eq!(compare(1.02).outcome, Change::None);
    let worse = compare(1.3);
    assert_eq!((worse.outcome, change(&worse, Metric::SlowestReturn)), (Change::Worse, Change::Worse));
    assert_eq!(change(&worse, Metric::LostRequests), Change::Constant);
    assert!(worse.sentence().contains("slowest return × 1.30 (× 1."), "{}", worse.sentence());
    assert_eq!(compare(0.7).outcome, Change::Better);
}

#[test]
fn who_never_comes_back_is_slower_than_anybody() {
    let old = ten("a", |at| 1000.0 + at as f64, 0);
    let mut new = ten("b", |at| 1003.0 + at as f64, 0);
    new.iter_mut().for_each(|run| run.figures.never_back = 1);
    let comparison = Comparison::new(&old, &new, &Limits::default());
    assert_eq!(change(&comparison, Metric::SlowestReturn), Change::Worse);
    assert!(
        comparison.text().contains("never") && comparison.sentence().contains("slowest return ∞"),
        "{}",
        comparison.text()
    );
}

#[test]
fn inconclusive_runs_do_not_count_and_few_runs_do_not_tell() {
    let (old, mut new) = (ten("a", |at| 1000.0 + at as f64, 0), ten("b", |at| 3000.0 + at as f64, 0));
    new.iter_mut().skip(2).for_each(|run| run.verdict = Verdict::Inconclusive);
    let comparison = Comparison::new(&old, &new, &Limits::default());
    assert_eq!((comparison.after.len(), comparison.left_out.len()), (2, 8));
    assert_eq!(comparison.outcome, Change::TooFew);
    assert_eq!(Comparison::new(&old, &[], &Limits::default()).outcome, Change::TooFew);
}

#[test]
fn an_entry_says_what_the_run_says() {
    let record = from_json(full::RECORD).unwrap();
    let events = reports::journal::read(full::EVENTS).unwrap().events;
    let entry = Entry::of(&record, &events);
    assert_eq!((entry.day.as_str(), entry.verdict, entry.fails), ("2026-07-29", Verdict::Violated, true));
    assert_eq!(entry.findings[0].fingerprint.0, "S5 app needs.session-cache");
    assert_eq!(entry.findings[0].dependency_team.as_ref().unwrap().as_str(), "storage");
    let hit = &entry.hits[0];
    assert_eq!((hit.fault.as_str(), hit.zone.as_str()), ("power-off", "az1"));
    assert!(entry.harmed.iter().any(|row| row.culprit && row.service.as_str() == "app"));
    let text = serde_json::to_string(&entry).unwrap();
    assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
}

/// The cache of az1 was dark while `app` had to start: it did not answer; `lb` answered with errors.
#[test]
fn what_a_caller_did_without_its_dependency_is_seen() {
    let entry = sample().into_iter().find(|run| run.scenario == "github-2016").unwrap();
    let did = |service: &str, dependency: &str| {
        let row =
            entry.gone.iter().find(|row| row.service.as_str() == service && row.dependency.as_str() == dependency);
        row.map(|row| (row.did, row.at_start, row.others_away))
    };
    assert_eq!(did("app", "cache"), Some((Did::Silent, true, 0)));
    assert_eq!(did("lb", "app"), Some((Did::Failed, true, 0)));
    assert_eq!(did("database", "credentials"), None);
    // The repaired twin does without.
    let twin = sample().into_iter().find(|run| run.scenario == "github-2016" && run.verdict == Verdict::Held).unwrap();
    let app = twin.gone.iter().find(|row| row.service.as_str() == "app").unwrap();
    assert_eq!((app.did, app.dependency.as_str()), (Did::Degraded, "cache"));
}

#[test]
fn violated_without_a_culprit_is_somebodys_to_find_out() {
    let mut record = from_json(full::RECORD).unwrap();
    record.findings.clear();
    let entry = Entry::of(&record, &[]);
    let found = &entry.findings[0];
    assert_eq!((found.fingerprint.0.as_str(), &found.service), ("S5 without a culprit", &None));
    assert_eq!(found.team.as_ref().unwrap().as_str(), "edge");
}

#[test]
fn trends_are_by_scenario_and_world_and_hide_no_run() {
    let mut runs = sample();
    runs.iter_mut().filter(|run| run.scenario == "minimal").take(1).for_each(|run| run.figures.slowest_ms = None);
    let trends = trends(&runs);
    assert_eq!(trends.iter().map(|trend| trend.runs.len()).sum::<usize>(), runs.len());
    let minimal = trends.iter().find(|trend| trend.scenario == "minimal").unwrap();
    assert_eq!(minimal.verdicts(), "HHH");
    let line = minimal.line(Metric::SlowestReturn);
    assert!(line.starts_with('·') && line.chars().count() == 3, "{line}");
    assert!(minimal.svg(Metric::SlowestReturn).contains("not measured"));
}

#[test]
fn programs_get_what_people_get() {
    let runs: Vec<Entry> = sample().into_iter().rev().collect();
    let value: serde_json::Value = serde_json::from_str(&Listing { runs: &runs, left_off: 2 }.json()).unwrap();
    assert_eq!((value["runs"].as_array().unwrap().len(), value["left_off"].as_u64()), (18, Some(2)));
    assert!(value["runs"][0].get("hits").is_none() && value["runs"][0]["figures"]["sent"].is_u64());
    assert!(Listing { runs: &[], left_off: 0 }.text().contains("no run fits"));
}
