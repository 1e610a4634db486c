//! Owns the claims about members of a replicated store: many groups in virtual time with cuts, lost messages, crashes and
//! lost disks, each decided by one seed. Refuses to know machines, sockets and customers.

use agents::consensus::log::remember;
use agents::consensus::message::{Answer, Entry, Letter, MemberId, Message, Put};
use agents::consensus::{Consensus, Effect, Outcome, Settings, Wish};
use std::collections::{BTreeMap, BTreeSet};

const MS: u64 = 1_000_000;
const HEARTBEAT: u64 = 150 * MS;
const ELECTION: u64 = 600 * MS;

#[derive(Debug)]
enum Happening {
    Question { from: MemberId, life: u32, flight: u64, to: MemberId, message: Message },
    Answer { from: MemberId, to: MemberId, life: u32, flight: u64, answer: Option<Answer> },
    Saved { member: MemberId, life: u32, record: u64 },
}

struct Member {
    mind: Option<Consensus>,
    life: u32,
    /// On the disk, and on the way there.
    disk: Vec<(String, String)>,
    unsaved: Vec<(u64, (String, String))>,
    /// Who asked, by the number of the question.
    askers: BTreeMap<u64, (MemberId, u32, u64)>,
}

struct Group {
    now: u64,
    rng: fastrand::Rng,
    settings: Settings,
    members: Vec<Member>,
    queue: BTreeMap<(u64, u64), Happening>,
    entered: u64,
    tokens: u64,
    /// Directions in which nothing arrives.
    cut: BTreeSet<(MemberId, MemberId)>,
    latency: u64,
    done: BTreeMap<u64, Outcome>,
    /// Who led which term, as seen.
    leaders: BTreeMap<u64, MemberId>,
    decided: Vec<Entry>,
    sent: u64,
}

impl Group {
    fn new(voters: &[bool], seed: u64) -> Self {
        let settings = Settings {
            me: 0,
            voters: voters.to_vec(),
            heartbeat: HEARTBEAT,
            election: ELECTION,
            early: false,
            copying: None,
        };
        let member = |_| Member { mind: None, life: 0, disk: Vec::new(), unsaved: Vec::new(), askers: BTreeMap::new() };
        Self {
            now: MS,
            rng: fastrand::Rng::with_seed(seed),
            settings,
            members: (0..voters.len()).map(member).collect(),
            queue: BTreeMap::new(),
            entered: 0,
            tokens: 0,
            cut: BTreeSet::new(),
            latency: MS,
            done: BTreeMap::new(),
            leaders: BTreeMap::new(),
            decided: Vec::new(),
            sent: 0,
        }
    }

    fn all(&self) -> std::ops::Range<MemberId> {
        0..u32::try_from(self.members.len()).expect("few")
    }

    fn started(mut self) -> Self {
        for member in self.all() {
            self.start(member);
        }
        self
    }

    fn start(&mut self, member: MemberId) {
        let settings = Settings { me: member, ..self.settings.clone() };
        let seed = self.rng.u64(..);
        let disk = self.members[member as usize].disk.clone();
        self.members[member as usize].mind = Some(Consensus::new(settings, seed));
        self.step(member, |mind, now, fx| mind.start(now, &disk, fx));
    }

    /// It dies; of what was on its way to the disk a part arrives.
    fn crash(&mut self, member: MemberId, loses_disk: bool) {
        let arrives = self.rng.usize(0..=self.members[member as usize].unsaved.len());
        let known = &mut self.members[member as usize];
        (known.mind, known.life) = (None, known.life + 1);
        let unsaved = std::mem::take(&mut known.unsaved);
        known.disk.extend(unsaved.into_iter().take(arrives).map(|(_, record)| record));
        if loses_disk {
            known.disk.clear();
        }
        known.askers.clear();
    }

    fn enter(&mut self, at: u64, happening: Happening) {
        self.entered += 1;
        self.queue.insert((at, self.entered), happening);
    }

    fn step(&mut self, member: MemberId, step: impl FnOnce(&mut Consensus, u64, &mut Vec<Effect>)) {
        let now = self.now;
        let Some(mind) = &mut self.members[member as usize].mind else { return };
        let mut effects = Vec::new();
        step(mind, now, &mut effects);
        for effect in effects {
            self.perform(member, effect);
        }
        self.watch(member);
    }

