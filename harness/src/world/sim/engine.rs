//! Owns what happens in simulated time: one happening after the other, each handed to the machine that it concerns, what
//! that puts out turned into later happenings. Refuses to decide anything; the machines do.

use super::calls::{Call, Caller, Calls, Key};
use super::commons::Troubles;
use super::costs::{Costs, Processors};
use super::faults::{Faults, WHOLE_MILLI};
use super::network::{End, Network, Way};
use super::process::{Host, Process};
use super::region::{self, Built, Parts};
use super::software::Packaged;
use super::taps::Taps;
use crate::clock::Clock;
use crate::controller::{Done, Input};
use crate::witness::protocol::Seen;
use crate::witness::watcher::{Errand, Out, Watcher};
use crate::world::observe::Observer;
use crate::world::sim::queue::Queue;
use agents::machine::role::Role;
use agents::machine::{AttemptId, ConnId, Input as Given, Nanos, Outcome, Output, RequestId};
use agents::wire::{Ask, Line, Note, Reply};
use fixtures::name::{HostName, ZoneName};
use scenarios::plan::Unsynced;
use scenarios::seed::Seeds;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

/// Something that happens at its time.
#[derive(Debug)]
pub(super) enum Happening {
    /// A request reaches whom it is for.
    Arrive(Key),
    /// An answer, or the lack of one, reaches whoever asked.
    Return(Key),
    /// The witness has waited long enough.
    Overdue(Key),
    /// A caller who went away is missed.
    Gone { process: u32, life: u32, request: u64 },
    /// A process wanted to be woken.
    Wake { process: u32, life: u32 },
    /// An append could not be made.
    Refused { process: u32, life: u32, request: u64 },
    /// A batch of appends is done.
    Appended { process: u32, life: u32 },
    /// A host comes up as far as its gate.
    Warm { host: u32 },
    /// A host's gate opens: it gets power.
    Light { host: u32 },
    /// A host loses power, and what was not synced, or keeps it.
    Darken { host: u32, unsynced: Unsynced },
    /// Somebody looks whether a fault is in force.
    Look(Box<str>),
    /// A process is told another configuration, and begins anew with it, and with other software where it fetches that.
    Replace { process: u32, role: Arc<Role>, software: Option<Box<Packaged>> },
    /// A host has booted.
    Booted { host: u32, power: u32 },
    /// A supervisor starts a process.
    Launch { process: u32, life: u32 },
    /// A process begins to run.
    Begin { process: u32, life: u32 },
    /// The witness turns to something.
    Turn(Errand),
    /// The act under way is done.
    ActDone(Box<Done>),
}

/// One question on its way to somebody.
#[derive(Debug)]
struct Asked {
    to: SocketAddr,
    /// Whether they must trust each other's certificates first.
    secure: bool,
    conn: Option<ConnId>,
    ask: Ask,
    timeout: Nanos,
}

/// Everything that is, in simulated time.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) now: Nanos,
    pub(super) queue: Queue<Happening>,
    pub(super) hosts: Vec<Host>,
    pub(super) names: Vec<HostName>,
    pub(super) zones: Vec<ZoneName>,
    pub(super) processes: Vec<Process>,
    pub(super) calls: Calls,
    pub(super) network: Network,
    pub(super) processors: Processors,
    pub(super) costs: Costs,
    pub(super) faults: Faults,
    pub(super) troubles: Troubles,
    /// Latencies, skews and pauses.
    pub(super) seeds: Seeds,
    pub(super) watcher: Watcher,
    pub(super) observer: Observer,
    pub(super) clock: Clock,
    /// What the controller has not been told yet.
    pub(super) seen: VecDeque<Input>,
    pub(super) reading_back: bool,
    /// Who looks at calls, while a region is built.
    pub(super) taps: Option<Box<Taps>>,
    /// Ends of the mover's calls.
    pub(super) moved: VecDeque<(u64, Result<Reply, &'static str>)>,
    /// Inputs handed to state machines so far.
    pub(super) handed: u64,
    outputs: Vec<Output>,
    outs: Vec<Out>,
}

impl Engine {
    pub(super) fn new(parts: &Parts<'_>) -> Self {
        Self::of(parts, region::build(parts, None))
    }

