//! Claims about zones that are built into a region that serves customers, in virtual time: nobody notices, the rules of a live
//! region are kept, what harms its customers is stopped at the first zone and undone, a local zone goes on without its parent, and
//! each defect is found.

use crate::building_taken_up::has_lessons;
use fixtures::graph::{Graph, Plane, Scope};
use fixtures::load::load_graph;
use fixtures::name::{InstanceName, RegionName, ServiceName, ZoneName};
use fixtures::regional::RegionalError;
use fixtures::regional::estate::{Part, Site};
use harness::builder::Ending;
use harness::builder::ledger::Entry;
use harness::building::defect::Defect;
use harness::building::{Built, Spec, ZoneSpec, build};
use harness::world::sim::build::told::ByHand;
use scenarios::build::judge::Judged;
use scenarios::build::observed::{Building, FlowEnd, ObjectState, StepState};
use scenarios::build::plan::{Border, Ruled};
use scenarios::build::zone::{Course, NewZone, Pieces};
use scenarios::event::Detail;
use scenarios::judgement::Finding;
use scenarios::verdict::Verdict;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

fn graph() -> Graph {
    load_graph(&fixtures::builtin::graph("run-instances").expect("it is built in")).expect("it is right").0
}

pub(crate) fn spec() -> Spec {
    Spec::of_zone(graph(), RegionName::new("us-test-1").expect("a name"), "az4", None, 7)
}

fn with(course: Course) -> Spec {
    let zone = spec().zone.map(|zone| ZoneSpec { course, ..zone });
    Spec { zone, ..spec() }
}

fn built(spec: &Spec) -> Built {
    build(spec).expect("it can be begun")
}

/// Played once for all tests that only look.
pub(crate) static HEALTHY: LazyLock<Built> = LazyLock::new(|| built(&spec()));

fn verdict(judged: &Judged, id: &str) -> (Verdict, String) {
    let result = judged.invariants.iter().find(|result| result.id == id).expect("it is judged");
    (result.verdict, result.reason.clone())
}

#[track_caller]
fn held(built: &Built, ids: &[&str]) {
    for id in ids {
        let (verdict, reason) = verdict(&built.judged, id);
        assert_eq!(verdict, Verdict::Held, "{id}: {reason}; {:?}; {:?}", built.ending, built.judged.findings);
    }
}

/// The one finding of an invariant, which must be violated.
#[track_caller]
fn found<'a>(built: &'a Built, id: &str) -> &'a Finding {
    let (verdict, reason) = verdict(&built.judged, id);
    assert_eq!(verdict, Verdict::Violated, "{id}: {reason}; {:?}; {:?}", built.ending, built.entries.last());
    has_lessons(built);
    let findings: Vec<&Finding> = built.judged.findings.iter().filter(|finding| finding.invariant == id).collect();
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings[0]
}

/// When each live zone was changed, in order.
fn changes(built: &Built) -> Vec<(u64, ZoneName)> {
    let changes = built.events.iter().filter_map(|event| match &event.detail {
        Detail::Build { seen: Building::Step { state: StepState::Begun, .. } } => {
            Some((event.t_ns, event.place.zone.clone()?))
        }
        _ => None,
    });
    changes.collect()
}

#[test]
fn a_zone_is_built_into_a_live_region_whose_customers_do_not_notice() {
    let built = &*HEALTHY;
    assert_eq!(built.ending, Ending::Completed, "{:?}", built.entries.last());
    held(built, &["B1", "B3", "B4", "B5", "B6", "B7"]);
    assert!(built.judged.findings.is_empty(), "{:?}", built.judged.findings);
    let (lit, records, _, border) = &built.state;
    let expected = built.estate.hosts(|standing| standing.site != Site::Network);
    assert_eq!((lit, *border), (&expected, Border::Open), "what stood in for the zone is gone");
    let new = NewZone::of(&built.estate, &[]).expect("a zone is built");
    assert_eq!(records.behind, new.records.after.behind);
    // Each live zone is changed twice, each time on a day of its own.
    let day = u64::try_from(Course::default().safety.day.as_nanos()).expect("it fits");
    let mut days: BTreeMap<u64, BTreeSet<ZoneName>> = BTreeMap::new();
    let changes = changes(built);
    for (at, zone) in &changes {
        days.entry(at / day).or_default().insert(zone.clone());
    }
    assert_eq!((changes.len(), days.len()), (6, 6), "{days:?}");
}

