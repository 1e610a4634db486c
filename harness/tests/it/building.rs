//! Claims about builds in virtual time: a region of 25 services comes up out of another one whose customers do not notice,
//! each defect is found with its culprit, and its twin is held.

use crate::building_taken_up::has_lessons;
use fixtures::graph::Graph;
use fixtures::load::load_graph;
use fixtures::name::{RegionName, ServiceName, ZoneName};
use fixtures::regional::estate::Site;
use harness::builder::Ending;
use harness::builder::ledger::Entry;
use harness::building::defect::Defect;
use harness::building::{Built, Spec, build};
use harness::world::sim::build::told::ByHand;
use scenarios::build::judge::Judged;
use scenarios::build::observed::{Building, FlowEnd, ObjectState, StepState};
use scenarios::build::plan::{Border, BuildPhase};
use scenarios::event::Detail;
use scenarios::judgement::Finding;
use scenarios::verdict::Verdict;
use std::sync::LazyLock;

fn graph(name: &str) -> Graph {
    load_graph(&fixtures::builtin::graph(name).expect("it is built in")).expect("it is right").0
}

pub(crate) fn service(name: &str) -> ServiceName {
    ServiceName::new(name).expect("a name")
}

fn region(name: &str) -> RegionName {
    RegionName::new(name).expect("a name")
}

pub(crate) fn spec() -> Spec {
    Spec::new(graph("run-instances"), region("us-test-1"), region("eu-test-7"), 7)
}

fn built(spec: &Spec) -> Built {
    build(spec).expect("it can be begun")
}

/// Played once for all tests that only look.
pub(crate) static HEALTHY: LazyLock<Built> = LazyLock::new(|| built(&spec()));

/// Somebody wrote an address of the bootstrap region into a configuration.
pub(crate) fn pinned() -> Spec {
    let by_hand = vec![ByHand::Pinned { service: service("quota"), to: service("table-store") }];
    Spec { by_hand, ..spec() }
}

pub(crate) static PINNED: LazyLock<Built> = LazyLock::new(|| built(&pinned()));

fn seen(built: &Built) -> impl Iterator<Item = &Building> {
    built.events.iter().filter_map(|event| match &event.detail {
        Detail::Build { seen } => Some(seen),
        _ => None,
    })
}

fn verdict(judged: &Judged, id: &str) -> (Verdict, String) {
    let result = judged.invariants.iter().find(|result| result.id == id).expect("it is judged");
    (result.verdict, result.reason.clone())
}

/// The findings of one invariant, which must be violated.
#[track_caller]
fn found<'a>(built: &'a Built, id: &str) -> Vec<&'a Finding> {
    let (verdict, reason) = verdict(&built.judged, id);
    assert_eq!(verdict, Verdict::Violated, "{id}: {reason}; {:?}; {:?}", built.ending, built.entries.last());
    has_lessons(built);
    built.judged.findings.iter().filter(|finding| finding.invariant == id).collect()
}

#[track_caller]
fn held(built: &Built, ids: &[&str]) {
    for id in ids {
        let (verdict, reason) = verdict(&built.judged, id);
        assert_eq!(verdict, Verdict::Held, "{id}: {reason}; {:?}", built.ending);
    }
}

#[test]
fn a_region_is_built_out_of_another_one_whose_customers_do_not_notice() {
    let built = &*HEALTHY;
    assert_eq!(built.ending, Ending::Completed, "{:?}", built.entries.last());
    held(built, &["B1", "B2", "B3", "B4", "B5", "B6", "B9", "B10", "B11"]);
    assert!(built.judged.findings.is_empty(), "{:?}", built.judged.findings);
    let phases: Vec<BuildPhase> = seen(built)
        .filter_map(|seen| match seen {
            Building::Phase { phase } => Some(*phase),
            _ => None,
        })
        .collect();
    assert_eq!(phases, built.plan.phases(), "each phase once, in the order of the plan");
    let (lit, records, inward, border) = &built.state;
    let expected = built.estate.hosts(|standing| standing.site != Site::Network);
    assert_eq!((lit, *inward, *border), (&expected, true, Border::Cut), "nothing of the bootstrap network is left");
    assert!(records.everywhere.is_empty());
    let retried: Vec<&Entry> =
        built.entries.iter().filter(|entry| matches!(entry, Entry::Intent { attempt, .. } if *attempt > 1)).collect();
    assert!(retried.is_empty(), "{retried:?}");
}

