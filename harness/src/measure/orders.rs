//! Owns the return of power in many orders: at once, along the needs, against them, and at random. Refuses to judge; S4
//! does, and where all come at once S5.

use super::{dark, day, windows};
use crate::twin;
use anyhow::Result;
use fixtures::graph::Graph;
use fixtures::graph::order::order;
use fixtures::name::ServiceName;
use scenarios::event::{Act, Detail, Phase};
use scenarios::seed::Seeds;
use scenarios::verdict::Verdict;
use std::time::Duration;

/// How one order went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    /// What it is: `all at once`, `along the needs`, `against the needs`, `at random`.
    pub kind: &'static str,
    /// Services, first to last; all at once in the order of the graph.
    pub services: Vec<ServiceName>,
    /// The verdict of S4 (of S5 where all came at once).
    pub verdict: Verdict,
    /// From the last power to everybody active, in milliseconds; `None` where that never came.
    pub after_last_ms: Option<u64>,
    /// What was seen.
    pub reason: String,
}

/// How long everything is dark, between two services, and after the last one.
const DARK: Duration = Duration::from_secs(3);
const STEP: Duration = Duration::from_millis(1_500);
const LIMIT: Duration = Duration::from_secs(30);

/// Plays three chosen orders and as many random ones as are asked for.
///
/// # Errors
/// Where the graph cannot be placed.
pub fn orders(graph: &Graph, random: usize, seed: u64) -> Result<Vec<Ordered>> {
    let all: Vec<ServiceName> = graph.services.iter().map(|service| service.name.clone()).collect();
    let along: Vec<ServiceName> = along(graph);
    let mut against = along.clone();
    against.reverse();
    let mut found = vec![
        one(graph, "all at once", all.clone(), Duration::ZERO, seed)?,
        one(graph, "along the needs", along, STEP, seed)?,
        one(graph, "against the needs", against, STEP, seed)?,
    ];
    let mut seeds = Seeds::new(seed);
    for number in 0..random {
        let mut services = all.clone();
        seeds.shuffle(&mut services);
        found.push(one(graph, "at random", services, STEP, seed.wrapping_add(number as u64))?);
    }
    Ok(found)
}

/// Buckets as the graph asks for them, and in each whoever is needed by others before those.
fn along(graph: &Graph) -> Vec<ServiceName> {
    let mut left: Vec<ServiceName> = order(graph).buckets.into_iter().flat_map(|bucket| bucket.services).collect();
    let mut done: Vec<ServiceName> = Vec::new();
    while !left.is_empty() {
        let ready = |name: &ServiceName| {
            let needs = graph.service(name).map(|service| service.needs.as_slice()).unwrap_or_default();
            needs.iter().all(|need| done.contains(&need.from) || !left.contains(&need.from))
        };
        let next = left.iter().position(ready).unwrap_or_default();
        done.push(left.remove(next));
    }
    done
}

fn one(graph: &Graph, kind: &'static str, services: Vec<ServiceName>, step: Duration, seed: u64) -> Result<Ordered> {
    let faults = if step.is_zero() {
        vec![dark("all", Vec::new(), Duration::ZERO, DARK)]
    } else {
        let each = services.iter().zip(0_u32..);
        each.map(|(name, at)| dark(&format!("dark-{at}"), vec![name.clone()], Duration::ZERO, DARK + step * at))
            .collect()
    };
    let id = if step.is_zero() { "S5" } else { "S4" };
    let mut loaded = day(graph, "orders", windows(LIMIT), faults, &[id])?;
    let played = twin::play_unlogged(&mut loaded, seed)?;
    let lit = played.events.iter().filter(|event| matches!(event.detail, Detail::StepDone { act: Act::Heal, .. }));
    let last_ns = lit.map(|event| event.t_ns).max().unwrap_or_default();
    let quiet = |event: &&scenarios::event::Event| {
        event.t_ns >= last_ns && matches!(event.detail, Detail::Phase { phase: Phase::Quiet, .. })
    };
    let (verdict, reason) = match (played.judgement.inconclusive.first(), played.judgement.invariants.first()) {
        (Some(reason), _) => (Verdict::Inconclusive, reason.text.clone()),
        (None, Some(result)) => (result.verdict, result.reason.clone()),
        (None, None) => (Verdict::NotJudged, String::new()),
    };
    let quiet_ns = played.events.iter().find(quiet).map(|event| event.t_ns);
    let after_last_ms = quiet_ns.filter(|_| verdict == Verdict::Held).map(|at| (at - last_ns) / 1_000_000);
    Ok(Ordered { kind, services, verdict, after_last_ms, reason })
}
