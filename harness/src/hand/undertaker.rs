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
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};

/// Starts it, and waits until it has left the container; the hand may end then, and no sooner: the engine ends whatever
/// is still in its control group.
pub(super) fn call(run: &str, socket: &str) -> std::io::Result<()> {
    let mut command = Command::new("/proc/self/exe");
    // Its ends of the container's standard streams would keep the engine waiting for the container's end.
    command
        .args(["undertaker", run])
        .env("DOCKER_HOST", format!("unix://{socket}"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn()?;
    let Some(mut word) = child.stdout.take() else { return Ok(()) };
    word.read_exact(&mut [0]).map_err(|_| std::io::Error::other("the undertaker could not leave the container"))
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
    let mut word = std::io::stdout();
    word.write_all(b".")?;
    word.flush()?;
    sweep::last(run).map_err(std::io::Error::other)
}

/// The machine's own mount namespace: that of its first process, or, where that one is closed to everybody, that of the
/// kernel's first thread.
fn mounts_of_machine() -> std::io::Result<File> {
    File::open("/proc/1/ns/mnt").or_else(|_| File::open("/proc/2/ns/mnt"))
}
