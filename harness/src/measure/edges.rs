//! Owns the hardness of edges as it is measured: each edge is cut while its caller serves, and again while its caller
//! starts; packets vanish, which is the worst that a dependency can do. Refuses to believe what a graph declares.

use super::{dark, day, of, timed, windows};
use crate::twin::{self, Played};
use anyhow::Result;
use fixtures::graph::{Graph, Strength};
use fixtures::name::{InstanceName, ServiceName};
use scenarios::event::{Act, By, Detail, Life};
use scenarios::fault::{Cut, CutShape, Fault};
use std::time::Duration;

/// What a cut did to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measured {
    /// Nothing that could be seen: what the witness asks for does not use the edge.
    Unused,
    /// It answered without the dependency.
    Soft,
    /// It failed, or did not answer.
    Hard,
}

impl Measured {
    /// The word in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::Soft => "soft",
            Self::Hard => "hard",
        }
    }
}

/// One edge, declared and measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Who calls, or needs.
    pub from: ServiceName,
    /// Whom.
    pub to: ServiceName,
    /// The calls, where there are any: hard where one of them is.
    pub call: Option<Strength>,
    /// The kind of the need, where there is one.
    pub need: Option<String>,
    /// Cut while the caller served.
    pub at_call: Measured,
    /// Cut while the caller started.
    pub at_start: Measured,
}

impl Edge {
    /// What of it is harder than it is declared; empty where nothing is.
    pub fn harder(&self) -> Vec<String> {
        let mut harder = Vec::new();
        if self.at_call == Measured::Hard && self.call != Some(Strength::Hard) {
            harder.push(format!("`{}` is declared soft and fails without `{}`", self.from, self.to));
        }
        if self.at_start == Measured::Hard && self.need.is_none() {
            harder.push(format!("`{}` declares no need and does not start without `{}`", self.from, self.to));
        }
        harder
    }
}

const CUT: Duration = Duration::from_secs(18);
/// When the caller loses power, and for how long.
const RESTART_AT: Duration = Duration::from_secs(8);
const RESTART: Duration = Duration::from_secs(2);
/// How long a caller has to get used to a cut, and to start.
const USED_NS: u64 = 3_000_000_000;
const STARTED_NS: u64 = 6_000_000_000;

/// Cuts every edge of a graph, one game day each.
///
/// # Errors
/// Where the graph cannot be placed.
pub fn edges(graph: &Graph, seed: u64) -> Result<Vec<Edge>> {
    let mut found = Vec::new();
    for service in &graph.services {
        let mut to: Vec<&ServiceName> = service.needs.iter().map(|need| &need.from).collect();
        to.extend(service.calls.iter().map(|call| &call.to));
        let mut done: Vec<&ServiceName> = Vec::new();
        for name in to {
            if !done.contains(&name) && name != &service.name {
                done.push(name);
                found.push(one(graph, &service.name, name, seed)?);
            }
        }
    }
    Ok(found)
}

