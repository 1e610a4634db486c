//! Owns the ledger of known gaps: which findings are accepted until when, and by whom. A listed finding is shown and does
//! not fail; an entry whose finding is gone, or whose last day has passed, fails. Refuses to know today by itself.

use crate::policy::Date;
use crate::record::{GapRow, GapState, Record};
use fixtures::decode::{Located, decode};
use fixtures::diagnostic::{Diagnostic, Source};
use fixtures::name::ServiceName;
use fixtures::statics;
use scenarios::judgement::Finding;
use scenarios::verdict::Verdict;
use serde::Deserialize;

/// What became of an entry, for every document; plain text of which the last day comes from outside.
pub(crate) fn told(gap: &GapRow) -> String {
    let until = &gap.until;
    match gap.state {
        GapState::Accepted => format!("found again, accepted until {until}"),
        GapState::Expired => format!("found again after its last day {until}"),
        GapState::Gone => "not found any more: take it out of the known-gaps file".to_owned(),
        GapState::NotSeen => format!("not shown by this run, accepted until {until}"),
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The scenario whose runs show it.
    pub scenario: String,
    /// The invariant that is violated.
    pub invariant: String,
    /// The culprit.
    pub service: ServiceName,
    /// Its setting; without it, whatever the finding names.
    pub setting: Option<String>,
    /// Who promised to close it.
    pub owner: String,
    /// The last day on which it is accepted.
    pub until: Date,
    /// Why it is accepted for now.
    pub reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    gaps: Option<Vec<RawGap>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGap {
    scenario: Option<Located<String>>,
    invariant: Option<Located<String>>,
    service: Option<Located<ServiceName>>,
    setting: Option<Located<String>>,
    owner: Option<Located<String>>,
    until: Option<Located<String>>,
    reason: Option<Located<String>>,
}

/// Reads a ledger.
///
/// # Errors
/// Every problem at once.
pub fn load(source: &Source) -> Result<Vec<Gap>, Vec<Diagnostic>> {
    let (file, mut found) = decode::<RawFile>(source);
    let raws = file.and_then(|file| file.gaps).unwrap_or_default();
    if raws.is_empty() && found.is_empty() {
        let empty = Diagnostic::error("no-gaps", source, None, "the file has no `[[gaps]]`");
        found.push(empty.with_help("without known gaps, leave the file away"));
    }
    let gaps: Vec<Gap> = raws.iter().enumerate().filter_map(|(at, raw)| gap(source, at, raw, &mut found)).collect();
    if found.is_empty() { Ok(gaps) } else { Err(found) }
}

fn gap(source: &Source, at: usize, raw: &RawGap, found: &mut Vec<Diagnostic>) -> Option<Gap> {
    let number = at + 1;
    let mut text = |value: &Option<Located<String>>, key: &str| {
        let said = value.as_ref().map(|value| value.get().trim().to_owned()).filter(|said| !said.is_empty());
        if said.is_none() {
            let span = value.as_ref().map(Located::span);
            let message = format!("gap {number} has no `{key}`");
            found.push(
                Diagnostic::error("missing-key", source, span, message)
                    .with_help("every gap has scenario, invariant, service, owner, until and reason"),
            );
        }
        said
    };
    let (scenario, invariant) = (text(&raw.scenario, "scenario"), text(&raw.invariant, "invariant"));
    let (owner, until, reason) = (text(&raw.owner, "owner"), text(&raw.until, "until"), text(&raw.reason, "reason"));
    let service = raw.service.as_ref().map(|service| service.get().clone());
    if service.is_none() {
        found.push(Diagnostic::error("missing-key", source, None, format!("gap {number} has no `service`")));
    }
    let day = until.as_deref().and_then(Date::parse);
    if let (Some(until), None) = (&until, day) {
        let span = raw.until.as_ref().map(Located::span);
        let wrong = Diagnostic::error("bad-value", source, span, format!("`{until}` is no day"));
        found.push(wrong.with_help("the last day on which it is accepted, such as \"2026-12-31\""));
    }
    let setting = raw.setting.as_ref().map(|setting| setting.get().clone());
    Some(Gap {
        scenario: scenario?,
        invariant: invariant?,
        service: service?,
        setting,
        owner: owner?,
        until: day?,
        reason: reason?,
    })
}

impl Gap {
    fn names(&self, finding: &Finding) -> bool {
        let same_setting = self.setting.is_none() || self.setting == finding.setting;
        self.invariant == finding.invariant && self.service == finding.service && same_setting
    }

    /// Whether this run judged what the entry speaks of.
    fn was_judged(&self, record: &Record) -> bool {
        let judged = |verdict| matches!(verdict, Verdict::Held | Verdict::Violated);
        record.invariants.iter().any(|result| result.id == self.invariant && judged(result.verdict))
    }
}

/// What a ledger says of static findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted<'g> {
    /// Of each finding the entry that accepts it today.
    pub by: Vec<Option<&'g Gap>>,
    /// Entries on graphs that were looked at, of which nothing was found.
    pub stale: Vec<&'g Gap>,
}

/// Weighs static findings, each with the name of its graph, which an entry gives as its scenario. An entry whose day has
/// passed accepts nothing. Entries of invariants that only a run can judge, and of graphs that were not looked at, are
/// left alone.
pub fn accept<'g>(
    findings: &[(&str, &statics::Finding)],
    graphs: &[String],
    gaps: &'g [Gap],
    today: Date,
) -> Accepted<'g> {
    let names = |gap: &Gap, (graph, finding): &(&str, &statics::Finding)| {
        let setting = gap.setting.as_ref().is_none_or(|setting| *setting == finding.setting);
        gap.scenario == *graph && gap.invariant == finding.check && gap.service == finding.service && setting
    };
    let by = findings.iter().map(|one| gaps.iter().find(|gap| names(gap, one) && today <= gap.until)).collect();
    let looked_at = |gap: &&Gap| gap.invariant.starts_with('G') && graphs.contains(&gap.scenario);
    let gone = |gap: &&Gap| !findings.iter().any(|one| names(gap, one));
    Accepted { by, stale: gaps.iter().filter(looked_at).filter(gone).collect() }
}

