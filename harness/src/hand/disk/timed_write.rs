//! Owns one synced write to a zone's disk by a process inside a control group, and how long it took. Refuses to judge it.

use super::mounted::Mounted;
use super::place::Place;
use agents::runtime::clock::mono_ns;
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// The file that is written to.
pub(super) const TRIAL: &str = "slow-trial";
/// Waits for a word, then appends and syncs. `fsync` because that is what every `dd` knows.
const SCRIPT: &str = "read go && exec dd if=/dev/zero bs=64 count=1 conv=fsync 2>/dev/null";

/// A write under way. One that is dropped ends as soon as the kernel lets it.
#[derive(Debug)]
pub(super) struct TimedWrite {
    process: OwnedFd,
    took: Receiver<Result<f64, String>>,
}

impl TimedWrite {
    /// Starts a process, moves it into the group, and lets it write.
    pub(super) fn begin(place: &Place, mounted: &Mounted, procs: &Path) -> Result<Self, String> {
        let told = |error: std::io::Error| format!("a write of our own: {error}");
        let file = OpenOptions::new().create(true).append(true).open(mounted.own(TRIAL)).map_err(told)?;
        let mut command = place.program("sh");
        command.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(file).stderr(Stdio::null());
        let mut child = command.spawn().map_err(told)?;
        drop(command);
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or("a process without a number")?;
        let process = pidfd_open(pid, PidfdFlags::empty()).map_err(|error| told(error.into()))?;
        let moved = std::fs::write(procs, child.id().to_string());
        let mut input = child.stdin.take();
        let began = mono_ns();
        // Without the word it ends without writing.
        let begun = moved.and_then(|()| input.take().map_or(Ok(()), |mut input| input.write_all(b"go\n")));
        drop(input);
        let (sender, took) = sync_channel(1);
        std::thread::spawn(move || {
            let ended = match child.wait() {
                Ok(status) if status.success() => Ok((mono_ns() - began) as f64 / 1e6),
                Ok(status) => Err(format!("a write of our own inside a host's control group failed ({status})")),
                Err(error) => Err(error.to_string()),
            };
            // Nobody waits for it any more.
            let _dropped = sender.send(ended);
        });
        begun.map_err(told)?;
        Ok(Self { process, took })
    }

    /// Milliseconds that it took, where it ends in time.
    pub(super) fn ended(&mut self, wait: Duration) -> Result<Option<f64>, String> {
        match self.took.recv_timeout(wait) {
            Ok(took) => took.map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err("a write of our own ended without a word".to_owned()),
        }
    }
}

impl Drop for TimedWrite {
    fn drop(&mut self) {
        // One that has ended needs no signal.
        let _gone = pidfd_send_signal(&self.process, Signal::KILL);
    }
}
