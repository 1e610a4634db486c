//! Owns what the loops of a build make of what they see, in whichever world: who is harmed, who refuses its software, where an instance is, when racks
//! land. Refuses to know how any of it came about.

use super::Spec;
use crate::builder::Input;
use crate::controller::Nanos;
use agents::config::nanos;
use fixtures::name::{InstanceName, ZoneName};
use fixtures::regional::estate::Estate;
use scenarios::build::judge::{self, WINDOWS_IN_A_ROW};
use scenarios::build::observed::{Building, Delivery};
use scenarios::event::{Detail, Place};
use scenarios::seed::Seeds;
use std::collections::{BTreeMap, VecDeque};

/// Whether customers of the bootstrap region get too little, again and again; and whether anybody was given what is no software
/// of this region.
#[derive(Debug, Default)]
pub(super) struct Harm {
    pub(super) harmed: BTreeMap<ZoneName, u32>,
    /// Until the region has come up itself, nobody is harmed by a build.
    pub(super) guards: bool,
}

impl Harm {
    pub(super) fn look(&mut self, estate: &Estate, place: &Place, detail: &Detail) -> Option<Input> {
        if let Detail::Build { seen: Building::Software { delivery: Delivery::Refused, text, .. } } = detail {
            let who = place.instance.as_ref().map(ToString::to_string).unwrap_or_default();
            return Some(Input::Refused { why: format!("{who} refuses the software that it was given: {text}") });
        }
        let Detail::Canary { control: false, sent, ok, degraded, .. } = detail else { return None };
        let zone = place.zone.clone().filter(|zone| self.guards && estate.bootstrap.zones.contains(zone))?;
        let answered = ok + degraded;
        let count = self.harmed.entry(zone.clone()).or_default();
        *count = if judge::falls_short(answered, *sent) { *count + 1 } else { 0 };
        let text = format!("{answered} of {sent} requests were answered in {WINDOWS_IN_A_ROW} windows in a row");
        (*count == WINDOWS_IN_A_ROW).then_some(Input::Harm { zone, text })
    }
}

/// Where an instance is, for an event of it.
pub(super) fn place_of(estate: &Estate, instance: &InstanceName) -> Option<Place> {
    let placed = estate.placement.instance_by_name(instance)?;
    Some(Place {
        zone: Some(placed.zone.clone()),
        host: Some(estate.placement.hosts[placed.host].name.clone()),
        service: Some(placed.service.clone()),
        instance: Some(instance.clone()),
    })
}

/// When the racks of which zone land, the next first.
pub(super) fn racks(spec: &Spec, estate: &Estate, now: Nanos) -> VecDeque<(Nanos, ZoneName)> {
    let mut seeds = Seeds::new(spec.seed ^ 0x52_41_43_4B);
    let (first, last) = spec.racks;
    let begin = now + nanos(first);
    let zones = estate.arriving().into_iter();
    let mut racks: Vec<(Nanos, ZoneName)> =
        zones.map(|zone| (begin + seeds.up_to(nanos(last.saturating_sub(first))), zone)).collect();
    racks.sort();
    racks.into()
}
