//! Owns the claims about what is granted: how long it is good, when it is renewed, what its end means. Virtual time; refuses
//! keys and sockets.

use crate::world::{MS, Peer, World, config, need, service, target, work};
use agents::commons::Abroad;
use agents::machine::{Actor, Input, Machine, Nanos};
use agents::wire::{Ask, Failure, Grant, Realm, Reply, Write};
use fixtures::graph::State;
use fixtures::graph::grants::{Counts, Grants};
use fixtures::graph::identity::{Renew, WhenExpired};
use fixtures::trouble::{InForce, Trouble};
use fixtures::unit::Rate;

const SECOND: Nanos = 1_000 * MS;
const LIFETIME: Nanos = 100 * SECOND;

fn signed(ns: Nanos) -> i64 {
    i64::try_from(ns).expect("tests are short")
}

/// A holder of a certificate; its authority lives on the first port.
fn holder(renew: Renew, when_expired: WhenExpired) -> World<Machine> {
    let mut certificate = need(vec![target("az1", 1)]);
    (certificate.renew, certificate.when_expired) = (renew, when_expired);
    let mut config = config(vec![certificate], vec![]);
    config.commons.renew_at_ppm = 500_000;
    let mut world = World::new(Machine::new(config));
    grants(&mut world, LIFETIME);
    world.start();
    assert!(world.listens());
    world
}

/// The authority grants for so long from now; for zero it is gone.
fn grants(world: &mut World<Machine>, lifetime: Nanos) {
    let grant = Grant { from_ns: 0, until_ns: signed(world.now + lifetime), ..Grant::default() };
    let reply = Reply { grant: Some(Box::new(grant)), ..Reply::by(&"authority".into()) };
    let peer = if lifetime == 0 { Peer::Silent } else { Peer::Answers(reply) };
    world.peers.insert(target("az1", 1).address, peer);
}

fn asks(world: &World<Machine>) -> usize {
    world.sent.len()
}

fn is_good(world: &World<Machine>) -> bool {
    let shown = world.actor.certificate(world.now);
    shown.is_some_and(|shown| shown.is_good_at(signed(world.now)))
}

/// Grants something to whoever asks, within limits.
fn granting(limits: Grants) -> World<Machine> {
    let mut config = config(vec![], vec![]);
    config.grants = Some(limits);
    let mut world = World::new(Machine::new(config));
    world.start();
    world
}

/// What an ask for something in somebody's name comes to.
fn asked(world: &mut World<Machine>, holder: &str) -> Option<Failure> {
    world.answer_within(Ask::Need { kind: "address".into(), holder: holder.into() }, 0).error
}

#[test]
fn a_quota_counts_holders_or_asks() {
    let limits = Grants { most: Some(2), counts: Counts::Holders, rate: None };
    let mut world = granting(limits);
    for holder in ["a", "b", "a", "b", "a"] {
        assert_eq!(asked(&mut world, holder), None, "{holder}");
    }
    assert_eq!(asked(&mut world, "c"), Some(Failure::Denied));
    let mut world = granting(Grants { counts: Counts::Asks, ..limits });
    let all: Vec<_> = ["a", "a", "a", "b"].iter().map(|holder| asked(&mut world, holder)).collect();
    assert_eq!(all, [None, None, Some(Failure::Denied), Some(Failure::Denied)]);
}

#[test]
fn what_is_asked_for_too_soon_is_granted_later() {
    let rate = Rate::try_from("2/s".to_owned()).ok();
    let mut world = granting(Grants { most: None, counts: Counts::Holders, rate });
    let asked_after = |world: &mut World<Machine>, ms: u64| {
        world.pass(ms * MS);
        asked(world, "a")
    };
    let all = [0, 1, 498, 1, 499].map(|ms| asked_after(&mut world, ms));
    let soon = Some(Failure::Overloaded);
    assert_eq!(all, [None, soon, soon, None, soon]);
}

#[test]
fn it_is_renewed_about_half_way_and_never_ends() {
    let mut world = holder(Renew::BeforeExpiry, WhenExpired::Stop);
    for _ in 0..50 {
        grants(&mut world, LIFETIME);
        world.pass(10 * SECOND);
        assert!(is_good(&world));
    }
    // Five hundred seconds; a renewal every 45 to 55.
    assert!((9..=14).contains(&asks(&world)), "asked {} times", asks(&world));
}

