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
    /// Processor time that a new connection over TLS costs each of its ends, as where both show certificates: who shows
    /// none (a customer, the witness) signs nothing, and saves a third that is not worth a second figure.
    pub handshake_ns: Nanos,
    /// Thousandths of the processor time of hosts that the machine uses for the rest: engine, witness, controller, kernel.
    pub outside_milli: u32,
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
    /// All hosts share these with the rest of the machine, whose part is so many thousandths of theirs.
    Shared(Vec<Nanos>, u32),
    /// Each host has one.
    Own(Vec<Nanos>),
}

impl Processors {
    pub(super) fn new(costs: &Costs, hosts: usize, instances: usize) -> Self {
        if instances > SHARING_MAX {
            return Self::Own(vec![0; hosts]);
        }
        Self::Shared(vec![0; costs.cores.max(1) as usize], costs.outside_milli)
    }

    /// Does work for a host; returns how long after `now` it is done. What the rest of the machine does for that comes
    /// afterwards, where there is room first.
    pub(super) fn work(&mut self, now: Nanos, host: u32, cost: Nanos) -> Nanos {
        match self {
            Self::Own(free) => occupy(&mut free[host as usize], now, cost),
            Self::Shared(free, outside_milli) => {
                let done = occupy(first_free(free), now, cost);
                occupy(first_free(free), now, cost * u64::from(*outside_milli) / 1_000);
                done
            }
        }
    }

    /// Work outside all hosts, on the machine that they share.
    pub(super) fn work_outside(&mut self, now: Nanos, cost: Nanos) -> Nanos {
        match self {
            Self::Own(_) => cost,
            Self::Shared(free, _) => occupy(first_free(free), now, cost),
        }
    }
}

/// The processor that is free first; of several the first one.
fn first_free(free: &mut [Nanos]) -> &mut Nanos {
    let first = (0..free.len()).min_by_key(|&core| free[core]).unwrap_or_default();
    &mut free[first]
}

/// Work on a processor after what it has to do already; returns how long after `now` it is done.
fn occupy(free: &mut Nanos, now: Nanos, cost: Nanos) -> Nanos {
    *free = now.max(*free) + cost;
    *free - now
}
