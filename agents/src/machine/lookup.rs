//! Owns the names that a process looks up: what it knows, for how long, whom it asks, and what it does without an answer.
//! Refuses to know who uses a name, and how a question travels.
//!
//! ```text
//!            used while fresh                       past its time                     nobody answers
//!  unknown ----------------> known (ttl) ---------------------------> stale --------------------------.
//!     ^                        ^   ^                                    |  used at once, and asked for  |
//!     |                        |   '------------ a new answer ----------'  behind it; again after a     |
//!     '- past `stale-max` -----'                                           while <----------------------'
//! ```

use super::exchange::{Ended, Exchange, Purpose, Sending};
use super::target::Picker;
use super::timer::Timers;
use super::{Nanos, Output, RequestId};
use crate::commons::{Callee, LookupConfig};
use crate::config::Targets;
use crate::wire::{Ask, Failure, Records, Text};
use fixtures::graph::names::{Cache, Empty};
use fixtures::graph::{Breaker, Routing};
use fixtures::name::{ServiceName, ZoneName};
use std::net::SocketAddr;
use std::time::Duration;

/// After a lookup that failed, a stale answer is used for so long before the servers are asked again.
const RECHECK_NS: Nanos = 1_000_000_000;
/// A server that does not answer is not asked first for a while.
const BREAKER: Breaker = Breaker { failures: 1, open_for: Duration::from_secs(5) };

/// Who waits for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiter {
    /// The need with this index.
    Need(usize),
    /// A request.
    Job(RequestId),
    /// The counts that are to be pushed.
    Meter,
}

/// What is known of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// These, in this version.
    Known(u64, Targets),
    /// It is being asked for; whoever asked is told when that ends.
    Waits,
    /// No server said anything.
    Nothing,
}

/// All names of one process.
#[derive(Debug, Default)]
pub struct Lookups {
    config: Option<LookupConfig>,
    servers: Option<Picker>,
    entries: Vec<Entry>,
    versions: u64,
}

#[derive(Debug)]
struct Entry {
    name: Text,
    known: Option<Known>,
    asked: Vec<SocketAddr>,
    under_way: bool,
    recheck_at: Nanos,
    waiting: Vec<Waiter>,
}

#[derive(Debug)]
struct Known {
    version: u64,
    targets: Targets,
    ttl: Nanos,
    until: Nanos,
}

impl Lookups {
    /// The lookups of a process in a zone.
    pub fn new(config: Option<&LookupConfig>, zone: &ZoneName) -> Self {
        let servers = config.map(|config| Picker::new(&config.servers, Some(BREAKER), Routing::ZoneFirst, zone, 0));
        Self { config: config.cloned(), servers, entries: Vec::new(), versions: 0 }
    }

    /// The place of a callee's name, entered where it is new; `None` where it is not looked up.
    pub fn place(&mut self, callee: &Callee) -> Option<usize> {
        let name = callee.name.as_ref().filter(|_| self.config.is_some())?;
        let known = self.entries.iter().position(|entry| entry.name == *name);
        Some(known.unwrap_or_else(|| {
            let (known, asked, waiting) = (None, Vec::new(), Vec::new());
            self.entries.push(Entry { name: name.clone(), known, asked, under_way: false, recheck_at: 0, waiting });
            self.entries.len() - 1
        }))
    }

    /// The service that answers.
    pub fn service(&self) -> Option<&ServiceName> {
        self.config.as_ref().map(|config| &config.service)
    }

    /// What is known of a name now. Where nothing good is, a server is asked, and `who` is told when that has ended.
    pub fn find(
        &mut self,
        now: Nanos,
        place: usize,
        who: Waiter,
        (exchange, timers): (&mut Exchange, &mut Timers),
        out: &mut Vec<Output>,
    ) -> Found {
        let Some(config) = &self.config else { return Found::Nothing };
        let entry = &mut self.entries[place];
        let rechecks = now >= entry.recheck_at;
        if let Some(known) = &entry.known {
            let found = Found::Known(known.version, known.targets.clone());
            let usable = !known.targets.is_empty() && now < known.until.saturating_add(config.stale_max_ns);
            if now < known.until {
                return found;
            }
            if config.behaviour.stale && usable {
                if !rechecks {
                    return found;
                }
                // One that has just ended is good enough while a new one is on its way.
                if now < known.until.saturating_add(known.ttl) {
                    self.ask(now, place, exchange, timers, out);
                    return found;
                }
            }
        }
        if !rechecks {
            return Found::Nothing;
        }
        self.entries[place].waiting.push(who);
        self.ask(now, place, exchange, timers, out);
        // With nobody to ask it has ended already.
        if self.entries[place].under_way { Found::Waits } else { self.given_up(place) }
    }

