//! Owns the claims about what one instance of a cache or a queue does. Refuses real time and sockets.

use crate::world::{MS, Peer, World, call, config, fails, need, ok, target, work, write};
use agents::config::StoreConfig;
use agents::machine::{Input, Machine, Output, RequestId};
use agents::wire::{Failure, Grant, Reply};
use fixtures::graph::identity::{Renew, WhenExpired};
use fixtures::graph::store::{Answers, Backlog, Cache, Order};
use fixtures::graph::{State, Strength};
use fixtures::unit::Rate;
use std::time::Duration;

fn cache(cache: Cache) -> World<Machine> {
    let mut config = config(vec![], vec![call("store", Strength::Hard, vec![target("az1", 1)])]);
    (config.state, config.store) = (State::Cache, StoreConfig { cache: Some(cache), ..StoreConfig::default() });
    let mut world = World::new(Machine::new(config));
    world.start();
    world
}

fn queue(backlog: Backlog) -> World<Machine> {
    let mut config = config(vec![], vec![call("store", Strength::Hard, vec![target("az1", 1)])]);
    config.calls[0].carries_writes = true;
    (config.state, config.store) = (State::Queue, StoreConfig { backlog: Some(backlog), ..StoreConfig::default() });
    let mut world = World::new(Machine::new(config));
    world.start();
    world
}

/// Tells it that everything it wrote is on the disk.
fn save(world: &mut World<Machine>) {
    while let Some(position) = world.others.iter().position(|output| matches!(output, Output::Append { .. })) {
        let Output::Append { id, .. } = world.others.remove(position) else { return };
        world.feed(Input::Appended { id, ok: true });
    }
}

fn error(world: &World<Machine>, id: RequestId) -> Option<Option<Failure>> {
    world.replies.get(&id).map(|replies| {
        assert_eq!(replies.len(), 1, "every request has one answer");
        replies[0].error
    })
}

#[test]
fn a_cache_asks_once_until_its_value_is_too_old_and_forgets_with_the_process() {
    let settings = Cache { keys: 1, ttl: Duration::from_secs(60), ..Cache::default() };
    let mut world = cache(settings);
    let store = target("az1", 1).address;
    world.peers.insert(store, ok());
    for _ in 0..3 {
        assert_eq!(world.answer(work()).error, None);
    }
    assert_eq!(world.sent.len(), 1, "60 s have not passed");
    world.pass(1_000 * MS);
    world.peers.remove(&store);
    assert_eq!(world.answer(work()).error, Some(Failure::DependencyMissing), "it is too old by now");
    let mut world = cache(settings);
    assert_eq!(world.answer(work()).error, Some(Failure::DependencyMissing), "a new process has nothing");
}

#[test]
fn requests_for_one_key_share_a_fetch_where_they_are_told_to() {
    for (coalesce, fetches) in [(true, 1), (false, 3)] {
        let mut world = cache(Cache { keys: 1, coalesce, ..Cache::default() });
        world.peers.insert(target("az1", 1).address, Peer::Silent);
        let asked: Vec<RequestId> = (0..3).map(|_| world.ask(work(), Some(5_000 * MS))).collect();
        assert_eq!(world.sent.len(), fetches);
        world.pass(10_000 * MS);
        for id in asked {
            assert_eq!(error(&world, id), Some(Some(Failure::DependencyMissing)), "who waits is answered alike");
        }
    }
}

#[test]
fn who_waits_for_a_fetch_takes_it_over_when_its_maker_goes_away() {
    let mut world = cache(Cache { keys: 1, ..Cache::default() });
    let store = target("az1", 1).address;
    world.peers.insert(store, Peer::Silent);
    let (first, second) = (world.ask(work(), None), world.ask(work(), None));
    world.peers.insert(store, ok());
    world.feed(Input::Gone { id: first });
    assert_eq!((error(&world, first), error(&world, second)), (None, Some(None)));
}

#[test]
fn a_cache_fetches_no_more_at_one_time_than_it_may() {
    let mut world = cache(Cache { keys: 1_000_000, misses: Some(2), ..Cache::default() });
    world.peers.insert(target("az1", 1).address, Peer::Silent);
    let asked: Vec<RequestId> = (0..4).map(|_| world.ask(work(), Some(5_000 * MS))).collect();
    let refused = asked.iter().filter(|id| error(&world, **id) == Some(Some(Failure::Overloaded))).count();
    assert_eq!((refused, world.sent.len()), (2, 2));
    world.pass(10_000 * MS);
    world.peers.insert(target("az1", 1).address, ok());
    assert_eq!(world.answer(work()).error, None, "failed fetches are over");
}

