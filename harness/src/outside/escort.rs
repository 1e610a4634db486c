//! Owns the process that a command of somebody else's is started by and ends with: when its orders end, because the run is over
//! or because whoever began it was killed, the command and all its children end. Refuses to know what the command does.

use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{Error, Result};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::time::Duration;

/// The hidden command.
pub const COMMAND: &str = "escort";
/// How long a command has after it was asked to end.
const GRACE: Duration = Duration::from_secs(8);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(50);

/// The body of `blackstart escort COMMAND`; returns the command's exit status, 128 and its signal where it was ended by one.
///
/// # Errors
/// Where there is no shell.
pub fn run(command: &str) -> Result<u8> {
    let mut child =
        Command::new("/bin/sh").args(["-c", command]).process_group(0).stdin(std::process::Stdio::null()).spawn()?;
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(Error::other("it has no process id"))?;
    std::thread::spawn(move || {
        let _bytes = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        // Those that are gone need no signal.
        let _gone = kill_process_group(group, Signal::TERM);
        let mut waited = Duration::ZERO;
        while waited < GRACE {
            std::thread::sleep(LOOK);
            waited += LOOK;
        }
        let _gone = kill_process_group(group, Signal::KILL);
    });
    let status = child.wait()?;
    // What it left running in the background ends with it.
    let _gone = kill_process_group(group, Signal::KILL);
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(u8::try_from(code).unwrap_or(1))
}
