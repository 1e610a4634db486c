//! Owns what a game day takes for granted: the times, rates, limits and tries that none of its files says, so that a default
//! stands for them, and what each could be instead. Refuses to play the game day again, and to doubt what a file says.
//!
//! What a default decides in kind and not in size (that writes are acknowledged after they are synced, that calls are
//! hard, that capacity is never short) is no assumption of this sort: it is the design, which `explore` searches.

use crate::raw::RawScenario;
use crate::scenario::Scenario;
use fixtures::decode::{Located, decode};
use fixtures::diagnostic::Source;
use fixtures::graph::raw::{RawCall, RawGraph, RawNeed, RawService};
use fixtures::graph::{Backoff, Breaker, Call, Graph, Need, Service};
use fixtures::topology::Topology;
use fixtures::topology::raw::RawTopology;
use fixtures::unit::{Percent, Rate, Span};
use std::time::Duration;

/// A round trip between availability zones that lie far apart, where a topology says none.
const LATENCY_FAR: Duration = Duration::from_millis(2);

/// An operation's own work where a graph says none.
const WORK_HEAVY: Duration = Duration::from_millis(5);

/// The files of a game day.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// What happens.
    pub scenario: &'a Source,
    /// Where.
    pub topology: &'a Source,
    /// To whom.
    pub graph: &'a Source,
}

/// What the files became.
#[derive(Debug, Clone, Copy)]
pub struct Resolved<'a> {
    /// What happens.
    pub scenario: &'a Scenario,
    /// Where.
    pub topology: &'a Topology,
    /// To whom.
    pub graph: &'a Graph,
}

/// A value that no file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assumed {
    /// Its name, as the run record has it: `windows.recovery`, `calls.timeout`.
    pub name: &'static str,
    /// The default, with its unit.
    pub value: String,
    /// In how many places of the files it stands.
    pub places: usize,
    /// What it could be instead: half and double, or the bound of what is plausible.
    pub instead: Vec<Instead>,
}

/// Another value for one assumed parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instead {
    /// The value, with its unit.
    pub value: String,
    knob: Knob,
    by: By,
}

/// Which parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Knob {
    Rate,
    Writes,
    Timeout,
    Availability,
    Latency,
    Settle,
    Baseline,
    Shift,
    Recovery,
    Quiet,
    Boot,
    RoundTrip,
    /// Of the services at these positions.
    Work(Vec<usize>),
    Queue(Vec<usize>),
    /// Of the needs at these positions of a service.
    NeedTimeout(Places),
    NeedBackoff(Places),
    CallTimeout(Places),
    CallAttempts(Places),
    CallBackoff(Places),
    BreakerFailures(Places),
    BreakerOpen(Places),
}

/// Position of a service, and of a need or call in it.
type Places = Vec<(usize, usize)>;

/// How it is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Half,
    Double,
}

impl By {
    fn time(self, value: Duration) -> Duration {
        match self {
            // Whole milliseconds, the resolution of plans.
            Self::Half if value >= Duration::from_millis(2) => {
                Duration::from_millis(u64::try_from(value.as_millis() / 2).unwrap_or(u64::MAX))
            }
            Self::Half => value,
            Self::Double => value.saturating_mul(2),
        }
    }

    /// Of what is zero, double is the bound of what is plausible.
    fn time_or(self, value: Duration, bound: Duration) -> Duration {
        if value.is_zero() && self == Self::Double { bound } else { self.time(value) }
    }

    fn count(self, value: u32) -> u32 {
        match self {
            Self::Half => (value / 2).max(1),
            Self::Double => value.saturating_mul(2),
        }
    }

    fn rate(self, value: Rate) -> Rate {
        let milli_per_s = match self {
            Self::Half => (value.milli_per_s / 2).max(1),
            Self::Double => value.milli_per_s.saturating_mul(2),
        };
        Rate { milli_per_s }
    }

    /// Half or double the failures that a promise allows.
    fn promise(self, value: Percent) -> Percent {
        let allowed = 1_000_000_u32.saturating_sub(value.ppm);
        let allowed = match self {
            Self::Half => (allowed / 2).max(1),
            Self::Double => allowed.saturating_mul(2).min(999_999),
        };
        Percent { ppm: 1_000_000 - allowed }
    }

