//! Owns the arguments of commands on regions that stand between game days. Refuses to do anything.

use super::{Format, duration};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Commands on standing regions.
#[derive(Debug, Subcommand)]
pub enum RegionCommand {
    /// Build a region that stays, and return when everybody in it is active and its customers are well.
    Up(UpArgs),
    /// List standing regions: how each stands, how old it is, what its customers got, what is not as declared.
    List {
        /// Where regions are kept.
        #[command(flatten)]
        at: Root,
        /// How to print it.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Tell how one region stands, and what became of it lately.
    Status {
        /// The region.
        name: String,
        /// Where regions are kept.
        #[command(flatten)]
        at: Root,
        /// How to print it.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Remove a region with everything of it.
    Down {
        /// The region.
        name: String,
        /// Where regions are kept.
        #[command(flatten)]
        at: Root,
    },
    /// Keep a region until this is ended: watch it, and bring it back when it is lost. `up` and `serve` start this by themselves.
    Keep {
        /// The region.
        name: String,
        /// Where regions are kept.
        #[command(flatten)]
        at: Root,
        /// Leave the terminal.
        #[arg(long, hide = true)]
        detached: bool,
    },
}

/// Where regions are kept.
#[derive(Debug, Args)]
pub struct Root {
    /// The folder in which standing regions are kept.
    #[arg(long, value_name = "DIR", default_value = crate::region::folder::ROOT)]
    pub root: PathBuf,
}

/// Arguments of `region up`.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// Its name: small letters, digits and hyphens.
    pub name: String,
    /// The scenario whose topology, graph and customers it has: a file, or the name of a built-in one.
    #[arg(long, value_name = "SCENARIO", conflicts_with_all = ["topology", "graph"], required_unless_present = "graph")]
    pub scenario: Option<String>,
    /// Its topology: a file, or the name of a built-in one.
    #[arg(long, value_name = "TOPOLOGY", requires = "graph")]
    pub topology: Option<String>,
    /// Its graph: a file, or the name of a built-in one.
    #[arg(long, value_name = "GRAPH", requires = "topology")]
    pub graph: Option<String>,
    /// Where regions are kept.
    #[command(flatten)]
    pub at: Root,
    /// Decides every random choice in it; without it one is drawn and recorded.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Deploy a service anew, zone by zone, so often; never where nothing is said.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub deploy_every: Option<Duration>,
    /// An executable of blackstart for the engine's machine, where this one is none.
    #[arg(long, value_name = "FILE", conflicts_with = "agent_image")]
    pub agent: Option<PathBuf>,
    /// An image of the engine that has blackstart at /blackstart.
    #[arg(long, value_name = "NAME")]
    pub agent_image: Option<String>,
    /// Ask the engine for no rights on its machine.
    #[arg(long)]
    pub no_rights: bool,
}
