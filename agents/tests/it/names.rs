//! Owns the claims about names: what a client does with answers, and whom a name server names. Virtual time; refuses
//! sockets.

use crate::world::{MS, Peer, World, call, config, need, ok, service, target, work};
use agents::commons::{Callee, DirectoryConfig, LookupConfig, Record};
use agents::config::{InstanceConfig, Target};
use agents::machine::{Input, Machine, Nanos};
use agents::wire::{Ask, Failure, Records, Reply};
use fixtures::graph::Strength;
use fixtures::graph::names::{Cache, Empty, Lookups, NoneHealthy};
use fixtures::trouble::{InForce, Trouble};

const SECOND: Nanos = 1_000 * MS;
const TTL: Nanos = 5 * SECOND;

fn server(number: u16) -> Target {
    target(["az1", "az2", "az3"][usize::from(number)], 53 + number)
}

fn lookups(behaviour: Lookups) -> LookupConfig {
    LookupConfig {
        service: service("names"),
        servers: (0..3).map(server).collect::<Vec<_>>().into(),
        behaviour,
        timeout_ns: 100 * MS,
        attempts: 3,
        stale_max_ns: 600 * SECOND,
    }
}

fn callee() -> Callee {
    Callee { name: Some("store.test".into()), secure: None }
}

/// A caller of a store that it knows by its name.
fn caller(behaviour: Lookups) -> World<Machine> {
    let mut to_store = call("store", Strength::Hard, vec![]);
    to_store.callee = callee();
    let mut config = config(vec![], vec![to_store]);
    config.commons.lookups = Some(lookups(behaviour));
    let mut world = World::new(Machine::new(config));
    world.start();
    world
}

fn says(targets: Vec<Target>) -> Peer {
    let ttl_ns = if targets.is_empty() { SECOND } else { TTL };
    let records = Records { targets, ttl_ns, serial: 7 };
    Peer::Answers(Reply { records: Some(Box::new(records)), ..Reply::by(&"names".into()) })
}

fn set_servers(world: &mut World<Machine>, peer: &Peer) {
    world.peers.extend((0..3).map(|number| (server(number).address, peer.clone())));
}

/// How often name servers were asked so far.
fn asked(world: &World<Machine>) -> usize {
    world.sent.iter().filter(|(_, to)| (53..56).contains(&to.port())).count()
}

/// One request now; what became of it within a second.
fn request(world: &mut World<Machine>) -> Reply {
    let id = world.ask(work(), Some(SECOND));
    world.pass(SECOND);
    world.replies[&id][0].clone()
}

#[test]
fn an_answer_is_kept_for_as_long_as_it_says_and_no_longer() {
    let store = target("az1", 1);
    let mut world = caller(Lookups::default());
    set_servers(&mut world, &says(vec![store.clone()]));
    world.peers.insert(store.address, ok());
    for _ in 0..20 {
        assert_eq!(request(&mut world).error, None);
    }
    // Twenty seconds, five for each answer.
    assert!((4..=5).contains(&asked(&world)), "asked {} times", asked(&world));
    let moved = target("az1", 2);
    world.peers.remove(&store.address);
    world.peers.insert(moved.address, ok());
    set_servers(&mut world, &says(vec![moved]));
    world.pass(TTL);
    request(&mut world);
    assert_eq!(request(&mut world).error, None, "it follows when the answer has ended");
}

#[test]
fn a_cache_without_end_stays_with_what_is_gone_and_one_without_beginning_asks_each_time() {
    let (store, moved) = (target("az1", 1), target("az1", 2));
    let mut for_ever = caller(Lookups { cache: Cache::ForEver, ..Lookups::default() });
    set_servers(&mut for_ever, &says(vec![store.clone()]));
    for_ever.peers.insert(store.address, ok());
    assert_eq!(request(&mut for_ever).error, None);
    for_ever.peers.remove(&store.address);
    for_ever.peers.insert(moved.address, ok());
    set_servers(&mut for_ever, &says(vec![moved.clone()]));
    for_ever.pass(3_600 * SECOND);
    assert_eq!(request(&mut for_ever).error, Some(Failure::DependencyMissing));
    assert_eq!(asked(&for_ever), 1);
    let mut none = caller(Lookups { cache: Cache::None, ..Lookups::default() });
    set_servers(&mut none, &says(vec![store.clone()]));
    none.peers.insert(store.address, ok());
    for number in 1..=5 {
        assert_eq!(request(&mut none).error, None);
        assert_eq!(asked(&none), number);
    }
}

