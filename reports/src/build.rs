//! Owns the record of a build, `build.json`, and what its events amount to: phases, steps, what each waited for, who called
//! whom over the border. Refuses to judge, and renders nothing: [`page`] does.

pub mod checks;
pub mod configuration;
pub mod leaning;
pub mod lessons;
pub mod page;
pub mod path;
pub mod progress;
pub mod tree;
pub mod trend;

use checks::CheckRow;
use fixtures::name::{HostName, InstanceName, ServiceName};
use fixtures::regional::Regional;
use scenarios::build::observed::{Building, Delivery, FlowEnd, StepState};
use scenarios::build::plan::{Border, BuildPhase};
use scenarios::event::{Detail, Event, EventId, Life, Place};
use scenarios::judgement::{Finding, InvariantResult, Reason};
use scenarios::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Number of the record's schema.
pub const BUILD_SCHEMA: u32 = 1;

/// Everything about one build except its events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BuildRecord {
    /// [`BUILD_SCHEMA`] of the writer.
    pub schema: u32,
    /// The build's id; sorts by time.
    pub run: String,
    /// The region that was built, or into which a zone was.
    pub region: String,
    /// The zone that was built; absent where a region was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The zone that holds its control plane, where it is a local zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The region that served customers all the while: the one that it was built out of.
    pub bootstrap: String,
    /// The graph.
    pub graph: String,
    /// Where.
    pub world: String,
    /// Decides everything.
    pub seed: u64,
    /// The version of the writer.
    pub version: String,
    /// When it began (RFC 3339).
    pub started_utc: String,
    /// Services of the region.
    pub services: usize,
    /// Instances of both regions and of the bootstrap network.
    pub instances: usize,
    /// How it ended, in a sentence.
    pub ending: String,
    /// Whether the region is open.
    pub opened: bool,
    /// All invariants merged, and `inconclusive` where the build failed and none of them says why.
    pub verdict: Verdict,
    /// Why nothing can be said of the whole build; empty where something can.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inconclusive: Vec<Reason>,
    /// Each invariant.
    pub invariants: Vec<InvariantResult>,
    /// One for each cause of a violation.
    pub findings: Vec<Finding>,
    /// The command that does it again.
    pub replay: String,
    /// How long it took, in milliseconds.
    #[serde(default)]
    pub took_ms: u64,
    /// Steps that were begun.
    #[serde(default)]
    pub steps: usize,
    /// Steps that were begun more than once.
    #[serde(default)]
    pub tried_again: usize,
    /// Acts of anybody who is not the builder.
    #[serde(default)]
    pub by_hand: usize,
    /// Each of those acts, with the team that has to see to it that the next build needs none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hands: Vec<HandRow>,
    /// The phase in which each finding was first seen, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found_in: Vec<BuildPhase>,
    /// Findings of earlier builds that stood open, and what came of them here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckRow>,
    /// What the plan has each step wait for once its act is done.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub awaited: BTreeMap<String, Awaited>,
    /// What stood in for something, and the step of the plan that takes it away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stand_ins: Vec<StandInRow>,
    /// What was so at the end; absent where an earlier version wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StateRow>,
}

/// What a step waits for once its act is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Awaited {
    /// Nothing: it is over with its act.
    Act,
    /// So much time has to pass.
    Passed {
        /// In milliseconds.
        ms: u64,
    },
    /// These have to answer, in full or not.
    Answering {
        /// They.
        instances: Vec<InstanceName>,
    },
    /// These have to be active.
    Active {
        /// They.
        instances: Vec<InstanceName>,
    },
}

/// Something that stood in for a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StandInRow {
    /// What it is: the Franken instance, a proxy, or of the bootstrap network.
    pub end: FlowEnd,
    /// What it stood in for.
    pub service: ServiceName,
    /// The last step that takes power from any of it; empty where none does.
    pub step: String,
}

/// What was so at the end of a build. Two builds of one region end in the same state where these are equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StateRow {
    /// Who has power.
    pub lit: Vec<HostName>,
    /// Who is behind each service's names, in the order of their own names.
    pub names: BTreeMap<ServiceName, Vec<InstanceName>>,
    /// Who stands in for copies of all zones.
    pub everywhere: Vec<InstanceName>,
    /// Whether proxies store in the region's own stores.
    pub inward: bool,
    /// What passes the border.
    pub border: Border,
}

/// An act of somebody who is not the builder, or one that has to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HandRow {
    /// The step that it is about; empty where it is about none.
    pub step: String,
    /// What.
    pub what: String,
    /// Whose it is to make unnecessary.
    pub team: String,
    /// The event that shows it.
    pub evidence: EventId,
}

