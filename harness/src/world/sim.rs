//! Owns the world of simulated hosts in virtual time. Refuses to decide what happens in it: instances, canaries and the
//! witness are the same machines that run in containers.
//!
//! - [`region`](self): hosts, processes and addresses; `engine`: what happens, one thing after the other
//! - [`build`]: a region built out of another one; `taps`: who looks at calls meanwhile; `software`: what generic hosts fetch
//! - `commons`: names, grants and clocks in trouble
//! - `queue`, `calls`, `network`, `disk`, `process`, `power`: what it is made of
//! - [`costs`]: what things cost, calibrated from one recorded run
//! - [`course`]: the loop of a run in virtual time
//!
//! One seed decides everything, in whole numbers: the same seed gives the same events, byte for byte.

pub mod build;
mod calls;
mod commons;
pub mod costs;
pub mod course;
mod disk;
mod engine;
mod faults;
mod network;
mod power;
mod process;
mod queue;
mod region;
mod software;
mod taps;
mod version;

use super::World;
use crate::controller::{Do, Done, Input, Nanos};
use crate::world::draw;
use engine::{Engine, Happening};
use fixtures::graph::Graph;
use fixtures::name::{HostName, ServiceName, ZoneName};
use fixtures::placement::Placement;
pub use region::Parts;
use scenarios::plan::{Deed, Switch, Unsynced};
use std::collections::{BTreeMap, BTreeSet};

/// From the first host that loses power to the last one, at most.
const DARK_SKEW_NS: Nanos = 20_000_000;
/// From the first host that gets power to the last one, at most.
const LIT_SKEW_NS: Nanos = 2_000_000;
/// How long hosts that come back wait at their gates, as containers do that were started one after the other: longer than
/// a probe of a dark address takes, so that the witness knows them to be up when the gates open.
const GATES_NS: Nanos = 1_000_000_000;
/// How long it takes to make a region, whatever its size.
const PROVISION_NS: Nanos = 1_000_000_000;

/// A simulated region.
#[derive(Debug)]
pub struct SimWorld {
    engine: Engine,
    by_name: BTreeMap<HostName, u32>,
    graph: Graph,
    placement: Placement,
    /// Whether gates were opened before: the first ones wait since the region was made.
    was_lit: bool,
}

impl SimWorld {
    /// A region that stands in the dark, at the beginning of time.
    pub fn new(parts: &Parts<'_>) -> Self {
        let engine = Engine::new(parts);
        let by_name = engine.names.iter().cloned().zip(0..).collect();
        Self { engine, by_name, graph: parts.graph.clone(), placement: parts.placement.clone(), was_lit: false }
    }

    /// The time.
    pub fn now(&self) -> Nanos {
        self.engine.now
    }

    /// Inputs handed to state machines so far: instances, canaries and the witness.
    pub fn handed(&self) -> u64 {
        self.engine.handed
    }

    /// Lets things happen until the controller has to be told of something; `None` where nothing is left to happen
    /// until `limit`, which is the time then.
    pub fn next(&mut self, limit: Nanos) -> Option<Input> {
        loop {
            if let Some(input) = self.engine.seen.pop_front() {
                return Some(input);
            }
            if !self.engine.step(limit) {
                self.engine.now = self.engine.now.max(limit);
                return None;
            }
        }
    }

    /// Address of each host, for the record.
    pub fn addresses(&self) -> BTreeMap<HostName, String> {
        self.by_name.iter().map(|(name, host)| (name.clone(), region::address(*host as usize).to_string())).collect()
    }

    fn numbers(&self, hosts: &[HostName]) -> Vec<u32> {
        hosts.iter().filter_map(|host| self.by_name.get(host).copied()).collect()
    }

    /// Enters a change of every host, each at a moment of its own, and the end of the act at the last of them.
    fn change(
        &mut self,
        hosts: &[HostName],
        wait_ns: Nanos,
        skew_ns: Nanos,
        how: impl Fn(u32) -> Happening,
        done: impl Fn(Change) -> Done,
    ) {
        let numbers = self.numbers(hosts);
        let moments = self.engine.moments(numbers.len(), wait_ns, skew_ns);
        let first = moments.iter().copied().min().unwrap_or(self.engine.now);
        let last = moments.iter().copied().max().unwrap_or(self.engine.now);
        for (number, at) in numbers.into_iter().zip(moments) {
            self.engine.queue.push(at, how(number));
        }
        let change = Change { t_ns: last, skew_ns: last - first, hosts: hosts.to_vec() };
        self.engine.queue.push(last, Happening::ActDone(Box::new(done(change))));
    }

