//! Owns what is done by a fault of what a region shares: from the key that says it to the fault. Refuses to know whether
//! the region has such a thing.

use super::{Problems, millis, selection};
use crate::fault::{
    ClockWrong, Fault, GrantsExpired, GrantsRefused, NamesDead, NamesEmpty, NamesSlow, NamesStale, NamesWrong,
};
use crate::raw::{RawClock, RawFault};
use fixtures::decode::Located;
use std::time::Duration;

/// The fault, where it is one of these.
pub(super) fn resolve(raw: &RawFault, problems: &mut Problems<'_>) -> Option<Fault> {
    if let Some(raw) = &raw.names_empty {
        return Some(Fault::NamesEmpty(NamesEmpty { hosts: selection(raw.get().written(), problems) }));
    }
    if let Some(raw) = &raw.names_stale {
        return Some(Fault::NamesStale(NamesStale { hosts: selection(raw.get().written(), problems) }));
    }
    if let Some(raw) = &raw.names_wrong {
        return Some(Fault::NamesWrong(NamesWrong { hosts: selection(raw.get().written(), problems) }));
    }
    if let Some(raw) = &raw.names_dead {
        return Some(Fault::NamesDead(NamesDead { hosts: selection(raw.get().written(), problems) }));
    }
    if let Some(raw) = &raw.names_slow {
        let hosts = selection(raw.get().written(), problems);
        if raw.get().delay.is_none() {
            problems.missing("delay", Some(raw.span()));
        }
        let delay = problems.positive(raw.get().delay.as_ref(), "delay", Duration::ZERO);
        return Some(Fault::NamesSlow(NamesSlow { hosts, delay }));
    }
    if let Some(raw) = &raw.grants_refused {
        return Some(Fault::GrantsRefused(GrantsRefused { hosts: selection(raw.get().written(), problems) }));
    }
    if let Some(raw) = &raw.grants_expired {
        return Some(Fault::GrantsExpired(GrantsExpired { hosts: selection(raw.get().written(), problems) }));
    }
    raw.clock_wrong.as_ref().map(|raw| clock(raw, problems))
}

fn clock(located: &Located<RawClock>, problems: &mut Problems<'_>) -> Fault {
    let raw = located.get();
    let hosts = selection(raw.written(), problems);
    let help = "one of `ahead = \"1h\"` and `behind = \"1h\"`";
    match (&raw.ahead, &raw.behind) {
        (Some(_), Some(behind)) => {
            let message = "a clock is ahead or behind, not both";
            problems.error("two-clock-errors", behind.span(), message, help);
        }
        (None, None) if !problems.touched(&located.span()) => {
            problems.error("no-clock-error", located.span(), "nothing is wrong with these clocks", help);
        }
        _ => {}
    }
    let ahead = millis(problems.positive(raw.ahead.as_ref(), "ahead", Duration::ZERO));
    let behind = millis(problems.positive(raw.behind.as_ref(), "behind", Duration::ZERO));
    let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    Fault::ClockWrong(ClockWrong { hosts, ahead_ms: signed(ahead) - signed(behind) })
}
