//! Owns what the region's own alarms could be asked to tell: who went dark, since when, and how soon that must be noticed.
//! Refuses to judge it; O1, O2 and Z7 do.
//!
//! An alarm counts where and when it reached the witness, who stands for whoever is on call.

use super::{Run, soft};
use crate::event::{By, Detail, Event, EventId, Phase};
use crate::timeline::{Segment, ns};
use fixtures::graph::telemetry::Telemetry;
use fixtures::name::{ServiceName, ZoneName};
use std::collections::BTreeSet;
use std::time::Duration;

/// Periods without a word after which somebody is silent (docs/telemetry.md), one until what a peer was told is handed
/// on, and one until the next period ends.
const PERIODS: u32 = 4;

/// The instances of a service in a zone that lost their power together, while others kept theirs.
pub(super) struct Darkened<'a> {
    pub(super) zone: &'a ZoneName,
    pub(super) service: &'a ServiceName,
    pub(super) segment: &'a Segment,
    /// Whether nothing in its zone has power.
    pub(super) whole_zone: bool,
    /// Whether an instance of telemetry had power all the time.
    pub(super) watched: bool,
}

/// How long after a loss of power the alarm on it must have come, by what the graph says of alarms.
pub(super) fn budget(telemetry: &Telemetry) -> Duration {
    telemetry.interval.saturating_mul(telemetry.alarms.periods.saturating_add(PERIODS))
}

/// Whoever went dark for long enough, where nothing but power is to blame and a part of the region kept its own.
pub(super) fn darkened<'a>(run: &'a Run<'a>, telemetry: &Telemetry) -> Vec<Darkened<'a>> {
    let placement = run.case.placement;
    let long = |segment: &&Segment| segment.end_ns.saturating_sub(segment.start_ns) > ns(budget(telemetry));
    let mut found = Vec::new();
    for segment in run.timeline.of_phase(Phase::Outage).filter(long).filter(|segment| soft::only_power(run, segment)) {
        let dark = |index: usize| segment.dark.contains(run.host_name(index));
        let of = |wanted: &ServiceName| {
            let all = placement.instances.iter().enumerate();
            all.filter(|(_, placed)| placed.service == *wanted).map(|(index, _)| index).collect::<Vec<usize>>()
        };
        let watched = of(&telemetry.service).into_iter().any(|index| !dark(index));
        let (whole, _) = run.dark_and_lit(segment);
        if (0..placement.instances.len()).all(dark) {
            continue;
        }
        for (_, zone) in run.case.topology.zones() {
            let here = placement.instances.iter().filter(|placed| placed.zone == zone.name);
            for service in here.map(|placed| &placed.service).collect::<BTreeSet<_>>() {
                let mut copies = of(service).into_iter().filter(|&index| placement.instances[index].zone == zone.name);
                let before = |index: usize| run.is_dark(index, segment.start_ns.saturating_sub(1));
                if copies.all(|index| dark(index) && !before(index)) {
                    let whole_zone = whole.contains(&&zone.name);
                    found.push(Darkened { zone: &zone.name, service, segment, whole_zone, watched });
                }
            }
        }
    }
    found
}

/// The first alarm raised within the budget after a moment, about a zone and, where one is named, a service.
pub(super) fn first<'a>(
    run: &Run<'a>,
    telemetry: &Telemetry,
    about: (&ZoneName, Option<&ServiceName>),
    from_ns: u64,
) -> Option<&'a Event> {
    first_between(run, about, from_ns, from_ns.saturating_add(ns(budget(telemetry))))
}

/// The first alarm raised between two moments, about a zone and, where one is named, a service.
pub(super) fn first_between<'a>(
    run: &Run<'a>,
    (zone, service): (&ZoneName, Option<&ServiceName>),
    from_ns: u64,
    until_ns: u64,
) -> Option<&'a Event> {
    run.events.iter().find(|event| match &event.detail {
        Detail::Alarm { about_zone, about, raised: true, .. } => {
            let in_time = (from_ns..=until_ns).contains(&event.t_ns);
            event.by == By::Witness
                && in_time
                && about_zone.as_ref() == Some(zone)
                && service.is_none_or(|service| service == about)
        }
        _ => false,
    })
}

/// The losses of power of the instances of a service in a zone, at a moment.
pub(super) fn spells(run: &Run<'_>, zone: &ZoneName, service: &ServiceName, at_ns: u64) -> Vec<EventId> {
    let all = run.case.placement.instances.iter().enumerate();
    let copies = all.filter(|(_, placed)| placed.zone == *zone && placed.service == *service);
    copies.filter_map(|(index, _)| Some(run.timeline.dark_at(run.host_name(index), at_ns)?.event)).collect()
}
