//! Owns the claims about bringing a region up in buckets, in virtual time. Refuses to start containers.

use harness::{load, twin};
use scenarios::bring_up::{Bucket, Why, bring_up};
use scenarios::judge::Case;
use scenarios::verdict::Verdict;

/// Plays a scenario of a file and tells its buckets.
fn played(text: &str, seed: u64) -> (Vec<Bucket>, Verdict) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("day.toml");
    std::fs::write(&path, text).expect("it is written");
    let mut loaded = load::scenario(&path.display().to_string(), false).unwrap_or_else(|bad| panic!("{}", bad.text));
    let played = twin::play(&mut loaded, seed).expect("it plays");
    let load::Loaded { scenario, topology, graph, placement, plan, .. } = &loaded;
    let case = Case { scenario, plan, topology, graph, placement };
    (bring_up(&case, &played.events), played.judgement.verdict)
}

fn built_in() -> String {
    scenarios::builtin::scenario("batch-bring-up").expect("it is built in").text
}

/// The names of a path, of those that lead from a service.
fn paths_of<'b>(bucket: &'b Bucket, service: &str) -> Vec<Vec<&'b str>> {
    let paths = bucket.held_back.iter().map(|held| held.path.iter().map(|name| name.as_str()).collect::<Vec<_>>());
    paths.filter(|path| path.first() == Some(&service)).collect()
}

/// The scenario's buckets are the ones that the graph asks for: they do not drift apart.
#[test]
fn the_built_in_buckets_are_those_that_the_graph_asks_for() {
    let loaded = load::scenario("batch-bring-up", false).expect("it loads");
    let order = fixtures::graph::order::order(&loaded.graph);
    let wanted: Vec<(&str, Vec<String>)> = order
        .buckets
        .iter()
        .map(|bucket| (bucket.name, bucket.services.iter().map(ToString::to_string).collect()))
        .collect();
    let written: Vec<(&str, Vec<String>)> = loaded
        .scenario
        .faults
        .iter()
        .map(|fault| {
            let scenarios::fault::Fault::PowerOff(power_off) = &fault.fault else {
                panic!("{} is no bucket", fault.name)
            };
            (fault.name.as_str(), power_off.hosts.services.iter().map(ToString::to_string).collect())
        })
        .collect();
    assert_eq!(written, wanted);
}

#[test]
fn a_region_in_good_buckets_is_active_after_each() {
    let (buckets, verdict) = played(&built_in(), 7);
    assert_eq!(verdict, Verdict::Held);
    let told: Vec<(&str, usize, usize, usize)> =
        buckets.iter().map(|bucket| (bucket.name.as_str(), bucket.launched, bucket.powered, bucket.active)).collect();
    assert_eq!(told, [("foundation", 9, 9, 9), ("provisioning", 57, 66, 66), ("api", 6, 72, 72)]);
    assert!(buckets.iter().all(|bucket| bucket.held_back.is_empty() && bucket.blockers.is_empty()), "{buckets:?}");
    let settled = |bucket: &Bucket| bucket.settled_ns.is_some_and(|settled_ns| settled_ns <= bucket.after_ns);
    assert!(buckets.iter().all(settled), "{buckets:?}");
}

/// With the store left to the last bucket, everything that leads to it waits for it, and for nothing else.
#[test]
fn what_holds_a_bucket_back_is_named_with_the_path_to_it() {
    let text = built_in()
        .replace("    \"table-store\",\n", "")
        .replace("services = [\"telemetry\", \"api\"]", "services = [\"telemetry\", \"api\", \"table-store\"]");
    let (buckets, verdict) = played(&text, 7);
    assert_eq!(verdict, Verdict::Held, "what is held back by the dark alone is excused, and comes by itself");
    let [_, provisioning, last] = buckets.as_slice() else { panic!("three buckets: {buckets:?}") };
    let blockers: Vec<(&str, usize)> =
        provisioning.blockers.iter().map(|blocker| (blocker.service.as_str(), blocker.holds_back)).collect();
    // quota, placement, instance-state, workflow and launch in three zones each.
    assert_eq!(blockers, [("table-store", 15)]);
    assert_eq!((provisioning.active, provisioning.powered), (48, 63));
    assert!(provisioning.held_back.iter().all(|held| held.why == Why::Dark), "{:?}", provisioning.held_back);
    assert_eq!(paths_of(provisioning, "quota"), vec![vec!["quota", "table-store"]; 3]);
    let launch = vec!["launch", "workflow", "instance-state", "table-store"];
    assert_eq!(paths_of(provisioning, "launch"), vec![launch; 3]);
    assert_eq!((last.active, last.powered, last.held_back.len()), (72, 72, 0));
}

/// Without what it needs to start a bucket does not answer, and what holds it back is the need.
#[test]
fn a_bucket_before_its_foundation_waits_for_it() {
    let text = built_in().replace("lasts = \"6s\"", "lasts = \"52s\"").replace("lasts = \"56s\"", "lasts = \"76s\"");
    let (buckets, _) = played(&text, 7);
    let [first, ..] = buckets.as_slice() else { panic!("three buckets: {buckets:?}") };
    assert_eq!((first.name.as_str(), first.active, first.powered), ("provisioning", 0, 57));
    assert_eq!(first.blockers.len(), 1, "{:?}", first.blockers);
    assert_eq!((first.blockers[0].service.as_str(), first.blockers[0].holds_back), ("certificates", 57));
    assert_eq!(paths_of(first, "keys"), vec![vec!["keys", "certificates"]; 3]);
}
