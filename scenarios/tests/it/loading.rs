//! Claims about game-day files.

use fixtures::diagnostic::{Diagnostic, Severity, Source};
use proptest::prelude::*;
use scenarios::bind::bind;
use scenarios::load::load_scenario;
use std::path::Path;

pub(super) const GOOD: &str = r#"
name = "day"
topology = "us-test-1"
graph = "minimal"
[[faults]]
name = "dark"
power-off = { zones = ["az1"] }
lasts = "10s"
"#;

pub(super) fn source(text: &str) -> Source {
    Source { name: "day.toml".to_owned(), text: text.to_owned() }
}

fn errors(text: &str) -> Vec<Diagnostic> {
    load_scenario(&source(text)).expect_err("wrong on purpose")
}

/// Codes and lines of what is wrong with a text.
#[track_caller]
fn check(text: &str, expected: &[(&str, usize)]) {
    let found = errors(text);
    let found: Vec<(&str, usize)> = found.iter().map(|diagnostic| (diagnostic.code, diagnostic.line)).collect();
    assert_eq!(found, expected);
}

fn fault(name: &str, rest: &str) -> String {
    format!("[[faults]]\nname = \"{name}\"\npower-off = {{}}\n{rest}\n")
}

#[test]
fn every_built_in_game_day_loads_and_binds() {
    for name in scenarios::builtin::scenario_names() {
        let text = scenarios::builtin::scenario(name).expect("built in");
        let (scenario, warnings) = load_scenario(&text).unwrap_or_else(|errors| panic!("{name}: {errors:#?}"));
        assert_eq!(warnings, Vec::new(), "{name}");
        assert_eq!(scenario.name, name);
        let graph = fixtures::builtin::graph(scenario.graph.as_str()).expect("its graph is built in");
        let topology = fixtures::builtin::topology(scenario.topology.as_str()).expect("its topology is built in");
        let topology = fixtures::load::load_topology(&topology).expect("the topology loads").0;
        let graph = fixtures::load::load_graph(&graph).expect("the graph loads").0;
        assert_eq!(bind(&scenario, &text, &topology, &graph), Vec::new(), "{name}");
    }
}

#[test]
fn every_file_is_built_in() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("game-days");
    for file in std::fs::read_dir(folder).expect("the folder is there") {
        let path = file.expect("readable").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = scenarios::builtin::scenario(&name).unwrap_or_else(|| panic!("{name} is not built in")).text;
        assert!(text.starts_with("#:schema ../schemas/scenario.schema.json\n#\n# "), "{name} says what it is");
    }
}

#[test]
fn defaults_are_the_documented_ones() {
    let (scenario, warnings) = load_scenario(&source(GOOD)).expect("right");
    assert_eq!(warnings, Vec::new());
    assert_eq!(scenario.invariants, ["Z1", "S5", "A1", "R1"]);
    assert_eq!((scenario.traffic.rate.to_string(), scenario.traffic.writes.to_string()), ("5/s".into(), "2/s".into()));
    let windows = scenario.windows;
    let seconds = [windows.settle, windows.baseline, windows.shift, windows.recovery, windows.quiet];
    assert_eq!(seconds.map(|length| length.as_secs()), [60, 6, 3, 30, 5]);
    assert_eq!(scenario.steady_state.availability.to_string(), "99%");
    assert_eq!(scenario.steady_state.latency_p99.as_millis(), 1000);
    assert_eq!(scenario.title, "day");
}

#[test]
fn schema_is_the_committed_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/scenario.schema.json");
    let schema = serde_json::to_string_pretty(&scenarios::raw::schema()).expect("a schema is JSON") + "\n";
    if std::env::var_os("BLACKSTART_BLESS").is_some() {
        std::fs::write(&path, &schema).expect("writable");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == schema, "{} is stale: run the tests with BLACKSTART_BLESS=1", path.display());
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text =
        "nmae = \"x\"\ninvariants = [\"S55\"]\n[steady-state]\navailability = \"0%\"\n[windows]\nquiet = \"0s\"\n";
    check(
        text,
        &[
            ("missing-key", 0),
            ("missing-key", 0),
            ("missing-key", 0),
            ("unknown-key", 1),
            ("unknown-invariant", 2),
            ("availability-zero", 4),
            ("zero", 6),
        ],
    );
    let unknown = errors("invariants = [\"QQ77\"]\n").into_iter().find(|found| found.code == "unknown-invariant");
    assert_eq!(
        unknown.expect("told").help.as_deref(),
        Some(
            "there are: Z1, S5, A1, A2, A3, A4, A5, R1, R2, R3, R4, R5, R6, R7, R8, R9, S1, S2, S3, S4, S6, S7, S8, S9, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, D1, D2, D3, D4, D5, D6, D7, D8, \
             D9, O1, O2, O3, standard"
        )
    );
}

