//! Claims about what stands between a return and being back: work that waits (R3), identities that have
//! ended (S9), callers that do not go where they are sent (Z8).

use super::world::{World, began_ms, judged, of, service};
use scenarios::event::{By, Detail, Life, Phase, Place};
use scenarios::judge::judge;
use scenarios::judgement::Judgement;
use scenarios::verdict::Verdict;

/// A day on which all copies of a service are, from soon after the fault began, as `life` says, and tell the witness `cause`
/// late in the recovery.
fn back(day: &str, who: &'static str, life: Life, cause: &str) -> Judgement {
    let mut world = World::new(day);
    world.returns = Box::new(move |instance, _| (instance.service == service(who)).then(|| (life, Vec::new())));
    let events = world.played();
    let copies = world.placement.instances.iter().filter(|instance| instance.service == service(who));
    for instance in copies.map(|instance| instance.name.clone()).collect::<Vec<_>>() {
        let place = Place { instance: Some(instance), ..Place::default() };
        let state = Detail::State { to: life, degraded: false, missing: Vec::new() };
        world.push(began_ms(&events, Phase::Outage) + 500, By::Witness, place.clone(), state);
        let probe = Detail::Probe { outcome: life, cause: cause.to_owned(), took_us: 5 };
        world.push(began_ms(&events, Phase::Recovery) + 11_000, By::Witness, place, probe);
    }
    let mut events = world.recorded();
    events.sort_by_key(|event| event.t_ns);
    judge(&world.case(), &events)
}

#[test]
fn a_queue_that_does_nothing_new_after_the_return_violates_r3() {
    let stuck = back("stale-queue", "orders", Life::Serving, "timeout");
    judged(&stuck, "R3", Verdict::Violated, Some("services.orders.backlog"));
    judged(&back("stale-queue", "orders", Life::Active, ""), "R3", Verdict::Held, None);
}

#[test]
fn without_a_queue_r3_is_not_judged() {
    let mut without = World::new("minimal");
    without.scenario.invariants = vec!["R3".to_owned()];
    let judgement = without.judged();
    assert!(of(&judgement, "R3").reason.contains("would do"), "{}", of(&judgement, "R3").reason);
    judged(&judgement, "R3", Verdict::NotJudged, None);
}

#[test]
fn whoever_shows_an_ended_certificate_after_recovery_violates_s9() {
    let ended = back("stops-renewing", "store", Life::Starting, "untrusted");
    assert_eq!(of(&ended, "S9").verdict, Verdict::Violated, "{}", of(&ended, "S9").reason);
    let found: Vec<_> = ended.findings.iter().filter(|finding| finding.invariant == "S9").collect();
    assert_eq!(found[0].setting.as_deref(), Some("services.store.needs.certificate.attempts"));
    judged(&back("stops-renewing", "store", Life::Active, ""), "S9", Verdict::Held, None);
    let mut short = World::new("stops-renewing");
    short.scenario.faults[0].lasts = std::time::Duration::from_secs(6);
    short.plan = scenarios::plan::plan(&short.scenario, &short.placement, 7);
    judged(&short.judged(), "S9", Verdict::NotJudged, None);
}

#[test]
fn customers_who_fail_while_traffic_is_away_or_after_it_is_back_violate_z8() {
    let day = |bad: Option<Phase>| {
        let mut world = World::new("shift-stuck");
        world.customers = Box::new(move |_, phase, control| match bad {
            Some(bad) if bad == phase && !control => (0, vec![("missing:store", 10)], 4_000),
            _ => (10, Vec::new(), 4_000),
        });
        world.judged()
    };
    judged(&day(None), "Z8", Verdict::Held, None);
    for bad in [Phase::Outage, Phase::Quiet] {
        let judgement = day(Some(bad));
        judged(&judgement, "Z8", Verdict::Violated, Some("services.api.calls.store.attempts"));
        let general = judgement.findings.iter().filter(|finding| ["Z1", "R1"].contains(&finding.invariant.as_str()));
        assert!(general.into_iter().all(|finding| finding.consequence_of.as_deref() == Some("Z8")));
    }
    let mut without = World::new("minimal");
    without.scenario.invariants = vec!["Z8".to_owned()];
    judged(&without.judged(), "Z8", Verdict::NotJudged, None);
}
