//! Claims about zones that are built in containers into a region that serves customers: nobody notices, no two zones are changed
//! on one day, what harms customers is stopped at the first zone and undone, a local zone goes on without its link, and each
//! defect is found with its culprit. Refuses to measure anything.

use crate::lab::{left_of, long_machine};
use harness::builder::ledger::{Entry, entries};
use reports::build::{BuildRecord, from_json};
use scenarios::build::observed::{Building, ObjectState, StepState};
use scenarios::build::plan::Border;
use scenarios::event::{Detail, Event};
use scenarios::judgement::Finding;
use scenarios::verdict::Verdict;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const ZONE: [&str; 5] = ["us-test-1", "--zone", "az4", "--graph", "named"];
const LOCAL: [&str; 7] = ["us-test-1", "--zone", "lz1", "--parent", "az2", "--graph", "named"];

/// What a process that built left.
pub(crate) struct Build {
    folder: PathBuf,
    pub(crate) said: String,
    pub(crate) status: Option<i32>,
}

/// Has the executable begin to work on a build below a folder.
pub(crate) fn begin(out: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("blackstart"));
    command.arg("build").args(arguments).arg("--out").arg(out);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it can be started")
}

/// Has it work, and waits for its end.
pub(crate) fn work(out: &Path, arguments: &[&str]) -> Build {
    let before = folders(out);
    let output = begin(out, arguments).wait_with_output().expect("it ends");
    let said = format!("{}\n{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    let after = folders(out);
    let folder = after.difference(&before).next().or(after.last()).unwrap_or_else(|| panic!("no folder: {said}"));
    Build { folder: folder.clone(), said, status: output.status.code() }
}

fn folders(out: &Path) -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(out).expect("it is there").flatten().map(|entry| entry.path());
    entries.filter(|path| path.is_dir()).collect()
}

impl Build {
    fn of(what: &[&str], defects: &[&str]) -> (Self, TempDir) {
        let out = tempfile::tempdir().expect("a folder can be made");
        let defects = defects.iter().flat_map(|defect| ["--defect", defect]);
        let arguments = what.iter().copied().chain(["--world", "docker", "--seed", "7"]).chain(defects);
        (work(out.path(), &arguments.collect::<Vec<&str>>()), out)
    }

    pub(crate) fn run(&self) -> String {
        self.folder.file_name().expect("a name").to_string_lossy().into_owned()
    }

    pub(crate) fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}\n{}", self.said))
    }

    pub(crate) fn record(&self) -> BuildRecord {
        from_json(&self.file("build.json")).expect("a record")
    }

    /// Waits until the ledger has such an entry.
    pub(crate) fn await_entry(&self, wanted: &dyn Fn(&Entry) -> bool) {
        let is_there = || entries(&self.file("ledger.jsonl")).expect("a ledger").iter().any(wanted);
        for _ in 0..1_200 {
            if is_there() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("no such entry came within a minute: {}", self.file("ledger.jsonl"));
    }

    fn events(&self) -> Vec<Event> {
        reports::journal::read(&self.file("events.jsonl")).expect("events").events
    }

    /// What was seen of the build, with when and in which zone.
    fn seen(&self) -> Vec<(u64, Option<String>, Building)> {
        let seen = self.events().into_iter().filter_map(|event| match event.detail {
            Detail::Build { seen } => Some((event.t_ns, event.place.zone.map(|zone| zone.to_string()), seen)),
            _ => None,
        });
        seen.collect()
    }

    /// When each live zone was changed, in order.
    fn changes(&self) -> Vec<(u64, String)> {
        let changes = self.seen().into_iter().filter_map(|(at, zone, seen)| match seen {
            Building::Step { state: StepState::Begun | StepState::Retried, .. } => Some((at, zone?)),
            _ => None,
        });
        changes.collect()
    }

    /// It is open, these are held and nothing is violated, and nothing is left.
    #[track_caller]
    pub(crate) fn is_held(&self, ids: &[&str]) {
        assert_eq!(self.status, Some(0), "{}", self.said);
        let record = self.record();
        assert!(record.opened && record.verdict == Verdict::Held && record.world == "docker", "{}", self.said);
        self.held(ids);
        self.left_nothing();
    }

    #[track_caller]
    fn held(&self, ids: &[&str]) {
        for id in ids {
            let (verdict, reason) = self.verdict(id);
            assert_eq!(verdict, Verdict::Held, "{id}: {reason}\n{}", self.said);
        }
    }

    fn verdict(&self, id: &str) -> (Verdict, String) {
        let record = self.record();
        let result = record.invariants.into_iter().find(|result| result.id == id).expect("it is judged");
        (result.verdict, result.reason)
    }

    #[track_caller]
    pub(crate) fn left_nothing(&self) {
        assert_eq!(left_of(&self.run()), Vec::<String>::new());
        assert!(!self.folder.join("site.json").exists(), "nothing can be taken up any more");
    }

    /// The one finding of an invariant, which must be violated.
    #[track_caller]
    fn found(&self, id: &str) -> Finding {
        let (verdict, reason) = self.verdict(id);
        assert_eq!((self.status, verdict), (Some(1), Verdict::Violated), "{id}: {reason}\n{}", self.said);
        self.left_nothing();
        let mut findings = self.record().findings;
        findings.retain(|finding| finding.invariant == id);
        assert_eq!(findings.len(), 1, "{findings:?}\n{}", self.said);
        findings.remove(0)
    }
}

