//! Owns the counts of requests that an instance pushes to telemetry: what is counted, what waits while nobody takes it, and
//! what is dropped then. Refuses to know what is made of them, and never holds anything up: nothing waits for a push.
//!
//! One push is under way at a time. What it does not get rid of waits for the next, the oldest first to be dropped.

use super::exchange::{Ended, Purpose, Sending};
use super::job::Job;
use super::lookup::{Lookups, Waiter};
use super::role::Errand;
use super::route::{Ready, Route, Traveller};
use super::timer::TimerKind;
use super::{Machine, Nanos, Output};
use crate::commons::telemetry::MeterConfig;
use crate::wire::{Ask, Count, Failure, Metrics, Note};
use fixtures::graph::{Breaker, Routing};
use fixtures::name::ZoneName;
use std::collections::VecDeque;
use std::time::Duration;

/// Whoever does not take one push is left alone for a while, where others do.
const BREAKER: Breaker = Breaker { failures: 1, open_for: Duration::from_secs(5) };

/// What happened in one interval.
#[derive(Debug, Clone, Copy)]
struct Interval {
    end: Nanos,
    served: u64,
    failed: u64,
}

/// Counts of an instance.
#[derive(Debug)]
pub(super) struct Meter {
    route: Route,
    served: u64,
    failed: u64,
    waiting: VecDeque<Interval>,
    /// The end of the last interval that is being pushed.
    pushing: Option<Nanos>,
    /// Intervals dropped that nobody took, and those of them that may still be taken by the push under way.
    dropped: u64,
    in_doubt: u64,
}

impl Meter {
    pub(super) fn of(config: &MeterConfig, zone: &ZoneName, lookups: &mut Lookups) -> Box<Self> {
        let name = lookups.place(&config.callee);
        let route = Route::new(&config.targets, Some(BREAKER), Routing::ZoneFirst, zone, 0, name);
        let (waiting, pushing) = (VecDeque::new(), None);
        Box::new(Self { route, served: 0, failed: 0, waiting, pushing, dropped: 0, in_doubt: 0 })
    }

    /// Ends an interval.
    fn close(&mut self, now: Nanos, buffer: u32) {
        let (served, failed) = (std::mem::take(&mut self.served), std::mem::take(&mut self.failed));
        self.waiting.push_back(Interval { end: now, served, failed });
        while self.waiting.len() > buffer as usize {
            let Some(oldest) = self.waiting.pop_front() else { return };
            if self.pushing.is_some_and(|until| oldest.end <= until) {
                self.in_doubt += 1;
            } else {
                self.dropped += 1;
            }
        }
    }

    /// The push under way has ended; returns how many intervals were lost before it, where it was the first to get through.
    fn pushed(&mut self, taken: bool) -> u64 {
        let until = self.pushing.take().unwrap_or_default();
        let in_doubt = std::mem::take(&mut self.in_doubt);
        if !taken {
            self.dropped += in_doubt;
            return 0;
        }
        self.waiting.retain(|interval| interval.end > until);
        std::mem::take(&mut self.dropped)
    }
}

impl Machine {
    /// Begins to push and to scale, at moments that are its own: instances that got power together do not push together.
    pub(super) fn begin_to_measure(&mut self, now: Nanos) {
        let role = &self.role.config.commons;
        if let Some(config) = &role.meter {
            let first = self.rng.u64(1..=config.interval_ns);
            self.timers.set(now.saturating_add(first), TimerKind::Meter);
        }
        if let Some(config) = &role.scaler {
            let first = self.rng.u64(1..=config.interval_ns);
            self.timers.set(now.saturating_add(first), TimerKind::Scaler);
        }
        if let Some(board) = &mut self.board {
            board.begin(now);
            let first = role.board.as_ref().map_or(0, |config| config.interval_ns);
            self.timers.set(now.saturating_add(first), TimerKind::Board);
        }
    }

    /// An interval is over.
    pub(super) fn measure(&mut self, now: Nanos, out: &mut Vec<Output>) {
        let Some(config) = &self.role.config.commons.meter else { return };
        let Some(meter) = &mut self.meter else { return };
        self.timers.set(now.saturating_add(config.interval_ns), TimerKind::Meter);
        meter.close(now, config.buffer);
        self.push(now, false, out);
    }

    /// Pushes what waits, unless that is being done; `waited` where the name of telemetry was waited for.
    pub(super) fn push(&mut self, now: Nanos, waited: bool, out: &mut Vec<Output>) {
        let own = &self.role.config;
        let Some(config) = &own.commons.meter else { return };
        let Some(meter) = self.meter.as_mut().filter(|meter| meter.pushing.is_none()) else { return };
        let Some(last) = meter.waiting.back().map(|last| last.end) else { return };
        let Some(service) = &own.from.service else { return };
        let count = |interval: &Interval| Count {
            zone: own.zone.clone(),
            service: service.clone(),
            age_ns: now.saturating_sub(interval.end),
            served: interval.served,
            failed: interval.failed,
        };
        let counts: Vec<Count> = meter.waiting.iter().map(count).collect();
        // Who takes counts has somebody to tell at home.
        if let Some(board) = &mut self.board {
            meter.waiting.clear();
            return board.take(now, &counts, false);
        }
        let zone = &own.zone;
        let traveller = Traveller { who: Waiter::Meter, waited, callee: &config.callee, zone };
        let wires = (&mut self.exchange, &mut self.timers);
        if meter.route.refresh(now, traveller, &mut self.lookups, wires, out) != Ready::Yes {
            return;
        }
        let Some(target) = meter.route.pick(now, &[]) else { return };
        meter.pushing = Some(last);
        let (to, secure) = (meter.route.address(target), meter.route.secure(target));
        let ask = Ask::Metrics(Box::new(Metrics { counts, relayed: false }));
        let sending = Sending { purpose: Purpose::Push, target, to, secure, ask, timeout: config.timeout_ns };
        self.exchange.send(now, sending, &mut self.timers, out);
    }

    /// A push has ended; what it did not get rid of waits for the next.
    pub(super) fn push_ended(&mut self, now: Nanos, ended: &Ended, out: &mut Vec<Output>) {
        let Some(meter) = &mut self.meter else { return };
        let taken = ended.result.as_ref().is_ok_and(|reply| reply.error.is_none());
        match &ended.result {
            // It answers; one that is full is not helped by sending everything to its peers.
            Ok(_) => meter.route.succeeded(ended.target, ended.to),
            Err(_) => meter.route.failed(ended.target, ended.to, now),
        }
        let dropped = meter.pushed(taken);
        if dropped > 0 {
            out.push(Output::Note(Note::Metrics { dropped }));
        }
    }

    /// A request that was taken in has been answered.
    pub(super) fn count_job(&mut self, job: &Job, served: bool) {
        if matches!(job.errand, Errand::Operation(_) | Errand::Push) {
            self.count(served);
        }
    }

    /// A request was refused before it was taken in. Nobody failed who was asked for what he does not offer, or who sent
    /// his callers elsewhere.
    pub(super) fn count_refusal(&mut self, failure: Failure) {
        if !matches!(failure, Failure::Unknown | Failure::Away | Failure::Standby) {
            self.count(false);
        }
    }

    fn count(&mut self, served: bool) {
        if let Some(meter) = &mut self.meter {
            *(if served { &mut meter.served } else { &mut meter.failed }) += 1;
        }
    }
}
