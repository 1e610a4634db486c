//! Owns cron expressions, time zones, and windows of the week and of dates. The only module that names `croner`, `chrono`
//! and `chrono-tz`. Refuses to know what is scheduled, and what time it is.

use super::moment::Moment;
use chrono::{
    DateTime, Datelike, Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc, Weekday,
};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::CronParser;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A time zone by its name in the IANA database, such as `Europe/Dublin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Tz);

impl Zone {
    /// What holds where a file names none.
    pub const UTC: Self = Self(Tz::UTC);

    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        Tz::from_str(text).ok().map(Self)
    }

    /// All names, for a guess at what was meant.
    pub fn names() -> impl Iterator<Item = &'static str> {
        chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())
    }

    /// A moment as the people there write it: `Tue 2026-12-01 10:00 GMT`.
    pub fn local(self, moment: Moment) -> String {
        self.at(moment).format("%a %Y-%m-%d %H:%M %Z").to_string()
    }

    fn at(self, moment: Moment) -> DateTime<Tz> {
        utc(moment).with_timezone(&self.0)
    }

    /// The moment at which clocks there show this, or would have, had they not been put forward; of an hour that comes twice,
    /// the first or the second.
    fn shows(self, local: NaiveDateTime, hour: Hour) -> Moment {
        match (self.0.from_local_datetime(&local), hour) {
            (LocalResult::Single(at), _) => moment(&at),
            (LocalResult::Ambiguous(first, _), Hour::First) => moment(&first),
            (LocalResult::Ambiguous(_, second), Hour::Second) => moment(&second),
            // Clocks are put forward by an hour at most places, and nowhere by more than a day.
            (LocalResult::None, _) => (1..=24 * 4)
                .find_map(|quarters| {
                    self.0.from_local_datetime(&(local + TimeDelta::minutes(15 * quarters))).earliest()
                })
                .map_or(Moment(local.and_utc().timestamp_millis()), |at| moment(&at)),
        }
    }
}

/// Which, of an hour that comes twice when clocks are put back.
#[derive(Debug, Clone, Copy)]
enum Hour {
    First,
    Second,
}

/// How a stretch is read that begins or ends in such an hour.
#[derive(Debug, Clone, Copy)]
enum Read {
    /// As long as may be: what is blocked.
    Wide,
    /// As short as may be: what is allowed.
    Narrow,
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

fn utc(moment: Moment) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(moment.0).unwrap_or(if moment.0 < 0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    })
}

fn moment<Z: TimeZone>(at: &DateTime<Z>) -> Moment {
    Moment(at.timestamp_millis())
}

/// When something is due, again and again.
#[derive(Debug, Clone)]
pub struct Recurrence {
    cron: Cron,
    zone: Zone,
}

impl Recurrence {
    /// Reads a cron expression of five fields (minute, hour, day of the month, month, day of the week; with `L`, `#` and
    /// `W`), or one of the nicknames (`@daily`). Clocks that are put forward make what they skip due at the end of the gap;
    /// clocks that are put back make a fixed time due once.
    ///
    /// # Errors
    /// What is wrong with it, for people; also where it is never due.
    pub fn parse(text: &str, zone: Zone) -> Result<Self, String> {
        let cron = CronParser::new().parse(text).map_err(|error| error.to_string())?;
        let recurrence = Self { cron, zone };
        // croner looks so far ahead that what it does not find does not come.
        match recurrence.next_after(Moment(0)) {
            Some(_) => Ok(recurrence),
            None => Err("it is never due".to_owned()),
        }
    }

    /// The next time, strictly later than a moment.
    pub fn next_after(&self, after: Moment) -> Option<Moment> {
        let next = self.cron.find_next_occurrence(&self.zone.at(after), false).ok()?;
        Some(moment(&next)).filter(|next| *next > after)
    }
}

impl fmt::Display for Recurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.cron.as_str(), self.zone)
    }
}

impl PartialEq for Recurrence {
    fn eq(&self, other: &Self) -> bool {
        self.cron.as_str() == other.cron.as_str() && self.zone == other.zone
    }
}

/// A part of every week, such as `Mon-Fri 09:00-17:00`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weekly {
    text: String,
    days: Vec<Weekday>,
    from: NaiveTime,
    /// `None` is midnight at the end of the day.
    to: Option<NaiveTime>,
}

impl Weekly {
    /// Reads `DAYS HH:MM-HH:MM`: days are `Mon`, `Mon-Fri`, `Sat,Sun` or `daily`; an end that is not after its beginning
    /// is on the next day.
    pub fn parse(text: &str) -> Option<Self> {
        let (days, hours) = text.trim().split_once(' ')?;
        let (from, to) = hours.trim().split_once('-')?;
        let time = |text: &str| NaiveTime::parse_from_str(text.trim(), "%H:%M").ok();
        let to = if to.trim() == "24:00" { None } else { Some(time(to)?) };
        let days = if days.eq_ignore_ascii_case("daily") {
            all_days()
        } else {
            days.split(',').map(days_of).collect::<Option<Vec<_>>>()?.concat()
        };
        Some(Self { text: text.trim().to_owned(), days, from: time(from)?, to })
    }

