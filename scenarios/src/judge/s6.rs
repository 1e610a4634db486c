//! S6, last known good. Refuses to judge whoever starts meanwhile and has never known anything.
//!
//! *Statement*: what an instance knew last carries it while nobody tells it anything new, or anything that makes sense.
//!
//! *Experiment*: name servers are dead, or say that nobody is there.
//!
//! *Oracle*: in such a stretch, from `ttl` (s, from the graph) after its beginning, no instance that kept its power and
//! answered before tells the witness that names gave it nobody to ask. Limit: 0.
//!
//! *Horizon*: a graph with names, and such a stretch that lasts longer than `ttl` + 2 s: every answer given before has
//! ended, and each instance was probed and made a call since.
//!
//! *Inconclusive*: nothing of its own.

use super::commons::unknown_name;
use super::culprit::{Cause, Root};
use super::finding::{Victim, sorted};
use super::starting::named;
use super::{Entry, Outcome, Run};
use crate::event::{By, Detail, EventId, Life, Phase};
use crate::judgement::InvariantResult;
use crate::timeline::{Segment, ns};
use crate::verdict::Verdict;
use fixtures::graph::names::Names;
use fixtures::unit::Span;
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) const ENTRY: Entry = Entry {
    id: "S6",
    title: "last known good",
    statement: "What an instance knew last carries it while nobody tells it anything new, or anything that makes sense.",
    judge,
};

/// In which every instance is probed, and has made a call.
const PROBED: Duration = Duration::from_secs(2);

fn judge(run: &Run<'_>) -> Outcome {
    let names = run.case.graph.names.as_ref();
    let (mut victims, mut looked_at): (Vec<Victim>, Vec<EventId>) = (Vec::new(), Vec::new());
    for (names, segment) in names.into_iter().flat_map(|names| silent(run, names).map(move |segment| (names, segment)))
    {
        looked_at.push(segment.begin_event);
        victims.extend(run.unharmed_hosts(segment).into_iter().filter_map(|one| lost(run, names, one, segment)));
    }
    let list: Vec<String> = victims.iter().filter_map(|one| one.instance.as_ref()).map(ToString::to_string).collect();
    let (verdict, reason) = if !victims.is_empty() {
        let list = named(list.iter().map(String::as_str));
        (Verdict::Violated, format!("{} instance(s) knew nobody any more whom they could ask: {list}", victims.len()))
    } else if looked_at.is_empty() {
        let reason = match names {
            None => "the graph has no names that anybody could know: `[names]` would do".to_owned(),
            Some(names) => format!(
                "name servers were never silent, or emptied, for long enough: {} or more would do",
                Span(names.ttl.saturating_add(PROBED))
            ),
        };
        (Verdict::NotJudged, reason)
    } else {
        (Verdict::Held, "everybody went on with the addresses that it knew last".to_owned())
    };
    let own = victims.iter().flat_map(|victim| &victim.trace.links).flat_map(|link| link.evidence.iter().copied());
    let evidence = sorted(own.chain(looked_at));
    let thresholds = BTreeMap::from([("instances that know nobody".to_owned(), "0".to_owned())]);
    let result = InvariantResult { id: ENTRY.id.to_owned(), aspect: None, verdict, reason, thresholds, evidence };
    Outcome { results: vec![result], findings: run.findings(ENTRY.id, victims) }
}

/// Outages in which names are in trouble, or every name server is dark, for long enough.
fn silent<'a>(run: &'a Run<'a>, names: &'a Names) -> impl Iterator<Item = &'a Segment> {
    let long =
        |segment: &&Segment| segment.end_ns.saturating_sub(segment.start_ns) > ns(names.ttl.saturating_add(PROBED));
    let dark = |segment: &Segment| {
        let mut all = run.case.placement.instances.iter().enumerate();
        all.all(|(index, placed)| placed.service != names.service || segment.dark.contains(run.host_name(index)))
    };
    let troubled = |segment: &Segment| run.names_in_trouble(segment.start_ns, segment.end_ns);
    run.timeline.of_phase(Phase::Outage).filter(long).filter(move |segment| dark(segment) || troubled(segment))
}

/// An instance that answered before, and says that names gave it nobody.
fn lost(run: &Run<'_>, names: &Names, instance: usize, segment: &Segment) -> Option<Victim> {
    let placed = &run.case.placement.instances[instance];
    let from_ns = segment.start_ns.saturating_add(ns(names.ttl));
    let known = run.answers(instance, segment.start_ns);
    let (event, to, missing) = run.events.iter().filter(|_| known).find_map(|event| {
        let Detail::State { to: Life::Serving, degraded: false, missing } = &event.detail else { return None };
        let own = event.by == By::Witness && event.place.instance.as_ref() == Some(&placed.name);
        // One that failed before that moment and still does has no event of its own after it.
        let lasts = || run.timeline.life_at(&placed.name, from_ns).is_some_and(|span| span.event == event.id);
        let within = (from_ns..segment.end_ns).contains(&event.t_ns) || lasts();
        let [to, last] = missing.as_slice() else { return None };
        (own && within && *last == names.service).then_some((event, to, missing))
    })?;
    let root = Root {
        service: placed.service.clone(),
        dependency: Some(names.service.clone()),
        setting: unknown_name(run, &placed.service, missing),
        cause: Cause::Forgets,
    };
    let seen = (event.t_ns, vec![segment.begin_event, event.id]);
    Some(run.held_back(instance, segment, (to.to_string(), "lookup"), seen, root))
}
