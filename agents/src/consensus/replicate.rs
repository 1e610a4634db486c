//! Owns what is decided: how a leader's log becomes everybody's, and which of it a majority has on its disks. Refuses to
//! know who may lead.

use super::message::{Answer, Entry, Index, MemberId, Message, Put, Term};
use super::newcomer::Standing;
use super::read::Reading;
use super::{Asker, Consensus, Effect, FlightKind, Outcome, Role, Wish};
use crate::machine::Nanos;
use std::collections::BTreeMap;

/// Bytes of entries in one message, about: it travels as one line of a header.
const ENTRIES_BYTES_MAX: usize = 12 * 1024;
/// Whose next entry is so many before the last one lags behind: fewer are on their way to it.
const LAGS_FROM: u64 = 8;
/// Signs of life that may be under way to one member: a silent one is not asked ever more often.
const OPEN_MAX: u32 = 4;

/// What a leader knows.
#[derive(Debug)]
pub(super) struct Lead {
    pub(super) heartbeat_at: Nanos,
    /// The place of the first entry of its term.
    pub(super) begins: Index,
    /// The last round of signs of life.
    pub(super) round: u64,
    peers: Vec<Peer>,
    puts: BTreeMap<Index, (Asker, Put)>,
    pub(super) reads: Vec<Reading>,
}

/// What a leader knows of another member.
#[derive(Debug, Clone, Copy)]
struct Peer {
    /// What to send it next.
    next: Index,
    /// Its log is the leader's, on its disk, up to here.
    matched: Index,
    heard_at: Nanos,
    /// The last round of signs of life that it answered.
    round: u64,
    /// A message with entries is under way.
    busy: bool,
    /// Messages under way.
    open: u32,
    /// Lagging behind, it may be sent so many entries, counted up to `turns_until`.
    turns: usize,
    turns_until: Nanos,
}

impl Lead {
    pub(super) fn new(now: Nanos, members: usize, begins: Index) -> Self {
        let peer = Peer {
            next: begins,
            matched: 0,
            heard_at: now,
            round: 0,
            busy: false,
            open: 0,
            turns: 1,
            turns_until: now,
        };
        let (puts, reads) = (BTreeMap::new(), Vec::new());
        Self { heartbeat_at: now, begins, round: 0, peers: vec![peer; members], puts, reads }
    }

    pub(super) fn forget(&mut self, asker: Asker) {
        self.puts.retain(|_, (waits, _)| *waits != asker);
        self.reads.retain(|reading| reading.asker != asker);
    }

    /// The last round of signs of life that a majority of voters answered.
    pub(super) fn confirmed(&self, me: MemberId, voters: &[bool], majority: usize) -> u64 {
        let of = |(member, peer): (MemberId, &Peer)| if member == me { self.round } else { peer.round };
        nth_of_voters((0..).zip(&self.peers).map(of), voters, majority)
    }
}

impl Peer {
    /// What time has brought it, at so much for each entry; never more than `most` at once.
    fn gain(&mut self, now: Nanos, each: Nanos, most: Nanos) {
        let gained = now.saturating_sub(self.turns_until) / each;
        self.turns_until = self.turns_until.saturating_add(gained.saturating_mul(each));
        self.turns = usize::try_from((self.turns as u64).saturating_add(gained).min(most)).unwrap_or(usize::MAX);
    }
}

/// The value that so many voters reach.
fn nth_of_voters(values: impl Iterator<Item = u64>, voters: &[bool], majority: usize) -> u64 {
    let mut reached: Vec<u64> = values.zip(voters).filter(|(_, votes)| **votes).map(|(value, _)| value).collect();
    reached.sort_unstable_by(|a, b| b.cmp(a));
    reached.get(majority - 1).copied().unwrap_or_default()
}

