//! Owns the question whether what was to happen happened, for as long as it should, and nothing else did. Refuses to
//! look at what it did to the region.

use super::Run;
use crate::event::{Act, Detail, EventId};
use crate::judgement::Reason;
use crate::plan::Step;

/// Caveats with which no verdict stands.
const FATAL_CAVEATS: [&str; 7] =
    ["harness-failed", "stopped", "oom", "unplanned-death", "lost-windows", "trigger-never-came", "neighbours-full"];
/// The code of a fault that did nothing.
const WITHOUT_EFFECT: &str = "fault-without-effect";

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

/// A look at the fault: when, whether it held, what was seen, the event.
struct Look<'e> {
    t_ns: u64,
    holds: bool,
    text: &'e str,
    event: EventId,
}

fn without_effect(run: &Run<'_>, step: &Step) -> Option<Reason> {
    let fault = &step.fault;
    let reason = |code: &str, text: String, evidence| Some(Reason { code: code.to_owned(), text, evidence });
    let Some(done) = run.timeline.done.get(&step.id) else {
        if run.timeline.is_left_out(step) {
            return None;
        }
        // What it waited for never came: the caveat that says so is a reason of its own.
        let text = format!("the fault `{fault}` was never injected");
        return step.after.is_none().then(|| Reason { code: WITHOUT_EFFECT.to_owned(), text, evidence: Vec::new() });
    };
    let looks = looks(run, step, done.t_ns);
    let seen = |look: &Look<'_>| if look.text.is_empty() { String::new() } else { format!(": {}", look.text) };
    let evidence = |look: &Look<'_>| vec![done.event, look.event];
    let Some(first) = looks.first() else {
        let text = format!("nobody looked whether the fault `{fault}` was in force");
        return reason(WITHOUT_EFFECT, text, vec![done.event]);
    };
    if step.is_instant() {
        // It lasts no time: once is enough.
        let text = format!("the fault `{fault}` was injected and nothing came of it{}", seen(first));
        return if looks.iter().any(|look| look.holds) { None } else { reason(WITHOUT_EFFECT, text, evidence(first)) };
    }
    let failed = looks.iter().position(|look| !look.holds)?;
    let (look, held_before) = (&looks[failed], looks[..failed].iter().any(|look| look.holds));
    if held_before {
        let text = format!("the fault `{fault}` ended before it was healed{}", seen(look));
        reason("fault-ended-early", text, evidence(look))
    } else if look.text.is_empty() {
        let text = format!("the fault `{fault}` was injected and something in it still lived");
        reason(WITHOUT_EFFECT, text, evidence(look))
    } else {
        reason(WITHOUT_EFFECT, format!("the fault `{fault}` had no effect{}", seen(look)), evidence(look))
    }
}

/// Looks at a fault between an inject and its heal, by time; of what happens in one instant all up to the next one.
fn looks<'e>(run: &Run<'e>, step: &Step, from_ns: u64) -> Vec<Look<'e>> {
    let healed_ns = run.timeline.done.get(&step.pair).map_or(u64::MAX, |done| done.t_ns);
    let again = run
        .case
        .plan
        .rounds
        .iter()
        .flat_map(|round| &round.steps)
        .filter(|other| other.fault == step.fault && other.act == Act::Inject && other.id != step.id);
    let again_ns = again.filter_map(|other| run.timeline.done.get(&other.id)).map(|done| done.t_ns);
    let again_ns = again_ns.filter(|t_ns| *t_ns > from_ns).min().unwrap_or(u64::MAX);
    let to_ns = if step.is_instant() { again_ns } else { healed_ns };
    let mut looks: Vec<Look<'e>> = Vec::new();
    for event in run.events {
        if let Detail::FaultEffect { fault, holds, text, .. } = &event.detail
            && fault == &step.fault
            && (from_ns..=to_ns).contains(&event.t_ns)
        {
            looks.push(Look { t_ns: event.t_ns, holds: *holds, text, event: event.id });
        }
    }
    looks.sort_by_key(|look| (look.t_ns, look.event));
    looks
}