/// Reads a `build.json`.
///
/// # Errors
/// Text that is no record of a build, or one that a later version wrote.
pub fn from_json(text: &str) -> Result<BuildRecord, String> {
    let record: BuildRecord =
        serde_json::from_str(text).map_err(|error| format!("it is no record of a build: {error}"))?;
    if record.schema > BUILD_SCHEMA {
        return Err(format!("it has schema {}, and this version reads up to {BUILD_SCHEMA}", record.schema));
    }
    Ok(record)
}

/// The record as `build.json`.
pub fn to_json(record: &BuildRecord) -> String {
    let text = serde_json::to_string_pretty(record).expect("a record has text keys and no serialiser of its own");
    crate::text::escaped_json(&text) + "\n"
}

/// What is regional, as `regional.json`.
pub fn regional_json(regional: &Regional) -> String {
    let text = serde_json::to_string_pretty(regional).expect("it has text keys and no serialiser of its own");
    crate::text::escaped_json(&text) + "\n"
}

/// A phase, with its times in nanoseconds of the build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseRow {
    /// Which.
    pub phase: BuildPhase,
    /// When it began.
    pub from_ns: u64,
    /// When it ended.
    pub to_ns: u64,
    /// Its steps.
    pub steps: Vec<StepRow>,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StepRow {
    /// Its id.
    pub id: String,
    /// What is done.
    pub act: String,
    /// When it was first ready to begin, and when it was begun.
    pub ready_ns: u64,
    /// When it was begun.
    pub begun_ns: u64,
    /// When it was over; the end of what was seen where it never was.
    pub to_ns: u64,
    /// How often it was begun.
    pub attempts: u32,
    /// What it waited for before it could begin.
    pub waited_for: String,
    /// Who came up while it went on, and how far, in order. Not all of them need be what it waited for.
    pub came: Vec<(InstanceName, Life)>,
    /// Why it failed.
    pub failed: String,
    /// Whether it was undone.
    pub undone: bool,
}

/// Calls of one service to another, by where that is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlowRow {
    /// Who.
    pub from: ServiceName,
    /// Whom.
    pub to: ServiceName,
    /// Where.
    pub end: FlowEnd,
    /// Calls.
    pub calls: u64,
    /// Of those over the border.
    pub crossed: u64,
    /// Of those refused there.
    pub refused: u64,
}

/// What events of a build amount to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// Phases in their order.
    pub phases: Vec<PhaseRow>,
    /// Who called whom.
    pub flows: Vec<FlowRow>,
    /// Values by what became of them, in words.
    pub objects: BTreeMap<&'static str, usize>,
    /// What came of software, by who gave it out; without a name what was on hosts' own disks.
    pub software: BTreeMap<Option<InstanceName>, SoftwareRow>,
    /// When each zone's racks landed.
    pub landed: Vec<(String, u64)>,
    /// Acts of anybody who is not the builder.
    pub hands: Vec<HandSeen>,
}

/// What came of the software that somebody gave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SoftwareRow {
    /// Times that a host fetched and verified it, or verified its own copy.
    pub verified: usize,
    /// Times that a host told of refusing it, or of its own copy being damaged.
    pub refused: usize,
}

/// An act of somebody who is not the builder, as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandSeen {
    /// The event that shows it.
    pub event: EventId,
    /// Where.
    pub place: Place,
    /// The step that it is about; empty where it is about none.
    pub step: String,
    /// What.
    pub what: String,
}

