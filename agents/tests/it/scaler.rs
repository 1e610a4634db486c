//! Owns the claims about scaling: out at once, in slowly, within limits, nothing without data, nothing while frozen; and about
//! whoever is scaled, and its callers. Refuses to know regions.

use crate::runtime::{free, http, start};
use crate::world::{MS, Peer, World, answer, call, config, machine, need, service, target, work};
use agents::commons::Callee;
use agents::commons::scaler::{DutyConfig, GroupConfig, ScalerConfig};
use agents::commons::telemetry::{BoardConfig, MeterConfig};
use agents::config::{InstanceConfig, Target};
use agents::machine::duty::{STANDS_BY, TAKES};
use agents::machine::{Machine, Nanos};
use agents::wire::{Ask, Count, Failure, LoadOf, Metrics, Note, Reply, ScaleCause, Switch};
use fixtures::graph::Strength;
use fixtures::graph::scaler::{MissingLoad, OnStart, Scale};
use fixtures::graph::telemetry::{Alarms, Late, Missing, Over};
use fixtures::name::{InstanceName, ZoneName};
use fixtures::unit::{Percent, Rate};
use std::time::Duration;

const SECOND: Nanos = 1_000 * MS;

fn zone() -> ZoneName {
    ZoneName::new("az1").expect("a name")
}

const SCALE: Scale = Scale {
    on_start: OnStart::Take,
    min: 1,
    max: 3,
    start: 1,
    target: Rate { milli_per_s: 10_000 },
    in_after: Duration::from_secs(5),
    missing: MissingLoad::Keep,
};

fn members() -> Vec<Target> {
    (1..=4).map(|port| target("az1", port)).collect()
}

fn telemetry() -> Target {
    target("az1", 9)
}

fn scaler_config(scale: Scale, members: Vec<Target>, telemetry: Target) -> InstanceConfig {
    let mut config = config(vec![], vec![]);
    let group = GroupConfig { service: service("web"), scale, members: members.into() };
    let (interval_ns, timeout_ns) = (SECOND, 300 * MS);
    let telemetry = vec![telemetry].into();
    config.commons.scaler = Some(ScalerConfig { interval_ns, timeout_ns, telemetry, groups: vec![group] });
    config
}

/// A scaler of four instances, the first `takes` of which take requests.
fn scaler(scale: Scale, takes: usize) -> World<Machine> {
    let mut world = World::new(Machine::new(scaler_config(scale, members(), telemetry())));
    for (place, member) in members().into_iter().enumerate() {
        world.peers.insert(member.address, Peer::Member(place < takes));
    }
    world.start();
    world
}

/// Telemetry says from now on that so many requests arrive in a second; `None`: it knows nothing.
fn load(world: &mut World<Machine>, per_s: Option<u64>) {
    let by = InstanceName("telemetry".to_owned());
    let reply = match per_s {
        Some(per_s) => Reply { value: Some((per_s * 1_000).to_string()), ..Reply::ok(&by) },
        None => Reply::fail(&by, Failure::NotFound),
    };
    world.peers.insert(telemetry().address, Peer::Answers(reply));
}

fn seconds(world: &mut World<Machine>, count: u64) {
    world.pass(count * SECOND);
}

/// Which of the four take requests.
fn taking(world: &World<Machine>) -> Vec<usize> {
    let takes = |(place, member): (usize, &Target)| match world.peers.get(&member.address) {
        Some(Peer::Member(true)) => Some(place),
        _ => None,
    };
    members().iter().enumerate().filter_map(takes).collect()
}

fn told(world: &World<Machine>) -> Vec<(u32, u32, ScaleCause)> {
    let scaled = |note: &Note| match note {
        Note::Scaled { from, to, cause, .. } => Some((*from, *to, *cause)),
        _ => None,
    };
    world.notes.iter().filter_map(scaled).collect()
}

