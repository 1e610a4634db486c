//! Owns what can be measured of a graph in virtual time, without a scenario: each service started alone, power back in many
//! orders, every edge cut. Refuses to judge starts and orders itself; S1 and S4 do.
//!
//! - [`alone`]: each service with nothing reachable but its certificate and credential source
//! - [`orders`]: power for one service after the other, in many orders
//! - [`edges`]: how hard each edge is, at call time and at start

pub mod alone;
pub mod edges;
pub mod orders;

use crate::load::Loaded;
use anyhow::{Context, Result, anyhow};
use fixtures::diagnostic::render;
use fixtures::graph::Graph;
use fixtures::name::ServiceName;
use fixtures::placement::Placement;
use fixtures::unit::{Percent, Rate};
use scenarios::customers::Traffic;
use scenarios::fault::{Fault, PowerOff, Selection};
use scenarios::plan::{Plan, Unsynced};
use scenarios::scenario::{Pulses, RecoveryFrom, Scenario, SteadyState, TimedFault, Windows};
use std::time::Duration;

/// The topology in which graphs are measured: one instance on each host, so that services can lose power one by one.
const TOPOLOGY: &str = "us-test-1";

/// A game day of a graph, with faults of our own.
fn day(graph: &Graph, name: &str, windows: Windows, faults: Vec<TimedFault>, invariants: &[&str]) -> Result<Loaded> {
    let source = fixtures::builtin::topology(TOPOLOGY).context("the topology is built in")?;
    let loaded = fixtures::load::load_topology(&source);
    let (topology, _) = loaded.map_err(|found| anyhow!(render(&found, std::slice::from_ref(&source), false)))?;
    let scenario = Scenario {
        name: name.to_owned(),
        title: name.to_owned(),
        topology: topology.name.clone(),
        graph: graph.name.clone(),
        traffic: Traffic::plain(Rate { milli_per_s: 5_000 }, Rate { milli_per_s: 1_000 }, Duration::from_secs(2)),
        steady_state: SteadyState { availability: Percent { ppm: 900_000 }, latency_p99: Duration::from_secs(2) },
        windows,
        faults,
        invariants: invariants.iter().map(|id| (*id).to_owned()).collect(),
    };
    let placement = Placement::new(&topology, graph);
    let clashes = placement.problems();
    if !clashes.is_empty() {
        return Err(anyhow!(clashes.join("; ")));
    }
    let plan = Plan { rounds: Vec::new() };
    Ok(Loaded { scenario, topology, graph: graph.clone(), placement, plan, warnings: String::new(), sources: None })
}

fn windows(recovery: Duration) -> Windows {
    Windows {
        settle: Duration::from_secs(60),
        baseline: Duration::from_secs(5),
        shift: Duration::from_secs(1),
        recovery,
        recovery_from: RecoveryFrom::EachHeal,
        quiet: Duration::from_secs(1),
    }
}

/// Services without power for a time, from the beginning of the round.
fn dark(name: &str, services: Vec<ServiceName>, at: Duration, lasts: Duration) -> TimedFault {
    timed(name, Fault::PowerOff(PowerOff { hosts: of(services), unsynced: Unsynced::Kept }), at, lasts)
}

fn of(services: Vec<ServiceName>) -> Selection {
    Selection { services, ..Selection::default() }
}

fn timed(name: &str, fault: Fault, at: Duration, lasts: Duration) -> TimedFault {
    let (after, within, pulses) = (None, Duration::ZERO, Pulses::ONCE);
    TimedFault { name: name.to_owned(), fault, after, at, within, pulses, lasts }
}
