//! Owns how a set of runs is named on the command line: `last-held`, `label:NAME`, or runs by their ids. Refuses to
//! compare them.

use super::{Filter, History};
use crate::load::BadInput;
use anyhow::Result;
use reports::history::Entry;
use scenarios::verdict::Verdict;

/// Runs of a reference at most: the newest.
const RUNS_MAX: usize = 50;

/// A set of runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// Runs like the last one that was held before the newer set began: of its label, or without one held ones of its build.
    LastHeld,
    /// Those with a label.
    Label(String),
    /// These.
    Runs(Vec<String>),
}

impl Reference {
    /// Reads it from the command line.
    ///
    /// # Errors
    /// Where it is empty.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.trim() {
            "" => Err("name runs: last-held, label:NAME, or ids of runs with commas between them".to_owned()),
            "last-held" => Ok(Self::LastHeld),
            text => Ok(match text.strip_prefix("label:") {
                Some(label) => Self::Label(label.to_owned()),
                None => Self::Runs(text.split(',').map(|run| name(run).to_owned()).collect()),
            }),
        }
    }
}

/// A run is named by its id, by the beginning of it, or by its folder.
fn name(run: &str) -> &str {
    run.trim().trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

fn bad(text: &str, help: &str) -> anyhow::Error {
    BadInput { text: format!("error: {text}\nhelp: {help}\n") }.into()
}

impl History {
    /// The newer set: what is named, or the newest run that fits with all of its label, or the newest so many.
    ///
    /// # Errors
    /// Bad input: no such run.
    pub fn newer(&self, named: Option<&Reference>, last: Option<usize>, filter: &Filter) -> Result<Vec<Entry>> {
        if let Some(named) = named {
            return self.named(named, filter);
        }
        let (newest, _) = self.select(&Filter { limit: Some(1), ..filter.clone() })?;
        let Some(newest) = newest.into_iter().next() else {
            return Err(bad("no run fits", "`blackstart history` lists all runs; `blackstart run` holds one"));
        };
        let alike = Filter {
            scenarios: vec![newest.scenario.clone()],
            world: Some(newest.world.clone()),
            label: newest.label.clone(),
            limit: Some(last.unwrap_or(if newest.label.is_some() { RUNS_MAX } else { 1 })),
            ..filter.clone()
        };
        Ok(self.select(&alike)?.0)
    }

    /// The older set to compare with.
    ///
    /// # Errors
    /// Bad input: no such run, or runs of another scenario or world.
    pub fn older(&self, reference: &Reference, newer: &[Entry]) -> Result<Vec<Entry>> {
        let Some(first) = newer.first() else { return Ok(Vec::new()) };
        let same =
            Filter { scenarios: vec![first.scenario.clone()], world: Some(first.world.clone()), ..Filter::default() };
        let older = match reference {
            Reference::LastHeld => self.last_held(newer, &same)?,
            named => self.named(named, &same)?,
        };
        if older.iter().chain(newer).any(|run| (&run.scenario, &run.world) != (&first.scenario, &first.world)) {
            return Err(bad(
                "runs of several scenarios or worlds are not comparable",
                "name runs of one scenario in one world, or filter with SCENARIO and --world",
            ));
        }
        match older.iter().find(|run| newer.iter().any(|other| other.run == run.run)) {
            Some(both) => Err(bad(
                &format!("run {} is in both sets", both.run),
                "name the newer set with --now, or an older one with --against",
            )),
            None => Ok(older),
        }
    }

    fn named(&self, reference: &Reference, filter: &Filter) -> Result<Vec<Entry>> {
        let runs = match reference {
            Reference::LastHeld => return Err(bad("`last-held` is the older set", "name it with --against")),
            Reference::Label(label) => {
                let labelled = Filter { label: Some(label.clone()), limit: Some(RUNS_MAX), ..filter.clone() };
                self.select(&labelled)?.0
            }
            Reference::Runs(names) => {
                let mut runs = Vec::new();
                for name in names {
                    let help = "`blackstart history` lists the ids; the beginning of one is enough where only one run begins so";
                    runs.push(self.run_like(name)?.ok_or_else(|| bad(&format!("there is no one run `{name}`"), help))?);
                }
                runs
            }
        };
        if runs.is_empty() {
            let Reference::Label(label) = reference else { return Ok(runs) };
            return Err(bad(
                &format!("no run that fits has the label `{label}`"),
                "labels are given by `blackstart run --label NAME`; `blackstart history` lists them",
            ));
        }
        Ok(runs)
    }

    fn last_held(&self, newer: &[Entry], same: &Filter) -> Result<Vec<Entry>> {
        let begins = newer.iter().map(|run| run.run.as_str()).min().unwrap_or_default();
        let label = newer.first().and_then(|run| run.label.clone());
        let (all, _) = self.select(same)?;
        let before = |run: &&Entry| run.run.as_str() < begins && (label.is_none() || run.label != label);
        let Some(last) = all.iter().filter(before).find(|run| run.verdict == Verdict::Held) else {
            return Err(bad(
                "no run of this scenario in this world was held before",
                "name the older runs with --against RUN,RUN... or --against label:NAME",
            ));
        };
        // A label says what was run: all of its runs count, also those that were not held. Without one the held ones do.
        let alike = |run: &&Entry| match &last.label {
            Some(_) => run.batch() == last.batch(),
            None => run.batch() == last.batch() && run.verdict == Verdict::Held,
        };
        Ok(all.iter().filter(before).filter(alike).take(RUNS_MAX).cloned().collect())
    }
}