/// With name servers dead, whoever uses stale answers goes on, and fast; whoever does not fails, and says for want of what.
#[test]
fn stale_answers_carry_through_the_death_of_every_name_server() {
    let store = target("az1", 1);
    for (stale, expected) in [(true, None), (false, Some(Failure::DependencyMissing))] {
        let mut world = caller(Lookups { stale, ..Lookups::default() });
        set_servers(&mut world, &says(vec![store.clone()]));
        world.peers.insert(store.address, ok());
        assert_eq!(request(&mut world).error, None);
        set_servers(&mut world, &Peer::Silent);
        world.pass(TTL);
        for _ in 0..60 {
            let reply = request(&mut world);
            assert_eq!(reply.error, expected, "stale: {stale}");
            let missing = [service("store"), service("names")];
            assert!(stale || *reply.missing == missing, "{:?}", reply.missing);
        }
        let slowest = world.sent.iter().filter(|(_, to)| *to == store.address).count();
        assert_eq!(slowest, if stale { 61 } else { 1 });
        // Not for ever: an answer that is far too old is none.
        world.pass(700 * SECOND);
        assert_eq!(request(&mut world).error, Some(Failure::DependencyMissing));
        set_servers(&mut world, &says(vec![store.clone()]));
        world.pass(2 * SECOND);
        assert_eq!(request(&mut world).error, None, "names are back");
    }
}

#[test]
fn an_empty_answer_is_believed_only_by_those_who_are_told_to() {
    let store = target("az1", 1);
    for (empty, expected) in [(Empty::Keep, None), (Empty::Believe, Some(Failure::DependencyMissing))] {
        let mut world = caller(Lookups { empty, ..Lookups::default() });
        set_servers(&mut world, &says(vec![store.clone()]));
        world.peers.insert(store.address, ok());
        assert_eq!(request(&mut world).error, None);
        set_servers(&mut world, &says(vec![]));
        world.pass(TTL);
        request(&mut world);
        for _ in 0..20 {
            assert_eq!(request(&mut world).error, expected, "{empty:?}");
        }
        set_servers(&mut world, &says(vec![store.clone()]));
        world.pass(3 * SECOND);
        request(&mut world);
        assert_eq!(request(&mut world).error, None, "it heals by itself");
    }
}

#[test]
fn a_silent_server_is_followed_by_the_next_and_not_asked_first_again() {
    let store = target("az1", 1);
    let mut world = caller(Lookups { cache: Cache::None, ..Lookups::default() });
    set_servers(&mut world, &says(vec![store.clone()]));
    world.peers.insert(server(0).address, Peer::Silent);
    world.peers.insert(store.address, ok());
    assert_eq!(request(&mut world).error, None);
    assert_eq!(world.sent[1].0 - world.sent[0].0, 100 * MS, "one server is waited for so long");
    let before = asked(&world);
    assert_eq!(request(&mut world).error, None);
    assert_eq!(asked(&world) - before, 1, "the silent one is left alone for a while");
}

#[test]
fn a_need_is_found_by_its_name_whenever_names_come() {
    let authority = target("az1", 1);
    let mut certificate = need(vec![]);
    certificate.callee = callee();
    let mut config = config(vec![certificate], vec![]);
    config.commons.lookups = Some(lookups(Lookups::default()));
    let mut world = World::new(Machine::new(config));
    world.start();
    world.peers.insert(authority.address, ok());
    world.pass(60 * SECOND);
    assert!(!world.listens(), "nobody says where it is");
    set_servers(&mut world, &says(vec![authority]));
    world.pass(2 * SECOND);
    assert!(world.listens());
}

fn record(name: &str, targets: Vec<Target>) -> Record {
    Record { name: name.into(), targets: targets.into() }
}

/// A name server of a store in two zones and an API in one.
fn directory(none_healthy: NoneHealthy) -> World<Machine> {
    let store = vec![target("az1", 1), target("az2", 2)];
    let api = vec![target("az1", 3)];
    let own = |target: &Target| record(&format!("{}.{}.test", target.name, target.zone), vec![target.clone()]);
    let mut config: InstanceConfig = config(vec![], vec![]);
    config.from.service = Some(service("names"));
    config.commons.directory = Some(DirectoryConfig {
        listen: target("az1", 53).address,
        domain: "test".to_owned(),
        instances: store.iter().chain(&api).map(own).collect(),
        services: vec![record("api.az1.test", api), record("store.test", store)],
        ttl_ns: TTL,
        negative_ttl_ns: SECOND,
        health_interval_ns: SECOND,
        health_failures: 3,
        none_healthy,
    });
    let mut world = World::new(Machine::new(config));
    for port in 1..4 {
        world.peers.insert(target("az1", port).address, ok());
    }
    world.start();
    world
}

