//! Owns confirmation by repair: the same game day with nothing but the suspected need, edge, setting or rollout repaired. Held
//! makes the culprit confirmed. Refuses to guess what a finding means: only settings that name one thing are repaired.

use crate::load::Loaded;
use crate::twin;
use anyhow::Result;
use fixtures::graph::grants::Counts;
use fixtures::graph::identity::Renew;
use fixtures::graph::names::{Cache, Empty, Lookups, NoneHealthy};
use fixtures::graph::scaler::{MissingLoad, OnStart};
use fixtures::graph::store::{Reads, StoreSettings, TornEnd};
use fixtures::graph::telemetry::{Alarms, Late, Missing, Over};
use fixtures::graph::{Acknowledge, Attempts, Breaker, Call, Graph, Health, Need, Reach, Service, State, Strength};
use fixtures::name::ServiceName;
use fixtures::placement::Placement;
use fixtures::unit::Rate;
use scenarios::fault::{Deploy, Fault, Push};
use scenarios::judge::RETRY_SETTING;
use scenarios::judgement::Finding;
use scenarios::scenario::Scenario;
use scenarios::verdict::Verdict;
use std::time::Duration;

/// How a repair turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// With it the run is held.
    Confirmed,
    /// With it the run still fails, or cannot be believed.
    Refuted,
    /// The finding names nothing that one can repair alone.
    NotRepairable,
}

/// Plays a game day again with one thing repaired.
///
/// # Errors
/// As [`twin::play`].
pub fn confirm(loaded: &Loaded, seed: u64, finding: &Finding) -> Result<Confirmation> {
    let Some(mut loaded) = repaired(loaded, finding) else { return Ok(Confirmation::NotRepairable) };
    let verdict = twin::play_unlogged(&mut loaded, seed)?.judgement.verdict;
    Ok(if verdict == Verdict::Held { Confirmation::Confirmed } else { Confirmation::Refuted })
}

/// The game day with a rollout that goes from zone to zone and stops where customers are harmed.
fn careful(loaded: &Loaded, finding: &Finding) -> Option<Scenario> {
    let (name, _) = finding.setting.as_deref()?.strip_prefix("faults.")?.split_once('.')?;
    let mut scenario = loaded.scenario.clone();
    let windows = scenario.windows;
    let fault = scenario.faults.iter_mut().find(|fault| fault.name == name)?;
    let (Fault::Push(Push(rollout)) | Fault::Deploy(Deploy(rollout))) = &mut fault.fault else { return None };
    let bake = rollout.bake.unwrap_or(windows.shift + BAKE_REPAIRED);
    (rollout.bake, rollout.stop_on_failure) = (Some(bake), true);
    let zones = u32::try_from(loaded.topology.zones().count()).unwrap_or(u32::MAX);
    fault.lasts = fault.lasts.max(bake.saturating_mul(zones));
    Some(scenario)
}

/// A call with one setting as it is by default; without one, it is soft.
fn repair(call: &mut Call, setting: Option<&str>) {
    let breaker = Breaker { failures: 3, open_for: Duration::from_secs(1) };
    match setting {
        Some("reach") => call.reach = Reach::Zone,
        Some("breaker") => call.breaker = Some(breaker),
        Some("carries-writes") => call.carries_writes = false,
        Some("fallback") => call.fallback = false,
        Some("attempts") => call.attempts = if call.attempts == 1 { 2 } else { 1 },
        Some("timeout") => (call.timeout, call.breaker) = (Duration::from_millis(100), Some(breaker)),
        _ => call.strength = Strength::Soft,
    }
}

/// Fetches at one time of a cache that is repaired: few enough for any store that carries anything.
const MISSES_REPAIRED: u32 = 4;
/// How long a zone is watched, after it got over the change itself, in a rollout that is repaired: some windows of a canary.
const BAKE_REPAIRED: Duration = Duration::from_secs(6);
/// Entries a second that a leader copies which is repaired.
const COPIES_REPAIRED: Rate = Rate { milli_per_s: 30_000 };
/// Age at which items of a queue that is repaired expire: about as long as a customer waits.
const EXPIRY_REPAIRED: Duration = Duration::from_secs(1);

/// The game day with one thing repaired: how customers try again, how a version is rolled out, or one thing of the graph.
pub fn repaired(loaded: &Loaded, finding: &Finding) -> Option<Loaded> {
    let mut loaded = loaded.clone();
    if finding.setting.as_deref() == Some(RETRY_SETTING) {
        loaded.scenario.traffic.retry = loaded.scenario.traffic.retry.well_behaved();
        return Some(loaded);
    }
    if let Some(scenario) = careful(&loaded, finding) {
        loaded.scenario = scenario;
        return Some(loaded);
    }
    loaded.graph = repaired_graph(&loaded.graph, finding)?;
    // Where a service lives may be what was repaired.
    loaded.placement = Placement::new(&loaded.topology, &loaded.graph);
    Some(loaded)
}

/// Requests that a service has done in half of the time that its callers wait.
fn within(service: &Service, patience: Duration) -> u32 {
    let milli = service.capacity.map_or(0, |rate| rate.milli_per_s);
    let ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
    u32::try_from(milli.saturating_mul(ms) / 2_000_000).unwrap_or(u32::MAX)
}

