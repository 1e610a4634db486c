//! Owns the lives of simulated hosts and processes: power, boot, start, exit and restart, and what becomes of the disk.
//! Refuses to know why a host loses power.

use super::engine::{Engine, Happening};
use super::process::Host;
use crate::controller::Input;
use crate::witness::protocol::Seen;
use agents::machine::{Input as Given, Nanos, RequestId};
use agents::wire::{From, Line, Note};
use fixtures::name::ZoneName;
use scenarios::plan::Unsynced;

impl Engine {
    pub(super) fn light(&mut self, host: u32) {
        let known = &mut self.hosts[host as usize];
        if known.lit {
            return;
        }
        (known.lit, known.reachable) = (true, true);
        known.power += 1;
        self.host_note(host, Note::Powered);
        self.boot(host);
    }

    /// A host that has power boots, unless a fault keeps it from that.
    pub(super) fn boot(&mut self, host: u32) {
        let Host { lit, power, .. } = self.hosts[host as usize];
        if let (true, Some(takes)) = (lit, self.boot_takes(host)) {
            self.queue.push(self.now + takes, Happening::Booted { host, power });
        }
    }

    pub(super) fn darken(&mut self, host: u32, unsynced: Unsynced) {
        let known = &mut self.hosts[host as usize];
        known.reachable = false;
        if !std::mem::take(&mut known.lit) {
            return;
        }
        for index in known.first..known.first + known.count {
            let process = &mut self.processes[index as usize];
            for key in process.end() {
                self.calls.remove(key);
            }
            if let Some(disk) = &mut process.disk {
                match unsynced {
                    Unsynced::Kept => disk.process_ended(),
                    Unsynced::Lost => disk.power_lost(None),
                    Unsynced::Torn => disk.power_lost(Some(&mut self.seeds)),
                }
            }
        }
        let host = self.names[host as usize].clone();
        self.seen.push_back(Input::Engine { t_ns: self.now, host, action: "die".to_owned() });
    }

    pub(super) fn booted(&mut self, host: u32, power: u32) {
        let known = &self.hosts[host as usize];
        if !known.lit || known.power != power {
            return;
        }
        for process in known.first..known.first + known.count {
            let life = self.processes[process as usize].life;
            self.processes[process as usize].forget_pauses();
            self.launch(process, life);
        }
    }

    /// A supervisor starts a process; it runs when the processor has got it so far.
    pub(super) fn launch(&mut self, index: u32, life: u32) {
        let process = &self.processes[index as usize];
        let host = process.host;
        if process.life != life || !self.hosts[host as usize].lit {
            return;
        }
        let note = Note::ServiceStarted { process: process.name() };
        self.host_note(host, note);
        let delay = self.work(host, self.costs.start_ns);
        self.queue.push(self.now + delay, Happening::Begin { process: index, life });
    }

    pub(super) fn begin(&mut self, index: u32, life: u32) {
        let process = &mut self.processes[index as usize];
        if process.life != life || !self.hosts[process.host as usize].lit {
            return;
        }
        let host = process.host;
        if process.disk.is_some() && !self.disk_gives(host) {
            // Its state file cannot be opened.
            return self.exit(index, "exit status 1");
        }
        let process = &mut self.processes[index as usize];
        let torn_end = process.torn_end();
        if process.disk.as_mut().is_some_and(|disk| !disk.opened(torn_end)) {
            return self.exit(index, "exit status 1");
        }
        process.begin(self.now);
        let entries = process.disk.as_ref().map(|disk| disk.entries()).unwrap_or_default();
        self.tell_of_kept(index);
        if self.is_troubled(host) {
            self.feel_trouble(index, host);
        }
        self.give(index, Given::Start { entries }, 0);
    }

    /// A process ends by itself; its supervisor starts it again after a pause.
    pub(super) fn exit(&mut self, index: u32, status: &str) {
        if self.processes[index as usize].listens {
            self.break_calls(index);
        }
        let process = &mut self.processes[index as usize];
        let (host, name) = (process.host, process.name());
        let outgoing = process.end();
        if let Some(disk) = &mut process.disk {
            disk.process_ended();
        }
        let (life, pause) = (process.life, process.pause(self.now, &mut self.seeds));
        for key in outgoing {
            self.hang_up(key, 0);
        }
        self.host_note(host, Note::ServiceExited { process: name, status: status.to_owned() });
        self.queue.push(self.now + pause, Happening::Launch { process: index, life });
    }

    pub(super) fn append(&mut self, index: u32, id: RequestId, entry: (String, String), sync: bool) {
        let process = &mut self.processes[index as usize];
        let (life, host) = (process.life, process.host);
        let Some(longer) = self.disk_takes(host) else {
            return self.queue.push(self.now, Happening::Refused { process: index, life, request: id.0 });
        };
        let Some(disk) = &mut self.processes[index as usize].disk else { return };
        if let Some(takes) = disk.append(id, entry, sync, self.costs.sync_ns) {
            self.queue.push(self.now + takes + longer, Happening::Appended { process: index, life });
        }
    }

    pub(super) fn appended(&mut self, index: u32, life: u32) {
        let process = &mut self.processes[index as usize];
        if process.life != life {
            return;
        }
        let Some(disk) = &mut process.disk else { return };
        let (told, next) = disk.batch_done(self.costs.sync_ns);
        if let Some(takes) = next {
            self.queue.push(self.now + takes, Happening::Appended { process: index, life });
        }
        for id in told {
            self.give(index, Given::Appended { id, ok: true }, 0);
        }
    }

    /// A host's first process tells the witness something.
    fn host_note(&mut self, host: u32, note: Note) {
        let zone = self.zone_name(host);
        let from = From { zone, host: self.names[host as usize].clone(), service: None, instance: None };
        let line = Line { mono_ns: self.now, seq: 0, dropped: 0, from, note };
        self.seen.extend(self.observer.translate(&self.clock, Seen::Line(line)));
    }

    fn zone_name(&self, host: u32) -> ZoneName {
        self.zones[usize::from(self.hosts[host as usize].zone)].clone()
    }

    /// When each of so many hosts changes: after `wait_ns`, and within `skew_ns` of each other; the times are drawn.
    pub(super) fn moments(&mut self, count: usize, wait_ns: Nanos, skew_ns: Nanos) -> Vec<Nanos> {
        (0..count).map(|_| self.now + wait_ns + self.seeds.up_to(skew_ns)).collect()
    }
}
