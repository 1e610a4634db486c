//! Owns the trials of what a game day takes for granted: the same game day again in virtual time, each time with one
//! assumed parameter changed, for as long as somebody is willing to wait. Refuses to decide what is assumed
//! ([`scenarios::assumed`]) and what the trials mean ([`reports::assumptions`]).

use crate::clock::Clock;
use crate::load::Loaded;
use crate::twin;
use anyhow::Result;
use reports::record::{Assumptions, TrialRow, UntriedRow};
use scenarios::assumed::{Assumed, Instead, Region};
use scenarios::judgement::{InvariantResult, Judgement};
use scenarios::verdict::Verdict;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// One parameter with one other value.
type Trial<'a> = (&'a Assumed, &'a Instead);

/// Plays the trials of a run with a verdict; those for which there is no time are named.
///
/// # Errors
/// As [`twin::play`].
pub fn tried(loaded: &Loaded, seed: u64, verdict: Verdict, within: Duration) -> Result<Assumptions> {
    let clock = Clock::start();
    let all = loaded.assumed();
    let base = twin::play_unlogged(&mut loaded.clone(), seed)?.judgement;
    let within_ns = u64::try_from(within.as_nanos()).unwrap_or(u64::MAX);
    let one_ns = clock.now();
    let none = |reason: &str| Assumptions {
        verdict: base.verdict,
        trials: Vec::new(),
        untried: all.iter().map(|one| untried(one, one.instead.iter().collect(), reason)).collect(),
    };
    if base.verdict != verdict {
        return Ok(none(&format!("in virtual time the run is {}, and says nothing of this one", base.verdict.word())));
    }
    let trials: Vec<Trial<'_>> = all.iter().flat_map(|one| one.instead.iter().map(move |other| (one, other))).collect();
    let done = play(loaded, seed, &base, &trials, || clock.now().saturating_add(one_ns) <= within_ns)?;
    let left = |one: &Assumed| -> Vec<&Instead> {
        let own = trials.iter().zip(&done).filter(|((assumed, _), done)| assumed.name == one.name && done.is_none());
        own.map(|((_, instead), _)| *instead).collect()
    };
    let late = "the time for trials was over";
    let untried = all.iter().map(|one| untried(one, left(one), late)).filter(|row| !row.instead.is_empty()).collect();
    Ok(Assumptions { verdict: base.verdict, trials: done.into_iter().flatten().collect(), untried })
}

fn untried(assumed: &Assumed, instead: Vec<&Instead>, reason: &str) -> UntriedRow {
    UntriedRow {
        parameter: assumed.name.to_owned(),
        instead: instead.into_iter().map(|other| other.value.clone()).collect(),
        reason: reason.to_owned(),
    }
}

/// Plays trials on all processors as long as there is time; the result of each, where it was played.
fn play(
    loaded: &Loaded,
    seed: u64,
    base: &Judgement,
    trials: &[Trial<'_>],
    in_time: impl Fn() -> bool + Sync,
) -> Result<Vec<Option<TrialRow>>> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(vec![None; trials.len()]));
    let work = || -> Result<()> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some((assumed, instead)) = trials.get(number).filter(|_| in_time()) else { return Ok(()) };
            let row = trial(loaded, seed, base, assumed, instead)?;
            if let Some(place) = done.lock().unwrap_or_else(PoisonError::into_inner).get_mut(number) {
                *place = Some(row);
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get().min(8));
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<()>>| {
            thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a trial panicked: this is a bug")))
        };
        threads.into_iter().map(join).collect::<Result<Vec<()>>>()
    })?;
    Ok(done.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn trial(loaded: &Loaded, seed: u64, base: &Judgement, assumed: &Assumed, instead: &Instead) -> Result<TrialRow> {
    let Region { scenario, topology, graph } = instead.applied(loaded.resolved());
    let mut other = Loaded { scenario, topology, graph, ..loaded.clone() };
    let judgement = twin::play_unlogged(&mut other, seed)?.judgement;
    Ok(TrialRow {
        parameter: assumed.name.to_owned(),
        assumed: assumed.value.clone(),
        instead: instead.value.clone(),
        verdict: judgement.verdict,
        changed: changed(base, &judgement),
    })
}

/// Invariants with another verdict than before.
fn changed(base: &Judgement, other: &Judgement) -> Vec<String> {
    let key = |result: &InvariantResult| (result.id.clone(), result.aspect.clone());
    let before = |result: &InvariantResult| base.invariants.iter().find(|known| key(known) == key(result));
    let differs = |result: &&InvariantResult| before(result).is_none_or(|known| known.verdict != result.verdict);
    let mut ids: Vec<String> = other.invariants.iter().filter(differs).map(|result| result.id.clone()).collect();
    ids.dedup();
    ids
}
