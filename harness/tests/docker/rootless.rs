//! Owns the row of the table of rights (`docs/faults.md`) about an engine without root: brings one up as a user who is
//! nobody, in user and network namespaces of its own, and holds a game day on it. Refuses to judge faults.

use crate::lab::beside_another;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Debian's packages that it stands on, and what each puts there.
const PARTS: [(&str, &str); 4] =
    [("dockerd", "docker.io"), ("rootlesskit", "rootlesskit"), ("newuidmap", "uidmap"), ("unshare", "util-linux")];
/// Only this test has it.
const ACCOUNT: &str = "blackstart-rootless";
/// An engine that is not there after so many looks will not be: it takes three seconds on a machine with nothing else to
/// do.
const LOOKS: usize = 1_200;
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The region is made and held; power is the engine's own kill, and every right that there is not is named.
#[test]
fn an_engine_without_root_makes_the_region_and_the_record_says_what_it_cannot_do() {
    let Some(_machine) = beside_another() else { return };
    if let Some(missing) = missing() {
        assert!(std::env::var_os("BLACKSTART_REQUIRE_DOCKER").is_none(), "{missing}");
        eprintln!("SKIPPED: {missing}");
        return;
    }
    let engine = Rootless::start();
    let output = Command::new(assert_cmd::cargo::cargo_bin("blackstart"))
        .args(["run", "minimal", "--format", "json", "--out"])
        .arg(engine.folder.path().join("runs"))
        .env("DOCKER_HOST", engine.address())
        .stdin(Stdio::null())
        .output()
        .expect("it is built");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stderr}\n{stdout}");
    let record = reports::record::from_json(&stdout).expect("a record");
    assert_eq!(record.measurements.power_off_method.as_deref(), Some("engine"), "{stderr}");
    assert!(record.rights["links"].starts_with("one internal bridge"), "{:?}", record.rights);
    assert_eq!(record.residue, []);
    for kind in [["ps", "-aq"], ["volume", "ls"], ["network", "ls"], ["images", "-q"]] {
        let left = engine.docker(&kind);
        assert!(!left.contains("blackstart"), "{kind:?}: {left}");
    }
}

/// Everything that is missing, in one sentence.
fn missing() -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let there = |part: &str| path.split(':').any(|folder| Path::new(folder).join(part).exists());
    let packages: Vec<&str> = PARTS.into_iter().filter(|(part, _)| !there(part)).map(|(_, package)| package).collect();
    (!packages.is_empty()).then(|| format!("an engine without root needs the packages {}", packages.join(", ")))
}

/// A rootless engine, with its account; both end with it.
struct Rootless {
    kit: Child,
    folder: tempfile::TempDir,
}

impl Rootless {
    fn start() -> Self {
        drop_account();
        let folder = tempfile::tempdir().expect("a folder can be made");
        // The account gets its range of subordinate ids from the machine's own rules.
        run(Command::new("useradd").args(["--no-create-home", "--home-dir"]).arg(folder.path()).arg(ACCOUNT));
        run(Command::new("chown").arg(ACCOUNT).arg(folder.path()));
        let within = folder.path().display();
        // A network namespace that belongs to the user namespace: bridges and rules without the machine's.
        let engine = format!(
            "rm -rf /run/docker /run/containerd /run/xtables.lock; ip link set lo up; exec dockerd --rootless \
             --storage-driver vfs --host unix://{within}/docker.sock --data-root {within}/data --exec-root \
             {within}/exec --pidfile {within}/docker.pid"
        );
        let kit = Command::new("setpriv")
            .args(["--reuid", ACCOUNT, "--regid", ACCOUNT, "--init-groups", "rootlesskit", "--net=host"])
            .args(["--copy-up=/etc", "--copy-up=/run", "--propagation=rslave", "--state-dir"])
            .arg(folder.path().join("kit"))
            .args(["unshare", "--net", "sh", "-c", &engine])
            .current_dir(folder.path())
            .env("XDG_RUNTIME_DIR", folder.path())
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log")).expect("it is ours"))
            .spawn()
            .expect("setpriv is there: Debian's util-linux");
        let mut engine = Self { kit, folder };
        engine.await_up();
        engine
    }

    fn address(&self) -> String {
        format!("unix://{}/docker.sock", self.folder.path().display())
    }

    fn docker(&self, arguments: &[&str]) -> String {
        let output = Command::new("docker").args(arguments).env("DOCKER_HOST", self.address()).output();
        let output = output.expect("docker is there: Debian's docker.io");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn await_up(&mut self) {
        let log = self.folder.path().join("log");
        let log = || std::fs::read_to_string(&log).unwrap_or_default();
        for _ in 0..LOOKS {
            if self.docker(&["info", "--format", "{{.SecurityOptions}}"]).contains("rootless") {
                return;
            }
            if let Some(status) = self.kit.try_wait().expect("it is our child") {
                panic!("the engine ended with {status}: {}", log());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        panic!("the engine did not come up: {}", log());
    }
}

impl Drop for Rootless {
    fn drop(&mut self) {
        drop_account();
        let _ended = self.kit.wait();
    }
}

fn drop_account() {
    // Nobody else has processes under this account; none of them survives its engine.
    let _none = Command::new("pkill").args(["-KILL", "-u", ACCOUNT]).stderr(Stdio::null()).status();
    let _absent = Command::new("userdel").arg(ACCOUNT).stderr(Stdio::null()).status();
}

fn run(command: &mut Command) {
    let output = command.output().expect("it is there");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