#[test]
fn what_stands_in_for_a_zone_is_the_zonal_control_plane_and_what_that_needs() {
    let estate = &HEALTHY.estate;
    let graph = &estate.graph;
    let stand_in = estate.instances(|standing| standing.site == Site::Network);
    let services: BTreeSet<&ServiceName> = stand_in
        .iter()
        .filter_map(|name| estate.placement.instance_by_name(name))
        .map(|instance| &instance.service)
        .collect();
    assert!(
        services.iter().all(|name| graph.service(name).is_some_and(|one| one.scope == Scope::Zonal)),
        "{services:?}"
    );
    let is = |name: &str| services.iter().any(|service| service.as_str() == name);
    assert!(is("api") && is("volumes") && is("certificates") && !is("config"), "{services:?}");
    let own = estate.instances(|standing| (standing.site, standing.part) == (Site::Build, Part::Control));
    assert_eq!(own.len(), stand_in.len(), "the zone has what stood in for it");
    // It stood in: somebody of it asked the live region, and the zone's own instances asked it.
    let ends: BTreeSet<FlowEnd> = HEALTHY
        .events
        .iter()
        .filter_map(|event| match &event.detail {
            Detail::Build { seen: Building::Flow { end, .. } } => Some(*end),
            _ => None,
        })
        .collect();
    assert!(ends.contains(&FlowEnd::Bootstrap) && ends.contains(&FlowEnd::Network), "{ends:?}");
}

#[test]
fn a_zone_build_that_changes_two_zones_on_one_day_is_found() {
    let hasty = built(&with(Course { ruled: Ruled::Not, ..Course::default() }));
    let finding = found(&hasty, "B7");
    assert_eq!(finding.setting.as_deref(), Some("safety.day"), "{finding:?}");
    assert_eq!(finding.service, hasty.estate.cast.names, "what was changed");
    let zone = |name: &InstanceName| hasty.estate.placement.instance_by_name(name).map(|one| one.zone.to_string());
    let zones: BTreeSet<Option<String>> = finding.affected.iter().map(zone).collect();
    assert_eq!(zones, [Some("us-test-1-az2".to_owned())].into(), "in the second zone: {finding:?}");
    assert!(finding.text.contains("peering.us-test-1-az2") && finding.text.contains("us-test-1-az1"), "{finding:?}");
    held(&hasty, &["B1"]);
    held(&HEALTHY, &["B7"]);
}

#[test]
fn a_zone_build_that_leaves_all_live_zones_changed_in_part_is_found_and_a_builder_that_keeps_the_rules_refuses_it() {
    let halves = |seed, pieces, ruled| built(&Spec { seed, ..with(Course { pieces, ruled, ..Course::default() }) });
    for seed in [7, 8, 9] {
        let across = halves(seed, Pieces::HalvesAcrossZones, Ruled::ButForShares);
        let finding = found(&across, "B7");
        assert_eq!(
            (&finding.service, finding.setting.as_deref()),
            (&across.estate.cast.names, Some("safety.share-percent")),
            "seed {seed}: {finding:?}"
        );
        let said = "`peering.us-test-1-az2-first` left 2 zones changed in part, and 1 may be";
        assert_eq!(finding.text, said, "seed {seed}");
        assert_eq!(across.ending, Ending::Completed, "nobody but B7 minds: {:?}", across.entries.last());
        held(&across, &["B1", "B3", "B4", "B5", "B6"]);
        // The twin changes as much in as many pieces, one zone after the other.
        let by_zone = halves(seed, Pieces::HalvesZoneByZone, Ruled::Wholly);
        assert_eq!(by_zone.ending, Ending::Completed, "{:?}", by_zone.entries.last());
        held(&by_zone, &["B1", "B3", "B4", "B5", "B6", "B7"]);
        let both = [&across, &by_zone].map(|built| changes(built).into_iter().map(|(_, zone)| zone));
        let [mut across, mut by_zone] = both.map(Iterator::collect::<Vec<ZoneName>>);
        across.sort();
        by_zone.sort();
        assert_eq!((across.len(), &across), (12, &by_zone), "each zone in two halves, twice");
    }
    let refused = halves(7, Pieces::HalvesAcrossZones, Ruled::Wholly);
    assert!(
        matches!(&refused.ending, Ending::RolledBack { why } if why.contains("peering.us-test-1-az2-first")),
        "{:?}",
        refused.ending
    );
    assert_eq!(changes(&refused).len(), 1, "no second zone was changed");
    assert_eq!(refused.state.0, refused.estate.hosts(|standing| standing.site == Site::Bootstrap), "nothing is left");
}

