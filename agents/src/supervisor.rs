//! Owns a host's first process: waits at the gate for power, boots, starts the host's services and restarts one that
//! exits, as a real host's init does. Refuses to know what the services do.
//!
//! The gate is a lock on a file that all hosts see: the hand holds it exclusively while the host is dark and lets go of
//! it to give power. A blocked `flock` costs nothing and is released for all hosts within a few milliseconds, whatever
//! the engine's own start rate is. A second lock, behind it, is held by faults that keep hosts from booting.

pub mod program;

use crate::config::{HostConfig, Process, nanos};
use crate::runtime::clock::mono_ns;
use crate::runtime::reporter::Reporter;
use crate::wire::{From, Note};
use rustix::process::Pid;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// First pause before a restart; doubles up to [`RESTART_PAUSES`] times this. An init's common default (100 ms) with a cap that
/// keeps a recovering region from waiting for its supervisors.
pub const RESTART_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause, in first pauses.
pub const RESTART_PAUSES: u32 = 16;
/// A process that ran for longer than this starts its pauses afresh.
pub const RESTART_CALM: Duration = Duration::from_secs(5);

/// Above what an engine takes for the start of a container: runtimes in Go take some ten ids for their threads.
const LAST_ID_OF_THE_START: u32 = 100;

/// Reads a host's configuration.
///
/// # Errors
/// Where the file cannot be read, or is not one.
pub fn read(path: &Path) -> std::io::Result<HostConfig> {
    let mut text = String::new();
    File::open(path)?.read_to_string(&mut text)?;
    serde_json::from_str(&text).map_err(std::io::Error::other)
}

/// Runs a host for ever. `executable` is this program; it is started as `EXECUTABLE agent CONFIG INDEX`.
///
/// # Errors
/// Where the configuration or the gate cannot be read.
pub fn run(path: &Path, executable: &Path) -> std::io::Result<()> {
    let config = read(path)?;
    let from = From { zone: config.zone.clone(), host: config.host.clone(), service: None, instance: None };
    let gate = File::open(&config.gate)?;
    gate.lock_shared()?;
    gate.unlock()?;
    let reporter = Reporter::start(config.witness, from)?;
    reporter.note(Note::Powered);
    await_boot(Path::new(&config.boot_gate))?;
    std::thread::sleep(config.boot);
    let children = Children::default();
    std::thread::scope(|scope| {
        let mut processes: Vec<(usize, &Process)> = config.processes.iter().enumerate().collect();
        // Real software comes before anything of ours, and one after the other: so it has the same process id after every
        // power-on, as the first process of a container has. A lock file of its earlier life then names itself, and not a
        // thread of ours that it would take for another server.
        processes.sort_by_key(|(_, process)| !matches!(process, Process::Program(_)));
        if processes.iter().any(|(_, process)| matches!(process, Process::Program(_))) {
            use_up_ids();
        }
        for (index, process) in processes {
            let (reporter, name, children) = (reporter.clone(), name(process), &children);
            let (begun, has_begun) = std::sync::mpsc::channel();
            match process {
                Process::Program(program) => {
                    scope.spawn(move || program::supervise(program, index, children, &reporter, begun));
                    // Its other end is dropped by then.
                    let _begun = has_begun.recv();
                }
                _ => drop(scope.spawn(move || supervise((executable, path, index), &name, children, &reporter))),
            }
        }
    });
    // A host without processes comes here, or one whose owner starts nothing again: it is a host all the same, and stays up.
    loop {
        std::thread::park();
    }
}

/// Takes process ids until a certain one was taken. They begin anew with each power-on, and how many the engine takes for the
/// start of a container differs from time to time. Threads have ids of the same kind, and cost less.
fn use_up_ids() {
    let taken = || -> Option<u32> {
        let own = std::thread::spawn(|| std::fs::read_link("/proc/thread-self")).join().ok()?.ok()?;
        own.file_name()?.to_str()?.parse().ok()
    };
    // Elsewhere than in a container of its own ids come from everybody.
    while std::process::id() == 1 && taken().is_some_and(|id| id < LAST_ID_OF_THE_START) {}
}

/// Waits for as long as a fault keeps the host from booting.
fn await_boot(gate: &Path) -> std::io::Result<()> {
    match File::open(gate) {
        Ok(gate) => gate.lock_shared().and_then(|()| gate.unlock()),
        // No fault of this kind was ever in force.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn name(process: &Process) -> String {
    match process {
        Process::Instance(config) => config.name.to_string(),
        Process::Generic(config) => config.own.name.to_string(),
        Process::Canary(config) => format!("canary-{}", config.zone),
        Process::Program(config) => config.name.to_string(),
        Process::Adapter(config) => format!("adapter-{}", config.name),
    }
}

/// Processes that this one has started itself.
#[derive(Debug, Default)]
struct Children(Mutex<BTreeSet<i32>>);

impl Children {
    /// Starts a process and waits for its end; it is known from before its start until after that. `started` is called in
    /// between.
    fn wait(&self, command: &mut Command, started: impl FnOnce()) -> std::io::Result<ExitStatus> {
        let mut child = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let child = command.spawn()?;
            known.insert(i32::try_from(child.id()).unwrap_or_default());
            child
        };
        started();
        let ended = child.wait();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&i32::try_from(child.id()).unwrap_or_default());
        ended
    }

    fn knows(&self, pid: Pid) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&pid.as_raw_nonzero().get())
    }

    /// Leaves a process alone from now on.
    fn spare(&self, pid: Pid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(pid.as_raw_nonzero().get());
    }
}

/// `what`: this program, the host's configuration, and the place of the process in it.
fn supervise(what: (&Path, &Path, usize), name: &str, children: &Children, reporter: &Reporter) {
    let (executable, config, index) = what;
    let mut pause = RESTART_PAUSE;
    loop {
        reporter.note(Note::ServiceStarted { process: name.to_owned() });
        let began = mono_ns();
        let status = children.wait(Command::new(executable).arg("agent").arg(config).arg(index.to_string()), || {});
        let status = status.map_or_else(|error| format!("not started: {error}"), describe);
        reporter.note(Note::ServiceExited { process: name.to_owned(), status });
        if mono_ns() - began > nanos(RESTART_CALM) {
            pause = RESTART_PAUSE;
        }
        // Jitter, so that hosts that lost the same thing at the same time do not come back in step.
        std::thread::sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0));
        pause = (pause * 2).min(RESTART_PAUSE * RESTART_PAUSES);
    }
}

fn describe(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("exit status {code}"))
}
