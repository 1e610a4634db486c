//! Owns the claim that a killed controller leaves nothing: at any instant, in faults of every family, with its hand alive
//! or dead. Refuses to look at verdicts.
//!
//! The instants come from a seed. How long it takes until nothing is left is the soak's matter (`examples/residue.rs`);
//! here it only must come to that.

use crate::lab::{Running, kill_hand, left_of, machine};
use agents::runtime::clock::mono_ns;
use std::path::Path;
use std::time::Duration;

const SEED: u64 = 2016;
/// Instants in all, and runs at once: the engine makes about ten containers a second, whatever is asked of it.
const INSTANTS: usize = 40;
const AT_ONCE: usize = 4;
/// The run is over after about this.
const RUN_MS: u64 = 24_000;
/// Far above the 15 s that the soak shows: a machine under four runs at once may take longer, a leak takes for ever.
const GONE: Duration = Duration::from_secs(90);

const GRAPH: &str = r#"
name = "tiny"
title = "One service that stores what it is told"
entry = { service = "store", operation = "put" }

[[services]]
name = "store"
team = "storage"
scope = "regional"
state = "disk"
operations = ["put"]
"#;

/// Every family of faults at once or one after the other, on three hosts.
const SCENARIO: &str = r#"
name = "every-family"
title = "A fault of every family"
topology = "us-test-1"
graph = "tiny"

[windows]
baseline = "1s"
shift = "500ms"
recovery = "3s"
quiet = "1s"

[[faults]]
name = "slow-links"
link = { from = { zones = ["az1"] }, to = { zones = ["az2"] }, latency = "20ms" }
at = "0s"
lasts = "3s"

[[faults]]
name = "cut-off"
cut = { from = { zones = ["az3"] } }
at = "0s"
lasts = "3s"

[[faults]]
name = "frozen"
pause = { zones = ["az2"] }
at = "1s"
lasts = "2s"

[[faults]]
name = "full"
disk-full = { zones = ["az1"] }
at = "0s"
lasts = "3s"

[[faults]]
name = "busy"
processor = { zones = ["az1"], left = "20%" }
at = "0s"
lasts = "3s"

[[faults]]
name = "dark"
power-off = { zones = ["az1"] }
after = "cut-off"
at = "0s"
lasts = "3s"

[[faults]]
name = "slow-to-boot"
boot = { zones = ["az1"], late = "1s" }
after = "cut-off"
at = "1s"
lasts = "5s"
"#;

fn write_scenario(folder: &Path) -> String {
    std::fs::write(folder.join("tiny.toml"), GRAPH).expect("it can be written");
    let path = folder.join("every-family.toml");
    std::fs::write(&path, SCENARIO).expect("it can be written");
    path.to_string_lossy().into_owned()
}

/// Kills a run's controller so long after it began to make its region, and its hand too where that is asked; waits until
/// nothing is left.
fn killed(scenario: &str, after: Duration, hand_too: bool) {
    let mut running = Running::start(&[scenario]);
    running.await_phase("provision");
    let run = running.run_id();
    // The instant is what is tested; there is no condition to wait for.
    std::thread::sleep(after);
    if hand_too {
        assert!(kill_hand(&run), "there is no hand {after:?} after the beginning");
    }
    running.kill();
    let began = mono_ns();
    let mut left = left_of(&run);
    while !left.is_empty() {
        let waited = Duration::from_nanos(mono_ns() - began);
        assert!(waited < GONE, "killed after {after:?} (hand too: {hand_too}), still there: {left:#?}");
        std::thread::sleep(Duration::from_millis(300));
        left = left_of(&run);
    }
}

#[test]
fn a_controller_killed_at_any_instant_leaves_nothing() {
    let Some(_machine) = machine() else { return };
    let folder = tempfile::tempdir().expect("a folder can be made");
    let scenario = write_scenario(folder.path());
    let mut chance = fastrand::Rng::with_seed(SEED);
    let instants: Vec<Duration> = (0..INSTANTS).map(|_| Duration::from_millis(chance.u64(0..RUN_MS))).collect();
    std::thread::scope(|scope| {
        for lane in 0..AT_ONCE {
            let (scenario, mine) = (&scenario, instants.iter().skip(lane).step_by(AT_ONCE));
            scope.spawn(move || mine.for_each(|after| killed(scenario, *after, false)));
        }
    });
}

/// The engine starts a hand again that was killed; it reads its journal and finishes the work.
#[test]
fn a_hand_killed_with_its_controller_is_started_again_and_leaves_nothing() {
    let Some(_machine) = machine() else { return };
    let folder = tempfile::tempdir().expect("a folder can be made");
    let scenario = write_scenario(folder.path());
    killed(&scenario, Duration::from_secs(9), true);
}
