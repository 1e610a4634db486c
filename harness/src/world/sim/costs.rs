//! Owns what things cost in simulated time, as measured in a recorded run of `minimal` on an engine. Refuses to be tuned
//! by any other scenario.

use agents::machine::Nanos;
use serde::{Deserialize, Serialize};

/// Costs in nanoseconds, and whom they are charged to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Costs {
    /// The run that they were measured in, and the command that measured them.
    pub source: String,
    /// Processors of the machine whose containers the hosts were.
    pub cores: u32,
    /// Processor time from a service's start by its supervisor to its first breath.
    pub start_ns: Nanos,
    /// Processor time that one message costs whoever receives it.
    pub message_ns: Nanos,
    /// One way between two hosts of one zone; the topology adds what lies between zones.
    pub latency_ns: Nanos,
    /// From an append to its being on the disk.
    pub sync_ns: Nanos,
}

/// The most instances that share the processors of one machine, as containers on an engine do; where there are more,
/// every host has one processor of its own.
pub const SHARING_MAX: usize = 1_000;

/// The committed calibration.
const CALIBRATION: &str = include_str!("calibration.json");

impl Costs {
    /// The committed calibration.
    ///
    /// # Errors
    /// Where the file that was compiled in is none: only a bad commit can.
    pub fn calibrated() -> Result<Self, serde_json::Error> {
        serde_json::from_str(CALIBRATION)
    }
}

/// Processors: work goes to the one that is free first, in the order of arrival.
#[derive(Debug)]
pub(super) enum Processors {
    /// All hosts share these.
    Shared(Vec<Nanos>),
    /// Each host has one.
    Own(Vec<Nanos>),
}

impl Processors {
    pub(super) fn new(cores: u32, hosts: usize, instances: usize) -> Self {
        if instances > SHARING_MAX { Self::Own(vec![0; hosts]) } else { Self::Shared(vec![0; cores.max(1) as usize]) }
    }

    /// Does work for a host; returns how long after `now` it is done.
    pub(super) fn work(&mut self, now: Nanos, host: u32, cost: Nanos) -> Nanos {
        let free = match self {
            Self::Own(free) => &mut free[host as usize],
            Self::Shared(free) => {
                let first = (0..free.len()).min_by_key(|&core| free[core]).unwrap_or_default();
                &mut free[first]
            }
        };
        *free = now.max(*free) + cost;
        *free - now
    }

    /// Work outside all hosts, on the machine that they share.
    pub(super) fn work_outside(&mut self, now: Nanos, cost: Nanos) -> Nanos {
        match self {
            Self::Own(_) => cost,
            Self::Shared(_) => self.work(now, 0, cost),
        }
    }
}
