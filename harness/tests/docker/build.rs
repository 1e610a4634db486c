//! Claims about builds in containers: a region comes up out of another one, is held and leaves nothing; defects are found with
//! their culprits; a builder that is killed is taken up again and ends in the same state. Refuses to measure anything.

use crate::lab::{left_of, long_machine};
use harness::builder::ledger::{Entry, Ledger};
use reports::build::{BuildRecord, from_json};
use scenarios::build::observed::Building;
use scenarios::build::plan::Border;
use scenarios::event::{Detail, Event};
use scenarios::judgement::Finding;
use scenarios::verdict::Verdict;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const REGION: &str = "eu-test-7";

/// A build of the executable, with its folder.
pub(crate) struct Build {
    out: TempDir,
    said: String,
    status: Option<i32>,
}

fn command(out: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("blackstart"));
    command.args(["build", REGION, "--out"]).arg(out.path()).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn ended(out: TempDir, child: Child) -> Build {
    let output = child.wait_with_output().expect("it ends");
    let said = format!("{}\n{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    Build { out, said, status: output.status.code() }
}

pub(crate) fn build(arguments: &[&str]) -> Build {
    let out = tempfile::tempdir().expect("a folder can be made");
    let child = command(&out, &[&["--world", "docker", "--seed", "7"], arguments].concat()).spawn();
    ended(out, child.expect("it can be started"))
}

impl Build {
    fn run(&self) -> String {
        let folder = self.folder();
        folder.file_name().expect("a name").to_string_lossy().into_owned()
    }

    fn folder(&self) -> PathBuf {
        let entries = std::fs::read_dir(self.out.path()).expect("it is there").flatten().map(|entry| entry.path());
        entries.into_iter().find(|path| path.is_dir()).expect("the run has a folder")
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder().join(name))
            .unwrap_or_else(|error| panic!("{name}: {error}\n{}", self.said))
    }

    pub(crate) fn record(&self) -> BuildRecord {
        from_json(&self.file("build.json")).expect("a record")
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        reports::journal::read(&self.file("events.jsonl")).expect("events").events
    }

    /// It is open, everything that is judged is held, and nothing is left.
    #[track_caller]
    pub(crate) fn is_held(&self) {
        assert_eq!(self.status, Some(0), "{}", self.said);
        let record = self.record();
        assert!(record.opened && record.verdict == Verdict::Held, "{}", self.said);
        for id in ["B1", "B2", "B3", "B4", "B5", "B6", "B9", "B10"] {
            let result = record.invariants.iter().find(|result| result.id == id).expect("it is judged");
            assert_eq!(result.verdict, Verdict::Held, "{id}: {}", result.reason);
        }
        self.left_nothing();
    }

    #[track_caller]
    fn left_nothing(&self) {
        assert_eq!(left_of(&self.run()), Vec::<String>::new());
        assert!(!self.folder().join("site.json").exists(), "nothing can be taken up any more");
    }

    /// The findings of one invariant, which must be violated.
    #[track_caller]
    pub(crate) fn found(&self, id: &str) -> Vec<Finding> {
        let record = self.record();
        let result = record.invariants.iter().find(|result| result.id == id).expect("it is judged");
        assert_eq!(result.verdict, Verdict::Violated, "{id}: {}\n{}", result.reason, self.said);
        self.left_nothing();
        record.findings.into_iter().filter(|finding| finding.invariant == id).collect()
    }
}

fn cut_at(events: &[Event]) -> u64 {
    let is_cut =
        |event: &&Event| matches!(&event.detail, Detail::Build { seen: Building::Border { border: Border::Cut } });
    events.iter().find(is_cut).map_or(u64::MAX, |event| event.t_ns)
}

#[test]
fn a_small_region_is_built_in_containers_held_and_leaves_nothing() {
    let Some(_machine) = long_machine() else { return };
    let build = build(&["--graph", "named"]);
    build.is_held();
    assert_eq!(build.record().world, "docker");
}

#[test]
fn a_region_of_25_services_is_built_within_ten_minutes() {
    let Some(_machine) = long_machine() else { return };
    let build = build(&[]);
    build.is_held();
    let record = build.record();
    assert!(record.services >= 20 && record.took_ms < 600_000, "{} services, {} ms", record.services, record.took_ms);
}

#[test]
fn an_address_that_somebody_wrote_is_named_before_the_cut() {
    let Some(_machine) = long_machine() else { return };
    let build = build(&["--defect", "pinned:quota:table-store"]);
    let findings = build.found("B2");
    let pairs: Vec<_> =
        findings.iter().map(|one| (one.service.as_str(), one.dependency.as_ref().map(|name| name.as_str()))).collect();
    assert_eq!(pairs, [("quota", Some("table-store"))], "{findings:?}");
    assert!(findings[0].chain[0].since_ns < cut_at(&build.events()), "{findings:?}");
}

#[test]
fn a_cache_that_keeps_old_addresses_is_named_in_containers() {
    let Some(_machine) = long_machine() else { return };
    let build = build(&["--defect", "old-addresses:launch"]);
    let findings = build.found("B2");
    assert!(!findings.is_empty() && findings.iter().all(|one| one.service.as_str() == "launch"), "{findings:?}");
}

#[test]
fn a_start_up_cycle_is_revealed_by_the_cut_in_containers() {
    let Some(_machine) = long_machine() else { return };
    let build = build(&["--graph", "named", "--defect", "needs:certificates:store"]);
    let findings = build.found("B6");
    let pairs: Vec<_> =
        findings.iter().map(|one| (one.service.as_str(), one.dependency.as_ref().map(|name| name.as_str()))).collect();
    assert_eq!(pairs, [("certificates", Some("store"))], "{findings:?}");
}

/// Kills the builder when its ledger has the beginning of each of these steps in turn, and has it taken up each time.
#[test]
fn a_builder_that_is_killed_is_taken_up_and_ends_in_the_same_state() {
    let Some(_machine) = long_machine() else { return };
    let out = tempfile::tempdir().expect("a folder can be made");
    let asked = ["--world", "docker", "--seed", "7", "--graph", "named"];
    let mut child = command(&out, &asked).spawn().expect("it can be started");
    let mut run = String::new();
    for step in ["control.core0", "launch.identity", "copy.turn", "migrate.names", "border.bake", "game.region.off"] {
        let folder = loop {
            let found = std::fs::read_dir(out.path()).expect("it is there").flatten().map(|entry| entry.path());
            let found = found.into_iter().find(|path| path.is_dir());
            let text = found.as_ref().and_then(|path| std::fs::read_to_string(path.join("ledger.jsonl")).ok());
            let begun = |entry: &Entry| matches!(entry, Entry::Intent { step: begun, .. } if begun == step);
            let entries = text.unwrap_or_default();
            let mut entries = entries.lines().filter_map(|line| serde_json::from_str::<Entry>(line).ok());
            if let (true, Some(folder)) = (entries.any(|entry| begun(&entry)), found) {
                break folder;
            }
            assert!(child.try_wait().expect("it can be asked").is_none(), "the build ended before {step}");
            std::thread::sleep(Duration::from_millis(50));
        };
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        run = folder.file_name().expect("a name").to_string_lossy().into_owned();
        child = command(&out, &["--take-up", &run]).spawn().expect("it can be started");
    }
    let build = ended(out, child);
    assert_eq!(build.run(), run);
    build.is_held();
    let ledger = Ledger::read(&build.file("ledger.jsonl")).expect("a ledger");
    assert_eq!(ledger.ended, Some(harness::builder::Ending::Completed), "{}", build.said);
}