    /// Disks are a zone's: they lose what was not synced where the zone loses power as a whole.
    fn power_off(&mut self, hosts: &[HostName], unsynced: Unsynced) {
        let meant: BTreeSet<u32> = self.numbers(hosts).into_iter().collect();
        let mut whole: BTreeMap<u16, bool> = BTreeMap::new();
        for (number, host) in (0..).zip(&self.engine.hosts) {
            *whole.entry(host.zone).or_insert(true) &= meant.contains(&number);
        }
        let zones: Vec<u16> = self.engine.hosts.iter().map(|host| host.zone).collect();
        let is_lost = |zone: &u16| unsynced != Unsynced::Kept && whole.get(zone) == Some(&true);
        let lost = whole.keys().filter(|zone| is_lost(zone)).map(|&zone| self.engine.zones[usize::from(zone)].clone());
        let unsynced_lost: Vec<ZoneName> = lost.collect();
        let darken = |host: u32| {
            let unsynced = if is_lost(&zones[host as usize]) { unsynced } else { Unsynced::Kept };
            Happening::Darken { host, unsynced }
        };
        let dark = |Change { t_ns, skew_ns, hosts }| {
            let (method, unsynced_lost) = ("simulated".to_owned(), unsynced_lost.clone());
            // There is no real software here.
            let (torn, caveats) = (Vec::new(), Vec::new());
            Done::Dark { t_ns, skew_ns, method, dead: hosts, unsynced_lost, torn, caveats }
        };
        self.change(hosts, 0, DARK_SKEW_NS, darken, dark);
    }

    /// The witness tells instances to obey, or to obey no more.
    fn switch(&mut self, fault: &str, what: (&[ServiceName], Switch), hosts: &[HostName], on: bool) {
        let order = draw::switch_order((&self.graph, &self.placement), fault, what, hosts, on);
        self.engine.witness(|watcher, now, outs| watcher.switch(now, order, outs));
        let (t_ns, method) = (self.engine.now, "switch".to_owned());
        self.end_act(if on { Done::Injected { t_ns, method, effect: None } } else { Done::Healed { t_ns, method } });
    }

    fn end_act(&mut self, done: Done) {
        self.engine.queue.push(self.engine.now, Happening::ActDone(Box::new(done)));
    }
}

/// A change of power that is done.
struct Change {
    t_ns: Nanos,
    skew_ns: Nanos,
    hosts: Vec<HostName>,
}

fn lit(change: Change) -> Done {
    Done::Lit { t_ns: change.t_ns, skew_ns: change.skew_ns, method: "simulated".to_owned() }
}

impl World for SimWorld {
    fn perform(&mut self, act: Do) {
        match act {
            Do::Provision => {
                self.engine.witness(crate::witness::watcher::Watcher::begin);
                for host in 0..self.engine.hosts.len() {
                    self.engine.hosts[host].reachable = true;
                }
                let at = self.engine.now + PROVISION_NS;
                self.engine.queue.push(at, Happening::ActDone(Box::new(Done::Provisioned)));
            }
            Do::PowerOn(hosts) => {
                for host in self.numbers(&hosts) {
                    self.engine.queue.push(self.engine.now, Happening::Warm { host });
                }
                if self.was_lit {
                    let instances = draw::instances_on(&self.placement, &hosts);
                    self.engine.witness(|watcher, _, _| watcher.relit(&instances));
                }
                let wait = if self.was_lit { GATES_NS } else { 0 };
                self.was_lit = true;
                self.change(&hosts, wait, LIT_SKEW_NS, |host| Happening::Light { host }, lit);
            }
            Do::PowerOff { hosts, unsynced } => self.power_off(&hosts, unsynced),
            Do::Inject { fault, deed: Deed::Switch { services, switch }, hosts } => {
                self.switch(&fault, (&services, switch), &hosts, true);
            }
            Do::Heal { fault, deed: Deed::Switch { services, switch }, hosts } => {
                self.switch(&fault, (&services, switch), &hosts, false);
            }
            Do::Inject { fault, deed, hosts } => self.inject(fault, &deed, &self.numbers(&hosts)),
            Do::Heal { fault, deed, hosts } => self.heal(&fault, &deed, &self.numbers(&hosts)),
            Do::ReadBack => {
                self.engine.reading_back = true;
                self.engine.witness(crate::witness::watcher::Watcher::read_back);
            }
            Do::Teardown => self.end_act(Done::TornDown { residue: Vec::new(), others: Vec::new() }),
            // Nothing of it outlives the process.
            Do::Leave => self.end_act(Done::Left),
        }
    }

    fn cancel(&mut self) {
        // Acts take next to no time here; only the reading back may wait for somebody.
        if std::mem::take(&mut self.engine.reading_back) {
            self.engine.seen.push_back(Input::Done(Err("cancelled".to_owned())));
        }
    }
}
