//! Owns one build, of a region or of a zone, from a graph and two names to its judgement: in virtual time, in memory alone.
//! Refuses to write anything of it: the command line, benchmarks and tests do with it what they want, and are told as it goes.
//!
//! - [`sim`]: the loop in virtual time
//! - [`docker`]: the same in containers, where what must be on the disk is there before it is done
//! - [`seen`]: what both loops make of what they see
//! - [`defect`]: words for defects that a build can play
//! - [`folder`]: what is on the disk while it goes on
//! - [`shown`]: what a person sees meanwhile
//! - [`record`]: what its record says

pub mod defect;
pub mod docker;
pub mod folder;
pub mod record;
mod seen;
pub mod shown;
mod sim;

use crate::builder::ledger::Entry;
use crate::builder::{ASKED_FOR, Ending};
use crate::world::sim::build::told::ByHand;
use crate::world::sim::build::{BuildParts, BuildWorld};
use crate::world::sim::costs::Costs;
use anyhow::{Context, Result};
use fixtures::graph::Graph;
use fixtures::name::{HostName, RegionName};
use fixtures::regional::addition::Added;
use fixtures::regional::estate::{Estate, Wanted};
use fixtures::unit::Rate;
use scenarios::build::check::Check;
use scenarios::build::judge::{self, Judged};
use scenarios::build::observed::Building;
use scenarios::build::plan::{Border, BuildPhase, BuildPlan};
use scenarios::build::records::Records;
use scenarios::build::region::{self, Course};
use scenarios::build::zone::{self, NewZone};
use scenarios::customers::Traffic;
use scenarios::event::{Detail, Event, Place};
use seen::{Harm, place_of, racks};
use sim::Yard;
use std::collections::BTreeSet;
use std::time::Duration;

/// What is built.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The services.
    pub graph: Graph,
    /// The region that stands and serves customers.
    pub bootstrap: RegionName,
    /// The region to be built; where a zone is, the region that stands.
    pub build: RegionName,
    /// The zone that is built into the region that stands; `None` builds a region.
    pub zone: Option<ZoneSpec>,
    /// The most instances that one host carries.
    pub per_host: u32,
    /// Whether each instance that the build starts has a host to itself.
    pub apart: bool,
    /// Times, and what is left out.
    pub course: Course,
    /// What somebody wrote into configurations by hand.
    pub by_hand: Vec<ByHand>,
    /// When racks of the first zone land at the earliest, and those of the last at the latest.
    pub racks: (Duration, Duration),
    /// Decides everything.
    pub seed: u64,
    /// After which of the ledger's entries (from 1) the builder is killed, and taken up again from the ledger.
    pub killed_after: Vec<usize>,
    /// After which of the ledger's entries everything is to be undone.
    pub rolled_back_after: Option<usize>,
    /// Before which phase it is paused.
    pub pause_before: Option<BuildPhase>,
    /// What builders before had on the disk: it is played again up to there, and taken up.
    pub earlier: Vec<Entry>,
    /// What earlier builds found, and is asked for in this one.
    pub checks: Vec<Check>,
}

/// A zone that is built.
#[derive(Debug, Clone)]
pub struct ZoneSpec {
    /// Its name, in short or in full.
    pub name: String,
    /// The zone that holds its control plane, likewise, where it is a local zone.
    pub parent: Option<String>,
    /// How it is built.
    pub course: zone::Course,
}

impl Spec {
    /// A build with the usual times.
    pub fn new(graph: Graph, bootstrap: RegionName, build: RegionName, seed: u64) -> Self {
        Self {
            graph,
            bootstrap,
            build,
            zone: None,
            per_host: 8,
            apart: false,
            course: Course::default(),
            by_hand: Vec::new(),
            racks: (Duration::from_secs(10), Duration::from_secs(20)),
            seed,
            killed_after: Vec::new(),
            rolled_back_after: None,
            pause_before: None,
            earlier: Vec::new(),
            checks: Vec::new(),
        }
    }

    /// A zone that is built into a region that stands, with the usual times.
    pub fn of_zone(graph: Graph, region: RegionName, name: &str, parent: Option<&str>, seed: u64) -> Self {
        let (name, parent) = (name.to_owned(), parent.map(ToOwned::to_owned));
        let zone = Some(ZoneSpec { name, parent, course: zone::Course::default() });
        Self { zone, ..Self::new(graph, region.clone(), region, seed) }
    }
}

