//! Owns `blackstart run`: holds game days one after the other, and leaves their records.

use super::print;
use crate::assumptions;
use crate::cli::{Format, RunArgs, WorldName};
use crate::controller::Ending;
use crate::exit;
use crate::history::{History, Past};
use crate::journal::Journal;
use crate::load::{self, Loaded};
use crate::outside::Wanted;
use crate::run::Stop;
use crate::terminal::Terminal;
use crate::world::docker::attached::Attachment;
use crate::world::docker::engine::{Engine, EngineInfo};
use anyhow::{Context, Result};
use reports::gaps::Gap;
use reports::history::Entry;
use reports::live::region::About;
use reports::policy::Policy;
use reports::record::Record;
use scenarios::judge::Case;
use scenarios::verdict::Verdict;
use std::path::PathBuf;
use watch::Watchers;

mod attach;
mod bring_up;
mod combined;
mod docker;
mod finish;
mod record;
mod region;
mod sim;
mod watch;

/// Runs every scenario named; all files are read before the first one begins.
///
/// # Errors
/// Bad input; no engine; a record that cannot be written.
pub fn run(args: &RunArgs, quiet: bool, color_out: bool, color_err: bool) -> Result<u8> {
    let mut loaded = Vec::new();
    let mut problems = String::new();
    let mut arguments = Vec::new();
    for argument in &args.scenarios {
        match load::scenarios_of(argument) {
            Ok(found) => arguments.extend(found),
            Err(bad) => problems += &bad.text,
        }
    }
    for argument in &arguments {
        match load::scenario(argument, color_err) {
            Ok(mut scenario) => {
                if args.mock {
                    scenario = scenario.mocked();
                }
                scenario.scenario = scenarios::turn::turned(&scenario.scenario, &scenario.topology, args.turn);
                loaded.push((argument.as_str(), scenario));
            }
            Err(bad) => problems += &bad.text,
        }
    }
    let gaps = load::gaps(args.known_gaps.as_deref(), color_err).unwrap_or_else(|bad| {
        problems += &bad.text;
        Vec::new()
    });
    let policy = load::policy(args.policy.as_deref(), color_err).unwrap_or_else(|bad| {
        problems += &bad.text;
        Policy::default()
    });
    let wanted = wanted(args, color_err).unwrap_or_else(|bad| {
        problems += &bad.text;
        Wanted::default()
    });
    if args.attach.is_some() && args.world == WorldName::Sim {
        problems += "error: virtual time has no project that runs already: --attach is for --world docker\n";
    }
    if !problems.is_empty() {
        return Err(load::BadInput { text: problems }.into());
    }
    let watchers = Watchers::new(args, quiet, color_err)?;
    let known = Known { gaps, policy, wanted };
    hold(args, loaded, &known, watchers, (quiet, color_out))
}

/// What game days are held with.
struct Known {
    gaps: Vec<Gap>,
    policy: Policy,
    wanted: Wanted,
}

/// One after the other, until one is interrupted.
fn hold(
    args: &RunArgs,
    loaded: Vec<(&str, Loaded)>,
    known: &Known,
    watchers: Watchers,
    (quiet, color): (bool, bool),
) -> Result<u8> {
    let Known { gaps, policy, wanted } = known;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Whoever names a project means its engine.
        let world = if args.attach.is_some() { WorldName::Docker } else { args.world };
        let place = Place::find(world, quiet).await?;
        place.accepts(wanted)?;
        // In virtual time there is nothing to heal and to remove: there a signal ends the process as it is used to.
        let mut stop = match place {
            Place::Docker { .. } => {
                let tied = args.tied_as.is_some();
                Some(Stop::listen(tied).context("signals cannot be listened to")?)
            }
            Place::Sim => None,
        };
        if let Place::Sim = place {
            loaded.iter().try_for_each(|(_, loaded)| load::images::in_virtual_time(&loaded.graph))?;
        }
        let (several, mut lefts) = (loaded.len() > 1, Vec::<Left>::new());
        for (argument, loaded) in loaded {
            let watchers = &watchers;
            let attachment = None;
            let day = Day { args, argument, loaded, attachment, gaps, policy, wanted, quiet, color, watchers };
            let left = match (&place, &mut stop) {
                _ if args.finish => day.finish(args.tied_as.as_deref().unwrap_or_default(), place.word())?,
                (Place::Docker { engine, info }, Some(stop)) => day.hold_in_docker(engine, info, stop).await?,
                _ => day.hold_in_sim()?,
            };
            let interrupted = left.status == exit::INTERRUPTED;
            lefts.push(left);
            if interrupted {
                break;
            }
        }
        if several {
            combined::write(args, &lefts)?;
        }
        watchers.linger(stop, lefts.iter().any(|left| left.status == exit::INTERRUPTED)).await?;
        Ok(exit::merge(lefts.iter().map(|left| left.status)))
    })
}

/// What others measure and send, as the command line asks for it.
fn wanted(args: &RunArgs, color: bool) -> Result<Wanted, load::BadInput> {
    Ok(Wanted {
        steady: load::conditions(args.steady_state.as_deref(), color)?,
        stops: load::conditions(args.stop_conditions.as_deref(), color)?,
        traffic: args.traffic.clone(),
    })
}

/// What a game day left.
struct Left {
    /// Its exit status.
    status: u8,
    /// Where its files are.
    folder: PathBuf,
    record: Record,
}