#[test]
fn data_really_flows_over_proxies_and_into_the_new_stores() {
    let objects = |wanted: ObjectState| {
        seen(&HEALTHY).filter(|seen| matches!(seen, Building::Object { state, .. } if *state == wanted)).count()
    };
    assert!(objects(ObjectState::Copied) > 10 && objects(ObjectState::Kept) > 100);
    let identities = seen(&HEALTHY).filter(|seen| matches!(seen, Building::Identity { known: true, .. })).count();
    assert_eq!(
        objects(ObjectState::Emptied) + identities,
        objects(ObjectState::Copied),
        "what was copied was taken out, but for who opted in: the bootstrap region goes on to know them"
    );
    let calls = |wanted: FlowEnd| -> u64 {
        let flows = seen(&HEALTHY).filter_map(|seen| match seen {
            Building::Flow { end, calls, .. } if *end == wanted => Some(*calls),
            _ => None,
        });
        flows.sum()
    };
    assert!(calls(FlowEnd::Proxy) > 100 && calls(FlowEnd::Franken) > 100 && calls(FlowEnd::Bootstrap) > 100);
    // Each caller of a proxy is named.
    let callers = HEALTHY
        .events
        .iter()
        .filter(|event| matches!(&event.detail, Detail::Build { seen: Building::Flow { end: FlowEnd::Proxy, .. } }));
    let callers: std::collections::BTreeSet<_> = callers.filter_map(|event| event.place.service.clone()).collect();
    assert!(callers.contains(&service("instance-state")) && callers.contains(&service("quota")), "{callers:?}");
}

#[test]
fn what_needs_no_racks_does_not_wait_for_them() {
    let built = &*HEALTHY;
    let waited = seen(built).any(|seen| {
        matches!(seen, Building::Step { step, state: StepState::Waiting, text, .. } if step == "launch.names" && text.contains("racks"))
    });
    let mut late = spec();
    late.racks = (std::time::Duration::from_secs(300), std::time::Duration::from_secs(310));
    let late_built = self::built(&late);
    let control_done = late_built.entries.iter().find_map(|entry| match entry {
        Entry::Done { step, at } if step == "control.core" => Some(*at),
        _ => None,
    });
    assert!(control_done.is_some_and(|at| at < 300_000_000_000), "{control_done:?}, waited before: {waited}");
    assert_eq!(late_built.ending, Ending::Completed);
}

#[test]
fn the_same_seed_builds_alike_and_another_name_too() {
    let again = built(&spec());
    assert_eq!(again.events, HEALTHY.events);
    let other = built(&Spec { build: region("quite-another-name"), seed: 8, ..spec() });
    assert_eq!(other.ending, Ending::Completed);
    held(&other, &["B1", "B2", "B3", "B4", "B5", "B6"]);
    // What is generated for it speaks of it, and of no region that it knows nothing of.
    let files = harness::commands::build::generated(&other.estate);
    for service in &other.estate.graph.services {
        let config = std::path::Path::new("config").join(format!("{}.json", service.name));
        let (_, text) = files.iter().find(|(path, _)| *path == config).expect("each service has a configuration");
        let value: serde_json::Value = serde_json::from_str(text).expect("it is JSON");
        let zones = value["zones"].as_array().expect("a list");
        assert_eq!((&value["region"], zones.len()), (&"quite-another-name".into(), 3), "{text}");
        for zone in zones {
            let endpoint = zone["endpoint"].as_str().expect("a name");
            assert!(other.estate.build.endpoints.contains_key(endpoint), "{endpoint}");
            assert!(!zone["resolver"].as_array().expect("a list").is_empty(), "{text}");
        }
    }
    for (path, text) in &files {
        assert!(text.contains("quite-another-name"), "{} does not know its region", path.display());
        assert!(text.contains("quite-another-name-az2"), "{} does not know its zones", path.display());
        assert!(!text.contains("us-test-1") && !text.contains("eu-test-7"), "{} names another", path.display());
    }
    let (_, shown) = files.iter().find(|(path, _)| path.ends_with("grafana-blackstart.json")).expect("a dashboard");
    let shown: serde_json::Value = serde_json::from_str(shown).expect("it is JSON");
    assert!(shown["title"].as_str().is_some_and(|title| title.ends_with("of quite-another-name")), "{shown}");
    assert!(shown["panels"].to_string().contains("region=\\\"quite-another-name\\\""), "it filters nothing");
}

#[test]
fn an_address_that_somebody_wrote_is_named_during_the_bake() {
    let built = &*PINNED;
    let findings = found(built, "B2");
    assert_eq!(findings.len(), 1, "{findings:?}");
    let finding = findings[0];
    assert_eq!((finding.service.as_str(), finding.dependency.as_ref()), ("quota", Some(&service("table-store"))));
    assert_eq!(finding.setting.as_deref(), Some("services.quota.calls.table-store"));
    // The link is not cut while somebody leans on the other side: the build stands there, and says who.
    let Ending::Paused { before: BuildPhase::Cut, why } = &built.ending else { panic!("{:?}", built.ending) };
    assert!(why.contains("`quota` called `table-store` on the other side"), "{why}");
    assert!(!seen(built).any(|seen| matches!(seen, Building::Border { border: Border::Cut })));
    // Whoever goes on all the same is told so once more by a region that does not come up.
    let on = self::built(&Spec { earlier: built.entries.clone(), ..pinned() });
    assert!(matches!(&on.ending, Ending::Stuck { step, .. } if step == "rest.hosts"), "{:?}", on.ending);
}

