//! Claims about how builds are judged, in virtual time: what does not come back from the dark is named with its cycle, what
//! failed is never held, and what ended too early says of nothing that it is gone.

use crate::building::{HEALTHY, PINNED, service, spec};
use crate::building_zone::LOCAL;
use fixtures::name::{InstanceName, ServiceName};
use harness::builder::Ending;
use harness::building::{Built, Spec, build, judged, record};
use harness::world::sim::build::told::ByHand;
use scenarios::build::check::{Check, Outcome};
use scenarios::build::judge::{Case, Judged, judge};
use scenarios::build::observed::{Building, FlowEnd, Sought, StepState};
use scenarios::build::plan::BuildPhase;
use scenarios::event::{Detail, Event, Place};
use scenarios::judgement::{Finding, InvariantResult};
use scenarios::verdict::Verdict;

fn case(built: &Built) -> Case<'_> {
    Case { estate: &built.estate, plan: &built.plan }
}

fn result(judged: &Judged, id: &str) -> InvariantResult {
    judged.invariants.iter().find(|result| result.id == id).expect("it is judged").clone()
}

fn findings(judged: &Judged, id: &str) -> Vec<Finding> {
    judged.findings.iter().filter(|finding| finding.invariant == id).cloned().collect()
}

/// What was seen of the healthy build until a step came to a state, with that.
fn until(step: &str, wanted: StepState) -> Vec<Event> {
    let is_it =
        |seen: &Building| matches!(seen, Building::Step { step: id, state, .. } if id == step && *state == wanted);
    let place = HEALTHY.events.iter().position(|event| matches!(&event.detail, Detail::Build { seen } if is_it(seen)));
    HEALTHY.events[..=place.expect("it came to that")].to_vec()
}

fn needs(name: &str, from: &str) -> Built {
    let by_hand = vec![ByHand::Needs { service: service(name), from: service(from) }];
    build(&Spec { by_hand, ..spec() }).expect("it can be begun")
}

#[test]
fn a_zone_that_does_not_come_back_from_the_dark_is_found_with_its_cycle() {
    let built = needs("certificates", "keys");
    assert!(
        matches!(&built.ending, Ending::Stuck { step, .. } if step == "game.eu-test-7-az1.on"),
        "{:?}",
        built.ending
    );
    let b6 = result(&built.judged, "B6");
    assert_eq!((built.judged.verdict, b6.verdict), (Verdict::Violated, Verdict::Violated), "{}", b6.reason);
    let found = findings(&built.judged, "B6");
    let pairs: Vec<_> = found.iter().map(|one| (one.service.as_str(), one.dependency.as_ref())).collect();
    assert_eq!(pairs, [("certificates", Some(&service("keys")))], "{found:?}");
    assert!(found[0].text.contains("wait for each other to start"), "{found:?}");
    crate::building_taken_up::has_lessons(&built);
    assert_eq!(result(&HEALTHY.judged, "B6").verdict, Verdict::Held);
}

#[test]
fn who_does_not_come_back_is_named_where_nobody_waits_in_a_circle() {
    let mut events = until("game.eu-test-7-az2.on", StepState::Begun);
    // Broken off, it says nothing yet.
    let broken_off = result(&judge(&case(&HEALTHY), &events), "B6");
    assert_eq!(broken_off.verdict, Verdict::Inconclusive, "{}", broken_off.reason);
    let mut failed = events.last().expect("there is one").clone();
    if let Detail::Build { seen: Building::Step { state, .. } } = &mut failed.detail {
        *state = StepState::Failed;
    }
    events.push(failed);
    let judged = judge(&case(&HEALTHY), &events);
    assert_eq!(result(&judged, "B6").verdict, Verdict::Violated);
    let found = findings(&judged, "B6");
    let zone = |name: &InstanceName| HEALTHY.estate.placement.instance_by_name(name).map(|one| one.zone.to_string());
    let zones: Vec<_> = found.iter().flat_map(|one| &one.affected).map(zone).collect();
    assert_eq!(zones, [Some("eu-test-7-az2".to_owned())], "{found:?}");
    // One that did not get as far as the last of them does not tell.
    let early = until("game.eu-test-7-az2.on", StepState::Done);
    assert_eq!(result(&judge(&case(&HEALTHY), &early), "B6").verdict, Verdict::NotJudged);
}

