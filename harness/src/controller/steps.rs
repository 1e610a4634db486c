//! Owns carrying out a step of the plan: its intent on the disk, the act, and what the act changed. Refuses to know when
//! a step is due ([`super::agenda`]).

use super::watch::ROUNDS_BEFORE_PROOF;
use super::{Command, Controller, Do, Done, Effect, Nanos, Stage};
use fixtures::name::{HostName, ZoneName};
use scenarios::event::{Act, By, Detail, Phase, Place};
use scenarios::plan::{Deed, Step, Unsynced};

/// How far the clocks of engine and controller are apart at most: one exchange with the witness maps them.
const OWN_ACT_SLACK_NS: Nanos = 20_000_000;

/// How hosts went dark.
pub(super) struct WentDark {
    pub(super) t_ns: Nanos,
    pub(super) skew_ns: u64,
    pub(super) method: String,
    pub(super) dead: Vec<HostName>,
    pub(super) unsynced_lost: Vec<ZoneName>,
    pub(super) torn: Vec<HostName>,
    pub(super) caveats: Vec<String>,
}

impl Controller {
    pub(super) fn perform(&mut self, now: Nanos, step: Step, out: &mut Vec<Command>) {
        let (id, fault, act, hosts) = (step.id.clone(), step.fault.clone(), step.act, step.hosts.clone());
        let detail = Detail::StepIntent { step: id, fault, act, hosts };
        let (by, place) = (By::Controller, Place::default());
        // On the disk before the act: what is not written down cannot be healed by those who come after a crash.
        out.push(Command::Log { t_ns: now, by, place, detail, synced: true });
        let act = match (step.act, &step.deed) {
            (Act::Inject, Deed::Power { .. } | Deed::Restart) => take_power(&step),
            (Act::Heal, Deed::Power { .. } | Deed::Restart) => self.give_power(now, &step, out),
            (Act::Inject, deed) => {
                let (fault, deed, hosts) = (step.fault.clone(), deed.clone(), step.hosts.clone());
                Some(Do::Inject { fault, deed, hosts })
            }
            // What happened in one instant has ended by itself.
            (Act::Heal, _) if step.is_instant() => {
                self.present = Some(step);
                return self.healed(now, now, "by itself".to_owned(), out);
            }
            (Act::Heal, deed) => {
                let (fault, deed, hosts) = (step.fault.clone(), deed.clone(), step.hosts.clone());
                Some(Do::Heal { fault, deed, hosts })
            }
        };
        self.act_since = now;
        self.present = Some(step);
        match act {
            Some(act) => self.act(act, out),
            None => self.nothing_changes(now, out),
        }
    }

    fn give_power(&mut self, now: Nanos, step: &Step, out: &mut Vec<Command>) -> Option<Do> {
        if step.changes.is_empty() {
            return None;
        }
        if let Stage::Round { round, .. } = self.stage {
            self.enter(now, Phase::PowerOn, round, out);
        }
        // Hosts answer from when their gates open, and the word of that may come later.
        self.live_faults.remove(&step.fault);
        Some(Do::PowerOn(step.changes.clone()))
    }

    /// Every host of a loss of power is dark already, or stays so, by another fault: there is nothing to do, and still an
    /// effect to prove for as long as it lasts.
    fn nothing_changes(&mut self, now: Nanos, out: &mut Vec<Command>) {
        match self.present.as_ref().map(|step| step.act) {
            Some(Act::Inject) => {
                let method = "already-dark".to_owned();
                let (dead, unsynced_lost, torn, caveats) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
                self.gone_dark(WentDark { t_ns: now, skew_ns: 0, method, dead, unsynced_lost, torn, caveats }, out);
            }
            Some(Act::Heal) => self.lit(now, now, 0, "still-dark".to_owned(), Vec::new(), out),
            None => {}
        }
    }

    /// The act of the present step has come to its end.
    pub(super) fn step_done(&mut self, now: Nanos, done: Done, out: &mut Vec<Command>) {
        match done {
            Done::Dark { t_ns, skew_ns, method, dead, unsynced_lost, torn, caveats } => {
                self.gone_dark(WentDark { t_ns, skew_ns, method, dead, unsynced_lost, torn, caveats }, out);
            }
            Done::Injected { t_ns, method, effect } => self.injected(now, t_ns, method, effect, out),
            Done::Healed { t_ns, method } => self.healed(now, t_ns, method, out),
            Done::Provisioned | Done::Lit { .. } | Done::ReadBack | Done::Left | Done::TornDown { .. } => {}
        }
    }

    fn injected(&mut self, now: Nanos, t_ns: Nanos, method: String, effect: Option<Effect>, out: &mut Vec<Command>) {
        let Some(step) = self.take_present(now) else { return };
        tell_done(&step, Carried { t_ns, method, hosts: step.hosts.clone(), ..Carried::default() }, out);
        self.rollouts.begun(t_ns, &step, &self.scenario);
        if step.is_instant() {
            self.rounds_owed = ROUNDS_BEFORE_PROOF;
        }
        if let Some(effect) = effect {
            self.effect_seen(now, step.fault, effect, out);
        }
    }