/// Folds the events of a build.
pub fn told(events: &[Event]) -> Told {
    let mut told = Told::default();
    let mut flows: BTreeMap<(ServiceName, ServiceName, FlowEnd), (u64, u64, u64)> = BTreeMap::new();
    let end = events.last().map_or(0, |event| event.t_ns);
    for event in events {
        match &event.detail {
            Detail::Build { seen: Building::Phase { phase } } => told.enter(event.t_ns, end, *phase),
            Detail::Build { seen: Building::Step { step, state, attempt, text, .. } } => {
                told.step(event.t_ns, end, step, (*state, *attempt), text);
            }
            Detail::Build { seen: Building::Landed {} } => {
                let zone = event.place.zone.as_ref().map(ToString::to_string).unwrap_or_default();
                // A builder that is taken up is told again.
                if !told.landed.iter().any(|(known, _)| *known == zone) {
                    told.landed.push((zone, event.t_ns));
                }
            }
            Detail::Build { seen: Building::Flow { to, end, crosses, calls, refused } } => {
                if let Some(from) = &event.place.service {
                    let sum = flows.entry((from.clone(), to.clone(), *end)).or_default();
                    (sum.0, sum.2) = (sum.0 + calls, sum.2 + refused);
                    sum.1 += if *crosses { *calls } else { 0 };
                }
            }
            Detail::Build { seen: Building::Object { state, .. } } => {
                *told.objects.entry(page::object_word(*state)).or_default() += 1;
            }
            Detail::Build { seen: Building::Software { delivery, from, .. } } => {
                let row = told.software.entry(from.clone()).or_default();
                match delivery {
                    Delivery::Fetched | Delivery::Kept => row.verified += 1,
                    Delivery::Damaged | Delivery::Refused => row.refused += 1,
                }
            }
            Detail::Probe { outcome: outcome @ (Life::Serving | Life::Active), .. } => told.came(event, *outcome),
            Detail::Build { seen: Building::Hand { step, text } } => told.hand(event, step, text),
            Detail::Intervention { action } => told.hand(event, "", action),
            _ => {}
        }
    }
    let row = |((from, to, end), (calls, crossed, refused))| FlowRow { from, to, end, calls, crossed, refused };
    told.flows = flows.into_iter().map(row).collect();
    told
}

impl Told {
    /// Every step that was begun, in order.
    pub fn steps(&self) -> impl Iterator<Item = &StepRow> {
        self.phases.iter().flat_map(|phase| &phase.steps).filter(|step| step.attempts > 0)
    }

    /// From the first phase to the end of the last.
    pub fn took_ns(&self) -> u64 {
        let from = self.phases.first().map_or(0, |phase| phase.from_ns);
        self.phases.last().map_or(0, |phase| phase.to_ns).saturating_sub(from)
    }

    /// The phase that was under way at a moment; the first where it was before.
    pub fn phase_at(&self, at_ns: u64) -> Option<BuildPhase> {
        let begun = self.phases.iter().rev().find(|phase| phase.from_ns <= at_ns);
        begun.or(self.phases.first()).map(|phase| phase.phase)
    }

    fn hand(&mut self, event: &Event, step: &str, what: &str) {
        let (place, step, what) = (event.place.clone(), step.to_owned(), what.to_owned());
        self.hands.push(HandSeen { event: event.id, place, step, what });
    }

    /// A phase begins, and the one before it ends. Whoever takes a build up says again where it is.
    fn enter(&mut self, at: u64, end: u64, phase: BuildPhase) {
        if self.phases.last().is_some_and(|last| last.phase == phase) {
            return;
        }
        if let Some(before) = self.phases.last_mut() {
            before.to_ns = at;
        }
        self.phases.push(PhaseRow { phase, from_ns: at, to_ns: end, steps: Vec::new() });
    }

    fn step(&mut self, at: u64, end: u64, id: &str, (state, attempt): (StepState, u32), text: &str) {
        let Some(phase) = self.phases.last_mut() else { return };
        let ready_ns = phase.steps.last().map_or(phase.from_ns, |step| step.to_ns.min(at));
        if state == StepState::Undone {
            let steps = self.phases.iter_mut().flat_map(|phase| &mut phase.steps);
            return steps.filter(|step| step.id == id).for_each(|step| step.undone = true);
        }
        if phase.steps.last().is_none_or(|step| step.id != id) {
            let (id, to_ns) = (id.to_owned(), end);
            phase.steps.push(StepRow { id, ready_ns, begun_ns: at, to_ns, ..StepRow::default() });
        }
        let Some(step) = phase.steps.last_mut() else { return };
        match state {
            StepState::Waiting => step.waited_for = text.to_owned(),
            StepState::Begun | StepState::Retried => {
                if step.attempts == 0 {
                    step.begun_ns = at;
                }
                (step.attempts, step.act) = (attempt, text.to_owned());
            }
            StepState::Done => step.to_ns = at,
            StepState::Failed => (step.to_ns, step.failed) = (at, text.to_owned()),
            StepState::Undoing | StepState::Undone => {}
        }
    }

    /// Whoever comes up while a step goes on may be what it waits for.
    fn came(&mut self, event: &Event, life: Life) {
        let step = self.phases.last_mut().and_then(|phase| phase.steps.last_mut());
        if let Some(step) = step.filter(|step| step.attempts > 0 && step.to_ns >= event.t_ns) {
            step.came.extend(event.place.instance.clone().map(|name| (name, life)));
        }
    }
}
