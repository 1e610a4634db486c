//! Owns a durable queue: items on the disk until they are done, which comes next, and which is too old. Refuses to know
//! what is done with one: those are an operation's calls, made by a request of the queue's own.
//!
//! Whoever hands an item in may stop waiting; the item stays. The file is appended to: `@item NUMBER TIME OPERATION KEY
//! VALUE` (without key and value where nothing is written), and `@done NUMBER`.

use super::job::Waits;
use super::role::Errand;
use super::timer::TimerKind;
use super::{Machine, Nanos, Output, RequestId};
use crate::config::nanos;
use crate::few::Few;
use crate::wire::{Failure, Reply, Write};
use fixtures::graph::store::{Answers, Backlog, Order};
use std::collections::BTreeMap;

/// Marks the numbers of items among those of requests.
const ITEM: u64 = 1 << 62;
/// Marks the records of items that are done.
const DONE: u64 = 1 << 61;
/// Pause before an item that failed comes up again.
const AGAIN_NS: Nanos = 200_000_000;
const RECORD_ITEM: &str = "@item";
const RECORD_DONE: &str = "@done";

/// One item.
#[derive(Debug)]
struct Item {
    /// When it was handed in.
    since: Nanos,
    operation: usize,
    write: Option<Box<Write>>,
    /// Who waits for it.
    waiter: Option<RequestId>,
    /// Not before.
    again_at: Nanos,
    /// On the disk, and not being worked on.
    ready: bool,
}

/// Items that are not done.
#[derive(Debug)]
pub(super) struct Pending {
    settings: Backlog,
    items: BTreeMap<u64, Item>,
    next: u64,
    /// When the next item may begin.
    free_at: Nanos,
}

impl Pending {
    pub(super) fn of(settings: Backlog) -> Box<Self> {
        Box::new(Self { settings, items: BTreeMap::new(), next: 1, free_at: 0 })
    }

    /// Reads the file again; returns what was written into items, done or not.
    pub(super) fn restore(&mut self, entries: &[(String, String)]) -> Vec<(String, String)> {
        let mut written = Vec::new();
        for (key, value) in entries {
            if key == RECORD_DONE {
                value.parse().ok().and_then(|number: u64| self.items.remove(&number));
            } else if let Some((number, item)) = parse(value).filter(|_| key == RECORD_ITEM) {
                written.extend(item.write.as_ref().map(|write| (write.key.clone(), write.value.clone())));
                self.next = self.next.max(number + 1);
                self.items.insert(number, item);
            }
        }
        written
    }

    /// The item that comes next at a moment, of those that are ready.
    fn choose(&self, now: Nanos) -> Option<u64> {
        let mut ready = self.items.iter().filter(|(_, item)| item.ready && item.again_at <= now);
        let chosen = match self.settings.order {
            Order::Fifo => ready.next(),
            Order::Lifo => ready.next_back(),
        };
        chosen.map(|(number, _)| *number)
    }

    /// When the next item can begin; `None` where there is none.
    fn next_at(&self) -> Option<Nanos> {
        let ready = self.items.values().filter(|item| item.ready);
        ready.map(|item| item.again_at.max(self.free_at)).min()
    }

    /// Items too old to be worked on.
    fn expired(&self, now: Nanos) -> Vec<u64> {
        let Some(expiry) = self.settings.expiry else { return Vec::new() };
        let old = |item: &Item| item.ready && now.saturating_sub(item.since) > nanos(expiry);
        self.items.iter().filter(|(_, item)| old(item)).map(|(number, _)| *number).collect()
    }
}

fn record(number: u64, item: &Item) -> String {
    let head = format!("{number} {} {}", item.since, item.operation);
    item.write.as_ref().map_or_else(|| head.clone(), |write| format!("{head} {} {}", write.key, write.value))
}

fn parse(text: &str) -> Option<(u64, Item)> {
    let mut parts = text.splitn(5, ' ');
    let (number, since) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let operation = parts.next()?.parse().ok()?;
    let write = match parts.next() {
        None => None,
        Some(key) => Some(Box::new(Write { key: key.to_owned(), value: parts.next()?.to_owned() })),
    };
    Some((number, Item { since, operation, write, waiter: None, again_at: 0, ready: true }))
}

impl Machine {
    /// Puts a request into the queue; true where that is its way and it waits from now on.
    pub(super) fn enqueue(&mut self, now: Nanos, id: RequestId, out: &mut Vec<Output>) -> bool {
        let Some(pending) = self.backlog.as_mut().filter(|_| id.0 & ITEM == 0) else { return false };
        let Some(job) = self.jobs.get_mut(&id) else { return false };
        let Errand::Operation(operation) = job.errand else { return false };
        let (number, write) = (pending.next, job.write.take());
        pending.next += 1;
        let item = Item { since: now, operation, write, waiter: Some(id), again_at: now, ready: false };
        let value = record(number, &item);
        pending.items.insert(number, item);
        job.waits = Waits::Item;
        self.timers.set(job.deadline, TimerKind::Job(id));
        out.push(Output::Append { id: RequestId(ITEM | number), key: RECORD_ITEM.to_owned(), value, sync: true });
        true
    }

