//! Owns what a cache keeps: which requests it answers by itself, which fetch from behind it, and which wait for another's
//! fetch. Refuses to know how a fetch is made: those are a request's calls.
//!
//! Requests here name no key: each draws one, all equally likely. A cache begins empty.

use super::job::Waits;
use super::role::Errand;
use super::timer::TimerKind;
use super::{Machine, Nanos, Output, RequestId};
use crate::config::nanos;
use crate::few::Few;
use crate::wire::Failure;
use fixtures::graph::store::Cache;
use fixtures::name::ServiceName;
use std::collections::BTreeMap;

/// What a cache has, and what it is fetching.
#[derive(Debug)]
pub(super) struct Kept {
    settings: Cache,
    /// Until when each value is used.
    values: BTreeMap<u32, Nanos>,
    /// Who waits for the fetch of a key; without coalescing nobody.
    waiting: BTreeMap<u32, Vec<RequestId>>,
    under_way: u32,
}

impl Kept {
    pub(super) fn of(settings: Cache) -> Box<Self> {
        Box::new(Self { settings, values: BTreeMap::new(), waiting: BTreeMap::new(), under_way: 0 })
    }
}

impl Machine {
    /// Looks a request up, once. True where it goes on with its calls, or is answered without them; false where it waits
    /// or was refused.
    pub(super) fn look_up(&mut self, now: Nanos, id: RequestId, out: &mut Vec<Output>) -> bool {
        let Some(kept) = &mut self.cache else { return true };
        let Some(job) = self.jobs.get_mut(&id) else { return false };
        if job.looked_up || job.write.is_some() || !matches!(job.errand, Errand::Operation(_)) {
            return true;
        }
        job.looked_up = true;
        let key = self.rng.u32(0..kept.settings.keys.max(1));
        if kept.values.get(&key).is_some_and(|until| now < *until) {
            job.done = self.role.calls(job.errand).len();
            return true;
        }
        if kept.settings.coalesce
            && let Some(waiting) = kept.waiting.get_mut(&key)
        {
            waiting.push(id);
            job.waits = Waits::Fetch;
            self.timers.set(job.deadline, TimerKind::Job(id));
            return false;
        }
        if kept.settings.misses.is_some_and(|most| kept.under_way >= most) {
            self.fail(id, Failure::Overloaded, Few::new(), out);
            return false;
        }
        kept.under_way += 1;
        kept.waiting.entry(key).or_default();
        job.fetches = Some(key);
        true
    }

    /// The fetch of a key has come to its end: those who waited for it are answered alike.
    pub(super) fn fetched(
        &mut self,
        key: u32,
        result: Result<Few<ServiceName>, (Failure, Few<ServiceName>)>,
        out: &mut Vec<Output>,
    ) {
        let now = self.now;
        let Some(kept) = &mut self.cache else { return };
        kept.under_way = kept.under_way.saturating_sub(1);
        // What lacks something is an answer, and nothing to keep.
        if result.as_ref().is_ok_and(|lacks| lacks.is_empty()) {
            kept.values.insert(key, now.saturating_add(nanos(kept.settings.ttl)));
        }
        for id in kept.waiting.remove(&key).unwrap_or_default() {
            self.timers.cancel(TimerKind::Job(id));
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            match &result {
                Ok(degraded) => {
                    job.lacks(degraded);
                    self.succeed(id, out);
                }
                Err((failure, missing)) => self.fail(id, *failure, missing.clone(), out),
            }
        }
    }

    /// Whoever fetched a key has gone away: the first of those who wait fetches it, if there is one.
    pub(super) fn fetch_abandoned(&mut self, now: Nanos, key: u32, out: &mut Vec<Output>) {
        let Some(kept) = &mut self.cache else { return };
        let waiting = kept.waiting.get_mut(&key).map(std::mem::take).unwrap_or_default();
        let mut waiting = waiting.into_iter().filter(|id| self.jobs.contains(id));
        let next = waiting.next();
        let rest: Vec<RequestId> = waiting.collect();
        let Some(next) = next else {
            kept.under_way = kept.under_way.saturating_sub(1);
            kept.waiting.remove(&key);
            return;
        };
        kept.waiting.insert(key, rest);
        if let Some(job) = self.jobs.get_mut(&next) {
            (job.waits, job.fetches) = (Waits::Nothing, Some(key));
        }
        self.timers.cancel(TimerKind::Job(next));
        self.advance(now, next, out);
    }
}
