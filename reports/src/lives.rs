//! Owns the life of every instance as stretches of time, from what the witness saw and from the acts on power. Refuses to
//! believe what an instance says of itself, and to draw.

use crate::record::Record;
use fixtures::name::{HostName, InstanceName};
use scenarios::event::{Act, By, Detail, Event, EventId, Life, Phase};
use std::collections::HashMap;

/// A stretch of an instance's life; it lasts until the next one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Its beginning.
    pub from_ns: u64,
    /// What the instance was.
    pub life: Life,
    /// The event that shows it.
    pub evidence: EventId,
}

/// The life of each instance, in the order of [`Record::instances`], until the region is taken down.
pub fn lives(record: &Record, by_time: &[&Event]) -> Vec<Vec<Stretch>> {
    let index: HashMap<&InstanceName, usize> =
        record.instances.iter().enumerate().map(|(position, row)| (&row.name, position)).collect();
    let mut on_host: HashMap<&HostName, Vec<usize>> = HashMap::new();
    for (position, row) in record.instances.iter().enumerate() {
        on_host.entry(&row.host).or_default().push(position);
    }
    let mut lives: Vec<Vec<Stretch>> = vec![Vec::new(); record.instances.len()];
    for event in by_time {
        match &event.detail {
            Detail::Phase { phase: Phase::Teardown, .. } => break,
            Detail::StepDone { act, what, hosts, .. } if what.is_empty() => {
                let life = match act {
                    Act::Inject => Life::Off,
                    Act::Heal => Life::Starting,
                };
                for &position in hosts.iter().filter_map(|host| on_host.get(host)).flatten() {
                    enter(&mut lives, position, life, event);
                }
            }
            Detail::State { to, .. } | Detail::Probe { outcome: to, .. } if event.by == By::Witness => {
                if let Some(&position) = event.place.instance.as_ref().and_then(|name| index.get(name)) {
                    enter(&mut lives, position, *to, event);
                }
            }
            _ => {}
        }
    }
    lives
}

fn enter(lives: &mut [Vec<Stretch>], position: usize, life: Life, event: &Event) {
    let Some(own) = lives.get_mut(position) else { return };
    // The same again says nothing new: a hundred probes of one state are one stretch.
    if own.last().is_none_or(|last| last.life != life) {
        own.push(Stretch { from_ns: event.t_ns, life, evidence: event.id });
    }
}

/// What the picture of a run shows: from its first event to the moment at which the region is taken down.
pub fn shown(by_time: &[&Event]) -> (u64, u64) {
    let from_ns = by_time.first().map_or(0, |event| event.t_ns);
    let is_down = |event: &&&Event| matches!(event.detail, Detail::Phase { phase: Phase::Teardown, .. });
    let end = by_time.iter().find(is_down).or(by_time.last());
    (from_ns, end.map_or(from_ns, |event| event.t_ns).max(from_ns.saturating_add(1)))
}
