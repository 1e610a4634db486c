//! Owns the proof that each invariant is judged rightly in both directions: for each a defect that must be found with the
//! right culprit and confirmed by repair, and a twin that must be held. Refuses to judge; the judge of every run does.
//!
//! Each game day is looked at three times: as it is, without anything that instances say of themselves, and with the names
//! of all services exchanged, so that nothing can be read from a name.
//!
//! - [`pairs`]: what is expected of which pair
//! - [`shuffle`]: a game day whose services have each other's names

pub mod pairs;
pub mod shuffle;

use crate::explore::Culprit;
use crate::explore::repair::{self, Confirmation};
use crate::load::{self, Loaded};
use crate::twin::{self, Played};
use anyhow::Result;
use pairs::{Expected, Pair};
use scenarios::event::By;
use scenarios::judge::{Case, catalogue, judge};
use scenarios::judgement::{Finding, Judgement};
use scenarios::verdict::Verdict;
use shuffle::Names;
use std::ops::Range;

/// How often a cell came out as it must, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// As it must.
    pub right: u64,
    /// In all.
    pub all: u64,
}

impl Count {
    fn add(&mut self, right: bool) {
        self.right += u64::from(right);
        self.all += 1;
    }

    /// Whether every one did.
    pub fn is_whole(self) -> bool {
        self.right == self.all
    }
}

/// One row: an invariant, its defect and its twin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The invariant.
    pub invariant: &'static str,
    /// The scenario with the defect; its twin is `NAME-repaired`.
    pub scenario: String,
    /// The culprit: `service -> dependency (setting)`.
    pub culprit: String,
    /// Runs in which the invariant was violated.
    pub found: Count,
    /// Judgements that named the right service, team, dependency and setting, and nobody else as a root.
    pub named: Count,
    /// Culprits confirmed by a run with only them repaired.
    pub confirmed: Count,
    /// Twins that were held.
    pub held: Count,
    /// The first thing that was not as it must be; empty where all was.
    pub wrong: String,
}

impl Row {
    /// Whether everything was as it must be.
    pub fn is_right(&self) -> bool {
        [self.found, self.named, self.confirmed, self.held].into_iter().all(|count| count.all > 0 && count.is_whole())
    }

    fn note(&mut self, wrong: impl FnOnce() -> String) {
        if self.wrong.is_empty() {
            self.wrong = wrong();
        }
    }
}

/// Plays a pair with each seed, and looks at every game day three times.
///
/// # Errors
/// Where a built-in file cannot be loaded, or the calibration that was compiled in is damaged.
pub fn row(pair: &Pair, seeds: Range<u64>) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = pair.expected.iter().map(|expected| blank(pair, expected)).collect();
    let (mut defect, mut twin) = (load::scenario(pair.scenario, false)?, load::scenario(&pair.twin(), false)?);
    for seed in seeds {
        let played = twin::play_unlogged(&mut defect, seed)?;
        let silent = without_self_reports(&defect, &played);
        for (expected, row) in pair.expected.iter().zip(&mut rows) {
            look(row, pair, expected, &defect, &played.judgement, &format!("seed {seed}"));
            look(row, pair, expected, &defect, &silent, &format!("seed {seed}, without self-reports"));
            confirm(row, expected, &defect, &played.judgement, seed)?;
        }
        let (mut shuffled, names) = shuffle::shuffled(pair.scenario, seed)?;
        let judgement = twin::play_unlogged(&mut shuffled, seed)?.judgement;
        for (expected, row) in pair.expected.iter().zip(&mut rows) {
            let expected = renamed(expected, &names);
            look(row, pair, &expected, &shuffled, &judgement, &format!("seed {seed}, with exchanged names"));
        }
        let played = twin::play_unlogged(&mut twin, seed)?;
        let silent = without_self_reports(&twin, &played);
        let (mut shuffled, _) = shuffle::shuffled(&pair.twin(), seed)?;
        let exchanged = twin::play_unlogged(&mut shuffled, seed)?.judgement;
        for judgement in [&played.judgement, &silent, &exchanged] {
            for (expected, row) in pair.expected.iter().zip(&mut rows) {
                held(row, expected, judgement, seed);
            }
        }
    }
    Ok(rows)
}

fn blank(pair: &Pair, expected: &Expected) -> Row {
    let dependency = expected.dependency.as_ref().map(|to| format!(" -> {to}")).unwrap_or_default();
    Row {
        invariant: expected.invariant,
        scenario: pair.scenario.to_owned(),
        culprit: format!("{}{dependency} ({})", expected.service, expected.setting),
        found: Count::default(),
        named: Count::default(),
        confirmed: Count::default(),
        held: Count::default(),
        wrong: String::new(),
    }
}

/// The same events without what instances and hosts say of themselves, judged again.
fn without_self_reports(loaded: &Loaded, played: &Played) -> Judgement {
    let Loaded { scenario, plan, topology, graph, placement, .. } = loaded;
    let events: Vec<_> = played.events.iter().filter(|event| event.by != By::Own).cloned().collect();
    judge(&Case { scenario, plan, topology, graph, placement }, &events)
}

