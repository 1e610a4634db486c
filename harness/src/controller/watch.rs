//! Owns what the world shows: how each instance stands, whether faults are in force, who acted on hosts. Refuses to
//! decide when a phase ends ([`super::course`]).

use super::{Command, Controller, Effect, Known, Nanos, Report, Stage};
use fixtures::name::{HostName, InstanceName};
use scenarios::event::{By, Detail, HostChange, Life, Place};
use std::collections::{BTreeMap, BTreeSet};

/// Acts of an engine on a container that are an intervention when they come between power-on and active. `die` and
/// `oom` happen to a host rather than being done to it; they are told apart.
const INTERVENTIONS: [&str; 13] = [
    "start",
    "restart",
    "stop",
    "kill",
    "pause",
    "unpause",
    "update",
    "rename",
    "exec_create",
    "exec_start",
    "archive-path",
    "extract-to-dir",
    "destroy",
];

/// Rounds of the witness that must have begun and ended after the kill before one counts as proof: the round under way
/// at the kill has answers from before it.
pub(super) const ROUNDS_BEFORE_PROOF: u32 = 2;

impl Controller {
    fn place(&self, instance: usize) -> Option<(Place, HostName)> {
        let instance = self.placement.instances.get(instance)?;
        let host = self.placement.hosts.get(instance.host)?.name.clone();
        let place = Place {
            zone: Some(instance.zone.clone()),
            host: Some(host.clone()),
            service: Some(instance.service.clone()),
            instance: Some(instance.name.clone()),
        };
        Some((place, host))
    }

    fn instances_on(&self, hosts: &[HostName]) -> Vec<usize> {
        let hosts: BTreeSet<&HostName> = hosts.iter().collect();
        let on = |host: &&fixtures::placement::Host| hosts.contains(&host.name);
        self.placement.hosts.iter().filter(on).flat_map(|host| host.instances.iter().copied()).collect()
    }

    /// A probe of the witness whose outcome differs from the one before.
    pub(super) fn probed(&mut self, t_ns: Nanos, instance: usize, report: Report, out: &mut Vec<Command>) {
        let Some((place, host)) = self.place(instance) else { return };
        let dark = self.dark.contains(&host);
        let life = if report.life == Life::Starting && dark { Life::Off } else { report.life };
        let Report { degraded, missing, cause, took_us, .. } = report;
        let detail = Detail::Probe { outcome: life, cause, took_us };
        out.push(Command::Log { t_ns, by: By::Witness, place, detail, synced: false });
        self.looked.insert(instance, t_ns);
        self.set_life(t_ns, By::Witness, instance, Known { life, degraded, missing }, out);
    }

    fn set_life(&mut self, t_ns: Nanos, by: By, instance: usize, known: Known, out: &mut Vec<Command>) {
        let Some((place, host)) = self.place(instance) else { return };
        let Some(name) = place.instance.clone() else { return };
        if known.life == Life::Active || self.dark.contains(&host) {
            self.awaited.remove(&instance);
        } else {
            self.awaited.insert(instance);
        }
        if self.lives.get(&name) == Some(&known) {
            return;
        }
        let detail = Detail::State { to: known.life, degraded: known.degraded, missing: known.missing.clone() };
        let changed = self.lives.get(&name).is_none_or(|before| before.life != known.life);
        if let (true, Some(service), Some(zone)) = (changed, &place.service, &place.zone) {
            self.agenda.observed(t_ns, service, zone, known.life);
        }
        out.push(Command::Log { t_ns, by, place, detail, synced: false });
        self.lives.insert(name, known);
    }

    /// Somebody has looked whether a fault is in force.
    pub(super) fn effect_seen(&mut self, t_ns: Nanos, fault: String, effect: Effect, out: &mut Vec<Command>) {
        let Effect { holds, text, asked, measured } = effect;
        let detail =
            Detail::FaultEffect { fault, holds, expected: 0, dead: 0, answering: Vec::new(), text, asked, measured };
        out.push(Command::Log { t_ns, by: By::Hand, place: Place::default(), detail, synced: false });
    }

    /// Hosts got power.
    pub(super) fn powered(&mut self, t_ns: Nanos, hosts: &[HostName], out: &mut Vec<Command>) {
        for host in hosts {
            self.dark.remove(host);
            self.dead.remove(host);
        }
        let known = Known { life: Life::Starting, degraded: false, missing: Vec::new() };
        for instance in self.instances_on(hosts) {
            let before = self.outran(instance, t_ns);
            self.set_life(t_ns, By::Hand, instance, known.clone(), out);
            if let Some((at_ns, before)) = before {
                self.set_life(at_ns, By::Witness, instance, before, out);
            }
        }
    }

    /// What the witness saw of an instance that answered before the word came that its host had got power at a moment: the
    /// witness tells changes, and would not tell that one again.
    fn outran(&self, instance: usize, lit_ns: Nanos) -> Option<(Nanos, Known)> {
        let at_ns = *self.looked.get(&instance).filter(|at_ns| **at_ns > lit_ns)?;
        let known = self.lives.get(&self.placement.instances.get(instance)?.name)?;
        matches!(known.life, Life::Serving | Life::Active).then(|| (at_ns, known.clone()))
    }

