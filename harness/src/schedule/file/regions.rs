//! Owns the `[[regions]]` of a schedule file: regions that stand between its game days. Refuses to know which scenarios there are.

use super::raw::RawRegion;
use super::{Reader, span};
use fixtures::decode::Located;
use fixtures::nearest::nearest;
use std::time::Duration;

/// Bystanders suffer when less than this share of their requests is answered, over so long.
const BYSTANDERS: f64 = 0.5;
const OVER: Duration = Duration::from_secs(10);

/// A region that a server has standing.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// Its name.
    pub name: String,
    /// What it is built from.
    pub of: Of,
    /// From one deployment in it to the next; never where it is zero.
    pub deploy_every: Duration,
    /// A game day in it is ended when customers of zones at which no fault is aimed get a smaller share than this answered.
    pub bystanders: f64,
    /// Over so long.
    pub over: Duration,
}

/// What a region is built from: files, or names of built-in ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    /// The region of a scenario.
    Scenario(String),
    /// A topology and a graph.
    Files {
        /// Zones.
        topology: String,
        /// Services.
        graph: String,
    },
}

impl Reader<'_> {
    pub(super) fn region(&mut self, raw: &RawRegion) -> Option<Region> {
        let name = self.name("a region", raw.name.as_ref());
        let what = name.as_ref().map_or_else(|| "a region".to_owned(), |name| format!("region `{name}`"));
        let text = |value: &Option<Located<String>>| value.as_ref().map(|value| value.get().clone());
        let of = match (text(&raw.scenario), text(&raw.topology), text(&raw.graph)) {
            (Some(scenario), None, None) => Some(Of::Scenario(scenario)),
            (None, Some(topology), Some(graph)) => Some(Of::Files { topology, graph }),
            _ => {
                let help = "either a scenario whose region it is, or both a topology and a graph";
                self.missing(&what, "scenario` or `topology` with `graph", help);
                None
            }
        };
        let bystanders = raw.bystanders_at_least.as_ref().map(|least| f64::from(least.get().ppm) / 1e6);
        Some(Region {
            name: name?,
            of: of?,
            deploy_every: span(raw.deploy_every.as_ref(), Duration::ZERO),
            bystanders: bystanders.unwrap_or(BYSTANDERS),
            over: span(raw.bystanders_over.as_ref(), OVER),
        })
    }

    /// The region that a schedule's game days are held in.
    pub(super) fn named_region(&mut self, named: Option<&Located<String>>, regions: &[Region]) -> Option<String> {
        let named = named?;
        if regions.iter().any(|region| region.name == *named.get()) {
            return Some(named.get().clone());
        }
        let names = regions.iter().map(|region| region.name.as_str());
        let help = nearest(named.get(), names).map(|name| format!("did you mean `{name}`?"));
        let message = format!("there is no region `{}`", named.get());
        self.wrong(
            Some(named.span()),
            message,
            &help.unwrap_or_else(|| "each is a `[[regions]]` of this file".to_owned()),
        );
        None
    }
}
