//! Owns which step is next, when one is over, and what becomes of one that is not over in time. Refuses to know what the
//! steps are for.

use super::ledger::{Entry, LEDGER_SCHEMA};
use super::{ATTEMPTS_MAX, Builder, Command, Ending, Stage};
use crate::controller::{Nanos, Report};
use agents::config::nanos;
use fixtures::name::{InstanceName, ServiceName};
use scenarios::build::observed::{Building, StepState};
use scenarios::build::plan::{Step, Until};
use scenarios::event::{Detail, Life, Place};

impl Builder {
    /// Begins, or takes up where the ledger ends.
    pub(super) fn begin(&mut self, now: Nanos, out: &mut Vec<Command>) {
        if let Some(ending) = self.ledger.ended.clone() {
            self.stage = Stage::Ended;
            return out.push(Command::End(ending));
        }
        let is_taken_up = self.ledger.begun.is_some();
        if is_taken_up {
            self.write(Entry::TakenUp { at: now }, out);
        } else {
            let (schema, region, plan) = (LEDGER_SCHEMA, self.plan.region.to_string(), digest(&self.plan.steps));
            self.write(Entry::Begun { schema, region, plan, at: now }, out);
        }
        let is_open = |step: &Step| !self.ledger.done.contains_key(&step.id);
        self.position = self.plan.steps.iter().position(is_open).unwrap_or(self.plan.steps.len());
        if is_taken_up && !self.ledger.paused {
            self.by_hand("it was taken up after whoever built it had ended", out);
        }
        self.rolling_back = self.ledger.rolling_back.clone();
        if self.rolling_back.is_some() {
            return self.undo_last(now, out);
        }
        if let (true, Some(step)) = (self.position > 0, self.plan.steps.get(self.position)) {
            self.enter(step.phase, out);
        }
        // What an earlier process began it may have done, or not, or in part: it is begun again.
        self.attempt = match (&self.ledger.open, self.plan.steps.get(self.position)) {
            (Some((step, attempt)), Some(present)) if *step == present.id => *attempt,
            _ => 0,
        };
        if self.ledger.paused {
            self.stage = Stage::Paused;
        } else {
            self.stage = Stage::Waiting;
            if self.position == 0 {
                self.enter_first(out);
            }
            self.look_at_border(out);
        }
    }

    /// Asks before the first step of a phase, where somebody wants that. What was begun before is not asked for again.
    fn look_at_border(&mut self, out: &mut Vec<Command>) {
        let Some(step) = self.plan.steps.get(self.position) else { return };
        let before = self.position.checked_sub(1).map(|before| self.plan.steps[before].phase);
        if self.attempt == 0 && before != Some(step.phase) && self.looks_before.contains(&step.phase) {
            self.stage = Stage::Looking;
            out.push(Command::Look(step.phase));
        }
    }

    /// Whether anything stands against the phase of the present step.
    pub(super) fn looked(&mut self, now: Nanos, looked: Result<(), String>, out: &mut Vec<Command>) {
        match (&self.stage, looked) {
            (Stage::Looking, Ok(())) => self.may_enter(now, out),
            (Stage::Looking, Err(why)) => self.pause(now, why, out),
            _ => {}
        }
    }

    /// Nothing stands against the next phase, unless somebody wants a pause before it.
    fn may_enter(&mut self, now: Nanos, out: &mut Vec<Command>) {
        self.stage = Stage::Waiting;
        if self.pausing {
            self.pause(now, String::new(), out);
        }
    }

    /// Stands at the border before the phase of the present step; `text` is empty where somebody asked for it.
    fn pause(&mut self, now: Nanos, text: String, out: &mut Vec<Command>) {
        let Some(phase) = self.plan.steps.get(self.position).map(|step| step.phase) else { return };
        self.write(Entry::Paused { at: now }, out);
        let seen = Building::Paused { phase, text };
        out.push(Command::Log { place: Place::default(), detail: Detail::Build { seen } });
        self.stage = Stage::Paused;
    }

    /// Whether a ledger was written for this plan.
    pub fn fits(&self) -> bool {
        self.ledger
            .begun
            .as_ref()
            .is_none_or(|(region, plan)| region == self.plan.region.as_str() && *plan == digest(&self.plan.steps))
    }

    fn enter_first(&self, out: &mut Vec<Command>) {
        if let Some(step) = self.plan.steps.first() {
            self.enter(step.phase, out);
        }
    }

    fn enter(&self, phase: scenarios::build::plan::BuildPhase, out: &mut Vec<Command>) {
        let seen = Building::Phase { phase };
        out.push(Command::Log { place: Place::default(), detail: Detail::Build { seen } });
    }

