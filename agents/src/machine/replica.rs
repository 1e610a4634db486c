//! Owns what makes an instance a member of a replicated store: requests become wishes of the group, what members say to
//! each other travels as attempts, what they must remember goes to the state file. Refuses to know the rules of
//! agreement; those are [`crate::consensus`]'s.

use super::exchange::{Ended, Purpose, Sending};
use super::job::Waits;
use super::role::Errand;
use super::timer::TimerKind;
use super::{Machine, Nanos, Output, RequestId};
use crate::config::InstanceConfig;
use crate::consensus::message::{Letter, MemberId, Put};
use crate::consensus::{Asker, Consensus, Effect, Outcome, Settings, Wish};
use crate::few::Few;
use crate::wire::{Ask, Failure, Reply};
use fixtures::graph::Acknowledge;
use fixtures::graph::store::Reads;
use fixtures::name::InstanceName;

/// Marks the numbers of the group's records among those of requests.
const RECORD: u64 = 1 << 63;

/// A member of a replicated store.
#[derive(Debug)]
pub(super) struct Replica {
    consensus: Consensus,
    me: MemberId,
    reads: Reads,
    puts: u64,
    /// What the state file held, until the instance serves.
    records: Vec<(String, String)>,
    effects: Vec<Effect>,
}

impl Replica {
    /// The member that an instance is; `None` where its state is of another kind.
    pub(super) fn of(config: &InstanceConfig, name: &InstanceName, seed: u64) -> Option<Box<Self>> {
        let replication = config.store.replication.as_ref()?;
        let me = replication.place(name)?;
        let settings = Settings {
            me,
            voters: replication.voters.clone(),
            heartbeat: replication.heartbeat_ns,
            election: replication.election_ns,
            early: config.acknowledge == Acknowledge::BeforeSync,
            copying: replication.copy_ns,
        };
        let consensus = Consensus::new(settings, seed);
        let reads = replication.reads;
        Some(Box::new(Self { consensus, me, reads, puts: 0, records: Vec::new(), effects: Vec::new() }))
    }

    pub(super) fn keep(&mut self, records: Vec<(String, String)>) {
        self.records = records;
    }

    /// A number that no other change has: of any member, in any of its lives.
    fn number(&mut self, now: Nanos) -> u64 {
        self.puts += 1;
        (now / 1_000) << 16 | u64::from(self.me & 0xFF) << 8 | (self.puts & 0xFF)
    }
}

impl Machine {
    /// Lets the member do something, and performs what comes of it.
    fn with_replica(&mut self, now: Nanos, out: &mut Vec<Output>, step: impl FnOnce(&mut Consensus, &mut Vec<Effect>)) {
        let Some(replica) = &mut self.replica else { return };
        let mut effects = std::mem::take(&mut replica.effects);
        step(&mut replica.consensus, &mut effects);
        for effect in effects.drain(..) {
            self.perform(now, effect, out);
        }
        let Some(replica) = &mut self.replica else { return };
        replica.effects = effects;
        match replica.consensus.next_wake() {
            Some(at) => self.timers.set(at, TimerKind::Member),
            None => self.timers.cancel(TimerKind::Member),
        }
    }

    fn perform(&mut self, now: Nanos, effect: Effect, out: &mut Vec<Output>) {
        let Some(replica) = &self.replica else { return };
        match effect {
            Effect::Send { to, flight, message, timeout } => {
                let Some(replication) = &self.role.config.store.replication else { return };
                let Some(member) = replication.members.get(to as usize) else { return };
                let ask = Ask::Member(Box::new(Letter { from: replica.me, message }));
                let purpose = Purpose::Member { flight };
                let (target, to, secure) = (to as usize, member.address, member.secure.clone());
                let sending = Sending { purpose, target, to, secure, ask, timeout };
                self.exchange.send(now, sending, &mut self.timers, out);
            }
            Effect::Reply { token, answer } => {
                let reply = Reply { member: Some(Box::new(answer)), ..Reply::by(&self.by) };
                out.push(Output::Respond { id: RequestId(token), reply });
            }
            Effect::Save { record, key, value } => {
                out.push(Output::Append { id: RequestId(RECORD | record), key: key.to_owned(), value, sync: true });
            }
            Effect::Copied(entries) => {
                let cost = entries.saturating_mul(self.role.config.interval_ns);
                self.next_free = self.next_free.max(now).saturating_add(cost);
            }
            Effect::Done { asker, outcome } => self.wish_done(RequestId(asker), outcome, out),
        }
    }

