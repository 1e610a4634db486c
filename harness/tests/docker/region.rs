//! Owns the claims about a region that stands: it is built whole or not at all, holds game days one at a time and is given back,
//! tells what is different, and comes back from the dark by itself when its engine is stopped and started. Refuses to look at
//! verdicts of game days in it beyond that there is one.

use crate::lab::{block_on, left_of, long_machine, machine};
use crate::own_engine::OwnEngine;
use crate::server::{Server, command, until};
use harness::region::folder::Folder;
use harness::region::ledger::{self, What};
use harness::region::state::{Phase, State};
use harness::world::docker::claim::{self, Claimed};
use harness::world::docker::engine::Engine;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::Duration;

const NAME: &str = "blue";
/// How long a claim is asked for in vain.
const ASKED_FOR: Duration = Duration::from_secs(4);

/// Regions on an engine of the test's own, below a folder.
struct Lab {
    engine: OwnEngine,
    folder: tempfile::TempDir,
}

impl Lab {
    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = command(arguments);
        command.env("DOCKER_HOST", self.engine.address()).arg("--root").arg(self.root().join("regions"));
        command.stdin(Stdio::null());
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("it can be started")
    }

    fn region(&self) -> Folder {
        Folder::of(&self.root().join("regions"), NAME)
    }

    fn state(&self) -> State {
        State::read(&self.region()).expect("there is a region")
    }

    fn day(&self, more: &[&str]) -> Child {
        let out = self.root().join("runs");
        let mut command =
            self.command(&["run", "minimal", "--region", NAME, "--format", "json", "--assumptions-within", "0s"]);
        command.arg("--out").arg(out).args(more).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("it can be started")
    }

    fn ledger(&self) -> Vec<What> {
        ledger::read(&self.region()).into_iter().map(|entry| entry.what).collect()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // Removed already, mostly; a test that fails must not leave its keeper behind.
        let _gone = self.output(&["region", "down", NAME]);
    }
}

#[track_caller]
fn said(output: &Output, status: i32) -> String {
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{said}");
    said
}

/// One region through all of it: building one takes most of the time.
#[test]
fn a_region_stands_holds_game_days_one_at_a_time_and_comes_back_from_the_dark() {
    let Some(_machine) = machine() else { return };
    let mut lab = Lab { engine: OwnEngine::start(), folder: tempfile::tempdir().expect("a folder can be made") };
    said(&lab.output(&["region", "up", NAME, "--scenario", "minimal"]), 0);
    let run = lab.state().run;
    assert_eq!((lab.state().phase, lab.state().active), (Phase::Well, 9));
    let again = said(&lab.output(&["region", "up", NAME, "--scenario", "minimal"]), 64);
    assert!(again.contains("is there already") && again.contains("region down blue"), "{again}");
    let other = said(&lab.output(&["run", "az-power-loss", "--region", NAME]), 64);
    assert!(other.contains("cannot be held in region `blue`") && other.contains("service"), "{other}");
    let cleaned = command(&["clean"]).env("DOCKER_HOST", lab.engine.address()).output().expect("it can be started");
    assert!(said(&cleaned, 0).contains("region `blue` stands; left alone"));

    let first = lab.day(&[]);
    until("a game day in the region", || (lab.state().phase == Phase::Lent).then_some(()));
    let second = lab.day(&[]).wait_with_output().expect("it ends");
    assert!(said(&second, 64).contains("is held in region `blue` now"));
    let first = first.wait_with_output().expect("it ends");
    let record = reports::record::from_json(&String::from_utf8_lossy(&first.stdout)).expect("a record");
    assert_eq!(first.status.code(), Some(0), "{:?} {:?}", record.verdict, record.inconclusive);
    assert!(record.residue.is_empty(), "{:?}", record.residue);
    until("a region that was given back", || (lab.state().phase == Phase::Well).then_some(()));
    let ledger = lab.ledger();
    assert!(
        ledger.iter().any(|what| matches!(what, What::GivenBack { troubled, .. } if troubled.is_empty())),
        "{ledger:?}"
    );

    a_dead_host_refuses_a_game_day_unless_that_is_accepted(&lab);

    lab.engine.stop();
    until("a region that is lost", || (lab.state().phase == Phase::Lost).then_some(()));
    lab.engine.go_on();
    until("a region that came back", || {
        (lab.state().phase == Phase::Well && lab.state().black_starts == 1).then_some(())
    });
    let start = lab.ledger().into_iter().find_map(|what| match what {
        What::BlackStart { hosts, since_lost_ms, since_power_ms, .. } => Some((hosts, since_lost_ms, since_power_ms)),
        _ => None,
    });
    let (hosts, since_lost_ms, since_power_ms) = start.expect("it is written down");
    assert_eq!(hosts, 9, "all of them, together");
    assert!(since_lost_ms >= since_power_ms && since_power_ms > 0, "{since_lost_ms} ms, {since_power_ms} ms");

    said(&lab.output(&["region", "down", NAME]), 0);
    assert!(!lab.region().path.exists());
    assert_eq!(lab.engine.docker(&["ps", "-aq"]).as_deref(), Some(""));
    assert_eq!(lab.engine.docker(&["volume", "ls", "-q"]).as_deref(), Some(""));
    let left = left_of(&run);
    assert!(left.is_empty(), "{left:#?}");
}

