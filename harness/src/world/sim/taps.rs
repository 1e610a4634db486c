//! Owns what is seen of calls while a region is built: who calls over the border, or what stands in for something; what
//! name servers answer; which writes proxies handed on, and where they are kept; which marked data leaves its zone. Refuses
//! to change any call.

use super::calls::{Caller, Key};
use super::engine::Engine;
use crate::world::build::mover::Handed;
use crate::world::build::{crosses, end_of, stands_in};
use agents::machine::{Nanos, Outcome};
use agents::wire::{Ask, Text};
use fixtures::name::{InstanceName, ServiceName};
use fixtures::regional::cast::PACKAGE;
use fixtures::regional::estate::{Part, Site, Standing};
use scenarios::build::observed::{Building, FlowEnd, MARKED};
use scenarios::event::{By, Detail, Place};
use std::collections::{BTreeMap, BTreeSet};

/// How often an answer is told that differs from others'.
const ANSWERS_EVERY_NS: Nanos = 1_000_000_000;

/// Calls from one process to another since they were told.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    calls: u64,
    refused: u64,
}

/// Who looks at calls.
#[derive(Debug)]
pub(super) struct Taps {
    /// What each host is.
    standing: Vec<Standing>,
    /// Processes that are name servers of the region that is built.
    servers: BTreeSet<u32>,
    flows: BTreeMap<(u32, u32), Count>,
    /// Questions under way to name servers.
    questions: BTreeMap<Key, Text>,
    /// What each server answered last to each name, and when that was told last.
    answers: BTreeMap<Text, BTreeMap<u32, (Vec<InstanceName>, Nanos)>>,
    /// Writes on their way from proxies: whose, and which key.
    writing: BTreeMap<Key, (ServiceName, String)>,
    /// Questions under way for software.
    pub(super) fetching: BTreeSet<Key>,
    /// Writes that were acknowledged to proxies.
    pub(super) handed: Vec<Handed>,
    /// What is to be told.
    told: Vec<(Nanos, u32, Building)>,
}

impl Taps {
    pub(super) fn new(standing: Vec<Standing>, servers: BTreeSet<u32>) -> Self {
        Self {
            standing,
            servers,
            flows: BTreeMap::new(),
            questions: BTreeMap::new(),
            answers: BTreeMap::new(),
            writing: BTreeMap::new(),
            fetching: BTreeSet::new(),
            handed: Vec::new(),
            told: Vec::new(),
        }
    }
}

impl Engine {
    /// A call goes on its way, or does not.
    pub(super) fn tap_call(&mut self, key: Key, refused: bool) {
        let (Some(taps), Some(call)) = (&mut self.taps, self.calls.get_mut(key)) else { return };
        let Caller::Process { process, .. } = call.caller else { return };
        let (from, to) = (self.processes[process as usize].host, self.processes[call.to as usize].host);
        let (Some(here), Some(there)) = (taps.standing.get(from as usize), taps.standing.get(to as usize)) else {
            return;
        };
        if crosses(*here, *there) || (stands_in(*here, *there) && from != to) {
            let count = taps.flows.entry((process, call.to)).or_default();
            count.calls += 1;
            count.refused += u64::from(refused);
        }
        match &call.ask {
            Some(Ask::Lookup { name }) if taps.servers.contains(&call.to) => {
                taps.questions.insert(key, name.clone());
            }
            Some(Ask::Need { kind, .. }) if **kind == *PACKAGE => {
                taps.fetching.insert(key);
            }
            Some(Ask::Work { write: Some(write), .. })
                if (here.site, there.site == Site::Build) == (Site::Build, false) && write.key.starts_with(MARKED) =>
            {
                if let Some(to) = self.processes[call.to as usize].service().cloned() {
                    taps.told.push((self.now, process, Building::Left { key: write.key.clone(), to, refused }));
                }
            }
            Some(Ask::Work { write: Some(write), .. }) if here.part == Part::Proxy && there.site == Site::Bootstrap => {
                if let Some(service) = self.processes[process as usize].service() {
                    taps.writing.insert(key, (service.clone(), write.key.clone()));
                }
            }
            _ => {}
        }
    }

    /// The called process answers.
    pub(super) fn tap_answer(&mut self, index: u32, key: Key) {
        let (Some(taps), Some(call)) = (&mut self.taps, self.calls.get_mut(key)) else { return };
        let Some(name) = taps.questions.remove(&key) else { return };
        let Some(Outcome::Reply(reply)) = &call.outcome else { return };
        let Some(records) = &reply.records else { return };
        let mut targets: Vec<InstanceName> = records.targets.iter().map(|target| target.name.clone()).collect();
        targets.sort();
        let servers = taps.answers.entry(name.clone()).or_default();
        // As long as all agree it is told once; whoever stays alone with an answer is told of each second.
        let alone = servers.iter().any(|(server, (others, _))| *server != index && *others != targets);
        let told = servers.get(&index).filter(|(before, _)| *before == targets);
        if told.is_none_or(|(_, at)| alone && self.now >= at + ANSWERS_EVERY_NS) {
            servers.insert(index, (targets.clone(), self.now));
            taps.told.push((self.now, index, Building::Answer { name: name.to_string(), targets }));
        }
    }

    /// An answer reaches whoever asked.
    pub(super) fn tap_return(&mut self, key: Key, outcome: &Outcome) {
        let Some(taps) = &mut self.taps else { return };
        let Some((service, written)) = taps.writing.remove(&key) else { return };
        if let Outcome::Reply(reply) = outcome
            && reply.error.is_none()
            && !reply.stored_at.is_empty()
        {
            taps.handed.push(Handed { service, key: written, stored_at: reply.stored_at.to_vec() });
        }
    }

    /// What was seen since the last time: when, by whom, where, what.
    pub(super) fn tapped(&mut self) -> Vec<(Nanos, By, Place, Detail)> {
        let Some(taps) = &mut self.taps else { return Vec::new() };
        let (flows, told) = (std::mem::take(&mut taps.flows), std::mem::take(&mut taps.told));
        let standing = taps.standing.clone();
        let mut sums: BTreeMap<(u32, ServiceName, FlowEnd, bool), Count> = BTreeMap::new();
        for ((from, to), count) in flows {
            let (here, there) = (self.processes[from as usize].host, self.processes[to as usize].host);
            let (here, there) = (standing[here as usize], standing[there as usize]);
            let crosses = crosses(here, there);
            let Some(service) = self.processes[to as usize].service().cloned() else { continue };
            let sum = sums.entry((from, service, end_of(there), crosses)).or_default();
            sum.calls += count.calls;
            sum.refused += count.refused;
        }
        let now = self.now;
        let flow = |((from, to, end, crosses), Count { calls, refused })| {
            (now, from, Building::Flow { to, end, crosses, calls, refused })
        };
        let mut all: Vec<(Nanos, u32, Building)> = told.into_iter().chain(sums.into_iter().map(flow)).collect();
        all.sort_by_key(|(at, ..)| *at);
        let told = |(at, process, seen): (Nanos, u32, Building)| {
            let known = &self.processes[process as usize];
            let from = known.from(&self.names[known.host as usize]);
            let place =
                Place { zone: Some(from.zone), host: Some(from.host), service: from.service, instance: from.instance };
            // The hand sees packets; who sent them is its to know, not the sender's to say.
            (at, By::Hand, place, Detail::Build { seen })
        };
        all.into_iter().map(told).collect()
    }
}
