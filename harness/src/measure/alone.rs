//! Owns the start by allow-list: each service of a graph alone, with nothing reachable but the source of its certificate
//! and credentials. Refuses to judge; S1 does.

use super::{dark, day, windows};
use crate::twin;
use anyhow::Result;
use fixtures::graph::Graph;
use fixtures::name::ServiceName;
use scenarios::verdict::Verdict;
use std::collections::BTreeSet;
use std::time::Duration;

/// How one service fared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alone {
    /// The service.
    pub service: ServiceName,
    /// Who was there.
    pub with: Vec<ServiceName>,
    /// The verdict of S1.
    pub verdict: Verdict,
    /// What was seen.
    pub reason: String,
    /// The setting to change, where it did not answer.
    pub setting: Option<String>,
}

/// How long everything is dark, and how long a service has then to answer.
const DARK: Duration = Duration::from_secs(3);
const LIMIT: Duration = Duration::from_secs(8);

/// Starts each service alone.
///
/// # Errors
/// Where the graph cannot be placed.
pub fn alone(graph: &Graph, seed: u64) -> Result<Vec<Alone>> {
    graph.services.iter().map(|service| one(graph, &service.name, seed)).collect()
}

fn one(graph: &Graph, service: &ServiceName, seed: u64) -> Result<Alone> {
    let allowed = scenarios::judge::allowed(graph, service);
    let others: Vec<ServiceName> =
        graph.services.iter().map(|other| other.name.clone()).filter(|name| !allowed.contains(name)).collect();
    let some: Vec<ServiceName> = allowed.iter().map(|name| (*name).clone()).collect();
    let mut faults = vec![dark("dark", some, Duration::ZERO, DARK)];
    if !others.is_empty() {
        faults.push(dark("others", others, Duration::ZERO, DARK + LIMIT + Duration::from_secs(1)));
    }
    let mut loaded = day(graph, "alone", windows(LIMIT), faults, &["S1"])?;
    let judgement = twin::play_unlogged(&mut loaded, seed)?.judgement;
    let own = |finding: &&scenarios::judgement::Finding| finding.service == *service;
    let setting = judgement.findings.iter().find(own).and_then(|finding| finding.setting.clone());
    let with: BTreeSet<ServiceName> = allowed.into_iter().filter(|name| *name != service).cloned().collect();
    let (verdict, reason) = match (judgement.inconclusive.first(), judgement.invariants.first()) {
        (Some(reason), _) => (Verdict::Inconclusive, reason.text.clone()),
        (None, Some(result)) => (result.verdict, result.reason.clone()),
        (None, None) => (Verdict::NotJudged, String::new()),
    };
    Ok(Alone { service: service.clone(), with: with.into_iter().collect(), verdict, reason, setting })
}