    /// Begins to take part, once it serves.
    pub(super) fn join(&mut self, now: Nanos, out: &mut Vec<Output>) {
        let records = self.replica.as_mut().map(|replica| std::mem::take(&mut replica.records)).unwrap_or_default();
        self.with_replica(now, out, |consensus, fx| consensus.start(now, &records, fx));
    }

    pub(super) fn wake_member(&mut self, now: Nanos, out: &mut Vec<Output>) {
        self.with_replica(now, out, |consensus, fx| consensus.wake(now, fx));
    }

    /// Another member asks.
    pub(super) fn member_asks(&mut self, now: Nanos, id: RequestId, letter: Letter, out: &mut Vec<Output>) {
        if self.replica.is_none() || !self.serving {
            let reply = Reply { error: Some(Failure::Unknown), ..Reply::by(&self.by) };
            return out.push(Output::Respond { id, reply });
        }
        self.with_replica(now, out, |consensus, fx| consensus.asked(now, id.0, letter, fx));
    }

    /// Another member answered, or did not.
    pub(super) fn member_answered(&mut self, now: Nanos, flight: u64, ended: Ended, out: &mut Vec<Output>) {
        let answer = ended.result.ok().and_then(|reply| reply.member).map(|answer| *answer);
        self.with_replica(now, out, |consensus, fx| consensus.answered(now, flight, answer, fx));
    }

    /// A record of the group is on the disk, or could not be put there; false where it is none of the group's.
    pub(super) fn record_saved(&mut self, now: Nanos, id: RequestId, ok: bool, out: &mut Vec<Output>) -> bool {
        if self.replica.is_none() || id.0 & RECORD == 0 {
            return false;
        }
        self.with_replica(now, out, |consensus, fx| consensus.saved(now, id.0 & !RECORD, ok, fx));
        true
    }

    /// Nobody waits for this request any more.
    pub(super) fn forget_wish(&mut self, id: RequestId) {
        if let Some(replica) = &mut self.replica {
            replica.consensus.forget(Asker::Own(id.0));
            replica.consensus.forget(Asker::Member(id.0));
        }
    }

    /// Reads a key as of now.
    pub(super) fn read_agreed(
        &mut self,
        now: Nanos,
        id: RequestId,
        key: String,
        remaining: Option<Nanos>,
        out: &mut Vec<Output>,
    ) {
        self.begin(now, id, Errand::Read, None, remaining);
        if let Some(job) = self.jobs.get_mut(&id) {
            job.read = Some(key);
        }
        self.advance(now, id, out);
    }

    /// All calls of a request are done: what it writes or reads is the group's affair. An operation that writes nothing
    /// succeeds only where something could be read: an instance that cannot reach a quorum is not active.
    pub(super) fn consult(&mut self, now: Nanos, id: RequestId, out: &mut Vec<Output>) {
        let Some(replica) = &mut self.replica else { return };
        let number = replica.number(now);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if let (Reads::Local, Some(key)) = (replica.reads, &job.read) {
            let known = Outcome::Value(replica.consensus.known(key).cloned());
            return self.wish_done(id, known, out);
        }
        job.waits = Waits::Quorum;
        let wish = match job.write.take() {
            Some(write) => Wish::Put(Put { id: number, key: write.key, value: write.value }),
            None => Wish::Read(job.read.clone()),
        };
        self.timers.set(job.deadline, TimerKind::Job(id));
        self.with_replica(now, out, |consensus, fx| consensus.wish(now, id.0, wish, fx));
    }

    /// The group did not decide in time: what is missing is the rest of it, which is more to a caller than "too late".
    pub(super) fn no_quorum(&mut self, id: RequestId, out: &mut Vec<Output>) {
        let missing = self.role.config.from.service.iter().cloned().collect();
        self.fail(id, Failure::DependencyMissing, missing, out);
    }

    fn wish_done(&mut self, id: RequestId, outcome: Outcome, out: &mut Vec<Output>) {
        self.timers.cancel(TimerKind::Job(id));
        let Some(job) = self.jobs.get_mut(&id) else { return };
        match outcome {
            Outcome::Stored(at) => {
                let members = self.role.config.store.replication.as_ref().map(|replication| &replication.members);
                let name = |place: MemberId| Some(members?.get(place as usize)?.name.clone());
                job.stored_at.extend(at.into_iter().filter_map(name));
            }
            Outcome::Value(None) if job.read.is_some() => return self.fail(id, Failure::NotFound, Few::new(), out),
            Outcome::Value(value) => job.value = value,
        }
        self.succeed(id, out);
    }
}
