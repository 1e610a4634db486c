//! Owns what is done by a fault of a game-day file: from the one key that says it to the fault. Refuses to know when it
//! happens, and whether the hosts exist.

mod change;
mod commons;

use super::{NAME_HELP, Problems};
use crate::fault::{
    Boot, Cut, CutShape, DELAY_MIN, DiskErrors, DiskFull, DiskSlow, Exit, FACTOR_MAX, Fault, Freeze, GrayZone, Kill,
    Link, Memory, Pause, PowerOff, Processor, Restart, Selection, Shift, Surge,
};
use crate::plan::{BootTrouble, Shape, Unsynced};
use crate::raw::{RawBoot, RawCut, RawFault, RawGrayZone, RawLink, RawSet, RawSurge, Written};
use fixtures::decode::{Located, Removed};
use fixtures::name::{HostName, NameError, ServiceName, ZoneName};
use fixtures::unit::{Percent, Span};
use std::ops::Range;
use std::time::Duration;

/// Keys of a fault that do not say what is done.
const OTHER_KEYS: [&str; 7] = ["name", "after", "at", "within", "every", "times", "lasts"];

/// The longest list of hosts that boot at a time, and the most that a share can be.
const AT_ONCE_MAX: u32 = 10_000;

impl Problems<'_> {
    /// Whether something was taken out of a fault that may have been what is done.
    fn kind_was_removed(&self, fault: &Range<usize>) -> bool {
        let is_other = |key: &str| OTHER_KEYS.contains(&key);
        let may_be = |removed: &Removed| !is_other(removed.meant.as_deref().unwrap_or(&removed.key));
        self.removed_in(&self.extent(fault)).any(may_be)
    }
}

/// The fault, or `None` where nothing or too much is done.
pub(super) fn resolve(located: &Located<RawFault>, problems: &mut Problems<'_>) -> Option<Fault> {
    let (raw, span) = (located.get(), located.span());
    let kinds = raw.kinds();
    if let Some(((first, _), others)) = kinds.split_first()
        && !others.is_empty()
    {
        for (kind, place) in others {
            let message = format!("the fault does more than one thing, `{first}` and `{kind}`");
            problems.error("two-fault-kinds", place.clone(), message, "give each its own `[[faults]]`");
        }
        return None;
    }
    if kinds.is_empty() {
        if !problems.kind_was_removed(&span) {
            let help = "say what is done: `power-off = { zones = [\"az1\"] }`";
            problems.error("no-fault-kind", span, "the fault does nothing", help);
        }
        return None;
    }
    hosts(raw, problems)
        .or_else(|| disks(raw, problems))
        .or_else(|| network(raw, problems))
        .or_else(|| commons::resolve(raw, problems))
        .or_else(|| change::resolve(raw, problems))
        .or_else(|| switches(raw, problems))
}

fn hosts(raw: &RawFault, problems: &mut Problems<'_>) -> Option<Fault> {
    if let Some(raw) = raw.power_off.as_ref().map(Located::get) {
        let unsynced = raw.unsynced.as_ref().map_or(Unsynced::Lost, |unsynced| *unsynced.get());
        return Some(Fault::PowerOff(PowerOff { hosts: selection(raw.written(), problems), unsynced }));
    }
    if let Some(raw) = &raw.boot {
        let hosts = selection(raw.get().written(), problems);
        return Some(Fault::Boot(Boot { hosts, trouble: trouble(raw, problems) }));
    }
    if let Some(raw) = &raw.processor {
        let hosts = selection(raw.get().written(), problems);
        let left = part(raw.get().left.as_ref(), "left", raw.span(), problems);
        return Some(Fault::Processor(Processor { hosts, left }));
    }
    if let Some(raw) = &raw.memory {
        let hosts = selection(raw.get().written(), problems);
        let fill = part(raw.get().fill.as_ref(), "fill", raw.span(), problems);
        return Some(Fault::Memory(Memory { hosts, fill }));
    }
    if let Some(raw) = &raw.pause {
        return Some(Fault::Pause(Pause { hosts: selection(raw.get().written(), problems) }));
    }
    if let Some(raw) = &raw.kill {
        return Some(Fault::Kill(Kill { hosts: selection(raw.get().written(), problems) }));
    }
    if let Some(raw) = &raw.exit {
        return Some(Fault::Exit(Exit { hosts: selection(raw.get().written(), problems) }));
    }
    let raw = raw.restart.as_ref()?.get();
    Some(Fault::Restart(Restart { hosts: selection(raw.written(), problems) }))
}

fn disks(raw: &RawFault, problems: &mut Problems<'_>) -> Option<Fault> {
    if let Some(raw) = &raw.disk_full {
        return Some(Fault::DiskFull(DiskFull { zones: selection(raw.get().written(), problems).zones }));
    }
    if let Some(raw) = &raw.disk_errors {
        return Some(Fault::DiskErrors(DiskErrors { zones: selection(raw.get().written(), problems).zones }));
    }
    let raw = raw.disk_slow.as_ref()?;
    let zones = selection(raw.get().written(), problems).zones;
    if raw.get().delay.is_none() {
        problems.missing("delay", Some(raw.span()));
    }
    let delay = problems.positive(raw.get().delay.as_ref(), "delay", Duration::ZERO);
    if let Some(written) = raw.get().delay.as_ref().filter(|_| !delay.is_zero() && delay < DELAY_MIN) {
        let message = format!("a delay of {}", Span(delay));
        let help =
            format!("at least {}: the kernel holds writes back in slices of a tenth of a second", Span(DELAY_MIN));
        problems.error("too-small", written.span(), message, help);
    }
    Some(Fault::DiskSlow(DiskSlow { zones, delay }))
}

