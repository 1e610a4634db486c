//! Owns a request under way: admission, its calls one after the other with their retries, the deadline, degraded and
//! failed answers, and the write at its end. Refuses to know how bytes travel.

use super::exchange::{Ended, Purpose, Sending, Silence};
use super::lookup::{Lookups, Waiter};
use super::need::pause;
use super::role::{Errand, Role};
use super::route::{Ready, Route, Traveller};
use super::timer::TimerKind;
use super::{Machine, Nanos, Output, RequestId};
use crate::config::CallConfig;
use crate::few::Few;
use crate::wire::{Ask, Failure, Note, Reply, Write};
use fixtures::graph::{Acknowledge, Health, State, Strength};
use fixtures::name::{InstanceName, ServiceName, ZoneName};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// How long a request may take whose caller did not say.
const PATIENCE_NS: Nanos = 10_000_000_000;
/// Of the time that a caller gives, one part in so many is kept for the answer's way back: an error that comes when its
/// caller has just stopped waiting says nothing to anybody.
const WAY_BACK: Nanos = 10;
/// Exit status of a process whose liveness check looks at its dependencies, when one of them is missing.
pub const EXIT_UNWELL: i32 = 69;
/// Failures in a row after which such a check gives its instance up: the common default of orchestrators.
const UNWELL_MAX: u32 = 3;
/// How often calls made are told to the witness.
const CALL_NOTES_EVERY_NS: Nanos = 2_000_000_000;

/// One dependency of this instance: how its instances answer, and what was not told of it yet.
#[derive(Debug)]
pub struct Edge {
    route: Route,
    untold_sent: u64,
    untold_failed: BTreeMap<String, u64>,
}

impl Edge {
    /// The edge of a caller in `zone`.
    pub fn new(config: &CallConfig, zone: &ZoneName, lookups: &mut Lookups) -> Self {
        let name = lookups.place(&config.callee);
        let route = Route::new(&config.targets, config.breaker, config.routing, zone, 0, name);
        Self { route, untold_sent: 0, untold_failed: BTreeMap::new() }
    }
}

/// A request under way.
#[derive(Debug)]
pub struct Job {
    pub(super) deadline: Nanos,
    /// Which calls to make.
    pub(super) errand: Errand,
    /// How many of them are done.
    pub(super) done: usize,
    /// Attempts of the present call that failed, and where.
    tried: Vec<SocketAddr>,
    /// How many of those stood by: that is no failure, and no attempt.
    passed: usize,
    /// Somebody on the way here had asked before, in vain.
    again: bool,
    /// Until when the name of the present call is waited for, and whether that has ended.
    name_until: Option<Nanos>,
    waited: bool,
    pub(super) write: Option<Box<Write>>,
    degraded: BTreeSet<ServiceName>,
    pub(super) stored_at: Few<InstanceName>,
    /// The key that is read, and its value.
    pub(super) read: Option<String>,
    pub(super) value: Option<String>,
    /// What it waits for, other than its calls.
    pub(super) waits: Waits,
    /// A cache has been asked for what it wants.
    pub(super) looked_up: bool,
    /// The key that it fetches for a cache.
    pub(super) fetches: Option<u32>,
}

/// What a request waits for, other than its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    Nothing,
    /// The group of a replicated store.
    Quorum,
    /// Another request's fetch.
    Fetch,
    /// The item of a queue that it became.
    Item,
}

impl Machine {
    /// Takes a request in, or answers at once that there is no room.
    pub(super) fn admit(
        &mut self,
        now: Nanos,
        id: RequestId,
        (operation, write, again): (&str, Option<Box<Write>>, bool),
        remaining: Option<Nanos>,
        out: &mut Vec<Output>,
    ) {
        let Some(errand) = self.role.errand(operation) else {
            return self.fail(id, Failure::Unknown, Few::new(), out);
        };
        if self.stands_by() {
            return self.fail(id, Failure::Standby, Few::new(), out);
        }
        if let Some(failure) = self.switched_off(now, operation, out) {
            return self.fail(id, failure, Few::new(), out);
        }
        if self.versions.fails() {
            return self.fail(id, Failure::Internal, Few::new(), out);
        }
        self.take_in(now, id, (errand, write, again), remaining, out);
    }