#[test]
fn more_is_added_at_once_and_taken_away_one_at_a_time_after_as_long_as_is_said() {
    let mut world = scaler(SCALE, 1);
    load(&mut world, Some(5));
    seconds(&mut world, 3);
    assert_eq!(taking(&world), [0]);
    load(&mut world, Some(25));
    seconds(&mut world, 3);
    assert_eq!(taking(&world), [0, 1, 2], "two at once");
    assert_eq!(told(&world), [(1, 3, ScaleCause::Load)]);
    load(&mut world, Some(1));
    seconds(&mut world, 5);
    assert_eq!(taking(&world), [0, 1, 2], "not yet");
    seconds(&mut world, 2);
    assert_eq!(taking(&world), [0, 1], "the last one first");
    seconds(&mut world, 3);
    assert_eq!(taking(&world), [0, 1], "not yet");
    seconds(&mut world, 3);
    assert_eq!(taking(&world), [0]);
    seconds(&mut world, 30);
    assert_eq!(taking(&world), [0], "the floor");
    let down = [(3, 2, ScaleCause::Load), (2, 1, ScaleCause::Load)];
    assert_eq!(told(&world)[1..], down, "each change is told once");
}

#[test]
fn nothing_is_added_above_the_limit() {
    let mut world = scaler(SCALE, 1);
    load(&mut world, Some(10_000));
    seconds(&mut world, 20);
    assert_eq!(taking(&world), [0, 1, 2], "the fourth stands by");
}

#[test]
fn a_load_at_the_edge_takes_nothing_away_and_one_low_moment_does_not_either() {
    let mut world = scaler(SCALE, 2);
    load(&mut world, Some(10));
    seconds(&mut world, 20);
    assert_eq!(taking(&world), [0, 1], "one alone would get all that it is to get");
    for _ in 0..6 {
        load(&mut world, Some(1));
        seconds(&mut world, 4);
        load(&mut world, Some(15));
        seconds(&mut world, 1);
    }
    assert_eq!((taking(&world), told(&world)), (vec![0, 1], vec![]));
}

#[test]
fn a_load_that_nobody_tells_changes_nothing() {
    for knows_nothing in [true, false] {
        let mut world = scaler(SCALE, 3);
        load(&mut world, Some(25));
        seconds(&mut world, 3);
        load(&mut world, None);
        if !knows_nothing {
            world.peers.insert(telemetry().address, Peer::Silent);
        }
        seconds(&mut world, 60);
        assert_eq!((taking(&world), told(&world)), (vec![0, 1, 2], vec![]));
    }
}

#[test]
fn where_a_missing_load_is_none_everything_above_the_floor_is_taken_away() {
    let mut world = scaler(Scale { missing: MissingLoad::ScaleIn, ..SCALE }, 3);
    load(&mut world, Some(25));
    seconds(&mut world, 3);
    world.peers.insert(telemetry().address, Peer::Silent);
    seconds(&mut world, 20);
    assert_eq!(taking(&world), [0]);
    assert_eq!(told(&world), [(3, 2, ScaleCause::NoData), (2, 1, ScaleCause::NoData)]);
    load(&mut world, Some(25));
    seconds(&mut world, 8);
    assert_eq!(taking(&world), [0, 1, 2], "called back");
}

#[test]
fn one_that_does_not_answer_is_replaced_where_the_limit_leaves_room() {
    let mut world = scaler(SCALE, 2);
    load(&mut world, Some(15));
    seconds(&mut world, 3);
    world.peers.insert(members()[0].address, Peer::Silent);
    seconds(&mut world, 4);
    assert_eq!(taking(&world), [1, 2]);
    assert_eq!(told(&world), [(1, 2, ScaleCause::Lost)]);
    world.peers.insert(members()[1].address, Peer::Silent);
    seconds(&mut world, 10);
    assert_eq!(taking(&world), [2], "the two that are silent may take requests still, and three are the limit");
}

#[test]
fn a_frozen_scaler_tells_nobody_anything_and_goes_on_when_it_is_thawed() {
    let mut world = scaler(SCALE, 1);
    load(&mut world, Some(25));
    for _ in 0..10 {
        world.ask(Ask::Switch { switch: Switch::Freeze, for_ns: 2 * SECOND }, None);
        seconds(&mut world, 1);
    }
    assert_eq!(taking(&world), [0]);
    assert!(world.asks.iter().all(|ask| !matches!(ask, Ask::Duty { order: Some(_) })));
    seconds(&mut world, 4);
    assert_eq!(taking(&world), [0, 1, 2]);
}

