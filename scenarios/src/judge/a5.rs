//! A5, monotonic reads. Refuses to ask that a read gives what was written last; that is A3's.
//!
//! *Statement*: who has read something does not later read, of another member, what it had replaced.
//!
//! *Experiment*: the witness reads each register of a replicated store at members of all zones, on both sides of a cut.
//!
//! *Oracle*: of two reads of one register, one after the other, the later never gives a value whose write had been answered
//! before the write of the earlier read's value began. The witness is one reader, wherever it asks. Limit: 0 reads.
//! Source: monotonic reads, as in Terry et al., Session Guarantees for Weakly Consistent Replicated Data, PDIS 1994.
//!
//! *Horizon*: while a fault was in force, reads were answered in two zones, and a write was acknowledged.
//!
//! *Inconclusive*: nothing of its own.

use super::a3::{Register, during_faults, operations, registers, told};
use super::culprit::{Cause, Root, Trace};
use super::finding::{Victim, sorted};
use super::history;
use super::{Entry, Outcome, Run};
use crate::event::{Event, EventId};
use crate::judgement::{InvariantResult, Link};
use crate::verdict::Verdict;
use fixtures::name::ZoneName;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const ENTRY: Entry = Entry {
    id: "A5",
    title: "monotonic reads",
    statement: "Who has read something does not later read, of another member, what it had replaced.",
    judge,
};

/// In fewer zones one side alone was asked.
const ZONES_MIN: usize = 2;

/// Of a register the two reads of which the later went back.
struct Back<'a> {
    register: &'a Register<'a>,
    earlier: usize,
    later: usize,
}

fn judge(run: &Run<'_>) -> Outcome {
    let registers = registers(run);
    let back = |register| {
        let (earlier, later) = history::back_in_time(&operations(register))?;
        Some(Back { register, earlier, later })
    };
    let bad: Vec<Back<'_>> = registers.iter().filter_map(back).collect();
    let (writes, reads) = during_faults(run, &registers);
    let zones: BTreeSet<&ZoneName> = reads.iter().filter_map(|id| zone_of(run, *id)).collect();
    let (verdict, reason) = if !bad.is_empty() {
        (Verdict::Violated, bad.iter().map(Back::text).collect::<Vec<_>>().join("; "))
    } else if !writes.is_empty() && zones.len() >= ZONES_MIN {
        let (count, of) = (reads.len(), zones.len());
        (Verdict::Held, format!("{count} reads while a fault was in force, in {of} zones, none of which went back"))
    } else {
        let reason = "while a fault was in force, nobody wrote a replicated store and read it in two zones: a longer cut of a \
                      region with `state = \"replicated\"` would do";
        (Verdict::NotJudged, reason.to_owned())
    };
    let evidence = match verdict {
        Verdict::Violated => sorted(bad.iter().flat_map(Back::evidence)),
        _ => sorted(writes.first().copied().into_iter().chain(reads.first().copied())),
    };
    let thresholds = BTreeMap::from([("reads that go back".to_owned(), "0".to_owned())]);
    let result = InvariantResult { id: ENTRY.id.to_owned(), aspect: None, verdict, reason, thresholds, evidence };
    let victims = bad.iter().filter_map(|one| one.victim(run)).collect();
    Outcome { results: vec![result], findings: run.findings(ENTRY.id, victims) }
}

fn zone_of<'a>(run: &Run<'a>, id: EventId) -> Option<&'a ZoneName> {
    run.events.iter().find(|event| event.id == id)?.place.zone.as_ref()
}

impl Back<'_> {
    fn read(&self, position: usize) -> Option<&Event> {
        self.register.events.get(position).copied()
    }

    fn who(&self, position: usize) -> String {
        let instance = self.read(position).and_then(|event| event.place.instance.as_ref());
        instance.map_or_else(|| self.register.service.to_string(), ToString::to_string)
    }

    fn text(&self) -> String {
        let (earlier, later) = (told(self.register, self.earlier), told(self.register, self.later));
        let (first, second) = (self.who(self.earlier), self.who(self.later));
        format!("{}: {earlier} at {first}, and after it {later} at {second}", self.register.key)
    }

    fn evidence(&self) -> Vec<EventId> {
        [self.earlier, self.later].into_iter().filter_map(|one| self.read(one)).map(|event| event.id).collect()
    }

    /// The member that told the older value.
    fn victim(&self, run: &Run<'_>) -> Option<Victim> {
        let later = self.read(self.later)?;
        let service = self.register.service;
        let root = Root {
            service: service.clone(),
            dependency: None,
            setting: Some(run.storing(service, "replication.reads")),
            cause: Cause::TellsTheOld,
        };
        let link = Link {
            who: self.who(self.later),
            waits_for: format!("what {} knew", self.who(self.earlier)),
            how: format!("register {}", self.register.key),
            since_ns: later.t_ns,
            evidence: self.evidence(),
        };
        Some(Victim {
            instance: later.place.instance.clone(),
            zone: later.place.zone.clone()?,
            from_ns: later.t_ns,
            to_ns: later.t_ns,
            trace: Trace { links: vec![link], root: Some(root) },
        })
    }
}