/// An authority that is gone for less than half a lifetime is not missed; one that is gone for longer is, and no longer
/// than until it is back.
#[test]
fn an_authority_may_be_gone_for_half_a_lifetime_and_then_it_heals_by_itself() {
    let mut world = holder(Renew::BeforeExpiry, WhenExpired::Stop);
    grants(&mut world, 0);
    world.pass(99 * SECOND);
    assert_eq!(world.answer_within(work(), 0).error, None, "what it has is still good");
    world.pass(10 * SECOND);
    let reply = world.answer_within(work(), 0);
    assert_eq!((reply.error, reply.missing), (Some(Failure::DependencyMissing), vec![service("authority")].into()));
    grants(&mut world, LIFETIME);
    world.pass(2 * SECOND);
    assert_eq!(world.answer_within(work(), 0).error, None, "it is back");
    assert!(is_good(&world));
}

#[test]
fn who_keeps_what_has_ended_goes_on_and_still_asks() {
    let mut world = holder(Renew::BeforeExpiry, WhenExpired::Keep);
    grants(&mut world, 0);
    world.pass(500 * SECOND);
    assert_eq!(world.answer_within(work(), 0).error, None);
    assert!(!is_good(&world), "whether others accept it is their affair");
    grants(&mut world, LIFETIME);
    world.pass(2 * SECOND);
    assert!(is_good(&world));
}

#[test]
fn who_never_renews_asks_once_and_stays_expired() {
    let mut world = holder(Renew::Never, WhenExpired::Keep);
    for _ in 0..50 {
        grants(&mut world, LIFETIME);
        world.pass(10 * SECOND);
    }
    assert_eq!(asks(&world), 1);
    assert!(!is_good(&world));
}

#[test]
fn what_has_ended_already_is_not_taken() {
    let mut world = holder(Renew::BeforeExpiry, WhenExpired::Keep);
    let old = world.actor.certificate(world.now);
    let ended = Grant { from_ns: -10, until_ns: -5, ..Grant::default() };
    let reply = Reply { grant: Some(Box::new(ended)), ..Reply::by(&"authority".into()) };
    world.peers.insert(target("az1", 1).address, Peer::Answers(reply));
    world.pass(80 * SECOND);
    assert_eq!(world.actor.certificate(world.now), old, "a good one is not thrown away for a bad one");
    assert!(asks(&world) > 10, "it goes on asking");
}

/// A clock that jumps ahead ends everything at once; one that is right again makes it good again.
#[test]
fn a_wrong_clock_ends_what_is_good_and_a_right_one_mends_it() {
    let mut world = holder(Renew::BeforeExpiry, WhenExpired::Stop);
    let good = world.actor.certificate(world.now).expect("it has one");
    assert!(world.actor.accepts(world.now, good));
    let ahead = InForce { trouble: Trouble::ClockWrong { ahead_ms: 3_600_000 }, services: Vec::new() };
    world.feed(Input::Troubled { in_force: vec![ahead] });
    assert!(!world.actor.accepts(world.now, good), "what others show looks ended");
    assert_eq!(world.answer_within(work(), 0).error, Some(Failure::DependencyMissing));
    world.feed(Input::Troubled { in_force: Vec::new() });
    grants(&mut world, LIFETIME);
    world.pass(2 * SECOND);
    assert_eq!(world.answer_within(work(), 0).error, None);
}

/// An authority of its own: what it grants, and what it does not.
#[test]
fn it_grants_what_it_is_there_for_and_nothing_else() {
    let mut config = config(vec![], vec![]);
    config.commons.grants = Some(vec!["certificate".to_owned()]);
    config.commons.lifetimes.insert("certificate".to_owned(), LIFETIME);
    config.commons.is_authority = true;
    let mut world = World::new(Machine::new(config));
    world.start();
    let ask = |world: &mut World<Machine>, kind: &str| {
        world.answer_within(Ask::Need { kind: kind.into(), holder: "somebody".into() }, 0)
    };
    let grant = ask(&mut world, "certificate").grant.expect("it is granted");
    assert!(grant.is_good_at(signed(world.now)) && grant.until_ns == signed(world.now + LIFETIME));
    assert_eq!(ask(&mut world, "credentials").error, Some(Failure::Unknown));
    let tell = |world: &mut World<Machine>, trouble| {
        world.feed(Input::Troubled { in_force: vec![InForce { trouble, services: Vec::new() }] });
    };
    tell(&mut world, Trouble::GrantsRefused);
    assert_eq!(ask(&mut world, "certificate").error, Some(Failure::Denied));
    tell(&mut world, Trouble::GrantsExpired);
    let grant = ask(&mut world, "certificate").grant.expect("it is granted");
    assert!(!grant.is_good_at(signed(world.now)));
}

