//! Claims about A3 and A5: what members of a replicated store told the witness.

use super::world::{World, of};
use fixtures::name::{InstanceName, ServiceName, ZoneName};
use scenarios::event::{By, Detail, Event, OperationOutcome, Phase, Place};
use scenarios::judge::judge;
use scenarios::judgement::Judgement;
use scenarios::verdict::Verdict;

const NAME: &str = "quorum-in-one-zone-repaired";

/// A read or a write: milliseconds after the fault began, how long it took, and its values.
type Told<'t> = (u64, u64, Option<&'t str>, Option<&'t str>);

fn judged(told: &[Told<'_>]) -> Judgement {
    let mut world = World::new(NAME);
    world.scenario.invariants.extend(["A3", "A5"].map(str::to_owned));
    let mut events = world.played();
    let outage = |event: &&Event| matches!(event.detail, Detail::Phase { phase: Phase::Outage, .. });
    let began_ns = events.iter().find(outage).expect("an outage").t_ns;
    for (turn, (at_ms, took_ms, write, read)) in told.iter().enumerate() {
        let zone = turn % 2 + 1;
        let mut event = events[0].clone();
        let begin = began_ns + at_ms * 1_000_000;
        event.id = scenarios::event::EventId(events.len() as u64);
        (event.by, event.t_ns) = (By::Witness, begin + took_ms * 1_000_000);
        event.place = Place {
            zone: ZoneName::new(format!("az{zone}")).ok(),
            host: None,
            service: ServiceName::new("store").ok(),
            instance: Some(InstanceName(format!("store-az{zone}-0"))),
        };
        event.detail = Detail::Operation {
            key: "register-0".to_owned(),
            write: write.map(str::to_owned),
            read: read.map(str::to_owned),
            began_ns: begin,
            outcome: OperationOutcome::Done,
        };
        events.push(event);
    }
    judge(&world.case(), &events)
}

#[test]
fn a_history_that_fits_one_order_is_held() {
    let judgement = judged(&[(10, 5, Some("a"), None), (20, 5, None, Some("a")), (30, 5, Some("b"), None)]);
    let a3 = of(&judgement, "A3");
    assert_eq!((a3.verdict, a3.evidence.len()), (Verdict::Held, 2), "{}", a3.reason);
}

#[test]
fn an_old_value_from_the_other_side_of_a_cut_violates_and_names_what_contradicts_itself() {
    let judgement = judged(&[(10, 5, Some("a"), None), (20, 5, Some("b"), None), (30, 5, None, Some("a"))]);
    let a3 = of(&judgement, "A3");
    assert_eq!(a3.verdict, Verdict::Violated);
    assert!(a3.reason.contains("the write of a") && a3.reason.contains("a read of a"), "{}", a3.reason);
    let finding = judgement.findings.iter().find(|finding| finding.invariant == "A3").expect("a finding");
    assert_eq!((finding.service.as_str(), finding.affected.len()), ("store", 2));
    assert!(!finding.chain.is_empty() && finding.chain.iter().all(|link| !link.evidence.is_empty()));
}

#[test]
fn a_history_without_a_write_and_a_read_under_a_fault_is_not_judged() {
    for told in [&[][..], &[(10, 5, Some("a"), None)], &[(10, 5, None, None)], &[(90_000, 5, Some("a"), None)]] {
        let judgement = judged(told);
        assert_eq!(of(&judgement, "A3").verdict, Verdict::NotJudged, "{told:?}");
    }
}

#[test]
fn a_reader_who_goes_back_in_time_violates_a5_and_one_that_lags_does_not() {
    let written = [(10, 5, Some("a"), None), (20, 5, Some("b"), None)];
    let with = |reads: &[Told<'static>]| judged(&[&written[..], reads].concat());
    let back = with(&[(30, 5, None, Some("b")), (40, 5, None, Some("a"))]);
    assert_eq!(of(&back, "A5").verdict, Verdict::Violated);
    let finding = back.findings.iter().find(|finding| finding.invariant == "A5").expect("a finding");
    assert_eq!(finding.setting.as_deref(), Some("services.store.replication.reads"));
    assert!(finding.chain.iter().all(|link| link.evidence.len() == 2), "{:?}", finding.chain);
    // Old, and older still, and then new: that is late, and never goes back.
    let late = with(&[(30, 5, None, None), (40, 5, None, Some("a")), (50, 5, None, Some("b"))]);
    assert_eq!((of(&late, "A3").verdict, of(&late, "A5").verdict), (Verdict::Violated, Verdict::Held));
    // Two reads at one time have no order.
    let beside = with(&[(30, 20, None, Some("b")), (40, 5, None, Some("a"))]);
    assert_eq!(of(&beside, "A5").verdict, Verdict::Held);
    let alone = judged(&[(10, 5, Some("a"), None), (30, 5, None, Some("a"))]);
    assert_eq!(of(&alone, "A5").verdict, Verdict::NotJudged, "read in one zone");
}
