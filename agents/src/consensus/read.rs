//! Owns wishes: who decides them, and how a leader makes sure that what it reads is true now. Refuses to know how
//! changes are decided.
//!
//! A leader cannot know by itself that it still leads: before it reads it asks everybody, and a majority that has
//! answered since has not followed anybody else meanwhile (read index). There is no lease: no clock is trusted.

use super::message::{Answer, Index, MemberId, Message};
use super::{Asker, Consensus, Effect, FlightKind, Outcome, Role, Wish};
use crate::machine::Nanos;

/// A read that waits for its confirmation.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) asker: Asker,
    pub(super) key: Option<String>,
    /// Everything up to here must be decided first.
    index: Index,
    /// A majority must have answered this round of signs of life.
    round: u64,
}

impl Consensus {
    /// Does what is wished, hands it on to the leader, or lets it wait for one.
    pub(super) fn serve(&mut self, now: Nanos, asker: Asker, wish: Wish, fx: &mut Vec<Effect>) {
        match (&self.role, self.leader, asker) {
            (Role::Leader(_), ..) => match wish {
                Wish::Put(put) => self.put(asker, put, fx),
                Wish::Read(key) => self.read(asker, key, fx),
            },
            (_, _, Asker::Member(token)) => fx.push(Effect::Reply { token, answer: Answer::NotLeader }),
            (_, Some(leader), _) if now < self.led_until => {
                let message = match &wish {
                    Wish::Put(put) => Message::Put(put.clone()),
                    Wish::Read(key) => Message::Read { key: key.clone() },
                };
                let timeout = self.settings.election.saturating_mul(2);
                let effect = self.send(leader, FlightKind::Wish(asker, wish), message, timeout);
                fx.push(effect);
            }
            _ => self.waiting.push((asker, wish)),
        }
    }

    /// There is a leader: what waited for one goes on.
    pub(super) fn serve_waiting(&mut self, now: Nanos, fx: &mut Vec<Effect>) {
        for (asker, wish) in std::mem::take(&mut self.waiting) {
            self.serve(now, asker, wish, fx);
        }
    }

    /// The leader answered, or did not: then the wish waits for the next sign of a leader, unless this member has become one
    /// meanwhile. A change that was decided already is recognised by its id.
    pub(super) fn wish_answered(
        &mut self,
        now: Nanos,
        to: MemberId,
        (asker, wish): (Asker, Wish),
        answer: Option<Answer>,
        fx: &mut Vec<Effect>,
    ) {
        match answer {
            Some(Answer::Stored(at)) => Self::end_wish(asker, Outcome::Stored(at), fx),
            Some(Answer::Value(value)) => Self::end_wish(asker, Outcome::Value(value), fx),
            _ => {
                if self.leader == Some(to) {
                    self.leader = None;
                }
                self.waiting.push((asker, wish));
                if self.leads() {
                    self.serve_waiting(now, fx);
                }
            }
        }
    }

    /// A leader wants to read: at once, where it is the only voter; else after the next round of signs of life.
    fn read(&mut self, asker: Asker, key: Option<String>, fx: &mut Vec<Effect>) {
        let majority = self.majority();
        let commit = self.commit;
        let Role::Leader(lead) = &mut self.role else { return };
        // What earlier terms decided is known only when something of the own term is decided.
        let index = commit.max(lead.begins);
        lead.reads.push(Reading { asker, key, index, round: lead.round + 1 });
        // While a round is under way, those that come meanwhile wait for one more, together.
        if majority == 1 || lead.confirmed(self.settings.me, &self.settings.voters, majority) == lead.round {
            self.begin_round(fx);
            self.read_confirmed(fx);
        }
    }

    /// Answers the reads that are confirmed, and begins a round for those that came meanwhile.
    pub(super) fn read_confirmed(&mut self, fx: &mut Vec<Effect>) {
        let (me, commit, majority) = (self.settings.me, self.commit, self.majority());
        let Role::Leader(lead) = &mut self.role else { return };
        let confirmed = lead.confirmed(me, &self.settings.voters, majority);
        let (ready, later): (Vec<_>, Vec<_>) = std::mem::take(&mut lead.reads)
            .into_iter()
            .partition(|reading| reading.round <= confirmed && reading.index <= commit);
        let next = lead.round + 1;
        let wanted = confirmed == lead.round && later.iter().any(|reading| reading.round == next);
        lead.reads = later;
        for Reading { asker, key, .. } in ready {
            let value = key.and_then(|key| self.store.get(&key).cloned());
            Self::end_wish(asker, Outcome::Value(value), fx);
        }
        if wanted {
            self.begin_round(fx);
        }
    }
}
