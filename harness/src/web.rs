//! Owns the server's face: pages, an interface for programs, and who may use which. Refuses to decide about runs: it asks the
//! one loop ([`crate::serve::keep`]), from a thread of its own, so that nobody who looks delays a run.
//!
//! - [`access`]: who may do what, decided from a request's head alone; [`tokens`]: by what they are known;
//!   [`sessions`]: who has logged in on a page
//! - [`routes`]: the table of all routes; [`answers`]: what they answer; [`listen`]: sockets and TLS; [`shown`]: runs that can be
//!   looked at live; `sent`: how a file goes out

pub mod access;
pub mod answers;
pub mod listen;
pub mod routes;
mod sent;
pub mod sessions;
pub mod shown;
pub mod tokens;

use crate::metrics::Metrics;
use crate::serve::Folders;
use crate::serve::keep::Door;
use access::Policy;
use sessions::Sessions;
use shown::Shown;
use std::sync::Arc;
use tokens::Tokens;

/// What every answer is made from.
pub struct Web {
    /// The loop.
    pub door: Door,
    /// Where runs are.
    pub folders: Folders,
    /// Who is known.
    pub tokens: Tokens,
    /// Who has logged in.
    pub sessions: Sessions,
    /// Who may do what.
    pub policy: Policy,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What can be looked at live.
    pub shown: Arc<Shown>,
}

/// As handlers share it.
pub type Shared = Arc<Web>;
