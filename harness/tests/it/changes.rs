//! Owns the claims about pushes and deployments in virtual time: who is harmed, when a rollout stops, and what is blamed.
//! Refuses to start containers.

use harness::explore::file;
use harness::explore::repair::{self, Confirmation};
use harness::load::{self, Loaded};
use harness::twin::{self, Played};
use reports::timeline::line;
use scenarios::event::{Act, Detail};
use scenarios::judgement::InvariantResult;
use scenarios::traffic::{Tally, windows};
use scenarios::verdict::Verdict;
use std::collections::BTreeMap;

const SEEDS: std::ops::Range<u64> = 1..11;

fn day(name: &str) -> Loaded {
    load::scenario(name, false).expect("it loads")
}

fn play(loaded: &mut Loaded, seed: u64) -> Played {
    twin::play(loaded, seed).expect("it plays")
}

/// A day like a built-in one, with something in its file said otherwise.
fn other(name: &str, from: &str, to: &str) -> Loaded {
    let text = scenarios::builtin::scenario(name).expect("it is built in").text;
    let changed = text.replace(from, to);
    assert_ne!(changed, text, "the file says it in other words");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(format!("{name}.toml"));
    std::fs::write(&path, changed).expect("it is written");
    load::scenario(path.to_str().expect("UTF-8"), false).unwrap_or_else(|bad| panic!("{}", bad.text))
}

fn z6(played: &Played) -> &InvariantResult {
    played.judgement.invariants.iter().find(|result| result.id == "Z6").expect("it is judged")
}

/// Requests that failed since the first change began, by zone.
fn failed(played: &Played) -> BTreeMap<String, u64> {
    let all = windows(&played.events, false);
    let begun_ns = done(played, Act::Inject)[0].1;
    let mut failed: BTreeMap<String, u64> = BTreeMap::new();
    for window in all.iter().filter(|window| window.end_ns > begun_ns) {
        *failed.entry(window.zone.to_string()).or_default() += window.failures();
    }
    failed
}

/// Steps that were carried out, with their times in nanoseconds.
fn done(played: &Played, wanted: Act) -> Vec<(String, u64)> {
    let step = |event: &scenarios::event::Event| match &event.detail {
        Detail::StepDone { step, act, what, .. } if *act == wanted && !what.is_empty() => {
            Some((step.clone(), event.t_ns))
        }
        _ => None,
    };
    played.events.iter().filter_map(step).collect()
}

#[test]
fn a_bad_push_to_all_zones_takes_everybody_down_and_is_blamed_for_it() {
    for seed in SEEDS {
        let mut loaded = day("bad-push");
        let played = play(&mut loaded, seed);
        let verdicts: Vec<(&str, Verdict)> =
            played.judgement.invariants.iter().map(|one| (one.id.as_str(), one.verdict)).collect();
        let expected =
            [("Z1", Verdict::NotJudged), ("S5", Verdict::Held), ("R1", Verdict::Held), ("Z6", Verdict::Violated)];
        for one in expected {
            assert!(verdicts.contains(&one), "seed {seed}: {verdicts:?}");
        }
        // Six seconds at 25 requests a second, all of them.
        assert!(failed(&played).values().all(|failed| (140..=160).contains(failed)), "{:?}", failed(&played));
        let finding = &played.judgement.findings[0];
        assert_eq!(finding.setting.as_deref(), Some("faults.bad-push.bake-time"));
        assert_eq!(finding.text, "the push `bad-push` of `api` was made in all zones at once");
        assert_eq!(finding.affected.len(), 3);
        let confirmed = repair::confirm(&loaded, seed, finding).expect("it plays");
        assert_eq!(confirmed, Confirmation::Confirmed, "one zone at a time with a guard it is held");
    }
}

#[test]
fn a_bad_push_from_zone_to_zone_stops_in_the_first_and_is_rolled_back() {
    for seed in SEEDS {
        let played = play(&mut day("bad-push-by-zone"), seed);
        assert_eq!(played.judgement.verdict, Verdict::Held, "seed {seed}: {:?}", played.judgement);
        assert_eq!(z6(&played).verdict, Verdict::Held, "{}", z6(&played).reason);
        let (begun, ended) = (done(&played, Act::Inject), done(&played, Act::Heal));
        let ids = |steps: &[(String, u64)]| steps.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&begun), ["r0.bad-push.az1.inject"]);
        assert_eq!(ids(&ended), ["r0.bad-push.az1.heal"]);
        // A second to get over the change, then four windows of half a second, whenever they begin.
        let took_ms = (ended[0].1 - begun[0].1) / 1_000_000;
        assert!((3_000..=3_600).contains(&took_ms), "seed {seed}: rolled back after {took_ms} ms");
        let failed = failed(&played);
        assert!(failed["az1"] > 50, "{failed:?}");
        assert_eq!((failed["az2"], failed["az3"]), (0, 0), "seed {seed}");
        let stopped = played.events.iter().find_map(|event| match &event.detail {
            Detail::RolloutStopped { left_out, .. } => Some((left_out.clone(), line(event).expect("it is told"))),
            _ => None,
        });
        let (left_out, told) = stopped.expect("it is stopped");
        assert_eq!(left_out, ["r0.bad-push.az2.inject", "r0.bad-push.az3.inject"]);
        assert!(told.contains("bad-push goes to no further zone and is rolled back: az1: 0 of "), "{told}");
        let told: Vec<String> = played.events.iter().filter_map(line).collect();
        assert!(told.iter().any(|line| line.contains("push of 1 host begins: bad-push.az1")), "{told:#?}");
        assert!(told.iter().any(|line| line.contains("push of 1 host is rolled back: bad-push.az1")), "{told:#?}");
    }
}

