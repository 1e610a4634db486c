//! Owns `blackstart region`: builds, lists, keeps and removes regions that stand between game days. Refuses to know how any of
//! that is done on an engine.

use super::print;
use crate::cli::{Format, RegionCommand};
use crate::exit;
use crate::load::BadInput;
use crate::region::declared::{Declared, unknown};
use crate::region::folder::{Folder, Lock};
use crate::region::keep::{Guest, keep};
use crate::region::state::State;
use crate::world::docker::engine::Engine;
use crate::world::docker::raise::finish_dead_run;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

mod told;
mod up;

/// How long a keeper may take to end.
const ENDS_WITHIN: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A keeper's log of more bytes begins anew with the next keeper.
const LOG_BYTES_MAX: u64 = 1 << 20;

/// Does what is asked for.
///
/// # Errors
/// Bad input; no engine; files that cannot be had.
pub fn run(command: &RegionCommand, quiet: bool, color: bool) -> Result<u8> {
    match command {
        RegionCommand::Up(args) => up::run(args, quiet, color),
        RegionCommand::List { at, format } => {
            let states = State::all(&at.root);
            match format {
                Format::Json => print(&serde_json::to_string_pretty(&states)?)?,
                Format::Text => print(&told::list(&states, &at.root)?)?,
            }
            Ok(exit::OK)
        }
        RegionCommand::Status { name, at, format } => {
            let folder = Folder::of(&at.root, name);
            let Some(state) = State::read(&folder) else { return Err(unknown(&folder).into()) };
            match format {
                Format::Json => print(&serde_json::to_string_pretty(&state)?)?,
                Format::Text => print(&told::status(&state, &folder)?)?,
            }
            Ok(exit::OK)
        }
        RegionCommand::Down { name, at } => {
            let folder = Folder::of(&at.root, name);
            let declared = Declared::read(&folder)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(down(&folder, &declared))
        }
        RegionCommand::Keep { name, at, detached } => {
            if *detached {
                // Ctrl-C goes to everyone in the terminal's group, and this is to be there longer than that.
                rustix::process::setsid().context("the terminal cannot be left")?;
            }
            keep(&Folder::of(&at.root, name))
        }
    }
}

/// Removes everything of a region: its keeper first, which would bring it back.
async fn down(folder: &Folder, declared: &Declared) -> Result<u8> {
    let name = &folder.name;
    let Some(_day) = folder.lock(Lock::Day, "{}")? else {
        let guest = folder.holder(Lock::Day).and_then(|text| Guest::read(&text));
        let run = guest.map_or_else(|| "somebody".to_owned(), |guest| format!("run {}", guest.run));
        let text =
            format!("error: {run} has region `{name}` now\nhelp: end that first: Ctrl-C, or `blackstart halt`\n");
        return Err(BadInput { text }.into());
    };
    end_keeper(folder).await?;
    let used = wait_for(folder, Lock::Use).await?;
    let Some(_used) = used else { bail!("somebody still works on region `{name}`, and did not end when told to") };
    let (engine, info) = Engine::connect().await?;
    let left = finish_dead_run(&engine, &info, &declared.run, declared.no_rights).await?;
    let mut text = format!("region {name} is removed{}\n", if left.is_empty() { "" } else { ", but for what follows" });
    for (object, what) in &left {
        text += &format!("still there: {object} {what}\n");
    }
    if left.is_empty() {
        folder.remove()?;
    }
    print(&text)?;
    Ok(if left.is_empty() { exit::OK } else { exit::HARNESS })
}

/// Has the keeper of a region end; it leaves the region standing.
async fn end_keeper(folder: &Folder) -> Result<()> {
    let Some(holder) = folder.holder(Lock::Keeper) else { return Ok(()) };
    let pid = serde_json::from_str::<serde_json::Value>(&holder).ok().and_then(|said| said["pid"].as_i64());
    let pid = pid.and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
    let pid = pid.with_context(|| format!("whoever keeps region `{}` does not say who it is", folder.name))?;
    // It has the lock, so it is there.
    let _gone = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    match wait_for(folder, Lock::Keeper).await? {
        Some(_free) => Ok(()),
        None => bail!("the keeper of region `{}` (process {pid:?}) did not end when told to", folder.name),
    }
}

async fn wait_for(folder: &Folder, lock: Lock) -> Result<Option<crate::region::folder::Held>> {
    for _ in 0..ENDS_WITHIN.as_millis() / LOOK_EVERY.as_millis() {
        if let Some(held) = folder.lock(lock, "{}")? {
            return Ok(Some(held));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(None)
}

/// Starts the keeper of a region as a process of its own, which nobody waits for.
///
/// # Errors
/// Where no process can be started.
pub fn start_keeper(folder: &Folder) -> Result<()> {
    let log = folder.file("keeper.log");
    let is_long = std::fs::metadata(&log).is_ok_and(|file| file.len() > LOG_BYTES_MAX);
    let mut open = std::fs::OpenOptions::new();
    open.create(true);
    let open = if is_long { open.write(true).truncate(true) } else { open.append(true) };
    let log = open.open(&log).with_context(|| format!("{} cannot be written", log.display()))?;
    let executable = std::env::current_exe().context("this executable cannot be found")?;
    let root = folder.path.parent().unwrap_or(Path::new("."));
    let mut command = Command::new(executable);
    command.args(["region", "keep", &folder.name, "--detached", "--root"]).arg(root);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let mut child = command.spawn().context("the keeper of the region cannot be started")?;
    // Where this process lives on, somebody must take note of its end.
    std::thread::Builder::new().name("keeper".to_owned()).spawn(move || drop(child.wait()))?;
    Ok(())
}
