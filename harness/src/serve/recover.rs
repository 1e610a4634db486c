//! Owns the end of runs that did not end by themselves: of an earlier server, killed, without a record. Waits until nobody
//! works on one, removes what is left of it, and says what became of it. Refuses to begin anything.

use super::child::Setting;
use crate::schedule::ledger::Choice;
use crate::schedule::{Outcome, World};
use crate::world::docker::engine::Engine;
use crate::world::docker::raise::finish_dead_run;
use crate::world::docker::sweep::{self, LeaseState};
use anyhow::Result;
use std::time::Duration;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// An engine that takes longer hangs, and is asked anew.
const ENGINE_WITHIN: Duration = Duration::from_secs(300);

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// How it ended.
    pub outcome: Outcome,
    /// Why, where its record does not say.
    pub said: String,
    /// What of it could not be removed, for people.
    pub left: String,
}

impl Settled {
    /// All of that.
    pub fn why(&self) -> String {
        [self.said.as_str(), self.left.as_str()].join(" ").trim().to_owned()
    }
}

/// What became of a run whose process is not ours, or is gone. Comes back when nothing of it is left: nothing else may begin
/// before that. `told` hears what it waits for.
pub async fn settle(setting: &Setting, run: &str, choice: &Choice, told: impl Fn(String)) -> Settled {
    let mut waited = false;
    while setting.is_alive(run) {
        if !waited {
            told(format!("run {run} is still being ended by its own processes"));
        }
        waited = true;
        tokio::time::sleep(EVERY).await;
    }
    let (outcome, said) = setting.outcome(run, None);
    let mut left = String::new();
    if choice.world == World::Docker {
        let all = removed_at_last(run, &told).await;
        let names: Vec<String> = all.into_iter().map(|(object, name)| format!("{object} {name}")).collect();
        if !names.is_empty() {
            left = format!("it left behind: {}", names.join(", "));
        }
    }
    if setting.record(run).is_none()
        && let Err(error) = setting.finish(run, choice).await
    {
        told(format!("run {run} has no record, only its events: {error:#}"));
    }
    Settled { outcome, said, left }
}

/// Comes back when nothing is left of a run but what cannot be removed; an engine that does not answer is asked again.
async fn removed_at_last(run: &str, told: &impl Fn(String)) -> Vec<(String, String)> {
    loop {
        match tokio::time::timeout(ENGINE_WITHIN, removed(run)).await {
            Ok(Ok(left)) => return left,
            Ok(Err(error)) => told(format!("run {run} cannot be healed yet: {error:#}")),
            Err(_) => told(format!("run {run} cannot be healed yet: the container engine hangs")),
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Removes what is left of a run; its hand is given time to do that by itself.
async fn removed(run: &str) -> Result<Vec<(String, String)>> {
    loop {
        let (engine, info) = Engine::connect().await?;
        match sweep::remains(&engine).await?.get(run) {
            None => return Ok(Vec::new()),
            Some(remains) if remains.lease == LeaseState::Alive => tokio::time::sleep(EVERY).await,
            Some(_) => return finish_dead_run(&engine, &info, run, false).await,
        }
    }
}
