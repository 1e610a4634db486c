//! A4, torn state. Refuses to look into files: what a process makes of its own is seen from outside.
//!
//! *Statement*: after a loss of power in the middle of a write, every process starts from its own file.
//!
//! *Experiment*: a zone loses power, and the files of its disk end in the half of an entry.
//!
//! *Oracle*: at the end of the recovery after that, the witness sees every instance with such a file active, unless something
//! that it needs is not there. Limit: 0 others.
//!
//! *Horizon*: a power-off with `unsynced = "torn"` of a zone's whole disk, where the world really cut it; an instance of that
//! zone with a file that had acknowledged a write before; a recovery that nothing cut short. Of real software: an instance
//! one of whose files was really left with a part of what it had written and not synced.
//!
//! *Inconclusive*: nothing of its own. Who waits for something that is not there is S5's matter.

use super::culprit::{Cause, Hop, Root, granting, link};
use super::starting::{Judged, Saying, named, outcome, services};
use super::{Entry, Outcome, Run};
use crate::event::{Detail, Event, EventId, HostChange, WriteOutcome};
use crate::plan::{Deed, Unsynced};
use crate::timeline::Recovery;
use fixtures::name::ServiceName;
use std::collections::BTreeMap;

pub(super) const ENTRY: Entry = Entry {
    id: "A4",
    title: "torn state",
    statement: "After a loss of power in the middle of a write, every process starts from its own file.",
    judge,
};

fn judge(run: &Run<'_>) -> Outcome {
    let recoveries = run.timeline.recoveries(run.case.plan, run.case.scenario.windows.recovery);
    let mut judged: Vec<Judged<'_>> = Vec::new();
    for recovery in recoveries.iter().filter(|recovery| recovery.is_whole()) {
        judged.extend((0..run.case.placement.instances.len()).filter_map(|instance| torn(run, instance, recovery)));
    }
    let victims = judged.iter().filter(|one| !one.is_well).map(|one| one.victim(run)).collect();
    let names = named(services(run, &judged).into_iter().map(ServiceName::as_str));
    let saying = Saying {
        id: ENTRY.id,
        wrong: "instance(s) had power, all that they need, and a file with a torn end, and did not come back",
        right: format!("each lost power in the middle of a write, and started from its own file: {names}"),
        untold: "no instance with a file of its own lost power so that the file's end was torn: a power-off of a whole zone \
                 with `unsynced = \"torn\"`, after a first write, would do"
            .to_owned(),
        thresholds: BTreeMap::from([("processes that do not start from their own files".to_owned(), "0".to_owned())]),
    };
    outcome(run, saying, &judged, victims)
}

/// How an instance whose file's end was torn by the loss of power before a recovery came out of it.
fn torn<'r>(run: &Run<'_>, instance: usize, recovery: &'r Recovery) -> Option<Judged<'r>> {
    let placed = &run.case.placement.instances[instance];
    let cut_ns = torn_at(run, instance, recovery.gate_ns)?;
    let has_power = !run.is_dark(instance, recovery.end_ns);
    // A file of real software that has more than was synced shows by itself that it was written.
    let wrote = is_real(run, instance)
        || run.events.iter().any(|event| match &event.detail {
            Detail::Write { outcome: WriteOutcome::Acknowledged, stored_at, .. } => {
                event.t_ns < cut_ns && stored_at.contains(&placed.name)
            }
            _ => false,
        });
    let is_well = run.timeline.is_active_about(&placed.name, recovery.end_ns);
    let needs = &run.service_of(instance)?.needs;
    let could = needs.iter().all(|need| granting(run, &placed.zone, &need.from, recovery.end_ns).is_some());
    (has_power && wrote && (is_well || could)).then_some(Judged { instance, recovery, is_well })
}

/// Whether an instance is real software, whose files are its own.
fn is_real(run: &Run<'_>, instance: usize) -> bool {
    run.service_of(instance).is_some_and(|service| service.image.is_some())
}

/// When the file of an instance was torn last, before a moment.
fn torn_at(run: &Run<'_>, instance: usize, before_ns: u64) -> Option<u64> {
    let (zone, host) = (&run.case.placement.instances[instance].zone, run.host_name(instance));
    let is_real = is_real(run, instance);
    run.service_of(instance).filter(|service| is_real || service.state.has_file())?;
    let tears = |step: &str| {
        let known = run.case.plan.step(step).map(|(_, step)| &step.deed);
        matches!(known, Some(Deed::Power { unsynced: Unsynced::Torn }))
    };
    let cuts = run.events.iter().filter_map(|event| match &event.detail {
        Detail::StepDone { torn, .. } if is_real => torn.contains(host).then_some(event.t_ns),
        Detail::StepDone { step, unsynced_lost, .. } if unsynced_lost.contains(zone) && tears(step) => Some(event.t_ns),
        _ => None,
    });
    cuts.filter(|t_ns| *t_ns < before_ns).max()
}

/// The last time that the process of an instance ended between two moments, as its host says.
pub(super) fn end(run: &Run<'_>, instance: usize, from_ns: u64, to_ns: u64) -> Option<EventId> {
    let (name, host) = (&run.case.placement.instances[instance].name, run.host_name(instance));
    let of_it = |event: &&Event| {
        let says = |note: &str| note.split(':').next() == Some(name.as_str());
        let ended = matches!(&event.detail, Detail::Host { change: HostChange::ServiceExited, note } if says(note));
        ended && event.place.host.as_ref() == Some(host) && (from_ns..=to_ns).contains(&event.t_ns)
    };
    run.events.iter().rfind(of_it).map(|event| event.id)
}

/// A walk's step at an instance that does not come back, although nothing else was found that it waits for.
pub(super) fn refusing(run: &Run<'_>, here: usize, at_ns: u64) -> Option<Hop> {
    let cut_ns = torn_at(run, here, at_ns)?;
    let told = end(run, here, cut_ns, at_ns);
    let service = run.case.placement.instances[here].service.clone();
    let waits_for = "somebody who repairs its file, whose end is torn".to_owned();
    let link = link(run, here, at_ns, waits_for, "state file".to_owned(), told);
    let setting = Some(run.storing(&service, "torn-end"));
    Some(Hop { link, root: Root { service, dependency: None, setting, cause: Cause::RefusesTorn }, next: None })
}
