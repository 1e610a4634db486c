//! Owns the reading of topologies, graphs and scenarios from files, and of the built-in ones. The only module that
//! opens input files. Refuses to know what is done with them.

pub mod images;
mod region;

pub use region::{region_of, region_texts, traffic_of};

use crate::schedule;
use fixtures::decode::source_from_bytes;
use fixtures::diagnostic::{Diagnostic, Severity, Source, render};
use fixtures::graph::Graph;
use fixtures::load::{load_graph_placed, load_graph_with_cycles, load_topology};
use fixtures::placement::Placement;
use fixtures::statics::{self, Places, Setting};
use fixtures::topology::{Topology, ZoneKind};
use fixtures::unit::Rate;
use reports::gaps::Gap;
use reports::policy::Policy;
use scenarios::assumed::{Assumed, Files, Resolved};
use scenarios::plan::Plan;
use scenarios::scenario::Scenario;
use scenarios::turn;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Of more built-in names than this an error names none but the nearest.
const NAMES_TOLD_MAX: usize = 12;

/// Input that cannot be used: everything wrong with it, ready to print.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct BadInput {
    /// All problems.
    pub text: String,
}

/// A scenario with the region that it asks for.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What happens.
    pub scenario: Scenario,
    /// Where.
    pub topology: Topology,
    /// To whom.
    pub graph: Graph,
    /// On which hosts.
    pub placement: Placement,
    /// When.
    pub plan: Plan,
    /// What a reader should know, ready to print; empty mostly.
    pub warnings: String,
    /// The texts of it all, where it was read and not made.
    pub sources: Option<Arc<Sources>>,
}

/// The texts that a game day was read from.
#[derive(Debug)]
pub struct Sources {
    scenario: Source,
    topology: Source,
    graph: Source,
}

impl Loaded {
    /// The same game day with mock software in the place of each image.
    #[must_use]
    pub fn mocked(self) -> Self {
        let graph = self.graph.without_images();
        let placement = Placement::new(&self.topology, &graph);
        let plan = scenarios::plan::plan(&self.scenario, &placement, 0);
        Self { graph, placement, plan, ..self }
    }

    /// What no text says, so that a default stands for it; nothing where there is no text.
    pub fn assumed(&self) -> Vec<Assumed> {
        let Some(sources) = &self.sources else { return Vec::new() };
        let Sources { scenario, topology, graph } = &**sources;
        scenarios::assumed::assumed(Files { scenario, topology, graph }, self.resolved())
    }

    /// What the texts became.
    pub fn resolved(&self) -> Resolved<'_> {
        Resolved { scenario: &self.scenario, topology: &self.topology, graph: &self.graph }
    }
}

/// Kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Scenario,
    Topology,
    Graph,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Scenario => "scenario",
            Self::Topology => "topology",
            Self::Graph => "graph",
        }
    }

    fn builtin(self, name: &str) -> Option<Source> {
        match self {
            Self::Scenario => scenarios::builtin::scenario(name),
            Self::Topology => fixtures::builtin::topology(name),
            Self::Graph => fixtures::builtin::graph(name),
        }
    }

    fn names(self) -> Vec<&'static str> {
        match self {
            Self::Scenario => scenarios::builtin::scenario_names().collect(),
            Self::Topology => fixtures::builtin::topology_names().collect(),
            Self::Graph => fixtures::builtin::graph_names().collect(),
        }
    }
}

/// Collects problems over several sources.
#[derive(Debug, Default)]
struct Problems {
    sources: Vec<Source>,
    diagnostics: Vec<Diagnostic>,
    /// Files that are not there or cannot be read, ready to print.
    unread: String,
    color: bool,
    /// Whether the static checks are asked for.
    checking: bool,
    /// What they found, with the name of the graph.
    findings: Vec<StaticFinding>,
    /// The graphs that they looked at.
    graphs: Vec<String>,
}

/// What a static check found in a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticFinding {
    /// The graph's name: a known gap names it as its scenario.
    pub graph: String,
    /// What was found.
    pub finding: statics::Finding,
}

