//! Claims about pushes and deployments: what a file may say of them, and what a plan makes of that.

use super::world::{graph, topology};
use fixtures::diagnostic::{Diagnostic, Source};
use fixtures::placement::Placement;
use scenarios::bind::bind;
use scenarios::event::{Detail, Place};
use scenarios::guard::Watch;
use scenarios::load::load_scenario;
use scenarios::plan::plan;
use scenarios::scenario::SteadyState;
use std::collections::BTreeMap;
use std::time::Duration;

const PUSH: &str = "push = { service = \"api\", set = { work = \"2ms\" } }";

/// A day with one change; `more` stands behind its fault.
fn source(change: &str, more: &str) -> Source {
    let text = format!(
        "name = \"day\"\ntopology = \"us-test-1\"\ngraph = \"minimal\"\n[traffic]\nrate = \"25/s\"\n[steady-state]\n\
         availability = \"95%\"\n[[faults]]\nname = \"new\"\n{change}\nlasts = \"20s\"\n{more}"
    );
    Source { name: "day.toml".to_owned(), text }
}

fn bound(source: &Source) -> Vec<Diagnostic> {
    let (scenario, _) = load_scenario(source).unwrap_or_else(|errors| panic!("{errors:#?}"));
    bind(&scenario, source, &topology(), &graph(fixtures::builtin::graph("minimal").expect("built in")))
}

/// Codes with lines and columns.
fn told(found: &[Diagnostic]) -> Vec<(&str, usize, usize)> {
    found.iter().map(|one| (one.code, one.line, one.column)).collect()
}

#[test]
fn every_mistake_in_a_change_has_its_place() {
    let wrong: &[(&str, &[(&str, usize)])] = &[
        ("push = {}", &[("missing-key", 8), ("missing-key", 8)]),
        ("push = { service = \"api\", set = {} }", &[("nothing-changes", 33)]),
        ("push = { service = \"api\", set = { work = \"2\" } }", &[("bad-quantity", 42)]),
        ("push = { service = \"api\", set = { wrok = \"2ms\" } }", &[("unknown-key", 35)]),
        ("push = { service = \"api\", set = { fails = false } }", &[("nothing-changes", 43)]),
        ("push = { service = \"api\", set = { starts = false } }", &[("push-does-not-start", 44)]),
        ("deploy = { service = \"api\", set = { starts = true } }", &[("nothing-changes", 46)]),
        ("deploy = { service = \"api\", set = { starts = false, fails = true } }", &[("does-not-start", 35)]),
        ("push = { service = \"api\", set = { calls = [] } }", &[("empty-list", 43)]),
        ("push = { service = \"api\", set = { calls = [{ to = \"store\" }] } }", &[("nothing-changes", 44)]),
        ("push = { service = \"api\", set = { calls = [{ attempts = 2 }] } }", &[("missing-key", 44)]),
        ("push = { service = \"api\", set = { calls = [{ to = \"store\", attempts = 0 }] } }", &[("zero", 71)]),
        (
            "push = { service = \"api\", set = { calls = [{ to = \"store\", attempts = 2 }, { to = \"store\", timeout = \
             \"1ms\" }] } }",
            &[("duplicate-name", 83)],
        ),
        ("push = { service = \"api\", set = { fails = true }, stop-on-failure = true }", &[("no-bake-time", 69)]),
        ("push = { service = \"api\", set = { fails = true }, bake-time = \"0s\" }", &[("zero", 63)]),
        ("push = { service = \"Api\", set = { fails = true }, zones = [] }", &[("bad-name", 20), ("empty-list", 59)]),
    ];
    for (change, expected) in wrong {
        let found = load_scenario(&source(change, "")).expect_err("wrong on purpose");
        let expected: Vec<(&str, usize, usize)> = expected.iter().map(|(code, column)| (*code, 10, *column)).collect();
        assert_eq!(told(&found), expected, "{change}");
    }
    let again = source(
        "push = { service = \"api\", set = { fails = true }, bake-time = \"5s\" }",
        "every = \"30s\"\ntimes = 2\n",
    );
    assert_eq!(told(&load_scenario(&again).expect_err("wrong on purpose")), [("rollout-again", 12, 9)]);
    let early = "push = { service = \"api\", set = { fails = true }, bake-time = \"5s\", stop-on-failure = true }";
    let early = source(early, "[windows]\nrecovery-from = \"last-heal\"\n");
    assert_eq!(told(&load_scenario(&early).expect_err("wrong on purpose")), [("recovery-from-event", 11, 9)]);
}