    fn backoff(self, value: Backoff) -> Backoff {
        Backoff { base: self.time(value.base), cap: self.time(value.cap), ..value }
    }
}

/// Everything that a game day takes for granted, what touches most first.
pub fn assumed(files: Files<'_>, resolved: Resolved<'_>) -> Vec<Assumed> {
    let mut knobs = of_scenario(files.scenario);
    knobs.extend(of_topology(files.topology));
    knobs.extend(of_graph(files.graph));
    let one = |(name, knob): (&'static str, Knob)| {
        let (value, places) = (knob.told(&resolved)?, knob.places());
        let instead = [By::Half, By::Double].into_iter().filter_map(|by| {
            let mut region = Region::of(&resolved);
            knob.turn(by, &mut region);
            let told = knob.told(&region.resolved()).filter(|told| *told != value)?;
            Some(Instead { value: told, knob: knob.clone(), by })
        });
        Some(Assumed { name, places, instead: instead.collect(), value })
    };
    knobs.into_iter().filter_map(one).collect()
}

/// A region that may be changed.
#[derive(Debug, Clone)]
pub struct Region {
    /// What happens.
    pub scenario: Scenario,
    /// Where.
    pub topology: Topology,
    /// To whom.
    pub graph: Graph,
}

impl Region {
    fn of(resolved: &Resolved<'_>) -> Self {
        Self { scenario: resolved.scenario.clone(), topology: resolved.topology.clone(), graph: resolved.graph.clone() }
    }

    fn resolved(&self) -> Resolved<'_> {
        Resolved { scenario: &self.scenario, topology: &self.topology, graph: &self.graph }
    }
}

impl Instead {
    /// The game day with this value in place of the default, and nothing else changed.
    pub fn applied(&self, resolved: Resolved<'_>) -> Region {
        let mut region = Region::of(&resolved);
        self.knob.turn(self.by, &mut region);
        region
    }
}

fn of_scenario(source: &Source) -> Vec<(&'static str, Knob)> {
    let Some(raw) = decode::<RawScenario>(source).0 else { return Vec::new() };
    let traffic = raw.traffic.as_ref().map(Located::get);
    let steady = raw.steady_state.as_ref().map(Located::get);
    let windows = raw.windows.as_ref().map(Located::get);
    let unsaid = [
        ("windows.recovery", Knob::Recovery, windows.is_none_or(|raw| raw.recovery.is_none())),
        ("windows.shift", Knob::Shift, windows.is_none_or(|raw| raw.shift.is_none())),
        ("windows.quiet", Knob::Quiet, windows.is_none_or(|raw| raw.quiet.is_none())),
        ("windows.baseline", Knob::Baseline, windows.is_none_or(|raw| raw.baseline.is_none())),
        ("windows.settle", Knob::Settle, windows.is_none_or(|raw| raw.settle.is_none())),
        ("steady-state.availability", Knob::Availability, steady.is_none_or(|raw| raw.availability.is_none())),
        ("steady-state.latency-p99", Knob::Latency, steady.is_none_or(|raw| raw.latency_p99.is_none())),
        ("traffic.timeout", Knob::Timeout, traffic.is_none_or(|raw| raw.timeout.is_none())),
        ("traffic.rate", Knob::Rate, traffic.is_none_or(|raw| raw.rate.is_none() && raw.canaries.is_none())),
        ("traffic.writes", Knob::Writes, traffic.is_none_or(|raw| raw.writes.is_none())),
    ];
    unsaid.into_iter().filter(|(.., unsaid)| *unsaid).map(|(name, knob, _)| (name, knob)).collect()
}

fn of_topology(source: &Source) -> Vec<(&'static str, Knob)> {
    let Some(raw) = decode::<RawTopology>(source).0 else { return Vec::new() };
    let unsaid = [
        ("boot", Knob::Boot, raw.boot.is_none()),
        ("latency", Knob::RoundTrip, raw.latency.is_none() && raw.latencies.iter().flatten().count() == 0),
    ];
    unsaid.into_iter().filter(|(.., unsaid)| *unsaid).map(|(name, knob, _)| (name, knob)).collect()
}

