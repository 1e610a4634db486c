//! Claims about the kinds of faults: whom they hit, the shapes of partial partitions, and what the docs say of them.

use super::world::{topology, world_graph, world_topology};
use fixtures::name::{HostName, ServiceName, ZoneName};
use fixtures::placement::Placement;
use fixtures::unit::Percent;
use proptest::prelude::*;
use scenarios::event::Act;
use scenarios::fault::{Cut, CutShape, Fault, GrayZone, Kill, Selection, catalogue};
use scenarios::plan::{Deed, LinkAct, LinkRule, Shape, plan};
use scenarios::seed::Draw;
use std::collections::{BTreeMap, BTreeSet};

fn placement() -> Placement {
    Placement::new(&topology(), &world_graph("minimal"))
}

fn zone(name: &str) -> ZoneName {
    ZoneName::new(name).expect("a name")
}

fn draw(seed: u64) -> Draw<'static> {
    Draw { seed, fault: "fault" }
}

fn rules(fault: &Fault, placement: &Placement, seed: u64) -> Vec<LinkRule> {
    match fault.aim(placement, draw(seed)).deed {
        Deed::Network { rules } => rules,
        other => panic!("no network fault: {other:?}"),
    }
}

fn partial(shape: CutShape, from: Selection) -> Fault {
    Fault::Cut(Cut { from, to: None, shape, one_way: false, refuse: false })
}

/// Whom each host hears, itself included.
fn heard(hosts: &[HostName], rules: &[LinkRule]) -> BTreeMap<HostName, BTreeSet<HostName>> {
    let passes = |from: &HostName, to: &HostName| {
        !rules.iter().any(|rule| rule.act == LinkAct::Drop && rule.from.contains(from) && rule.to.contains(to))
    };
    let of = |to: &HostName| hosts.iter().filter(|from| passes(from, to)).cloned().collect();
    hosts.iter().map(|to| (to.clone(), of(to))).collect()
}

/// A region of one zone with so many hosts of one service.
fn hosts_of_one_zone(count: u32) -> (Placement, Selection) {
    let graph = world_graph("minimal");
    let mut graph = graph;
    graph.services.retain(|service| service.name.as_str() == "store");
    graph.services[0].needs.clear();
    graph.services[0].instances_per_zone = count;
    (Placement::new(&topology(), &graph), Selection::of_zones(vec![zone("az2")]))
}

proptest! {
    #[test]
    fn bridge_leaves_two_halves_and_one_who_reaches_both(seed: u64, count in 3..9_u32) {
        let (placement, from) = hosts_of_one_zone(count);
        let hosts: Vec<HostName> = from.matched(&placement).map(|host| host.name.clone()).collect();
        prop_assert_eq!(hosts.len(), count as usize);
        let heard = heard(&hosts, &rules(&partial(CutShape::Bridge, from), &placement, seed));
        let everybody: BTreeSet<HostName> = hosts.iter().cloned().collect();
        let bridges: Vec<&HostName> = hosts.iter().filter(|host| heard[*host] == everybody).collect();
        prop_assert_eq!(bridges.len(), 1, "one hears everybody");
        for (host, hears) in heard.iter().filter(|(host, _)| *host != bridges[0]) {
            prop_assert!(hears.contains(bridges[0]));
            for other in hears.iter().filter(|other| *other != bridges[0]) {
                prop_assert_eq!(&heard[other], hears, "a half hears the same: {}", host);
            }
        }
        let halves: BTreeSet<&BTreeSet<HostName>> = heard.values().filter(|hears| **hears != everybody).collect();
        prop_assert_eq!(halves.len(), 2);
        let sizes: Vec<usize> = halves.iter().map(|half| half.len()).collect();
        prop_assert!(sizes[0].abs_diff(sizes[1]) <= 1, "halves: {:?}", sizes);
    }

    #[test]
    fn majority_ring_gives_each_another_majority(seed: u64, count in 3..9_u32) {
        let (placement, from) = hosts_of_one_zone(count);
        let hosts: Vec<HostName> = from.matched(&placement).map(|host| host.name.clone()).collect();
        let heard = heard(&hosts, &rules(&partial(CutShape::MajorityRing, from), &placement, seed));
        for (host, hears) in &heard {
            prop_assert!(hears.contains(host));
            prop_assert_eq!(hears.len(), hosts.len() / 2 + 1);
        }
        let different: BTreeSet<&BTreeSet<HostName>> = heard.values().collect();
        prop_assert_eq!(different.len(), hosts.len(), "no two hear the same majority");
    }

    #[test]
    fn share_is_that_share_and_never_nobody(seed: u64, per_cent in 1..101_u32) {
        let placement = placement();
        let selection = Selection { share: Some(Percent { ppm: per_cent * 10_000 }), ..Selection::default() };
        let hosts = selection.resolve(&placement, draw(seed));
        prop_assert_eq!(hosts.len() as u32, (9 * per_cent).div_ceil(100));
        prop_assert!(hosts.is_sorted_by_key(|name| placement.hosts.iter().position(|host| host.name == *name)));
        prop_assert_eq!(&hosts, &selection.resolve(&placement, draw(seed)));
    }
}