impl Problems {
    fn take<T>(&mut self, source: &Source, result: Result<(T, Vec<Diagnostic>), Vec<Diagnostic>>) -> Option<T> {
        self.sources.push(source.clone());
        match result {
            Ok((value, warnings)) => {
                self.diagnostics.extend(warnings);
                Some(value)
            }
            Err(errors) => {
                self.diagnostics.extend(errors);
                None
            }
        }
    }

    /// A source, or a complaint that there is none.
    fn found(&mut self, source: Result<Source, BadInput>) -> Option<Source> {
        source.map_err(|bad| self.unread.push_str(&bad.text)).ok()
    }

    fn fatal(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    fn text(&self) -> String {
        render(&self.diagnostics, &self.sources, self.color)
    }

    /// Runs the static checks on a graph that is fine otherwise.
    fn look_at(&mut self, graph: &Graph, places: &Places, setting: &Setting) {
        if !self.checking {
            return;
        }
        let Some(source) = self.sources.last() else { return };
        let name = graph.name.to_string();
        let found = statics::check(graph, places, source, setting).into_iter();
        self.graphs.push(name.clone());
        self.findings.extend(found.map(|finding| StaticFinding { graph: name.clone(), finding }));
    }

    fn bad(self) -> BadInput {
        BadInput { text: self.text() + &self.unread }
    }
}

/// Reads a scenario and the region it asks for. A path on the command line wins over a built-in name.
///
/// # Errors
/// Everything that is wrong with any of the files.
pub fn scenario(argument: &str, color: bool) -> Result<Loaded, BadInput> {
    let mut problems = Problems { color, ..Problems::default() };
    match gather(argument, &mut problems)? {
        Some(loaded) => Ok(Loaded { warnings: problems.text(), ..loaded }),
        None => Err(problems.bad()),
    }
}

/// As [`scenario`], of one that is played in virtual time.
///
/// # Errors
/// As there; where a service is a real image.
pub fn virtual_scenario(argument: &str, color: bool) -> Result<Loaded, BadInput> {
    let loaded = scenario(argument, color)?;
    images::in_virtual_time(&loaded.graph).map(|()| loaded)
}

/// Reads everything that a scenario is made of; `None` where a problem says why it cannot be used.
fn gather(argument: &str, problems: &mut Problems) -> Result<Option<Loaded>, BadInput> {
    let source = find(Kind::Scenario, argument, None)?;
    let scenario = problems.take(&source, scenarios::load::load_scenario(&source));
    let asked = match &scenario {
        Some(scenario) => Some((scenario.topology.to_string(), scenario.graph.to_string())),
        // What is wrong with the region, or does not fit it, is told with the rest.
        None => scenarios::bind::region_of(&source),
    };
    let Some((topology, graph)) = asked else { return Ok(None) };
    // Files that a scenario names lie beside it, or are built in; a built-in scenario lies nowhere.
    let beside = Path::new(argument).parent().filter(|_| is_path(argument)).map(Path::to_path_buf);
    let topology = problems.found(find(Kind::Topology, &topology, beside.as_deref()));
    let graph = problems.found(find(Kind::Graph, &graph, beside.as_deref()));
    let topology = topology.and_then(|source| Some((problems.take(&source, load_topology(&source))?, source)));
    let graph = graph.and_then(|source| Some((problems.take(&source, load_graph_placed(&source))?, source)));
    let graph = graph.map(|((mut graph, places), source)| {
        problems.unread += &images::fill(&mut graph, &source);
        ((graph, places), source)
    });
    if let Some(((graph, places), _)) = &graph {
        let setting = setting(graph, scenario.as_ref(), topology.as_ref().map(|(topology, _)| topology));
        problems.look_at(graph, places, &setting);
    }
    let (Some((topology, topology_source)), Some(((graph, _), graph_source))) = (topology, graph) else {
        return Ok(None);
    };
    let Some(scenario) = scenario else {
        problems.diagnostics.extend(scenarios::bind::unknown_names(&source, &topology, &graph));
        return Ok(None);
    };
    problems.diagnostics.extend(scenarios::bind::bind(&scenario, &source, &topology, &graph));
    let placement = Placement::new(&topology, &graph);
    if problems.fatal() || !problems.unread.is_empty() {
        return Ok(None);
    }
    let mut clashes = placement.problems();
    clashes.extend(fixtures::placement::unknown_zones(&topology, &graph));
    if !clashes.is_empty() {
        return Err(BadInput { text: format!("error: {}\n", clashes.join("\nerror: ")) });
    }
    // For show: a run draws its own seed and plans again.
    let plan = scenarios::plan::plan(&scenario, &placement, 0);
    let sources = Some(Arc::new(Sources { scenario: source, topology: topology_source, graph: graph_source }));
    Ok(Some(Loaded { scenario, topology, graph, placement, plan, warnings: String::new(), sources }))
}

/// What static checks are told besides the graph: the traffic of a scenario is less than or as much as its peak.
fn setting(graph: &Graph, scenario: Option<&Scenario>, topology: Option<&Topology>) -> Setting {
    let mut setting = Setting::of(graph);
    let availability = |region: &fixtures::topology::Region| {
        region.zones.iter().filter(|zone| zone.kind == ZoneKind::Availability).count()
    };
    let fewest = topology.and_then(|topology| topology.regions.iter().map(availability).min());
    if let Some(zones) = fewest.and_then(|zones| u32::try_from(zones).ok()) {
        setting.zones = zones;
    }
    if let Some(scenario) = scenario {
        setting.patience = scenario.traffic.patience();
        let sent = scenario.traffic.rate.milli_per_s.saturating_mul(u64::from(setting.zones));
        let said = setting.peak.map_or(0, |peak| peak.milli_per_s);
        setting.peak = Some(Rate { milli_per_s: sent.max(said) });
    }
    setting
}

/// The scenarios that an argument of `run` stands for: of a folder all that lie in it, by name.
///
/// # Errors
/// A folder that cannot be read, or has none.
pub fn scenarios_of(argument: &str) -> Result<Vec<String>, BadInput> {
    let folder = Path::new(argument);
    if !folder.is_dir() {
        return Ok(vec![argument.to_owned()]);
    }
    let entries = std::fs::read_dir(folder)
        .map_err(|error| BadInput { text: format!("error: {argument} cannot be read: {error}\n") })?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        // A file that cannot be read as text is one that `run` must tell of.
        if read(&path).is_ok_and(|source| kind_of(&source) != Kind::Scenario) {
            continue;
        }
        found.push(path.display().to_string());
    }
    if found.is_empty() {
        let text = format!("error: no scenario is in the folder {argument}\nhelp: scenarios are TOML files\n");
        return Err(BadInput { text });
    }
    Ok(found)
}

