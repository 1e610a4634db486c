//! Owns what each caller was seen to do while one of its dependencies did not answer: what a page about the service tells
//! "as measured". Refuses to believe what instances say of themselves, and to name the one cause where several
//! dependencies were away: it counts the others.

use crate::record::Record;
use fixtures::graph::Scope;
use fixtures::name::{HostName, InstanceName, ServiceName, ZoneName};
use scenarios::event::{Act, By, Detail, Event, EventId, Life, Phase};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A dependency must be away, and its caller have power, for so long before what the caller does is taken for what it
/// settled to: one probe of the witness, and a boot, lie well within it.
const SETTLED_NS: u64 = 2_000_000_000;

/// What a caller did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Did {
    /// It answered in full.
    Unharmed,
    /// It answered without what it lacked.
    Degraded,
    /// It answered with errors.
    Failed,
    /// It did not answer at all.
    Silent,
}

impl Did {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Unharmed => "answers in full",
            Self::Degraded => "answers without it",
            Self::Failed => "answers with errors",
            Self::Silent => "does not answer",
        }
    }
}

/// What a service was seen to do while a dependency did not answer; the worst of its instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// The caller.
    pub service: ServiceName,
    /// Who did not answer.
    pub dependency: ServiceName,
    /// Whether the caller got its power meanwhile, and so had to start without it.
    pub at_start: bool,
    /// The zone of the caller.
    pub zone: ZoneName,
    /// What it did.
    pub did: Did,
    /// Other dependencies of the caller that did not answer either: with any, the cause is not sure.
    pub others_away: u64,
    /// The event after which nobody of the dependency answered, and the one that shows what the caller did.
    pub evidence: Vec<EventId>,
}

/// What the witness knows of an instance from a moment on.
#[derive(Debug, Clone, Copy)]
struct Seen {
    t_ns: u64,
    /// `None`: it has no power.
    did: Option<Did>,
    id: EventId,
}

/// A stretch in which nobody of a service answered.
#[derive(Debug, Clone, Copy)]
struct Away {
    from_ns: u64,
    to_ns: u64,
    id: EventId,
}

/// Everything that the run shows of callers without their dependencies.
pub fn gone(record: &Record, events: &[Event]) -> Vec<Gone> {
    let by_time = crate::harm::by_time(events);
    let (_, end_ns) = crate::lives::shown(&by_time);
    let seen = seen(record, &by_time);
    let scopes: HashMap<&ServiceName, Scope> = record.services.iter().map(|row| (&row.name, row.scope)).collect();
    let mut aways: HashMap<(ServiceName, Option<ZoneName>), Vec<Away>> = HashMap::new();
    let mut rows: BTreeMap<(ServiceName, ServiceName, bool), Gone> = BTreeMap::new();
    for service in &record.services {
        let on: BTreeSet<&ServiceName> =
            service.needs.iter().map(|need| &need.from).chain(service.calls.iter().map(|call| &call.to)).collect();
        for (row, states) in record.instances.iter().zip(&seen).filter(|(row, _)| row.service == service.name) {
            let mut away_of = |dependency: &ServiceName| {
                let zonal = scopes.get(dependency) == Some(&Scope::Zonal);
                let key = (dependency.clone(), zonal.then(|| row.zone.clone()));
                let make = || away(record, &seen, &key.0, key.1.as_ref(), end_ns);
                aways.entry(key.clone()).or_insert_with(make).clone()
            };
            let all: Vec<(&ServiceName, Vec<Away>)> = on.iter().map(|on| (*on, away_of(on))).collect();
            for (dependency, spells) in &all {
                for spell in spells {
                    let Some((did, at_start, id)) = settled(states, *spell) else { continue };
                    let at_ns = spell.to_ns.saturating_sub(1);
                    let is_away = |spells: &[Away]| spells.iter().any(|one| one.from_ns <= at_ns && at_ns < one.to_ns);
                    let others = all.iter().filter(|(other, spells)| other != dependency && is_away(spells)).count();
                    let gone = Gone {
                        service: service.name.clone(),
                        dependency: (*dependency).clone(),
                        at_start,
                        zone: row.zone.clone(),
                        did,
                        others_away: others as u64,
                        evidence: vec![spell.id, id],
                    };
                    keep(&mut rows, gone);
                }
            }
        }
    }
    rows.into_values().collect()
}

