//! Owns whether an instance takes requests or stands by, where somebody scales its service. Refuses to decide that: it obeys
//! whoever scales it, and keeps to what it was told last, however long nobody tells it anything.
//!
//! Who stands by is ready: it has its needs, grants, pushes counts and answers checks. It sends callers to others, at once.
//! What it was told is gone with its process: it then begins as its graph says.

use super::{Machine, Nanos, Output, RequestId};
use crate::commons::scaler::DutyConfig;
use crate::wire::{Failure, Reply};
use fixtures::name::InstanceName;

/// Word of an instance that takes requests.
pub const TAKES: &str = "takes";
/// Word of an instance that stands by.
pub const STANDS_BY: &str = "stands-by";

/// Whether an instance takes requests from its own start on.
pub(super) fn takes_at_first(config: &DutyConfig, name: &InstanceName) -> bool {
    config.starters.contains(name)
}

impl Machine {
    /// Somebody tells it to take requests or to stand by, or asks which it does.
    pub(super) fn duty(&mut self, now: Nanos, id: RequestId, order: Option<bool>, out: &mut Vec<Output>) {
        let frozen = self.switches.is_frozen(now);
        let by = &self.by;
        let reply = match (&mut self.takes, order) {
            (None, _) => Reply { error: Some(Failure::Unknown), ..Reply::by(by) },
            (Some(_), Some(_)) if frozen => Reply { error: Some(Failure::Capacity), ..Reply::by(by) },
            (Some(takes), order) => {
                *takes = order.unwrap_or(*takes);
                let word = if *takes { TAKES } else { STANDS_BY };
                Reply { value: Some(word.to_owned()), ..Reply::by(by) }
            }
        };
        out.push(Output::Respond { id, reply });
    }

    /// Whether it sends its callers to others for now.
    pub(super) fn stands_by(&self) -> bool {
        self.takes == Some(false)
    }
}
