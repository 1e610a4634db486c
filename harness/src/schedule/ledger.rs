//! Owns what a schedule remembers: entries, one line of JSON each, and what they amount to. Refuses to know where they are
//! kept; whoever keeps them has each on the disk before the act that it announces.

use super::moment::Moment;
use super::{Outcome, Reason, World};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

/// The form of the entries.
pub const LEDGER_SCHEMA: u32 = 1;

/// Ended runs and refusals that are kept in memory and over a compaction: what the pages and the rotation look back at.
pub const PAST_KEPT: usize = 2_000;

/// One time at which a schedule was due. No slot is ever run twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Slot {
    /// The schedule's name.
    pub schedule: String,
    /// When the calendar says, without jitter.
    pub due: Moment,
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.schedule, self.due)
    }
}

/// What is run, and why that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// A file, or the name of a built-in scenario.
    pub scenario: String,
    /// By how many zones its faults are moved on.
    pub turn: usize,
    /// Where it is run.
    pub world: World,
    /// The standing region that it is run in; nothing where it builds its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Decides every random choice in it.
    pub seed: u64,
    /// Why this and no other.
    pub why: String,
}

/// What is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// The first line: in which form the others are.
    Schema(u32),
    /// What a schedule was due for until then is accounted for: nothing of it is ever made up for. Written when a schedule
    /// is first seen, and when the ledger is made small.
    Accounted {
        /// Its name.
        schedule: String,
        /// Until when.
        until: Moment,
    },
    /// What a schedule said about when it is due, when it was last taken up.
    Due {
        /// Its name.
        schedule: String,
        /// Its cron expression and its time zone.
        says: String,
    },
    /// The clock was put back: what was accounted for beyond this is not any more, where nothing was begun for it.
    SetBack {
        /// Its name.
        schedule: String,
        /// Until when it is accounted for.
        until: Moment,
    },
    /// When a choice was last run, where that run itself is forgotten.
    Last {
        /// By which schedule.
        schedule: String,
        /// Which scenario.
        scenario: String,
        /// Moved on by how many zones.
        turn: usize,
        /// In which run.
        run: String,
        /// When.
        at: Moment,
    },
    /// A run is about to begin. On the disk before anything is done.
    Begun {
        /// Its id.
        run: String,
        /// What it was due for; nothing where a person asked for it.
        slot: Option<Slot>,
        /// Who asked for it, where somebody did.
        by: Option<String>,
        /// What is run.
        choice: Choice,
        /// When.
        at: Moment,
    },
    /// A run has ended.
    Ended {
        /// Its id.
        run: String,
        /// How.
        outcome: Outcome,
        /// Why, where its record does not say.
        why: String,
        /// When that was known.
        at: Moment,
    },
    /// A slot passes without a run.
    Refused {
        /// Which; of several in a row the last.
        slot: Slot,
        /// How many they are.
        slots: u64,
        /// Why, as it is counted.
        #[serde(default)]
        reason: Reason,
        /// Why.
        why: String,
        /// When.
        at: Moment,
    },
    /// Everything was stopped; nothing begins until it is resumed.
    Halted {
        /// By whom.
        by: String,
        /// When.
        at: Moment,
    },
    /// The schedule goes on.
    Resumed {
        /// By whom.
        by: String,
        /// When.
        at: Moment,
    },
}

/// A run that the ledger knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Its id.
    pub run: String,
    /// What it was due for.
    pub slot: Option<Slot>,
    /// Who asked for it.
    pub by: Option<String>,
    /// What is run.
    pub choice: Choice,
    /// When it began.
    pub begun: Moment,
    /// `pending` until it has ended.
    pub outcome: Outcome,
    /// Why it ended so, where its record does not say.
    pub why: String,
    /// When it had ended.
    pub ended: Option<Moment>,
}

/// A slot without a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Passed {
    /// Which; of several in a row the last.
    pub slot: Slot,
    /// How many.
    pub slots: u64,
    /// Why, as it is counted.
    pub reason: Reason,
    /// Why.
    pub why: String,
    /// When that was decided.
    pub at: Moment,
}

