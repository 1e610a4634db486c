//! Claims about what customers send: how a file says it, every mistake in that, and how several operations are judged.

use super::loading;
use super::world::{World, graph, of, topology};
use fixtures::diagnostic::{Diagnostic, Source};
use fixtures::name::ZoneName;
use scenarios::bind::{bind, unknown_names};
use scenarios::customers::Retry;
use scenarios::event::{Asked, Phase};
use scenarios::load::load_scenario;
use scenarios::scenario::Scenario;
use scenarios::verdict::Verdict;
use std::collections::BTreeMap;
use std::time::Duration;

/// The smallest game day, in nine lines; what a test adds begins in the tenth.
fn source(more: &str) -> Source {
    loading::source(&format!("{}\n{more}", loading::GOOD))
}

#[track_caller]
fn right(more: &str) -> Scenario {
    load_scenario(&source(more)).unwrap_or_else(|errors| panic!("{errors:#?}")).0
}

fn told(found: &[Diagnostic]) -> Vec<(&str, usize)> {
    found.iter().map(|one| (one.code, one.line)).collect()
}

#[track_caller]
fn wrong(more: &str, expected: &[(&str, usize)]) -> Vec<Diagnostic> {
    let found = load_scenario(&source(more)).expect_err("wrong on purpose");
    assert_eq!(told(&found), expected, "{more}: {found:#?}");
    found
}

fn zone(name: &str) -> ZoneName {
    ZoneName::new(name).expect("a name")
}

const MIX: &str = r#"[[traffic.mix]]
operation = "show"
share = "80%"
[[traffic.mix]]
operation = "buy"
share = "20%"
[[traffic.mix]]
operation = "pay"
share = "100%"
zones = ["az1"]
"#;

#[test]
fn a_mix_is_that_of_the_zone_or_that_of_all_others() {
    let traffic = right(MIX).traffic;
    let mix = |name: &str| traffic.mix_of(&zone(name)).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(mix("az1"), ["pay 100% in az1"]);
    assert_eq!(mix("az2"), ["show 80%", "buy 20%"]);
    let inline =
        "[traffic]\nmix = [{ operation = \"show\", share = \"80%\" }, { operation = \"buy\", share = \"20%\" }]\n";
    assert_eq!(right(inline).traffic.mix, traffic.mix[..2]);
    assert!(right("").traffic.mix_of(&zone("az1")).is_empty(), "the entry's operation alone");
}

#[test]
fn every_mistake_in_a_mix_is_told_with_its_place() {
    let short = wrong(&MIX.replace("\"20%\"", "\"15%\""), &[("shares", 10)]);
    let text = "the shares of customers in zones that no portion names add up to 95%, not to 100%";
    assert_eq!(short[0].message, text);
    let zones =
        wrong(&MIX.replace("\"100%\"", "\"90%\"").replace("[\"az1\"]", "[\"az1\", \"az3\"]"), &[("shares", 16)]);
    assert!(zones[0].message.contains("az1 and az3 add up to 90%"), "{}", zones[0].message);
    wrong(&MIX.replace("\"buy\"", "\"show\""), &[("duplicate-operation", 13)]);
    wrong(&MIX.replace("share = \"20%\"", ""), &[("missing-key", 13)]);
    wrong(&MIX.replace("operation = \"buy\"", ""), &[("missing-key", 13)]);
    wrong(&MIX.replace("\"20%\"", "20"), &[("wrong-type", 15)]);
    wrong(&MIX.replace("\"20%\"", "\"120%\""), &[("bad-quantity", 15)]);
    wrong(&MIX.replace("\"80%\"", "\"100%\"").replace("\"20%\"", "\"0%\""), &[("too-small", 15)]);
    wrong(&MIX.replace("\"buy\"", "\"Buy it\""), &[("bad-name", 14)]);
    wrong(&MIX.replace("[\"az1\"]", "[]"), &[("empty-list", 19)]);
    wrong(&MIX.replace("share = \"20%\"", "shar = \"20%\""), &[("unknown-key", 15)]);
    wrong("[traffic]\nmix = []\n", &[("empty-list", 10)]);
    wrong("[traffic]\nmix = [5]\n", &[("wrong-type", 11)]);
}

