//! Owns a game day on an engine. Refuses to know what the command line was.

use super::record::Facts;
use super::region::Lent;
use super::{Day, Left};
use crate::clock::{self, Clock};
use crate::controller::Controller;
use crate::exit;
use crate::journal::Journal;
use crate::live::tui::Signals;
use crate::load::{BadInput, Loaded};
use crate::outside::{Guide, Outside, Teller};
use crate::run::{Course, Stop};
use crate::terminal::Terminal;
use crate::world::docker::attached::Attachment;
use crate::world::docker::claim::{self, Claimed};
use crate::world::docker::doors::Doorkeeper;
use crate::world::docker::engine::{Engine, EngineInfo};
use crate::world::docker::software::known_images;
use crate::world::docker::{DockerWorld, Options, Parts};
use anyhow::Result;
use scenarios::event::{By, Detail, Place};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Observations that may wait for the controller; the world waits when there are more.
const INPUTS_MAX: usize = 4096;

impl Day<'_> {
    pub(super) async fn hold_in_docker(self, engine: &Engine, info: &EngineInfo, stop: &mut Stop) -> Result<Left> {
        let Some(run) = self.args.tied_as.clone() else {
            return self.hold_somewhere(clock::run_id(), (engine, info), stop).await;
        };
        // Of all servers over one engine one begins; people may hold several game days beside each other.
        let claimed = tokio::select! {
            claimed = claim::claim(engine, &run) => claimed?,
            () = stop.wanted() => return Err(exit::Early("it was this run's turn").into()),
        };
        if let Claimed::Theirs(other) = claimed {
            let text = format!("error: run {other} goes on over the same engine, of another server\n");
            return Err(BadInput { text }.into());
        }
        let left = self.hold_somewhere(run.clone(), (engine, info), stop).await;
        claim::release(engine, &run).await?;
        left
    }

    async fn hold_somewhere(
        self,
        run: String,
        (engine, info): (&Engine, &EngineInfo),
        stop: &mut Stop,
    ) -> Result<Left> {
        match (self.args.region.clone(), self.args.attach.clone()) {
            (Some(name), _) => self.hold_in_region(&name, run, (engine, info), stop).await,
            (None, Some(project)) => self.hold_on_project(&project, run, (engine, info), stop).await,
            (None, None) => self.hold_on_engine(run, (engine, info), stop, None).await,
        }
    }

    /// In a region of its own, or in one that stands.
    pub(super) async fn hold_on_engine(
        mut self,
        run: String,
        (engine, info): (&Engine, &EngineInfo),
        stop: &mut Stop,
        lent: Option<&Lent>,
    ) -> Result<Left> {
        let images = match self.attachment {
            // Its containers are there: nothing is made of their images.
            Some(_) => BTreeMap::new(),
            None => known_images(engine, &self.loaded.graph).await?,
        };
        let clock = Arc::new(Clock::start());
        let seed = self.args.seed.unwrap_or_else(clock::fresh_seed);
        self.loaded.plan = scenarios::plan::plan(&self.loaded.scenario, &self.loaded.placement, seed);
        let mut journal = Journal::create(&self.args.out, &run, Arc::clone(&clock))?;
        let terminal = self.terminal();
        let Loaded { scenario, placement, plan, .. } = &self.loaded;
        terminal.say(&format!("{}: {}", scenario.name, scenario.title));
        let world_name = if self.attachment.is_some() { "attached" } else { "docker" };
        terminal.say(&format!("run {run}, seed {seed}, world {world_name} (engine {})\n", info.version));
        let about = self.about(&run, world_name, seed);
        let mut watch = self.watchers.begin(about, &self.case(), journal.folder(), Signals::Run)?;
        let (sender, inputs) = mpsc::channel(INPUTS_MAX);
        let teller = Teller::new(sender.clone(), Arc::clone(&clock));
        let parts = Parts { images, ..self.parts(&run, seed, &clock, &terminal, (engine, info)) };
        let parts = match lent {
            Some(lent) => lent.parts(parts)?,
            None => parts,
        };
        let attached = self.attachment.iter().flat_map(Attachment::told);
        for (code, text) in lent.into_iter().flat_map(Lent::told).chain(attached) {
            let detail = Detail::Caveat { code: code.to_owned(), text };
            journal.write(clock.now(), By::Controller, Place::default(), detail, false)?;
        }
        let mut world = DockerWorld::new(parts, sender);
        let guide = guide(world.doorkeeper());
        let outside = Outside::begin(self.wanted, &run, journal.folder(), &teller, guide);
        drop(teller);
        let controller = Controller::new(scenario.clone(), plan.clone(), placement.clone(), self.args.keep.is_some());
        let course = Course {
            controller,
            world: &mut world,
            journal: &mut journal,
            terminal: &terminal,
            clock: Arc::clone(&clock),
            stop,
            outside: &outside,
        };
        let ending = crate::run::run(course, inputs).await?;
        watch.give_back_terminal();
        if let Some(difference) = world.difference() {
            let text = difference.text();
            journal.add_file("attached.txt", &text)?;
            terminal.say(&text);
        }
        let said = outside.finish().await?;
        let of = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        let versions = [of("engine", &info.version), of("api", &info.api), of("kernel", &info.kernel)];
        let facts = Facts {
            world: world_name,
            versions: BTreeMap::from(versions),
            rights: world.rights(),
            addresses: world.addresses(),
            measured: lent.map(Lent::measured).unwrap_or_default(),
            said,
        };
        let record = self.record(&run, seed, &clock, facts, &journal);
        self.leave(record, &mut journal, &ending)
    }

    fn parts(
        &self,
        run: &str,
        seed: u64,
        clock: &Arc<Clock>,
        terminal: &Terminal,
        (engine, info): (&Engine, &EngineInfo),
    ) -> Parts {
        let terminal = terminal.clone();
        Parts {
            engine: engine.clone(),
            info: info.clone(),
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
            images: BTreeMap::new(),
            traffic: self.loaded.scenario.traffic.clone(),
            gathered: self.loaded.scenario.gathered(),
            seed,
            clock: Arc::clone(clock),
            stands: None,
            attached: self.attachment.clone(),
            elsewhere: BTreeMap::new(),
            on_progress: Box::new(move |what, of| terminal.progress(what, of)),
        }
    }
}

/// Says where the region is reached, as soon as it has addresses.
fn guide(keeper: Doorkeeper) -> Guide {
    Box::new(move || keeper.doors().unwrap_or_default())
}
