//! Owns a customer inside a zone: open-loop requests to the region's API, and to an echo as control, counted in
//! windows. Sans-IO, like the machine. Refuses to judge.
//!
//! - `mix`: which operation is asked for next
//! - `retry`: whether a failed request is tried again, and when
//! - `window`: what became of the requests
//!
//! Open loop: requests leave at their intended times whether or not earlier ones were answered, and latency counts
//! from the intended time, so that a stall is seen by every request that it held up (no coordinated omission). What is tried
//! again comes on top of that.

mod mix;
mod retry;
mod window;

use crate::commons::Callee;
use crate::config::{CanaryConfig, Portion, Target, Targets, nanos};
use crate::machine::exchange::{Ended, Exchange, Purpose, Sending, Silence};
use crate::machine::lookup::{Lookups, Waiter};
use crate::machine::ordered::Ordered;
use crate::machine::route::{Ready, Route, Traveller};
use crate::machine::switch::OBEYS;
use crate::machine::timer::{TimerKind, Timers};
use crate::machine::validity::Felt;
use crate::machine::{Actor, AttemptId, Counters, Input, Nanos, Output, RequestId};
use crate::wire::{Ask, Failure, Grant, Note, Reply, Switch};
use fixtures::graph::{Breaker, Routing};
use fixtures::name::InstanceName;
use mix::Mix;
use retry::Retries;
use std::net::SocketAddr;
use std::time::Duration;
use window::Windows;

/// A customer's own breaker: a common client library's defaults in small.
const BREAKER: Breaker = Breaker { failures: 2, open_for: Duration::from_secs(1) };
/// Addresses that a customer tries in one attempt where the connection itself fails, as resolvers' clients do.
const ADDRESSES_MAX: usize = 3;

/// The canary of a zone.
#[derive(Debug)]
pub struct Canary {
    config: CanaryConfig,
    streams: [Stream; 2],
    exchange: Exchange,
    timers: Timers,
    lookups: Lookups,
    felt: Felt,
    pending: Ordered<RequestId, Pending>,
    next_id: u64,
    /// How many times as many requests it sends, and until when.
    surge: (u32, Nanos),
    retries: Retries,
}

/// One stream of requests: to the region, or to the echo.
#[derive(Debug)]
struct Stream {
    mix: Mix,
    callee: Callee,
    route: Route,
    next_at: Nanos,
    windows: Windows,
}

#[derive(Debug)]
struct Pending {
    stream: usize,
    /// Its place in the mix.
    operation: usize,
    intended: Nanos,
    deadline: Nanos,
    window: u64,
    /// Attempts so far, and when the present one is given up.
    attempts: u32,
    until: Nanos,
    stage: Stage,
    /// Addresses asked so far, and how many of them in the present attempt.
    tried: Vec<SocketAddr>,
    walked: usize,
    /// Its name was waited for.
    waited: bool,
}

/// What a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The end of a look-up.
    Name,
    /// An answer.
    Answer,
    /// The end of a pause between two attempts.
    Pause,
}

impl Canary {
    /// A canary that has not started yet.
    pub fn new(config: CanaryConfig) -> Self {
        let (name, zone) = (InstanceName("echo".to_owned()), config.zone.clone());
        let echo = Target { name, zone, address: config.echo, secure: None };
        let mut lookups = Lookups::new(config.commons.lookups.as_ref(), &config.zone);
        let length = nanos(config.window);
        let mut stream = |control, mix: Mix, targets: Targets, callee: Callee| Stream {
            route: {
                let name = lookups.place(&callee);
                Route::new(&targets, Some(BREAKER), Routing::ZoneFirst, &config.zone, 0, name)
            },
            callee,
            next_at: 0,
            windows: Windows::new(control, length, mix.operations()),
            mix,
        };
        let serve = Mix::new(&[Portion { operation: "serve".to_owned(), ppm: 1_000_000 }]);
        let streams = [
            stream(false, Mix::new(&config.mix), config.entry.clone(), config.callee.clone()),
            stream(true, serve, vec![echo].into(), Callee::default()),
        ];
        let retries = Retries::new(config.retry.clone(), config.seed);
        let (exchange, timers, felt) = (Exchange::default(), Timers::default(), Felt::default());
        let (pending, next_id, surge) = (Ordered::default(), 0, (1, 0));
        Self { config, streams, exchange, timers, lookups, felt, pending, next_id, surge, retries }
    }

    fn start(&mut self, now: Nanos) {
        let mut rng = fastrand::Rng::with_seed(self.config.seed);
        for stream in &mut self.streams {
            stream.windows.start(now);
            stream.next_at = now + rng.u64(0..=self.config.interval_ns);
        }
        self.arm(now);
    }

    /// One timer serves both streams and the ends of their windows; request 0 is never used.
    fn arm(&mut self, now: Nanos) {
        let times = self.streams.iter().map(|stream| stream.next_at.min(stream.windows.next_end(now)));
        if let Some(at) = times.min() {
            self.timers.set(at, TimerKind::Job(RequestId(0)));
        }
    }

