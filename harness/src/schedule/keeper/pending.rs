//! Owns what is due and has not begun: what it waits for, when it begins, and when it is refused. Refuses to know what goes
//! on meanwhile.

use super::{
    ASKED_TAKES, Choice, Command, Duration, Entry, Halt, Keeper, MISSED_COUNTED, Now, Outcome, Running, Slot, Unfit,
    begins, slot_after,
};
use crate::schedule::rotation::choose;
use crate::schedule::{Reason, Schedule};

/// What a person asked for waits so long for conditions and for the engine.
const ASKED_WAITS: Duration = Duration::from_secs(300);

/// What is due.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) run: String,
    pub(super) slot: Option<Slot>,
    /// Of which schedule.
    pub(super) schedule: Option<usize>,
    pub(super) choice: Choice,
    by: Option<String>,
    /// Until when it waits, on the clock that does not step.
    until: Duration,
    /// For people.
    pub(super) waits_for: String,
    examining: bool,
    /// When it may be examined again.
    again: Duration,
}

/// How long after the engine was found taken somebody looks again.
const EXAMINED_EVERY: Duration = Duration::from_secs(5);

impl Pending {
    pub(super) fn asked(run: String, choice: Choice, by: String, now: Duration) -> Self {
        Self::new(run, choice, now + ASKED_WAITS, now, (None, None, Some(by)))
    }

    fn new(
        run: String,
        choice: Choice,
        until: Duration,
        now: Duration,
        (slot, schedule, by): (Option<Slot>, Option<usize>, Option<String>),
    ) -> Self {
        let waits_for = "being looked at".to_owned();
        Self { run, slot, schedule, choice, by, until, waits_for, examining: false, again: now }
    }
}

impl Keeper {
    /// Slots that nobody was there for: the server was away, or the clock was put forward over them.
    pub(super) fn refuse_missed(&mut self, now: Now, commands: &mut Vec<Command>) {
        for schedule in self.plan.schedules.clone() {
            // Its slot is being made up for already.
            let own = self.pending.as_ref().and_then(|pending| pending.slot.as_ref());
            if own.is_some_and(|slot| slot.schedule == schedule.name) {
                continue;
            }
            let (mut count, mut before, mut last) = (0, None, None);
            let mut next = self.next(&schedule);
            while let Some((slot, _)) = next.take_if(|(_, at)| *at < self.present) {
                if count == MISSED_COUNTED {
                    let due = self.present.minus(schedule.jitter).minus(Duration::from_millis(1));
                    (before, last) = (last, Some(Slot { due, ..slot }));
                    break;
                }
                next = slot_after(&schedule, slot.due);
                (before, last) = (last, Some(slot));
                count += 1;
            }
            if let Some(last) = last {
                self.make_up_for(&schedule, (before, last), count, now, commands);
            }
        }
    }

    /// The last of some missed slots is run late, where that is wanted and nothing else waits.
    fn make_up_for(
        &mut self,
        schedule: &Schedule,
        (before, last): (Option<Slot>, Slot),
        count: u64,
        now: Now,
        commands: &mut Vec<Command>,
    ) {
        let is_fresh = now.wall.since(begins(schedule, &last)) <= schedule.missed_within;
        let late = (is_fresh && self.pending.is_none()).then(|| last.clone());
        let (slots, slot) = if late.is_some() { (count - 1, before) } else { (count, Some(last)) };
        if let Some(slot) = slot.filter(|_| slots > 0) {
            let why = "nobody was there to begin it".to_owned();
            self.write(Entry::Refused { slot, slots, reason: Reason::Missed, why, at: now.wall }, commands);
        }
        if let Some(slot) = late {
            let until = now.mono + schedule.waits_at_most;
            self.begin_pending(schedule, slot, now, until, "; made up for, as nobody was there when it was due");
        }
    }

    /// The slot that is due first, where one is. One that has waited for another run for too long passes.
    pub(super) fn take_up(&mut self, now: Now, commands: &mut Vec<Command>) {
        while self.pending.is_none() {
            let due = self.plan.schedules.iter().filter_map(|one| self.next(one).map(|(slot, at)| (at, slot, one)));
            let first = due.filter(|(at, ..)| *at <= now.wall).min_by_key(|(at, ..)| *at);
            let Some((at, slot, schedule)) = first.map(|(at, slot, one)| (at, slot, one.clone())) else { return };
            match schedule.waits_at_most.checked_sub(now.wall.since(at)) {
                Some(left) => self.begin_pending(&schedule, slot, now, now.mono + left, ""),
                None => {
                    let why = "another run went on for longer than it waits".to_owned();
                    self.write(Entry::Refused { slot, slots: 1, reason: Reason::Busy, why, at: now.wall }, commands);
                }
            }
        }
    }