    fn perform(&mut self, member: MemberId, effect: Effect) {
        let life = self.members[member as usize].life;
        let travels = self.latency / 2 + self.rng.u64(0..=self.latency);
        match effect {
            Effect::Send { to, flight, message, timeout } => {
                self.sent += 1;
                let question = Happening::Question { from: member, life, flight, to, message };
                self.enter(self.now + travels, question);
                let silence = Happening::Answer { from: to, to: member, life, flight, answer: None };
                self.enter(self.now + timeout, silence);
            }
            Effect::Reply { token, answer } => {
                let Some((to, life, flight)) = self.members[member as usize].askers.remove(&token) else { return };
                let answer = Happening::Answer { from: member, to, life, flight, answer: Some(answer) };
                self.enter(self.now + travels, answer);
            }
            Effect::Save { record, key, value } => {
                self.members[member as usize].unsaved.push((record, (key.to_owned(), value)));
                let takes = self.rng.u64(0..3) * MS;
                // In order: behind whatever of this member is on its way to the disk.
                let behind = self.queue.iter().filter_map(|((at, _), happening)| match happening {
                    Happening::Saved { member: of, .. } if *of == member => Some(*at),
                    _ => None,
                });
                let at = behind.max().unwrap_or_default().max(self.now + takes);
                self.enter(at, Happening::Saved { member, life, record });
            }
            Effect::Copied(_) => {}
            Effect::Done { asker, outcome } => {
                assert!(self.done.insert(asker, outcome).is_none(), "a wish ends once");
            }
        }
    }

    /// What must be true at every moment.
    fn watch(&mut self, member: MemberId) {
        let Some(mind) = &self.members[member as usize].mind else { return };
        if mind.leads() {
            let leader = *self.leaders.entry(mind.term()).or_insert(member);
            assert_eq!(leader, member, "two leaders in term {}", mind.term());
        }
        let decided = mind.decided();
        for (known, entry) in self.decided.iter().zip(&decided) {
            assert_eq!(&known, entry, "two members decided different entries for one place");
        }
        let known = self.decided.len();
        self.decided.extend(decided.into_iter().skip(known).cloned());
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Question { from, life, flight, to, message } => {
                if self.cut.contains(&(from, to)) {
                    return;
                }
                self.tokens += 1;
                let token = self.tokens;
                self.members[to as usize].askers.insert(token, (from, life, flight));
                self.step(to, |mind, now, fx| mind.asked(now, token, Letter { from, message }, fx));
            }
            Happening::Answer { from, to, life, flight, answer } => {
                let lost = answer.is_some() && self.cut.contains(&(from, to));
                if !lost && self.members[to as usize].life == life {
                    self.step(to, |mind, now, fx| mind.answered(now, flight, answer, fx));
                }
            }
            Happening::Saved { member, life, record } => {
                let known = &mut self.members[member as usize];
                if known.life == life {
                    let (_, saved) = known.unsaved.remove(0);
                    known.disk.push(saved);
                    self.step(member, |mind, now, fx| mind.saved(now, record, true, fx));
                }
            }
        }
    }

    fn pass(&mut self, length: u64) {
        let until = self.now + length;
        loop {
            let wakes = self.all().filter_map(|member| {
                let at = self.members[member as usize].mind.as_ref()?.next_wake()?;
                Some((at, member))
            });
            let wake = wakes.min();
            let next = self.queue.first_key_value().map(|(key, _)| *key);
            match (wake, next) {
                (Some((at, member)), next) if at <= until && next.is_none_or(|(when, _)| at < when) => {
                    self.now = self.now.max(at);
                    self.step(member, Consensus::wake);
                }
                (_, Some((at, number))) if at <= until => {
                    self.now = self.now.max(at);
                    let happening = self.queue.remove(&(at, number)).expect("seen");
                    self.happen(happening);
                }
                _ => break,
            }
        }
        self.now = until;
    }

    fn put(&mut self, member: MemberId, id: u64, value: &str) {
        let put = Put { id, key: "k".to_owned(), value: value.to_owned() };
        self.step(member, |mind, now, fx| mind.wish(now, id, Wish::Put(put), fx));
    }

    fn read(&mut self, member: MemberId, id: u64) {
        self.step(member, |mind, now, fx| mind.wish(now, id, Wish::Read(Some("k".to_owned())), fx));
    }

    fn leader(&self) -> Option<MemberId> {
        let leads = |member: &MemberId| self.members[*member as usize].mind.as_ref().is_some_and(Consensus::leads);
        let of = |member: MemberId| self.members[member as usize].mind.as_ref().map(Consensus::term);
        self.all().filter(leads).max_by_key(|member| of(*member))
    }

    fn isolate(&mut self, member: MemberId) {
        for other in self.all() {
            self.cut.extend([(member, other), (other, member)]);
        }
    }

    #[track_caller]
    fn value(&mut self, member: MemberId, id: u64) -> Option<String> {
        self.read(member, id);
        self.pass(5_000 * MS);
        match self.done.get(&id) {
            Some(Outcome::Value(value)) => value.clone(),
            other => panic!("the read at {member} ended as {other:?}"),
        }
    }
}