/// An instance of the region that is built, which has what was granted in some realm.
fn built(granted: Realm, abroad: Option<Abroad>) -> World<Machine> {
    let mut config = config(vec![need(vec![target("az1", 1)])], vec![]);
    (config.commons.realm, config.commons.abroad) = (Realm::BUILT, abroad);
    let mut world = World::new(Machine::new(config));
    let grant = Grant { until_ns: signed(LIFETIME), realm: granted, ..Grant::default() };
    let reply = Reply { grant: Some(Box::new(grant)), ..Reply::by(&"authority".into()) };
    world.peers.insert(target("az1", 1).address, Peer::Answers(reply));
    world.start();
    world
}

#[test]
fn only_identities_of_ones_own_realm_are_believed_and_those_across_a_border_where_one_asks() {
    let shown = |realm| Grant { until_ns: signed(LIFETIME), realm, ..Grant::default() };
    let (first, own) = (shown(Realm::default()), shown(Realm::BUILT));
    let at_home = built(Realm::BUILT, None);
    let now = at_home.now;
    assert!(at_home.actor.accepts(now, own) && at_home.actor.believes(now, own));
    assert!(!at_home.actor.accepts(now, first) && !at_home.actor.believes(now, first));
    let goes = built(Realm::BUILT, Some(Abroad { realm: Realm::default(), root: None }));
    assert!(goes.actor.believes(now, first) && goes.actor.believes(now, own));
    assert!(!goes.actor.accepts(now, first), "of callers it believes nobody more");
    assert!(goes.actor.shows(now, first).is_none(), "abroad it is nobody");
    assert_eq!(goes.actor.shows(now, own), goes.actor.certificate(now));
    let old = Grant { until_ns: signed(now), ..own };
    assert!(!goes.actor.accepts(now, old), "what has ended is no good in any realm");
}

#[test]
fn what_an_authority_grants_is_of_its_realm() {
    let mut config = config(vec![], vec![]);
    config.commons.realm = Realm::BUILT;
    config.commons.lifetimes.insert("certificate".to_owned(), LIFETIME);
    config.commons.is_authority = true;
    let mut world = World::new(Machine::new(config));
    world.start();
    let reply = world.answer_within(Ask::Need { kind: "certificate".into(), holder: "app".into() }, 0);
    assert_eq!(reply.grant.map(|grant| grant.realm), Some(Realm::BUILT));
    assert_eq!(world.actor.certificate(world.now).map(|own| own.realm), Some(Realm::BUILT));
}

#[test]
fn who_shows_nothing_has_nothing_stored_where_proof_is_wanted_and_may_look() {
    let stored = |proven_only: bool, proven: bool| {
        let mut config = config(vec![], vec![]);
        (config.commons.proven_only, config.state) = (proven_only, State::Memory);
        let mut world = World::new(Machine::new(config));
        world.start();
        world.proven = proven;
        let write = Write { key: "a".to_owned(), value: "b".to_owned() };
        let ask = Ask::Work { operation: "serve".into(), write: Some(Box::new(write)), again: false };
        let error = world.answer(ask).error;
        let looks = [work(), Ask::Live, Ask::Ready].map(|look| world.answer(look).error);
        assert_eq!(looks, [None, None, None], "looking stores nothing");
        let kept = world.answer(Ask::Read { key: "a".to_owned() }).value;
        (error, kept.is_some())
    };
    assert_eq!(stored(true, false), (Some(Failure::Denied), false));
    assert_eq!(stored(true, true), (None, true));
    assert_eq!(stored(false, false), (None, true), "elsewhere nobody asks");
}