#[test]
fn a_zone_is_built_in_containers_into_a_live_region_whose_customers_do_not_notice() {
    let Some(_machine) = long_machine() else { return };
    let (build, _out) = Build::of(&ZONE, &[]);
    build.is_held(&["B1", "B3", "B4", "B5", "B6", "B7"]);
    let changes = build.changes();
    assert_eq!(changes.len(), 6, "each live zone twice: {changes:?}");
    let apart = changes.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 20_000_000_000);
    assert!(apart, "never sooner than after two bakes: {changes:?}");
}

#[test]
fn two_zones_that_are_changed_on_one_day_are_found_in_containers() {
    let Some(_machine) = long_machine() else { return };
    let (build, _out) = Build::of(&ZONE, &["two-zones-a-day"]);
    let finding = build.found("B7");
    // A day may end between the two: then it is the bake that was too short.
    let setting = finding.setting.as_deref().unwrap_or_default();
    assert!(finding.service.as_str() == "names" && ["safety.day", "safety.bake"].contains(&setting), "{finding:?}");
    assert!(finding.text.contains("us-test-1-az1") && finding.text.contains("us-test-1-az2"), "{finding:?}");
    build.held(&["B1"]);
}

#[test]
fn live_zones_that_are_all_changed_in_part_are_found_in_containers() {
    let Some(_machine) = long_machine() else { return };
    let (build, _out) = Build::of(&ZONE, &["halves-across-zones"]);
    let finding = build.found("B7");
    let said = "`peering.us-test-1-az2-first` left 2 zones changed in part, and 1 may be";
    assert_eq!((finding.setting.as_deref(), finding.text.as_str()), (Some("safety.share-percent"), said));
    assert_eq!(build.changes().len(), 12, "each zone in two halves, twice");
    build.held(&["B1"]);
}

#[test]
fn harm_to_live_customers_stops_a_zone_build_in_containers_at_the_first_zone_and_undoes_it() {
    let Some(_machine) = long_machine() else { return };
    let (build, _out) = Build::of(&ZONE, &["forgotten:store"]);
    let finding = build.found("B1");
    let step = "peering.us-test-1-az1";
    assert_eq!((finding.service.as_str(), finding.setting.as_deref()), ("store", Some(step)), "{finding:?}");
    assert!(build.record().ending.starts_with("rolled back"), "{}", build.said);
    let changed: BTreeSet<String> = build.changes().into_iter().map(|(_, zone)| zone).collect();
    assert_eq!(changed.into_iter().collect::<Vec<_>>(), ["us-test-1-az1"], "no further zone was changed");
    let undone =
        |seen: &Building| matches!(seen, Building::Step { step: one, state: StepState::Undone, .. } if one == step);
    assert!(build.seen().iter().any(|(_, _, seen)| undone(seen)), "{}", build.said);
}

#[test]
fn a_local_zone_in_containers_goes_on_without_its_parent_and_its_data_stays() {
    let Some(_machine) = long_machine() else { return };
    let (build, _out) = Build::of(&LOCAL, &[]);
    build.is_held(&["B1", "B3", "B4", "B6", "B7", "B8"]);
    let seen = build.seen();
    let at = |wanted: &dyn Fn(&Building) -> bool| -> Vec<u64> {
        seen.iter().filter(|(_, _, seen)| wanted(seen)).map(|(at, ..)| *at).collect()
    };
    let border = |wanted: Border| at(&|seen| matches!(seen, Building::Border { border } if *border == wanted));
    let (cut, open) = (border(Border::Cut), border(Border::Open));
    assert_eq!((cut.len(), open.len()), (1, 1));
    assert!(open[0] - cut[0] >= 20_000_000_000, "it was cut for as long as clients go on with answers");
    let marked = at(&|seen| matches!(seen, Building::Object { state: ObjectState::Marked, .. }));
    let without_link = marked.iter().filter(|at| (cut[0]..open[0]).contains(*at)).count();
    assert_eq!((marked.len(), without_link), (20, 10), "its customers wrote on");
}

#[test]
fn data_that_leaves_its_country_is_found_in_containers_with_whoever_sent_it() {
    let Some(_machine) = long_machine() else { return };
    let (build, _out) = Build::of(&LOCAL, &["backup:resident-data:store"]);
    let finding = build.found("B8");
    let dependency = finding.dependency.as_ref().map(|name| name.as_str());
    assert_eq!((finding.service.as_str(), dependency), ("resident-data", Some("store")), "{finding:?}");
    assert_eq!(
        finding.affected.iter().map(|one| one.0.as_str()).collect::<Vec<_>>(),
        ["resident-data-us-test-1-lz1-0"]
    );
    build.held(&["B1", "B3"]);
}
