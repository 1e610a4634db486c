//! Owns the claims about one instance's decisions, in virtual time. Refuses sockets.

use crate::world::{MS, Peer, World, call, config, fails, machine, need, ok, service, target, work, write};
use agents::machine::job::EXIT_UNWELL;
use agents::machine::need::EXIT_NEED_MISSING;
use agents::machine::{Input, Machine, Output, RequestId};
use agents::wire::{Ask, Failure, Reply};
use fixtures::graph::{Acknowledge, Attempts, Health, Routing, State, Strength, WhenMissing};
use proptest::prelude::{any, prop, proptest};

#[test]
fn it_asks_for_its_need_for_ever_and_starts_when_it_is_there() {
    let authority = target("az1", 1);
    let mut world = machine(vec![need(vec![authority.clone()])], vec![]);
    world.pass(3_600_000 * MS);
    assert!(!world.listens() && world.sent.len() > 5_000, "{} asks in an hour", world.sent.len());
    let gaps: Vec<u64> = world.sent.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(gaps.iter().all(|gap| *gap <= 500 * MS), "the pause has a cap");
    assert!(gaps.iter().any(|gap| *gap != gaps[0]), "the pause is jittered");
    world.peers.insert(authority.address, ok());
    world.pass(500 * MS);
    assert!(world.listens());
}

#[test]
fn it_listens_only_when_it_has_every_need() {
    let (first, second) = (target("az1", 1), target("az1", 2));
    let mut world = machine(vec![need(vec![first.clone()]), need(vec![second.clone()])], vec![]);
    world.peers.insert(first.address, ok());
    world.pass(5_000 * MS);
    assert!(!world.listens());
    world.peers.insert(second.address, ok());
    world.pass(500 * MS);
    assert!(world.listens());
}

#[test]
fn it_exits_or_gives_up_where_it_is_told_to() {
    let mut exits = need(vec![target("az1", 1)]);
    exits.when_missing = WhenMissing::Exit;
    assert!(machine(vec![exits], vec![]).others.contains(&Output::Exit(EXIT_NEED_MISSING)));
    let mut gives_up = need(vec![target("az1", 1)]);
    gives_up.attempts = Attempts::AtMost(3);
    let mut world = machine(vec![gives_up], vec![]);
    world.peers.insert(target("az1", 1).address, Peer::Silent);
    world.pass(60_000 * MS);
    assert_eq!(world.sent.len(), 3);
    world.peers.insert(target("az1", 1).address, ok());
    world.pass(60_000 * MS);
    assert!(!world.listens(), "it gave up for good");
}

#[test]
fn a_missing_hard_dependency_is_a_typed_error_that_names_the_chain() {
    let store = target("az1", 1);
    let mut world = machine(vec![], vec![call("store", Strength::Hard, vec![store.clone()])]);
    let reply = world.answer(work());
    assert_eq!((reply.error, reply.missing), (Some(Failure::DependencyMissing), vec![service("store")].into()));
    world.peers.insert(store.address, fails(Failure::DependencyMissing, &["disk"]));
    assert_eq!(*world.answer(work()).missing, [service("store"), service("disk")]);
}

/// The breaker is open by then: it must not be what keeps the caller from a dependency that is back.
#[test]
fn the_first_request_after_the_dependency_is_back_succeeds() {
    let store = target("az1", 1);
    let mut world = machine(vec![], vec![call("store", Strength::Hard, vec![store.clone()])]);
    for number in 0..10 {
        world.ask(work(), None);
        world.pass(100 * MS);
        assert!(world.replies.contains_key(&RequestId(number + 1)), "it fails fast");
    }
    world.peers.insert(store.address, ok());
    let id = world.ask(work(), None);
    assert_eq!(world.replies[&id][0].error, None);
}

