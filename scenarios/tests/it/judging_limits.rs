//! Claims about returns that go as far as something lets them: a quota (R4), a pace (R7), a cold cache (R5), a scaler (R9);
//! and about writes of which a half is there (A2).

use super::world::{World, began_ms, judged, of, service};
use fixtures::name::InstanceName;
use fixtures::placement::Instance;
use scenarios::event::{By, Detail, Life, Phase, Place, STANDBY, WriteOutcome};
use scenarios::judge::judge;
use scenarios::judgement::Judgement;
use scenarios::verdict::Verdict;

fn is(instance: &Instance, name: &str, zone: &str) -> bool {
    instance.service == service(name) && instance.zone.as_str() == zone
}

/// Two pages do not come back; whoever grants what they need was asked at the end still, and denied or put off so many.
fn granted(day: &str, granter: &str, late: bool, (denied, postponed): (u64, u64)) -> Judgement {
    let mut world = World::new(day);
    world.self_reports = false;
    world.returns = Box::new(move |instance, _| {
        let last = instance.name.as_str().ends_with("-2") || instance.name.as_str().ends_with("-3");
        (late && last && is(instance, "web", "az1")).then(|| (Life::Starting, Vec::new()))
    });
    let at_ms = began_ms(&world.played(), Phase::Quiet) - 500;
    let instance = Some(InstanceName(format!("{granter}-az1-0")));
    let place = Place { service: Some(service(granter)), instance, ..Place::default() };
    let (over_ns, received, again, refused, late, needs) = (1_000_000_000, 0, 0, 0, 0, 4);
    let told = Detail::Arrived { over_ns, received, again, refused, late, needs, denied, postponed };
    world.push(at_ms, By::Callee, place, told);
    judge(&world.case(), &world.recorded())
}

#[test]
fn a_quota_that_counts_the_lost_violates_r4() {
    let (day, granter) = ("counts-the-lost", "addresses");
    let bad = granted(day, granter, true, (2, 0));
    judged(&bad, "R4", Verdict::Violated, Some("services.addresses.grants.counts"));
    let s5 = bad.findings.iter().find(|finding| finding.invariant == "S5").expect("pages are not back");
    assert_eq!(s5.consequence_of.as_deref(), Some("R4"));
    judged(&granted(day, granter, false, (2, 0)), "R4", Verdict::Held, None);
    // Something else keeps them: that is no matter of a quota.
    judged(&granted(day, granter, true, (0, 2)), "R4", Verdict::NotJudged, None);
}

#[test]
fn a_pace_that_a_fleet_outwaits_violates_r7() {
    let (day, granter) = ("one-by-one", "images");
    judged(&granted(day, granter, true, (0, 2)), "R7", Verdict::Violated, Some("services.images.grants.rate"));
    let held = granted(day, granter, false, (0, 2));
    judged(&held, "R7", Verdict::Held, None);
    assert!(of(&held, "R7").reason.contains("5 instances of `web` were active 700 ms"), "{}", of(&held, "R7").reason);
    judged(&granted(day, granter, true, (2, 0)), "R7", Verdict::NotJudged, None);
}

#[test]
fn without_limits_or_caches_nothing_of_that_is_judged() {
    let mut world = World::new("minimal");
    world.scenario.invariants = ["R4", "R5", "R6", "R7", "R8", "R9", "A2"].map(str::to_owned).to_vec();
    let judgement = world.judged();
    for id in ["R4", "R5", "R6", "R7", "R8", "R9", "A2"] {
        judged(&judgement, id, Verdict::NotJudged, None);
        assert!(of(&judgement, id).reason.contains("would do"), "{}", of(&judgement, id).reason);
    }
}

/// Pages of the zone that was dark are back, and so many of them stand by.
fn standing_by(count: usize) -> Judgement {
    let mut world = World::new("waits-to-be-told");
    let played = world.played();
    let gate = played
        .iter()
        .find(|event| matches!(&event.detail, Detail::StepDone { step, .. } if step.contains("pages-dark.heal")));
    let at_ms = gate.expect("power comes back").t_ns / 1_000_000 + 500;
    for number in 0..count {
        let instance = Some(InstanceName(format!("web-az1-{number}")));
        let place = Place { instance, ..Place::default() };
        let detail = Detail::Probe { outcome: Life::Active, cause: STANDBY.to_owned(), took_us: 500 };
        world.push(at_ms, By::Witness, place, detail);
    }
    judge(&world.case(), &world.recorded())
}

