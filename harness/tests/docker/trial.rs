//! Owns the claims of `blackstart try`: in every setting of our own executable the verdicts are right, whatever ends it leaves
//! nothing, what it writes is what others accept. Refuses to try all settings: `examples/tries.rs` does.

#[path = "trial/patients.rs"]
mod patients;
#[path = "trial/tls.rs"]
mod tls;

use crate::lab::{block_on, guards_of, left_of, long_machine, machine};
use agents::runtime::clock::mono_ns;
use harness::world::docker::engine::Engine;
use harness::world::docker::image;
use patients::{PATIENTS, Patient, QUESTIONS, told};
use reports::trial::TrialRecord;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Shorter than the defaults: answers here take milliseconds. Long enough for a machine that does other things, too.
const BOUNDS: [&str; 6] = ["--answer-within", "3s", "--heal-within", "6s", "--absence", "6s"];
/// Each of them shows something that no other does; the example tries all.
const TRIED: [&str; 5] = ["healthy", "asks-over-tls", "exits-without-config", "hard-coded-address", "telemetry-blocks"];

/// Our own executable as an image of the engine's, which nobody else's trial is about.
struct Image(String);

impl Image {
    fn import() -> Self {
        let name = format!("blackstart-test-patient:{}", std::process::id());
        let executable = assert_cmd::cargo::cargo_bin("blackstart");
        block_on(async {
            let (engine, info) = Engine::connect().await.expect("an engine");
            let tar = image::build(Some(&executable), &info.architecture).expect("it is static");
            engine.import_image(&name, &std::collections::BTreeMap::new(), tar).await.expect("it is imported");
        });
        Self(name)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // Still there only where a test has failed already.
        let _left = block_on(async { Engine::connect().await?.0.remove_image(&self.0).await });
    }
}

fn command(image: &Image, out: &Path, patient: &Patient) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("blackstart"));
    command.arg("try").arg(&image.0).args(QUESTIONS).args(BOUNDS).args(patient.arguments);
    command.args(["--format", "json", "--out"]).arg(out);
    command.args(["--", image::EXECUTABLE, "patient", patient.settings]);
    command
}

fn named(name: &str) -> &'static Patient {
    PATIENTS.iter().find(|patient| patient.name == name).expect("it is in the table")
}

fn record(output: &Output) -> TrialRecord {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    })
}

fn folder_of(out: &TempDir) -> PathBuf {
    std::fs::read_dir(out.path()).expect("it is there").flatten().next().expect("one trial").path()
}

#[test]
fn each_setting_gets_the_verdicts_that_are_right_for_it() {
    let Some(_machine) = long_machine() else { return };
    let image = Image::import();
    std::thread::scope(|scope| {
        let trials = TRIED.map(|name| {
            let image = &image;
            scope.spawn(move || {
                let (patient, out) = (named(name), tempfile::tempdir().expect("a folder"));
                let output = command(image, out.path(), patient).output().expect("it runs");
                let record = record(&output);
                let (verdicts, text) = told(&record);
                assert_eq!(verdicts, patient.right, "{name}:\n{text}");
                for words in patient.says {
                    assert!(text.contains(words), "{name} does not say `{words}`:\n{text}");
                }
                assert!(
                    record.residue.is_empty() && left_of(&record.run).is_empty(),
                    "{name}: {:?}",
                    left_of(&record.run)
                );
                let violated = verdicts.contains(&"violated");
                assert_eq!(output.status.code(), Some(i32::from(violated)), "{name}:\n{text}");
                accepted(&folder_of(&out), &record);
            })
        });
        trials.into_iter().for_each(|trial| trial.join().expect("its verdicts are right"));
    });
}

