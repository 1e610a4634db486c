//! Claims about builds that are undone: whoever hears first of the records of before is not blamed for it.

use crate::building::{HEALTHY, spec};
use fixtures::name::InstanceName;
use fixtures::regional::estate::Part;
use harness::builder::ledger::Entry;
use harness::building::{Built, Spec, build};
use scenarios::build::judge::{self, Case};
use scenarios::build::observed::{Building, StepState};
use scenarios::event::{Detail, Event};
use scenarios::verdict::Verdict;

/// It turned names of stores from proxies to the region's own.
const STEP: &str = "copy.names";

fn is_undoing(event: &Event) -> bool {
    let is_it =
        |seen: &Building| matches!(seen, Building::Step { step, state: StepState::Undoing, .. } if step == STEP);
    matches!(&event.detail, Detail::Build { seen } if is_it(seen))
}

/// The first of a store's instances in one part of the region that is built.
fn store(built: &Built, part: Part) -> InstanceName {
    let estate = &built.estate;
    let first = &estate.cast.stores[0];
    let of = estate.instances(|standing| standing.part == part);
    let is_it = |name: &&InstanceName| estate.placement.instance_by_name(name).is_some_and(|one| one.service == *first);
    of.iter().find(is_it).expect("the store is there").clone()
}

/// One name server of two answers already as it was before, while the step is being undone.
fn judged(built: &Built, keeps: impl Fn(&Event) -> bool) -> (Verdict, String) {
    let estate = &built.estate;
    let at = built.events.iter().position(is_undoing).expect("it is told that it is being undone");
    let is_first = |service: &&String| estate.build.endpoints[*service] == estate.cast.stores[0];
    let name = estate.build.endpoints.keys().find(is_first).expect("it has a name");
    let servers = estate.placement.instances.iter().filter(|one| one.service == estate.cast.names);
    let answers = servers.zip([Part::Store, Part::Proxy]).map(|(server, part)| {
        let mut event = built.events[at].clone();
        event.place.instance = Some(server.name.clone());
        event.detail =
            Detail::Build { seen: Building::Answer { name: name.clone(), targets: vec![store(built, part)] } };
        event
    });
    let (before, after) = built.events.split_at(at + 1);
    let events: Vec<Event> =
        before.iter().filter(|event| keeps(event)).cloned().chain(answers).chain(after.iter().cloned()).collect();
    let judged = judge::judge(&Case { estate, plan: &built.plan }, &events);
    let result = judged.invariants.iter().find(|result| result.id == "B4").expect("it is judged");
    (result.verdict, result.reason.clone())
}

#[test]
fn who_is_told_first_while_a_step_is_undone_is_not_blamed() {
    let is_done = |entry: &Entry| matches!(entry, Entry::Done { step, .. } if step == "migrate.core0");
    let place = HEALTHY.entries.iter().position(is_done).expect("it was done");
    let undone = build(&Spec { rolled_back_after: Some(place + 1), ..spec() }).expect("it can be begun");
    assert_eq!(judged(&undone, |_| true).0, Verdict::Held, "{}", judged(&undone, |_| true).1);
    // And if nobody knew that it is being undone, it would be.
    assert_eq!(judged(&undone, |event| !is_undoing(event)).0, Verdict::Violated);
}
