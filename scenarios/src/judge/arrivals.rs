//! Owns what reached each service in a stretch of a run, as those tell who were asked, and how a finding says so. Refuses
//! to judge.
//!
//! Who is asked speaks of its callers here, not of itself: what was sent to whoever is dark reached nobody and counts for
//! nothing.

use super::Run;
use super::culprit::{Root, Trace};
use super::finding::Victim;
use crate::event::{Detail, EventId};
use crate::judgement::Link;
use crate::timeline::Segment;
use fixtures::name::ServiceName;
use std::collections::BTreeMap;

/// Fewer requests than these say nothing about a share of them.
pub(super) const ENOUGH: u64 = 20;
/// Events kept as evidence of one service.
const EVIDENCE_MAX: usize = 5;

/// What reached all instances of a service.
#[derive(Debug, Clone, Default)]
pub(super) struct Arrived {
    /// Requests for work.
    pub(super) received: u64,
    /// Of those, sent because somebody on the way had asked before in vain.
    pub(super) again: u64,
    /// Of those, turned away because too many waited.
    pub(super) refused: u64,
    /// Of those, taken in although whoever asked would not wait until their turn.
    pub(super) late: u64,
    /// The first events that tell of more than first attempts in good time.
    pub(super) evidence: Vec<EventId>,
    /// The first events that tell anything.
    pub(super) told: Vec<EventId>,
}

impl Arrived {
    /// Requests that nobody on the way had sent before.
    pub(super) fn first(&self) -> u64 {
        self.received - self.again.min(self.received)
    }
}

impl<'a> Run<'a> {
    /// By service, everything that was told wholly between two moments.
    pub(super) fn arrived(&self, from_ns: u64, to_ns: u64) -> BTreeMap<&'a ServiceName, Arrived> {
        let mut all: BTreeMap<&ServiceName, Arrived> = BTreeMap::new();
        for event in self.events {
            let Detail::Arrived { over_ns, received, again, refused, late, .. } = &event.detail else { continue };
            let Some(service) = &event.place.service else { continue };
            if event.t_ns > to_ns || event.t_ns.saturating_sub(*over_ns) < from_ns {
                continue;
            }
            let sum = all.entry(service).or_default();
            sum.received += received;
            sum.again += again;
            sum.refused += refused;
            sum.late += late;
            if sum.told.len() < EVIDENCE_MAX {
                sum.told.push(event.id);
            }
            if again + late > 0 && sum.evidence.len() < EVIDENCE_MAX {
                sum.evidence.push(event.id);
            }
        }
        all
    }

    /// That too much of something reached a service in a stretch: who did that (`who`, `waits_for`, `how`), and its root.
    pub(super) fn besieged(
        &self,
        (service, told): (&ServiceName, &[EventId]),
        segment: &Segment,
        (who, waits_for, how): (String, String, &str),
        root: Root,
    ) -> Option<Victim> {
        let (since_ns, evidence) = (segment.start_ns, std::iter::once(segment.begin_event).chain(told.iter().copied()));
        let link = Link { who, waits_for, how: how.to_owned(), since_ns, evidence: evidence.collect() };
        let zone = self.case.placement.instances.iter().find(|instance| &instance.service == service)?.zone.clone();
        let trace = Trace { links: vec![link], root: Some(root) };
        Some(Victim { instance: None, zone, from_ns: since_ns, to_ns: segment.end_ns, trace })
    }
}
