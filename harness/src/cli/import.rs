//! Owns the shape of `import` on the command line. Refuses to do anything.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Kinds of files that are imported.
#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// Compose files, each over the ones before it; `.env` beside the first says what variables are.
    Compose {
        /// What all kinds have in common.
        #[command(flatten)]
        common: ImportArgs,
        /// Services of this profile take part; `*` stands for all.
        #[arg(long = "profile", value_name = "NAME")]
        profiles: Vec<String>,
        /// Variables, in place of `.env`.
        #[arg(long, value_name = "FILE")]
        env_file: Option<PathBuf>,
    },
    /// Kubernetes manifests: Deployments, StatefulSets, DaemonSets, Services, ConfigMaps.
    Kubernetes {
        /// What all kinds have in common.
        #[command(flatten)]
        common: ImportArgs,
    },
    /// Traces: OTLP as JSON, or Jaeger's.
    Traces {
        /// What all kinds have in common.
        #[command(flatten)]
        common: ImportArgs,
    },
}

/// What all kinds have in common.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The files.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// The folder to write to.
    #[arg(long, value_name = "DIR", default_value = "imported")]
    pub out: PathBuf,
    /// Keep the shape and put a mock service in the place of each image: for graphs whose images are not at hand, and
    /// for virtual time.
    #[arg(long)]
    pub mock: bool,
    /// The name of the graph. Without it the project's own, or the folder's.
    #[arg(long)]
    pub name: Option<String>,
    /// The service where customers come in. Without it a guess, which is told.
    #[arg(long, value_name = "SERVICE")]
    pub entry: Option<String>,
    /// Traces of the same system (OTLP JSON or Jaeger's), or a run's events.jsonl: what was observed becomes measured, and where it differs from
    /// what is declared is told.
    #[arg(long, value_name = "FILE")]
    pub observed: Vec<PathBuf>,
    /// In which zones services are that have one replica and no label: lines `SERVICE: ZONE, ZONE`; `*` stands for all
    /// others.
    #[arg(long, value_name = "FILE")]
    pub placement: Option<PathBuf>,
}
