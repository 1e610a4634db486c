//! Owns the claims about services with state in virtual time: what a defect of each costs, and that its repaired twin
//! does not. Refuses to start containers.

use harness::explore::Culprit;
use harness::explore::repair::{self, Confirmation};
use harness::{load, twin};
use scenarios::event::Detail;
use scenarios::verdict::Verdict;

/// A defect with the culprit that must be found, beside its twin.
const PAIRS: [(&str, [&str; 3]); 6] = [
    ("quorum-in-one-zone", ["Z1", "store", "services.store.replication"]),
    ("early-quorum", ["A1", "store", "services.store.acknowledge"]),
    ("cold-cache", ["R5", "cache", "services.cache.cache"]),
    ("stale-queue", ["R3", "orders", "services.orders.backlog"]),
    ("frozen-control", ["Z1", "api", "services.api.calls.capacity"]),
    ("shift-stuck", ["Z8", "api", "services.api.calls.store.attempts"]),
];
const SEEDS: [u64; 5] = [1, 7, 23, 99, 1_234];

#[test]
fn each_defect_of_a_store_is_found_and_its_twin_is_held() {
    for (name, culprit) in PAIRS {
        for seed in SEEDS {
            let mut loaded = load::scenario(name, false).expect("it loads");
            let judgement = twin::play_unlogged(&mut loaded, seed).expect("it plays").judgement;
            assert_eq!(judgement.verdict, Verdict::Violated, "{name}, seed {seed}: {:?}", judgement.inconclusive);
            let found: Vec<[String; 3]> = Culprit::all(&judgement)
                .into_iter()
                .map(|(culprit, _)| [culprit.invariant, culprit.service, culprit.setting])
                .collect();
            assert!(found.contains(&culprit.map(str::to_owned)), "{name}, seed {seed}: {found:?}");
            let twin = format!("{name}-repaired");
            let mut loaded = load::scenario(&twin, false).expect("it loads");
            let judgement = twin::play_unlogged(&mut loaded, seed).expect("it plays").judgement;
            assert_eq!(judgement.verdict, Verdict::Held, "{twin}, seed {seed}: {:#?}", judgement.findings);
        }
    }
}

#[test]
fn each_culprit_is_confirmed_by_repairing_only_it() {
    for (name, [invariant, service, setting]) in PAIRS {
        let mut loaded = load::scenario(name, false).expect("it loads");
        let findings = twin::play_unlogged(&mut loaded, 7).expect("it plays").judgement.findings;
        let wanted = |finding: &&scenarios::judgement::Finding| {
            finding.invariant == invariant
                && finding.service.as_str() == service
                && finding.setting.as_deref() == Some(setting)
        };
        let finding = findings.iter().find(wanted).expect("it is found");
        assert_eq!(repair::confirm(&loaded, 7, finding).expect("it plays"), Confirmation::Confirmed, "{name}");
    }
}

/// Zone loss and cuts, seed by seed: whatever the store answered fits one order, and something was asked of it meanwhile.
#[test]
fn a_replicated_store_is_linearizable_under_zone_loss_and_cuts() {
    for name in ["early-quorum-repaired", "quorum-in-one-zone-repaired"] {
        for seed in 0..25 {
            let mut loaded = load::scenario(name, false).expect("it loads");
            let judgement = twin::play_unlogged(&mut loaded, seed).expect("it plays").judgement;
            let a3 = judgement.invariants.iter().find(|result| result.id == "A3").expect("it is asked for");
            assert_eq!(a3.verdict, Verdict::Held, "{name}, seed {seed}: {}", a3.reason);
        }
    }
}

/// What a service without mutating calls on its way gives its customers does not change with a frozen control plane.
#[test]
fn a_frozen_control_plane_changes_nothing_for_those_who_do_not_lean_on_it() {
    let canaries = |frozen: bool| {
        let mut loaded = load::scenario("frozen-control-repaired", false).expect("it loads");
        loaded.scenario.faults.retain(|fault| fault.name == "az1-dark" || frozen);
        for service in &mut loaded.graph.services {
            service.calls.retain(|call| call.to.as_str() != "capacity");
        }
        let played = twin::play_unlogged(&mut loaded, 7).expect("it plays");
        assert_eq!(played.judgement.verdict, Verdict::Held, "{:#?}", played.judgement.invariants);
        let window = |event: &scenarios::event::Event| match &event.detail {
            Detail::Canary { control: false, sent, ok, degraded, .. } => Some((*sent, *ok, *degraded)),
            _ => None,
        };
        played
            .events
            .iter()
            .filter_map(window)
            .fold((0, 0, 0), |sum, window| (sum.0 + window.0, sum.1 + window.1, sum.2 + window.2))
    };
    let (with, without) = (canaries(true), canaries(false));
    let share = |(sent, ok, _): (u64, u64, u64)| ok * 1_000 / sent;
    assert!(share(with).abs_diff(share(without)) <= 5, "thousandths answered in full: {with:?} and {without:?}");
    assert_eq!((with.2, without.2), (0, 0));
}

/// The tap sees every call to what changes something, also those that are refused.
#[test]
fn the_tap_of_a_control_plane_sees_every_call() {
    let mut loaded = load::scenario("frozen-control", false).expect("it loads");
    let played = twin::play_unlogged(&mut loaded, 7).expect("it plays");
    let (mut calls, mut refused) = (0, 0);
    for event in &played.events {
        if let Detail::Tap { operation, calls: seen, refused: of_them } = &event.detail {
            assert_eq!(operation, "allocate");
            (calls, refused) = (calls + seen, refused + of_them);
        }
    }
    assert!(refused > 50 && calls > refused, "{calls} calls, {refused} refused");
}

/// Overload is bad while it lasts, and over when it is over.
#[test]
fn a_surge_is_sent_in_full_and_leaves_nothing_behind() {
    let mut loaded = load::scenario("surge", false).expect("it loads");
    let played = twin::play_unlogged(&mut loaded, 7).expect("it plays");
    assert_eq!(played.judgement.verdict, Verdict::Held, "{:#?}", played.judgement.invariants);
    let sent = played.events.iter().filter_map(|event| match &event.detail {
        Detail::Canary { control: false, sent, .. } => Some(*sent),
        _ => None,
    });
    let sent: Vec<u64> = sent.collect();
    let (usual, most) = (sent[sent.len() / 8], sent.iter().max().copied().unwrap_or_default());
    assert!((usual * 5..=usual * 6 + 6).contains(&most), "{usual} in a window, and {most} at most");
}