    fn wake(&mut self, now: Nanos, out: &mut Vec<Output>) {
        while let Some(kind) = self.timers.pop_due(now) {
            match kind {
                TimerKind::Attempt(attempt) => {
                    if let Some(ended) = self.exchange.time_out(attempt, out) {
                        self.ended(now, ended, out);
                    }
                }
                TimerKind::Job(id) if id != RequestId(0) => self.due(now, id, out),
                _ => {
                    self.send_due(now, out);
                    self.arm(now);
                }
            }
        }
        self.flush(now, out);
    }

    fn send_due(&mut self, now: Nanos, out: &mut Vec<Output>) {
        for index in 0..self.streams.len() {
            while self.streams[index].next_at <= now {
                let stream = &mut self.streams[index];
                let intended = stream.next_at;
                // The control canary looks at the machine, not at the region.
                let factor = if index == 0 && now < self.surge.1 { self.surge.0 } else { 1 };
                stream.next_at += (self.config.interval_ns / u64::from(factor.max(1))).max(1);
                let operation = stream.mix.next();
                let window = stream.windows.sent(intended, operation);
                self.next_id += 1;
                let id = RequestId(self.next_id);
                let deadline = intended + nanos(self.config.timeout);
                if index == 0 {
                    self.retries.earn();
                }
                let (attempts, until, stage) = (0, deadline, Stage::Answer);
                let (tried, walked, waited) = (Vec::new(), 0, false);
                let pending = Pending {
                    stream: index,
                    operation,
                    intended,
                    deadline,
                    window,
                    attempts,
                    until,
                    stage,
                    tried,
                    walked,
                    waited,
                };
                self.pending.insert(id, pending);
                self.begin(now, id, out);
            }
        }
    }

    /// Begins an attempt of a request: the first one, or a further one.
    fn begin(&mut self, now: Nanos, id: RequestId, out: &mut Vec<Output>) {
        let Some(pending) = self.pending.get_mut(&id) else { return };
        pending.attempts += 1;
        pending.until = if pending.stream == 0 { self.retries.until(now, pending.deadline) } else { pending.deadline };
        (pending.walked, pending.waited) = (0, false);
        self.attempt(now, id, out);
    }

    /// What a request waited for has not come in time, or its pause is over.
    fn due(&mut self, now: Nanos, id: RequestId, out: &mut Vec<Output>) {
        match self.pending.get(&id).map(|pending| pending.stage) {
            Some(Stage::Pause) => self.begin(now, id, out),
            Some(Stage::Name) => self.attempt(now, id, out),
            Some(Stage::Answer) | None => {}
        }
    }

    /// Asks the next address of the present attempt.
    fn attempt(&mut self, now: Nanos, id: RequestId, out: &mut Vec<Output>) {
        let Some(pending) = self.pending.get_mut(&id) else { return };
        let stream = &mut self.streams[pending.stream];
        let timeout = pending.until.saturating_sub(now);
        if timeout == 0 {
            return self.failed(now, id, "timeout");
        }
        let (who, waited) = (Waiter::Job(id), pending.waited);
        let traveller = Traveller { who, waited, callee: &stream.callee, zone: &self.config.zone };
        let wires = (&mut self.exchange, &mut self.timers);
        let ready = stream.route.refresh(now, traveller, &mut self.lookups, wires, out);
        if ready == Ready::Later {
            // It has failed when its time is up.
            pending.stage = Stage::Name;
            return self.timers.set(pending.until, TimerKind::Job(id));
        }
        let target = if ready == Ready::Yes { stream.route.pick(now, &pending.tried) } else { None };
        let Some(target) = target else {
            let cause = if stream.route.name().is_some() { "no-address" } else { "timeout" };
            return self.failed(now, id, cause);
        };
        let (to, secure) = (stream.route.address(target), stream.route.secure(target));
        pending.tried.push(to);
        (pending.stage, pending.walked) = (Stage::Answer, pending.walked + 1);
        let ask =
            Ask::Work { operation: stream.mix.operation(pending.operation), write: None, again: pending.attempts > 1 };
        let sending = Sending { purpose: Purpose::Call { id }, target, to, secure, ask, timeout };
        self.exchange.send(now, sending, &mut self.timers, out);
    }

    fn ended(&mut self, now: Nanos, ended: Ended, out: &mut Vec<Output>) {
        if let Purpose::Lookup(place) = ended.purpose {
            return self.looked_up(now, place, &ended, out);
        }
        let Purpose::Call { id } = ended.purpose else { return };
        let Some(pending) = self.pending.get(&id) else { return };
        let route = &mut self.streams[pending.stream].route;
        match ended.result {
            Ok(reply) if reply.error == Some(Failure::Away) => {
                route.failed(ended.target, ended.to, now);
                if pending.walked < route.count().min(ADDRESSES_MAX) {
                    self.attempt(now, id, out);
                } else {
                    self.failed(now, id, "away");
                }
            }
            Ok(reply) => {
                route.succeeded(ended.target, ended.to);
                match reply.cause() {
                    Some(cause) => self.failed(now, id, &cause),
                    None => self.count(id, now, &Ok(!reply.degraded.is_empty())),
                }
            }
            Err(silence) => {
                route.failed(ended.target, ended.to, now);
                let connection = matches!(silence, Silence::Refused | Silence::Unreachable);
                if connection && pending.walked < route.count().min(ADDRESSES_MAX) {
                    self.attempt(now, id, out);
                } else {
                    self.failed(now, id, silence.word());
                }
            }
        }
    }

