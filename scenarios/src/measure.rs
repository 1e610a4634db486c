//! Owns the figures of a run, computed from its events alone. Refuses to say whether they are good.

use crate::event::{Act, Detail, Event, HostChange, Phase, WriteOutcome};
use crate::judge::Case;
use crate::judgement::{Availability, Measurements};
use crate::timeline::{Segment, Timeline};
use crate::traffic::{Tally, Window, windows, zones};
use fixtures::name::{HostName, InstanceName, ZoneName};
use std::collections::{BTreeMap, BTreeSet};

/// Figures of a run. A canary window counts for a phase when it lies wholly inside one of its segments.
pub fn measure(case: &Case<'_>, events: &[Event]) -> Measurements {
    measure_in(&Timeline::new(case.plan, case.placement, events), case, events)
}

/// As [`measure`], where the events are folded already.
pub(crate) fn measure_in(timeline: &Timeline, case: &Case<'_>, events: &[Event]) -> Measurements {
    let first_ns = events.iter().map(|event| event.t_ns).min().unwrap_or(0);
    let total_ns = timeline.end_ns - first_ns;
    let mut phase_ns: BTreeMap<Phase, u64> = BTreeMap::new();
    for segment in &timeline.segments {
        *phase_ns.entry(segment.phase).or_default() += segment.end_ns - segment.start_ns;
    }
    let declared = phase_ns.iter().filter(|(phase, _)| is_declared(**phase)).map(|(_, length)| length).sum::<u64>();
    let restarts = restarts(case, timeline);
    let (acknowledged, lost) = ledger(events);
    Measurements {
        power_off_skew_ms: widest_skew(case, events, Act::Inject),
        power_off_method: power_off_method(case, events),
        power_on_skew_ms: widest_skew(case, events, Act::Heal),
        restart_to_active_ms: restarts.values().copied().reduce(f64::max),
        restart_to_active_ms_by_instance: restarts,
        time_to_detect_ms: time_to_detect(events),
        availability: availability(timeline, &windows(events, false)),
        acknowledged_writes: acknowledged,
        lost_acknowledged_writes: lost,
        interventions: count(events, |detail| matches!(detail, Detail::Intervention { .. })),
        overhead_s: seconds(total_ns.saturating_sub(declared)),
        total_s: seconds(total_ns),
        phase_s: phase_ns.into_iter().map(|(phase, length)| (word(phase).to_owned(), seconds(length))).collect(),
        boot_ms_by_host: boots(events),
    }
}

/// The word of a phase in files.
pub fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Provision => "provision",
        Phase::Settle => "settle",
        Phase::Baseline => "baseline",
        Phase::Outage => "outage",
        Phase::PowerOn => "power-on",
        Phase::Recovery => "recovery",
        Phase::Quiet => "quiet",
        Phase::ReadBack => "read-back",
        Phase::Teardown => "teardown",
        Phase::Ended => "ended",
    }
}

