//! Owns the claims about metrics and alarms: what is counted and pushed, what waits and is dropped, when an alarm is raised.
//! Refuses to know regions.

use crate::runtime::{free, http, start};
use crate::world::{MS, Peer, World, config, fails, need, ok, service, target, work};
use agents::commons::Callee;
use agents::commons::telemetry::{BoardConfig, MeterConfig};
use agents::config::{InstanceConfig, Target};
use agents::machine::{Machine, Nanos};
use agents::wire::{AlarmCause, Ask, Count, Failure, Metrics, Note};
use fixtures::graph::telemetry::{Alarms, Late, Missing, Over};
use fixtures::name::ZoneName;
use fixtures::unit::Percent;
use std::time::Duration;

const SECOND: Nanos = 1_000 * MS;

fn zone(name: &str) -> ZoneName {
    ZoneName::new(name).expect("a name")
}

fn meter(targets: Vec<Target>) -> MeterConfig {
    let (callee, interval_ns, timeout_ns) = (Callee::default(), SECOND, 300 * MS);
    MeterConfig { targets: targets.into(), callee, interval_ns, timeout_ns, buffer: 3 }
}

/// An instance that pushes to these.
fn counted(targets: Vec<Target>) -> World<Machine> {
    let mut config = config(vec![], vec![]);
    config.commons.meter = Some(meter(targets));
    let mut world = World::new(Machine::new(config));
    world.start();
    world
}

/// All counts that it pushed, one push after the other.
fn pushes(world: &World<Machine>) -> Vec<Vec<(u64, u64)>> {
    let push = |ask: &Ask| match ask {
        Ask::Metrics(metrics) => Some(metrics.counts.iter().map(|count| (count.served, count.failed)).collect()),
        _ => None,
    };
    world.asks.iter().filter_map(push).collect()
}

#[test]
fn what_was_served_and_what_failed_is_pushed_once() {
    let at = target("az1", 1);
    let mut world = counted(vec![at.clone()]);
    world.peers.insert(at.address, ok());
    for _ in 0..3 {
        world.ask(work(), None);
    }
    world.ask(Ask::Ready, None);
    world.ask(Ask::Work { operation: "nothing".into(), write: None, again: false }, None);
    world.pass(3 * SECOND);
    let pushed = pushes(&world);
    assert_eq!(pushed.len(), 3, "one for each interval: {pushed:?}");
    assert!(pushed.iter().all(|push| push.len() == 1), "nothing is pushed twice: {pushed:?}");
    assert_eq!(pushed.iter().flatten().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1)), (3, 0));
}

#[test]
fn a_request_that_fails_is_counted_as_failed() {
    let (store, at) = (target("az1", 2), target("az1", 1));
    let mut config = config(vec![], vec![crate::world::call("store", fixtures::graph::Strength::Hard, vec![store])]);
    config.commons.meter = Some(meter(vec![at.clone()]));
    let mut world = World::new(Machine::new(config));
    world.peers.insert(at.address, ok());
    world.start();
    world.answer(work());
    let sum = pushes(&world).iter().flatten().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert_eq!(sum, (0, 1));
}

#[test]
fn a_silent_telemetry_holds_nothing_up_and_the_oldest_counts_are_dropped() {
    let at = target("az1", 1);
    let mut world = counted(vec![at.clone()]);
    world.peers.insert(at.address, Peer::Silent);
    for _ in 0..10 {
        let id = world.ask(work(), None);
        assert_eq!(world.replies[&id].len(), 1, "it is answered at once");
        world.pass(SECOND);
    }
    assert!(pushes(&world).iter().all(|push| push.len() <= 3), "no more than the buffer");
    assert!(world.notes.iter().all(|note| !matches!(note, Note::Metrics { .. })));
    world.peers.insert(at.address, ok());
    world.pass(2 * SECOND);
    let dropped = world.notes.iter().filter_map(|note| match note {
        Note::Metrics { dropped } => Some(*dropped),
        _ => None,
    });
    let (dropped, last): (Vec<u64>, _) = (dropped.collect(), pushes(&world));
    let taken: u64 = last.iter().rev().take(2).flatten().map(|_| 1).sum();
    assert_eq!((dropped.len(), dropped[0] + taken), (1, 12), "each of twelve intervals was taken or dropped: {last:?}");
}

#[test]
fn one_that_does_not_take_a_push_is_left_alone_where_others_do() {
    let (near, far) = (target("az1", 1), target("az2", 2));
    let mut world = counted(vec![near.clone(), far.clone()]);
    world.peers.insert(far.address, ok());
    world.pass(4 * SECOND);
    let asked: Vec<bool> = world.sent.iter().map(|(_, to)| *to == near.address).collect();
    assert_eq!(asked, [true, false, false, false], "the near one first, then the far one");
}