#[test]
fn a_change_must_fit_the_graph_the_region_and_its_own_times() {
    assert_eq!(bound(&source(PUSH, "")), Vec::new());
    let found = bound(&source("push = { service = \"apu\", set = { fails = true }, zones = [\"az9\"] }", ""));
    assert_eq!(told(&found), [("unknown-zone", 10, 60), ("unknown-service", 10, 20)]);
    assert_eq!(found[1].help.as_deref(), Some("did you mean `api`?"));
    let call =
        |to: &str| format!("push = {{ service = \"api\", set = {{ calls = [{{ to = \"{to}\", attempts = 1 }}] }} }}");
    let found = bound(&source(&call("stor"), ""));
    assert_eq!(told(&found), [("unknown-call", 10, 51)]);
    assert_eq!(found[0].help.as_deref(), Some("did you mean `store`?"));
    let waves = |bake: &str, more: &str| {
        format!("push = {{ service = \"api\", set = {{ fails = true }}, bake-time = \"{bake}\"{more} }}")
    };
    assert_eq!(told(&bound(&source(&waves("10s", ""), ""))), [("never-there", 10, 63)]);
    assert_eq!(bound(&source(&waves("9s", ""), "")), Vec::new());
    // Three seconds of shift, four windows of half a second, and one for their beginning.
    let found = bound(&source(&waves("5s", ", stop-on-failure = true"), ""));
    assert_eq!(told(&found), [("bake-too-short", 10, 63)]);
    assert_eq!(found[0].message, "a zone is watched for 5s, and its failure shows after 5500ms");
    assert_eq!(bound(&source(&waves("6s", ", stop-on-failure = true"), "")), Vec::new());
    let other = |service: &str| {
        format!(
            "[[faults]]\nname = \"other\"\ndeploy = {{ service = \"{service}\", set = {{ work = \"3ms\" }} }}\nlasts = \"20s\"\n"
        )
    };
    assert_eq!(told(&bound(&source(PUSH, &other("api")))), [("fault-twice", 14, 10)]);
    assert_eq!(bound(&source(PUSH, &other("store"))), Vec::new(), "another service has versions of its own");
}

#[test]
fn a_rollout_goes_from_zone_to_zone_and_comes_back_at_once() {
    let text = source("deploy = { service = \"api\", set = { fails = true }, bake-time = \"5s\" }", "");
    let (scenario, _) = load_scenario(&text).expect("right");
    let placement = Placement::new(&topology(), &graph(fixtures::builtin::graph("minimal").expect("built in")));
    let plan = plan(&scenario, &placement, 7);
    let steps: Vec<(&str, u64, usize)> =
        plan.rounds[0].steps.iter().map(|step| (step.id.as_str(), step.at_ms, step.hosts.len())).collect();
    let expected = [
        ("r0.new.az1.inject", 0, 1),
        ("r0.new.az2.inject", 5_000, 1),
        ("r0.new.az3.inject", 10_000, 1),
        ("r0.new.az1.heal", 20_000, 1),
        ("r0.new.az2.heal", 20_000, 1),
        ("r0.new.az3.heal", 20_000, 1),
    ];
    assert_eq!(steps, expected);
    assert!(plan.rounds[0].steps.iter().all(|step| step.zones.len() == 1 && step.fault.starts_with("new.az")));
}

/// Windows of half a second with ten requests, of which so many failed; the first is of the time before.
fn failure(failures: &[u64], bound_us: u64) -> Option<String> {
    let zone = fixtures::name::ZoneName::new("az1").expect("a name");
    let steady =
        SteadyState { availability: fixtures::unit::Percent { ppm: 900_000 }, latency_p99: Duration::from_millis(100) };
    let place = Place { zone: Some(zone.clone()), ..Place::default() };
    let mut watch = Watch::new(zone, 500_000_000);
    for (number, failed) in (1..).zip(failures) {
        let failed_by: BTreeMap<String, u64> = [("internal".to_owned(), *failed)].into();
        let detail = Detail::Canary {
            control: false,
            seq: number,
            window_ns: 500_000_000,
            sent: 10,
            ok: 10 - failed,
            degraded: 0,
            failed: failed_by,
            latency_us: vec![(bound_us, 10 - failed)],
            retries: 0,
            operations: BTreeMap::new(),
        };
        watch.saw(number * 500_000_000, &place, &detail);
    }
    watch.failure(&steady)
}

#[test]
fn a_watch_tells_what_customers_lack_and_is_not_frightened_by_a_moment() {
    assert_eq!(failure(&[10, 0, 0, 0, 0], 1_000), None, "what was before the change is no fault of it");
    assert_eq!(failure(&[0, 10, 10, 10], 1_000), None, "it may be over in a moment");
    assert_eq!(failure(&[0, 1, 1, 1, 1], 1_000), None, "as much as is promised");
    let told = failure(&[0, 2, 1, 1, 1], 1_000);
    assert_eq!(told.as_deref(), Some("az1: 35 of 40 requests answered (promised 90%)"));
    let told = failure(&[0, 0, 0, 0, 0], 250_000);
    assert_eq!(told.as_deref(), Some("az1: p99 250 ms (promised 100ms)"));
}