/// What is expected, where services have other names.
fn renamed(expected: &Expected, names: &Names) -> Expected {
    Expected {
        invariant: expected.invariant,
        service: names.of(&expected.service),
        dependency: expected.dependency.as_ref().map(|name| names.of(name)),
        setting: names.of_setting(&expected.setting),
    }
}

fn names(expected: &Expected, finding: &Finding) -> bool {
    let culprit = Culprit::of(finding);
    culprit.invariant == expected.invariant
        && culprit.service == expected.service
        && culprit.dependency == expected.dependency.clone().unwrap_or_default()
        && culprit.setting == expected.setting
}

/// Whether an invariant is violated, with the right culprit and its team, and nobody else is named as a root.
fn look(row: &mut Row, pair: &Pair, expected: &Expected, loaded: &Loaded, judgement: &Judgement, when: &str) {
    let of_it = judgement.invariants.iter().filter(|result| result.id == expected.invariant);
    let violated = of_it.clone().any(|result| result.verdict == Verdict::Violated);
    row.found.add(violated);
    let team =
        |finding: &Finding| loaded.graph.service(&finding.service).is_some_and(|service| service.team == finding.team);
    let found = judgement.findings.iter().find(|finding| names(expected, finding));
    let others = judgement.findings.iter().find(|finding| {
        finding.consequence_of.is_none() && !pair.expected.iter().any(|one| one.invariant == finding.invariant)
    });
    let right = found.is_some_and(team) && others.is_none();
    row.named.add(right);
    if !violated {
        let reasons: Vec<&str> = of_it.map(|result| result.reason.as_str()).collect();
        row.note(|| format!("{when}: not violated: {} {:?}", reasons.join("; "), judgement.inconclusive));
    } else if !right {
        let culprits: Vec<_> =
            judgement.findings.iter().map(|finding| (Culprit::of(finding), finding.consequence_of.clone())).collect();
        row.note(|| format!("{when}: other culprits: {culprits:?}"));
    }
}

fn confirm(row: &mut Row, expected: &Expected, loaded: &Loaded, judgement: &Judgement, seed: u64) -> Result<()> {
    let Some(finding) = judgement.findings.iter().find(|finding| names(expected, finding)) else {
        row.confirmed.add(false);
        return Ok(());
    };
    let confirmation = repair::confirm(loaded, seed, finding)?;
    row.confirmed.add(confirmation == Confirmation::Confirmed);
    if confirmation != Confirmation::Confirmed {
        row.note(|| format!("seed {seed}: {confirmation:?} by repair"));
    }
    Ok(())
}

fn held(row: &mut Row, expected: &Expected, judgement: &Judgement, seed: u64) {
    let own = judgement.invariants.iter().filter(|result| result.id == expected.invariant);
    let own_held = own.clone().any(|result| result.verdict == Verdict::Held)
        && own.clone().all(|result| matches!(result.verdict, Verdict::Held | Verdict::NotJudged));
    let right = own_held && judgement.verdict == Verdict::Held;
    row.held.add(right);
    if !right {
        let told: Vec<String> = judgement
            .invariants
            .iter()
            .map(|result| format!("{} {}: {}", result.id, result.verdict.word(), result.reason))
            .collect();
        row.note(|| format!("seed {seed}: the twin is not held: {} {:?}", told.join("; "), judgement.inconclusive));
    }
}

/// A healthy scenario, judged by everything that can be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healthy {
    /// Its name.
    pub scenario: &'static str,
    /// Runs in which nothing was violated or inconclusive.
    pub clean: Count,
    /// Ids that were held at least once.
    pub judged: Vec<&'static str>,
    /// The first thing that was wrong.
    pub wrong: String,
}

/// Plays a healthy scenario and judges it by every invariant of the catalogue.
///
/// # Errors
/// As [`row`].
pub fn healthy(scenario: &'static str, seeds: Range<u64>) -> Result<Healthy> {
    let mut loaded = load::scenario(scenario, false)?;
    loaded.scenario.invariants = catalogue().iter().map(|entry| entry.id.to_owned()).collect();
    let mut all = Healthy { scenario, clean: Count::default(), judged: Vec::new(), wrong: String::new() };
    for seed in seeds {
        let played = twin::play_unlogged(&mut loaded, seed)?;
        for judgement in [&played.judgement, &without_self_reports(&loaded, &played)] {
            let bad = judgement
                .invariants
                .iter()
                .find(|result| matches!(result.verdict, Verdict::Violated | Verdict::Inconclusive));
            all.clean.add(bad.is_none() && judgement.inconclusive.is_empty());
            if let (Some(bad), true) = (bad, all.wrong.is_empty()) {
                all.wrong = format!("seed {seed}: {} {}: {}", bad.id, bad.verdict.word(), bad.reason);
            }
            for entry in catalogue() {
                let held = |result: &scenarios::judgement::InvariantResult| {
                    result.id == entry.id && result.verdict == Verdict::Held
                };
                if judgement.invariants.iter().any(held) && !all.judged.contains(&entry.id) {
                    all.judged.push(entry.id);
                }
            }
        }
    }
    Ok(all)
}