    fn begin_pending(&mut self, schedule: &Schedule, slot: Slot, now: Now, until: Duration, more: &str) {
        let Some(mut choice) = choose(schedule, &self.ledger, &slot) else { return };
        choice.why += more;
        let place = self.plan.schedules.iter().position(|one| one.name == schedule.name);
        let run = self.id(now, &schedule.name);
        self.pending = Some(Pending::new(run, choice, until, now.mono, (Some(slot), place, None)));
    }

    /// Begins what is due, or has it wait, or refuses it.
    pub(super) fn look_after_pending(&mut self, now: Now, commands: &mut Vec<Command>) {
        let Some(pending) = &self.pending else { return };
        if let Some(Halt { by, since }) = self.ledger.halt() {
            let why = format!("halted by {by} since {since}");
            return self.refuse(now, Reason::Halted, why, commands);
        }
        let schedule = pending.schedule.map(|place| &self.plan.schedules[place]);
        if let Some(why) = schedule.and_then(|one| one.windows.fits(now.wall, one.takes_at_most).err()) {
            return self.refuse(now, Reason::Window, why, commands);
        }
        let conditions = self.conditions_of(pending.schedule);
        let unready = self.watch.unready(&self.plan.conditions, &conditions, now.mono);
        let Some(pending) = &mut self.pending else { return };
        match unready {
            Some(why) if now.mono >= pending.until => {
                let why = format!("{why}, and it waited long enough");
                self.refuse(now, Reason::Condition, why, commands);
            }
            Some(why) => pending.waits_for = why,
            None if pending.examining || now.mono < pending.again => {}
            None => {
                pending.examining = true;
                commands.push(Command::Examine { run: pending.run.clone(), choice: pending.choice.clone() });
            }
        }
    }

    /// What the examination of a run has shown.
    pub(super) fn examined(&mut self, now: Now, run: &str, fit: Result<(), Unfit>, commands: &mut Vec<Command>) {
        let Some(pending) = self.pending.as_mut().filter(|pending| pending.run == run && pending.examining) else {
            return;
        };
        pending.examining = false;
        match fit {
            Err(Unfit::AtAll(why)) => self.refuse(now, Reason::Room, why, commands),
            Err(Unfit::ForNow(why)) if now.mono >= pending.until => {
                let why = format!("{why}, and it waited long enough");
                self.refuse(now, Reason::Room, why, commands);
            }
            Err(Unfit::ForNow(why)) => (pending.waits_for, pending.again) = (why, now.mono + EXAMINED_EVERY),
            Ok(()) => self.begin(now, commands),
        }
    }

    /// All that could have changed since it was examined is asked once more: the answer took time.
    fn begin(&mut self, now: Now, commands: &mut Vec<Command>) {
        let Some(pending) = &self.pending else { return };
        let schedule = pending.schedule.map(|place| &self.plan.schedules[place]);
        let conditions = self.conditions_of(pending.schedule);
        let halted = self.ledger.halt().is_some();
        let outside = schedule.is_some_and(|one| one.windows.fits(now.wall, one.takes_at_most).is_err());
        if halted || outside || self.watch.unready(&self.plan.conditions, &conditions, now.mono).is_some() {
            // The next look says why.
            return;
        }
        let lasts = schedule.map_or(ASKED_TAKES, |one| one.takes_at_most);
        let Some(Pending { run, slot, schedule, choice, by, .. }) = self.pending.take() else { return };
        self.running = Some(Running {
            run: run.clone(),
            schedule,
            until: now.mono.saturating_add(lasts),
            stopping: None,
            found: false,
        });
        self.write(Entry::Begun { run: run.clone(), slot, by, choice: choice.clone(), at: now.wall }, commands);
        commands.push(Command::Start { run, choice });
    }

    /// A slot passes; what a person asked for is told as a run that was refused.
    pub(super) fn refuse(&mut self, now: Now, reason: Reason, why: String, commands: &mut Vec<Command>) {
        let Some(Pending { run, slot, choice, by, .. }) = self.pending.take() else { return };
        match slot {
            Some(slot) => self.write(Entry::Refused { slot, slots: 1, reason, why, at: now.wall }, commands),
            None => {
                self.write(Entry::Begun { run: run.clone(), slot: None, by, choice, at: now.wall }, commands);
                self.write(Entry::Ended { run, outcome: Outcome::Refused, why, at: now.wall }, commands);
            }
        }
    }
}