fn network(raw: &RawFault, problems: &mut Problems<'_>) -> Option<Fault> {
    if let Some(raw) = &raw.cut {
        return Some(Fault::Cut(cut(raw, problems)));
    }
    if let Some(raw) = &raw.link {
        return Some(Fault::Link(link(raw, problems)));
    }
    raw.gray_zone.as_ref().and_then(|raw| gray_zone(raw, problems)).map(Fault::GrayZone)
}

fn switches(raw: &RawFault, problems: &mut Problems<'_>) -> Option<Fault> {
    if let Some(raw) = &raw.freeze {
        return Some(Fault::Freeze(Freeze { hosts: selection(raw.get().written(), problems) }));
    }
    if let Some(raw) = &raw.surge {
        let factor = factor(raw, problems);
        return Some(Fault::Surge(Surge { zones: selection(raw.get().written(), problems), factor }));
    }
    let raw = raw.shift.as_ref()?;
    if raw.get().zones.is_none() {
        problems.missing("zones", Some(raw.span()));
    }
    Some(Fault::Shift(Shift { zones: selection(raw.get().written(), problems) }))
}

fn factor(located: &Located<RawSurge>, problems: &mut Problems<'_>) -> u32 {
    let Some(written) = &located.get().factor else {
        problems.missing("factor", Some(located.span()));
        return 2;
    };
    let factor = *written.get();
    if !(2..=FACTOR_MAX).contains(&factor) {
        let help = format!("a whole number from 2 to {FACTOR_MAX}");
        problems.error("out-of-range", written.span(), format!("{factor} times as much"), help);
    }
    factor
}

fn selection(written: Written<'_>, problems: &mut Problems<'_>) -> Selection {
    let share = written.share.map(|share| part(Some(share), "share", share.span(), problems));
    let named: Vec<String> = list(written.hosts, "hosts", "every host", problems);
    Selection {
        zones: names::<ZoneName>(written.zones, "zones", "the whole region", problems),
        services: names::<ServiceName>(written.services, "services", "every host", problems),
        hosts: named.into_iter().map(HostName).collect(),
        share,
    }
}

/// A share above zero.
fn part(written: Option<&Located<Percent>>, key: &str, table: Range<usize>, problems: &mut Problems<'_>) -> Percent {
    let Some(written) = written else {
        problems.missing(key, Some(table));
        return Percent { ppm: 0 };
    };
    if written.get().ppm < 1_000 {
        let message = format!("`{key}` is {}", written.get());
        problems.error("too-small", written.span(), message, "at least 0.1%, or leave the fault out");
    }
    *written.get()
}

fn trouble(located: &Located<RawBoot>, problems: &mut Problems<'_>) -> BootTrouble {
    let (raw, span) = (located.get(), located.span());
    let help = "one of `late = \"5s\"`, `never = true`, and `at-once = 2` with `each = \"1s\"`";
    let bottleneck = raw.at_once.is_some() || raw.each.is_some();
    let ways = [raw.late.is_some(), raw.never.is_some(), bottleneck].into_iter().filter(|way| *way).count();
    if ways > 1 {
        problems.error("two-boot-troubles", span, "hosts fail to boot in one way at a time", help);
        return BootTrouble::Never;
    }
    if let Some(never) = &raw.never {
        if !never.get() {
            problems.error("never-false", never.span(), "`never = false` is no trouble", help);
        }
        return BootTrouble::Never;
    }
    if bottleneck {
        for (key, is_there) in [("at-once", raw.at_once.is_some()), ("each", raw.each.is_some())] {
            if !is_there {
                problems.missing(key, Some(span.clone()));
            }
        }
        let at_once = problems.counted(raw.at_once.as_ref(), "at-once", 1, AT_ONCE_MAX);
        let each = problems.positive(raw.each.as_ref(), "each", Duration::ZERO);
        return BootTrouble::Bottleneck { at_once: at_once as usize, each_ms: millis(each) };
    }
    if raw.late.is_none() && !problems.touched(&span) {
        problems.error("no-boot-trouble", span, "nothing is wrong with these boots", help);
    }
    BootTrouble::Late(millis(problems.positive(raw.late.as_ref(), "late", Duration::ZERO)))
}

