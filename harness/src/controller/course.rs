//! Owns which phase follows which and when. Refuses to know what the world sees meanwhile ([`super::watch`]).

use super::{Command, Controller, Do, Done, Nanos, Stage};
use fixtures::name::HostName;
use scenarios::event::{Act, By, Detail, Phase, Place};
use scenarios::plan::Step;
use std::time::Duration;

fn ns(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Controller {
    pub(super) fn begin(&mut self, now: Nanos, out: &mut Vec<Command>) {
        self.stage = Stage::Provision;
        self.enter(now, Phase::Provision, 0, out);
        self.act(Do::Provision, out);
    }

    /// The act under way has come to its end.
    pub(super) fn done(&mut self, now: Nanos, result: Result<Done, String>, out: &mut Vec<Command>) {
        let act = self.busy.take();
        if self.stage == Stage::Teardown {
            return self.torn_down(now, result, out);
        }
        if self.ending.is_some() {
            return self.tear_down(now, out);
        }
        match (result, act) {
            (Err(why), _) => self.fail(now, why, out),
            (Ok(Done::Provisioned), _) => self.first_power(now, out),
            (Ok(Done::Lit { t_ns, skew_ns, method }), Some(Do::PowerOn(hosts))) => {
                self.lit(now, t_ns, skew_ns, method, hosts, out);
            }
            (Ok(Done::Dark { t_ns, skew_ns, method, dead }), _) => self.gone_dark(t_ns, skew_ns, method, dead, out),
            (Ok(Done::ReadBack), _) => self.tear_down(now, out),
            (Ok(Done::Lit { .. } | Done::TornDown { .. }), _) => {}
        }
    }

    fn torn_down(&mut self, now: Nanos, result: Result<Done, String>, out: &mut Vec<Command>) {
        match result {
            Ok(Done::TornDown { residue }) => {
                for (object, name) in residue {
                    self.log(now, Detail::Residue { object, name }, out);
                }
            }
            Ok(_) => {}
            Err(why) => {
                self.log(now, Detail::Caveat { code: "harness-failed".to_owned(), text: why.clone() }, out);
                self.ending.get_or_insert(super::Ending::Failed(why));
            }
        }
        self.end(now, out);
    }

    fn first_power(&mut self, now: Nanos, out: &mut Vec<Command>) {
        self.enter(now, Phase::Settle, 0, out);
        self.stage = Stage::Settle { limit: now.saturating_add(ns(self.scenario.windows.settle)) };
        let hosts = self.placement.hosts.iter().map(|host| host.name.clone()).collect();
        self.act(Do::PowerOn(hosts), out);
    }

    fn lit(
        &mut self,
        now: Nanos,
        t_ns: Nanos,
        skew_ns: u64,
        method: String,
        hosts: Vec<HostName>,
        out: &mut Vec<Command>,
    ) {
        self.lit_at = t_ns;
        let (step, fault) = match self.step() {
            Some(step) => (step.id.clone(), step.fault.clone()),
            None => ("power-on".to_owned(), String::new()),
        };
        self.live_faults.remove(&fault);
        self.powered(t_ns, &hosts, out);
        let unsynced_lost = Vec::new();
        let detail = Detail::StepDone { step, fault, act: Act::Heal, method, skew_ns, hosts, unsynced_lost };
        out.push(Command::Log { t_ns, by: By::Hand, place: Place::default(), detail, synced: false });
        match self.stage {
            Stage::Settle { .. } => {
                self.stage = Stage::Settle { limit: now.saturating_add(ns(self.scenario.windows.settle)) };
            }
            Stage::Round { round, begun, step, .. } => {
                self.enter(t_ns, Phase::Recovery, round, out);
                self.stage = Stage::Round { round, begun, step: step + 1, recovering: true };
            }
            _ => {}
        }
    }

    fn gone_dark(&mut self, t_ns: Nanos, skew_ns: u64, method: String, dead: Vec<HostName>, out: &mut Vec<Command>) {
        let Stage::Round { round, begun, step, recovering } = self.stage else { return };
        let Some(present) = self.step().cloned() else { return };
        self.unpowered(t_ns, &present.changes, dead.iter().cloned(), out);
        self.live_faults.insert(present.fault.clone(), 0);
        let (act, hosts) = (Act::Inject, dead);
        let (id, fault, unsynced_lost) = (present.id, present.fault, Vec::new());
        let detail = Detail::StepDone { step: id, fault, act, method, skew_ns, hosts, unsynced_lost };
        out.push(Command::Log { t_ns, by: By::Hand, place: Place::default(), detail, synced: false });
        self.stage = Stage::Round { round, begun, step: step + 1, recovering };
    }

    /// The step that is due next, or under way.
    fn step(&self) -> Option<&Step> {
        match self.stage {
            Stage::Round { round, step, .. } => self.plan.rounds.get(round)?.steps.get(step),
            _ => None,
        }
    }

    /// Goes on as far as the time and what is seen allow.
    pub(super) fn go_on(&mut self, now: Nanos, out: &mut Vec<Command>) {
        self.wake = None;
        // Bounded: each turn either changes the stage, begins an act, or sets the next wake.
        while self.busy.is_none() && self.wake.is_none() && self.advance(now, out) {}
    }

    /// One move; false where there is nothing to do until something happens.
    fn advance(&mut self, now: Nanos, out: &mut Vec<Command>) -> bool {
        match self.stage {
            Stage::Settle { limit } => {
                if self.all_powered_active() {
                    self.enter(now, Phase::Baseline, 0, out);
                    self.stage = Stage::Baseline { until: now.saturating_add(ns(self.scenario.windows.baseline)) };
                } else if now >= limit {
                    self.tear_down(now, out);
                } else {
                    self.wake = Some(limit);
                }
            }
            Stage::Baseline { until } if now >= until => self.begin_round(now, 0, out),
            Stage::Quiet { round, until, last } if now >= until => {
                if last {
                    self.stage = Stage::ReadBack;
                    self.enter(now, Phase::ReadBack, round, out);
                    self.act(Do::ReadBack, out);
                } else {
                    self.begin_round(now, round + 1, out);
                }
            }
            Stage::Baseline { until } | Stage::Quiet { until, .. } => self.wake = Some(until),
            Stage::Round { round, begun, recovering, .. } => self.advance_round(now, round, begun, recovering, out),
            Stage::Idle | Stage::Provision | Stage::ReadBack | Stage::Teardown | Stage::Ended => return false,
        }
        true
    }

    fn begin_round(&mut self, now: Nanos, round: usize, out: &mut Vec<Command>) {
        self.enter(now, Phase::Outage, round, out);
        self.stage = Stage::Round { round, begun: now, step: 0, recovering: false };
    }

    fn advance_round(&mut self, now: Nanos, round: usize, begun: Nanos, recovering: bool, out: &mut Vec<Command>) {
        if let Some(step) = self.step().cloned() {
            let due = begun.saturating_add(step.at_ms.saturating_mul(1_000_000));
            if now >= due {
                self.perform(now, step, out)
            } else {
                self.wake = Some(due)
            }
            return;
        }
        let limit = self.lit_at.saturating_add(ns(self.scenario.windows.recovery));
        let back = self.all_powered_active();
        if !recovering || back || now >= limit {
            let more = round + 1 < self.plan.rounds.len();
            if more && !back {
                let text = "the region was not back when its recovery window ended: later rounds were not run";
                self.log(now, Detail::Caveat { code: "rounds-left-out".to_owned(), text: text.to_owned() }, out);
            }
            self.enter(now, Phase::Quiet, round, out);
            let until = now.saturating_add(ns(self.scenario.windows.quiet));
            self.stage = Stage::Quiet { round, until, last: !(more && back) };
        } else {
            self.wake = Some(limit);
        }
    }

    fn perform(&mut self, now: Nanos, step: Step, out: &mut Vec<Command>) {
        let Step { id, fault, act, hosts, changes, .. } = step;
        let detail = Detail::StepIntent { step: id.clone(), fault: fault.clone(), act, hosts };
        let (by, place) = (By::Controller, Place::default());
        // On the disk before the act: what is not written down cannot be healed by those who come after a crash.
        out.push(Command::Log { t_ns: now, by, place, detail, synced: true });
        match act {
            Act::Inject if changes.is_empty() => {
                // Every host of it is dark already, by another fault: there is nothing to kill, and still an effect to
                // prove for as long as it lasts.
                self.busy = Some(Do::PowerOff(Vec::new()));
                let method = "already-dark".to_owned();
                self.done(now, Ok(Done::Dark { t_ns: now, skew_ns: 0, method, dead: Vec::new() }), out);
            }
            Act::Inject => self.act(Do::PowerOff(changes), out),
            Act::Heal if changes.is_empty() => {
                self.busy = Some(Do::PowerOn(Vec::new()));
                let method = "still-dark".to_owned();
                self.done(now, Ok(Done::Lit { t_ns: now, skew_ns: 0, method }), out);
            }
            Act::Heal => {
                if let Stage::Round { round, .. } = self.stage {
                    self.enter(now, Phase::PowerOn, round, out);
                }
                self.act(Do::PowerOn(changes), out);
            }
        }
    }
}