#[test]
fn harm_to_live_customers_stops_a_zone_build_at_the_first_zone_and_undoes_it() {
    let quota = ServiceName::new("quota").expect("a name");
    let harmful = built(&with(Course { forgotten: vec![quota.clone()], ..Course::default() }));
    assert!(
        matches!(&harmful.ending, Ending::RolledBack { why } if why.contains("us-test-1-az1")),
        "{:?}",
        harmful.ending
    );
    let finding = found(&harmful, "B1");
    assert_eq!((&finding.service, finding.setting.as_deref()), (&quota, Some("peering.us-test-1-az1")), "{finding:?}");
    let zones: BTreeSet<ZoneName> = changes(&harmful).into_iter().map(|(_, zone)| zone).collect();
    assert_eq!(zones.len(), 1, "no further zone was changed: {zones:?}");
    let (lit, records, ..) = &harmful.state;
    let expected = harmful.estate.hosts(|standing| standing.site == Site::Bootstrap);
    let new = NewZone::of(&harmful.estate, &[]).expect("a zone is built");
    assert_eq!((lit, records), (&expected, &new.records.before), "nothing of the zone is left");
    assert!(
        harmful
            .entries
            .iter()
            .any(|entry| matches!(entry, Entry::Undone { step, .. } if step == "peering.us-test-1-az1"))
    );
}

#[test]
fn a_zone_build_that_is_killed_ends_in_the_same_state() {
    let count = HEALTHY.entries.len();
    let killed = built(&Spec { killed_after: (2..count).step_by(5).collect(), ..spec() });
    assert_eq!(killed.ending, Ending::Completed, "{:?}", killed.entries.last());
    assert_eq!(killed.state, HEALTHY.state);
    held(&killed, &["B1", "B4", "B6", "B7"]);
}

/// Its API asks a zonal service that is no part of the control plane, and does not wait for it.
#[test]
fn a_zone_of_a_small_region_comes_up_without_what_comes_later_and_then_has_it() {
    let graph = load_graph(&fixtures::builtin::graph("named").expect("it is built in")).expect("it is right").0;
    let small = built(&Spec { graph, ..spec() });
    assert_eq!(small.ending, Ending::Completed, "{:?}", small.entries.last());
    held(&small, &["B1", "B3", "B4", "B5", "B6", "B7"]);
    let new = NewZone::of(&small.estate, &[]).expect("a zone is built");
    assert_eq!(new.later, [ServiceName::new("telemetry").expect("a name")]);
}

#[test]
fn each_word_for_a_defect_of_a_zone_plays_it() {
    let course = |words: &[&str]| {
        let mut spec = spec();
        for word in words {
            let defect: Defect = word.parse().expect("there is one");
            assert_eq!((defect.to_string().as_str(), defect.is_of(true), defect.is_of(false)), (*word, true, false));
            defect.play(&mut spec);
        }
        spec.zone.map(|zone| zone.course).expect("a zone is built")
    };
    let usual = Course::default();
    let quota = ServiceName::new("quota").expect("a name");
    assert_eq!(course(&["forgotten:quota"]), Course { forgotten: vec![quota], ..usual.clone() });
    assert_eq!(course(&["two-zones-a-day"]), Course { ruled: Ruled::Not, ..usual.clone() });
    let (pieces, ruled) = (Pieces::HalvesAcrossZones, Ruled::ButForShares);
    assert_eq!(course(&["halves-across-zones"]), Course { pieces, ruled, ..usual.clone() });
    // Whoever keeps to no rule keeps to none, whichever word comes first.
    let neither = Course { pieces, ruled: Ruled::Not, ..usual };
    assert_eq!(course(&["halves-across-zones", "two-zones-a-day"]), neither);
    assert_eq!(course(&["two-zones-a-day", "halves-across-zones"]), neither);
}

