//! Owns the claims about the canary: an open loop, counted by intended time, of several operations, tried again within
//! bounds. Refuses sockets.

use crate::world::{MS, Peer, World, fails, ok, target};
use agents::canary::Canary;
use agents::commons::{Callee, Commons};
use agents::config::{CanaryConfig, Portion, RetryConfig};
use agents::machine::{Input, Outcome, Output};
use agents::wire::{Ask, Asked, Failure, From, Note, Reply, Switch};
use fixtures::graph::Backoff;
use fixtures::name::{HostName, ZoneName};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

const BACKOFF: Backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(1), jitter: true };

fn canary() -> World<Canary> {
    World::new(Canary::new(config()))
}

fn config() -> CanaryConfig {
    let zone = ZoneName::new("az1").expect("a name");
    CanaryConfig {
        from: From { zone: zone.clone(), host: HostName("h".to_owned()), service: None, instance: None },
        zone,
        seed: 3,
        interval_ns: 100 * MS,
        timeout: Duration::from_secs(2),
        listen: None,
        window: Duration::from_millis(500),
        mix: vec![portion("serve", 1_000_000)],
        retry: RetryConfig { attempts: 1, timeout: None, backoff: BACKOFF, budget_ppm: None },
        entry: vec![target("az1", 1), target("az2", 2)].into(),
        echo: target("az1", 9).address,
        callee: Callee::default(),
        commons: Commons::default(),
    }
}

fn portion(operation: &str, ppm: u32) -> Portion {
    Portion { operation: operation.to_owned(), ppm }
}

type Window = (u64, u64, u64, u64, u64, Vec<(u64, u64)>);

/// Windows of one stream: number, sent, in full, degraded, failed, latencies.
fn windows(world: &World<Canary>, wanted: bool) -> Vec<Window> {
    let row = |note: &Note| match note {
        Note::Canary { control, seq, sent, ok, degraded, failed, latency_us, .. } if *control == wanted => {
            Some((*seq, *sent, *ok, *degraded, failed.values().sum(), latency_us.clone()))
        }
        _ => None,
    };
    world.notes.iter().filter_map(row).collect()
}

#[test]
fn every_intended_request_is_counted_once_in_windows_without_gaps() {
    let mut world = canary();
    world.peers.extend([(target("az1", 1).address, ok()), (target("az1", 9).address, ok())]);
    world.start();
    world.pass(10_000 * MS);
    for control in [false, true] {
        let windows = windows(&world, control);
        assert!(windows.len() >= 19);
        assert!(windows.iter().enumerate().all(|(place, window)| window.0 == place as u64), "{windows:?}");
        assert!(windows.iter().all(|window| window.1 == window.2 && window.1 <= 5));
        assert!(windows[1..].iter().all(|window| window.1 == 5));
    }
}

/// A stall of a second is seen by all ten requests that it held up, each from its own intended time.
#[test]
fn a_stall_is_seen_by_every_request_that_it_held_up() {
    let mut world = canary();
    world.peers.extend([(target("az1", 1).address, Peer::Silent), (target("az1", 9).address, ok())]);
    world.start();
    let begin = world.now;
    world.pass(1_000 * MS);
    let region = target("az1", 1).address;
    let held: Vec<u64> = world.sent.iter().filter(|(_, to)| *to == region).map(|(at, _)| *at - begin).collect();
    assert!(held.len() >= 9, "requests leave although none was answered: {held:?}");
    // Attempts are numbered in order of sending, over both streams.
    let attempts: Vec<u64> = (1..).zip(&world.sent).filter(|(_, (_, to))| *to == region).map(|(id, _)| id).collect();
    for attempt in attempts {
        let reply = agents::wire::Reply::default();
        let attempt = agents::machine::AttemptId(attempt);
        world.feed(Input::Answer { attempt, outcome: Outcome::Reply(reply), conn: None });
    }
    world.pass(100 * MS);
    let latencies: Vec<u64> =
        windows(&world, false).iter().flat_map(|window| window.5.clone()).map(|(us, _)| us).collect();
    assert!(latencies.iter().any(|us| *us > 900_000) && latencies.iter().any(|us| *us < 600_000), "{latencies:?}");
}

#[test]
fn failures_are_counted_by_cause_and_a_dead_address_is_passed_over() {
    let mut world = canary();
    world.peers.extend([(target("az2", 2).address, ok()), (target("az1", 9).address, ok())]);
    world.start();
    world.pass(3_000 * MS);
    assert!(windows(&world, false).iter().all(|window| window.4 == 0), "the other address answered");
    world.peers.insert(target("az2", 2).address, fails(Failure::DependencyMissing, &["store", "disk"]));
    world.pass(3_000 * MS);
    let named = |note: &Note| matches!(note, Note::Canary { failed, .. } if failed.contains_key("missing:disk"));
    assert!(world.notes.iter().any(named), "the last of the chain is where the trouble is");
    assert!(!world.others.iter().any(|output| matches!(output, Output::Listen)));
}