    /// What is known of a name for somebody who has waited for it, however short it may be good.
    pub fn latest(&self, now: Nanos, place: usize) -> Found {
        let Some(config) = &self.config else { return Found::Nothing };
        match &self.entries[place].known {
            Some(known) if now <= known.until => Found::Known(known.version, known.targets.clone()),
            Some(known) if config.behaviour.stale && now < known.until.saturating_add(config.stale_max_ns) => {
                Found::Known(known.version, known.targets.clone())
            }
            _ => Found::Nothing,
        }
    }

    fn given_up(&mut self, place: usize) -> Found {
        self.entries[place].waiting.clear();
        Found::Nothing
    }

    /// Asks the next server, unless one is being asked.
    fn ask(&mut self, now: Nanos, place: usize, exchange: &mut Exchange, timers: &mut Timers, out: &mut Vec<Output>) {
        let (Some(config), Some(picker)) = (&self.config, &mut self.servers) else { return };
        let entry = &mut self.entries[place];
        if entry.under_way {
            return;
        }
        entry.asked.clear();
        entry.under_way = send(now, place, config, picker, entry, exchange, timers, out);
    }

    /// A question has come to its end; who waited and can go on now, where nothing more is asked.
    pub fn answered(
        &mut self,
        now: Nanos,
        place: usize,
        ended: &Ended,
        (exchange, timers): (&mut Exchange, &mut Timers),
        out: &mut Vec<Output>,
    ) -> Vec<Waiter> {
        let (Some(config), Some(picker)) = (&self.config, &mut self.servers) else { return Vec::new() };
        let entry = &mut self.entries[place];
        let answer = match &ended.result {
            Ok(reply) if matches!(reply.error, None | Some(Failure::NotFound)) => reply.records.as_deref(),
            _ => None,
        };
        match answer {
            Some(records) => {
                picker.succeeded(ended.target);
                self.versions += 1;
                entry.learn(now, records, config, self.versions);
            }
            None => {
                picker.failed(ended.target, now);
                let more = entry.asked.len() < config.attempts as usize;
                if more && send(now, place, config, picker, entry, exchange, timers, out) {
                    return Vec::new();
                }
                entry.recheck_at = now.saturating_add(RECHECK_NS);
            }
        }
        entry.under_way = false;
        std::mem::take(&mut entry.waiting)
    }
}

#[expect(clippy::too_many_arguments, reason = "they are the parts of one process, borrowed apart")]
fn send(
    now: Nanos,
    place: usize,
    config: &LookupConfig,
    picker: &mut Picker,
    entry: &mut Entry,
    exchange: &mut Exchange,
    timers: &mut Timers,
    out: &mut Vec<Output>,
) -> bool {
    let is_asked = |&index: &usize| entry.asked.contains(&config.servers[index].address);
    let asked: Vec<usize> = (0..config.servers.len()).filter(is_asked).collect();
    let Some(target) = picker.pick(now, &asked) else { return false };
    let to = config.servers[target].address;
    entry.asked.push(to);
    let ask = Ask::Lookup { name: entry.name.clone() };
    let purpose = Purpose::Lookup(place);
    exchange.send(now, Sending { purpose, target, to, secure: None, ask, timeout: config.timeout_ns }, timers, out);
    true
}

impl Entry {
    fn learn(&mut self, now: Nanos, records: &Records, config: &LookupConfig, version: u64) {
        let ttl = match config.behaviour.cache {
            Cache::Ttl => records.ttl_ns,
            Cache::ForEver => Nanos::MAX,
            Cache::None => 0,
        };
        let until = now.saturating_add(ttl);
        self.recheck_at = 0;
        if records.targets.is_empty()
            && config.behaviour.empty == Empty::Keep
            && let Some(known) = &mut self.known
            && !known.targets.is_empty()
            && now < known.until.saturating_add(config.stale_max_ns)
        {
            // Nobody there at all is hard to believe of a name that somebody was behind: what was known is kept, and
            // asked for again when this answer ends. Its own end stays where it was, so that it is not kept for ever.
            self.recheck_at = now.saturating_add(records.ttl_ns);
            return;
        }
        self.known = Some(Known { version, targets: records.targets.clone().into(), ttl, until });
    }
}
