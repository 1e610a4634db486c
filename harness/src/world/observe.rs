//! Owns the translation of what the witness and the engine tell into the controller's inputs: their clocks into the
//! run's, their words into the vocabulary of events. Refuses to judge.

use crate::clock::Clock;
use crate::controller::{Effect, Input, Report};
use crate::witness::protocol::{Outcome, Seen};
use agents::wire::{Line, NeedOutcome as AgentNeed, Note};
use fixtures::name::{InstanceName, ServiceName};
use scenarios::build::observed::Building;
use scenarios::event::{By, Detail, HostChange, Life, NeedOutcome, OperationOutcome, Place, STANDBY, WriteOutcome};
use std::collections::BTreeMap;

/// Translates, and watches the numbers of lines and windows for gaps.
#[derive(Debug, Default)]
pub(crate) struct Observer {
    next_window: BTreeMap<(String, bool), u64>,
    dropped: u64,
    /// In a region that was taken over: what was noted before this moment of the machine's clock is nobody's business, and the
    /// first window of a canary is not its first.
    taken_ns: Option<u64>,
}

impl Observer {
    /// One that was not there from the beginning, where a moment is given.
    pub(crate) fn from_then_on(taken_ns: Option<u64>) -> Self {
        Self { taken_ns, ..Self::default() }
    }

    /// Inputs for one message of the witness.
    pub(crate) fn translate(&mut self, clock: &Clock, seen: Seen) -> Vec<Input> {
        match seen {
            Seen::Line(line) => self.line(clock, line),
            Seen::Probe { probe, outcome, mono_ns, took_us } => {
                let report = report(outcome, took_us);
                vec![Input::Probe { t_ns: clock.of_mono(mono_ns), instance: probe, report }]
            }
            Seen::Round { mono_ns, answering } => vec![Input::Round { t_ns: clock.of_mono(mono_ns), answering }],
            Seen::Acknowledged { key, stored_at, mono_ns } => {
                let stored_at = stored_at.into_iter().map(InstanceName).collect();
                vec![write(clock, key, WriteOutcome::Acknowledged, stored_at, mono_ns)]
            }
            Seen::Unacknowledged { key, mono_ns } => {
                vec![write(clock, key, WriteOutcome::Unacknowledged, Vec::new(), mono_ns)]
            }
            Seen::ReadBack { key, acknowledged, from, there, mono_ns } => {
                let outcome = match (acknowledged, there) {
                    (true, Some(true)) => WriteOutcome::ReadBack,
                    (true, Some(false)) => WriteOutcome::Lost,
                    (true, None) => WriteOutcome::Unreadable,
                    (false, Some(true)) => WriteOutcome::Found,
                    (false, Some(false)) => WriteOutcome::Absent,
                    // Nobody was promised anything.
                    (false, None) => return Vec::new(),
                };
                vec![write(clock, key, outcome, vec![InstanceName(from)], mono_ns)]
            }
            Seen::Operation { service, member, key, write, read, done, began_ns, mono_ns, .. } => {
                let outcome = if done { OperationOutcome::Done } else { OperationOutcome::Unknown };
                let detail = Detail::Operation { key, write, read, began_ns: clock.of_mono(began_ns), outcome };
                let (zone, service) = (Some(member.zone), ServiceName::new(service).ok());
                let place = Place { zone, host: None, service, instance: Some(member.name) };
                vec![Input::Seen { t_ns: clock.of_mono(mono_ns), by: By::Witness, place, detail }]
            }
            Seen::Switched { fault, obeying, unable, of, mono_ns } => {
                let text = format!("{obeying} of {of} instances obey, {unable} have nothing to switch");
                // Who is dark obeys nobody, and serves nobody either.
                let effect = Effect { holds: obeying > 0, text, ..Effect::default() };
                vec![Input::Effect { t_ns: clock.of_mono(mono_ns), fault, effect }]
            }
            Seen::Pong { .. } | Seen::Version { .. } | Seen::Answered { .. } | Seen::ReadBackDone => Vec::new(),
        }
    }

    fn line(&mut self, clock: &Clock, line: Line) -> Vec<Input> {
        if self.taken_ns.is_some_and(|taken_ns| line.mono_ns < taken_ns) {
            return Vec::new();
        }
        let t_ns = clock.of_mono(line.mono_ns);
        let from = line.from;
        let place =
            Place { zone: Some(from.zone), host: Some(from.host), service: from.service, instance: from.instance };
        let mut inputs = Vec::new();
        if line.dropped > 0 {
            self.dropped += line.dropped;
            let text = format!("{} notes of agents were dropped before they reached the witness", self.dropped);
            inputs.push(caveat(t_ns, "dropped-notes", text));
        }
        let (by, t_ns, detail) = match line.note {
            Note::Canary { control, seq, end_ns, .. } => {
                inputs.extend(self.gap(t_ns, &place, control, seq));
                (By::Canary, clock.of_mono(end_ns), told(line.note))
            }
            // It speaks of those who asked.
            Note::Arrived { .. } => (By::Callee, t_ns, told(line.note)),
            // Whoever is on call stands outside, where the witness is: an alarm is what reached it.
            Note::Alarm { .. } => (By::Witness, t_ns, told(line.note)),
            note => (By::Own, t_ns, told(note)),
        };
        inputs.push(Input::Seen { t_ns, by, place, detail });
        inputs
    }

