//! Owns the claims about faults other than one loss of power on a timeline: those that wait for something, come again, or
//! happen in one instant. Refuses to look at worlds.

use crate::play::{MS, Play};
use harness::controller::{Do, Effect, Input};
use scenarios::event::{Act, Detail, Life, Phase};

/// Steps carried out, with their times in milliseconds.
fn done(play: &Play) -> Vec<(u64, String, Act)> {
    let step = |(t_ns, detail): &(u64, Detail)| match detail {
        Detail::StepDone { step, act, .. } if step != "power-on" => Some((t_ns / MS, step.clone(), *act)),
        _ => None,
    };
    play.log.iter().filter_map(step).collect()
}

#[test]
fn a_fault_that_waits_for_an_event_begins_so_long_after_it() {
    let mut play = Play::with_faults(
        "[[faults]]\nname = \"dark\"\npower-off = { zones = [\"az1\"] }\nlasts = \"5s\"\n\
         [[faults]]\nname = \"frozen\"\npause = { zones = [\"az2\"] }\nat = \"1s\"\nlasts = \"2s\"\n\
         after = { service = \"store\", zone = \"az1\", becomes = \"active\" }\n",
    );
    play.play(|_| false);
    let steps = done(&play);
    let names: Vec<&str> = steps.iter().map(|(_, step, _)| step.as_str()).collect();
    assert_eq!(names, ["r0.dark.inject", "r0.dark.heal", "r0.frozen.inject", "r0.frozen.heal"]);
    let is_back = |(t_ns, detail): &(u64, Detail)| match detail {
        Detail::State { to: Life::Active, .. } if *t_ns > steps[1].0 * MS => Some(t_ns / MS),
        _ => None,
    };
    let active = play.log.iter().find_map(is_back).expect("the store comes back");
    assert!(steps[2].0 >= active + 1000, "{steps:?}, active at {active}");
    assert!(steps[3].0 >= steps[2].0 + 1900, "it lasts 2 s: {steps:?}");
}

#[test]
fn a_fault_whose_event_never_comes_is_given_up_and_told() {
    let mut play = Play::with_faults(
        "[[faults]]\nname = \"killed\"\nkill = { zones = [\"az1\"], services = [\"api\"] }\n\
         [[faults]]\nname = \"frozen\"\npause = { zones = [\"az2\"] }\nlasts = \"2s\"\n\
         after = { service = \"store\", zone = \"az1\", becomes = \"off\" }\n",
    );
    play.play(|_| false);
    assert!(play.caveats().contains(&"trigger-never-came"));
    assert_eq!(play.acts.iter().filter(|act| matches!(act, Do::Inject { .. })).count(), 1, "the other one alone");
    assert!(play.phases().contains(&Phase::Quiet) && play.ending.is_some(), "the run goes on to its end");
}

#[test]
fn a_fault_that_comes_again_is_healed_each_time_and_recovery_begins_after_the_last() {
    let mut play = Play::with_faults(
        "[[faults]]\nname = \"flicker\"\ncut = { from = { zones = [\"az1\"] } }\nlasts = \"1s\"\nevery = \"3s\"\ntimes = 3\n",
    );
    play.play(|_| false);
    let acts: Vec<Act> = done(&play).iter().map(|(_, _, act)| *act).collect();
    assert_eq!(acts, [Act::Inject, Act::Heal, Act::Inject, Act::Heal, Act::Inject, Act::Heal]);
    assert_eq!(play.phases().iter().filter(|phase| **phase == Phase::Recovery).count(), 1);
    let last_heal = done(&play)[5].0;
    let recovery = play.log.iter().find_map(|(t_ns, detail)| match detail {
        Detail::Phase { phase: Phase::Recovery, .. } => Some(t_ns / MS),
        _ => None,
    });
    assert_eq!(recovery, Some(last_heal));
}

#[test]
fn what_happens_in_one_instant_needs_no_heal_of_the_world() {
    let mut play =
        Play::with_faults("[[faults]]\nname = \"killed\"\nkill = { zones = [\"az1\"], services = [\"api\"] }\n");
    play.play(|_| false);
    assert_eq!(play.acts.iter().filter(|act| matches!(act, Do::Inject { .. })).count(), 1);
    assert!(!play.acts.iter().any(|act| matches!(act, Do::Heal { .. })));
    assert_eq!(done(&play).len(), 2, "the plan's heal is there all the same");
}

/// A process that is killed comes back within a moment, and its instance still counts as active from before: recovery
/// must not end until the witness has looked at everybody again.
#[test]
fn recovery_from_a_kill_waits_until_the_witness_has_looked_again() {
    let mut play =
        Play::with_faults("[[faults]]\nname = \"killed\"\nkill = { zones = [\"az1\"], services = [\"api\"] }\n");
    play.play(|play| play.in_phase(Phase::Recovery));
    let killed = done(&play)[0].0;
    let silent = play.loaded.placement.instances.iter().position(|one| one.name.as_str() == "api-az1-0");
    play.probe(silent.expect("it is placed"), Life::Starting);
    play.play(|play| play.in_phase(Phase::Quiet));
    let quiet = play.now / MS;
    assert!(quiet >= killed + 20_000, "it stays away: recovery lasts to its limit, {quiet} after {killed}");

    let mut healthy =
        Play::with_faults("[[faults]]\nname = \"killed\"\nkill = { zones = [\"az1\"], services = [\"api\"] }\n");
    healthy.play(|play| play.in_phase(Phase::Quiet));
    let (killed, quiet) = (done(&healthy)[0].0, healthy.now / MS);
    assert!(quiet > killed + 500, "two rounds, half a second apart: {quiet} after {killed}");
    assert!(quiet < killed + 3_000, "and no longer: {quiet} after {killed}");
}

#[test]
fn every_look_at_a_fault_is_kept_with_what_was_asked_and_measured() {
    let mut play = Play::with_faults(
        "[[faults]]\nname = \"slow\"\nlink = { from = { zones = [\"az1\"] }, latency = \"50ms\" }\nlasts = \"4s\"\n",
    );
    play.play(|play| play.acts.iter().any(|act| matches!(act, Do::Inject { .. })) && play.in_phase(Phase::Outage));
    let figures = [("latency_ms".to_owned(), 50.4)].into_iter().collect();
    let effect = Effect { holds: true, text: "seen".to_owned(), measured: figures, ..Effect::default() };
    play.feed(Input::Effect { t_ns: play.now, fault: "slow".to_owned(), effect });
    play.play(|_| false);
    let kept = play.log.iter().any(|(_, detail)| {
        matches!(detail, Detail::FaultEffect { holds: true, measured, .. } if measured.get("latency_ms") == Some(&50.4))
    });
    assert!(kept);
}
