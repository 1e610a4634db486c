//! Owns which faults were in force from when to when, and in which zones. Refuses to know what they did there.

use crate::record::Record;
use fixtures::name::{HostName, ZoneName};
use scenarios::event::{Act, Detail, Event};
use std::collections::{BTreeSet, HashMap};

/// A fault in force.
pub(super) struct Spell {
    pub(super) fault: String,
    pub(super) from_ns: u64,
    pub(super) to_ns: u64,
    zones: BTreeSet<ZoneName>,
}

impl Spell {
    pub(super) fn touches(&self, zone: &str) -> bool {
        self.zones.iter().any(|own| own.as_str() == zone)
    }
}

/// Every fault from its inject to its heal, or to the end where nobody saw one; by their beginnings.
pub(super) fn spells(record: &Record, by_time: &[&Event], end_ns: u64) -> Vec<Spell> {
    let zone_of: HashMap<&HostName, &ZoneName> = record.hosts.iter().map(|row| (&row.name, &row.zone)).collect();
    let planned: HashMap<&str, &[ZoneName]> = record
        .plan
        .rounds
        .iter()
        .flat_map(|round| &round.steps)
        .map(|step| (step.id.as_str(), step.zones.as_slice()))
        .collect();
    let mut open: Vec<Spell> = Vec::new();
    let mut closed = Vec::new();
    for event in by_time {
        let Detail::StepDone { step, fault, act, hosts, .. } = &event.detail else { continue };
        match act {
            Act::Inject => {
                let mut zones: BTreeSet<ZoneName> =
                    hosts.iter().filter_map(|host| zone_of.get(host)).map(|zone| (*zone).clone()).collect();
                zones.extend(planned.get(step.as_str()).into_iter().flat_map(|zones| zones.iter().cloned()));
                open.push(Spell { fault: fault.clone(), from_ns: event.t_ns, to_ns: end_ns, zones });
            }
            Act::Heal => {
                if let Some(at) = open.iter().position(|spell| &spell.fault == fault) {
                    let spell = open.remove(at);
                    closed.push(Spell { to_ns: event.t_ns, ..spell });
                }
            }
        }
    }
    closed.extend(open);
    closed.sort_by_key(|spell| spell.from_ns);
    closed
}