#[test]
fn what_is_built_serves_while_a_zone_of_it_is_dark_or_is_found() {
    let by_hand = vec![ByHand::OneZone { service: service("quota") }];
    let built = built(&Spec { by_hand, ..spec() });
    let findings = found(&built, "B11");
    assert_eq!((findings.len(), findings[0].service.as_str()), (1, "quota"), "{findings:?}");
    assert!(findings[0].text.contains("while eu-test-7-az1 was dark"), "{findings:?}");
    // Everybody comes back, and nobody of the bootstrap region notices.
    assert_eq!(built.ending, Ending::Completed, "{:?}", built.entries.last());
    held(&built, &["B1", "B2", "B3", "B4", "B5", "B6"]);
    held(&HEALTHY, &["B11"]);
}

#[test]
fn a_cache_that_keeps_old_addresses_is_found() {
    let by_hand = vec![ByHand::OldAddresses { service: service("launch") }];
    let built = built(&Spec { by_hand, ..spec() });
    let findings = found(&built, "B2");
    assert!(findings.iter().all(|finding| finding.service.as_str() == "launch"), "{findings:?}");
}

#[test]
fn a_write_between_copy_and_switch_is_lost_without_the_last_pass() {
    let mut spec = spec();
    spec.course.last_pass = false;
    let built = built(&spec);
    let findings = found(&built, "B3");
    assert_eq!((findings.len(), findings[0].service.as_str()), (1, "table-store"), "{findings:?}");
    assert!(findings[0].text.contains("after the copy began"), "{}", findings[0].text);
    assert_eq!(findings[0].setting.as_deref(), Some("copy.last"));
}

#[test]
fn a_value_that_is_changed_on_its_way_is_found() {
    let altered: Defect = "altered-copy".parse().expect("there is one");
    assert_eq!(
        (altered.to_string().as_str(), altered.is_of(true), altered.is_of(false)),
        ("altered-copy", false, true)
    );
    let mut spec = spec();
    altered.play(&mut spec);
    let built = built(&spec);
    let findings = found(&built, "B3");
    assert!(!findings.is_empty(), "the copy itself says that all is well");
    assert!(findings.iter().all(|one| one.text.contains("`table-store` changed: ")), "{findings:?}");
    // Each value is the affair of the step that took it over.
    let first = findings.iter().find(|one| one.setting.as_deref() == Some("copy.first")).expect("most came before");
    assert!(first.text.contains("before the copy"), "{first:?}");
    held(&built, &["B2", "B5", "B9"]);
    held(&HEALTHY, &["B3"]);
}

#[test]
fn who_asks_franken_after_it_is_gone_is_found() {
    let by_hand = vec![ByHand::PinnedNeed { service: service("audit-log") }];
    let built = built(&Spec { by_hand, ..spec() });
    let findings = found(&built, "B5");
    assert_eq!((findings.len(), findings[0].service.as_str()), (1, "audit-log"), "{findings:?}");
    assert_eq!(findings[0].dependency.as_ref(), Some(&built.estate.cast.packages));
}

#[test]
fn a_name_server_that_is_not_told_of_the_new_stores_is_found() {
    let mut left_out = spec();
    left_out.course.left_out = vec![ZoneName::new("eu-test-7-az2").expect("a name")];
    let built = built(&left_out);
    assert_eq!(built.ending, Ending::Completed, "{:?}", built.entries.last());
    let findings = found(&built, "B4");
    assert_eq!(findings.len(), 1, "{findings:?}");
    let finding = findings[0];
    assert_eq!(
        (&finding.service, finding.setting.as_deref()),
        (&built.estate.cast.names, Some("names.names-eu-test-7-az2-0"))
    );
    let store = finding.dependency.as_ref().expect("a name of somebody");
    assert!(built.estate.cast.stores.contains(store), "{finding:?}");
    // Nobody loses anything by it: what the old answer leads to is still there. That is what makes it hard to see.
    held(&built, &["B1", "B2", "B3", "B5", "B6"]);
    held(&HEALTHY, &["B4"]);
}

