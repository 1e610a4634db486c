//! Owns who was not even started when its host had power again, because its owner's restart policy starts nobody then. Refuses to
//! guess: an engine left it, or its policy is `no`.

use super::culprit::{Cause, Hop, Root, link};
use super::{NOT_STARTED, Run, a4};
use crate::event::{Detail, EventId};
use fixtures::graph::image::RestartPolicy;

/// A walk's step at an instance that nothing starts: whatever it would wait for. Where somebody `answers` for it (the escort of a
/// container that is not ours does, also while that is down), only who is known to have been left is.
pub(super) fn unstarted(run: &Run<'_>, here: usize, at_ns: u64, answers: bool) -> Option<Hop> {
    let host = run.host_name(here);
    let mut spells = run.timeline.dark.get(host).into_iter().flatten();
    let lost = spells.rfind(|spell| spell.from_ns <= at_ns)?;
    let image = run.service_of(here)?.image.as_ref();
    let left = left_by_engine(run, host.as_str(), lost.from_ns, at_ns);
    // Whoever ended since then was started.
    let stays = !answers
        && image.is_some_and(|image| image.restart == RestartPolicy::No)
        && a4::end(run, here, lost.from_ns, at_ns).is_none();
    if left.is_none() && !stays {
        return None;
    }
    let service = run.case.placement.instances[here].service.clone();
    let mut link = link(run, here, at_ns, "somebody who starts it".to_owned(), "restart policy".to_owned(), left);
    link.evidence.push(lost.event);
    link.evidence.sort();
    link.evidence.dedup();
    let setting = Some(format!("services.{service}.image.restart"));
    Some(Hop { link, root: Root { service, dependency: None, setting, cause: Cause::NotStarted }, next: None })
}

/// Where an engine gave a host its power and did not start it, as the run says.
fn left_by_engine(run: &Run<'_>, host: &str, from_ns: u64, to_ns: u64) -> Option<EventId> {
    let says = |detail: &Detail| match detail {
        Detail::Caveat { code, text } => code == NOT_STARTED && text.split(':').next() == Some(host),
        _ => false,
    };
    run.events
        .iter()
        .rfind(|event| (from_ns..=to_ns).contains(&event.t_ns) && says(&event.detail))
        .map(|event| event.id)
}
