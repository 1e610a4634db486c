//! Owns the decisions of a name server: who is behind a name, who is left out for bad health and from when, and how it
//! fails. Refuses to know DNS: its questions and answers are messages like any other.
//!
//! An instance counts as healthy until it has failed so many checks in a row, and again after one that succeeds. The
//! number of a version (`serial`) grows with every round of checks, so that old answers can be told from new ones.

use super::exchange::{Ended, Exchange, Purpose, Sending};
use super::timer::{TimerKind, Timers};
use super::{Nanos, Output, RequestId};
use crate::commons::{DirectoryConfig, Record};
use crate::config::Target;
use crate::wire::{Ask, Failure, Records, Reply, Text};
use fixtures::graph::names::NoneHealthy;
use fixtures::name::InstanceName;
use fixtures::trouble::Trouble;
use std::collections::{BTreeMap, VecDeque};

/// A health check takes no longer than this.
const CHECK_TIMEOUT_NS: Nanos = 500_000_000;

/// A lookup that a name server is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The request.
    pub id: RequestId,
    /// The name.
    pub name: &'a str,
    /// How the server misbehaves at present.
    pub trouble: Option<&'a Trouble>,
    /// The server's own name.
    pub by: &'a Text,
}

/// A name server.
#[derive(Debug)]
pub struct Directory {
    config: DirectoryConfig,
    /// Instances that are checked, and the failed checks in a row of each.
    checked: Vec<(Target, u32)>,
    places: BTreeMap<InstanceName, usize>,
    serial: u32,
    /// Answers that are held back, by the time at which they leave.
    late: VecDeque<(Nanos, RequestId, Reply)>,
}

impl Directory {
    /// A name server that has checked nobody yet; `own` is its own name, which it does not check.
    pub fn new(config: &DirectoryConfig, own: &InstanceName) -> Self {
        let others = config.instances.iter().flat_map(|record| record.targets.iter());
        let checked: Vec<(Target, u32)> =
            others.filter(|target| target.name != *own).map(|target| (target.clone(), 0)).collect();
        let places = checked.iter().enumerate().map(|(place, (target, _))| (target.name.clone(), place)).collect();
        Self { config: config.clone(), checked, places, serial: 1, late: VecDeque::new() }
    }

    /// Checks everybody, and again after the interval.
    pub fn check_all(&mut self, now: Nanos, exchange: &mut Exchange, timers: &mut Timers, out: &mut Vec<Output>) {
        let timeout = CHECK_TIMEOUT_NS.min(self.config.health_interval_ns);
        for (place, (target, _)) in self.checked.iter().enumerate() {
            let (to, secure) = (target.address, target.secure.clone());
            let sending = Sending { purpose: Purpose::Health(place), target: 0, to, secure, ask: Ask::Ready, timeout };
            exchange.send(now, sending, timers, out);
        }
        timers.set(now.saturating_add(self.config.health_interval_ns), TimerKind::Health);
        self.serial = self.serial.wrapping_add(1).max(2);
    }

    /// A check has ended.
    pub fn was_checked(&mut self, place: usize, ended: &Ended) {
        let healthy = ended.result.as_ref().is_ok_and(|reply| reply.error.is_none());
        if let Some((_, failures)) = self.checked.get_mut(place) {
            *failures = if healthy { 0 } else { failures.saturating_add(1) };
        }
    }

    /// Answers a lookup, now or later, or not at all.
    pub fn lookup(&mut self, now: Nanos, question: Question<'_>, timers: &mut Timers, out: &mut Vec<Output>) {
        let Question { id, name, trouble, by } = question;
        if trouble == Some(&Trouble::NamesDead) {
            return;
        }
        let reply = self.answer(name, trouble, by);
        let Some(Trouble::NamesSlow { delay_ms }) = trouble else {
            return out.push(Output::Respond { id, reply });
        };
        let at = now.saturating_add(delay_ms.saturating_mul(1_000_000));
        // Of two faults that delay differently the later answer may be due first: it waits for its turn.
        self.late.push_back((at, id, reply));
        timers.set_if_absent(at, TimerKind::Late);
    }

    /// Sends what was held back long enough.
    pub fn send_late(&mut self, now: Nanos, timers: &mut Timers, out: &mut Vec<Output>) {
        while self.late.front().is_some_and(|(at, ..)| *at <= now) {
            let Some((_, id, reply)) = self.late.pop_front() else { return };
            out.push(Output::Respond { id, reply });
        }
        if let Some((at, ..)) = self.late.front() {
            timers.set(*at, TimerKind::Late);
        }
    }

    /// Whoever asked does not wait any more.
    pub fn gone(&mut self, id: RequestId) {
        self.late.retain(|(_, waiting, _)| *waiting != id);
    }

    fn answer(&self, name: &str, trouble: Option<&Trouble>, by: &Text) -> Reply {
        let serial = if trouble == Some(&Trouble::NamesStale) { 1 } else { self.serial };
        let is = |record: &&Record| record.name.eq_ignore_ascii_case(name);
        let reply = |error, targets: Vec<Target>| {
            let ttl_ns = if targets.is_empty() { self.config.negative_ttl_ns } else { self.config.ttl_ns };
            Reply { error, records: Some(Box::new(Records { targets, ttl_ns, serial })), ..Reply::by(by) }
        };
        if let Some(place) = self.config.services.iter().position(|record| is(&record)) {
            return reply(None, self.behind(place, trouble));
        }
        if let Some(record) = self.config.instances.iter().find(is) {
            return reply(None, record.targets.to_vec());
        }
        let domain = self.config.domain.to_ascii_lowercase();
        let lower = name.to_ascii_lowercase();
        let mine = lower == domain || lower.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.'));
        if !mine {
            return Reply { error: Some(Failure::Denied), ..Reply::by(by) };
        }
        // Names that others lie below exist, and nothing is at them.
        let below = |record: &Record| {
            record.name.to_ascii_lowercase().strip_suffix(&lower).is_some_and(|rest| rest.ends_with('.'))
        };
        let exists = lower == domain || self.config.services.iter().chain(&self.config.instances).any(below);
        reply((!exists).then_some(Failure::NotFound), Vec::new())
    }

    /// Who is behind a service's name.
    fn behind(&self, place: usize, trouble: Option<&Trouble>) -> Vec<Target> {
        let services = &self.config.services;
        let all = |place: usize| services[place % services.len()].targets.to_vec();
        match trouble {
            Some(Trouble::NamesEmpty) => return Vec::new(),
            Some(Trouble::NamesStale) => return all(place),
            // The next name that somebody else is behind.
            Some(Trouble::NamesWrong) => {
                let own = &services[place].targets;
                let others = (place + 1..place + services.len()).map(all);
                return others.into_iter().find(|other| !other.is_empty() && **other != **own).unwrap_or_default();
            }
            _ => {}
        }
        let bad = |target: &Target| {
            let failures = self.places.get(&target.name).map_or(0, |&place| self.checked[place].1);
            failures >= self.config.health_failures
        };
        let good: Vec<Target> = services[place].targets.iter().filter(|target| !bad(target)).cloned().collect();
        if good.is_empty() && self.config.none_healthy == NoneHealthy::All { all(place) } else { good }
    }
}
