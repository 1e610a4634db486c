//! Owns a host without an engine: a real supervisor with a real agent, as plain processes in a control group that the
//! test makes and always removes. Refuses to know faults.

use agents::config::{HostConfig, InstanceConfig, Process};
use agents::wire::From;
use fixtures::graph::{Acknowledge, Health, State};
use fixtures::name::{HostName, InstanceName, ZoneName};
use harness::hand::hierarchy::Hierarchies;
use harness::hand::host_fault::Ground;
use harness::hand::protocol::Target;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;

const CGROUPS: &str = "/sys/fs/cgroup";
/// The host's limit of memory.
const MEMORY_BYTES: &str = "67108864";

/// Every street is a group of this name with the number of the test's process.
const STREET: &str = "blackstart-test-";

static COUNT: AtomicUsize = AtomicUsize::new(0);
static SWEPT: Once = Once::new();

/// Removes streets of tests that were killed before they could.
fn sweep() {
    let roots = std::fs::read_dir(CGROUPS).into_iter().flatten().flatten().map(|entry| entry.path());
    for root in roots.chain([PathBuf::from(CGROUPS)]) {
        for street in std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path()) {
            let name = street.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some(pid) = name.strip_prefix(STREET) else { continue };
            if Path::new("/proc").join(pid).exists() {
                continue;
            }
            for house in std::fs::read_dir(&street).into_iter().flatten().flatten().map(|entry| entry.path()) {
                if house.is_dir() {
                    remove_group(&house);
                }
            }
            remove_group(&street);
        }
    }
}

/// Kills who is in a group until it can be removed.
fn remove_group(folder: &Path) {
    while folder.exists() && std::fs::remove_dir(folder).is_err() {
        // Nothing dies in a frozen v1 group.
        for (file, off) in [("cgroup.freeze", "0"), ("freezer.state", "THAWED")] {
            let file = folder.join(file);
            let _absent = file.exists().then(|| std::fs::write(&file, off));
        }
        let text = std::fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        for pid in text.lines() {
            let _gone = Command::new("kill").args(["-s", "KILL", pid]).stderr(Stdio::null()).status();
        }
        std::thread::yield_now();
    }
}

/// A host.
pub(crate) struct House {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) cgroup: String,
    supervisor: Child,
    gate: Option<File>,
    folder: TempDir,
}

/// The machine's control groups, unless they cannot be written here.
fn groups(cgroup: &str) -> Option<Vec<PathBuf>> {
    let mut roots = vec![PathBuf::from(CGROUPS)];
    if !Path::new(CGROUPS).join("cgroup.controllers").exists() {
        // A v1 group of `cpuset` takes nobody in before it is given processors.
        let all = std::fs::read_dir(CGROUPS).ok()?.flatten().filter(|entry| entry.file_name() != "cpuset");
        roots =
            all.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect();
    }
    let folders: Vec<PathBuf> = roots.into_iter().map(|root| root.join(cgroup.trim_start_matches('/'))).collect();
    folders.iter().all(|folder| std::fs::create_dir_all(folder).is_ok()).then_some(folders)
}

/// Folder of the boot gates of one test.
pub(crate) fn ground(boot_gates: &Path) -> Ground {
    Ground {
        hierarchies: Hierarchies::under(Path::new(CGROUPS)),
        boot_gates: boot_gates.to_path_buf(),
        executable: assert_cmd::cargo::cargo_bin("blackstart"),
    }
}

fn config(name: &str, address: SocketAddr, folder: &Path, boot_gates: &Path) -> HostConfig {
    let (zone, host) = (ZoneName::new("az1").expect("a name"), HostName(name.to_owned()));
    let from = From { zone: zone.clone(), host: host.clone(), service: None, instance: None };
    let instance = InstanceConfig {
        from,
        name: InstanceName(format!("api-{name}")),
        zone: zone.clone(),
        listen: address,
        seed: 1,
        operations: vec!["serve".to_owned()],
        interval_ns: 0,
        queue: 8,
        workers: None,
        grants: None,
        work: Duration::ZERO,
        needs: Vec::new(),
        calls: Vec::new(),
        state: State::None,
        store: agents::config::StoreConfig::default(),
        control: agents::config::ControlConfig::default(),
        acknowledge: Acknowledge::AfterSync,
        health: Health::Shallow,
        commons: agents::commons::Commons::default(),
        liveness: Health::Shallow,
        counts_arrivals: false,
    };
    let text = |path: PathBuf| path.display().to_string();
    HostConfig {
        host,
        zone,
        witness: "127.0.0.1:9".parse().expect("an address"),
        gate: text(folder.join("gate")),
        boot_gate: text(boot_gates.join(name)),
        trouble_dir: String::new(),
        state_dir: text(folder.to_path_buf()),
        boot: Duration::from_millis(1),
        processes: vec![Process::Instance(instance)],
    }
}