fn look_up(world: &mut World<Machine>, name: &str) -> (Option<Failure>, Vec<u16>, u32) {
    let id = world.ask(Ask::Lookup { name: name.into() }, None);
    let reply = world.replies[&id][0].clone();
    let records = reply.records.map(|records| *records);
    let serial = records.as_ref().map_or(0, |records| records.serial);
    let ports = records.into_iter().flat_map(|records| records.targets).map(|target| target.address.port());
    (reply.error, ports.collect(), serial)
}

/// Who fails its checks is left out, but not at once; who succeeds is back at the next check.
#[test]
fn health_changes_answers_after_its_time() {
    let mut world = directory(NoneHealthy::All);
    assert_eq!(look_up(&mut world, "STORE.test").1, [1, 2], "names have no case");
    world.peers.remove(&target("az1", 1).address);
    world.pass(2 * SECOND);
    assert_eq!(look_up(&mut world, "store.test").1, [1, 2], "two failed checks are not enough");
    world.pass(2 * SECOND);
    assert_eq!(look_up(&mut world, "store.test").1, [2]);
    world.peers.insert(target("az1", 1).address, ok());
    world.pass(2 * SECOND);
    assert_eq!(look_up(&mut world, "store.test").1, [1, 2]);
}

#[test]
fn with_everybody_bad_all_are_named_unless_it_is_told_otherwise() {
    for (none_healthy, expected) in [(NoneHealthy::All, vec![1, 2]), (NoneHealthy::Nothing, vec![])] {
        let mut world = directory(none_healthy);
        world.peers.clear();
        world.pass(10 * SECOND);
        assert_eq!(look_up(&mut world, "store.test").1, expected);
    }
}

#[test]
fn names_exist_or_not_and_foreign_ones_are_refused() {
    let mut world = directory(NoneHealthy::All);
    assert_eq!(look_up(&mut world, "nobody.test").0, Some(Failure::NotFound));
    let (error, ports, _) = look_up(&mut world, "az1.test");
    assert_eq!((error, ports), (None, vec![]), "others lie below it");
    assert_eq!(look_up(&mut world, "example.org").0, Some(Failure::Denied));
    assert_eq!(look_up(&mut world, "nottest").0, Some(Failure::Denied), "a name that only ends alike");
}

#[test]
fn each_trouble_shows_in_answers_and_ends_with_its_fault() {
    let mut world = directory(NoneHealthy::All);
    world.peers.remove(&target("az1", 1).address);
    world.pass(5 * SECOND);
    let healthy = look_up(&mut world, "store.test");
    assert_eq!(healthy.1, [2]);
    let trouble = |world: &mut World<Machine>, trouble: Option<Trouble>| {
        let in_force = trouble.map(|trouble| InForce { trouble, services: vec![service("names")] });
        world.feed(Input::Troubled { in_force: in_force.into_iter().collect() });
    };
    trouble(&mut world, Some(Trouble::NamesEmpty));
    assert_eq!(look_up(&mut world, "store.test"), (None, vec![], healthy.2));
    trouble(&mut world, Some(Trouble::NamesWrong));
    assert_eq!(look_up(&mut world, "store.test").1, [3]);
    trouble(&mut world, Some(Trouble::NamesStale));
    assert_eq!(look_up(&mut world, "store.test"), (None, vec![1, 2], 1));
    trouble(&mut world, Some(Trouble::NamesSlow { delay_ms: 700 }));
    let id = world.ask(Ask::Lookup { name: "store.test".into() }, None);
    world.pass(600 * MS);
    assert!(!world.replies.contains_key(&id));
    world.pass(200 * MS);
    assert!(world.replies.contains_key(&id));
    trouble(&mut world, Some(Trouble::NamesDead));
    let id = world.ask(Ask::Lookup { name: "store.test".into() }, None);
    world.pass(60 * SECOND);
    assert!(!world.replies.contains_key(&id));
    trouble(&mut world, None);
    assert_eq!(look_up(&mut world, "store.test").1, [2]);
}
