//! Owns attempts under way and connections kept for reuse. Refuses to know why something is asked.
//!
//! A kept connection can be dead without anybody having noticed (its other end lost power). An attempt that fails on
//! a kept connection before any answer is therefore sent again at once on a new one, within the same time limit, and
//! counts as one attempt.

use super::ordered::Ordered;
use super::timer::{TimerKind, Timers};
use super::{AttemptId, ConnId, Nanos, Outcome, Output, RequestId};
use crate::wire::{Ask, Reply, Text};
use std::net::{IpAddr, SocketAddr};

/// Connections kept for one address at most.
const IDLE_CONNS_MAX: usize = 8;

/// Why an attempt was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To acquire the need with this index.
    Need(usize),
    /// To ask what the name with this index stands for.
    Lookup(usize),
    /// To check the health of the instance with this index.
    Health(usize),
    /// To say something to another member of a replicated store.
    Member {
        /// The member's own number for it.
        flight: u64,
    },
    /// To push counts.
    Push,
    /// To hand counts on to another instance of telemetry.
    Relay,
    /// To ask for the load of the group with this index.
    Load {
        /// The group.
        group: usize,
    },
    /// To tell or ask an instance of a group what it does.
    Duty {
        /// The group.
        group: usize,
        /// The instance's place in it.
        member: usize,
    },
    /// To make a call for a request.
    Call {
        /// The request.
        id: RequestId,
    },
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Why it was made.
    pub purpose: Purpose,
    /// Index of the target in its picker when it was asked.
    pub target: usize,
    /// Its address.
    pub to: SocketAddr,
    /// The answer, or why there was none.
    pub result: Result<Reply, Silence>,
}

/// Why there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// In time.
    Timeout,
    /// The connection was refused.
    Refused,
    /// No route.
    Unreachable,
    /// The connection ended before the answer.
    Broken,
    /// One side did not trust the other's certificate.
    Untrusted,
}

impl Silence {
    /// The word that counts it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Broken => "broken",
            Self::Untrusted => "untrusted",
        }
    }
}

#[derive(Debug)]
struct Attempt {
    purpose: Purpose,
    target: usize,
    to: SocketAddr,
    secure: Option<Text>,
    ask: Ask,
    until: Nanos,
    reused: bool,
}

/// Attempts under way and idle connections.
#[derive(Debug, Default)]
pub struct Exchange {
    sent: u64,
    open: Ordered<AttemptId, Attempt>,
    idle: Ordered<Place, Vec<ConnId>>,
}

/// An address as numbers, which compare in one step: with a socket address it is the standard library's long way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place(u128, u16);

impl Place {
    fn of(address: SocketAddr) -> Self {
        let bits = match address.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
            IpAddr::V6(ip) => ip.to_bits(),
        };
        Self(bits, address.port())
    }
}

/// What to send.
#[derive(Debug)]
pub struct Sending {
    /// Why.
    pub purpose: Purpose,
    /// Index of the target in its picker.
    pub target: usize,
    /// Its address.
    pub to: SocketAddr,
    /// The name that it must prove to have.
    pub secure: Option<Text>,
    /// What is asked.
    pub ask: Ask,
    /// Bound of the attempt.
    pub timeout: Nanos,
}

impl Exchange {
    /// Attempts sent so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Sends one attempt and sets its time limit.
    pub fn send(&mut self, now: Nanos, sending: Sending, timers: &mut Timers, out: &mut Vec<Output>) {
        self.sent += 1;
        let attempt = AttemptId(self.sent);
        let Sending { purpose, target, to, secure, ask, timeout } = sending;
        let conn = self.idle.get_mut(&Place::of(to)).and_then(Vec::pop);
        let until = now.saturating_add(timeout);
        timers.set(until, TimerKind::Attempt(attempt));
        out.push(Output::Send { attempt, to, secure: secure.clone(), conn, ask: ask.clone(), timeout });
        self.open.insert(attempt, Attempt { purpose, target, to, secure, ask, until, reused: conn.is_some() });
    }

    /// An attempt came to an end; `None` where nobody waits for it, or where it goes on over a new connection.
    pub fn answer(
        &mut self,
        now: Nanos,
        id: AttemptId,
        outcome: Outcome,
        conn: Option<ConnId>,
        out: &mut Vec<Output>,
    ) -> Option<Ended> {
        let Some(mut attempt) = self.open.remove(&id) else {
            // Nobody waits for the answer any more, and nobody else knows of its connection.
            out.extend(conn.map(|conn| Output::Close { conn }));
            return None;
        };
        if let Some(conn) = conn {
            self.keep(attempt.to, conn, out);
        }
        let result = match outcome {
            Outcome::Reply(reply) => Ok(reply),
            Outcome::Broken if attempt.reused => {
                // What killed this one killed the others that were kept.
                self.close_idle(attempt.to, out);
                attempt.reused = false;
                let timeout = attempt.until.saturating_sub(now);
                if timeout > 0 {
                    out.push(Output::Send {
                        attempt: id,
                        to: attempt.to,
                        secure: attempt.secure.clone(),
                        conn: None,
                        ask: attempt.ask.clone(),
                        timeout,
                    });
                    self.open.insert(id, attempt);
                    return None;
                }
                Err(Silence::Timeout)
            }
            Outcome::Refused => Err(Silence::Refused),
            Outcome::Unreachable => Err(Silence::Unreachable),
            Outcome::Broken => Err(Silence::Broken),
            Outcome::Untrusted => Err(Silence::Untrusted),
        };
        Some(Ended { purpose: attempt.purpose, target: attempt.target, to: attempt.to, result })
    }

    /// An attempt's time is up.
    pub fn time_out(&mut self, id: AttemptId, out: &mut Vec<Output>) -> Option<Ended> {
        let attempt = self.open.remove(&id)?;
        out.push(Output::Abandon { attempt: id });
        // Connections to a silent peer are not worth keeping.
        self.close_idle(attempt.to, out);
        let Attempt { purpose, target, to, .. } = attempt;
        Some(Ended { purpose, target, to, result: Err(Silence::Timeout) })
    }

    fn keep(&mut self, to: SocketAddr, conn: ConnId, out: &mut Vec<Output>) {
        let idle = self.idle.get_or_default(Place::of(to));
        // The oldest goes: a burst must not leave its connections behind for ever.
        if idle.len() >= IDLE_CONNS_MAX {
            out.push(Output::Close { conn: idle.remove(0) });
        }
        idle.push(conn);
    }

    fn close_idle(&mut self, to: SocketAddr, out: &mut Vec<Output>) {
        let idle = self.idle.remove(&Place::of(to)).unwrap_or_default();
        out.extend(idle.into_iter().map(|conn| Output::Close { conn }));
    }

    /// Drops the attempts made for a request that nobody waits for.
    pub fn abandon(&mut self, request: RequestId, timers: &mut Timers, out: &mut Vec<Output>) {
        let mine = |attempt: &Attempt| matches!(attempt.purpose, Purpose::Call { id } if id == request);
        let gone: Vec<AttemptId> = self.open.iter().filter(|(_, a)| mine(a)).map(|(id, _)| id).collect();
        for id in gone {
            self.open.remove(&id);
            timers.cancel(TimerKind::Attempt(id));
            out.push(Output::Abandon { attempt: id });
        }
    }

    /// An idle connection was closed.
    pub fn forget(&mut self, conn: ConnId) {
        for idle in self.idle.values_mut() {
            idle.retain(|&kept| kept != conn);
        }
    }
}