#[test]
fn a_new_group_elects_one_leader_and_every_member_stores_and_reads() {
    for members in [1, 3, 5] {
        let mut group = Group::new(&vec![true; members], 1).started();
        group.pass(5_000 * MS);
        assert!(group.leader().is_some(), "{members} members");
        for member in group.all() {
            group.put(member, u64::from(member), &member.to_string());
            group.pass(1_000 * MS);
            assert!(matches!(group.done.get(&u64::from(member)), Some(Outcome::Stored(at)) if at.len() > members / 2));
            for reader in group.all() {
                let id = 100 + u64::from(member) * 10 + u64::from(reader);
                assert_eq!(group.value(reader, id), Some(member.to_string()));
            }
        }
    }
}

#[test]
fn an_idle_group_says_no_more_than_its_signs_of_life() {
    let mut group = Group::new(&[true; 3], 2).started();
    group.pass(5_000 * MS);
    let before = group.sent;
    group.pass(60_000 * MS);
    let sent = group.sent - before;
    assert!(sent <= 2 * 60_000 * MS / HEARTBEAT + 2, "{sent} questions in a minute");
}

#[test]
fn the_loss_of_the_leader_costs_two_election_timeouts_and_nothing_that_was_stored() {
    for seed in 0..50 {
        let mut group = Group::new(&[true; 3], seed).started();
        group.pass(5_000 * MS);
        let leader = group.leader().expect("one leads");
        group.put(leader, 1, "before");
        group.pass(100 * MS);
        assert!(group.done.contains_key(&1));
        group.crash(leader, false);
        group.pass(3 * ELECTION);
        let successor = group.leader().expect("another leads");
        assert_ne!(successor, leader);
        assert_eq!(group.value(successor, 2), Some("before".to_owned()), "seed {seed}");
    }
}

#[test]
fn a_leader_that_is_cut_off_stores_nothing_and_tells_no_old_value() {
    for seed in 0..50 {
        let mut group = Group::new(&[true; 3], seed).started();
        group.pass(5_000 * MS);
        let old = group.leader().expect("one leads");
        group.put(old, 1, "old");
        group.pass(100 * MS);
        group.isolate(old);
        group.put(old, 2, "never acknowledged");
        group.read(old, 3);
        group.pass(5_000 * MS);
        let new = group.leader().expect("the others elect one");
        assert_ne!(new, old);
        assert!(group.members[old as usize].mind.as_ref().is_some_and(|mind| !mind.leads()), "it stops leading");
        group.put(new, 4, "new");
        group.pass(1_000 * MS);
        assert!(group.done.contains_key(&4) && !group.done.contains_key(&2) && !group.done.contains_key(&3));
        group.cut.clear();
        group.pass(5_000 * MS);
        // What waited at the old leader is handed to the new one, or was; the read sees what is true now.
        assert!(matches!(group.done.get(&3), Some(Outcome::Value(Some(value))) if value != "old"), "seed {seed}");
    }
}