/// Of several sights of one edge, that in which least else was away counts, and of those the worst.
fn keep(rows: &mut BTreeMap<(ServiceName, ServiceName, bool), Gone>, gone: Gone) {
    let key = (gone.service.clone(), gone.dependency.clone(), gone.at_start);
    let better = |known: &Gone| {
        (gone.others_away, std::cmp::Reverse(gone.did)) < (known.others_away, std::cmp::Reverse(known.did))
    };
    if rows.get(&key).is_none_or(better) {
        rows.insert(key, gone);
    }
}

/// What an instance did at the end of a spell, where it had power for long enough: with whether it had to start in it.
fn settled(states: &[Seen], spell: Away) -> Option<(Did, bool, EventId)> {
    if spell.to_ns - spell.from_ns < SETTLED_NS {
        return None;
    }
    let before: Vec<&Seen> = states.iter().take_while(|seen| seen.t_ns < spell.to_ns).collect();
    let last = before.last()?;
    let did = last.did?;
    let dark = before.iter().rposition(|seen| seen.did.is_none());
    let lit_ns = dark.and_then(|at| before.get(at + 1)).map_or(0, |seen| seen.t_ns);
    let long = spell.to_ns - lit_ns.max(spell.from_ns) >= SETTLED_NS;
    long.then_some((did, dark.is_some() && lit_ns >= spell.from_ns, last.id))
}

/// When nobody of a service (in a zone, or anywhere) answered, after somebody had.
fn away(record: &Record, seen: &[Vec<Seen>], service: &ServiceName, zone: Option<&ZoneName>, end_ns: u64) -> Vec<Away> {
    let own: Vec<usize> = (0..record.instances.len())
        .filter(|&at| {
            &record.instances[at].service == service && zone.is_none_or(|zone| &record.instances[at].zone == zone)
        })
        .collect();
    let mut changes: Vec<(u64, EventId, usize, bool)> = Vec::new();
    for (position, &at) in own.iter().enumerate() {
        let answers = |seen: &Seen| matches!(seen.did, Some(Did::Unharmed | Did::Degraded | Did::Failed));
        changes.extend(seen[at].iter().map(|seen| (seen.t_ns, seen.id, position, answers(seen))));
    }
    changes.sort_by_key(|(t_ns, id, ..)| (*t_ns, *id));
    let mut answering = vec![false; own.len()];
    let (mut spells, mut since, mut had) = (Vec::new(), None, false);
    for (t_ns, id, position, answers) in changes {
        answering[position] = answers;
        let any = answering.contains(&true);
        if any {
            had = true;
            if let Some((from_ns, id)) = since.take() {
                spells.push(Away { from_ns, to_ns: t_ns, id });
            }
        } else if had && since.is_none() {
            since = Some((t_ns, id));
        }
    }
    if let Some((from_ns, id)) = since.filter(|(from_ns, _)| *from_ns < end_ns) {
        spells.push(Away { from_ns, to_ns: end_ns, id });
    }
    spells
}

/// What was seen of each instance, in the order of the record, until the region is taken down.
fn seen(record: &Record, by_time: &[&Event]) -> Vec<Vec<Seen>> {
    let index: HashMap<&InstanceName, usize> =
        record.instances.iter().enumerate().map(|(at, row)| (&row.name, at)).collect();
    let mut on_host: HashMap<&HostName, Vec<usize>> = HashMap::new();
    for (at, row) in record.instances.iter().enumerate() {
        on_host.entry(&row.host).or_default().push(at);
    }
    let mut seen: Vec<Vec<Seen>> = vec![Vec::new(); record.instances.len()];
    for event in by_time {
        let mut enter = |at: usize, did: Option<Did>| {
            let new = Seen { t_ns: event.t_ns, did, id: event.id };
            if let Some(own) = seen.get_mut(at).filter(|own| own.last().is_none_or(|last| last.did != did)) {
                own.push(new);
            }
        };
        match &event.detail {
            Detail::Phase { phase: Phase::Teardown, .. } => break,
            Detail::StepDone { act, what, hosts, .. } if what.is_empty() => {
                let did = (*act == Act::Heal).then_some(Did::Silent);
                hosts.iter().filter_map(|host| on_host.get(host)).flatten().for_each(|&at| enter(at, did));
            }
            Detail::State { to, degraded, .. } if event.by == By::Witness => {
                let at = event.place.instance.as_ref().and_then(|name| index.get(name));
                at.into_iter().for_each(|&at| enter(at, did(*to, *degraded)));
            }
            _ => {}
        }
    }
    seen
}

fn did(life: Life, degraded: bool) -> Option<Did> {
    match life {
        Life::Off => None,
        Life::Starting => Some(Did::Silent),
        Life::Serving if degraded => Some(Did::Degraded),
        Life::Serving => Some(Did::Failed),
        Life::Active => Some(Did::Unharmed),
    }
}
