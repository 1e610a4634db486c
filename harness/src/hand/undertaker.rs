//! Owns the removal of what the hand itself stands on (its container, its volume, the image), where no controller is
//! left to do it: by a process that has gone out of the hand's container. Refuses to touch any other run.
//!
//! It moves to the root of every control group hierarchy, so that the engine does not end it with the container, and
//! into the machine's own mount namespace, so that the container's root folder can be removed. That needs the machine's
//! process ids and the capabilities SYS_ADMIN, SYS_CHROOT and SYS_PTRACE; without them `blackstart clean` does the work.

use super::cgroup;
use crate::world::docker::sweep;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};

/// Starts it; the hand may end at once.
pub(super) fn call(run: &str) -> std::io::Result<()> {
    // Its ends of the container's standard streams would keep the engine waiting for the container's end.
    let quiet = Stdio::null;
    let mut command = Command::new("/proc/self/exe");
    command.args(["undertaker", run]).stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn().map(drop)
}

/// The body of `blackstart undertaker RUN`.
///
/// # Errors
/// Where it cannot leave the container, or the engine does not let something go.
pub fn run(run: &str) -> std::io::Result<()> {
    cgroup::move_to_root(std::process::id())?;
    rustix::process::setsid()?;
    let mounts = mounts_of_machine()?;
    move_into_link_name_space(mounts.as_fd(), Some(LinkNameSpaceType::Mount))?;
    drop(mounts);
    rustix::process::chdir("/")?;
    sweep::last(run).map_err(std::io::Error::other)
}

/// The machine's own mount namespace: that of its first process, or, where that one is closed to everybody, that of the
/// kernel's first thread.
fn mounts_of_machine() -> std::io::Result<File> {
    File::open("/proc/1/ns/mnt").or_else(|_| File::open("/proc/2/ns/mnt"))
}
