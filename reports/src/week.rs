//! Owns weeks of the calendar as ISO 8601 counts them: from Monday, the first being that with the year's first Thursday.
//! Refuses to know which one is now.

use crate::policy::Date;
use std::fmt;

/// A week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Week {
    monday: Date,
}

impl Week {
    /// Reads `2026-W47`.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, number) = text.split_once("-W")?;
        let digits = |text: &str, wanted: usize| text.len() == wanted && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(year, 4) || !digits(number, 2) {
            return None;
        }
        let number: u32 = number.parse().ok()?;
        // The fourth of January is always in the first week.
        let fourth = Date::parse(&format!("{year}-01-04"))?;
        let first = fourth.minus(fourth.weekday());
        let week = Self { monday: first.plus(7 * number.checked_sub(1)?) };
        (week.to_string() == text).then_some(week)
    }

    /// The week of a day.
    pub fn of(day: Date) -> Self {
        Self { monday: day.minus(day.weekday()) }
    }

    /// Its Monday.
    pub fn first(self) -> Date {
        self.monday
    }

    /// Its Sunday.
    pub fn last(self) -> Date {
        self.monday.plus(6)
    }

    /// The week before.
    #[must_use]
    pub fn before(self) -> Self {
        Self { monday: self.monday.minus(7) }
    }

    /// Whether a day is in it.
    pub fn has(self, day: Date) -> bool {
        self.first() <= day && day <= self.last()
    }
}

impl fmt::Display for Week {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The year is that of the week's Thursday.
        let thursday = self.monday.plus(3).to_string();
        let year = thursday.split('-').next().unwrap_or_default();
        let january = Date::parse(&format!("{year}-01-01")).unwrap_or(self.monday);
        let number = self.monday.plus(3).since(january) / 7 + 1;
        write!(f, "{year}-W{number:02}")
    }
}
