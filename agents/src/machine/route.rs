//! Owns whom one edge of an instance can ask: a fixed list, or what its name stands for at the moment. Refuses to know how
//! a name is looked up.

use super::exchange::Exchange;
use super::lookup::{Found, Lookups, Waiter};
use super::target::Picker;
use super::timer::Timers;
use super::{Nanos, Output};
use crate::commons::Callee;
use crate::config::{Target, Targets};
use crate::wire::Text;
use fixtures::graph::{Breaker, Routing};
use fixtures::name::ZoneName;
use std::net::SocketAddr;

/// Targets with what chooses among them.
#[derive(Debug)]
pub struct Route {
    targets: Targets,
    picker: Picker,
    /// The name's place among the names that are looked up, and the version of its answer that the targets are.
    name: Option<usize>,
    version: u64,
    routing: Routing,
}

/// Whether a route can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// Yes, as far as is known.
    Yes,
    /// Its name is being asked for.
    Later,
    /// Nobody says where it leads.
    No,
}

/// Who wants to take a route.
#[derive(Debug, Clone, Copy)]
pub struct Traveller<'a> {
    /// Is told when a name was asked for.
    pub who: Waiter,
    /// Whether it has been told already: then it takes what there is.
    pub waited: bool,
    /// Whom it wants to reach.
    pub callee: &'a Callee,
    /// Where it is.
    pub zone: &'a ZoneName,
}

impl Route {
    /// A route of a caller in `zone`; `name` is its name's place among those that are looked up.
    pub fn new(
        targets: &Targets,
        breaker: Option<Breaker>,
        routing: Routing,
        zone: &ZoneName,
        first: usize,
        name: Option<usize>,
    ) -> Self {
        let picker = Picker::new(targets, breaker, routing, zone, first);
        Self { targets: targets.clone(), picker, name, version: 0, routing }
    }

    /// The name's place, where there is one.
    pub fn name(&self) -> Option<usize> {
        self.name
    }

    /// How many targets there are.
    pub fn count(&self) -> usize {
        self.targets.len()
    }

    /// Brings it up to what its name stands for.
    pub fn refresh(
        &mut self,
        now: Nanos,
        traveller: Traveller<'_>,
        lookups: &mut Lookups,
        wires: (&mut Exchange, &mut Timers),
        out: &mut Vec<Output>,
    ) -> Ready {
        let Some(place) = self.name else { return Ready::Yes };
        let Traveller { who, waited, callee, zone } = traveller;
        let found = if waited { lookups.latest(now, place) } else { lookups.find(now, place, who, wires, out) };
        match found {
            Found::Known(version, targets) => {
                if version != self.version {
                    self.renew(version, &targets, callee, zone);
                }
                if self.targets.is_empty() { Ready::No } else { Ready::Yes }
            }
            Found::Waits => Ready::Later,
            // What it was given at its start is good until somebody says otherwise.
            Found::Nothing if self.version == 0 && !self.targets.is_empty() => Ready::Yes,
            Found::Nothing => Ready::No,
        }
    }

    /// Takes a newer answer. Breakers of those that stay are kept.
    fn renew(&mut self, version: u64, targets: &Targets, callee: &Callee, zone: &ZoneName) {
        self.version = version;
        if self.targets.len() == targets.len() && self.targets.iter().zip(targets.iter()).all(|(a, b)| same(a, b)) {
            return;
        }
        let secured: Vec<Target> =
            targets.iter().map(|target| Target { secure: callee.secure.clone(), ..target.clone() }).collect();
        let kept = |old: usize| secured.iter().position(|target| same(target, &self.targets[old]));
        self.picker = self.picker.carried_over(&secured, self.routing, zone, kept);
        self.targets = secured.into();
    }

    /// Whether every breaker is open.
    pub fn all_open(&self, now: Nanos) -> bool {
        self.picker.all_open(now)
    }

    /// The target to ask, rather one that was not tried yet.
    pub fn pick(&mut self, now: Nanos, tried: &[SocketAddr]) -> Option<usize> {
        if tried.is_empty() {
            return self.picker.pick(now, &[]);
        }
        let is_tried = |(_, target): &(usize, &Target)| tried.contains(&target.address);
        let indices: Vec<usize> = self.targets.iter().enumerate().filter(is_tried).map(|(index, _)| index).collect();
        self.picker.pick(now, &indices)
    }

    /// Where a target is.
    pub fn address(&self, index: usize) -> SocketAddr {
        self.targets[index].address
    }

    /// The name that a target must prove to have.
    pub fn secure(&self, index: usize) -> Option<Text> {
        self.targets[index].secure.clone()
    }

    /// The target answered.
    pub fn succeeded(&mut self, index: usize, to: SocketAddr) {
        if let Some(index) = self.place(index, to) {
            self.picker.succeeded(index);
        }
    }

    /// The target did not answer.
    pub fn failed(&mut self, index: usize, to: SocketAddr, now: Nanos) {
        if let Some(index) = self.place(index, to) {
            self.picker.failed(index, now);
        }
    }

    /// The target stands by.
    pub fn stands_by(&mut self, index: usize, to: SocketAddr, now: Nanos) {
        if let Some(index) = self.place(index, to) {
            self.picker.stands_by(index, now);
        }
    }

    /// Where somebody who was asked is now: the answer may have changed meanwhile.
    fn place(&self, index: usize, to: SocketAddr) -> Option<usize> {
        if self.targets.get(index).is_some_and(|target| target.address == to) {
            return Some(index);
        }
        self.targets.iter().position(|target| target.address == to)
    }
}

fn same(a: &Target, b: &Target) -> bool {
    a.address == b.address && a.name == b.name
}
