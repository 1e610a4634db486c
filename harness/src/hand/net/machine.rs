//! Owns running the engine machine's own programs in its own root folder, and what its kernel can do. Refuses to know
//! what they are run for.
//!
//! Where there is no such folder, the hand is a plain process of that machine: its root is ours.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root folder of the engine's machine, as this process sees it.
fn root() -> Option<&'static Path> {
    Some(Path::new(super::super::MACHINE_ROOT)).filter(|root| root.join("proc").is_dir())
}

/// A path of the engine's machine, as this process sees it.
pub(super) fn path(absolute: &str) -> PathBuf {
    root().unwrap_or(Path::new("/")).join(absolute.trim_start_matches('/'))
}

/// Runs one of the engine machine's programs; returns its standard output.
pub(in crate::hand) fn run(program: &str, arguments: &[&str], input: &str) -> Result<String, String> {
    let told = |error: std::io::Error| format!("{program} could not be run: {error}");
    let mut command = match root() {
        Some(_) => {
            let mut command = Command::new("/proc/self/exe");
            command.args(["enter", program]);
            command
        }
        None => Command::new(program),
    };
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(told)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends without reading says why on its standard error.
        let _ended = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(told)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} on the engine's machine: {} ({})", words.trim(), output.status))
}

/// The body of `blackstart enter PROGRAM ...`: goes into the machine's root folder and becomes the program.
///
/// # Errors
/// Where the folder cannot be entered, or the program is not there.
pub fn enter(program: &str, arguments: &[String]) -> std::io::Error {
    let entered = rustix::process::chroot(super::super::MACHINE_ROOT).and_then(|()| rustix::process::chdir("/"));
    if let Err(error) = entered {
        return error.into();
    }
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    Command::new(program).args(arguments).env_clear().env("PATH", path).exec()
}

/// Makes packets that stay inside one bridge pass the packet filter too. A bridge has its own switch beside the one of
/// the whole machine; either is enough, and only the bridge's own is ours to turn.
pub(super) fn filter_inside(bridge: &str) -> Result<(), String> {
    let switch = path(&format!("/sys/class/net/{bridge}/bridge/nf_call_iptables"));
    std::fs::write(&switch, "1").map_err(|error| {
        format!(
            "{}: {error}; without it, faults between hosts of one zone have no effect: load `br_netfilter`",
            switch.display()
        )
    })?;
    // The switch is there without the code behind it, which is what makes this folder.
    let code = "/proc/sys/net/bridge";
    if Path::new(code).is_dir() {
        return Ok(());
    }
    Err(format!("{code} is not there: load `br_netfilter`, without it faults between hosts of one zone have no effect"))
}

/// Whether the kernel of the engine's machine has this module, loaded, built in or to be loaded. Only files are read.
pub(super) fn has_module(name: &str) -> bool {
    let read = |file: &str| std::fs::read_to_string(path(file)).unwrap_or_default();
    let release = read("/proc/sys/kernel/osrelease");
    let file = format!("/{name}.ko");
    let folder = format!("/lib/modules/{}", release.trim());
    read("/proc/modules").lines().any(|line| line.starts_with(&format!("{name} ")))
        || ["modules.builtin", "modules.dep"].iter().any(|list| read(&format!("{folder}/{list}")).contains(&file))
}