#[test]
fn an_item_is_answered_when_it_is_done_or_when_it_is_stored() {
    for (answers, stored_by) in [(Answers::WhenDone, None), (Answers::WhenStored, Some("app-az1-0"))] {
        let mut world = queue(Backlog { answers, ..Backlog::default() });
        let store = target("az1", 1).address;
        world.peers.insert(store, if stored_by.is_some() { Peer::Silent } else { ok() });
        let id = world.ask(write("k"), Some(5_000 * MS));
        assert_eq!(error(&world, id), None, "not before it is on the disk");
        save(&mut world);
        assert_eq!(error(&world, id), Some(None), "{answers:?}");
        let stored = world.replies[&id][0].stored_at.first().map(|name| name.as_str());
        assert_eq!(stored, stored_by);
        assert_eq!(world.sent.len(), 1, "and worked off all the same");
    }
}

#[test]
fn what_nobody_waits_for_any_more_holds_up_a_fifo_and_not_a_lifo_nor_one_that_lets_it_expire() {
    let slow = fixtures::unit::Rate { milli_per_s: 10_000 };
    let answered = |order, expiry| {
        let mut world = queue(Backlog { drain: Some(slow), order, expiry, ..Backlog::default() });
        let store = target("az1", 1).address;
        world.peers.insert(store, fails(Failure::DependencyMissing, &["disk"]));
        // Ten seconds at the rate that it can carry.
        for _ in 0..100 {
            world.ask(work(), Some(500 * MS));
            save(&mut world);
            world.pass(100 * MS);
        }
        world.peers.insert(store, ok());
        world.pass(1_000 * MS);
        let fresh: Vec<RequestId> = (0..5)
            .map(|_| {
                let id = world.ask(work(), Some(1_000 * MS));
                save(&mut world);
                world.pass(200 * MS);
                id
            })
            .collect();
        world.pass(2_000 * MS);
        fresh.into_iter().filter(|id| error(&world, *id) == Some(None)).count()
    };
    assert_eq!(answered(Order::Fifo, None), 0);
    assert_eq!(answered(Order::Lifo, None), 5);
    assert_eq!(answered(Order::Fifo, Some(Duration::from_secs(1))), 5);
}

#[test]
fn a_queue_that_stopped_to_serve_works_off_what_it_holds_when_its_certificate_is_back() {
    let second = 1_000 * MS;
    let (store, authority) = (target("az1", 1), target("az1", 2));
    let mut certificate = need(vec![authority.clone()]);
    (certificate.renew, certificate.when_expired) = (Renew::BeforeExpiry, WhenExpired::Stop);
    let mut config = config(vec![certificate], vec![call("store", Strength::Hard, vec![store.clone()])]);
    config.calls[0].carries_writes = true;
    config.commons.renew_at_ppm = 500_000;
    // One item a minute.
    let backlog = Backlog { drain: Some(Rate { milli_per_s: 17 }), answers: Answers::WhenStored, ..Backlog::default() };
    (config.state, config.store) = (State::Queue, StoreConfig { backlog: Some(backlog), ..StoreConfig::default() });
    let mut world = World::new(Machine::new(config));
    let grants = |world: &mut World<Machine>| {
        let until_ns = i64::try_from(world.now + 100 * second).expect("tests are short");
        let grant = Some(Box::new(Grant { from_ns: 0, until_ns, ..Grant::default() }));
        world.peers.insert(authority.address, Peer::Answers(Reply { grant, ..Reply::by(&"authority".into()) }));
    };
    grants(&mut world);
    world.peers.insert(store.address, ok());
    world.start();
    for key in ["a", "b", "c"] {
        world.ask(write(key), Some(5 * second));
        save(&mut world);
    }
    world.peers.insert(authority.address, Peer::Silent);
    let worked_off = |world: &World<Machine>| world.sent.iter().filter(|(_, to)| *to == store.address).count();
    world.pass(130 * second);
    assert_eq!(worked_off(&world), 2, "its certificate has ended before the third's turn came");
    grants(&mut world);
    world.pass(5 * second);
    assert_eq!(worked_off(&world), 3);
}

#[test]
fn items_outlive_a_restart_until_they_are_done() {
    let mut world = queue(Backlog::default());
    world.peers.insert(target("az1", 1).address, Peer::Silent);
    let mut file = Vec::new();
    for key in ["a", "b"] {
        world.ask(write(key), None);
        let appended = world.others.iter().filter_map(|output| match output {
            Output::Append { key, value, .. } => Some((key.clone(), value.clone())),
            _ => None,
        });
        file.extend(appended);
        save(&mut world);
    }
    assert_eq!(file.len(), 2);
    file.push(("@done".to_owned(), "1".to_owned()));
    let mut world = World::new(Machine::new({
        let mut config = config(vec![], vec![call("store", Strength::Hard, vec![target("az1", 1)])]);
        let backlog = Some(Backlog::default());
        (config.state, config.store) = (State::Queue, StoreConfig { backlog, ..StoreConfig::default() });
        config
    }));
    world.peers.insert(target("az1", 1).address, ok());
    world.feed(Input::Start { entries: file });
    world.pass(1_000 * MS);
    assert_eq!(world.sent.len(), 1, "the one that was not done");
}
