//! Owns what makes the faults of a game-day file right in time: when each begins, how long it lasts, what it
//! waits for. Refuses to know what they do ([`super::kinds`]), and whether what they wait for comes ([`super::order`]).

use super::{Problems, kinds, order, uncut};
use crate::fault::Fault;
use crate::raw::{RawAfter, RawFault, RawScenario};
use crate::scenario::{After, Observed, Pulses, TimedFault, Windows};
use fixtures::decode::Located;
use fixtures::diagnostic::position;
use fixtures::unit::Span;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

/// Keys on which the room for recovery rests.
const WINDOWS: [&str; 2] = ["windows", "recovery"];
/// The most pulses of one fault.
const PULSES_MAX: u32 = 1_000;

/// A resolved fault with the places that complaints about its time and order point at.
pub(super) struct Placed {
    pub(super) fault: TimedFault,
    pub(super) time: Range<usize>,
}

pub(super) fn resolve(raw: &RawScenario, windows: &Windows, problems: &mut Problems<'_>) -> Vec<TimedFault> {
    let Some(list) = raw.faults.as_ref().filter(|list| !list.is_empty()) else {
        problems.missing("faults", None);
        return Vec::new();
    };
    let before = problems.errors();
    duplicates(list, problems);
    let placed: Vec<Placed> = list.iter().filter_map(|fault| one(fault, windows, problems)).collect();
    order::check(list, problems);
    // Times that were read wrong would make others look wrong. Of those that were not read, defaults stand here.
    let windows_read = problems.removed.iter().all(|removed| WINDOWS.iter().all(|key| removed.key != *key));
    let read = list.iter().all(|fault| !problems.touched(&fault.span()));
    if problems.errors() == before && windows_read && read {
        uncut::check(&placed, windows, problems);
    }
    placed.into_iter().map(|placed| placed.fault).collect()
}

fn duplicates(list: &[Located<RawFault>], problems: &mut Problems<'_>) {
    let mut first: BTreeMap<&str, Range<usize>> = BTreeMap::new();
    for name in list.iter().filter_map(|fault| fault.get().name.as_ref()) {
        if let Some(span) = first.get(name.get().as_str()) {
            let (line, _) = position(&problems.source.text, span.start);
            let message = format!("two faults are named `{}`", name.get());
            problems.error("duplicate-name", name.span(), message, format!("the first one is in line {line}"));
        } else {
            first.insert(name.get(), name.span());
        }
    }
}

fn one(located: &Located<RawFault>, windows: &Windows, problems: &mut Problems<'_>) -> Option<Placed> {
    let (raw, span) = (located.get(), located.span());
    let name = raw.name.as_ref().map(|name| problems.name(name));
    if name.is_none() {
        problems.missing("name", Some(span.clone()));
    }
    let fault = kinds::resolve(located, problems);
    let lasts = lasts(located, fault.as_ref(), windows, problems);
    let at = raw.at.as_ref().map_or(Duration::ZERO, |at| problems.whole_ms(at, "at"));
    let within = problems.positive(raw.within.as_ref(), "within", Duration::ZERO);
    let pulses = pulses(located, lasts, problems);
    let time = raw.at.as_ref().or(raw.lasts.as_ref()).map_or(span.clone(), Located::span);
    let after = match raw.after.as_ref() {
        None => None,
        Some(after) => Some(self::after(after, problems)?),
    };
    let fault = fault?;
    if raw.lasts.is_none() && !fault.is_instant() {
        return None;
    }
    let fault = TimedFault { name: name?, fault, after, at, within, pulses, lasts };
    Some(Placed { fault, time })
}

/// How long it lasts; zero where that was complained of, and for what happens in one instant.
fn lasts(
    located: &Located<RawFault>,
    fault: Option<&Fault>,
    windows: &Windows,
    problems: &mut Problems<'_>,
) -> Duration {
    let raw = located.get();
    let lasts = problems.positive(raw.lasts.as_ref(), "lasts", Duration::ZERO);
    match (&raw.lasts, fault) {
        (Some(written), Some(fault)) if fault.is_instant() => {
            let message = format!("`{}` happens in one instant: nothing of it lasts", fault.entry().kind);
            problems.error("instant-lasts", written.span(), message, "leave `lasts` out");
            Duration::ZERO
        }
        (None, Some(fault)) if fault.is_instant() => Duration::ZERO,
        (None, Some(_)) => {
            problems.missing("lasts", Some(located.span()));
            Duration::ZERO
        }
        // Whether it must last is not known before it is known what it does.
        (_, None) => lasts,
        // Trouble at boot disturbs nobody by itself.
        (Some(_), Some(Fault::Boot(_))) => lasts,
        (Some(written), _) => {
            if !lasts.is_zero() && lasts <= windows.shift {
                let message = format!("the fault is over before survivors must have shifted ({})", Span(windows.shift));
                let help = "Z1 will not be judged; let it last longer, or shorten `windows.shift`";
                problems.warning("shorter-than-shift", written.span(), message, help);
            }
            lasts
        }
    }
}

fn pulses(located: &Located<RawFault>, lasts: Duration, problems: &mut Problems<'_>) -> Pulses {
    let raw = located.get();
    let (every, times) = match (&raw.every, &raw.times) {
        (None, None) => return Pulses::ONCE,
        (Some(_), None) => {
            problems.missing("times", Some(located.span()));
            return Pulses::ONCE;
        }
        (None, Some(_)) => {
            problems.missing("every", Some(located.span()));
            return Pulses::ONCE;
        }
        (Some(every), Some(times)) => (every, times),
    };
    let times = problems.counted(Some(times), "times", 1, PULSES_MAX);
    let length = problems.positive(Some(every), "every", Duration::ZERO);
    // Even what happens in one instant is healed a millisecond later.
    if !length.is_zero() && length <= lasts.max(Duration::from_millis(1)) {
        let message = format!("each pulse lasts {} and the next begins after {}", Span(lasts), Span(length));
        problems.error("pulses-overlap", every.span(), message, "`every` must be longer than `lasts`");
    }
    Pulses { times, every: length }
}

/// What it waits for, or `None` where that was complained of.
fn after(located: &Located<RawAfter>, problems: &mut Problems<'_>) -> Option<After> {
    let observed = match located.get() {
        RawAfter::Round(name) => return Some(After::Round(name.clone())),
        RawAfter::Event(observed) => observed,
    };
    for (key, is_there) in [("service", observed.service.is_some()), ("becomes", observed.becomes.is_some())] {
        if !is_there {
            problems.missing(key, Some(located.span()));
        }
    }
    let zone = match &observed.zone {
        None => None,
        Some(zone) => Some(kinds::name(zone, problems)?),
    };
    let service = kinds::name(observed.service.as_ref()?, problems)?;
    Some(After::Event(Observed { service, zone, becomes: *observed.becomes.as_ref()?.get() }))
}