#[test]
fn a_build_that_failed_is_never_held() {
    let failed = needs("table-store", "audit-log");
    let Ending::RolledBack { why } = &failed.ending else { panic!("{:?}", failed.ending) };
    assert!(why.contains("stores.hosts failed: table-store"), "{why}");
    assert_eq!(failed.judged.verdict, Verdict::Inconclusive, "{:?}", failed.judged.invariants);
    let record = record::of(&spec(), &failed, "1", "run-instances");
    let said: Vec<&str> = record.inconclusive.iter().map(|reason| reason.text.as_str()).collect();
    assert!(said.len() == 1 && said[0].contains("stores.hosts") && said[0].contains("table-store-"), "{said:?}");
    assert!(!record.inconclusive[0].evidence.is_empty() && record.verdict == Verdict::Inconclusive);
    let page = reports::build::page::report(&record, &failed.events).markdown();
    assert!(page.contains("no invariant says why"), "{page}");
    // The same events, and another end.
    let ended = |ending: &Ending| judged(&case(&HEALTHY), &HEALTHY.events, ending).verdict;
    let stuck = Ending::Stuck { step: "game.eu-test-7-az1.on".to_owned(), why: "keys".to_owned() };
    assert_eq!([ended(&stuck), ended(&Ending::Completed)], [Verdict::Inconclusive, Verdict::Held]);
    let asked_for = Ending::RolledBack { why: harness::builder::ASKED_FOR.to_owned() };
    assert_eq!(ended(&asked_for), Verdict::Held, "somebody wanted it so");
    // Where an invariant says why, that is what is told.
    assert!(PINNED.judged.verdict == Verdict::Violated && PINNED.judged.inconclusive.is_empty());
}

#[test]
fn a_border_that_was_just_closed_says_nothing_until_the_bake_is_over() {
    let judged = |events: &[Event]| result(&judge(&case(&HEALTHY), events), "B2").verdict;
    assert_eq!(judged(&until("border.refused", StepState::Done)), Verdict::NotJudged);
    assert_eq!(judged(&until("border.bake", StepState::Begun)), Verdict::NotJudged);
    assert_eq!(judged(&until("border.bake", StepState::Done)), Verdict::Held);
}

#[test]
fn what_was_found_is_gone_only_where_a_build_got_past_it() {
    let b2 = findings(&PINNED.judged, "B2").remove(0);
    let outcome = |invariant: &str, found_in, events: &[Event]| {
        let check = Check::new("1", found_in, &Finding { invariant: invariant.to_owned(), ..b2.clone() });
        let judged = judge(&case(&HEALTHY), events);
        assert_eq!(result(&judged, invariant).verdict, Verdict::Held, "{invariant}");
        check.outcome(&case(&HEALTHY), events, &judged)
    };
    let whole = &HEALTHY.events;
    for (invariant, found_in, step) in [
        ("B1", BuildPhase::Migrate, "stores.hosts"),
        ("B2", BuildPhase::Bake, "border.bake"),
        ("B2", BuildPhase::AccessList, "border.bake"),
        ("B5", BuildPhase::Shutdown, "empty.stores"),
        ("B10", BuildPhase::Launch, "identity.hosts"),
    ] {
        assert_eq!(outcome(invariant, found_in, &until(step, StepState::Done)), Outcome::Open, "{invariant} at {step}");
        assert_eq!(outcome(invariant, found_in, whole), Outcome::Gone, "{invariant}");
    }
    let cut = until("border.cut", StepState::Begun);
    assert_eq!(outcome("B2", BuildPhase::Bake, &cut), Outcome::Gone, "past the bake is far enough");
    assert_eq!(outcome("B2", BuildPhase::Remaining, &cut), Outcome::Open, "and is not where it was found later");
    // What was found in the last phase is past where the last step is done.
    assert_eq!(outcome("B1", BuildPhase::Open, &until("open.audit", StepState::Begun)), Outcome::Open);
    assert_eq!(outcome("B1", BuildPhase::Open, whole), Outcome::Gone);
    let again = Check::new("1", BuildPhase::Bake, &b2).outcome(&case(&PINNED), &PINNED.events, &PINNED.judged);
    assert_eq!(again, Outcome::FoundAgain);
}

