//! Owns which findings of earlier builds stand open: what was found, and not shown to be gone by a later build of the same
//! kind and graph. Refuses to read folders, and to ask anything: [`scenarios::build::check`] does.

use super::BuildRecord;
use scenarios::build::check::{Check, Outcome, is_same};
use scenarios::build::plan::BuildPhase;
use scenarios::verdict::Verdict;
use serde::{Deserialize, Serialize};

/// What came of a check in a build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CheckRow {
    /// What was asked.
    pub check: Check,
    /// What came of it.
    pub outcome: Outcome,
}

/// What kind of build it is: findings of one kind say nothing of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A region.
    Region,
    /// A zone of a region that stands.
    Zone,
    /// A local zone.
    LocalZone,
}

impl Kind {
    /// Of a build with or without a zone, and with or without that zone's parent.
    pub fn of(has_zone: bool, has_parent: bool) -> Self {
        match (has_zone, has_parent) {
            (false, _) => Self::Region,
            (true, false) => Self::Zone,
            (true, true) => Self::LocalZone,
        }
    }

    /// Of a record.
    pub fn of_record(record: &BuildRecord) -> Self {
        Self::of(record.zone.is_some(), record.parent.is_some())
    }
}

/// Findings of builds of a kind and a graph that stand open, the oldest first; each once, as it was found last.
pub fn open(records: &[BuildRecord], kind: Kind, graph: &str) -> Vec<Check> {
    let mut own: Vec<&BuildRecord> = records.iter().collect();
    own.retain(|record| Kind::of_record(record) == kind && record.graph == graph);
    own.sort_by(|a, b| a.run.cmp(&b.run));
    let mut open: Vec<Check> = Vec::new();
    for record in own {
        open.retain(|check| !is_closed_by(check, record));
        for (place, finding) in record.findings.iter().enumerate() {
            // A record that does not say in which phase has it asked for before the last one.
            let found_in = record.found_in.get(place).copied().unwrap_or(BuildPhase::Open);
            open.retain(|check| !is_same(&check.finding, finding));
            open.push(Check::new(&record.run, found_in, finding));
        }
    }
    open
}

/// Whether a build shows that something is gone: as it says of each that it was asked for; of others only one that went all the
/// way says something.
fn is_closed_by(check: &Check, record: &BuildRecord) -> bool {
    let asked = record.checks.iter().find(|row| is_same(&row.check.finding, &check.finding));
    if let Some(row) = asked {
        return row.outcome == Outcome::Gone;
    }
    let id = &check.finding.invariant;
    record.opened && record.invariants.iter().any(|result| result.id == *id && result.verdict == Verdict::Held)
}
