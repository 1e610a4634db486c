//! Claims about builds in containers that stand at the border of a phase: as somebody asked, or because what an earlier build
//! found is still so; whoever takes them up goes on, and is counted. Refuses to measure anything.

use crate::build_zone::{begin, work};
use crate::lab::{left_of, long_machine};
use harness::builder::Ending;
use harness::builder::ledger::{Entry, Ledger};
use scenarios::build::check::Outcome;

#[test]
fn a_paused_build_in_containers_stands_until_it_is_taken_up() {
    let Some(_machine) = long_machine() else { return };
    let out = tempfile::tempdir().expect("a folder can be made");
    let what =
        ["us-test-1", "--zone", "lz1", "--parent", "az2", "--graph", "named", "--world", "docker", "--seed", "7"];
    let paused = work(out.path(), &[&what[..], &["--pause-before", "launch"]].concat());
    assert_eq!(paused.status, Some(3), "{}", paused.said);
    assert_eq!(paused.record().ending, "paused before launch of hosts");
    let run = paused.run();
    assert!(paused.said.contains(&format!("--take-up {run}")), "{}", paused.said);
    assert!(!left_of(&run).is_empty(), "everything stands");
    // The border is cut there, and stays so when the hand changes.
    let again = work(out.path(), &["us-test-1", "--take-up", &run, "--pause-before", "open"]);
    assert_eq!((again.status, again.run()), (Some(3), run.clone()), "{}", again.said);
    let ledger = Ledger::read(&again.file("ledger.jsonl")).expect("a ledger");
    assert!(ledger.paused && ledger.done.contains_key("game.link.back"), "{}", again.said);
    let done = work(out.path(), &["us-test-1", "--take-up", &run]);
    done.is_held(&["B1", "B3", "B6", "B7", "B8"]);
    assert_eq!((done.run(), done.record().by_hand), (run, 2), "two had to tell it to go on");
    let ledger = Ledger::read(&done.file("ledger.jsonl")).expect("a ledger");
    assert_eq!(ledger.ended, Some(Ending::Completed), "{}", done.said);
}

/// What the first found it found in virtual time: it is of the same region and graph.
#[test]
fn what_an_earlier_build_found_stops_the_next_in_containers_before_its_phase() {
    let Some(_machine) = long_machine() else { return };
    let out = tempfile::tempdir().expect("a folder can be made");
    let what = ["eu-test-7", "--graph", "named", "--seed", "7", "--defect", "pinned:api:store", "--world"];
    let first = work(out.path(), &[&what[..], &["sim"]].concat());
    let found = first.record().findings;
    assert!(!found.is_empty() && found.iter().all(|one| one.invariant == "B2"), "{found:?}\n{}", first.said);
    let second = work(out.path(), &[&what[..], &["docker"]].concat());
    let (record, run) = (second.record(), second.run());
    assert_eq!(second.status, Some(1), "{}", second.said);
    let says = record.ending.starts_with("paused before access list: `api`") && record.ending.contains(&first.run());
    assert!(says, "{}", record.ending);
    assert!(record.checks.iter().all(|row| row.outcome == Outcome::Open), "{:?}", record.checks);
    // Whoever takes it up and is interrupted removes it.
    let taken_up = begin(out.path(), &["eu-test-7", "--take-up", &run]);
    second.await_entry(&|entry| matches!(entry, Entry::Resumed { .. }));
    let pid = rustix::process::Pid::from_child(&taken_up);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it is ours");
    let output = taken_up.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    second.left_nothing();
}
