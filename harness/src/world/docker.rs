//! Owns the world of real containers: a region on an engine, one container for each host. Refuses to decide what
//! happens in it.
//!
//! - [`engine`]: the engine's API, the only module that names bollard
//! - [`image`], [`names`], [`subnet`], [`region`]: what a region is made of; [`found`]: what is there of it
//! - [`provision`], [`raise`], [`power`], [`faults`], [`sweep`]: acts; [`adopt`]: those on a region that [`standing`] outlives
//!   the process, [`survey`]: what is there of it
//! - [`build`]: a region that is built out of another one
//! - [`attached`]: a game day on a project that somebody else started
//! - [`built`]: what stands of it; [`claim`]: whose turn it is
//! - [`software`]: hosts of real software; [`doors`]: where whoever is outside reaches services
//! - [`link`], [`hand_link`]: talking with the hand and the witness

mod adopt;
pub mod attached;
pub mod build;
mod built;
pub mod claim;
pub mod doors;
pub mod engine;
mod faults;
pub mod found;
pub mod guard;
mod hand_link;
pub mod image;
pub(crate) mod link;
pub mod names;
mod power;
mod provision;
pub mod raise;
pub mod region;
pub mod software;
pub mod spec;
pub mod standing;
pub mod subnet;
pub mod survey;
pub mod sweep;
mod trouble;

use super::World;
use crate::clock::Clock;
use crate::controller::{Do, Done, Input};
use crate::hand::protocol::{Answer, Left, Task};
use crate::witness::protocol::Tell;
use anyhow::{Context, Result, bail};
use attached::difference::{Difference, Seen as Whole};
use attached::{Attachment, Touched};
use built::Built;
use doors::Doorkeeper;
use engine::{Engine, EngineInfo, ImageFacts};
use fixtures::graph::Graph;
use fixtures::name::{HostName, ZoneName};
use fixtures::placement::Placement;
use fixtures::topology::Topology;
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use guard::Guard;
use names::{HOLDING, Names};
use raise::finish_dead_run;
use scenarios::customers::Traffic;
use scenarios::scenario::Gathered;
use software::Images;
use standing::{Made, Standing, Stands};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Calls under way at once. The engine does no more with more of them.
const CALLS_AT_ONCE: usize = 8;
/// What becomes of packets where the machine's table of neighbours is full, and what to do.
const CROWDED: &str = "were thrown away because the machine's table of neighbours was full; raise \
                       net.ipv4.neigh.default.gc_thresh3, or run fewer regions at a time";

/// Told of each thing that is there, with how many there will be.
pub type OnProgress = Box<dyn Fn(&str, usize) + Send + Sync>;

/// What a person may choose.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// An executable for the engine's machine, where this one is none.
    pub agent: Option<PathBuf>,
    /// An image that has it.
    pub agent_image: Option<String>,
    /// Go without rights on the engine's machine, although they could be had.
    pub no_rights: bool,
    /// How long a region that is left standing stands.
    pub keep: Duration,
}

/// What all acts of one run share.
pub struct Shared {
    engine: Engine,
    info: EngineInfo,
    names: Names,
    options: Options,
    topology: Topology,
    graph: Graph,
    placement: Placement,
    images: Images,
    traffic: Traffic,
    gathered: Gathered,
    seed: u64,
    clock: Arc<Clock>,
    inputs: mpsc::Sender<Input>,
    cancelled: watch::Receiver<bool>,
    built: RwLock<Option<Arc<Built>>>,
    guard: Mutex<Option<Guard>>,
    tearing_down: AtomicBool,
    told_of_crowding: AtomicBool,
    stands: Option<Stands>,
    attached: Option<Attachment>,
    elsewhere: BTreeMap<HostName, ZoneName>,
    touched: Mutex<Touched>,
    /// What was said of an attached project before, and what is different after.
    seen_before: Mutex<Whole>,
    difference: Mutex<Option<Difference>>,
    /// Hosts of a region that was taken over that had no power.
    relit: AtomicUsize,
    on_progress: OnProgress,
}

/// A region on an engine.
pub struct DockerWorld {
    shared: Arc<Shared>,
    cancel: watch::Sender<bool>,
}

