//! Owns the claim that a killed controller leaves nothing: at any instant, in faults of every family, with its hand alive
//! or dead. Refuses to look at verdicts.
//!
//! The instants come from a seed. How long it takes until nothing is left is the soak's matter (`examples/residue.rs`);
//! here it only must come to that.

use crate::lab::{Running, guards, kill_hand, left_of, machine};
use agents::runtime::clock::mono_ns;
use std::time::Duration;

const SEED: u64 = 2016;
/// Instants in all, and runs at once: the engine makes about ten containers a second, whatever is asked of it. More would
/// show more, and cost the gate minutes: the soak kills five hundred.
const INSTANTS: usize = 12;
const AT_ONCE: usize = 4;
/// The run is over after about this.
const RUN_MS: u64 = 24_000;
/// Every fifth instant lies within this: the controller has made objects, and no hand stands yet.
const EARLY_MS: u64 = 1_500;
/// Far above the 15 s that the soak shows: a machine under four runs at once may take longer, a leak takes for ever.
const GONE: Duration = Duration::from_secs(90);

/// Every family of faults at once or one after the other, on three hosts.
const SCENARIO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docker/every-family/every-family.toml");

/// Kills a run's controller so long after it began to make its region, and its hand too where that is asked; waits until
/// nothing is left.
fn killed(after: Duration, hand_too: bool) {
    let mut running = Running::start(&[SCENARIO]);
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
    let mut chance = fastrand::Rng::with_seed(SEED);
    let within = |number: usize| if number.is_multiple_of(5) { EARLY_MS } else { RUN_MS };
    let instants: Vec<Duration> =
        (0..INSTANTS).map(|number| Duration::from_millis(chance.u64(0..within(number)))).collect();
    std::thread::scope(|scope| {
        for lane in 0..AT_ONCE {
            let mine = instants.iter().skip(lane).step_by(AT_ONCE);
            scope.spawn(move || mine.for_each(|after| killed(*after, false)));
        }
    });
    let began = mono_ns();
    while guards() > 0 {
        assert!(Duration::from_nanos(mono_ns() - began) < GONE, "a guard does not end");
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// The engine starts a hand again that was killed; it reads its journal and finishes the work.
#[test]
fn a_hand_killed_with_its_controller_is_started_again_and_leaves_nothing() {
    let Some(_machine) = machine() else { return };
    killed(Duration::from_secs(9), true);
}
