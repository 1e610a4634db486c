//! Owns what a standing region was declared to be, and how it was built: enough to take it over after everything else is
//! forgotten. Refuses to know how it stands.

use super::folder::Folder;
use crate::load::{self, BadInput};
use crate::schedule::moment::Moment;
use crate::world::docker::standing::Made;
use anyhow::{Context, Result, bail};
use fixtures::diagnostic::Source;
use fixtures::graph::Graph;
use fixtures::placement::Placement;
use fixtures::topology::Topology;
use fixtures::unit::Rate;
use scenarios::customers::Traffic;
use scenarios::scenario::Gathered;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The form of `region.json`.
const SCHEMA: u32 = 1;
/// Customers of a region that no scenario says anything of.
const RATE: Rate = Rate { milli_per_s: 10_000 };
const WRITES: Rate = Rate { milli_per_s: 2_000 };
const TIMEOUT: Duration = Duration::from_secs(2);

/// What was declared, and what was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// The form of this.
    schema: u32,
    /// The region's name.
    pub name: String,
    /// The id that all its objects carry.
    pub run: String,
    /// Decides every random choice in it.
    pub seed: u64,
    /// The version of blackstart that built it.
    pub version: String,
    /// When that was begun.
    pub begun: Moment,
    /// An image of the engine that it was made of, instead of one of its own.
    pub agent_image: Option<String>,
    /// The engine was asked for no rights.
    pub no_rights: bool,
    /// Milliseconds from one deployment to the next; nothing is deployed where it is zero.
    pub deploy_every_ms: u64,
    /// What it was built from.
    pub texts: Texts,
    /// How it was built; absent until it stands.
    pub built: Option<Built>,
}

/// Files, with their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Texts {
    /// Zones.
    pub topology: (String, String),
    /// Services.
    pub graph: (String, String),
    /// Whose customers it has, where a scenario says so.
    pub scenario: Option<(String, String)>,
}

/// What is known only since it was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Built {
    /// When it stood.
    pub at: Moment,
    /// The id of its image.
    pub image: String,
    /// Its addresses, containers and keys.
    pub made: Made,
}

/// What the files say.
#[derive(Debug, Clone)]
pub struct Region {
    /// Zones.
    pub topology: Topology,
    /// Services.
    pub graph: Graph,
    /// Instances.
    pub placement: Placement,
    /// Its customers.
    pub traffic: Traffic,
}

/// What instances of a standing region gather: whatever a game day may be judged by that must be known when they start.
pub fn gathered() -> Gathered {
    Gathered { tries_stores: false, counts_arrivals: true, reads_doubted: false, looks_often: false }
}

impl Declared {
    /// One that is about to be built.
    pub fn new(name: &str, run: &str, seed: u64, begun: Moment, texts: Texts) -> Self {
        Self {
            schema: SCHEMA,
            name: name.to_owned(),
            run: run.to_owned(),
            seed,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            begun,
            agent_image: None,
            no_rights: false,
            deploy_every_ms: 0,
            texts,
            built: None,
        }
    }

    /// What a folder says.
    ///
    /// # Errors
    /// Where there is no such region, or a later version wrote it.
    pub fn read(folder: &Folder) -> Result<Self> {
        let declared: Option<Self> = folder.read("region.json")?;
        let Some(declared) = declared else { return Err(unknown(folder).into()) };
        if declared.schema > SCHEMA {
            bail!("region `{}` was built by a later version of blackstart", folder.name);
        }
        Ok(declared)
    }

    /// Has it on the disk.
    ///
    /// # Errors
    /// Where the disk does not take it.
    pub fn write(&self, folder: &Folder) -> Result<()> {
        let texts = [("topology.toml", Some(&self.texts.topology)), ("graph.toml", Some(&self.texts.graph))];
        for (name, text) in texts.into_iter().chain([("scenario.toml", self.texts.scenario.as_ref())]) {
            if let Some((_, text)) = text {
                folder.write_text(name, text)?;
            }
        }
        folder.write("region.json", self)
    }

    /// What the files say.
    ///
    /// # Errors
    /// Where this version does not read them any more.
    pub fn region(&self) -> Result<Region> {
        let source = |(name, text): &(String, String)| Source { name: name.clone(), text: text.clone() };
        let texts = &self.texts;
        let (topology, graph) = load::region_of(&source(&texts.topology), &source(&texts.graph))
            .with_context(|| format!("region `{}` cannot be read by this version", self.name))?;
        let traffic = match &texts.scenario {
            Some(scenario) => load::traffic_of(&source(scenario))?,
            None => Traffic::plain(RATE, WRITES, TIMEOUT),
        };
        let placement = Placement::new(&topology, &graph);
        Ok(Region { topology, graph, placement, traffic })
    }
}

/// There is no such region; perhaps another was meant.
pub fn unknown(folder: &Folder) -> BadInput {
    let root = folder.path.parent().unwrap_or(&folder.path);
    let known: Vec<String> = Folder::all(root).into_iter().map(|folder| folder.name).collect();
    let near = fixtures::nearest::nearest(&folder.name, known.iter().map(String::as_str));
    let help = match (near, known.is_empty()) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, true) => {
            format!("none is kept there; `blackstart region up {} --scenario minimal` builds one", folder.name)
        }
        (None, false) => format!("there are: {}", known.join(", ")),
    };
    let text = format!("error: no region `{}` is kept in {}\nhelp: {help}\n", folder.name, root.display());
    BadInput { text }
}