#[test]
fn a_zone_whose_instances_all_stand_by_violates_r9() {
    judged(&standing_by(2), "R9", Verdict::Violated, Some("services.web.scale.on-start"));
    judged(&standing_by(1), "R9", Verdict::Held, None);
    judged(&standing_by(0), "R9", Verdict::Held, None);
}

/// Customers of a zone that kept its power, from the return of another zone's on: so many answered, of ten.
fn beside_a_return(answered: u64) -> Judgement {
    let mut world = World::new("copies-at-once");
    world.customers = Box::new(move |zone, phase, control| {
        let harmed = zone.as_str() == "az2" && matches!(phase, Phase::Recovery | Phase::Quiet) && !control;
        let ok = if harmed { answered } else { 10 };
        (ok, vec![("missing:store", 10 - ok)].into_iter().filter(|(_, count)| *count > 0).collect(), 2_000)
    });
    world.judged()
}

#[test]
fn customers_who_fail_for_what_is_copied_violate_r6() {
    let bad = beside_a_return(4);
    assert_eq!(of(&bad, "R6").verdict, Verdict::Violated, "{}", of(&bad, "R6").reason);
    let finding = bad.findings.iter().find(|finding| finding.invariant == "R6").expect("a finding");
    assert_eq!(finding.setting.as_deref(), Some("services.store.replication.copies"));
    judged(&beside_a_return(10), "R6", Verdict::Held, None);
}

/// An alarm on failures of the prices of a zone, so long after telemetry is back.
fn alarmed(zone: &str, after_ms: u64) -> Judgement {
    let mut world = World::new("old-news");
    let played = world.played();
    let healed = |event: &&scenarios::event::Event| matches!(&event.detail, Detail::StepDone { step, .. } if step.contains("telemetry-dark.heal"));
    let at_ms = played.iter().find(healed).expect("it comes back").t_ns / 1_000_000 + after_ms;
    let place = Place { service: Some(service("telemetry")), ..Place::default() };
    let detail = Detail::Alarm {
        about_zone: fixtures::name::ZoneName::new(zone).ok(),
        about: service("prices"),
        raised: true,
        cause: Some(scenarios::event::AlarmCause::Failing),
        failed: 9,
        requests: 20,
    };
    world.push(at_ms, By::Witness, place, detail);
    judge(&world.case(), &world.recorded())
}

#[test]
fn an_alarm_on_what_is_over_violates_r8() {
    judged(&alarmed("az1", 1_000), "R8", Verdict::Violated, Some("telemetry.alarms.late"));
    // Nothing was over there: whatever it alarms on is of now.
    judged(&alarmed("az2", 1_000), "R8", Verdict::Held, None);
}

/// What a key without an acknowledgement came to, wherever it was looked for.
fn doubted(told: &[(&str, WriteOutcome)]) -> Judgement {
    let mut world = World::new("writes-twice");
    let at_ms = began_ms(&world.played(), Phase::ReadBack);
    let mut tell = |at_ms: u64, outcome: WriteOutcome, stored_at: Vec<InstanceName>| {
        let detail = Detail::Write { key: "az1-7".to_owned(), outcome, stored_at };
        world.push(at_ms, By::Witness, Place::default(), detail);
    };
    tell(at_ms, WriteOutcome::Unacknowledged, Vec::new());
    for (instance, outcome) in told {
        tell(at_ms + 10, *outcome, vec![InstanceName((*instance).to_owned())]);
    }
    judge(&world.case(), &world.recorded())
}

#[test]
fn a_write_that_is_half_there_violates_a2() {
    use WriteOutcome::{Absent, Found};
    let blamed = Some("services.front.calls.payments.carries-writes");
    let payments = [("payments-az1-0", Absent), ("payments-az2-0", Absent), ("payments-az3-0", Absent)];
    let half = doubted(&[&[("orders-az1-0", Found), ("orders-az2-0", Absent)], &payments[..]].concat());
    judged(&half, "A2", Verdict::Violated, blamed);
    judged(&doubted(&[("orders-az1-0", Found), ("payments-az1-0", Found)]), "A2", Verdict::Held, None);
    let orders = [("orders-az1-0", Absent), ("orders-az2-0", Absent), ("orders-az3-0", Absent)];
    judged(&doubted(&[orders, payments].concat()), "A2", Verdict::Held, None);
    // One of them could not be asked: it may be there.
    judged(&doubted(&[&[("orders-az1-0", Found)], &payments[1..]].concat()), "A2", Verdict::NotJudged, None);
    // Nobody could ask the payments.
    judged(&doubted(&[("orders-az1-0", Found)]), "A2", Verdict::NotJudged, None);
}