#[test]
fn who_has_never_served_pushes_nothing() {
    let (at, granter) = (target("az1", 1), target("az1", 2));
    let mut config = config(vec![need(vec![granter.clone()])], vec![]);
    config.commons.meter = Some(meter(vec![at.clone()]));
    let mut world = World::new(Machine::new(config));
    world.peers.insert(at.address, ok());
    world.peers.insert(granter.address, fails(Failure::Denied, &[]));
    world.start();
    world.pass(5 * SECOND);
    assert!(!world.listens() && pushes(&world).is_empty());
}

const WATCHED: [&str; 2] = ["az1", "az2"];

fn board(missing: Missing, peers: Vec<Target>) -> InstanceConfig {
    let (grace, over) = (Duration::from_secs(10), Over::Zone);
    let alarms = Alarms { failed: Percent { ppm: 50_000 }, periods: 2, missing, grace, over, late: Late::Drop };
    let mut config = config(vec![], vec![]);
    config.commons.board = Some(BoardConfig {
        peers: peers.into(),
        watched: WATCHED.iter().map(|name| (zone(name), service("api"))).collect(),
        interval_ns: SECOND,
        timeout_ns: 300 * MS,
        alarms,
    });
    config
}

fn watcher(missing: Missing, peers: Vec<Target>) -> World<Machine> {
    let mut world = World::new(Machine::new(board(missing, peers)));
    world.start();
    world
}

fn push(zone_name: &str, served: u64, failed: u64) -> Ask {
    let count = Count { zone: zone(zone_name), service: service("api"), age_ns: 0, served, failed };
    Ask::Metrics(Box::new(Metrics { counts: vec![count], relayed: false }))
}

/// Lets so many seconds pass, in each of which both zones push these.
fn seconds(world: &mut World<Machine>, count: u32, pushed: [Option<(u64, u64)>; 2]) {
    for _ in 0..count {
        for (name, pushed) in WATCHED.iter().zip(pushed) {
            if let Some((served, failed)) = pushed {
                world.ask(push(name, served, failed), None);
            }
        }
        world.pass(SECOND);
    }
}

/// Changes of alarms so far: zone, raised, cause.
fn alarms(world: &World<Machine>) -> Vec<(String, bool, Option<AlarmCause>)> {
    let alarm = |note: &Note| match note {
        Note::Alarm { zone: Some(zone), raised, cause, .. } => Some((zone.to_string(), *raised, *cause)),
        _ => None,
    };
    world.notes.iter().filter_map(alarm).collect()
}

const FINE: Option<(u64, u64)> = Some((20, 0));

#[test]
fn an_alarm_is_raised_after_two_bad_periods_and_cleared_after_two_good_ones() {
    let mut world = watcher(Missing::Breaching, vec![]);
    seconds(&mut world, 3, [FINE, FINE]);
    seconds(&mut world, 1, [Some((18, 2)), FINE]);
    seconds(&mut world, 1, [FINE, FINE]);
    seconds(&mut world, 1, [Some((18, 2)), FINE]);
    assert_eq!(alarms(&world), [], "one bad period is none");
    seconds(&mut world, 1, [Some((10, 10)), Some((99, 1))]);
    let raised = ("az1".to_owned(), true, Some(AlarmCause::Failing));
    assert_eq!(alarms(&world), std::slice::from_ref(&raised), "a hundredth is too little");
    seconds(&mut world, 4, [Some((10, 10)), FINE]);
    assert_eq!(alarms(&world), std::slice::from_ref(&raised), "it is raised once");
    seconds(&mut world, 3, [FINE, FINE]);
    assert_eq!(alarms(&world), [raised, ("az1".to_owned(), false, None)]);
}

/// Half of the requests fail in one zone, a quarter of all: too little for an alarm that looks at both together.
#[test]
fn an_alarm_over_the_region_looks_at_all_zones_together_and_names_none() {
    let mut config = board(Missing::Breaching, vec![]);
    let looks = config.commons.board.as_mut().map(|board| &mut board.alarms).expect("it has alarms");
    (looks.over, looks.failed) = (Over::Region, Percent { ppm: 300_000 });
    let mut world = World::new(Machine::new(config));
    world.start();
    seconds(&mut world, 3, [FINE, FINE]);
    seconds(&mut world, 4, [Some((10, 10)), FINE]);
    let count = |world: &World<Machine>| {
        let alarm = |note: &&Note| matches!(note, Note::Alarm { zone: None, raised: true, .. });
        (world.notes.iter().filter(alarm).count(), alarms(world).len())
    };
    assert_eq!(count(&world), (0, 0));
    seconds(&mut world, 4, [Some((10, 10)), Some((10, 10))]);
    assert_eq!(count(&world), (1, 0), "all zones together are looked at, and none of them is named");
}

