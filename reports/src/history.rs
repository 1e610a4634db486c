//! Owns what one run says to those who look at many: its figures, its findings, whom its faults hit, and what callers did
//! while a dependency was away. Refuses to know where entries are kept, and what today is.
//!
//! - [`hits`]: which fault hit which service in which zone, and who was harmed
//! - [`gone`]: what a caller did while a dependency did not answer
//! - [`trend`]: figures over runs, as a line of text and as a picture
//! - [`list`]: the list of runs, for a terminal and as a page
//! - [`compare`]: whether newer runs are worse than older ones; [`rank`]: the statistics of that

pub mod compare;
pub mod gone;
pub mod hits;
pub mod list;
pub mod rank;
pub mod trend;

use crate::fingerprint::{Fingerprint, fingerprint};
use crate::gaps;
use crate::policy::Date;
use crate::record::{Record, ServiceRow};
use fixtures::name::{ServiceName, TeamName};
use scenarios::event::Event;
use scenarios::judgement::{Finding, Measurements};
use scenarios::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Number of an entry's form. An entry of another number is made anew from the run's record.
pub const ENTRY_SCHEMA: u32 = 1;

/// The phases in which customers are counted: from the fault on. Before it a region is only getting up.
const COUNTED: [&str; 3] = ["outage", "recovery", "quiet"];

/// What is remembered of one run. Everything in it follows from `record.json` and `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The run's id; sorts by time.
    pub run: String,
    /// The day of the run, `2026-11-25`; empty where neither its id nor its record tells one.
    pub day: String,
    /// Name of the scenario.
    pub scenario: String,
    /// Its title.
    pub title: String,
    /// Name of the graph.
    pub graph: String,
    /// `docker`, `sim` …
    pub world: String,
    /// The seed.
    pub seed: u64,
    /// The version of blackstart that held it.
    pub build: String,
    /// What the run was of, where somebody said so: a build, a commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The run's verdict.
    pub verdict: Verdict,
    /// Whether CI fails for it: a violation that no known-gaps file accepts.
    pub fails: bool,
    /// Figures.
    pub figures: Figures,
    /// Each invariant asked for, its aspects merged.
    pub invariants: BTreeMap<String, Verdict>,
    /// What was found.
    pub findings: Vec<Found>,
    /// Whom the faults were aimed at.
    pub hits: Vec<hits::Hit>,
    /// Who was harmed, or did harm.
    pub harmed: Vec<hits::Harmed>,
    /// What callers did while a dependency was away.
    pub gone: Vec<gone::Gone>,
    /// A digest of each service as it was then: its needs and calls. Another digest now makes old evidence stale.
    pub shapes: BTreeMap<ServiceName, String>,
    /// Milliseconds from power to active, the slowest return of each service.
    pub returns_ms: BTreeMap<ServiceName, f64>,
    /// The command that repeats the run.
    pub replay: String,
}

/// Figures of one run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Milliseconds from power to active of the slowest instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slowest_ms: Option<f64>,
    /// The geometric mean of all returns: of everything that one run shows of them the figure with the least noise, and
    /// one that a single slow host moves little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typical_ms: Option<f64>,
    /// Instances that lost power and were never seen active again.
    pub never_back: u64,
    /// Requests of customers from the fault on.
    pub sent: u64,
    /// Of those, not answered.
    pub lost: u64,
    /// Answered ÷ sent from the fault on, in the zone that had least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lowest_share: Option<f64>,
    /// Writes acknowledged.
    pub writes: u64,
    /// Of those, not there at the end.
    pub lost_writes: u64,
    /// Acts on hosts between power-on and active.
    pub interventions: u64,
}

/// One thing that a run found, and that somebody has to mend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// By what it is known again.
    pub fingerprint: Fingerprint,
    /// The violated invariant.
    pub invariant: String,
    /// The culprit; absent where an invariant was violated and no culprit was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// Who has to act: the culprit's team; without a culprit the team of the entry, whose customers were promised it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamName>,
    /// What the culprit leans on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependency: Option<ServiceName>,
    /// The team of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependency_team: Option<TeamName>,
    /// The setting to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setting: Option<String>,
    /// One sentence for people.
    pub text: String,
    /// Instances that it held back.
    pub held_back: u64,
    /// Whether a run with only this repaired was held.
    pub confirmed: bool,
    /// Whether a known-gaps file lists it.
    pub known: bool,
    /// Whether it merely follows from another finding.
    pub follows: bool,
    /// 0, 1 or 2.
    pub priority: u8,
}

impl Entry {
    /// The entry of a run.
    pub fn of(record: &Record, events: &[Event]) -> Self {
        let harmed = hits::harmed(record);
        Self {
            run: record.run.clone(),
            day: day_of(record).map(|day| day.to_string()).unwrap_or_default(),
            scenario: record.scenario.clone(),
            title: record.title.clone(),
            graph: record.graph.clone(),
            world: record.world.clone(),
            seed: record.seed,
            build: record.versions.get("blackstart").cloned().unwrap_or_default(),
            label: record.label.clone(),
            verdict: record.verdict,
            fails: gaps::fails(record),
            figures: Figures::of(&record.measurements, never_back(record)),
            invariants: invariants(record),
            findings: found(record),
            hits: hits::hits(record),
            harmed,
            gone: gone::gone(record, events),
            shapes: record.services.iter().map(|row| (row.name.clone(), shape(row))).collect(),
            returns_ms: returns(record),
            replay: record.replay.clone(),
        }
    }

    /// The day of the run.
    pub fn date(&self) -> Option<Date> {
        Date::parse(&self.day)
    }