/// What a build left.
#[derive(Debug)]
pub struct Built {
    /// In which world: `sim` or `docker`.
    pub world: &'static str,
    /// Both regions.
    pub estate: Estate,
    /// What was to be done.
    pub plan: BuildPlan,
    /// Everything seen.
    pub events: Vec<Event>,
    /// What was on the disk.
    pub entries: Vec<Entry>,
    /// How it ended.
    pub ending: Ending,
    /// Who has power, what names say, where proxies store, what passes the border.
    pub state: (Vec<HostName>, Records, bool, Border),
    /// What is thought of it.
    pub judged: Judged,
    /// Inputs handed to state machines.
    pub handed: u64,
    /// What customers send.
    pub traffic: Traffic,
}

/// Who is told of a build as it goes, in whichever world.
pub trait Watch {
    /// What is built and how; nothing was done yet.
    ///
    /// # Errors
    /// Where what must be written cannot be.
    fn begins(&mut self, estate: &Estate, plan: &BuildPlan) -> Result<()>;
    /// Something was seen.
    fn event(&mut self, event: &Event);
    /// Has this on the disk before anything that follows.
    ///
    /// # Errors
    /// Where it cannot be written.
    fn entry(&mut self, entry: &Entry) -> Result<()>;
}

/// Nobody is told.
#[derive(Debug, Clone, Copy)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn begins(&mut self, _: &Estate, _: &BuildPlan) -> Result<()> {
        Ok(())
    }
    fn event(&mut self, _: &Event) {}
    fn entry(&mut self, _: &Entry) -> Result<()> {
        Ok(())
    }
}

/// A phase before which nothing can be paused.
#[derive(Debug, thiserror::Error)]
#[error("there is no border before {}: this build's phases after its first one are {}", .wanted.word(), .phases)]
pub struct NoBorder {
    wanted: BuildPhase,
    phases: String,
}

/// Builds a region, and tells nobody.
///
/// # Errors
/// As [`watched`].
pub fn build(spec: &Spec) -> Result<Built> {
    watched(spec, &mut Unwatched)
}

/// Builds a region.
///
/// # Errors
/// Names that do not fit, a phase that there is none of, a calibration that is damaged, a bootstrap region that does not
/// come up, a ledger of another build, or what must be written and cannot be.
pub fn watched(spec: &Spec, watch: &mut dyn Watch) -> Result<Built> {
    let (estate, plan, records) = planned(spec)?;
    has_border(&plan, spec.pause_before)?;
    watch.begins(&estate, &plan)?;
    let traffic = traffic();
    let costs = Costs::calibrated().context("the calibration that was compiled in is damaged")?;
    let calm = calm(estate.placement.instances.len());
    let Spec { by_hand, seed, .. } = spec;
    let parts = BuildParts { estate: &estate, traffic: &traffic, by_hand, records: &records, calm, seed: *seed, costs };
    let mut site = Yard::new(BuildWorld::new(&parts), (&estate, &plan), spec, watch);
    site.settle()?;
    let ending = site.run()?;
    let Yard { world, events, entries, .. } = site;
    let (state, handed) = (world.state(), world.handed());
    drop(world);
    let judged = judged(&judge::Case { estate: &estate, plan: &plan }, &events, &ending);
    Ok(Built {
        world: "sim",
        plan,
        events,
        entries,
        ending,
        state,
        judged,
        handed,
        traffic: traffic.clone(),
        estate: estate.clone(),
    })
}

/// The graph that is really built: with what follows from the services that were asked for.
///
/// # Errors
/// Names that do not fit.
pub fn whole_graph(spec: &Spec) -> Result<Graph> {
    planned(spec).map(|(estate, ..)| estate.graph)
}