/// What a run is made of, for [`DockerWorld::new`].
pub struct Parts {
    /// The engine.
    pub engine: Engine,
    /// What it says of itself.
    pub info: EngineInfo,
    /// The run's id.
    pub run: String,
    /// Choices.
    pub options: Options,
    /// Zones.
    pub topology: Topology,
    /// Services.
    pub graph: Graph,
    /// Instances.
    pub placement: Placement,
    /// What the images of the graph say of themselves, by their references.
    pub images: BTreeMap<String, ImageFacts>,
    /// Traffic.
    pub traffic: Traffic,
    /// What is gathered because it is judged.
    pub gathered: Gathered,
    /// The seed.
    pub seed: u64,
    /// The run's clock.
    pub clock: Arc<Clock>,
    /// Whether the region is to stand longer than the run, or does already.
    pub stands: Option<Stands>,
    /// The project that it is held on, where somebody else started its hosts.
    pub attached: Option<Attachment>,
    /// Hosts that are in another zone than they believe to be.
    pub elsewhere: BTreeMap<HostName, ZoneName>,
    /// Called for each host that is there, with how many there will be.
    pub on_progress: OnProgress,
}

impl DockerWorld {
    /// A world in which nothing was made yet; what it sees goes to `inputs`.
    pub fn new(parts: Parts, inputs: mpsc::Sender<Input>) -> Self {
        let (cancel, cancelled) = watch::channel(false);
        let names = Names::new(&parts.run, parts.info.systemd_cgroups);
        let names = parts.stands.as_ref().map_or(names.clone(), |stands| names.of_region(stands.name()));
        let names = match &parts.attached {
            Some(attachment) => names.attached_to(&attachment.project),
            None => names,
        };
        let Parts { engine, info, options, topology, graph, placement, images, .. } = parts;
        let Parts { traffic, gathered, seed, clock, stands, attached, elsewhere, on_progress, .. } = parts;
        let (built, guard, tearing_down) = (RwLock::new(None), Mutex::default(), AtomicBool::new(false));
        let shared = Shared {
            engine,
            info,
            names,
            options,
            topology,
            graph,
            placement,
            images,
            traffic,
            gathered,
            seed,
            clock,
            inputs,
            cancelled,
            built,
            guard,
            tearing_down,
            told_of_crowding: AtomicBool::new(false),
            stands,
            attached,
            elsewhere,
            touched: Mutex::default(),
            seen_before: Mutex::default(),
            difference: Mutex::default(),
            relit: AtomicUsize::new(0),
            on_progress,
        };
        Self { shared: Arc::new(shared), cancel }
    }

    /// How each right was had, for the record.
    pub fn rights(&self) -> BTreeMap<String, String> {
        self.shared.built().map(|built| built.rights_used()).unwrap_or_default()
    }

    /// What was made of a region, for those who take it over.
    pub fn made(&self) -> Option<Made> {
        self.shared.built().map(|built| built.made())
    }

    /// How many hosts of a region that was taken over had no power.
    pub fn relit(&self) -> usize {
        self.shared.relit.load(Ordering::Relaxed)
    }

    /// Address of each host, for the record.
    pub fn addresses(&self) -> BTreeMap<HostName, String> {
        let Some(built) = self.shared.built() else { return BTreeMap::new() };
        let hosts = built.layout.placement.hosts.iter();
        hosts.map(|host| (host.name.clone(), built.layout.software_at(host).to_string())).collect()
    }

    /// Who knows where its services are reached from outside.
    pub fn doorkeeper(&self) -> Doorkeeper {
        Doorkeeper(Arc::clone(&self.shared))
    }

    /// What is different of an attached project, once it was given back.
    pub fn difference(&self) -> Option<Difference> {
        self.shared.difference.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Does something to every item, with so many under way at once, and ends at the first error.
async fn at_once<T, R, F: Future<Output = Result<R>>>(
    limit: usize,
    items: Vec<T>,
    act: impl Fn(T) -> F,
) -> Result<Vec<R>> {
    stream::iter(items).map(act).buffer_unordered(limit.max(1)).try_collect().await
}

/// Starts or kills hosts. Where their cables are the engine's, those of one network come one after the other, networks
/// beside each other: the engine counts a network's endpoints, and two that come or go at the same moment can leave the
/// count one too high (20.10, seen here in some of hundreds of runs); it then never lets go of the network.
async fn each_host<F: Future<Output = Result<()>>>(
    shared: &Shared,
    built: &Built,
    hosts: &[HostName],
    act: impl Fn(HostName) -> F,
) -> Result<()> {
    if built.is_wired() {
        return at_once(CALLS_AT_ONCE, hosts.to_vec(), act).await.map(drop);
    }
    let mut lanes: BTreeMap<String, Vec<HostName>> = BTreeMap::new();
    for host in hosts {
        lanes.entry(built.network_of(shared, host)).or_default().push(host.clone());
    }
    let act = &act;
    let lanes = lanes.into_values().map(async |lane| {
        for host in lane {
            act(host).await?;
        }
        Ok(())
    });
    try_join_all(lanes).await.map(drop)
}

/// Starts hosts that were made.
async fn start_hosts(shared: &Shared, built: &Built, hosts: &[HostName], started: impl Fn()) -> Result<()> {
    let started = &started;
    each_host(shared, built, hosts, |host| async move {
        shared.going_on()?;
        shared.engine.start(&shared.names.object(&format!("host-{host}"))).await?;
        started();
        Ok(())
    })
    .await
}

impl World for DockerWorld {
    fn perform(&mut self, act: Do) {
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let result = shared.perform(act).await.map_err(|error| format!("{error:#}"));
            // The controller's loop has ended: nobody waits for this.
            let _ended = shared.inputs.send(Input::Done(result)).await;
        });
    }

