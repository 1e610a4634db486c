//! Claims about what arrives at services (D2, D3), about what hangs (D4), and about what names say (D5, S6).

use super::world::{World, began_ms, of, service};
use fixtures::name::{InstanceName, ServiceName};
use scenarios::event::{Asked, By, Detail, Life, Phase, Place};
use scenarios::judge::judge;
use scenarios::judgement::Judgement;
use scenarios::verdict::Verdict;
use std::collections::BTreeMap;

/// A day on which something more was seen, so long after the outage began.
fn seen(world: &mut World, after_ms: u64, by: By, place: Place, detail: Detail) -> Judgement {
    let at_ms = began_ms(&world.played(), Phase::Outage) + after_ms;
    world.push(at_ms, by, place, detail);
    judge(&world.case(), &world.recorded())
}

/// Requests that reached a service in one second of the outage: all, further attempts, turned away, too late.
fn arrived(name: &str, to: &str, (received, again, refused, late): (u64, u64, u64, u64)) -> Judgement {
    let place = Place { service: Some(service(to)), ..Place::default() };
    let detail =
        Detail::Arrived { over_ns: 1_000_000_000, received, again, refused, late, needs: 0, denied: 0, postponed: 0 };
    seen(&mut World::new(name), 2_000, By::Callee, place, detail)
}

#[track_caller]
fn judged(judgement: &Judgement, id: &str, verdict: Verdict, setting: Option<&str>) {
    let result = of(judgement, id);
    assert_eq!(result.verdict, verdict, "{}", result.reason);
    let settings: Vec<Option<&str>> = judgement
        .findings
        .iter()
        .filter(|finding| finding.invariant == id)
        .map(|finding| finding.setting.as_deref())
        .collect();
    assert_eq!(settings, setting.into_iter().map(Some).collect::<Vec<_>>());
    let told = result.reason.contains("would do");
    assert_eq!(told, verdict == Verdict::NotJudged, "{}", result.reason);
}

#[test]
fn more_than_three_attempts_for_each_first_one_violate_d2() {
    let blamed = "services.front.calls.basket.attempts";
    let many = arrived("retries-multiply", "store", (90, 70, 0, 0));
    judged(&many, "D2", Verdict::Violated, Some(blamed));
    let finding = many.findings.iter().find(|finding| finding.invariant == "D2").expect("it is one");
    assert!(finding.service == service("front") && finding.dependency == Some(service("basket")));
    assert!(finding.chain.iter().any(|link| link.evidence.len() > 1), "{:?}", finding.chain);
    judged(&arrived("retries-multiply", "store", (60, 40, 0, 0)), "D2", Verdict::Held, None);
}

#[test]
fn without_further_attempts_or_with_few_requests_d2_is_not_judged() {
    for counts in [(90, 0, 0, 0), (19, 18, 0, 0)] {
        judged(&arrived("retries-multiply", "store", counts), "D2", Verdict::NotJudged, None);
    }
    judged(&World::new("retries-multiply").judged(), "D2", Verdict::NotJudged, None);
}

/// The website is asked the same at all times; delivery times before the fault only, the warehouse so often before it and
/// in the outage.
fn in_their_place(before: u64, then: u64) -> Judgement {
    let mut world = World::new("falls-back");
    let played = world.played();
    for (phase, times, warehouse) in [(Phase::Baseline, 300, before), (Phase::Outage, 0, then)] {
        let at_ms = began_ms(&played, phase) + 1_500;
        for (to, received) in [("website", 300), ("delivery-times", times), ("warehouse", warehouse)] {
            let place = Place { service: Some(service(to)), ..Place::default() };
            let detail = Detail::Arrived {
                over_ns: 1_000_000_000,
                received,
                again: 0,
                refused: 0,
                late: 0,
                needs: 0,
                denied: 0,
                postponed: 0,
            };
            world.push(at_ms, By::Callee, place, detail);
        }
    }
    judge(&world.case(), &world.recorded())
}

#[test]
fn a_way_that_is_gone_only_in_an_outage_violates_d7() {
    let blamed = Some("services.website.calls.warehouse.fallback");
    judged(&in_their_place(0, 300), "D7", Verdict::Violated, blamed);
    judged(&in_their_place(70, 300), "D7", Verdict::Violated, blamed);
    judged(&in_their_place(110, 300), "D7", Verdict::Held, None);
    // As many as the witness itself may have asked.
    judged(&in_their_place(0, 90), "D7", Verdict::Held, None);
    judged(&World::new("falls-back").judged(), "D7", Verdict::NotJudged, None);
}