#[test]
fn missing_data_is_bad_and_is_noticed_within_five_periods() {
    let mut world = watcher(Missing::Breaching, vec![]);
    seconds(&mut world, 3, [FINE, FINE]);
    seconds(&mut world, 5, [None, FINE]);
    assert_eq!(alarms(&world), [("az1".to_owned(), true, Some(AlarmCause::NoData))]);
    seconds(&mut world, 3, [FINE, FINE]);
    assert_eq!(alarms(&world).last(), Some(&("az1".to_owned(), false, None)));
}

#[test]
fn where_missing_data_is_good_a_dark_zone_raises_nothing() {
    let mut world = watcher(Missing::NotBreaching, vec![]);
    seconds(&mut world, 3, [FINE, FINE]);
    seconds(&mut world, 20, [None, FINE]);
    assert_eq!(alarms(&world), []);
}

#[test]
fn whoever_was_never_heard_of_has_a_grace() {
    let mut world = watcher(Missing::Breaching, vec![]);
    seconds(&mut world, 9, [None, FINE]);
    assert_eq!(alarms(&world), []);
    seconds(&mut world, 4, [None, FINE]);
    assert_eq!(alarms(&world), [("az1".to_owned(), true, Some(AlarmCause::NoData))]);
}

#[test]
fn a_watcher_that_did_not_run_accuses_nobody() {
    let mut world = watcher(Missing::Breaching, vec![]);
    seconds(&mut world, 3, [FINE, FINE]);
    // It is held up for half a minute, and nobody could push meanwhile.
    world.now += 30 * SECOND;
    world.pass(SECOND);
    seconds(&mut world, 6, [FINE, FINE]);
    assert_eq!(alarms(&world), []);
}

#[test]
fn counts_that_waited_say_nothing_of_the_present() {
    let mut world = watcher(Missing::Breaching, vec![]);
    let old = Count { zone: zone("az1"), service: service("api"), age_ns: 9 * SECOND, served: 0, failed: 50 };
    for _ in 0..4 {
        seconds(&mut world, 1, [FINE, FINE]);
        world.ask(Ask::Metrics(Box::new(Metrics { counts: vec![old.clone()], relayed: false })), None);
    }
    assert_eq!(alarms(&world), []);
}

#[test]
fn what_is_told_is_handed_on_to_peers_once_and_goes_no_further() {
    let peer = target("az2", 9);
    let mut world = watcher(Missing::Breaching, vec![peer.clone()]);
    world.peers.insert(peer.address, ok());
    world.ask(push("az1", 4, 1), None);
    world.ask(push("az1", 2, 0), None);
    let told = Count { zone: zone("az2"), service: service("api"), age_ns: 0, served: 7, failed: 0 };
    world.ask(Ask::Metrics(Box::new(Metrics { counts: vec![told], relayed: true })), None);
    world.pass(3 * SECOND);
    assert_eq!(pushes(&world), [vec![(6, 1)]]);
}

#[test]
fn one_that_is_full_refuses_and_counts_nothing() {
    let mut config = board(Missing::Breaching, vec![]);
    (config.interval_ns, config.queue) = (10 * SECOND, 0);
    let mut world = World::new(Machine::new(config));
    world.start();
    let ids = [push("az1", 1, 0), push("az1", 1, 0)].map(|ask| world.ask(ask, None));
    world.pass(20 * SECOND);
    assert_eq!(ids.map(|id| world.replies[&id][0].error), [None, Some(Failure::Overloaded)]);
}

#[test]
fn an_instance_without_a_board_takes_no_counts() {
    let mut world = World::new(Machine::new(config(vec![], vec![])));
    world.start();
    let id = world.ask(push("az1", 1, 0), None);
    assert_eq!(world.replies[&id][0].error, Some(Failure::Unknown));
}

#[test]
fn over_real_connections_counts_arrive_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut telemetry = board(Missing::Breaching, vec![]);
    telemetry.listen = free();
    let mut app = config(vec![], vec![]);
    app.listen = free();
    let at = Target { address: telemetry.listen, ..target("az1", 1) };
    app.commons.meter = Some(MeterConfig { interval_ns: 20 * MS, ..meter(vec![at]) });
    let to = telemetry.listen;
    let (_telemetry, _app) = (start(telemetry, folder.path()), start(app, folder.path()));
    // Each push that is taken is a request that the instance of telemetry has answered.
    let taken = || {
        let page = http(to, "GET /metrics HTTP/1.1");
        let line = page.lines().find_map(|line| line.strip_prefix("blackstart_agent_requests_total{outcome=\"ok\"} "));
        line.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or_default()
    };
    while taken() < 3 {
        std::thread::yield_now();
    }
}