fn of_graph(source: &Source) -> Vec<(&'static str, Knob)> {
    let Some(raw) = decode::<RawGraph>(source).0 else { return Vec::new() };
    let services: Vec<&RawService> = raw.services.iter().flatten().map(Located::get).collect();
    let where_service = |unsaid: &dyn Fn(&RawService) -> bool| -> Vec<usize> {
        services.iter().enumerate().filter(|(_, service)| unsaid(service)).map(|(at, _)| at).collect()
    };
    let where_need = |unsaid: &dyn Fn(&RawNeed) -> bool| -> Places {
        let needs = services.iter().enumerate().flat_map(|(at, service)| {
            service.needs.iter().flatten().enumerate().map(move |(need, raw)| ((at, need), raw.get()))
        });
        needs.filter(|(_, raw)| unsaid(raw)).map(|(place, _)| place).collect()
    };
    let where_call = |unsaid: &dyn Fn(&RawCall) -> bool| -> Places {
        let calls = services.iter().enumerate().flat_map(|(at, service)| {
            service.calls.iter().flatten().enumerate().map(move |(call, raw)| ((at, call), raw.get()))
        });
        calls.filter(|(_, raw)| unsaid(raw)).map(|(place, _)| place).collect()
    };
    let knobs = vec![
        ("needs.timeout", Knob::NeedTimeout(where_need(&|raw| raw.timeout.is_none()))),
        ("needs.backoff", Knob::NeedBackoff(where_need(&|raw| raw.backoff.is_none()))),
        ("calls.timeout", Knob::CallTimeout(where_call(&|raw| raw.timeout.is_none()))),
        ("calls.attempts", Knob::CallAttempts(where_call(&|raw| raw.attempts.is_none()))),
        ("calls.backoff", Knob::CallBackoff(where_call(&|raw| raw.backoff.is_none()))),
        ("calls.breaker.failures", Knob::BreakerFailures(where_call(&|raw| raw.breaker.is_none()))),
        ("calls.breaker.open-for", Knob::BreakerOpen(where_call(&|raw| raw.breaker.is_none()))),
        ("services.work", Knob::Work(where_service(&|raw| raw.work.is_none()))),
        // A queue counts where there is a capacity that can be used up.
        ("services.queue", Knob::Queue(where_service(&|raw| raw.queue.is_none() && raw.capacity.is_some()))),
    ];
    knobs.into_iter().filter(|(_, knob)| knob.places() > 0).collect()
}

impl Knob {
    fn places(&self) -> usize {
        match self {
            Self::Work(services) | Self::Queue(services) => services.len(),
            Self::NeedTimeout(places)
            | Self::NeedBackoff(places)
            | Self::CallTimeout(places)
            | Self::CallAttempts(places)
            | Self::CallBackoff(places)
            | Self::BreakerFailures(places)
            | Self::BreakerOpen(places) => places.len(),
            _ => 1,
        }
    }

    /// The value, of several places that of the first: one default stands in all of them.
    fn told(&self, now: &Resolved<'_>) -> Option<String> {
        let Scenario { traffic, steady_state, windows, .. } = now.scenario;
        let time = |value: Duration| Some(Span(value).to_string());
        let backoff = |value: Backoff| Some(format!("{} growing to {}", Span(value.base), Span(value.cap)));
        let service = |places: &[usize]| now.graph.services.get(*places.first()?);
        let need = |places: &Places| first(&now.graph.services, places, |service| &service.needs);
        let call = |places: &Places| first(&now.graph.services, places, |service| &service.calls);
        match self {
            Self::Rate => Some(traffic.rate.to_string()),
            Self::Writes => Some(traffic.writes.to_string()),
            Self::Timeout => time(traffic.timeout),
            Self::Availability => Some(steady_state.availability.to_string()),
            Self::Latency => time(steady_state.latency_p99),
            Self::Settle => time(windows.settle),
            Self::Baseline => time(windows.baseline),
            Self::Shift => time(windows.shift),
            Self::Recovery => time(windows.recovery),
            Self::Quiet => time(windows.quiet),
            Self::Boot => Some(format!("{} to {}", Span(now.topology.boot.min), Span(now.topology.boot.max))),
            Self::RoundTrip => time(now.topology.latencies.default),
            Self::Work(places) => time(service(places)?.work),
            Self::Queue(places) => Some(service(places)?.queue.to_string()),
            Self::NeedTimeout(places) => time(need(places)?.timeout),
            Self::NeedBackoff(places) => backoff(need(places)?.backoff),
            Self::CallTimeout(places) => time(call(places)?.timeout),
            Self::CallAttempts(places) => Some(call(places)?.attempts.to_string()),
            Self::CallBackoff(places) => backoff(call(places)?.backoff),
            Self::BreakerFailures(places) => Some(call(places)?.breaker?.failures.to_string()),
            Self::BreakerOpen(places) => time(call(places)?.breaker?.open_for),
        }
    }