#[test]
fn turns_spent_for_nobody_violate_d3() {
    judged(&arrived("long-queue", "store", (100, 0, 0, 30)), "D3", Verdict::Violated, Some("services.store.queue"));
    judged(&arrived("long-queue", "store", (100, 0, 60, 9)), "D3", Verdict::Held, None);
    judged(&arrived("long-queue", "store", (100, 0, 0, 0)), "D3", Verdict::NotJudged, None);
}

fn nobody_to_ask(name: &str, id: &str, missing: &[&str], after_ms: u64) -> Judgement {
    let mut world = World::new(name);
    world.scenario.invariants = vec![id.to_owned()];
    let instance = world.placement.instances.iter().find(|instance| instance.service == service("front"));
    let instance: InstanceName = instance.expect("it has one").name.clone();
    let missing: Vec<ServiceName> = missing.iter().map(|name| service(name)).collect();
    let detail = Detail::State { to: Life::Serving, degraded: false, missing };
    let place = Place { instance: Some(instance), ..Place::default() };
    seen(&mut world, after_ms, By::Witness, place, detail)
}

#[test]
fn a_service_that_answers_and_that_nobody_is_told_of_violates_d5() {
    let emptied = nobody_to_ask("fails-closed", "D5", &["pages", "names"], 8_000);
    judged(&emptied, "D5", Verdict::Violated, Some("names.none-healthy"));
    // It failed for another reason.
    judged(&nobody_to_ask("fails-closed", "D5", &["pages"], 8_000), "D5", Verdict::Held, None);
    // Names were in trouble, or nothing was.
    judged(&nobody_to_ask("believes-empty", "D5", &["pages", "names"], 4_000), "D5", Verdict::NotJudged, None);
    let mut without = World::new("retries-multiply");
    without.scenario.invariants = vec!["D5".to_owned()];
    judged(&without.judged(), "D5", Verdict::NotJudged, None);
}

#[test]
fn whoever_forgets_what_it_knew_violates_s6() {
    let forgot = nobody_to_ask("believes-empty", "S6", &["pages", "names"], 4_000);
    judged(&forgot, "S6", Verdict::Violated, Some("services.front.lookups.empty"));
    judged(&nobody_to_ask("believes-empty", "S6", &["pages"], 4_000), "S6", Verdict::Held, None);
    judged(&nobody_to_ask("fails-closed", "S6", &["pages", "names"], 8_000), "S6", Verdict::NotJudged, None);
}

/// Customers of every zone ask for a page and a report, and all reports fail in the outage; so do some pages.
fn pages_while_the_archive_hangs(answered: u64, failed: u64) -> Judgement {
    let mut world = World::new("shared-workers");
    world.operations = Box::new(move |_, phase, control| {
        if control || phase != Phase::Outage {
            return BTreeMap::new();
        }
        let causes = |count: u64| BTreeMap::from([("overloaded".to_owned(), count)]);
        let page = Asked { sent: answered + failed, ok: answered, failed: causes(failed), ..Asked::default() };
        let report = Asked { sent: 10, failed: causes(10), ..Asked::default() };
        BTreeMap::from([("page".to_owned(), page), ("report".to_owned(), report)])
    });
    world.judged()
}

#[test]
fn operations_that_fail_without_using_what_hangs_violate_d4() {
    let shared = pages_while_the_archive_hangs(5, 5);
    judged(&shared, "D4", Verdict::Violated, Some("services.web.workers"));
    let finding = shared.findings.iter().find(|finding| finding.invariant == "D4").expect("it is one");
    assert!(finding.service == service("web") && finding.dependency == Some(service("archive")));
    judged(&pages_while_the_archive_hangs(10, 0), "D4", Verdict::Held, None);
    // Too few to tell, or nobody asks for two things.
    judged(&pages_while_the_archive_hangs(0, 1), "D4", Verdict::NotJudged, None);
    judged(&World::new("shared-workers").judged(), "D4", Verdict::NotJudged, None);
}