    /// Whether it says anything: an inconclusive run neither shows nor disproves.
    pub fn counts(&self) -> bool {
        matches!(self.verdict, Verdict::Held | Verdict::Violated)
    }

    /// What was run: two runs of the same build are alike but for chance. Whoever runs things that change says which by
    /// a label.
    pub fn batch(&self) -> (&str, &str, &str, Option<&str>) {
        (&self.scenario, &self.world, &self.build, self.label.as_deref())
    }
}

/// The day of a run: its id has a real one even where its events are in virtual time.
fn day_of(record: &Record) -> Option<Date> {
    Date::of_run(&record.run).or_else(|| Date::parse(&record.started_utc))
}

impl Figures {
    /// The figures of a run in which so many instances never came back.
    pub fn of(measured: &Measurements, never_back: u64) -> Self {
        let took = measured.restart_to_active_ms_by_instance.values().copied().filter(|ms| *ms > 0.0 && ms.is_finite());
        let logs: Vec<f64> = took.map(f64::ln).collect();
        let (mut sent, mut lost, mut lowest) = (0_u64, 0_u64, None::<f64>);
        for phases in measured.availability.values() {
            let counted = || COUNTED.iter().filter_map(|phase| phases.get(*phase));
            let own: u64 = counted().fold(0, |sum, row| sum.saturating_add(row.sent));
            let answered = counted().fold(0_u64, |sum, row| sum.saturating_add(row.ok).saturating_add(row.degraded));
            sent = sent.saturating_add(own);
            lost = lost.saturating_add(own.saturating_sub(answered));
            if own > 0 {
                let share = answered.min(own) as f64 / own as f64;
                lowest = Some(lowest.map_or(share, |known| known.min(share)));
            }
        }
        Self {
            slowest_ms: measured.restart_to_active_ms.filter(|ms| ms.is_finite()),
            typical_ms: (!logs.is_empty()).then(|| (logs.iter().sum::<f64>() / logs.len() as f64).exp()),
            never_back,
            sent,
            lost,
            lowest_share: lowest,
            writes: measured.acknowledged_writes,
            lost_writes: measured.lost_acknowledged_writes,
            interventions: measured.interventions,
        }
    }
}

/// Instances on hosts that the plan gave power back to, without a return.
fn never_back(record: &Record) -> u64 {
    let steps = record.plan.rounds.iter().flat_map(|round| &round.steps).filter(|step| step.is_power());
    let lost_power: std::collections::BTreeSet<_> = steps.flat_map(|step| &step.changes).collect();
    let away = record.instances.iter().filter(|row| lost_power.contains(&row.host));
    away.filter(|row| row.restart_to_active_ms.is_none()).count() as u64
}

fn returns(record: &Record) -> BTreeMap<ServiceName, f64> {
    let mut slowest: BTreeMap<ServiceName, f64> = BTreeMap::new();
    for row in &record.instances {
        let Some(took) = row.restart_to_active_ms.filter(|ms| ms.is_finite()) else { continue };
        let known = slowest.entry(row.service.clone()).or_insert(took);
        *known = known.max(took);
    }
    slowest
}

fn invariants(record: &Record) -> BTreeMap<String, Verdict> {
    let mut merged: BTreeMap<String, Verdict> = BTreeMap::new();
    for result in &record.invariants {
        let known = merged.entry(result.id.clone()).or_insert(result.verdict);
        *known = (*known).max(result.verdict);
    }
    merged
}

/// Findings, and a row for each invariant that was violated without any.
fn found(record: &Record) -> Vec<Found> {
    let mut rows: Vec<Found> = record.findings.iter().map(|finding| of_finding(record, finding)).collect();
    let violated = invariants(record).into_iter().filter(|(_, verdict)| *verdict == Verdict::Violated);
    for (invariant, _) in violated.filter(|(id, _)| record.findings.iter().all(|finding| &finding.invariant != id)) {
        rows.push(Found {
            fingerprint: Fingerprint(format!("{invariant} without a culprit")),
            service: None,
            team: record.services.iter().find(|row| row.entry).map(|row| row.team.clone()),
            dependency: None,
            dependency_team: None,
            setting: None,
            text: format!("{invariant} was violated and no culprit was seen"),
            held_back: 0,
            confirmed: false,
            known: false,
            follows: false,
            priority: 1,
            invariant,
        });
    }
    rows
}

fn of_finding(record: &Record, finding: &Finding) -> Found {
    let team = |service: &ServiceName| record.services.iter().find(|row| &row.name == service);
    Found {
        fingerprint: fingerprint(finding),
        invariant: finding.invariant.clone(),
        service: Some(finding.service.clone()),
        team: Some(finding.team.clone()),
        dependency: finding.dependency.clone(),
        dependency_team: finding.dependency.as_ref().and_then(team).map(|row| row.team.clone()),
        setting: finding.setting.clone(),
        text: finding.text.clone(),
        held_back: finding.affected.len() as u64,
        confirmed: finding.confirmed,
        known: finding.known,
        follows: finding.consequence_of.is_some(),
        priority: crate::coe::priority(record, finding),
    }
}

/// A digest of what evidence about a service leans on: its scope, needs and calls. FNV-1a: it tells apart, it does not
/// protect.
pub fn shape(row: &ServiceRow) -> String {
    let mut parts = vec![format!("{:?}", row.scope)];
    parts.extend(row.needs.iter().map(|need| format!("need {} {}", need.need, need.from)));
    parts.extend(row.calls.iter().map(|call| format!("call {} {:?}", call.to, call.strength)));
    parts.sort();
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    let hash = bytes
        .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3));
    format!("{hash:016x}")
}