    /// Of hosts and processes that were made beforehand.
    pub(super) fn of(parts: &Parts<'_>, built: Built) -> Self {
        let Built { hosts, names, processes, watch } = built;
        let costs = parts.costs.clone();
        let instances = parts.placement.instances.len();
        Self {
            now: 0,
            queue: Queue::default(),
            network: Network::new(parts.topology, costs.latency_ns, hosts.len()),
            processors: Processors::new(&costs, hosts.len(), instances),
            hosts,
            names,
            zones: parts.topology.zones().map(|(_, zone)| zone.name.clone()).collect(),
            processes,
            calls: Calls::default(),
            costs,
            faults: Faults::default(),
            troubles: Troubles::default(),
            // Apart from the stream that decides boots and jitter of instances, which Docker has too.
            seeds: Seeds::new(parts.seed ^ 0x51_4D_57_4F_52_4C_44),
            watcher: Watcher::new(watch),
            observer: Observer::default(),
            clock: Clock::standing(),
            seen: VecDeque::new(),
            reading_back: false,
            taps: None,
            moved: VecDeque::new(),
            handed: 0,
            outputs: Vec::new(),
            outs: Vec::new(),
        }
    }

    /// Lets the next thing happen, unless it happens after `limit`. False where there is none.
    pub(super) fn step(&mut self, limit: Nanos) -> bool {
        let Some((at, happening)) = self.queue.pop(limit) else { return false };
        self.now = at;
        let Some(happening) = self.unless_paused(happening) else { return true };
        match happening {
            Happening::Arrive(key) => self.arrive(key),
            Happening::Return(key) => self.return_to_caller(key),
            Happening::Overdue(key) => self.overdue(key),
            Happening::Gone { process, life, request } => {
                if self.lives(process, life) {
                    self.give(process, Given::Gone { id: RequestId(request) }, 0);
                }
            }
            Happening::Refused { process, life, request } => {
                if self.lives(process, life) {
                    self.give(process, Given::Appended { id: RequestId(request), ok: false }, 0);
                }
            }
            Happening::Wake { process, life } => self.wake(process, life),
            Happening::Appended { process, life } => self.appended(process, life),
            Happening::Warm { host } => self.hosts[host as usize].reachable = true,
            Happening::Light { host } => self.light(host),
            Happening::Darken { host, unsynced } => self.darken(host, unsynced),
            Happening::Look(fault) => self.look_again(fault),
            Happening::Replace { process, role, software } => self.replace(process, role, software),
            Happening::Booted { host, power } => self.booted(host, power),
            Happening::Launch { process, life } => self.launch(process, life),
            Happening::Begin { process, life } => self.begin(process, life),
            Happening::Turn(errand) => self.witness(|watcher, now, outs| watcher.turn(now, errand, outs)),
            Happening::ActDone(done) => self.seen.push_back(Input::Done(Ok(*done))),
        }
        true
    }

    pub(super) fn lives(&self, process: u32, life: u32) -> bool {
        let known = &self.processes[process as usize];
        known.life == life && known.mind.is_some()
    }

    /// Hands an input to a process and performs what comes of it, `delay` later.
    pub(super) fn give(&mut self, index: u32, input: Given, delay: Nanos) {
        let process = &mut self.processes[index as usize];
        let Some(mind) = &mut process.mind else { return };
        self.handed += 1;
        let mut outputs = std::mem::take(&mut self.outputs);
        mind.actor().handle(self.now, input, &mut outputs);
        for output in outputs.drain(..) {
            self.perform(index, output, delay);
        }
        self.outputs = outputs;
        self.arm(index);
    }

    /// Enters a wake-up, where an earlier one is wanted than the one that is entered.
    fn arm(&mut self, index: u32) {
        let process = &mut self.processes[index as usize];
        let next = process.mind.as_mut().and_then(|mind| mind.actor().next_wake());
        if let Some(at) = next.filter(|at| *at < process.wake_at) {
            process.wake_at = at;
            self.queue.push(at, Happening::Wake { process: index, life: process.life });
        }
    }

    fn wake(&mut self, index: u32, life: u32) {
        let process = &mut self.processes[index as usize];
        // One that was entered before an earlier one was wanted is void.
        if process.life != life || process.wake_at != self.now {
            return;
        }
        process.wake_at = Nanos::MAX;
        let next = process.mind.as_mut().and_then(|mind| mind.actor().next_wake());
        if next.is_some_and(|at| at <= self.now) {
            self.give(index, Given::Wake, 0);
        } else {
            self.arm(index);
        }
    }

