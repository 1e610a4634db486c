//! Owns what the witness decides, as a sans-IO machine that a container and the simulator drive alike: whom it asks
//! when, and what it tells of the answers. Refuses to judge, and to know sockets and clocks.
//!
//! It asks every instance for one operation again and again, keenly while it is not active, calmly while it is; it
//! writes to every zone at a steady pace and, at the end, reads back what was acknowledged ([`super::ledger`]).

use super::history::History;
use super::ledger::Ledger;
use super::protocol::{Outcome, Seen, SwitchOrder, Watch};
use super::switch::Switches;
use agents::machine::Nanos;
use agents::wire::{Ask, Failure, Reply, Text};
use std::net::SocketAddr;

/// How long one probe may take. A dead address answers nothing at all: this is what a keen probe of it costs.
const PROBE_TIMEOUT_NS: Nanos = 600_000_000;

/// What an ask, or a pause, is for; at most one of each is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// To probe the instance with this index.
    Probe(usize),
    /// To write to the zone with this index.
    Write(usize),
    /// To read the ledger back.
    Read,
    /// To read or write a register, by the trier with this index.
    Try(usize),
    /// To renew a switch; the number is its own.
    Switch(usize),
    /// To ask the instance with this index for its version.
    Version(usize),
}

/// What its driver is to do.
#[derive(Debug)]
pub enum Out {
    /// Ask once, over a connection of its own, so that a look from outside never rests on an old one. Its end comes
    /// back by [`Watcher::answered`].
    Ask {
        /// Comes back.
        errand: Errand,
        /// Whom.
        to: SocketAddr,
        /// The name that it must prove to have; `None` asks in the clear.
        secure: Option<Text>,
        /// What.
        ask: Ask,
        /// Bound in nanoseconds.
        timeout_ns: Nanos,
    },
    /// Call [`Watcher::turn`] at this time.
    Later {
        /// When.
        at: Nanos,
        /// Comes back.
        errand: Errand,
    },
    /// Tell the controller.
    Seen(Seen),
}

/// What the witness knows.
#[derive(Debug)]
pub struct Watcher {
    watch: Watch,
    /// What each probe asks for.
    operations: Vec<Text>,
    probes: Vec<Probing>,
    ledger: Ledger,
    history: History,
    switches: Switches,
    /// Number of the present round of probes, from 1.
    round: u64,
    /// Instances probed in it.
    probed: usize,
}

#[derive(Debug, Clone, Default)]
struct Probing {
    began: Nanos,
    last: Option<Outcome>,
    /// The last round in which it was probed, and in which it answered.
    probed: u64,
    answered: u64,
}

impl Watcher {
    /// A witness that has done nothing yet.
    pub fn new(watch: Watch) -> Self {
        let mut operations: Vec<Text> = Vec::new();
        for probed in &watch.probes {
            // Neighbours ask for the same: one text serves them.
            let same = operations.last().filter(|last| ***last == *probed.operation).cloned();
            operations.push(same.unwrap_or_else(|| probed.operation.as_str().into()));
        }
        let probes = vec![Probing::default(); watch.probes.len()];
        Self {
            operations,
            probes,
            ledger: Ledger::new(&watch),
            history: History::new(&watch.triers, &watch.keys_begin),
            switches: Switches::default(),
            watch,
            round: 1,
            probed: 0,
        }
    }

    /// Begins to probe and to write.
    pub fn begin(&mut self, now: Nanos, out: &mut Vec<Out>) {
        // Probes of many instances are spread over the interval, so that they are no load spike of their own.
        let step = self.watch.calm_ns / self.probes.len().max(1) as u64;
        for index in 0..self.probes.len() {
            out.push(Out::Later { at: now + step * index as u64, errand: Errand::Probe(index) });
        }
        self.ledger.begin(now, out);
        self.history.begin(now, out);
    }

    /// The time of an [`Out::Later`] has come.
    pub fn turn(&mut self, now: Nanos, errand: Errand, out: &mut Vec<Out>) {
        match errand {
            Errand::Probe(index) => {
                self.probes[index].began = now;
                let ask = Ask::Work { operation: self.operations[index].clone(), write: None, again: false };
                let target = &self.watch.probes[index].target;
                let (to, secure) = (target.address, target.secure.clone());
                out.push(Out::Ask { errand, to, secure, ask, timeout_ns: PROBE_TIMEOUT_NS });
            }
            Errand::Write(zone) => self.ledger.write(now, zone, out),
            Errand::Try(trier) => self.history.ask(now, trier, out),
            Errand::Switch(number) => self.switches.turn(now, number, out),
            Errand::Read | Errand::Version(_) => {}
        }
    }

