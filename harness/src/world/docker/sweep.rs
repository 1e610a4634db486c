//! Owns removing what runs made, found by label alone. Refuses to touch anything without the label, and (for `clean`)
//! any run whose lease is alive.

use super::engine::{self, Engine, Found, ObjectKind};
use super::names::{HOLDING, LABEL_DAY, LABEL_HOST, LABEL_REGION, LABEL_ROLE, LABEL_RUN, ROLE_HAND, ROLE_STAGE};
use anyhow::{Result, bail};
use futures_util::{StreamExt, stream};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Removals under way at once. Removing is mostly the engine's own work; more than this only queues there.
const REMOVALS_AT_ONCE: usize = 8;
/// How often a removal is tried: an engine lets go of a network or volume a moment after its last container is gone.
const TRIES: u32 = 5;
/// Why something is left that nobody tried to remove.
const NOT_TRIED: &str = "not tried: the engine had stopped answering";

/// The most times that a run's objects are listed.
const LOOKS: usize = 5;

/// An engine goes on with what a dead controller had asked for, and lists it only when it is made: seen here, a network
/// that came to be seconds after its run was swept, on a machine with nineteen processes for each processor.
const LATE_LOOKS: usize = 30;
/// Between two of them.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is there of one run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remains {
    /// Names by kind.
    pub objects: BTreeMap<&'static str, Vec<String>>,
    /// Whether anybody looks after it.
    pub lease: LeaseState,
    /// The name of the standing region that it is, where it is one.
    pub region: Option<String>,
    /// The game day that is held in that region now.
    pub day: Option<String>,
}

/// Whether anybody looks after a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LeaseState {
    /// Its hand does not run.
    #[default]
    Dead,
    /// Its hand runs, and holds the region for nobody but those who look around.
    Holding,
    /// It is a standing region, whether its hand runs or not, and no game day is held in it.
    Standing,
    /// Its hand runs.
    Alive,
}

/// What is there of every run.
///
/// # Errors
/// Where the engine does not answer.
pub async fn remains(engine: &Engine) -> Result<BTreeMap<String, Remains>> {
    let mut runs: BTreeMap<String, Remains> = BTreeMap::new();
    for kind in ObjectKind::ALL {
        for found in engine.find(kind, LABEL_RUN).await? {
            let Some(run) = found.labels.get(LABEL_RUN) else { continue };
            let remains = runs.entry(run.clone()).or_default();
            if let Some(name) = found.labels.get(LABEL_REGION) {
                remains.region = Some(name.clone());
                remains.lease = remains.lease.max(LeaseState::Standing);
            }
            if is_hand_that_runs(&found) {
                let day = found.labels.get(LABEL_DAY).filter(|day| !day.is_empty());
                let is_region = found.labels.contains_key(LABEL_REGION);
                let alive = match (is_region, found.name.ends_with(HOLDING)) {
                    (true, _) => day.is_some(),
                    (false, holding) => !holding,
                };
                remains.day = day.cloned();
                remains.lease = remains.lease.max(if alive { LeaseState::Alive } else { LeaseState::Holding });
            }
            remains.objects.entry(kind.word()).or_default().push(found.name);
        }
    }
    // A game day in a standing region has nothing of its own there but its claim.
    let days: Vec<String> = runs.values().filter_map(|remains| remains.day.clone()).collect();
    for day in days {
        if let Some(remains) = runs.get_mut(&day) {
            remains.lease = LeaseState::Alive;
        }
    }
    Ok(runs)
}

