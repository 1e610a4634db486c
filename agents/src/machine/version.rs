//! Owns which version of its service an instance runs: what a push changes while it runs, what a deployment changes when
//! it starts, and that the end of either is the way back. Refuses to know who rolls anything out.
//!
//! A version is a configuration: what is different in it is put into that of the graph, and everything that follows is
//! worked out anew. Requests under way go on in the new one.

use super::role::Role;
use super::{Machine, Nanos, Output};
use crate::config::{InstanceConfig, nanos};
use fixtures::trouble::{InForce, Trouble};
use fixtures::version::{Settings, Version};
use std::sync::Arc;

/// Exit status of a process whose version does not start.
pub const EXIT_DOES_NOT_START: i32 = 70;

/// What an instance was made from, and what it runs now.
#[derive(Debug)]
pub(super) struct Versions {
    declared: Arc<Role>,
    running: Option<Version>,
    started: bool,
}

impl Versions {
    pub(super) fn new(declared: &Arc<Role>) -> Self {
        Self { declared: Arc::clone(declared), running: None, started: false }
    }

    /// The name of the version that runs; empty where it is what the graph says.
    pub(super) fn name(&self) -> &str {
        self.running.as_ref().map_or("", |version| &version.name)
    }

    /// Whether every operation answers an error.
    pub(super) fn fails(&self) -> bool {
        self.running.as_ref().is_some_and(|version| version.set.fails)
    }
}

impl Machine {
    /// The name of the version that it runs; empty where it is what the graph says.
    pub fn version(&self) -> &str {
        self.versions.name()
    }

    /// The process has started; false where its version ends right away.
    pub(super) fn starts(&mut self, out: &mut Vec<Output>) -> bool {
        self.versions.started = true;
        let ends = self.versions.running.as_ref().is_some_and(|version| version.set.does_not_start);
        if ends {
            out.push(Output::Exit(EXIT_DOES_NOT_START));
        }
        !ends
    }

    /// What is in force on its host has changed, and with it perhaps the version: one that is taken at the start is
    /// neither taken nor left by a process that runs.
    pub(super) fn turn_to_version(&mut self, now: Nanos, in_force: &[InForce]) {
        let service = self.role.config.from.service.as_ref();
        let mut told = in_force.iter().filter(|one| one.is_about(service)).filter_map(|one| match &one.trouble {
            Trouble::Changed(version) => Some(version),
            _ => None,
        });
        let wanted = told.next().cloned();
        let Versions { declared, running, started } = &mut self.versions;
        let fixed = |version: &Option<Version>| version.as_ref().is_some_and(|version| version.at_start);
        if wanted == *running || (*started && (fixed(&wanted) || fixed(running))) {
            return;
        }
        self.role = match &wanted {
            Some(version) => Arc::new(Role::new(changed(&declared.config, &version.set))),
            None => Arc::clone(declared),
        };
        *running = wanted;
        // Those who wait keep their turn; who comes from now on does not wait at the old pace behind them.
        self.next_free = self.next_free.min(now);
    }
}

/// A configuration with what is different in a version.
fn changed(declared: &InstanceConfig, set: &Settings) -> InstanceConfig {
    let mut config = declared.clone();
    config.work = set.work.unwrap_or(config.work);
    config.interval_ns = set.capacity.map_or(config.interval_ns, |rate| nanos(rate.interval()));
    for other in &set.calls {
        for call in config.calls.iter_mut().filter(|call| call.to == other.to) {
            call.timeout = other.timeout.unwrap_or(call.timeout);
            call.attempts = other.attempts.unwrap_or(call.attempts);
            call.strength = other.strength.unwrap_or(call.strength);
        }
    }
    config
}
