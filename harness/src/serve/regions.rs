//! Owns what a server does for regions that stand between its runs: builds those that are not there, has each kept, tells how they
//! stand, and watches the bystanders of a game day in one. Refuses to keep one itself: they are there longer than the server.

use super::child::Setting;
use super::keep::Message;
use crate::commands::region::start_keeper;
use crate::live::tail::{Tail, Turn};
use crate::load;
use crate::region::declared::Declared;
use crate::region::folder::{Folder, Lock};
use crate::region::state::State;
use crate::region::suffering::{Bound, Watch};
use crate::schedule::file::{Of, Region};
use crate::schedule::keeper::Input;
use crate::schedule::ledger::Choice;
use anyhow::{Context, Result};
use scenarios::event::{Detail, Event, Phase};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::sync::mpsc::Sender;

/// Between two looks at how regions stand.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A region that could not be built or kept is tried again after so long.
const AGAIN_AFTER: Duration = Duration::from_secs(15);
/// Between two looks at what a game day's customers get.
const WATCH_EVERY: Duration = Duration::from_millis(500);

/// Has every region standing and kept, for as long as the server is there.
pub fn keep_standing(regions: Vec<Region>, setting: Setting, outbox: Sender<Message>) {
    if regions.is_empty() {
        return;
    }
    for region in regions.clone() {
        let setting = setting.clone();
        tokio::task::spawn_local(async move {
            loop {
                let pause = match stand(&region, &setting).await {
                    Ok(()) => LOOK_EVERY,
                    Err(error) => {
                        tracing::warn!("region {}: {error:#}", region.name);
                        AGAIN_AFTER
                    }
                };
                tokio::time::sleep(pause).await;
            }
        });
    }
    tokio::task::spawn_local(async move {
        loop {
            let states = regions.iter().filter_map(|region| State::read(&Folder::of(&setting.regions, &region.name)));
            if outbox.send(Message::Regions(states.collect())).await.is_err() {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
}

/// One look: builds a region that is not there, and starts the keeper of one that nobody keeps.
async fn stand(region: &Region, setting: &Setting) -> Result<()> {
    let folder = Folder::of(&setting.regions, &region.name);
    let is_built = folder.is_there() && Declared::read(&folder)?.built.is_some();
    if is_built {
        if folder.holder(Lock::Keeper).is_none() && folder.holder(Lock::Use).is_none() {
            start_keeper(&folder)?;
            // It has its lock within a moment; a second one would end by itself.
            tokio::time::sleep(LOOK_EVERY).await;
        }
        return Ok(());
    }
    // Somebody builds it: an earlier server's order goes on without it.
    if folder.path.is_dir() && folder.holder(Lock::Use).is_some() {
        return Ok(());
    }
    build(region, setting).await
}

async fn build(region: &Region, setting: &Setting) -> Result<()> {
    let mut command = Command::new(&setting.executable);
    command.args(["region", "up", &region.name, "--quiet", "--root"]).arg(&setting.regions).args(&setting.more);
    match &region.of {
        Of::Scenario(scenario) => command.args(["--scenario", scenario]),
        Of::Files { topology, graph } => command.args(["--topology", topology, "--graph", graph]),
    };
    if !region.deploy_every.is_zero() {
        command.args(["--deploy-every", &format!("{}ms", region.deploy_every.as_millis())]);
    }
    // Not tied to this process, which may be ended while a region is built: the next one finds it.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
    let output = command.output().await.context("no process could be made")?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "it could not be built: {}", said.trim());
    Ok(())
}

/// Ends a run that harms customers of zones at which no fault of it is aimed.
pub async fn watch(setting: Setting, run: String, choice: Choice, bound: Bound, outbox: Sender<Message>) {
    let Ok(mut loaded) = load::scenario(&choice.scenario, false) else { return };
    loaded.scenario = scenarios::turn::turned(&loaded.scenario, &loaded.topology, choice.turn);
    let plan = scenarios::plan::plan(&loaded.scenario, &loaded.placement, choice.seed);
    let zones: Vec<_> = loaded.topology.zones().map(|(_, zone)| zone.name.clone()).collect();
    let mut watch = Watch::new(bound, &plan, zones);
    let mut tail = Tail::new(setting.folders.runs.join(&run).join("events.jsonl"));
    loop {
        let (mut harmed, mut over) = (None, false);
        let read = tail.turn(|line| {
            let Ok(event) = serde_json::from_str::<Event>(line) else { return };
            over |= matches!(event.detail, Detail::Phase { phase: Phase::Ended, .. });
            harmed = harmed.take().or_else(|| watch.saw(&event));
        });
        if let Some(why) = harmed {
            let _ended = outbox.send(Message::Input(Input::Harms { run, why })).await;
            return;
        }
        match read {
            Ok(Turn::More) => {}
            _ if over => return,
            _ => tokio::time::sleep(WATCH_EVERY).await,
        }
    }
}
