//! Owns what tests on a real engine share: is there one, running the executable, looking at what is left. Refuses to
//! judge.

use harness::world::docker::engine::Engine;
use harness::world::docker::sweep;
use reports::record::Record;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tempfile::TempDir;

/// How deep below the root of a hierarchy a run has groups.
const GROUPS_DEPTH: usize = 5;

static MACHINE: RwLock<()> = RwLock::new(());

/// The machine for oneself.
pub(crate) type Alone = RwLockWriteGuard<'static, ()>;
/// The machine beside others that measure nothing either.
pub(crate) type Beside = RwLockReadGuard<'static, ()>;

/// The machine, for one test that needs no engine: what others do on it would be measured, too.
pub(crate) fn alone() -> Alone {
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}

/// The machine, for one test; `None` where there is no engine and none is required.
pub(crate) fn machine() -> Option<Alone> {
    let guard = alone();
    has_engine().then_some(guard)
}

/// The machine, for a test that judges verdicts of small regions and what is left of its own runs: two of those go beside each
/// other, as runs of users do. `None` as for [`machine`].
pub(crate) fn beside_another() -> Option<Beside> {
    let guard = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
    has_engine().then_some(guard)
}

/// Says so where there is none; fails where one is required.
fn has_engine() -> bool {
    let Err(error) = block_on(Engine::connect()) else { return true };
    let required = std::env::var_os("BLACKSTART_REQUIRE_DOCKER").is_some_and(|value| value == "1");
    assert!(!required, "BLACKSTART_REQUIRE_DOCKER is set, and there is no engine: {error:#}");
    eprintln!("SKIPPED: this test needs a container engine: {error:#}");
    false
}

/// The machine, for one test that is too long for every change; `None` where nobody asked for those.
pub(crate) fn long_machine() -> Option<Alone> {
    if std::env::var_os("BLACKSTART_LONG").is_some_and(|value| value == "1") {
        return machine();
    }
    eprintln!("NOT RUN: too long for every change; `.ci/long` runs it");
    None
}

/// The folder of real systems.
pub(crate) fn systems() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../systems")
}

/// Makes the image of a system out of Debian's packages, once; whether it is there.
pub(crate) fn system(name: &'static str) -> bool {
    static MADE: Mutex<BTreeMap<&str, bool>> = Mutex::new(BTreeMap::new());
    let mut known = MADE.lock().expect("nobody panics here");
    *known.entry(name).or_insert_with(|| {
        let made = Command::new(systems().join("build")).arg(name).status().is_ok_and(|status| status.success());
        let required = std::env::var_os("BLACKSTART_REQUIRE_DOCKER").is_some_and(|value| value == "1");
        assert!(made || !required, "BLACKSTART_REQUIRE_DOCKER is set, and systems/build {name} failed");
        if !made {
            eprintln!("SKIPPED: this test needs an image that systems/build could not make");
        }
        made
    })
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// A run of the executable, under way.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) out: TempDir,
    lines: std::io::Lines<BufReader<std::process::ChildStderr>>,
    /// What was on standard error so far.
    pub(crate) seen: Vec<String>,
}

impl Running {
    /// Starts `blackstart run ARGUMENTS --format json`.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let out = tempfile::tempdir().expect("a folder can be made");
        let mut child = Command::new(assert_cmd::cargo::cargo_bin("blackstart"))
            .arg("run")
            .args(arguments)
            .args(["--format", "json", "--out"])
            .arg(out.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it can be started");
        let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        Self { child, out, lines, seen: Vec::new() }
    }

    /// Reads standard error up to a line that ends in `phase`; its time is in front.
    pub(crate) fn await_phase(&mut self, phase: &str) {
        while let Some(Ok(line)) = self.lines.next() {
            self.seen.push(line.clone());
            if line.split_ascii_whitespace().last() == Some(phase) && line.trim_start().starts_with('+') {
                return;
            }
        }
        panic!("the run ended before {phase}:\n{}", self.seen.join("\n"));
    }

    /// Sends a signal by name, such as `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill can be run").success());
    }

    /// Kills it without a chance to clean up, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// The run's id, from the line that says it.
    pub(crate) fn run_id(&self) -> String {
        let line = self.seen.iter().find_map(|line| line.strip_prefix("run ")).expect("the run says its id");
        line.split(',').next().expect("an id").to_owned()
    }

    /// Waits for the end: exit status, and what was on standard output.
    pub(crate) fn end(mut self) -> Ended {
        let mut stdout = String::new();
        let mut pipe = self.child.stdout.take().expect("it is piped");
        let reader = std::thread::spawn(move || {
            pipe.read_to_string(&mut stdout).expect("UTF-8");
            stdout
        });
        self.seen.extend(self.lines.by_ref().map_while(Result::ok));
        let status = self.child.wait().expect("it ends");
        Ended { status, stdout: reader.join().expect("it was read"), stderr: self.seen.join("\n"), out: self.out }
    }
}

