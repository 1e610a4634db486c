//! Owns a game day whose services have exchanged their names: in the graph and wherever the scenario names them. Refuses to
//! touch anything else, kinds of needs and of state above all: a certificate is one whatever its source is called.

use crate::load::Loaded;
use anyhow::{Context, Result, anyhow};
use fixtures::diagnostic::{Source, render};
use fixtures::load::{load_graph, load_topology};
use fixtures::placement::Placement;
use scenarios::seed::Seeds;
use std::collections::BTreeMap;

/// Who is called what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names(BTreeMap<String, String>);

impl Names {
    /// The name that a service has now.
    pub fn of(&self, name: &str) -> String {
        self.0.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    /// A setting's path, `services.app.calls.cache.timeout`, with the names that services have now.
    pub fn of_setting(&self, path: &str) -> String {
        let words: Vec<&str> = path.split('.').collect();
        let renamed = words.iter().enumerate().map(|(at, word)| match at.checked_sub(1).map(|before| words[before]) {
            Some("services" | "calls") => self.of(word),
            _ => (*word).to_owned(),
        });
        renamed.collect::<Vec<String>>().join(".")
    }

    /// A text in which every quoted name of a service is replaced, but where a kind of need or of state is named.
    fn put_into(&self, text: &str) -> String {
        let mut out = String::new();
        for (at, part) in text.split('"').enumerate() {
            if at > 0 {
                out.push('"');
            }
            // Parts between two quotation marks are the quoted ones.
            let before = out.trim_end_matches('"').trim_end();
            let is_kind = ["kind =", "state ="].iter().any(|key| before.ends_with(key));
            if at % 2 == 1 && !is_kind {
                out.push_str(&self.of(part));
            } else {
                out.push_str(part);
            }
        }
        out
    }
}

/// A built-in scenario with exchanged names, which follow from a seed.
///
/// # Errors
/// Where there is none of this name, or its files cannot be loaded.
pub fn shuffled(scenario: &str, seed: u64) -> Result<(Loaded, Names)> {
    let source =
        scenarios::builtin::scenario(scenario).with_context(|| format!("no built-in scenario `{scenario}`"))?;
    let (topology, graph) = scenarios::bind::region_of(&source).context("it names no region")?;
    let topology = fixtures::builtin::topology(&topology).context("its topology is not built in")?;
    let graph = fixtures::builtin::graph(&graph).context("its graph is not built in")?;
    let (known, _) =
        load_graph(&graph).map_err(|found| anyhow!(render(&found, std::slice::from_ref(&graph), false)))?;
    let old: Vec<String> = known.services.iter().map(|service| service.name.to_string()).collect();
    let mut new = old.clone();
    Seeds::new(seed ^ 0x5348_5546_464C_4544).shuffle(&mut new);
    let names = Names(old.into_iter().zip(new).collect());
    let put = |source: &Source| Source { text: names.put_into(&source.text), ..source.clone() };
    let (source, graph) = (put(&source), put(&graph));
    let bad = |found: Vec<_>, source: &Source| anyhow!(render(&found, std::slice::from_ref(source), false));
    let scenario = scenarios::load::load_scenario(&source).map_err(|found| bad(found, &source))?.0;
    let topology = load_topology(&topology).map_err(|found| bad(found, &topology))?.0;
    let graph = load_graph(&graph).map_err(|found| bad(found, &graph))?.0;
    let placement = Placement::new(&topology, &graph);
    let plan = scenarios::plan::plan(&scenario, &placement, seed);
    Ok((Loaded { scenario, topology, graph, placement, plan, warnings: String::new(), sources: None }, names))
}
