//! Owns the claims about reviews: what a week's document says, how readiness questions are answered, what a service's page
//! tells as measured. Refuses to hold runs.

use crate::full::{service, zone};
use crate::history::sample;
use fixtures::graph::Graph;
use fixtures::name::ZoneName;
use reports::docs;
use reports::history::Entry;
use reports::ops_review;
use reports::orr::{self, Subject};
use reports::policy::{Date, Policy};
use reports::week::Week;
use scenarios::verdict::Verdict;
use std::collections::BTreeSet;

pub(crate) fn graph(name: &str) -> Graph {
    fixtures::load::load_graph(&fixtures::builtin::graph(name).unwrap()).unwrap().0
}

pub(crate) fn zones() -> BTreeSet<ZoneName> {
    ["az1", "az2", "az3"].into_iter().map(zone).collect()
}

fn day(text: &str) -> Date {
    Date::parse(text).unwrap()
}

fn week(text: &str, runs: &[Entry]) -> String {
    ops_review::review(runs, Week::parse(text).unwrap(), &Policy::default(), day("2026-12-31")).markdown()
}

/// One section of a page.
#[track_caller]
fn section<'a>(page: &'a str, name: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("## {name}\n")).unwrap_or_else(|| panic!("no `{name}` in {page}"));
    rest.split("\n## ").next().unwrap()
}

#[test]
fn a_week_tells_what_is_new_what_recurs_and_what_to_discuss() {
    let page = week("2026-W47", &sample());
    assert!(section(&page, "At a glance").contains("8 runs: 4 held, 4 violated"), "{page}");
    assert!(section(&page, "At a glance").contains("3 findings new, 2 recurring"), "{page}");
    let new = section(&page, "New findings");
    assert!(new.contains("S5 orders needs.warm-cache") && !new.contains("session-cache"), "{new}");
    let again = section(&page, "Recurring findings");
    assert!(again.contains("`S5 app needs.session-cache` | `application` | 2026-11-02 | 3 |"), "{again}");
    // Data lost comes first, then what nobody knew; the reasons are told.
    let discuss = section(&page, "To discuss");
    let items: Vec<&str> = discuss.lines().filter(|line| line.starts_with("- ")).collect();
    assert_eq!(items.len(), 2, "{discuss}");
    assert!(items[0].contains("acknowledged write") && items[1].contains("3 findings new"), "{discuss}");
    assert!(section(&page, "Actions overdue").contains("2026-11-11, 12 days late"), "{page}");
    assert!(section(&page, "Verified and reopened").contains("reopened `S5 app needs.session-cache`"), "{page}");
}

/// Three teams cannot start without one cache: mended once, by its owner.
#[test]
fn a_blocker_of_several_teams_is_one_action_of_one_owner() {
    let page = week("2026-W47", &sample());
    let row = section(&page, "Blockers that several teams share").lines().find(|line| line.contains("cache")).unwrap();
    for part in [
        "**cache is needed at start**",
        "`accounts`, `app`, `orders`, `search`",
        "in 4 services of 4 teams",
        "| `data-caching` |",
        "2026-12-22",
    ] {
        assert!(row.contains(part), "{part}: {row}");
    }
    assert!(!section(&week("2026-W46", &sample()), "Blockers that several teams share").contains("**"));
}

#[test]
fn an_old_week_stays_what_it_was() {
    let runs = sample();
    let then: Vec<Entry> = runs.iter().filter(|run| run.day.as_str() <= "2026-11-15").cloned().collect();
    assert_eq!(week("2026-W46", &runs), week("2026-W46", &then));
    let empty = week("2026-W20", &runs);
    assert!(section(&empty, "Runs and verdicts").contains("No game day was held this week."), "{empty}");
}

fn readiness(name: &str, runs: &[Entry], today: &str) -> String {
    let (graph, zones) = (graph(name), zones());
    let subject = Subject { graph: &graph, zones: &zones, runs, today: day(today), stale_after: 90 };
    orr::review(subject).markdown()
}

/// The checklist of one service.
fn checklist<'a>(page: &'a str, name: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("### `{name}`, team ")).unwrap();
    rest.split("\n### ").next().unwrap()
}

#[track_caller]
fn answer<'a>(list: &'a str, question: &str) -> &'a str {
    list.lines().find(|line| line.contains(question)).unwrap_or_else(|| panic!("no `{question}` in {list}"))
}

#[test]
fn readiness_is_answered_by_runs_alone() {
    let page = readiness("github-2016", &sample(), "2026-11-25");
    let app = checklist(&page, "app");
    assert!(answer(app, "| return |").contains("| failed | `20261120T090000Z-"), "{app}");
    assert!(answer(app, "| zone loss |").contains("| shown |"), "{app}");
    assert!(answer(app, "| network |").contains("| never tested | – |"), "{app}");
    assert!(!app.contains("| durability |"), "a service that stores nothing is not asked for it: {app}");
    let without = answer(app, "start without `cache`");
    assert!(without.contains("does not answer"), "{without}");
    let lb = checklist(&page, "lb");
    assert!(answer(lb, "| return |").contains("held back by app"), "{lb}");
    let database = checklist(&page, "database");
    assert!(answer(database, "| return |").contains("| shown |"), "others were to blame: {database}");
    assert!(answer(database, "| durability |").contains("| shown |"), "{database}");
    // Nothing was ever run: nothing is known.
    let blank = readiness("run-instances", &[], "2026-11-25");
    let lists = section(&blank, "Checklists");
    assert!(!lists.contains("| shown |") && !lists.contains("| failed |") && lists.contains("| never tested |"));
}

