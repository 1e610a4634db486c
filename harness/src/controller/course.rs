//! Owns which phase follows which and when. Refuses to know what the world sees meanwhile ([`super::watch`]).

use super::agenda::Agenda;
use super::{Command, Controller, Do, Done, Nanos, Stage};
use scenarios::event::{Detail, Phase};
use std::collections::BTreeMap;
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
                if let Stage::Settle { .. } = self.stage {
                    self.stage = Stage::Settle { limit: now.saturating_add(ns(self.scenario.windows.settle)) };
                }
            }
            (Ok(Done::ReadBack), _) => self.tear_down(now, out),
            (Ok(done), _) => self.step_done(now, done, out),
        }
    }

    fn torn_down(&mut self, now: Nanos, result: Result<Done, String>, out: &mut Vec<Command>) {
        match result {
            Ok(Done::TornDown { residue, others }) => {
                for (object, name) in residue {
                    self.log(now, Detail::Residue { object, name }, out);
                }
                if let Some((_, name)) = others.first() {
                    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
                    for (kind, _) in &others {
                        *counts.entry(kind).or_default() += 1;
                    }
                    let counts: Vec<String> = counts.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
                    let text = format!(
                        "somebody else changed the machine meanwhile; new on it: {} (such as {name})",
                        counts.join(", ")
                    );
                    self.log(now, Detail::Caveat { code: "machine-changed".to_owned(), text }, out);
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
            Stage::Round { round, recovering } => self.advance_round(now, round, recovering, out),
            Stage::Idle | Stage::Provision | Stage::ReadBack | Stage::Teardown | Stage::Ended => return false,
        }
        true
    }

    fn begin_round(&mut self, now: Nanos, round: usize, out: &mut Vec<Command>) {
        self.enter(now, Phase::Outage, round, out);
        self.stage = Stage::Round { round, recovering: false };
        self.lit_at = now;
        self.rounds_owed = 0;
        self.agenda = self.plan.rounds.get(round).map(|round| Agenda::new(round, now)).unwrap_or_default();
    }

    fn advance_round(&mut self, now: Nanos, round: usize, recovering: bool, out: &mut Vec<Command>) {
        if let Some(step) = self.agenda.take_due(now) {
            return self.perform(now, step, out);
        }
        let limit = self.lit_at.saturating_add(ns(self.scenario.windows.recovery));
        if let Some(due) = self.agenda.next_due() {
            self.wake = Some(due);
            return;
        }
        if !self.agenda.is_done() && now < limit {
            self.wake = Some(limit);
            return;
        }
        for fault in self.agenda.give_up() {
            let text = format!("what the fault `{fault}` waits for was never observed: it was not injected");
            self.log(now, Detail::Caveat { code: "trigger-never-came".to_owned(), text }, out);
        }
        let back = self.all_powered_active() && self.rounds_owed == 0;
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
}
