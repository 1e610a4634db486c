//! Claims about builds in containers: a region comes up out of another one, is held and leaves nothing; defects are found with
//! their culprits; a builder that is killed is taken up again and ends in the same state. Refuses to measure anything.

use crate::lab::{left_of, long_machine};
use agents::runtime::clock::mono_ns;
use harness::builder::ledger::{Entry, Ledger};
use reports::build::{BuildRecord, from_json};
use scenarios::build::observed::Building;
use scenarios::build::plan::{Border, BuildPhase};
use scenarios::event::{Detail, Event};
use scenarios::judgement::Finding;
use scenarios::verdict::Verdict;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
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
        for id in ["B1", "B2", "B3", "B4", "B5", "B6", "B9", "B10", "B11"] {
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

    /// It stands before the cut because of what the bake found. Whoever takes it up and is interrupted removes it.
    #[track_caller]
    fn stands_before_the_cut(&self) {
        assert_eq!(self.status, Some(1), "{}", self.said);
        let ending = self.record().ending;
        assert!(ending.starts_with("paused before cut: "), "{ending}\n{}", self.said);
        assert_eq!(cut_at(&self.events()), u64::MAX, "the link was not cut");
        assert!(!left_of(&self.run()).is_empty(), "everything stands");
        let mut taken_up = command(&self.out, &["--take-up", &self.run()]).spawn().expect("it can be started");
        while !ledger_of(&self.folder()).iter().any(|entry| matches!(entry, Entry::Resumed { .. })) {
            assert!(taken_up.try_wait().expect("it can be asked").is_none(), "it ended before it went on");
            std::thread::sleep(Duration::from_millis(5));
        }
        let pid = rustix::process::Pid::from_child(&taken_up);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it is ours");
        let output = taken_up.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
        self.left_nothing();
    }

    /// The findings of one invariant, which must be violated.
    #[track_caller]
    pub(crate) fn found(&self, id: &str) -> Vec<Finding> {
        let record = self.record();
        let result = record.invariants.iter().find(|result| result.id == id).expect("it is judged");
        assert_eq!(result.verdict, Verdict::Violated, "{id}: {}\n{}", result.reason, self.said);
        if !record.ending.starts_with("paused ") {
            self.left_nothing();
        }
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
    // From the command's start to its end: the making of both regions and the removal of everything count.
    let began = mono_ns();
    let build = build(&[]);
    let took = Duration::from_nanos(mono_ns() - began);
    build.is_held();
    let record = build.record();
    assert!(record.services >= 20 && record.took_ms < 600_000, "{} services, {} ms", record.services, record.took_ms);
    assert!(took < Duration::from_secs(600), "{took:?} from nothing to the end of the command");
}

#[test]
fn an_address_that_somebody_wrote_is_named_before_the_cut() {
    let Some(_machine) = long_machine() else { return };
    let build = build(&["--defect", "pinned:quota:table-store"]);
    let findings = build.found("B2");
    let pairs: Vec<_> =
        findings.iter().map(|one| (one.service.as_str(), one.dependency.as_ref().map(|name| name.as_str()))).collect();
    assert_eq!(pairs, [("quota", Some("table-store"))], "{findings:?}");
    build.stands_before_the_cut();
}

#[test]
fn a_cache_that_keeps_old_addresses_is_named_in_containers() {
    let Some(_machine) = long_machine() else { return };
    let build = build(&["--defect", "old-addresses:launch"]);
    let findings = build.found("B2");
    assert!(!findings.is_empty() && findings.iter().all(|one| one.service.as_str() == "launch"), "{findings:?}");
    build.stands_before_the_cut();
}

#[test]
fn what_is_built_in_containers_and_leans_on_one_zone_is_found_while_that_is_dark() {
    let Some(_machine) = long_machine() else { return };
    let build = build(&["--graph", "named", "--defect", "one-zone:store"]);
    let findings = build.found("B11");
    assert!(!findings.is_empty() && findings.iter().all(|one| one.service.as_str() == "store"), "{findings:?}");
}

#[test]
fn a_write_between_copy_and_turn_is_lost_without_a_last_pass_in_containers() {
    let Some(_machine) = long_machine() else { return };
    let build = build(&["--graph", "named", "--defect", "no-last-pass"]);
    let findings = build.found("B3");
    assert!(!findings.is_empty() && findings.iter().all(|one| one.service.as_str() == "store"), "{findings:?}");
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

/// A step of each phase: when the ledger has its beginning the builder is killed.
const KILLED_AT: [(BuildPhase, &str); 16] = [
    (BuildPhase::Network, "network.franken"),
    (BuildPhase::Identity, "identity.hosts"),
    (BuildPhase::ControlPlane, "control.core0"),
    (BuildPhase::Launch, "launch.identity"),
    (BuildPhase::Stores, "stores.hosts"),
    (BuildPhase::Copy, "copy.turn"),
    (BuildPhase::Migrate, "migrate.names"),
    (BuildPhase::Proxies, "proxies.off"),
    (BuildPhase::Empty, "empty.stores"),
    (BuildPhase::Shutdown, "shutdown.hosts"),
    (BuildPhase::AccessList, "border.refused"),
    (BuildPhase::Bake, "border.bake"),
    (BuildPhase::Cut, "border.cut"),
    (BuildPhase::Remaining, "rest.hosts"),
    (BuildPhase::GameDay, "game.region.off"),
    (BuildPhase::Open, "open.audit"),
];

fn ledger_of(folder: &Path) -> Vec<Entry> {
    let text = std::fs::read_to_string(folder.join("ledger.jsonl")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Waits until the ledger has the beginning of a step; returns the run's folder.
fn begun(out: &TempDir, child: &mut Child, step: &str) -> PathBuf {
    loop {
        let found = std::fs::read_dir(out.path()).expect("it is there").flatten().map(|entry| entry.path());
        let found = found.into_iter().find(|path| path.is_dir());
        let is_begun = |entry: &Entry| matches!(entry, Entry::Intent { step: begun, .. } if begun == step);
        if let Some(folder) = found.filter(|folder| ledger_of(folder).iter().any(is_begun)) {
            return folder;
        }
        assert!(child.try_wait().expect("it can be asked").is_none(), "the build ended before {step}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A phase that takes no longer may be over before a kill that is meant for it falls.
const LONG: Duration = Duration::from_secs(1);

/// The step that was begun last before a kill, by the ledger, which is synced before anything is done.
fn last_begun(folder: &Path) -> Option<String> {
    let step = |entry: Entry| match entry {
        Entry::Intent { step, .. } => Some(step),
        _ => None,
    };
    ledger_of(folder).into_iter().rev().find_map(step)
}

/// Steps that were done, in order.
fn done(build: &Build) -> Vec<String> {
    let step = |entry: Entry| match entry {
        Entry::Done { step, .. } => Some(step),
        _ => None,
    };
    ledger_of(&build.folder()).into_iter().filter_map(step).collect()
}

/// Phases by their steps, as they were told.
fn phase_of_steps(build: &Build) -> BTreeMap<String, BuildPhase> {
    let phases = reports::build::told(&build.events()).phases;
    phases.iter().flat_map(|phase| phase.steps.iter().map(|step| (step.id.clone(), phase.phase))).collect()
}

/// Each phase that an undisturbed build needs more than a second for had a kill fall inside it. The others (an access list, a
/// cut) may be over between the ledger's line and the kill: nothing is claimed of them but that their step was begun before one.
#[track_caller]
fn fell_in_every_long_phase(undisturbed: &Build, fell: &[(BuildPhase, String)]) {
    let of = phase_of_steps(undisturbed);
    let hit: BTreeSet<BuildPhase> = fell.iter().filter_map(|(_, step)| of.get(step).copied()).collect();
    let long = reports::build::told(&undisturbed.events()).phases.into_iter();
    let long = long.filter(|phase| Duration::from_nanos(phase.to_ns.saturating_sub(phase.from_ns)) > LONG);
    let missed: Vec<BuildPhase> = long.map(|phase| phase.phase).filter(|phase| !hit.contains(phase)).collect();
    assert!(missed.is_empty(), "no kill fell in {missed:?}; meant, and where it fell: {fell:?}");
}

/// The builder is killed in every phase and taken up each time: the same steps were done in the end, once each, as by one that
/// nobody disturbed in containers, and what is so at the end is the same.
#[test]
fn a_builder_that_is_killed_in_every_phase_is_taken_up_and_ends_in_the_same_state() {
    let Some(_machine) = long_machine() else { return };
    let out = tempfile::tempdir().expect("a folder can be made");
    let asked = ["--world", "docker", "--seed", "7", "--graph", "named"];
    let mut child = command(&out, &asked).spawn().expect("it can be started");
    let mut run = String::new();
    let mut fell = Vec::new();
    for (phase, step) in KILLED_AT {
        let folder = begun(&out, &mut child, step);
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        fell.push((phase, last_begun(&folder).expect("a step was begun")));
        run = folder.file_name().expect("a name").to_string_lossy().into_owned();
        child = command(&out, &["--take-up", &run]).spawn().expect("it can be started");
    }
    let build = ended(out, child);
    assert_eq!(build.run(), run);
    build.is_held();
    assert!(build.said.contains("active, 100 %)"), "whoever takes it up knows who was active: {}", build.said);
    let ledger = Ledger::read(&build.file("ledger.jsonl")).expect("a ledger");
    assert_eq!(ledger.ended, Some(harness::builder::Ending::Completed), "{}", build.said);
    let undisturbed = self::build(&["--graph", "named"]);
    undisturbed.is_held();
    assert_eq!(done(&build), done(&undisturbed));
    let state = build.record().state;
    assert!(state.is_some() && state == undisturbed.record().state, "{state:?}");
    fell_in_every_long_phase(&undisturbed, &fell);
    let told = |build: &Build| -> BTreeSet<BuildPhase> {
        reports::build::told(&build.events()).phases.iter().map(|phase| phase.phase).collect()
    };
    assert_eq!(told(&build), KILLED_AT.iter().map(|(phase, _)| *phase).collect(), "each phase was told");
}