#[test]
fn wrong_quantities_are_told() {
    check(&GOOD.replace("\"10s\"", "\"-1s\""), &[("bad-quantity", 8)]);
    check(&GOOD.replace("\"10s\"", "\"0s\""), &[("zero", 8)]);
    check(&GOOD.replace("\"10s\"", "\"9999100us\""), &[("too-fine", 8)]);
    check(&GOOD.replace("\"10s\"", "10"), &[("wrong-type", 8)]);
    check(&format!("{GOOD}[steady-state]\navailability = \"100%\"\n"), &[("availability-all", 10)]);
}

#[test]
fn fault_must_do_exactly_something() {
    check(&GOOD.replace("power-off = { zones = [\"az1\"] }", ""), &[("no-fault-kind", 5)]);
    check(&GOOD.replace("zones = [\"az1\"]", "zones = []"), &[("empty-list", 7)]);
    check(&GOOD.replace("zones = [\"az1\"]", "zones = [\"AZ1\", \"*\"]"), &[("bad-name", 7), ("bad-name", 7)]);
    check(&GOOD.replace("power-off", "power-of"), &[("unknown-key", 7)]);
    check(GOOD.split("[[faults]]").next().expect("a head"), &[("missing-key", 0)]);
    check(&GOOD.replace("lasts = \"10s\"", ""), &[("missing-key", 5)]);
}

#[test]
fn names_of_faults_are_unique() {
    check(
        &format!("{GOOD}{}", fault("dark", "lasts = \"10s\"\nafter = \"dark\"")),
        &[("duplicate-name", 10), ("after-cycle", 13)],
    );
}

#[test]
fn after_names_an_earlier_fault() {
    let one = fault("one", "lasts = \"5s\"\nafter = \"darc\"");
    let found = errors(&format!("{GOOD}{one}"));
    assert_eq!((found[0].code, found[0].line), ("unknown-fault", 13));
    assert_eq!(found[0].help.as_deref(), Some("did you mean `dark`?"));
    let circle = format!(
        "{GOOD}{}{}",
        fault("one", "lasts = \"5s\"\nafter = \"two\""),
        fault("two", "lasts = \"5s\"\nafter = \"one\"")
    );
    check(&circle, &[("after-cycle", 13), ("after-cycle", 18)]);
}

#[test]
fn recovery_is_never_cut() {
    for (at, lasts) in [("5s", "15s"), ("15s", "60s"), ("10s", "60s")] {
        let text = format!("{GOOD}{}", fault("late", &format!("at = \"{at}\"\nlasts = \"{lasts}\"")));
        check(&text, &[("recovery-cut", 12)]);
    }
    for (at, lasts) in [("5s", "5s"), ("5s", "35s"), ("40s", "5s")] {
        let text = format!("{GOOD}{}", fault("late", &format!("at = \"{at}\"\nlasts = \"{lasts}\"")));
        assert!(load_scenario(&source(&text)).is_ok(), "{at} {lasts}");
    }
}

/// One incident of several parts: recovery is judged from the last heal of the round, and nothing is cut.
#[test]
fn recovery_may_be_judged_from_the_last_heal_alone() {
    let windows = "\n[windows]\nrecovery-from = \"last-heal\"\n";
    let text = format!("{GOOD}{}{windows}", fault("late", "at = \"5s\"\nlasts = \"15s\""));
    let (scenario, _) = load_scenario(&source(&text)).expect("nothing is cut");
    let region = fixtures::builtin::topology("us-test-1").expect("built in");
    let topology = fixtures::load::load_topology(&region).expect("right").0;
    let graph = fixtures::load::load_graph(&fixtures::builtin::graph("minimal").expect("built in")).expect("right").0;
    let plan = scenarios::plan::plan(&scenario, &fixtures::placement::Placement::new(&topology, &graph), 7);
    let begins: Vec<(&str, bool)> =
        plan.rounds[0].steps.iter().map(|step| (step.id.as_str(), step.begins_recovery())).collect();
    assert_eq!(
        begins,
        [("r0.dark.inject", false), ("r0.late.inject", false), ("r0.dark.heal", false), ("r0.late.heal", true),]
    );
    let event = fault("late", "lasts = \"5s\"\nafter = { service = \"store\", becomes = \"active\" }");
    check(&format!("{GOOD}{event}{windows}"), &[("recovery-from-event", 12)]);
}

