//! Owns `blackstart region up`: builds a region, waits until it is well, and leaves it to its keeper. What is interrupted in the
//! middle leaves nothing. Refuses to keep it.

use super::{down, start_keeper};
use crate::cli::UpArgs;
use crate::clock::{self, Keeping};
use crate::commands::print;
use crate::controller::{Do, Done, Input};
use crate::exit;
use crate::load::{self, BadInput};
use crate::region::declared::{Built, Declared, Region, Texts};
use crate::region::folder::{Folder, Held, Lock};
use crate::region::keep::first_state;
use crate::region::ledger::{self, What};
use crate::region::state::{Phase, State};
use crate::region::{is_name, tenure};
use crate::run::Stop;
use crate::schedule::moment::Moment;
use crate::terminal::Terminal;
use crate::world::World;
use crate::world::docker::engine::{Engine, EngineInfo};
use crate::world::docker::names::Names;
use crate::world::docker::raise::finish_dead_run;
use crate::world::docker::standing::Stands;
use crate::world::docker::survey::Survey;
use crate::world::docker::{DockerWorld, Options, Parts};
use anyhow::{Context, Result, anyhow, bail};
use fixtures::diagnostic::Source;
use fixtures::name::{HostName, ZoneName};
use scenarios::event::{By, Detail, Life};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::mpsc;

const INPUTS_MAX: usize = 4096;
/// A region that is not well after so long will not be: game days give theirs a minute.
const WELL_WITHIN: Duration = Duration::from_secs(300);
/// So many windows in a row of each zone's customers without a failure are well.
const WELL_WINDOWS: u32 = 4;
/// A keeper says that it has the region within this.
const KEPT_WITHIN: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Builds it.
///
/// # Errors
/// Bad input; no engine; a region that does not become well.
pub(super) fn run(args: &UpArgs, quiet: bool, color: bool) -> Result<u8> {
    if !is_name(&args.name) {
        let text = format!(
            "error: `{}` is no name for a region\nhelp: small letters, digits and hyphens, such as `blue`\n",
            args.name
        );
        return Err(BadInput { text }.into());
    }
    let texts = texts(args, color)?;
    let folder = Folder::of(&args.at.root, &args.name);
    folder.make()?;
    let Some(used) = folder.lock(Lock::Use, "{\"by\":\"up\"}")? else { return Err(there_is(&folder).into()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (engine, info) = Engine::connect().await?;
        if folder.is_there() {
            let before = Declared::read(&folder)?;
            if before.built.is_some() || folder.holder(Lock::Keeper).is_some() {
                return Err(there_is(&folder).into());
            }
            // The beginning of one that was killed; its hand and its guard have removed it, or are at it.
            finish_dead_run(&engine, &info, &before.run, before.no_rights).await?;
        }
        let mut stop = Stop::listen(false).context("signals cannot be listened to")?;
        let up = Up::begin(args, &folder, texts, (&engine, &info), Terminal::new(quiet))?;
        up.go_on(used, &mut stop).await
    })
}

fn there_is(folder: &Folder) -> BadInput {
    let name = &folder.name;
    let how = State::read(folder)
        .map_or_else(String::new, |state| format!(" ({} since {})", state.phase.word(), state.since));
    let text = format!(
        "error: region `{name}` is there already{how}\nhelp: `blackstart region status {name}` tells how it stands, `blackstart region \
         down {name}` removes it; another name builds another one beside it\n"
    );
    BadInput { text }
}

fn texts(args: &UpArgs, color: bool) -> Result<Texts> {
    let pair = |source: &Source| (source.name.clone(), source.text.clone());
    match (&args.scenario, &args.topology, &args.graph) {
        (Some(scenario), _, _) => {
            let loaded = load::scenario(scenario, color)?;
            let [topology, graph, scenario] = loaded.texts().context("it was read from files")?;
            Ok(Texts { topology: pair(topology), graph: pair(graph), scenario: Some(pair(scenario)) })
        }
        (None, Some(topology), Some(graph)) => {
            let [topology, graph] = load::region_texts(topology, graph)?;
            Ok(Texts { topology: pair(&topology), graph: pair(&graph), scenario: None })
        }
        _ => bail!("a scenario, or a topology and a graph, say what to build"),
    }
}

/// A region on its way.
struct Up<'a> {
    folder: &'a Folder,
    declared: Declared,
    region: Region,
    engine: &'a Engine,
    info: &'a EngineInfo,
    world: DockerWorld,
    inputs: mpsc::Receiver<Input>,
    clock: Keeping,
    begun: Moment,
    terminal: Terminal,
}