    fn perform(&mut self, index: u32, output: Output, delay: Nanos) {
        match output {
            Output::Listen => self.processes[index as usize].listens = true,
            Output::Send { attempt, to, secure, conn, ask, timeout } => {
                let asked = Asked { to, secure: secure.is_some(), conn, ask, timeout };
                self.send(index, attempt, asked, delay)
            }
            Output::Abandon { attempt } => {
                if let Some(key) = self.processes[index as usize].outgoing.remove(&attempt) {
                    self.hang_up(key, delay);
                }
            }
            // A connection here is nothing but the life of the process at its other end.
            Output::Close { .. } => {}
            Output::Respond { id, reply } => self.respond(index, Key::of(id.0), Outcome::Reply(reply), delay),
            Output::Append { id, key, value, sync } => self.append(index, id, (key, value), sync),
            Output::Note(note) => self.note(index, note),
            Output::Exit(status) => self.exit(index, &format!("exit status {status}")),
        }
    }

    fn send(&mut self, index: u32, attempt: AttemptId, asked: Asked, delay: Nanos) {
        let process = &self.processes[index as usize];
        let caller = Caller::Process { process: index, life: process.life, attempt };
        let here = self.end_of(process.host);
        if let Some(key) = self.call(caller, here, asked, delay) {
            self.processes[index as usize].outgoing.insert(attempt, key);
        }
    }

    /// Sends a request on its way. Nobody ever answers from an address that no host has.
    fn call(&mut self, caller: Caller, here: End, asked: Asked, delay: Nanos) -> Option<Key> {
        let Asked { to, secure, conn, ask, timeout } = asked;
        let to = region::locate(&self.hosts, to)?;
        // The header that carries it counts milliseconds.
        let remaining = timeout / 1_000_000 * 1_000_000;
        let datagram = matches!(ask, Ask::Lookup { .. });
        let (ask, taken_in, outcome) = (Some(ask), None, None);
        let key = self.calls.insert(Call { caller, to, taken_in, conn, secure, datagram, ask, remaining, outcome });
        let there = self.end_of(self.processes[to as usize].host);
        let way = if datagram {
            self.network.datagram(here, there, &mut self.seeds)
        } else {
            self.network.request(here, there, conn.is_none(), secure, &mut self.seeds)
        };
        self.tap_call(key, !matches!(way, Way::Arrives(_)));
        match way {
            Way::Arrives(takes) => self.queue.push(self.now + delay + takes, Happening::Arrive(key)),
            Way::Vanishes => {}
            Way::Refused(takes) => {
                let outcome = if conn.is_none() { Outcome::Refused } else { Outcome::Broken };
                if let Some(call) = self.calls.get_mut(key) {
                    call.outcome = Some(outcome);
                }
                self.queue.push(self.now + delay + takes, Happening::Return(key));
            }
        }
        Some(key)
    }

    fn arrive(&mut self, key: Key) {
        let Some(call) = self.calls.get_mut(key) else { return };
        let to = call.to;
        let process = &self.processes[to as usize];
        if !self.hosts[process.host as usize].reachable {
            // A dark host says nothing. Whoever opens a connection learns at last that nobody has the address; a kept
            // one is silent for longer than anybody here waits.
            if call.conn.is_none() {
                call.outcome = Some(Outcome::Unreachable);
                self.queue.push(self.network.given_up_at(self.now, process.host), Happening::Return(key));
            }
            return;
        }
        let failure = match call.conn {
            // Its other end has another life by now, and knows nothing of it.
            Some(conn) if conn != connection(to, process.life) || process.mind.is_none() => Some(Outcome::Broken),
            Some(_) => None,
            None if !process.listens => Some(Outcome::Refused),
            None => self.distrust(key),
        };
        let Some(call) = self.calls.get_mut(key) else { return };
        if let Some(outcome) = failure {
            call.outcome = Some(outcome);
            return self.queue.push(self.now, Happening::Return(key));
        }
        let process = &self.processes[to as usize];
        call.taken_in = Some(process.life);
        let Some(ask) = call.ask.take() else { return };
        let (id, remaining) = (RequestId(key.number()), Some(call.remaining));
        let (host, caller, secure) = (process.host, call.caller, call.secure);
        let handshake = call.conn.is_none() && secure;
        let proven = secure && !matches!(ask, Ask::Need { .. }) && self.is_proven(caller, to);
        let delay = if handshake { self.shake_hands(caller, host) } else { self.work(host, self.costs.message_ns) };
        self.give(to, Given::Request { id, ask, remaining, proven }, delay);
    }

