//! Owns what happens to a run whose controller dies while it has no hand (before it stands, while everything is removed),
//! or one without rights, which cannot remove itself: a second process on the controller's machine, which removes what
//! is there. Refuses to do what a hand that runs will do.

use super::engine::Engine;
use super::raise::finish_dead_run;
use super::sweep;
use anyhow::{Context, Result};
use std::cell::Cell;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

/// The hidden command.
pub const COMMAND: &str = "guard";
/// What a controller says when everything is removed, or held on purpose.
const STAND_DOWN: &[u8] = b".";

/// A second apart, so many looks at a run without a hand that runs: its undertaker is at work, or nobody is.
const ORPHANED_LOOKS: u32 = 5;

/// The guard of a run, as its controller holds it.
#[derive(Debug)]
pub struct Guard(Child);

impl Guard {
    /// Sets it up, before the run's first object is there.
    ///
    /// # Errors
    /// Where no process can be started.
    pub fn set_up(run: &str, no_rights: bool) -> Result<Self> {
        let executable = std::env::current_exe().context("this program's own path is not known")?;
        let mut command = Command::new(executable);
        command.arg(COMMAND).arg(run).args(no_rights.then_some("no-rights"));
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(standard_error()).spawn();
        Ok(Self(child.context("the guard of the moments without a hand cannot be started")?))
    }

    /// Ends it.
    pub fn stand_down(mut self) {
        if let Some(mut stdin) = self.0.stdin.take() {
            // One that is gone needs no word.
            let _gone = stdin.write_all(STAND_DOWN);
        }
        let _status = self.0.wait();
    }
}

/// Nowhere; but a file that this process writes to may be the lock of its run, which is free only when nobody works for it.
/// A pipe or a terminal must not wait for a guard.
fn standard_error() -> Stdio {
    let is_file = rustix::fs::fstat(std::io::stderr())
        .is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file());
    if is_file { Stdio::inherit() } else { Stdio::null() }
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

async fn finish(run: &str, no_rights: bool) -> Result<()> {
    let (engine, info) = Engine::connect().await?;
    let orphaned = Cell::new(0);
    sweep::until_calm(&engine, run, async |there| {
        // It may yet end without having removed everything: the dead controller may have asked for its removal.
        orphaned.set(if there.iter().any(sweep::is_hand_that_runs) { 0 } else { orphaned.get() + 1 });
        if orphaned.get() < ORPHANED_LOOKS {
            return Ok(Vec::new());
        }
        finish_dead_run(&engine, &info, run, no_rights).await
    })
    .await
}
