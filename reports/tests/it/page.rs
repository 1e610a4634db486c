//! Owns the claims about `coe.html`: complete without any other file, and drawn from what was observed. Refuses to open a
//! browser: what its script does with pointer and keys is not tested here.

use crate::full;
use reports::fingerprint::Beside;
use reports::{html, journal, record};

fn sample() -> String {
    let record = record::from_json(full::RECORD).unwrap();
    html::render(&record, &journal::read(full::EVENTS).unwrap().events, &Beside::default())
}

#[test]
fn nothing_is_loaded_from_anywhere() {
    let page = sample();
    for word in ["http:", "https:", "//", "src=", "@import", "url(http", "<link", "<img", "<iframe"] {
        let outside: Vec<&str> =
            page.lines().filter(|line| line.contains(word) && !line.trim_start().starts_with("//")).collect();
        let allowed = |line: &&str| line.contains("http://www.w3.org/2000/svg");
        assert!(outside.iter().all(allowed), "{word}: {outside:?}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn every_instance_is_a_lane_and_every_service_a_node() {
    let record = record::from_json(full::RECORD).unwrap();
    let page = sample();
    assert_eq!(page.matches("<g class=\"lane\"").count(), record.instances.len());
    assert_eq!(page.matches(" role=\"button\"").count(), record.services.len());
    // lb calls app calls database and cache; credentials are needed and not called.
    assert_eq!(page.matches("class=\"e hard\"").count(), 2);
    assert_eq!(page.matches("class=\"e soft\"").count(), 1);
    assert_eq!(page.matches("class=\"e need\"").count(), 3);
}

#[test]
fn the_verdict_the_faults_and_the_whys_are_there() {
    let page = sample();
    for wanted in [
        "<p class=\"verdict v-violated\"><span aria-hidden=\"true\">✕</span> Violated</p>",
        "<title>region-dark (19.8 s)</title>",
        "<strong>Why were 5 asks not enough?</strong>",
        "aria-label=\"app, zonal, team web, named as a culprit, not all active at the end. Calls database, cache. Called by lb.\"",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
}

#[test]
fn a_record_without_events_or_services_is_drawn_too() {
    let mut record = record::from_json(full::RECORD).unwrap();
    record.services.clear();
    assert!(html::render(&record, &[], &Beside::default()).contains("No canary was observed."));
    record.instances.clear();
    assert!(html::render(&record, &[], &Beside::default()).contains("No service was recorded."));
}

#[test]
fn a_large_zone_is_summed_up_and_shows_who_was_away_longest() {
    let mut record = record::from_json(full::RECORD).unwrap();
    let events = journal::read(full::EVENTS).unwrap().events;
    let (small, one) = (record.instances.len(), record.instances[0].clone());
    let copies = (1..=70).map(|number| {
        let name = fixtures::name::InstanceName(format!("{}-{}-{number}", one.service, one.zone));
        reports::record::InstanceRow { name, ..one.clone() }
    });
    record.instances.extend(copies);
    let page = html::render(&record, &events, &Beside::default());
    assert_eq!(page.matches("<g class=\"areas\">").count(), 1, "the other zones are small");
    let others = record.instances.iter().filter(|row| row.zone != one.zone).count();
    assert_eq!(page.matches("<g class=\"lane\"").count(), others + 20);
    assert!(page.contains("below the sum the 20 that were away longest"));
    // Whoever never came back comes first.
    let lanes = page.find("lb-az1-0").unwrap();
    assert!(lanes < page.find("<details").unwrap());
    for row in &record.instances {
        assert!(page.contains(&format!("<tr><th scope=\"row\">{}</th>", row.name)), "{}", row.name);
    }
    assert!(record.instances.len() > small + 64);
}

#[test]
fn who_is_called_by_nobody_is_no_entry() {
    let mut record = record::from_json(full::RECORD).unwrap();
    let stray = record.services.iter().position(|row| row.entry).unwrap();
    let stray =
        reports::record::ServiceRow { name: full::service("stray"), entry: false, ..record.services[stray].clone() };
    record.services.push(stray);
    let page = html::render(&record, &[], &Beside::default());
    let head = |name: &str| page.matches(&format!(">{name}</text>")).count();
    assert_eq!((head("entry"), head("called by nobody"), head("tier 1")), (1, 1, 1));
    assert!(
        !html::render(&record::from_json(full::RECORD).unwrap(), &[], &Beside::default()).contains("called by nobody")
    );
}
