//! Owns the claims about telemetry in virtual time: it tells of a dark zone from elsewhere, and whatever becomes of it,
//! customers get the same. Refuses to start containers.

use fixtures::graph::Graph;
use fixtures::graph::telemetry::Missing;
use fixtures::unit::Rate;
use harness::{load, twin};
use scenarios::event::{AlarmCause, Detail, Event};
use scenarios::verdict::Verdict;
use std::collections::BTreeMap;
use std::time::Duration;

/// What customers of a zone got, from the baseline on: sent, answered in full, answered in part, 99th percentile in ms.
type Got = BTreeMap<String, (u64, u64, u64, f64)>;

fn got(played: &twin::Played) -> Got {
    let mut zones = Got::new();
    for (zone, phases) in &played.judgement.measurements.availability {
        let sum = zones.entry(zone.to_string()).or_default();
        for phase in phases.values() {
            let p99 = sum.3.max(phase.p99_ms.unwrap_or_default());
            *sum = (sum.0 + phase.sent, sum.1 + phase.ok, sum.2 + phase.degraded, p99);
        }
    }
    assert_eq!(zones.len(), 3);
    zones
}

fn changed(scenario: &str, seed: u64, change: impl Fn(&mut load::Loaded)) -> twin::Played {
    let mut loaded = load::scenario(scenario, false).expect("it loads");
    change(&mut loaded);
    twin::play_unlogged(&mut loaded, seed).expect("it plays")
}

fn played(scenario: &str, seed: u64, change: impl Fn(&mut load::Loaded)) -> twin::Played {
    let played = changed(scenario, seed, change);
    assert_eq!(played.judgement.verdict, Verdict::Held, "{scenario}, seed {seed}: {:#?}", played.judgement.invariants);
    played
}

/// Alarms raised after the zone went dark: about which zone and service, why, and raised where.
fn raised(events: &[Event]) -> Vec<(String, String, Option<AlarmCause>, String)> {
    let fault = scenarios::measure::detection(events).map_or(u64::MAX, |(fault, _)| fault.t_ns);
    let alarm = |event: &Event| match &event.detail {
        Detail::Alarm { about_zone: Some(about_zone), about, raised: true, cause, .. } if event.t_ns >= fault => {
            let seen_in = event.place.zone.as_ref().map(ToString::to_string).unwrap_or_default();
            Some((about_zone.to_string(), about.to_string(), *cause, seen_in))
        }
        _ => None,
    };
    events.iter().filter_map(alarm).collect()
}

#[test]
fn a_dark_zone_is_detected_from_elsewhere_and_every_alarm_is_cleared() {
    for seed in [1, 7, 23, 99, 1_234] {
        let played = played("zone-alarms", seed, |_| {});
        let took = played.judgement.measurements.time_to_detect_ms.expect("it is detected");
        println!("seed {seed}: detected {took} ms after the fault");
        assert!((2_000.0..=6_000.0).contains(&took), "seed {seed}: {took} ms");
        let raised = raised(&played.events);
        let dark = |alarm: &&(String, String, Option<AlarmCause>, String)| {
            alarm.0 == "az1" && alarm.2 == Some(AlarmCause::NoData) && alarm.3 != "az1"
        };
        let about: std::collections::BTreeSet<&str> =
            raised.iter().filter(dark).map(|alarm| alarm.1.as_str()).collect();
        assert_eq!(about.into_iter().collect::<Vec<_>>(), ["api", "capacity", "store", "telemetry"], "seed {seed}");
        assert!(raised.iter().all(|alarm| alarm.0 == "az1"), "seed {seed}: {raised:?}");
        let changes = played.events.iter().filter_map(|event| match &event.detail {
            Detail::Alarm { raised, .. } => Some(if *raised { 1 } else { -1 }),
            _ => None,
        });
        assert_eq!(changes.sum::<i32>(), 0, "seed {seed}: what was raised is cleared");
    }
}

/// The default that hides the worst: with missing data taken for good data nobody hears of a dark zone.
#[test]
fn where_missing_data_is_good_a_dark_zone_is_not_detected() {
    let lenient = |loaded: &mut load::Loaded| {
        if let Some(telemetry) = &mut loaded.graph.telemetry {
            telemetry.alarms.missing = Missing::NotBreaching;
        }
    };
    let events = played("zone-alarms", 7, lenient).events;
    let about_dark = events.iter().filter(|event| match &event.detail {
        Detail::Alarm { raised: true, cause, .. } => *cause == Some(AlarmCause::NoData),
        _ => false,
    });
    assert_eq!(about_dark.count(), 0);
}

