//! Owns the behaviour of one instance of a mock service, as one sans-IO state machine: `(now, Input) -> Outputs`.
//! Refuses to know clocks, sockets and files: a runtime inside a container drives it, and so does a simulator.
//!
//! ```text
//!            every need acquired                    hard call fails: typed error, next call tries again
//!  starting ----------------------> serving --------------------------------------------------------.
//!   |  ^ jittered back-off             ^  |                                                          |
//!   |  '--- can I start? no            |  '-----------------------------------------------------------'
//!   '--> exit (when-missing = exit; the host's supervisor starts it again)
//! ```
//!
//! It owns everything that can be got wrong: needs ([`need`]), how long what was granted is good ([`validity`]), names
//! ([`lookup`], and [`directory`] in a name server), choice of instance and breakers ([`route`], [`target`]),
//! connections kept for reuse ([`exchange`]), retries, deadlines and degraded answers ([`job`]), admission, what is
//! counted and when that is alarming (`meter`, `board`), who takes requests where somebody scales (`scaling`, [`duty`]),
//! which version it runs ([`version`]), and what is remembered. The runtime owns bytes, handshakes and fsync.

mod arrivals;
mod backlog;
mod board;
mod cache;
pub mod directory;
pub mod duty;
pub mod exchange;
mod granted;
pub mod job;
pub mod lookup;
mod meter;
pub mod need;
pub mod ordered;
mod replica;
pub mod role;
pub mod route;
mod scaler;
mod scaling;
pub mod switch;
pub mod target;
pub mod timer;
pub mod validity;
pub mod version;

use crate::config::InstanceConfig;
use crate::wire::{Ask, Failure, Grant, Note, Reply, Text};
use arrivals::Arrivals;
use backlog::Pending;
use board::Board;
use cache::Kept;
use directory::{Directory, Question};
use exchange::{Exchange, Purpose};
use fixtures::graph::State;
use fixtures::name::InstanceName;
use fixtures::trouble::InForce;
use granted::Granted;
use job::{Edge, Job};
use lookup::{Lookups, Waiter};
use meter::Meter;
use need::NeedState;
use ordered::Ordered;
use replica::Replica;
use role::Role;
use scaler::Scaler;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use switch::Switches;
use timer::{TimerKind, Timers};
use validity::Felt;
use version::Versions;

/// Nanoseconds on a monotonic clock whose zero does not matter.
pub type Nanos = u64;

/// A request that somebody sent to this instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// One attempt of this instance to ask another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub u64);

/// A connection that the runtime holds open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// What happens to an instance.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The process has started; `entries` is what its state file held.
    Start {
        /// Keys and values, oldest first.
        entries: Vec<(String, String)>,
    },
    /// The time of [`Machine::next_wake`] has come.
    Wake,
    /// Somebody asks.
    Request {
        /// Chosen by the runtime, never reused.
        id: RequestId,
        /// What.
        ask: Ask,
        /// How long the caller waits, in nanoseconds; `None` where it did not say.
        remaining: Option<Nanos>,
        /// Whether the caller has shown who it is, on this connection.
        proven: bool,
    },
    /// The caller has gone away.
    Gone {
        /// The request.
        id: RequestId,
    },
    /// An attempt has come to an end.
    Answer {
        /// Which.
        attempt: AttemptId,
        /// How.
        outcome: Outcome,
        /// The connection, where it can be used again.
        conn: Option<ConnId>,
    },
    /// What is the matter on its host has changed: this is all of it.
    Troubled {
        /// What is in force.
        in_force: Vec<InForce>,
    },
    /// An idle connection was closed by the other side.
    Closed {
        /// Which.
        conn: ConnId,
    },
    /// An append has come to an end.
    Appended {
        /// The request whose write it was.
        id: RequestId,
        /// Whether it is stored.
        ok: bool,
    },
}

