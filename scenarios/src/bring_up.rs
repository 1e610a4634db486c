//! Owns the story of a bring-up in buckets: after each of several power-ons of one round, how many instances were
//! active, and of those that were not the path along the graph to the one or two services that hold them back. Refuses
//! to judge: an instance that is held back by a bucket that is still to come is no failure.

use crate::event::{Event, Life};
use crate::judge::Case;
use crate::timeline::{Recovery, Timeline};
use fixtures::name::{InstanceName, OperationName, ServiceName};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// So many services at most are told as holding everybody else back.
const BLOCKERS_MAX: usize = 2;

/// One bucket: hosts that got power together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// The fault whose end it was.
    pub name: String,
    /// Round of the plan.
    pub round: usize,
    /// Instances that got power with it.
    pub launched: usize,
    /// How long after that the look was: when everything was active, the next bucket came, or time was up.
    pub after_ns: u64,
    /// How long it took until the last one of it was active; `None` where some were not.
    pub settled_ns: Option<u64>,
    /// Instances with power at that moment, of all buckets so far and of those that never lost it.
    pub powered: usize,
    /// Of those the active ones.
    pub active: usize,
    /// The others.
    pub held_back: Vec<HeldBack>,
    /// The services that hold most of them back, and how many each.
    pub blockers: Vec<Blocker>,
}

/// An instance with power that is not active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBack {
    /// It.
    pub instance: InstanceName,
    /// From its service to the one that holds it back, both included; it alone where it is itself the one.
    pub path: Vec<ServiceName>,
    /// Why the last one of the path is not active.
    pub why: Why,
}

/// A service that holds others back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// It.
    pub service: ServiceName,
    /// How many instances it holds back.
    pub holds_back: usize,
}

/// Why a path ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// It has no power yet.
    Dark,
    /// It has power and does not answer, although what it needs to start is there.
    Silent,
    /// It answers, and not in full, although what it calls is there.
    Failing,
}

/// The buckets of every round that has more than one power-on; empty where there is none.
pub fn bring_up(case: &Case<'_>, events: &[Event]) -> Vec<Bucket> {
    let timeline = Timeline::new(case.plan, case.placement, events);
    let recoveries = timeline.recoveries(case.plan, case.scenario.windows.recovery);
    let gives_power = |recovery: &&Recovery| {
        case.plan.step(&recovery.step).is_some_and(|(_, step)| step.is_power() && !step.changes.is_empty())
    };
    let powers: Vec<&Recovery> = recoveries.iter().filter(gives_power).collect();
    let several = |recovery: &&&Recovery| powers.iter().filter(|other| other.round == recovery.round).count() > 1;
    let look = |recovery: &&Recovery| Look { case, timeline: &timeline, at_ns: recovery.end_ns }.bucket(recovery);
    powers.iter().filter(several).filter_map(look).collect()
}

/// A look at everything at one moment.
struct Look<'l, 'a> {
    case: &'l Case<'a>,
    timeline: &'l Timeline,
    at_ns: u64,
}

/// A place on a walk: an instance, and the operation that is asked of it.
type Node<'a> = (usize, Option<&'a OperationName>);

/// A way from an instance to a service that holds it back.
struct Way {
    path: Vec<ServiceName>,
    why: Why,
}