/// Everything found in a file and in what it names.
#[derive(Debug, Default)]
pub struct Found {
    /// Problems and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// What static checks found.
    pub findings: Vec<StaticFinding>,
    /// The graphs that they looked at.
    pub graphs: Vec<String>,
    /// Whether it can be used.
    pub usable: bool,
    /// What cannot be read, ready to print.
    pub unread: String,
    /// The texts in which it was found.
    pub sources: Vec<Source>,
}

/// Checks one file, whatever kind it is, and what it names.
pub fn diagnose(argument: &str) -> Found {
    let mut problems = Problems { checking: true, ..Problems::default() };
    let (usable, unreadable) = match judge(argument, &mut problems) {
        Ok(usable) => (usable, String::new()),
        Err(bad) => (false, bad.text),
    };
    let Problems { sources, diagnostics, findings, graphs, unread, .. } = problems;
    Found { diagnostics, findings, graphs, usable, unread: unread + &unreadable, sources }
}

/// Reads a file of whatever kind and collects its problems; whether it can be used.
fn judge(argument: &str, problems: &mut Problems) -> Result<bool, BadInput> {
    let kinds = [Kind::Scenario, Kind::Topology, Kind::Graph];
    let kind = if is_path(argument) {
        kind_of(&read(Path::new(argument))?)
    } else {
        kinds.into_iter().find(|kind| kind.builtin(argument).is_some()).unwrap_or(Kind::Scenario)
    };
    if kind == Kind::Scenario {
        return gather(argument, problems).map(|loaded| loaded.is_some());
    }
    let source = find(kind, argument, None)?;
    Ok(match kind {
        Kind::Topology => problems.take(&source, load_topology(&source)).is_some(),
        _ => match problems.take(&source, load_graph_placed(&source)) {
            Some((mut graph, places)) => {
                problems.unread += &images::fill(&mut graph, &source);
                problems.look_at(&graph, &places, &Setting::of(&graph));
                problems.unread.is_empty()
            }
            None => false,
        },
    })
}

