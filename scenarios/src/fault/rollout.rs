//! Owns what a push and a deployment have in common: which service gets which version, in which zones, at once or one zone
//! after the other, and whether failure stops it. Refuses to know how processes get it.

use super::{Aim, Selection, Wave, zones_of};
use crate::plan::Deed;
use crate::seed::Draw;
use fixtures::name::{ServiceName, ZoneName};
use fixtures::placement::Placement;
use fixtures::version::{Settings, Version};
use std::time::Duration;

/// A version on its way to instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// Whose.
    pub service: ServiceName,
    /// What is different in the version.
    pub set: Settings,
    /// Where; empty is every zone.
    pub zones: Vec<ZoneName>,
    /// From one zone to the next; `None` is all zones at once.
    pub bake: Option<Duration>,
    /// Whether it stops, and is rolled back, where customers of a zone that has the version fall below the steady state.
    pub stop_on_failure: bool,
}

impl Rollout {
    /// The hosts that carry the service, in the zones that are meant.
    pub fn hosts(&self) -> Selection {
        Selection { services: vec![self.service.clone()], ..Selection::of_zones(self.zones.clone()) }
    }

    /// All of it as one.
    pub(super) fn aim(&self, at_start: bool, placement: &Placement, draw: Draw<'_>) -> Aim {
        let version = Version { name: draw.fault.to_owned(), at_start, set: self.set.clone() };
        let deed = Deed::Change { service: self.service.clone(), version, guarded: self.stop_on_failure };
        Aim::whole(&self.hosts(), placement, draw, deed)
    }

    /// Its parts: one zone each where there is time between them, in placement order.
    pub(super) fn waves(&self, at_start: bool, placement: &Placement, draw: Draw<'_>) -> Vec<Wave> {
        let whole = self.aim(at_start, placement, draw);
        let Some(bake) = self.bake else { return vec![Wave::only(whole)] };
        let wave = |(zone, number): (ZoneName, u32)| {
            let of_zone = Self { zones: vec![zone.clone()], ..self.clone() };
            let aim = of_zone.aim(at_start, placement, draw);
            Wave { name: Some(zone.to_string()), after: bake.saturating_mul(number), aim }
        };
        zones_of(&whole.hosts, placement).into_iter().zip(0..).map(wave).collect()
    }
}
