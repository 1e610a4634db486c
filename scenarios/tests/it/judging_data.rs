//! Claims about A1: the ledger of acknowledged writes.

use super::world::{World, of};
use scenarios::event::{Life, WriteOutcome};
use scenarios::verdict::Verdict;

#[test]
fn write_read_back_after_the_cut_is_held() {
    let judgement = World::new("minimal").judged();
    let a1 = of(&judgement, "A1");
    assert_eq!((a1.verdict, a1.aspect.as_deref()), (Verdict::Held, Some("process kill")));
    let unsynced = judgement.invariants.iter().find(|result| result.aspect.as_deref() == Some("unsynced data lost"));
    assert_eq!(unsynced.expect("both aspects").verdict, Verdict::NotJudged);
}

#[test]
fn lost_write_blames_the_store() {
    let mut world = World::new("minimal");
    world.write_outcome = WriteOutcome::Lost;
    let judgement = world.judged();
    assert_eq!(of(&judgement, "A1").verdict, Verdict::Violated);
    let [finding] = judgement.findings.as_slice() else { panic!("one cause: {:#?}", judgement.findings) };
    assert_eq!(finding.service.as_str(), "store");
    assert_eq!(finding.setting.as_deref(), Some("services.store.acknowledge"));
    assert_eq!(finding.chain.len(), 2);
    assert!(finding.chain.iter().all(|link| !link.evidence.is_empty()));
    assert_eq!(judgement.measurements.lost_acknowledged_writes, 1);
}

/// What an owner promised to lose is counted, and what was lost beyond that is a violation.
#[test]
fn a_promised_loss_is_held_and_counted_and_an_earlier_one_violates() {
    for (promise, verdict) in [("45s", Verdict::Held), ("1ms", Verdict::Violated)] {
        let mut world = World::edited("minimal", |text| {
            text.replace("state = \"disk\"", &format!("state = \"disk\"\nmay-lose = \"{promise}\""))
        });
        world.write_outcome = WriteOutcome::Lost;
        let judgement = world.judged();
        let a1 = of(&judgement, "A1");
        assert_eq!(a1.verdict, verdict, "{}", a1.reason);
        assert!(a1.thresholds["what `store` may lose"].contains(promise));
        assert_eq!(a1.reason.contains("1 acknowledged write lost within"), verdict == Verdict::Held, "{}", a1.reason);
    }
}

/// A loss that a disk took is no loss of the kill as well.
#[test]
fn a_promised_loss_is_told_once() {
    let mut world =
        World::edited("minimal", |text| text.replace("state = \"disk\"", "state = \"disk\"\nmay-lose = \"45s\""));
    world.write_outcome = WriteOutcome::Lost;
    world.unsynced_lost = world.topology.zones().map(|(_, zone)| zone.name.clone()).collect();
    let judgement = world.judged();
    let told = judgement.invariants.iter().filter(|result| result.id == "A1" && result.reason.contains("lost within"));
    let aspects: Vec<_> = told.map(|result| (result.aspect.as_deref(), result.verdict)).collect();
    assert_eq!(aspects, [(Some("unsynced data lost"), Verdict::Held)]);
}

#[test]
fn store_in_memory_is_blamed_for_being_in_memory() {
    let mut world = World::edited("minimal", |text| text.replace("state = \"disk\"", "state = \"memory\""));
    world.write_outcome = WriteOutcome::Lost;
    assert_eq!(world.judged().findings[0].setting.as_deref(), Some("services.store.state"));
}

#[test]
fn unreadable_write_of_an_active_store_violates() {
    let mut world = World::new("minimal");
    world.write_outcome = WriteOutcome::Unreadable;
    assert_eq!(of(&world.judged(), "A1").verdict, Verdict::Violated);
}

#[test]
fn unreadable_write_of_a_stuck_store_follows_from_s5() {
    let mut world = World::new("minimal");
    world.write_outcome = WriteOutcome::Unreadable;
    world.returns =
        Box::new(|instance, _| (instance.name.as_str() == "store-az1-0").then(|| (Life::Starting, Vec::new())));
    let judgement = world.judged();
    assert_eq!(of(&judgement, "A1").verdict, Verdict::Violated);
    let finding = judgement.findings.iter().find(|finding| finding.invariant == "A1").expect("a finding");
    assert_eq!(finding.consequence_of.as_deref(), Some("S5"));
}

#[test]
fn write_stored_where_power_stayed_is_not_judged() {
    let mut world = World::new("each-zone-in-turn");
    // Only the last round's zone goes dark, and the write lies in az1.
    world.scenario.faults.drain(..2);
    world.scenario.faults[0].after = None;
    world.plan = scenarios::plan::plan(&world.scenario, &world.placement, 7);
    assert_eq!(of(&world.judged(), "A1").verdict, Verdict::NotJudged);
}

#[test]
fn write_never_read_back_is_inconclusive() {
    let mut world = World::new("minimal");
    world.write_outcome = WriteOutcome::Acknowledged;
    assert_eq!(of(&world.judged(), "A1").verdict, Verdict::Inconclusive);
}