#[test]
fn a_game_day_may_have_no_customers_of_ours_and_then_says_nothing_of_them() {
    assert!(right("[traffic]\ncanaries = false\nwrites = \"1/s\"\n").traffic.is_silent());
    assert!(!right("[traffic]\ncanaries = true\n").traffic.is_silent());
    let text = "[traffic]\ncanaries = false\nrate = \"5/s\"\nretry = { attempts = 2 }\n";
    wrong(text, &[("nobody-asks", 12), ("nobody-asks", 13)]);
    wrong("[traffic]\nrate = \"0/s\"\n", &[("bad-quantity", 11)]);
}

#[test]
fn mistakes_in_customers_hide_nothing_else() {
    let text =
        format!("{}[traffic.retry]\nattempts = 0\n[steady-state]\navailability = \"0%\"\n", &MIX.replace("20%", "5%"));
    wrong(&text, &[("shares", 10), ("zero", 21), ("availability-zero", 23)]);
}

#[test]
fn operations_and_zones_that_are_not_there_are_named_with_the_nearest() {
    let text = MIX.replace("\"show\"", "\"creat\"").replace("\"az1\"", "\"az9\"");
    let (topology, graph) = (topology(), graph(fixtures::builtin::graph("minimal").expect("built in")));
    let scenario = right(&text);
    let found = bind(&scenario, &source(&text), &topology, &graph);
    let expected =
        [("unknown-operation", 11), ("unknown-operation", 14), ("unknown-operation", 17), ("unknown-zone", 19)];
    assert_eq!(told(&found), expected);
    let offered = graph.service(&graph.entry.service).expect("it is there").operations[0].to_string();
    assert!(found[1].help.as_deref().is_some_and(|help| help.contains(&offered)), "{:?}", found[1].help);
    let near = MIX.replace("\"show\"", &format!("\"{}\"", &offered[1..]));
    let found = bind(&right(&near), &source(&near), &topology, &graph);
    assert_eq!(found[0].help, Some(format!("did you mean `{offered}`?")));
    // Also where the file has other mistakes.
    let text = source(&format!("{text}[windows]\nquiet = 5\n"));
    assert_eq!(told(&unknown_names(&text, &topology, &graph)), expected);
}

#[test]
fn retries_have_the_documented_defaults() {
    assert_eq!(right("").traffic.retry, Retry::ONCE);
    let retry = right("[traffic.retry]\n").traffic.retry;
    assert_eq!((retry.attempts, retry.timeout, retry.budget), (2, Some(Duration::from_secs(1)), None));
    assert_eq!(retry.backoff, Retry::BACKOFF);
    let three = right("[traffic]\ntimeout = \"1s\"\n[traffic.retry]\nattempts = 3\nbudget = \"10%\"\n").traffic;
    assert_eq!(three.retry.timeout, Some(Duration::from_millis(333)));
    assert_eq!(three.patience(), Duration::from_millis(333));
    assert_eq!(three.retry.budget, Some(Retry::BUDGET));
    assert_eq!(right("[traffic.retry]\nattempts = 1\n").traffic.patience(), Duration::from_secs(2));
}

#[test]
fn every_mistake_in_retries_is_told_with_its_place() {
    for (line, code) in [
        ("attempts = 0", "zero"),
        ("attempts = 21", "too-many"),
        ("attempts = \"3\"", "wrong-type"),
        ("timeout = \"0s\"", "zero"),
        ("timeout = \"3s\"", "retry-timeout"),
        ("timeout = \"1500us\"", "too-fine"),
        ("backoff = \"2s\"", "min-above-max"),
        ("cap = \"50ms\"", "min-above-max"),
        ("jitter = \"yes\"", "wrong-type"),
        ("budget = \"0%\"", "too-small"),
        ("budget = 10", "wrong-type"),
        ("atempts = 3", "unknown-key"),
    ] {
        wrong(&format!("[traffic.retry]\n{line}\n"), &[(code, 11)]);
    }
    wrong(
        "[traffic.retry]\nattempts = 0\nbackoff = \"2s\"\nbudget = \"0%\"\n",
        &[("zero", 11), ("min-above-max", 12), ("too-small", 13)],
    );
}