/// Removes everything of a run but what `spare` names; returns what could not be removed, with the reason.
///
/// It looks again until it finds nothing new: an engine goes on making what a controller asked for that died meanwhile. An
/// engine that leaves one removal unanswered twice is asked for no other: each would take its minute, and get no answer either.
///
/// # Errors
/// Where the engine does not answer at all.
pub async fn remove_run(engine: &Engine, run: &str, spare: &BTreeSet<String>) -> Result<Vec<(String, String)>> {
    let label = format!("{LABEL_RUN}={run}");
    let mut left: BTreeMap<String, (String, String)> = BTreeMap::new();
    let hung = AtomicBool::new(false);
    let hung = &hung;
    for _ in 0..LOOKS {
        let mut new = false;
        for kind in ObjectKind::ALL {
            let found = engine.find(kind, &label).await?;
            let wanted: Vec<Found> = found.into_iter().filter(|found| !spare.contains(&found.name)).collect();
            new |= wanted.iter().any(|found| !left.contains_key(&found.name));
            let removals = stream::iter(lanes(wanted))
                .map(async |lane| {
                    stream::iter(lane).then(|found| remove(engine, kind, found, hung)).collect::<Vec<_>>().await
                })
                .buffer_unordered(REMOVALS_AT_ONCE);
            for (name, why) in removals.collect::<Vec<_>>().await.into_iter().flatten() {
                match why {
                    None => drop(left.remove(&name)),
                    Some(why) => drop(left.insert(name.clone(), (kind.word().to_owned(), format!("{name} ({why})")))),
                }
            }
        }
        if !new || hung.load(Ordering::Relaxed) {
            break;
        }
    }
    Ok(left.into_values().collect())
}

/// What may be removed beside each other, and within that one after the other: an engine can lose count of a network's
/// endpoints where two go at the same moment.
fn lanes(found: Vec<Found>) -> Vec<Vec<Found>> {
    let (plugged, free): (Vec<Found>, Vec<Found>) = found.into_iter().partition(|found| found.network.is_some());
    let mut lanes: BTreeMap<Option<String>, Vec<Found>> = BTreeMap::new();
    for found in plugged {
        lanes.entry(found.network.clone()).or_default().push(found);
    }
    lanes.into_values().chain(free.into_iter().map(|found| vec![found])).collect()
}

/// Removes one object; returns its name, and why it is still there.
async fn remove(engine: &Engine, kind: ObjectKind, found: Found, hung: &AtomicBool) -> (String, Option<String>) {
    let Found { name, running, .. } = found;
    let (mut last, mut unanswered) = (None, 0);
    for attempt in 0..TRIES {
        if hung.load(Ordering::Relaxed) {
            return (name, Some(NOT_TRIED.to_owned()));
        }
        if attempt > 0 {
            tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
        }
        let removed = match kind {
            ObjectKind::Container if running => engine.remove_container(&name).await,
            ObjectKind::Container => remove_once_settled(engine, &name).await,
            ObjectKind::Network => engine.remove_network(&name).await,
            ObjectKind::Volume => engine.remove_volume(&name).await,
            ObjectKind::Image => engine.remove_image(&name).await,
        };
        match removed {
            Ok(()) => return (name, None),
            Err(error) => {
                // One that is merely slow has answered by the second time.
                unanswered += u32::from(engine::is_hung(&error));
                last = Some(error);
                if unanswered > 1 {
                    hung.store(true, Ordering::Relaxed);
                    break;
                }
            }
        }
    }
    let why = last.map(|error| format!("{error:#}")).unwrap_or_default();
    (name, Some(why))
}

/// A container that does not run may be about to. Networks were found (engine 20.10) with endpoints of containers that
/// were removed while controllers died that started them; so it is asked for first, which, other than a listing, waits
/// until its start has ended.
async fn remove_once_settled(engine: &Engine, name: &str) -> Result<()> {
    engine.await_settled(name).await?;
    engine.remove_container(name).await
}

