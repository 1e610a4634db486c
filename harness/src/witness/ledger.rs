//! Owns the ledger of acknowledged writes, outside every zone: writes through the region's API at a steady pace,
//! remembers what was acknowledged and by whom, and reads it back at the end. Sans-IO, as [`super::watcher`], whose part
//! it is. Refuses to judge what is lost.

use super::protocol::{Seen, Watch};
use super::watcher::{Errand, Out};
use agents::config::{Target, nanos};
use agents::machine::Nanos;
use agents::machine::target::Picker;
use agents::wire::{Ask, Failure, Reply, Text, Write};
use fixtures::graph::{Breaker, Routing};
use fixtures::name::{InstanceName, ZoneName};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// How long one read back may take, and how often it is tried: the region is quiet by then.
const READ_TIMEOUT_NS: Nanos = 800_000_000;
const READ_TRIES: u32 = 3;
/// Writes without an acknowledgement that are read back at most: each is looked for at every store.
const DOUBTED_MAX: usize = 40;
/// The witness's own breaker, as a customer's.
const BREAKER: Breaker = Breaker { failures: 2, open_for: Duration::from_secs(1) };

/// Where each instance is, and the name that it must prove to have.
pub(super) type Addresses = BTreeMap<InstanceName, (SocketAddr, Option<Text>)>;

/// Writes that were acknowledged, and those under way.
#[derive(Debug)]
pub(super) struct Ledger {
    operation: Text,
    interval_ns: Nanos,
    timeout_ns: Nanos,
    writers: Vec<Writer>,
    entries: Vec<Entered>,
    /// Where a write that was not acknowledged is looked for.
    doubted_at: Vec<InstanceName>,
    /// How many such writes are in the ledger.
    doubted: usize,
    reading: Option<Reading>,
    keys_begin: String,
    /// Zero, or after how many writes of a zone keys come round; then nothing is remembered.
    keys_come_round: u64,
}

/// Writes to one zone, one at a time: the ledger wants acknowledged writes, not load.
#[derive(Debug)]
struct Writer {
    zone: String,
    targets: Vec<Target>,
    picker: Option<Picker>,
    due: Nanos,
    number: u64,
    under_way: Option<UnderWay>,
}

#[derive(Debug)]
struct UnderWay {
    target: usize,
    key: String,
    value: String,
}

#[derive(Debug, Clone)]
struct Entered {
    key: String,
    value: String,
    acknowledged: bool,
    /// Where it is to be read.
    stored_at: Vec<InstanceName>,
}

/// Where the reading back has got to.
#[derive(Debug)]
struct Reading {
    addresses: Addresses,
    entry: usize,
    store: usize,
    tries: u32,
    begun: bool,
}

impl Ledger {
    pub(super) fn new(watch: &Watch) -> Self {
        let writer = |entry: &super::protocol::Entry| {
            let zone = ZoneName::new(entry.zone.clone()).ok();
            let picker = zone.map(|zone| Picker::new(&entry.targets, Some(BREAKER), Routing::ZoneFirst, &zone, 0));
            let (zone, targets) = (entry.zone.clone(), entry.targets.clone());
            Writer { zone, targets, picker, due: 0, number: 0, under_way: None }
        };
        Self {
            operation: watch.operation.as_str().into(),
            interval_ns: watch.write_interval_ns,
            timeout_ns: nanos(watch.timeout),
            writers: watch.entries.iter().map(writer).collect(),
            entries: Vec::new(),
            doubted_at: watch.doubted.clone(),
            doubted: 0,
            reading: None,
            keys_begin: watch.keys_begin.clone(),
            keys_come_round: watch.keys_come_round,
        }
    }

    pub(super) fn begin(&mut self, now: Nanos, out: &mut Vec<Out>) {
        if self.interval_ns == 0 {
            return;
        }
        for (zone, writer) in self.writers.iter_mut().enumerate() {
            writer.due = now + self.interval_ns;
            out.push(Out::Later { at: writer.due, errand: Errand::Write(zone) });
        }
    }

    /// One write to a zone.
    pub(super) fn write(&mut self, now: Nanos, zone: usize, out: &mut Vec<Out>) {
        if self.reading.is_some() {
            return;
        }
        let writer = &mut self.writers[zone];
        let Some(target) = writer.picker.as_mut().and_then(|picker| picker.pick(now, &[])) else { return };
        let key = format!("{}{}-{}", self.keys_begin, writer.zone, writer.number);
        // Where keys come round none of them has one value.
        let value = if self.keys_come_round > 0 {
            format!("v{}-{now}", writer.number)
        } else {
            super::protocol::value_of(&key)
        };
        writer.number += 1;
        if self.keys_come_round > 0 {
            writer.number %= self.keys_come_round;
        }
        let ask = Ask::Work {
            operation: self.operation.clone(),
            write: Some(Box::new(Write { key: key.clone(), value: value.clone() })),
            again: false,
        };
        let (to, secure) = (writer.targets[target].address, writer.targets[target].secure.clone());
        writer.under_way = Some(UnderWay { target, key, value });
        out.push(Out::Ask { errand: Errand::Write(zone), to, secure, ask, timeout_ns: self.timeout_ns });
    }

