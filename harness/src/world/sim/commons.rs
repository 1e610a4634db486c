//! Owns what hosts of a simulated region share: trouble with names, grants and clocks, as their processes feel it, and
//! whether two ends of a connection trust each other. Refuses to know keys: whose a certificate is and from when to when decides.

use super::calls::{Call, Caller, Key};
use super::engine::Engine;
use super::process::Program;
use agents::machine::{Input as Given, Outcome};
use agents::wire::{Ask, Grant};
use fixtures::name::ServiceName;
use fixtures::trouble::InForce;
use std::collections::BTreeMap;

/// Trouble in force, by host and by the name of its fault.
#[derive(Debug, Default)]
pub(super) struct Troubles(BTreeMap<u32, BTreeMap<String, InForce>>);

impl Engine {
    /// Begins trouble on some hosts; their processes feel it at once.
    pub(super) fn begin_trouble(&mut self, fault: &str, hosts: &[u32], trouble: &InForce) {
        for &host in hosts {
            self.troubles.0.entry(host).or_default().insert(fault.to_owned(), trouble.clone());
            self.tell_trouble(host);
        }
    }

    /// Ends it.
    pub(super) fn end_trouble(&mut self, fault: &str, hosts: &[u32]) {
        for &host in hosts {
            if let Some(known) = self.troubles.0.get_mut(&host) {
                known.remove(fault);
            }
            self.tell_trouble(host);
        }
    }

    fn tell_trouble(&mut self, host: u32) {
        let (first, count) = (self.hosts[host as usize].first, self.hosts[host as usize].count);
        for process in first..first + count {
            self.feel_trouble(process, host);
        }
    }

    /// Tells a process what is the matter on its host.
    pub(super) fn feel_trouble(&mut self, process: u32, host: u32) {
        let in_force = self.troubles.0.get(&host).map(|known| known.values().cloned().collect()).unwrap_or_default();
        self.give(process, Given::Troubled { in_force }, 0);
    }

    /// Whether anything is the matter on a host.
    pub(super) fn is_troubled(&self, host: u32) -> bool {
        self.troubles.0.get(&host).is_some_and(|known| !known.is_empty())
    }

    /// How a new connection ends where one end does not trust the other; `None` where it is made.
    pub(super) fn distrust(&mut self, key: Key) -> Option<Outcome> {
        let now = self.now;
        let call = self.calls.get_mut(key)?;
        if !call.secure {
            return None;
        }
        let (caller, to) = (call.caller, call.to);
        let asks_for_need = matches!(call, Call { ask: Some(Ask::Need { .. }), .. });
        let server = self.processes[to as usize].mind.as_mut().and_then(|mind| mind.actor().certificate(now));
        let Some(server) = server else { return Some(Outcome::Untrusted) };
        let (trusts, client) = match caller {
            // It is outside all hosts, and its clock is right.
            Caller::Witness(_) | Caller::Mover(_) => {
                (Grant::is_good_at(&server, i64::try_from(now).unwrap_or(i64::MAX)), None)
            }
            Caller::Process { process, .. } => {
                let actor = self.processes[process as usize].mind.as_mut()?.actor();
                (actor.believes(now, server), actor.shows(now, server))
            }
        };
        // Whoever asks for something to show has nothing to show.
        let shown = client.filter(|_| !asks_for_need);
        let mind = self.processes[to as usize].mind.as_mut()?;
        let trusted = shown.is_none_or(|shown| mind.actor().accepts(now, shown));
        (!trusts || !trusted).then_some(Outcome::Untrusted)
    }

    /// Whether whoever asks over TLS has shown who it is. A kept connection is as good as whoever has it.
    pub(super) fn is_proven(&mut self, caller: Caller, to: u32) -> bool {
        let Caller::Process { process, .. } = caller else { return false };
        let now = self.now;
        let server = self.processes[to as usize].mind.as_mut().and_then(|mind| mind.actor().certificate(now));
        let caller = self.processes[process as usize].mind.as_mut();
        caller.zip(server).is_some_and(|(mind, server)| mind.actor().shows(now, server).is_some())
    }

    /// How many processes of these hosts feel trouble that is about these services.
    pub(super) fn feeling(&self, hosts: &[u32], services: &[ServiceName]) -> usize {
        let is_meant = |process: &u32| match &self.processes[*process as usize].program {
            Program::Instance { role, .. } => {
                let service = role.config.from.service.as_ref();
                services.is_empty() || service.is_some_and(|service| services.contains(service))
            }
            Program::Customer(_) => services.is_empty(),
        };
        let on = |host: &u32| {
            let host = &self.hosts[*host as usize];
            (host.first..host.first + host.count).filter(is_meant).count()
        };
        hosts.iter().map(on).sum()
    }
}