/// `blackstart check` accepts the graph, and JUnit has a case for each invariant.
fn accepted(folder: &Path, record: &TrialRecord) {
    let check =
        Command::new(assert_cmd::cargo::cargo_bin("blackstart")).arg("check").arg(folder.join("graph.toml")).output();
    let check = check.expect("it runs");
    assert_ne!(check.status.code(), Some(64), "{}", String::from_utf8_lossy(&check.stderr));
    let xml = std::fs::read_to_string(folder.join("junit.xml")).expect("it is there");
    assert_eq!(xml.matches("<testcase ").count(), record.invariants.len(), "{xml}");
}

/// A trial under way: its id is known, and it has made something.
struct Going {
    child: Child,
    run: String,
    _out: TempDir,
}

fn going(image: &Image) -> Going {
    let out = tempfile::tempdir().expect("a folder");
    let mut command = command(image, out.path(), named("healthy"));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
    let run = lines.find_map(|line| Some(line.strip_prefix("trial ")?.split(' ').next()?.to_owned())).expect("an id");
    std::thread::spawn(move || lines.for_each(drop));
    // Several stages at once: the middle of it.
    while left_of(&run)
        .iter()
        .filter(|line| line.starts_with("container"))
        .all(|line| line.matches("stage-").count() < 3)
    {
        assert!(child.try_wait().expect("it can be asked").is_none(), "it ended before the middle");
        std::thread::sleep(Duration::from_millis(50));
    }
    Going { child, run, _out: out }
}

#[test]
fn interrupted_or_killed_it_leaves_nothing() {
    let Some(_machine) = machine() else { return };
    let image = Image::import();
    let mut interrupted = going(&image);
    let sent = Command::new("kill").args(["-s", "INT", &interrupted.child.id().to_string()]).status();
    assert!(sent.expect("kill can be run").success());
    assert_eq!(interrupted.child.wait().expect("it ends").code(), Some(130));
    assert_eq!(left_of(&interrupted.run), Vec::<String>::new());
    let mut killed = going(&image);
    killed.child.kill().expect("it can be killed");
    killed.child.wait().expect("it ends");
    let began = mono_ns();
    while !left_of(&killed.run).is_empty() || guards_of(&killed.run) > 0 {
        assert!(mono_ns() - began < 90_000_000_000, "still there: {:?}", left_of(&killed.run));
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// The commands of the guide, each with the exit statuses that it says; what a reader pastes is what is run here.
fn guide() -> Vec<(String, Vec<i32>)> {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/try.md")).expect("it is there");
    let blocks = text.split("<!-- run").skip(1).map(|rest| {
        let (head, rest) = rest.split_once("-->").expect("the mark ends");
        let block =
            rest.split("```console\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block follows");
        let statuses = head
            .trim_start_matches(':')
            .split_whitespace()
            .map(|word| word.parse().expect("a status"))
            .collect::<Vec<i32>>();
        (block.trim().to_owned(), if statuses.is_empty() { vec![0] } else { statuses })
    });
    blocks.collect()
}

#[test]
fn the_guide_does_what_it_says() {
    let Some(_machine) = long_machine() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").canonicalize().expect("it is there");
    std::os::unix::fs::symlink(docs, folder.path().join("docs")).expect("a link can be made");
    let own = assert_cmd::cargo::cargo_bin("blackstart").parent().expect("it is in a folder").to_path_buf();
    let path = format!("{}:{}", own.display(), std::env::var("PATH").unwrap_or_default());
    let commands = guide();
    assert!(commands.len() >= 5, "{commands:?}");
    for (command, statuses) in commands {
        let output = Command::new("sh").args(["-c", &command]).env("PATH", &path).current_dir(folder.path()).output();
        let output = output.expect("there is a shell");
        let told = format!(
            "{command}\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.status.code().is_some_and(|code| statuses.contains(&code)), "{:?}: {told}", output.status);
    }
    assert!(folder.path().join("junit.xml").exists() && folder.path().join("graph.toml").exists());
    for image in ["static-web:1", "patient:1"] {
        let removed = block_on(async { Engine::connect().await?.0.remove_image(image).await });
        removed.expect("it was made by the guide");
    }
}