fn cut(located: &Located<RawCut>, problems: &mut Problems<'_>) -> Cut {
    let raw = located.get();
    let shape = raw.shape.as_ref().map_or(CutShape::Full, |shape| *shape.get());
    if shape == CutShape::Full {
        if raw.from.is_none() && !problems.touched(&located.span()) {
            problems.missing("from", Some(located.span()));
        }
    } else {
        let one_way = raw.one_way.as_ref().filter(|one_way| *one_way.get()).map(Located::span);
        for (key, place) in [("to", raw.to.as_ref().map(Located::span)), ("one-way", one_way)] {
            let Some(place) = place else { continue };
            let message = format!("`{key}` has no meaning in a partial partition");
            problems.error("partial-cut", place, message, "it is made among the members of `from`; leave it out");
        }
    }
    Cut {
        from: set(raw.from.as_ref(), problems).unwrap_or_default(),
        to: set(raw.to.as_ref(), problems),
        shape,
        one_way: raw.one_way.as_ref().is_some_and(|one_way| *one_way.get()),
        refuse: raw.refuse.as_ref().is_some_and(|refuse| *refuse.get()),
    }
}

fn set(raw: Option<&Located<RawSet>>, problems: &mut Problems<'_>) -> Option<Selection> {
    raw.map(|raw| selection(raw.get().written(), problems))
}

fn link(located: &Located<RawLink>, problems: &mut Problems<'_>) -> Link {
    let raw = located.get();
    if raw.from.is_none() {
        problems.missing("from", Some(located.span()));
    }
    let shape = Shape {
        latency_us: micros(raw.latency.as_ref(), "latency", problems),
        jitter_us: micros(raw.jitter.as_ref(), "jitter", problems),
        loss_ppm: raw.loss.as_ref().map_or(0, |loss| loss.get().ppm),
        duplicate_ppm: raw.duplicate.as_ref().map_or(0, |duplicate| duplicate.get().ppm),
        rate: raw.bandwidth.as_ref().map_or(0, |bandwidth| bandwidth.get().bytes_per_s),
    };
    if let Some(jitter) = raw.jitter.as_ref().filter(|_| shape.jitter_us > shape.latency_us) {
        let message = format!("a jitter of {} around a latency of {}", jitter.get(), micro_span(shape.latency_us));
        problems.error(
            "jitter-too-wide",
            jitter.span(),
            message,
            "no packet comes before it was sent: at most `latency`",
        );
    }
    shaped(shape, located.span(), "`latency`, `jitter`, `loss`, `duplicate` and `bandwidth`", problems);
    Link {
        from: set(raw.from.as_ref(), problems).unwrap_or_default(),
        to: set(raw.to.as_ref(), problems),
        shape,
        one_way: raw.one_way.as_ref().is_some_and(|one_way| *one_way.get()),
    }
}

fn gray_zone(located: &Located<RawGrayZone>, problems: &mut Problems<'_>) -> Option<GrayZone> {
    let raw = located.get();
    let shape = Shape {
        latency_us: micros(raw.latency.as_ref(), "latency", problems),
        loss_ppm: raw.loss.as_ref().map_or(0, |loss| loss.get().ppm),
        ..Shape::default()
    };
    shaped(shape, located.span(), "`latency` and `loss`", problems);
    let Some(zone) = &raw.zone else {
        problems.missing("zone", Some(located.span()));
        return None;
    };
    let zone: ZoneName = name(zone, problems)?;
    Some(GrayZone { zone, shape })
}

/// Something must be asked of a link, unless what was asked has been complained of.
fn shaped(shape: Shape, span: Range<usize>, ways: &str, problems: &mut Problems<'_>) {
    if shape == Shape::default() && !problems.touched(&span) {
        problems.error("link-unchanged", span, "packets would pass as before", format!("give at least one of {ways}"));
    }
}

fn micros(written: Option<&Located<Span>>, key: &str, problems: &mut Problems<'_>) -> u64 {
    let Some(written) = written else { return 0 };
    let duration = written.get().0;
    if !duration.as_nanos().is_multiple_of(1_000) {
        problems.error("too-fine", written.span(), format!("`{key}` is no whole number of microseconds"), "round it");
    }
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn micro_span(us: u64) -> Span {
    Span(Duration::from_micros(us))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A list that, where it is written, holds at least one.
fn list(
    list: Option<&Located<Vec<Located<String>>>>,
    key: &str,
    all: &str,
    problems: &mut Problems<'_>,
) -> Vec<String> {
    let Some(list) = list else { return Vec::new() };
    if list.get().is_empty() {
        problems.error("empty-list", list.span(), format!("`{key}` is empty"), format!("leave it out to mean {all}"));
    }
    list.get().iter().map(|text| text.get().clone()).collect()
}

/// The same of names.
fn names<N: TryFrom<String, Error = NameError>>(
    written: Option<&Located<Vec<Located<String>>>>,
    key: &str,
    all: &str,
    problems: &mut Problems<'_>,
) -> Vec<N> {
    list(written, key, all, problems);
    written.into_iter().flat_map(Located::get).filter_map(|text| name(text, problems)).collect()
}

/// A name, or a complaint.
pub(super) fn name<N: TryFrom<String, Error = NameError>>(
    text: &Located<String>,
    problems: &mut Problems<'_>,
) -> Option<N> {
    let name = N::try_from(text.get().clone());
    name.map_err(|error| problems.error("bad-name", text.span(), error.to_string(), NAME_HELP)).ok()
}
