//! Claims about plans.

use super::world::{World, topology};
use fixtures::name::ZoneName;
use fixtures::placement::Placement;
use proptest::prelude::*;
use scenarios::event::Act;
use scenarios::fault::{Fault, PowerOff, Selection};
use scenarios::plan::{Unsynced, plan};
use scenarios::scenario::{After, Pulses, TimedFault};
use std::time::Duration;

#[test]
fn every_built_in_plan_is_the_same_twice() {
    for name in scenarios::builtin::scenario_names() {
        let world = World::new(name);
        let again = plan(&world.scenario, &Placement::new(&topology(), &world.graph), 7);
        let text = |plan| serde_json::to_string(plan).expect("a plan is JSON");
        assert_eq!(text(&world.plan), text(&again), "{name}");
    }
}

#[test]
fn host_held_by_two_faults_gets_power_from_the_last() {
    let plan = World::new("github-2016").plan;
    let steps: Vec<(&str, u64, usize, usize)> = plan.rounds[0]
        .steps
        .iter()
        .map(|step| (step.id.as_str(), step.at_ms, step.hosts.len(), step.changes.len()))
        .collect();
    assert_eq!(
        steps,
        [
            ("r0.az1-dark.inject", 0, 5, 5),
            ("r0.cache-hosts-do-not-boot.inject", 0, 1, 0),
            ("r0.az1-dark.heal", 8_000, 5, 4),
            ("r0.cache-hosts-do-not-boot.heal", 21_000, 1, 1),
        ]
    );
    let dark: Vec<String> = plan.hosts_dark_after(0, 2).iter().map(ToString::to_string).collect();
    assert_eq!(dark, ["az1-cache-0"]);
    assert_eq!(plan.longest_dark(&plan.rounds[0].steps[3].hosts[0]), Duration::from_secs(21));
}

#[test]
fn each_zone_has_its_own_round() {
    let plan = World::new("each-zone-in-turn").plan;
    let first: Vec<&str> = plan.rounds.iter().map(|round| round.steps[0].id.as_str()).collect();
    assert_eq!(first, ["r0.az1-dark.inject", "r1.az2-dark.inject", "r2.az3-dark.inject"]);
    assert!(plan.rounds.iter().all(|round| round.steps[0].changes.len() == 22));
}

fn faults() -> impl Strategy<Value = Vec<TimedFault>> {
    let one = (0..3_usize, 0..4_usize, 0..50_u64, 0..50_u64);
    prop::collection::vec(one, 1..8).prop_map(|drawn| {
        let fault = |(position, (zone, after, at_ms, lasts_ms)): (usize, (usize, usize, u64, u64))| TimedFault {
            name: format!("f{position}"),
            fault: Fault::PowerOff(PowerOff {
                hosts: Selection::of_zones(vec![ZoneName::new(format!("az{}", zone + 1)).expect("a name")]),
                unsynced: Unsynced::Lost,
            }),
            // Sometimes one that is not there, itself or a later one: a plan never hangs.
            after: (after > 0).then(|| After::Round(format!("f{}", after - 1))),
            within: Duration::ZERO,
            pulses: Pulses::ONCE,
            at: Duration::from_millis(at_ms),
            lasts: Duration::from_millis(lasts_ms),
        };
        drawn.into_iter().enumerate().map(fault).collect()
    })
}

proptest! {
    #[test]
    fn every_inject_is_healed_and_every_round_ends_lit(faults in faults()) {
        let mut world = World::new("minimal");
        world.scenario.faults = faults;
        let plan = plan(&world.scenario, &world.placement, 7);
        let all: usize = plan.rounds.iter().map(|round| round.steps.len()).sum();
        prop_assert_eq!(all, world.scenario.faults.len() * 2);
        for (number, round) in plan.rounds.iter().enumerate() {
            prop_assert!(round.steps.is_sorted_by_key(|step| (step.at_ms, step.act == Act::Inject)));
            for (position, inject) in round.steps.iter().enumerate().filter(|(_, step)| step.act == Act::Inject) {
                let heals: Vec<usize> = (0..round.steps.len()).filter(|&at| round.steps[at].id == inject.pair).collect();
                prop_assert_eq!(heals.len(), 1);
                prop_assert!(heals[0] > position);
                prop_assert_eq!(&round.steps[heals[0]].pair, &inject.id);
            }
            if let Some(last) = round.steps.len().checked_sub(1) {
                prop_assert!(plan.hosts_dark_after(number, last).is_empty());
            }
        }
    }
}