/// How an attempt ended, as far as bytes go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// An answer came.
    Reply(Reply),
    /// The connection was refused.
    Refused,
    /// No route, or the address is not there.
    Unreachable,
    /// The connection ended before the answer.
    Broken,
    /// One side did not trust the other's certificate.
    Untrusted,
}

/// What the runtime is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Begin to accept requests.
    Listen,
    /// Ask another instance.
    Send {
        /// Comes back in [`Input::Answer`].
        attempt: AttemptId,
        /// Whom.
        to: SocketAddr,
        /// The name that it must prove to have; `None` asks in the clear.
        secure: Option<Text>,
        /// On this connection; `None` opens one.
        conn: Option<ConnId>,
        /// What.
        ask: Ask,
        /// How long the attempt may take, in nanoseconds.
        timeout: Nanos,
    },
    /// Drop an attempt: its time is up or nobody waits for it. No answer is expected.
    Abandon {
        /// Which.
        attempt: AttemptId,
    },
    /// Close an idle connection: it will not be used again, and its other end may never close it.
    Close {
        /// Which.
        conn: ConnId,
    },
    /// Answer a request.
    Respond {
        /// Which.
        id: RequestId,
        /// The answer.
        reply: Reply,
    },
    /// Append to the state file; [`Input::Appended`] follows.
    Append {
        /// The request whose write it is.
        id: RequestId,
        /// Key.
        key: String,
        /// Value.
        value: String,
        /// Whether it must be synced to the disk before the answer.
        sync: bool,
    },
    /// Tell the witness, best effort.
    Note(Note),
    /// End the process with this exit status.
    Exit(i32),
}

/// Whatever a runtime or a simulator can drive: an instance, or a canary.
pub trait Actor {
    /// One step; outputs are appended in the order in which they are to be performed.
    fn handle(&mut self, now: Nanos, input: Input, out: &mut Vec<Output>);
    /// When it wants [`Input::Wake`], if at all.
    fn next_wake(&self) -> Option<Nanos>;
    /// Requests so far.
    fn counters(&self) -> Counters;
    /// Until when what it shows to whoever asks it over TLS is good; `None` where it has nothing to show.
    fn certificate(&self, now: Nanos) -> Option<Grant>;
    /// Whether it accepts what somebody shows whom it asks.
    fn believes(&self, now: Nanos, shown: Grant) -> bool;
    /// What it shows to somebody whom it asks, who has this.
    fn shows(&self, now: Nanos, to: Grant) -> Option<Grant>;
    /// Whether it accepts what somebody shows who asks it.
    fn accepts(&self, now: Nanos, shown: Grant) -> bool;
}

/// Requests so far, by how they ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Answered in full.
    pub ok: u64,
    /// Answered without a soft dependency.
    pub degraded: u64,
    /// Failed.
    pub failed: u64,
    /// Attempts sent to others.
    pub attempts: u64,
}

/// One instance.
#[derive(Debug)]
pub struct Machine {
    role: Arc<Role>,
    name: InstanceName,
    /// Its name, as its answers say it.
    by: Text,
    rng: fastrand::Rng,
    timers: Timers,
    exchange: Exchange,
    lookups: Lookups,
    directory: Option<Box<Directory>>,
    felt: Felt,
    needs: Vec<NeedState>,
    edges: Vec<Edge>,
    jobs: Ordered<RequestId, Job>,
    store: BTreeMap<String, String>,
    replica: Option<Box<Replica>>,
    cache: Option<Box<Kept>>,
    backlog: Option<Box<Pending>>,
    arrivals: Arrivals,
    granted: Granted,
    meter: Option<Box<Meter>>,
    board: Option<Box<Board>>,
    scaler: Option<Box<Scaler>>,
    /// Whether it takes requests, where somebody scales it.
    takes: Option<bool>,
    switches: Switches,
    versions: Versions,
    /// The time of the last input.
    now: Nanos,
    serving: bool,
    listening: bool,
    /// When the next request may begin, where capacity is limited.
    next_free: Nanos,
    counters: Counters,
    /// Requests in a row that failed for want of a hard dependency.
    unwell: u32,
}

