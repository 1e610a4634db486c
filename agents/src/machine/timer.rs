//! Owns the timers of one instance: what is due when. Refuses to know what happens then.

use super::{AttemptId, Nanos, RequestId};

/// What a timer is for; each has at most one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerKind {
    /// Ask for this need again.
    Need(usize),
    /// This attempt's time is up.
    Attempt(AttemptId),
    /// What this need granted has ended.
    Expiry(usize),
    /// A name server checks the health of instances.
    Health,
    /// A name server sends what it has held back.
    Late,
    /// This request goes on: after its own work, or after a back-off.
    Job(RequestId),
    /// Tell the witness of calls made.
    CallNotes,
    /// Tell the witness of what arrived.
    Arrivals,
    /// The member of a replicated store wants to do something.
    Member,
    /// An item of a queue may begin.
    Backlog,
    /// An interval is over: what happened in it is pushed.
    Meter,
    /// A period of the alarms is over.
    Board,
    /// A scaler decides.
    Scaler,
    /// Tell the witness what the tap has counted.
    Tap,
}

/// Timers in order of time; equal times go off in the order of [`TimerKind`], so that nothing depends on hashing. A
/// list, because an instance has few of them and most are set later than all others.
#[derive(Debug, Default)]
pub struct Timers {
    due: Vec<(Nanos, TimerKind)>,
}

impl Timers {
    /// Sets a timer, instead of one of the same kind.
    pub fn set(&mut self, at: Nanos, kind: TimerKind) {
        self.cancel(kind);
        let entry = (at, kind);
        match self.due.last() {
            Some(last) if *last > entry => {
                let position = self.due.partition_point(|known| *known < entry);
                self.due.insert(position, entry);
            }
            _ => self.due.push(entry),
        }
    }

    /// Sets a timer unless there is one of the same kind.
    pub fn set_if_absent(&mut self, at: Nanos, kind: TimerKind) {
        if !self.due.iter().any(|(_, known)| *known == kind) {
            self.set(at, kind);
        }
    }

    /// Removes a timer, if it is there.
    pub fn cancel(&mut self, kind: TimerKind) {
        if let Some(position) = self.due.iter().rposition(|(_, known)| *known == kind) {
            self.due.remove(position);
        }
    }

    /// The time of the next one.
    pub fn next(&self) -> Option<Nanos> {
        self.due.first().map(|&(at, _)| at)
    }

    /// Takes the next one that is due.
    pub fn pop_due(&mut self, now: Nanos) -> Option<TimerKind> {
        self.due.first().filter(|(at, _)| *at <= now)?;
        Some(self.due.remove(0).1)
    }
}
