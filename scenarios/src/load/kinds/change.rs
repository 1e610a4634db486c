//! Owns what is done by a configuration push or a deployment: from the key that says it to the fault. Refuses to know
//! whether the graph has such a service and such calls; that is [`crate::bind`]'s.

use super::{Problems, name, selection};
use crate::fault::{Deploy, Fault, Push, Rollout};
use crate::raw::{RawCallSettings, RawFault, RawRollout, RawVersion};
use fixtures::decode::Located;
use fixtures::version::{CallSettings, Settings};
use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

/// The most attempts of a call.
const ATTEMPTS_MAX: u32 = 100;
const SET_HELP: &str = "one or more of `work = \"2ms\"`, `capacity = \"50/s\"`, `fails = true`, `starts = false` (of a \
                        deployment), and `calls = [{ to = \"store\", timeout = \"50ms\" }]`";

/// The fault, where it is one of these.
pub(super) fn resolve(raw: &RawFault, problems: &mut Problems<'_>) -> Option<Fault> {
    if let Some(written) = &raw.push {
        return rollout(written, raw, false, problems).map(|rollout| Fault::Push(Push(rollout)));
    }
    let written = raw.deploy.as_ref()?;
    rollout(written, raw, true, problems).map(|rollout| Fault::Deploy(Deploy(rollout)))
}

fn rollout(
    located: &Located<RawRollout>,
    fault: &RawFault,
    at_start: bool,
    problems: &mut Problems<'_>,
) -> Option<Rollout> {
    let raw = located.get();
    for (key, is_there) in [("service", raw.service.is_some()), ("set", raw.set.is_some())] {
        if !is_there {
            problems.missing(key, Some(located.span()));
        }
    }
    let zones = selection(raw.written(), problems).zones;
    let set = raw.set.as_ref().map(|set| settings(set, at_start, problems));
    let bake = raw.bake_time.as_ref().map(|bake| problems.positive(Some(bake), "bake-time", Duration::ZERO));
    let stop = raw.stop_on_failure.as_ref().filter(|stop| *stop.get());
    if let (Some(stop), None, false) = (stop, bake, problems.touched(&located.span())) {
        let message = "a rollout to all zones at once has no next zone to stop before";
        problems.error(
            "no-bake-time",
            stop.span(),
            message,
            "say with `bake-time = \"10s\"` how long each zone is watched",
        );
    }
    if let (Some(_), Some(every)) = (bake, &fault.every) {
        let message = "a rollout from zone to zone is made once";
        problems.error("rollout-again", every.span(), message, "leave `every` and `times` out, or `bake-time`");
    }
    let service = raw.service.as_ref().and_then(|service| name(service, problems))?;
    Some(Rollout { service, set: set?, zones, bake, stop_on_failure: stop.is_some() })
}

fn settings(located: &Located<RawVersion>, at_start: bool, problems: &mut Problems<'_>) -> Settings {
    let (raw, span) = (located.get(), located.span());
    let one_sided = [("fails", &raw.fails, true), ("starts", &raw.starts, false)];
    for (key, written, telling) in one_sided {
        if let Some(written) = written.as_ref().filter(|written| *written.get() != telling) {
            let message = format!("`{key} = {}` changes nothing", written.get());
            problems.error("nothing-changes", written.span(), message, "leave it out");
        }
    }
    if let (Some(starts), false) = (&raw.starts, at_start) {
        let message = "a push reaches processes that run: whether they start is not its matter";
        problems.error("push-does-not-start", starts.span(), message, "use `deploy`");
    }
    let set = Settings {
        work: raw.work.as_ref().map(|work| problems.whole_ms(work, "work")),
        capacity: raw.capacity.as_ref().map(|capacity| *capacity.get()),
        fails: raw.fails.as_ref().is_some_and(|fails| *fails.get()),
        does_not_start: raw.starts.as_ref().is_some_and(|starts| !starts.get()),
        calls: calls(raw, problems),
    };
    let silent = Settings { does_not_start: true, ..Settings::default() };
    if set.does_not_start && set != silent {
        let message = "a version that does not start has no other settings that anybody could see";
        problems.error("does-not-start", span.clone(), message, "leave `starts` out, or everything else");
    }
    let nothing = [raw.work.is_none(), raw.capacity.is_none(), raw.fails.is_none(), raw.starts.is_none()];
    if nothing.into_iter().all(|nothing| nothing) && raw.calls.is_none() && !problems.touched(&span) {
        problems.error("nothing-changes", span, "the version is the one that there is", SET_HELP);
    }
    set
}

fn calls(raw: &RawVersion, problems: &mut Problems<'_>) -> Vec<CallSettings> {
    let Some(list) = &raw.calls else { return Vec::new() };
    if list.get().is_empty() {
        problems.error("empty-list", list.span(), "`calls` is empty", "leave it out");
    }
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for to in list.get().iter().filter_map(|call| call.get().to.as_ref()) {
        if !seen.insert(to.get()) {
            let message = format!("calls to `{}` are changed twice", to.get());
            problems.error("duplicate-name", to.span(), message, "make one of them");
        }
    }
    list.get().iter().filter_map(|located| call(located.get(), located.span(), problems)).collect()
}

fn call(raw: &RawCallSettings, span: Range<usize>, problems: &mut Problems<'_>) -> Option<CallSettings> {
    if raw.to.is_none() {
        problems.missing("to", Some(span.clone()));
    }
    if raw.timeout.is_none() && raw.attempts.is_none() && raw.strength.is_none() && !problems.touched(&span) {
        let help = "give at least one of `timeout`, `attempts` and `strength`";
        problems.error("nothing-changes", span, "these calls are made as before", help);
    }
    let timeout = raw.timeout.as_ref().map(|timeout| problems.positive(Some(timeout), "timeout", Duration::ZERO));
    let attempts = raw.attempts.as_ref().map(|attempts| problems.counted(Some(attempts), "attempts", 1, ATTEMPTS_MAX));
    let strength = raw.strength.as_ref().map(|strength| *strength.get());
    let to = raw.to.as_ref().and_then(|to| name(to, problems))?;
    Some(CallSettings { to, timeout, attempts, strength })
}