#[test]
fn a_zone_that_stands_is_not_built() {
    for name in ["az2", "us-test-1-az2"] {
        let taken = build(&Spec::of_zone(graph(), RegionName::new("us-test-1").expect("a name"), name, None, 7));
        let error = taken.err().and_then(|error| error.downcast::<RegionalError>().ok());
        assert_eq!(error, Some(RegionalError::Stands(ZoneName::new("us-test-1-az2").expect("a name"))), "{name}");
    }
}

pub(crate) fn local() -> Spec {
    Spec::of_zone(graph(), RegionName::new("us-test-1").expect("a name"), "lz1", Some("az2"), 7)
}

pub(crate) static LOCAL: LazyLock<Built> = LazyLock::new(|| built(&local()));

#[test]
fn a_local_zone_goes_on_without_its_parent_and_its_data_stays() {
    let built = &*LOCAL;
    assert_eq!(built.ending, Ending::Completed, "{:?}", built.entries.last());
    held(built, &["B1", "B3", "B4", "B6", "B7", "B8"]);
    let estate = &built.estate;
    let own = estate.instances(|standing| standing.site == Site::Build);
    let is_data = |name: &&InstanceName| {
        let service = estate.placement.instance_by_name(name).and_then(|one| estate.graph.service(&one.service));
        service.is_some_and(|one| (one.scope, one.plane) == (Scope::Zonal, Plane::Data))
    };
    assert!(!own.is_empty() && own.iter().filter(is_data).count() == own.len(), "a data plane alone: {own:?}");
    assert!(
        !estate.build.endpoints.contains_key("api.us-test-1-lz1.us-test-1.blackstart.test"),
        "its control plane is its parent's"
    );
    // While the link was cut everything in it was active, and its customers wrote on.
    let at = |wanted: &dyn Fn(&Building) -> bool| -> Vec<u64> {
        let seen = built.events.iter().filter(|event| match &event.detail {
            Detail::Build { seen } => wanted(seen),
            _ => false,
        });
        seen.map(|event| event.t_ns).collect()
    };
    let border = |wanted: Border| at(&|seen| matches!(seen, Building::Border { border } if *border == wanted));
    let (cut, open) = (border(Border::Cut), border(Border::Open));
    assert_eq!((cut.len(), open.len()), (1, 1));
    let marked = at(&|seen| matches!(seen, Building::Object { state: ObjectState::Marked, .. }));
    let without_link = marked.iter().filter(|at| (cut[0]..open[0]).contains(*at)).count();
    assert_eq!((marked.len(), without_link), (20, 10));
}

#[test]
fn data_that_leaves_its_country_is_found_with_whoever_sent_it() {
    let name = |text: &str| ServiceName::new(text).expect("a name");
    let by_hand = vec![ByHand::Backup { service: name("resident-data"), to: name("table-store") }];
    let backed_up = built(&Spec { by_hand, ..local() });
    let finding = found(&backed_up, "B8");
    assert_eq!((&finding.service, finding.dependency.as_ref()), (&name("resident-data"), Some(&name("table-store"))));
    assert_eq!(finding.setting.as_deref(), Some("services.resident-data.calls.table-store"));
    held(&backed_up, &["B1", "B3"]);
    held(&LOCAL, &["B8"]);
}

#[test]
fn a_local_zone_has_a_parent_that_stands() {
    let alone = build(&Spec::of_zone(graph(), RegionName::new("us-test-1").expect("a name"), "lz1", Some("az9"), 7));
    let error = alone.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("us-test-1-az9") && error.contains("us-test-1-az1"), "{error}");
}
