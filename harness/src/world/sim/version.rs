//! Owns pushes and deployments in a simulated region: processes are told their version as they are told of trouble, and a
//! deployment ends them, so that their supervisors start them again. Refuses to know what is different in a version.

use super::engine::Engine;
use super::process::{Mind, Process};
use fixtures::name::ServiceName;
use fixtures::trouble::{InForce, Trouble};
use fixtures::version::Version;

/// How a process ends that is stopped in order.
pub(super) const STOPPED: &str = "signal: 15 (SIGTERM)";

impl Engine {
    /// Rolls a version out; says what came of it, or why nothing did.
    pub(super) fn begin_version(
        &mut self,
        fault: &str,
        hosts: &[u32],
        service: &ServiceName,
        version: &Version,
    ) -> Result<String, &'static str> {
        let services = std::slice::from_ref(service);
        let told = InForce { trouble: Trouble::Changed(version.clone()), services: services.to_vec() };
        self.begin_trouble(fault, hosts, &told);
        if version.at_start {
            let ended = self.end_processes(hosts, services, STOPPED);
            if ended == 0 {
                self.end_trouble(fault, hosts);
                return Err("no process of it ran that could have been replaced");
            }
            return Ok(format!("{ended} processes were ended and start again as version `{}`", version.name));
        }
        let runs = |process: &&Process| matches!(process.mind.as_deref(), Some(Mind::Instance(machine)) if machine.version() == version.name);
        let on = |host: &u32| {
            let host = &self.hosts[*host as usize];
            (host.first..host.first + host.count).map(|index| &self.processes[index as usize]).filter(runs).count()
        };
        match hosts.iter().map(on).sum::<usize>() {
            0 => {
                self.end_trouble(fault, hosts);
                Err("no process of it ran that could have taken the settings")
            }
            count => Ok(format!("{count} processes run version `{}`", version.name)),
        }
    }

    /// Rolls it back.
    pub(super) fn end_version(&mut self, fault: &str, hosts: &[u32], service: &ServiceName, version: &Version) {
        self.end_trouble(fault, hosts);
        if version.at_start {
            self.end_processes(hosts, std::slice::from_ref(service), STOPPED);
        }
    }
}