#[test]
fn evidence_grows_stale_by_age_and_by_change() {
    let late = readiness("run-instances", &sample(), "2027-06-01");
    assert!(answer(checklist(&late, "launch"), "| return |").contains("| stale |"), "too long ago");
    let now = readiness("run-instances", &sample(), "2026-11-25");
    assert!(answer(checklist(&now, "launch"), "| return |").contains("| shown |"));
    let mut changed = sample();
    changed.iter_mut().for_each(|run| {
        run.shapes.insert(service("launch"), "another".to_owned());
    });
    let page = readiness("run-instances", &changed, "2026-11-25");
    assert!(answer(checklist(&page, "launch"), "| return |").contains("its needs or calls were others then"));
    assert!(answer(checklist(&page, "networks"), "| return |").contains("| shown |"), "only that one changed");
}

#[test]
fn a_verified_correction_asks_every_team() {
    let mut runs = sample();
    runs.retain(|run| run.day.as_str() < "2026-11-20");
    let page = readiness("run-instances", &runs, "2026-11-25");
    let asked = answer(checklist(&page, "launch"), "| lesson |");
    assert!(asked.contains("cannot start without") && asked.contains("| shown |"), "{asked}");
    // Open again, it is no lesson yet.
    assert!(!readiness("run-instances", &sample(), "2026-11-25").contains("| lesson |"));
    // Whoever learnt it is not asked.
    let own = readiness("github-2016", &runs, "2026-11-25");
    assert!(!checklist(&own, "app").contains("| lesson |") && checklist(&own, "lb").contains("| lesson |"));
}

#[test]
fn the_map_tells_zone_by_zone_what_was_covered() {
    let page = readiness("github-2016", &sample(), "2026-11-25");
    let map = section(&page, "Coverage");
    let row = |name: &str| map.lines().find(|line| line.starts_with(&format!("| `{name}`"))).unwrap();
    assert_eq!(row("app"), "| `app` | V·· |");
    assert_eq!(row("database"), "| `database` | H·· |");
    assert!(map.contains("Never tried on any service: `restart`"), "{map}");
    assert!(!map.contains("`names-dead`"), "a graph without name servers cannot lose them: {map}");
    let named = readiness("run-instances", &sample(), "2026-11-25");
    let map = section(&named, "Coverage");
    assert!(map.contains("`names-dead`") && map.contains("`grants-expired`"), "{map}");
    let mut unexplained = sample();
    for run in unexplained.iter_mut().filter(|run| run.verdict == Verdict::Violated) {
        run.harmed.clear();
        run.findings.iter_mut().for_each(|found| found.service = None);
    }
    unexplained.retain(|run| run.verdict == Verdict::Violated);
    let page = readiness("github-2016", &unexplained, "2026-11-25");
    let map = section(&page, "Coverage");
    assert!(!map.contains("| `app`") && map.contains("0 of 255 pairs"), "nobody is accused, and nobody cleared: {map}");
}

#[test]
fn a_services_page_tells_what_was_measured_and_is_the_same_again() {
    let (graph, runs) = (graph("github-2016"), sample());
    let pages = docs::pages(&graph, &runs);
    assert_eq!(pages.len(), graph.services.len() + 1);
    let again = docs::pages(&graph, &runs.iter().rev().cloned().collect::<Vec<_>>());
    assert_eq!(pages, again, "the order of the runs does not matter");
    let app = pages.iter().find(|(name, _)| name == "app.md").unwrap().1.markdown();
    for part in [
        "Owned by team `application`",
        "- `POST /work/render`",
        "```mermaid\nflowchart LR",
        "| [cache](cache.md) | a need, soft call | does not answer (`20261120T090000Z-",
        "never tested",
        "asks for ever",
        "reopened `S5 app needs.session-cache`",
        "power-off in az1",
    ] {
        assert!(app.contains(part), "{part}: {app}");
    }
    let declared = docs::pages(&graph, &[]);
    let app = declared.iter().find(|(name, _)| name == "app.md").unwrap().1.markdown();
    assert!(app.contains("nothing is measured") && !app.contains("2026"), "{app}");
    assert!(declared[0].1.markdown().contains("everything here is as declared"));
}

/// Every link of the pages leads to a page.
#[test]
fn links_lead_somewhere() {
    for name in fixtures::builtin::graph_names() {
        let pages = docs::pages(&graph(name), &[]);
        let names: BTreeSet<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        for (_, page) in &pages {
            let text = page.markdown();
            for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                assert!(names.contains(target), "{name}: {target}");
            }
        }
    }
}
