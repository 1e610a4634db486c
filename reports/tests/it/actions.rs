//! Owns the claims about actions over many runs: only runs open, verify and reopen them. Refuses to hold runs.

use crate::history::sample;
use reports::actions::{Action, State, Told, actions};
use reports::history::Entry;
use reports::policy::{Date, Policy};
use reports::week::Week;
use scenarios::verdict::Verdict;

fn day(text: &str) -> Date {
    Date::parse(text).unwrap()
}

fn of<'a>(all: &'a [Action], scenario: &str) -> &'a Action {
    all.iter().find(|action| action.scenario == scenario).unwrap()
}

/// The sample up to a day.
fn until(text: &str) -> Vec<Entry> {
    let runs = sample().into_iter();
    runs.filter(|run| run.day.as_str() <= text).collect()
}

#[test]
fn it_is_open_until_a_run_verifies_it_and_is_reopened_by_another() {
    let state = |text: &str| {
        let all = actions(&until(text));
        let action = of(&all, "github-2016");
        (action.state, action.verified.clone().map(|run| run.day), action.opened.day.clone(), action.times)
    };
    let at = |text: &str| text.to_owned();
    assert_eq!(state("2026-11-02"), (State::Open, None, at("2026-11-02"), 1));
    assert_eq!(state("2026-11-15"), (State::Open, None, at("2026-11-02"), 2));
    assert_eq!(state("2026-11-18"), (State::Verified, Some(at("2026-11-16")), at("2026-11-02"), 2));
    assert_eq!(state("2026-11-20"), (State::Reopened, Some(at("2026-11-16")), at("2026-11-20"), 3));
}

#[test]
fn what_proves_nothing_verifies_nothing() {
    let verified = |change: &dyn Fn(&mut Entry)| {
        let mut runs = until("2026-11-16");
        runs.iter_mut().filter(|run| run.day == "2026-11-16" && run.scenario == "github-2016").for_each(change);
        of(&actions(&runs), "github-2016").state == State::Verified
    };
    assert!(verified(&|_| {}));
    assert!(!verified(&|run| run.scenario = "minimal".to_owned()), "another scenario");
    assert!(!verified(&|run| run.verdict = Verdict::Inconclusive), "an inconclusive run");
    assert!(!verified(&|run| {
        run.invariants.insert("S5".to_owned(), Verdict::NotJudged);
    }));
    assert!(verified(&|run| run.world = "docker".to_owned()), "real containers prove what virtual time showed");
    let mut runs = until("2026-11-16");
    runs.iter_mut().filter(|run| run.day.as_str() < "2026-11-16").for_each(|run| run.world = "docker".to_owned());
    assert_eq!(of(&actions(&runs), "github-2016").state, State::Open, "and not the other way");
    // The order in which runs are handed over does not matter.
    let mut runs = sample();
    let all = actions(&runs);
    runs.reverse();
    assert_eq!(actions(&runs), all);
}

#[test]
fn due_days_follow_the_policy_and_overdue_is_told() {
    let runs = until("2026-11-15");
    let all = actions(&runs);
    let policy = Policy::default();
    let action = of(&all, "github-2016");
    assert_eq!((action.priority, action.due(&policy).unwrap().to_string()), (1, "2026-12-02".to_owned()));
    assert_eq!(action.overdue(&policy, day("2026-12-02")), None);
    assert_eq!(action.overdue(&policy, day("2026-12-05")), Some(3));
    assert_eq!(action.age(day("2026-11-05")), Some(3));
    // Acknowledged data was lost: due within a week.
    assert_eq!(of(&all, "acks-before-sync").due(&policy).unwrap().to_string(), "2026-11-11");
    let told = Told { actions: &all, policy: &policy, today: day("2026-11-15") };
    assert!(told.sentence().ends_with("; 1 overdue"), "{}", told.sentence());
    let text = told.text();
    assert!(text.contains("2026-11-11, 4 days late"), "{text}");
    let value: serde_json::Value = serde_json::from_str(&told.json()).unwrap();
    assert_eq!(value["actions"][0]["days_overdue"], 4);
    assert_eq!(value["actions"][0]["criterion"], "A1 of acks-before-sync is held");
    // Reopened, it is due from the day on which it broke again.
    let all = actions(&sample());
    assert_eq!(of(&all, "github-2016").due(&policy).unwrap().to_string(), "2026-12-20");
}

#[test]
fn weeks_are_those_of_iso_8601() {
    for (text, week) in [
        ("2026-11-16", "2026-W47"),
        ("2026-11-22", "2026-W47"),
        ("2026-11-23", "2026-W48"),
        ("2027-01-03", "2026-W53"),
        ("2027-01-04", "2027-W01"),
        ("2024-12-30", "2025-W01"),
        ("2021-01-03", "2020-W53"),
    ] {
        assert_eq!(Week::of(day(text)).to_string(), week);
        assert!(Week::parse(week).unwrap().has(day(text)), "{week}");
    }
    assert_eq!(Week::parse("2026-W47").unwrap().before().to_string(), "2026-W46");
    for wrong in ["2026-W00", "2026-W54", "2025-W53", "2026-47", "2026-W7", "26-W47", "2026-W+1", "2026W47", ""] {
        assert_eq!(Week::parse(wrong), None, "{wrong}");
    }
}
