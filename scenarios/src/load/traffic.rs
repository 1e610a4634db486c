//! Owns what customers send of a game-day file: rates, the mix of each zone, and how they try again. Refuses to know
//! whether an operation or a zone exists.

use super::Problems;
use crate::customers::{Portion, Retry, Traffic};
use crate::raw::{RawPortion, RawRetry, RawTraffic};
use fixtures::decode::Located;
use fixtures::graph::Backoff;
use fixtures::name::{OperationName, ZoneName};
use fixtures::unit::{Percent, Rate, Span};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

/// Attempts of a customer at most: more than any client library makes.
const ATTEMPTS_MAX: u32 = 20;
/// All requests of a zone, in parts per million.
const WHOLE: u64 = 1_000_000;

pub(super) fn traffic(located: Option<&Located<RawTraffic>>, problems: &mut Problems<'_>) -> Traffic {
    let none = RawTraffic::default();
    let raw = located.map_or(&none, Located::get);
    let rate = |value: Option<&Located<Rate>>, default| value.map_or(Rate { milli_per_s: default }, |rate| *rate.get());
    let timeout = problems.positive(raw.timeout.as_ref(), "timeout", Duration::from_secs(2));
    let silent = raw.canaries.as_ref().is_some_and(|asked| !*asked.get());
    if silent {
        said_in_vain(raw, problems);
    }
    Traffic {
        rate: if silent { Traffic::NOBODY } else { rate(raw.rate.as_ref(), 5_000) },
        writes: rate(raw.writes.as_ref(), 2_000),
        timeout,
        mix: mix(located, problems),
        retry: raw.retry.as_ref().map_or(Retry::ONCE, |retry| self::retry(retry, timeout, problems)),
    }
}

/// What is said of customers where there are none.
fn said_in_vain(raw: &RawTraffic, problems: &mut Problems<'_>) {
    let help = "leave it out, or let `canaries` be true";
    let places = [
        ("rate", raw.rate.as_ref().map(Located::span)),
        ("mix", raw.mix.as_ref().and_then(|mix| mix.first()).map(Located::span)),
        ("retry", raw.retry.as_ref().map(Located::span)),
    ];
    for (key, span) in places {
        if let Some(span) = span {
            problems.error("nobody-asks", span, format!("`{key}` of customers, and `canaries` is false"), help);
        }
    }
}

/// A portion as far as it is right, with its place.
struct Placed {
    portion: Portion,
    span: Range<usize>,
}

fn mix(located: Option<&Located<RawTraffic>>, problems: &mut Problems<'_>) -> Vec<Portion> {
    let Some((traffic, raw)) = located.and_then(|located| Some((located, located.get().mix.as_ref()?))) else {
        return Vec::new();
    };
    if raw.is_empty() && !problems.removed.iter().any(|removed| removed.key == "mix") {
        let help = "leave `mix` out: customers ask for the entry's operation alone then";
        problems.error("empty-list", traffic.span(), "`mix` names no operation", help);
    }
    let placed: Vec<Option<Placed>> = raw.iter().map(|raw| portion(raw, problems)).collect();
    // Of shares that could not be read nobody knows what they add up to.
    let whole = placed.iter().all(Option::is_some)
        && !problems.removed.iter().any(|removed| removed.key == "mix")
        && !raw.iter().any(|raw| problems.touched(&raw.span()));
    let placed: Vec<Placed> = placed.into_iter().flatten().collect();
    let groups = groups(&placed);
    twice(&placed, &groups, problems);
    if whole {
        add_up(&placed, &groups, problems);
    }
    placed.into_iter().map(|placed| placed.portion).collect()
}

fn portion(located: &Located<RawPortion>, problems: &mut Problems<'_>) -> Option<Placed> {
    let (raw, span) = (located.get(), located.span());
    let operation = raw.operation.as_ref().map(|name| problems.name(name));
    if operation.is_none() {
        problems.missing("operation", Some(span.clone()));
    }
    if raw.share.is_none() {
        problems.missing("share", Some(span.clone()));
    }
    let share = raw.share.as_ref();
    if let Some(share) = share.filter(|share| share.get().ppm == 0) {
        let help = "leave the operation out, or give it a share";
        problems.error("too-small", share.span(), "a share of 0% is no part of the requests", help);
    }
    if let Some(zones) = raw.zones.as_ref().filter(|zones| zones.get().is_empty()) {
        let help = "leave `zones` out to mean every zone that no portion names";
        problems.error("empty-list", zones.span(), "`zones` names no zone", help);
        return None;
    }
    let zones: Vec<String> = raw.zones.iter().flat_map(Located::get).map(|zone| problems.name(zone)).collect();
    let zones: Option<Vec<ZoneName>> = zones.into_iter().map(|zone| ZoneName::new(zone).ok()).collect();
    let (operation, share) = (OperationName::new(operation?).ok()?, *share?.get());
    Some(Placed { portion: Portion { operation, share, zones: zones? }, span })
}

