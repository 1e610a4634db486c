//! Owns the arguments of what builds regions. Refuses to do anything.

use crate::building::defect::Defect;
use clap::{Args, ValueEnum};
use scenarios::build::plan::BuildPhase;
use std::path::PathBuf;

/// Arguments of `build`.
#[derive(Debug, Clone, Args)]
pub struct BuildArgs {
    /// The name of the region to be built; everything regional is generated from it. With --zone: the region that stands.
    pub region: String,
    /// The name of the region that it is built out of, which serves customers all the while.
    #[arg(long, value_name = "REGION", default_value = "us-test-1", conflicts_with = "zone")]
    pub from: String,
    /// Builds this zone (such as az4) into the region, which stands and serves customers: under deployment safety, never two
    /// zones on one (virtual) day.
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// Makes that zone a local zone: a data plane alone, over a link, whose control plane this availability zone holds.
    #[arg(long, value_name = "ZONE", requires = "zone")]
    pub parent: Option<String>,
    /// What both run: a file, or the name of a built-in graph.
    #[arg(long, default_value = "run-instances")]
    pub graph: String,
    /// Where it is built.
    #[arg(long, value_enum, default_value_t = BuildWorldName::Sim)]
    pub world: BuildWorldName,
    /// Decides everything.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Plays a defect, such as `pinned:quota:table-store`: what somebody wrote by hand, or what the builder leaves out. May be
    /// given several times; `docs/build.md` lists them.
    #[arg(long, value_name = "DEFECT")]
    pub defect: Vec<Defect>,
    /// Pauses at the border before this phase (such as access-list); --take-up goes on: in containers within ten minutes.
    #[arg(long, value_name = "PHASE")]
    pub pause_before: Option<BuildPhase>,
    /// Takes up the build of this run below --out: one that is paused, or whose process ended before it was over. Everything
    /// else is as it was asked for then.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["from", "zone", "parent", "graph", "world", "seed", "defect"])]
    pub take_up: Option<String>,
    /// An executable of blackstart for the engine's machine, where this one is none.
    #[arg(long, value_name = "FILE")]
    pub agent: Option<PathBuf>,
    /// Where the builds' folders go.
    #[arg(long, value_name = "DIR", default_value = "reports/builds")]
    pub out: PathBuf,
}

/// Worlds of builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BuildWorldName {
    /// Virtual time.
    Sim,
    /// Real containers.
    Docker,
}