    /// The whole stretch that begins on a day.
    fn on(&self, date: NaiveDate, zone: Zone, read: Read) -> Option<(Moment, Moment)> {
        if !self.days.contains(&date.weekday()) {
            return None;
        }
        let tomorrow = date.checked_add_days(Days::new(1))?;
        let end = match self.to {
            Some(to) if to > self.from => date.and_time(to),
            Some(to) => tomorrow.and_time(to),
            None => tomorrow.and_time(NaiveTime::MIN),
        };
        Some(stretch(zone, (date.and_time(self.from), end), read))
    }
}

impl fmt::Display for Weekly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn stretch(zone: Zone, (from, to): (NaiveDateTime, NaiveDateTime), read: Read) -> (Moment, Moment) {
    match read {
        Read::Wide => (zone.shows(from, Hour::First), zone.shows(to, Hour::Second)),
        Read::Narrow => (zone.shows(from, Hour::Second), zone.shows(to, Hour::First)),
    }
}

fn all_days() -> Vec<Weekday> {
    (0..7).filter_map(|day: u8| Weekday::try_from(day).ok()).collect()
}

/// `Tue`, or `Mon-Fri`, also over the weekend's end: `Sat-Mon`.
fn days_of(text: &str) -> Option<Vec<Weekday>> {
    let Some((first, last)) = text.split_once('-') else { return Some(vec![text.parse().ok()?]) };
    let (first, last): (Weekday, Weekday) = (first.parse().ok()?, last.parse().ok()?);
    let mut days = vec![first];
    while days.last() != Some(&last) {
        days.push(days.last()?.succ());
    }
    Some(days)
}

/// Whole days on which nothing is to happen, both ends among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dates {
    from: NaiveDate,
    to: NaiveDate,
    reason: String,
}

impl Dates {
    /// From the first day to the last, both `2026-12-24`; `None` where one is no day, or the last is before the first.
    pub fn new(from: &str, to: &str, reason: &str) -> Option<Self> {
        let day = |text: &str| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
        let (from, to) = (day(from)?, day(to)?);
        (from <= to).then(|| Self { from, to, reason: reason.to_owned() })
    }

    fn stretch(&self, zone: Zone) -> (Moment, Moment) {
        let after = self.to.checked_add_days(Days::new(1)).unwrap_or(self.to);
        stretch(zone, (self.from.and_time(NaiveTime::MIN), after.and_time(NaiveTime::MIN)), Read::Wide)
    }
}

impl fmt::Display for Dates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}: {}", self.from, self.to, self.reason)
    }
}

/// When something may happen at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows {
    /// In whose time.
    pub zone: Zone,
    /// Only then; at any time where there are none.
    pub allowed: Vec<Weekly>,
    /// Not then.
    pub blocked: Vec<Weekly>,
    /// Nor on these days.
    pub dates: Vec<Dates>,
}

impl Windows {
    /// Whether something that begins now and lasts at most so long stays within what is allowed.
    ///
    /// # Errors
    /// What it would touch, for people.
    pub fn fits(&self, from: Moment, lasts: Duration) -> Result<(), String> {
        let to = from.plus(lasts);
        let touches = |(start, end): (Moment, Moment)| start < to && from < end;
        if let Some(dates) = self.dates.iter().find(|dates| touches(dates.stretch(self.zone))) {
            return Err(format!("blocked from {dates}"));
        }
        if let Some(weekly) =
            self.blocked.iter().find(|weekly| self.stretches(weekly, (from, to), Read::Wide).any(touches))
        {
            return Err(format!("blocked: {weekly} in {}", self.zone));
        }
        if self.allowed.is_empty() || self.covered_until(from, to) >= to {
            return Ok(());
        }
        let allowed: Vec<String> = self.allowed.iter().map(ToString::to_string).collect();
        Err(format!(
            "allowed only {} in {}, and it may last {}",
            allowed.join(", "),
            self.zone,
            fixtures::unit::Span(lasts)
        ))
    }

    /// Until when the allowed windows reach without a gap.
    fn covered_until(&self, from: Moment, to: Moment) -> Moment {
        let mut reached = from;
        loop {
            let stretches = self.allowed.iter().flat_map(|weekly| self.stretches(weekly, (from, to), Read::Narrow));
            let further =
                stretches.filter(|(start, end)| *start <= reached && *end > reached).map(|(_, end)| end).max();
            match further {
                Some(end) if end < to => reached = end,
                Some(end) => return end,
                None => return reached,
            }
        }
    }

    fn stretches(
        &self,
        weekly: &Weekly,
        (from, to): (Moment, Moment),
        read: Read,
    ) -> impl Iterator<Item = (Moment, Moment)> {
        // What began the day before may reach into this one.
        let first = self.zone.at(from).date_naive().checked_sub_days(Days::new(1)).unwrap_or(NaiveDate::MIN);
        let last = self.zone.at(to).date_naive();
        let (zone, weekly) = (self.zone, weekly.clone());
        first.iter_days().take_while(move |date| *date <= last).filter_map(move |date| weekly.on(date, zone, read))
    }
}
