//! Owns the arguments of commands on what runs unattended. Refuses to do anything.

use super::Format;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The schedule; without it, runs are held when somebody asks for one.
    #[arg(value_name = "FILE")]
    pub schedule: Option<PathBuf>,
    /// Where to answer. Beyond this machine only with `--tokens`.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8377")]
    pub listen: SocketAddr,
    /// Who may do what: lines of `NAME ROLE TOKEN`, roles `view` and `run`, in a file that nobody else may read. Without
    /// it, one is made in DIR/serve/.
    #[arg(long, value_name = "FILE")]
    pub tokens: Option<PathBuf>,
    /// Also those who only look need a token. Beyond this machine they always do.
    #[arg(long)]
    pub private: bool,
    /// A name under which this server is reached, besides localhost and addresses; may be given several times.
    #[arg(long, value_name = "HOST")]
    pub name: Vec<String>,
    /// A chain of certificates, PEM: answer by TLS.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// Its key, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
    /// Where the runs' folders go; the server keeps its own in `serve` there. One server a folder.
    #[arg(long, value_name = "DIR", default_value = "reports/runs")]
    pub out: PathBuf,
    /// The folder in which standing regions are kept.
    #[arg(long, value_name = "DIR", default_value = crate::region::folder::ROOT)]
    pub root: PathBuf,
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

/// Arguments of `schedule`.
#[derive(Debug, Args)]
pub struct ScheduleArgs {
    /// The schedule.
    #[arg(value_name = "FILE")]
    pub schedule: PathBuf,
    /// So many lines.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub next: usize,
    /// The folder of the server's runs: what was run there decides what comes next.
    #[arg(long, value_name = "DIR", default_value = "reports/runs")]
    pub out: PathBuf,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Arguments of `halt`.
#[derive(Debug, Args)]
pub struct HaltArgs {
    /// Let the schedule go on again.
    #[arg(long)]
    pub resume: bool,
    /// The server, such as `https://games.example:8377`; without it, the one that keeps DIR.
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// Certificates to trust, PEM, where the server answers by TLS and the system does not trust who signed its own.
    #[arg(long, value_name = "FILE", requires = "server")]
    pub roots: Option<PathBuf>,
    /// The file with a token of the role `run`; without it, the one of the server that keeps DIR.
    #[arg(long, value_name = "FILE")]
    pub tokens: Option<PathBuf>,
    /// The folder of the server's runs.
    #[arg(long, value_name = "DIR", default_value = "reports/runs")]
    pub out: PathBuf,
}
