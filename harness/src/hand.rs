//! Owns the hand: the one process with rights on the engine's machine. It opens gates, kills hosts at once, writes
//! packet filter rules, and cleans up; it holds the run's lease and acts alone when the controller is silent. Refuses
//! to act outside its run's names and labels.
//!
//! - [`protocol`]: what it is told and what it answers
//! - [`power`], [`gate`], [`links`], [`cgroup`]: what it does

mod cgroup;
mod fault;
mod gate;
pub mod links;
mod power;
pub mod protocol;

use crate::world::docker::sweep;
use agents::runtime::clock::mono_ns;
use gate::Gates;
use protocol::{Answer, Order, Rights, Task, Word};
use std::io::{BufRead, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Where the run's shared volume is in every container of it.
pub const SHARED_DIR: &str = "/run/blackstart";
/// Where the zones' state volumes are: in the hand all of them, by zone; in a host its own zone's.
pub const STATE_DIR: &str = "/state";
/// Where the hand sees the root folder of the engine's machine.
pub const MACHINE_ROOT: &str = "/machine";
/// Folder of the gates, below [`SHARED_DIR`].
pub const GATES_DIR: &str = "gates";
/// The user that hosts run as: nobody has an account with this number.
pub const HOST_UID: u32 = 65_532;

/// A lease before the first order says how long it is.
const LEASE_BEFORE_HELLO: Duration = Duration::from_secs(30);

struct Hand {
    run: String,
    short: String,
    gates: Gates,
    cgroups: Vec<String>,
    finished: bool,
}

/// Runs the hand until its orders end; then, unless it was told to finish, it cleans up by itself.
///
/// # Errors
/// Where standard output is gone.
pub fn run() -> std::io::Result<()> {
    let orders = read_orders();
    let mut lease = LEASE_BEFORE_HELLO;
    let gates = Gates::new(Path::new(SHARED_DIR).join(GATES_DIR));
    let mut hand = Hand { run: String::new(), short: String::new(), gates, cgroups: Vec::new(), finished: false };
    loop {
        match orders.recv_timeout(lease) {
            Ok(order) => {
                if let Task::Hello { lease_ms, .. } = order.task {
                    lease = Duration::from_millis(lease_ms);
                }
                let word = Word { id: order.id, result: hand.perform(order.task) };
                let mut line = serde_json::to_string(&word).map_err(std::io::Error::other)?;
                line.push('\n');
                std::io::stdout().write_all(line.as_bytes())?;
                std::io::stdout().flush()?;
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                hand.controller_is_gone();
                return Ok(());
            }
        }
    }
}

fn read_orders() -> Receiver<Order> {
    let (sender, receiver) = sync_channel(64);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            match serde_json::from_str::<Order>(&line) {
                Ok(order) => {
                    if sender.send(order).is_err() {
                        break;
                    }
                }
                Err(error) => eprintln!("the hand does not understand {line:?}: {error}"),
            }
        }
    });
    receiver
}

impl Hand {
    fn perform(&mut self, task: Task) -> Result<Answer, String> {
        match task {
            Task::Hello { run, short, cgroups, .. } => {
                (self.run, self.short, self.cgroups) = (run, short, cgroups);
                Ok(Answer::Hello(rights()))
            }
            Task::Beat => Ok(Answer::Done),
            Task::Prepare { files, state_dirs, gates } => self.prepare(&files, &state_dirs, &gates),
            Task::Links { bridges } => links::apply(&self.short, &bridges).map(|()| Answer::Done),
            Task::PowerOff { whole, hosts } => power::power_off(&self.cgroups, &whole, &hosts).map(Answer::Dark),
            Task::CloseGates { gates } => self.close(&gates).map(|()| Answer::Done),
            Task::OpenGates { gates } => {
                if cgroup::listing_root().is_some() {
                    self.gates.await_waiters(&gates);
                }
                let first_ns = mono_ns();
                for gate in &gates {
                    self.gates.open(gate).map_err(|error| format!("gate {gate}: {error}"))?;
                }
                Ok(Answer::Open { first_ns, last_ns: mono_ns() })
            }
            Task::Finish => {
                self.finished = true;
                Ok(Answer::Left(self.remove_ours()))
            }
        }
    }

    fn prepare(&mut self, files: &[(String, String)], dirs: &[String], gates: &[String]) -> Result<Answer, String> {
        let told = |path: &Path| {
            let path = path.display().to_string();
            move |error: std::io::Error| format!("{path}: {error}")
        };
        for (path, text) in files {
            let path = Path::new(SHARED_DIR).join(path);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(told(folder))?;
            }
            std::fs::write(&path, text).map_err(told(&path))?;
        }
        let folder = Path::new(SHARED_DIR).join(GATES_DIR);
        std::fs::create_dir_all(&folder).map_err(told(&folder))?;
        for dir in dirs {
            let path: PathBuf = Path::new(STATE_DIR).join(dir);
            std::fs::create_dir_all(&path).map_err(told(&path))?;
            std::os::unix::fs::chown(&path, Some(HOST_UID), Some(HOST_UID)).map_err(told(&path))?;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).map_err(told(&path))?;
        }
        self.close(gates)?;
        Ok(Answer::Done)
    }

    fn close(&mut self, gates: &[String]) -> Result<(), String> {
        for gate in gates {
            self.gates.close(gate).map_err(|error| format!("gate {gate}: {error}"))?;
        }
        Ok(())
    }

    /// Removes rules and control groups; returns what is still there.
    fn remove_ours(&self) -> Vec<(String, String)> {
        let rules = links::remove(&self.short).into_iter().map(|rule| ("rule".to_owned(), rule));
        let groups = self.cgroups.iter().flat_map(|group| cgroup::remove(group));
        rules.chain(groups.map(|group| ("cgroup".to_owned(), group))).collect()
    }

    /// The lease has ended without a `Finish`: nobody else will heal this run.
    fn controller_is_gone(&mut self) {
        if self.finished || self.run.is_empty() {
            return;
        }
        if let Err(error) = sweep::from_hand(&self.run) {
            eprintln!("the hand could not remove everything of run {}: {error:#}", self.run);
        }
        let _left = self.remove_ours();
    }
}

fn rights() -> Rights {
    let shown = |path: Option<PathBuf>| path.map(|path| path.display().to_string()).unwrap_or_default();
    Rights {
        host_view: cgroup::listing_root().is_some(),
        cgroup_kill: shown(cgroup::kill_root()),
        freezer: shown(cgroup::freezer_root()),
        links: links::probe(),
        mono_ns: mono_ns(),
    }
}
