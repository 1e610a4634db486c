//! Owns simulated faults other than the loss of power: what each does to hosts, disks and links, and how it is undone.
//! Refuses to decide when; and to pretend: what is not simulated has no effect, and says so.

use super::SimWorld;
use super::engine::{Engine, Happening};
use super::network::Rule;
use super::process::Program;
use super::version::STOPPED;
use crate::controller::{Done, Effect, Input};
use crate::world::HOST_MEMORY_BYTES;
use agents::machine::Nanos;
use fixtures::trouble::InForce;
use scenarios::plan::{BootTrouble, Deed};
use std::collections::{BTreeMap, BTreeSet};

/// What a process holds: an idle agent was measured at 3.6 MB, one with TLS under 6 (`figures/bench.txt`).
const PROCESS_BYTES: u64 = 4 * 1024 * 1024;
/// Pause between two looks at a fault in force, as on an engine.
const LOOK_EVERY_NS: Nanos = 400_000_000;
/// Without a limit, a host's processor counts as this many thousandths.
pub(super) const WHOLE_MILLI: u32 = 1_000;

/// Faults in force.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// By name, with what each must say of itself.
    live: BTreeMap<String, String>,
    /// Hosts that do not boot as they should.
    boots: BTreeMap<u32, BootTrouble>,
    /// Those of them that have power and wait.
    waiting: BTreeSet<u32>,
    /// When each place at a bottleneck is free.
    places: Vec<Nanos>,
    /// Hosts at a standstill, and what they have missed so far.
    paused: BTreeSet<u32>,
    missed: Vec<(u32, Happening)>,
    /// Hosts whose disk takes nothing, or nothing and gives nothing.
    full: BTreeSet<u32>,
    broken: BTreeSet<u32>,
    /// How much longer each write takes.
    slow_ns: BTreeMap<u32, Nanos>,
}

impl SimWorld {
    pub(super) fn inject(&mut self, fault: String, deed: &Deed, hosts: &[u32]) {
        let engine = &mut self.engine;
        let done = match engine.begin_fault(&fault, deed, hosts, &self.by_name) {
            Ok(text) => {
                let text = format!("{text} (simulated)");
                if !matches!(deed, Deed::End { .. }) {
                    engine.faults.live.insert(fault.clone(), text.clone());
                    engine.queue.push(engine.now + LOOK_EVERY_NS, Happening::Look(fault.into()));
                }
                let effect = Effect { holds: true, text, ..Effect::default() };
                Done::Injected { t_ns: engine.now, method: "simulated".to_owned(), effect: Some(effect) }
            }
            Err(why) => {
                let effect = Effect { holds: false, text: why.to_owned(), ..Effect::default() };
                Done::Injected { t_ns: engine.now, method: "none".to_owned(), effect: Some(effect) }
            }
        };
        self.end_act(done);
    }

    pub(super) fn heal(&mut self, fault: &str, deed: &Deed, hosts: &[u32]) {
        let engine = &mut self.engine;
        engine.look(fault);
        if engine.faults.live.remove(fault).is_some() {
            engine.end_fault(fault, deed, hosts);
        }
        self.end_act(Done::Healed { t_ns: self.engine.now, method: "simulated".to_owned() });
    }
}

impl Engine {
    /// Tells how it stands with a fault; while it lasts, again and again.
    pub(super) fn look_again(&mut self, fault: Box<str>) {
        if self.look(&fault) {
            self.queue.push(self.now + LOOK_EVERY_NS, Happening::Look(fault));
        }
    }

    fn look(&mut self, fault: &str) -> bool {
        let Some(text) = self.faults.live.get(fault) else { return false };
        let effect = Effect { holds: true, text: text.clone(), ..Effect::default() };
        self.seen.push_back(Input::Effect { t_ns: self.now, fault: fault.to_owned(), effect });
        true
    }