    /// Somebody says that it goes on.
    pub(super) fn resume(&mut self, now: Nanos, out: &mut Vec<Command>) {
        self.pausing = false;
        if self.stage == Stage::Paused {
            self.write(Entry::Resumed { at: now }, out);
            self.by_hand("it was paused, and told to go on", out);
            self.stage = Stage::Waiting;
        }
    }

    /// The act under way has come to its end.
    pub(super) fn done(&mut self, now: Nanos, result: Result<(), String>, out: &mut Vec<Command>) {
        match (&self.stage, result) {
            (Stage::Acting, Ok(())) if self.rolling_back.is_none() => {
                self.acted_at = now;
                self.stage = Stage::Settling;
            }
            (Stage::Acting, Err(why)) if self.rolling_back.is_none() => self.try_again(now, why, out),
            // What was begun is undone too.
            (Stage::Acting, _) => self.undo(now, out),
            (Stage::Undoing, Ok(())) => {
                let Some(step) = self.plan.steps.get(self.position) else { return };
                let step = step.id.clone();
                self.tell(StepState::Undone, String::new(), out);
                self.write(Entry::Undone { step, at: now }, out);
                self.undo_last(now, out);
            }
            (Stage::Undoing, Err(why)) => {
                let step = self.plan.steps.get(self.position).map(|step| step.id.clone()).unwrap_or_default();
                self.end(now, Ending::Stuck { step, why }, out);
            }
            _ => {}
        }
    }

    /// Goes as far as it can.
    pub(super) fn go_on(&mut self, now: Nanos, out: &mut Vec<Command>) {
        loop {
            self.wake = None;
            let Some(step) = self.plan.steps.get(self.position).cloned() else {
                if self.stage == Stage::Waiting {
                    self.end(now, Ending::Completed, out);
                }
                return;
            };
            let went_on = match self.stage {
                Stage::Waiting => self.may_begin(now, &step, out),
                Stage::Settling => self.may_end(now, &step, out),
                _ => false,
            };
            if !went_on {
                return;
            }
        }
    }

    fn may_begin(&mut self, now: Nanos, step: &Step, out: &mut Vec<Command>) -> bool {
        let missing: Vec<String> =
            step.racks.iter().filter(|zone| !self.landed.contains(*zone)).map(ToString::to_string).collect();
        if !missing.is_empty() {
            self.wait_for(format!("racks of {}", missing.join(", ")), out);
            return false;
        }
        if let Some(held) = self.held_by_safety(now, step) {
            match held.until {
                Some(until) => {
                    self.wait_for(held.why, out);
                    self.wake = Some(until);
                }
                None => self.give_up(now, held.why, out),
            }
            return false;
        }
        self.start(now, step, out);
        false
    }

    fn wait_for(&mut self, text: String, out: &mut Vec<Command>) {
        if self.told != text {
            self.tell(StepState::Waiting, text.clone(), out);
            self.told = text;
        }
    }

    fn start(&mut self, now: Nanos, step: &Step, out: &mut Vec<Command>) {
        self.attempt += 1;
        self.told.clear();
        self.write(Entry::Intent { step: step.id.clone(), attempt: self.attempt, at: now }, out);
        let state = if self.attempt > 1 { StepState::Retried } else { StepState::Begun };
        self.tell(state, step.act.words(), out);
        self.limit_at = now.saturating_add(nanos(step.limit));
        self.stage = Stage::Acting;
        out.push(Command::Do(step.act.clone()));
    }

    fn may_end(&mut self, now: Nanos, step: &Step, out: &mut Vec<Command>) -> bool {
        let waits_for = self.lacks(now, step);
        let Some(what) = waits_for else {
            self.finish(now, step, out);
            return true;
        };
        if now >= self.limit_at {
            self.lacking = self.lacking(step).first().map(|name| (*name).clone());
            self.try_again(now, what, out);
            return self.stage == Stage::Waiting;
        }
        let passed = match &step.until {
            Until::Passed(time) => self.acted_at.saturating_add(nanos(*time)),
            _ => Nanos::MAX,
        };
        self.wake = Some(passed.min(self.limit_at));
        false
    }

    /// What a step still waits for; nothing where it is over.
    fn lacks(&self, now: Nanos, step: &Step) -> Option<String> {
        let who = |lacking: Vec<&InstanceName>| {
            let first = lacking.first()?;
            let others = match lacking.len() - 1 {
                0 => String::new(),
                others => format!(" and {others} more"),
            };
            Some(format!("{first}{others}{}", self.how(first)))
        };
        match &step.until {
            Until::Done => None,
            Until::Passed(time) => {
                (now < self.acted_at.saturating_add(nanos(*time))).then(|| "time that must pass".to_owned())
            }
            Until::Answering(_) | Until::Active { .. } => who(self.lacking(step)),
        }
    }

