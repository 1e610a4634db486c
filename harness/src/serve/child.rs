//! Owns a run as a process of its own: `blackstart run`, tied to this one by its standard input, and heard by a log that is
//! also its lock. Refuses to know why it runs.

use super::Folders;
use crate::exit;
use crate::schedule::Outcome;
use crate::schedule::ledger::Choice;
use anyhow::{Context, Result};
use reports::record::Record;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, ChildStdin, Command};

/// A run that was told to stop heals and removes within this: a region of three hundred hosts, on a busy machine. After it
/// the process is killed, and the run's hand does the same.
const HEALS_WITHIN: Duration = Duration::from_secs(300);

/// A record is made within this: it takes seconds.
const RECORDED_WITHIN: Duration = Duration::from_secs(120);

/// What is quoted of a log, in lines.
const QUOTED: usize = 6;

/// What every run of a server has in common.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Where.
    pub folders: Folders,
    /// This executable.
    pub executable: PathBuf,
    /// The ledger of known gaps.
    pub known_gaps: Option<PathBuf>,
    /// More arguments of `run`, as the server was told.
    pub more: Vec<String>,
    /// Where standing regions are kept.
    pub regions: PathBuf,
}

/// A run's process.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// While this is open the run goes on; the kernel closes it when this process dies, whatever it dies of.
    _tie: Option<ChildStdin>,
    run: String,
    setting: Setting,
}

impl Setting {
    /// Begins a run. Its intent is on the disk already.
    ///
    /// # Errors
    /// Where no process or no log can be made.
    pub fn start(&self, run: &str, choice: &Choice) -> Result<Running> {
        let mut child =
            self.command(run, choice, self.locked_log(run)?).spawn().context("no process could be made for the run")?;
        let tie = child.stdin.take();
        Ok(Running { child, _tie: tie, run: run.to_owned(), setting: self.clone() })
    }

    fn command(&self, run: &str, choice: &Choice, log: File) -> Command {
        let mut command = Command::new(&self.executable);
        command.args(["run", &choice.scenario, "--world", choice.world.word()]);
        command.args(["--seed", &choice.seed.to_string(), "--turn", &choice.turn.to_string(), "--tied-as", run]);
        command.arg("--out").arg(&self.folders.runs);
        if let Some(gaps) = &self.known_gaps {
            command.arg("--known-gaps").arg(gaps);
        }
        match &choice.region {
            // What it is made of is there already.
            Some(region) => command.args(["--region", region, "--root"]).arg(&self.regions),
            None => command.args(&self.more),
        };
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::from(log));
        // A Ctrl-C in the terminal is the server's: it stops its run by itself.
        command.process_group(0);
        command
    }

    /// The log of a run, locked. The process inherits it as its standard error, and the lock with it: it is free again when
    /// everybody who has it open is gone, the run's own guard among them.
    fn locked_log(&self, run: &str) -> Result<File> {
        let path = self.folders.log(run);
        let told = || format!("{} cannot be written", path.display());
        let log = OpenOptions::new().create(true).append(true).open(&path).with_context(told)?;
        rustix::fs::flock(&log, rustix::fs::FlockOperation::NonBlockingLockExclusive).with_context(told)?;
        Ok(log)
    }

    /// Makes the record of a run whose process was killed, from the events that it left.
    ///
    /// # Errors
    /// Where that cannot be done; the events are there all the same.
    pub async fn finish(&self, run: &str, choice: &Choice) -> Result<()> {
        if !self.folders.runs.join(run).join("events.jsonl").is_file() {
            return Ok(());
        }
        let mut command = self.command(run, choice, self.locked_log(run)?);
        let mut child = command
            .arg("--finish")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("no process could be made")?;
        let ended = tokio::time::timeout(RECORDED_WITHIN, child.wait()).await.context("it took too long")?;
        let status = ended.context("the process is lost")?;
        let is_made = status.code() == Some(i32::from(exit::INTERRUPTED));
        anyhow::ensure!(is_made, "{}", last_words(&self.folders.log(run)));
        Ok(())
    }

    /// Whether a process of a run lives, or whoever cleans up after it.
    pub fn is_alive(&self, run: &str) -> bool {
        let Ok(log) = File::open(self.folders.log(run)) else { return false };
        rustix::fs::flock(&log, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err()
    }

    /// What the record of a run says, where it left one.
    pub fn record(&self, run: &str) -> Option<Record> {
        let text = std::fs::read_to_string(self.folders.runs.join(run).join("record.json")).ok()?;
        reports::record::from_json(&text).ok()
    }

    /// How a run ended, by its exit status and by what it left.
    pub fn outcome(&self, run: &str, status: Option<i32>) -> (Outcome, String) {
        let record = self.record(run);
        let said = || last_words(&self.folders.log(run));
        match (status, &record) {
            (Some(status), None) if status == i32::from(exit::INTERRUPTED) => (Outcome::Interrupted, String::new()),
            (Some(status), None) if status == i32::from(exit::USAGE) => (Outcome::Refused, said()),
            // Killed, or of an earlier server: a record that is there is whole.
            (_, Some(record)) => {
                let left: Vec<String> =
                    record.residue.iter().map(|row| format!("{} {}", row.object, row.name)).collect();
                let why = if left.is_empty() { String::new() } else { format!("it left behind: {}", left.join(", ")) };
                let outcome = if record.interrupted { Outcome::Interrupted } else { record.verdict.into() };
                (outcome, why)
            }
            (Some(_), None) => (Outcome::Inconclusive, said()),
            (None, None) => (Outcome::Interrupted, "its process ended before it had a verdict".to_owned()),
        }
    }
}

impl Running {
    /// Waits for the end.
    ///
    /// # Errors
    /// Where the process is not ours.
    pub async fn ended(&mut self) -> Result<(Outcome, String)> {
        let status: ExitStatus = self.child.wait().await.context("the run's process is lost")?;
        Ok(self.setting.outcome(&self.run, status.code()))
    }

    /// Tells it to stop, and waits until it has healed; kills it where it does not.
    ///
    /// # Errors
    /// As [`Running::ended`].
    pub async fn stop(&mut self) -> Result<(Outcome, String)> {
        self.signal(Signal::TERM);
        match tokio::time::timeout(HEALS_WITHIN, self.ended()).await {
            Ok(ended) => ended,
            Err(_) => {
                self.signal(Signal::KILL);
                let (outcome, _) = self.ended().await?;
                let why = format!("it did not heal within {}, and was killed", fixtures::unit::Span(HEALS_WITHIN));
                Ok((outcome, why))
            }
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // Gone already.
            let _gone = kill_process(pid, signal);
        }
    }
}

/// The end of a log.
fn last_words(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let said = lines[lines.len().saturating_sub(QUOTED)..].join(" / ");
    if said.is_empty() { "it ended without a word".to_owned() } else { said }
}
