//! Owns who leads: when a member wants to, whom it asks, and for whom it votes. Refuses to know what is decided.
//!
//! A member asks first whether it would be voted for (pre-vote): one that was cut off and comes back must not raise the
//! term, and with it unseat a leader that all others hear.

use super::message::{Answer, Claim, Entry, MemberId, Message, Term};
use super::newcomer::Standing;
use super::replicate::Lead;
use super::saving::Held;
use super::{Consensus, Effect, FlightKind, Role};
use crate::machine::Nanos;
use std::collections::BTreeSet;

/// Votes that a candidate has.
#[derive(Debug)]
pub(super) struct Ballot {
    number: u64,
    /// True while it only asks whether it would be voted for.
    pre: bool,
    granted: BTreeSet<MemberId>,
}

impl Consensus {
    /// Draws anew how long it will wait without a leader.
    pub(super) fn reset_election(&mut self, now: Nanos) {
        let election = self.settings.election;
        let wait = election.saturating_add(self.rng.u64(0..election.max(1)));
        let votes = self.is_voter(self.settings.me);
        self.election_at = if votes { now.saturating_add(wait) } else { Nanos::MAX };
    }

    /// Nobody has led for long enough: asks whether it would be voted for.
    pub(super) fn stand_for_election(&mut self, now: Nanos, fx: &mut Vec<Effect>) {
        self.leader = None;
        self.reset_election(now);
        self.next_ballot += 1;
        let granted = BTreeSet::from([self.settings.me]);
        self.role = Role::Candidate(Ballot { number: self.next_ballot, pre: true, granted });
        for effect in self.ballot_papers(self.term + 1, Message::PreVote) {
            fx.push(effect);
        }
        self.count_votes(now, fx);
    }

    /// A question to every other voter, in the present ballot.
    fn ballot_papers(&mut self, term: Term, message: impl Fn(Claim) -> Message) -> Vec<Effect> {
        let claim = Claim { term, last: self.log.last(), last_term: self.log.last_term() };
        let (number, timeout) = (self.next_ballot, self.settings.election);
        let voters: Vec<MemberId> = self.others().filter(|member| self.is_voter(*member)).collect();
        let paper = |to| self.send(to, FlightKind::Ballot(number), message(claim), timeout);
        voters.into_iter().map(paper).collect()
    }

    /// Would it vote for this one?
    pub(super) fn consider(&mut self, now: Nanos, token: u64, claim: Claim, fx: &mut Vec<Effect>) {
        let led = self.leads() || now < self.led_until;
        let granted = self.may_vote() && !led && claim.term > self.term && self.is_as_complete(&claim);
        fx.push(Effect::Reply { token, answer: Answer::Vote { term: self.term, granted } });
    }

    /// Votes, once a term, for one whose log is at least as complete as the own.
    pub(super) fn vote(&mut self, now: Nanos, token: u64, from: MemberId, claim: Claim, fx: &mut Vec<Effect>) {
        if !self.may_vote() {
            return fx.push(Effect::Reply { token, answer: Answer::Vote { term: self.term, granted: false } });
        }
        if claim.term > self.term {
            self.step_down(now, claim.term, None, fx);
        }
        let free = self.voted.is_none_or(|voted| voted == from);
        let granted = claim.term == self.term && free && self.is_as_complete(&claim);
        if granted && self.voted.is_none() {
            self.voted = Some(from);
            self.save_term(fx);
            self.reset_election(now);
        }
        let reply = Effect::Reply { token, answer: Answer::Vote { term: self.term, granted } };
        self.saving.say_after(self.saving.term_number(), reply, fx);
    }

    fn may_vote(&self) -> bool {
        matches!(self.standing, Standing::Member) && self.is_voter(self.settings.me)
    }

    fn is_as_complete(&self, claim: &Claim) -> bool {
        (claim.last_term, claim.last) >= (self.log.last_term(), self.log.last())
    }

    pub(super) fn ballot_answered(
        &mut self,
        now: Nanos,
        from: MemberId,
        number: u64,
        answer: Option<Answer>,
        fx: &mut Vec<Effect>,
    ) {
        let Some(Answer::Vote { term, granted }) = answer else { return };
        if term > self.term {
            return self.step_down(now, term, None, fx);
        }
        if let Role::Candidate(ballot) = &mut self.role
            && ballot.number == number
            && granted
        {
            ballot.granted.insert(from);
            self.count_votes(now, fx);
        }
    }

    /// The own vote is on the disk.
    pub(super) fn own_vote_counts(&mut self, now: Nanos, number: u64, fx: &mut Vec<Effect>) {
        if let Role::Candidate(ballot) = &mut self.role
            && ballot.number == number
        {
            ballot.granted.insert(self.settings.me);
            self.count_votes(now, fx);
        }
    }

    fn count_votes(&mut self, now: Nanos, fx: &mut Vec<Effect>) {
        let majority = self.majority();
        let Role::Candidate(ballot) = &self.role else { return };
        if ballot.granted.len() < majority {
            return;
        }
        if ballot.pre { self.ask_for_votes(now, fx) } else { self.begin_to_lead(now, fx) }
    }

    /// It would be voted for: now it asks for the votes, in a term of its own.
    fn ask_for_votes(&mut self, now: Nanos, fx: &mut Vec<Effect>) {
        (self.term, self.voted) = (self.term + 1, Some(self.settings.me));
        let record = self.save_term(fx);
        self.reset_election(now);
        self.next_ballot += 1;
        let number = self.next_ballot;
        self.role = Role::Candidate(Ballot { number, pre: false, granted: BTreeSet::new() });
        for paper in self.ballot_papers(self.term, Message::Vote) {
            self.saving.say_after(record, paper, fx);
        }
        self.saving.hold(record, Held::Ballot(number));
    }

    fn begin_to_lead(&mut self, now: Nanos, fx: &mut Vec<Effect>) {
        let begins = self.log.last() + 1;
        self.role = Role::Leader(Box::new(Lead::new(now, self.settings.voters.len(), begins)));
        self.leader = Some(self.settings.me);
        // What earlier leaders left is decided together with the first entry of the own term, never by itself.
        let term = self.term;
        self.append(begins, Entry { term, put: None }, fx);
        self.heartbeat(now, fx);
        self.serve_waiting(now, fx);
    }
}