/// Reads a policy of corrections; without a file, the usual one.
///
/// # Errors
/// Everything that is wrong with it.
pub fn policy(path: Option<&Path>, color: bool) -> Result<Policy, BadInput> {
    path.map_or_else(|| Ok(Policy::default()), |path| ledger(path, color, reports::policy::load))
}

/// The ledger of what is wrong with the built-in graphs on purpose.
///
/// # Panics
/// Where it cannot be read: a test holds it to what is found.
pub fn builtin_gaps() -> Vec<Gap> {
    reports::gaps::load(&fixtures::builtin::known_gaps()).expect("the ledger of the built-in graphs can be read")
}

/// Reads a ledger of known gaps; without a file there are none.
///
/// # Errors
/// Everything that is wrong with it.
pub fn gaps(path: Option<&Path>, color: bool) -> Result<Vec<Gap>, BadInput> {
    path.map_or_else(|| Ok(Vec::new()), |path| ledger(path, color, reports::gaps::load))
}

/// Reads a file of conditions.
///
/// # Errors
/// Everything that is wrong with it.
pub fn conditions(path: Option<&Path>, color: bool) -> Result<Vec<schedule::Condition>, BadInput> {
    path.map_or_else(|| Ok(Vec::new()), |path| ledger(path, color, schedule::conditions))
}

fn ledger<T>(path: &Path, color: bool, load: fn(&Source) -> Result<T, Vec<Diagnostic>>) -> Result<T, BadInput> {
    let source = read(path)?;
    load(&source).map_err(|found| BadInput { text: render(&found, &[source], color) })
}

/// Reads a schedule, and looks at every scenario that it names.
///
/// # Errors
/// Everything that is wrong with it, and with them.
pub fn schedule(path: &Path, color: bool) -> Result<schedule::File, BadInput> {
    let source = read(path)?;
    let mut resolve = |argument: &str| {
        let loaded = scenario(argument, false).map_err(|bad| within(argument, &bad.text))?;
        Ok(schedule::Variants { scenario: argument.to_owned(), turns: turns_of(&loaded) })
    };
    let mut file =
        schedule::load(&source, &mut resolve).map_err(|found| BadInput { text: render(&found, &[source], color) })?;
    // What it names lies beside it.
    let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
    let beside = |name: &String| folder.join(name).display().to_string();
    file.known_gaps = file.known_gaps.as_ref().map(beside);
    if let Some(webhook) = &mut file.webhook {
        webhook.secret_file = beside(&webhook.secret_file);
    }
    gaps(file.known_gaps.as_deref().map(Path::new), color)?;
    Ok(file)
}

/// What is wrong with a scenario, for whoever names it: the first problem, and after `help: ` what to do.
fn within(argument: &str, told: &str) -> String {
    let mut lines = told.trim().lines();
    let first = lines.next().unwrap_or_default();
    let first = first.split_once(": ").map_or(first, |(_, what)| what);
    let what = if first.contains(argument) { first.to_owned() } else { format!("scenario `{argument}`: {first}") };
    let (help, rest): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.starts_with("help: "));
    let help: Vec<&str> = help.iter().filter_map(|line| line.strip_prefix("help: ")).collect();
    match rest.iter().all(|line| line.trim().is_empty()) {
        true if help.is_empty() => what,
        true => format!("{what}\nhelp: {}", help.join("; ")),
        false => format!("{what}\nhelp: `blackstart check {argument}` tells all of it, with its place"),
    }
}

