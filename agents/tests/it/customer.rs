//! Owns the claims about the canary: an open loop, counted by intended time. Refuses sockets.

use crate::world::{MS, Peer, World, fails, ok, target};
use agents::canary::Canary;
use agents::commons::{Callee, Commons};
use agents::config::CanaryConfig;
use agents::machine::{Input, Outcome, Output};
use agents::wire::{Ask, Failure, From, Note, Switch};
use fixtures::name::{HostName, ZoneName};
use std::time::Duration;

fn canary() -> World<Canary> {
    let zone = ZoneName::new("az1").expect("a name");
    let config = CanaryConfig {
        from: From { zone: zone.clone(), host: HostName("h".to_owned()), service: None, instance: None },
        zone,
        seed: 3,
        interval_ns: 100 * MS,
        timeout: Duration::from_secs(2),
        listen: None,
        window: Duration::from_millis(500),
        operation: "serve".to_owned(),
        entry: vec![target("az1", 1), target("az2", 2)].into(),
        echo: target("az1", 9).address,
        callee: Callee::default(),
        commons: Commons::default(),
    };
    World::new(Canary::new(config))
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