/// Somebody's word that nothing may run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Halt {
    /// Whose.
    pub by: String,
    /// Since when.
    pub since: Moment,
}

/// What all entries amount to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Until when each schedule's slots are accounted for.
    accounted: BTreeMap<String, Moment>,
    /// What each schedule said about when it is due.
    due: BTreeMap<String, String>,
    /// The last slot of each schedule for which something was begun, of those that are remembered.
    begun: BTreeMap<String, Moment>,
    /// Runs, oldest first.
    runs: VecDeque<Held>,
    /// Slots without one, oldest first.
    passed: VecDeque<Passed>,
    /// When each choice was last run, by schedule, scenario and turn.
    last: BTreeMap<(String, String, usize), (String, Moment)>,
    halt: Option<Halt>,
    /// Lines that were not understood.
    strange: u64,
}

impl Ledger {
    /// Reads lines. A last line that is torn was never acknowledged: nothing was done for it. Others that cannot be read
    /// are counted.
    ///
    /// # Errors
    /// Where a later version wrote it: what that means is not guessed.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut ledger = Self::default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match serde_json::from_str::<Entry>(line) {
                Ok(Entry::Schema(schema)) if schema > LEDGER_SCHEMA => {
                    return Err(format!(
                        "it was written by a later version (schema {schema}, this one reads {LEDGER_SCHEMA})"
                    ));
                }
                Ok(entry) => ledger.apply(&entry),
                Err(_) => ledger.strange += 1,
            }
        }
        if !text.is_empty() && !text.ends_with('\n') {
            ledger.strange = ledger.strange.saturating_sub(1);
        }
        Ok(ledger)
    }

    /// One entry as a line.
    pub fn line(entry: &Entry) -> String {
        let mut line = serde_json::to_string(entry).unwrap_or_default();
        line.push('\n');
        line
    }

    /// Takes an entry in.
    pub fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Schema(_) => {}
            Entry::Accounted { schedule, until } => {
                self.account(&Slot { schedule: schedule.clone(), due: *until });
            }
            Entry::Due { schedule, says } => {
                self.due.insert(schedule.clone(), says.clone());
            }
            Entry::SetBack { schedule, until } => {
                self.accounted.insert(schedule.clone(), *until);
            }
            Entry::Last { schedule, scenario, turn, run, at } => {
                self.last.insert((schedule.clone(), scenario.clone(), *turn), (run.clone(), *at));
            }
            Entry::Begun { run, slot, by, choice, at } => {
                if let Some(slot) = slot {
                    self.account(slot);
                    let begun = self.begun.entry(slot.schedule.clone()).or_insert(slot.due);
                    *begun = (*begun).max(slot.due);
                    let key = (slot.schedule.clone(), choice.scenario.clone(), choice.turn);
                    self.last.insert(key, (run.clone(), *at));
                }
                self.runs.push_back(Held {
                    run: run.clone(),
                    slot: slot.clone(),
                    by: by.clone(),
                    choice: choice.clone(),
                    begun: *at,
                    outcome: Outcome::Pending,
                    why: String::new(),
                    ended: None,
                });
            }
            Entry::Ended { run, outcome, why, at } => {
                if let Some(held) = self.runs.iter_mut().rev().find(|held| held.run == *run) {
                    (held.outcome, held.ended) = (*outcome, Some(*at));
                    held.why.clone_from(why);
                }
            }
            Entry::Refused { slot, slots, reason, why, at } => {
                self.account(slot);
                let (slot, reason, why) = (slot.clone(), *reason, why.clone());
                self.passed.push_back(Passed { slot, slots: *slots, reason, why, at: *at });
            }
            Entry::Halted { by, at } => self.halt = Some(Halt { by: by.clone(), since: *at }),
            Entry::Resumed { .. } => self.halt = None,
        }
        self.forget();
    }

    /// A clock that was put back must not make anything due again.
    fn account(&mut self, slot: &Slot) {
        let accounted = self.accounted.entry(slot.schedule.clone()).or_insert(slot.due);
        *accounted = (*accounted).max(slot.due);
    }

    /// What is long past and ended.
    fn forget(&mut self) {
        while self.runs.len() > PAST_KEPT && self.runs.front().is_some_and(|held| held.outcome != Outcome::Pending) {
            self.runs.pop_front();
        }
        while self.passed.len() > PAST_KEPT {
            self.passed.pop_front();
        }
    }

    /// The same ledger in as few entries as may be.
    pub fn compacted(&self) -> Vec<Entry> {
        let mut entries = vec![Entry::Schema(LEDGER_SCHEMA)];
        entries.extend(self.last.iter().map(|((schedule, scenario, turn), (run, at))| Entry::Last {
            schedule: schedule.clone(),
            scenario: scenario.clone(),
            turn: *turn,
            run: run.clone(),
            at: *at,
        }));
        for held in &self.runs {
            entries.push(Entry::Begun {
                run: held.run.clone(),
                slot: held.slot.clone(),
                by: held.by.clone(),
                choice: held.choice.clone(),
                at: held.begun,
            });
            if let Some(at) = held.ended {
                let (run, why) = (held.run.clone(), held.why.clone());
                entries.push(Entry::Ended { run, outcome: held.outcome, why, at });
            }
        }
        entries.extend(self.passed.iter().map(|passed| Entry::Refused {
            slot: passed.slot.clone(),
            slots: passed.slots,
            reason: passed.reason,
            why: passed.why.clone(),
            at: passed.at,
        }));
        let accounted =
            |(schedule, until): (&String, &Moment)| Entry::Accounted { schedule: schedule.clone(), until: *until };
        entries.extend(self.accounted.iter().map(accounted));
        let due = |(schedule, says): (&String, &String)| Entry::Due { schedule: schedule.clone(), says: says.clone() };
        entries.extend(self.due.iter().map(due));
        entries.extend(self.halt.iter().map(|halt| Entry::Halted { by: halt.by.clone(), at: halt.since }));
        entries
    }

    /// Until when a schedule's slots are accounted for; `None` where it was never seen.
    pub fn accounted_until(&self, schedule: &str) -> Option<Moment> {
        self.accounted.get(schedule).copied()
    }

    /// What a schedule said about when it is due, when it was last taken up; `None` where nobody wrote that down.
    pub fn due(&self, schedule: &str) -> Option<&str> {
        self.due.get(schedule).map(String::as_str)
    }

    /// The last slot for which something was begun: never again.
    pub fn begun_until(&self, schedule: &str) -> Option<Moment> {
        self.begun.get(schedule).copied()
    }

    /// When a choice was last run by a schedule, and in which run.
    pub fn last(&self, schedule: &str, scenario: &str, turn: usize) -> Option<&(String, Moment)> {
        self.last.get(&(schedule.to_owned(), scenario.to_owned(), turn))
    }

    /// Runs that have begun and, as far as is known, not ended.
    pub fn open(&self) -> impl Iterator<Item = &Held> {
        self.runs.iter().filter(|held| held.outcome == Outcome::Pending)
    }

    /// A run by its id.
    pub fn run(&self, run: &str) -> Option<&Held> {
        self.runs.iter().rev().find(|held| held.run == run)
    }

    /// Runs, the newest first.
    pub fn runs(&self) -> impl Iterator<Item = &Held> {
        self.runs.iter().rev()
    }

    /// Slots that passed without a run, the newest first.
    pub fn passed(&self) -> impl Iterator<Item = &Passed> {
        self.passed.iter().rev()
    }

    /// Who said that nothing may run, where somebody did.
    pub fn halt(&self) -> Option<&Halt> {
        self.halt.as_ref()
    }

    /// Lines that could not be read.
    pub fn strange(&self) -> u64 {
        self.strange
    }
}
