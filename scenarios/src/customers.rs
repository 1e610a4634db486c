//! Owns what customers send: how often, what they ask for, and how they try again. Refuses to know what came of it; that is
//! [`crate::traffic`]'s.

use fixtures::graph::Backoff;
use fixtures::name::{OperationName, ZoneName};
use fixtures::unit::{Percent, Rate, Span};
use std::fmt;
use std::time::Duration;

/// Open-loop traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traffic {
    /// Requests of each zone's canary; [`Traffic::NOBODY`] where none asks.
    pub rate: Rate,
    /// Writes of the witness to each zone.
    pub writes: Rate,
    /// When a customer gives up.
    pub timeout: Duration,
    /// What customers ask for; where nothing is said, the entry's operation alone.
    pub mix: Vec<Portion>,
    /// How customers try again.
    pub retry: Retry,
}

/// An operation of the entry service, and its part of the requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portion {
    /// The operation.
    pub operation: OperationName,
    /// Its part; those of a zone make 100 %.
    pub share: Percent,
    /// The zones whose customers are meant; empty: every zone that no portion names.
    pub zones: Vec<ZoneName>,
}

impl fmt::Display for Portion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operation, self.share)?;
        let zones: Vec<&str> = self.zones.iter().map(ZoneName::as_str).collect();
        if zones.is_empty() { Ok(()) } else { write!(f, " in {}", zones.join(" and ")) }
    }
}

/// How customers try a failed request again, within the time that they give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all, at least 1.
    pub attempts: u32,
    /// Bound of one attempt; `None` is what is left of the request's time.
    pub timeout: Option<Duration>,
    /// Pause between two attempts.
    pub backoff: Backoff,
    /// Further attempts for each request sent by the customers of a zone; `None` sets no bound.
    pub budget: Option<Percent>,
}

impl Retry {
    /// Pauses of customers who do not say others: far above a round trip, and growing.
    pub const BACKOFF: Backoff =
        Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(1), jitter: true };
    /// Nothing is tried again.
    pub const ONCE: Self = Self { attempts: 1, timeout: None, backoff: Self::BACKOFF, budget: None };
    /// The budget of published advice.
    pub const BUDGET: Percent = Percent { ppm: 100_000 };

    /// The same number of attempts, with pauses that grow and a budget.
    #[must_use]
    pub fn well_behaved(self) -> Self {
        Self { backoff: Self::BACKOFF, budget: Some(Self::BUDGET), ..self }
    }
}

impl fmt::Display for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Backoff { base, cap, jitter } = self.backoff;
        write!(f, "{} attempts", self.attempts)?;
        if let Some(timeout) = self.timeout {
            write!(f, " of {}", Span(timeout))?;
        }
        let how = if jitter { "with jitter" } else { "without jitter" };
        write!(f, ", pauses from {} to {} {how}, ", Span(base), Span(cap))?;
        match self.budget {
            Some(budget) => write!(f, "budget {budget}"),
            None => f.write_str("no budget"),
        }
    }
}

impl Traffic {
    /// The rate of customers that there are none of: `canaries = false`.
    pub const NOBODY: Rate = Rate { milli_per_s: 0 };

    /// Whether nobody of ours asks: customers are whoever others send.
    pub fn is_silent(&self) -> bool {
        self.rate == Self::NOBODY
    }

    /// Traffic of one operation, in which nothing is tried again.
    pub fn plain(rate: Rate, writes: Rate, timeout: Duration) -> Self {
        Self { rate, writes, timeout, mix: Vec::new(), retry: Retry::ONCE }
    }

    /// The portions of a zone's customers: those that name it, else those that name none.
    pub fn mix_of<'t>(&'t self, zone: &ZoneName) -> Vec<&'t Portion> {
        let own: Vec<&Portion> = self.mix.iter().filter(|portion| portion.zones.contains(zone)).collect();
        if own.is_empty() { self.mix.iter().filter(|portion| portion.zones.is_empty()).collect() } else { own }
    }

    /// How long a customer waits for one attempt, at most.
    pub fn patience(&self) -> Duration {
        self.retry.timeout.map_or(self.timeout, |timeout| timeout.min(self.timeout))
    }
}
