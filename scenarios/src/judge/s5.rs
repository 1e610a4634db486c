//! S5, black start from zero. Refuses to look at customers; those are R1's.
//!
//! *Statement*: what gets power becomes active by itself, and takes nothing else down with it.
//!
//! *Oracle*: after every heal of the plan, each instance on the hosts whose power returned is seen active by the witness
//! within `windows.recovery` (s, from the scenario; from the opening of the gate), or is excused at the end: it answers,
//! and lacks only what a live fault keeps dark. Every other instance with power is active or excused at the end as
//! well. Nobody acts on a host meanwhile (limit: 0 interventions). Where another act of the plan comes before three quarters
//! of the limit are over, who was not back by then is judged after that one's heal.
//!
//! *Horizon*: a need that gives up after a longer time than its provider was dark cannot have shown it; what was held is
//! then not judged.
//!
//! *Inconclusive*: a heal of the plan was not carried out, or the run ended before the limit and before everybody was
//! back.

use super::finding::{Victim, sorted};
use super::{Entry, Outcome, Run, count, culprit};
use crate::event::{Act, Detail, Event, EventId};
use crate::judgement::{Finding, InvariantResult};
use crate::plan::Step;
use crate::timeline::Recovery;
use crate::verdict::Verdict;
use fixtures::name::HostName;
use fixtures::unit::Span;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const ENTRY: Entry = Entry {
    id: "S5",
    title: "black start from zero",
    statement: "Everything that gets power becomes active by itself, within the limit and without an operator.",
    judge,
};

/// Instances named in a sentence.
const NAMED_MAX: usize = 8;

/// Somebody who did not come back.
pub(super) struct Stuck<'r> {
    pub(super) instance: usize,
    recovery: &'r Recovery,
}

fn judge(run: &Run<'_>) -> Outcome {
    let limit = run.case.scenario.windows.recovery;
    let recoveries = run.timeline.recoveries(run.case.plan, limit);
    let judged = recoveries.iter().filter(|recovery| !recovery.overtaken);
    let all = judged.flat_map(|recovery| stuck_after(run, recovery));
    let (cut, stuck): (Vec<Stuck<'_>>, Vec<Stuck<'_>>) = all.partition(|one| one.recovery.cut);
    let acts = interventions(run, &recoveries);
    let result = |verdict, reason, evidence| InvariantResult {
        id: ENTRY.id.to_owned(),
        aspect: None,
        verdict,
        reason,
        thresholds: BTreeMap::from([
            ("recovery".to_owned(), Span(limit).to_string()),
            ("interventions".to_owned(), "0".to_owned()),
        ]),
        evidence,
    };
    let of_events = |result| Outcome { results: vec![result], findings: Vec::new() };
    if !stuck.is_empty() || !acts.is_empty() {
        let (reason, evidence) = harm(run, &stuck, &acts);
        let mut findings = run.findings(ENTRY.id, victims(run, &stuck));
        findings.extend(acts.iter().filter_map(|act| intervened(run, act)));
        return Outcome { results: vec![result(Verdict::Violated, reason, evidence)], findings };
    }
    let steps = run.case.plan.rounds.iter().flat_map(|round| &round.steps);
    let mut heals = steps.filter(|step| step.act == Act::Heal && !run.timeline.is_left_out(step));
    if let Some(missing) = heals.find(|step| !run.timeline.done.contains_key(&step.id)) {
        let what = if missing.is_power() { "the power was never given back" } else { "the fault was never healed" };
        let reason = format!("{what}: the step `{}` was not carried out", missing.id);
        return of_events(result(Verdict::Inconclusive, reason, Vec::new()));
    }
    let evidence = sorted(recoveries.iter().map(|recovery| recovery.event));
    if !cut.is_empty() {
        let reason = format!("the run ended in recovery, before {} had become active", count(cut.len(), "instance"));
        return of_events(result(Verdict::Inconclusive, reason, evidence));
    }
    if let Some(reason) = beyond_horizon(run) {
        return of_events(result(Verdict::NotJudged, reason, evidence));
    }
    let step_of = |recovery: &Recovery| run.case.plan.step(&recovery.step).map(|(_, step)| step);
    let all_power = recoveries.iter().filter_map(step_of).all(Step::is_power);
    let what = if all_power { "power-on" } else { "heal" };
    let reason = format!("after {} everything with power was active or excused in time", count(recoveries.len(), what));
    of_events(result(Verdict::Held, reason, evidence))
}

