//! Owns one member of a replicated store: the rules by which members agree on one log (Raft), without clock, socket or
//! disk: `(now, what happened) -> effects`. Refuses to know zones, requests of customers, and how messages travel.
//!
//! - [`message`]: what members say to each other; [`log`]: the log, and how it lies in the state file
//! - [`election`]: who leads; `replicate`: what is decided; `read`: what is true now; `newcomer`: who may vote at all
//! - [`saving`]: what has to be on the disk before it may be said
//!
//! Raft as in Ongaro's dissertation (2014), with its pre-vote (§9.6), its read index (§6.4) and its check of the quorum
//! (§6.2). Two rules are stricter: what a member promises is said only after it is on its disk, and a member that finds
//! its disk empty does not vote before it has learnt what it may have forgotten (`newcomer`).
//! Left out: changes of membership, snapshots.

mod election;
pub mod log;
pub mod message;
mod newcomer;
mod read;
mod replicate;
pub mod saving;

use crate::machine::Nanos;
use election::Ballot;
use log::Log;
use message::{Answer, Entry, Index, Letter, MemberId, Message, Put, Term};
use newcomer::Standing;
use replicate::Lead;
use saving::{Held, Saving};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Changes whose ids are remembered, so that one that arrives twice is made once.
const SEEN_MAX: usize = 4096;

/// How a group of members is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Which of the members this one is.
    pub me: MemberId,
    /// Of each member: whether it votes. The others follow.
    pub voters: Vec<bool>,
    /// Pause between two signs of life of a leader, in nanoseconds.
    pub heartbeat: Nanos,
    /// The shortest time without a leader after which a member wants to lead; each time up to twice as long, drawn.
    pub election: Nanos,
    /// Whether a leader says "stored" before anybody else has it: the defect that A1 and A3 look for.
    pub early: bool,
    /// From one entry sent to a member that lags behind to the next, on average; `None`: all that fit, one message after the
    /// other.
    pub copying: Option<Nanos>,
}

/// Who waits for something to be decided or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asker {
    /// Somebody here, by a number of its own.
    Own(u64),
    /// Another member, by the number of its question.
    Member(u64),
}

/// What is asked of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// To store this.
    Put(Put),
    /// To read this as of now; without a key only whether it can be read.
    Read(Option<String>),
}

/// How a wish ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Decided, and stored by these.
    Stored(Vec<MemberId>),
    /// The value.
    Value(Option<String>),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Ask a member; the answer comes back by [`Consensus::answered`].
    Send {
        /// Whom.
        to: MemberId,
        /// Comes back.
        flight: u64,
        /// What.
        message: Message,
        /// How long it may take.
        timeout: Nanos,
    },
    /// Answer a member's question.
    Reply {
        /// The number of the question.
        token: u64,
        /// What.
        answer: Answer,
    },
    /// Append to the state file and sync; [`Consensus::saved`] follows, in the order of the numbers.
    Save {
        /// Comes back.
        record: u64,
        /// Key of the entry in the file.
        key: &'static str,
        /// Its value.
        value: String,
    },
    /// So many entries were read again for a member that had missed them, and are with it.
    Copied(u64),
    /// Tell somebody here how its wish ended.
    Done {
        /// Its number.
        asker: u64,
        /// How.
        outcome: Outcome,
    },
}

/// A question to another member that was not answered yet.
#[derive(Debug)]
struct Flight {
    to: MemberId,
    kind: FlightKind,
}

#[derive(Debug)]
enum FlightKind {
    Hello,
    /// In the ballot with this number.
    Ballot(u64),
    /// In this term, in this round of signs of life, with so many entries.
    Append {
        term: Term,
        round: u64,
        entries: usize,
    },
    /// A wish, handed on to the leader.
    Wish(Asker, Wish),
}

/// One member.
#[derive(Debug)]
pub struct Consensus {
    settings: Settings,
    rng: fastrand::Rng,
    standing: Standing,
    role: Role,
    term: Term,
    voted: Option<MemberId>,
    log: Log,
    /// Everything up to here is decided, and in `store`.
    commit: Index,
    /// Everything up to here is on this member's disk.
    durable: Index,
    store: BTreeMap<String, String>,
    seen: BTreeSet<u64>,
    seen_order: VecDeque<u64>,
    leader: Option<MemberId>,
    /// Until when the leader counts as alive.
    led_until: Nanos,
    election_at: Nanos,
    saving: Saving,
    flights: BTreeMap<u64, Flight>,
    next_flight: u64,
    next_ballot: u64,
    /// Wishes that wait for a leader.
    waiting: Vec<(Asker, Wish)>,
}