#[test]
fn what_was_handed_to_a_leader_that_fell_silent_is_answered_by_whoever_asked_it_and_leads_now() {
    let mut by_the_successor = 0;
    for seed in 0..50 {
        let mut group = Group::new(&[true; 3], seed).started();
        group.pass(5_000 * MS);
        let leader = group.leader().expect("one leads");
        group.put(leader, 1, "before");
        group.pass(100 * MS);
        // It takes whatever it is asked, and answers nothing any more.
        group.isolate(leader);
        for member in group.all().filter(|member| *member != leader) {
            group.read(member, 10 + u64::from(member));
        }
        group.pass(10 * ELECTION);
        for member in group.all().filter(|member| *member != leader) {
            let read = group.done.get(&(10 + u64::from(member)));
            let is_there = matches!(read, Some(Outcome::Value(Some(value))) if value == "before");
            assert!(is_there, "seed {seed}: {member} of {:?} waits for ever: {read:?}", group.leader());
            by_the_successor += usize::from(group.leader() == Some(member));
        }
    }
    assert!(by_the_successor > 0, "one of them became the leader");
}

#[test]
fn a_member_that_comes_back_after_a_cut_unseats_nobody() {
    let mut group = Group::new(&[true; 3], 4).started();
    group.pass(5_000 * MS);
    let leader = group.leader().expect("one leads");
    let other = (leader + 1) % 3;
    group.isolate(other);
    group.pass(30_000 * MS);
    let term = group.members[leader as usize].mind.as_ref().map(Consensus::term);
    group.cut.clear();
    group.pass(10_000 * MS);
    assert_eq!(
        (group.leader(), group.members[leader as usize].mind.as_ref().map(Consensus::term)),
        (Some(leader), term)
    );
}

/// The old life of a member promised what its new life does not remember.
#[test]
fn a_member_without_its_disk_votes_only_after_it_has_learnt_everything() {
    for seed in 0..50 {
        let mut group = Group::new(&[true; 3], seed).started();
        group.pass(5_000 * MS);
        let leader = group.leader().expect("one leads");
        let (behind, witness) = ((leader + 1) % 3, (leader + 2) % 3);
        group.isolate(behind);
        group.put(leader, 1, "stored by two");
        group.pass(100 * MS);
        assert!(group.done.contains_key(&1));
        // One of the two loses its disk, the other one is cut off: those who are left must not decide anything.
        group.crash(witness, true);
        group.cut.clear();
        group.isolate(leader);
        group.start(witness);
        group.pass(20_000 * MS);
        group.put(behind, 2, "without memory");
        group.pass(5_000 * MS);
        assert!(!group.done.contains_key(&2), "seed {seed}: decided by members that know nothing of the write");
        group.cut.clear();
        group.pass(10_000 * MS);
        assert!(group.done.contains_key(&2), "seed {seed}: it goes on once a majority remembers");
        assert!(group.decided.iter().any(|entry| entry.put.as_ref().is_some_and(|put| put.id == 1)));
        let disk = remember(&group.members[witness as usize].disk);
        assert!(disk.member && disk.log.last() > 0, "seed {seed}: it has learnt and votes again");
    }
}

/// Entries that a member has decided which missed forty of them, so many signs of life after it is heard again.
fn caught_up(copying: Option<u64>, heartbeats: u64) -> usize {
    let mut group = Group::new(&[true; 3], 5);
    group.settings.copying = copying;
    let mut group = group.started();
    group.pass(5_000 * MS);
    let leader = group.leader().expect("one leads");
    let behind = (leader + 1) % 3;
    group.isolate(behind);
    for id in 0..40 {
        group.put(leader, id, "v");
        group.pass(20 * MS);
    }
    assert_eq!(group.done.len(), 40);
    group.cut.clear();
    // Until what was sent in vain counts as unanswered, and the member is asked again.
    group.pass(4 * ELECTION);
    let before =
        group.decided.len() - group.members[behind as usize].mind.as_ref().map_or(0, |mind| mind.decided().len());
    group.pass(heartbeats * HEARTBEAT);
    before - (group.decided.len() - group.members[behind as usize].mind.as_ref().map_or(0, |mind| mind.decided().len()))
}

#[test]
fn a_member_that_lags_is_given_what_it_missed_step_by_step() {
    let given = caught_up(Some(HEARTBEAT), 10);
    assert!((5..=10).contains(&given), "{given} entries in ten signs of life");
    assert_eq!(caught_up(None, 10), 0, "it had all of it before");
}

#[test]
fn a_timeout_shorter_than_the_way_elects_nobody() {
    let mut group = Group::new(&[true; 3], 1);
    (group.settings.heartbeat, group.settings.election) = (MS / 4, MS / 2);
    group.latency = 4 * MS;
    let mut group = group.started();
    group.pass(2_000 * MS);
    assert!(group.leaders.is_empty(), "{:?}", group.leaders);
}