impl House {
    /// A host that waits for power; `None`, said loudly, where this machine's control groups cannot be written.
    pub(crate) fn build(boot_gates: &Path) -> Option<Self> {
        SWEPT.call_once(sweep);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("house-{number}");
        let cgroup = format!("/{STREET}{}/{name}", std::process::id());
        let Some(folders) = groups(&cgroup) else {
            let required = std::env::var_os("BLACKSTART_REQUIRE_DOCKER").is_some_and(|value| value == "1");
            assert!(!required, "BLACKSTART_REQUIRE_DOCKER is set, and control groups cannot be made");
            eprintln!("SKIPPED: this test makes control groups, which needs root");
            return None;
        };
        for file in ["memory.limit_in_bytes", "memory.max"] {
            folders.iter().map(|folder| folder.join(file)).filter(|path| path.exists()).for_each(|path| {
                std::fs::write(path, MEMORY_BYTES).expect("a limit can be set");
            });
        }
        let folder = tempfile::tempdir().expect("a folder can be made");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port is free");
        let json = serde_json::to_vec(&config(&name, free, folder.path(), boot_gates)).expect("it serialises");
        std::fs::write(folder.path().join("host.json"), json).expect("it is written");
        let gate = File::create(folder.path().join("gate")).expect("a gate can be made");
        gate.lock().expect("nobody else has it");
        let supervisor = Command::new(assert_cmd::cargo::cargo_bin("blackstart"))
            .arg("host")
            .arg(folder.path().join("host.json"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it can be started");
        for folder in folders {
            std::fs::write(folder.join("cgroup.procs"), supervisor.id().to_string()).expect("it can be moved");
        }
        Some(Self { name, address: free, cgroup, supervisor, gate: Some(gate), folder })
    }

    /// One that has power and serves.
    pub(crate) fn alight(boot_gates: &Path) -> Option<Self> {
        let mut house = Self::build(boot_gates)?;
        house.power_on();
        house.await_answer();
        Some(house)
    }

    pub(crate) fn power_on(&mut self) {
        self.gate = None;
    }

    pub(crate) fn target(&self) -> Target {
        Target { host: self.name.clone(), cgroup: self.cgroup.clone() }
    }

    /// Sends a request, and does not wait for its answer.
    pub(crate) fn ask(&self) -> std::io::Result<TcpStream> {
        let mut stream = TcpStream::connect(self.address)?;
        write!(stream, "GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
        Ok(stream)
    }

    /// Asks until it answers.
    pub(crate) fn await_answer(&self) {
        let answer = |mut stream: TcpStream| {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).map(|_| answer)
        };
        while !self.ask().and_then(answer).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// A control file in whichever hierarchy has it: its path.
    pub(crate) fn control(&self, names: &[&str]) -> PathBuf {
        let roots = std::fs::read_dir(CGROUPS).expect("it is there").flatten().map(|entry| entry.path());
        let roots: Vec<PathBuf> = std::iter::once(PathBuf::from(CGROUPS)).chain(roots).collect();
        let paths = names
            .iter()
            .flat_map(|name| roots.iter().map(move |root| root.join(self.cgroup.trim_start_matches('/')).join(name)));
        paths.into_iter().find(|path| path.exists()).unwrap_or_else(|| panic!("none of {names:?} is there"))
    }

    /// Everything that a fault may have set, and who is in the group.
    pub(crate) fn settings(&self) -> BTreeMap<String, String> {
        let names = [
            "cgroup.freeze",
            "freezer.state",
            "cpu.max",
            "cpu.cfs_quota_us",
            "cpu.cfs_period_us",
            "memory.max",
            "memory.limit_in_bytes",
        ];
        let roots = std::fs::read_dir(CGROUPS).expect("it is there").flatten().map(|entry| entry.path());
        let mut found = BTreeMap::new();
        for root in roots.chain([PathBuf::from(CGROUPS)]) {
            let folder = root.join(self.cgroup.trim_start_matches('/'));
            for name in names.iter().chain(&["cgroup.procs"]) {
                if let Ok(text) = std::fs::read_to_string(folder.join(name)) {
                    found.insert(folder.join(name).display().to_string(), text);
                }
            }
        }
        found
    }

    /// Processes whose second word is this, in the group.
    pub(crate) fn processes(&self, word: &str) -> Vec<i32> {
        let pids = std::fs::read_to_string(self.control(&["cgroup.procs"])).expect("it can be read");
        let is_it = |pid: &i32| {
            let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            words.split(|&byte| byte == 0).nth(1) == Some(word.as_bytes())
        };
        pids.lines().filter_map(|pid| pid.parse().ok()).filter(is_it).collect()
    }

    /// Kills one of its processes by number, and sees it die.
    pub(crate) fn kill(&self, pid: i32) {
        let sent = Command::new("kill").args(["-s", "KILL", &pid.to_string()]).status();
        assert!(sent.expect("kill can be run").success());
        // A dead process that nobody has asked about is still listed, in state Z.
        let is_alive = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
        };
        while is_alive() {
            std::thread::yield_now();
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let settings = self.settings();
        for path in settings.keys() {
            // Nothing dies in a frozen v1 group.
            let _absent = path.ends_with("cgroup.freeze").then(|| std::fs::write(path, "0"));
            let _absent = path.ends_with("freezer.state").then(|| std::fs::write(path, "THAWED"));
        }
        let _dead = self.supervisor.kill();
        let _dead = self.supervisor.wait();
        let folders: Vec<PathBuf> =
            settings.keys().filter_map(|path| path.strip_suffix("/cgroup.procs")).map(PathBuf::from).collect();
        for folder in folders {
            remove_group(&folder);
            // The last house removes the street.
            let _in_use = folder.parent().map(std::fs::remove_dir);
        }
        assert!(self.folder.path().exists());
    }
}
