//! Owns the claims about the course of a run, played in virtual time against a scripted world. Refuses to start
//! containers.

use crate::play::{MS, Play};
use fixtures::name::HostName;
use harness::controller::{Do, Ending, Input};
use scenarios::event::{Act, Detail, HostChange, Phase};
use scenarios::plan::Unsynced;

const PHASES: [Phase; 8] = [
    Phase::Provision,
    Phase::Settle,
    Phase::Baseline,
    Phase::Outage,
    Phase::PowerOn,
    Phase::Recovery,
    Phase::Quiet,
    Phase::ReadBack,
];

#[test]
fn a_run_goes_through_its_phases_and_ends() {
    let mut play = Play::new("minimal");
    play.play(|_| false);
    assert_eq!(play.ending, Some(Ending::Completed));
    let expected: Vec<Phase> = PHASES.into_iter().chain([Phase::Teardown, Phase::Ended]).collect();
    assert_eq!(play.phases(), expected);
    let hosts = play.loaded.plan.rounds[0].steps[0].changes.clone();
    let off = Do::PowerOff { hosts, unsynced: Unsynced::Lost };
    let on = Do::PowerOn(play.loaded.plan.rounds[0].steps[1].changes.clone());
    let all = Do::PowerOn(play.loaded.placement.hosts.iter().map(|host| host.name.clone()).collect());
    assert_eq!(play.acts, [Do::Provision, all, off, on, Do::ReadBack, Do::Teardown]);
}

/// On a busy machine an instance may answer before the word comes that its host has power. The witness tells it once.
#[test]
fn who_is_active_before_the_word_of_its_power_is_active() {
    let mut play = Play::new("minimal");
    play.quick = (0..play.loaded.placement.instances.len()).filter(|instance| instance % 2 == 0).collect();
    play.play(|_| false);
    assert_eq!(play.ending, Some(Ending::Completed));
    let expected: Vec<Phase> = PHASES.into_iter().chain([Phase::Teardown, Phase::Ended]).collect();
    assert_eq!(play.phases(), expected);
    let settled = play.log.iter().find(|(_, d)| matches!(d, Detail::Phase { phase: Phase::Baseline, .. }));
    let settle = play.loaded.scenario.windows.settle;
    assert!(settled.is_some_and(|(at, _)| u128::from(*at) < settle.as_nanos()), "{settled:?}");
}

/// The declared windows are kept to the nanosecond in virtual time, so a judgement never rests on a shorter one.
#[test]
fn declared_windows_last_as_long_as_declared() {
    let mut play = Play::new("minimal");
    play.play(|_| false);
    let begin = |wanted: Phase| {
        let found = play.log.iter().find(|(_, d)| matches!(d, Detail::Phase { phase, .. } if *phase == wanted));
        found.map(|(at, _)| *at).expect("the phase was entered")
    };
    let windows = &play.loaded.scenario.windows;
    let lasts = play.loaded.scenario.faults[0].lasts;
    assert_eq!(u128::from(begin(Phase::Outage) - begin(Phase::Baseline)), windows.baseline.as_nanos());
    assert_eq!(u128::from(begin(Phase::PowerOn) - begin(Phase::Outage)), lasts.as_nanos());
    assert_eq!(u128::from(begin(Phase::ReadBack) - begin(Phase::Quiet)), windows.quiet.as_nanos());
}

#[test]
fn an_interrupt_in_any_phase_removes_everything_once_and_ends() {
    for phase in PHASES.into_iter().chain([Phase::Teardown]) {
        let mut play = Play::new("minimal");
        play.play(|play| play.in_phase(phase));
        play.feed(Input::Interrupt);
        // A second one, as impatient people send, changes nothing.
        play.feed(Input::Interrupt);
        play.play(|_| false);
        let teardowns = play.acts.iter().filter(|act| **act == Do::Teardown).count();
        assert_eq!(teardowns, 1, "in {phase:?}");
        let expected = if phase == Phase::Teardown { Ending::Completed } else { Ending::Interrupted };
        assert_eq!(play.ending, Some(expected), "in {phase:?}");
    }
}

#[test]
fn an_act_that_fails_ends_the_run_as_failed_after_removing_everything() {
    for failing in 0..5 {
        let mut play = Play::new("minimal");
        play.failing_act = Some(failing);
        play.play(|_| false);
        assert_eq!(play.ending, Some(Ending::Failed("it broke".to_owned())), "act {failing}");
        assert_eq!(play.acts.last(), Some(&Do::Teardown));
        assert_eq!(play.caveats(), ["harness-failed"]);
    }
}

#[test]
fn a_lost_hand_ends_the_run_as_failed_after_removing_everything() {
    let mut play = Play::new("minimal");
    play.play(|play| play.in_phase(Phase::Outage));
    play.feed(Input::Lost { why: "the hand ended unexpectedly".to_owned() });
    play.play(|_| false);
    assert_eq!(play.ending, Some(Ending::Failed("the hand ended unexpectedly".to_owned())));
    assert_eq!(play.acts.last(), Some(&Do::Teardown));
}

#[test]
fn recovery_ends_at_its_limit_when_something_stays_away() {
    let mut play = Play::new("minimal");
    let host = play.loaded.plan.rounds[0].steps[0].changes[0].clone();
    let victim =
        play.loaded.placement.hosts.iter().find(|known| known.name == host).expect("it is placed").instances[0];
    play.stuck.insert(victim);
    play.play(|_| false);
    let lit = play.log.iter().rfind(|(_, d)| matches!(d, Detail::StepDone { act: Act::Heal, .. })).expect("lit").0;
    let quiet = play.log.iter().find(|(_, d)| matches!(d, Detail::Phase { phase: Phase::Quiet, .. })).expect("quiet").0;
    assert_eq!(u128::from(quiet - lit), play.loaded.scenario.windows.recovery.as_nanos());
    assert_eq!(play.ending, Some(Ending::Completed));
}

