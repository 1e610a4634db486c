//! Owns what the hand's look at packets says of a build: who called over the border, or what stands in for something, and what
//! name servers answered. Pure. Refuses to look.
//!
//! A host of a build carries one instance, so that an address is one caller's; of one that carries several, a host is named.

use super::super::region::Layout;
use crate::controller::Nanos;
use crate::hand::protocol::{Called, Tapped};
use crate::world::build::{crosses, end_of, stands_in};
use agents::commons::DNS_PORT;
use fixtures::name::{InstanceName, ServiceName};
use fixtures::placement::Host;
use fixtures::regional::estate::Estate;
use scenarios::build::observed::{Building, FlowEnd};
use scenarios::event::Place;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

/// How often an answer is told that differs from others'.
const ANSWERS_EVERY_NS: Nanos = 1_000_000_000;

/// What each server answered last to each name, and when that was told last.
#[derive(Debug, Default)]
pub(super) struct Answers(BTreeMap<String, BTreeMap<Ipv4Addr, (Vec<InstanceName>, Nanos)>>);

/// What was seen: where, and what. `closed`: whether the border let nothing pass meanwhile.
pub(super) fn told(
    estate: &Estate,
    layout: &Layout,
    (tapped, closed): (&Tapped, bool),
    answers: &mut Answers,
    now: Nanos,
) -> Vec<(Place, Building)> {
    let seen = Seen::of(estate, layout);
    let mut told = seen.flows(&tapped.calls, closed);
    for one in &tapped.answers {
        let Some(&host) = seen.hosts.get(&one.server).filter(|host| estate.is_told(**host)) else { continue };
        let mut targets: Vec<InstanceName> = one.instances.iter().cloned().map(InstanceName).collect();
        targets.sort();
        if answers.is_news(&one.name, one.server, &targets, now) {
            let server = estate.placement.hosts[host].instances.iter().copied();
            let server =
                server.into_iter().find(|&index| estate.placement.instances[index].service == estate.cast.names);
            let place = server.map_or_else(Place::default, |index| seen.place_of(host, Some(index)));
            told.push((place, Building::Answer { name: one.name.clone(), targets }));
        }
    }
    told
}

impl Answers {
    /// As long as all agree an answer is told once; whoever stays alone with one is told of each second.
    fn is_news(&mut self, name: &str, server: Ipv4Addr, targets: &[InstanceName], now: Nanos) -> bool {
        let servers = self.0.entry(name.to_owned()).or_default();
        let alone = servers.iter().any(|(other, (others, _))| *other != server && others != targets);
        let told = servers.get(&server).filter(|(before, _)| before == targets);
        let news = told.is_none_or(|(_, at)| alone && now >= at + ANSWERS_EVERY_NS);
        if news {
            servers.insert(server, (targets.to_vec(), now));
        }
        news
    }
}

/// Who is where.
struct Seen<'a> {
    estate: &'a Estate,
    hosts: BTreeMap<Ipv4Addr, usize>,
    instances: BTreeMap<SocketAddr, usize>,
}

impl<'a> Seen<'a> {
    fn of(estate: &'a Estate, layout: &Layout) -> Self {
        let hosts = layout.placement.hosts.iter().enumerate();
        let hosts = hosts.map(|(index, host): (usize, &Host)| (layout.address(host), index)).collect();
        let instances = layout.instance_addresses().into_iter().enumerate().map(|(index, at)| (at, index)).collect();
        Self { estate, hosts, instances }
    }

    fn flows(&self, calls: &[Called], closed: bool) -> Vec<(Place, Building)> {
        let mut sums: BTreeMap<(usize, ServiceName, FlowEnd, bool), u64> = BTreeMap::new();
        for Called { from, to, port, count } in calls {
            let (Some(&from), Some(&there)) = (self.hosts.get(from), self.hosts.get(to)) else { continue };
            let (here, end) = (self.estate.standing[from], self.estate.standing[there]);
            let crosses = crosses(here, end);
            if !(crosses || (stands_in(here, end) && from != there)) {
                continue;
            }
            let Some(service) = self.service_at(SocketAddr::from((*to, *port))) else { continue };
            *sums.entry((from, service, end_of(end), crosses)).or_default() += count;
        }
        let flow = |((from, to, end, crosses), calls)| {
            let refused = if crosses && closed { calls } else { 0 };
            (self.place_of(from, self.only(from)), Building::Flow { to, end, crosses, calls, refused })
        };
        sums.into_iter().map(flow).collect()
    }

    /// Who listens there.
    fn service_at(&self, at: SocketAddr) -> Option<ServiceName> {
        if at.port() == DNS_PORT {
            return Some(self.estate.cast.names.clone());
        }
        self.instances.get(&at).map(|&index| self.estate.placement.instances[index].service.clone())
    }

    /// The instance of a host that has no other.
    fn only(&self, host: usize) -> Option<usize> {
        match self.estate.placement.hosts[host].instances[..] {
            [only] => Some(only),
            _ => None,
        }
    }

    fn place_of(&self, host: usize, instance: Option<usize>) -> Place {
        let known = &self.estate.placement.hosts[host];
        let instance = instance.map(|index| &self.estate.placement.instances[index]);
        Place {
            zone: Some(known.zone.clone()),
            host: Some(known.name.clone()),
            service: instance.map(|instance| instance.service.clone()),
            instance: instance.map(|instance| instance.name.clone()),
        }
    }
}
