//! Owns making a failing case smaller: faults, times, services, needs and calls are taken away one after the other for as
//! long as the same culprit is found. Refuses to accept another failure for the one it was given.

use super::Culprit;
use crate::load::Loaded;
use crate::twin;
use anyhow::Result;
use fixtures::diagnostic::Source;
use fixtures::graph::{Graph, Service};
use fixtures::load::load_graph;
use fixtures::placement::Placement;
use scenarios::load::load_scenario;
use scenarios::scenario::TimedFault;
use scenarios::verdict::Verdict;
use std::time::Duration;

/// A fault is not made shorter than this: on an engine nothing counts as in force that the witness has not looked at, and
/// a round over a few dark hosts, of which each takes a probe's time to give up, takes up to two seconds.
const LASTS_MIN: Duration = Duration::from_secs(3);

/// A smaller case, and how many game days it took.
#[derive(Debug)]
pub struct Shrunk {
    /// The case.
    pub loaded: Loaded,
    /// Game days played.
    pub played: u64,
}

/// Makes a case that fails with a culprit as small as taking away can make it.
///
/// # Errors
/// As [`twin::play`].
pub fn shrink(loaded: Loaded, seed: u64, culprit: &Culprit) -> Result<Shrunk> {
    let mut shrinking = Shrinking { best: loaded, seed, culprit, played: 0 };
    // What one step makes possible another may use: until nothing changes.
    loop {
        let before = shrinking.size();
        shrinking.faults()?;
        shrinking.services()?;
        shrinking.edges()?;
        if shrinking.size() == before {
            break;
        }
    }
    shrinking.lasts()?;
    Ok(Shrunk { loaded: shrinking.best, played: shrinking.played })
}

struct Shrinking<'c> {
    best: Loaded,
    seed: u64,
    culprit: &'c Culprit,
    played: u64,
}

impl Shrinking<'_> {
    fn size(&self) -> (usize, usize, usize) {
        let services = &self.best.graph.services;
        let edges = services.iter().map(|service| service.needs.len() + service.calls.len()).sum();
        (self.best.scenario.faults.len(), services.len(), edges)
    }

    /// Takes a candidate for the best case, if it fails as the case does.
    fn take(&mut self, candidate: Option<Loaded>) -> Result<bool> {
        let Some(mut candidate) = candidate else { return Ok(false) };
        self.played += 1;
        let judgement = twin::play_unlogged(&mut candidate, self.seed)?.judgement;
        let same = judgement.verdict == Verdict::Violated
            && Culprit::all(&judgement).iter().any(|(culprit, _)| culprit == self.culprit);
        if same {
            self.best = candidate;
        }
        Ok(same)
    }

    fn with_faults(&self, faults: Vec<TimedFault>) -> Option<Loaded> {
        let mut candidate = self.best.clone();
        candidate.scenario.faults = faults;
        // What no file may say is no case; what no file can say yet is not held against it.
        if let Ok(text) = super::file::scenario(&candidate.scenario, "shrunk", "zones", "graph", "") {
            load_scenario(&Source { name: "shrunk".to_owned(), text }).ok()?;
        }
        (!candidate.scenario.faults.is_empty()).then_some(candidate)
    }

    /// The case with another graph, where that is a graph at all and every fault still hits somebody.
    fn with_graph(&self, services: Vec<Service>) -> Option<Loaded> {
        let graph = Graph { services, ..self.best.graph.clone() };
        let text = fixtures::write::graph(&graph, "");
        let (graph, _) = load_graph(&Source { name: "shrunk".to_owned(), text }).ok()?;
        let placement = Placement::new(&self.best.topology, &graph);
        let hits = |fault: &TimedFault| {
            let draw = scenarios::seed::Draw { seed: self.seed, fault: &fault.name };
            !fault.fault.aim(&placement, draw).hosts.is_empty()
        };
        let all_hit = self.best.scenario.faults.iter().all(hits);
        all_hit.then(|| Loaded { graph, placement, ..self.best.clone() })
    }

    fn faults(&mut self) -> Result<()> {
        let mut position = 0;
        while position < self.best.scenario.faults.len() {
            let mut faults = self.best.scenario.faults.clone();
            faults.remove(position);
            if !self.take(self.with_faults(faults))? {
                position += 1;
            }
        }
        Ok(())
    }

    /// Halves first, then ever smaller parts.
    fn services(&mut self) -> Result<()> {
        let mut part = self.best.graph.services.len().div_ceil(2);
        while part >= 1 {
            let mut start = 0;
            while start < self.best.graph.services.len() {
                let gone = start..(start + part).min(self.best.graph.services.len());
                if !self.take(self.with_graph(self.without(gone)))? {
                    start += part;
                }
            }
            part = if part == 1 { 0 } else { part.div_ceil(2) };
        }
        Ok(())
    }

    /// The services without some of them, and without everything that led to those.
    fn without(&self, gone: std::ops::Range<usize>) -> Vec<Service> {
        let services = &self.best.graph.services;
        let names: Vec<_> = services[gone.clone()].iter().map(|service| service.name.clone()).collect();
        let rest = services[..gone.start].iter().chain(&services[gone.end..]);
        let cut = |service: &Service| {
            let mut service = service.clone();
            service.needs.retain(|need| !names.contains(&need.from));
            service.calls.retain(|call| !names.contains(&call.to));
            service
        };
        rest.map(cut).collect()
    }

    fn edges(&mut self) -> Result<()> {
        for position in 0..self.best.graph.services.len() {
            let mut edge = 0;
            loop {
                let mut services = self.best.graph.services.clone();
                let service = &mut services[position];
                let needs = service.needs.len();
                if edge < needs {
                    service.needs.remove(edge);
                } else if edge < needs + service.calls.len() {
                    service.calls.remove(edge - needs);
                } else {
                    break;
                }
                if !self.take(self.with_graph(services))? {
                    edge += 1;
                }
            }
        }
        Ok(())
    }

    fn lasts(&mut self) -> Result<()> {
        for position in 0..self.best.scenario.faults.len() {
            loop {
                let mut faults = self.best.scenario.faults.clone();
                let half_ms = u64::try_from(faults[position].lasts.as_millis() / 2).unwrap_or(u64::MAX);
                faults[position].lasts = Duration::from_millis(half_ms);
                if faults[position].lasts < LASTS_MIN || !self.take(self.with_faults(faults))? {
                    break;
                }
            }
        }
        Ok(())
    }
}
