//! Owns when a step may change a live zone: never two zones of a region on one day, with a bake between, and no more than a
//! share of them changed in part. Refuses to know what is changed.

use super::Builder;
use crate::controller::Nanos;
use agents::config::nanos;
use fixtures::name::ZoneName;
use scenarios::build::plan::{Ruled, Safety, Step};
use std::collections::BTreeMap;

/// Why a step may not begin now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) why: String,
    /// Until when; absent where waiting changes nothing.
    pub(super) until: Option<Nanos>,
}

impl Builder {
    /// Whether the rules of a live region hold the present step back.
    pub(super) fn held_by_safety(&self, now: Nanos, step: &Step) -> Option<Held> {
        let (Some(rules), Some(zone)) = (self.plan.safety.filter(|_| self.plan.ruled != Ruled::Not), &step.touches)
        else {
            return None;
        };
        let day = nanos(rules.day).max(1);
        let last = self.last_changes();
        // Steps come one after the other: what is changed in part stays so while this one waits.
        let too_many = self.held_by_share(rules, (step, zone), &last).filter(|_| self.plan.ruled == Ruled::Wholly);
        if let Some(why) = too_many {
            return Some(Held { why, until: None });
        }
        let others = last.iter().filter(|(other, _)| ***other != *zone);
        let (other, at) = others.max_by_key(|(_, at)| **at)?;
        if at / day == now / day {
            let why = format!("{other} was changed on this day, and no second zone is");
            return Some(Held { why, until: Some((now / day + 1) * day) });
        }
        let baked = at + nanos(rules.bake);
        let why = format!("what was changed in {other} bakes");
        (now < baked).then_some(Held { why, until: Some(baked) })
    }

    /// Zones that are changed and have steps of this phase left are changed in part: no more than a share of them at once.
    fn held_by_share(
        &self,
        rules: Safety,
        (step, zone): (&Step, &ZoneName),
        last: &BTreeMap<&ZoneName, Nanos>,
    ) -> Option<String> {
        let mut all: Vec<&ZoneName> = self.plan.steps.iter().filter_map(|step| step.touches.as_ref()).collect();
        all.sort();
        all.dedup();
        let is_open = |wanted: &ZoneName| {
            let of_zone = self.plan.steps.iter();
            let mut of_zone = of_zone.filter(|one| one.phase == step.phase && one.touches.as_ref() == Some(wanted));
            let is_done = |one: &Step| self.ledger.done.contains_key(&one.id);
            of_zone.clone().any(is_done) && !of_zone.all(is_done)
        };
        let ahead = last.keys().filter(|other| **other != zone && is_open(other)).count() + 1;
        let most = (all.len() * rules.share_percent as usize / 100).max(1);
        (ahead > most).then(|| format!("{ahead} zones would be changed in part at once, and {most} may be"))
    }

    /// When each live zone was last changed by a step that is over.
    fn last_changes(&self) -> BTreeMap<&ZoneName, Nanos> {
        let mut last = BTreeMap::new();
        for step in &self.plan.steps {
            if let (Some(zone), Some(&at)) = (&step.touches, self.ledger.done.get(&step.id)) {
                let known = last.entry(zone).or_insert(at);
                *known = at.max(*known);
            }
        }
        last
    }
}
