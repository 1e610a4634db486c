//! Owns the claims about invariants in both directions, in virtual time: each defect is found with the right culprit, with
//! self-reports and without, also with exchanged names, and confirmed by repair; each twin is held; healthy regions are
//! found fault with by nothing. Refuses to start containers.

use harness::load;
use harness::matrix::pairs::{HEALTHY, Pair, all};
use harness::matrix::{Row, healthy, row, shuffle};
use harness::twin;
use scenarios::customers::Traffic;
use scenarios::judge::{RETRY_SETTING, catalogue};
use scenarios::verdict::Verdict;
use std::collections::BTreeSet;

/// Seeds of each pair here; `blackstart matrix` plays a hundred.
const SEEDS: u64 = 20;

#[track_caller]
fn right(invariants: &[&str]) {
    let wanted = |pair: &Pair| pair.expected.iter().any(|one| invariants.contains(&one.invariant));
    let pairs: Vec<Pair> = all().into_iter().filter(wanted).collect();
    assert!(!pairs.is_empty(), "{invariants:?} have no pair");
    for pair in pairs {
        for row in row(&pair, 1..1 + SEEDS).expect("it plays") {
            assert!(row.is_right(), "{}: {row:#?}", pair.scenario);
            assert_eq!((row.found.all, row.named.all, row.held.all), (3 * SEEDS, 3 * SEEDS, 3 * SEEDS));
        }
    }
}

#[test]
fn starts_are_judged_rightly_in_both_directions() {
    right(&["S1", "S2", "S4", "S5", "S6", "S7", "S8", "S9"]);
}

#[test]
fn healing_is_judged_rightly_in_both_directions() {
    right(&["S3", "R1", "R2", "R3"]);
}

#[test]
fn zones_are_judged_rightly_in_both_directions() {
    right(&["Z1", "Z2", "Z3", "Z4", "Z5", "Z6", "Z7", "Z8", "Z9"]);
}

#[test]
fn dependencies_are_judged_rightly_in_both_directions() {
    right(&["D1", "D2", "D3", "D4", "D5", "D6", "D7", "D8", "D9", "O1", "O2", "O3"]);
}

#[test]
fn data_is_judged_rightly_in_both_directions() {
    right(&["A1", "A2", "A3", "A4", "A5"]);
}

#[test]
fn every_invariant_has_a_defect_and_a_twin() {
    let paired: BTreeSet<&str> = all().iter().flat_map(|pair| pair.expected.iter().map(|one| one.invariant)).collect();
    let known: BTreeSet<&str> = catalogue().iter().map(|entry| entry.id).collect();
    assert_eq!(paired, known);
}

#[test]
fn nothing_finds_fault_with_healthy_regions() {
    let mut judged = BTreeSet::new();
    for scenario in HEALTHY {
        let found = healthy(scenario, 1..6).expect("it plays");
        assert!(found.clean.is_whole() && found.clean.all == 10, "{found:?}");
        judged.extend(found.judged);
    }
    // The twins show the others.
    for id in ["Z1", "S5", "A1", "R1", "S2", "S3", "Z2", "Z3", "Z4", "Z5"] {
        assert!(judged.contains(id), "{id} was held in no healthy scenario: {judged:?}");
    }
}

/// A twin differs from its defect in one setting, whatever its title and comment say.
#[test]
fn twins_differ_in_the_repair_alone() {
    for pair in all() {
        let (defect, twin) = (load::scenario(pair.scenario, false), load::scenario(&pair.twin(), false));
        let (defect, twin) = (defect.expect("it loads"), twin.expect("it loads"));
        assert_eq!(defect.scenario.invariants, twin.scenario.invariants, "{}", pair.scenario);
        if pair.expected.iter().all(|one| one.setting.starts_with("faults.")) {
            assert_eq!(defect.graph, twin.graph, "{}", pair.scenario);
            let names = |loaded: &load::Loaded| -> Vec<String> {
                loaded.scenario.faults.iter().map(|fault| fault.name.clone()).collect()
            };
            assert_eq!(names(&defect), names(&twin), "{}", pair.scenario);
            assert_ne!(defect.scenario.faults, twin.scenario.faults, "{}", pair.scenario);
            continue;
        }
        assert_eq!(defect.scenario.faults, twin.scenario.faults, "{}", pair.scenario);
        let differing: Vec<&str> = defect
            .graph
            .services
            .iter()
            .zip(&twin.graph.services)
            .filter(|(left, right)| left != right)
            .map(|(left, _)| left.name.as_str())
            .collect();
        if pair.expected.iter().all(|one| one.setting == RETRY_SETTING) {
            assert_eq!((differing, &defect.graph), (Vec::new(), &twin.graph), "{}", pair.scenario);
            let retry = twin.scenario.traffic.retry;
            assert_ne!(retry, defect.scenario.traffic.retry, "{}", pair.scenario);
            assert_eq!(twin.scenario.traffic, Traffic { retry, ..defect.scenario.traffic }, "{}", pair.scenario);
            continue;
        }
        // What all services share is repaired in none of them.
        if pair.expected.iter().all(|one| !one.setting.starts_with("services.")) {
            let shared = |graph: &fixtures::graph::Graph| (graph.names.clone(), graph.telemetry.clone());
            assert_eq!(differing, Vec::<&str>::new(), "{}", pair.scenario);
            assert_ne!(shared(&defect.graph), shared(&twin.graph), "{}", pair.scenario);
            continue;
        }
        let blamed: Vec<&str> = pair.expected.iter().map(|one| one.service.as_str()).collect();
        // Of roblox-2021 the monitoring is repaired as well: it is the tool of the cluster that it watches.
        let also = if pair.scenario == "roblox-2021" { &["telemetry"][..] } else { &[] };
        let fits = differing.iter().all(|name| blamed.contains(name) || also.contains(name));
        assert!(!differing.is_empty() && fits, "{}: {differing:?}", pair.scenario);
    }
}