fn telemetry(graph: &mut Graph) -> &mut fixtures::graph::Service {
    graph.services.iter_mut().find(|service| service.name.as_str() == "telemetry").expect("there")
}

/// Thousandths of what was sent that were answered in full, by zone.
fn shares(got: &Got) -> Vec<u64> {
    got.values().map(|(sent, ok, ..)| ok * 1_000 / sent).collect()
}

#[track_caller]
fn alike(what: &str, a: &Got, b: &Got) {
    println!("{what}: {a:?} and without {b:?}");
    let same = shares(a).iter().zip(shares(b)).all(|(a, b)| a.abs_diff(b) <= 5);
    assert!(same, "{what}, thousandths answered in full: {a:?} and {b:?}");
    assert!(a.values().chain(b.values()).all(|got| got.0 > 100), "enough was sent: {a:?} and {b:?}");
}

/// All of it killed: every request of every zone is answered in full, as where nobody pushes anything.
#[test]
fn killing_all_telemetry_changes_no_canary_result() {
    for seed in [1, 7, 23, 99, 1_234] {
        let with = got(&played("telemetry-dead", seed, |_| {}));
        let without = got(&played("telemetry-dead", seed, |loaded| loaded.graph.telemetry = None));
        alike("dead telemetry", &with, &without);
        for got in [&with, &without] {
            assert!(got.values().all(|(sent, ok, degraded, _)| ok == sent && *degraded == 0), "{got:?}");
        }
    }
}

/// Slow and full, while a zone is dark: customers get what they get where nobody pushes anything.
#[test]
fn slow_and_full_telemetry_change_no_canary_result() {
    let none = got(&played("zone-alarms", 7, |loaded| loaded.graph.telemetry = None));
    // Longer than a push is waited for, and not longer than a probe: no push is ever seen to be taken.
    let slow = |loaded: &mut load::Loaded| {
        telemetry(&mut loaded.graph).work = Duration::from_millis(100);
        if let Some(telemetry) = &mut loaded.graph.telemetry {
            telemetry.timeout = Duration::from_millis(50);
        }
    };
    // Two requests a second, and no room for more; what is refused twice is dropped.
    let full = |loaded: &mut load::Loaded| {
        let service = telemetry(&mut loaded.graph);
        (service.capacity, service.queue) = (Some(Rate { milli_per_s: 2_000 }), 0);
        if let Some(telemetry) = &mut loaded.graph.telemetry {
            telemetry.buffer = 1;
        }
    };
    let lost = |played: &twin::Played| {
        let dropped = played.events.iter().filter_map(|event| match &event.detail {
            Detail::Metrics { dropped } => Some(*dropped),
            _ => None,
        });
        dropped.sum::<u64>()
    };
    let (slow, full) = (changed("zone-alarms", 7, slow), changed("zone-alarms", 7, full));
    println!("intervals dropped: slow {}, full {}", lost(&slow), lost(&full));
    assert!(lost(&slow) == 0 && lost(&full) > 0, "who never sees a push taken never tells what it has lost");
    alike("slow telemetry", &got(&slow), &none);
    alike("full telemetry", &got(&full), &none);
}

/// A frozen control plane, from before a zone goes dark until after it is back.
#[test]
fn a_control_plane_frozen_for_a_whole_run_changes_no_canary_result() {
    let whole = |loaded: &mut load::Loaded| {
        let frozen = load::scenario("frozen-control-repaired", false).expect("it loads").scenario.faults;
        loaded.scenario.faults.extend(frozen.into_iter().filter(|fault| fault.name == "nothing-changes"));
    };
    for seed in [1, 7, 23] {
        let (with, without) = (played("zone-alarms", seed, whole), played("zone-alarms", seed, |_| {}));
        let in_force = |event: &Event| match &event.detail {
            Detail::FaultEffect { fault, holds: true, .. } => fault == "nothing-changes",
            _ => false,
        };
        assert!(with.events.iter().any(in_force));
        alike("a frozen control plane", &got(&with), &got(&without));
    }
}