    fn turn(&self, by: By, region: &mut Region) {
        let Scenario { traffic, steady_state, windows, .. } = &mut region.scenario;
        let (topology, services) = (&mut region.topology, &mut region.graph.services);
        let time = |value: &mut Duration| *value = by.time(*value);
        match self {
            Self::Rate => traffic.rate = by.rate(traffic.rate),
            Self::Writes => traffic.writes = by.rate(traffic.writes),
            Self::Timeout => time(&mut traffic.timeout),
            Self::Availability => steady_state.availability = by.promise(steady_state.availability),
            Self::Latency => time(&mut steady_state.latency_p99),
            Self::Settle => time(&mut windows.settle),
            Self::Baseline => time(&mut windows.baseline),
            Self::Shift => time(&mut windows.shift),
            Self::Recovery => time(&mut windows.recovery),
            Self::Quiet => time(&mut windows.quiet),
            Self::Boot => {
                time(&mut topology.boot.min);
                time(&mut topology.boot.max);
            }
            Self::RoundTrip => topology.latencies.default = by.time_or(topology.latencies.default, LATENCY_FAR),
            Self::Work(places) => at(services, places, |service| service.work = by.time_or(service.work, WORK_HEAVY)),
            Self::Queue(places) => at(services, places, |service| service.queue = by.count(service.queue)),
            Self::NeedTimeout(places) => needs(services, places, |need| time(&mut need.timeout)),
            Self::NeedBackoff(places) => needs(services, places, |need| need.backoff = by.backoff(need.backoff)),
            Self::CallTimeout(places) => calls(services, places, |call| time(&mut call.timeout)),
            Self::CallAttempts(places) => calls(services, places, |call| call.attempts = by.count(call.attempts)),
            Self::CallBackoff(places) => calls(services, places, |call| call.backoff = by.backoff(call.backoff)),
            Self::BreakerFailures(places) => {
                breakers(services, places, |breaker| breaker.failures = by.count(breaker.failures));
            }
            Self::BreakerOpen(places) => breakers(services, places, |breaker| time(&mut breaker.open_for)),
        }
    }
}

fn first<'g, T>(services: &'g [Service], places: &Places, list: impl Fn(&'g Service) -> &'g Vec<T>) -> Option<&'g T> {
    let (service, position) = *places.first()?;
    list(services.get(service)?).get(position)
}

fn at(services: &mut [Service], places: &[usize], change: impl Fn(&mut Service)) {
    for place in places {
        services.get_mut(*place).into_iter().for_each(&change);
    }
}

fn needs(services: &mut [Service], places: &Places, change: impl Fn(&mut Need)) {
    for (service, need) in places {
        let need = services.get_mut(*service).and_then(|service| service.needs.get_mut(*need));
        need.into_iter().for_each(&change);
    }
}

fn calls(services: &mut [Service], places: &Places, change: impl Fn(&mut Call)) {
    for (service, call) in places {
        let call = services.get_mut(*service).and_then(|service| service.calls.get_mut(*call));
        call.into_iter().for_each(&change);
    }
}

fn breakers(services: &mut [Service], places: &Places, change: impl Fn(&mut Breaker)) {
    calls(services, places, |call| call.breaker.iter_mut().for_each(&change));
}
