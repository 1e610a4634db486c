//! Owns the moments in which a run has objects on the engine and no hand, or a hand that may be gone at any moment: at
//! its beginning, and while everything is removed. A second process on the controller's machine sees to it when the
//! controller dies then. Refuses to do what a hand that runs will do.

use super::engine::{Engine, Found, ObjectKind};
use super::names::{LABEL_ROLE, LABEL_RUN, ROLE_HAND};
use super::raise::finish_dead_run;
use anyhow::{Context, Result};
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The hidden command.
pub const COMMAND: &str = "guard";
/// What a controller says when its hand stands, or when everything is removed.
const STAND_DOWN: &[u8] = b".";
/// An engine goes on with what a dead controller had asked for. Nothing new for so long means that it is done with it:
/// making a container takes it a tenth of a second on a machine with nothing else to do.
const CALM: Duration = Duration::from_secs(2);
/// Looks at the engine in a row that find nothing, before the guard believes it.
const LOOKS: u32 = 2;

/// The guard of a run, as its controller holds it.
#[derive(Debug)]
pub struct Guard(Child);

impl Guard {
    /// Sets it up: before the run's first object is there, and before its hand is told to finish.
    ///
    /// # Errors
    /// Where no process can be started.
    pub fn set_up(run: &str, no_rights: bool) -> Result<Self> {
        let executable = std::env::current_exe().context("this program's own path is not known")?;
        let mut command = Command::new(executable);
        command.arg(COMMAND).arg(run).args(no_rights.then_some("no-rights"));
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Ok(Self(child.context("the guard of the moments without a hand cannot be started")?))
    }

    /// Ends it: somebody else looks after the run.
    pub fn stand_down(mut self) {
        if let Some(mut stdin) = self.0.stdin.take() {
            // One that is gone needs no word.
            let _gone = stdin.write_all(STAND_DOWN);
        }
        let _status = self.0.wait();
    }
}

/// The body of `blackstart guard RUN [no-rights]`.
///
/// # Errors
/// Where the engine does not answer, or does not let something go.
pub fn run(run: &str, no_rights: bool) -> std::io::Result<()> {
    // Ctrl-C goes to everyone in the terminal's group; the controller is the one that answers it.
    rustix::process::setsid()?;
    let mut word = Vec::new();
    std::io::stdin().take(STAND_DOWN.len() as u64).read_to_end(&mut word)?;
    if word == STAND_DOWN {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(finish(run, no_rights)).map_err(std::io::Error::other)
}

/// Removes what is there until the engine makes nothing new. A hand that runs is left alone, and watched: the dead
/// controller may have asked the engine to remove it.
async fn finish(run: &str, no_rights: bool) -> Result<()> {
    let (engine, info) = Engine::connect().await?;
    let label = format!("{LABEL_RUN}={run}");
    let mut quiet = 0;
    while quiet < LOOKS {
        let mut all = Vec::new();
        for kind in ObjectKind::ALL {
            all.extend(engine.find(kind, &label).await?);
        }
        quiet = if all.is_empty() { quiet + 1 } else { 0 };
        if !all.is_empty() && !all.iter().any(is_hand_that_runs) {
            finish_dead_run(&engine, &info, run, no_rights).await?;
        }
        tokio::time::sleep(CALM).await;
    }
    Ok(())
}

fn is_hand_that_runs(found: &Found) -> bool {
    found.running && found.labels.get(LABEL_ROLE).is_some_and(|role| role == ROLE_HAND)
}