    fn healed(&mut self, now: Nanos, t_ns: Nanos, method: String, out: &mut Vec<Command>) {
        let Some(step) = self.take_present(now) else { return };
        tell_done(&step, Carried { t_ns, method, hosts: step.hosts.clone(), ..Carried::default() }, out);
        self.rollouts.ended(&step);
        if matches!(step.deed, Deed::Change { .. }) {
            // Processes of a deployment that is rolled back end once more.
            self.rounds_owed = ROUNDS_BEFORE_PROOF;
        }
        self.after_heal(t_ns, &step, out);
    }

    /// Hosts have power, by a step or for the first time.
    pub(super) fn lit(
        &mut self,
        now: Nanos,
        t_ns: Nanos,
        skew_ns: u64,
        method: String,
        hosts: Vec<HostName>,
        out: &mut Vec<Command>,
    ) {
        let step = self.take_present(now);
        let fault = step.as_ref().map_or("", |step| step.fault.as_str());
        self.live_faults.remove(fault);
        self.powered(t_ns, &hosts, out);
        self.lit_at = t_ns;
        let carried = Carried { t_ns, method, skew_ns, hosts, ..Carried::default() };
        match step {
            Some(step) => {
                tell_done(&step, carried, out);
                self.after_heal(t_ns, &step, out);
            }
            None => tell("power-on", "", Act::Heal, "", carried, out),
        }
    }

    fn after_heal(&mut self, t_ns: Nanos, step: &Step, out: &mut Vec<Command>) {
        let Stage::Round { round, .. } = self.stage else { return };
        let (begins_recovery, is_power) = (step.begins_recovery(), step.is_power());
        if begins_recovery {
            self.lit_at = t_ns;
            self.enter(t_ns, Phase::Recovery, round, out);
            self.stage = Stage::Round { round, recovering: true };
        } else if is_power {
            // A pulse has ended and another one follows: the fault as a whole goes on.
            self.enter(t_ns, Phase::Outage, round, out);
        }
    }

    fn gone_dark(&mut self, dark: WentDark, out: &mut Vec<Command>) {
        let WentDark { t_ns, skew_ns, method, dead, unsynced_lost, torn, caveats } = dark;
        let Some(step) = self.take_present(t_ns) else { return };
        self.unpowered(t_ns, &step.changes, dead.iter().cloned(), out);
        for text in caveats {
            self.log(t_ns, Detail::Caveat { code: "unsynced-kept".to_owned(), text }, out);
        }
        let (seen_dead, expected) = (dead.len(), step.changes.len());
        tell_done(&step, Carried { t_ns, method, skew_ns, hosts: dead, unsynced_lost, torn }, out);
        if step.is_instant() {
            let holds = seen_dead == expected && expected > 0;
            let text = format!("{seen_dead} of {expected} hosts were seen dead");
            self.effect_seen(t_ns, step.fault, Effect { holds, text, ..Effect::default() }, out);
        } else {
            self.live_faults.insert(step.fault, 0);
        }
    }

    /// The step under way, which has ended; what it did to hosts is nobody's intervention.
    fn take_present(&mut self, now: Nanos) -> Option<Step> {
        let step = self.present.take()?;
        // What the engine tells of a loss of power finds its hosts dark, or about to be lit.
        let (hosts, slack_ns) = if step.is_power() { (&step.changes, 0) } else { (&step.hosts, OWN_ACT_SLACK_NS) };
        self.own_acts.push((hosts.iter().cloned().collect(), self.act_since, now.saturating_add(slack_ns)));
        Some(step)
    }
}

/// The hosts whose power an inject takes, if it takes any.
fn take_power(step: &Step) -> Option<Do> {
    let unsynced = match step.deed {
        Deed::Power { unsynced } => unsynced,
        _ => Unsynced::Kept,
    };
    (!step.changes.is_empty()).then(|| Do::PowerOff { hosts: step.changes.clone(), unsynced })
}

/// How a step was carried out.
#[derive(Default)]
struct Carried {
    t_ns: Nanos,
    method: String,
    skew_ns: u64,
    hosts: Vec<HostName>,
    unsynced_lost: Vec<ZoneName>,
    torn: Vec<HostName>,
}

fn tell_done(step: &Step, carried: Carried, out: &mut Vec<Command>) {
    tell(&step.id, &step.fault, step.act, step.deed.word(), carried, out);
}

fn tell(step: &str, fault: &str, act: Act, what: &str, carried: Carried, out: &mut Vec<Command>) {
    let Carried { t_ns, method, skew_ns, hosts, unsynced_lost, torn } = carried;
    let (step, fault, what) = (step.to_owned(), fault.to_owned(), what.to_owned());
    let detail = Detail::StepDone { step, fault, act, what, method, skew_ns, hosts, unsynced_lost, torn };
    out.push(Command::Log { t_ns, by: By::Hand, place: Place::default(), detail, synced: false });
}
