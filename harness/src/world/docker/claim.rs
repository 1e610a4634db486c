//! Owns the claim on an engine: whoever has it holds a scheduled game day there, and nobody else does. It is a container that is
//! never started, because an engine gives a container's name to one of all who ask for it in the same moment. Refuses to know
//! schedules.
//!
//! It carries the run's label, so that whoever removes what is left of the run removes the claim with it.

use super::engine::{ContainerSpec, Engine, ObjectKind};
use super::names::Names;
use super::sweep::{self, LeaseState};
use anyhow::Result;
use std::collections::BTreeSet;
use std::time::Duration;

/// On the claim, and on the image that it needs.
pub const LABEL_CLAIM: &str = "blackstart.claim";
/// The claim's name: one on each engine.
pub const CLAIM: &str = "blackstart-claim";

/// So many looks in a row at a claim whose run nobody works on: it is of a run that died before its first object, or on another
/// machine. A run's hand stands within a few seconds of its claim.
const STALE_LOOKS: u32 = 60;
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What came of asking for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// It is ours.
    Ours,
    /// This run has it, and goes on.
    Theirs(String),
}

/// Asks for it, for a run. One whose run is dead is removed, after it was given time to show that it lives.
///
/// # Errors
/// Where the engine does not answer.
pub async fn claim(engine: &Engine, run: &str) -> Result<Claimed> {
    let mut looks = 0;
    loop {
        let Err(refused) = make(engine, run).await else { return Ok(Claimed::Ours) };
        let Some(theirs) = holder(engine).await? else {
            // It went between the two questions; or there is another reason, which comes again.
            looks += 1;
            if looks > STALE_LOOKS {
                return Err(refused);
            }
            tokio::time::sleep(LOOK_EVERY).await;
            continue;
        };
        if theirs == run {
            return Ok(Claimed::Ours);
        }
        if goes_on(engine, &theirs).await? {
            release_image(engine, run).await?;
            return Ok(Claimed::Theirs(theirs));
        }
        looks += 1;
        if looks > STALE_LOOKS {
            tracing::warn!("the claim of run {theirs} is removed: nobody works on that run");
            engine.remove_container(CLAIM).await?;
            looks = 0;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Lets go of what a run has claimed, and of nothing else.
///
/// # Errors
/// Where the engine does not answer.
pub async fn release(engine: &Engine, run: &str) -> Result<()> {
    if holder(engine).await?.is_some_and(|holder| holder == run) {
        engine.remove_container(CLAIM).await?;
    }
    release_image(engine, run).await
}

/// The run that has the claim.
///
/// # Errors
/// Where the engine does not answer.
pub async fn holder(engine: &Engine) -> Result<Option<String>> {
    let found = engine.find(ObjectKind::Container, LABEL_CLAIM).await?;
    Ok(found.into_iter().find_map(|found| found.labels.get(super::names::LABEL_RUN).cloned()))
}

fn image_of(run: &str) -> String {
    format!("{CLAIM}:{}", run.to_lowercase())
}

async fn make(engine: &Engine, run: &str) -> Result<()> {
    let labels = Names::new(run, false).labels(&[(LABEL_CLAIM, "1")]);
    let image = image_of(run);
    // Imported anew under the same name, the one before would be left without one, and nobody could remove it by name.
    if engine.image_id(&image).await.is_err() {
        engine.import_image(&image, &labels, empty()?).await?;
    }
    let command = vec!["/claim".to_owned()];
    let spec = ContainerSpec { name: CLAIM.to_owned(), image, command, labels, ..ContainerSpec::default() };
    engine.create(&spec).await.map(drop)
}

async fn release_image(engine: &Engine, run: &str) -> Result<()> {
    engine.remove_image(&image_of(run)).await
}

/// A root folder with nothing in it: it is never entered.
fn empty() -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_mode(0o755);
    header.set_size(0);
    archive.append_data(&mut header, "claim", std::io::empty())?;
    Ok(archive.into_inner()?)
}

/// Whether somebody works on a run, in a region of its own or in one that stands.
async fn goes_on(engine: &Engine, run: &str) -> Result<bool> {
    let runs = sweep::remains(engine).await?;
    let own = runs.get(run).is_some_and(|remains| remains.lease == LeaseState::Alive);
    let days: BTreeSet<&str> = runs.values().filter_map(|remains| remains.day.as_deref()).collect();
    Ok(own || days.contains(run))
}
