//! Owns the keys of every kind of fault, as a file has them. Refuses to know when a fault happens.

use fixtures::graph::Strength;
use fixtures::name::ZoneName;
use fixtures::unit::{Bandwidth, Percent, Span};
use fixtures::version::{CallSettings, Settings};
use fixtures::write::list;
use scenarios::fault::{
    Boot, Cut, CutShape, Deploy, DiskErrors, DiskFull, DiskSlow, Fault, GrayZone, Link, Memory, PowerOff, Processor,
    Push, Rollout, Selection, Surge,
};
use scenarios::plan::{BootTrouble, Shape, Unsynced};
use std::time::Duration;

/// What stands between the braces of a fault.
pub(super) fn keys(fault: &Fault) -> String {
    let all = match fault {
        Fault::PowerOff(PowerOff { hosts, unsynced }) => with(hosts, [quoted("unsynced", word(*unsynced))]),
        Fault::Boot(Boot { hosts, trouble }) => with(hosts, boot(*trouble)),
        Fault::Pause(fault) => selection(&fault.hosts),
        Fault::Kill(fault) => selection(&fault.hosts),
        Fault::Exit(fault) => selection(&fault.hosts),
        Fault::Restart(fault) => selection(&fault.hosts),
        Fault::Processor(Processor { hosts, left }) => with(hosts, [quoted("left", left)]),
        Fault::Memory(Memory { hosts, fill }) => with(hosts, [quoted("fill", fill)]),
        Fault::DiskFull(DiskFull { zones }) | Fault::DiskErrors(DiskErrors { zones }) => in_zones(zones),
        Fault::DiskSlow(DiskSlow { zones, delay }) => [in_zones(zones), vec![quoted("delay", Span(*delay))]].concat(),
        Fault::Cut(fault) => cut(fault),
        Fault::Link(Link { from, to, shape, one_way }) => [ends(from, to.as_ref(), *one_way), shaped(shape)].concat(),
        Fault::GrayZone(GrayZone { zone, shape }) => [vec![quoted("zone", zone)], shaped(shape)].concat(),
        Fault::NamesEmpty(fault) => selection(&fault.hosts),
        Fault::NamesStale(fault) => selection(&fault.hosts),
        Fault::NamesWrong(fault) => selection(&fault.hosts),
        Fault::NamesDead(fault) => selection(&fault.hosts),
        Fault::NamesSlow(fault) => with(&fault.hosts, [quoted("delay", Span(fault.delay))]),
        Fault::GrantsRefused(fault) => selection(&fault.hosts),
        Fault::GrantsExpired(fault) => selection(&fault.hosts),
        Fault::ClockWrong(fault) => {
            let way = if fault.ahead_ms < 0 { "behind" } else { "ahead" };
            with(&fault.hosts, [quoted(way, Span(Duration::from_millis(fault.ahead_ms.unsigned_abs())))])
        }
        Fault::Freeze(fault) => selection(&fault.hosts),
        Fault::Shift(fault) => selection(&fault.zones),
        Fault::Surge(Surge { zones, factor }) => with(zones, [format!("factor = {factor}")]),
        Fault::Push(Push(rollout)) | Fault::Deploy(Deploy(rollout)) => self::rollout(rollout),
    };
    all.join(", ")
}

fn quoted(key: &str, value: impl std::fmt::Display) -> String {
    format!("{key} = \"{value}\"")
}

fn word(unsynced: Unsynced) -> &'static str {
    match unsynced {
        Unsynced::Kept => "kept",
        Unsynced::Lost => "lost",
        Unsynced::Torn => "torn",
    }
}

fn boot(trouble: BootTrouble) -> Vec<String> {
    match trouble {
        BootTrouble::Late(ms) => vec![quoted("late", Span(Duration::from_millis(ms)))],
        BootTrouble::Never => vec!["never = true".to_owned()],
        BootTrouble::Bottleneck { at_once, each_ms } => {
            vec![format!("at-once = {at_once}"), quoted("each", Span(Duration::from_millis(each_ms)))]
        }
    }
}

