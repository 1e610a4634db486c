//! Z6, changes go zone by zone. Refuses to say whether a change is good.
//!
//! *Statement*: a configuration push or a deployment never takes from customers of two zones what they are promised.
//!
//! *Oracle*: for each push and deployment, for each zone with a canary: from `windows.shift` (s) after the zone got the new
//! version (a zone that did not: after the first one did) to the roll-back there: answered (in full or degraded) / sent >=
//! `steady-state.availability` (%), and the 99th percentile of latency <= `steady-state.latency-p99` (ms, upper bound of its
//! bucket). Zones in which another fault is in force meanwhile do not count. Limit of zones that got less: 1.
//!
//! *Horizon*: `1 / (1 - availability)` samples in each zone, and two zones with a canary.
//!
//! *Inconclusive*: as in Z1, the control canary missed its target in more than half of the windows of a zone.

use super::culprit::{Cause, Root, Trace};
use super::finding::{Victim, sorted};
use super::slo::{State, Zone, samples_for};
use super::z1::slo_thresholds;
use super::{Entry, Outcome, Run};
use crate::event::{Act, EventId};
use crate::judgement::{InvariantResult, Link};
use crate::plan::{Deed, Step};
use crate::timeline::ns;
use crate::traffic::zones;
use crate::verdict::Verdict;
use fixtures::name::{ServiceName, ZoneName};
use fixtures::version::Version;
use std::collections::BTreeSet;

pub(super) const ENTRY: Entry = Entry {
    id: "Z6",
    title: "changes go zone by zone",
    statement: "A configuration push or a deployment never takes from customers of two zones what they are promised.",
    judge,
};

/// A version on its way, as far as it came: its steps that were carried out, with their times and events.
struct Change<'a> {
    service: &'a ServiceName,
    version: &'a Version,
    guarded: bool,
    /// Steps that were planned.
    planned: usize,
    waves: Vec<Wave<'a>>,
}

/// One step of it: from when to when its zones had the version.
struct Wave<'a> {
    step: &'a Step,
    from_ns: u64,
    to_ns: u64,
    event: EventId,
}

fn changes<'a>(run: &Run<'a>) -> Vec<Change<'a>> {
    let mut changes: Vec<Change<'a>> = Vec::new();
    let steps = run.case.plan.rounds.iter().flat_map(|round| &round.steps);
    for step in steps.filter(|step| step.act == Act::Inject) {
        let Deed::Change { service, version, guarded } = &step.deed else { continue };
        let place = changes.iter().position(|change| change.version == version).unwrap_or_else(|| {
            changes.push(Change { service, version, guarded: *guarded, planned: 0, waves: Vec::new() });
            changes.len() - 1
        });
        changes[place].planned += 1;
        if let Some(done) = run.timeline.done.get(&step.id) {
            let to_ns = run.timeline.done.get(&step.pair).map_or(run.timeline.end_ns, |healed| healed.t_ns);
            changes[place].waves.push(Wave { step, from_ns: done.t_ns, to_ns, event: done.event });
        }
    }
    changes
}