#[test]
fn a_call_from_a_host_with_several_instances_is_blamed_on_that_host() {
    let estate = &HEALTHY.estate;
    let host = estate.placement.hosts.iter().find(|host| host.instances.len() > 1).expect("hosts are shared");
    let events = until("border.bake", StepState::Done);
    let at = |instance: Option<usize>| {
        let one = instance.map(|place| &estate.placement.instances[host.instances[place]]);
        let seen = Building::Flow { to: service("quota"), end: FlowEnd::Build, crosses: true, calls: 3, refused: 3 };
        let place = Place {
            zone: Some(host.zone.clone()),
            host: Some(host.name.clone()),
            service: one.map(|one| one.service.clone()),
            instance: one.map(|one| one.name.clone()),
        };
        let last = events.last().expect("there is one").clone();
        let mut events = events.clone();
        events.push(Event { place, detail: Detail::Build { seen }, ..last });
        findings(&judge(&case(&HEALTHY), &events), "B2")
    };
    let found = at(None);
    assert_eq!(found.len(), 1, "{found:?}");
    let services: Vec<&ServiceName> =
        host.instances.iter().map(|&place| &estate.placement.instances[place].service).collect();
    assert!(services.contains(&&found[0].service), "{found:?}");
    assert!(services.iter().all(|name| found[0].text.contains(&format!("`{name}`"))), "{found:?}");
    assert_eq!(found[0].setting.as_deref(), Some(format!("hosts.{}.calls.quota", host.name).as_str()));
    assert_eq!(found[0].affected.len(), host.instances.len());
    // Where it is known who called, nobody else is.
    let known = at(Some(1));
    assert_eq!((known.len(), &known[0].service), (1, services[1]));
    assert_eq!(known[0].setting.as_deref(), Some(format!("services.{}.calls.quota", services[1]).as_str()));
}

/// The same, with something that nobody said at its end.
fn with_unsaid(events: &[Event], what: Sought, name: &str) -> Vec<Event> {
    let last = events.last().expect("there is one").clone();
    let seen = Building::Unsaid { what, name: name.to_owned() };
    events.iter().cloned().chain([Event { detail: Detail::Build { seen }, ..last }]).collect()
}

#[test]
fn what_nobody_said_is_not_held() {
    assert_eq!(result(&LOCAL.judged, "B8").verdict, Verdict::Held);
    let unsaid = with_unsaid(&LOCAL.events, Sought::Marked, "resident-0");
    let b8 = result(&judge(&case(&LOCAL), &unsaid), "B8");
    assert_eq!((b8.verdict, b8.reason.contains("1 store")), (Verdict::Inconclusive, true), "{}", b8.reason);
    assert!(!b8.evidence.is_empty());

    let b9 = |events: &[Event]| result(&judge(&case(&HEALTHY), events), "B9");
    assert_eq!(b9(&HEALTHY.events).verdict, Verdict::Held);
    let unsaid = b9(&with_unsaid(&HEALTHY.events, Sought::Identity, "customer-2"));
    assert_eq!(
        (unsaid.verdict, unsaid.reason.contains("1 customer")),
        (Verdict::Inconclusive, true),
        "{}",
        unsaid.reason
    );
    // Nobody who opted in was looked for.
    let of_others =
        |event: &&Event| !matches!(&event.detail, Detail::Build { seen: Building::Identity { opted_in: true, .. } });
    let others: Vec<Event> = HEALTHY.events.iter().filter(of_others).cloned().collect();
    assert_eq!(b9(&others).verdict, Verdict::NotJudged);
    // Who could not be made known is unknown for that reason; who was not, for another.
    let mut unknown = HEALTHY.events.clone();
    for event in &mut unknown {
        if let Detail::Build { seen: Building::Identity { customer, known, .. } } = &mut event.detail
            && customer == "customer-2"
        {
            *known = false;
        }
    }
    assert_eq!(b9(&unknown).verdict, Verdict::Violated);
    let mut first = with_unsaid(&HEALTHY.events[..1], Sought::Enrolment, "customer-2");
    first.extend_from_slice(&unknown[1..]);
    assert_eq!(b9(&first).verdict, Verdict::Inconclusive);
}
