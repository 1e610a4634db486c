//! Claims about how a start goes: from a file with a torn end (A4), while nobody answers names (S7), and how often whoever
//! waits asks again (R2).

use super::world::{World, began_ms, judged, of, service};
use fixtures::name::{HostName, InstanceName, ZoneName};
use fixtures::placement::Instance;
use scenarios::event::{By, Detail, HostChange, Life, Phase, Place};
use scenarios::judge::judge;
use scenarios::judgement::Judgement;
use scenarios::verdict::Verdict;

fn is(instance: &Instance, name: &str, zone: &str) -> bool {
    instance.service == service(name) && instance.zone.as_str() == zone
}

/// The store of the zone that was dark is like this afterwards; `torn`: its disk was cut.
fn after_a_cut(life: Life, torn: bool) -> Judgement {
    let mut world = World::new("refuses-torn");
    world.self_reports = false;
    if torn {
        world.unsynced_lost = vec![ZoneName::new("az1").expect("a name")];
    }
    world.returns = Box::new(move |instance, _| is(instance, "store", "az1").then(|| (life, Vec::new())));
    let at_ms = began_ms(&world.played(), Phase::Recovery) + 400;
    let host = Place { host: Some(HostName("az1-store-0".to_owned())), ..Place::default() };
    let note = "store-az1-0: exit status 1".to_owned();
    world.push(at_ms, By::Own, host, Detail::Host { change: HostChange::ServiceExited, note });
    judge(&world.case(), &world.recorded())
}

#[test]
fn who_does_not_start_from_a_torn_file_violates_a4() {
    let refused = after_a_cut(Life::Starting, true);
    judged(&refused, "A4", Verdict::Violated, Some("services.store.torn-end"));
    judged(&refused, "S5", Verdict::Violated, Some("services.store.torn-end"));
    judged(&after_a_cut(Life::Active, true), "A4", Verdict::Held, None);
    let whole = after_a_cut(Life::Starting, false);
    judged(&whole, "A4", Verdict::NotJudged, None);
    assert!(of(&whole, "A4").reason.contains("would do"), "{}", of(&whole, "A4").reason);
}

/// The same day with a store that is real software; `torn`: what was written to its file and not synced came through in part.
fn real_after_a_cut(life: Life, torn: bool) -> Judgement {
    let mut world = World::edited("refuses-torn", |text| {
        let image = "[services.image]\nreference = \"example/redis:7\"\nvolumes = [\"/data\"]\nports = [6379]\nprobe = { kind = \"redis\" }\n\n";
        let text = text.replace("torn-end = \"refuse\"\n", "");
        text.replace("[[services]]\nname = \"api\"", &format!("{image}[[services]]\nname = \"api\""))
    });
    world.self_reports = false;
    world.unsynced_lost = vec![ZoneName::new("az1").expect("a name")];
    let of = |instance: &&Instance| is(instance, "store", "az1");
    let host = world.placement.instances.iter().find(of).expect("it is there").host;
    world.torn = if torn { vec![world.placement.hosts[host].name.clone()] } else { Vec::new() };
    world.returns = Box::new(move |instance, _| is(instance, "store", "az1").then(|| (life, Vec::new())));
    let at_ms = began_ms(&world.played(), Phase::Recovery) + 400;
    let host = Place { host: Some(world.placement.hosts[host].name.clone()), ..Place::default() };
    let note = "store-az1-0: exit status 1".to_owned();
    if torn {
        world.push(at_ms, By::Own, host, Detail::Host { change: HostChange::ServiceExited, note });
    }
    judge(&world.case(), &world.recorded())
}

#[test]
fn real_software_that_does_not_start_from_a_torn_file_violates_a4_and_its_image_is_blamed() {
    let refused = real_after_a_cut(Life::Starting, true);
    judged(&refused, "A4", Verdict::Violated, Some("services.store.image"));
    judged(&refused, "S5", Verdict::Violated, Some("services.store.image"));
    judged(&real_after_a_cut(Life::Active, true), "A4", Verdict::Held, None);
    // Nobody saw it end, and its policy is `no`: it was not even started.
    judged(&real_after_a_cut(Life::Starting, false), "S5", Verdict::Violated, Some("services.store.image.restart"));
    // All that it wrote had been synced: nothing could be torn, whatever the plan asked for.
    judged(&real_after_a_cut(Life::Active, false), "A4", Verdict::NotJudged, None);
}

#[test]
fn who_does_not_start_while_nobody_answers_names_violates_s7() {
    let mut world = World::new("no-seeds");
    world.returns = Box::new(|instance, step| {
        (is(instance, "front", "az1") && step == "r0.az1-dark.heal").then(|| (Life::Starting, Vec::new()))
    });
    judged(&world.judged(), "S7", Verdict::Violated, Some("services.front.lookups.seeds"));
    judged(&World::new("no-seeds-repaired").judged(), "S7", Verdict::Held, None);
}

#[test]
fn without_name_servers_or_with_one_that_answers_s7_is_not_judged() {
    for day in ["minimal", "names-dead"] {
        let mut world = World::new(day);
        world.scenario.invariants = vec!["S7".to_owned()];
        let judgement = world.judged();
        judged(&judgement, "S7", Verdict::NotJudged, None);
        assert!(of(&judgement, "S7").reason.contains("would do"), "{}", of(&judgement, "S7").reason);
    }
}

/// So often was the source of credentials of a zone asked in a second of the outage, where two can ask it.
fn asked(needs: u64) -> Judgement {
    let mut world = World::new("hammers");
    let at_ms = began_ms(&world.played(), Phase::Outage) + 2_000;
    let instance = Some(InstanceName("credentials-az1-0".to_owned()));
    let place = Place { service: Some(service("credentials")), instance, ..Place::default() };
    let (over_ns, received, again, refused, late) = (1_000_000_000, 0, 0, 0, 0);
    world.push(
        at_ms,
        By::Callee,
        place,
        Detail::Arrived { over_ns, received, again, refused, late, needs, denied: 0, postponed: 0 },
    );
    judge(&world.case(), &world.recorded())
}

#[test]
fn more_than_ten_asks_in_a_second_of_each_who_waits_violate_r2() {
    judged(&asked(21), "R2", Verdict::Violated, Some("services.web.needs.credentials.backoff"));
    judged(&asked(20), "R2", Verdict::Held, None);
    judged(&asked(3), "R2", Verdict::NotJudged, None);
    assert!(of(&asked(3), "R2").reason.contains("would do"));
}