#[test]
fn a_scaler_that_starts_again_learns_what_there_is_and_takes_nothing_away_early() {
    let mut world = scaler(SCALE, 3);
    load(&mut world, Some(25));
    seconds(&mut world, 30);
    assert_eq!((taking(&world), told(&world)), (vec![0, 1, 2], vec![]), "although its file says one");
}

/// An instance that is scaled, and is one of those that begin.
fn scaled(begins: bool) -> World<Machine> {
    let mut config = config(vec![], vec![]);
    let starters = if begins { vec![config.name.clone()] } else { Vec::new() };
    config.commons.duty = Some(DutyConfig { starters });
    let mut world = World::new(Machine::new(config));
    world.start();
    world
}

#[test]
fn who_is_scaled_does_what_it_was_told_last_however_long_nobody_tells_it_anything() {
    let tell = Ask::Duty { order: None };
    assert_eq!(answer(&mut scaled(true), tell.clone()), (None, Some(TAKES.to_owned())));
    let mut world = scaled(false);
    assert_eq!(answer(&mut world, tell.clone()), (None, Some(STANDS_BY.to_owned())));
    assert_eq!(answer(&mut world, work()).0, Some(Failure::Standby));
    assert_eq!(answer(&mut world, Ask::Ready).0, None, "it is ready all the same");
    assert_eq!(answer(&mut world, Ask::Duty { order: Some(true) }), (None, Some(TAKES.to_owned())));
    seconds(&mut world, 3_600);
    assert_eq!(answer(&mut world, work()).0, None);
    answer(&mut world, Ask::Switch { switch: Switch::Freeze, for_ns: 2 * SECOND });
    assert_eq!(answer(&mut world, Ask::Duty { order: Some(false) }).0, Some(Failure::Capacity));
    assert_eq!(answer(&mut world, tell), (None, Some(TAKES.to_owned())), "to ask changes nothing");
    assert_eq!(answer(&mut world, work()).0, None);
}

#[test]
fn who_is_not_scaled_has_no_duty_and_who_does_not_serve_says_what_is_missing() {
    let mut world = machine(vec![], vec![]);
    assert_eq!(answer(&mut world, Ask::Duty { order: Some(false) }).0, Some(Failure::Unknown));
    let load = Ask::Load(Box::new(LoadOf { zone: zone(), service: service("web") }));
    assert_eq!(answer(&mut world, load).0, Some(Failure::Unknown));
    let granter = target("az1", 2);
    let mut waiting = config(vec![need(vec![granter])], vec![]);
    waiting.commons.duty = Some(DutyConfig { starters: Vec::new() });
    let mut world = World::new(Machine::new(waiting));
    world.start();
    assert_eq!(answer(&mut world, Ask::Duty { order: Some(true) }).0, Some(Failure::DependencyMissing));
}

#[test]
fn callers_pass_over_those_that_stand_by_without_spending_an_attempt() {
    let targets = members();
    let mut once = call("web", Strength::Hard, targets.clone());
    (once.attempts, once.breaker) = (1, None);
    let mut caller = machine(vec![], vec![once]);
    for (place, member) in targets.iter().enumerate() {
        caller.peers.insert(member.address, Peer::Member(place == 3));
    }
    for _ in 0..40 {
        caller.ask(work(), None);
        caller.pass(50 * MS);
    }
    assert!(caller.replies.values().all(|replies| replies[0].error.is_none()));
    let asked = |place: usize| caller.sent.iter().filter(|(_, to)| *to == targets[place].address).count();
    assert_eq!(asked(3), 40);
    assert!((2..=5).contains(&asked(0)), "once in half a second, in two: {}", asked(0));
    // One that is called to help is found.
    caller.peers.insert(targets[0].address, Peer::Member(true));
    let before = asked(0);
    for _ in 0..40 {
        caller.ask(work(), None);
        caller.pass(50 * MS);
    }
    let asked = caller.sent.iter().filter(|(_, to)| *to == targets[0].address).count();
    assert!(asked - before >= 10, "{asked}");
}

