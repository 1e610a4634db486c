//! Owns what becomes of a packet between two hosts: how long it travels, whether a rule of a fault meets it, and how long
//! an address that nobody answers is asked for. Refuses to know what is sent.

use agents::config::nanos;
use agents::machine::Nanos;
use fixtures::topology::Topology;
use scenarios::plan::{LinkAct, Shape};
use scenarios::seed::Seeds;
use std::collections::BTreeMap;

/// How long a neighbour is asked for before its address counts as unreachable: three solicitations a second apart, the
/// kernel's own default.
const RESOLVING_NS: Nanos = 3_060_000_000;
/// A lost packet is sent again after this, and after twice as long each further time: TCP's own, of an open connection
/// and of one that is being opened.
const RESEND_NS: Nanos = 200_000_000;
const RESEND_OPENING_NS: Nanos = 1_000_000_000;
/// In place of a time after which a lost packet is sent again.
const NEVER: Nanos = 0;
/// Losses in a row after which nobody here waits any more.
const RESENDS_MAX: u32 = 6;
/// Bytes of one message, where a link is held to a rate.
const MESSAGE_BYTES: u64 = 400;

/// One end of a path.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) zone: u16,
    /// `None` outside all zones, where no rule reaches.
    pub(super) host: Option<u32>,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It arrives after so long.
    Arrives(Nanos),
    /// It never does, and nobody says so.
    Vanishes,
    /// It is refused after so long.
    Refused(Nanos),
}

/// One rule of a fault, for one direction.
#[derive(Debug)]
pub(super) struct Rule {
    from: Vec<bool>,
    to: Vec<bool>,
    act: LinkAct,
}

impl Rule {
    pub(super) fn new(from: &[u32], to: &[u32], hosts: usize, act: LinkAct) -> Self {
        let mark = |numbers: &[u32]| {
            let mut marks = vec![false; hosts];
            for &number in numbers {
                marks[number as usize] = true;
            }
            marks
        };
        Self { from: mark(from), to: mark(to), act }
    }
}

/// Links between zones; the last zone is the place outside all zones, where the witness is.
#[derive(Debug)]
pub(super) struct Network {
    zones: usize,
    one_way_ns: Vec<Nanos>,
    /// Rules in force, by fault.
    pub(super) rules: BTreeMap<String, Vec<Rule>>,
    /// Until when each host's address is being asked for in vain.
    resolving_until: Vec<Nanos>,
}

impl Network {
    pub(super) fn new(topology: &Topology, latency_ns: Nanos, hosts: usize) -> Self {
        let names: Vec<_> = topology.zones().map(|(_, zone)| zone.name.clone()).collect();
        let zones = names.len() + 1;
        let mut one_way_ns = vec![latency_ns; zones * zones];
        for (from, a) in names.iter().enumerate() {
            for (to, b) in names.iter().enumerate() {
                one_way_ns[from * zones + to] += nanos(topology.latencies.round_trip(a, b)) / 2;
            }
        }
        Self { zones, one_way_ns, rules: BTreeMap::new(), resolving_until: vec![0; hosts] }
    }

    /// The place outside all zones.
    pub(super) fn outside(&self) -> End {
        End { zone: u16::try_from(self.zones - 1).unwrap_or(u16::MAX), host: None }
    }

    /// A request's way. A new connection goes there and back once before the request leaves, and, where both ends show
    /// certificates, once more.
    pub(super) fn request(&self, from: End, to: End, fresh: bool, secure: bool, seeds: &mut Seeds) -> Way {
        if !fresh {
            return self.message(from, to, RESEND_NS, seeds);
        }
        let mut total = 0;
        let open = [(from, to, RESEND_OPENING_NS), (to, from, RESEND_OPENING_NS), (from, to, RESEND_NS)];
        let shake = [(to, from, RESEND_NS), (from, to, RESEND_NS)];
        let ways = if secure { 5 } else { 3 };
        for (from, to, resend) in open.into_iter().chain(shake).take(ways) {
            match self.message(from, to, resend, seeds) {
                Way::Arrives(takes) => total += takes,
                Way::Refused(takes) => return Way::Refused(total + takes),
                Way::Vanishes => return Way::Vanishes,
            }
            if self.rules.is_empty() {
                // The ways of a healthy link are alike: one draw will do.
                return Way::Arrives(ways as Nanos * total);
            }
        }
        Way::Arrives(total)
    }

    /// The way of a question or an answer that is one packet: lost once, it is lost.
    pub(super) fn datagram(&self, from: End, to: End, seeds: &mut Seeds) -> Way {
        self.message(from, to, NEVER, seeds)
    }

    /// An answer's way, on the connection of its request.
    pub(super) fn answer(&self, from: End, to: End, seeds: &mut Seeds) -> Way {
        self.message(from, to, RESEND_NS, seeds)
    }

    fn message(&self, from: End, to: End, resend: Nanos, seeds: &mut Seeds) -> Way {
        let way = self.one_way_ns[usize::from(from.zone) * self.zones + usize::from(to.zone)];
        // Its jitter is up to a quarter.
        let plain = way + seeds.up_to(way / 4);
        match self.rule(from, to) {
            None => Way::Arrives(plain),
            Some(LinkAct::Drop) => Way::Vanishes,
            Some(LinkAct::Refuse) => Way::Refused(plain),
            Some(LinkAct::Shape(shape)) => shaped(plain, shape, resend, seeds),
        }
    }

    /// The first rule that fits.
    fn rule(&self, from: End, to: End) -> Option<LinkAct> {
        if self.rules.is_empty() {
            return None;
        }
        let (from, to) = (from.host? as usize, to.host? as usize);
        let mut rules = self.rules.values().flatten();
        rules.find(|rule| rule.from[from] && rule.to[to]).map(|rule| rule.act)
    }

    /// When whoever opens a connection to a dark host now is told that there is nobody: all who ask meanwhile are told
    /// together.
    pub(super) fn given_up_at(&mut self, now: Nanos, host: u32) -> Nanos {
        let until = &mut self.resolving_until[host as usize];
        if *until <= now {
            *until = now + RESOLVING_NS;
        }
        *until
    }
}

/// A packet sent twice is still one message: only latency, loss and rate are felt.
fn shaped(plain: Nanos, shape: Shape, resend: Nanos, seeds: &mut Seeds) -> Way {
    let mut takes = plain + shape.latency_us.saturating_sub(shape.jitter_us) * 1_000;
    takes += seeds.up_to(2 * shape.jitter_us.min(shape.latency_us) * 1_000);
    takes += (MESSAGE_BYTES * 1_000_000_000).checked_div(shape.rate).unwrap_or_default();
    let mut again = resend;
    for _ in 0..RESENDS_MAX {
        if seeds.below(1_000_000) >= u64::from(shape.loss_ppm) {
            return Way::Arrives(takes);
        }
        if again == NEVER {
            return Way::Vanishes;
        }
        takes += again;
        again *= 2;
    }
    Way::Vanishes
}