    /// Both ends of a new connection show and believe certificates, one after the other, and the request is read; returns
    /// how long from now that takes.
    fn shake_hands(&mut self, caller: Caller, host: u32) -> Nanos {
        let Costs { handshake_ns, message_ns, .. } = self.costs;
        let theirs = match caller {
            Caller::Process { process, .. } => self.work(self.processes[process as usize].host, handshake_ns),
            Caller::Witness(_) | Caller::Mover(_) => self.processors.work_outside(self.now, handshake_ns),
        };
        let ours = handshake_ns + message_ns;
        self.work(host, ours).max(theirs + ours)
    }

    /// The called process ends a call.
    fn respond(&mut self, index: u32, key: Key, outcome: Outcome, delay: Nanos) {
        let Some(call) = self.calls.get_mut(key) else { return };
        let process = &self.processes[index as usize];
        // A datagram leaves no connection behind.
        call.conn = (matches!(outcome, Outcome::Reply(_)) && !call.datagram).then(|| connection(index, process.life));
        call.outcome = Some(outcome);
        let datagram = call.datagram;
        let (caller, here) = (call.caller, self.end_of(process.host));
        self.tap_answer(index, key);
        let there = match caller {
            Caller::Process { process, .. } => self.end_of(self.processes[process as usize].host),
            Caller::Witness(_) | Caller::Mover(_) => self.network.outside(),
        };
        let way = if datagram {
            self.network.datagram(here, there, &mut self.seeds)
        } else {
            self.network.answer(here, there, &mut self.seeds)
        };
        match way {
            Way::Arrives(takes) => self.queue.push(self.now + delay + takes, Happening::Return(key)),
            Way::Vanishes => {}
            Way::Refused(takes) => {
                if let Some(call) = self.calls.get_mut(key) {
                    call.outcome = Some(Outcome::Broken);
                }
                self.queue.push(self.now + delay + takes, Happening::Return(key));
            }
        }
    }

    fn end_of(&self, host: u32) -> End {
        End { zone: self.hosts[host as usize].zone, host: Some(host) }
    }

    /// Does work for a host; returns how long from now it is done.
    pub(super) fn work(&mut self, host: u32, cost: Nanos) -> Nanos {
        let left_milli = self.hosts[host as usize].left_milli;
        let cost = if left_milli == WHOLE_MILLI { cost } else { cost * 1_000 / u64::from(left_milli) };
        self.processors.work(self.now, host, cost)
    }

    /// The host that a happening is about.
    pub(super) fn host_of(&mut self, happening: &Happening) -> Option<u32> {
        let process = match happening {
            Happening::Arrive(key) => self.calls.get_mut(*key)?.to,
            Happening::Return(key) => match self.calls.get_mut(*key)?.caller {
                Caller::Process { process, .. } => process,
                Caller::Witness(_) | Caller::Mover(_) => return None,
            },
            Happening::Gone { process, .. }
            | Happening::Wake { process, .. }
            | Happening::Appended { process, .. }
            | Happening::Refused { process, .. }
            | Happening::Launch { process, .. }
            | Happening::Begin { process, .. } => *process,
            Happening::Booted { host, .. } => return Some(*host),
            // Power is given and taken from outside.
            _ => return None,
        };
        Some(self.processes[process as usize].host)
    }

