//! Claims about game-day files with several mistakes: none hides another, none brings a false complaint with it.

use super::world;
use fixtures::diagnostic::Source;
use scenarios::bind::{bind, region_of, unknown_names};
use scenarios::load::load_scenario;

const HEAD: &str = "name = \"day\"\ntopology = \"us-test-1\"\ngraph = \"minimal\"\n";

fn source(text: &str) -> Source {
    Source { name: "day.toml".to_owned(), text: text.to_owned() }
}

/// A fault in five lines.
fn fault(name: &str, kind: &str, first: &str, second: &str) -> String {
    format!("[[faults]]\nname = \"{name}\"\n{kind}\n{first}\n{second}\n")
}

/// Codes and lines of what is wrong with these faults; the first begins in line 4.
fn told(faults: &[String]) -> Vec<(&'static str, usize)> {
    let found = load_scenario(&source(&format!("{HEAD}{}", faults.concat()))).expect_err("wrong on purpose");
    found.iter().map(|one| (one.code, one.line)).collect()
}

#[test]
fn a_wrong_value_in_one_fault_does_not_hide_that_another_has_none() {
    let faults = [fault("one", "pause = {}", "lasts = 5", ""), fault("two", "pause = {}", "", "")];
    assert_eq!(told(&faults), [("wrong-type", 7), ("missing-key", 9)]);
    let faults = [fault("one", "pause = {}", "", ""), fault("two", "pause = {}", "lasst = \"5s\"", "")];
    assert_eq!(told(&faults), [("missing-key", 4), ("unknown-key", 12)]);
}

#[test]
fn a_wrong_key_elsewhere_does_not_hide_a_fault_that_does_nothing() {
    let faults = [
        fault("one", "", "lasts = \"5s\"", ""),
        fault("two", "pause = {}", "lasts = \"5s\"", "wihtin = \"1s\""),
        "[windows]\nqueit = \"5s\"\n".to_owned(),
    ];
    assert_eq!(told(&faults), [("no-fault-kind", 4), ("unknown-key", 13), ("unknown-key", 15)]);
}

#[test]
fn a_broken_fault_leaves_the_order_of_others_judged() {
    let broken = fault("one", "pause = {}", "lasts = 5", "");
    let faults = [broken.clone(), fault("two", "pause = {}", "lasts = \"5s\"", "after = \"tree\"")];
    assert_eq!(told(&faults), [("wrong-type", 7), ("unknown-fault", 13)]);
    let circle = [
        broken,
        fault("two", "pause = {}", "lasts = \"5s\"", "after = \"three\""),
        fault("three", "pause = {}", "lasts = \"5s\"", "after = \"two\""),
    ];
    assert_eq!(told(&circle), [("wrong-type", 7), ("after-cycle", 13), ("after-cycle", 18)]);
    let event = "after = { service = \"store\", becomes = \"active\" }";
    let alone = [fault("one", "pause = {}", "lasts = 5", event)];
    assert_eq!(told(&alone), [("wrong-type", 7), ("trigger-alone", 8)]);
}

#[test]
fn a_fault_that_is_there_with_mistakes_can_be_waited_for() {
    let broken = fault("one", "pause = {}", "lasts = 5", "");
    let faults = [broken, fault("two", "pause = {}", "lasts = \"5s\"", "after = \"one\"")];
    assert_eq!(told(&faults), [("wrong-type", 7)]);
}

#[test]
fn a_misspelt_kind_is_all_that_is_told() {
    assert_eq!(told(&[fault("one", "kil = {}", "", "")]), [("unknown-key", 6)]);
    let fault = fault("one", "power-off = 5", "lasts = \"5s\"", "");
    assert_eq!(told(&[fault]), [("wrong-type", 6)]);
}

#[test]
fn every_kind_too_much_is_told() {
    let fault = fault("one", "pause = {}", "kill = {}", "exit = {}");
    assert_eq!(told(&[fault]), [("two-fault-kinds", 7), ("two-fault-kinds", 8)]);
}

#[test]
fn a_wrong_time_is_no_reason_to_complain_of_recovery() {
    let dark = fault("dark", "power-off = { zones = [\"az1\"] }", "lasts = \"10s\"", "");
    let late = |at: &str, rest: &str| fault("late", "pause = {}", at, rest);
    assert_eq!(told(&[dark.clone(), late("at = 41", "lasts = \"5s\"")]), [("wrong-type", 12)]);
    let windows = "[windows]\nrecovery = 5\n".to_owned();
    assert_eq!(told(&[dark, late("at = \"20s\"", "lasts = \"5s\""), windows]), [("wrong-type", 15)]);
}

#[test]
fn types_are_named_in_the_words_of_the_file() {
    for (kind, words) in [
        ("pause = 5", "invalid type: integer `5`, expected a table"),
        ("pause = { zones = \"az1\" }", "invalid type: string \"az1\", expected a list"),
        (
            "pause = {}\nevery = \"9s\"\ntimes = -1",
            "invalid value: integer `-1`, expected a whole number that is not negative",
        ),
        ("boot = { never = \"yes\" }", "invalid type: string \"yes\", expected `true` or `false`"),
    ] {
        let text = format!("{HEAD}{}", fault("one", kind, "lasts = \"5s\"", ""));
        let found = load_scenario(&source(&text)).expect_err("wrong on purpose");
        assert_eq!(found.iter().map(|one| one.message.as_str()).collect::<Vec<_>>(), [words], "{kind}");
    }
}

#[test]
fn names_that_stand_for_nothing_are_told_of_a_file_with_other_mistakes() {
    let faults = fault("one", "pause = { zones = [\"az9\"], services = [\"stor\"] }", "lasts = 5", "");
    let text = source(&format!("{HEAD}{faults}"));
    assert_eq!(region_of(&text), Some(("us-test-1".to_owned(), "minimal".to_owned())));
    let found = unknown_names(&text, &world::topology(), &world::world_graph("minimal"));
    assert_eq!(found.iter().map(|one| one.code).collect::<Vec<_>>(), ["unknown-zone", "unknown-service"]);
}

#[test]
fn one_kind_does_not_hold_the_same_hosts_twice_at_a_time() {
    let bound = |first: &str, second: &str, at: &str| {
        let first = fault("one", first, "lasts = \"10s\"", "");
        let second = fault("two", second, "lasts = \"10s\"", at);
        let text = source(&format!("{HEAD}{first}{second}"));
        let (scenario, _) = load_scenario(&text).unwrap_or_else(|errors| panic!("{errors:#?}"));
        let found = bind(&scenario, &text, &world::topology(), &world::world_graph("minimal"));
        found.iter().map(|one| (one.code, one.line)).collect::<Vec<_>>()
    };
    let (all, az1, az2) = ("pause = {}", "pause = { zones = [\"az1\"] }", "pause = { zones = [\"az2\"] }");
    assert_eq!(bound(all, az1, ""), [("fault-twice", 11)]);
    assert_eq!(bound("disk-full = {}", "disk-full = { zones = [\"az2\"] }", ""), [("fault-twice", 11)]);
    assert_eq!(bound("pause = { share = \"10%\" }", az1, ""), [("fault-twice", 11)], "the seed may choose it");
    for (second, at) in [(az2, ""), (az1, "at = \"40s\""), (az1, "after = \"one\""), ("memory = { fill = \"9%\" }", "")]
    {
        assert_eq!(bound(az1, second, at), [], "{second} {at}");
    }
}
