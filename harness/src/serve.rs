//! Owns what a team leaves running: it performs what the [`crate::schedule::keeper`] decides, each run a process of its own,
//! and shows it ([`crate::web`]). Refuses to decide anything, and to run a game day in its own process: a crash of one is not
//! the other's.
//!
//! - [`keep`]: the one loop; [`ledger_file`]: what must be on the disk before an act
//! - [`child`]: a run as a process; [`recover`]: what became of those that an earlier server began
//! - [`regions`]: regions that stand between runs: built and kept, looked at, and not harmed beyond a bound
//! - [`examine`]: whether there is room for a run; [`question`]: conditions, asked
//! - [`status`]: what the pages are told; [`tell`]: metrics, a webhook, traces; [`retention`]: what is removed of old runs

pub mod child;
pub mod examine;
pub mod keep;
pub mod ledger_file;
pub mod question;
pub mod recover;
pub mod regions;
pub mod retention;
pub mod status;
pub mod tell;

use std::path::{Path, PathBuf};

/// Where a server keeps what is its own, in the folder of the runs.
#[derive(Debug, Clone)]
pub struct Folders {
    /// The runs.
    pub runs: PathBuf,
    /// The server's own.
    pub state: PathBuf,
}

impl Folders {
    /// Below a folder of runs.
    pub fn of(runs: &Path) -> Self {
        Self { runs: runs.to_path_buf(), state: runs.join("serve") }
    }

    /// The ledger.
    pub fn ledger(&self) -> PathBuf {
        self.state.join("ledger.jsonl")
    }

    /// Who may do what.
    pub fn tokens(&self) -> PathBuf {
        self.state.join("tokens")
    }

    /// Where a running server answers.
    pub fn address(&self) -> PathBuf {
        self.state.join("address")
    }

    /// What a run said on standard error. Whoever holds its lock is that run, or cleans up after it.
    pub fn log(&self, run: &str) -> PathBuf {
        self.state.join(format!("{run}.log"))
    }
}