#[test]
fn without_its_guard_it_goes_on_and_that_is_blamed() {
    let mut loaded = other("bad-push-by-zone", ", stop-on-failure = true", "");
    let played = play(&mut loaded, 7);
    assert_eq!(z6(&played).verdict, Verdict::Violated, "{}", z6(&played).reason);
    assert_eq!(done(&played, Act::Inject).len(), 3);
    let finding = played.judgement.findings.iter().find(|finding| finding.invariant == "Z6").expect("it is found");
    assert_eq!(finding.setting.as_deref(), Some("faults.bad-push.stop-on-failure"));
    assert_eq!(repair::confirm(&loaded, 7, finding).expect("it plays"), Confirmation::Confirmed);
}

#[test]
fn a_version_that_does_not_start_crashes_until_it_is_rolled_back() {
    for seed in SEEDS {
        let played = play(&mut day("bad-deploy"), seed);
        assert_eq!(z6(&played).verdict, Verdict::Violated, "{}", z6(&played).reason);
        let of_healed = |id: &str| ["S5", "R1"].contains(&id);
        let healed = played.judgement.invariants.iter().filter(|one| of_healed(&one.id));
        assert!(healed.clone().count() == 2 && healed.clone().all(|one| one.verdict == Verdict::Held), "seed {seed}");
        let crashes = played.events.iter().filter(|event| match &event.detail {
            Detail::Host { note, .. } => note.contains("exit status 70"),
            _ => false,
        });
        // Three instances; pauses of 100 ms that double up to 1.6 s leave room for about seven starts in six seconds.
        let crashes = crashes.count();
        assert!((15..=27).contains(&crashes), "seed {seed}: {crashes} crashes");
    }
}

#[test]
fn a_good_version_reaches_every_zone_and_harms_nobody_for_long() {
    for seed in SEEDS {
        let played = play(&mut day("good-deploy"), seed);
        assert_eq!(played.judgement.verdict, Verdict::Held, "seed {seed}: {:?}", played.judgement);
        assert_eq!(z6(&played).verdict, Verdict::Held, "{}", z6(&played).reason);
        assert_eq!((done(&played, Act::Inject).len(), done(&played, Act::Heal).len()), (3, 3));
        let all = windows(&played.events, false);
        let tally = Tally::of(&all);
        assert!(tally.answered() * 100 >= tally.sent * 98, "seed {seed}: {} of {}", tally.answered(), tally.sent);
    }
}

#[test]
fn a_change_that_reaches_nobody_is_named_and_nothing_is_judged_on_it() {
    for kind in ["push", "deploy"] {
        let change =
            format!("{kind} = {{ service = \"api\", set = {{ work = \"2ms\" }}, zones = [\"az1\"] }}\nat = \"2s\"");
        let dark = "\n[[faults]]\nname = \"az1-dark\"\npower-off = { zones = [\"az1\"] }\nlasts = \"6s\"";
        let from = "push = { service = \"api\", set = { fails = true } }\nlasts = \"6s\"";
        let mut loaded = other("bad-push", from, &format!("{change}\nlasts = \"4s\"\n{dark}"));
        let judgement = play(&mut loaded, 7).judgement;
        let told: Vec<&str> = judgement.inconclusive.iter().map(|reason| reason.text.as_str()).collect();
        assert!(told.iter().any(|text| text.starts_with("the fault `bad-push` had no effect: no process")), "{told:?}");
    }
}

#[test]
fn pushes_and_deployments_can_be_written_and_read_back() {
    let all = "work = \"2ms\", capacity = \"50/s\", fails = true, calls = [{ to = \"store\", timeout = \"50ms\", \
               attempts = 3, strength = \"soft\" }]";
    let folder = tempfile::tempdir().expect("a folder");
    let days = [
        day("bad-push"),
        day("bad-deploy"),
        day("good-deploy"),
        other("bad-push-by-zone", "fails = true", all),
        other("bad-push", "fails = true }", "calls = [{ to = \"store\", attempts = 1 }] }, zones = [\"az2\", \"az3\"]"),
    ];
    for loaded in days {
        let path = file::write(&loaded, "written", folder.path(), "why").expect("it is written");
        let again = load::scenario(&path.display().to_string(), false).unwrap_or_else(|bad| panic!("{}", bad.text));
        assert_eq!(again.scenario.faults, loaded.scenario.faults);
    }
}
