//! Owns the command line's shape. Refuses to do anything.

mod building;
mod import;
mod many;
mod standing;
mod trial;
mod unattended;

pub use building::{BuildArgs, BuildWorldName};
pub use import::{ImportArgs, ImportCommand};
pub use many::{
    ActionState, ActionsArgs, DashboardsArgs, DocsArgs, HistoryArgs, ListFormat, OpsReviewArgs, OrrArgs, VerdictName,
};
pub use standing::{RegionCommand, Root, UpArgs};
pub use trial::TryArgs;
pub use unattended::{HaltArgs, ScheduleArgs, ServeArgs};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Pulls the plug on whole availability zones of containerised services, gives the power back, touches nothing, and
/// proves or disproves that everything came back by itself.
#[derive(Debug, Parser)]
#[command(name = "blackstart", version, max_term_width = 100, after_help = EXITS)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// More on standard error: -v for decisions, -vv for everything.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Nothing on standard error but errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Colours.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
}

/// The exit statuses, at the end of every help text.
const EXITS: &str = "Exit status: 0 held, or violated only where a known gap says so · 1 violated · 2 the harness failed, or left something behind · 3 inconclusive · \
64 bad input or usage · 130 interrupted, after everything was healed and removed";

/// What `history` compares, at the end of its help.
const HISTORY_HELP: &str = "Exit status with --against: 0 no regression · 1 a regression: slower return, lower availability, more lost · \
3 too few runs to tell. Ten runs on each side tell a return that is 30 % slower: `blackstart run minimal minimal ... --label NAME`.";

/// Commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Hold one or more game days.
    Run(RunArgs),
    /// Put one image on trial, sealed off but for its allowed needs: does it start, answer, heal, and whom does it reach for?
    #[command(after_help = trial::HELP)]
    Try(Box<TryArgs>),
    /// Search seeds and schedules of a scenario in virtual time, make what fails small, and say how to see it again.
    Explore(ExploreArgs),
    /// Write a region drawn from published statistics of real service graphs, with its labels.
    Generate(GenerateArgs),
    /// Write a region from descriptions of your own system: Compose files, Kubernetes manifests, traces.
    Import {
        /// From which kind of files.
        #[command(subcommand)]
        command: ImportCommand,
    },
    /// Hold scenarios in both worlds and print where verdicts, culprits or recovery times disagree.
    Parity(ParityArgs),
    /// Validate scenarios, topologies and graphs, and check graphs without running them (G1 to G10): every problem and
    /// finding at once, with file, line and column.
    Check {
        /// Files, or names of built-in ones; without any, everything that is built in.
        files: Vec<String>,
        /// Print in which order the services of this graph (a file, or the name of a built-in one) could be brought up:
        /// start-up cycles, the smallest set that must exist first, and the buckets that would do.
        #[arg(long, value_name = "GRAPH", conflicts_with_all = ["files", "format", "known_gaps"])]
        order: Option<String>,
        /// A ledger of findings that are accepted until a day, by the name of their graph: they are told and do not fail.
        #[arg(long, value_name = "FILE")]
        known_gaps: Option<PathBuf>,
        /// How to tell what was found: for people, for code scanning, for programs.
        #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
        format: CheckFormat,
    },
    /// Hold every defect and its repaired twin and print whether each was found, with the right culprit, and confirmed;
    /// fails where a cell is wrong.
    Matrix(MatrixArgs),
    /// Measure a graph in virtual time: each service started alone, power back in many orders, each edge cut.
    Measure(MeasureArgs),
    /// Print what a run would do, to which hosts, and what it would not touch; changes nothing.
    Plan {
        /// A file, or the name of a built-in scenario.
        scenario: String,
        /// How to print it.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Render a run's record again.
    Report {
        /// The run's folder, or its record.json.
        run: PathBuf,
        /// What to render.
        #[arg(long, value_enum, default_value_t = Document::Table)]
        format: Document,
        /// Due dates and limits of corrections, instead of the usual ones.
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
    },
    /// Corrections of error: their actions over all runs, and a judge of pages, also of those that people edited.
    Coe {
        /// What to do.
        #[command(subcommand)]
        command: CoeCommand,
    },
    /// List past runs with their trends, compare newer runs with older ones, or make the history anew from the records.
    #[command(after_help = HISTORY_HELP)]
    History(HistoryArgs),
    /// Write the weekly operations review: runs and verdicts, new and recurring findings, what to discuss, actions overdue,
    /// blockers that several teams share.
    OpsReview(OpsReviewArgs),
    /// Write the operational readiness review of a graph: each question answered by the run that shows it, or `never
    /// tested`, or `failed`, and the map of what was covered.
    Orr(OrrArgs),
    /// Write a page for each service of a graph: endpoints, needs, calls, callers, owner, and what it does when each
    /// dependency is gone, as measured.
    Docs(DocsArgs),
    /// Regions that stand between game days, aging as real ones do: build, list, keep, remove.
    Region {
        /// What to do.
        #[command(subcommand)]
        command: RegionCommand,
    },
    /// Keep a schedule of game days, hold them one at a time, and show it all on pages: what a team leaves running.
    Serve(ServeArgs),
    /// Print the calendar ahead: what a schedule would run when, and what it would refuse.
    Schedule(ScheduleArgs),
    /// Stop everything that a server does: what goes on is ended and healed, and nothing begins until it is resumed.
    Halt(HaltArgs),
    /// Build a region out of another one that serves customers all the while: bootstrap network, copy, migration, cut, game
    /// day; and judge whether anybody noticed and anything was lost.
    Build(BuildArgs),
    /// Write what a monitoring system takes: a dashboard for Grafana, and rules that alert for Prometheus.
    Dashboards(DashboardsArgs),
    /// Remove what dead runs left behind, found by label; never a run whose lease is alive.
    Clean {
        /// Only these runs.
        runs: Vec<String>,
        /// Only tell what would be removed.
        #[arg(long)]
        dry_run: bool,
    },
    /// Print the image that runs are made of as a tar, for `docker import - NAME` on an engine far away.
    Image,
    /// List what is built in: scenarios, topologies, graphs, invariants.
    List,
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Commands on corrections of error.
#[derive(Debug, Subcommand)]
pub enum CoeCommand {
    /// List the actions of corrections: open until a later run of their scenario shows the success criterion, then
    /// verified by that run, and reopened by one in which it breaks again.
    Actions(ActionsArgs),
    /// Tell every breach of the rules: persons as causes, whys that explain nothing, figures without evidence, actions
    /// without one owner and one day. Where events.jsonl lies beside the page, what it cites must be there.
    Lint {
        /// The pages, `coe.md` or `report.md`.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Limits instead of the usual ones.
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
    },
}

/// Arguments of `explore`.
#[derive(Debug, Args)]
pub struct ExploreArgs {
    /// A file, or the name of a built-in scenario.
    pub scenario: String,
    /// How many seeds; without it 2000, or as many as fit into `--minutes`.
    #[arg(long)]
    pub seeds: Option<u64>,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Stop after so many minutes.
    #[arg(long)]
    pub minutes: Option<u64>,
    /// Stop at the first failure.
    #[arg(long)]
    pub stop_at_first: bool,
    /// How many failures, those that most seeds show, are made small and written.
    #[arg(long, default_value_t = 3)]
    pub cases: usize,
    /// Hold each minimal case, and its twin with only the culprit repaired, on an engine too: violated and held there
    /// confirm the culprit in that world.
    #[arg(long)]
    pub on_engine: bool,
    /// Where minimal cases go.
    #[arg(long, value_name = "DIR", default_value = "reports/explored")]
    pub out: PathBuf,
}

/// Arguments of `generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// Services.
    #[arg(long)]
    pub services: usize,
    /// Regions of the partition: each service is in all of them, global ones in the first.
    #[arg(long, default_value_t = 1)]
    pub regions: usize,
    /// Availability zones of each region.
    #[arg(long, default_value_t = 3)]
    pub zones: usize,
    /// Decides everything.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The folder to write to.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Name of the graph; its topology is NAME-zones. Without it `generated-SERVICES`.
    #[arg(long)]
    pub name: Option<String>,
    /// Instances of a service in each zone, on average.
    #[arg(long, default_value_t = 1)]
    pub copies: u32,
    /// The most instances that one host carries.
    #[arg(long, default_value_t = 20)]
    pub instances_per_host: u32,
    /// Put a start-up cycle in, the defect that makes a black start impossible; `check` finds it.
    #[arg(long)]
    pub startup_cycle: bool,
}