/// What a scenario declares; everything else is overhead.
fn is_declared(phase: Phase) -> bool {
    matches!(phase, Phase::Baseline | Phase::Outage | Phase::Recovery | Phase::Quiet)
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn millis(ns: u64) -> f64 {
    ns as f64 / 1e6
}

fn count(events: &[Event], wanted: impl Fn(&Detail) -> bool) -> u64 {
    events.iter().filter(|event| wanted(&event.detail)).count() as u64
}

/// Whether a step takes or gives power; the first power-on of the region is no step of the plan.
fn is_power(case: &Case<'_>, step: &str) -> bool {
    case.plan.step(step).is_none_or(|(_, step)| step.is_power())
}

fn widest_skew(case: &Case<'_>, events: &[Event], wanted: Act) -> Option<f64> {
    let skews = events.iter().filter_map(|event| match &event.detail {
        Detail::StepDone { step, act, skew_ns, .. } if *act == wanted && is_power(case, step) => Some(*skew_ns),
        _ => None,
    });
    skews.max().map(millis)
}

fn power_off_method(case: &Case<'_>, events: &[Event]) -> Option<String> {
    events.iter().find_map(|event| match &event.detail {
        Detail::StepDone { step, act: Act::Inject, method, .. } if is_power(case, step) => Some(method.clone()),
        _ => None,
    })
}

/// The first alarm raised after the first fault was in force; `None` where there was no fault, or no alarm.
pub fn detection(events: &[Event]) -> Option<(&Event, &Event)> {
    let fault = events.iter().filter(|event| matches!(event.detail, Detail::StepDone { act: Act::Inject, .. }));
    let fault = fault.min_by_key(|event| (event.t_ns, event.id))?;
    let raised =
        |event: &&Event| event.t_ns >= fault.t_ns && matches!(event.detail, Detail::Alarm { raised: true, .. });
    Some((fault, events.iter().filter(raised).min_by_key(|event| (event.t_ns, event.id))?))
}

fn time_to_detect(events: &[Event]) -> Option<f64> {
    detection(events).map(|(fault, alarm)| millis(alarm.t_ns - fault.t_ns))
}

/// From each gate to the first time the witness saw an instance behind it active, the slowest of each instance. The
/// first power-on of the region is no heal of the plan and not included.
fn restarts(case: &Case<'_>, timeline: &Timeline) -> BTreeMap<InstanceName, f64> {
    let mut slowest: BTreeMap<InstanceName, f64> = BTreeMap::new();
    let hosts: BTreeMap<_, _> = case.placement.hosts.iter().map(|host| (&host.name, host)).collect();
    for (host, spells) in &timeline.dark {
        let Some(host) = hosts.get(host) else { continue };
        for (position, spell) in spells.iter().enumerate() {
            let Some(gate_ns) = spell.to_ns else { continue };
            let until_ns = spells.get(position + 1).map_or(u64::MAX, |next| next.from_ns);
            for instance in host.instances.iter().map(|&index| &case.placement.instances[index].name) {
                if let Some(span) = timeline.first_active(instance, gate_ns, until_ns) {
                    let took = millis(span.from_ns - gate_ns);
                    let known = slowest.entry(instance.clone()).or_insert(took);
                    *known = known.max(took);
                }
            }
        }
    }
    slowest
}

fn availability(timeline: &Timeline, windows: &[Window<'_>]) -> BTreeMap<ZoneName, BTreeMap<String, Availability>> {
    let phases: BTreeSet<Phase> =
        timeline.segments.iter().map(|segment| segment.phase).filter(|phase| is_declared(*phase)).collect();
    let mut by_zone = BTreeMap::new();
    for zone in zones(windows) {
        let mut by_phase = BTreeMap::new();
        for phase in &phases {
            let segments: Vec<&Segment> = timeline.of_phase(*phase).collect();
            let inside = |window: &&Window<'_>| {
                window.zone == zone && segments.iter().any(|segment| window.inside(segment.start_ns, segment.end_ns))
            };
            let tally = Tally::of(windows.iter().filter(inside));
            if tally.windows > 0 {
                by_phase.insert(word(*phase).to_owned(), figures(&tally));
            }
        }
        by_zone.insert(zone.clone(), by_phase);
    }
    by_zone
}

fn figures(tally: &Tally) -> Availability {
    let percentile = |per_cent| tally.percentile_us(per_cent).map(|us| us as f64 / 1e3);
    Availability {
        sent: tally.sent,
        ok: tally.ok,
        degraded: tally.degraded,
        failed: tally.failed.clone(),
        share: (tally.sent > 0).then(|| tally.answered() as f64 / tally.sent as f64),
        p50_ms: percentile(50),
        p99_ms: percentile(99),
        retries: tally.retries,
        operations: tally.operations.clone(),
    }
}

/// Keys acknowledged, and of those the ones that were lost or unreadable at last.
fn ledger(events: &[Event]) -> (u64, u64) {
    let mut acknowledged = BTreeSet::new();
    let mut last: BTreeMap<&str, WriteOutcome> = BTreeMap::new();
    for event in events {
        let Detail::Write { key, outcome, .. } = &event.detail else { continue };
        if *outcome == WriteOutcome::Acknowledged {
            acknowledged.insert(key.as_str());
        } else {
            last.insert(key, *outcome);
        }
    }
    let gone = |key: &&&str| matches!(last.get(**key), Some(WriteOutcome::Lost | WriteOutcome::Unreadable));
    (acknowledged.len() as u64, acknowledged.iter().filter(gone).count() as u64)
}

/// From power to the first service process, the longest of each host.
fn boots(events: &[Event]) -> BTreeMap<HostName, f64> {
    let mut changes: Vec<(u64, &HostName, HostChange)> = Vec::new();
    for event in events {
        if let (Detail::Host { change, .. }, Some(host)) = (&event.detail, &event.place.host) {
            changes.push((event.t_ns, host, *change));
        }
    }
    changes.sort();
    let mut powered: BTreeMap<&HostName, u64> = BTreeMap::new();
    let mut boots: BTreeMap<HostName, f64> = BTreeMap::new();
    for (t_ns, host, change) in changes {
        match change {
            HostChange::Powered => {
                powered.insert(host, t_ns);
            }
            HostChange::ServiceStarted => {
                let Some(since_ns) = powered.remove(host) else { continue };
                let took = millis(t_ns - since_ns);
                let known = boots.entry(host.clone()).or_insert(took);
                *known = known.max(took);
            }
            _ => {}
        }
    }
    boots
}
