//! Claims about the software of hosts that are built, in virtual time: each comes from a repository as an artefact that was
//! verified, once, and what was not signed as it is is never run.

use crate::building::{HEALTHY, service, spec};
use fixtures::name::InstanceName;
use fixtures::regional::estate::Site;
use harness::builder::Ending;
use harness::building::{Built, Spec, build};
use harness::world::sim::build::told::{ByHand, Tampering};
use scenarios::build::judge::{Case, judge};
use scenarios::build::observed::{Building, Delivery};
use scenarios::build::plan::Border;
use scenarios::event::{Detail, Event, Life};
use scenarios::judgement::InvariantResult;
use scenarios::verdict::Verdict;
use std::collections::BTreeMap;

/// What became of software, who gave it out, and which version.
type Told<'a> = (Delivery, Option<&'a InstanceName>, u64);

/// What became of software of each instance, in order.
fn deliveries(events: &[Event]) -> BTreeMap<&InstanceName, Vec<Told<'_>>> {
    let mut all: BTreeMap<&InstanceName, Vec<_>> = BTreeMap::new();
    for event in events {
        if let (Some(name), Detail::Build { seen: Building::Software { delivery, from, version, .. } }) =
            (&event.place.instance, &event.detail)
        {
            all.entry(name).or_default().push((*delivery, from.as_ref(), *version));
        }
    }
    all
}

fn tampered(name: &str, how: Tampering) -> Built {
    let by_hand = vec![ByHand::Tampered { service: service(name), how }];
    build(&Spec { by_hand, ..spec() }).expect("it can be begun")
}

fn b10(built: &Built, events: &[Event]) -> InvariantResult {
    let judged = judge(&Case { estate: &built.estate, plan: &built.plan }, events);
    judged.invariants.into_iter().find(|result| result.id == "B10").expect("it is judged")
}

/// It is named, with the reason, and was never run where anything was built.
#[track_caller]
fn is_found(built: &Built, name: &str, why: &str) {
    let result = b10(built, &built.events);
    assert_eq!(result.verdict, Verdict::Violated, "{}; {:?}", result.reason, built.ending);
    let found: Vec<_> = built.judged.findings.iter().filter(|finding| finding.invariant == "B10").collect();
    assert_eq!((found.len(), found[0].service.as_str()), (1, name), "{found:?}");
    assert_eq!(found[0].setting.as_deref(), Some(format!("artefacts.{name}").as_str()));
    assert!(found[0].text.contains(why) && !found[0].chain[0].evidence.is_empty(), "{found:?}");
    let (estate, wanted) = (&built.estate, service(name));
    let placed = estate.placement.instances.iter().enumerate();
    let generic = placed.filter(|(place, one)| one.service == wanted && estate.is_generic(*place));
    let generic: Vec<&InstanceName> = generic.map(|(_, one)| &one.name).collect();
    assert!(!generic.is_empty());
    let ran = built.events.iter().filter(|event| {
        let is_generic = event.place.instance.as_ref().is_some_and(|name| generic.contains(&name));
        is_generic && matches!(&event.detail, Detail::Probe { outcome, .. } if *outcome != Life::Starting)
    });
    assert_eq!(ran.count(), 0, "what is refused is not run");
}

#[test]
fn every_host_of_a_build_has_its_software_from_a_repository_and_verified_it() {
    let built = &*HEALTHY;
    let (estate, all) = (&built.estate, deliveries(&built.events));
    let mut whence: BTreeMap<bool, usize> = BTreeMap::new();
    for (place, instance) in estate.placement.instances.iter().enumerate() {
        let told = all.get(&instance.name).map(Vec::as_slice).unwrap_or_default();
        if !estate.is_generic(place) {
            assert!(told.is_empty(), "{} is what it was made: {told:?}", instance.name);
            continue;
        }
        let fetched: Vec<u64> =
            told.iter().filter(|(delivery, ..)| *delivery == Delivery::Fetched).map(|(.., version)| *version).collect();
        let standing = estate.standing[instance.host];
        if standing.site == Site::Build {
            assert_eq!(fetched, [1], "{}: once, and then from its own disk", instance.name);
            // The zone in the dark, and then the region.
            assert_eq!(told.iter().filter(|(delivery, ..)| *delivery == Delivery::Kept).count(), 2, "{told:?}");
        } else {
            // A proxy is told where to store, by another version of what it runs.
            assert!(fetched.is_sorted() && fetched.first() == Some(&1), "{}: {told:?}", instance.name);
        }
        let from = told[0].1.and_then(|name| estate.standing_of(name)).expect("somebody gave it out");
        *whence.entry(from.site == Site::Build).or_default() += 1;
    }
    assert!(whence.len() == 2 && whence.values().all(|count| *count > 10), "Franken's and its own: {whence:?}");
    let result = b10(built, &built.events);
    assert_eq!(result.verdict, Verdict::Held, "{}", result.reason);
    assert!(result.reason.contains("from the Franken instance"), "{}", result.reason);
    assert!(result.reason.contains("from the region's own repository"), "{}", result.reason);
}

#[test]
fn software_that_was_altered_is_refused_named_and_undone() {
    let built = tampered("quota", Tampering::Altered);
    is_found(&built, "quota", "its payload does not have the hash that was signed");
    let Ending::RolledBack { why } = &built.ending else { panic!("{:?}", built.ending) };
    assert!(why.contains("quota-") && why.contains("refuses the software"), "{why}");
    let expected = built.estate.hosts(|standing| standing.site == Site::Bootstrap);
    assert_eq!((&built.state.0, built.state.3), (&expected, Border::Open), "nothing of the build is left");
}

#[test]
fn software_that_somebody_else_signed_is_refused_and_what_cannot_be_undone_is_stuck() {
    let built = tampered("audit-log", Tampering::ForeignSigner);
    is_found(&built, "audit-log", "its signature is not that of whoever signs for this region");
    assert!(matches!(&built.ending, Ending::Stuck { step, .. } if step == "rest.hosts"), "{:?}", built.ending);
}

#[test]
fn who_serves_without_a_word_of_its_software_leaves_the_question_open() {
    let built = &*HEALTHY;
    let told = |event: &Event| matches!(event.detail, Detail::Build { seen: Building::Software { .. } });
    let silent: Vec<Event> = built.events.iter().filter(|event| !told(event)).cloned().collect();
    assert_eq!(b10(built, &silent).verdict, Verdict::NotJudged);
    let one = InstanceName("quota-eu-test-7-az1-0".to_owned());
    let is_its = |event: &Event| event.place.instance.as_ref() == Some(&one);
    let without: Vec<Event> = built.events.iter().filter(|event| !(told(event) && is_its(event))).cloned().collect();
    let result = b10(built, &without);
    assert_eq!(result.verdict, Verdict::Inconclusive, "{}", result.reason);
    assert!(result.reason.contains(one.as_str()), "{}", result.reason);
}
