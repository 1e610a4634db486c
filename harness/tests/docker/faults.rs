//! Owns the claims about faults in whole game days: each has its effect, as seen from outside, and is healed. (Those without
//! effect: `no_effect.rs`.) Refuses to look into the hand: each fault's own tests do that.

use crate::lab::{Ended, Running, left_of, long_machine, machine};
use scenarios::event::{Act, Detail, Event};
use scenarios::verdict::Verdict;
use std::collections::{BTreeMap, BTreeSet};

fn events(ended: &Ended) -> Vec<Event> {
    reports::journal::read(&ended.file("events.jsonl").expect("it is there")).expect("it is read").events
}

/// Every kind of fault in one run, and every kind of trouble with what a region shares in another beside it, over real DNS
/// and TLS: all are seen to hold in every look, and each is healed. Beside each other, because both wait most of the time.
#[test]
fn every_kind_of_fault_and_of_shared_trouble_has_its_effect_and_is_healed() {
    let Some(_machine) = long_machine() else { return };
    let begin = |day: &str| Running::start(&[day, "--seed", "11"]);
    let (faults, troubles) = (begin("every-fault"), begin("every-shared-fault"));
    let (faults, troubles) = (faults.end(), troubles.end());
    let seen = held_in_every_look(&faults, 19);
    assert_eq!(seen.begun, seen.healed);
    let unsynced =
        faults.record().invariants.into_iter().find(|one| one.aspect.as_deref() == Some("unsynced data lost"));
    assert_eq!(unsynced.map(|one| one.verdict), Some(Verdict::Held), "torn ends were cut off and nothing was lost");
    let seen = held_in_every_look(&troubles, 9);
    assert!(seen.looks.values().all(|count| *count > 3), "again and again: {:?}", seen.looks);
}

/// What a run's log tells of its faults, by their names.
#[derive(Default)]
struct Seen {
    /// Looks that found it in force.
    looks: BTreeMap<String, usize>,
    begun: BTreeSet<String>,
    healed: BTreeSet<String>,
}

/// So many faults were looked at, none was ever found not to be in force, and the run was held and left nothing.
fn held_in_every_look(ended: &Ended, faults: usize) -> Seen {
    let (mut seen, mut failed) = (Seen::default(), Vec::new());
    for event in events(ended) {
        match event.detail {
            Detail::FaultEffect { fault, holds: true, .. } => *seen.looks.entry(fault).or_default() += 1,
            Detail::FaultEffect { fault, holds: false, text, .. } => failed.push((fault, text)),
            Detail::StepDone { fault, act: Act::Inject, .. } => drop(seen.begun.insert(fault)),
            Detail::StepDone { fault, act: Act::Heal, .. } => drop(seen.healed.insert(fault)),
            _ => {}
        }
    }
    // The first power-on heals no fault.
    seen.healed.remove("");
    assert_eq!(failed, [], "a look did not find its fault in force");
    assert_eq!(seen.looks.len(), faults, "each was looked at: {:?}", seen.looks);
    assert!(seen.begun.iter().eq(seen.looks.keys()), "each was looked at: {:?}", seen.begun);
    let record = ended.record();
    assert_eq!(record.residue, []);
    assert_eq!(record.verdict, Verdict::Held, "{:?} {:?}", record.inconclusive, record.findings);
    assert_eq!(left_of(&record.run), Vec::<String>::new());
    seen
}

/// A store that acknowledges before it syncs is found, with the setting named; its twin, which differs in nothing else,
/// is held.
#[test]
fn a_store_that_acknowledges_before_it_syncs_is_found_and_its_twin_is_held() {
    let Some(_machine) = machine() else { return };
    let (day, twin) = (Running::start(&["acks-before-sync"]), Running::start(&["acks-before-sync-repaired"]));
    let (ended, twin) = (day.end(), twin.end());
    ended.expect_status(1);
    let record = ended.record();
    let found: Vec<_> = record.findings.iter().map(|one| (one.invariant.as_str(), one.setting.as_deref())).collect();
    assert_eq!(found, [("A1", Some("services.store.acknowledge"))]);
    assert!(record.measurements.lost_acknowledged_writes > 0);
    twin.expect_status(0);
    let twin = twin.record();
    assert_eq!((twin.findings.len(), twin.measurements.lost_acknowledged_writes), (0, 0));
    let unsynced = twin.invariants.iter().find(|one| one.aspect.as_deref() == Some("unsynced data lost"));
    assert_eq!(unsynced.map(|one| one.verdict), Some(Verdict::Held));
}

/// A push that stops in its first zone, and a deployment that takes all zones down, are what they are in real containers.
#[test]
fn a_guarded_push_stops_in_its_first_zone_and_a_careless_deployment_is_blamed() {
    let Some(_machine) = machine() else { return };
    let (careful, careless) = (Running::start(&["bad-push-by-zone"]), Running::start(&["bad-deploy"]));
    let (careful, careless) = (careful.end(), careless.end());
    careful.expect_status(0);
    let left_out = events(&careful).into_iter().find_map(|event| match event.detail {
        Detail::RolloutStopped { left_out, .. } => Some(left_out),
        _ => None,
    });
    let expected = ["r0.bad-push.az2.inject", "r0.bad-push.az3.inject"].map(str::to_owned).to_vec();
    assert_eq!(left_out, Some(expected));
    careless.expect_status(1);
    let record = careless.record();
    let found: Vec<_> = record.findings.iter().map(|one| (one.invariant.as_str(), one.setting.as_deref())).collect();
    assert_eq!(found, [("Z6", Some("faults.does-not-start.bake-time"))]);
    assert_eq!((left_of(&record.run), record.residue), (Vec::<String>::new(), Vec::new()));
}

/// What is left standing is left alone by `clean` until it is named.
#[test]
fn a_kept_region_stands_until_it_is_cleaned_by_name() {
    let Some(_machine) = machine() else { return };
    let ended = Running::start(&["minimal", "--keep=10m"]).end();
    ended.expect_status(0);
    let run = ended.record().run;
    let clean = |arguments: &[&str]| {
        let output =
            assert_cmd::Command::cargo_bin("blackstart").expect("it was built").arg("clean").args(arguments).output();
        String::from_utf8(output.expect("it ends").stdout).expect("UTF-8")
    };
    let told = clean(&["--dry-run"]);
    assert!(told.contains(&format!("blackstart clean {run}")), "{told}");
    assert!(left_of(&run).iter().any(|row| row.starts_with("container")), "it stands");
    clean(&[&run]);
    assert_eq!(left_of(&run), Vec::<String>::new());
}