    /// Hosts lost power.
    pub(super) fn unpowered(
        &mut self,
        t_ns: Nanos,
        hosts: &[HostName],
        dead: impl IntoIterator<Item = HostName>,
        out: &mut Vec<Command>,
    ) {
        self.dark.extend(hosts.iter().cloned());
        self.dead.extend(dead);
        let known = Known { life: Life::Off, degraded: false, missing: Vec::new() };
        for instance in self.instances_on(hosts) {
            self.set_life(t_ns, By::Hand, instance, known.clone(), out);
        }
    }

    /// Whether every instance whose host has power is active.
    pub(super) fn all_powered_active(&self) -> bool {
        self.awaited.is_empty()
    }

    /// The witness has looked at every instance: tells for each fault in force whether it still is.
    pub(super) fn round_probed(&mut self, t_ns: Nanos, answering: &[usize], out: &mut Vec<Command>) {
        let Stage::Round { round, .. } = self.stage else { return };
        self.rounds_owed = self.rounds_owed.saturating_sub(1);
        let mut proved = Vec::new();
        for (fault, rounds) in &mut self.live_faults {
            *rounds += 1;
            if *rounds >= ROUNDS_BEFORE_PROOF {
                proved.push(fault.clone());
            }
        }
        for fault in proved {
            let Some(step) = self.plan.rounds[round].steps.iter().find(|step| step.fault == fault) else { continue };
            let hosts: BTreeSet<&HostName> = step.hosts.iter().collect();
            let dead = hosts.iter().filter(|host| self.dead.contains(**host)).count();
            let answers = |index: &&usize| self.place(**index).is_some_and(|(_, host)| hosts.contains(&host));
            let name = |index: &usize| self.placement.instances[*index].name.clone();
            let answering: Vec<InstanceName> = answering.iter().filter(answers).map(name).collect();
            let (holds, expected) = (dead == hosts.len() && answering.is_empty(), hosts.len());
            let (text, asked, measured) = (String::new(), BTreeMap::new(), BTreeMap::new());
            let detail = Detail::FaultEffect { fault, holds, expected, dead, answering, text, asked, measured };
            out.push(Command::Log { t_ns, by: By::Witness, place: Place::default(), detail, synced: false });
        }
    }

    /// The engine's event stream shows an act on a host.
    pub(super) fn engine_saw(&mut self, t_ns: Nanos, host: HostName, action: &str, out: &mut Vec<Command>) {
        if matches!(self.stage, Stage::Provision | Stage::Teardown | Stage::Ended | Stage::Idle) {
            return;
        }
        let zone = self.zones.get(&host).cloned();
        let place = Place { zone, host: Some(host.clone()), ..Place::default() };
        let mut log = |detail| {
            out.push(Command::Log { t_ns, by: By::Engine, place: place.clone(), detail, synced: false });
        };
        // `exec_create: ls -l` is the act `exec_create`.
        let action = action.split(':').next().unwrap_or_default();
        match action {
            "die" => {
                log(Detail::Host { change: HostChange::Dead, note: String::new() });
                if self.dark.contains(&host) || self.is_own_act(&host, t_ns) {
                    self.dead.insert(host);
                } else {
                    let text = format!("host {host} died although no fault was aimed at it");
                    log(Detail::Caveat { code: "unplanned-death".to_owned(), text });
                }
            }
            "oom" => {
                log(Detail::Host { change: HostChange::OutOfMemory, note: String::new() });
                let text = format!("the engine's kernel killed a process of host {host} for want of memory");
                log(Detail::Caveat { code: "oom".to_owned(), text });
            }
            "start" if self.dark.contains(&host) && !self.is_own_act(&host, t_ns) => {
                // Somebody brought a dark host back: the fault has ended early.
                self.dead.remove(&host);
                log(Detail::Intervention { action: action.to_owned() });
            }
            // Our own acts of a later step of the same round are none.
            _ if self.is_own_act(&host, t_ns) => {}
            _ if self.is_recovering() && t_ns >= self.lit_at && INTERVENTIONS.contains(&action) => {
                log(Detail::Intervention { action: action.to_owned() });
            }
            _ => {}
        }
    }

    fn is_recovering(&self) -> bool {
        matches!(self.stage, Stage::Round { recovering: true, .. })
    }

    /// Whether the harness itself was acting on a host at a moment.
    fn is_own_act(&self, host: &HostName, t_ns: Nanos) -> bool {
        let busy = match &self.busy {
            Some(_) => self.acting_on.contains(host),
            None => false,
        };
        let acted = |(hosts, from_ns, to_ns): &(BTreeSet<HostName>, Nanos, Nanos)| {
            (*from_ns..*to_ns).contains(&t_ns) && hosts.contains(host)
        };
        busy || self.own_acts.iter().any(acted)
    }
}
