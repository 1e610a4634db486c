//! Owns what a collector is told of standing regions. Refuses to look at one: their keepers say how they stand.

use super::Metrics;
use super::table::{
    REGION_ACTIVE, REGION_ANSWERED, REGION_AVAILABILITY, REGION_BLACK_START, REGION_BLACK_STARTS, REGION_BUILT,
    REGION_DRIFT, REGION_INSTANCES, REGION_STATE, REGION_WANTED,
};
use crate::region::state::{Phase, State};

impl Metrics {
    /// How regions stand now; one that is not told of any more is told of no more.
    pub fn set_regions(&self, regions: &[State]) {
        let families = &self.families;
        families.clear(REGION_STATE);
        for gauge in [REGION_AVAILABILITY, REGION_WANTED, REGION_ANSWERED] {
            families.clear(gauge);
        }
        for gauge in
            [REGION_ACTIVE, REGION_INSTANCES, REGION_DRIFT, REGION_BLACK_STARTS, REGION_BLACK_START, REGION_BUILT]
        {
            families.clear(gauge);
        }
        for region in regions {
            let name = self.regions.bounded(&region.name);
            for phase in Phase::ALL {
                families.set(REGION_STATE, [name, phase.word()], f64::from(u8::from(phase == region.phase)));
            }
            families.set(REGION_ACTIVE, [name], region.active as f64);
            families.set(REGION_INSTANCES, [name], region.instances as f64);
            families.set(REGION_DRIFT, [name], region.drift.len() as f64);
            families.set(REGION_BLACK_STARTS, [name], region.black_starts as f64);
            if let Some(ms) = region.last_black_start_ms {
                families.set(REGION_BLACK_START, [name], ms as f64 / 1000.0);
            }
            if let Some(built) = region.built {
                families.set(REGION_BUILT, [name], built.0 as f64 / 1000.0);
            }
            for zone in &region.zones {
                let of = self.zones.bounded(&zone.zone);
                if let Some(share) = zone.now {
                    families.set(REGION_AVAILABILITY, [name, of], share);
                }
                families.set(REGION_WANTED, [name, of], zone.wanted as f64);
                families.set(REGION_ANSWERED, [name, of], zone.answered as f64);
            }
        }
    }
}
