//! Owns the claims about whole game days on a real engine. Refuses to look at what is left: see `residue.rs`.

use crate::lab::{Running, beside_another, left_of, machine};
use scenarios::verdict::Verdict;
use std::process::Command;

#[test]
fn minimal_is_held_with_its_measurements_and_leaves_its_files() {
    let Some(_machine) = beside_another() else { return };
    let ended = Running::start(&["minimal", "--seed", "7"]).end();
    ended.expect_status(0);
    let record = ended.record();
    assert_eq!(record.verdict, Verdict::Held);
    assert_eq!(record.seed, 7);
    let measured = &record.measurements;
    assert!(measured.power_off_skew_ms.is_some() && measured.power_off_method.is_some());
    assert!(measured.power_on_skew_ms.is_some() && measured.restart_to_active_ms.is_some_and(|ms| ms > 0.0));
    assert_eq!(measured.restart_to_active_ms_by_instance.len(), 3, "one for each instance that lost power");
    assert_eq!(measured.availability.len(), 3, "one for each zone");
    assert!(measured.acknowledged_writes > 0);
    assert_eq!((measured.lost_acknowledged_writes, measured.interventions), (0, 0));
    assert!(measured.overhead_s > 0.0 && measured.total_s > measured.overhead_s);
    let events = reports::journal::read(&ended.file("events.jsonl").expect("it is there")).expect("it is read");
    assert!(events.torn.is_none() && events.events.len() > 100);
    assert!(ended.file("junit.xml").expect("it is there").contains("S5"));
    assert!(ended.file("coe.md").is_none(), "a held run needs no correction");
    assert_eq!(left_of(&record.run), Vec::<String>::new());
}

#[test]
fn without_rights_the_engine_kills_and_the_record_says_so() {
    let Some(_machine) = beside_another() else { return };
    let ended = Running::start(&["minimal", "--no-rights"]).end();
    ended.expect_status(0);
    let record = ended.record();
    assert_eq!(record.measurements.power_off_method.as_deref(), Some("engine"));
    assert!(record.rights["power"].starts_with("engine") && record.rights["links"].starts_with("one internal bridge"));
    assert_eq!(left_of(&record.run), Vec::<String>::new());
}

/// The first incident pair: an application that cannot start without its cache is found, with the cache named; its
/// repaired twin, which differs in nothing but that need, is held.
#[test]
fn github_2016_is_violated_with_the_cache_as_culprit_and_its_twin_is_held() {
    let Some(_machine) = machine() else { return };
    let (day, twin) = (Running::start(&["github-2016"]), Running::start(&["github-2016-repaired"]));
    let (ended, twin) = (day.end(), twin.end());
    ended.expect_status(1);
    let record = ended.record();
    assert_eq!(record.verdict, Verdict::Violated);
    assert_eq!(record.findings.len(), 1, "{:?}", record.findings);
    let finding = &record.findings[0];
    assert_eq!((finding.invariant.as_str(), finding.service.as_str()), ("S5", "app"));
    assert_eq!(finding.dependency.as_ref().map(|service| service.as_str()), Some("cache"));
    assert_eq!(finding.setting.as_deref(), Some("services.app.needs.session-cache"));
    assert!(finding.chain.iter().all(|link| !link.evidence.is_empty()), "every link has its evidence");
    assert!(ended.file("coe.md").expect("a violated run has one").contains("session-cache"));
    twin.expect_status(0);
    assert_eq!(twin.record().findings, []);
}

#[test]
fn two_runs_beside_each_other_do_not_disturb_each_other() {
    let Some(_machine) = machine() else { return };
    let (first, second) = (Running::start(&["minimal"]), Running::start(&["minimal"]));
    for ended in [first.end(), second.end()] {
        ended.expect_status(0);
        assert_eq!(left_of(&ended.record().run), Vec::<String>::new());
    }
}

/// Nothing may bring a dark host back. Somebody starts one by the engine: its gate keeps it dark, but the fault is not
/// what it was, so nothing can be said.
#[test]
fn a_dark_host_that_somebody_starts_makes_the_run_inconclusive() {
    let Some(_machine) = beside_another() else { return };
    let mut running = Running::start(&["minimal"]);
    running.await_phase("outage");
    let run = running.run_id();
    let short = run.rsplit('-').next().expect("an id").to_owned();
    let container = format!("blackstart-{short}-host-az1-api-0");
    // It dies within milliseconds of the outage's beginning: starting one that still runs does nothing.
    let dead = || {
        let output = Command::new("docker").args(["inspect", "-f", "{{.State.Running}}", &container]).output();
        output.is_ok_and(|output| output.stdout.starts_with(b"false"))
    };
    while !dead() {
        std::thread::yield_now();
    }
    assert!(Command::new("docker").args(["start", &container]).status().expect("docker can be run").success());
    let ended = running.end();
    ended.expect_status(3);
    let record = ended.record();
    assert_eq!(record.verdict, Verdict::Inconclusive);
    assert!(record.inconclusive.iter().any(|reason| reason.code.starts_with("fault-")), "{:?}", record.inconclusive);
    assert_eq!(left_of(&run), Vec::<String>::new());
}

/// The twin would be held: an act of somebody on a host between power-on and active is what makes the difference.
#[test]
fn an_intervention_during_recovery_violates() {
    let Some(_machine) = beside_another() else { return };
    let mut running = Running::start(&["github-2016-repaired"]);
    running.await_phase("recovery");
    let run = running.run_id();
    let container = format!("blackstart-{}-host-az1-app-0", run.rsplit('-').next().expect("an id"));
    let updated = Command::new("docker").args(["update", "--cpu-shares", "512", &container]).output();
    assert!(updated.expect("docker can be run").status.success());
    let ended = running.end();
    ended.expect_status(1);
    let record = ended.record();
    assert_eq!(record.measurements.interventions, 1);
    assert_eq!(record.interventions[0].action, "update");
    let s5 = record.invariants.iter().find(|row| row.id == "S5").expect("it is judged");
    assert!(s5.verdict == Verdict::Violated && s5.reason.contains("intervention"), "{}", s5.reason);
}