/// How building it ended.
enum Ended {
    Well,
    Interrupted,
}

impl<'a> Up<'a> {
    fn begin(
        args: &UpArgs,
        folder: &'a Folder,
        texts: Texts,
        (engine, info): (&'a Engine, &'a EngineInfo),
        terminal: Terminal,
    ) -> Result<Self> {
        let clock = Keeping::start();
        let begun = clock.now().wall;
        let seed = args.seed.unwrap_or_else(clock::fresh_seed);
        let mut declared = Declared::new(&args.name, &clock::run_id(), seed, begun, texts);
        declared.agent_image.clone_from(&args.agent_image);
        declared.no_rights = args.no_rights;
        let every = args.deploy_every.unwrap_or_default().as_millis();
        declared.deploy_every_ms = u64::try_from(every).unwrap_or(u64::MAX);
        let region = declared.region()?;
        // On the disk before the first object: whoever comes after a crash knows what there may be.
        declared.write(folder)?;
        folder.write("state.json", &first_state(&declared, &region, Phase::Building, begun))?;
        let _none = std::fs::remove_file(folder.file("known.json"));
        let (sender, inputs) = mpsc::channel(INPUTS_MAX);
        let shown = terminal.clone();
        let parts = tenure::parts(&declared, &region, (engine.clone(), info.clone()), Stands::Built(args.name.clone()));
        let options = Options { agent: args.agent.clone(), ..parts.options };
        let parts = Parts { options, on_progress: Box::new(move |what, of| shown.progress(what, of)), ..parts };
        let world = DockerWorld::new(parts, sender);
        Ok(Self { folder, declared, region, engine, info, world, inputs, clock, begun, terminal })
    }

    async fn go_on(mut self, used: Held, stop: &mut Stop) -> Result<u8> {
        let hosts = self.region.placement.hosts.len();
        let (name, run, seed) = (&self.declared.name, &self.declared.run, self.declared.seed);
        self.terminal.say(&format!("region {name} ({run}, seed {seed}): {hosts} hosts\n"));
        let ended = match self.build(stop).await {
            Ok(Ended::Well) => self.settle().await.map(|()| Ended::Well),
            ended => ended,
        };
        match ended {
            Ok(Ended::Well) => {}
            Ok(Ended::Interrupted) => {
                self.terminal.say("stopping: everything is removed first");
                self.remove().await?;
                return Ok(exit::INTERRUPTED);
            }
            Err(error) => {
                self.remove().await?;
                return Err(error);
            }
        }
        drop(used);
        start_keeper(self.folder)?;
        tokio::select! {
            kept = self.kept() => kept?,
            () = stop.wanted() => {
                self.terminal.say("stopping: everything is removed first");
                down(self.folder, &self.declared).await?;
                return Ok(exit::INTERRUPTED);
            }
        }
        let took = self.clock.now().mono.as_secs_f64();
        let instances = self.region.placement.instances.len();
        print(&format!(
            "region {} stands: {hosts} hosts, {instances} instances, well after {took:.1} s\nto hold a game day in it: blackstart run \
             SCENARIO --region {}; to remove it: blackstart region down {}",
            self.declared.name, self.declared.name, self.declared.name
        ))?;
        Ok(exit::OK)
    }

    /// Makes it, gives it power, and waits until its customers are well.
    async fn build(&mut self, stop: &mut Stop) -> Result<Ended> {
        let hosts: Vec<HostName> = self.region.placement.hosts.iter().map(|host| host.name.clone()).collect();
        let mut seen = Wellness::new(&self.region);
        for act in [Do::Provision, Do::PowerOn(hosts)] {
            self.world.perform(act);
            loop {
                tokio::select! {
                    () = stop.wanted() => {
                        self.world.cancel();
                        self.done().await;
                        return Ok(Ended::Interrupted);
                    }
                    input = self.inputs.recv() => match input.context("the world has ended")? {
                        Input::Done(done) => {
                            done.map_err(|why| anyhow!(why))?;
                            break;
                        }
                        input => seen.saw(&input)?,
                    }
                }
            }
        }
        let until = tokio::time::sleep(WELL_WITHIN);
        tokio::pin!(until);
        while !seen.is_well() {
            tokio::select! {
                () = stop.wanted() => return Ok(Ended::Interrupted),
                () = &mut until => bail!("the region was not well within {}: {}", fixtures::unit::Span(WELL_WITHIN), seen.lacks()),
                input = self.inputs.recv() => seen.saw(&input.context("the world has ended")?)?,
            }
        }
        Ok(Ended::Well)
    }

