//! Owns the claims about what an operator can switch at an instance. Refuses to know who does.

use crate::world::{MS, World, answer, call, config, fails, machine, ok, target, work};
use agents::config::ControlConfig;
use agents::machine::Machine;
use agents::machine::switch::OBEYS;
use agents::wire::{Ask, Failure, Note, Switch};
use fixtures::graph::Strength;

fn switch(switch: Switch) -> Ask {
    Ask::Switch { switch, for_ns: 2_000 * MS }
}

fn controlled(control: ControlConfig) -> World<Machine> {
    let mut config = config(vec![], vec![]);
    config.operations.push("change".to_owned());
    config.control = control;
    let mut world = World::new(Machine::new(config));
    world.start();
    world
}

#[test]
fn a_frozen_instance_refuses_what_changes_something_and_thaws_by_itself() {
    let mut world = controlled(ControlConfig { mutates: vec!["change".to_owned()], movable: false });
    let change = || Ask::Work { operation: "change".into(), write: None, again: false };
    assert_eq!(answer(&mut world, change()), (None, None));
    assert_eq!(answer(&mut world, switch(Switch::Freeze)), (None, Some(OBEYS.to_owned())));
    assert_eq!(answer(&mut world, change()), (Some(Failure::Capacity), None));
    assert_eq!(answer(&mut world, work()), (None, None), "what changes nothing is answered");
    world.pass(3_000 * MS);
    assert_eq!(answer(&mut world, change()), (None, None));
    world.pass(3_000 * MS);
    let taps = world.notes.iter().filter_map(|note| match note {
        Note::Tap { calls, refused, .. } => Some((*calls, *refused)),
        _ => None,
    });
    let (calls, refused) = taps.fold((0, 0), |sum, tap| (sum.0 + tap.0, sum.1 + tap.1));
    assert_eq!((calls, refused), (3, 1), "the tap has seen every call");
}

#[test]
fn a_tap_tells_of_the_last_call_too_and_of_calls_that_were_sent_elsewhere() {
    let mut world = controlled(ControlConfig { mutates: vec!["change".to_owned()], movable: true });
    let change = || Ask::Work { operation: "change".into(), write: None, again: false };
    for _ in 0..3 {
        assert_eq!(answer(&mut world, change()), (None, None));
    }
    answer(&mut world, switch(Switch::Away));
    assert_eq!(answer(&mut world, change()).0, Some(Failure::Away));
    // Nobody calls any more.
    world.pass(3_000 * MS);
    let taps = world.notes.iter().filter_map(|note| match note {
        Note::Tap { calls, refused, .. } => Some((*calls, *refused)),
        _ => None,
    });
    assert_eq!(taps.fold((0, 0), |sum, tap| (sum.0 + tap.0, sum.1 + tap.1)), (4, 0));
}

#[test]
fn who_has_nothing_to_switch_says_so() {
    let mut world = controlled(ControlConfig::default());
    for what in [Switch::Freeze, Switch::Away, Switch::Surge { factor: 3 }] {
        assert_eq!(answer(&mut world, switch(what)).0, Some(Failure::Unknown), "{what:?}");
    }
    assert_eq!(answer(&mut world, work()), (None, None));
}

#[test]
fn an_instance_that_is_away_sends_its_callers_elsewhere_and_they_stay_there() {
    let mut world = controlled(ControlConfig { mutates: Vec::new(), movable: true });
    answer(&mut world, switch(Switch::Away));
    assert_eq!(answer(&mut world, work()).0, Some(Failure::Away));
    let (here, there) = (target("az1", 1), target("az2", 2));
    let mut caller = machine(vec![], vec![call("store", Strength::Hard, vec![here.clone(), there.clone()])]);
    caller.peers.insert(here.address, fails(Failure::Away, &[]));
    caller.peers.insert(there.address, ok());
    for _ in 0..6 {
        caller.ask(work(), None);
        caller.pass(100 * MS);
    }
    assert!(caller.replies.values().all(|replies| replies[0].error.is_none()));
    let asked_here = caller.sent.iter().filter(|(_, to)| *to == here.address).count();
    assert_eq!(asked_here, 3, "its breaker is open from then on");
}
