//! R4, limits survive recovery. Refuses to judge how fast something is granted; that is R7's.
//!
//! *Statement*: a quota that is enough for everybody is enough for everybody who comes back at once.
//!
//! *Experiment*: all who need something that is granted up to a quota lose power, and what they had been granted with it;
//! whoever granted it stays.
//!
//! *Oracle*: after each power-on, each instance that needs something of a service with a quota is active within
//! `windows.recovery` (s, from the scenario), or nobody is denied it there to the end. Limit: 0 instances.
//!
//! *Horizon*: two or more instances with such a need came back at once, in a recovery that had its whole time, to a service
//! that had kept its power: a quota is forgotten with the power of who keeps it.
//!
//! *Inconclusive*: nothing of its own.

use super::granting::{self, Limit};
use super::{Entry, Outcome, Run};

pub(super) const ENTRY: Entry = Entry {
    id: "R4",
    title: "limits survive recovery",
    statement: "A quota that is enough for everybody is enough for everybody who comes back at once.",
    judge,
};

fn judge(run: &Run<'_>) -> Outcome {
    let would_do = "nobody came back who needs something that is granted up to a quota: the loss of power of two instances \
                    that need something of a service with `grants.most`, which keeps its own, would do";
    granting::judge(run, &ENTRY, Limit::Quota, would_do)
}
