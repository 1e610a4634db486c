//! Owns who may vote at all: a member that finds its disk empty may have promised something that it does not remember.
//! Refuses to know elections.
//!
//! ```text
//!  empty disk -> newcomer --all others are fresh: a new store begins--------------------------> member
//!                   '------a majority, without it, remembers--> learning --has the whole log--> member
//! ```
//!
//! A newcomer asks all voters what they know. A majority without it has met everybody who ever elected a leader or
//! decided an entry with its help, so the highest term among them is at least as high as any in which it promised
//! something: it enters that term, follows its leader (or a later one), and votes again once it has that leader's log.
//! Where more disks are lost than a minority, nobody can know what was decided, and there is no store until somebody
//! brings a disk back.

use super::log::RECORD_MEMBER;
use super::message::{Answer, Index, MemberId, Message, Term};
use super::saving::Held;
use super::{Consensus, Effect, FlightKind};
use crate::machine::Nanos;

/// Where a member stands.
#[derive(Debug)]
pub(super) enum Standing {
    /// It remembers nothing and does not know whether there was something.
    Newcomer(Newcomer),
    /// It follows a leader until it has all that the leader of this term had when it was heard first.
    Learning { until: Option<(Term, Index)> },
    /// It remembers everything that it promised.
    Member,
}

/// What a newcomer has been told.
#[derive(Debug)]
pub(super) struct Newcomer {
    /// When it asks again.
    pub(super) again_at: Nanos,
    /// Of each member: the last answer, as fresh, member and term.
    told: Vec<Option<(bool, bool, Term)>>,
}

impl Standing {
    pub(super) fn new(members: usize) -> Self {
        Self::Newcomer(Newcomer { again_at: Nanos::MAX, told: vec![None; members] })
    }
}

impl Consensus {
    /// Asks all voters what they know.
    pub(super) fn say_hello(&mut self, now: Nanos, fx: &mut Vec<Effect>) {
        let pause = self.settings.election / 2;
        let jitter = self.rng.u64(0..=pause / 4);
        if let Standing::Newcomer(newcomer) = &mut self.standing {
            newcomer.again_at = now.saturating_add(pause + jitter);
        }
        let voters: Vec<MemberId> = self.others().filter(|member| self.is_voter(*member)).collect();
        for to in voters {
            let hello = self.send(to, FlightKind::Hello, Message::Hello, self.settings.election);
            fx.push(hello);
        }
        self.settle(now, fx);
    }

    /// Says what it knows itself.
    pub(super) fn greet(&mut self, token: u64, fx: &mut Vec<Effect>) {
        let fresh = self.term == 0 && self.log.last() == 0;
        let member = matches!(self.standing, Standing::Member);
        let reply = Effect::Reply { token, answer: Answer::Hello { fresh, member, term: self.term } };
        self.saving.say_after(self.saving.term_number(), reply, fx);
    }

    pub(super) fn greeted(&mut self, now: Nanos, from: MemberId, answer: Option<Answer>, fx: &mut Vec<Effect>) {
        let Standing::Newcomer(newcomer) = &mut self.standing else { return };
        let Some(Answer::Hello { fresh, member, term }) = answer else { return };
        if let Some(told) = newcomer.told.get_mut(from as usize) {
            *told = Some((fresh, member, term));
        }
        self.settle(now, fx);
    }

    /// Draws its conclusion from what it was told.
    fn settle(&mut self, now: Nanos, fx: &mut Vec<Effect>) {
        let majority = self.majority();
        let Standing::Newcomer(newcomer) = &self.standing else { return };
        let voters: Vec<MemberId> = self.others().filter(|member| self.is_voter(*member)).collect();
        let told: Vec<(bool, bool, Term)> =
            voters.iter().filter_map(|&member| newcomer.told[member as usize]).collect();
        let nothing_known = self.term == 0 && self.log.last() == 0;
        if nothing_known && told.len() == voters.len() && told.iter().all(|(fresh, ..)| *fresh) {
            return self.save_membership(fx);
        }
        let members = told.iter().filter(|(_, member, _)| *member);
        if members.clone().count() >= majority {
            let term = members.map(|(.., term)| *term).max().unwrap_or_default();
            self.standing = Standing::Learning { until: None };
            self.step_down(now, term, None, fx);
        }
    }

    /// A learner has heard the leader, whose log ends at `last`, and agrees with it up to `agreed`.
    pub(super) fn learnt(&mut self, last: Index, agreed: Index, fx: &mut Vec<Effect>) {
        let term = self.term;
        let Standing::Learning { until } = &mut self.standing else { return };
        if until.is_none_or(|(heard, _)| heard != term) {
            *until = Some((term, last));
        }
        let enough = until.is_some_and(|(_, until)| agreed >= until);
        if enough && !self.saving.is_held(|held| matches!(held, Held::Membership)) {
            self.save_membership(fx);
        }
    }

    fn save_membership(&mut self, fx: &mut Vec<Effect>) {
        if let Standing::Newcomer(_) = self.standing {
            // It has its answer, and asks no more while the record is on its way.
            self.standing = Standing::Learning { until: None };
        }
        let record = self.saving.save(RECORD_MEMBER, "1".to_owned(), fx);
        self.saving.hold(record, Held::Membership);
    }

    /// From here on it remembers.
    pub(super) fn became_member(&mut self, now: Nanos) {
        self.standing = Standing::Member;
        self.reset_election(now);
    }
}