#[test]
fn a_surge_multiplies_what_customers_send_and_ends_by_itself() {
    let mut world = canary();
    for port in [1, 9] {
        world.peers.insert(target("az1", port).address, ok());
    }
    world.start();
    world.pass(2_000 * MS);
    let surge = Ask::Switch { switch: Switch::Surge { factor: 4 }, for_ns: 1_000 * MS };
    world.ask(surge, None);
    world.pass(4_000 * MS);
    let sent: Vec<u64> = windows(&world, false).iter().map(|window| window.1).collect();
    assert!(sent[..3].iter().all(|sent| *sent == 5), "{sent:?}");
    assert!(sent[4..6].iter().all(|sent| (17..=21).contains(sent)), "{sent:?}");
    assert!(sent[7..].iter().all(|sent| *sent == 5), "{sent:?}");
    assert!(windows(&world, true).iter().all(|window| window.1 == 5), "the control canary is none of the customers");
}

/// Requests and retries of the region's stream, and what became of each operation.
fn sums(world: &World<Canary>) -> (Asked, BTreeMap<String, Asked>) {
    let (mut all, mut each) = (Asked::default(), BTreeMap::<String, Asked>::new());
    for note in &world.notes {
        let Note::Canary { control: false, sent, ok, degraded, failed, retries, operations, .. } = note else {
            continue;
        };
        let (sent, ok, degraded, failed, retries) = (*sent, *ok, *degraded, failed.clone(), *retries);
        all.add(&Asked { sent, ok, degraded, failed, retries });
        for (operation, asked) in operations {
            each.entry(operation.clone()).or_default().add(asked);
        }
    }
    (all, each)
}

/// When attempts on the region left, in milliseconds since the beginning.
fn left_ms(world: &World<Canary>) -> Vec<u64> {
    let echo = target("az1", 9).address;
    world.sent.iter().filter(|(_, to)| *to != echo).map(|(at, _)| (at - MS) / MS).collect()
}

#[test]
fn operations_have_their_exact_shares_and_are_counted_each() {
    let mut config = config();
    config.mix = vec![portion("show", 750_000), portion("buy", 200_000), portion("pay", 50_000)];
    let mut world = World::new(Canary::new(config));
    world.peers.extend([(target("az1", 1).address, ok()), (target("az1", 9).address, ok())]);
    world.start();
    world.pass(20_000 * MS);
    let (all, each) = sums(&world);
    let is_of_region = |ask: &&Ask| !matches!(ask, Ask::Work { operation, .. } if &**operation == "serve");
    let asked: Vec<&Ask> = world.asks.iter().filter(is_of_region).collect();
    for stretch in asked.chunks_exact(20) {
        let count = |name: &str| {
            stretch.iter().filter(|ask| matches!(ask, Ask::Work { operation, .. } if &**operation == name)).count()
        };
        assert_eq!((count("show"), count("buy"), count("pay")), (15, 4, 1));
    }
    assert!(asked.len() >= 199, "{}", asked.len());
    assert_eq!(each.keys().collect::<Vec<_>>(), ["buy", "pay", "show"]);
    assert_eq!(each.values().map(|asked| asked.sent).sum::<u64>(), all.sent);
    assert!(each.values().all(|asked| asked.ok == asked.sent && asked.retries == 0), "{each:?}");
}

#[test]
fn one_operation_alone_is_told_as_before() {
    let mut world = canary();
    world.peers.extend([(target("az1", 1).address, ok()), (target("az1", 9).address, ok())]);
    world.start();
    world.pass(3_000 * MS);
    let line = serde_json::to_string(&world.notes[0]).expect("a note is JSON");
    assert!(!line.contains("operations") && !line.contains("retries"), "{line}");
    assert!(sums(&world).1.is_empty());
}

fn retrying(retry: RetryConfig, peers: [(SocketAddr, Peer); 2]) -> World<Canary> {
    let mut world = World::new(Canary::new(CanaryConfig { retry, ..config() }));
    world.peers.extend(peers);
    world.peers.insert(target("az1", 9).address, ok());
    world.start();
    world
}

/// Both addresses of the region answer like this.
fn both(peer: &Peer) -> [(SocketAddr, Peer); 2] {
    [(target("az1", 1).address, peer.clone()), (target("az2", 2).address, peer.clone())]
}

fn badly(attempts: u32) -> RetryConfig {
    let backoff = Backoff { base: Duration::ZERO, cap: Duration::ZERO, jitter: false };
    RetryConfig { attempts, timeout: Some(Duration::from_millis(300)), backoff, budget_ppm: None }
}