#[test]
fn outage_within_the_shift_is_warned_of() {
    let (_, warnings) = load_scenario(&source(&GOOD.replace("10s", "2s"))).expect("right");
    assert_eq!(
        (warnings[0].severity, warnings[0].code, warnings[0].line),
        (Severity::Warning, "shorter-than-shift", 8)
    );
}

#[test]
fn bind_names_what_the_region_does_not_have() {
    let text = GOOD.replace("zones = [\"az1\"]", "zones = [\"az1\", \"az9\"], services = [\"stor\"]");
    let text = source(&text);
    let (scenario, _) = load_scenario(&text).expect("right by itself");
    let topology = super::world::topology();
    let graph = super::world::graph(fixtures::builtin::graph("minimal").expect("built in"));
    let found = bind(&scenario, &text, &topology, &graph);
    let told: Vec<(&str, usize, usize)> = found.iter().map(|one| (one.code, one.line, one.column)).collect();
    assert_eq!(told, [("unknown-zone", 7, 31), ("unknown-service", 7, 51)]);
    assert_eq!(found[1].help.as_deref(), Some("did you mean `store`?"));
}

/// The good file with another fault in the place of its power-off.
fn with(kind: &str) -> String {
    GOOD.replace("power-off = { zones = [\"az1\"] }", kind)
}

#[test]
fn faults_that_say_too_little_or_too_much_are_told() {
    let wrong = [
        ("pause = {}\nkill = {}", "two-fault-kinds"),
        ("kill = {}", "instant-lasts"),
        ("boot = {}", "no-boot-trouble"),
        ("boot = { late = \"1s\", never = true }", "two-boot-troubles"),
        ("boot = { never = false }", "never-false"),
        ("boot = { at-once = 2 }", "missing-key"),
        ("boot = { at-once = 0, each = \"1s\" }", "zero"),
        ("processor = {}", "missing-key"),
        ("processor = { left = \"0%\" }", "too-small"),
        ("memory = { fill = 90 }", "wrong-type"),
        ("pause = { share = \"0%\" }", "too-small"),
        ("disk-slow = { zones = [\"az1\"] }", "missing-key"),
        ("disk-full = { hosts = [\"az1-api-0\"] }", "unknown-key"),
        ("cut = {}", "missing-key"),
        ("cut = { shape = \"bridge\", one-way = true }", "partial-cut"),
        ("cut = { shape = \"ring\" }", "unknown-value"),
        ("link = { from = { zones = [\"az1\"] } }", "link-unchanged"),
        ("link = { from = { zones = [\"az1\"] }, latency = \"1ms\", jitter = \"2ms\" }", "jitter-too-wide"),
        ("link = { from = {}, bandwidth = \"1MB\" }", "bad-quantity"),
        ("gray-zone = { zone = \"az1\" }", "link-unchanged"),
        ("gray-zone = { loss = \"15%\" }", "missing-key"),
        ("power-off = { unsynced = \"gone\" }", "unknown-value"),
    ];
    for (kind, code) in wrong {
        let found = errors(&with(kind));
        let told: Vec<(&str, bool)> = found.iter().map(|one| (one.code, one.line >= 5)).collect();
        assert_eq!(told, [(code, true)], "{kind}: {found:#?}");
    }
}

#[test]
fn times_that_contradict_themselves_are_told() {
    let wrong = [
        ("every = \"3s\"", "missing-key", 5),
        ("times = 3", "missing-key", 5),
        ("every = \"10s\"\ntimes = 3", "pulses-overlap", 9),
        ("every = \"20s\"\ntimes = 0", "zero", 10),
        ("within = \"0s\"", "zero", 9),
        ("after = 5", "wrong-type", 9),
        ("after = { service = \"store\" }", "missing-key trigger-alone", 9),
        ("after = { service = \"store\", becomes = \"alive\" }", "trigger-alone unknown-value", 9),
        ("after = { service = \"store\", becomes = \"active\" }", "trigger-alone", 9),
    ];
    for (line, codes, number) in wrong {
        let text = format!("{GOOD}{line}\n");
        let found = errors(&text);
        let told: Vec<(&str, usize)> = found.iter().map(|one| (one.code, one.line)).collect();
        let wanted: Vec<(&str, usize)> = codes.split(' ').map(|code| (code, number)).collect();
        assert_eq!(told, wanted, "{line}: {found:#?}");
    }
}

#[test]
fn place_inside_a_trigger_is_kept() {
    let found = errors(&format!("{GOOD}after = {{ service = \"store\", zoone = \"az1\", becomes = \"active\" }}\n"));
    let unknown = found.iter().find(|one| one.code == "unknown-key").expect("told");
    assert_eq!((unknown.line, unknown.column), (9, 30));
    assert_eq!(unknown.help.as_deref(), Some("did you mean `zone`?"));
}

