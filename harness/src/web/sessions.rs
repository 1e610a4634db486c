//! Owns who has logged in on a page: ids that mean something to this server alone and end with it. A cookie goes to every
//! server of its host, whatever its port, so it must not be the token. Refuses to say an id.

use super::tokens::Known;
use crate::clock::Keeping;
use anyhow::{Result, anyhow};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A working day, and some.
const LASTS: Duration = Duration::from_secs(12 * 3600);
/// People and browsers; the oldest makes room.
const KEPT: usize = 1_000;

/// Everybody who has logged in.
pub struct Sessions {
    clock: Keeping,
    kept: Mutex<VecDeque<(String, Known, Duration)>>,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self { clock: Keeping::start(), kept: Mutex::default() }
    }
}

impl Sessions {
    /// Somebody has logged in; returns the id.
    ///
    /// # Errors
    /// Where the system has no randomness.
    pub fn begin(&self, who: &Known) -> Result<String> {
        let id = fresh()?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((id.clone(), who.clone(), self.clock.now().mono));
        if kept.len() > KEPT {
            kept.pop_front();
        }
        Ok(id)
    }

    /// Whose id this is, while it lasts.
    pub fn who(&self, id: &str) -> Option<Known> {
        let now = self.clock.now().mono;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let of = kept.iter().find(|(known, _, since)| known == id && now.saturating_sub(*since) < LASTS);
        of.map(|(_, who, _)| who.clone())
    }

    /// Somebody has logged out.
    pub fn end(&self, id: &str) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).retain(|(known, ..)| known != id);
    }
}

/// 256 bits that nobody can guess.
///
/// # Errors
/// Where the system has no randomness.
pub fn fresh() -> Result<String> {
    let random = ring::rand::SystemRandom::new();
    let bytes: [u8; 32] = ring::rand::generate(&random).map_err(|_| anyhow!("the system has no randomness"))?.expose();
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