/// Where game days are held.
enum Place {
    /// On an engine.
    Docker {
        /// It.
        engine: Engine,
        /// What it says of itself.
        info: EngineInfo,
    },
    /// In virtual time.
    Sim,
}

impl Place {
    fn word(&self) -> &'static str {
        match self {
            Self::Docker { .. } => "docker",
            Self::Sim => "sim",
        }
    }

    /// Whether what others measure and send can be had there.
    fn accepts(&self, wanted: &Wanted) -> Result<(), load::BadInput> {
        if matches!(self, Self::Docker { .. }) || wanted.is_nothing() {
            return Ok(());
        }
        let text = "error: in virtual time nobody outside can be asked, and no traffic comes from outside: --steady-state, \
                    --stop-conditions and --traffic are for --world docker\n";
        Err(load::BadInput { text: text.to_owned() })
    }

    async fn find(wanted: WorldName, quiet: bool) -> Result<Self> {
        match wanted {
            WorldName::Sim => return Ok(Self::Sim),
            WorldName::Docker | WorldName::Auto => {}
        }
        match Engine::connect().await {
            Ok((engine, info)) => Ok(Self::Docker { engine, info }),
            Err(error) if wanted == WorldName::Auto => {
                Terminal::new(quiet).say(&format!("no engine answers, so this is simulated ({error:#})"));
                Ok(Self::Sim)
            }
            Err(error) => Err(error),
        }
    }
}

/// One game day.
struct Day<'a> {
    args: &'a RunArgs,
    argument: &'a str,
    loaded: Loaded,
    /// The project that it is held on, where somebody else started its hosts.
    attachment: Option<Attachment>,
    /// What is accepted for now.
    gaps: &'a [Gap],
    /// By when corrections are due.
    policy: &'a Policy,
    /// What others measure and send.
    wanted: &'a Wanted,
    quiet: bool,
    color: bool,
    watchers: &'a Watchers,
}

impl Day<'_> {
    /// What is told line by line; nothing where the terminal is drawn on.
    fn terminal(&self) -> Terminal {
        Terminal::new(self.quiet || self.watchers.takes_terminal())
    }

    fn about(&self, run: &str, world: &str, seed: u64) -> About {
        About { run: run.to_owned(), world: world.to_owned(), seed }
    }

    fn case(&self) -> Case<'_> {
        let Loaded { scenario, topology, graph, placement, plan, .. } = &self.loaded;
        Case { scenario, plan, topology, graph, placement }
    }

    /// Enters the run into the history beside it, and says what that knows of other runs. The record is the truth: without
    /// the entry nothing is lost.
    fn enter(&self, record: &Record, journal: &Journal) -> Past {
        let entry = Entry::of(record, journal.events());
        let entered = History::open(&self.args.out).and_then(|mut history| {
            history.enter(&entry)?;
            Past::of(&history, record)
        });
        entered.unwrap_or_else(|error| {
            let runs = self.args.out.display();
            tracing::warn!(
                "the run is complete, but not in the history: {error:#}; `blackstart history --rebuild --runs {runs}` enters it"
            );
            Past::default()
        })
    }

    /// Whether the verdict hangs on what was assumed; only of a verdict that says something.
    fn try_assumptions(&self, record: &mut Record, ending: &Ending) -> Result<()> {
        let within = self.args.assumptions_within;
        // Virtual time runs no real software.
        let decided = matches!(record.verdict, Verdict::Held | Verdict::Violated) && !self.loaded.graph.has_images();
        if decided && matches!(ending, Ending::Completed) && !within.is_zero() {
            record.assumptions = Some(assumptions::tried(&self.loaded, record.seed, record.verdict, within)?);
        }
        Ok(())
    }

    /// Writes what a run leaves, shows it, and says how it ended.
    fn leave(&self, mut record: Record, journal: &mut Journal, ending: &Ending) -> Result<Left> {
        journal.flush()?;
        record.interrupted = matches!(ending, Ending::Interrupted);
        self.try_assumptions(&mut record, ending)?;
        journal.add_file("record.json", &reports::record::to_json(&record))?;
        journal.add_file("junit.xml", &reports::junit::render(&record))?;
        journal.add_file("summary.md", &reports::summary::render(&[&record]))?;
        let page = reports::coe::page_name(&record);
        let past = self.enter(&record, journal);
        let beside = past.beside(self.policy);
        journal.add_file(&format!("{page}.md"), &reports::coe::render(&record, journal.events(), &beside))?;
        journal.add_file(&format!("{page}.html"), &reports::html::render(&record, journal.events(), &beside))?;
        let buckets = scenarios::bring_up::bring_up(&self.case(), journal.events());
        let story = bring_up::told(&buckets)?;
        if !story.is_empty() {
            journal.add_file("bring-up.txt", &story)?;
        }
        match self.args.format {
            Format::Json => print(&reports::record::to_json(&record))?,
            Format::Text => {
                print(&reports::table::render(&record, self.color))?;
                if !story.is_empty() {
                    print(&story)?;
                }
                print(&format!("files: {}", journal.folder().display()))?;
            }
        }
        let status = match ending {
            Ending::Interrupted => exit::INTERRUPTED,
            Ending::Failed(why) => {
                tracing::error!("{why}");
                exit::HARNESS
            }
            Ending::Completed if !record.residue.is_empty() => exit::HARNESS,
            Ending::Completed => exit::of_record(&record),
        };
        Ok(Left { status, folder: journal.folder().to_path_buf(), record })
    }
}
