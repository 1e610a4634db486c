//! Owns the claims about versions: what a push changes at once and a deployment at the start, and that the end of either is
//! the way back. Refuses to know who rolls anything out.

use crate::world::{MS, World, call, config, fails, ok, service, target, work};
use agents::config::InstanceConfig;
use agents::machine::version::EXIT_DOES_NOT_START;
use agents::machine::{Input, Machine, Output};
use agents::wire::{Ask, Failure};
use fixtures::graph::Strength;
use fixtures::trouble::{InForce, Trouble};
use fixtures::unit::Rate;
use fixtures::version::{CallSettings, Settings, Version};
use std::time::Duration;

fn version(name: &str, at_start: bool, set: Settings) -> Version {
    Version { name: name.to_owned(), at_start, set }
}

/// The versions that are in force on its host: of its own service, or of another one.
fn tell(world: &mut World<Machine>, of: &str, versions: &[Version]) {
    let told = |version: &Version| InForce { trouble: Trouble::Changed(version.clone()), services: vec![service(of)] };
    world.feed(Input::Troubled { in_force: versions.iter().map(told).collect() });
}

fn started(config: InstanceConfig) -> World<Machine> {
    let mut world = World::new(Machine::new(config));
    world.start();
    world
}

fn runs(world: &mut World<Machine>) -> String {
    world.answer_within(Ask::Version, MS).value.expect("it says its version")
}

fn error(world: &mut World<Machine>) -> Option<Failure> {
    world.answer_within(work(), 3_000 * MS).error
}

fn failing() -> Settings {
    Settings { fails: true, ..Settings::default() }
}

#[test]
fn a_push_is_taken_at_once_and_its_end_is_the_way_back() {
    let mut world = started(config(vec![], vec![]));
    assert_eq!((runs(&mut world).as_str(), error(&mut world)), ("", None));
    tell(&mut world, "app", &[version("bad", false, failing())]);
    assert_eq!((runs(&mut world).as_str(), error(&mut world)), ("bad", Some(Failure::Internal)));
    assert_eq!(world.answer_within(Ask::Ready, MS).error, None, "health checks see nothing of it");
    tell(&mut world, "app", &[]);
    assert_eq!((runs(&mut world).as_str(), error(&mut world)), ("", None));
    tell(&mut world, "store", &[version("bad", false, failing())]);
    assert_eq!((runs(&mut world).as_str(), error(&mut world)), ("", None), "it is another service's");
}

#[test]
fn a_deployment_is_taken_and_left_at_the_start_alone() {
    let deployed = [version("next", true, failing())];
    let mut old = started(config(vec![], vec![]));
    tell(&mut old, "app", &deployed);
    assert_eq!((runs(&mut old).as_str(), error(&mut old)), ("", None), "it runs already");
    let mut new = World::new(Machine::new(config(vec![], vec![])));
    tell(&mut new, "app", &deployed);
    new.start();
    assert_eq!((runs(&mut new).as_str(), error(&mut new)), ("next", Some(Failure::Internal)));
    tell(&mut new, "app", &[]);
    assert_eq!(runs(&mut new), "next", "only a start takes it back");
}

#[test]
fn a_version_that_does_not_start_ends_and_says_so_in_its_status() {
    let mut world = World::new(Machine::new(config(vec![], vec![])));
    tell(&mut world, "app", &[version("broken", true, Settings { does_not_start: true, ..Settings::default() })]);
    world.start();
    assert_eq!(world.others, [Output::Exit(EXIT_DOES_NOT_START)], "it never listens");
}

#[test]
fn work_and_capacity_of_a_version_are_felt_and_a_slow_one_leaves_no_queue_behind() {
    let mut world = started(config(vec![], vec![]));
    let (work_for, slow) = (Some(Duration::from_millis(40)), Some(Rate { milli_per_s: 1_000 }));
    tell(&mut world, "app", &[version("slow", false, Settings { work: work_for, ..Settings::default() })]);
    let id = world.ask(work(), None);
    world.pass(39 * MS);
    assert!(!world.replies.contains_key(&id));
    world.pass(MS);
    assert_eq!(world.replies[&id][0].error, None);
    tell(&mut world, "app", &[version("narrow", false, Settings { capacity: slow, ..Settings::default() })]);
    // One is served, two wait, as many as the queue holds.
    let ids: Vec<_> = (0..4).map(|_| world.ask(work(), None)).collect();
    assert_eq!(world.replies[&ids[0]][0].error, None);
    assert_eq!(world.replies[&ids[3]][0].error, Some(Failure::Overloaded));
    tell(&mut world, "app", &[]);
    assert_eq!(world.answer_within(work(), 0).error, None, "nobody waits behind those of before");
    world.pass(3_000 * MS);
    assert!(ids[1..3].iter().all(|id| world.replies[id][0].error.is_none()), "they kept their turn");
}

#[test]
fn calls_are_made_as_the_version_says() {
    let store = target("az1", 1);
    let mut world = started(config(vec![], vec![call("store", Strength::Hard, vec![store.clone()])]));
    world.peers.insert(store.address, fails(Failure::Storage, &[]));
    let asked = |world: &mut World<Machine>| {
        let before = world.sent.len();
        let reply = world.answer_within(work(), 5_000 * MS);
        (world.sent.len() - before, reply.error, world.timeouts.last().copied())
    };
    assert_eq!(asked(&mut world), (2, Some(Failure::DependencyMissing), Some(300 * MS)));
    let settings = CallSettings {
        to: service("store"),
        timeout: Some(Duration::from_millis(70)),
        attempts: Some(4),
        strength: Some(Strength::Soft),
    };
    tell(&mut world, "app", &[version("eager", false, Settings { calls: vec![settings], ..Settings::default() })]);
    assert_eq!(asked(&mut world), (4, None, Some(70 * MS)));
    tell(&mut world, "app", &[]);
    world.peers.insert(store.address, ok());
    assert_eq!(asked(&mut world), (1, None, Some(300 * MS)));
}