    /// A name was asked for; requests that waited for it leave.
    fn looked_up(&mut self, now: Nanos, place: usize, ended: &Ended, out: &mut Vec<Output>) {
        let wires = (&mut self.exchange, &mut self.timers);
        for waiter in self.lookups.answered(now, place, ended, wires, out) {
            let Waiter::Job(id) = waiter else { continue };
            // Whoever has given up waiting meanwhile pauses, or asks for it again.
            if let Some(pending) = self.pending.get_mut(&id).filter(|pending| pending.stage == Stage::Name) {
                pending.waited = true;
                self.timers.cancel(TimerKind::Job(id));
                self.attempt(now, id, out);
            }
        }
    }

    /// An attempt has failed: the request is tried again after a pause, or has failed with it.
    fn failed(&mut self, now: Nanos, id: RequestId, cause: &str) {
        let Some(pending) = self.pending.get_mut(&id) else { return };
        // The control canary looks at the machine: it tries everything once.
        let again =
            if pending.stream == 0 { self.retries.again(now, pending.attempts, pending.deadline) } else { None };
        let Some(at) = again else { return self.count(id, now, &Err(cause.to_owned())) };
        pending.stage = Stage::Pause;
        self.streams[pending.stream].windows.tried_again(pending.window, pending.operation);
        self.timers.set(at, TimerKind::Job(id));
    }

    /// Enters the end of a request in its window: in full, degraded, or failed with its cause.
    fn count(&mut self, id: RequestId, now: Nanos, result: &Result<bool, String>) {
        if let Some(pending) = self.pending.remove(&id) {
            let latency = now.saturating_sub(pending.intended);
            self.streams[pending.stream].windows.ended(pending.window, pending.operation, latency, result);
        }
    }

    fn flush(&mut self, now: Nanos, out: &mut Vec<Output>) {
        for stream in &mut self.streams {
            out.extend(stream.windows.complete(now).into_iter().map(|note: Note| Output::Note(note)));
        }
    }

    /// An operator tells it to send more, for a time; anything else it does not know.
    fn asked(&mut self, now: Nanos, id: RequestId, ask: &Ask, out: &mut Vec<Output>) {
        let by = InstanceName(format!("canary-{}", self.config.zone));
        let reply = match ask {
            Ask::Switch { switch: Switch::Surge { factor }, for_ns } => {
                self.surge = (*factor, now.saturating_add(*for_ns));
                Reply { value: Some(OBEYS.to_owned()), ..Reply::ok(&by) }
            }
            _ => Reply::fail(&by, Failure::Unknown),
        };
        out.push(Output::Respond { id, reply });
    }

    fn answer(&mut self, now: Nanos, attempt: AttemptId, input: Input, out: &mut Vec<Output>) {
        let Input::Answer { outcome, conn, .. } = input else { return };
        if let Some(ended) = self.exchange.answer(now, attempt, outcome, conn, out) {
            self.timers.cancel(TimerKind::Attempt(attempt));
            self.ended(now, ended, out);
        }
        // An answer can come before the wake that is already due: what was meant to leave in a window is entered in
        // it before the window is told.
        self.send_due(now, out);
        self.flush(now, out);
    }
}

impl Actor for Canary {
    fn handle(&mut self, now: Nanos, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Start { .. } => {
                self.start(now);
                out.extend(self.config.listen.map(|_| Output::Listen));
            }
            Input::Request { id, ask, .. } => self.asked(now, id, &ask, out),
            Input::Wake => self.wake(now, out),
            Input::Answer { attempt, .. } => self.answer(now, attempt, input, out),
            Input::Closed { conn } => self.exchange.forget(conn),
            Input::Troubled { in_force } => self.felt = Felt::of(&in_force, None),
            // It answers at once, and stores nothing.
            Input::Gone { .. } | Input::Appended { .. } => {}
        }
    }

    fn next_wake(&self) -> Option<Nanos> {
        self.timers.next()
    }

    fn counters(&self) -> Counters {
        Counters { attempts: self.exchange.sent(), ..Counters::default() }
    }

    fn certificate(&self, _: Nanos) -> Option<Grant> {
        None
    }

    fn believes(&self, now: Nanos, shown: Grant) -> bool {
        shown.realm == self.config.commons.realm && shown.is_good_at(self.felt.shows(now))
    }

    fn shows(&self, _: Nanos, _: Grant) -> Option<Grant> {
        None
    }

    fn accepts(&self, _: Nanos, _: Grant) -> bool {
        // It is asked in the clear.
        false
    }
}
