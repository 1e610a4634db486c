//! Owns a command that sends traffic beside the canaries: begun at the baseline, its output kept as a file of the run, its exit
//! status judged, ended with the run. Refuses to know what it sends.

use super::{Guide, Said, TRAFFIC, Teller, reached};
use super::{escort, surroundings};
use anyhow::{Context, Result};
use scenarios::event::Phase;
use scenarios::verdict::Verdict;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;

/// The file of its output, in the run's folder.
pub const FILE: &str = "traffic.log";
/// How long it may take to end, once it is asked to; then its escort kills it.
const ENDS_WITHIN: Duration = Duration::from_secs(12);

/// Who sends traffic.
pub(super) struct Sender {
    /// As a shell understands it.
    pub(super) command: String,
    /// The run's id.
    pub(super) run: String,
    /// The run's folder.
    pub(super) folder: PathBuf,
    /// Who says where to.
    pub(super) guide: Guide,
}

impl Sender {
    /// Sends traffic while a run goes on.
    pub(super) async fn send(self, mut phases: watch::Receiver<Phase>, teller: Teller) -> Result<Said> {
        let said = |verdict, reason: String| Said { id: TRAFFIC, aspect: "traffic".to_owned(), verdict, reason };
        let phase = reached(&mut phases, |phase| *phase >= Phase::Baseline).await?;
        if phase >= Phase::Teardown {
            return Ok(said(Verdict::NotJudged, "the run ended before the baseline: no traffic was sent".to_owned()));
        }
        let mut child = match self.begin() {
            Ok(child) => child,
            Err(error) => {
                teller.stop(format!("the command of `traffic` cannot be started: {error:#}")).await;
                return Ok(said(Verdict::Inconclusive, format!("it could not be started: {error:#}")));
            }
        };
        // Whoever waits for a child closes its standard input first, and the end of that is an order to end.
        let orders = child.stdin.take();
        teller.tell("the command of `traffic` was started".to_owned()).await;
        let over = reached(&mut phases, |phase| *phase >= Phase::Teardown);
        let (by_itself, status) = tokio::select! {
            status = child.wait() => (true, status?),
            _ = over => (false, end(&mut child, orders).await?),
        };
        let told = told(status);
        teller
            .tell(format!(
                "the command of `traffic` ended {}: {told}",
                if by_itself { "by itself" } else { "with the run" }
            ))
            .await;
        Ok(match (by_itself, status.code()) {
            (_, Some(0)) => said(Verdict::Held, format!("it ended well; its output is in {FILE}")),
            (true, _) => said(Verdict::Violated, format!("it ended with {told}; its output is in {FILE}")),
            (false, _) => said(
                Verdict::NotJudged,
                format!(
                    "it had to be ended with the run ({told}), so its status says nothing: let it end before; its output is in {FILE}"
                ),
            ),
        })
    }

    /// Starts the escort, which starts the command: it ends it too where this process is killed.
    fn begin(&self) -> Result<Child> {
        let path = self.folder.join(FILE);
        let out = File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
        let executable = std::env::current_exe().context("this program's own path is not known")?;
        let mut escorted = Command::new(executable);
        escorted.arg(escort::COMMAND).arg(&self.command).envs(surroundings::put(
            &(self.guide)(),
            &self.run,
            &self.folder,
        )?);
        // Ctrl-C in a terminal goes to everybody of this process's group, and it is the controller that answers it.
        escorted.process_group(0).stdin(Stdio::piped()).stderr(out.try_clone()?).stdout(out);
        escorted.kill_on_drop(false).spawn().context("the escort cannot be started")
    }
}

/// Asks it to end, by the end of the escort's orders.
async fn end(child: &mut Child, orders: Option<ChildStdin>) -> Result<ExitStatus> {
    drop(orders);
    match tokio::time::timeout(ENDS_WITHIN, child.wait()).await {
        Ok(status) => Ok(status?),
        Err(_) => {
            child.start_kill()?;
            Ok(child.wait().await?)
        }
    }
}

fn told(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no status".to_owned(),
    }
}