/// Arguments of `matrix`.
#[derive(Debug, Args)]
pub struct MatrixArgs {
    /// Scenarios with a defect; without any, all that have a twin, and healthy scenarios judged by every invariant.
    pub scenarios: Vec<String>,
    /// Seeds of each in virtual time.
    #[arg(long, default_value_t = 100)]
    pub seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The world to hold them in; on an engine each is held once.
    #[arg(long, value_enum, default_value_t = MatrixWorld::Sim)]
    pub world: MatrixWorld,
    /// Write the table to this file too, as `harness/figures/` keeps it.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
}

/// Arguments of `measure`.
#[derive(Debug, Args)]
pub struct MeasureArgs {
    /// A graph: a file, or the name of a built-in one.
    pub graph: String,
    /// Random orders, besides all at once, along the needs and against them.
    #[arg(long, default_value_t = 20)]
    pub orders: usize,
    /// Decides everything.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Worlds of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MatrixWorld {
    /// Virtual time.
    Sim,
    /// Real containers.
    Docker,
}

/// Arguments of `parity`.
#[derive(Debug, Args)]
pub struct ParityArgs {
    /// Files, or names of built-in scenarios; without any, all that are built in.
    pub scenarios: Vec<String>,
    /// The seed of both worlds.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Folders of runs on an engine to compare with, instead of holding them now.
    #[arg(long, value_name = "DIR", conflicts_with = "calibrate")]
    pub recorded: Option<PathBuf>,
    /// Write the comparison as a table to this file too, as `harness/figures/` keeps it.
    #[arg(long, value_name = "FILE", conflicts_with = "calibrate")]
    pub record: Option<PathBuf>,
    /// Hold `minimal` on an engine, and again with ten times its customers; print the simulator's calibration, measured
    /// in those runs (and, for handshakes, by themselves), and do nothing else.
    #[arg(long, conflicts_with = "scenarios")]
    pub calibrate: bool,
    /// Folder that a calibration's run is left in.
    #[arg(long, value_name = "DIR", default_value = "reports/runs")]
    pub out: PathBuf,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Files, folders of files, or names of built-in scenarios (`blackstart list`). Of several, one result together is
    /// left in the folder `combined`.
    #[arg(required = true)]
    pub scenarios: Vec<String>,
    /// A ledger of findings that are accepted until a day: they are shown and do not fail; an entry whose finding is
    /// gone, or whose day has passed, fails.
    #[arg(long, value_name = "FILE")]
    pub known_gaps: Option<PathBuf>,
    /// Due dates and limits of corrections, instead of the usual ones.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// The world to run in; `auto` takes Docker where an engine answers, else the simulator, and says which.
    #[arg(long, value_enum, default_value_t = WorldName::Auto)]
    pub world: WorldName,
    /// Decides every random choice; without it one is drawn, printed and recorded.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Move every fault on by so many availability zones: the same game day, elsewhere. Nothing is moved where no fault
    /// names a zone, or one names hosts.
    #[arg(long, value_name = "ZONES", default_value_t = 0)]
    pub turn: usize,
    /// Where the runs' folders go.
    #[arg(long, value_name = "DIR", default_value = "reports/runs")]
    pub out: PathBuf,
    /// The run's id, and the end of standard input ends the run: for `blackstart serve`, which writes the id down before.
    #[arg(long, value_name = "RUN-ID", hide = true)]
    pub tied_as: Option<String>,
    /// Make the record of a run whose process was killed, from the events that it left.
    #[arg(long, requires = "tied_as", hide = true)]
    pub finish: bool,
    /// Hold them in a region that stands (`blackstart region up NAME`), and give it back.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["keep", "agent", "agent_image"])]
    pub region: Option<String>,
    /// Hold them on a Compose project that runs already and that somebody else started: its containers are the hosts; all of it
    /// is put back, and what is different is told (docs/attach.md).
    #[arg(long, value_name = "PROJECT", conflicts_with_all = ["region", "keep", "mock", "no_rights", "tied_as"])]
    pub attach: Option<String>,
    /// The project of --attach is yours to be harmed. Not needed where all of its containers carry the label
    /// `blackstart.attach=yes`.
    #[arg(long, requires = "attach")]
    pub yes_attach: bool,
    /// The folder in which standing regions are kept.
    #[arg(long, value_name = "DIR", default_value = crate::region::folder::ROOT)]
    pub root: PathBuf,
    /// Hold them also in a region that is another than was declared; hosts that are dead get power first.
    #[arg(long, requires = "region")]
    pub accept_drift: bool,
    /// What the runs are of, such as a build or a commit: `blackstart history` compares runs of one label with those of
    /// another.
    #[arg(long, value_name = "NAME")]
    pub label: Option<String>,
    /// What standard output shows: a table, or the record as JSON and nothing else.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Leave the region of a completed run standing for so long, to look around; then its hand removes it, or before
    /// that `blackstart clean RUN-ID`.
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "1h", require_equals = true, value_parser = duration)]
    pub keep: Option<std::time::Duration>,
    /// An executable of blackstart for the engine's machine, where this one is none.
    #[arg(long, value_name = "FILE", conflicts_with = "agent_image")]
    pub agent: Option<PathBuf>,
    /// An image of the engine that has blackstart at /blackstart.
    #[arg(long, value_name = "NAME")]
    pub agent_image: Option<String>,
    /// How long the same game day may be played again in virtual time, each time with one assumed parameter changed, to
    /// tell which of them would flip the verdict; `0s` not at all.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub assumptions_within: std::time::Duration,
    /// Play each service that is a real image as a mock service of the same shape: for a graph whose images are not at hand.
    #[arg(long)]
    pub mock: bool,
    /// Ask the engine for no rights on its machine: power by the engine's own kill, one bridge for all zones.
    #[arg(long)]
    pub no_rights: bool,
    /// Conditions (`[[conditions]]`, as in a schedule's file: `http`, or `prometheus` with a `query`) that must be well before the
    /// first fault and again at the end; each is an invariant of the record (E1).
    #[arg(long, value_name = "FILE")]
    pub steady_state: Option<PathBuf>,
    /// Conditions that must be well all the time: when one is not, the run is stopped, healed and removed, and inconclusive.
    #[arg(long, value_name = "FILE")]
    pub stop_conditions: Option<PathBuf>,
    /// A command that sends traffic beside the canaries (or, with `canaries = false`, instead of them), from the baseline to the
    /// end of the run. `BLACKSTART_AT_SERVICE` in its environment says where a service is; its exit status is an invariant of the
    /// record (E2), its output a file of the run (`traffic.log`).
    #[arg(long, value_name = "COMMAND")]
    pub traffic: Option<String>,
    /// Show the run as it happens on a web page of this machine, until ten seconds after its end; its address is told on
    /// standard error.
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "127.0.0.1:0", require_equals = true, value_parser = loopback)]
    pub live: Option<std::net::SocketAddr>,
    /// Show the run as it happens in this terminal, instead of line by line.
    #[arg(long)]
    pub tui: bool,
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    let span = fixtures::unit::Span::try_from(text.to_owned()).map_err(|error| error.to_string())?;
    Ok(span.0)
}

fn loopback(text: &str) -> Result<std::net::SocketAddr, String> {
    let address: std::net::SocketAddr =
        text.parse().map_err(|_| "it is an address with a port, such as 127.0.0.1:8080")?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err("a run is shown to this machine alone, so it is a loopback address".to_owned())
}

/// Worlds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WorldName {
    /// Docker where an engine answers, else the simulator.
    Auto,
    /// Real containers.
    Docker,
    /// Virtual time: the same machines, no containers; one seed decides everything.
    Sim,
}

/// Forms of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Forms of what `check` found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For people.
    Text,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// For programs.
    Json,
}

/// Documents that a record can be rendered to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Document {
    /// The table at the end of a run.
    Table,
    /// The Correction of Error, or the shorter report where nothing was violated.
    Coe,
    /// The same as one page for a browser.
    Html,
    /// What a CI server shows on the page of a job.
    Summary,
    /// JUnit XML.
    Junit,
    /// The record itself.
    Json,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether to use colours on a stream that is (or is no) terminal.
    pub fn on(self, terminal: bool) -> bool {
        match self {
            Self::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
            Self::Always => true,
            Self::Never => false,
        }
    }
}
