//! Owns what an earlier build found as a question to the next one: before which phase it is asked, whether what was seen so
//! far says that it is still so, and what came of it at the end. Refuses to know where earlier builds are kept.

use super::judge::{Case, Judged, judge};
use super::observed::Building;
use super::plan::BuildPhase;
use crate::event::{Detail, Event};
use crate::judgement::Finding;
use crate::verdict::Verdict;
use serde::{Deserialize, Serialize};

/// A finding of an earlier build that no build since has shown to be gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The earlier build.
    pub from: String,
    /// Before which phase it is asked.
    pub before: BuildPhase,
    /// What was found.
    pub finding: Finding,
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// This build was judged by its invariant, and held.
    Gone,
    /// It was found again.
    FoundAgain,
    /// This build does not tell.
    Open,
}

impl Outcome {
    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::FoundAgain => "found again",
            Self::Open => "still open",
        }
    }
}

impl Check {
    /// A finding that was found in a phase, to be asked for in the next build.
    pub fn new(from: &str, found_in: BuildPhase, finding: &Finding) -> Self {
        // What crosses the border is asked for while it still may: afterwards it fails.
        let before = if finding.invariant == "B2" { BuildPhase::AccessList } else { found_in };
        Self { from: from.to_owned(), before, finding: finding.clone() }
    }

    /// What of it is still so, by what was seen until now; nothing says that it is gone before the end.
    pub fn look(&self, case: &Case<'_>, events: &[Event]) -> Option<String> {
        let judged = judge(case, events);
        let again = judged.findings.into_iter().find(|found| is_same(found, &self.finding));
        again.map(|found| found.text).or_else(|| self.crosses(events))
    }

    /// Whether somebody who was found at a closed border still crosses it while it is open and nobody has to any more.
    fn crosses(&self, events: &[Event]) -> Option<String> {
        if self.before != BuildPhase::AccessList {
            return None;
        }
        let seen = || {
            events.iter().filter_map(|event| match &event.detail {
                Detail::Build { seen } => Some((event, seen)),
                _ => None,
            })
        };
        let left = seen().find(|(_, seen)| matches!(seen, Building::Phase { phase: BuildPhase::Proxies }))?.0.t_ns;
        let (from, to) = (&self.finding.service, self.finding.dependency.as_ref()?);
        let calls: u64 = seen()
            .filter(|(event, _)| event.t_ns > left && event.place.service.as_ref() == Some(from))
            .filter_map(|(_, seen)| match seen {
                Building::Flow { to: called, crosses: true, calls, .. } if called == to => Some(*calls),
                _ => None,
            })
            .sum();
        (calls > 0)
            .then(|| format!("`{from}` still calls `{to}` over the border ({calls} times since services migrated)"))
    }

    /// What came of it, once the build is judged.
    pub fn outcome(&self, judged: &Judged) -> Outcome {
        let result = judged.invariants.iter().find(|result| result.id == self.finding.invariant);
        if judged.findings.iter().any(|found| is_same(found, &self.finding)) {
            Outcome::FoundAgain
        } else if result.is_some_and(|result| result.verdict == Verdict::Held) {
            Outcome::Gone
        } else {
            Outcome::Open
        }
    }
}

/// Whether two findings have the same thing to mend.
pub fn is_same(one: &Finding, other: &Finding) -> bool {
    let key = |finding: &Finding| {
        (finding.invariant.clone(), finding.service.clone(), finding.dependency.clone(), finding.setting.clone())
    };
    key(one) == key(other)
}