#[test]
fn with_all_votes_in_one_place_its_loss_is_the_loss_of_the_store() {
    let mut group = Group::new(&[true, false, false], 1).started();
    group.pass(5_000 * MS);
    assert_eq!(group.leader(), Some(0));
    group.put(2, 1, "v");
    group.pass(500 * MS);
    assert!(group.done.contains_key(&1));
    group.crash(0, false);
    group.put(2, 2, "w");
    group.pass(60_000 * MS);
    assert_eq!((group.leader(), group.done.get(&2)), (None, None));
    group.start(0);
    group.pass(10_000 * MS);
    assert!(group.done.contains_key(&2), "it is back with its voter");
}

/// One client: each write is larger than the one before, so that what a read must at least return is known.
#[test]
fn whatever_happens_nothing_acknowledged_is_lost_and_no_read_is_old() {
    for seed in 0..150 {
        chaos(seed);
    }
}

fn chaos(seed: u64) {
    let mut group = Group::new(&vec![true; [3, 3, 5][seed as usize % 3]], seed);
    group.settings.copying = [None, Some(HEARTBEAT / 2)][seed as usize % 2];
    let mut group = group.started();
    group.pass(5_000 * MS);
    let count = group.members.len();
    let (mut highest, mut next) = (0, 1);
    let mut reads: Vec<(u64, u64)> = Vec::new();
    for _ in 0..60 {
        disturb(&mut group, count);
        let member = group.rng.u32(0..u32::try_from(count).expect("few"));
        if group.rng.bool() {
            group.put(member, next, &next.to_string());
        } else {
            reads.push((next, highest));
            group.read(member, next);
        }
        next += 1;
        let length = group.rng.u64(0..800) * MS;
        group.pass(length);
        let stored = |(id, outcome): (&u64, &Outcome)| matches!(outcome, Outcome::Stored(_)).then_some(*id);
        // A wish that was overtaken by a later one may be decided after it: only an order that was seen counts.
        highest = highest.max(group.done.iter().filter_map(stored).filter(|id| *id + 1 >= next).max().unwrap_or(0));
        check_reads(&group, &mut reads, seed);
    }
    group.cut.clear();
    for member in group.all() {
        if group.members[member as usize].mind.is_none() {
            group.start(member);
        }
    }
    group.pass(20_000 * MS);
    assert!(group.leader().is_some(), "seed {seed}: it does not come back");
    let decided: BTreeSet<u64> =
        group.decided.iter().filter_map(|entry| entry.put.as_ref().map(|put| put.id)).collect();
    for (id, outcome) in &group.done {
        assert!(!matches!(outcome, Outcome::Stored(_)) || decided.contains(id), "seed {seed}: {id} is lost");
    }
}

/// A read that began after a write was acknowledged must not return what was there before that write.
fn check_reads(group: &Group, reads: &mut Vec<(u64, u64)>, seed: u64) {
    let place = |id: u64| {
        group.decided.iter().position(|entry| entry.put.as_ref().is_some_and(|put| put.id == id)).unwrap_or_default()
    };
    reads.retain(|&(id, at_least)| {
        let Some(Outcome::Value(value)) = group.done.get(&id) else { return true };
        let read = value.as_ref().map_or(0, |value| value.parse::<u64>().expect("a number"));
        assert!(at_least == 0 || place(read) >= place(at_least), "seed {seed}: {read} was read, {at_least} was stored");
        false
    });
}

fn disturb(group: &mut Group, count: usize) {
    let count = u32::try_from(count).expect("few");
    let (a, b) = (group.rng.u32(0..count), group.rng.u32(0..count));
    let down = group.members.iter().filter(|member| member.mind.is_none()).count();
    let all_remember = group.members.iter().all(|member| member.mind.is_some() && remember(&member.disk).member);
    match group.rng.u8(0..12) {
        0 => group.isolate(a),
        1 => drop(group.cut.insert((a, b))),
        2..=4 => group.cut.clear(),
        5 if down * 2 + 2 < count as usize + 1 => group.crash(a, all_remember && group.rng.clone().bool()),
        6..=8 if group.members[a as usize].mind.is_none() => group.start(a),
        9 => group.latency = [MS, 20 * MS, 200 * MS][group.rng.usize(0..3)],
        _ => {}
    }
}