    /// Whom a step still waits for.
    fn lacking<'s>(&self, step: &'s Step) -> Vec<&'s InstanceName> {
        match &step.until {
            Until::Done | Until::Passed(_) => Vec::new(),
            Until::Answering(instances) => {
                let answers = |name: &InstanceName| self.lives.get(name).is_some_and(|one| one.life >= Life::Serving);
                instances.iter().filter(|name| !answers(name)).collect()
            }
            Until::Active { instances, without } => {
                instances.iter().filter(|name| !self.is_active(name, without)).collect()
            }
        }
    }

    /// How somebody stands, for people.
    fn how(&self, name: &InstanceName) -> String {
        let Some(Report { cause, missing, .. }) = self.lives.get(name) else { return " (never seen)".to_owned() };
        let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
        if missing.is_empty() { format!(" ({cause})") } else { format!(" ({cause}: {})", missing.join(", ")) }
    }

    fn is_active(&self, name: &InstanceName, without: &[ServiceName]) -> bool {
        let Some(report) = self.lives.get(name) else { return false };
        let excused = || report.degraded && report.missing.iter().all(|service| without.contains(service));
        report.life == Life::Active || (report.life == Life::Serving && excused())
    }

    fn finish(&mut self, now: Nanos, step: &Step, out: &mut Vec<Command>) {
        self.write(Entry::Done { step: step.id.clone(), at: now }, out);
        self.tell(StepState::Done, String::new(), out);
        self.lacking = None;
        self.position += 1;
        self.attempt = 0;
        self.stage = Stage::Waiting;
        let Some(next) = self.plan.steps.get(self.position) else { return };
        if next.phase == step.phase {
            return;
        }
        self.enter(next.phase, out);
        self.look_at_border(out);
        if self.stage == Stage::Waiting {
            self.may_enter(now, out);
        }
    }

    /// A step was not over in time, or its act failed.
    fn try_again(&mut self, now: Nanos, why: String, out: &mut Vec<Command>) {
        if self.attempt < ATTEMPTS_MAX {
            self.stage = Stage::Waiting;
            return;
        }
        self.give_up(now, why, out);
    }

    /// Somebody refuses its software: the present step will not come about, however often it is begun.
    pub(super) fn refused(&mut self, now: Nanos, why: String, out: &mut Vec<Command>) {
        match (&self.rolling_back, &self.stage) {
            (Some(_), _) => {}
            (None, Stage::Settling) => self.give_up(now, why, out),
            (None, _) => self.roll_back(now, why, out),
        }
    }

    /// The present step will not come about.
    fn give_up(&mut self, now: Nanos, why: String, out: &mut Vec<Command>) {
        self.tell(StepState::Failed, why.clone(), out);
        let step = self.plan.steps.get(self.position).map(|step| step.id.clone()).unwrap_or_default();
        if self.position >= self.plan.no_return {
            return self.end(now, Ending::Stuck { step, why }, out);
        }
        self.roll_back(now, format!("{step} failed: {why}"), out);
    }

    /// Nothing goes forward any more; what was done is undone as far as that is possible.
    pub(super) fn roll_back(&mut self, now: Nanos, why: String, out: &mut Vec<Command>) {
        if self.rolling_back.is_some() || self.position >= self.plan.no_return || self.stage == Stage::Idle {
            return;
        }
        self.write(Entry::RollingBack { why: why.clone(), at: now }, out);
        self.rolling_back = Some(why);
        match self.stage {
            // The act under way comes to its end first.
            Stage::Acting => {}
            Stage::Settling => self.undo(now, out),
            _ => self.undo_last(now, out),
        }
    }

    /// Undoes the last step that is done; the build is over where none is.
    fn undo_last(&mut self, now: Nanos, out: &mut Vec<Command>) {
        // What an earlier process began and did not end is undone first.
        let is_touched = |step: &Step| {
            let open = self.ledger.open.as_ref().is_some_and(|(id, _)| *id == step.id);
            open || self.ledger.done.contains_key(&step.id)
        };
        match self.plan.steps.iter().rposition(is_touched) {
            Some(position) => {
                self.position = position;
                self.undo(now, out);
            }
            None => {
                let why = self.rolling_back.clone().unwrap_or_default();
                self.end(now, Ending::RolledBack { why }, out);
            }
        }
    }

    fn undo(&mut self, now: Nanos, out: &mut Vec<Command>) {
        let Some(step) = self.plan.steps.get(self.position).cloned() else { return };
        self.stage = Stage::Undoing;
        match step.undo {
            Some(act) => {
                self.tell(StepState::Undoing, String::new(), out);
                out.push(Command::Do(act));
            }
            None => {
                self.write(Entry::Undone { step: step.id, at: now }, out);
                self.undo_last(now, out);
            }
        }
    }
}

/// FNV-1a over ids and acts: another plan has another.
fn digest(steps: &[Step]) -> u64 {
    let text = steps.iter().map(|step| format!("{}:{:?};", step.id, step.act)).collect::<String>();
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}
