//! Owns the reads and writes by which the witness tries replicated stores: one trier for each zone asks the members there,
//! so that both sides of every cut are asked. Sans-IO, as [`super::watcher`], whose part it is. Refuses to judge what it
//! was told.
//!
//! Each trier does one thing at a time; triers share registers, and no value is written twice. Beside each trier a scribe
//! writes a register that nobody else writes: a write that was acknowledged on one side of a cut, and is unknown on the
//! other, is there overwritten by nobody before somebody reads it.

use super::protocol::{Seen, Trier};
use super::watcher::{Errand, Out};
use agents::machine::Nanos;
use agents::wire::{Ask, Failure, Reply, Text, Write};

/// Registers of one store.
const REGISTERS: u64 = 2;
/// One in so many operations on shared registers is a write.
const WRITE_EVERY: u64 = 3;
/// A scribe waits so many times as long as a trier from one write to the next.
const SCRIBE_SLOWER: u64 = 2;

/// Triers and then, in the same order, their scribes, and what each has under way.
#[derive(Debug)]
pub(super) struct History {
    triers: Vec<Trying>,
    keys_begin: String,
    ended: bool,
}

#[derive(Debug)]
struct Trying {
    trier: Trier,
    /// The trier's place among all; a scribe has that of its trier.
    place: usize,
    /// Places of the triers of the same store, whose scribes' registers it reads; empty of a scribe.
    peers: Vec<usize>,
    operation: Text,
    number: u64,
    under_way: Option<UnderWay>,
}

impl Trying {
    /// The next register, and what is written there; nothing is where it is read.
    fn next(&mut self) -> (String, Option<String>) {
        let (number, place) = (self.number, self.place);
        self.number += 1;
        if self.peers.is_empty() {
            return (own_register(place), Some(format!("own-{place}-{number}")));
        }
        // Every other operation is on shared registers.
        let (turn, own) = (number / 2, !number.is_multiple_of(2));
        if own {
            let peer = usize::try_from(turn).unwrap_or_default() % self.peers.len();
            return (own_register(self.peers[peer]), None);
        }
        let write = (turn + place as u64).is_multiple_of(WRITE_EVERY);
        (format!("register-{}", turn / WRITE_EVERY % REGISTERS), write.then(|| format!("{place}-{number}")))
    }
}

fn own_register(place: usize) -> String {
    format!("own-register-{place}")
}

#[derive(Debug)]
struct UnderWay {
    member: usize,
    key: String,
    write: Option<String>,
    began: Nanos,
}

impl History {
    pub(super) fn new(triers: &[Trier], keys_begin: &str) -> Self {
        let of = |service: &str| {
            let same = triers.iter().enumerate().filter(|(_, other)| other.service == service);
            same.map(|(place, _)| place).collect()
        };
        let trying = |place: usize, trier: &Trier, peers: Vec<usize>| Trying {
            operation: trier.operation.as_str().into(),
            trier: trier.clone(),
            place,
            peers,
            number: 0,
            under_way: None,
        };
        let readers = triers.iter().enumerate().map(|(place, trier)| trying(place, trier, of(&trier.service)));
        let scribes = triers.iter().enumerate().map(|(place, trier)| {
            let interval_ns = trier.interval_ns.saturating_mul(SCRIBE_SLOWER);
            trying(place, &Trier { interval_ns, ..trier.clone() }, Vec::new())
        });
        Self { triers: readers.chain(scribes).collect(), keys_begin: keys_begin.to_owned(), ended: false }
    }

    pub(super) fn begin(&self, now: Nanos, out: &mut Vec<Out>) {
        let count = self.triers.len().max(1) as u64;
        for (index, trying) in self.triers.iter().enumerate() {
            // One after the other, or they would all ask in the same moment.
            let at = now + trying.trier.interval_ns + trying.trier.interval_ns * index as u64 / count;
            out.push(Out::Later { at, errand: Errand::Try(index) });
        }
    }

    /// No more of it: the ledger is read back.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// The next read or write.
    pub(super) fn ask(&mut self, now: Nanos, index: usize, out: &mut Vec<Out>) {
        let Some(trying) = self.triers.get_mut(index).filter(|_| !self.ended) else { return };
        let members = trying.trier.members.len().max(1) as u64;
        let member = usize::try_from(trying.number % members).unwrap_or_default();
        let (key, write) = trying.next();
        let key = format!("{}{key}", self.keys_begin);
        let Some(target) = trying.trier.members.get(member) else { return };
        let ask = match &write {
            Some(value) => Ask::Work {
                operation: trying.operation.clone(),
                write: Some(Box::new(Write { key: key.clone(), value: value.clone() })),
                again: false,
            },
            None => Ask::Read { key: key.clone() },
        };
        let (to, secure, timeout_ns) = (target.address, target.secure.clone(), trying.trier.timeout_ns);
        trying.under_way = Some(UnderWay { member, key, write, began: now });
        out.push(Out::Ask { errand: Errand::Try(index), to, secure, ask, timeout_ns });
    }

    /// It has come to its end.
    pub(super) fn answered(&mut self, now: Nanos, index: usize, reply: Option<Reply>, out: &mut Vec<Out>) {
        let Some(trying) = self.triers.get_mut(index) else { return };
        let Some(UnderWay { member, key, write, began }) = trying.under_way.take() else { return };
        // That a register holds nothing is an answer.
        let nothing = write.is_none() && reply.as_ref().is_some_and(|reply| reply.error == Some(Failure::NotFound));
        let done = nothing || reply.as_ref().is_some_and(|reply| reply.error.is_none());
        let read = reply.and_then(|reply| reply.value);
        if let Some(member) = trying.trier.members.get(member).cloned() {
            let service = trying.trier.service.clone();
            let seen = Seen::Operation {
                trier: trying.place,
                service,
                member,
                key,
                write,
                read,
                done,
                began_ns: began,
                mono_ns: now,
            };
            out.push(Out::Seen(seen));
        }
        let at = now.max(began + trying.trier.interval_ns);
        out.push(Out::Later { at, errand: Errand::Try(index) });
    }
}
