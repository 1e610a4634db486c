//! B4, nobody sees two answers for one name. Refuses to judge answers that are about to end.
//!
//! *Statement*: name servers of the region that is built agree on who is behind a name, but for as long as an answer that
//! was given before is good.
//!
//! *Oracle*: no name server answers a name with nobody of those whom name servers were told for longer than the names' `ttl`
//! and the time that servers take to be told one after the other, while another one answers as it was told. Limit: 0.
//!
//! *Horizon*: two name servers that answered the same name.

use super::{Build, Entry, Found, Outcome, count};
use crate::build::observed::{Building, StepState};
use crate::build::plan::Act;
use crate::build::records::Records;
use crate::event::{Event, EventId};
use crate::verdict::Verdict;
use fixtures::name::InstanceName;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(super) const ENTRY: Entry = Entry {
    id: "B4",
    title: "nobody sees two answers for one name",
    statement: "Name servers of the region that is built agree on who is behind each name.",
    judge,
};

/// How long it may take to tell all name servers.
const TELLING: Duration = Duration::from_secs(5);

/// What is known of one name.
#[derive(Default)]
struct Name<'a> {
    /// Who is behind it, as name servers were told last, and since when; nobody where nobody was told anything.
    told: Option<(BTreeSet<InstanceName>, u64)>,
    /// Who will be, while name servers are being told: those that know it already are not astray.
    coming: BTreeSet<InstanceName>,
    /// What each server answered last.
    answers: BTreeMap<&'a InstanceName, &'a [InstanceName]>,
}

/// A server that goes on as before: the first name that it is asked for, since when others answer otherwise, and the events.
struct Astray<'a> {
    name: &'a str,
    since_ns: u64,
    evidence: Vec<EventId>,
}

#[derive(Default)]
struct Seen<'a> {
    names: BTreeMap<&'a str, Name<'a>>,
    split: BTreeSet<&'a str>,
    astray: BTreeMap<&'a InstanceName, Astray<'a>>,
}

fn judge(build: &Build<'_>) -> Outcome {
    let ttl = build.case.estate.graph.names.as_ref().map_or(Duration::ZERO, |names| names.ttl);
    let limit_ns = u64::try_from((ttl + TELLING).as_nanos()).unwrap_or(u64::MAX);
    let endpoints: BTreeSet<&str> = build.case.estate.build.endpoints.keys().map(String::as_str).collect();
    let mut all = Seen::default();
    for (event, seen) in build.seen() {
        match (seen, &event.place.instance) {
            (Building::Step { step, state, .. }, _) => {
                if let Some(records) = coming(build, step, *state) {
                    all.announce(behind(build, records), &endpoints);
                }
                if let Some(records) = told(build, step, *state) {
                    all.tell(behind(build, records), &endpoints, event.t_ns);
                }
            }
            (Building::Answer { name, targets }, Some(server)) => {
                all.answer(event, (server, name.as_str(), targets.as_slice()), limit_ns);
            }
            _ => {}
        }
    }
    let evidence: Vec<EventId> = all.astray.values().flat_map(|astray| astray.evidence.iter().copied()).collect();
    let threshold = ("names with two answers", "0".to_owned());
    let asked = all.names.values().filter(|name| !name.answers.is_empty()).count();
    let (verdict, reason) = if !all.split.is_empty() {
        (Verdict::Violated, format!("{} had two answers", count(all.split.len(), "name")))
    } else if all.names.values().all(|name| name.answers.len() < 2) {
        (Verdict::NotJudged, "no name was answered by two name servers".to_owned())
    } else {
        (Verdict::Held, format!("{} were answered alike", count(asked, "name")))
    };
    let found = |(server, Astray { name, since_ns, evidence }): (&InstanceName, Astray<'_>)| Found {
        service: build.case.estate.cast.names.clone(),
        dependency: build.case.estate.build.endpoints.get(name).cloned(),
        setting: format!("names.{server}"),
        text: format!("`{server}` went on to answer `{name}` as before when the others had been told otherwise"),
        affected: vec![server.clone()],
        since_ns,
        evidence,
    };
    let findings = all.astray.into_iter().map(found).collect();
    Outcome { verdict, reason, threshold, evidence, findings }
}

/// What name servers are being told by a step that was begun, or that is being undone.
fn coming<'a>(build: &Build<'a>, id: &str, state: StepState) -> Option<&'a Records> {
    let plan = build.case.plan;
    let step = &plan.steps[plan.place(id)?];
    let act = match state {
        StepState::Begun | StepState::Retried => Some(&step.act),
        StepState::Undoing => step.undo.as_ref(),
        _ => None,
    };
    match act? {
        Act::Names(records) => Some(records),
        _ => None,
    }
}

/// What name servers were told by a step that is over, or that was undone.
fn told<'a>(build: &Build<'a>, id: &str, state: StepState) -> Option<&'a Records> {
    let plan = build.case.plan;
    let step = &plan.steps[plan.place(id)?];
    let act = match state {
        StepState::Done => Some(&step.act),
        StepState::Undone => step.undo.as_ref(),
        _ => None,
    };
    match act? {
        Act::Names(records) => Some(records),
        _ => None,
    }
}

/// Who is behind each name.
fn behind(build: &Build<'_>, records: &Records) -> BTreeMap<String, BTreeSet<InstanceName>> {
    let estate = build.case.estate;
    let names = records.names((&estate.topology, &estate.graph, &estate.placement), &estate.build.region);
    let who = |places: Vec<usize>| places.into_iter().map(|place| estate.placement.instances[place].name.clone());
    names.into_iter().map(|(name, places)| (name, who(places).collect())).collect()
}

impl<'a> Seen<'a> {
    /// Name servers are being told who will be behind each name.
    fn announce(&mut self, behind: BTreeMap<String, BTreeSet<InstanceName>>, endpoints: &BTreeSet<&'a str>) {
        for (name, who) in behind {
            if let Some(&name) = endpoints.get(name.as_str()) {
                self.names.entry(name).or_default().coming = who;
            }
        }
    }

    /// Name servers have been told who is behind each name.
    fn tell(&mut self, behind: BTreeMap<String, BTreeSet<InstanceName>>, endpoints: &BTreeSet<&'a str>, now_ns: u64) {
        for (name, who) in behind {
            let Some(&name) = endpoints.get(name.as_str()) else { continue };
            let known = self.names.entry(name).or_default();
            known.coming.clear();
            if known.told.as_ref().is_none_or(|(before, _)| *before != who) {
                known.told = Some((who, now_ns));
            }
        }
    }

    /// A server answers. Nobody is asked where nobody is: an empty answer sends nobody astray.
    fn answer(
        &mut self,
        event: &Event,
        (server, name, targets): (&'a InstanceName, &'a str, &'a [InstanceName]),
        limit_ns: u64,
    ) {
        let known = self.names.entry(name).or_default();
        known.answers.insert(server, targets);
        let Some((who, since_ns)) = known.told.as_ref().filter(|(who, _)| !who.is_empty() && !targets.is_empty())
        else {
            return;
        };
        let is_right = |target: &InstanceName| who.contains(target) || known.coming.contains(target);
        let as_told = |targets: &[InstanceName]| targets.iter().any(is_right);
        let others = known.answers.iter().any(|(other, answer)| *other != server && as_told(answer));
        if !as_told(targets) && others && event.t_ns.saturating_sub(*since_ns) > limit_ns {
            self.split.insert(name);
            let new = || Astray { name, since_ns: *since_ns, evidence: Vec::new() };
            self.astray.entry(server).or_insert_with(new).evidence.push(event.id);
        }
    }
}
