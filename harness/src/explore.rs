//! Owns the search for schedules under which a region fails: many seeds and variants of one scenario, each a game day in
//! virtual time. Refuses to know the command line.
//!
//! - [`vary`]: what a seed makes of a scenario
//! - [`shrink`]: the smallest schedule and graph that still fail
//! - [`repair`]: the game day with one need, edge or setting repaired
//! - [`mod@file`]: a case as files that run in every world

pub mod file;
pub mod repair;
pub mod shrink;
pub mod vary;

use crate::load::Loaded;
use crate::twin;
use anyhow::Result;
use scenarios::judgement::{Finding, Judgement};
use scenarios::verdict::Verdict;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use vary::Varied;

/// What makes two failures the same: the invariant and whom it points at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Culprit {
    /// Id of the invariant.
    pub invariant: String,
    /// The service.
    pub service: String,
    /// What it leans on.
    pub dependency: String,
    /// The setting to change.
    pub setting: String,
}

impl Culprit {
    /// The culprit of a finding.
    pub fn of(finding: &Finding) -> Self {
        Self {
            invariant: finding.invariant.clone(),
            service: finding.service.to_string(),
            dependency: finding.dependency.as_ref().map(ToString::to_string).unwrap_or_default(),
            setting: finding.setting.clone().unwrap_or_default(),
        }
    }

    /// The culprits of a judgement that follow from no other.
    pub fn all(judgement: &Judgement) -> Vec<(Self, Finding)> {
        let roots = judgement.findings.iter().filter(|finding| finding.consequence_of.is_none());
        roots.map(|finding| (Self::of(finding), finding.clone())).collect()
    }
}

/// A failure, as it was found first.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The seed that shows it.
    pub seed: u64,
    /// What that seed made of the scenario.
    pub varied: Varied,
    /// What was found.
    pub finding: Finding,
    /// How many seeds showed it.
    pub seen: u64,
}

/// What a search has covered and found.
#[derive(Debug, Default)]
pub struct Found {
    /// Seeds played.
    pub seeds: u64,
    /// Seeds by verdict.
    pub verdicts: BTreeMap<String, u64>,
    /// What was varied: how often each value was taken.
    pub coverage: BTreeMap<&'static str, BTreeMap<String, u64>>,
    /// Failures by culprit.
    pub failures: BTreeMap<Culprit, Failure>,
    /// Inputs handed to state machines.
    pub handed: u64,
}

/// When a search ends.
#[derive(Debug)]
pub struct Bounds {
    /// The first seed.
    pub first: u64,
    /// How many.
    pub seeds: u64,
    /// Set from outside when the time is up.
    pub over: AtomicBool,
    /// Whether the first failure ends it.
    pub stop_at_first: bool,
    /// How many at a time.
    pub threads: usize,
}

/// Plays seeds on so many threads; `load` is called once on each, so that nothing is shared between them.
///
/// # Errors
/// The first error of any thread.
pub fn search(bounds: &Bounds, load: impl Fn() -> Result<Loaded> + Sync, on_seed: impl Fn() + Sync) -> Result<Found> {
    let (next, found) = (AtomicU64::new(0), Mutex::new(Found::default()));
    let work = || -> Result<()> {
        let base = load()?;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= bounds.seeds || bounds.over.load(Ordering::Relaxed) {
                return Ok(());
            }
            let seed = bounds.first.wrapping_add(number);
            let varied = vary::vary(&base, seed);
            let played = twin::play_unlogged(&mut varied.applied(&base), seed)?;
            let failed = enter(&mut found.lock().unwrap_or_else(PoisonError::into_inner), seed, varied, &played);
            on_seed();
            if failed && bounds.stop_at_first {
                bounds.over.store(true, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..bounds.threads.max(1)).map(|_| scope.spawn(work)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<()>>| {
            thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a thread of the search panicked: this is a bug")))
        };
        threads.into_iter().map(join).collect::<Result<Vec<()>>>()
    })?;
    Ok(found.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Enters one game day; whether it failed.
fn enter(found: &mut Found, seed: u64, varied: Varied, played: &twin::Played) -> bool {
    found.seeds += 1;
    found.handed += played.handed;
    *found.verdicts.entry(format!("{:?}", played.judgement.verdict).to_lowercase()).or_default() += 1;
    for (what, value) in varied.covers() {
        *found.coverage.entry(what).or_default().entry(value).or_default() += 1;
    }
    if played.judgement.verdict != Verdict::Violated {
        return false;
    }
    for (culprit, finding) in Culprit::all(&played.judgement) {
        let new = || Failure { seed, varied: varied.clone(), finding: finding.clone(), seen: 0 };
        let failure = found.failures.entry(culprit).or_insert_with(new);
        // The lowest seed stands for all, whichever thread came first.
        if seed < failure.seed {
            *failure = Failure { seen: failure.seen, ..new() };
        }
        failure.seen += 1;
    }
    true
}