    /// The end of the act under way.
    async fn done(&mut self) {
        while let Some(input) = self.inputs.recv().await {
            if matches!(input, Input::Done(_)) {
                return;
            }
        }
    }

    /// Writes down how it was built, and leaves it to whoever takes it over.
    async fn settle(&mut self) -> Result<()> {
        let names = Names::new(&self.declared.run, self.info.systemd_cgroups).of_region(&self.declared.name);
        let image = self.declared.agent_image.clone().unwrap_or_else(|| names.image());
        let made = self.world.made().context("the region was made")?;
        let hosts: Vec<HostName> = made.hosts.keys().cloned().collect();
        let zones: Vec<ZoneName> = self.region.topology.zones().map(|(_, zone)| zone.name.clone()).collect();
        let survey = Survey::of(self.engine, &names, &hosts, &zones).await?;
        let known: BTreeMap<HostName, String> =
            survey.hosts.into_iter().map(|(host, seen)| (host, seen.started)).collect();
        let now = self.clock.now();
        self.declared.built = Some(Built { at: now.wall, image: self.engine.image_id(&image).await?, made });
        self.world.perform(Do::Leave);
        loop {
            match self.inputs.recv().await.context("the world has ended")? {
                Input::Done(Ok(Done::Left)) => break,
                Input::Done(other) => bail!("the region could not be left standing: {other:?}"),
                _ => {}
            }
        }
        self.folder.write("known.json", &known)?;
        let instances = self.region.placement.instances.len();
        let took_ms = u64::try_from(now.wall.since(self.begun).as_millis()).unwrap_or(u64::MAX);
        ledger::write(self.folder, now.wall, What::Built { took_ms, hosts: hosts.len(), instances })?;
        self.declared.write(self.folder)
    }

    async fn kept(&self) -> Result<()> {
        for _ in 0..KEPT_WITHIN.as_millis() / LOOK_EVERY.as_millis() {
            if State::read(self.folder).is_some_and(|state| state.phase == Phase::Well) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!(
            "the region stands, and its keeper has not taken it up: {} says why",
            self.folder.file("keeper.log").display()
        )
    }

    async fn remove(&mut self) -> Result<()> {
        self.world.perform(Do::Teardown);
        let mut left = Vec::new();
        while let Some(input) = self.inputs.recv().await {
            if let Input::Done(done) = input {
                match done {
                    Ok(Done::TornDown { residue, .. }) => left = residue,
                    Ok(_) => {}
                    Err(why) => bail!(
                        "the region could not be removed: {why}; `blackstart clean {}` tries again",
                        self.declared.run
                    ),
                }
                break;
            }
        }
        if let Some((object, name)) = left.first() {
            bail!("{} things of the region are still there, such as {object} {name}", left.len());
        }
        self.folder.remove()
    }
}

/// Whether everybody is active, and the customers of each zone are well.
struct Wellness {
    instances: usize,
    active: BTreeSet<usize>,
    /// Windows in a row without a failure.
    zones: BTreeMap<ZoneName, u32>,
}

impl Wellness {
    fn new(region: &Region) -> Self {
        let zones = region.placement.hosts.iter().map(|host| (host.zone.clone(), 0)).collect();
        Self { instances: region.placement.instances.len(), active: BTreeSet::new(), zones }
    }

    fn saw(&mut self, input: &Input) -> Result<()> {
        match input {
            Input::Lost { why } => bail!("{why}"),
            Input::Probe { instance, report, .. } if report.life == Life::Active => {
                self.active.insert(*instance);
            }
            Input::Probe { instance, .. } => {
                self.active.remove(instance);
            }
            Input::Seen {
                by: By::Canary, place, detail: Detail::Canary { control: false, sent, failed, .. }, ..
            } => {
                if let Some(row) = place.zone.as_ref().and_then(|zone| self.zones.get_mut(zone)) {
                    *row = if *sent > 0 && failed.values().sum::<u64>() == 0 { *row + 1 } else { 0 };
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn is_well(&self) -> bool {
        self.active.len() == self.instances && self.zones.values().all(|row| *row >= WELL_WINDOWS)
    }

    fn lacks(&self) -> String {
        let unwell: Vec<&str> =
            self.zones.iter().filter(|(_, row)| **row < WELL_WINDOWS).map(|(zone, _)| zone.as_str()).collect();
        let customers = if unwell.is_empty() {
            "all customers are well".to_owned()
        } else {
            format!("customers of {} are not well", unwell.join(", "))
        };
        format!("{} of {} instances are active, {customers}", self.active.len(), self.instances)
    }
}
