//! Owns the question whether a push or a deployment fits a region and a game day: the calls that it changes exist, it
//! reaches its last zone before it is rolled back, and a zone is watched for long enough to tell. Refuses to change it.

use super::Region;
use crate::fault::Rollout;
use crate::guard::WINDOWS_MIN;
use crate::judge::samples_for;
use crate::raw::RawFault;
use crate::scenario::{Scenario, TimedFault};
use crate::traffic::WINDOW;
use fixtures::decode::Located;
use fixtures::diagnostic::Diagnostic;
use fixtures::nearest::nearest;
use fixtures::unit::Span;
use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

impl Region<'_> {
    /// Calls that are changed and that the graph does not have.
    pub(super) fn unknown_calls(&self, raw: &RawFault) -> Vec<Diagnostic> {
        let Some(rollout) = raw.rollout() else { return Vec::new() };
        let named = rollout.service.as_ref().map(|name| name.get().as_str());
        let Some(service) = self.graph.services.iter().find(|one| Some(one.name.as_str()) == named) else {
            return Vec::new();
        };
        let known: Vec<&str> = service.calls.iter().map(|call| call.to.as_str()).collect();
        let check = |to: &Located<String>| {
            let word = to.get().as_str();
            let message = format!("`{}` makes no calls to `{word}`", service.name);
            let help = match nearest(word, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if known.is_empty() => "it calls nobody".to_owned(),
                None => format!("it calls: {}", known.join(", ")),
            };
            let error = Diagnostic::error("unknown-call", self.source, Some(to.span()), message).with_help(help);
            (!known.contains(&word)).then_some(error)
        };
        rollout.calls().filter_map(|call| call.get().to.as_ref()).filter_map(check).collect()
    }

    /// Times of a rollout from zone to zone that leave no room for it.
    pub(super) fn rushed(&self, fault: &TimedFault, scenario: &Scenario, raw: Option<&RawFault>) -> Vec<Diagnostic> {
        let Some((rollout, bake)) = fault.fault.rollout().and_then(|rollout| Some((rollout, rollout.bake?))) else {
            return Vec::new();
        };
        let written = raw.and_then(RawFault::rollout).and_then(|raw| raw.bake_time.as_ref());
        let span = written.map(Located::span);
        let never = self.never_there(fault, rollout, bake, span.clone());
        never.into_iter().chain(self.cannot_tell(rollout, scenario, bake, span)).collect()
    }

    /// It would be rolled back before it is in its last zone.
    fn never_there(
        &self,
        fault: &TimedFault,
        rollout: &Rollout,
        bake: Duration,
        span: Option<Range<usize>>,
    ) -> Option<Diagnostic> {
        let hosts = rollout.hosts();
        let zones: BTreeSet<_> = hosts.matched(self.placement).map(|host| &host.zone).collect();
        let reaches = bake.saturating_mul(u32::try_from(zones.len()).unwrap_or(u32::MAX).saturating_sub(1));
        let message =
            format!("`{}` reaches its last zone after {} and lasts {}", fault.name, Span(reaches), Span(fault.lasts));
        let help = format!("let it last longer than {}, or shorten `bake-time`", Span(reaches));
        let error = Diagnostic::error("never-there", self.source, span, message).with_help(help);
        (reaches >= fault.lasts).then_some(error)
    }

    /// Too few requests in a zone's time to tell whether its customers get what they are promised.
    fn cannot_tell(
        &self,
        rollout: &Rollout,
        scenario: &Scenario,
        bake: Duration,
        span: Option<Range<usize>>,
    ) -> Option<Diagnostic> {
        let samples = samples_for(scenario.steady_state.availability);
        let sending = scenario.traffic.rate.interval().saturating_mul(u32::try_from(samples).unwrap_or(u32::MAX));
        let windows = sending.as_nanos().div_ceil(WINDOW.as_nanos()).max(WINDOWS_MIN as u128);
        // One more, because windows begin when they like.
        let watched = WINDOW.saturating_mul(u32::try_from(windows + 1).unwrap_or(u32::MAX));
        let needed = scenario.windows.shift.saturating_add(watched);
        let message = format!("a zone is watched for {}, and its failure shows after {}", Span(bake), Span(needed));
        let help = "let `bake-time` be longer, shorten `windows.shift`, or let customers send more (`traffic.rate`)";
        let error = Diagnostic::error("bake-too-short", self.source, span, message).with_help(help);
        (rollout.stop_on_failure && bake < needed).then_some(error)
    }
}
