//! Owns the ledger of acknowledged writes, outside every zone: writes through the region's API at a steady pace,
//! remembers what was acknowledged and by whom, and reads it back at the end. Sans-IO, as [`super::watcher`], whose part
//! it is. Refuses to judge what is lost.
//!
//! Whoever acknowledged is asked. Where real software replicates by itself, one member answers for its group, and may be the one
//! that never comes back: then any member that answers is asked, and a write is gone only where none has it.

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
    /// Groups whose members have the same writes.
    alike: Vec<Vec<InstanceName>>,
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
    /// Whether it is there where one of them has it; else each must have it.
    one_has_it: bool,
}

/// Where the reading back has got to.
#[derive(Debug)]
struct Reading {
    addresses: Addresses,
    entry: usize,
    store: usize,
    tries: u32,
    begun: bool,
    /// Of an entry that one of many must have: who answered first that it has none, or else was asked first.
    without: Option<(InstanceName, Option<bool>)>,
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
            alike: watch.alike.clone(),
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
            let (stored_at, one_has_it) = asked_back(&self.alike, reply.stored_at.into());
            self.entries.push(Entered { key, value, acknowledged: true, stored_at, one_has_it });
        } else if !self.doubted_at.is_empty() && self.doubted < DOUBTED_MAX {
            out.push(Out::Seen(Seen::Unacknowledged { key: key.clone(), mono_ns: now }));
            let stored_at = self.doubted_at.clone();
            self.entries.push(Entered { key, value, acknowledged: false, stored_at, one_has_it: false });
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
        self.reading = Some(Reading { addresses, entry: 0, store: 0, tries: 0, begun: false, without: None });
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
            let Some(name) = entry.stored_at.get(reading.store).cloned() else {
                if let Some((from, there)) = reading.without.take() {
                    out.push(read_back(entry, &from, there, now));
                }
                (reading.entry, reading.store) = (reading.entry + 1, 0);
                continue;
            };
            if let Some((to, secure)) = reading.addresses.get(&name).cloned() {
                let ask = Ask::Read { key: entry.key.clone() };
                return out.push(Out::Ask { errand: Errand::Read, to, secure, ask, timeout_ns: READ_TIMEOUT_NS });
            }
            out.extend(reading.learned(entry, name, None, now));
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
            let from = entry.stored_at[reading.store].clone();
            out.extend(reading.learned(entry, from, there, now));
        }
        self.read_next(now, out);
    }
}

/// Whom to ask for what these acknowledged, and whether one of them is enough.
fn asked_back(alike: &[Vec<InstanceName>], stored_at: Vec<InstanceName>) -> (Vec<InstanceName>, bool) {
    let [teller] = stored_at.as_slice() else { return (stored_at, false) };
    let Some(group) = alike.iter().find(|group| group.contains(teller)) else { return (stored_at, false) };
    let others = group.iter().filter(|member| *member != teller).cloned();
    (stored_at.iter().cloned().chain(others).collect(), true)
}

impl Reading {
    /// What one store said of an entry; on to the next store. Where one of many must have it, only what settles it is told.
    fn learned(&mut self, entry: &Entered, from: InstanceName, there: Option<bool>, now: Nanos) -> Option<Out> {
        (self.store, self.tries) = (self.store + 1, 0);
        if !entry.one_has_it {
            return Some(read_back(entry, &from, there, now));
        }
        if there == Some(true) {
            (self.store, self.without) = (entry.stored_at.len(), None);
            return Some(read_back(entry, &from, there, now));
        }
        // Who answers knows more than who is silent.
        if self.without.as_ref().is_none_or(|(_, known)| known.is_none() && there.is_some()) {
            self.without = Some((from, there));
        }
        None
    }
}

fn read_back(entry: &Entered, from: &InstanceName, there: Option<bool>, now: Nanos) -> Out {
    let (key, acknowledged) = (entry.key.clone(), entry.acknowledged);
    Out::Seen(Seen::ReadBack { key, acknowledged, from: from.to_string(), there, mono_ns: now })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(alike: &[&str]) -> Watch {
        let alike = vec![alike.iter().map(|name| InstanceName((*name).to_owned())).collect()];
        Watch {
            probes: Vec::new(),
            entries: Vec::new(),
            operation: "put".to_owned(),
            write_interval_ns: 0,
            timeout: Duration::from_secs(1),
            calm_ns: 1,
            keen_ns: 1,
            root: None,
            canaries: Vec::new(),
            triers: Vec::new(),
            doubted: Vec::new(),
            alike,
            keys_begin: String::new(),
            keys_come_round: 0,
        }
    }

    /// Of one write that `az1` acknowledged: who was told to have it, and what of it, where members say this (nothing is silence).
    fn told(alike: &[&str], says: &[(&str, Option<bool>)]) -> Vec<(String, Option<bool>)> {
        let mut ledger = Ledger::new(&watch(alike));
        let name = |text: &str| InstanceName(text.to_owned());
        let (stored_at, one_has_it) = asked_back(&ledger.alike, vec![name("az1")]);
        ledger.entries =
            vec![Entered { key: "k".to_owned(), value: "v".to_owned(), acknowledged: true, stored_at, one_has_it }];
        let at = |place: usize| SocketAddr::from(([127, 0, 0, 1], u16::try_from(place).expect("few")));
        let addresses = says.iter().enumerate().map(|(place, (member, _))| (name(member), (at(place), None))).collect();
        let (mut out, mut seen, mut next) = (Vec::new(), Vec::new(), 0);
        ledger.read_back(0, addresses, &mut out);
        while next < out.len() {
            if let Out::Ask { to, .. } = &out[next] {
                let reply = says[usize::from(to.port())].1.map(|there| {
                    let value = there.then(|| "v".to_owned());
                    Reply { value, ..Reply::ok(&name("x")) }
                });
                ledger.was_read(0, reply, &mut out);
            } else if let Out::Seen(Seen::ReadBack { from, there, .. }) = &out[next] {
                seen.push((from.clone(), *there));
            }
            next += 1;
        }
        seen
    }

    #[test]
    fn what_a_replicated_keeper_acknowledged_is_looked_for_at_any_member_that_answers() {
        let group = ["az1", "az2", "az3"];
        let of = |says: &[(&str, Option<bool>)]| told(&group, says);
        let (yes, no, silent) = (Some(true), Some(false), None);
        assert_eq!(
            of(&[("az1", silent), ("az2", yes), ("az3", yes)]),
            [("az2".to_owned(), yes)],
            "az1 never came back"
        );
        assert_eq!(of(&[("az1", no), ("az2", silent), ("az3", yes)]), [("az3".to_owned(), yes)]);
        assert_eq!(of(&[("az1", silent), ("az2", no), ("az3", no)]), [("az2".to_owned(), no)], "none has it");
        assert_eq!(of(&[("az1", silent), ("az2", silent)]), [("az1".to_owned(), silent)], "nobody answers");
    }

    #[test]
    fn what_a_store_with_its_own_disk_acknowledged_is_looked_for_there_alone() {
        let says = [("az1", None), ("az2", Some(true))];
        assert_eq!(told(&[], &says), [("az1".to_owned(), None)]);
    }
}