#[test]
fn where_all_stand_by_the_caller_is_told_so() {
    let targets = members();
    let mut caller = machine(vec![], vec![call("web", Strength::Hard, targets.clone())]);
    for member in &targets {
        caller.peers.insert(member.address, Peer::Member(false));
    }
    let reply = caller.answer(work());
    assert_eq!((reply.error, reply.missing), (Some(Failure::DependencyMissing), vec![service("web")].into()));
    assert!(caller.sent.len() <= 2 * targets.len(), "{}", caller.sent.len());
}

fn board() -> InstanceConfig {
    let failed = Percent { ppm: 50_000 };
    let (missing, over, grace) = (Missing::Breaching, Over::Zone, Duration::from_secs(10));
    let alarms = Alarms { failed, periods: 2, missing, grace, over, late: Late::Drop };
    let mut config = config(vec![], vec![]);
    config.commons.board = Some(BoardConfig {
        peers: Vec::new().into(),
        watched: vec![(zone(), service("web"))],
        interval_ns: SECOND,
        timeout_ns: 300 * MS,
        alarms,
    });
    config
}

fn push(world: &mut World<Machine>, age_ns: Nanos, served: u64, failed: u64) {
    let count = Count { zone: zone(), service: service("web"), age_ns, served, failed };
    world.ask(Ask::Metrics(Box::new(Metrics { counts: vec![count], relayed: false })), None);
}

/// Everything that arrives is load, also what was refused; what waited for telemetry says nothing of the present.
#[test]
fn telemetry_knows_the_load_of_the_last_two_periods_and_says_where_it_does_not() {
    let mut world = World::new(Machine::new(board()));
    world.start();
    let ask = || Ask::Load(Box::new(LoadOf { zone: zone(), service: service("web") }));
    let mut loads = Vec::new();
    for second in 0..6_u64 {
        push(&mut world, 0, 10, 10 * u64::from(second >= 4));
        push(&mut world, 3 * SECOND, 500, 0);
        world.pass(SECOND);
        loads.push(answer(&mut world, ask()));
    }
    let known = |milli: &str| (None, Some(milli.to_owned()));
    let unknown = (Some(Failure::NotFound), None);
    assert_eq!(loads[..3], [unknown.clone(), unknown.clone(), unknown.clone()], "it has not watched for long enough");
    assert_eq!(loads[3..], [known("10000"), known("15000"), known("20000")]);
    world.pass(3 * SECOND);
    assert_eq!(answer(&mut world, ask()), unknown, "nobody tells anything");
    let other = Ask::Load(Box::new(LoadOf { zone: zone(), service: service("api") }));
    assert_eq!(answer(&mut world, other), unknown);
}

#[test]
fn over_real_connections_a_scaler_hears_the_load_and_is_obeyed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut telemetry = board();
    telemetry.listen = free();
    let at = |to, port| Target { address: to, ..target("az1", port) };
    let mut member = config(vec![], vec![]);
    member.listen = free();
    (member.from.service, member.name) = (Some(service("web")), InstanceName("web-az1-0".to_owned()));
    member.commons.duty = Some(DutyConfig { starters: Vec::new() });
    let interval_ns = 20 * MS;
    let (targets, callee) = (vec![at(telemetry.listen, 9)].into(), Callee::default());
    member.commons.meter = Some(MeterConfig { targets, callee, interval_ns, timeout_ns: 300 * MS, buffer: 9 });
    if let Some(board) = &mut telemetry.commons.board {
        board.interval_ns = interval_ns;
    }
    let mut scaler = scaler_config(SCALE, vec![at(member.listen, 1)], at(telemetry.listen, 9));
    scaler.listen = free();
    if let Some(config) = &mut scaler.commons.scaler {
        config.interval_ns = interval_ns;
    }
    let (to, asked) = (member.listen, telemetry.listen);
    let _running = (start(telemetry, folder.path()), start(member, folder.path()), start(scaler, folder.path()));
    // It stands by until the scaler, which wants one, has told it to take requests.
    while !http(to, "POST /work/serve HTTP/1.1").contains("200 OK") {
        std::thread::yield_now();
    }
    let load = || http(asked, "GET /load/az1/web HTTP/1.1");
    while !load().contains("\"value\"") {
        std::thread::yield_now();
    }
}
