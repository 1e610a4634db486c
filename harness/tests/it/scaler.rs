//! Owns the claims about scaling in virtual time: customers are served again in a surge within the limit, a dead, frozen or
//! blind scaler changes nothing, and a load that nobody tells is a defect where it is taken for none. Refuses to start
//! containers.

use harness::{load, twin};
use scenarios::event::{Detail, Event, ScaleCause};
use scenarios::verdict::Verdict;
use std::collections::BTreeMap;
use std::time::Duration;

const SEEDS: [u64; 5] = [1, 7, 23, 99, 1_234];

fn played(scenario: &str, seed: u64, change: impl Fn(&mut load::Loaded)) -> twin::Played {
    let mut loaded = load::scenario(scenario, false).expect("it loads");
    change(&mut loaded);
    twin::play_unlogged(&mut loaded, seed).expect("it plays")
}

#[track_caller]
fn held(scenario: &str, seed: u64, change: impl Fn(&mut load::Loaded)) -> twin::Played {
    let played = played(scenario, seed, change);
    assert_eq!(played.judgement.verdict, Verdict::Held, "{scenario}, seed {seed}: {:#?}", played.judgement);
    played
}

/// What was scaled, zone by zone: when, how many before and after, why.
fn scaled(events: &[Event]) -> BTreeMap<String, Vec<(u64, u32, u32, ScaleCause)>> {
    let mut zones: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for event in events {
        if let (Detail::Scaled { group, from, to, cause }, Some(zone)) = (&event.detail, &event.place.zone) {
            assert_eq!(group.as_str(), "web");
            zones.entry(zone.to_string()).or_default().push((event.t_ns, *from, *to, *cause));
        }
    }
    zones
}

/// When a fault began to be in force, or ended.
fn done(events: &[Event], of: &str, wanted: scenarios::event::Act) -> u64 {
    let step = |event: &&Event| match &event.detail {
        Detail::StepDone { fault, act, .. } => fault == of && *act == wanted,
        _ => false,
    };
    events.iter().find(step).expect("it is done").t_ns
}

