//! Owns the claims on disks of zones, on real loop devices with a real ext4. Refuses to pretend: where they cannot be
//! had each test says loudly that it was skipped, and fails where `BLACKSTART_REQUIRE_DOCKER` is set.

use super::loop_device::LoopDevice;
use super::place::Place;
use super::{DATA_FROM_BYTES, Disks, fault_of};
use crate::hand::fault::Fault;
use crate::hand::protocol::{Deed, Target, Tearing};
use agents::machine::RequestId;
use agents::runtime::disk::{Append, open, start};
use fixtures::graph::store::TornEnd;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use tempfile::TempDir;

const ZONE: &str = "az1";

/// One disk, for one test.
struct Bench {
    disks: Disks,
    place: Place,
    folder: TempDir,
}

impl Bench {
    fn new(short: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let short = format!("{short}{:x}", std::process::id());
        let place = Place::on_machine(&folder.path().join("disks"), &short);
        let mut disks = Disks::new(place.clone());
        match disks.make(&[ZONE.to_owned()], false) {
            Ok(devices) => {
                assert!(devices[0].1.starts_with("/dev/loop"), "{devices:?}");
                Some(Self { disks, place, folder })
            }
            Err(why) => {
                let required = std::env::var_os("BLACKSTART_REQUIRE_DOCKER").is_some_and(|value| value == "1");
                assert!(!required, "BLACKSTART_REQUIRE_DOCKER is set, and there are no disks: {why}");
                eprintln!("SKIPPED: this test needs root and loop devices: {why}");
                disks.remove();
                None
            }
        }
    }

    /// A file of a host, through the hand's own mount.
    fn file(&self, name: &str) -> PathBuf {
        let held = self.disks.held.get(ZONE).expect("it is held");
        held.mounted.as_ref().expect("it is mounted").path().join(name)
    }

    fn fault(&self, deed: Deed) -> Box<dyn Fault> {
        fault_of(&deed, &self.place).expect("it is one of disks")
    }

    #[track_caller]
    fn end(mut self) {
        assert_eq!(self.disks.remove(), []);
        assert_eq!(self.disks.remove(), [], "removing twice is removing once");
        nothing_is_left(&self.place, self.folder.path());
    }
}

#[track_caller]
fn nothing_is_left(place: &Place, folder: &Path) {
    assert!(LoopDevice::all(place, &place.label_start()).is_empty());
    assert!(std::fs::read_dir(folder).expect("a folder").next().is_none(), "a file is left");
}

/// An agent's own writer, on a file of the zone.
struct Agent {
    disk: Sender<Append>,
    tells: Receiver<(RequestId, bool)>,
}

impl Agent {
    fn open(path: &Path) -> (Self, usize) {
        let (file, entries) = open(path, TornEnd::Cut).expect("it opens");
        let (told, tells) = channel();
        let disk = start(file, move |id, ok| told.send((id, ok)).unwrap_or_default()).expect("it starts");
        (Self { disk, tells }, entries.len())
    }

    fn append(&self, sync: bool) -> bool {
        let append = Append { id: RequestId(1), key: "key".to_owned(), value: "some value".to_owned(), sync };
        self.disk.send(append).expect("it lives");
        self.tells.recv().expect("it answers").1
    }

    /// Appends until one fails; how many went well before.
    fn until_refused(&self) -> usize {
        (0..1000).find(|_| !self.append(true)).expect("one of so many fails")
    }

    fn works(&self) -> bool {
        (0..200).all(|_| self.append(true))
    }
}

#[test]
fn what_was_synced_survives_a_power_loss_and_the_rest_is_gone() {
    let Some(mut bench) = Bench::new("c") else { return };
    let (agent, _) = Agent::open(&bench.file("host/instance.log"));
    assert!((0..100).all(|_| agent.append(true)));
    let synced = std::fs::metadata(bench.file("host/instance.log")).expect("it is there").len();
    assert!((0..50).all(|_| agent.append(false)));
    let all = std::fs::metadata(bench.file("host/instance.log")).expect("it is there").len();
    drop(agent);
    let report = bench.disks.cut(ZONE, None).expect("it is cut");
    assert_eq!((report.files, report.bytes_before, report.bytes_after), (1, all, synced), "{report}");
    assert_eq!(Agent::open(&bench.file("host/instance.log")).1, 100);
    bench.end();
}

