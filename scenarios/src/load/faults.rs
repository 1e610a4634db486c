//! Owns what makes the faults of a game-day file right: each says one thing, at a time that leaves room for recovery.
//! Refuses to know whether the hosts exist.

use super::{NAME_HELP, Problems};
use crate::fault::{Fault, PowerOff, Selection};
use crate::plan::{Unsynced, round_numbers};
use crate::raw::{RawFault, RawPowerOff, RawScenario};
use crate::scenario::{After, Pulses, TimedFault, Windows};
use fixtures::decode::Located;
use fixtures::diagnostic::position;
use fixtures::name::NameError;
use fixtures::nearest::nearest;
use fixtures::unit::Span;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

/// A resolved fault with the places that complaints about its time and order point at.
struct Placed {
    fault: TimedFault,
    time: Range<usize>,
    after: Option<Range<usize>>,
}

pub(super) fn resolve(raw: &RawScenario, windows: &Windows, problems: &mut Problems<'_>) -> Vec<TimedFault> {
    let Some(list) = raw.faults.as_ref().filter(|list| !list.is_empty()) else {
        problems.missing("faults", None);
        return Vec::new();
    };
    duplicates(list, problems);
    let placed: Vec<Placed> = list.iter().filter_map(|fault| one(fault, windows, problems)).collect();
    // A fault that was left out because of its own mistakes would make others look wrong.
    if placed.len() == list.len() && references(&placed, problems) {
        recovery_is_uncut(&placed, windows, problems);
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
    let lasts = problems.positive(raw.lasts.as_ref(), "lasts", Duration::ZERO);
    match &raw.lasts {
        None => problems.missing("lasts", Some(span.clone())),
        Some(written) if !lasts.is_zero() && lasts <= windows.shift => {
            let message = format!("the fault is over before survivors must have shifted ({})", Span(windows.shift));
            let help = "Z1 will not be judged; let it last longer, or shorten `windows.shift`";
            problems.warning("shorter-than-shift", written.span(), message, help);
        }
        Some(_) => {}
    }
    let at = raw.at.as_ref().map_or(Duration::ZERO, |at| problems.whole_ms(at, "at"));
    let Some(power_off) = &raw.power_off else {
        let message = "the fault does nothing";
        if !problems.removed.iter().any(|removed| span.start <= removed.span.start) {
            problems.error("no-fault-kind", span, message, "say what is done: `power-off = { zones = [\"az1\"] }`");
        }
        return None;
    };
    let fault = Fault::PowerOff(self::power_off(power_off, problems));
    let time = raw.at.as_ref().or(raw.lasts.as_ref()).map_or(span, Located::span);
    let after_place = raw.after.as_ref().map(Located::span);
    raw.lasts.as_ref()?;
    let after = raw.after.as_ref().map(|after| After::Round(after.get().clone()));
    let fault = TimedFault { name: name?, fault, after, at, within: Duration::ZERO, pulses: Pulses::ONCE, lasts };
    Some(Placed { fault, time, after: after_place })
}

fn power_off(located: &Located<RawPowerOff>, problems: &mut Problems<'_>) -> PowerOff {
    let raw = located.get();
    let hosts = Selection {
        zones: names(raw.zones.as_ref(), "zones", "the whole region", problems),
        services: names(raw.services.as_ref(), "services", "every host", problems),
        ..Selection::default()
    };
    PowerOff { hosts, unsynced: Unsynced::Lost }
}

/// A list of names that, where it is written, holds at least one.
fn names<N: TryFrom<String, Error = NameError>>(
    list: Option<&Located<Vec<Located<String>>>>,
    key: &str,
    all: &str,
    problems: &mut Problems<'_>,
) -> Vec<N> {
    let Some(list) = list else { return Vec::new() };
    if list.get().is_empty() {
        problems.error("empty-list", list.span(), format!("`{key}` is empty"), format!("leave it out to mean {all}"));
    }
    let mut names = Vec::new();
    for text in list.get() {
        match N::try_from(text.get().clone()) {
            Ok(name) => names.push(name),
            Err(error) => problems.error("bad-name", text.span(), error.to_string(), NAME_HELP),
        }
    }
    names
}

/// Every `after` names another fault, and none goes round in a circle. False where something was wrong.
fn references(placed: &[Placed], problems: &mut Problems<'_>) -> bool {
    let names: Vec<&str> = placed.iter().map(|placed| placed.fault.name.as_str()).collect();
    let before = problems.found.len();
    for one in placed {
        let (Some(After::Round(after)), Some(span)) = (&one.fault.after, &one.after) else { continue };
        if !names.contains(&after.as_str()) {
            let help = match nearest(after, names.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("faults here: {}", names.join(", ")),
            };
            problems.error("unknown-fault", span.clone(), format!("no fault `{after}`"), help);
        } else if in_circle(placed, &one.fault) {
            let message = format!("`{}` comes after itself", one.fault.name);
            problems.error("after-cycle", span.clone(), message, "leave `after` out at the fault that comes first");
        }
    }
    problems.found.len() == before
}

fn in_circle(placed: &[Placed], start: &TimedFault) -> bool {
    let mut here = start;
    for _ in placed {
        let Some(After::Round(after)) = &here.after else { return false };
        let Some(next) = placed.iter().find(|one| &one.fault.name == after) else { return false };
        here = &next.fault;
        if here.name == start.name {
            return true;
        }
    }
    false
}

/// Between a heal and the next step of its round there must be room for the whole recovery window: else whoever is
/// slow would be judged on less time than the file promises.
fn recovery_is_uncut(placed: &[Placed], windows: &Windows, problems: &mut Problems<'_>) {
    let faults: Vec<TimedFault> = placed.iter().map(|placed| placed.fault.clone()).collect();
    let rounds = round_numbers(&faults);
    for (healed, round) in faults.iter().zip(&rounds) {
        let heal = healed.at.saturating_add(healed.lasts);
        for (other, _) in placed.iter().zip(&rounds).filter(|(_, number)| *number == round) {
            let inject = other.fault.at;
            let end = inject.saturating_add(other.fault.lasts);
            let cut = |step: Duration| step > heal && step - heal < windows.recovery;
            let own = other.fault.name == healed.name;
            let what = if !own && (inject == heal || cut(inject)) {
                ("begins", inject)
            } else if cut(end) {
                ("ends", end)
            } else {
                continue;
            };
            let message = format!(
                "`{}` {} {} after `{}` is healed, inside its recovery window of {}",
                other.fault.name,
                what.0,
                Span(what.1 - heal),
                healed.name,
                Span(windows.recovery)
            );
            let help = format!(
                "let it happen at {} of the round or later, end both together, shorten `windows.recovery`, or begin a \
                 new round with `after = \"{}\"`",
                Span(heal.saturating_add(windows.recovery)),
                healed.name
            );
            problems.error("recovery-cut", other.time.clone(), message, help);
        }
    }
}