#[derive(Debug)]
enum Role {
    Follower,
    /// Asks for votes, or whether it would get them.
    Candidate(Ballot),
    Leader(Box<Lead>),
}

impl Consensus {
    /// A member that has not started yet.
    pub fn new(settings: Settings, seed: u64) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed),
            standing: Standing::new(settings.voters.len()),
            settings,
            role: Role::Follower,
            term: 0,
            voted: None,
            log: Log::default(),
            commit: 0,
            durable: 0,
            store: BTreeMap::new(),
            seen: BTreeSet::new(),
            seen_order: VecDeque::new(),
            leader: None,
            led_until: 0,
            election_at: Nanos::MAX,
            saving: Saving::default(),
            flights: BTreeMap::new(),
            next_flight: 0,
            next_ballot: 0,
            waiting: Vec::new(),
        }
    }

    /// Begins with what its state file held.
    pub fn start(&mut self, now: Nanos, records: &[(String, String)], fx: &mut Vec<Effect>) {
        let known = log::remember(records);
        (self.log, self.term, self.voted) = (known.log, known.term, known.voted);
        self.durable = self.log.last();
        // Who never votes can break no promise.
        if known.member || !self.is_voter(self.settings.me) {
            self.standing = Standing::Member;
            self.reset_election(now);
        } else {
            self.say_hello(now, fx);
        }
    }

    /// When it wants [`Self::wake`], if at all.
    pub fn next_wake(&self) -> Option<Nanos> {
        let role = match (&self.standing, &self.role) {
            (Standing::Newcomer(newcomer), _) => newcomer.again_at,
            (Standing::Learning { .. }, _) => Nanos::MAX,
            (Standing::Member, Role::Leader(lead)) => lead.heartbeat_at,
            (Standing::Member, _) => self.election_at,
        };
        let next = role.min(self.saving.retry_at());
        (next < Nanos::MAX).then_some(next)
    }

    /// The time has come.
    pub fn wake(&mut self, now: Nanos, fx: &mut Vec<Effect>) {
        self.saving.wake(now, fx);
        match (&self.standing, &self.role) {
            (Standing::Newcomer(newcomer), _) if newcomer.again_at <= now => self.say_hello(now, fx),
            (Standing::Member, Role::Leader(lead)) if lead.heartbeat_at <= now => self.heartbeat(now, fx),
            (Standing::Member, Role::Follower | Role::Candidate(_)) if self.election_at <= now => {
                self.stand_for_election(now, fx);
            }
            _ => {}
        }
    }

    /// Another member asks; each question has a number of its own.
    pub fn asked(&mut self, now: Nanos, token: u64, letter: Letter, fx: &mut Vec<Effect>) {
        let Letter { from, message } = letter;
        if from as usize >= self.settings.voters.len() || from == self.settings.me {
            return fx.push(Effect::Reply { token, answer: Answer::NotLeader });
        }
        match message {
            Message::Hello => self.greet(token, fx),
            Message::PreVote(claim) => self.consider(now, token, claim, fx),
            Message::Vote(claim) => self.vote(now, token, from, claim, fx),
            Message::Append { .. } => self.follow(now, token, from, message, fx),
            Message::Put(put) => self.serve(now, Asker::Member(token), Wish::Put(put), fx),
            Message::Read { key } => self.serve(now, Asker::Member(token), Wish::Read(key), fx),
        }
    }

    /// A question of this member was answered, or (without an answer) will never be.
    pub fn answered(&mut self, now: Nanos, flight: u64, answer: Option<Answer>, fx: &mut Vec<Effect>) {
        let Some(Flight { to, kind }) = self.flights.remove(&flight) else { return };
        match kind {
            FlightKind::Hello => self.greeted(now, to, answer, fx),
            FlightKind::Ballot(ballot) => self.ballot_answered(now, to, ballot, answer, fx),
            FlightKind::Append { term, round, entries } => self.followed(now, to, (term, round, entries), answer, fx),
            FlightKind::Wish(asker, wish) => self.wish_answered(now, to, (asker, wish), answer, fx),
        }
    }

    /// Somebody here wants something of the group; [`Effect::Done`] follows, unless it is forgotten before.
    pub fn wish(&mut self, now: Nanos, asker: u64, wish: Wish, fx: &mut Vec<Effect>) {
        self.serve(now, Asker::Own(asker), wish, fx);
    }

    /// What this member itself knows of a key, which others may have overwritten.
    pub fn known(&self, key: &str) -> Option<&String> {
        self.store.get(key)
    }

    /// Nobody waits for this any more.
    pub fn forget(&mut self, asker: Asker) {
        self.waiting.retain(|(waits, _)| *waits != asker);
        self.flights.retain(|_, flight| !matches!(flight.kind, FlightKind::Wish(waits, _) if waits == asker));
        if let Role::Leader(lead) = &mut self.role {
            lead.forget(asker);
        }
    }

    /// A record is on the disk, or could not be put there.
    pub fn saved(&mut self, now: Nanos, record: u64, ok: bool, fx: &mut Vec<Effect>) {
        for held in self.saving.saved(now, record, ok) {
            match held {
                Held::Effect(effect) => fx.push(effect),
                Held::Ballot(ballot) => self.own_vote_counts(now, ballot, fx),
                Held::Entries { term, last } => {
                    // Cut off meanwhile, by another leader: then it was said for nothing.
                    if self.log.term_at(last) == Some(term) {
                        self.durable = self.durable.max(last);
                        self.decide(fx);
                    }
                }
                Held::Membership => self.became_member(now),
            }
        }
    }

    /// Who leads, as far as this member knows.
    pub fn leader(&self) -> Option<MemberId> {
        self.leader
    }

    /// Whether it leads itself.
    pub fn leads(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    /// Its term.
    pub fn term(&self) -> Term {
        self.term
    }

    /// What is decided, from place 1; for tests.
    pub fn decided(&self) -> Vec<&Entry> {
        (1..=self.commit).filter_map(|index| self.log.get(index)).collect()
    }

    fn is_voter(&self, member: MemberId) -> bool {
        self.settings.voters.get(member as usize).copied().unwrap_or_default()
    }

    /// All members but this one.
    fn others(&self) -> impl Iterator<Item = MemberId> + use<> {
        let me = self.settings.me;
        (0..).take(self.settings.voters.len()).filter(move |member| *member != me)
    }

    /// How many voters are more than half of them.
    fn majority(&self) -> usize {
        self.settings.voters.iter().filter(|votes| **votes).count() / 2 + 1
    }

    fn send(&mut self, to: MemberId, kind: FlightKind, message: Message, timeout: Nanos) -> Effect {
        self.next_flight += 1;
        let flight = self.next_flight;
        self.flights.insert(flight, Flight { to, kind });
        Effect::Send { to, flight, message, timeout }
    }

    /// Takes part in a higher term, or stops leading in the present one.
    fn step_down(&mut self, now: Nanos, term: Term, leader: Option<MemberId>, fx: &mut Vec<Effect>) {
        if term > self.term {
            (self.term, self.voted) = (term, None);
            self.save_term(fx);
        }
        self.leader = leader;
        let led = match std::mem::replace(&mut self.role, Role::Follower) {
            Role::Leader(lead) => Some(lead),
            Role::Follower | Role::Candidate(_) => None,
        };
        if let Some(lead) = led {
            self.reset_election(now);
            self.resign(*lead, fx);
        }
    }

    fn save_term(&mut self, fx: &mut Vec<Effect>) -> u64 {
        self.saving.term(log::term_record(self.term, self.voted), fx)
    }

    /// Puts an entry at the end of the own log and on the disk.
    fn append(&mut self, index: Index, entry: Entry, fx: &mut Vec<Effect>) {
        let record = log::entry_record(index, &entry);
        let term = entry.term;
        self.durable = self.durable.min(index - 1);
        self.log.put(index, entry);
        let record = self.saving.save(log::RECORD_ENTRY, record, fx);
        self.saving.hold(record, Held::Entries { term, last: index });
    }

    /// Makes the change of a decided entry.
    fn apply(&mut self, index: Index) {
        let Some(Put { id, key, value }) = self.log.get(index).and_then(|entry| entry.put.clone()) else { return };
        if !self.seen.insert(id) {
            return;
        }
        self.seen_order.push_back(id);
        if self.seen_order.len() > SEEN_MAX
            && let Some(oldest) = self.seen_order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        self.store.insert(key, value);
    }

    /// Ends a wish for whoever had it.
    fn end_wish(asker: Asker, outcome: Outcome, fx: &mut Vec<Effect>) {
        fx.push(match asker {
            Asker::Own(asker) => Effect::Done { asker, outcome },
            Asker::Member(token) => {
                let answer = match outcome {
                    Outcome::Stored(at) => Answer::Stored(at),
                    Outcome::Value(value) => Answer::Value(value),
                };
                Effect::Reply { token, answer }
            }
        });
    }
}