/// Requests of all canaries between two moments, and those that were answered.
fn served(events: &[Event], from_ns: u64, to_ns: u64) -> (u64, u64) {
    let window = |event: &Event| match &event.detail {
        Detail::Canary { control: false, window_ns, sent, ok, degraded, .. }
            if event.t_ns <= to_ns && event.t_ns.saturating_sub(*window_ns) >= from_ns =>
        {
            Some((*sent, ok + degraded))
        }
        _ => None,
    };
    events.iter().filter_map(window).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

const SECOND: u64 = 1_000_000_000;

#[test]
fn in_a_surge_within_the_limit_capacity_follows_and_goes_again_slowly() {
    use scenarios::event::Act::{Heal, Inject};
    for seed in SEEDS {
        let events = held("surge-scaled", seed, |_| {}).events;
        let (begun, ended) = (done(&events, "everybody-comes", Inject), done(&events, "everybody-comes", Heal));
        let scaled = scaled(&events);
        assert_eq!(scaled.len(), 3, "each zone by itself: {scaled:?}");
        for (zone, changes) in &scaled {
            let (out, back) = (changes[0], changes[1]);
            assert_eq!((out.1, out.2, out.3), (2, 3, ScaleCause::Load), "{zone}: {changes:?}");
            assert!((begun..begun + 7 * SECOND).contains(&out.0), "{zone}: {changes:?}");
            assert_eq!((back.1, back.2, changes.len()), (3, 2, 2), "{zone}: {changes:?}");
            assert!(back.0 >= ended + 5 * SECOND, "{zone}: {changes:?}");
        }
        let (sent, answered) = served(&events, begun + 7 * SECOND, ended);
        let out = scaled.values().map(|changes| (changes[0].0 - begun) / 1_000_000).max();
        println!("seed {seed}: third instances after {out:?} ms; then {answered} of {sent} answered");
        assert!(sent > 700 && answered == sent, "seed {seed}: {answered} of {sent}");
    }
}

/// Above the limit no fourth instance comes; what is too much is refused, and it is over with the surge.
#[test]
fn the_limit_is_the_limit() {
    use scenarios::event::Act::{Heal, Inject};
    for seed in SEEDS {
        let events = held("surge-limit", seed, |_| {}).events;
        let (begun, ended) = (done(&events, "everybody-comes", Inject), done(&events, "everybody-comes", Heal));
        assert!(scaled(&events).values().flatten().all(|(_, _, to, _)| *to <= 3));
        let (sent, answered) = served(&events, begun + 4 * SECOND, ended);
        println!("seed {seed}: {answered} of {sent} answered above the limit");
        // Three zones with three instances, each of which carries twenty in a second; probes and writes come on top.
        assert!((30..=62).contains(&(answered * 100 / sent)), "seed {seed}: {answered} of {sent}");
    }
}

#[test]
fn a_frozen_control_plane_changes_nothing_and_breaks_nothing() {
    use scenarios::event::Act::{Heal, Inject};
    for seed in SEEDS {
        let events = held("scaler-frozen", seed, |_| {}).events;
        let frozen = done(&events, "nothing-changes", Inject)..done(&events, "nothing-changes", Heal);
        let within = scaled(&events).into_values().flatten().filter(|(t_ns, ..)| frozen.contains(t_ns)).count();
        assert_eq!(within, 0, "seed {seed}");
        let (begun, ended) = (done(&events, "everybody-comes", Inject), done(&events, "everybody-comes", Heal));
        let (sent, answered) = served(&events, begun + SECOND, ended);
        println!("seed {seed}: {answered} of {sent} answered by two instances a zone");
        assert!(answered < sent && answered * 100 >= sent * 75, "what there is serves on: {answered} of {sent}");
    }
}

/// All scalers lose power: everybody goes on with what he was told last.
#[test]
fn a_dead_scaler_changes_nothing() {
    for seed in SEEDS {
        let dead = |loaded: &mut load::Loaded| {
            let text = scenarios::builtin::scenario("scaler-blind-repaired").expect("built in").text;
            let text = text.replace("services = [\"telemetry\"]", "services = [\"scaler\"]");
            let source = fixtures::diagnostic::Source { name: "day.toml".to_owned(), text };
            loaded.scenario.faults = scenarios::load::load_scenario(&source).expect("it loads").0.faults;
            loaded.scenario.invariants.push("D8".to_owned());
        };
        let played = held("scaler-blind-repaired", seed, dead);
        assert_eq!(scaled(&played.events), BTreeMap::new(), "seed {seed}");
        let d8 = played.judgement.invariants.iter().find(|result| result.id == "D8").expect("it is judged");
        assert_eq!(d8.verdict, Verdict::Held, "{}", d8.reason);
    }
}

#[test]
fn a_load_that_nobody_tells_takes_capacity_away_only_where_it_is_taken_for_none() {
    use scenarios::event::Act::{Heal, Inject};
    for seed in SEEDS {
        // Until telemetry knows the load again and capacity is called back.
        let longer = |loaded: &mut load::Loaded| loaded.scenario.windows.quiet = Duration::from_secs(10);
        let defect = played("scaler-blind", seed, longer);
        let (dark, lit) =
            (done(&defect.events, "telemetry-dark", Inject), done(&defect.events, "telemetry-dark", Heal));
        let blind = scaled(&defect.events);
        assert_eq!(blind.len(), 3);
        for (zone, changes) in &blind {
            let steps: Vec<_> = changes.iter().map(|change| (change.1, change.2, change.3)).collect();
            // What one instance could not carry was tried again, so that for a moment more may be asked for than before.
            let [(2, 1, ScaleCause::NoData), (1, 2..=3, ScaleCause::Load), ..] = steps[..] else {
                panic!("seed {seed}, {zone}: {steps:?}");
            };
            assert!(changes[0].0 > dark && changes[0].0 < lit && changes[1].0 > lit, "{zone}: {changes:?}");
        }
        let twin = held("scaler-blind-repaired", seed, longer);
        assert_eq!(scaled(&twin.events), BTreeMap::new(), "seed {seed}");
        let (sent, answered) = served(&defect.events, dark + 9 * SECOND, lit);
        println!("seed {seed}: {answered} of {sent} answered by one instance a zone");
        assert!(answered * 100 <= sent * 90, "seed {seed}: {answered} of {sent}");
    }
}

/// With a longer wait than any spell of darkness the same defect takes nothing away: the rate limit is one.
#[test]
fn removals_are_as_slow_as_the_file_says() {
    let slow = |loaded: &mut load::Loaded| {
        for scale in loaded.graph.services.iter_mut().filter_map(|service| service.scale.as_mut()) {
            scale.in_after = Duration::from_secs(15);
        }
    };
    let played = held("flapping-scaler", 7, slow);
    assert_eq!(scaled(&played.events), BTreeMap::new());
}

/// Who lost power comes back as its graph says, and is called to help within seconds, where the load asks for it.
#[test]
fn after_a_black_start_capacity_is_found_again() {
    for seed in SEEDS {
        let one = |loaded: &mut load::Loaded| {
            let black = load::scenario("region-black-start", false).expect("it loads");
            loaded.scenario.faults = black.scenario.faults;
            for scale in loaded.graph.services.iter_mut().filter_map(|service| service.scale.as_mut()) {
                scale.start = 1;
            }
        };
        let played = held("surge-scaled", seed, |loaded| {
            one(loaded);
            loaded.scenario.invariants = ["S5", "R1"].map(str::to_owned).to_vec();
            loaded.scenario.windows.baseline = Duration::from_secs(12);
            loaded.scenario.steady_state.availability = fixtures::unit::Percent { ppm: 850_000 };
        });
        let changes = scaled(&played.events);
        assert_eq!(changes.len(), 3);
        for (zone, changes) in &changes {
            let out = changes.iter().filter(|change| (change.1, change.2) == (1, 2)).count();
            assert_eq!(out, 2, "{zone}, once after each start: {changes:?}");
        }
    }
}
