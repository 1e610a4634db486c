//! Owns the claims about what is left behind: nothing, however a run ends. Refuses to look at verdicts.

use crate::lab::{Running, block_on, left_of, machine};
use harness::world::docker::engine::{Engine, ObjectKind};
use std::collections::BTreeMap;
use std::process::Command;

/// Interrupts a run in a phase and looks for what is left.
#[track_caller]
fn interrupted_in(phase: &str, signal: &str) {
    let mut running = Running::start(&["minimal"]);
    running.await_phase(phase);
    let run = running.run_id();
    running.signal(signal);
    let ended = running.end();
    ended.expect_status(130);
    assert_eq!(left_of(&run), Vec::<String>::new(), "after an interrupt in {phase}");
    assert!(ended.file("record.json").is_some(), "an interrupted run leaves its record");
}

/// Phases, and what a shell or an operator sends in them; each is met by a run of its own.
const INTERRUPTS: [(&str, &str); 6] = [
    ("provision", "INT"),
    ("settle", "TERM"),
    ("baseline", "INT"),
    ("outage", "INT"),
    ("power-on", "INT"),
    ("recovery", "TERM"),
];
/// Runs beside each other: a phase is waited for, whenever it comes.
const AT_ONCE: usize = 3;

#[test]
fn an_interrupt_in_any_phase_leaves_nothing() {
    let Some(_machine) = machine() else { return };
    std::thread::scope(|scope| {
        for lane in 0..AT_ONCE {
            let mine = INTERRUPTS.iter().skip(lane).step_by(AT_ONCE);
            scope.spawn(move || mine.for_each(|(phase, signal)| interrupted_in(phase, signal)));
        }
    });
}

#[test]
fn an_interrupt_in_the_middle_of_provisioning_leaves_nothing() {
    let Some(_machine) = machine() else { return };
    // Hosts appear one after the other: the interrupt comes when the third is there.
    let mut running = Running::start(&["minimal"]);
    running.await_phase("provision");
    let run = running.run_id();
    let hosts = || {
        block_on(async {
            let (engine, _) = Engine::connect().await.expect("an engine");
            let label = format!("blackstart.run={run}");
            let found = engine.find(ObjectKind::Container, &label).await.expect("it answers");
            found.iter().filter(|found| found.labels.contains_key("blackstart.host")).count()
        })
    };
    while hosts() < 3 {
        std::thread::yield_now();
    }
    running.signal("INT");
    running.end().expect_status(130);
    assert_eq!(left_of(&run), Vec::<String>::new());
}

/// A controller that is killed can clean nothing: its hand does, the hand's own container, volume and image included.
/// `clean` leaves a run alone whose hand is alive, and what has no label.
#[test]
fn a_killed_controllers_hand_removes_everything_and_nothing_else() {
    let Some(_machine) = machine() else { return };
    let bystander = "blackstart-test-bystander";
    let made = Command::new("docker").args(["volume", "create", bystander]).output().expect("docker can be run");
    assert!(made.status.success());
    let mut running = Running::start(&["minimal"]);
    running.await_phase("outage");
    let run = running.run_id();
    let alive = clean(&["--dry-run"]);
    assert!(alive.contains(&format!("{run}: still running")), "{alive}");
    running.kill();
    // The hand notices at once (its input ends).
    while !left_of(&run).is_empty() {
        std::thread::yield_now();
    }
    let kept = Command::new("docker").args(["volume", "inspect", bystander]).output().expect("docker can be run");
    assert!(kept.status.success(), "what has no label is not touched");
    Command::new("docker").args(["volume", "rm", bystander]).output().expect("docker can be run");
}

fn clean(arguments: &[&str]) -> String {
    let output =
        assert_cmd::Command::cargo_bin("blackstart").expect("it was built").arg("clean").args(arguments).output();
    String::from_utf8(output.expect("it ends").stdout).expect("UTF-8")
}

/// A folder that cannot be written is told before anything is made.
#[test]
fn a_full_disk_fails_with_what_to_do_and_leaves_nothing() {
    let Some(_machine) = machine() else { return };
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mount = ["-t", "tmpfs", "-o", "size=16k", "tmpfs"];
    let mounted = Command::new("mount").args(mount).arg(folder.path()).status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: a small filesystem can only be mounted by root");
        return;
    }
    let before = counts();
    let ended = assert_cmd::Command::cargo_bin("blackstart")
        .expect("it was built")
        .args(["run", "minimal", "--out"])
        .arg(folder.path())
        .output()
        .expect("it ends");
    let err = String::from_utf8_lossy(&ended.stderr).into_owned();
    Command::new("umount").arg(folder.path()).status().expect("it can be unmounted");
    assert_eq!(ended.status.code(), Some(2), "{err}");
    assert!(err.contains("No space left") && err.contains("cannot be written"), "{err}");
    assert_eq!(counts(), before);
}

fn counts() -> BTreeMap<&'static str, usize> {
    block_on(async {
        let (engine, _) = Engine::connect().await.expect("an engine");
        let mut counts = BTreeMap::new();
        for kind in ObjectKind::ALL {
            counts.insert(kind.word(), engine.find(kind, "blackstart.run").await.expect("it answers").len());
        }
        counts
    })
}
