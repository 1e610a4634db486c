//! Claims about plans.

use super::world::World;
use fixtures::name::{HostName, ZoneName};
use fixtures::placement::Placement;
use fixtures::unit::Percent;
use proptest::prelude::*;
use scenarios::event::{Act, Life};
use scenarios::fault::{Boot, Cut, CutShape, DiskFull, Fault, GrayZone, Kill, Pause, PowerOff, Restart, Selection};
use scenarios::plan::{BootTrouble, Deed, Plan, Shape, Unsynced, plan};
use scenarios::scenario::{After, Pulses, TimedFault};
use std::time::Duration;

#[test]
fn every_built_in_plan_is_the_same_twice() {
    for name in scenarios::builtin::scenario_names() {
        let world = World::new(name);
        let again = plan(&world.scenario, &Placement::new(&world.topology, &world.graph), 7);
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
    assert!(plan.rounds.iter().all(|round| round.steps[0].changes.len() == 24));
}

/// A fault of every kind that takes a selection, on one zone or a share of it.
fn kind(number: usize, zone: usize, share: bool) -> Fault {
    let zones = vec![ZoneName::new(format!("az{}", zone + 1)).expect("a name")];
    let share = share.then_some(Percent { ppm: 500_000 });
    let hosts = Selection { share, ..Selection::of_zones(zones.clone()) };
    let shape = Shape { latency_us: 5_000, ..Shape::default() };
    let cut = |shape| Cut { from: hosts.clone(), to: None, shape, one_way: false, refuse: false };
    match number {
        0 | 1 => Fault::PowerOff(PowerOff { hosts, unsynced: Unsynced::Lost }),
        2 => Fault::Boot(Boot { hosts, trouble: BootTrouble::Never }),
        3 => Fault::Restart(Restart { hosts }),
        4 => Fault::Kill(Kill { hosts }),
        5 => Fault::Pause(Pause { hosts }),
        6 => Fault::Cut(cut(CutShape::Full)),
        7 => Fault::Cut(cut(CutShape::MajorityRing)),
        8 => Fault::DiskFull(DiskFull { zones }),
        _ => Fault::GrayZone(GrayZone { zone: zones[0].clone(), shape }),
    }
}

fn faults() -> impl Strategy<Value = Vec<TimedFault>> {
    let what = (0..10_usize, 0..3_usize, any::<bool>());
    let when = (0..4_usize, 0..50_u64, 0..50_u64, 0..30_u64, 1..4_u32);
    prop::collection::vec((what, when), 1..8).prop_map(|drawn| {
        let fault = |(position, (what, when))| timed(format!("f{position}"), what, when);
        drawn.into_iter().enumerate().map(fault).collect()
    })
}

fn timed(
    name: String,
    (number, zone, share): (usize, usize, bool),
    (after, at_ms, lasts_ms, within_ms, times): (usize, u64, u64, u64, u32),
) -> TimedFault {
    let every = Duration::from_millis(lasts_ms + 5);
    TimedFault {
        name,
        fault: kind(number, zone, share),
        // Sometimes one that is not there, itself or a later one: a plan never hangs.
        after: (after > 0).then(|| After::Round(format!("f{}", after - 1))),
        at: Duration::from_millis(at_ms),
        within: Duration::from_millis(within_ms),
        pulses: if times == 1 { Pulses::ONCE } else { Pulses { times, every } },
        lasts: Duration::from_millis(lasts_ms),
    }
}

proptest! {
    #[test]
    fn every_inject_is_healed_and_every_round_ends_lit(faults in faults(), seed: u64) {
        let mut world = World::new("minimal");
        world.scenario.faults = faults;
        let plan = plan(&world.scenario, &world.placement, seed);
        let all: usize = plan.rounds.iter().map(|round| round.steps.len()).sum();
        let pulses: usize = world.scenario.faults.iter().map(|fault| fault.pulses.times as usize).sum();
        prop_assert_eq!(all, pulses * 2);
        for (number, round) in plan.rounds.iter().enumerate() {
            prop_assert!(round.steps.is_sorted_by_key(|step| (step.at_ms, step.act == Act::Inject)));
            for (position, inject) in round.steps.iter().enumerate().filter(|(_, step)| step.act == Act::Inject) {
                let heals: Vec<usize> = (0..round.steps.len()).filter(|&at| round.steps[at].id == inject.pair).collect();
                prop_assert_eq!(heals.len(), 1);
                prop_assert!(heals[0] > position);
                let heal = &round.steps[heals[0]];
                prop_assert_eq!(&heal.pair, &inject.id);
                prop_assert_eq!((&heal.deed, &heal.hosts, &heal.zones), (&inject.deed, &inject.hosts, &inject.zones));
            }
            for fault in &world.scenario.faults {
                let mut own = round.steps.iter().filter(|step| step.fault == fault.name);
                let closing = own.clone().filter(|step| step.begins_recovery()).count();
                prop_assert_eq!(closing, usize::from(own.next().is_some()), "{} ends once", &fault.name);
            }
            if let Some(last) = round.steps.len().checked_sub(1) {
                prop_assert!(plan.hosts_dark_after(number, last).is_empty());
            }
        }
    }

    #[test]
    fn seed_decides_and_another_fault_changes_no_draw(faults in faults(), seed: u64) {
        let mut world = World::new("minimal");
        world.scenario.faults = faults;
        let whole = plan(&world.scenario, &world.placement, seed);
        prop_assert_eq!(&whole, &plan(&world.scenario, &world.placement, seed));
        // Whoever is left draws as before. (Power changes may differ: they depend on who else holds a host dark.)
        let left_out = world.scenario.faults.remove(0).name;
        let fewer = plan(&world.scenario, &world.placement, seed);
        let drawn = |plan: &Plan| -> Vec<(String, Act, u64, Deed, Vec<HostName>)> {
            let steps = plan.rounds.iter().flat_map(|round| &round.steps).filter(|step| step.fault != left_out);
            let own = steps.map(|step| (step.fault.clone(), step.act, step.at_ms, step.deed.clone(), step.hosts.clone()));
            let mut own: Vec<_> = own.collect();
            own.sort_by(|a, b| (&a.0, a.2, a.1).cmp(&(&b.0, b.2, b.1)));
            own
        };
        prop_assert_eq!(drawn(&whole), drawn(&fewer));
    }
}

#[test]
fn random_moment_lies_in_its_window_and_moves_all_pulses() {
    let mut world = World::new("flapping-link");
    let mut moments = std::collections::BTreeSet::new();
    for seed in 0..50 {
        world.plan = plan(&world.scenario, &world.placement, seed);
        let at: Vec<u64> = world.plan.rounds[0].steps.iter().map(|step| step.at_ms).collect();
        assert!(at[0] <= 1_000);
        assert_eq!(at.iter().map(|ms| ms - at[0]).collect::<Vec<_>>(), [0, 2_000, 4_000, 6_000, 8_000, 10_000]);
        moments.insert(at[0]);
    }
    assert!(moments.len() > 20, "{moments:?}");
    let ids: Vec<&str> = world.plan.rounds[0].steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids[..3], ["r0.az1-flaps.0.inject", "r0.az1-flaps.0.heal", "r0.az1-flaps.1.inject"]);
}

#[test]
fn fault_that_waits_for_an_event_comes_last_and_says_for_what() {
    let plan = World::new("cut-in-recovery").plan;
    let steps = &plan.rounds[0].steps;
    let waits: Vec<bool> = steps.iter().map(|step| step.after.is_some()).collect();
    assert_eq!(waits, [false, false, true, true]);
    let observed = steps[2].after.as_ref().expect("it waits");
    assert_eq!((observed.service.as_str(), observed.becomes), ("store", Life::Active));
    assert_eq!((steps[2].at_ms, steps[3].at_ms), (0, 4_000));
}

#[test]
fn host_that_does_not_boot_is_dark_until_it_may() {
    let plan = World::new("failed-boot").plan;
    let host = |name: &str| HostName(name.to_owned());
    assert_eq!(plan.longest_dark(&host("az1-store-0")), Duration::from_secs(17));
    assert_eq!(plan.longest_dark(&host("az1-api-0")), Duration::from_secs(5));
    assert_eq!(plan.longest_dark(&host("az2-store-0")), Duration::ZERO);
}