    /// An item is on the disk, or could not be put there; false where the record is none of an item.
    pub(super) fn item_saved(&mut self, now: Nanos, id: RequestId, ok: bool, out: &mut Vec<Output>) -> bool {
        let Some(pending) = self.backlog.as_mut().filter(|_| id.0 & (ITEM | DONE) != 0) else { return false };
        if id.0 & DONE != 0 {
            return true;
        }
        let Some(item) = pending.items.get_mut(&(id.0 & !ITEM)) else { return true };
        let (waiter, at_once) = (item.waiter, pending.settings.answers == Answers::WhenStored);
        if !ok {
            pending.items.remove(&(id.0 & !ITEM));
            if let Some(waiter) = waiter.filter(|waiter| self.jobs.contains(waiter)) {
                self.timers.cancel(TimerKind::Job(waiter));
                self.fail(waiter, Failure::Storage, Few::new(), out);
            }
            return true;
        }
        item.ready = true;
        let written = item.write.clone();
        if at_once {
            item.waiter = None;
        }
        let is_write = written.is_some();
        self.store.extend(written.map(|written| (written.key, written.value)));
        if let Some(waiter) = waiter.filter(|_| at_once) {
            self.timers.cancel(TimerKind::Job(waiter));
            if let Some(job) = self.jobs.get_mut(&waiter).filter(|_| is_write) {
                job.stored_at.push(self.name.clone());
            }
            self.succeed(waiter, out);
        }
        self.work_off(now, out);
        true
    }

    /// Begins the items whose turn has come.
    pub(super) fn work_off(&mut self, now: Nanos, out: &mut Vec<Output>) {
        if !self.serving {
            return;
        }
        let expired = self.backlog.as_ref().map(|pending| pending.expired(now)).unwrap_or_default();
        for number in expired {
            self.item_over(number, out);
        }
        while let Some(pending) = &mut self.backlog {
            let Some(number) = pending.choose(now).filter(|_| pending.free_at <= now) else { break };
            let interval = pending.settings.drain.map_or(0, |drain| nanos(drain.interval()));
            pending.free_at = now.saturating_add(interval);
            let Some(item) = pending.items.get_mut(&number) else { break };
            item.ready = false;
            let (errand, write) = (Errand::Operation(item.operation), item.write.clone());
            let id = RequestId(ITEM | number);
            self.begin(now, id, errand, write, None);
            self.advance(now, id, out);
        }
        self.await_item(now);
    }

    /// Wakes up when the next item can begin: later than now, because what can begin now has begun.
    fn await_item(&mut self, now: Nanos) {
        match self.backlog.as_ref().and_then(|pending| pending.next_at()) {
            Some(at) => self.timers.set(at.max(now + 1), TimerKind::Backlog),
            None => self.timers.cancel(TimerKind::Backlog),
        }
    }

    /// An item will not come up again.
    fn item_over(&mut self, number: u64, out: &mut Vec<Output>) -> Option<RequestId> {
        let item = self.backlog.as_mut()?.items.remove(&number)?;
        let (key, value) = (RECORD_DONE.to_owned(), number.to_string());
        // Where this one is lost with the power the item is worked on twice, which whoever is behind has to bear.
        out.push(Output::Append { id: RequestId(DONE | number), key, value, sync: false });
        item.waiter.filter(|waiter| self.jobs.contains(waiter))
    }

    /// Whether a request is the queue's own, for an item; whoever handed that in was counted with his.
    pub(super) fn is_item(&self, id: RequestId) -> bool {
        self.backlog.is_some() && id.0 & ITEM != 0
    }

    /// The queue's own request for an item was answered; false where it is none of an item.
    pub(super) fn item_answered(&mut self, id: RequestId, reply: &Reply, out: &mut Vec<Output>) -> bool {
        if !self.is_item(id) {
            return false;
        }
        let (now, number) = (self.now, id.0 & !ITEM);
        if reply.error.is_some() {
            if let Some(item) = self.backlog.as_mut().and_then(|pending| pending.items.get_mut(&number)) {
                (item.ready, item.again_at) = (true, now.saturating_add(AGAIN_NS));
            }
        } else if let Some(waiter) = self.item_over(number, out) {
            self.timers.cancel(TimerKind::Job(waiter));
            if let Some(job) = self.jobs.get_mut(&waiter) {
                job.lacks(&reply.degraded);
                job.stored_at.extend(reply.stored_at.iter().cloned());
            }
            self.succeed(waiter, out);
        }
        self.await_item(now);
        true
    }
}
