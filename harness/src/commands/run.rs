//! Owns `blackstart run`: holds game days one after the other, and leaves their records.

use super::print;
use crate::cli::{Format, RunArgs};
use crate::clock::{self, Clock};
use crate::controller::{Controller, Ending};
use crate::exit;
use crate::journal::Journal;
use crate::load::{self, Loaded};
use crate::run::{Course, Stop};
use crate::terminal::Terminal;
use crate::world::docker::engine::{Engine, EngineInfo};
use crate::world::docker::{DockerWorld, Options, Parts};
use anyhow::{Context, Result};
use reports::record::Record;
use scenarios::judge::Case;
use scenarios::verdict::Verdict;
use std::sync::Arc;
use tokio::sync::mpsc;

mod record;

/// Observations that may wait for the controller; the world waits when there are more.
const INPUTS_MAX: usize = 4096;

/// Runs every scenario named; all files are read before the first one begins.
///
/// # Errors
/// Bad input; no engine; a record that cannot be written.
pub fn run(args: &RunArgs, quiet: bool, color_out: bool, color_err: bool) -> Result<u8> {
    let mut loaded = Vec::new();
    let mut problems = String::new();
    for argument in &args.scenarios {
        match load::scenario(argument, color_err) {
            Ok(scenario) => loaded.push((argument, scenario)),
            Err(bad) => problems += &bad.text,
        }
    }
    if !problems.is_empty() {
        return Err(load::BadInput { text: problems }.into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut stop = Stop::listen().context("signals cannot be listened to")?;
        let (engine, info) = Engine::connect().await?;
        let mut statuses = Vec::new();
        for (argument, loaded) in loaded {
            let day =
                Day { args, argument, loaded, engine: engine.clone(), info: info.clone(), quiet, color: color_out };
            let status = day.hold(&mut stop).await?;
            statuses.push(status);
            if status == exit::INTERRUPTED {
                break;
            }
        }
        Ok(exit::merge(statuses))
    })
}

/// One game day.
struct Day<'a> {
    args: &'a RunArgs,
    argument: &'a str,
    loaded: Loaded,
    engine: Engine,
    info: EngineInfo,
    quiet: bool,
    color: bool,
}

impl Day<'_> {
    async fn hold(mut self, stop: &mut Stop) -> Result<u8> {
        let clock = Arc::new(Clock::start());
        let run = clock::run_id();
        let seed = self.args.seed.unwrap_or_else(clock::fresh_seed);
        self.loaded.plan = scenarios::plan::plan(&self.loaded.scenario, &self.loaded.placement, seed);
        let mut journal = Journal::create(&self.args.out, &run, Arc::clone(&clock))?;
        let terminal = Terminal::new(self.quiet);
        let Loaded { scenario, placement, plan, .. } = &self.loaded;
        terminal.say(&format!("{}: {}", scenario.name, scenario.title));
        terminal.say(&format!("run {run}, seed {seed}, world docker ({} {})\n", "engine", self.info.version));
        let (sender, inputs) = mpsc::channel(INPUTS_MAX);
        let mut world = DockerWorld::new(self.parts(&run, seed, &clock, &terminal), sender);
        let controller = Controller::new(scenario.clone(), plan.clone(), placement.clone(), self.args.keep.is_some());
        let course = Course {
            controller,
            world: &mut world,
            journal: &mut journal,
            terminal: &terminal,
            clock: Arc::clone(&clock),
            stop,
        };
        let ending = crate::run::run(course, inputs).await?;
        let record = self.record(&run, seed, &clock, &world, &journal);
        self.leave(&record, &journal, &ending)
    }

    fn parts(&self, run: &str, seed: u64, clock: &Arc<Clock>, terminal: &Terminal) -> Parts {
        let terminal = terminal.clone();
        Parts {
            engine: self.engine.clone(),
            info: self.info.clone(),
            run: run.to_owned(),
            options: Options {
                agent: self.args.agent.clone(),
                agent_image: self.args.agent_image.clone(),
                no_rights: self.args.no_rights,
                keep: self.args.keep.unwrap_or_default(),
            },
            topology: self.loaded.topology.clone(),
            graph: self.loaded.graph.clone(),
            placement: self.loaded.placement.clone(),
            traffic: self.loaded.scenario.traffic,
            seed,
            clock: Arc::clone(clock),
            on_progress: Box::new(move |what, of| terminal.progress(what, of)),
        }
    }

    fn case(&self) -> Case<'_> {
        let Loaded { scenario, topology, graph, placement, plan, .. } = &self.loaded;
        Case { scenario, plan, topology, graph, placement }
    }

    /// Writes what a run leaves, shows it, and says how it ended.
    fn leave(&self, record: &Record, journal: &Journal, ending: &Ending) -> Result<u8> {
        journal.add_file("record.json", &reports::record::to_json(record))?;
        journal.add_file("junit.xml", &reports::junit::render(record))?;
        if record.verdict == Verdict::Violated {
            journal.add_file("coe.md", &reports::coe::render(record, journal.events()))?;
        }
        match self.args.format {
            Format::Json => print(&reports::record::to_json(record))?,
            Format::Text => {
                print(&reports::table::render(record, self.color))?;
                print(&format!("files: {}", journal.folder().display()))?;
            }
        }
        Ok(match ending {
            Ending::Interrupted => exit::INTERRUPTED,
            Ending::Failed(why) => {
                tracing::error!("{why}");
                exit::HARNESS
            }
            Ending::Completed if !record.residue.is_empty() => exit::HARNESS,
            Ending::Completed => exit::of_verdict(record.verdict),
        })
    }
}