impl Change<'_> {
    /// How customers of each zone fared with it.
    fn zones<'a>(&self, run: &Run<'a>) -> Vec<Zone<'a>> {
        let (Some(from_ns), Some(to_ns)) =
            (self.waves.iter().map(|wave| wave.from_ns).min(), self.waves.iter().map(|wave| wave.to_ns).max())
        else {
            return Vec::new();
        };
        let needed = samples_for(run.case.scenario.steady_state.availability);
        let shift_ns = ns(run.case.scenario.windows.shift);
        let own: BTreeSet<&str> = self.waves.iter().map(|wave| wave.step.fault.as_str()).collect();
        let others = run.timeline.spells.iter().filter(|spell| {
            !own.contains(spell.fault.as_str()) && spell.from_ns < to_ns && spell.to_ns.is_none_or(|end| end > from_ns)
        });
        let disturbed: BTreeSet<&ZoneName> = others.flat_map(|spell| &spell.zones).collect();
        let judged = zones(&run.canaries).into_iter().filter(|zone| !disturbed.contains(zone));
        let slo = |zone: &'a ZoneName| {
            let wave = self.waves.iter().find(|wave| wave.step.zones.contains(zone));
            let (from_ns, to_ns) = wave.map_or((from_ns, to_ns), |wave| (wave.from_ns, wave.to_ns));
            run.zone_slo(zone, from_ns.saturating_add(shift_ns), to_ns, needed)
        };
        judged.map(slo).collect()
    }

    /// Whoever rolls it out with less care than there is.
    fn root(&self) -> Root {
        let (name, noun) = (&self.version.name, self.version.noun());
        let at_once = self.planned == 1 && self.waves.iter().any(|wave| wave.step.zones.len() > 1);
        let (setting, how) = if at_once {
            (Some("bake-time"), "was made in all zones at once")
        } else if self.planned > 1 && !self.guarded {
            (Some("stop-on-failure"), "went on to the next zone although customers of the one before were harmed")
        } else {
            (None, "harmed customers of zones that it had not reached")
        };
        let setting = setting.map(|key| format!("faults.{name}.{key}"));
        let cause = Cause::Changed(format!("the {noun} `{name}` of `{}` {how}", self.service));
        Root { service: self.service.clone(), dependency: None, setting, cause }
    }

    /// Instances of a zone that have the version, or (where it has none) customers alone.
    fn victims(&self, run: &Run<'_>, zone: &Zone<'_>) -> Vec<Victim> {
        let victim = |instance, links| Victim {
            instance,
            zone: zone.zone.clone(),
            from_ns: zone.start_ns,
            to_ns: zone.end_ns,
            trace: Trace { links, root: Some(self.root()) },
        };
        let Some(wave) = self.waves.iter().find(|wave| wave.step.zones.contains(zone.zone)) else {
            return vec![victim(None, Vec::new())];
        };
        let placement = run.case.placement;
        let changed = placement.instances.iter().filter(|instance| {
            instance.service == *self.service
                && instance.zone == *zone.zone
                && wave.step.hosts.contains(&placement.hosts[instance.host].name)
        });
        let held = |instance: &fixtures::placement::Instance| {
            let link = Link {
                who: instance.name.to_string(),
                waits_for: format!("the roll-back of `{}`", self.version.name),
                how: self.version.noun().to_owned(),
                since_ns: wave.from_ns,
                evidence: vec![wave.event],
            };
            victim(Some(instance.name.clone()), vec![link])
        };
        changed.map(held).collect()
    }
}

fn judge(run: &Run<'_>) -> Outcome {
    let (mut victims, mut seen, mut evidence) = (Vec::new(), Vec::new(), Vec::new());
    let mut verdicts = Vec::new();
    for change in changes(run) {
        let zones = change.zones(run);
        let is_harmed = |zone: &&Zone<'_>| matches!(zone.state, State::Unavailable | State::Slow);
        let harmed: Vec<&Zone<'_>> = zones.iter().filter(is_harmed).collect();
        let is = |state| zones.iter().any(|zone| zone.state == state);
        let (verdict, told): (_, Vec<&Zone<'_>>) = if harmed.len() > 1 {
            victims.extend(harmed.iter().flat_map(|zone| change.victims(run, zone)));
            (Verdict::Violated, harmed)
        } else if is(State::Busy) {
            (Verdict::Inconclusive, zones.iter().filter(|zone| zone.state == State::Busy).collect())
        } else if zones.len() < 2 || is(State::TooFew) {
            (Verdict::NotJudged, zones.iter().filter(|zone| zone.state == State::TooFew).collect())
        } else {
            (Verdict::Held, zones.iter().collect())
        };
        let texts: Vec<&str> = told.iter().map(|zone| zone.text.as_str()).collect();
        seen.push((verdict, format!("`{}`: {}", change.version.name, texts.join("; "))));
        evidence.extend(change.waves.iter().map(|wave| wave.event));
        evidence.extend(told.iter().flat_map(|zone| zone.evidence.iter().copied()));
        verdicts.push(verdict);
    }
    let verdict = verdicts.into_iter().max().unwrap_or(Verdict::NotJudged);
    let telling: Vec<String> = seen.into_iter().filter(|(one, _)| *one == verdict).map(|(_, text)| text).collect();
    let reason = match verdict {
        Verdict::NotJudged => {
            let needed = samples_for(run.case.scenario.steady_state.availability);
            let seconds = run.case.scenario.windows.shift.as_secs_f64() + run.seconds_for(needed) as f64;
            let would = format!("a push or a deployment in force for {seconds} s or more, and two zones, would do");
            telling.into_iter().chain([would]).collect::<Vec<_>>().join("; ")
        }
        _ => telling.join("; "),
    };
    let mut thresholds = slo_thresholds(run, samples_for(run.case.scenario.steady_state.availability));
    thresholds.insert("zones harmed by one change".to_owned(), "1".to_owned());
    let id = ENTRY.id.to_owned();
    let result = InvariantResult { id, aspect: None, verdict, reason, thresholds, evidence: sorted(evidence) };
    Outcome { results: vec![result], findings: run.findings(ENTRY.id, victims) }
}
