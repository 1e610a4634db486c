//! Claims about figures.

use super::world::World;
use scenarios::event::{By, Detail, HostChange, Phase, Place};
use scenarios::measure::measure;

#[test]
fn restart_counts_from_the_gate_to_the_witness() {
    let mut world = World::new("minimal");
    let events = world.played();
    let figures = measure(&world.case(), &events);
    assert_eq!(figures.restart_to_active_ms, Some(700.0));
    let names: Vec<&str> = figures.restart_to_active_ms_by_instance.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["api-az1-0", "credentials-az1-0", "store-az1-0"]);
    assert_eq!((figures.power_off_skew_ms, figures.power_on_skew_ms), (Some(20.0), Some(20.0)));
    assert_eq!(figures.power_off_method.as_deref(), Some("cgroup.kill"));
}

#[test]
fn windows_count_for_the_phase_they_lie_in() {
    let mut world = World::new("minimal");
    world.customers = Box::new(|_, phase, control| match (phase, control) {
        (Phase::Outage, false) => (6, vec![("timeout", 4)], 5_000),
        _ => (10, Vec::new(), 2_000),
    });
    let events = world.played();
    let figures = measure(&world.case(), &events);
    let zones: Vec<&str> = figures.availability.keys().map(|zone| zone.as_str()).collect();
    assert_eq!(zones, ["az1", "az2", "az3"]);
    let az2 = figures.availability.values().nth(1).expect("three zones");
    assert_eq!((az2["baseline"].sent, az2["baseline"].share, az2["baseline"].p99_ms), (80, Some(1.0), Some(2.0)));
    assert_eq!((az2["outage"].sent, az2["outage"].share), (100, Some(0.6)));
    assert!(!figures.availability.values().next().expect("three zones").contains_key("outage"), "az1 was dark");
    let phases: f64 = figures.phase_s.values().sum();
    assert_eq!(phases, figures.total_s);
    assert_eq!(figures.overhead_s, 1.0, "only the settling");
}

#[test]
fn boot_counts_from_power_to_the_first_service() {
    let mut world = World::new("minimal");
    world.played();
    let host = world.placement.hosts[0].name.clone();
    let place = Place { host: Some(host.clone()), ..Place::default() };
    for (at_ms, change) in
        [(100, HostChange::Powered), (250, HostChange::ServiceStarted), (900, HostChange::ServiceStarted)]
    {
        world.push(at_ms, By::Own, place.clone(), Detail::Host { change, note: String::new() });
    }
    let events = world.recorded();
    assert_eq!(measure(&world.case(), &events).boot_ms_by_host.get(&host), Some(&150.0));
}
