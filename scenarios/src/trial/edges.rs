//! Owns how hard an image leans on each dependency, as a trial measured it. Refuses to take anybody's word for it.

use super::telemetry::is_telemetry;
use super::{Bounds, Dependency, Experiment, Knock, Purpose, seconds};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How hard an edge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Hardness {
    /// Without it the image does not come to answer.
    HardAtStart,
    /// It comes to answer without it, and calls fail without it.
    HardAtCall,
    /// Neither start nor calls lack it.
    Soft,
    /// It was an allowed need, or there was no measurement, for the reason told.
    NotMeasured,
}

impl Hardness {
    /// The words for it.
    pub fn told(self) -> &'static str {
        match self {
            Self::HardAtStart => "hard at start",
            Self::HardAtCall => "hard at call",
            Self::Soft => "soft",
            Self::NotMeasured => "not measured",
        }
    }
}

/// One dependency that the image tried to reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Edge {
    /// The name, or the plain address.
    pub name: String,
    /// The ports that it was wanted at, as `5432` or `8125/udp`; none where only its name was asked for.
    pub ports: Vec<String>,
    /// Whether it was wanted before the image answered for the first time.
    pub at_start: bool,
    /// Whether it is telemetry.
    pub telemetry: bool,
    /// Whether it is one of the needs that were allowed, at every port at which it was wanted.
    pub allowed: bool,
    /// The first request that was read there.
    pub request: Option<String>,
    /// How hard.
    pub hardness: Hardness,
    /// Why it is said to be so.
    pub reason: String,
}

/// Every dependency that any experiment saw, in the order of their names.
pub fn edges(experiments: &[Experiment], bounds: &Bounds) -> Vec<Edge> {
    let mut found: BTreeMap<&str, Edge> = BTreeMap::new();
    for experiment in experiments {
        let first = experiment.steps.first();
        let answered = first.and_then(|step| step.probe.first_well_ms.map(|after| step.began_ms + after));
        for knock in experiment.steps.iter().flat_map(|step| &step.knocks) {
            let edge = found.entry(&knock.dependency.name).or_insert_with(|| new(knock));
            note(edge, knock, answered, bounds);
        }
    }
    for edge in found.values_mut() {
        let own =
            |experiment: &&Experiment| matches!(&experiment.purpose, Purpose::Edge { name } if *name == edge.name);
        (edge.hardness, edge.reason) = match experiments.iter().find(own) {
            _ if edge.allowed => (Hardness::NotMeasured, "an allowed need is always there".to_owned()),
            Some(experiment) => hardness(experiment, bounds),
            None => (Hardness::NotMeasured, "no experiment left it out alone".to_owned()),
        };
    }
    found.into_values().collect()
}

fn new(knock: &Knock) -> Edge {
    Edge {
        name: knock.dependency.name.clone(),
        ports: Vec::new(),
        at_start: false,
        telemetry: false,
        allowed: knock.allowed,
        request: None,
        hardness: Hardness::NotMeasured,
        reason: String::new(),
    }
}

fn note(edge: &mut Edge, knock: &Knock, answered: Option<u64>, bounds: &Bounds) {
    let Dependency { port, udp, .. } = knock.dependency;
    let told = format!("{port}{}", if udp { "/udp" } else { "" });
    if port > 0 && !edge.ports.contains(&told) {
        edge.ports.push(told);
        edge.ports.sort();
    }
    edge.at_start |= answered.is_none_or(|answered| knock.first_ms <= answered);
    edge.telemetry |= is_telemetry(&knock.dependency, &bounds.telemetry);
    // Whoever is allowed at one port and wanted at another is not allowed; a lookup of the name says nothing of ports.
    if port > 0 {
        edge.allowed = knock.allowed && (edge.ports.len() == 1 || edge.allowed);
    }
    if edge.request.is_none() {
        edge.request.clone_from(&knock.request);
    }
}

/// From an experiment of three steps: without it, with it, without it again.
fn hardness(experiment: &Experiment, bounds: &Bounds) -> (Hardness, String) {
    let [without, rest @ ..] = experiment.steps.as_slice() else {
        return (Hardness::NotMeasured, "its experiment did not begin".to_owned());
    };
    if let Some(exit) = &experiment.exit
        && without.probe.well == 0
    {
        return (Hardness::HardAtStart, format!("without it, {exit}"));
    }
    if without.probe.well == 0 {
        let lasted = seconds(without.ended_ms - without.began_ms);
        return (Hardness::HardAtStart, format!("without it, it did not answer in {lasted}"));
    }
    if let Some(exit) = &experiment.exit {
        return (Hardness::HardAtCall, format!("it answers without it; when it goes away, {exit}"));
    }
    // What a call does without it, from the start and after it was there: a cache may hide the first of losses.
    let away = rest.get(1);
    let fails = |asked: &super::Asked| asked.is_any() && asked.not_well() > asked.well;
    let (early, late) = (fails(&without.call), away.is_some_and(|step| fails(&step.call)));
    if early || late {
        let of = if late { away.map_or(&without.call, |step| &step.call) } else { &without.call };
        let trouble = of.last_trouble.clone().unwrap_or_default();
        let (failed, all) = (of.not_well(), of.not_well() + of.well);
        return (Hardness::HardAtCall, format!("without it {failed} of {all} calls fail: {trouble}"));
    }
    let calls = without.call.well + away.map_or(0, |step| step.call.well);
    let what = if bounds.has_call { "calls" } else { "probes (no --call was given)" };
    (Hardness::Soft, format!("it comes to answer without it, and {calls} {what} succeed"))
}