impl<'a> Look<'_, 'a> {
    fn bucket(&self, recovery: &Recovery) -> Option<Bucket> {
        let (_, step) = self.case.plan.step(&recovery.step)?;
        let placement = self.case.placement;
        let launched = placement.hosts.iter().filter(|host| step.changes.contains(&host.name));
        let powered: Vec<usize> = (0..placement.instances.len()).filter(|&at| self.life(at) != Life::Off).collect();
        let waiting: Vec<usize> = powered.iter().copied().filter(|&at| self.life(at) != Life::Active).collect();
        let ways: Vec<(usize, Vec<Way>)> = waiting.iter().map(|&instance| (instance, self.ways(instance))).collect();
        let (held_back, blockers) = self.choose(ways);
        let came = |instance: usize| {
            let name = &placement.instances[instance].name;
            self.timeline.first_active(name, recovery.gate_ns, self.at_ns).map(|span| span.from_ns - recovery.gate_ns)
        };
        let all = launched.clone().flat_map(|host| &host.instances).map(|&instance| came(instance));
        let settled_ns = all.collect::<Option<Vec<u64>>>().and_then(|took| took.into_iter().max());
        Some(Bucket {
            name: step.fault.clone(),
            round: recovery.round,
            launched: launched.map(|host| host.instances.len()).sum(),
            after_ns: self.at_ns.saturating_sub(recovery.gate_ns),
            settled_ns,
            powered: powered.len(),
            active: powered.len() - waiting.len(),
            held_back,
            blockers,
        })
    }

    /// How an instance stands: what the witness saw, and dark where its host has no power.
    fn life(&self, instance: usize) -> Life {
        let placed = &self.case.placement.instances[instance];
        let host = &self.case.placement.hosts[placed.host].name;
        if self.timeline.dark_at(host, self.at_ns).is_some() || self.timeline.is_kept_dark(host, self.at_ns) {
            return Life::Off;
        }
        if self.timeline.is_active_about(&placed.name, self.at_ns) {
            return Life::Active;
        }
        self.timeline.life_at(&placed.name, self.at_ns).map_or(Life::Starting, |span| span.life)
    }

    /// The shortest way to each service that holds an instance back; never empty.
    fn ways(&self, start: usize) -> Vec<Way> {
        let service = |instance: usize| self.case.placement.instances[instance].service.clone();
        let probed = self.case.graph.service(&service(start)).and_then(|service| service.operations.first());
        let mut waiting: VecDeque<(Node<'_>, Vec<ServiceName>)> =
            VecDeque::from([((start, probed), vec![service(start)])]);
        let mut met: BTreeSet<Node<'_>> = BTreeSet::from([(start, probed)]);
        let mut ways: BTreeMap<ServiceName, Way> = BTreeMap::new();
        while let Some((node, path)) = waiting.pop_front() {
            let life = self.life(node.0);
            let next = self.blocked(node, life);
            let why = match life {
                Life::Off => Some(Why::Dark),
                Life::Starting if next.is_empty() => Some(Why::Silent),
                // Somebody else who answers and whose calls all get through is in nobody's way.
                Life::Serving if next.is_empty() && path.len() == 1 => Some(Why::Failing),
                Life::Starting | Life::Serving | Life::Active => None,
            };
            if let Some(why) = why {
                ways.entry(service(node.0)).or_insert_with(|| Way { path: path.clone(), why });
            }
            for next in next.into_iter().filter(|next| met.insert(*next)) {
                let path = path.iter().cloned().chain([service(next.0)]).collect();
                waiting.push_back((next, path));
            }
        }
        let alone = || Way { path: vec![service(start)], why: Why::Failing };
        if ways.is_empty() { vec![alone()] } else { ways.into_values().collect() }
    }

    /// What stands in the way of an instance: needs of one that starts, calls of one that answers, where nobody in reach
    /// is active. One instance stands for each: rather one with power, and rather in the same zone.
    fn blocked(&self, (instance, operation): Node<'a>, life: Life) -> Vec<Node<'a>> {
        let placed = &self.case.placement.instances[instance];
        let Some(service) = self.case.graph.service(&placed.service) else { return Vec::new() };
        let needs = service.needs.iter().map(|need| (&need.from, None));
        let during = |call: &&'a fixtures::graph::Call| operation.is_none_or(|wanted| call.during.contains(wanted));
        let calls = service.calls.iter().filter(during).map(|call| (&call.to, Some(&call.operation)));
        let leans: Vec<(&ServiceName, Option<&OperationName>)> = match life {
            Life::Starting => needs.collect(),
            Life::Serving => calls.collect(),
            Life::Off | Life::Active => Vec::new(),
        };
        let (topology, graph) = (self.case.topology, self.case.graph);
        let stands_in = |(to, operation): (&ServiceName, Option<&'a OperationName>)| {
            let reach = self.case.placement.targets(topology, graph, &placed.zone, to);
            if reach.iter().any(|&target| self.life(target) == Life::Active) {
                return None;
            }
            let far = |target: &usize| self.case.placement.instances[*target].zone != placed.zone;
            let nearest = reach.into_iter().min_by_key(|target| (self.life(*target) == Life::Off, far(target)))?;
            Some((nearest, operation))
        };
        leans.into_iter().filter_map(stands_in).collect()
    }

    /// Of all ways those to the fewest services; of equally good ones the nearest, then the first in the graph.
    fn choose(&self, ways: Vec<(usize, Vec<Way>)>) -> (Vec<HeldBack>, Vec<Blocker>) {
        let place = |service: &ServiceName| {
            self.case.graph.services.iter().position(|known| &known.name == service).unwrap_or(usize::MAX)
        };
        let mut left = ways;
        let (mut held_back, mut blockers) = (Vec::new(), Vec::new());
        while !left.is_empty() {
            let mut reached: BTreeMap<ServiceName, (usize, usize)> = BTreeMap::new();
            for way in left.iter().flat_map(|(_, ways)| ways) {
                let Some(last) = way.path.last() else { continue };
                let (count, steps) = reached.entry(last.clone()).or_default();
                (*count, *steps) = (*count + 1, *steps + way.path.len());
            }
            let best = |(service, (count, steps)): &(&ServiceName, &(usize, usize))| {
                (std::cmp::Reverse(*count), *steps, place(service))
            };
            let Some((blocker, _)) = reached.iter().min_by_key(best) else { break };
            let (theirs, others) = left.into_iter().partition::<Vec<_>, _>(|(_, ways)| leads_to(ways, blocker));
            left = others;
            if blockers.len() < BLOCKERS_MAX {
                blockers.push(Blocker { service: blocker.clone(), holds_back: theirs.len() });
            }
            for (instance, ways) in theirs {
                let instance = self.case.placement.instances[instance].name.clone();
                let way = ways.into_iter().find(|way| way.path.last() == Some(blocker));
                held_back.extend(way.map(|Way { path, why }| HeldBack { instance, path, why }));
            }
        }
        (held_back, blockers)
    }
}

fn leads_to(ways: &[Way], service: &ServiceName) -> bool {
    ways.iter().any(|way| way.path.last() == Some(service))
}