fn cut(cut: &Cut) -> Vec<String> {
    let shape = match cut.shape {
        CutShape::Full => None,
        CutShape::Bridge => Some(quoted("shape", "bridge")),
        CutShape::MajorityRing => Some(quoted("shape", "majority-ring")),
    };
    let refuse = cut.refuse.then(|| "refuse = true".to_owned());
    ends(&cut.from, cut.to.as_ref(), cut.one_way).into_iter().chain(shape).chain(refuse).collect()
}

/// The two sides of a link; who stands for everybody is left out.
fn ends(from: &Selection, to: Option<&Selection>, one_way: bool) -> Vec<String> {
    let side = |key: &str, hosts: &Selection| format!("{key} = {{ {} }}", selection(hosts).join(", "));
    let from = (!selection(from).is_empty()).then(|| side("from", from));
    let to = to.map(|to| side("to", to));
    from.into_iter().chain(to).chain(one_way.then(|| "one-way = true".to_owned())).collect()
}

fn shaped(shape: &Shape) -> Vec<String> {
    let Shape { latency_us, jitter_us, loss_ppm, duplicate_ppm, rate } = *shape;
    let spans = [("latency", latency_us), ("jitter", jitter_us)].into_iter().filter(|(_, us)| *us > 0);
    let shares = [("loss", loss_ppm), ("duplicate", duplicate_ppm)].into_iter().filter(|(_, ppm)| *ppm > 0);
    spans
        .map(|(key, us)| quoted(key, Span(Duration::from_micros(us))))
        .chain(shares.map(|(key, ppm)| quoted(key, Percent { ppm })))
        .chain((rate > 0).then(|| quoted("bandwidth", Bandwidth { bytes_per_s: rate })))
        .collect()
}

fn in_zones(zones: &[ZoneName]) -> Vec<String> {
    selection(&Selection::of_zones(zones.to_vec()))
}

/// The keys of a choice of hosts, and others.
fn with(hosts: &Selection, more: impl IntoIterator<Item = String>) -> Vec<String> {
    selection(hosts).into_iter().chain(more).collect()
}

/// The keys of a push or a deployment.
fn rollout(rollout: &Rollout) -> Vec<String> {
    let Rollout { service, set, zones, bake, stop_on_failure } = rollout;
    let Settings { work, capacity, fails, does_not_start, calls } = set;
    let calls: Vec<String> = calls.iter().map(call).collect();
    let settings = [
        work.map(|work| quoted("work", Span(work))),
        capacity.map(|capacity| quoted("capacity", capacity)),
        fails.then(|| "fails = true".to_owned()),
        does_not_start.then(|| "starts = false".to_owned()),
        (!calls.is_empty()).then(|| format!("calls = [{}]", calls.join(", "))),
    ];
    let settings: Vec<String> = settings.into_iter().flatten().collect();
    let own = [quoted("service", service), format!("set = {{ {} }}", settings.join(", "))];
    let bake = bake.map(|bake| quoted("bake-time", Span(bake)));
    let stop = stop_on_failure.then(|| "stop-on-failure = true".to_owned());
    own.into_iter().chain(in_zones(zones)).chain(bake).chain(stop).collect()
}

/// How calls to one dependency are made in a version.
fn call(call: &CallSettings) -> String {
    let CallSettings { to, timeout, attempts, strength } = call;
    let strength = strength.map(|strength| match strength {
        Strength::Hard => "strength = \"hard\"".to_owned(),
        Strength::Soft => "strength = \"soft\"".to_owned(),
    });
    let timeout = timeout.map(|timeout| quoted("timeout", Span(timeout)));
    let attempts = attempts.map(|attempts| format!("attempts = {attempts}"));
    let keys = [Some(quoted("to", to)), timeout, attempts, strength];
    format!("{{ {} }}", keys.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// The keys of a choice of hosts.
fn selection(selection: &Selection) -> Vec<String> {
    let Selection { zones, services, hosts, share } = selection;
    let lists = [
        (!zones.is_empty()).then(|| format!("zones = {}", list(zones))),
        (!services.is_empty()).then(|| format!("services = {}", list(services))),
        (!hosts.is_empty()).then(|| format!("hosts = {}", list(hosts))),
    ];
    let share = share.map(|share| quoted("share", share));
    lists.into_iter().flatten().chain(share).collect()
}