#[test]
fn a_customer_who_is_known_in_the_new_region_without_having_asked_is_found() {
    let mut unasked = spec();
    unasked.course.unasked = true;
    let built = built(&unasked);
    let findings = found(&built, "B9");
    assert_eq!((findings.len(), findings[0].service.as_str()), (1, "table-store"), "{findings:?}");
    assert_eq!(findings[0].setting.as_deref(), Some("copy.opt-in"));
    assert!(findings[0].text.contains("6 customers"), "{findings:?}");
    held(&built, &["B1", "B2", "B3", "B4", "B5", "B6"]);
    // The twin: six of twelve opted in, and six are known.
    let known = seen(&HEALTHY).filter(|seen| matches!(seen, Building::Identity { known: true, opted_in: true, .. }));
    assert_eq!(known.count(), 6);
    held(&HEALTHY, &["B9"]);
}

#[test]
fn a_start_up_cycle_that_only_the_cut_reveals_is_found() {
    let by_hand = vec![ByHand::Needs { service: service("certificates"), from: service("table-store") }];
    let built = built(&Spec { by_hand, ..spec() });
    held(&built, &["B2", "B5"]);
    let findings = found(&built, "B6");
    let pairs: Vec<_> = findings.iter().map(|one| (one.service.as_str(), one.dependency.as_ref())).collect();
    assert_eq!(pairs, [("certificates", Some(&service("table-store")))], "{findings:?}");
    assert!(matches!(&built.ending, Ending::Stuck { step, .. } if step.starts_with("game.")), "{:?}", built.ending);
}

#[test]
fn a_proxy_serves_who_has_the_new_regions_identity_and_nobody_who_has_the_bootstrap_regions() {
    let by_hand = vec![ByHand::ForeignIdentity { service: service("instance-state") }];
    let foreign = built(&Spec { by_hand, ..spec() });
    let Ending::RolledBack { why } = &foreign.ending else { panic!("{:?}", foreign.ending) };
    assert!(why.contains("instance-state"), "{why}");
    // As many as came of it itself are what its own notes say: in vain, because one side did not believe the other.
    let untrusted = |built: &Built, from: &str, to: &str| -> u64 {
        let calls = built.events.iter().filter(|event| event.place.service == Some(service(from)));
        let failed = calls.filter_map(|event| match &event.detail {
            Detail::Call { to: callee, failed, .. } if callee.as_str() == to => failed.get("untrusted"),
            _ => None,
        });
        failed.sum()
    };
    assert!(untrusted(&foreign, "instance-state", "table-store") > 0, "the proxy refused it");
    assert_eq!(untrusted(&foreign, "quota", "table-store"), 0, "and served its neighbour");
    // The twin: who was refused above comes up, and whatever crosses the border by plan is believed where it arrives.
    let services = ["instance-state", "quota", "table-store", "object-store", "object-cache"];
    for (from, to) in services.iter().flat_map(|from| services.iter().map(move |to| (from, to))) {
        assert_eq!(untrusted(&HEALTHY, from, to), 0, "{from} of {to}");
    }
}

#[test]
fn a_bootstrap_region_without_room_is_found_and_the_build_is_undone() {
    let capacity = |per_second| vec![ByHand::Capacity { service: service("table-store"), per_second }];
    let small = built(&Spec { by_hand: capacity(40), ..spec() });
    let findings = found(&small, "B1");
    assert_eq!(findings[0].service.as_str(), "table-store", "{findings:?}");
    assert!(matches!(small.ending, Ending::RolledBack { .. }), "{:?}", small.ending);
    let expected = small.estate.hosts(|standing| standing.site == Site::Bootstrap);
    assert_eq!((&small.state.0, small.state.3), (&expected, Border::Open), "nothing of the build is left");
    held(&built(&Spec { by_hand: capacity(80), ..spec() }), &["B1"]);
}

#[test]
fn a_builder_that_is_killed_at_any_entry_ends_in_the_same_state() {
    // Every entry is tried in a world that is a table (`builder`); here one in each phase, each while the one before stands.
    let count = HEALTHY.entries.len();
    let killed_after: Vec<usize> = (2..count).step_by(9).collect();
    let killed = built(&Spec { killed_after, ..spec() });
    assert_eq!(killed.ending, Ending::Completed, "{:?}", killed.entries.last());
    assert_eq!(killed.state, HEALTHY.state);
    held(&killed, &["B1", "B2", "B3", "B4", "B5", "B6"]);
}

#[test]
fn a_build_that_is_rolled_back_leaves_nothing_until_it_cannot_be() {
    let half = HEALTHY.entries.len() / 3;
    let undone = built(&Spec { rolled_back_after: Some(half), ..spec() });
    assert!(matches!(undone.ending, Ending::RolledBack { .. }), "{:?}", undone.ending);
    let expected = undone.estate.hosts(|standing| standing.site == Site::Bootstrap);
    assert_eq!((&undone.state.0, undone.state.2, undone.state.3), (&expected, false, Border::Open));
    held(&undone, &["B1"]);
}
