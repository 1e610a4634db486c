//! Owns the arguments of `try`. Refuses to do anything.

use super::Format;
use crate::trial::needs::Need;
use crate::trial::question::Question;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// What is asked of an image, at the end of its help.
pub(super) const HELP: &str = "A question is http://:8080/path or https://:8443/path (well from 200 to 399), tcp://:5432 (well when accepted) or \
\"exec:COMMAND ARGUMENT ...\" in its container (well when its exit status is 0).\n\
Exit status: 0 held · 1 violated · 2 the harness failed, or left something behind · 3 inconclusive · 64 bad input or usage · \
130 interrupted, after everything was removed";

/// Arguments of `try`.
#[derive(Debug, Args)]
pub struct TryArgs {
    /// The image, as the engine knows it. None is ever fetched.
    pub image: String,
    /// What it may need, always there: `certificate` (files in /etc/blackstart, or `certificate=/FOLDER`; mocks show
    /// certificates of the same root), `credentials` (the metadata service of its machine), an endpoint `NAME:PORT`.
    #[arg(long, value_name = "NEED", value_delimiter = ',')]
    pub allow: Vec<Need>,
    /// Whether it is up; without it, a connection to the first port that the image says it listens on.
    #[arg(long, value_name = "QUESTION")]
    pub probe: Option<Question>,
    /// A request as a customer sends, which uses what it depends on; without it, the probe.
    #[arg(long, value_name = "QUESTION")]
    pub call: Option<Question>,
    /// Whether it should be restarted: D6 asks it while dependencies are away.
    #[arg(long, value_name = "QUESTION")]
    pub liveness: Option<Question>,
    /// A dependency that is telemetry, beside those that are known by their name or port.
    #[arg(long, value_name = "NAME")]
    pub telemetry: Vec<String>,
    /// What the mock of a dependency answers to requests by HTTP or gRPC: a status, or a file that is the body.
    #[arg(long, value_name = "NAME[:PORT]=STATUS|FILE")]
    pub play: Vec<String>,
    /// A variable of its environment.
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// A file to put into it.
    #[arg(long, value_name = "PATH=FILE")]
    pub file: Vec<String>,
    /// Its user, instead of the image's own.
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// Its entry point, instead of the image's own.
    #[arg(long, value_name = "PROGRAM")]
    pub entrypoint: Option<String>,
    /// Its host name, and its service's name in the graph; without it, from the image's name.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// How long it may take until it is up; less where it was up much quicker with everybody there.
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = super::duration)]
    pub start_within: Duration,
    /// How long an answer may take.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = super::duration)]
    pub answer_within: Duration,
    /// How long after its dependencies have appeared a call must succeed.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = super::duration)]
    pub heal_within: Duration,
    /// How long the long absence is: S8 says whether it goes on trying for so long.
    #[arg(long, value_name = "DURATION", default_value = "25s", value_parser = super::duration)]
    pub absence: Duration,
    /// Write JUnit to this file too.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write the graph that was measured to this file too.
    #[arg(long, value_name = "FILE")]
    pub graph: Option<PathBuf>,
    /// Where trials' folders go.
    #[arg(long, value_name = "DIR", default_value = "reports/tries")]
    pub out: PathBuf,
    /// What standard output shows: a table, or the record as JSON and nothing else.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// An executable of blackstart for the engine's machine, where this one is none.
    #[arg(long, value_name = "FILE", conflicts_with = "agent_image")]
    pub agent: Option<PathBuf>,
    /// An image of the engine that has blackstart at /blackstart.
    #[arg(long, value_name = "NAME")]
    pub agent_image: Option<String>,
    /// Its command, after `--`, instead of the image's own.
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}
