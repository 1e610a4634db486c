//! Claims about the software of hosts that are built in containers: each has it from a repository as an artefact that it
//! verified; what was changed since it was signed is refused, named, and leaves nothing. Refuses to measure anything.

use crate::build::build;
use crate::lab::long_machine;
use fixtures::name::InstanceName;
use scenarios::build::observed::{Building, Delivery};
use scenarios::event::{Detail, Event, Life};
use std::collections::BTreeMap;

/// Instances of which software was told so, with the number of times.
fn told(events: &[Event], wanted: Delivery) -> BTreeMap<&InstanceName, usize> {
    let mut all = BTreeMap::new();
    for event in events {
        match (&event.place.instance, &event.detail) {
            (Some(name), Detail::Build { seen: Building::Software { delivery, .. } }) if *delivery == wanted => {
                *all.entry(name).or_default() += 1;
            }
            _ => {}
        }
    }
    all
}

#[test]
fn every_generic_host_is_installed_from_an_artefact_that_it_verified() {
    let Some(_machine) = long_machine() else { return };
    let build = build(&["--graph", "named"]);
    build.is_held();
    let (events, record) = (build.events(), build.record());
    let b10 = record.invariants.iter().find(|result| result.id == "B10").expect("it is judged");
    for word in ["from the Franken instance", "from the region's own repository"] {
        assert!(b10.reason.contains(word), "{}", b10.reason);
    }
    println!("{}", b10.reason);
    let (fetched, kept) = (told(&events, Delivery::Fetched), told(&events, Delivery::Kept));
    assert!(told(&events, Delivery::Refused).is_empty() && told(&events, Delivery::Damaged).is_empty());
    // Whoever was launched in the new region fetched once, and came back from the dark twice without anybody.
    let own = |name: &str| fetched.iter().filter(|(one, _)| one.as_str().starts_with(name)).collect::<Vec<_>>();
    let shops: Vec<_> = own("store-eu-test-7-").into_iter().filter(|(name, _)| name.as_str().ends_with("-0")).collect();
    assert!(shops.len() >= 3 && shops.iter().all(|(_, times)| **times == 1), "{fetched:?}");
    assert!(shops.iter().all(|(name, _)| kept.get(*name) == Some(&2)), "{kept:?}");
    // A proxy runs another version since it stores in the new stores.
    let proxies: Vec<_> = own("store-").into_iter().filter(|(name, _)| name.as_str().ends_with("-proxy")).collect();
    assert!(!proxies.is_empty() && proxies.iter().all(|(_, times)| **times == 2), "{fetched:?}");
}

#[test]
fn software_that_was_altered_is_refused_named_and_leaves_nothing() {
    let Some(_machine) = long_machine() else { return };
    let build = build(&["--graph", "named", "--defect", "altered-artefact:api"]);
    let findings = build.found("B10");
    assert_eq!((findings.len(), findings[0].service.as_str()), (1, "api"), "{findings:?}");
    assert!(findings[0].text.contains("its payload does not have the hash that was signed"), "{findings:?}");
    let (record, events) = (build.record(), build.events());
    assert!(!record.opened && record.ending.contains("refuses the software"), "{}", record.ending);
    println!("{}; {}", findings[0].text, record.ending);
    let refused = told(&events, Delivery::Refused);
    assert!(!refused.is_empty(), "{}", record.ending);
    let ran = events.iter().filter(|event| {
        event.place.instance.as_ref().is_some_and(|name| refused.contains_key(name))
            && matches!(&event.detail, Detail::Probe { outcome, .. } if *outcome != Life::Starting)
    });
    assert_eq!(ran.count(), 0, "what is refused is not run");
}
