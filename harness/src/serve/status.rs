//! Owns what the pages are told of a server: one value, published whole. Refuses to know who looks.

use crate::region::state::State;
use crate::schedule::Plan;
use crate::schedule::keeper::{Doing, Keeper};
use crate::schedule::ledger::{Halt, Ledger, Slot};
use crate::schedule::moment::Moment;
use serde::Serialize;
use std::sync::Arc;

/// What a server is at.
#[derive(Debug, Clone)]
pub struct View {
    /// When this was so.
    pub now: Moment,
    /// What goes on, for programs.
    pub status: Status,
    /// All that is remembered.
    pub ledger: Arc<Ledger>,
    /// What is kept.
    pub plan: Arc<Plan>,
    /// Standing regions, as their keepers say.
    pub regions: Vec<State>,
}

/// What goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// `waiting`, `held-back`, `running` or `stopping`.
    pub state: &'static str,
    /// The run that goes on.
    pub run: Option<String>,
    /// What is due and waits.
    pub slot: Option<Slot>,
    /// Why it waits, or stops; what the server itself has trouble with.
    pub why: String,
    /// Whose word keeps everything still.
    pub halt: Option<Halt>,
    /// What was asked, of conditions that are asked just now.
    pub conditions: Vec<ConditionState>,
    /// Entries of the ledger that a full disk did not take.
    pub unwritten: usize,
}

/// A condition and its last answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConditionState {
    /// Its name.
    pub name: String,
    /// Nothing where nobody asks just now.
    pub well: Option<bool>,
    /// What is wrong.
    pub what: String,
}

impl Status {
    /// Of a keeper.
    pub fn of(keeper: &Keeper, unwritten: usize, trouble: &str) -> Self {
        let (state, run, slot, why) = match keeper.doing() {
            Doing::Waiting => ("waiting", None, None, String::new()),
            Doing::Held { slot, why } => ("held-back", None, slot, why),
            Doing::Running { run, stopping: None } => ("running", Some(run), None, trouble.to_owned()),
            Doing::Running { run, stopping: Some(why) } => ("stopping", Some(run), None, why),
        };
        let condition = |(name, last): (&str, Option<&Result<(), String>>)| ConditionState {
            name: name.to_owned(),
            well: last.map(Result::is_ok),
            what: last.and_then(|last| last.clone().err()).unwrap_or_default(),
        };
        let conditions = keeper.conditions().map(condition).collect();
        let halt = keeper.ledger().halt().cloned();
        Self { state, run, slot, why, halt, conditions, unwritten }
    }
}
