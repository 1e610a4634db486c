//! Owns the policy of corrections: how long an action of each priority may take, how long a summary may be, how many whys
//! are asked. Refuses to know when today is.

use fixtures::decode::{Located, decode};
use fixtures::diagnostic::{Diagnostic, Source};
use serde::Deserialize;
use std::fmt;

/// What a team promises about its corrections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Days until an action of priority P0, P1 and P2 is due.
    pub due_days: [u32; 3],
    /// Sentences of a summary at most.
    pub summary_sentences_max: usize,
    /// Whys of a chain at least, unless a blank says that nobody has asked further yet.
    pub whys_min: usize,
}

impl Policy {
    /// Without a file.
    pub const USUAL: Self = Self { due_days: [7, 30, 90], summary_sentences_max: 12, whys_min: 5 };
}

impl Default for Policy {
    fn default() -> Self {
        Self::USUAL
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Raw {
    due_days_p0: Option<Located<u32>>,
    due_days_p1: Option<Located<u32>>,
    due_days_p2: Option<Located<u32>>,
    summary_sentences_max: Option<Located<u32>>,
    whys_min: Option<Located<u32>>,
}

/// Reads a policy file; what it does not say stays as it is by default.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(source: &Source) -> Result<Policy, Vec<Diagnostic>> {
    let (raw, found) = decode::<Raw>(source);
    let Some(raw) = raw.filter(|_| found.is_empty()) else { return Err(found) };
    let usual = Policy::default();
    let or = |value: Option<Located<u32>>, usual: u32| value.map_or(usual, |value| *value.get());
    let count = |value: Option<Located<u32>>, usual: usize| value.map_or(usual, |value| *value.get() as usize);
    let [p0, p1, p2] = usual.due_days;
    Ok(Policy {
        due_days: [or(raw.due_days_p0, p0), or(raw.due_days_p1, p1), or(raw.due_days_p2, p2)],
        summary_sentences_max: count(raw.summary_sentences_max, usual.summary_sentences_max),
        whys_min: count(raw.whys_min, usual.whys_min),
    })
}

/// A day of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// Days since 1970-01-01.
    days: i64,
}

impl Date {
    /// Reads `2026-11-25`, or the day of a moment that begins like that; `None` where there is no such day.
    pub fn parse(text: &str) -> Option<Self> {
        let head = text.get(..10).filter(|head| head.is_ascii())?;
        let rest = &text[10..];
        if !(rest.is_empty() || rest.starts_with(['T', ' '])) {
            return None;
        }
        let parts: Vec<&str> = head.split('-').collect();
        let [year, month, day] = parts.as_slice() else { return None };
        Self::of(year, month, day)
    }

    /// The day with which a run's id begins, `20261125T...`: runs in virtual time have no day of their own.
    pub fn of_run(run: &str) -> Option<Self> {
        let head = run.get(..9).filter(|head| head.is_ascii() && head.ends_with('T'))?;
        Self::of(&head[..4], &head[4..6], &head[6..8])
    }

    fn of(year: &str, month: &str, day: &str) -> Option<Self> {
        let digits = |text: &str, wanted: usize| {
            let fits = text.len() == wanted && text.bytes().all(|byte| byte.is_ascii_digit());
            fits.then(|| text.parse::<i64>().ok()).flatten()
        };
        let date = Self::civil(digits(year, 4)?, digits(month, 2)?, digits(day, 2)?);
        // 2026-02-30 comes back as another day.
        (date.to_string() == format!("{year}-{month}-{day}")).then_some(date)
    }

    /// Days from a civil date (Howard Hinnant's algorithm).
    fn civil(year: i64, month: i64, day: i64) -> Self {
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        Self { days: era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468 }
    }

    /// So many days later.
    #[must_use]
    pub fn plus(self, days: u32) -> Self {
        Self { days: self.days + i64::from(days) }
    }
}

impl Date {
    /// So many days earlier.
    #[must_use]
    pub fn minus(self, days: u32) -> Self {
        Self { days: self.days - i64::from(days) }
    }

    /// Days since another day; below zero where that is still to come.
    pub fn since(self, other: Self) -> i64 {
        self.days - other.days
    }

    /// 0 on Monday, 6 on Sunday. The first of January 1970 was a Thursday.
    pub fn weekday(self) -> u32 {
        u32::try_from((self.days + 3).rem_euclid(7)).unwrap_or_default()
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.days + 719_468;
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year + era * 400 + i64::from(month <= 2);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}
