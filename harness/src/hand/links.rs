//! Owns packet filter rules on the engine's machine: forwarding between a run's bridges, and nothing out of them.
//! Refuses to know zones.
//!
//! The machine's own `iptables` is run, in its own root folder, because rules must go into the tables that the engine
//! itself uses (there are two kinds). One `iptables-restore` is atomic: all rules or none. Both chains carry the
//! run's short id in their names, so that what is left behind can be found by name alone.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Whether rules can be written here.
pub(super) fn probe() -> Result<(), String> {
    run("iptables", &["-w", "-S", "DOCKER-USER"], "").map(|_| ())
}

/// Allows forwarding between `bridges`, and drops all else from and to them, the machine itself included.
pub(super) fn apply(short: &str, bridges: &[String]) -> Result<(), String> {
    remove(short);
    run("iptables-restore", &["-w", "--noflush"], &rules(short, bridges)).map(|_| ())
}

fn rules(short: &str, bridges: &[String]) -> String {
    let mut text = format!("*filter\n:BS-{short} - [0:0]\n:BSI-{short} - [0:0]\n");
    for from in bridges {
        for to in bridges {
            text += &format!("-A BS-{short} -i {from} -o {to} -j ACCEPT\n");
        }
    }
    for bridge in bridges {
        text += &format!("-A BS-{short} -i {bridge} -j DROP\n-A BS-{short} -o {bridge} -j DROP\n");
        text += &format!("-A BSI-{short} -i {bridge} -j DROP\n");
    }
    text + &format!("-I DOCKER-USER 1 -j BS-{short}\n-I INPUT 1 -j BSI-{short}\nCOMMIT\n")
}

/// Removes the rules of a run; returns the names of chains that are still there.
pub(super) fn remove(short: &str) -> Vec<String> {
    for (from, chain) in [("DOCKER-USER", format!("BS-{short}")), ("INPUT", format!("BSI-{short}"))] {
        // Each step fails where there is nothing to remove: what is left is looked at below.
        let _absent = run("iptables", &["-w", "-D", from, "-j", &chain], "");
        let _absent = run("iptables", &["-w", "-F", &chain], "");
        let _absent = run("iptables", &["-w", "-X", &chain], "");
    }
    let listing = run("iptables", &["-w", "-S"], "").unwrap_or_default();
    let ours = |line: &&str| line.contains(&format!("BS-{short}")) || line.contains(&format!("BSI-{short}"));
    listing.lines().filter(ours).map(str::to_owned).collect()
}

/// Runs one of the engine machine's programs in its own root folder.
pub(super) fn run(program: &str, arguments: &[&str], input: &str) -> Result<String, String> {
    let told = |error: std::io::Error| format!("{program} could not be run: {error}");
    let mut child = Command::new("/proc/self/exe")
        .arg("enter")
        .arg(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(told)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).map_err(told)?;
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
    let entered = rustix::process::chroot(super::MACHINE_ROOT).and_then(|()| rustix::process::chdir("/"));
    if let Err(error) = entered {
        return error.into();
    }
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    Command::new(program).args(arguments).env_clear().env("PATH", path).exec()
}