impl Machine {
    /// An instance that has not started yet.
    pub fn new(config: InstanceConfig) -> Self {
        let (name, seed) = (config.name.clone(), config.seed);
        Self::of(Arc::new(Role::new(config)), name, seed)
    }

    /// An instance that shares its role with others.
    pub fn of(role: Arc<Role>, name: InstanceName, seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let config = &role.config;
        let zone = &config.zone;
        let mut lookups = Lookups::new(config.commons.lookups.as_ref(), zone);
        let needs = config.needs.iter().map(|need| NeedState::new(need, zone, &mut lookups, &mut rng)).collect();
        let edges = config.calls.iter().map(|call| Edge::new(call, zone, &mut lookups)).collect();
        let meter = config.commons.meter.as_ref().map(|config| Meter::of(config, zone, &mut lookups));
        let scaler = config.commons.scaler.as_ref().map(|config| Scaler::of(config, zone));
        let directory = config.commons.directory.as_ref().map(|config| Box::new(Directory::new(config, &name)));
        Self {
            by: name.as_str().into(),
            replica: Replica::of(config, &name, seed),
            cache: config.store.cache.map(Kept::of),
            backlog: config.store.backlog.map(Pending::of),
            board: config.commons.board.as_ref().map(Board::of),
            arrivals: Arrivals::default(),
            granted: Granted::default(),
            meter,
            scaler,
            takes: config.commons.duty.as_ref().map(|config| duty::takes_at_first(config, &name)),
            switches: Switches::default(),
            versions: Versions::new(&role),
            now: 0,
            name,
            timers: Timers::default(),
            exchange: Exchange::default(),
            lookups,
            directory,
            felt: Felt::default(),
            needs,
            edges,
            jobs: Ordered::default(),
            store: BTreeMap::new(),
            serving: false,
            listening: false,
            next_free: 0,
            counters: Counters::default(),
            unwell: 0,
            rng,
            role,
        }
    }

    /// Whether it has its needs and answers.
    pub fn is_serving(&self) -> bool {
        self.serving
    }

    fn start(&mut self, now: Nanos, entries: Vec<(String, String)>, out: &mut Vec<Output>) {
        match (&mut self.replica, &mut self.backlog) {
            (Some(replica), _) => replica.keep(entries),
            (None, Some(backlog)) => self.store.extend(backlog.restore(&entries)),
            (None, None) => self.store.extend(entries),
        }
        out.push(Output::Note(Note::Starting));
        if !self.starts(out) {
            return;
        }
        for index in 0..self.needs.len() {
            self.ask_for_need(now, index, false, out);
        }
        if let Some(directory) = &mut self.directory {
            directory.check_all(now, &mut self.exchange, &mut self.timers, out);
        }
        self.serve_if_complete(now, out);
    }

    fn serve_if_complete(&mut self, now: Nanos, out: &mut Vec<Output>) {
        if !self.serving && self.needs.iter().all(NeedState::is_acquired) {
            self.serving = true;
            let again = std::mem::replace(&mut self.listening, true);
            if !again {
                out.push(Output::Listen);
            }
            out.push(Output::Note(Note::Serving));
            if !again {
                self.join(now, out);
                self.begin_to_measure(now);
            }
            // Whoever had stopped to serve finds what was stored where it was left.
            self.work_off(now, out);
        }
    }

