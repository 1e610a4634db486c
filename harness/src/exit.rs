//! Owns the documented exit statuses. Refuses to know why.

use reports::record::Record;
use scenarios::verdict::Verdict;

/// Everything held, or what was asked for was done.
pub const OK: u8 = 0;
/// An invariant was violated.
pub const VIOLATED: u8 = 1;
/// The harness failed, or left something behind.
pub const HARNESS: u8 = 2;
/// Nothing can be said.
pub const INCONCLUSIVE: u8 = 3;
/// Bad input or usage (`EX_USAGE` of BSD's sysexits).
pub const USAGE: u8 = 64;
/// Interrupted, after everything was healed and removed (128 + SIGINT).
pub const INTERRUPTED: u8 = 130;

/// Somebody wanted it to end before anything was begun.
#[derive(Debug, thiserror::Error)]
#[error("interrupted before {0}")]
pub struct Early(pub &'static str);

/// The exit status of a run that was completed: what a known-gaps file accepts does not fail, and an entry of it that is
/// no longer true does.
pub fn of_record(record: &Record) -> u8 {
    match record.verdict {
        Verdict::Inconclusive | Verdict::NotJudged => INCONCLUSIVE,
        Verdict::Held | Verdict::Violated if reports::gaps::fails(record) => VIOLATED,
        Verdict::Held | Verdict::Violated => OK,
    }
}

/// Of several runs: interrupted before all, then a failed harness, violated, inconclusive, held.
pub fn merge(statuses: impl IntoIterator<Item = u8>) -> u8 {
    let rank = |status: &u8| [OK, INCONCLUSIVE, VIOLATED, HARNESS, USAGE, INTERRUPTED].iter().position(|s| s == status);
    statuses.into_iter().max_by_key(rank).unwrap_or(OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violated_run_is_not_hidden_by_an_inconclusive_one() {
        assert_eq!(merge([OK, INCONCLUSIVE, VIOLATED, OK]), VIOLATED);
        assert_eq!(merge([VIOLATED, HARNESS]), HARNESS);
        assert_eq!(merge([HARNESS, INTERRUPTED]), INTERRUPTED);
        assert_eq!(merge([]), OK);
    }
}
