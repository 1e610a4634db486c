//! Owns the question whether what was to happen happened, for as long as it should, and nothing else did. Refuses to
//! look at what it did to the region.

use super::Run;
use crate::event::{Act, Detail, EventId};
use crate::judgement::Reason;
use crate::plan::Step;

/// Caveats with which no verdict stands.
const FATAL_CAVEATS: [&str; 4] = ["harness-failed", "oom", "unplanned-death", "lost-windows"];

pub(super) fn reasons(run: &Run<'_>) -> Vec<Reason> {
    let steps = run.case.plan.rounds.iter().flat_map(|round| &round.steps);
    let mut reasons: Vec<Reason> =
        steps.filter(|step| step.act == Act::Inject).filter_map(|step| without_effect(run, step)).collect();
    for event in run.events {
        if let Detail::Caveat { code, text } = &event.detail
            && FATAL_CAVEATS.contains(&code.as_str())
        {
            reasons.push(Reason { code: code.clone(), text: text.clone(), evidence: vec![event.id] });
        }
    }
    reasons
}

/// A look at the fault: when, whether it held, the event.
type Look = (u64, bool, EventId);

fn without_effect(run: &Run<'_>, step: &Step) -> Option<Reason> {
    let reason = |code: &str, text: String, evidence| Some(Reason { code: code.to_owned(), text, evidence });
    let Some(done) = run.timeline.done.get(&step.id) else {
        let text = format!("the fault `{}` was never injected", step.fault);
        return reason("fault-without-effect", text, Vec::new());
    };
    let mut looks: Vec<Look> = Vec::new();
    for event in run.events {
        if let Detail::FaultEffect { fault, holds, .. } = &event.detail
            && fault == &step.fault
        {
            looks.push((event.t_ns, *holds, event.id));
        }
    }
    looks.sort();
    let healed_ns = run.timeline.done.get(&step.pair).map_or(u64::MAX, |done| done.t_ns);
    let failed = looks.iter().position(|(_, holds, _)| !holds);
    match failed {
        Some(failed) if looks[..failed].iter().any(|(_, holds, _)| *holds) => {
            let text = format!("the fault `{}` ended before it was healed", step.fault);
            reason("fault-ended-early", text, vec![done.event, looks[failed].2])
        }
        Some(failed) => {
            let text = format!("the fault `{}` was injected and something in it still lived", step.fault);
            reason("fault-without-effect", text, vec![done.event, looks[failed].2])
        }
        None if !looks.iter().any(|(t_ns, ..)| *t_ns >= done.t_ns && *t_ns <= healed_ns) => {
            let text = format!("nobody looked whether the fault `{}` was in force", step.fault);
            reason("fault-without-effect", text, vec![done.event])
        }
        None => None,
    }
}
