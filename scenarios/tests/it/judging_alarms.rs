//! Claims about who notices that power is gone (O1, O2), and about recoveries that nobody watches (O3).

use super::world::{World, judged, of, service};
use fixtures::name::{ServiceName, ZoneName};
use scenarios::event::{AlarmCause, By, Detail, Event, Phase, Place};
use scenarios::judge::judge;
use scenarios::judgement::Judgement;
use scenarios::verdict::Verdict;

/// A day with an alarm for want of data on each of these services in the first zone, so long after the outage began.
fn alarmed(name: &str, services: &[&str], after_ms: u64, by: By) -> Judgement {
    let mut world = World::new(name);
    let events = world.played();
    let begins = |event: &&Event| matches!(event.detail, Detail::Phase { phase: Phase::Outage, .. });
    let at_ms = events.iter().find(begins).expect("it has an outage").t_ns / 1_000_000 + after_ms;
    for about in services.iter().map(|name| service(name)) {
        world.push(at_ms, by, Place::default(), alarm(about));
    }
    let mut events = world.recorded();
    events.sort_by_key(|event| event.t_ns);
    judge(&world.case(), &events)
}

fn alarm(about: ServiceName) -> Detail {
    let about_zone = Some(ZoneName::new("az1").expect("a name"));
    let (cause, failed, requests) = (Some(AlarmCause::NoData), 0, 0);
    Detail::Alarm { about_zone, about, raised: true, cause, failed, requests }
}

const ALL: [&str; 3] = ["telemetry", "store", "shop"];

#[test]
fn a_dark_zone_without_an_alarm_on_each_of_its_services_in_time_violates_o1() {
    let setting = Some("telemetry.alarms.missing");
    judged(&alarmed("silence-is-well", &ALL, 3_000, By::Witness), "O1", Verdict::Held, None);
    judged(&alarmed("silence-is-well", &[], 3_000, By::Witness), "O1", Verdict::Violated, setting);
    judged(&alarmed("silence-is-well", &ALL[1..], 3_000, By::Witness), "O1", Verdict::Violated, setting);
    judged(&alarmed("silence-is-well", &ALL, 7_000, By::Witness), "O1", Verdict::Violated, setting);
    judged(&alarmed("silence-is-well", &ALL, 3_000, By::Own), "O1", Verdict::Violated, setting);
}

#[test]
fn what_is_watched_by_nobody_else_violates_o2_and_not_o1() {
    let setting = Some("services.telemetry.zones");
    judged(&alarmed("watched-from-inside", &[], 3_000, By::Witness), "O2", Verdict::Violated, setting);
    judged(&alarmed("watched-from-inside", &["store"], 3_000, By::Witness), "O2", Verdict::Held, None);
    judged(&alarmed("watched-from-inside-repaired", &[], 3_000, By::Witness), "O2", Verdict::Held, None);
    let mut world = World::new("watched-from-inside");
    world.scenario.invariants = vec!["O1".to_owned()];
    judged(&world.judged(), "O1", Verdict::NotJudged, None);
}

#[test]
fn customers_who_are_not_back_while_nobody_watches_violate_o3() {
    let day = |failing: bool| {
        let mut world = World::new("blind-recovery");
        world.customers = Box::new(move |_, phase, control| match phase {
            Phase::Recovery if failing && !control => (0, vec![("missing:web", 10)], 4_000),
            _ => (10, Vec::new(), 4_000),
        });
        world.judged()
    };
    judged(&day(false), "O3", Verdict::Held, None);
    let result = of(&day(true), "O3").clone();
    assert_eq!(result.verdict, Verdict::Violated, "{}", result.reason);
}

#[test]
fn without_telemetry_none_of_them_is_judged() {
    let mut world = World::new("minimal");
    world.scenario.invariants = ["O1", "O2", "O3"].map(str::to_owned).to_vec();
    let judgement = world.judged();
    for id in ["O1", "O2", "O3"] {
        assert!(of(&judgement, id).reason.contains("would do"), "{}", of(&judgement, id).reason);
        judged(&judgement, id, Verdict::NotJudged, None);
    }
}