    /// Begins a request as soon as there is capacity; false where there is no room for it to wait.
    pub(super) fn take_in(
        &mut self,
        now: Nanos,
        id: RequestId,
        (errand, write, again): (Errand, Option<Box<Write>>, bool),
        remaining: Option<Nanos>,
        out: &mut Vec<Output>,
    ) -> bool {
        if self.is_full(errand) {
            self.count_turned_away();
            self.fail(id, Failure::Overloaded, Few::new(), out);
            return false;
        }
        let config = &self.role.config;
        let begin = now.max(self.next_free);
        // This one and those before it that wait too. Rounded up: the one that is served now is no longer waiting.
        let waiting = (begin - now).div_ceil(config.interval_ns.max(1));
        if waiting > u64::from(config.queue) {
            self.count_turned_away();
            self.fail(id, Failure::Overloaded, Few::new(), out);
            return false;
        }
        self.next_free = begin + config.interval_ns;
        let deadline = self.begin(now, id, errand, write, remaining);
        if let (true, Some(job)) = (again, self.jobs.get_mut(&id)) {
            job.again = true;
        }
        // A request whose time is up before its turn is answered then, not when its turn comes.
        let done_at = begin.saturating_add(self.role.work_ns);
        if done_at > deadline {
            self.count_late();
        }
        let ready_at = done_at.min(deadline);
        if ready_at > now {
            self.timers.set(ready_at, TimerKind::Job(id));
        } else {
            self.advance(now, id, out);
        }
        true
    }

    /// Whether as many requests are under way as may be, in all or for this operation.
    fn is_full(&self, errand: Errand) -> bool {
        let (Some(workers), Errand::Operation(_)) = (self.role.config.workers, errand) else { return false };
        let under_way = |wanted: &dyn Fn(Errand) -> bool| {
            let found = self.jobs.iter().filter(|(_, job)| wanted(job.errand)).count();
            u32::try_from(found).unwrap_or(u32::MAX)
        };
        let all = under_way(&|errand| matches!(errand, Errand::Operation(_)));
        all >= workers.most || workers.each.is_some_and(|each| under_way(&|other| other == errand) >= each)
    }

    /// Answers `/readyz`: at once, or (deep) after asking every hard dependency.
    pub(super) fn ready(&mut self, now: Nanos, id: RequestId, remaining: Option<Nanos>, out: &mut Vec<Output>) {
        self.begin(now, id, Errand::Ready, None, remaining);
        self.advance(now, id, out);
    }

    /// Enters a request; returns its deadline.
    pub(super) fn begin(
        &mut self,
        now: Nanos,
        id: RequestId,
        errand: Errand,
        write: Option<Box<Write>>,
        remaining: Option<Nanos>,
    ) -> Nanos {
        let given = remaining.unwrap_or(PATIENCE_NS);
        let deadline = now.saturating_add(given - given / WAY_BACK);
        let (degraded, stored_at) = (BTreeSet::new(), Few::new());
        let (tried, passed, name_until, waited) = (Vec::new(), 0, None, false);
        let (done, read, value, waits, looked_up, fetches) = (0, None, None, Waits::Nothing, false, None);
        let job = Job {
            deadline,
            errand,
            done,
            tried,
            passed,
            again: false,
            name_until,
            waited,
            write,
            degraded,
            stored_at,
            read,
            value,
            waits,
            looked_up,
            fetches,
        };
        self.jobs.insert(id, job);
        deadline
    }

    /// Makes the next call of a request, or finishes it.
    pub(super) fn advance(&mut self, now: Nanos, id: RequestId, out: &mut Vec<Output>) {
        loop {
            let Some(job) = self.jobs.get_mut(&id) else { return };
            if now >= job.deadline {
                return match job.waits {
                    Waits::Quorum => self.no_quorum(id, out),
                    _ => self.fail(id, Failure::Deadline, Few::new(), out),
                };
            }
            let (fresh, waits) =
                (job.done == 0 && job.tried.is_empty() && job.name_until.is_none(), job.waits != Waits::Nothing);
            if waits || (fresh && (self.enqueue(now, id, out) || !self.look_up(now, id, out))) {
                return;
            }
            let Some(job) = self.jobs.get_mut(&id) else { return };
            let Some(&call) = self.role.calls(job.errand).get(job.done) else { return self.finish(now, id, out) };
            let config = &self.role.config.calls[call];
            let edge = &mut self.edges[call];
            // Whoever can go on has something to lose (time), who cannot has nothing, and does not heed the breakers.
            let goes_on = config.strength == Strength::Soft || self.role.is_fallback(job.errand, job.done + 1);
            let skip = goes_on && edge.route.all_open(now);
            let late = job.name_until.is_some_and(|until| now >= until) && !job.waited;
            let ready = if skip || late {
                Ready::No
            } else {
                let zone = &self.role.config.zone;
                let traveller = Traveller { who: Waiter::Job(id), waited: job.waited, callee: &config.callee, zone };
                let wires = (&mut self.exchange, &mut self.timers);
                edge.route.refresh(now, traveller, &mut self.lookups, wires, out)
            };
            if ready == Ready::Later {
                // Less than what is left, so that there is time to say what is missing.
                let left = self.role.asks[call].1.min((job.deadline - now) / WAY_BACK * (WAY_BACK - 1));
                let until = *job.name_until.get_or_insert(now.saturating_add(left));
                return self.timers.set(until, TimerKind::Job(id));
            }
            let target = if ready == Ready::Yes { edge.route.pick(now, &job.tried) } else { None };
            let Some(target) = target else {
                if job.goes_on_without(&self.role, config) {
                    continue;
                }
                let names = edge.route.name().and_then(|_| self.lookups.service());
                let missing = std::iter::once(&config.to).chain(names).cloned().collect();
                return self.fail(id, Failure::DependencyMissing, missing, out);
            };
            let to = edge.route.address(target);
            let again = job.again || job.tried.len() > job.passed;
            job.tried.push(to);
            edge.untold_sent += 1;
            let write = if config.carries_writes { job.write.clone() } else { None };
            let (operation, timeout) = &self.role.asks[call];
            let ask = Ask::Work { operation: operation.clone(), write, again };
            let timeout = (*timeout).min(job.deadline - now);
            let secure = edge.route.secure(target);
            let sending = Sending { purpose: Purpose::Call { id }, target, to, secure, ask, timeout };
            self.timers.set_if_absent(now + CALL_NOTES_EVERY_NS, TimerKind::CallNotes);
            return self.exchange.send(now, sending, &mut self.timers, out);
        }
    }

