//! Owns the calls under way: a store whose places are used again, with keys that never are. Refuses to know how far a
//! call has got.

use crate::witness::watcher::Errand;
use agents::machine::{AttemptId, ConnId, Nanos, Outcome};
use agents::wire::Ask;

/// A call's key: its place, and how often the place was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(u64);

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// A process, in this one of its lives.
    Process { process: u32, life: u32, attempt: AttemptId },
    /// The witness.
    Witness(Errand),
    /// Whoever copies data while a region is built; the number is its own.
    Mover(u64),
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) caller: Caller,
    /// The process called, and the life in which it took the request.
    pub(super) to: u32,
    pub(super) taken_in: Option<u32>,
    /// The kept connection that it uses; `None` opens one.
    pub(super) conn: Option<ConnId>,
    /// Whether a new connection needs certificates that both ends accept.
    pub(super) secure: bool,
    /// Whether question and answer are one packet each.
    pub(super) datagram: bool,
    /// What is asked, until it arrives.
    pub(super) ask: Option<Ask>,
    pub(super) remaining: Nanos,
    /// How it ended, on the way back.
    pub(super) outcome: Option<Outcome>,
}

/// All calls under way.
#[derive(Debug, Default)]
pub(super) struct Calls {
    places: Vec<(u32, Option<Call>)>,
    free: Vec<u32>,
}

impl Calls {
    pub(super) fn insert(&mut self, call: Call) -> Key {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push((0, None));
            u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX)
        });
        let (uses, slot) = &mut self.places[place as usize];
        *uses = uses.wrapping_add(1);
        *slot = Some(call);
        Key(u64::from(*uses) << 32 | u64::from(place))
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Call> {
        let (uses, slot) = self.places.get_mut(key.place())?;
        if *uses == key.uses() { slot.as_mut() } else { None }
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Call> {
        let (uses, slot) = self.places.get_mut(key.place())?;
        let call = if *uses == key.uses() { slot.take() } else { None };
        if call.is_some() {
            self.free.push(key.0 as u32);
        }
        call
    }

    /// Takes a call that has ended: who called, the connection that can be used again, and how it ended. `None` where it
    /// is gone or has not ended; it is gone afterwards.
    pub(super) fn end(&mut self, key: Key) -> Option<(Caller, Option<ConnId>, Outcome)> {
        // What the caller needs is taken out of its place; the rest, which is larger, is dropped where it is.
        let call = self.get_mut(key)?;
        let (caller, conn, outcome) = (call.caller, call.conn, call.outcome.take());
        let (_, slot) = &mut self.places[key.place()];
        *slot = None;
        self.free.push(key.0 as u32);
        Some((caller, conn, outcome?))
    }

    /// Keys of the calls that a process has taken and not answered.
    pub(super) fn taken_by(&self, process: u32) -> Vec<Key> {
        let places = self.places.iter().zip(0_u64..);
        let taken = places.filter(|((_, call), _)| {
            call.as_ref().is_some_and(|call| call.to == process && call.taken_in.is_some() && call.outcome.is_none())
        });
        taken.map(|((uses, _), place)| Key(u64::from(*uses) << 32 | place)).collect()
    }
}

impl Key {
    fn place(self) -> usize {
        self.0 as u32 as usize
    }

    fn uses(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// As a number that the called process knows the request by.
    pub(super) fn number(self) -> u64 {
        self.0
    }

    /// The key that [`Key::number`] came from.
    pub(super) fn of(number: u64) -> Self {
        Self(number)
    }
}
