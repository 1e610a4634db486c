//! Owns what the trials of assumed parameters mean: which would flip the verdict, which would leave nothing to judge.
//! Refuses to play a trial: the record has their verdicts.

use crate::record::{Assumptions, TrialRow};
use scenarios::verdict::Verdict;

/// Whether a verdict says something about the region.
fn decides(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Held | Verdict::Violated)
}

/// Trials that say the opposite: with that value held is violated, or violated held.
pub fn flips(assumptions: &Assumptions) -> Vec<&TrialRow> {
    let opposite = |trial: &&TrialRow| decides(trial.verdict) && trial.verdict != assumptions.verdict;
    if decides(assumptions.verdict) { assumptions.trials.iter().filter(opposite).collect() } else { Vec::new() }
}

/// Trials with the same verdict in which single invariants were judged otherwise.
pub fn shifts(assumptions: &Assumptions) -> Vec<&TrialRow> {
    let shifted = |trial: &&TrialRow| trial.verdict == assumptions.verdict && !trial.changed.is_empty();
    assumptions.trials.iter().filter(shifted).collect()
}

/// Trials that nobody could have judged.
pub fn undecided(assumptions: &Assumptions) -> Vec<&TrialRow> {
    assumptions.trials.iter().filter(|trial| !decides(trial.verdict)).collect()
}