    fn wake(&mut self, now: Nanos, out: &mut Vec<Output>) {
        while let Some(kind) = self.timers.pop_due(now) {
            match kind {
                TimerKind::Need(index) => self.ask_for_need(now, index, false, out),
                TimerKind::Expiry(index) => self.expired(now, index, out),
                TimerKind::Attempt(attempt) => self.attempt_timed_out(now, attempt, out),
                TimerKind::Job(id) => self.advance(now, id, out),
                TimerKind::CallNotes => self.note_calls(out),
                TimerKind::Arrivals => self.note_arrivals(now, out),
                TimerKind::Health => {
                    if let Some(directory) = &mut self.directory {
                        directory.check_all(now, &mut self.exchange, &mut self.timers, out);
                    }
                }
                TimerKind::Late => {
                    if let Some(directory) = &mut self.directory {
                        directory.send_late(now, &mut self.timers, out);
                    }
                }
                TimerKind::Member => self.wake_member(now, out),
                TimerKind::Tap => self.tell_tap(now, out),
                TimerKind::Backlog => self.work_off(now, out),
                TimerKind::Meter => self.measure(now, out),
                TimerKind::Board => self.watch(now, out),
                TimerKind::Scaler => self.scale(now, out),
            }
        }
    }

    fn request(&mut self, now: Nanos, id: RequestId, ask: Ask, remaining: Option<Nanos>, out: &mut Vec<Output>) {
        if let Ask::Work { again, .. } = &ask {
            self.count_arrival(now, *again);
            if !self.serving {
                self.count_refusal(Failure::DependencyMissing);
            }
        }
        let by = &self.by;
        let reply = match ask {
            Ask::Work { .. } | Ask::Ready | Ask::Metrics(_) | Ask::Load(_) | Ask::Duty { .. } if !self.serving => {
                let missing = self.lacks();
                Reply { error: Some(Failure::DependencyMissing), missing, ..Reply::by(by) }
            }
            Ask::Work { operation, write, again } => {
                return self.admit(now, id, (&operation, write, again), remaining, out);
            }
            Ask::Ready => return self.ready(now, id, remaining, out),
            Ask::Lookup { name } => match &mut self.directory {
                Some(directory) => {
                    let question = Question { id, name: &name, trouble: self.felt.names.as_ref(), by };
                    return directory.lookup(now, question, &mut self.timers, out);
                }
                None => Reply { error: Some(Failure::Unknown), ..Reply::by(by) },
            },
            Ask::Need { kind, holder } => {
                self.count_need(now);
                self.grant(now, &kind, &holder)
            }
            // The time that its host's clock shows, so that others can see whether it is right.
            Ask::Live => Reply { value: Some(self.felt.shows(now).to_string()), ..Reply::by(by) },
            Ask::Version => Reply { value: Some(self.version().to_owned()), ..Reply::by(by) },
            Ask::Load(of) => self.load(now, *of),
            Ask::Duty { order } => return self.duty(now, id, order, out),
            Ask::Switch { .. } => return self.switch(now, id, &ask, out),
            Ask::Metrics(metrics) => return self.take_push(now, id, &metrics, remaining, out),
            Ask::Member(letter) => return self.member_asks(now, id, *letter, out),
            Ask::Read { key } if self.replica.is_some() => return self.read_agreed(now, id, key, remaining, out),
            Ask::Read { key } => match self.store.get(&key) {
                Some(value) => Reply { value: Some(value.clone()), ..Reply::by(by) },
                None => Reply { error: Some(Failure::NotFound), ..Reply::by(by) },
            },
        };
        out.push(Output::Respond { id, reply });
    }

    fn answer(
        &mut self,
        now: Nanos,
        attempt: AttemptId,
        outcome: Outcome,
        conn: Option<ConnId>,
        out: &mut Vec<Output>,
    ) {
        if let Some(ended) = self.exchange.answer(now, attempt, outcome, conn, out) {
            self.timers.cancel(TimerKind::Attempt(attempt));
            self.attempt_ended(now, ended, out);
        }
    }

    fn attempt_timed_out(&mut self, now: Nanos, attempt: AttemptId, out: &mut Vec<Output>) {
        if let Some(ended) = self.exchange.time_out(attempt, out) {
            self.attempt_ended(now, ended, out);
        }
    }

