//! Owns the claims about assumed parameters: exactly what no file says, each with other values that change it and nothing
//! else. Refuses to play a game day.

use fixtures::diagnostic::Source;
use fixtures::graph::Graph;
use fixtures::load::{load_graph, load_topology};
use scenarios::assumed::{Assumed, Files, Resolved, assumed};
use scenarios::load::load_scenario;
use std::collections::BTreeMap;

struct Day {
    sources: [Source; 3],
}

impl Day {
    fn new(scenario: &str, graph: &str) -> Self {
        let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
        let topology = fixtures::builtin::topology("us-test-1").expect("it is built in");
        Self { sources: [source("day", scenario), topology, source("graph", graph)] }
    }

    fn look<T>(&self, what: impl Fn(&[Assumed], Resolved<'_>) -> T) -> T {
        let [day, zones, services] = &self.sources;
        let scenario = load_scenario(day).expect("the scenario is right").0;
        let topology = load_topology(zones).expect("the topology is right").0;
        let graph = load_graph(services).expect("the graph is right").0;
        let resolved = Resolved { scenario: &scenario, topology: &topology, graph: &graph };
        what(&assumed(Files { scenario: day, topology: zones, graph: services }, resolved), resolved)
    }
}

const DAY: &str = r#"
name = "day"
topology = "us-test-1"
graph = "two"
faults = [{ name = "dark", power-off = { zones = ["az1"] }, lasts = "9s" }]
"#;

const GRAPH: &str = r#"
name = "two"
entry = { service = "app" }
[[services]]
name = "app"
team = "a"
work = "1ms"
needs = [{ kind = "keys", from = "store", timeout = "90ms" }, { kind = "seed", from = "store" }]
calls = [{ to = "store", timeout = "70ms" }, { to = "store", breaker = { failures = 0 } }]
[[services]]
name = "store"
team = "b"
capacity = "90/s"
"#;

fn values(day: &str, graph: &str) -> BTreeMap<&'static str, (String, usize)> {
    Day::new(day, graph).look(|all, _| all.iter().map(|one| (one.name, (one.value.clone(), one.places))).collect())
}

#[test]
fn exactly_what_no_file_says_is_assumed() {
    let found = values(DAY, GRAPH);
    let of = |name: &str| found.get(name).map(|(value, places)| (value.as_str(), *places));
    assert_eq!(of("windows.recovery"), Some(("30s", 1)));
    assert_eq!(of("steady-state.availability"), Some(("99%", 1)));
    assert_eq!(of("needs.timeout"), Some(("500ms", 1)));
    assert_eq!(of("needs.backoff"), Some(("50ms growing to 500ms", 2)));
    assert_eq!(of("calls.timeout"), Some(("400ms", 1)));
    assert_eq!(of("calls.breaker.failures"), Some(("3", 1)));
    assert_eq!(of("services.work"), Some(("0s", 1)));
    assert_eq!(of("services.queue"), Some(("64", 1)));
    let said = format!(
        "{DAY}\ntraffic = {{ rate = \"5/s\", timeout = \"2s\" }}\nwindows = {{ recovery = \"30s\" }}\nsteady-state = {{ availability = \"99%\" }}\n"
    );
    let found = values(&said, GRAPH);
    for name in ["windows.recovery", "traffic.rate", "traffic.timeout", "steady-state.availability"] {
        assert!(!found.contains_key(name), "{name} is said");
    }
    assert!(found.contains_key("traffic.writes") && found.contains_key("windows.shift"));
}

#[test]
fn other_values_are_half_and_double_or_the_bound_of_what_is_plausible() {
    Day::new(DAY, GRAPH).look(|all, _| {
        let of = |name: &str| {
            let one = all.iter().find(|one| one.name == name).expect("it is assumed");
            one.instead.iter().map(|other| other.value.clone()).collect::<Vec<_>>()
        };
        assert_eq!(of("windows.recovery"), ["15s", "1m"]);
        assert_eq!(of("steady-state.availability"), ["99.5%", "98%"]);
        assert_eq!(of("traffic.rate"), ["2.5/s", "10/s"]);
        assert_eq!(of("calls.attempts"), ["1", "4"]);
        assert_eq!(of("needs.backoff"), ["25ms growing to 250ms", "100ms growing to 1s"]);
        // Half of nothing is nothing.
        assert_eq!(of("services.work"), ["5ms"]);
    });
}

/// Needs and calls of each service, to be counted.
fn told(graph: &Graph) -> Vec<String> {
    graph.services.iter().flat_map(|service| [format!("{:?}", service.needs), format!("{:?}", service.calls)]).collect()
}

#[test]
fn a_trial_changes_one_parameter_where_nobody_says_it_and_nothing_else() {
    Day::new(DAY, GRAPH).look(|all, resolved| {
        for one in all {
            for other in &one.instead {
                let region = other.applied(resolved);
                let scenario = region.scenario != *resolved.scenario;
                let topology = region.topology != *resolved.topology;
                let graph = region.graph != *resolved.graph;
                let changed = [scenario, topology, graph].into_iter().filter(|changed| *changed).count();
                assert_eq!(changed, 1, "{} {}", one.name, other.value);
            }
        }
        let one = all.iter().find(|one| one.name == "needs.timeout").expect("it is assumed");
        let region = one.instead[1].applied(resolved);
        let (before, after) = (told(resolved.graph), told(&region.graph));
        assert_eq!(before.iter().zip(&after).filter(|(before, after)| before != after).count(), 1);
        let timeouts: Vec<u128> = region.graph.services[0].needs.iter().map(|need| need.timeout.as_millis()).collect();
        assert_eq!(timeouts, [90, 1000], "what the file says stays");
    });
}