/// Marks the findings that a ledger accepts today, and writes down what became of each entry for this scenario.
pub fn apply(record: &mut Record, gaps: &[Gap], today: Date) {
    record.known_gaps.clear();
    for gap in gaps.iter().filter(|gap| gap.scenario == record.scenario) {
        let mut own: Vec<&mut Finding> = record.findings.iter_mut().filter(|finding| gap.names(finding)).collect();
        let state = if !own.is_empty() && today <= gap.until {
            own.iter_mut().for_each(|finding| finding.known = true);
            GapState::Accepted
        } else if !own.is_empty() {
            GapState::Expired
        } else if gap.was_judged(record) {
            GapState::Gone
        } else {
            GapState::NotSeen
        };
        record.known_gaps.push(GapRow {
            invariant: gap.invariant.clone(),
            service: gap.service.clone(),
            owner: gap.owner.clone(),
            until: gap.until.to_string(),
            reason: gap.reason.clone(),
            state,
        });
    }
}

/// Whether a violated invariant is violated only where the ledger accepts it: by findings that are listed, or that
/// merely follow from an invariant all of whose findings are.
pub fn is_accepted(record: &Record, invariant: &str) -> bool {
    accepted(record, invariant, record.invariants.len())
}

fn accepted(record: &Record, invariant: &str, depth: usize) -> bool {
    let mut own = record.findings.iter().filter(|finding| finding.invariant == invariant).peekable();
    own.peek().is_some()
        && own.all(|finding| {
            let follows = finding.consequence_of.as_deref().filter(|other| depth > 0 && *other != invariant);
            finding.known || follows.is_some_and(|other| accepted(record, other, depth - 1))
        })
}

/// Whether CI fails for what a run found: a violated invariant that is not accepted, or an entry that is no longer true.
pub fn fails(record: &Record) -> bool {
    let violated = record.invariants.iter().filter(|result| result.verdict == Verdict::Violated);
    let stale = record.known_gaps.iter().any(|gap| matches!(gap.state, GapState::Gone | GapState::Expired));
    stale || violated.into_iter().any(|result| !is_accepted(record, &result.id))
}
