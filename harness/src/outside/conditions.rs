//! Owns the watching of one condition while a run goes on: from the baseline to the end. Refuses to ask
//! ([`crate::serve::question`]), and to decide what a stopped run is healed by.

use super::{STEADY, Said, Teller, reached};
use crate::schedule::Condition;
use crate::serve::question;
use anyhow::Result;
use scenarios::event::Phase;
use scenarios::verdict::Verdict;
use tokio::sync::watch;

/// One condition, watched.
pub(super) struct Watch {
    pub(super) condition: Condition,
    /// Whether the run is stopped when it is not well.
    pub(super) stops: bool,
    pub(super) phases: watch::Receiver<Phase>,
    pub(super) teller: Teller,
}

/// What was seen of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Before the first fault.
    pub(super) before: Option<Result<(), String>>,
    /// The last time, after the last recovery.
    pub(super) after: Option<Result<(), String>>,
    /// Why it was not well in between, the first time.
    pub(super) between: Option<String>,
}

impl Watch {
    pub(super) async fn go_on(mut self) -> Result<Said> {
        let mut seen = Seen::default();
        let mut last = None;
        // The sender lives as long as the run.
        let mut phase = reached(&mut self.phases, |phase| *phase >= Phase::Baseline).await?;
        while phase < Phase::Teardown {
            let asked = self.condition.clone();
            let answer = tokio::task::spawn_blocking(move || question::ask(&asked)).await?;
            self.note(phase, &answer, &mut seen);
            self.tell(&answer, last.as_ref()).await;
            last = Some(answer);
            phase = self.pause(phase).await?;
        }
        Ok(judged(&self.condition.name, self.stops, &seen))
    }

    /// Waits until it is time to ask again: also when a phase begins whose beginning matters.
    async fn pause(&mut self, phase: Phase) -> Result<Phase> {
        let matters = |next: &Phase| {
            *next >= Phase::Teardown
                || (*next != phase && matches!(*next, Phase::Outage | Phase::Quiet | Phase::ReadBack))
        };
        tokio::select! {
            next = reached(&mut self.phases, matters) => next,
            () = tokio::time::sleep(self.condition.every) => Ok(*self.phases.borrow()),
        }
    }

    fn note(&self, phase: Phase, answer: &Result<(), String>, seen: &mut Seen) {
        match phase {
            Phase::Baseline => seen.before = Some(answer.clone()),
            Phase::Quiet | Phase::ReadBack => seen.after = Some(answer.clone()),
            _ => {
                if let (None, Err(why)) = (&seen.between, answer) {
                    seen.between = Some(why.clone());
                }
            }
        }
    }

    async fn tell(&self, answer: &Result<(), String>, last: Option<&Result<(), String>>) {
        let name = &self.condition.name;
        if last.is_none_or(|last| last.is_ok() != answer.is_ok()) {
            let text = match answer {
                Ok(()) => format!("condition `{name}` is well"),
                Err(why) => format!("condition `{name}` is not well: {why}"),
            };
            self.teller.tell(text).await;
        }
        let Err(why) = answer else { return };
        let in_baseline = *self.phases.borrow() == Phase::Baseline;
        if self.stops || in_baseline {
            let when = if in_baseline { "before the first fault" } else { "so the run was stopped" };
            self.teller.stop(format!("condition `{name}` is not well, {when}: {why}")).await;
        }
    }
}

/// What the run says of it.
pub(super) fn judged(name: &str, stops: bool, seen: &Seen) -> Said {
    let said = |verdict, reason: String| Said { id: STEADY, aspect: name.to_owned(), verdict, reason };
    let between = seen.between.as_ref().map_or_else(String::new, |why| format!("; meanwhile it was not ({why})"));
    match (&seen.before, &seen.after) {
        (None, _) => said(Verdict::NotJudged, "the run ended before it was asked".to_owned()),
        (Some(Err(why)), _) => said(Verdict::Inconclusive, format!("it was not well before the first fault: {why}")),
        (Some(Ok(())), _) if stops && seen.between.is_some() => {
            said(Verdict::Inconclusive, format!("it was well before the first fault, and the run was stopped{between}"))
        }
        (Some(Ok(())), None) => {
            said(Verdict::NotJudged, format!("the run ended before its end could be seen{between}"))
        }
        (Some(Ok(())), Some(Ok(()))) => {
            said(Verdict::Held, format!("well before the first fault and at the end{between}"))
        }
        (Some(Ok(())), Some(Err(why))) => {
            said(Verdict::Violated, format!("well before the first fault, and not at the end: {why}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_must_be_well_before_and_again_at_the_end() {
        let (well, ill) = (Some(Ok(())), Some(Err("7 is not below 1".to_owned())));
        let verdict =
            |before: &Option<Result<(), String>>, after: &Option<Result<(), String>>, between: Option<&str>, stops| {
                let between = between.map(str::to_owned);
                judged("errors", stops, &Seen { before: before.clone(), after: after.clone(), between }).verdict
            };
        assert_eq!(verdict(&well, &well, None, false), Verdict::Held);
        assert_eq!(verdict(&well, &well, Some("x"), false), Verdict::Held);
        assert_eq!(verdict(&well, &ill, None, false), Verdict::Violated);
        assert_eq!(verdict(&ill, &well, None, false), Verdict::Inconclusive);
        assert_eq!(verdict(&well, &None, None, false), Verdict::NotJudged);
        assert_eq!(verdict(&None, &None, None, true), Verdict::NotJudged);
        assert_eq!(verdict(&well, &None, Some("x"), true), Verdict::Inconclusive);
    }
}
