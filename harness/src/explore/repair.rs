//! Owns confirmation by repair: the same game day with nothing but the suspected need, edge or setting repaired. Held
//! makes the culprit confirmed. Refuses to guess what a finding means: only settings that name one thing are repaired.

use crate::load::Loaded;
use crate::twin;
use anyhow::Result;
use fixtures::graph::store::StoreSettings;
use fixtures::graph::{Acknowledge, Attempts, Graph, State, Strength};
use fixtures::name::ServiceName;
use scenarios::judgement::Finding;
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
    let Some(graph) = repaired(&loaded.graph, finding) else { return Ok(Confirmation::NotRepairable) };
    let mut loaded = Loaded { graph, ..loaded.clone() };
    let verdict = twin::play_unlogged(&mut loaded, seed)?.judgement.verdict;
    Ok(if verdict == Verdict::Held { Confirmation::Confirmed } else { Confirmation::Refuted })
}

/// Fetches at one time of a cache that is repaired: few enough for any store that carries anything.
const MISSES_REPAIRED: u32 = 4;
/// Age at which items of a queue that is repaired expire: about as long as a customer waits.
const EXPIRY_REPAIRED: Duration = Duration::from_secs(1);

/// The graph with one thing repaired: a need is waited for without end, or, where it is unlimited already, not needed; a
/// call is soft; a write is acknowledged after it is synced, or kept on disk; all members vote; a cache
/// limits its fetches; items of a queue expire.
pub fn repaired(graph: &Graph, finding: &Finding) -> Option<Graph> {
    let setting = finding.setting.as_deref()?;
    let mut words = setting.strip_prefix("services.")?.split('.');
    let name = ServiceName::new(words.next()?).ok()?;
    let mut graph = graph.clone();
    let service = graph.services.iter_mut().find(|service| service.name == name)?;
    match (words.next()?, words.next()) {
        ("needs", Some(kind)) => {
            let position = service.needs.iter().position(|need| need.kind.as_str() == kind)?;
            match &mut service.needs[position].attempts {
                limited @ Attempts::AtMost(_) => *limited = Attempts::Unlimited,
                Attempts::Unlimited => {
                    service.needs.remove(position);
                }
            }
        }
        ("calls", Some(to)) => {
            let calls = service.calls.iter_mut().filter(|call| call.to.as_str() == to);
            for call in calls {
                call.strength = Strength::Soft;
            }
        }
        ("replication", None) => service.store = StoreSettings::of(service.state),
        ("cache", None) => service.store.cache.as_mut()?.misses = Some(MISSES_REPAIRED),
        ("backlog", None) => service.store.backlog.as_mut()?.expiry = Some(EXPIRY_REPAIRED),
        ("acknowledge", None) => service.acknowledge = Acknowledge::AfterSync,
        ("state", None) => service.state = State::Disk,
        _ => return None,
    }
    Some(graph)
}