#[test]
fn names_are_really_exchanged_and_nothing_else_is() {
    let plain = load::scenario("slack-2021", false).expect("it loads");
    let mut differ = 0;
    for seed in 0..8 {
        let (shuffled, names) = shuffle::shuffled("slack-2021", seed).expect("it shuffles");
        let named = |name: &str| names.of(name);
        for (before, after) in plain.graph.services.iter().zip(&shuffled.graph.services) {
            assert_eq!(named(before.name.as_str()), after.name.as_str());
            let kinds = |service: &fixtures::graph::Service| {
                service.needs.iter().map(|need| need.kind.to_string()).collect::<Vec<_>>()
            };
            assert_eq!(kinds(before), kinds(after));
            differ += usize::from(before.name != after.name);
        }
        assert_eq!(names.of_setting("services.web.calls.backend.timeout").split('.').count(), 5);
    }
    assert!(differ > 8, "{differ} names were exchanged");
}

/// A run too short to show something says so, and what would: one of each family.
#[test]
fn a_run_too_short_is_not_judged_and_says_what_would_do() {
    let short = [
        ("gives-up", "S8", "settings-stay-dark", 5_u64),
        ("small-store", "Z1", "store-dark", 3),
        ("one-attempt", "Z4", "az1-dark", 2),
        ("soft-in-name", "D1", "profiles-dark", 2),
        ("slack-2021", "D6", "backend-dark", 2),
        ("google-2020", "D8", "quota-dark", 1),
        ("no-seeds", "S7", "names-dark", 4),
        ("hammers", "R2", "nothing-granted", 4),
        ("stale-queue", "R3", "workers-stall", 2),
        ("shared-workers", "D4", "archive-hangs", 2),
        ("fails-closed", "D5", "accounts-dark", 4),
        ("believes-empty", "S6", "names-empty", 2),
        ("stops-renewing", "S9", "certificates-dark", 4),
        ("silence-is-well", "O1", "az1-dark", 4),
        ("watched-from-inside", "O2", "az1-dark", 4),
        ("blind-recovery", "O3", "telemetry-dark", 12),
        ("shift-stuck", "Z8", "away-from-az1", 2),
        ("averaged-alarms", "Z7", "az1-gray", 4),
    ];
    for (scenario, invariant, fault, seconds) in short {
        let mut loaded = load::scenario(scenario, false).expect("it loads");
        let fault = loaded.scenario.faults.iter_mut().find(|one| one.name == fault).expect("it has the fault");
        fault.lasts = std::time::Duration::from_secs(seconds);
        let judgement = twin::play_unlogged(&mut loaded, 7).expect("it plays").judgement;
        let result = judgement.invariants.iter().find(|result| result.id == invariant).expect("it is judged");
        assert_eq!(result.verdict, Verdict::NotJudged, "{scenario}: {}", result.reason);
        let told = result.reason.chars().any(|letter| letter.is_ascii_digit());
        assert!(told && (result.reason.contains("would")), "{scenario}: {}", result.reason);
    }
}

/// The committed table is what comes out, but for the number of seeds and the seconds.
#[test]
fn the_committed_table_is_true() {
    let path = format!("{}/figures/matrix.txt", env!("CARGO_MANIFEST_DIR"));
    let committed = std::fs::read_to_string(path).expect("it is committed");
    let row_of = |line: &str| -> Option<(String, String, String, String)> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let counts = words.get(3..7)?;
        let whole = counts.iter().all(|count| count.split_once('/').is_some_and(|(right, all)| right == all));
        let word = |at: usize| words.get(at).map(|word| (*word).to_owned());
        whole.then_some((word(0)?, word(1)?, word(2)?, words.get(8..)?.join(" ")))
    };
    let told: BTreeSet<_> = committed.lines().filter_map(row_of).collect();
    let mut found = BTreeSet::new();
    for pair in all() {
        for row in row(&pair, 1..2).expect("it plays") {
            let Row { invariant, scenario, culprit, .. } = &row;
            let word = if row.is_right() { "right" } else { "WRONG" };
            found.insert(((*invariant).to_owned(), scenario.clone(), word.to_owned(), culprit.clone()));
        }
    }
    assert_eq!(told, found);
}