/// Where everything stands, what is done, and who is behind each name at first.
fn planned(spec: &Spec) -> Result<(Estate, BuildPlan, Records)> {
    let Spec { graph, bootstrap, build, .. } = spec;
    let Some(ZoneSpec { name, parent, course }) = &spec.zone else {
        let estate = Estate::new(Wanted { graph, bootstrap, build, per_host: spec.per_host, apart: spec.apart })?;
        let plan = region::plan(&estate, &spec.course);
        return Ok((estate, plan, Records::default()));
    };
    let (zone, parent, per_host) = (name.as_str(), parent.as_deref(), spec.per_host);
    let estate = Estate::with_zone(Added { graph, region: bootstrap, zone, parent, per_host, apart: spec.apart })?;
    let new = NewZone::of(&estate, &course.forgotten).context("an estate with a new zone has one")?;
    let plan = zone::plan(&new, course);
    Ok((estate, plan, new.records.before))
}

/// What is thought of a build that ended so: one that failed did not hold, whether or not an invariant says why.
pub fn judged(case: &judge::Case<'_>, events: &[Event], ending: &Ending) -> Judged {
    let judged = judge::judge(case, events);
    match ending {
        Ending::Stuck { step, why } => judged.failed(&format!("stuck at `{step}` ({why})"), events),
        Ending::RolledBack { why } if why != ASKED_FOR => judged.failed(&format!("rolled back ({why})"), events),
        Ending::RolledBack { .. } | Ending::Completed | Ending::Paused { .. } => judged,
    }
}

fn has_border(plan: &BuildPlan, wanted: Option<BuildPhase>) -> Result<(), NoBorder> {
    let phases: Vec<BuildPhase> = plan.phases().into_iter().skip(1).collect();
    match wanted.filter(|wanted| !phases.contains(wanted)) {
        None => Ok(()),
        Some(wanted) => {
            let phases = phases.iter().map(|phase| phase.key()).collect::<Vec<_>>().join(", ");
            Err(NoBorder { wanted, phases })
        }
    }
}

/// Whether a step that is about to be begun is the last one before the phase before which somebody wants a pause.
fn is_last_before(plan: &BuildPlan, step: &str, wanted: Option<BuildPhase>) -> bool {
    let phase = |place: usize| plan.steps.get(place).map(|step| step.phase);
    let Some(place) = plan.place(step) else { return false };
    phase(place + 1) != phase(place) && wanted.is_some_and(|wanted| phase(place + 1) == Some(wanted))
}

/// Before which phases it is looked whether anything stands against them: where earlier builds found something, and before the
/// cut, behind which whoever leans on the other side can no longer be reached by it.
fn looks_before(spec: &Spec) -> BTreeSet<BuildPhase> {
    spec.checks.iter().map(|check| check.before).chain([BuildPhase::Cut]).collect()
}

/// Whether what earlier builds found, or what the bake did, stands against a phase: what is to be logged of that, and what the
/// builder is told.
fn look(
    spec: &Spec,
    phase: BuildPhase,
    case: &judge::Case<'_>,
    events: &[Event],
) -> (Vec<(Place, Detail)>, Result<(), String>) {
    let (mut seen, mut against) = (Vec::new(), Vec::new());
    for check in spec.checks.iter().filter(|check| check.before == phase) {
        let still = check.look(case, events);
        let place = Place { service: Some(check.finding.service.clone()), ..Place::default() };
        let (from, invariant) = (check.from.clone(), check.finding.invariant.clone());
        let text = still.clone().unwrap_or_default();
        seen.push((place, Detail::Build { seen: Building::Check { from, invariant, phase, text } }));
        against.extend(still.map(|text| format!("{text}; build {} had found it", check.from)));
    }
    if phase == BuildPhase::Cut {
        against.extend(judge::crossed(case, events).into_iter().map(|found| found.text));
    }
    let looked = if against.is_empty() { Ok(()) } else { Err(against.join("; ")) };
    (seen, looked)
}

/// What customers of each zone send, and what the witness writes to each.
fn traffic() -> Traffic {
    let rate = |per_s: u64| Rate { milli_per_s: per_s * 1_000 };
    Traffic::plain(rate(5), rate(2), Duration::from_secs(2))
}

/// The witness looks at more instances more rarely: a look asks for all that stands behind an instance.
fn calm(instances: usize) -> Duration {
    Duration::from_millis(4 * instances as u64).clamp(Duration::from_secs(1), Duration::from_secs(10))
}