    fn cancel(&mut self) {
        // The receiver lives in `shared`.
        let _kept = self.cancel.send(true);
    }
}

impl Shared {
    fn guard_with(&self, guard: Guard) {
        *self.guard.lock().unwrap_or_else(PoisonError::into_inner) = Some(guard);
    }

    fn stand_down(&self) {
        if let Some(guard) = self.guard.lock().unwrap_or_else(PoisonError::into_inner).take() {
            guard.stand_down();
        }
    }

    async fn perform(self: &Arc<Self>, act: Do) -> Result<Done> {
        match (&self.attached, act) {
            (Some(attachment), act) => self.perform_attached(attachment, act).await,
            (None, act) => self.perform_here(act).await,
        }
    }

    /// On a project that is not ours.
    async fn perform_attached(self: &Arc<Self>, attachment: &Attachment, act: Do) -> Result<Done> {
        match act {
            Do::Provision => attached::provision(self, attachment).await.map(|()| Done::Provisioned),
            Do::PowerOn(hosts) => attached::power::power_on(self, &self.need_built()?, attachment, &hosts).await,
            Do::PowerOff { hosts, unsynced } => {
                attached::power::power_off(self, &self.need_built()?, attachment, &hosts, unsynced).await
            }
            Do::Teardown | Do::Leave => attached::give_back(self, attachment).await,
            other => self.perform_here(other).await,
        }
    }

    async fn perform_here(self: &Arc<Self>, act: Do) -> Result<Done> {
        match act {
            Do::Provision => match self.standing() {
                Some(standing) => adopt::take_over(self, standing).await.map(|()| Done::Provisioned),
                None => provision::provision(self).await.map(|()| Done::Provisioned),
            },
            Do::PowerOn(hosts) if self.standing().is_some() && !self.need_built()?.was_lit() => {
                adopt::light(self, &self.need_built()?, &hosts).await
            }
            Do::PowerOn(hosts) => power::power_on(self, &self.need_built()?, &hosts).await,
            Do::PowerOff { hosts, unsynced } => power::power_off(self, &self.need_built()?, &hosts, unsynced).await,
            Do::Inject { fault, deed, hosts } => faults::inject(self, &self.need_built()?, fault, deed, hosts).await,
            Do::Heal { fault, deed, hosts } => faults::heal(self, &self.need_built()?, fault, deed, hosts).await,
            Do::ReadBack => {
                self.tell_of_crowding().await;
                self.read_back().await
            }
            Do::Teardown => {
                self.tell_of_crowding().await;
                match self.standing() {
                    Some(_) => adopt::give_back(self).await,
                    None => self.tear_down().await,
                }
            }
            Do::Leave => self.leave_standing().await,
        }
    }

    /// The region that was taken over, where one was.
    fn standing(&self) -> Option<&Standing> {
        match &self.stands {
            Some(Stands::TakenOver(standing)) => Some(standing),
            _ => None,
        }
    }

    /// Whether hosts reach even their neighbours over their gateways. Those of a build are so many that the machine's table of
    /// neighbours, one for all network namespaces, has no room for who talks with whom; for each host's gateway it has.
    fn by_gateway(&self) -> bool {
        !self.elsewhere.is_empty()
    }

    fn image(&self) -> String {
        self.options.agent_image.clone().unwrap_or_else(|| self.names.image())
    }

    fn progress(&self, what: &str, of: usize) {
        (self.on_progress)(what, of);
    }