#[test]
fn a_missing_soft_dependency_degrades_and_soon_costs_nothing() {
    let telemetry = target("az1", 1);
    let mut world = machine(vec![], vec![call("telemetry", Strength::Soft, vec![telemetry.clone()])]);
    world.peers.insert(telemetry.address, Peer::Silent);
    for _ in 0..2 {
        let reply = world.answer(work());
        assert_eq!((reply.error, reply.degraded), (None, vec![service("telemetry")].into()));
    }
    // Breakers are open for a second after the last failure; twenty have passed in `answer`. Open them again.
    world.ask(work(), None);
    world.pass(1_000 * MS);
    let sent = world.sent.len();
    let id = world.ask(work(), None);
    assert_eq!((world.replies[&id].len(), world.sent.len()), (1, sent), "it is skipped, not waited for");
}

#[test]
fn a_fallback_is_asked_in_the_place_of_who_is_gone_and_not_else() {
    let (times, warehouse) = (target("az1", 1), target("az1", 2));
    let mut stands_in = call("warehouse", Strength::Hard, vec![warehouse.clone()]);
    stands_in.fallback = true;
    let calls = vec![call("times", Strength::Hard, vec![times.clone()]), stands_in];
    let mut world = machine(vec![], calls);
    world.peers.extend([(times.address, ok()), (warehouse.address, ok())]);
    let whole = |reply: Reply| reply.error.is_none() && reply.degraded.is_empty();
    assert!(whole(world.answer(work())));
    assert!(world.sent.iter().all(|(_, to)| *to == times.address), "the first one answered");
    world.peers.remove(&times.address);
    assert!(whole(world.answer(work())), "nothing lacks");
    assert_eq!(world.sent.last().map(|(_, to)| *to), Some(warehouse.address));
    world.peers.remove(&warehouse.address);
    let reply = world.answer(work());
    assert_eq!((reply.error, reply.missing), (Some(Failure::DependencyMissing), vec![service("warehouse")].into()));
}

#[test]
fn a_retry_goes_to_another_instance_and_near_ones_come_first() {
    let (near, far) = (target("az1", 1), target("az2", 2));
    let mut world = machine(vec![], vec![call("store", Strength::Hard, vec![far.clone(), near.clone()])]);
    world.peers.insert(far.address, ok());
    assert_eq!(world.answer(work()).error, None);
    let asked: Vec<_> = world.sent.iter().map(|(_, to)| *to).collect();
    assert_eq!(asked, [near.address, far.address]);
    let mut spread = call("store", Strength::Hard, vec![far.clone(), near.clone()]);
    spread.routing = Routing::Spread;
    let mut world = machine(vec![], vec![spread]);
    world.peers.extend([(near.address, ok()), (far.address, ok())]);
    for _ in 0..10 {
        world.answer(work());
    }
    assert_eq!(world.sent.iter().filter(|(_, to)| *to == far.address).count(), 5);
}

#[test]
fn overload_is_answered_at_once_and_not_retried() {
    let store = target("az1", 1);
    let mut world = machine(vec![], vec![call("store", Strength::Hard, vec![store.clone(), target("az2", 2)])]);
    world.peers.insert(store.address, fails(Failure::Overloaded, &[]));
    assert_eq!(world.answer(work()).error, Some(Failure::DependencyMissing));
    assert_eq!(world.sent.len(), 1);
    let mut narrow = config(vec![], vec![]);
    narrow.interval_ns = 100 * MS;
    let mut world = World::new(Machine::new(narrow));
    world.start();
    let ids: Vec<_> = (0..5).map(|_| world.ask(work(), None)).collect();
    let refused = |id: &&RequestId| world.replies.get(id).is_some_and(|r| r[0].error == Some(Failure::Overloaded));
    assert_eq!(ids.iter().filter(refused).count(), 2, "one is served, two wait, the rest is refused");
    world.pass(1_000 * MS);
    assert!(ids.iter().all(|id| world.replies[id].len() == 1));
}

#[test]
fn no_attempt_outlives_its_caller() {
    let store = target("az1", 1);
    let mut world = machine(vec![], vec![call("store", Strength::Hard, vec![store.clone()])]);
    world.peers.insert(store.address, Peer::Silent);
    let id = world.ask(work(), Some(100 * MS));
    assert_eq!(world.timeouts, [90 * MS]);
    world.feed(Input::Gone { id });
    assert!(world.others.iter().any(|output| matches!(output, Output::Abandon { .. })));
    world.pass(10_000 * MS);
    assert!(!world.replies.contains_key(&id), "nobody is there to answer");
}

