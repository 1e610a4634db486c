//! Owns the claims about services that are real images, on a real engine: etcd, made from Debian's packages. Refuses to
//! pull anything.

use crate::lab::{Running, left_of, long_machine, machine};
use scenarios::verdict::Verdict;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

fn systems() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../systems")
}

/// Makes the image of etcd, once; whether it is there.
fn etcd() -> bool {
    static MADE: OnceLock<bool> = OnceLock::new();
    *MADE.get_or_init(|| {
        let made = Command::new(systems().join("build")).arg("etcd").status().is_ok_and(|status| status.success());
        let required = std::env::var_os("BLACKSTART_REQUIRE_DOCKER").is_some_and(|value| value == "1");
        assert!(made || !required, "BLACKSTART_REQUIRE_DOCKER is set, and systems/build etcd failed");
        if !made {
            eprintln!("SKIPPED: this test needs an image that systems/build could not make");
        }
        made
    })
}

/// A game day of the folder `systems`.
fn day(name: &str) -> String {
    systems().join(format!("{name}.toml")).display().to_string()
}

/// The same software, the same fault, one line of difference: where its data lies. Both beside each other.
#[test]
fn etcd_survives_a_dark_zone_and_a_member_whose_data_was_in_memory_never_rejoins() {
    let Some(_machine) = long_machine() else { return };
    if !etcd() {
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
