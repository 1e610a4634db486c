//! Owns the reading of what a standing region is built from: a topology and a graph, named or kept as texts. Refuses to know
//! what is done with it.

use super::{BadInput, Kind, Loaded, Problems, find};
use fixtures::diagnostic::Source;
use fixtures::graph::Graph;
use fixtures::load::{load_graph_placed, load_topology};
use fixtures::placement::Placement;
use fixtures::topology::Topology;
use scenarios::customers::Traffic;

impl Loaded {
    /// The texts of topology, graph and scenario, where it was read and not made.
    pub fn texts(&self) -> Option<[&Source; 3]> {
        let sources = self.sources.as_deref()?;
        Some([&sources.topology, &sources.graph, &sources.scenario])
    }
}

/// Finds the texts of a topology and a graph, and looks whether a region can be built from them.
///
/// # Errors
/// Everything that is wrong with either.
pub fn region_texts(topology: &str, graph: &str) -> Result<[Source; 2], BadInput> {
    let found = (find(Kind::Topology, topology, None), find(Kind::Graph, graph, None));
    let (topology, graph) = match found {
        (Ok(topology), Ok(graph)) => (topology, graph),
        (topology, graph) => {
            let text = [topology.err(), graph.err()].into_iter().flatten().map(|bad| bad.text).collect();
            return Err(BadInput { text });
        }
    };
    region_of(&topology, &graph)?;
    Ok([topology, graph])
}

/// Reads a topology and a graph.
///
/// # Errors
/// Everything that is wrong with either, or with both together.
pub fn region_of(topology: &Source, graph: &Source) -> Result<(Topology, Graph), BadInput> {
    let mut problems = Problems::default();
    let zones = problems.take(topology, load_topology(topology));
    let services = problems.take(graph, load_graph_placed(graph));
    let (Some(zones), Some((services, _))) = (zones, services) else { return Err(problems.bad()) };
    if problems.fatal() {
        return Err(problems.bad());
    }
    let clashes = Placement::new(&zones, &services).problems();
    if clashes.is_empty() {
        return Ok((zones, services));
    }
    Err(BadInput { text: format!("error: {}\n", clashes.join("\nerror: ")) })
}

/// The customers of a scenario.
///
/// # Errors
/// Everything that is wrong with it.
pub fn traffic_of(scenario: &Source) -> Result<Traffic, BadInput> {
    let mut problems = Problems::default();
    let loaded = problems.take(scenario, scenarios::load::load_scenario(scenario));
    loaded.map(|scenario| scenario.traffic).ok_or_else(|| problems.bad())
}