#[test]
fn windows_and_pulses_leave_room_for_recovery_as_well() {
    let other = |rest: &str| format!("{GOOD}[[faults]]\nname = \"late\"\npause = {{}}\nlasts = \"5s\"\n{rest}\n");
    // The heal comes at 10s, the recovery window lasts 30s.
    check(&other("at = \"2s\"\nwithin = \"9s\""), &[("recovery-cut", 8), ("recovery-cut", 13)]);
    check(&other("at = \"2s\"\nevery = \"6s\"\ntimes = 3"), &[("recovery-cut", 13)]);
    assert!(load_scenario(&source(&other("at = \"40s\"\nwithin = \"9s\""))).is_ok());
    let late = format!("{GOOD}[[faults]]\nname = \"late\"\nboot = {{ late = \"1s\" }}\nlasts = \"15s\"\n");
    assert!(load_scenario(&source(&late)).is_ok(), "to heal a late boot harms nobody");
    let never = late.replace("late = \"1s\" }", "never = true }");
    check(&never, &[("recovery-cut", 12)]);
    let event = other("after = { service = \"store\", becomes = \"active\" }\nat = \"1s\"");
    assert!(load_scenario(&source(&event)).is_ok(), "nobody knows when it will come");
}

fn bound(kind: &str) -> Vec<(&'static str, usize)> {
    let text = source(&with(kind));
    let (scenario, _) = load_scenario(&text).unwrap_or_else(|errors| panic!("{kind}: {errors:#?}"));
    let graph = super::world::world_graph("minimal");
    bind(&scenario, &text, &super::world::topology(), &graph).iter().map(|one| (one.code, one.line)).collect()
}

#[test]
fn bind_tells_faults_that_hit_nobody() {
    let nobody = [
        ("pause = { zones = [\"az1\"], hosts = [\"az2-api-0\"] }", "no-host"),
        ("pause = { hosts = [\"az1-apy-0\"] }", "unknown-host"),
        ("gray-zone = { zone = \"az9\", loss = \"1%\" }", "unknown-zone"),
        ("disk-full = { zones = [\"az9\"] }", "unknown-zone"),
        ("cut = { from = { services = [\"stor\"] } }", "unknown-service"),
        ("cut = { from = {} }", "no-link"),
        ("cut = { from = { zones = [\"az1\"] }, to = { zones = [\"az1\"] } }", "no-link"),
        ("cut = { from = { zones = [\"az1\", \"az2\"] }, shape = \"bridge\" }", "too-few-members"),
    ];
    for (kind, code) in nobody {
        assert_eq!(bound(kind), [(code, 7)], "{kind}");
    }
    assert_eq!(bound("cut = { from = { zones = [\"az1\"] }, shape = \"majority-ring\" }"), []);
    let trigger = "pause = {}\nafter = { service = \"stor\", becomes = \"active\" }";
    let text = source(&format!("{}{}", with(trigger), fault("dark", "lasts = \"5s\"").replace("dark", "first")));
    let (scenario, _) = load_scenario(&text).expect("right by itself");
    let graph = super::world::world_graph("minimal");
    let found = bind(&scenario, &text, &super::world::topology(), &graph);
    assert_eq!((found[0].code, found[0].line), ("unknown-service", 8));
}

#[test]
fn bind_refuses_power_whose_release_cannot_be_planned() {
    let rest = "lasts = \"5s\"\nafter = { service = \"store\", becomes = \"active\" }";
    let text = source(&format!("{GOOD}{}", fault("again", rest)));
    let (scenario, _) = load_scenario(&text).expect("right by itself");
    let graph = super::world::world_graph("minimal");
    let found = bind(&scenario, &text, &super::world::topology(), &graph);
    assert_eq!(found.iter().map(|one| (one.code, one.line)).collect::<Vec<_>>(), [("power-twice", 11)]);
}

proptest! {
    #[test]
    fn no_text_panics(text in "(?s).{0,200}") {
        let _ = load_scenario(&source(&text));
    }

    #[test]
    fn no_broken_game_day_panics(cut in 0..GOOD.len(), junk in "[\\[\\]{}=\"a-z0-9.\n ]{0,12}") {
        let _ = load_scenario(&source(&format!("{}{junk}{}", &GOOD[..cut], &GOOD[cut..])));
        let _ = load_scenario(&source(&format!("{}{junk}", &GOOD[..cut])));
    }
}