/// Whoever probes with less patience than a call to a silent dependency takes still learns which one it is.
#[test]
fn a_typed_error_reaches_its_caller_before_that_stops_waiting() {
    let store = target("az1", 1);
    let mut slow = call("store", Strength::Hard, vec![store.clone()]);
    slow.timeout = std::time::Duration::from_secs(1);
    let mut world = machine(vec![], vec![slow]);
    world.peers.insert(store.address, Peer::Silent);
    let id = world.ask(work(), Some(600 * MS));
    world.pass(560 * MS);
    let reply = &world.replies[&id][0];
    assert_eq!((reply.error, &*reply.missing), (Some(Failure::DependencyMissing), &[service("store")][..]));
}

#[test]
fn a_write_is_acknowledged_after_its_sync_and_a_defect_does_it_before() {
    let mut healthy = config(vec![], vec![]);
    healthy.state = State::Disk;
    let mut defect = healthy.clone();
    defect.acknowledge = Acknowledge::BeforeSync;
    let mut world = World::new(Machine::new(healthy));
    world.start();
    let id = world.ask(write("k"), None);
    assert!(world.replies.is_empty(), "not before it is on the disk");
    world.feed(Input::Appended { id, ok: true });
    assert_eq!(world.replies[&id][0].stored_at.len(), 1);
    assert_eq!(world.answer(Ask::Read { key: "k".to_owned() }).value.as_deref(), Some("v"));
    let id = world.ask(write("l"), None);
    world.feed(Input::Appended { id, ok: false });
    assert_eq!(world.replies[&id][0].error, Some(Failure::Storage));
    let mut world = World::new(Machine::new(defect));
    world.start();
    let id = world.ask(write("k"), None);
    assert_eq!(world.replies[&id][0].error, None, "before it is on the disk");
}

proptest! {
    /// Whatever peers do and whenever requests come, each has exactly one answer in the end, nothing spins, and the same
    /// seed does the same.
    #[test]
    fn every_request_has_one_answer(moves in prop::collection::vec((0_u8..4, any::<bool>(), 0_u64..800), 1..60)) {
        let play = || {
            let targets = vec![target("az1", 1), target("az2", 2)];
            let calls = vec![call("store", Strength::Hard, targets), call("soft", Strength::Soft, vec![target("az1", 3)])];
            let mut world = machine(vec![], calls);
            let mut asked = 0;
            for (kind, first, wait) in &moves {
                let address = target("az1", if *first { 1 } else { 3 }).address;
                match kind {
                    0 => { world.peers.insert(address, ok()); }
                    1 => { world.peers.insert(address, Peer::Silent); }
                    2 => { world.peers.insert(address, fails(Failure::DependencyMissing, &["x"])); }
                    _ => { world.ask(work(), None); asked += 1; }
                }
                world.pass(wait * MS);
            }
            world.pass(60_000 * MS);
            assert_eq!(world.replies.len(), asked);
            assert!(world.replies.values().all(|replies| replies.len() == 1));
            (world.sent, world.replies)
        };
        assert_eq!(play(), play());
    }
}

/// Three failures for want of a hard dependency end whoever looks that deep; an answer in between counts from the start
/// again, and nobody else ends at all.
#[test]
fn a_deep_liveness_check_ends_an_instance_that_lost_its_dependency() {
    let store = target("az1", 1);
    let ended = |liveness, recovers: bool| {
        let mut config = config(vec![], vec![call("store", Strength::Hard, vec![store.clone()])]);
        config.liveness = liveness;
        let mut world = World::new(Machine::new(config));
        world.start();
        for number in 0..4 {
            if recovers && number == 2 {
                world.peers.insert(store.address, ok());
            } else {
                world.peers.remove(&store.address);
            }
            world.ask(work(), None);
            world.pass(1_000 * MS);
        }
        world.others.iter().filter(|output| matches!(output, Output::Exit(EXIT_UNWELL))).count()
    };
    assert!(ended(Health::Deep, false) > 0);
    assert_eq!(ended(Health::Deep, true), 0, "the third request was answered");
    assert_eq!(ended(Health::Shallow, false), 0);
}