#[test]
fn later_rounds_are_left_out_when_the_region_is_not_back_and_that_is_told() {
    let mut play = Play::new("each-zone-in-turn");
    let host = play.loaded.plan.rounds[0].steps[0].changes[0].clone();
    let victim =
        play.loaded.placement.hosts.iter().find(|known| known.name == host).expect("it is placed").instances[0];
    play.stuck.insert(victim);
    play.play(|_| false);
    assert_eq!(play.caveats(), ["rounds-left-out"]);
    let offs = play.acts.iter().filter(|act| matches!(act, Do::PowerOff { .. })).count();
    assert_eq!(offs, 1);
    let mut healthy = Play::new("each-zone-in-turn");
    healthy.play(|_| false);
    let offs = healthy.acts.iter().filter(|act| matches!(act, Do::PowerOff { .. })).count();
    assert_eq!(offs, healthy.loaded.plan.rounds.len());
}

/// The intent is synced before the act: whoever comes after a crash finds what may have been done.
#[test]
fn every_act_on_power_is_preceded_by_its_synced_intent() {
    let mut play = Play::new("github-2016");
    play.play(|_| false);
    for step in &play.loaded.plan.rounds[0].steps {
        let intent =
            play.log.iter().position(|(_, d)| matches!(d, Detail::StepIntent { step: id, .. } if *id == step.id));
        let done = play.log.iter().position(|(_, d)| matches!(d, Detail::StepDone { step: id, .. } if *id == step.id));
        assert!(intent.expect("it is announced") < done.expect("it is done"), "{}", step.id);
    }
}

fn effects(play: &Play) -> Vec<bool> {
    let holds = |(_, detail): &(u64, Detail)| match detail {
        Detail::FaultEffect { holds, .. } => Some(*holds),
        _ => None,
    };
    play.log.iter().filter_map(holds).collect()
}

#[test]
fn a_dark_zone_is_proved_dark_for_the_whole_outage() {
    let mut play = Play::new("minimal");
    play.play(|_| false);
    let effects = effects(&play);
    assert!(effects.len() >= 5 && effects.iter().all(|holds| *holds), "{effects:?}");
}

#[test]
fn an_instance_that_answers_from_a_dark_zone_breaks_the_proof() {
    let mut play = Play::new("minimal");
    play.play(|play| play.in_phase(Phase::Outage) && !effects(play).is_empty());
    let host = play.loaded.plan.rounds[0].steps[0].changes[0].clone();
    let undead =
        play.loaded.placement.hosts.iter().find(|known| known.name == host).expect("it is placed").instances[0];
    play.undead.push(undead);
    play.play(|play| !play.in_phase(Phase::Outage));
    assert!(effects(&play).contains(&false));
}

#[test]
fn a_dark_host_that_somebody_starts_breaks_the_proof() {
    let mut play = Play::new("minimal");
    play.play(|play| play.in_phase(Phase::Outage) && !effects(play).is_empty());
    let host = play.loaded.plan.rounds[0].steps[0].changes[0].clone();
    play.feed(Input::Engine { t_ns: play.now, host, action: "start".to_owned() });
    play.play(|play| !play.in_phase(Phase::Outage));
    assert!(effects(&play).contains(&false));
}

fn interventions(play: &Play) -> usize {
    play.log.iter().filter(|(_, detail)| matches!(detail, Detail::Intervention { .. })).count()
}

#[test]
fn an_act_on_a_host_between_power_on_and_active_is_an_intervention() {
    let mut play = Play::new("github-2016");
    // Recovery is long here: the cache stays dark.
    play.play(|play| play.in_phase(Phase::Recovery));
    let host = HostName("az1-app-0".to_owned());
    let before_the_gate = play.now - 500 * MS;
    play.feed(Input::Engine { t_ns: before_the_gate, host: host.clone(), action: "start".to_owned() });
    assert_eq!(interventions(&play), 0, "our own start came before the gate opened");
    for action in ["exec_create: sh -c ls", "restart", "update"] {
        play.feed(Input::Engine { t_ns: play.now, host: host.clone(), action: action.to_owned() });
    }
    play.feed(Input::Engine { t_ns: play.now, host, action: "top".to_owned() });
    assert_eq!(interventions(&play), 3);
}

#[test]
fn a_death_that_nobody_planned_is_told() {
    let mut play = Play::new("minimal");
    play.play(|play| play.in_phase(Phase::Baseline));
    let host = play.loaded.placement.hosts[8].name.clone();
    play.feed(Input::Engine { t_ns: play.now, host: host.clone(), action: "oom".to_owned() });
    play.feed(Input::Engine { t_ns: play.now, host, action: "die".to_owned() });
    assert_eq!(play.caveats(), ["oom", "unplanned-death"]);
    let deaths = play.log.iter().filter(|(_, d)| matches!(d, Detail::Host { change: HostChange::Dead, .. })).count();
    assert_eq!(deaths, 1);
}

#[test]
fn the_deaths_of_a_power_off_are_no_surprise() {
    let mut play = Play::new("minimal");
    play.play(|play| play.acts.iter().any(|act| matches!(act, Do::PowerOff { .. })));
    let host = play.loaded.plan.rounds[0].steps[0].changes[0].clone();
    play.feed(Input::Engine { t_ns: play.now, host, action: "die".to_owned() });
    assert!(play.caveats().is_empty());
}
