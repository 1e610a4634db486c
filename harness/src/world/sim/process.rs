//! Owns a simulated host and the processes on it: who has power, what runs, and how its supervisor paces restarts.
//! Refuses to know what happens when.

use super::calls::Key;
use super::disk::Disk;
use super::software::Packaged;
use agents::canary::Canary;
use agents::config::CanaryConfig;
use agents::machine::ordered::Ordered;
use agents::machine::role::Role;
use agents::machine::{Actor, AttemptId, Machine, Nanos};
use agents::supervisor::{RESTART_CALM, RESTART_PAUSE, RESTART_PAUSES};
use agents::wire::From;
use fixtures::graph::store::TornEnd;
use fixtures::name::{HostName, InstanceName, ServiceName};
use scenarios::seed::Seeds;
use std::sync::Arc;

/// One machine in a zone.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) zone: u16,
    pub(super) lit: bool,
    /// Its network is up and refuses what nobody listens to: from before its gate opens until it loses power.
    pub(super) reachable: bool,
    /// How often it has had power: what belongs to an earlier time is void.
    pub(super) power: u32,
    pub(super) boot_ns: Nanos,
    /// Thousandths of a processor that it is left.
    pub(super) left_milli: u32,
    /// Its processes.
    pub(super) first: u32,
    pub(super) count: u32,
    /// Its echo, where it carries one.
    pub(super) echo: Option<u32>,
    /// Its name server, where it carries one.
    pub(super) names: Option<u32>,
}

/// What a process runs.
#[derive(Debug)]
pub(super) enum Program {
    /// A mock service.
    Instance { role: Arc<Role>, name: InstanceName, seed: u64 },
    /// A customer.
    Customer(Box<CanaryConfig>),
}

/// A process that runs.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are instances: boxing them would cost an allocation each")]
pub(super) enum Mind {
    Instance(Machine),
    Customer(Box<Canary>),
}

/// One process of a host, running or not.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) host: u32,
    pub(super) program: Program,
    /// How often it has run: what belongs to an earlier life is void.
    pub(super) life: u32,
    pub(super) mind: Option<Box<Mind>>,
    pub(super) listens: bool,
    /// The wake-up that is entered for it; the highest number where there is none.
    pub(super) wake_at: Nanos,
    pub(super) outgoing: Ordered<AttemptId, Key>,
    pub(super) disk: Option<Box<Disk>>,
    /// What it fetches, where its host begins generic.
    pub(super) software: Option<Box<Packaged>>,
    pub(super) notes: u64,
    began: Nanos,
    pause_ns: Nanos,
}

impl Process {
    pub(super) fn new(host: u32, program: Program, keeps: bool) -> Self {
        Self {
            host,
            program,
            life: 0,
            mind: None,
            listens: false,
            wake_at: Nanos::MAX,
            outgoing: Ordered::default(),
            disk: keeps.then(Box::default),
            software: None,
            notes: 0,
            began: 0,
            pause_ns: pause_ns(),
        }
    }

    /// What it makes of a torn end of its file.
    pub(super) fn torn_end(&self) -> TornEnd {
        match &self.program {
            Program::Instance { role, .. } => role.config.store.torn_end,
            Program::Customer(_) => TornEnd::Cut,
        }
    }

    /// Its name, as its supervisor says it.
    pub(super) fn name(&self) -> String {
        match &self.program {
            Program::Instance { name, .. } => name.to_string(),
            Program::Customer(config) => format!("canary-{}", config.zone),
        }
    }

    /// The service that it is an instance of.
    pub(super) fn service(&self) -> Option<&ServiceName> {
        match &self.program {
            Program::Instance { role, .. } => role.config.from.service.as_ref(),
            Program::Customer(_) => None,
        }
    }

    /// Who it is, as notes say it.
    pub(super) fn from(&self, host: &HostName) -> From {
        match &self.program {
            Program::Customer(config) => config.from.clone(),
            Program::Instance { role, name, .. } => {
                let known = &role.config.from;
                let instance = known.service.is_some().then(|| name.clone());
                From { zone: known.zone.clone(), host: host.clone(), service: known.service.clone(), instance }
            }
        }
    }

    /// The program as it begins.
    pub(super) fn begin(&mut self, now: Nanos) {
        self.began = now;
        self.notes = 0;
        self.mind = Some(Box::new(match &self.program {
            Program::Instance { role, name, seed } => {
                let role = self.software.as_ref().and_then(|packaged| packaged.role()).unwrap_or(role);
                Mind::Instance(Machine::of(Arc::clone(role), name.clone(), *seed))
            }
            Program::Customer(config) => Mind::Customer(Box::new(Canary::new((**config).clone()))),
        }));
    }

    /// Ends it; returns the calls that it was making.
    pub(super) fn end(&mut self) -> Vec<Key> {
        self.life += 1;
        self.mind = None;
        self.listens = false;
        self.wake_at = Nanos::MAX;
        let outgoing = std::mem::take(&mut self.outgoing);
        outgoing.iter().map(|(_, key)| *key).collect()
    }

    /// How long its supervisor waits before it starts it again.
    pub(super) fn pause(&mut self, now: Nanos, seeds: &mut Seeds) -> Nanos {
        if now.saturating_sub(self.began) > agents::config::nanos(RESTART_CALM) {
            self.pause_ns = pause_ns();
        }
        // Jitter, so that hosts that lost the same thing at the same time do not come back in step.
        let pause = self.pause_ns / 2 + seeds.up_to(self.pause_ns / 2);
        self.pause_ns = (self.pause_ns * 2).min(pause_ns() * u64::from(RESTART_PAUSES));
        pause
    }

    /// A new supervisor knows nothing of what was before.
    pub(super) fn forget_pauses(&mut self) {
        self.pause_ns = pause_ns();
    }
}

fn pause_ns() -> Nanos {
    agents::config::nanos(RESTART_PAUSE)
}

impl Mind {
    pub(super) fn actor(&mut self) -> &mut dyn Actor {
        match self {
            Self::Instance(machine) => machine,
            Self::Customer(canary) => canary.as_mut(),
        }
    }
}