    /// Asks every instance which version it runs.
    pub fn versions(&self, out: &mut Vec<Out>) {
        for (index, probed) in self.watch.probes.iter().enumerate() {
            let (to, secure) = (probed.target.address, probed.target.secure.clone());
            let errand = Errand::Version(index);
            out.push(Out::Ask { errand, to, secure, ask: Ask::Version, timeout_ns: PROBE_TIMEOUT_NS });
        }
    }

    /// An [`Out::Ask`] has come to its end: the answer, or a word for why there was none.
    pub fn answered(&mut self, now: Nanos, errand: Errand, result: Result<Reply, &'static str>, out: &mut Vec<Out>) {
        match errand {
            Errand::Probe(index) => self.probe_ended(now, index, result, out),
            Errand::Write(zone) => self.ledger.written(now, zone, result.ok(), out),
            Errand::Read => self.ledger.was_read(now, result.ok(), out),
            Errand::Try(trier) => self.history.answered(now, trier, result.ok(), out),
            Errand::Switch(number) => self.switches.answered(now, number, result.ok(), out),
            Errand::Version(probe) => {
                let version = result.ok().and_then(|reply| reply.value).unwrap_or_default();
                out.push(Out::Seen(Seen::Version { probe, version }));
            }
        }
    }

    /// Where an instance is, and the name that it must prove to have.
    pub fn target(&self, probe: usize) -> Option<(SocketAddr, Option<Text>)> {
        let target = &self.watch.probes.get(probe)?.target;
        Some((target.address, target.secure.clone()))
    }

    /// Begins or ends a switch.
    pub fn switch(&mut self, now: Nanos, order: SwitchOrder, out: &mut Vec<Out>) {
        let place = |index: &usize| {
            let target = &self.watch.probes.get(*index)?.target;
            Some((target.address, target.secure.clone()))
        };
        // A customer proves nothing to anybody.
        let canaries = order.canaries.iter().filter_map(|index| Some((*self.watch.canaries.get(*index)?, None)));
        let targets = order.instances.iter().filter_map(place).chain(canaries).collect();
        self.switches.order(now, order, targets, out);
    }

    /// These instances were dark. Of one that was not looked at meanwhile the last look says that it is active, and a next
    /// one that says the same would tell nothing: it is told once more.
    pub fn relit(&mut self, instances: &[usize]) {
        for index in instances {
            if let Some(probing) = self.probes.get_mut(*index) {
                probing.last.take_if(|last| last.is_well());
            }
        }
    }

    /// Stops writing, waits for what is under way, and reads every acknowledged write from everyone who stored it.
    pub fn read_back(&mut self, now: Nanos, out: &mut Vec<Out>) {
        self.history.end();
        let probes = &self.watch.probes;
        let place = |probed: &super::protocol::Probed| {
            let target = &probed.target;
            (target.name.clone(), (target.address, target.secure.clone()))
        };
        let by_name = probes.iter().map(place).collect();
        self.ledger.read_back(now, by_name, out);
    }

    fn probe_ended(&mut self, now: Nanos, index: usize, result: Result<Reply, &'static str>, out: &mut Vec<Out>) {
        let outcome = match result {
            Err(silence) => Outcome::Silent(silence.to_owned()),
            Ok(reply) => outcome(&reply),
        };
        let pause = if outcome.is_well() { self.watch.calm_ns } else { self.watch.keen_ns };
        let probing = &mut self.probes[index];
        if probing.probed != self.round {
            probing.probed = self.round;
            self.probed += 1;
        }
        if !matches!(outcome, Outcome::Silent(_)) {
            probing.answered = self.round;
        }
        let took_us = now.saturating_sub(probing.began) / 1000;
        if self.probed == self.probes.len() {
            self.end_round(now, out);
        }
        let probing = &mut self.probes[index];
        if probing.last.as_ref() != Some(&outcome) {
            probing.last = Some(outcome.clone());
            out.push(Out::Seen(Seen::Probe { probe: index, outcome, mono_ns: now, took_us }));
        }
        out.push(Out::Later { at: now + pause, errand: Errand::Probe(index) });
    }

    fn end_round(&mut self, now: Nanos, out: &mut Vec<Out>) {
        let answered = |(_, probing): &(usize, &Probing)| probing.answered == self.round;
        let answering = self.probes.iter().enumerate().filter(answered).map(|(index, _)| index).collect();
        out.push(Out::Seen(Seen::Round { mono_ns: now, answering }));
        self.round += 1;
        self.probed = 0;
    }
}

fn outcome(reply: &Reply) -> Outcome {
    let names = |services: &[fixtures::name::ServiceName]| services.iter().map(ToString::to_string).collect();
    match reply.cause() {
        Some(_) if reply.error == Some(Failure::Standby) => Outcome::StandsBy,
        Some(cause) => Outcome::Failing { cause, missing: names(&reply.missing) },
        None if reply.degraded.is_empty() => Outcome::Active,
        None => Outcome::Degraded(names(&reply.degraded)),
    }
}
