//! Owns which folders of past runs are removed. Refuses to touch what is no run's folder, what goes on, and the history:
//! a run's line in it stays.

use super::Folders;
use crate::schedule::file::Retention;
use reports::policy::Date;
use std::collections::BTreeSet;

/// What a run said that left no folder is kept for so many days.
const LOG_DAYS: i64 = 7;

/// Which of some runs' folders are to go, given today: those that are too old, and of the others the oldest that are too
/// many. What goes on is never among them.
pub fn doomed(runs: &[String], open: &BTreeSet<String>, retention: &Retention, today: Date) -> Vec<String> {
    let mut runs: Vec<&String> = runs.iter().filter(|run| !open.contains(*run)).collect();
    // Ids sort by time.
    runs.sort_unstable();
    let too_many = retention.runs.map_or(0, |most| runs.len().saturating_sub(most as usize));
    let is_old = |run: &str| {
        let age = Date::of_run(run).map(|date| today.since(date));
        retention.days.is_some_and(|days| age.is_some_and(|age| age > i64::from(days)))
    };
    let doomed = runs.iter().enumerate().filter(|(place, run)| *place < too_many || is_old(run));
    doomed.map(|(_, run)| (*run).clone()).collect()
}

/// Removes what is to go; says what could not be removed.
pub fn sweep(folders: &Folders, open: &BTreeSet<String>, retention: &Retention, today: Date) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(&folders.runs) else { return Vec::new() };
    let names = entries.flatten().filter(|entry| entry.path().join("events.jsonl").is_file());
    let runs: Vec<String> = names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|run| Date::of_run(run).is_some())
        .collect();
    let mut trouble = Vec::new();
    for run in doomed(&runs, open, retention, today) {
        if let Err(error) = std::fs::remove_dir_all(folders.runs.join(&run)) {
            trouble.push(format!("{run} could not be removed: {error}"));
        }
        // There is none of a run that a person began.
        let _none = std::fs::remove_file(folders.log(&run));
    }
    sweep_logs(folders, today);
    trouble
}

/// What runs said that left nothing else: refused ones, mostly.
fn sweep_logs(folders: &Folders, today: Date) {
    for entry in std::fs::read_dir(&folders.state).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(run) = name.to_str().and_then(|name| name.strip_suffix(".log")) else { continue };
        let is_old = Date::of_run(run).is_some_and(|date| today.since(date) > LOG_DAYS);
        if is_old && !folders.runs.join(run).is_dir() {
            // Another time.
            let _kept = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(of: &[&str]) -> Vec<String> {
        of.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_is_old_goes_and_of_the_rest_the_oldest_but_never_what_goes_on() {
        let runs = names(&[
            "20260301T000000Z-aaaaaa",
            "20261101T000000Z-bbbbbb",
            "20261102T000000Z-cccccc",
            "20261103T000000Z-dddddd",
        ]);
        let today = Date::parse("2026-11-30").expect("a day");
        let gone = |days, most, open: &[&str]| {
            let open = names(open).into_iter().collect();
            doomed(&runs, &open, &Retention { days, runs: most }, today)
        };
        assert_eq!(gone(None, None, &[]), names(&[]));
        assert_eq!(gone(Some(100), None, &[]), runs[..1]);
        assert_eq!(gone(Some(100), Some(2), &[]), runs[..2]);
        assert_eq!(gone(Some(1), None, &["20261103T000000Z-dddddd"]), runs[..3]);
        assert_eq!(gone(None, Some(0), &["20260301T000000Z-aaaaaa"]), runs[1..]);
    }
}
