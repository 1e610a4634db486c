//! Owns one game day in virtual time, from its files to its judgement, in memory alone. Refuses to write anything: the
//! command line, searches, benchmarks and tests do with it what they want.

use crate::clock::Clock;
use crate::controller::{Controller, Ending};
use crate::load::Loaded;
use crate::world::sim::costs::Costs;
use crate::world::sim::{Parts, SimWorld, course};
use anyhow::{Context, Result};
use scenarios::event::{Event, EventId};
use scenarios::judge::{Case, judge};
use scenarios::judgement::Judgement;

/// What a game day left.
#[derive(Debug)]
pub struct Played {
    /// Everything seen.
    pub events: Vec<Event>,
    /// How it ended.
    pub ending: Ending,
    /// What is thought of it.
    pub judgement: Judgement,
    /// Inputs handed to state machines.
    pub handed: u64,
}

/// Plays a loaded scenario with a seed; the plan is made anew from the seed.
///
/// # Errors
/// Where the calibration that was compiled in is damaged.
pub fn play(loaded: &mut Loaded, seed: u64) -> Result<Played> {
    let clock = Clock::standing();
    play_telling(loaded, seed, |t_ns| clock.utc(t_ns))
}

/// As [`play`], for those who read the judgement and not the log: its events say no UTC, which nobody judges and which
/// costs more to write than the rest of an event.
///
/// # Errors
/// Where the calibration that was compiled in is damaged.
pub fn play_unlogged(loaded: &mut Loaded, seed: u64) -> Result<Played> {
    play_telling(loaded, seed, |_| String::new())
}

fn play_telling(loaded: &mut Loaded, seed: u64, utc: impl Fn(u64) -> String) -> Result<Played> {
    loaded.plan = scenarios::plan::plan(&loaded.scenario, &loaded.placement, seed);
    let Loaded { scenario, topology, graph, placement, plan, .. } = &*loaded;
    let costs = Costs::calibrated().context("the calibration that was compiled in is damaged")?;
    let traffic = &scenario.traffic;
    let parts = Parts { topology, graph, placement, traffic, gathered: scenario.gathered(), seed, costs };
    let mut world = SimWorld::new(&parts);
    let mut controller = Controller::new(scenario.clone(), plan.clone(), placement.clone(), false);
    let mut events: Vec<Event> = Vec::new();
    let ending = course::run(&mut controller, &mut world, |entry| {
        let course::Entry { t_ns, by, place, detail } = entry;
        let id = EventId(events.len() as u64 + 1);
        events.push(Event { id, t_ns, utc: utc(t_ns), by, place, detail });
        Ok(())
    })?;
    let judgement = judge(&Case { scenario, plan, topology, graph, placement }, &events);
    Ok(Played { events, ending, judgement, handed: world.handed() })
}