    fn return_to_caller(&mut self, key: Key) {
        let Some((caller, conn, outcome)) = self.calls.end(key) else { return };
        self.tap_return(key, &outcome);
        match caller {
            Caller::Process { process, life, attempt } => {
                if !self.lives(process, life) {
                    return;
                }
                let known = &mut self.processes[process as usize];
                known.outgoing.remove(&attempt);
                let outcome = self.delivered(process, key, outcome);
                let known = &self.processes[process as usize];
                let conn = conn.filter(|_| matches!(outcome, Outcome::Reply(_)));
                let host = known.host;
                let delay = self.work(host, self.costs.message_ns);
                self.give(process, Given::Answer { attempt, outcome, conn }, delay);
            }
            Caller::Witness(errand) => {
                self.processors.work_outside(self.now, self.costs.message_ns);
                let result = match outcome {
                    Outcome::Reply(reply) => Ok(reply),
                    silent => Err(crate::witness::silence(&silent)),
                };
                self.witness(|watcher, now, outs| watcher.answered(now, errand, result, outs));
            }
            Caller::Mover(number) => {
                let result = match outcome {
                    Outcome::Reply(reply) => Ok(reply),
                    silent => Err(crate::witness::silence(&silent)),
                };
                self.moved.push_back((number, result));
            }
        }
    }

    fn overdue(&mut self, key: Key) {
        let Some(Call { caller, .. }) = self.calls.get_mut(key) else { return };
        let caller = *caller;
        match caller {
            Caller::Process { .. } => {}
            Caller::Witness(errand) => {
                self.hang_up(key, 0);
                self.witness(|watcher, now, outs| watcher.answered(now, errand, Err("timeout"), outs));
            }
            Caller::Mover(number) => {
                self.hang_up(key, 0);
                self.moved.push_back((number, Err("timeout")));
            }
        }
    }

    /// Asks on behalf of the mover, who is outside all hosts.
    pub(super) fn ask_for_mover(&mut self, number: u64, (to, secure): (SocketAddr, bool), ask: Ask, timeout: Nanos) {
        let asked = Asked { to, secure, conn: None, ask, timeout };
        let outside = self.network.outside();
        match self.call(Caller::Mover(number), outside, asked, 0) {
            Some(key) => self.queue.push(self.now + timeout, Happening::Overdue(key)),
            None => self.moved.push_back((number, Err("unreachable"))),
        }
    }

    /// The caller goes away; whoever works on the request learns it.
    pub(super) fn hang_up(&mut self, key: Key, delay: Nanos) {
        let Some(call) = self.calls.remove(key) else { return };
        if let (Some(life), None) = (call.taken_in, call.outcome) {
            let gone = Happening::Gone { process: call.to, life, request: key.number() };
            self.queue.push(self.now + delay + self.costs.latency_ns, gone);
        }
    }

    /// The calls that a process has taken end with it.
    pub(super) fn break_calls(&mut self, index: u32) {
        for key in self.calls.taken_by(index) {
            self.respond(index, key, Outcome::Broken, 0);
        }
    }

    /// Lets the witness do something and performs what comes of it.
    pub(super) fn witness(&mut self, step: impl FnOnce(&mut Watcher, Nanos, &mut Vec<Out>)) {
        let mut outs = std::mem::take(&mut self.outs);
        self.handed += 1;
        step(&mut self.watcher, self.now, &mut outs);
        for out in outs.drain(..) {
            match out {
                Out::Later { at, errand } => self.queue.push(at, Happening::Turn(errand)),
                Out::Ask { errand, to, secure, ask, timeout_ns } => {
                    let outside = self.network.outside();
                    let caller = Caller::Witness(errand);
                    let asked = Asked { to, secure: secure.is_some(), conn: None, ask, timeout: timeout_ns };
                    if let Some(key) = self.call(caller, outside, asked, 0) {
                        self.queue.push(self.now + timeout_ns, Happening::Overdue(key));
                    }
                }
                Out::Seen(Seen::ReadBackDone) if self.reading_back => {
                    self.reading_back = false;
                    self.seen.push_back(Input::Done(Ok(Done::ReadBack)));
                }
                Out::Seen(seen) => self.seen.extend(self.observer.translate(&self.clock, seen)),
            }
        }
        self.outs = outs;
    }

    /// A process tells the witness something of itself. Notes travel beside the region and are never lost here.
    pub(super) fn note(&mut self, index: u32, note: Note) {
        let process = &mut self.processes[index as usize];
        let from = process.from(&self.names[process.host as usize]);
        let line = Line { mono_ns: self.now, seq: process.notes, dropped: 0, from, note };
        process.notes += 1;
        self.seen.extend(self.observer.translate(&self.clock, Seen::Line(line)));
    }
}

/// A kept connection: the process at its other end, in this one of its lives.
fn connection(process: u32, life: u32) -> ConnId {
    ConnId(u64::from(process) << 32 | u64::from(life))
}
