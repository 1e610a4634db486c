//! Owns the question whether there is room for a run: its region within the budget, the engine there and free, the disk not
//! full. Refuses to begin anything.

use super::child::Setting;
use crate::load;
use crate::region::folder::Folder;
use crate::region::state::{Phase, State};
use crate::schedule::World;
use crate::schedule::file::{Budget, MEMORY_OF_A_PROCESS};
use crate::schedule::keeper::Unfit;
use crate::schedule::ledger::Choice;
use crate::world::docker::engine::Engine;
use crate::world::docker::sweep::{self, LeaseState};
use fixtures::unit::Bytes;
use std::path::Path;
use std::time::Duration;

/// An engine that answers a question for longer than this hangs.
const ENGINE_WITHIN: Duration = Duration::from_secs(20);

/// Looks at everything that could be in the way.
///
/// # Errors
/// The first thing that is.
pub async fn examine(choice: &Choice, budget: &Budget, setting: &Setting) -> Result<(), Unfit> {
    let folders = &setting.folders;
    region(choice, budget)?;
    if let Some(name) = &choice.region {
        standing(&Folder::of(&setting.regions, name))?;
    }
    let free = free_bytes(&folders.runs).map_err(Unfit::ForNow)?;
    if free < budget.disk_free {
        let (free, wanted) = (Bytes(free), Bytes(budget.disk_free));
        return Err(Unfit::AtAll(format!("{free} are free where runs are kept, and {wanted} must be")));
    }
    match choice.world {
        World::Sim => Ok(()),
        World::Docker => match tokio::time::timeout(ENGINE_WITHIN, engine()).await {
            Ok(found) => found,
            Err(_) => {
                let within = fixtures::unit::Span(ENGINE_WITHIN);
                Err(Unfit::ForNow(format!("the container engine did not answer within {within}")))
            }
        },
    }
}

/// A game day begins in a region that is well.
fn standing(folder: &Folder) -> Result<(), Unfit> {
    let name = &folder.name;
    match State::read(folder) {
        None => Err(Unfit::ForNow(format!("region `{name}` is not there yet"))),
        Some(State { phase: Phase::Well, day: None, .. }) => Ok(()),
        Some(State { day: Some(_), .. }) => Err(Unfit::ForNow(format!("another game day is held in region `{name}`"))),
        Some(State { phase, why, .. }) => {
            let why = if why.is_empty() { why } else { format!(": {why}") };
            Err(Unfit::ForNow(format!("region `{name}` is {}{why}", phase.word())))
        }
    }
}

/// The size of the region that a run would build.
fn region(choice: &Choice, budget: &Budget) -> Result<(), Unfit> {
    let loaded = load::scenario(&choice.scenario, false).map_err(|bad| Unfit::AtAll(bad.text.trim().to_owned()))?;
    let hosts = loaded.placement.hosts.len() as u64;
    let processes = hosts + loaded.placement.instances.len() as u64;
    let within = |what: &str, wanted: u64, limit: Option<u64>| match limit {
        Some(limit) if wanted > limit => {
            Err(Unfit::AtAll(format!("it takes {wanted} {what}, and the budget is {limit}")))
        }
        _ => Ok(()),
    };
    within("hosts", hosts, budget.hosts)?;
    within("processes", processes, budget.processes)?;
    let memory = processes * MEMORY_OF_A_PROCESS;
    match budget.memory {
        Some(limit) if memory > limit => {
            let (memory, limit) = (Bytes(memory), Bytes(limit));
            Err(Unfit::AtAll(format!(
                "it takes {memory} of memory for {processes} processes, and the budget is {limit}"
            )))
        }
        _ => Ok(()),
    }
}

/// Whether the engine answers, and nobody's run goes on over it.
async fn engine() -> Result<(), Unfit> {
    let unreachable = |error: anyhow::Error| Unfit::ForNow(format!("{error:#}"));
    let (engine, _) = Engine::connect().await.map_err(unreachable)?;
    let remains = sweep::remains(&engine).await.map_err(unreachable)?;
    match remains.iter().find(|(_, remains)| remains.lease == LeaseState::Alive) {
        Some((run, remains)) => {
            let run = remains.day.as_ref().unwrap_or(run);
            Err(Unfit::ForNow(format!("run {run} goes on over the same engine")))
        }
        None => Ok(()),
    }
}

/// What is free where a folder is.
///
/// # Errors
/// Where that cannot be told.
pub fn free_bytes(folder: &Path) -> Result<u64, String> {
    let told = |error: rustix::io::Errno| format!("{}: {error}", folder.display());
    let stat = rustix::fs::statvfs(folder).map_err(told)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}