    /// The name of a request's present call was asked for, and that has ended.
    pub(super) fn name_was_asked(&mut self, now: Nanos, id: RequestId, out: &mut Vec<Output>) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.waited = true;
        self.timers.cancel(TimerKind::Job(id));
        self.advance(now, id, out);
    }

    /// One attempt of a request's present call came to an end.
    pub(super) fn call_answered(&mut self, now: Nanos, id: RequestId, ended: Ended, out: &mut Vec<Output>) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let Some(&call) = self.role.calls(job.errand).get(job.done) else { return };
        let (config, edge) = (&self.role.config.calls[call], &mut self.edges[call]);
        let (cause, missing, again) = match ended.result {
            Ok(reply) if reply.error.is_none() => {
                edge.route.succeeded(ended.target, ended.to);
                job.degraded.extend(reply.degraded);
                job.stored_at.extend(reply.stored_at);
                job.next_call();
                while self.role.is_fallback(job.errand, job.done) {
                    job.next_call();
                }
                return self.advance(now, id, out);
            }
            // Somebody else takes its requests, and is asked at once.
            Ok(reply) if reply.error == Some(Failure::Standby) => {
                edge.route.stands_by(ended.target, ended.to, now);
                if job.tried.len() < edge.route.count() {
                    job.passed += 1;
                    return self.advance(now, id, out);
                }
                (reply.cause().unwrap_or_default(), Few::new(), false)
            }
            // It has sent its callers elsewhere: they ask there at first until it takes requests again.
            Ok(reply) if reply.error == Some(Failure::Away) => {
                edge.route.failed(ended.target, ended.to, now);
                (reply.cause().unwrap_or_default(), Few::new(), true)
            }
            Ok(reply) => {
                // It answers: that is no matter for its breaker. Another instance may have what this one lacks.
                edge.route.succeeded(ended.target, ended.to);
                let again = matches!(reply.error, Some(Failure::DependencyMissing | Failure::Storage));
                (reply.cause().unwrap_or_default(), reply.missing, again)
            }
            Err(silence) => {
                edge.route.failed(ended.target, ended.to, now);
                (Silence::word(silence).to_owned(), Few::new(), true)
            }
        };
        *edge.untold_failed.entry(cause).or_default() += 1;
        let attempts = u32::try_from(job.tried.len() - job.passed).unwrap_or(u32::MAX);
        let next_at = now.saturating_add(pause(&config.backoff, attempts.saturating_sub(1), &mut self.rng));
        // A further attempt that could only begin after the deadline is none: the caller is told now, with the cause.
        if again && attempts < config.attempts && next_at < job.deadline {
            self.timers.set(next_at, TimerKind::Job(id));
        } else if job.goes_on_without(&self.role, config) {
            self.advance(now, id, out);
        } else {
            let chain = std::iter::once(config.to.clone()).chain(missing).collect();
            self.fail(id, Failure::DependencyMissing, chain, out);
            self.check_liveness(out);
        }
    }

    /// A request failed for want of a hard dependency: a deep liveness check takes that for an illness of its own.
    fn check_liveness(&mut self, out: &mut Vec<Output>) {
        self.unwell = self.unwell.saturating_add(1);
        if self.role.config.liveness == Health::Deep && self.unwell >= UNWELL_MAX {
            out.push(Output::Exit(EXIT_UNWELL));
        }
    }

    /// All calls are done: stores the write, if it stays here, and answers.
    fn finish(&mut self, now: Nanos, id: RequestId, out: &mut Vec<Output>) {
        if self.replica.is_some()
            && self.jobs.get(&id).is_some_and(|job| !matches!(job.errand, Errand::Ready | Errand::Push))
        {
            return self.consult(now, id, out);
        }
        let keeps = self.keeps_writes() && self.backlog.is_none();
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let write = if keeps { job.write.take() } else { None };
        let Some(write) = write else { return self.succeed(id, out) };
        let Write { key, value } = *write;
        job.stored_at.push(self.name.clone());
        self.store.insert(key.clone(), value.clone());
        let after_sync = self.role.config.acknowledge == Acknowledge::AfterSync;
        if self.role.config.state == State::Disk {
            out.push(Output::Append { id, key, value, sync: after_sync });
            if after_sync {
                return;
            }
        }
        self.succeed(id, out);
    }

    /// The write of a request is on disk, or could not be put there.
    pub(super) fn appended(&mut self, now: Nanos, id: RequestId, ok: bool, out: &mut Vec<Output>) {
        if self.record_saved(now, id, ok, out) || self.item_saved(now, id, ok, out) || !self.jobs.contains(&id) {
            return;
        }
        if ok { self.succeed(id, out) } else { self.fail(id, Failure::Storage, Few::new(), out) }
    }

    pub(super) fn succeed(&mut self, id: RequestId, out: &mut Vec<Output>) {
        let Some(job) = self.jobs.remove(&id) else { return };
        if !self.is_item(id) {
            self.count_job(&job, true);
        }
        let degraded: Few<ServiceName> = job.degraded.into_iter().collect();
        if let Some(key) = job.fetches {
            self.fetched(key, Ok(degraded.clone()), out);
        }
        if degraded.is_empty() {
            self.counters.ok += 1;
        } else {
            self.counters.degraded += 1;
        }
        self.unwell = 0;
        let reply = Reply { degraded, stored_at: job.stored_at, value: job.value, ..Reply::by(&self.by) };
        if self.item_answered(id, &reply, out) {
            return;
        }
        out.push(Output::Respond { id, reply });
    }

    pub(super) fn fail(&mut self, id: RequestId, failure: Failure, missing: Few<ServiceName>, out: &mut Vec<Output>) {
        let job = self.jobs.remove(&id);
        match &job {
            Some(_) if self.is_item(id) => {}
            Some(job) => self.count_job(job, false),
            None => self.count_refusal(failure),
        }
        let fetches = job.and_then(|job| job.fetches);
        self.forget_wish(id);
        if let Some(key) = fetches {
            self.fetched(key, Err((failure, missing.clone())), out);
        }
        self.counters.failed += 1;
        let reply = Reply { missing, error: Some(failure), ..Reply::by(&self.by) };
        if self.item_answered(id, &reply, out) {
            return;
        }
        out.push(Output::Respond { id, reply });
    }

    /// The caller has gone: work for a request that nobody waits for is dropped.
    pub(super) fn gone(&mut self, now: Nanos, id: RequestId, out: &mut Vec<Output>) {
        self.forget_wish(id);
        if let Some(job) = self.jobs.remove(&id) {
            self.timers.cancel(TimerKind::Job(id));
            self.exchange.abandon(id, &mut self.timers, out);
            self.count_job(&job, false);
            if let Some(key) = job.fetches {
                self.fetch_abandoned(now, key, out);
            }
        }
    }

    /// Tells the witness of calls made since the last time.
    pub(super) fn note_calls(&mut self, out: &mut Vec<Output>) {
        for (edge, config) in self.edges.iter_mut().zip(&self.role.config.calls) {
            if edge.untold_sent == 0 {
                continue;
            }
            let sent = std::mem::take(&mut edge.untold_sent);
            let failed = std::mem::take(&mut edge.untold_failed);
            let hard = config.strength == Strength::Hard;
            out.push(Output::Note(Note::Call { to: config.to.clone(), sent, failed, hard }));
        }
    }
}

impl Job {
    /// Its answer lacks these, too.
    pub(super) fn lacks(&mut self, services: &[ServiceName]) {
        self.degraded.extend(services.iter().cloned());
    }

    /// Whether there is a way on where its present call has failed: another call in its place, or an answer that lacks it.
    fn goes_on_without(&mut self, role: &Role, config: &CallConfig) -> bool {
        if !role.is_fallback(self.errand, self.done + 1) {
            if config.strength == Strength::Hard {
                return false;
            }
            self.degraded.insert(config.to.clone());
        }
        self.next_call();
        true
    }

    fn next_call(&mut self) {
        self.done += 1;
        self.tried.clear();
        self.passed = 0;
        (self.name_until, self.waited) = (None, false);
    }
}