    /// A window that never arrived makes what was measured incomplete. A canary that starts again starts at zero.
    fn gap(&mut self, t_ns: u64, place: &Place, control: bool, seq: u64) -> Option<Input> {
        let zone = place.zone.as_ref().map(ToString::to_string).unwrap_or_default();
        let expected = self.next_window.insert((zone.clone(), control), seq + 1);
        let expected = expected.unwrap_or(if self.taken_ns.is_some() { seq } else { 0 });
        if seq == expected || seq == 0 {
            return None;
        }
        Some(caveat(
            t_ns,
            "lost-windows",
            format!("windows {expected} to {} of the canary in {zone} never arrived", seq - 1),
        ))
    }
}

fn caveat(t_ns: u64, code: &str, text: String) -> Input {
    let detail = Detail::Caveat { code: code.to_owned(), text };
    Input::Seen { t_ns, by: By::Controller, place: Place::default(), detail }
}

fn write(clock: &Clock, key: String, outcome: WriteOutcome, stored_at: Vec<InstanceName>, mono_ns: u64) -> Input {
    let detail = Detail::Write { key, outcome, stored_at };
    Input::Seen { t_ns: clock.of_mono(mono_ns), by: By::Witness, place: Place::default(), detail }
}

fn report(outcome: Outcome, took_us: u64) -> Report {
    let services = |names: Vec<String>| names.into_iter().filter_map(|name| ServiceName::new(name).ok()).collect();
    let (life, degraded, missing, cause) = match outcome {
        Outcome::Silent(cause) => (Life::Starting, false, Vec::new(), cause),
        Outcome::Failing { cause, missing } => (Life::Serving, false, services(missing), cause),
        Outcome::Degraded(missing) => (Life::Serving, true, services(missing), "degraded".to_owned()),
        Outcome::Active => (Life::Active, false, Vec::new(), String::new()),
        Outcome::StandsBy => (Life::Active, false, Vec::new(), STANDBY.to_owned()),
    };
    Report { life, degraded, missing, cause, took_us }
}

/// A note in the words of events.
fn told(note: Note) -> Detail {
    match note {
        Note::Powered => Detail::Host { change: HostChange::Powered, note: String::new() },
        Note::ServiceStarted { process } => Detail::Host { change: HostChange::ServiceStarted, note: process },
        Note::ServiceExited { process, status } => {
            Detail::Host { change: HostChange::ServiceExited, note: format!("{process}: {status}") }
        }
        Note::Starting => state(Life::Starting),
        Note::Serving => state(Life::Serving),
        Note::Need { need, from, outcome, attempts } => {
            let outcome = match outcome {
                AgentNeed::Waiting => NeedOutcome::Waiting,
                AgentNeed::Acquired => NeedOutcome::Acquired,
                AgentNeed::GaveUp => NeedOutcome::GaveUp,
            };
            Detail::Need { need, from, outcome, attempts }
        }
        Note::Software { delivery, version, sha256, from, why } => {
            let from = (!from.is_empty()).then_some(InstanceName(from));
            Detail::Build { seen: Building::Software { delivery, version, sha256, from, text: why } }
        }
        Note::Call { to, sent, failed, hard } => Detail::Call { to, sent, failed, hard },
        Note::Arrived { over_ns, received, again, refused, late, needs, denied, postponed } => {
            Detail::Arrived { over_ns, received, again, refused, late, needs, denied, postponed }
        }
        Note::Tap { operation, calls, refused } => Detail::Tap { operation, calls, refused },
        Note::Metrics { dropped } => Detail::Metrics { dropped },
        Note::Alarm { zone, service, raised, cause, failed, requests } => {
            Detail::Alarm { about_zone: zone, about: service, raised, cause, failed, requests }
        }
        Note::Scaled { group, from, to, cause } => Detail::Scaled { group, from, to, cause },
        Note::Canary {
            control, seq, window_ns, sent, ok, degraded, failed, latency_us, retries, operations, ..
        } => Detail::Canary { control, seq, window_ns, sent, ok, degraded, failed, latency_us, retries, operations },
    }
}

fn state(to: Life) -> Detail {
    Detail::State { to, degraded: false, missing: Vec::new() }
}
