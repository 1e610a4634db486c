//! Owns a scripted world in virtual time around one actor: peers that answer, refuse or stay silent. Refuses to judge.

use agents::commons::{Callee, Commons};
use agents::config::{CallConfig, InstanceConfig, NeedConfig, Target};
use agents::machine::duty::{STANDS_BY, TAKES};
use agents::machine::{Actor, Input, Machine, Nanos, Outcome, Output, RequestId};
use agents::wire::{Ask, Failure, From, Note, Reply, Write};
use fixtures::graph::identity::{Renew, WhenExpired};
use fixtures::graph::{Acknowledge, Attempts, Backoff, Breaker, Health, Routing, State, Strength, WhenMissing};
use fixtures::name::{HostName, InstanceName, ServiceName, ZoneName};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

pub(crate) const MS: Nanos = 1_000_000;

/// How a peer behaves; one that is not there refuses.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Peer {
    Answers(Reply),
    /// Is scaled, and takes requests or stands by.
    Member(bool),
    Silent,
}

/// One actor and what surrounds it.
pub(crate) struct World<A> {
    pub(crate) actor: A,
    pub(crate) now: Nanos,
    pub(crate) peers: BTreeMap<SocketAddr, Peer>,
    /// Whom it asked, when.
    pub(crate) sent: Vec<(Nanos, SocketAddr)>,
    /// What it asked.
    pub(crate) asks: Vec<Ask>,
    pub(crate) timeouts: Vec<Nanos>,
    pub(crate) replies: BTreeMap<RequestId, Vec<Reply>>,
    pub(crate) notes: Vec<Note>,
    pub(crate) others: Vec<Output>,
    /// Whether whoever asks has shown who it is.
    pub(crate) proven: bool,
    next_id: u64,
}

impl<A: Actor> World<A> {
    pub(crate) fn new(actor: A) -> Self {
        let (peers, replies) = (BTreeMap::new(), BTreeMap::new());
        let (sent, asks, timeouts) = (Vec::new(), Vec::new(), Vec::new());
        let (notes, others) = (Vec::new(), Vec::new());
        Self { actor, now: MS, peers, sent, asks, timeouts, replies, notes, others, proven: false, next_id: 1 }
    }

    pub(crate) fn start(&mut self) {
        self.feed(Input::Start { entries: Vec::new() });
    }

    /// Hands one input over, and lets peers answer at once.
    pub(crate) fn feed(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let mut outputs = Vec::new();
            self.actor.handle(self.now, input, &mut outputs);
            for output in outputs {
                match output {
                    Output::Send { attempt, to, timeout, ask, .. } => {
                        self.sent.push((self.now, to));
                        self.asks.push(ask.clone());
                        self.timeouts.push(timeout);
                        let outcome = match self.peers.get_mut(&to) {
                            Some(Peer::Member(takes)) => Outcome::Reply(member(takes, &ask)),
                            Some(Peer::Answers(reply)) => Outcome::Reply(reply.clone()),
                            Some(Peer::Silent) => continue,
                            None => Outcome::Refused,
                        };
                        inputs.push(Input::Answer { attempt, outcome, conn: None });
                    }
                    Output::Respond { id, reply } => self.replies.entry(id).or_default().push(reply),
                    Output::Note(note) => self.notes.push(note),
                    other => self.others.push(other),
                }
            }
        }
    }

    /// Lets time pass, waking the actor when it wants to be woken.
    pub(crate) fn pass(&mut self, length: Nanos) {
        let until = self.now + length;
        while let Some(at) = self.actor.next_wake().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.feed(Input::Wake);
            assert!(self.actor.next_wake().is_none_or(|next| next > self.now), "it spins");
        }
        self.now = until;
    }

    pub(crate) fn ask(&mut self, ask: Ask, remaining: Option<Nanos>) -> RequestId {
        let id = RequestId(self.next_id);
        self.next_id += 1;
        self.feed(Input::Request { id, ask, remaining, proven: self.proven });
        id
    }

    /// Asks, waits for long enough, and returns the one answer.
    #[track_caller]
    pub(crate) fn answer(&mut self, ask: Ask) -> Reply {
        let id = self.ask(ask, None);
        self.pass(20_000 * MS);
        let replies = self.replies.get(&id).cloned().unwrap_or_default();
        assert_eq!(replies.len(), 1, "every request has exactly one answer");
        replies[0].clone()
    }

    /// Asks, waits for so long, and returns the one answer.
    #[track_caller]
    pub(crate) fn answer_within(&mut self, ask: Ask, length: Nanos) -> Reply {
        let id = self.ask(ask, None);
        self.pass(length);
        self.replies.get(&id).and_then(|replies| replies.first()).cloned().expect("it is answered")
    }

    pub(crate) fn listens(&self) -> bool {
        self.others.contains(&Output::Listen)
    }
}