/// What a service does with answers, with one setting repaired; `None` where there is none of that name.
fn repair_lookups(lookups: &mut Lookups, word: &str) -> Option<()> {
    match word {
        "cache" => lookups.cache = Cache::Ttl,
        "stale" => lookups.stale = true,
        "empty" => lookups.empty = Empty::Keep,
        "seeds" => lookups.seeds = true,
        _ => return None,
    }
    Some(())
}

/// Alarms with one setting repaired; `None` where there is none of that name.
fn repair_alarms(alarms: &mut Alarms, word: &str) -> Option<()> {
    match word {
        "missing" => alarms.missing = Missing::Breaching,
        "over" => alarms.over = Over::Zone,
        "late" => alarms.late = Late::Drop,
        _ => return None,
    }
    Some(())
}

/// A need that is renewed, or asked for with pauses, or for ever; one that is asked for ever already is needed no more.
fn repair_need(service: &mut Service, kind: &str, word: Option<&str>) -> Option<()> {
    let position = service.needs.iter().position(|need| need.kind.as_str() == kind)?;
    let need = &mut service.needs[position];
    match (word, need.attempts) {
        (Some("renew"), _) => need.renew = Renew::BeforeExpiry,
        (Some("backoff"), _) => need.backoff = Need::BACKOFF,
        (_, Attempts::AtMost(_)) => need.attempts = Attempts::Unlimited,
        (_, Attempts::Unlimited) => {
            service.needs.remove(position);
        }
    }
    Some(())
}

/// The graph with one thing repaired: a need is waited for without end, or, where it is unlimited already, not needed; a
/// call is soft, or has the setting that is named as it is by default; a write is acknowledged after it is synced, or
/// kept on disk; a service is in all zones, carries all that comes, and is restarted for nobody but itself; a torn end of its
/// file is cut off; all members vote; a cache limits its fetches; items of a queue expire; nobody waits for longer than its callers do; names fail open;
/// what stands in for another is always asked; a quota counts holders, and
/// is granted at once; one operation is a third of what is done at one time; nothing is scaled in for want of data, and silence is an alarm, each zone's own.
fn repaired_graph(graph: &Graph, finding: &Finding) -> Option<Graph> {
    let setting = finding.setting.as_deref()?;
    if setting == "names.none-healthy" {
        let mut graph = graph.clone();
        graph.names.as_mut()?.none_healthy = NoneHealthy::All;
        return Some(graph);
    }
    if let Some(word) = setting.strip_prefix("telemetry.alarms.") {
        let mut graph = graph.clone();
        repair_alarms(&mut graph.telemetry.as_mut()?.alarms, word)?;
        return Some(graph);
    }
    let mut words = setting.strip_prefix("services.")?.split('.');
    let name = ServiceName::new(words.next()?).ok()?;
    let mut graph = graph.clone();
    let calls = graph.services.iter().flat_map(|caller| &caller.calls);
    let patience = calls.filter(|call| call.to == name).map(|call| call.timeout).min();
    let service = graph.services.iter_mut().find(|service| service.name == name)?;
    match (words.next()?, words.next()) {
        ("lookups", Some(word)) => repair_lookups(&mut service.lookups, word)?,
        ("needs", Some(kind)) => repair_need(service, kind, words.next())?,
        ("calls", Some(to)) => {
            let word = words.next();
            let calls = service.calls.iter_mut().filter(|call| call.to.as_str() == to);
            calls.for_each(|call| repair(call, word));
        }
        ("replication", Some("copies")) => service.store.replication.as_mut()?.copies = Some(COPIES_REPAIRED),
        ("replication", Some("reads")) => service.store.replication.as_mut()?.reads = Reads::Agreed,
        ("replication", None) => service.store.replication = StoreSettings::of(service.state).replication,
        ("torn-end", None) => service.store.torn_end = TornEnd::Cut,
        ("cache", None) => service.store.cache.as_mut()?.misses = Some(MISSES_REPAIRED),
        ("backlog", None) => service.store.backlog.as_mut()?.expiry = Some(EXPIRY_REPAIRED),
        ("acknowledge", None) => service.acknowledge = Acknowledge::AfterSync,
        ("liveness", None) => service.liveness = Health::Shallow,
        ("zones", None) => service.zones = None,
        ("scale", Some("on-start")) => service.scale.as_mut()?.on_start = OnStart::Take,
        ("scale", Some("missing")) => service.scale.as_mut()?.missing = MissingLoad::Keep,
        ("queue", None) => service.queue = within(service, patience?),
        ("grants", Some("counts")) => service.grants.as_mut()?.counts = Counts::Holders,
        ("grants", Some("rate")) => service.grants.as_mut()?.rate = None,
        ("workers", None) => {
            let workers = service.workers.as_mut()?;
            workers.each = Some((workers.most / 3).max(1));
        }
        ("capacity", None) => service.capacity = None,
        ("state", None) => service.state = State::Disk,
        _ => return None,
    }
    Some(graph)
}