    fn begin_fault(
        &mut self,
        fault: &str,
        deed: &Deed,
        hosts: &[u32],
        by_name: &BTreeMap<fixtures::name::HostName, u32>,
    ) -> Result<String, &'static str> {
        let count = hosts.len();
        Ok(match deed {
            Deed::Power { .. } | Deed::Restart => return Err("power is not taken by a deed"),
            Deed::Switch { .. } => return Err("the witness switches, not a deed"),
            Deed::Change { service, version, .. } => self.begin_version(fault, hosts, service, version)?,
            Deed::Memory { fill_milli } => self.fill_memory(*fill_milli, hosts)?,
            Deed::Boot { trouble } => {
                self.faults.boots.extend(hosts.iter().map(|&host| (host, *trouble)));
                if let BootTrouble::Bottleneck { at_once, .. } = trouble {
                    self.faults.places = vec![0; (*at_once).max(1)];
                }
                format!("{count} hosts do not boot as they should")
            }
            Deed::Pause => {
                self.faults.paused.extend(hosts);
                format!("{count} hosts stand still")
            }
            Deed::End { services, kill } => {
                let status = if *kill { "signal: 9 (SIGKILL)" } else { STOPPED };
                let ended = self.end_processes(hosts, services, status);
                format!("{ended} processes were ended")
            }
            Deed::Processor { left_milli } => {
                for &host in hosts {
                    self.hosts[host as usize].left_milli = (*left_milli).max(1);
                }
                format!("{count} hosts have {left_milli} thousandths of a processor")
            }
            Deed::DiskFull => {
                self.faults.full.extend(hosts);
                format!("the disks of {count} hosts are full")
            }
            Deed::DiskErrors => {
                self.faults.broken.extend(hosts);
                format!("the disks of {count} hosts fail")
            }
            Deed::DiskSlow { delay_ms } => {
                self.faults.slow_ns.extend(hosts.iter().map(|&host| (host, delay_ms * 1_000_000)));
                format!("every write to the disks of {count} hosts takes {delay_ms} ms longer")
            }
            Deed::Trouble { trouble, services } => {
                let in_force = InForce { trouble: trouble.clone(), services: services.clone() };
                self.begin_trouble(fault, hosts, &in_force);
                format!("{} processes are in trouble: {}", self.feeling(hosts, services), trouble.word())
            }
            Deed::Network { rules } => {
                let number = |names: &[fixtures::name::HostName]| {
                    names.iter().filter_map(|name| by_name.get(name).copied()).collect::<Vec<u32>>()
                };
                let rule = |rule: &scenarios::plan::LinkRule| {
                    Rule::new(&number(&rule.from), &number(&rule.to), self.hosts.len(), rule.act)
                };
                let rules: Vec<Rule> = rules.iter().map(rule).collect();
                let text = format!("{} rules for links are in force", rules.len());
                self.network.rules.insert(fault.to_owned(), rules);
                text
            }
        })
    }

    fn end_fault(&mut self, fault: &str, deed: &Deed, hosts: &[u32]) {
        match deed {
            Deed::Power { .. } | Deed::Restart | Deed::Memory { .. } | Deed::End { .. } | Deed::Switch { .. } => {}
            Deed::Boot { .. } => {
                for host in hosts {
                    self.faults.boots.remove(host);
                    if self.faults.waiting.remove(host) {
                        self.boot(*host);
                    }
                }
            }
            Deed::Pause => self.resume(hosts),
            Deed::Processor { .. } => {
                for &host in hosts {
                    self.hosts[host as usize].left_milli = WHOLE_MILLI;
                }
            }
            Deed::DiskFull => self.faults.full.retain(|host| !hosts.contains(host)),
            Deed::DiskErrors => self.faults.broken.retain(|host| !hosts.contains(host)),
            Deed::DiskSlow { .. } => self.faults.slow_ns.retain(|host, _| !hosts.contains(host)),
            Deed::Network { .. } => {
                self.network.rules.remove(fault);
            }
            Deed::Trouble { .. } => self.end_trouble(fault, hosts),
            Deed::Change { service, version, .. } => self.end_version(fault, hosts, service, version),
        }
    }

    /// What is taken is what nobody needs: processes of a host hold their few MB already. Where less is left than those the
    /// kernel would end one of them, and which one is not simulated.
    fn fill_memory(&self, fill_milli: u32, hosts: &[u32]) -> Result<String, &'static str> {
        let left = HOST_MEMORY_BYTES / 1000 * u64::from(1000_u32.saturating_sub(fill_milli));
        // The supervisor is a process too.
        let held = |&host: &u32| (u64::from(self.hosts[host as usize].count) + 1) * PROCESS_BYTES;
        if hosts.iter().map(held).any(|held| held > left) {
            return Err(
                "less memory is left than processes hold, and whom the kernel ends is not simulated: use an engine",
            );
        }
        Ok(format!("memory of {} host(s) is filled, of which nobody there needs more than is left", hosts.len()))
    }

    pub(super) fn end_processes(
        &mut self,
        hosts: &[u32],
        services: &[fixtures::name::ServiceName],
        status: &str,
    ) -> usize {
        let mut meant = Vec::new();
        for &host in hosts {
            let host = &self.hosts[host as usize];
            meant.extend((host.first..host.first + host.count).filter(|&index| {
                let process = &self.processes[index as usize];
                let Program::Instance { role, .. } = &process.program else { return false };
                let service = role.config.from.service.as_ref();
                process.mind.is_some() && service.is_some_and(|service| services.contains(service))
            }));
        }
        for &index in &meant {
            self.exit(index, status);
        }
        meant.len()
    }

    /// How long a host that has power takes to boot; `None` where it waits for its fault to be healed.
    pub(super) fn boot_takes(&mut self, host: u32) -> Option<Nanos> {
        let boot_ns = self.hosts[host as usize].boot_ns;
        match self.faults.boots.get(&host) {
            None => Some(boot_ns),
            Some(BootTrouble::Late(late_ms)) => Some(boot_ns + late_ms * 1_000_000),
            Some(BootTrouble::Never) => {
                self.faults.waiting.insert(host);
                None
            }
            Some(BootTrouble::Bottleneck { each_ms, .. }) => {
                let free = self.faults.places.iter_mut().min()?;
                *free = self.now.max(*free) + each_ms * 1_000_000;
                Some(*free - self.now + boot_ns)
            }
        }
    }

    /// Keeps what happens to a host at a standstill; gives back what is to happen now.
    pub(super) fn unless_paused(&mut self, happening: Happening) -> Option<Happening> {
        if self.faults.paused.is_empty() {
            return Some(happening);
        }
        match self.host_of(&happening).filter(|host| self.faults.paused.contains(host)) {
            None => Some(happening),
            Some(host) => {
                self.faults.missed.push((host, happening));
                None
            }
        }
    }

    fn resume(&mut self, hosts: &[u32]) {
        self.faults.paused.retain(|host| !hosts.contains(host));
        let missed = std::mem::take(&mut self.faults.missed);
        for (host, happening) in missed {
            if !hosts.contains(&host) {
                self.faults.missed.push((host, happening));
                continue;
            }
            if let Happening::Wake { process, .. } = happening {
                // It wakes as late as it was kept from it.
                self.processes[process as usize].wake_at = self.now;
            }
            self.queue.push(self.now, happening);
        }
    }

    /// Whether a host's disk takes an append, and how much longer it takes.
    pub(super) fn disk_takes(&self, host: u32) -> Option<Nanos> {
        let refuses = self.faults.full.contains(&host) || self.faults.broken.contains(&host);
        (!refuses).then(|| self.faults.slow_ns.get(&host).copied().unwrap_or_default())
    }

    /// Whether a host's disk can be read.
    pub(super) fn disk_gives(&self, host: u32) -> bool {
        !self.faults.broken.contains(&host)
    }
}
