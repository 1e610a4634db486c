//! B10, verified software. Refuses to judge hosts that were made with what they run: the bootstrap region's, the Franken
//! instance's, and those without whom nothing is fetched.
//!
//! *Statement*: a host becomes a host of its service by nothing but an artefact that it fetched from a repository of packages
//! and verified: signed by whoever signs for the region, for this service and zone, no older than it should be, with the hash
//! that was signed.
//!
//! *Oracle*: what each host says it fetched, kept or refused, and why: nobody else can see that. Whether it serves is the
//! witness's. Limit: 0 artefacts refused.
//!
//! *Horizon*: a host that was seen to fetch its software. Where one of what is built serves that never said anything of it,
//! nothing is known.

use super::{Build, Entry, Found, Outcome, count};
use crate::build::observed::{Building, Delivery};
use crate::event::{Detail, EventId, Life};
use crate::verdict::Verdict;
use fixtures::name::{InstanceName, ServiceName};
use fixtures::regional::estate::{Part, Site};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const ENTRY: Entry = Entry {
    id: "B10",
    title: "a host runs nothing but what it fetched and verified",
    statement: "A host becomes a host of its service by nothing but an artefact that it fetched and verified.",
    judge,
};

/// Artefacts of one service that were refused, for one reason.
struct Refused {
    affected: BTreeSet<InstanceName>,
    from: BTreeSet<InstanceName>,
    since_ns: u64,
    evidence: Vec<EventId>,
}

/// What was seen of software.
#[derive(Default)]
struct Seen<'a> {
    /// Where each instance had its software from first; nobody where it was on its own disk.
    first: BTreeMap<&'a InstanceName, Option<&'a InstanceName>>,
    refused: BTreeMap<(&'a ServiceName, &'a str), Refused>,
    active: BTreeMap<&'a InstanceName, EventId>,
}

fn judge(build: &Build<'_>) -> Outcome {
    let threshold = ("artefacts refused", "0".to_owned());
    let seen = seen(build);
    let evidence: Vec<EventId> = seen.refused.values().flat_map(|one| one.evidence.clone()).collect();
    if !seen.refused.is_empty() {
        let hosts: BTreeSet<&InstanceName> = seen.refused.values().flat_map(|one| &one.affected).collect();
        let reason = format!("{} refused what was given out as their software", count(hosts.len(), "host"));
        let findings = seen.refused.into_iter().map(|(cause, refused)| found(build, cause, refused)).collect();
        return Outcome { verdict: Verdict::Violated, reason, threshold, evidence, findings };
    }
    let estate = build.case.estate;
    let placed = estate.placement.instances.iter().enumerate();
    let generic = placed.filter(|(place, one)| estate.is_generic(*place) && estate.is_across(one.host));
    let unsaid = generic.filter(|(_, one)| !seen.first.contains_key(&one.name));
    let unknown: Vec<(&InstanceName, EventId)> =
        unsaid.filter_map(|(_, one)| Some((&one.name, *seen.active.get(&one.name)?))).collect();
    let (verdict, reason, evidence) = match unknown.first() {
        _ if seen.first.is_empty() => {
            let reason = "no host was seen to fetch its software: a build that begins one would do".to_owned();
            (Verdict::NotJudged, reason, Vec::new())
        }
        Some((name, _)) => {
            let hosts = count(unknown.len(), "instance");
            let reason = format!("{hosts} served without a word of where the software came from, {name} among them");
            (Verdict::Inconclusive, reason, unknown.iter().map(|(_, event)| *event).collect())
        }
        None => (Verdict::Held, held(build, &seen), Vec::new()),
    };
    Outcome { verdict, reason, threshold, evidence, findings: Vec::new() }
}

fn seen<'a>(build: &'a Build<'_>) -> Seen<'a> {
    let mut seen = Seen::default();
    for event in build.events {
        let Some(instance) = &event.place.instance else { continue };
        match &event.detail {
            Detail::Build { seen: Building::Software { delivery: Delivery::Fetched | Delivery::Kept, from, .. } } => {
                seen.first.entry(instance).or_insert(from.as_ref());
            }
            Detail::Build { seen: Building::Software { delivery: Delivery::Refused, from, text, .. } } => {
                let Some(service) = &event.place.service else { continue };
                let new = || Refused {
                    affected: BTreeSet::new(),
                    from: BTreeSet::new(),
                    since_ns: event.t_ns,
                    evidence: Vec::new(),
                };
                let refused = seen.refused.entry((service, text)).or_insert_with(new);
                refused.affected.insert(instance.clone());
                refused.from.extend(from.clone());
                refused.evidence.push(event.id);
            }
            Detail::Probe { outcome: Life::Active, .. } => {
                seen.active.entry(instance).or_insert(event.id);
            }
            _ => {}
        }
    }
    seen
}

fn found(build: &Build<'_>, (service, why): (&ServiceName, &str), refused: Refused) -> Found {
    let Refused { affected, from, since_ns, evidence } = refused;
    let from: Vec<String> = from.iter().map(ToString::to_string).collect();
    let hosts = count(affected.len(), "host");
    let text = format!("`{service}`: {hosts} refused the artefact that {} gave out: {why}", from.join(", "));
    Found {
        service: service.clone(),
        dependency: Some(build.case.estate.cast.packages.clone()),
        setting: format!("artefacts.{service}"),
        text,
        affected: affected.into_iter().collect(),
        since_ns,
        evidence,
    }
}

/// How many hosts had their software from where.
fn held(build: &Build<'_>, seen: &Seen<'_>) -> String {
    let mut sums: BTreeMap<&str, usize> = BTreeMap::new();
    for from in seen.first.values() {
        let standing = from.and_then(|name| build.case.estate.standing_of(name));
        let word = match standing.map(|standing| (standing.site, standing.part)) {
            Some((_, Part::Franken)) => "from the Franken instance",
            Some((Site::Build, _)) => "from the region's own repository",
            Some(_) => "from a repository of the region that stood",
            None => "from their own disks",
        };
        *sums.entry(word).or_default() += 1;
    }
    let parts: Vec<String> = sums.iter().map(|(word, number)| format!("{number} {word}")).collect();
    format!("{} verified what they run: {}", count(seen.first.len(), "host"), parts.join(", "))
}
