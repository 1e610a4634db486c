//! Owns what S1, S2, S4, S5 and S8 have in common: who got power and does not answer, and one finding for each root.
//! Refuses to know which of them asks.

use super::culprit;
use super::finding::{Victim, sorted};
use super::{Outcome, Run};
use crate::event::EventId;
use crate::judgement::InvariantResult;
use crate::timeline::Recovery;
use crate::verdict::Verdict;
use fixtures::name::ServiceName;
use std::collections::{BTreeMap, BTreeSet};

/// Instances named in a sentence.
const NAMED_MAX: usize = 8;

/// Somebody with power, judged at the end of a recovery.
pub(super) struct Judged<'r> {
    pub(super) instance: usize,
    pub(super) recovery: &'r Recovery,
    pub(super) is_well: bool,
}

impl Judged<'_> {
    /// Who it harms and why, as far as it can be seen.
    pub(super) fn victim(&self, run: &Run<'_>) -> Victim {
        let instance = &run.case.placement.instances[self.instance];
        Victim {
            instance: Some(instance.name.clone()),
            zone: instance.zone.clone(),
            from_ns: self.recovery.gate_ns,
            to_ns: self.recovery.end_ns,
            trace: culprit::trace(run, self.instance, self.recovery.end_ns),
        }
    }

    fn evidence(&self, run: &Run<'_>) -> impl Iterator<Item = EventId> {
        let name = &run.case.placement.instances[self.instance].name;
        let state = run.timeline.life_at(name, self.recovery.end_ns).map(|span| span.event);
        state.into_iter().chain([self.recovery.event])
    }
}

/// Names, some of many.
pub(super) fn named<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let names: BTreeSet<&str> = names.into_iter().collect();
    let more = names.len().saturating_sub(NAMED_MAX);
    let shown = names.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

/// What an invariant says of starts.
pub(super) struct Saying<'s> {
    pub(super) id: &'s str,
    /// What was wrong with those who are not well, such as `did not answer`.
    pub(super) wrong: &'s str,
    /// What was right with all.
    pub(super) right: String,
    /// What would have shown something, where nothing did.
    pub(super) untold: String,
    pub(super) thresholds: BTreeMap<String, String>,
}

/// The outcome of a judgement of starts, with the victims of those who are not well.
pub(super) fn outcome(run: &Run<'_>, saying: Saying<'_>, judged: &[Judged<'_>], victims: Vec<Victim>) -> Outcome {
    let bad: Vec<&Judged<'_>> = judged.iter().filter(|one| !one.is_well).collect();
    let name = |one: &&Judged<'_>| run.case.placement.instances[one.instance].name.as_str();
    let (verdict, reason, evidence) = if !bad.is_empty() {
        let names = named(bad.iter().map(name));
        let reason = format!("{} {}: {names}", bad.len(), saying.wrong);
        (Verdict::Violated, reason, sorted(bad.iter().flat_map(|one| one.evidence(run))))
    } else if judged.is_empty() {
        (Verdict::NotJudged, saying.untold, Vec::new())
    } else {
        (Verdict::Held, saying.right, sorted(judged.iter().map(|one| one.recovery.event)))
    };
    let (id, thresholds) = (saying.id.to_owned(), saying.thresholds);
    let result = InvariantResult { id, aspect: None, verdict, reason, thresholds, evidence };
    Outcome { results: vec![result], findings: run.findings(saying.id, victims) }
}

/// The services of judged instances.
pub(super) fn services<'a>(run: &Run<'a>, judged: &[Judged<'_>]) -> BTreeSet<&'a ServiceName> {
    judged.iter().map(|one| &run.case.placement.instances[one.instance].service).collect()
}
