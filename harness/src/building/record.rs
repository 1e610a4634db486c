//! Owns what the record of a build says beyond its judgement: what was built, how it ended, and the command that does it
//! again. Refuses to write it anywhere.

use super::{Built, Spec};
use crate::builder::Ending;
use fixtures::name::{InstanceName, ServiceName};
use fixtures::regional::estate::{Estate, Part, Site, What};
use reports::build::checks::CheckRow;
use reports::build::{Awaited, BUILD_SCHEMA, BuildRecord, HandRow, HandSeen, StandInRow, StateRow, Told, told};
use scenarios::build::check::Check;
use scenarios::build::judge::Case;
use scenarios::build::observed::FlowEnd;
use scenarios::build::plan::{Act, BuildPhase, Step, Until};
use scenarios::judgement::Finding;
use std::collections::BTreeMap;

/// The record of a build; `graph` is how whoever asked for it named the graph.
pub fn of(spec: &Spec, built: &Built, run: &str, graph: &str) -> BuildRecord {
    let ending = match &built.ending {
        Ending::Completed => "open to customers".to_owned(),
        Ending::RolledBack { why } => format!("rolled back ({why})"),
        Ending::Stuck { step, why } => format!("stuck at {step} ({why})"),
        Ending::Paused { before, why } if why.is_empty() => format!("paused before {}", before.word()),
        Ending::Paused { before, why } => format!("paused before {}: {why}", before.word()),
    };
    let told = told(&built.events);
    BuildRecord {
        schema: BUILD_SCHEMA,
        run: run.to_owned(),
        region: spec.build.to_string(),
        zone: built.estate.new_zone().map(ToString::to_string),
        parent: match &built.estate.what {
            What::LocalZone { parent, .. } => Some(parent.to_string()),
            What::Region | What::Zone(_) => None,
        },
        bootstrap: spec.bootstrap.to_string(),
        graph: spec.graph.name.to_string(),
        world: built.world.to_owned(),
        seed: spec.seed,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_utc: built.events.first().map(|event| event.utc.clone()).unwrap_or_default(),
        services: built.estate.graph.services.len(),
        instances: built.estate.placement.instances.len(),
        ending,
        opened: built.ending == Ending::Completed,
        verdict: built.judged.verdict,
        inconclusive: built.judged.inconclusive.clone(),
        invariants: built.judged.invariants.clone(),
        findings: built.judged.findings.clone(),
        replay: replay(spec, built.world, graph),
        took_ms: told.took_ns() / 1_000_000,
        steps: told.steps().count(),
        tried_again: told.steps().filter(|step| step.attempts > 1).count(),
        by_hand: told.hands.len(),
        hands: told.hands.iter().map(|hand| by_hand(&built.estate, hand)).collect(),
        found_in: built.judged.findings.iter().filter_map(|finding| found_in(&told, finding)).collect(),
        checks: spec.checks.iter().map(|check| asked(built, check)).collect(),
        awaited: built.plan.steps.iter().map(|step| (step.id.clone(), awaited(&step.until))).collect(),
        stand_ins: stand_ins(built),
        state: Some(state(built)),
    }
}

/// The record of a build in which these defects were played: the command that does it again plays them too.
pub fn with_defects(mut record: BuildRecord, defects: &[String]) -> BuildRecord {
    record.replay.extend(defects.iter().map(|defect| format!(" --defect {defect}")));
    record
}

fn awaited(until: &Until) -> Awaited {
    match until {
        Until::Done => Awaited::Act,
        Until::Passed(time) => Awaited::Passed { ms: u64::try_from(time.as_millis()).unwrap_or(u64::MAX) },
        Until::Answering(instances) => Awaited::Answering { instances: instances.clone() },
        Until::Active { instances, .. } => Awaited::Active { instances: instances.clone() },
    }
}

/// What stands in for something, with the last step that takes power from any of it.
fn stand_ins(built: &Built) -> Vec<StandInRow> {
    let (estate, placement) = (&built.estate, &built.estate.placement);
    let mut rows: BTreeMap<(FlowEnd, ServiceName), String> = BTreeMap::new();
    for instance in &placement.instances {
        let standing = estate.standing[instance.host];
        if standing.site != Site::Network {
            continue;
        }
        let end = match standing.part {
            Part::Franken => FlowEnd::Franken,
            Part::Proxy => FlowEnd::Proxy,
            _ => FlowEnd::Network,
        };
        let host = &placement.hosts[instance.host].name;
        let takes = |step: &&Step| matches!(&step.act, Act::PowerOff(hosts) if hosts.contains(host));
        let step = built.plan.steps.iter().rev().find(takes).map(|step| step.id.clone()).unwrap_or_default();
        rows.insert((end, instance.service.clone()), step);
    }
    rows.into_iter().map(|((end, service), step)| StandInRow { end, service, step }).collect()
}

/// What is so at the end, in a form that can be compared.
fn state(built: &Built) -> StateRow {
    let (lit, records, inward, border) = &built.state;
    let mut lit = lit.clone();
    lit.sort();
    let sorted = |instances: &[InstanceName]| {
        let mut instances = instances.to_vec();
        instances.sort();
        instances
    };
    let names = records.behind.iter().map(|(service, instances)| (service.clone(), sorted(instances))).collect();
    StateRow { lit, names, everywhere: sorted(&records.everywhere), inward: *inward, border: *border }
}

/// The phase in which a finding was first seen.
fn found_in(told: &Told, finding: &Finding) -> Option<BuildPhase> {
    told.phase_at(finding.chain.first().map_or(0, |link| link.since_ns))
}

fn asked(built: &Built, check: &Check) -> CheckRow {
    let case = Case { estate: &built.estate, plan: &built.plan };
    CheckRow { check: check.clone(), outcome: check.outcome(&case, &built.events, &built.judged) }
}

/// Whose it is that somebody had to do something: of the service where it was, or of whoever rolls changes out.
fn by_hand(estate: &Estate, hand: &HandSeen) -> HandRow {
    let on_host = || {
        let host = estate.placement.hosts.iter().find(|host| Some(&host.name) == hand.place.host.as_ref())?;
        host.instances.first().map(|&place| estate.placement.instances[place].service.clone())
    };
    let instance = hand.place.instance.as_ref().and_then(|name| estate.placement.instance_by_name(name));
    let service = hand.place.service.clone().or_else(|| instance.map(|one| one.service.clone())).or_else(on_host);
    let service = service.unwrap_or_else(|| estate.cast.packages.clone());
    let team = estate.graph.service(&service).map(|one| one.team.to_string()).unwrap_or_default();
    HandRow { step: hand.step.clone(), what: hand.what.clone(), team, evidence: hand.event }
}

fn replay(spec: &Spec, world: &str, graph: &str) -> String {
    let how = match &spec.zone {
        Some(zone) => {
            let parent = zone.parent.as_ref().map(|parent| format!(" --parent {parent}")).unwrap_or_default();
            format!("--zone {}{parent}", zone.name)
        }
        None => format!("--from {}", spec.bootstrap),
    };
    format!("blackstart build {} {how} --graph {graph} --world {world} --seed {}", spec.build, spec.seed)
}