/// A world in which the operation `buy` in az2 fares like this in one phase, and all else is well.
fn world(wanted: Phase, sent: u64, ok: u64) -> World {
    let mut world = World::new("minimal");
    let concerns =
        move |zone: &ZoneName, phase: Phase, control: bool| !control && phase == wanted && zone.as_str() == "az2";
    world.customers = Box::new(move |zone, phase, control| {
        let lost = if concerns(zone, phase, control) { sent - ok } else { 0 };
        (100 - lost, if lost > 0 { vec![("missing:store", lost)] } else { Vec::new() }, 2_000)
    });
    world.operations = Box::new(move |zone, phase, control| {
        if control {
            return BTreeMap::new();
        }
        let lost = if concerns(zone, phase, control) { sent - ok } else { 0 };
        let failed = if lost > 0 { BTreeMap::from([("missing:store".to_owned(), lost)]) } else { BTreeMap::new() };
        let buy = Asked { sent, ok: sent - lost, failed, ..Asked::default() };
        let show = Asked { sent: 100 - sent, ok: 100 - sent, ..Asked::default() };
        BTreeMap::from([("buy".to_owned(), buy), ("show".to_owned(), show)])
    });
    world
}

/// 95 % are promised, and 96 % of all requests are answered: only each operation by itself shows that one has failed.
#[test]
fn an_operation_that_fails_is_not_hidden_by_the_others() {
    let judgement = world(Phase::Outage, 4, 0).judged();
    let z1 = of(&judgement, "Z1");
    assert_eq!(z1.verdict, Verdict::Violated, "{}", z1.reason);
    assert!(z1.reason.contains("az2: 0 of") && z1.reason.contains("requests for `buy`"), "{}", z1.reason);
    assert_eq!(judgement.findings[0].setting.as_deref(), Some("services.api.calls.store"), "what `buy` lacked");
    let r1 = world(Phase::Quiet, 4, 1).judged();
    assert_eq!(of(&r1, "R1").verdict, Verdict::Violated, "with enough samples a part is enough");
    assert_eq!(of(&world(Phase::Outage, 4, 4).judged(), "Z1").verdict, Verdict::Held);
}

/// Fewer samples than are needed are no proof against an operation, unless not one of them was answered.
#[test]
fn an_operation_with_few_samples_fails_only_when_nothing_is_answered() {
    let few = |answered: u64| {
        let mut world = world(Phase::Quiet, 2, answered);
        world.scenario.windows.quiet = Duration::from_millis(4_000);
        world.judged()
    };
    // Eight windows with two each: below the twenty that R1 needs.
    assert_eq!(of(&few(0), "R1").verdict, Verdict::Violated);
    assert_eq!(of(&few(1), "R1").verdict, Verdict::Held);
    let baseline = world(Phase::Baseline, 4, 0).judged();
    assert_eq!(baseline.inconclusive[0].code, "bad-baseline");
    assert!(baseline.inconclusive[0].text.contains("`buy`"), "{}", baseline.inconclusive[0].text);
}

#[test]
fn operations_and_attempts_are_measured() {
    let judgement = world(Phase::Outage, 4, 1).judged();
    let az2 = &judgement.measurements.availability[&zone("az2")];
    let buy = &az2["outage"].operations["buy"];
    assert_eq!((buy.answered() * 4, buy.failures() * 4), (buy.sent, buy.sent * 3));
    assert_eq!(az2["baseline"].operations["show"].failures(), 0);
    assert_eq!(az2["outage"].amplification(), None, "nothing was tried again");
    let again = scenarios::judgement::Availability { sent: 40, retries: 60, ..az2["outage"].clone() };
    assert_eq!(again.amplification(), Some(2.5));
}