/// Requests leave at their intended times, whatever is tried again beside them.
#[test]
fn a_loop_with_retries_is_open_still() {
    for peer in [Peer::Silent, fails(Failure::Overloaded, &[])] {
        let mut world = retrying(badly(4), both(&peer));
        world.pass(10_000 * MS);
        let sent: Vec<u64> = windows(&world, false).iter().map(|window| window.1).collect();
        assert!(sent.len() >= 14 && sent[1..].iter().all(|sent| *sent == 5), "{sent:?}");
        let (all, _) = sums(&world);
        assert_eq!((all.ok, all.failures()), (0, all.sent), "each is counted once, at its end");
        assert_eq!(all.retries, 3 * all.sent, "without a budget every attempt is made");
    }
}

#[test]
fn who_answers_the_second_attempt_has_answered_the_request() {
    let [first, second] = both(&fails(Failure::DependencyMissing, &["store"]));
    let mut world = retrying(badly(3), [first, (second.0, ok())]);
    world.pass(5_000 * MS);
    let (all, _) = sums(&world);
    assert_eq!((all.ok, all.failures()), (all.sent, 0), "a further attempt goes elsewhere");
    assert!(all.retries > 0 && all.retries <= all.sent, "{all:?}");
    assert!(windows(&world, true).iter().all(|window| window.1 == window.2), "the control canary is left alone");
}

#[test]
fn retries_end_with_the_time_of_the_request() {
    let mut retry = badly(20);
    retry.timeout = Some(Duration::from_millis(450));
    let mut world = retrying(retry, both(&Peer::Silent));
    world.pass(10_000 * MS);
    let (all, _) = sums(&world);
    // Attempts begin 0, 451, 902, 1353 and 1804 ms after the request, and the last one has 196 ms left.
    assert_eq!((all.failed.get("timeout"), all.retries), (Some(&all.sent), 4 * all.sent));
    let shortest = world.timeouts.iter().min().expect("there are attempts");
    assert_eq!(shortest / MS, 196);
}

/// The pause before each further attempt of one request that fails at once.
fn pauses(backoff: Backoff, seed: u64) -> Vec<u64> {
    let retry = RetryConfig { attempts: 5, timeout: None, backoff, budget_ppm: None };
    let config = CanaryConfig { retry, seed, interval_ns: 60_000 * MS, timeout: Duration::from_secs(20), ..config() };
    let mut world = World::new(Canary::new(config));
    world.peers.extend(both(&fails(Failure::Overloaded, &[])));
    world.peers.insert(target("az1", 9).address, ok());
    world.start();
    world.pass(85_000 * MS);
    left_ms(&world).windows(2).take(4).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn pauses_grow_to_their_cap_and_are_spread_by_jitter() {
    let steady = Backoff { base: Duration::from_millis(100), cap: Duration::from_millis(300), jitter: false };
    assert_eq!(pauses(steady, 3), [100, 200, 300, 300]);
    let spread = Backoff { jitter: true, ..steady };
    let (one, other) = (pauses(spread, 3), pauses(spread, 4));
    assert_ne!(one, other, "two customers do not pause alike");
    for pauses in [one, other] {
        let within = pauses.iter().zip([100, 200, 300, 300]).all(|(pause, bound)| (bound / 10..=bound).contains(pause));
        assert!(within, "{pauses:?}");
    }
}

/// At no moment more than the budget, also after a calm in which nothing had to be tried again.
#[test]
fn retries_never_exceed_their_budget() {
    let retry = RetryConfig { budget_ppm: Some(100_000), ..badly(4) };
    let mut world = retrying(retry, both(&ok()));
    world.pass(60_000 * MS);
    let calm = left_ms(&world).len() as u64;
    assert_eq!(sums(&world).0.retries, 0);
    world.peers.extend(both(&fails(Failure::Overloaded, &[])));
    world.pass(60_000 * MS);
    let (all, _) = sums(&world);
    let bad = all.sent - calm;
    // Ten saved up, and one for each ten requests.
    assert!((bad / 10..=bad / 10 + 11).contains(&all.retries), "{} of {bad}", all.retries);
    assert!(bad >= 590, "{bad}");
}

#[test]
fn a_surge_is_tried_again_like_everything_else() {
    let mut world = retrying(badly(2), both(&fails(Failure::Overloaded, &[])));
    world.pass(1_000 * MS);
    world.ask(Ask::Switch { switch: Switch::Surge { factor: 4 }, for_ns: 1_000 * MS }, None);
    world.pass(4_000 * MS);
    let (all, _) = sums(&world);
    assert_eq!((all.failures(), all.retries), (all.sent, all.sent));
    let answered: Vec<&Reply> = world.replies.values().flatten().collect();
    assert_eq!(answered.len(), 1, "the operator was answered");
}