/// What the engine's own command line says; it must succeed.
pub(crate) fn docker(arguments: &[&str]) -> String {
    let output = Command::new("timeout").arg("120").arg("docker").args(arguments).output().expect("docker can be run");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "docker {}: {told}", arguments.join(" "));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Kills the first process of a run's hand from outside the engine, so that the engine starts it again; false where
/// there is none.
pub(crate) fn kill_hand(run: &str) -> bool {
    let short = run.rsplit('-').next().expect("an id");
    let container = format!("blackstart-{short}-hand");
    let output = Command::new("docker").args(["inspect", "-f", "{{.State.Pid}}", &container]).output();
    let pid = output.ok().and_then(|output| String::from_utf8_lossy(&output.stdout).trim().parse::<u32>().ok());
    let Some(pid) = pid.filter(|pid| *pid > 0) else { return false };
    Command::new("kill").args(["-s", "KILL", &pid.to_string()]).status().is_ok_and(|status| status.success())
}

/// A run that has ended.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) out: TempDir,
}

impl Ended {
    /// The record on standard output, where there is nothing else.
    #[track_caller]
    pub(crate) fn record(&self) -> Record {
        match reports::record::from_json(&self.stdout) {
            Ok(record) => record,
            Err(error) => panic!("{error}\nstandard output: {}\nstandard error: {}", self.stdout, self.stderr),
        }
    }

    /// A file of the run's folder.
    pub(crate) fn file(&self, name: &str) -> Option<String> {
        // Beside the run's folder lies the history.
        let mut entries = std::fs::read_dir(self.out.path()).expect("it is there").flatten();
        let folder = entries.find(|entry| entry.path().is_dir())?;
        std::fs::read_to_string(folder.path().join(name)).ok()
    }

    #[track_caller]
    pub(crate) fn expect_status(&self, status: i32) {
        assert_eq!(self.status.code(), Some(status), "{}\n{}", self.stderr, self.stdout);
    }
}

/// Guards of dead controllers that still run; a moment after the last run was over there is none.
pub(crate) fn guards() -> usize {
    guards_of("")
}

/// Those of one run: others on this machine may have theirs.
pub(crate) fn guards_of(run: &str) -> usize {
    let output = Command::new("ps").args(["-eo", "args"]).output().expect("ps is there: Debian's procps");
    String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.contains(GUARD) && line.contains(run)).count()
}

/// As a guard's command line has it.
const GUARD: &str = "blackstart guard ";

/// Everything of a run that is still on this machine: engine objects, rules, interfaces, control groups, processes.
pub(crate) fn left_of(run: &str) -> Vec<String> {
    let mut left = Vec::new();
    let found = block_on(async {
        let (engine, _) = Engine::connect().await.expect("an engine");
        sweep::remains(&engine).await.expect("it answers")
    });
    if let Some(remains) = found.get(run) {
        left.extend(remains.objects.iter().map(|(kind, names)| format!("{kind}s: {names:?}")));
    }
    let short = run.rsplit('-').next().expect("an id");
    let shown = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
    };
    for (what, text) in [
        ("rule", shown("iptables", &["-w", "-S"])),
        ("interface", shown("ip", &["-o", "link"])),
        ("process", shown("ps", &["-eo", "args"])),
        ("mount", std::fs::read_to_string("/proc/mounts").unwrap_or_default()),
    ] {
        // Neither the controller nor its guard, which looks for what comes to light late, and ends by itself.
        let watches = |line: &str| line.contains("--format json") || line.contains(GUARD);
        let ours = |line: &&str| line.contains(short) && !watches(line);
        left.extend(text.lines().filter(ours).map(|line| format!("{what}: {line}")));
    }
    left.extend(groups(short).iter().map(|group| format!("cgroup: {}", group.display())));
    left
}

/// Control groups of a run, and those inside them, in every hierarchy.
pub(crate) fn groups(short: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![(PathBuf::from("/sys/fs/cgroup"), 0)]);
    while let Some((folder, depth)) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if depth < GROUPS_DEPTH && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if path.to_string_lossy().contains(short) {
                    found.push(path.clone());
                }
                folders.push((path, depth + 1));
            }
        }
    }
    found
}