#[test]
fn share_depends_on_the_seed() {
    let selection = Selection { share: Some(Percent { ppm: 250_000 }), ..Selection::default() };
    let chosen: BTreeSet<Vec<HostName>> = (0..20).map(|seed| selection.resolve(&placement(), draw(seed))).collect();
    assert!(chosen.len() > 5, "{chosen:?}");
}

#[test]
fn bridge_of_three_zones_spares_the_one_in_the_middle() {
    let aim = partial(CutShape::Bridge, Selection::default()).aim(&placement(), draw(3));
    assert_eq!(aim.zones.len(), 2);
    assert_eq!(aim.hosts.len(), 9);
}

#[test]
fn cut_goes_both_ways_and_disturbs_whom_it_names() {
    let (placement, from) = (placement(), Selection::of_zones(vec![zone("az1")]));
    let cut = |to: Option<Selection>, one_way| {
        Fault::Cut(Cut { from: from.clone(), to, shape: CutShape::Full, one_way, refuse: true })
    };
    let whole = cut(None, false);
    let both = rules(&whole, &placement, 0);
    assert_eq!(both.iter().map(|rule| (rule.from.len(), rule.to.len())).collect::<Vec<_>>(), [(3, 6), (6, 3)]);
    assert!(both.iter().all(|rule| rule.act == LinkAct::Refuse));
    assert_eq!(whole.aim(&placement, draw(0)).zones, [zone("az1")], "everybody else must carry on");
    let named = cut(Some(Selection::of_zones(vec![zone("az2")])), true);
    assert_eq!(rules(&named, &placement, 0).len(), 1);
    assert_eq!(named.aim(&placement, draw(0)).zones, [zone("az1"), zone("az2")]);
}

#[test]
fn gray_zone_is_gray_inside_out_of_and_into_it() {
    let shape = Shape { loss_ppm: 150_000, ..Shape::default() };
    let fault = Fault::GrayZone(GrayZone { zone: zone("az2"), shape });
    let sizes: Vec<(usize, usize)> =
        rules(&fault, &placement(), 0).iter().map(|rule| (rule.from.len(), rule.to.len())).collect();
    assert_eq!(sizes, [(3, 3), (3, 6), (6, 3)]);
}

#[test]
fn kill_ends_the_named_services_and_else_all() {
    let services = |named: &[&str]| {
        let services = named.iter().map(|name| ServiceName::new(*name).expect("a name")).collect();
        let hosts = Selection { zones: vec![zone("az1")], services, ..Selection::default() };
        match Fault::Kill(Kill { hosts }).aim(&placement(), draw(0)).deed {
            Deed::End { services, kill: true } => services.iter().map(ToString::to_string).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(services(&["store"]), ["store"]);
    assert_eq!(services(&[]).len(), 3);
}

#[test]
fn every_kind_has_a_game_day_and_a_key_of_its_name() {
    let mut played: BTreeSet<&str> = BTreeSet::new();
    for name in scenarios::builtin::scenario_names() {
        let source = scenarios::builtin::scenario(name).expect("built in");
        let (scenario, _) = scenarios::load::load_scenario(&source).expect("it loads");
        for fault in &scenario.faults {
            let kind = fault.fault.entry().kind;
            assert!(source.text.contains(&format!("\n{kind} = {{")), "{name} writes `{kind}`");
            played.insert(kind);
        }
        let placement =
            Placement::new(&world_topology(scenario.topology.as_str()), &world_graph(scenario.graph.as_str()));
        for step in plan(&scenario, &placement, 7).rounds.iter().flat_map(|round| &round.steps) {
            assert!(!step.hosts.is_empty(), "{name}: {} hits somebody", step.id);
            assert!(step.act == Act::Heal || !step.closes);
        }
    }
    let all: BTreeSet<&str> = catalogue().iter().map(|entry| entry.kind).collect();
    assert_eq!(played, all);
}