    fn attempt_ended(&mut self, now: Nanos, ended: exchange::Ended, out: &mut Vec<Output>) {
        match ended.purpose {
            Purpose::Need(index) => self.need_answered(now, index, &ended, out),
            Purpose::Health(place) => {
                if let Some(directory) = &mut self.directory {
                    directory.was_checked(place, &ended);
                }
            }
            Purpose::Lookup(place) => self.looked_up(now, place, &ended, out),
            Purpose::Call { id, .. } => self.call_answered(now, id, ended, out),
            Purpose::Member { flight } => self.member_answered(now, flight, ended, out),
            Purpose::Push => self.push_ended(now, &ended, out),
            Purpose::Load { group } => self.load_told(now, group, &ended),
            Purpose::Duty { group, member } => self.duty_told((group, member), &ended),
            Purpose::Relay => {}
        }
    }

    /// A name was asked for; whoever waited for it goes on.
    fn looked_up(&mut self, now: Nanos, place: usize, ended: &exchange::Ended, out: &mut Vec<Output>) {
        let wires = (&mut self.exchange, &mut self.timers);
        for waiter in self.lookups.answered(now, place, ended, wires, out) {
            match waiter {
                Waiter::Need(index) => self.ask_for_need(now, index, true, out),
                Waiter::Job(id) => self.name_was_asked(now, id, out),
                Waiter::Meter => self.push(now, true, out),
            }
        }
    }

    fn troubled(&mut self, now: Nanos, in_force: &[InForce], out: &mut Vec<Output>) {
        let felt = Felt::of(in_force, self.role.config.from.service.as_ref());
        let before = std::mem::replace(&mut self.felt, felt);
        if before.ahead_ns != self.felt.ahead_ns {
            self.expire_by_clock(now, out);
        }
        self.turn_to_version(now, in_force);
    }

    /// Whether a write that reaches this instance stays here. A cache lets it pass; a replicated store and a queue have
    /// their own ways.
    fn keeps_writes(&self) -> bool {
        matches!(self.role.config.state, State::Memory | State::Disk)
    }
}

impl Actor for Machine {
    fn handle(&mut self, now: Nanos, input: Input, out: &mut Vec<Output>) {
        self.now = now;
        match input {
            Input::Start { entries } => self.start(now, entries, out),
            Input::Wake => self.wake(now, out),
            Input::Request { id, ask, proven, .. } if !proven && self.wants_proof(&ask) => {
                let reply = Reply { error: Some(Failure::Denied), ..Reply::by(&self.by) };
                out.push(Output::Respond { id, reply });
            }
            Input::Request { id, ask, remaining, .. } => self.request(now, id, ask, remaining, out),
            Input::Gone { id } => {
                if let Some(directory) = &mut self.directory {
                    directory.gone(id);
                }
                self.gone(now, id, out);
            }
            Input::Answer { attempt, outcome, conn } => self.answer(now, attempt, outcome, conn, out),
            Input::Troubled { in_force } => self.troubled(now, &in_force, out),
            Input::Closed { conn } => self.exchange.forget(conn),
            Input::Appended { id, ok } => self.appended(now, id, ok, out),
        }
    }

    /// An idle instance wants none.
    fn next_wake(&self) -> Option<Nanos> {
        self.timers.next()
    }

    fn counters(&self) -> Counters {
        Counters { attempts: self.exchange.sent(), ..self.counters }
    }

    fn certificate(&self, now: Nanos) -> Option<Grant> {
        self.own_certificate(now)
    }

    fn believes(&self, now: Nanos, shown: Grant) -> bool {
        self.believes_server(now, shown)
    }

    fn shows(&self, now: Nanos, to: Grant) -> Option<Grant> {
        self.shown_to(now, to)
    }

    fn accepts(&self, now: Nanos, shown: Grant) -> bool {
        self.believes_caller(now, shown)
    }
}
