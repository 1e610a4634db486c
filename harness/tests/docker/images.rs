//! Owns the claims about services that are real images, on a real engine: etcd, made from Debian's packages. Refuses to
//! pull anything.

use crate::lab::{Running, left_of, long_machine, machine, system, systems};
use scenarios::verdict::Verdict;

/// A game day of the folder `systems`.
fn day(name: &str) -> String {
    systems().join(format!("{name}.toml")).display().to_string()
}

/// The same software, the same fault, one line of difference: where its data lies. Both beside each other.
#[test]
fn etcd_survives_a_dark_zone_and_a_member_whose_data_was_in_memory_never_rejoins() {
    let Some(_machine) = long_machine() else { return };
    if !system("etcd") {
        return;
    }
    let (good, bad) = (Running::start(&[&day("etcd-zone-dark")]), Running::start(&[&day("etcd-memory-lost")]));
    let (good, bad) = (good.end(), bad.end());
    good.expect_status(0);
    let record = good.record();
    assert_eq!(record.verdict, Verdict::Held);
    let judged = |id: &str| record.invariants.iter().filter(|one| one.id == id).any(|one| one.verdict == Verdict::Held);
    assert!(["A1", "A3", "A5", "S5", "R1"].into_iter().all(judged), "{:?}", record.invariants);
    assert!(record.measurements.acknowledged_writes > 0 && record.measurements.lost_acknowledged_writes == 0);
    assert_eq!((record.measurements.interventions, left_of(&record.run)), (0, Vec::new()));
    bad.expect_status(1);
    let record = bad.record();
    let finding = record.findings.iter().find(|finding| finding.invariant == "S5").expect("a finding of S5");
    assert_eq!(finding.service.as_str(), "db");
    assert!(finding.affected.iter().all(|instance| instance.as_str() == "db-az1-0"), "{finding:?}");
    assert_eq!(left_of(&record.run), Vec::<String>::new());
}

#[test]
fn an_image_that_the_engine_does_not_have_is_told_and_not_pulled() {
    let Some(_machine) = machine() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["etcd", "etcd-zone-dark"] {
        let text = std::fs::read_to_string(day(name)).expect("it is there");
        let text = text.replace("blackstart-systems/etcd:debian", "blackstart-systems/nobody-made-this:1");
        std::fs::write(folder.path().join(format!("{name}.toml")), text).expect("it is written");
    }
    let ended = Running::start(&[&folder.path().join("etcd-zone-dark.toml").display().to_string()]).end();
    ended.expect_status(64);
    assert!(ended.stderr.contains("no image `blackstart-systems/nobody-made-this:1`"), "{}", ended.stderr);
    assert!(ended.stderr.contains("--mock"), "{}", ended.stderr);
}

/// The same software, the same fault, one line of difference: whether it starts from a file that ends in the middle of a command.
#[test]
fn redis_starts_from_a_torn_file_and_one_that_is_told_to_refuse_it_is_blamed() {
    let Some(_machine) = long_machine() else { return };
    if !system("redis") {
        return;
    }
    let (good, bad) =
        (Running::start(&[&day("redis-everysec-torn")]), Running::start(&[&day("redis-refuses-torn-dark")]));
    let (good, bad) = (good.end(), bad.end());
    good.expect_status(0);
    let record = good.record();
    let a4 = record.invariants.iter().find(|one| one.id == "A4").expect("it was asked for");
    assert_eq!(a4.verdict, Verdict::Held, "{}", a4.reason);
    assert_eq!(left_of(&record.run), Vec::<String>::new());
    bad.expect_status(1);
    let record = bad.record();
    let finding = record.findings.iter().find(|finding| finding.invariant == "A4").expect("a finding of A4");
    assert_eq!(
        (finding.service.as_str(), finding.setting.as_deref()),
        ("store", Some("services.store.image")),
        "{finding:?}"
    );
    assert_eq!(left_of(&record.run), Vec::<String>::new());
}

/// A service that hears no word of ending: a file that it makes says that it is up.
const DEAF: &str = r#"name = "deaf"
title = "A service that does not end when it is asked to"
entry = { service = "api", operation = "get" }

[[services]]
name = "api"
team = "edge"
scope = "zonal"
operations = ["get"]

[[services]]
name = "deaf"
team = "edge"
scope = "regional"
operations = ["get"]

[services.image]
reference = "blackstart-systems/curl:debian"
entrypoint = ["/bin/sh", "-c", "trap '' TERM; touch /tmp/up; while :; do sleep 1; done"]
command = []
restart = "always"
stop-timeout = "5s"
probe = { kind = "command", run = ["test", "-e", "/tmp/up"] }
"#;

const ASKED: &str = r#"name = "asked"
title = "A service that does not end when it is asked to is killed when its time is over"
topology = "us-test-1"
graph = "deaf"
invariants = ["S5"]

[traffic]
rate = "10/s"

[windows]
baseline = "4s"
shift = "1s"
recovery = "10s"
quiet = "1s"

[[faults]]
name = "asked"
exit = { zones = ["az1"], services = ["deaf"] }
"#;

#[test]
fn real_software_that_does_not_end_when_it_is_asked_to_is_killed_when_its_time_is_over() {
    let Some(_machine) = long_machine() else { return };
    if !system("curl") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [("deaf", DEAF), ("asked", ASKED)] {
        std::fs::write(folder.path().join(format!("{name}.toml")), text).expect("it is written");
    }
    let ended = Running::start(&[&folder.path().join("asked.toml").display().to_string()]).end();
    ended.expect_status(0);
    let events = ended.file("events.jsonl").expect("it is there");
    let effect = events.lines().find(|line| line.contains("fault-effect")).expect("a look at the fault");
    assert!(effect.contains("killed because their time to stop was over"), "{effect}");
    assert!(effect.contains(r#""killed_processes":1"#), "{effect}");
}