fn one(graph: &Graph, from: &ServiceName, to: &ServiceName, seed: u64) -> Result<Edge> {
    let cut = Cut {
        from: of(vec![from.clone()]),
        to: Some(of(vec![to.clone()])),
        shape: CutShape::Full,
        one_way: false,
        refuse: false,
    };
    let faults = vec![
        timed("cut", Fault::Cut(cut), Duration::ZERO, CUT),
        dark("restart", vec![from.clone()], RESTART_AT, RESTART),
    ];
    let mut loaded = day(graph, "edges", windows(Duration::from_secs(20)), faults, &["S5"])?;
    let played = twin::play_unlogged(&mut loaded, seed)?;
    let callers: Vec<&InstanceName> = loaded
        .placement
        .instances
        .iter()
        .filter(|instance| &instance.service == from)
        .map(|instance| &instance.name)
        .collect();
    let moment = |fault: &str, act| moment(&played, fault, act);
    let (cut_ns, off_ns) = (moment("cut", Act::Inject), moment("restart", Act::Inject));
    let (on_ns, healed_ns) = (moment("restart", Act::Heal), moment("cut", Act::Heal));
    let worst = |from_ns: u64, to_ns: u64| {
        callers.iter().map(|caller| measured(&played, caller, from_ns, to_ns)).max().unwrap_or(Measured::Unused)
    };
    let service = graph.service(from);
    let calls = service.into_iter().flat_map(|service| &service.calls).filter(|call| &call.to == to);
    let hard = |strength: Strength| strength == Strength::Hard;
    let strengths: Vec<Strength> = calls.map(|call| call.strength).collect();
    let any_hard = strengths.iter().copied().any(hard);
    let call = (!strengths.is_empty()).then_some(if any_hard { Strength::Hard } else { Strength::Soft });
    let needs = service.into_iter().flat_map(|service| &service.needs);
    let need = needs.filter(|need| &need.from == to).map(|need| need.kind.to_string()).next();
    // A start is hard where it does not come to answer; failing answers are a matter of calls.
    let silent = callers.iter().any(|caller| !answers(&played, caller, on_ns + STARTED_NS, healed_ns));
    let at_start = if silent { Measured::Hard } else { Measured::Soft };
    let (from, to) = (from.clone(), to.clone());
    Ok(Edge { from, to, call, need, at_call: worst(cut_ns + USED_NS, off_ns), at_start })
}

fn moment(played: &Played, wanted: &str, way: Act) -> u64 {
    let done = |event: &&scenarios::event::Event| matches!(&event.detail, Detail::StepDone { fault, act, .. } if fault == wanted && *act == way);
    played.events.iter().find(done).map_or(0, |event| event.t_ns)
}

/// What an instance was, by time, as the witness saw it or as follows from an act on its power; and whether it answered
/// without something soft.
fn states<'p>(played: &'p Played, instance: &'p InstanceName) -> impl Iterator<Item = (u64, Life, bool)> + 'p {
    played.events.iter().filter_map(move |event| match &event.detail {
        Detail::State { to, degraded, .. }
            if event.by != By::Own && event.place.instance.as_ref() == Some(instance) =>
        {
            Some((event.t_ns, *to, *degraded))
        }
        _ => None,
    })
}

/// What it was for most of the time between two moments.
fn measured(played: &Played, instance: &InstanceName, from_ns: u64, to_ns: u64) -> Measured {
    let mut spent = [0_u64; 3];
    let mut here = (from_ns, Measured::Unused);
    for (at_ns, life, degraded) in states(played, instance).take_while(|(at_ns, ..)| *at_ns < to_ns) {
        let next = match (life, degraded) {
            (Life::Active, _) => Measured::Unused,
            (Life::Serving, true) => Measured::Soft,
            _ => Measured::Hard,
        };
        spent[here.1 as usize] += at_ns.saturating_sub(here.0.max(from_ns));
        here = (at_ns.max(from_ns), next);
    }
    spent[here.1 as usize] += to_ns.saturating_sub(here.0);
    let [unused, soft, hard] = spent;
    // A breaker lets a trial through now and then: those moments say nothing against a soft edge.
    if hard > soft + unused {
        Measured::Hard
    } else if soft + hard > unused {
        Measured::Soft
    } else {
        Measured::Unused
    }
}

/// Whether an instance answered at any time between two moments, with errors or without.
fn answers(played: &Played, instance: &InstanceName, from_ns: u64, to_ns: u64) -> bool {
    let before = states(played, instance).take_while(|(at_ns, ..)| *at_ns <= from_ns).last();
    let within = states(played, instance).filter(|(at_ns, ..)| (from_ns..to_ns).contains(at_ns));
    before.into_iter().chain(within).any(|(_, life, _)| matches!(life, Life::Serving | Life::Active))
}
