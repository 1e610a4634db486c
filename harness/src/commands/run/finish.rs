//! Owns the record of a run whose process was killed: made from the events that it left, after everything of it was healed
//! and removed. Refuses to run anything.

use super::record::Facts;
use super::{Day, Left};
use crate::clock::Clock;
use crate::controller::Ending;
use crate::journal::Journal;
use anyhow::Result;
use scenarios::event::{By, Detail, Place};
use std::collections::BTreeMap;

impl Day<'_> {
    /// Says in the events that they end here, and leaves what every run leaves.
    pub(super) fn finish(mut self, run: &str, world: &'static str) -> Result<Left> {
        let seed = self.args.seed.unwrap_or_default();
        self.loaded.plan = scenarios::plan::plan(&self.loaded.scenario, &self.loaded.placement, seed);
        let (mut journal, began) = Journal::reopen(&self.args.out, run)?;
        let clock = Clock::began(began.as_ref());
        let last = journal.events().last().map_or(0, |event| event.t_ns);
        let text = "the run's own process was ended in the middle; what it had done was healed and removed by its hand, or by \
                    whoever found it";
        let detail = Detail::Caveat { code: "process-ended".to_owned(), text: text.to_owned() };
        journal.write(last, By::Controller, Place::default(), detail, true)?;
        let facts = Facts {
            world,
            versions: BTreeMap::new(),
            rights: BTreeMap::new(),
            addresses: BTreeMap::new(),
            measured: BTreeMap::new(),
            said: Vec::new(),
        };
        let record = self.record(run, seed, &clock, facts, &journal);
        self.leave(record, &mut journal, &Ending::Interrupted)
    }
}
