//! Owns the arguments of commands on many runs. Refuses to do anything.

use crate::history::Reference;
use clap::{Args, ValueEnum};
use reports::actions::State;
use reports::policy::Date;
use reports::week::Week;
use scenarios::verdict::Verdict;
use std::path::PathBuf;

/// Arguments of `history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// Only runs of these scenarios.
    #[arg(value_name = "SCENARIO")]
    pub scenarios: Vec<String>,
    /// Only runs in this world: docker, sim.
    #[arg(long)]
    pub world: Option<String>,
    /// Only runs on this graph.
    #[arg(long)]
    pub graph: Option<String>,
    /// Only runs with this verdict.
    #[arg(long, value_enum)]
    pub verdict: Option<VerdictName>,
    /// Only runs with this label.
    #[arg(long)]
    pub label: Option<String>,
    /// Only runs on this day or later, such as 2026-11-25.
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub since: Option<Date>,
    /// Only runs on this day or earlier.
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub until: Option<Date>,
    /// The newest so many.
    #[arg(long, default_value_t = 30)]
    pub limit: usize,
    /// Compare with these older runs: `last-held` (runs like the last one that was held before), `label:NAME`, or ids of
    /// runs with commas between them.
    #[arg(long, value_name = "RUNS", value_parser = Reference::parse)]
    pub against: Option<Reference>,
    /// The newer runs that are compared, named in the same way. Without it the newest run that fits, with all of its
    /// label.
    #[arg(long, value_name = "RUNS", requires = "against", value_parser = Reference::parse)]
    pub now: Option<Reference>,
    /// Compare the newest so many runs that fit.
    #[arg(long, value_name = "N", requires = "against", conflicts_with = "now")]
    pub last: Option<usize>,
    /// Make the history anew from the records in the runs' folders.
    #[arg(long, conflicts_with_all = ["against", "scenarios"])]
    pub rebuild: bool,
    /// How to print it; Markdown and HTML have plots.
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    pub format: ListFormat,
    /// The folder of the runs, as `run --out` named it.
    #[arg(long, value_name = "DIR", default_value = "reports/runs")]
    pub runs: PathBuf,
}

fn day(text: &str) -> Result<Date, String> {
    Date::parse(text).ok_or_else(|| format!("`{text}` is no day such as 2026-11-25"))
}

/// Verdicts of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum VerdictName {
    /// Everything judged was true.
    Held,
    /// Something was not.
    Violated,
    /// Nothing can be said.
    Inconclusive,
}

impl From<VerdictName> for Verdict {
    fn from(name: VerdictName) -> Self {
        match name {
            VerdictName::Held => Self::Held,
            VerdictName::Violated => Self::Violated,
            VerdictName::Inconclusive => Self::Inconclusive,
        }
    }
}

/// Forms of a list of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For people at a terminal.
    Text,
    /// For programs.
    Json,
    /// For people who read it elsewhere.
    Markdown,
    /// For a browser.
    Html,
}

/// Arguments of `coe actions`.
#[derive(Debug, Args)]
pub struct ActionsArgs {
    /// Only actions of this team.
    #[arg(long)]
    pub team: Option<String>,
    /// Only actions of this scenario.
    #[arg(long)]
    pub scenario: Option<String>,
    /// Which: those to be done (open and reopened), or others.
    #[arg(long, value_enum, default_value_t = ActionState::ToDo)]
    pub state: ActionState,
    /// Only those whose last day has passed.
    #[arg(long)]
    pub overdue: bool,
    /// By when actions are due, instead of the usual days.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    pub format: ListFormat,
    /// The folder of the runs, as `run --out` named it.
    #[arg(long, value_name = "DIR", default_value = "reports/runs")]
    pub runs: PathBuf,
}

/// States of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ActionState {
    /// Open or reopened.
    ToDo,
    /// No run has shown the success criterion yet.
    Open,
    /// Verified, and broken again.
    Reopened,
    /// A later run has shown it.
    Verified,
    /// All of them.
    All,
}

impl ActionState {
    /// Whether an action in this state is asked for.
    pub fn takes(self, state: State) -> bool {
        match self {
            Self::ToDo => state != State::Verified,
            Self::Open => state == State::Open,
            Self::Reopened => state == State::Reopened,
            Self::Verified => state == State::Verified,
            Self::All => true,
        }
    }
}

/// Arguments of `ops-review`.
#[derive(Debug, Args)]
pub struct OpsReviewArgs {
    /// The week, such as 2026-W47. Without it the last one that is over.
    #[arg(long, value_parser = week)]
    pub week: Option<Week>,
    /// By when actions are due, instead of the usual days.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Where `ops-review-WEEK.md` and `.html` go.
    #[arg(long, value_name = "DIR", default_value = "reports/reviews")]
    pub out: PathBuf,
    /// The folder of the runs, as `run --out` named it.
    #[arg(long, value_name = "DIR", default_value = "reports/runs")]
    pub runs: PathBuf,
}

fn week(text: &str) -> Result<Week, String> {
    Week::parse(text).ok_or_else(|| format!("`{text}` is no week such as 2026-W47"))
}

/// Arguments of `orr`.
#[derive(Debug, Args)]
pub struct OrrArgs {
    /// A file, or the name of a built-in graph.
    pub graph: String,
    /// The topology whose zones are to be covered, a file or the name of a built-in one. Without it the zones in which
    /// runs were, and those of built-in scenarios of this graph.
    #[arg(long)]
    pub topology: Option<String>,
    /// After so many days what a run showed is stale.
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    pub stale_after: u32,
    /// Where `orr-GRAPH.md` and `.html` go.
    #[arg(long, value_name = "DIR", default_value = "reports/reviews")]
    pub out: PathBuf,
    /// The folder of the runs, as `run --out` named it.
    #[arg(long, value_name = "DIR", default_value = "reports/runs")]
    pub runs: PathBuf,
}

/// Arguments of `dashboards`.
#[derive(Debug, Args)]
pub struct DashboardsArgs {
    /// The folder to write to: `grafana-blackstart.json` and `blackstart-rules.yml`.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Where alerts point to: the address at which your team reads docs/metrics.md.
    #[arg(long, value_name = "URL", default_value = crate::dashboards::RUNBOOKS)]
    pub runbooks: String,
}

/// Arguments of `docs`.
#[derive(Debug, Args)]
pub struct DocsArgs {
    /// A file, or the name of a built-in graph.
    pub graph: String,
    /// Where the pages go, `SERVICE.md` each and `README.md`. Without it `reports/docs/GRAPH`.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The folder of the runs, as `run --out` named it; where there is none the pages say what is declared alone.
    #[arg(long, value_name = "DIR", default_value = "reports/runs")]
    pub runs: PathBuf,
}