#[test]
fn torn_ends_are_there_and_an_agent_cuts_them_off() {
    let Some(mut bench) = Bench::new("t") else { return };
    let names = ["a/unsynced.log", "b/synced.log"];
    for name in names {
        let (agent, _) = Agent::open(&bench.file(name));
        assert!((0..100).all(|_| agent.append(true)));
        assert!((0..20).all(|_| agent.append(name == names[1])));
    }
    let report = bench.disks.cut(ZONE, Some(&Tearing { seed: 7, real: Vec::new() })).expect("it is cut");
    assert_eq!(report.torn.len(), 2, "{report:?}");
    for (name, least) in names.into_iter().zip([100, 120]) {
        let bytes = std::fs::read(bench.file(name)).expect("it is read");
        assert_ne!(bytes.last(), Some(&b'\n'), "{name} does not end in a torn record");
        let (agent, entries) = Agent::open(&bench.file(name));
        // Of what was not synced, whole records may have come through before the torn one.
        assert!((least..=120).contains(&entries), "{name}: {entries}");
        assert!(agent.works());
    }
    bench.end();
}

#[test]
fn files_of_real_software_end_in_a_part_of_what_it_wrote_and_in_nothing_else() {
    let Some(mut bench) = Bench::new("l") else { return };
    let names = ["real/volume-0/unsynced.log", "real/volume-0/synced.log", "still/volume-0/synced.log"];
    let mut wrote = BTreeMap::new();
    // The one that is not synced last: a sync of another file may take its end along.
    for name in names.into_iter().rev() {
        let path = bench.file(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        let mut file = std::fs::File::create(&path).expect("it can be made");
        let records =
            |from: usize| (from..from + 20).flat_map(|n| format!("record {n}\n").into_bytes()).collect::<Vec<_>>();
        file.write_all(&records(0)).and_then(|()| file.sync_all()).expect("it is written");
        let synced = records(0).len();
        file.write_all(&records(20)).expect("it is written");
        if name != names[0] {
            file.sync_all().expect("it is synced");
        }
        wrote.insert(name, (synced, [records(0), records(20)].concat()));
    }
    let real = ["real", "still"].map(str::to_owned).into();
    let report = bench.disks.cut(ZONE, Some(&Tearing { seed: 7, real })).expect("it is cut");
    assert!(report.tore("real") && !report.tore("still") && !report.tore("re"), "{report:?}");
    for name in names {
        let (bytes, (synced, all)) = (std::fs::read(bench.file(name)).expect("it is read"), &wrote[name]);
        assert!(all.starts_with(&bytes), "{name} has what nobody wrote");
        let whole = bytes.len() == all.len();
        assert_eq!((whole, bytes.len() > *synced), (name != names[0], true), "{name}: {} bytes", bytes.len());
    }
    bench.end();
}

/// What a fault on this disk does to an agent: refused while it lasts, well after it.
#[track_caller]
fn refused_and_healed(short: &str, deed: Deed) {
    let Some(bench) = Bench::new(short) else { return };
    let (agent, _) = Agent::open(&bench.file("host/instance.log"));
    assert!(agent.works());
    let free = || bench.disks.held[ZONE].mounted.as_ref().expect("it is").free_bytes().expect("it says");
    let before = free();
    let mut fault = bench.fault(deed.clone());
    assert!(!fault.look().holds, "it has not begun");
    fault.act().expect("it begins");
    agent.until_refused();
    for _ in 0..3 {
        let look = fault.look();
        assert!(look.holds, "{look:?}");
        assert!(!agent.append(true), "{look:?}");
    }
    // By another hand, twice.
    for _ in 0..2 {
        bench.fault(deed.clone()).heal().expect("it is healed");
    }
    assert!(!bench.fault(deed).look().holds);
    // What the agent wrote before it was refused may have taken a block, and its next write takes the one it gave up.
    assert!(before.abs_diff(free()) <= 8 << 10, "{before} bytes were free, now {}", free());
    assert!(agent.works(), "without a restart");
    drop(agent);
    let (agent, entries) = Agent::open(&bench.file("host/instance.log"));
    assert!(entries >= 400);
    drop(agent);
    bench.end();
}

#[test]
fn a_full_disk_refuses_an_agent_and_takes_its_writes_again_when_it_is_healed() {
    refused_and_healed("f", Deed::DiskFull { zones: vec![ZONE.to_owned()] });
}

#[test]
fn a_failing_disk_refuses_an_agent_and_takes_its_writes_again_when_it_is_healed() {
    refused_and_healed("e", Deed::DiskErrors { zones: vec![ZONE.to_owned()] });
}

#[test]
fn a_power_loss_does_not_end_the_faults_of_a_disk() {
    let Some(mut bench) = Bench::new("p") else { return };
    let zones = vec![ZONE.to_owned()];
    for deed in [Deed::DiskErrors { zones: zones.clone() }, Deed::DiskFull { zones }] {
        let mut fault = bench.fault(deed.clone());
        fault.act().expect("it begins");
        bench.disks.cut(ZONE, None).expect("it is cut");
        assert_eq!(bench.disks.limit(ZONE) == DATA_FROM_BYTES, matches!(deed, Deed::DiskErrors { .. }));
        assert!(fault.look().holds, "{deed:?}: {:?}", fault.look());
        fault.heal().expect("it is healed");
        assert!(!fault.look().holds);
    }
    bench.end();
}

#[test]
fn a_slow_disk_holds_back_writes_of_a_control_group_and_lets_them_go_when_it_is_healed() {
    let group = format!("blackstart-test-{:x}", std::process::id());
    let folder = Path::new("/sys/fs/cgroup/blkio").join(&group);
    if std::fs::create_dir(&folder).is_err() {
        eprintln!("SKIPPED: this test needs root and the control groups of v1");
        return;
    }
    let Some(bench) = Bench::new("s") else {
        std::fs::remove_dir(&folder).expect("it is empty");
        return;
    };
    let hosts = vec![Target { host: "h".to_owned(), cgroup: format!("/{group}") }];
    for delay_ms in [300, 1500] {
        let deed = Deed::DiskSlow { zones: vec![ZONE.to_owned()], hosts: hosts.clone(), delay_ms };
        let mut fault = bench.fault(deed.clone());
        fault.act().expect("it begins");
        let look = fault.look();
        eprintln!("{look:?}");
        assert!(look.holds, "{look:?}");
        bench.fault(deed.clone()).heal().expect("it is healed by another hand");
        fault.heal().expect("and twice");
        let limits = |name: &str| std::fs::read_to_string(folder.join(name)).expect("it is read");
        assert_eq!(limits("blkio.throttle.write_iops_device") + &limits("blkio.throttle.write_bps_device"), "");
    }
    let empty = || std::fs::read_to_string(folder.join("cgroup.procs")).expect("it is read").is_empty();
    assert!(super::until(empty), "a process of ours is left");
    std::fs::remove_dir(&folder).expect("it is empty");
    bench.end();
}

/// Not a claim: the hand that is killed below. It makes a disk and waits.
#[test]
fn a_hand_to_be_killed() {
    let Some(folder) = std::env::var_os("BLACKSTART_TEST_DISKS") else { return };
    let place = Place::on_machine(&Path::new(&folder).join("disks"), "killed");
    let mut disks = Disks::new(place.clone());
    disks.make(&[ZONE.to_owned()], false).expect("it is made");
    fault_of(&Deed::DiskErrors { zones: vec![ZONE.to_owned()] }, &place).expect("it is one").act().expect("it begins");
    std::io::stderr().write_all(b"made\n").expect("it is written");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("it waits");
}

#[test]
fn of_a_hand_that_was_killed_no_device_is_left_and_the_next_one_removes_the_rest() {
    let Some(bench) = Bench::new("k") else { return };
    bench.end();
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(std::env::current_exe().expect("it has a path"))
        .args(["--exact", "--nocapture", "hand::disk::tests::a_hand_to_be_killed"])
        .env("BLACKSTART_TEST_DISKS", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut words = BufReader::new(child.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
    assert!(words.any(|line| line == "made"));
    let place = Place::on_machine(&folder.path().join("disks"), "killed");
    assert!(LoopDevice::find(&place, ZONE).is_some());
    child.kill().expect("it is killed");
    child.wait().expect("it is dead");
    assert!(super::until(|| LoopDevice::find(&place, ZONE).is_none()), "the kernel lets go by itself");
    assert_eq!(Disks::new(place.clone()).remove(), []);
    nothing_is_left(&place, folder.path());
}

#[test]
fn what_is_needed_is_probed_and_nothing_is_left_of_the_probe() {
    let Some(bench) = Bench::new("r") else { return };
    Disks::probe(&bench.place).expect("it was had before");
    bench.end();
}
