//! Owns what follows from a service's kind of state where its instances answer, not in full, and name nothing as missing: a
//! queue is behind, a cache asks more of its store than that carries, a quorum is out of reach. Refuses to decide whether
//! anything is violated.

use super::Run;
use super::culprit::{Cause, Root};
use fixtures::graph::State;
use fixtures::name::ServiceName;

/// The root behind an instance of a service, as far as its kind of state explains it; and what it waits for, in words.
pub(super) fn root(run: &Run<'_>, service: &ServiceName) -> Option<(Root, String)> {
    let graph = run.case.graph;
    let known = graph.service(service)?;
    if known.state == State::Queue {
        let setting = Some(format!("services.{service}.backlog"));
        let root = Root { service: service.clone(), dependency: None, setting, cause: Cause::Behind };
        return Some((root, "the items before it".to_owned()));
    }
    known.capacity?;
    let asks = |caller: &&fixtures::graph::Service| caller.calls.iter().any(|call| &call.to == service);
    let cache = graph.services.iter().filter(|caller| caller.state == State::Cache).find(asks)?;
    let root = Root {
        service: cache.name.clone(),
        dependency: Some(service.clone()),
        setting: Some(format!("services.{}.cache", cache.name)),
        cause: Cause::Flooded,
    };
    Some((root, format!("room among what `{}` asks for", cache.name)))
}

/// The root behind a member that lacks the rest of its own service.
pub(super) fn without_quorum(service: &ServiceName) -> Root {
    let setting = Some(format!("services.{service}.replication"));
    Root { service: service.clone(), dependency: None, setting, cause: Cause::NoQuorum }
}