/// What somebody who is scaled answers.
fn member(takes: &mut bool, ask: &Ask) -> Reply {
    let by = InstanceName("peer".to_owned());
    match ask {
        Ask::Duty { order } => {
            *takes = order.unwrap_or(*takes);
            Reply { value: Some(if *takes { TAKES } else { STANDS_BY }.to_owned()), ..Reply::ok(&by) }
        }
        _ if *takes => Reply::ok(&by),
        _ => Reply::fail(&by, Failure::Standby),
    }
}

pub(crate) fn work() -> Ask {
    Ask::Work { operation: "serve".into(), write: None, again: false }
}

pub(crate) fn write(key: &str) -> Ask {
    Ask::Work {
        operation: "serve".into(),
        write: Some(Box::new(Write { key: key.to_owned(), value: "v".to_owned() })),
        again: false,
    }
}

pub(crate) fn service(name: &str) -> ServiceName {
    ServiceName::new(name).expect("a name")
}

pub(crate) fn target(zone: &str, port: u16) -> Target {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let name = InstanceName(format!("peer-{zone}-{port}"));
    Target { name, zone: ZoneName::new(zone).expect("a name"), address, secure: None }
}

pub(crate) fn ok() -> Peer {
    Peer::Answers(Reply::ok(&InstanceName("peer".to_owned())))
}

pub(crate) fn fails(failure: Failure, missing: &[&str]) -> Peer {
    let missing = missing.iter().map(|name| service(name)).collect();
    Peer::Answers(Reply { missing, ..Reply::fail(&InstanceName("peer".to_owned()), failure) })
}

fn backoff() -> Backoff {
    Backoff { base: Duration::from_millis(50), cap: Duration::from_millis(500), jitter: true }
}

pub(crate) fn need(targets: Vec<Target>) -> NeedConfig {
    NeedConfig {
        kind: "certificate".to_owned(),
        from: service("authority"),
        attempts: Attempts::Unlimited,
        when_missing: WhenMissing::Wait,
        timeout: Duration::from_millis(200),
        backoff: backoff(),
        targets: targets.into(),
        callee: Callee::default(),
        renew: Renew::BeforeExpiry,
        when_expired: WhenExpired::Keep,
    }
}

pub(crate) fn call(to: &str, strength: Strength, targets: Vec<Target>) -> CallConfig {
    CallConfig {
        to: service(to),
        operation: "serve".to_owned(),
        during: vec!["serve".to_owned()],
        strength,
        timeout: Duration::from_millis(300),
        attempts: 2,
        backoff: backoff(),
        breaker: Some(Breaker { failures: 3, open_for: Duration::from_secs(1) }),
        routing: Routing::ZoneFirst,
        carries_writes: false,
        fallback: false,
        targets: targets.into(),
        callee: Callee::default(),
    }
}

pub(crate) fn config(needs: Vec<NeedConfig>, calls: Vec<CallConfig>) -> InstanceConfig {
    let zone = ZoneName::new("az1").expect("a name");
    let host = HostName("az1-app-0".to_owned());
    InstanceConfig {
        from: From { zone: zone.clone(), host, service: Some(service("app")), instance: None },
        name: InstanceName("app-az1-0".to_owned()),
        zone,
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        seed: 7,
        operations: vec!["serve".to_owned()],
        interval_ns: 0,
        queue: 2,
        workers: None,
        grants: None,
        work: Duration::ZERO,
        needs,
        calls,
        state: State::None,
        store: agents::config::StoreConfig::default(),
        control: agents::config::ControlConfig::default(),
        acknowledge: Acknowledge::AfterSync,
        health: Health::Shallow,
        commons: Commons::default(),
        liveness: Health::Shallow,
        counts_arrivals: false,
    }
}

pub(crate) fn machine(needs: Vec<NeedConfig>, calls: Vec<CallConfig>) -> World<Machine> {
    let mut world = World::new(Machine::new(config(needs, calls)));
    world.start();
    world
}

/// What a machine answers at once: how it fails, and the value.
pub(crate) fn answer(world: &mut World<Machine>, ask: Ask) -> (Option<Failure>, Option<String>) {
    let id = world.ask(ask, None);
    let reply = &world.replies[&id][0];
    (reply.error, reply.value.clone())
}
