//! Owns what an earlier build found as a question to the next one: before which phase it is asked, whether what was seen so
//! far says that it is still so, and what came of it at the end. Refuses to know where earlier builds are kept.

use super::judge::{Case, Judged, judge};
use super::observed::{Building, FlowEnd, StepState};
use super::plan::{BuildPhase, BuildPlan};
use crate::event::{Detail, Event};
use crate::judgement::Finding;
use crate::verdict::Verdict;
use fixtures::regional::estate::Site;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What was seen of calls is told in sums of so long.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// A finding of an earlier build that no build since has shown to be gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The earlier build.
    pub from: String,
    /// Before which phase it is asked.
    pub before: BuildPhase,
    /// In which phase it was found; absent where nobody wrote that down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_in: Option<BuildPhase>,
    /// What was found.
    pub finding: Finding,
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// This build was judged by its invariant, and held, and got past the phase in which it had been found.
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
        Self { from: from.to_owned(), before, found_in: Some(found_in), finding: finding.clone() }
    }

    /// What of it is still so, by what was seen until now; nothing says that it is gone before the end.
    pub fn look(&self, case: &Case<'_>, events: &[Event]) -> Option<String> {
        let judged = judge(case, events);
        let again = judged.findings.into_iter().find(|found| is_same(found, &self.finding));
        again.map(|found| found.text).or_else(|| self.crosses(case, events))
    }

    /// Whether somebody of the region that is built, who was found at a closed border, still crosses it while it is open and
    /// nobody has to any more: names have led elsewhere for longer than answers are good. To the bootstrap region itself they
    /// never led: who called there once may have the connection open still, and calls over one are not seen everywhere.
    fn crosses(&self, case: &Case<'_>, events: &[Event]) -> Option<String> {
        if self.before != BuildPhase::AccessList {
            return None;
        }
        let seen = || {
            events.iter().filter_map(|event| match &event.detail {
                Detail::Build { seen } => Some((event, seen)),
                _ => None,
            })
        };
        let migrated = seen().find(|(_, seen)| matches!(seen, Building::Phase { phase: BuildPhase::Proxies }))?.0.t_ns;
        let ttl = case.estate.graph.names.as_ref().map_or(Duration::ZERO, |names| names.ttl);
        let quiet = u64::try_from(ttl.saturating_sub(TOLD_EVERY).as_nanos()).unwrap_or(u64::MAX);
        let since = migrated.saturating_sub(quiet / 2);
        let (from, to) = (&self.finding.service, self.finding.dependency.as_ref()?);
        let is_built = |event: &Event| {
            let standing = event.place.instance.as_ref().and_then(|name| case.estate.standing_of(name));
            standing.is_some_and(|standing| standing.site == Site::Build)
        };
        let calls: u64 = seen()
            .filter(|(event, _)| event.place.service.as_ref() == Some(from) && is_built(event))
            .filter_map(|(event, seen)| match seen {
                Building::Flow { to: called, end, crosses: true, calls, .. }
                    if called == to && (event.t_ns > since || *end == FlowEnd::Bootstrap) =>
                {
                    Some(*calls)
                }
                _ => None,
            })
            .sum();
        (calls > 0).then(|| format!("`{from}` still calls `{to}` over the border ({calls} times when nobody had to)"))
    }

    /// What came of it, once the build is judged. One that ended before it could be found again says nothing of it.
    pub fn outcome(&self, case: &Case<'_>, events: &[Event], judged: &Judged) -> Outcome {
        let result = judged.invariants.iter().find(|result| result.id == self.finding.invariant);
        if judged.findings.iter().any(|found| is_same(found, &self.finding)) {
            Outcome::FoundAgain
        } else if result.is_some_and(|result| result.verdict == Verdict::Held) && self.is_past(case.plan, events) {
            Outcome::Gone
        } else {
            Outcome::Open
        }
    }

    /// Whether a build got past the phase in which it was found; what crosses a closed border shows in the bake at the
    /// latest.
    fn is_past(&self, plan: &BuildPlan, events: &[Event]) -> bool {
        let phases = plan.phases();
        let place = |wanted: BuildPhase| phases.iter().rposition(|phase| *phase == wanted);
        let bake = (self.finding.invariant == "B2").then_some(BuildPhase::Bake).and_then(place);
        let found_in = place(self.found_in.unwrap_or(self.before)).max(bake);
        let seen = || {
            events.iter().filter_map(|event| match &event.detail {
                Detail::Build { seen } => Some(seen),
                _ => None,
            })
        };
        let reached = seen().filter_map(|seen| match seen {
            Building::Phase { phase } => place(*phase),
            _ => None,
        });
        let last = plan.steps.last().map(|step| step.id.as_str());
        let is_last = |seen: &Building| matches!(seen, Building::Step { step, state: StepState::Done, .. } if Some(step.as_str()) == last);
        // A phase that this plan does not have is only past when everything is.
        found_in.is_some_and(|found_in| reached.max().is_some_and(|reached| reached > found_in)) || seen().any(is_last)
    }
}

/// Whether two findings have the same thing to mend.
pub fn is_same(one: &Finding, other: &Finding) -> bool {
    let key = |finding: &Finding| {
        (finding.invariant.clone(), finding.service.clone(), finding.dependency.clone(), finding.setting.clone())
    };
    key(one) == key(other)
}