    /// A write has come to its end.
    pub(super) fn written(&mut self, now: Nanos, zone: usize, reply: Option<Reply>, out: &mut Vec<Out>) {
        let writer = &mut self.writers[zone];
        let Some(UnderWay { target, key, value }) = writer.under_way.take() else { return };
        if let Some(picker) = &mut writer.picker {
            match &reply {
                Some(_) => picker.succeeded(target),
                None => picker.failed(target, now),
            }
        }
        if self.keys_come_round > 0 {
            // It only makes state grow.
        } else if let Some(reply) = reply.filter(|reply| reply.error.is_none() && !reply.stored_at.is_empty()) {
            let stored_at = reply.stored_at.iter().map(ToString::to_string).collect();
            out.push(Out::Seen(Seen::Acknowledged { key: key.clone(), stored_at, mono_ns: now }));
            let stored_at = reply.stored_at.into();
            self.entries.push(Entered { key, value, acknowledged: true, stored_at });
        } else if !self.doubted_at.is_empty() && self.doubted < DOUBTED_MAX {
            out.push(Out::Seen(Seen::Unacknowledged { key: key.clone(), mono_ns: now }));
            let stored_at = self.doubted_at.clone();
            self.entries.push(Entered { key, value, acknowledged: false, stored_at });
            self.doubted += 1;
        }
        // What a slow write missed is not made up for.
        writer.due = now.max(writer.due + self.interval_ns);
        if self.reading.is_some() {
            self.read_on(now, out);
        } else {
            out.push(Out::Later { at: writer.due, errand: Errand::Write(zone) });
        }
    }

    pub(super) fn read_back(&mut self, now: Nanos, addresses: Addresses, out: &mut Vec<Out>) {
        self.reading = Some(Reading { addresses, entry: 0, store: 0, tries: 0, begun: false });
        self.read_on(now, out);
    }

    /// Begins to read once nothing is being written any more.
    fn read_on(&mut self, now: Nanos, out: &mut Vec<Out>) {
        let writing = self.writers.iter().any(|writer| writer.under_way.is_some());
        if let Some(reading) = self.reading.as_mut().filter(|reading| !writing && !reading.begun) {
            reading.begun = true;
            self.read_next(now, out);
        }
    }

    /// Asks for the next value, or tells that there is none.
    fn read_next(&mut self, now: Nanos, out: &mut Vec<Out>) {
        let Some(reading) = &mut self.reading else { return };
        while let Some(entry) = self.entries.get(reading.entry) {
            let Some(name) = entry.stored_at.get(reading.store) else {
                (reading.entry, reading.store) = (reading.entry + 1, 0);
                continue;
            };
            if let Some((to, secure)) = reading.addresses.get(name).cloned() {
                let ask = Ask::Read { key: entry.key.clone() };
                return out.push(Out::Ask { errand: Errand::Read, to, secure, ask, timeout_ns: READ_TIMEOUT_NS });
            }
            let (key, acknowledged, from) = (entry.key.clone(), entry.acknowledged, name.to_string());
            out.push(Out::Seen(Seen::ReadBack { key, acknowledged, from, there: None, mono_ns: now }));
            reading.store += 1;
        }
        out.push(Out::Seen(Seen::ReadBackDone));
    }

    /// A read has come to its end.
    pub(super) fn was_read(&mut self, now: Nanos, reply: Option<Reply>, out: &mut Vec<Out>) {
        let Some(reading) = &mut self.reading else { return };
        let Some(entry) = self.entries.get(reading.entry) else { return };
        // A store that cannot read says nothing of what it has.
        let reply = reply.filter(|reply| matches!(reply.error, None | Some(Failure::NotFound)));
        reading.tries += 1;
        if reply.is_some() || reading.tries >= READ_TRIES {
            let there = reply.map(|reply| reply.value.as_ref() == Some(&entry.value));
            let from = entry.stored_at[reading.store].to_string();
            let (key, acknowledged) = (entry.key.clone(), entry.acknowledged);
            out.push(Out::Seen(Seen::ReadBack { key, acknowledged, from, there, mono_ns: now }));
            (reading.store, reading.tries) = (reading.store + 1, 0);
        }
        self.read_next(now, out);
    }
}
