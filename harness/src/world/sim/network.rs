//! Owns how long a packet travels between two zones, and how long an address that nobody answers is asked for. Refuses
//! to know what is sent.

use crate::world::draw::Seeds;
use agents::config::nanos;
use agents::machine::Nanos;
use fixtures::topology::Topology;

/// How long a neighbour is asked for before its address counts as unreachable: three solicitations a second apart, the
/// kernel's own default.
const RESOLVING_NS: Nanos = 3_060_000_000;

/// Links between zones; the last zone is the place outside all zones, where the witness is.
#[derive(Debug)]
pub(super) struct Network {
    zones: usize,
    one_way_ns: Vec<Nanos>,
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
        Self { zones, one_way_ns, resolving_until: vec![0; hosts] }
    }

    /// The number of the place outside all zones.
    pub(super) fn outside(&self) -> u16 {
        u16::try_from(self.zones - 1).unwrap_or(u16::MAX)
    }

    /// One packet's way, with its jitter of up to a quarter.
    pub(super) fn one_way(&self, from: u16, to: u16, seeds: &mut Seeds) -> Nanos {
        let way = self.one_way_ns[usize::from(from) * self.zones + usize::from(to)];
        way + seeds.up_to(way / 4)
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
