//! R7, restart throughput. Refuses to judge how much is granted; that is R4's.
//!
//! *Statement*: a whole fleet starts within the time that is promised, at the pace of what all of it needs to start.
//!
//! *Experiment*: many lose power, and need one thing each of the same service when it is back.
//!
//! *Oracle*: after each power-on, each instance that needs something of a service with a pace is active within
//! `windows.recovery` (s, from the scenario), or nobody is put off there to the end. Limit: 0 instances.
//!
//! *Horizon*: two or more instances with such a need came back at once, in a recovery that had its whole time.
//!
//! *Inconclusive*: nothing of its own.

use super::granting::{self, Limit};
use super::{Entry, Outcome, Run};

pub(super) const ENTRY: Entry = Entry {
    id: "R7",
    title: "restart throughput",
    statement: "A whole fleet starts within the time that is promised, at the pace of what all of it needs to start.",
    judge,
};

fn judge(run: &Run<'_>) -> Outcome {
    let would_do = "nobody came back who needs something that is granted at a pace: the loss of power of two instances that \
                    need something of a service with `grants.rate` would do";
    granting::judge(run, &ENTRY, Limit::Pace, would_do)
}
