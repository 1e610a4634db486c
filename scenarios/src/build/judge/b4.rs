//! B4, nobody sees two answers for one name. Refuses to judge answers that are about to end.
//!
//! *Statement*: name servers of the region that is built agree on who is behind a name, but for as long as an answer that
//! was given before is good.
//!
//! *Oracle*: for no name do two name servers that answer it give answers without anybody in common for longer than the names'
//! `ttl` and the time that servers take to be told one after the other. Limit: 0.
//!
//! *Horizon*: two name servers that answered the same name.

use super::{Build, Entry, Found, Outcome, count};
use crate::build::observed::Building;
use crate::event::EventId;
use crate::verdict::Verdict;
use fixtures::name::InstanceName;
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) const ENTRY: Entry = Entry {
    id: "B4",
    title: "nobody sees two answers for one name",
    statement: "Name servers of the region that is built agree on who is behind each name.",
    judge,
};

/// How long it may take to tell all name servers.
const TELLING: Duration = Duration::from_secs(5);

/// An answer of one server.
struct Answer<'a> {
    /// When it first gave it, of the times that it gave no other.
    since_ns: u64,
    targets: &'a [InstanceName],
}

/// A name with two answers: the event, since when there was a newer answer, the name, and who gave the older one.
type Split<'a> = (EventId, u64, &'a str, InstanceName);

fn judge(build: &Build<'_>) -> Outcome {
    let ttl = build.case.estate.graph.names.as_ref().map_or(Duration::ZERO, |names| names.ttl);
    let limit_ns = u64::try_from((ttl + TELLING).as_nanos()).unwrap_or(u64::MAX);
    let mut standing: BTreeMap<&str, BTreeMap<&InstanceName, Answer<'_>>> = BTreeMap::new();
    let mut split: Vec<Split<'_>> = Vec::new();
    let mut names = 0_usize;
    for (event, seen) in build.seen() {
        let (Building::Answer { name, targets }, Some(server)) = (seen, &event.place.instance) else { continue };
        let servers = standing.entry(name.as_str()).or_default();
        let again = servers.get(server).filter(|answer| answer.targets == targets.as_slice());
        match again {
            // It gives the same answer again: was it told otherwise long ago?
            Some(answer) => {
                if let Some(since_ns) = newer(servers, (server, answer), event.t_ns, limit_ns) {
                    split.push((event.id, since_ns, name, server.clone()));
                }
            }
            None => {
                servers.insert(server, Answer { since_ns: event.t_ns, targets });
            }
        }
        names = names.max(servers.len());
    }
    let evidence: Vec<EventId> = split.iter().map(|(id, ..)| *id).collect();
    let threshold = ("names with two answers", "0".to_owned());
    let mut split_names: Vec<&str> = split.iter().map(|(_, _, name, _)| *name).collect();
    split_names.sort_unstable();
    split_names.dedup();
    let (verdict, reason) = if !split.is_empty() {
        (Verdict::Violated, format!("{} had two answers", count(split_names.len(), "name")))
    } else if names < 2 {
        (Verdict::NotJudged, "no name was answered by two name servers".to_owned())
    } else {
        (Verdict::Held, format!("{} were answered alike", count(standing.len(), "name")))
    };
    let findings = split.first().map(|(_, since_ns, name, server)| Found {
        service: build.case.estate.cast.names.clone(),
        dependency: build.case.estate.build.endpoints.get(*name).cloned(),
        setting: format!("names.{server}"),
        text: format!("`{server}` went on to answer `{name}` as before when the others had been told otherwise"),
        affected: vec![server.clone()],
        since_ns: *since_ns,
        evidence: evidence.clone(),
    });
    Outcome { verdict, reason, threshold, evidence, findings: findings.into_iter().collect() }
}

/// Since when another server has given a newer answer without anybody in common, where that is too long ago. Nobody is
/// asked where nobody is: an empty answer sends nobody astray.
fn newer(
    servers: &BTreeMap<&InstanceName, Answer<'_>>,
    (server, answer): (&InstanceName, &Answer<'_>),
    now_ns: u64,
    limit_ns: u64,
) -> Option<u64> {
    let is_newer = |(other, newer): &(&&InstanceName, &Answer<'_>)| {
        let apart = !newer.targets.is_empty()
            && !answer.targets.is_empty()
            && newer.targets.iter().all(|target| !answer.targets.contains(target));
        **other != server
            && apart
            && newer.since_ns > answer.since_ns
            && now_ns.saturating_sub(newer.since_ns) > limit_ns
    };
    servers.iter().find(is_newer).map(|(_, newer)| newer.since_ns)
}