/// The keeper sees it die. Who has the region next must know, although a hand that is left alone gives it power.
fn a_dead_host_refuses_a_game_day_unless_that_is_accepted(lab: &Lab) {
    let died = || {
        let all = lab.engine.docker(&["ps", "--format", "{{.Names}}"]).expect("the engine answers");
        let host = all.lines().find(|name| name.contains("-host-az1-")).expect("az1 has hosts").to_owned();
        lab.engine.docker(&["kill", &host]).expect("it runs");
        until("the death of a host", || lab.state().drift.iter().any(|text| text.contains("died")).then_some(()));
    };
    died();
    let refused = said(&lab.day(&[]).wait_with_output().expect("it ends"), 64);
    assert!(refused.contains("another than was declared") && refused.contains("host az1-"), "{refused}");
    until("a region whose host has power again", || {
        (lab.state().phase == Phase::Well && lab.state().active == 9).then_some(())
    });
    died();
    let day = lab.day(&["--accept-drift"]).wait_with_output().expect("it ends");
    let record = reports::record::from_json(&String::from_utf8_lossy(&day.stdout)).expect("a record");
    assert_eq!(day.status.code(), Some(0), "{:?} {:?}", record.verdict, record.inconclusive);
    assert!(record.caveats.iter().any(|caveat| caveat.code == "region-drift"), "{:?}", record.caveats);
    assert!(record.residue.is_empty(), "{:?}", record.residue);
    until("a region that was given back", || (lab.state().phase == Phase::Well).then_some(()));
}

#[test]
fn a_region_that_is_interrupted_on_its_way_leaves_nothing() {
    let Some(_machine) = machine() else { return };
    let folder = tempfile::tempdir().expect("a folder can be made");
    let root = folder.path().join("regions");
    let mut up = command(&["region", "up", NAME, "--topology", "us-test-1", "--graph", "minimal", "--root"]);
    let mut up = up
        .arg(&root)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it can be started");
    let region = Folder::of(&root, NAME);
    let state = until("the beginning of a region", || State::read(&region));
    let has_hand = || !left_of(&state.run).is_empty();
    until("its first objects", || has_hand().then_some(()));
    let sent = std::process::Command::new("kill").args(["-s", "INT", &up.id().to_string()]).status();
    assert!(sent.expect("kill can be run").success());
    assert_eq!(up.wait().expect("it ends").code(), Some(130));
    until("nothing left", || left_of(&state.run).is_empty().then_some(()));
    assert!(!region.path.exists(), "its folder too");
}

/// A store whose votes are all in one zone: customers of the others, at which no fault is aimed, are harmed with it.
#[test]
fn a_game_day_that_harms_its_bystanders_is_ended_and_the_region_given_back() {
    let Some(_machine) = long_machine() else { return };
    let out = tempfile::tempdir().expect("a folder can be made");
    let schedule = out.path().join("schedule.toml");
    let text = "[[regions]]\nname = 'blue'\nscenario = 'quorum-in-one-zone'\nbystanders-at-least = '50%'\n\
                bystanders-over = '3s'\n[[schedules]]\nname = 'every-minute'\ncron = '* * * * *'\n\
                scenarios = ['quorum-in-one-zone']\nregion = 'blue'\n";
    std::fs::write(&schedule, text).expect("a file can be written");
    let root = out.path().join("regions");
    let root = root.to_str().expect("UTF-8");
    let server = Server::start(out.path(), &[schedule.to_str().expect("UTF-8"), "--root", root]);
    let region = Folder::of(Path::new(root), NAME);
    let well = || State::read(&region).filter(|state| state.phase == Phase::Well);
    let built = until("a region that stands", well);
    let run = until("its first game day", || {
        let runs = server.get("/api/runs?limit=9").json();
        Some(runs["runs"].as_array()?.first()?["run"].as_str()?.to_owned())
    });
    let held = server.ended(&run);
    assert_eq!(held["outcome"], "interrupted", "{held}");
    let why = held["why"].as_str().unwrap_or_default();
    assert!(why.contains("customers of az") && why.contains("at which no fault is aimed"), "{held}");
    // Another slot may have come since, and the server goes on with it: it ends first.
    let (status, told) = server.end();
    assert_eq!(status, Some(0), "{told}");
    until("a region that was given back", || well().filter(|state| state.active == state.instances));
    said(&command(&["region", "down", NAME, "--root", root]).output().expect("it can be started"), 0);
    assert_eq!(left_of(&built.run), Vec::<String>::new());
}

/// Of all who ask in the same moment one gets it, and the next one when it is let go.
#[test]
fn one_of_many_claims_an_engine() {
    let Some(_machine) = machine() else { return };
    let runs: Vec<String> = (0..6).map(|number| format!("20261130T100000Z-c1a{number:03}")).collect();
    block_on(async {
        let (engine, _) = Engine::connect().await.expect("an engine");
        let asked = runs.iter().map(|run| async { tokio::time::timeout(ASKED_FOR, claim::claim(&engine, run)).await });
        let asked = futures_util::future::join_all(asked).await;
        let had: Vec<&String> =
            runs.iter().zip(&asked).filter(|(_, asked)| asked.is_ok()).map(|(run, _)| run).collect();
        assert_eq!(had.len(), 1, "{asked:?}");
        assert_eq!(claim::holder(&engine).await.expect("it answers").as_ref(), Some(had[0]));
        assert_eq!(claim::claim(&engine, had[0]).await.expect("it answers"), Claimed::Ours, "asked for twice");
        let other = runs.iter().find(|run| *run != had[0]).expect("there are more");
        claim::release(&engine, other).await.expect("it answers");
        assert_eq!(
            claim::holder(&engine).await.expect("it answers").as_ref(),
            Some(had[0]),
            "nobody lets go of another's"
        );
        claim::release(&engine, had[0]).await.expect("it answers");
        assert_eq!(claim::claim(&engine, other).await.expect("it answers"), Claimed::Ours);
        for run in &runs {
            claim::release(&engine, run).await.expect("it answers");
        }
        assert_eq!(claim::holder(&engine).await.expect("it answers"), None);
    });
    for run in &runs {
        assert_eq!(left_of(run), Vec::<String>::new());
    }
}