impl Consensus {
    /// The time for a sign of life has come. A leader that a majority does not answer leads no more: whoever waits for it
    /// must not wait in vain.
    pub(super) fn heartbeat(&mut self, now: Nanos, fx: &mut Vec<Effect>) {
        let (me, election) = (self.settings.me, self.settings.election);
        let majority = self.majority();
        let Role::Leader(lead) = &mut self.role else { return };
        lead.heartbeat_at = now.saturating_add(self.settings.heartbeat);
        if let Some(copying) = self.settings.copying {
            let most = self.settings.heartbeat / copying + 1;
            lead.peers.iter_mut().for_each(|peer| peer.gain(now, copying, most));
        }
        let lives = |(member, peer): (MemberId, &Peer)| {
            u64::from(member == me || now <= peer.heard_at.saturating_add(election.saturating_mul(2)))
        };
        if nth_of_voters((0..).zip(&lead.peers).map(lives), &self.settings.voters, majority) == 0 {
            return self.step_down(now, self.term, None, fx);
        }
        self.begin_round(fx);
    }

    /// A sign of life to everybody, with what follows in the log.
    pub(super) fn begin_round(&mut self, fx: &mut Vec<Effect>) {
        if let Role::Leader(lead) = &mut self.role {
            lead.round += 1;
        }
        for to in self.others() {
            self.send_append(to, true, fx);
        }
    }

    /// Sends what follows in the log, where no such message is under way; else, if wanted, a sign of life.
    fn send_append(&mut self, to: MemberId, sign_of_life: bool, fx: &mut Vec<Effect>) {
        let last = self.log.last();
        let Role::Leader(lead) = &mut self.role else { return };
        let round = lead.round;
        let Some(peer) = lead.peers.get_mut(to as usize) else { return };
        let lags = self.settings.copying.is_some() && last.saturating_sub(peer.next) >= LAGS_FROM;
        let heavy = !peer.busy && peer.next <= last && (!lags || peer.turns > 0);
        if !heavy && (!sign_of_life || peer.open >= OPEN_MAX) {
            return;
        }
        peer.busy |= heavy;
        peer.open += 1;
        let prev = peer.next.saturating_sub(1).min(last);
        let mut entries = if heavy { self.log.from(prev + 1, ENTRIES_BYTES_MAX) } else { Vec::new() };
        if lags {
            entries.truncate(peer.turns);
            peer.turns -= entries.len();
        }
        let prev_term = self.log.term_at(prev).unwrap_or_default();
        let sent = entries.len();
        let message = Message::Append { term: self.term, prev, prev_term, entries, commit: self.commit, last };
        let kind = FlightKind::Append { term: self.term, round, entries: sent };
        let effect = self.send(to, kind, message, self.settings.election.saturating_mul(2));
        fx.push(effect);
    }

    /// A leader says what follows in its log.
    pub(super) fn follow(&mut self, now: Nanos, token: u64, from: MemberId, message: Message, fx: &mut Vec<Effect>) {
        let Message::Append { term, prev, prev_term, entries, commit, last } = message else { return };
        if matches!(self.standing, Standing::Newcomer(_)) {
            return fx.push(Effect::Reply { token, answer: Answer::NotLeader });
        }
        if term < self.term || (term == self.term && self.leads()) {
            let answer = Answer::Append { term: self.term, agrees: false, at: self.log.last() + 1 };
            return fx.push(Effect::Reply { token, answer });
        }
        self.step_down(now, term, Some(from), fx);
        self.led_until = now.saturating_add(self.settings.election);
        self.reset_election(now);
        if self.log.term_at(prev) != Some(prev_term) {
            let end = self.log.last();
            let at = if prev > end { end + 1 } else { self.log.first_of_term_at(prev) };
            let reply = Effect::Reply { token, answer: Answer::Append { term, agrees: false, at } };
            return self.saving.say_after(self.saving.term_number(), reply, fx);
        }
        let (light, agreed) = (entries.is_empty(), prev + entries.len() as Index);
        self.take_in(prev, entries, fx);
        self.decide_up_to(commit.min(agreed));
        // A sign of life says what is on the disk already and is said at once, or a slow disk would look like a dead member.
        let (record, at) =
            if light { (self.saving.term_number(), agreed.min(self.durable)) } else { (self.saving.last(), agreed) };
        let reply = Effect::Reply { token, answer: Answer::Append { term, agrees: true, at } };
        self.saving.say_after(record, reply, fx);
        self.learnt(last, agreed, fx);
        self.serve_waiting(now, fx);
    }

    fn take_in(&mut self, prev: Index, entries: Vec<Entry>, fx: &mut Vec<Effect>) {
        for (index, entry) in (prev + 1..).zip(entries) {
            if self.log.term_at(index) == Some(entry.term) {
                continue;
            }
            assert!(index > self.commit, "a leader would undo what was decided");
            self.append(index, entry, fx);
        }
    }

