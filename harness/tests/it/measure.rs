//! Owns the claims about what is measured of a graph: starts alone, orders, hardness. Refuses to start containers.

use fixtures::graph::{Graph, Strength};
use harness::measure::alone::alone;
use harness::measure::edges::{Measured, edges};
use harness::measure::orders::orders;
use scenarios::verdict::Verdict;

fn graph(name: &str) -> Graph {
    harness::load::graph(name, false).expect("it loads").0
}

#[test]
fn a_service_that_needs_more_than_it_is_allowed_does_not_start_alone() {
    for (name, expect) in [("needs-registry", Verdict::Violated), ("needs-registry-repaired", Verdict::Held)] {
        let found = alone(&graph(name), 7).expect("it plays");
        for one in found {
            let verdict = if one.service.as_str() == "catalogue" { expect } else { Verdict::Held };
            assert_eq!(one.verdict, verdict, "{name}: {}: {}", one.service, one.reason);
            assert_eq!(one.setting.is_some(), verdict == Verdict::Violated);
        }
    }
}

#[test]
fn every_service_of_a_healthy_region_starts_alone_and_in_any_order() {
    let graph = graph("run-instances");
    let found = alone(&graph, 7).expect("it plays");
    assert_eq!(found.len(), graph.services.len());
    assert!(found.iter().all(|one| one.verdict == Verdict::Held), "{found:#?}");
    let found = orders(&graph, 4, 7).expect("it plays");
    assert_eq!(found.len(), 7);
    assert!(found.iter().all(|one| one.verdict == Verdict::Held && one.after_last_ms.is_some()), "{found:#?}");
}

#[test]
fn an_order_that_a_start_cannot_stand_is_told() {
    let told = |name: &str| {
        let found = orders(&graph(name), 3, 7).expect("it plays");
        let verdict = |kind: &str| found.iter().find(|one| one.kind == kind).expect("it is played").verdict;
        (verdict("all at once"), verdict("along the needs"), verdict("against the needs"))
    };
    // All at once nobody waits for long enough to give up: that says nothing.
    assert_eq!(told("first-come"), (Verdict::NotJudged, Verdict::Held, Verdict::Violated));
    assert_eq!(told("first-come-repaired"), (Verdict::Held, Verdict::Held, Verdict::Held));
}

#[test]
fn edges_are_as_hard_as_they_are_declared_or_told() {
    let found = edges(&graph("github-2016"), 7).expect("it plays");
    let edge = |from: &str, to: &str| {
        found.iter().find(|edge| edge.from.as_str() == from && edge.to.as_str() == to).expect("it is cut")
    };
    let cache = edge("app", "cache");
    assert_eq!((cache.call, cache.need.as_deref()), (Some(Strength::Soft), Some("session-cache")));
    assert_eq!((cache.at_call, cache.at_start), (Measured::Soft, Measured::Hard), "a soft call and a hard start");
    assert_eq!(edge("app", "database").at_call, Measured::Hard);
    assert_eq!(edge("app", "database").at_start, Measured::Soft, "it starts and answers with errors");
    assert_eq!(edge("cache", "credentials").at_start, Measured::Hard);
    assert!(found.iter().all(|edge| edge.harder().is_empty()), "{found:#?}");
    let harder = |name: &str| {
        let found = edges(&graph(name), 7).expect("it plays");
        found.iter().flat_map(harness::measure::edges::Edge::harder).collect::<Vec<String>>()
    };
    assert_eq!(harder("soft-in-name"), ["`web` is declared soft and fails without `profiles`"]);
    assert_eq!(harder("soft-in-name-repaired"), Vec::<String>::new());
}