/// Positions of the portions of each zone that is named; under no name those of all others.
fn groups(placed: &[Placed]) -> BTreeMap<Option<&ZoneName>, Vec<usize>> {
    let mut groups: BTreeMap<Option<&ZoneName>, Vec<usize>> = BTreeMap::new();
    for (at, Placed { portion, .. }) in placed.iter().enumerate() {
        if portion.zones.is_empty() {
            groups.entry(None).or_default().push(at);
        }
        for zone in portion.zones.iter().collect::<BTreeSet<_>>() {
            groups.entry(Some(zone)).or_default().push(at);
        }
    }
    groups
}

/// An operation that has two shares in one zone.
fn twice(placed: &[Placed], groups: &BTreeMap<Option<&ZoneName>, Vec<usize>>, problems: &mut Problems<'_>) {
    let mut told = BTreeSet::new();
    for group in groups.values() {
        let mut seen = BTreeSet::new();
        for &at in group {
            let operation = &placed[at].portion.operation;
            if !seen.insert(operation) && told.insert(at) {
                let message = format!("`{operation}` has two shares in one zone");
                problems.error("duplicate-operation", placed[at].span.clone(), message, "add them up in one entry");
            }
        }
    }
}

/// Shares of a zone that are not all of its requests; told once where several zones have the same portions.
fn add_up(placed: &[Placed], groups: &BTreeMap<Option<&ZoneName>, Vec<usize>>, problems: &mut Problems<'_>) {
    let mut wrong: BTreeMap<&Vec<usize>, Vec<String>> = BTreeMap::new();
    for (zone, group) in groups {
        let sum: u64 = group.iter().map(|&at| u64::from(placed[at].portion.share.ppm)).sum();
        if sum != WHOLE {
            let word = zone.map_or_else(|| "zones that no portion names".to_owned(), ToString::to_string);
            wrong.entry(group).or_default().push(word);
        }
    }
    for (group, zones) in wrong {
        let sum: u64 = group.iter().map(|&at| u64::from(placed[at].portion.share.ppm)).sum();
        let sum = Percent { ppm: u32::try_from(sum).unwrap_or(u32::MAX) };
        let message = format!("the shares of customers in {} add up to {sum}, not to 100%", zones.join(" and "));
        let help = "change one of them, or add the operation that is missing; in a zone that is named only portions that name it count";
        let first = group.first().map_or(0..0, |&at| placed[at].span.clone());
        problems.error("shares", first, message, help);
    }
}

fn retry(located: &Located<RawRetry>, patience: Duration, problems: &mut Problems<'_>) -> Retry {
    let raw = located.get();
    let attempts = problems.counted(raw.attempts.as_ref(), "attempts", 2, ATTEMPTS_MAX);
    let own = raw.timeout.as_ref().map(|timeout| problems.positive(Some(timeout), "timeout", patience));
    if let (Some(own), Some(written)) = (own.filter(|own| *own > patience), &raw.timeout) {
        let message = format!("one attempt ({}) is longer than a request ({})", Span(own), Span(patience));
        problems.error("retry-timeout", written.span(), message, "shorten it, or lengthen `traffic.timeout`");
    }
    let mut pause = |value: Option<&Located<Span>>, key, default| {
        value.map_or(default, |value: &Located<Span>| problems.whole_ms(value, key))
    };
    let backoff = Backoff {
        base: pause(raw.backoff.as_ref(), "backoff", Retry::BACKOFF.base),
        cap: pause(raw.cap.as_ref(), "cap", Retry::BACKOFF.cap),
        jitter: raw.jitter.as_ref().map_or(Retry::BACKOFF.jitter, |jitter| *jitter.get()),
    };
    if backoff.base > backoff.cap && !problems.touched(&located.span()) {
        let message = format!("the first pause ({}) is above the cap ({})", Span(backoff.base), Span(backoff.cap));
        let span = raw.backoff.as_ref().or(raw.cap.as_ref()).map_or(located.span(), Located::span);
        problems.error("min-above-max", span, message, "without an entry, `backoff` is 100ms and `cap` is 1s");
    }
    if let Some(budget) = raw.budget.as_ref().filter(|budget| budget.get().ppm == 0) {
        let help = "say `attempts = 1`, or leave `[traffic.retry]` out";
        problems.error("too-small", budget.span(), "a budget of 0% allows no retry", help);
    }
    let equal = |attempts: u32| {
        let ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX) / u64::from(attempts);
        Duration::from_millis(ms.max(1))
    };
    Retry {
        attempts,
        timeout: own.or((attempts > 1).then(|| equal(attempts))),
        backoff,
        budget: raw.budget.as_ref().map(|budget| *budget.get()),
    }
}