    /// A member answered what the leader said.
    pub(super) fn followed(
        &mut self,
        now: Nanos,
        from: MemberId,
        (term, round, entries): (Term, u64, usize),
        answer: Option<Answer>,
        fx: &mut Vec<Effect>,
    ) {
        if let Some(Answer::Append { term, .. }) = answer
            && term > self.term
        {
            return self.step_down(now, term, None, fx);
        }
        let last = self.log.last();
        let Role::Leader(lead) = &mut self.role else { return };
        let Some(peer) = lead.peers.get_mut(from as usize).filter(|_| term == self.term) else { return };
        peer.open = peer.open.saturating_sub(1);
        peer.busy &= entries == 0;
        let Some(Answer::Append { agrees, at, .. }) = answer else { return };
        (peer.heard_at, peer.round) = (now, peer.round.max(round));
        // The newest goes to everybody with its request; what somebody had missed was read for it alone.
        if entries > 1 {
            fx.push(Effect::Copied(entries as u64 - 1));
        }
        if agrees {
            peer.matched = peer.matched.max(at.min(last));
            peer.next = peer.next.max(peer.matched + 1);
        } else {
            // It may have lost its disk: what it had said of it is void.
            peer.matched = peer.matched.min(at.saturating_sub(1));
            peer.next = at.clamp(1, last + 1);
        }
        self.decide(fx);
        self.read_confirmed(fx);
        self.send_append(from, false, fx);
    }

    /// A leader decides what a majority of voters has on its disks, if the last of it is of its own term.
    pub(super) fn decide(&mut self, fx: &mut Vec<Effect>) {
        let (me, durable, majority) = (self.settings.me, self.durable, self.majority());
        let Role::Leader(lead) = &self.role else { return };
        let of = |(member, peer): (MemberId, &Peer)| if member == me { durable } else { peer.matched };
        let reached = nth_of_voters((0..).zip(&lead.peers).map(of), &self.settings.voters, majority);
        if reached <= self.commit || self.log.term_at(reached) != Some(self.term) {
            return;
        }
        self.decide_up_to(reached);
        let Role::Leader(lead) = &mut self.role else { return };
        let later = lead.puts.split_off(&(reached + 1));
        let decided = std::mem::replace(&mut lead.puts, later);
        let has = |index: Index| -> Vec<MemberId> {
            let matched = (0..).zip(&lead.peers).map(of);
            (0..).zip(matched).filter(|(_, matched)| *matched >= index).map(|(member, _)| member).collect()
        };
        for (index, (asker, _)) in decided {
            Self::end_wish(asker, Outcome::Stored(has(index)), fx);
        }
        self.read_confirmed(fx);
    }

    fn decide_up_to(&mut self, reached: Index) {
        while self.commit < reached {
            self.commit += 1;
            self.apply(self.commit);
        }
    }

    /// A leader puts a change into its log, and sends it to whoever is not busy.
    pub(super) fn put(&mut self, asker: Asker, put: Put, fx: &mut Vec<Effect>) {
        let index = self.log.last() + 1;
        let entry = Entry { term: self.term, put: Some(put.clone()) };
        let Role::Leader(lead) = &mut self.role else { return };
        if self.settings.early {
            Self::end_wish(asker, Outcome::Stored(vec![self.settings.me]), fx);
        } else {
            lead.puts.insert(index, (asker, put));
        }
        self.append(index, entry, fx);
        for to in self.others() {
            self.send_append(to, false, fx);
        }
    }

    /// It leads no more: own wishes wait for the next leader, others are sent there.
    pub(super) fn resign(&mut self, lead: Lead, fx: &mut Vec<Effect>) {
        let puts = lead.puts.into_values().map(|(asker, put)| (asker, Wish::Put(put)));
        let reads = lead.reads.into_iter().map(|reading| (reading.asker, Wish::Read(reading.key)));
        for (asker, wish) in puts.chain(reads) {
            match asker {
                Asker::Own(_) => self.waiting.push((asker, wish)),
                Asker::Member(token) => fx.push(Effect::Reply { token, answer: Answer::NotLeader }),
            }
        }
    }
}