/// What the hand does when nobody else will: removes its run, but for itself and what it stands on.
///
/// # Errors
/// Where the engine's socket cannot be reached from here, or something could not be removed.
pub fn from_hand(run: &str, socket: &str) -> Result<()> {
    by_hand(socket, async |engine| {
        let label = format!("{LABEL_RUN}={run}");
        let all = engine.find(ObjectKind::Container, &label).await?;
        let is_hand = |role: Option<&String>| role.is_some_and(|role| role == ROLE_HAND);
        let mut spare: BTreeSet<String> =
            all.into_iter().filter(|found| is_hand(found.labels.get(LABEL_ROLE))).map(|found| found.name).collect();
        // Its own volumes and image are in use for as long as it runs: the undertaker removes them.
        for kind in [ObjectKind::Volume, ObjectKind::Image] {
            spare.extend(engine.find(kind, &label).await?.into_iter().map(|found| found.name));
        }
        all_gone(remove_run(engine, run, &spare).await?)
    })
}

/// The hosts of a run that do not run.
///
/// # Errors
/// Where the engine's socket cannot be reached from here.
pub fn dark_from_hand(run: &str, socket: &str) -> Result<Vec<String>> {
    by_hand(socket, async |engine| {
        let all = engine.find(ObjectKind::Container, &format!("{LABEL_RUN}={run}")).await?;
        Ok(all
            .into_iter()
            .filter(|found| !found.running)
            .filter_map(|found| found.labels.get(LABEL_HOST).cloned())
            .collect())
    })
}

/// Starts every host of a run that does not run; returns the gates at which they wait.
///
/// # Errors
/// Where the engine's socket cannot be reached from here, or a host cannot be started.
pub fn light_from_hand(run: &str, socket: &str) -> Result<Vec<String>> {
    by_hand(socket, async |engine| {
        let mut gates = Vec::new();
        for found in engine.find(ObjectKind::Container, &format!("{LABEL_RUN}={run}")).await? {
            let Some(host) = found.labels.get(LABEL_HOST) else { continue };
            if !found.running {
                engine.start(&found.name).await?;
            }
            gates.push(host.clone());
        }
        Ok(gates)
    })
}

/// Removes all that is left of a run, from outside its containers.
///
/// # Errors
/// Where the engine's socket cannot be reached from here, or something could not be removed.
pub fn last(run: &str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (engine, _) = Engine::connect().await?;
        all_gone(remove_run(&engine, run, &BTreeSet::new()).await?)
    })
}

/// Lets `remove` loose on what is there of a run, again and again, until nothing has come to light for [`LATE_LOOKS`].
///
/// # Errors
/// Where the engine does not answer, or something could not be removed.
pub async fn until_calm(
    engine: &Engine,
    run: &str,
    remove: impl AsyncFn(&[Found]) -> Result<Vec<(String, String)>>,
) -> Result<()> {
    let label = format!("{LABEL_RUN}={run}");
    let (mut calm, mut left) = (0, Vec::new());
    while calm < LATE_LOOKS {
        let mut there = Vec::new();
        for kind in ObjectKind::ALL {
            there.extend(engine.find(kind, &label).await?);
        }
        left = if there.is_empty() { Vec::new() } else { remove(&there).await? };
        // What does not go, however often it is asked, is not waited for.
        calm = if there.is_empty() || !left.is_empty() { calm + 1 } else { 0 };
        tokio::time::sleep(LOOK_EVERY).await;
    }
    all_gone(left)
}

/// Whether it is a hand, or what an image on trial stands on, and runs: either ends when its controller is gone.
pub fn is_hand_that_runs(found: &Found) -> bool {
    found.running && found.labels.get(LABEL_ROLE).is_some_and(|role| role == ROLE_HAND || role == ROLE_STAGE)
}

fn all_gone(left: Vec<(String, String)>) -> Result<()> {
    if left.is_empty() { Ok(()) } else { bail!("still there: {left:?}") }
}

/// Asks the engine from inside the hand.
///
/// # Errors
/// Where its socket cannot be reached from here, and whatever `act` fails with.
pub(crate) fn by_hand<T>(socket: &str, act: impl AsyncFnOnce(&Engine) -> Result<T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (engine, _) = Engine::connect_from_hand(socket).await?;
        act(&engine).await
    })
}