/// Who has power and is not back in time.
pub(super) fn stuck_after<'r>(run: &Run<'_>, recovery: &'r Recovery) -> Vec<Stuck<'r>> {
    let Some((_, step)) = run.case.plan.step(&recovery.step) else { return Vec::new() };
    let placement = run.case.placement;
    let changes: BTreeSet<&HostName> = step.changes.iter().collect();
    let is_back = |index: usize| {
        let instance = &placement.instances[index];
        let lost_power = changes.contains(&placement.hosts[instance.host].name);
        let came_back = || {
            let from_ns = recovery.gate_ns;
            run.timeline.first_active(&instance.name, from_ns, recovery.deadline_ns).is_some()
        };
        run.is_dark(index, recovery.end_ns)
            || run.is_aimed_at(index, recovery.end_ns)
            || run.timeline.is_active_about(&instance.name, recovery.end_ns)
            || (lost_power && came_back())
            || run.is_excused(index, recovery.end_ns)
    };
    let stuck = (0..placement.instances.len()).filter(|&index| !is_back(index));
    stuck.map(|instance| Stuck { instance, recovery }).collect()
}

fn interventions<'a>(run: &Run<'a>, recoveries: &[Recovery]) -> Vec<&'a Event> {
    let during = |event: &&Event| {
        matches!(event.detail, Detail::Intervention { .. })
            && recoveries.iter().any(|one| event.t_ns >= one.gate_ns && event.t_ns <= one.end_ns)
    };
    run.events.iter().filter(during).collect()
}

fn harm(run: &Run<'_>, stuck: &[Stuck<'_>], acts: &[&Event]) -> (String, Vec<EventId>) {
    let mut names: Vec<&str> =
        stuck.iter().map(|one| run.case.placement.instances[one.instance].name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mut sentences = Vec::new();
    if !names.is_empty() {
        let more = names.len().saturating_sub(NAMED_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let shown = names.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
        let limit = Span(run.case.scenario.windows.recovery);
        let (who, were) = (count(names.len(), "instance"), if names.len() == 1 { "was" } else { "were" });
        sentences.push(format!("{who} with power {were} not active within {limit}: {shown}{more}"));
    }
    if !acts.is_empty() {
        sentences.push(format!("{} between power-on and active", count(acts.len(), "intervention")));
    }
    let states = stuck.iter().flat_map(|one| {
        let name = &run.case.placement.instances[one.instance].name;
        let state = run.timeline.life_at(name, one.recovery.end_ns).map(|span| span.event);
        state.into_iter().chain([one.recovery.event])
    });
    (sentences.join("; "), sorted(states.chain(acts.iter().map(|act| act.id))))
}

fn victims(run: &Run<'_>, stuck: &[Stuck<'_>]) -> Vec<Victim> {
    let victim = |one: &Stuck<'_>| {
        let instance = &run.case.placement.instances[one.instance];
        Victim {
            instance: Some(instance.name.clone()),
            zone: instance.zone.clone(),
            from_ns: one.recovery.gate_ns,
            to_ns: one.recovery.end_ns,
            trace: culprit::trace(run, one.instance, one.recovery.end_ns),
        }
    };
    stuck.iter().map(victim).collect()
}

/// A finding on the service of the host that was acted on, where it is known.
fn intervened(run: &Run<'_>, event: &Event) -> Option<Finding> {
    let Detail::Intervention { action } = &event.detail else { return None };
    let placement = run.case.placement;
    let by_name = event.place.instance.as_ref().and_then(|name| placement.instance_by_name(name));
    let on_host = || {
        let host = placement.hosts.iter().find(|host| Some(&host.name) == event.place.host.as_ref())?;
        host.instances.first().map(|&index| &placement.instances[index])
    };
    let instance = by_name.or_else(on_host)?;
    let host = &placement.hosts[instance.host].name;
    Some(Finding {
        invariant: ENTRY.id.to_owned(),
        service: instance.service.clone(),
        team: run.team(&instance.service),
        dependency: None,
        setting: None,
        text: format!("somebody acted on {host} (`{action}`) before it was active: it did not come back by itself"),
        confirmed: false,
        consequence_of: None,
        affected: vec![instance.name.clone()],
        chain: vec![crate::judgement::Link {
            who: instance.name.to_string(),
            waits_for: "an operator".to_owned(),
            how: format!("intervention {action}"),
            since_ns: event.t_ns,
            evidence: vec![event.id],
        }],
        known: false,
    })
}

/// What an outage as short as this could not have revealed.
pub(super) fn beyond_horizon(run: &Run<'_>) -> Option<String> {
    let placement = run.case.placement;
    let needs =
        run.case.graph.services.iter().flat_map(|service| service.needs.iter().map(move |need| (service, need)));
    let hidden = needs.filter_map(|(service, need)| {
        let gives_up = need.gives_up_after()?;
        let providers = placement.instances.iter().filter(|instance| instance.service == need.from);
        let dark = providers.map(|instance| run.case.plan.longest_dark(&placement.hosts[instance.host].name)).max()?;
        (!dark.is_zero() && gives_up > dark).then_some((gives_up, dark, service, need))
    });
    let (gives_up, dark, service, need) = hidden.max_by_key(|(gives_up, ..)| *gives_up)?;
    Some(format!(
        "everything came back, but `{}` gives up on `{}` only after {} and `{}` was dark for {}: an outage longer than {} \
         would reveal it",
        service.name,
        need.kind,
        Span(gives_up),
        need.from,
        Span(dark),
        Span(gives_up)
    ))
}