/// The zones that each variant of a game day hits, for people.
fn turns_of(loaded: &Loaded) -> Vec<String> {
    let Loaded { scenario, topology, .. } = loaded;
    let all = 0..turn::turns(scenario, topology);
    all.map(|by| {
        let zones: Vec<String> =
            turn::zones(&turn::turned(scenario, topology, by)).iter().map(ToString::to_string).collect();
        zones.join(", ")
    })
    .collect()
}

/// Reads a graph, in which services may need each other to start; returns it with warnings, ready to print.
///
/// # Errors
/// Everything else that is wrong with it.
pub fn graph(argument: &str, color: bool) -> Result<(Graph, String), BadInput> {
    let mut problems = Problems { color, ..Problems::default() };
    let source = find(Kind::Graph, argument, None)?;
    match problems.take(&source, load_graph_with_cycles(&source)) {
        Some(graph) => Ok((graph, problems.text())),
        None => Err(problems.bad()),
    }
}

/// Reads a topology.
///
/// # Errors
/// Everything that is wrong with it.
pub fn topology(argument: &str, color: bool) -> Result<Topology, BadInput> {
    let mut problems = Problems { color, ..Problems::default() };
    let source = find(Kind::Topology, argument, None)?;
    match problems.take(&source, load_topology(&source)) {
        Some(topology) => Ok(topology),
        None => Err(problems.bad()),
    }
}

/// Tells the kinds apart by the tables that only one of them has.
fn kind_of(source: &Source) -> Kind {
    let has = |line: &str| source.text.lines().any(|text| text.trim_start().starts_with(line));
    if has("[[regions") || has("partition") {
        Kind::Topology
    } else if has("[[services") || has("entry") {
        Kind::Graph
    } else {
        Kind::Scenario
    }
}

fn is_path(argument: &str) -> bool {
    argument.ends_with(".toml") || argument.contains('/') || Path::new(argument).is_file()
}

fn find(kind: Kind, name: &str, beside: Option<&Path>) -> Result<Source, BadInput> {
    if beside.is_none() && is_path(name) {
        return read(Path::new(name));
    }
    if let Some(folder) = beside {
        let path: PathBuf = folder.join(format!("{name}.toml"));
        if path.is_file() {
            let source = read(&path)?;
            // A scenario may have the name of the built-in graph that it asks for: then it lies beside itself.
            if kind_of(&source) == kind || kind.builtin(name).is_none() {
                return Ok(source);
            }
        }
    }
    kind.builtin(name).ok_or_else(|| unknown(kind, name, beside))
}

fn unknown(kind: Kind, name: &str, beside: Option<&Path>) -> BadInput {
    let (word, names) = (kind.word(), kind.names());
    let hint = fixtures::nearest::nearest(name, names.iter().copied());
    let hint = hint.map(|near| format!("\nhelp: did you mean `{near}`?")).unwrap_or_default();
    let place = beside.map(|folder| match folder.display().to_string() {
        here if here.is_empty() => format!(", and no {name}.toml here"),
        there => format!(", and no {name}.toml in {there}"),
    });
    let place = place.unwrap_or_default();
    // More than these nobody reads in an error.
    let known = if names.len() > NAMES_TOLD_MAX {
        "`blackstart list` tells what is built in".to_owned()
    } else {
        format!("built-in: {}", names.join(", "))
    };
    BadInput {
        text: format!(
            "error: there is no built-in {word} `{name}`{place}\nhelp: {known}; a file is named by its path{hint}\n"
        ),
    }
}

fn read(path: &Path) -> Result<Source, BadInput> {
    let bytes = std::fs::read(path).map_err(|error| BadInput {
        text: format!(
            "error: {} cannot be read: {error}\nhelp: give the path of a TOML file, or the name of a built-in one\n",
            path.display()
        ),
    })?;
    let name = path.display().to_string();
    source_from_bytes(&name, bytes)
        .map_err(|diagnostic| BadInput { text: render(&[diagnostic], &[Source { name, text: String::new() }], false) })
}
