//! Owns the claims about what arrives at an instance: what it counts, what its calls say of earlier attempts, and how many
//! requests it has under way. Refuses to judge what was counted.

use crate::world::{MS, Peer, World, call, config, target, work};
use agents::machine::Machine;
use agents::wire::{Ask, Failure, Note};
use fixtures::graph::Strength;
use fixtures::graph::workers::Workers;

fn work_again() -> Ask {
    Ask::Work { operation: "serve".into(), write: None, again: true }
}

/// An instance that calls one that never answers.
fn hanging(workers: Option<Workers>, counts_arrivals: bool) -> World<Machine> {
    let there = target("az1", 1);
    let mut config = config(vec![], vec![call("cache", Strength::Hard, vec![there.clone()])]);
    (config.workers, config.counts_arrivals) = (workers, counts_arrivals);
    config.operations.push("other".to_owned());
    let mut world = World::new(Machine::new(config));
    world.peers.insert(there.address, Peer::Silent);
    world.start();
    world
}

fn arrived(world: &World<Machine>) -> Vec<(u64, u64, u64)> {
    let told = world.notes.iter().filter_map(|note| match note {
        Note::Arrived { received, again, refused, .. } => Some((*received, *again, *refused)),
        _ => None,
    });
    told.collect()
}

#[test]
fn what_arrives_is_counted_where_somebody_wants_to_know() {
    let mut world = hanging(Some(Workers { most: 2, each: None }), true);
    for ask in [work(), work_again(), work()] {
        world.ask(ask, None);
    }
    world.pass(1_500 * MS);
    assert_eq!(arrived(&world), [(3, 1, 1)], "the third had no room");
    world.pass(5_000 * MS);
    assert_eq!(arrived(&world).len(), 1, "who is asked nothing tells nothing");
    let mut silent = hanging(None, false);
    silent.ask(work(), None);
    silent.pass(5_000 * MS);
    assert_eq!(arrived(&silent), []);
}

#[test]
fn a_further_attempt_says_so_and_so_does_whatever_is_asked_because_of_one() {
    let again = |world: &World<Machine>| {
        let told = world.asks.iter().map(|ask| matches!(ask, Ask::Work { again: true, .. }));
        told.collect::<Vec<bool>>()
    };
    let mut first = hanging(None, false);
    first.ask(work(), None);
    first.pass(5_000 * MS);
    let told = again(&first);
    assert!(told.len() > 1 && !told[0] && told[1..].iter().all(|again| *again), "{told:?}");
    let mut later = hanging(None, false);
    later.ask(work_again(), None);
    later.pass(5_000 * MS);
    assert!(again(&later).iter().all(|again| *again));
}

#[test]
fn a_bulkhead_keeps_room_for_what_does_not_hang() {
    let mut open = hanging(Some(Workers { most: 2, each: None }), false);
    let mut walled = hanging(Some(Workers { most: 2, each: Some(1) }), false);
    for (world, expected) in [(&mut open, Some(Failure::Overloaded)), (&mut walled, None)] {
        world.ask(work(), None);
        world.ask(work(), None);
        let other = world.ask(Ask::Work { operation: "other".into(), write: None, again: false }, None);
        world.pass(10 * MS);
        let failed = world.replies.get(&other).and_then(|replies| replies[0].error);
        assert_eq!(failed, expected);
    }
}