    fn built(&self) -> Option<Arc<Built>> {
        self.built.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn need_built(&self) -> Result<Arc<Built>> {
        self.built().context("the region was not made yet")
    }

    fn set_built(&self, built: Arc<Built>) {
        *self.built.write().unwrap_or_else(PoisonError::into_inner) = Some(built);
    }

    fn is_tearing_down(&self) -> bool {
        self.tearing_down.load(Ordering::Relaxed)
    }

    /// Passes on the engine's events about hosts of this run.
    fn follow_engine(self: &Arc<Self>) {
        let shared = Arc::clone(self);
        let mut events = self.engine.events(&self.names.label());
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                let Some(host) = shared.names.host_of(&event.container) else { continue };
                let (t_ns, host) = (shared.clock.of_wall(event.wall_ns), HostName(host.to_owned()));
                match (event.action.as_str(), shared.built()) {
                    ("die", Some(built)) => built.died(host.clone()),
                    ("start", Some(built)) => built.plug(&host),
                    _ => {}
                }
                let input = Input::Engine { t_ns, host, action: event.action };
                if shared.inputs.send(input).await.is_err() {
                    return;
                }
            }
            shared.part_gone("the engine's event stream");
        });
    }

    /// A run whose packets the machine threw away is no witness of anything. Asked for when all has been seen, and again
    /// where a run ends before that; told once.
    async fn tell_of_crowding(&self) {
        let Some(built) = self.built().filter(|built| built.routed) else { return };
        // A hand that is gone is told of elsewhere.
        let Ok(Answer::Crowded(refused)) = built.hand.ask(Task::Crowding).await else { return };
        if refused > 0 && !self.told_of_crowding.swap(true, Ordering::Relaxed) {
            self.caveat("neighbours-full", format!("{refused} packets {CROWDED}")).await;
        }
    }

    async fn read_back(&self) -> Result<Done> {
        let built = self.need_built()?;
        let done = built.read_back.notified();
        built.tell_witness(&Tell::ReadBack).await?;
        let mut cancelled = self.cancelled.clone();
        tokio::select! {
            () = done => Ok(Done::ReadBack),
            _ = cancelled.wait_for(|cancelled| *cancelled) => bail!("cancelled"),
            () = tokio::time::sleep(Duration::from_secs(120)) => bail!("the ledger could not be read back in 120 s"),
        }
    }

    /// Removes everything; what is still there after that is the residue.
    async fn tear_down(&self) -> Result<Done> {
        self.tearing_down.store(true, Ordering::Relaxed);
        let done = self.remove_all().await;
        self.stand_down();
        done
    }

    async fn remove_all(&self) -> Result<Done> {
        let Some(built) = self.built() else {
            return self.finish_by_another_hand().await;
        };
        // Where cables are the engine's, it would lose count of their ends (`each_host`).
        if built.is_wired() {
            let (whole, hosts, disks) = (Vec::new(), built.all_targets(self), Vec::new());
            // One write kills the whole region: removing dead containers takes the engine half as long. Where it
            // fails, the engine kills each itself.
            let _slower = built.hand.ask(Task::PowerOff { whole, hosts, disks }).await;
        }
        let volumes_and_image = ["shared".to_owned()]
            .into_iter()
            .chain(self.topology.zones().map(|(_, zone)| format!("state-{}", zone.name)));
        let mut spare: BTreeSet<String> = volumes_and_image.map(|name| self.names.object(&name)).collect();
        spare.extend([self.names.object("hand"), self.image()]);
        sweep::remove_run(&self.engine, &self.names.run, &spare).await?;
        let Ok(Answer::Left(left)) = built.hand.ask(Task::Finish).await else {
            // The hand is gone, or cannot: another one reads its journal and finishes the work.
            return self.finish_by_another_hand().await;
        };
        let Left { mut residue, others } = left;
        residue.extend(sweep::remove_run(&self.engine, &self.names.run, &BTreeSet::new()).await?);
        Ok(Done::TornDown { residue, others })
    }

    async fn finish_by_another_hand(&self) -> Result<Done> {
        let (run, no_rights) = (&self.names.run, self.options.no_rights);
        let residue = finish_dead_run(&self.engine, &self.info, run, no_rights).await?;
        Ok(Done::TornDown { residue, others: Vec::new() })
    }

    /// Leaves the region standing for those who look around.
    async fn leave_standing(&self) -> Result<Done> {
        self.tearing_down.store(true, Ordering::Relaxed);
        let ms = u64::try_from(self.options.keep.as_millis())?;
        self.need_built()?.hand.ask(Task::Hold { ms }).await?;
        let hand = self.names.object("hand");
        self.engine.rename(&hand, &format!("{hand}{HOLDING}")).await?;
        self.stand_down();
        Ok(Done::Left)
    }
}
