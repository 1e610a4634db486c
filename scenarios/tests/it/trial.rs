//! Owns the claims on how a trial is judged: each verdict in both directions, from observations made up here. Refuses to run
//! images.

use scenarios::trial::edges::{Edge, Hardness, edges};
use scenarios::trial::judge::{Judged, judge};
use scenarios::trial::{Asked, Bounds, Dependency, Exit, Experiment, Knock, Play, Purpose, Reply, Step};
use scenarios::verdict::Verdict::{self, Held, Inconclusive, NotJudged, Violated};

fn asked(well: u32, errors: u32, silent: u32) -> Asked {
    let mut asked = Asked::default();
    let replies = [(well, Reply::Well), (errors, Reply::Error("HTTP 503".to_owned())), (silent, Reply::Silent)];
    for (times, reply) in replies {
        (0..times).for_each(|time| asked.count(&reply, 10, 100 + u64::from(time)));
    }
    asked
}

fn knock(name: &str, port: u16) -> Knock {
    let dependency = Dependency { name: name.to_owned(), port, udp: false };
    Knock { dependency, times: 1, first_ms: 50, last_ms: 60, request: None, allowed: name == "auth" }
}

/// A step in which it is up, with calls of this kind.
fn step(play: Play, call: Asked, knocks: Vec<Knock>) -> Step {
    let (probe, liveness) = (asked(5, 0, 0), asked(5, 0, 0));
    Step { play, only: Vec::new(), began_ms: 0, ended_ms: 6_000, probe, call, liveness, knocks }
}

fn experiment(purpose: Purpose, steps: Vec<Step>) -> Experiment {
    Experiment { purpose, steps, exit: None }
}

fn exit() -> Option<Exit> {
    Some(Exit { at_ms: 400, status: 1, last_line: "no db".to_owned() })
}

fn bounds() -> Bounds {
    Bounds {
        start_within_ms: 6_000,
        answer_within_ms: 5_000,
        heal_within_ms: 10_000,
        absence_ms: 25_000,
        has_call: true,
        has_liveness: true,
        telemetry: Vec::new(),
    }
}

/// Somebody who leans on `db` at call, and heals.
fn healthy() -> Vec<Experiment> {
    let db = || vec![knock("db", 5432), knock("otel", 4317)];
    let two = |play: Play| vec![step(play, asked(0, 9, 0), db()), step(Play::Answer, asked(1, 0, 0), db())];
    let mut all = vec![experiment(
        Purpose::Control,
        vec![
            step(Play::Answer, asked(9, 0, 0), db()),
            step(Play::Vanish, asked(0, 9, 0), db()),
            step(Play::Answer, asked(1, 0, 0), db()),
        ],
    )];
    for play in [Play::Vanish, Play::Absent, Play::Refuse, Play::Hang, Play::Fail] {
        all.push(experiment(Purpose::Missing { play }, two(play)));
    }
    all.push(experiment(Purpose::Absence, two(Play::Refuse)));
    all.push(experiment(Purpose::Telemetry { play: Play::Hang }, vec![step(Play::Hang, asked(9, 0, 0), db())]));
    for (name, late) in [("db", asked(0, 9, 0)), ("otel", asked(9, 0, 0))] {
        let steps = vec![
            step(Play::Refuse, late.clone(), db()),
            step(Play::Answer, asked(1, 0, 0), db()),
            step(Play::Vanish, late, db()),
        ];
        all.push(experiment(Purpose::Edge { name: name.to_owned() }, steps));
    }
    all
}

fn court(experiments: &[Experiment]) -> (Vec<Judged>, Vec<Edge>) {
    let edges = edges(experiments, &bounds());
    (judge(experiments, &edges, &bounds()), edges)
}

fn verdicts(experiments: &[Experiment]) -> Vec<Verdict> {
    court(experiments).0.iter().map(|judged| judged.verdict).collect()
}

/// The experiment of a purpose, to spoil it.
fn of(experiments: &mut [Experiment], purpose: Purpose) -> &mut Experiment {
    experiments.iter_mut().find(|experiment| experiment.purpose == purpose).expect("it is there")
}

#[test]
fn a_healthy_one_is_held_and_its_edges_are_as_hard_as_they_were_seen() {
    let experiments = healthy();
    assert_eq!(verdicts(&experiments), [Held; 6]);
    let edges = court(&experiments).1;
    let told: Vec<(&str, Hardness, bool)> =
        edges.iter().map(|edge| (edge.name.as_str(), edge.hardness, edge.telemetry)).collect();
    assert_eq!(told, [("db", Hardness::HardAtCall, false), ("otel", Hardness::Soft, true)]);
}

#[test]
fn who_wants_nobody_is_judged_by_s1_alone() {
    let step = || step(Play::Vanish, asked(9, 0, 0), Vec::new());
    let missing = Purpose::Missing { play: Play::Vanish };
    let alone = [experiment(Purpose::Control, vec![step()]), experiment(missing, vec![step(), step()])];
    assert_eq!(verdicts(&alone), [Held, NotJudged, NotJudged, NotJudged, NotJudged, NotJudged]);
}

#[test]
fn an_exit_without_a_dependency_breaks_start_and_healing() {
    let mut experiments = healthy();
    for purpose in [Purpose::Missing { play: Play::Vanish }, Purpose::Edge { name: "db".to_owned() }] {
        let one = of(&mut experiments, purpose);
        one.steps.truncate(1);
        (one.steps[0].probe, one.exit) = (Asked::default(), exit());
    }
    let (judged, edges) = court(&experiments);
    let told: Vec<Verdict> = judged.iter().map(|judged| judged.verdict).collect();
    assert_eq!(told, [Violated, Violated, Violated, Held, Held, Held]);
    assert!(judged[0].reason.contains("`db`") && judged[0].reason.contains("no db"), "{}", judged[0].reason);
    assert_eq!(edges[0].hardness, Hardness::HardAtStart);
}

#[test]
fn calls_that_nobody_answers_are_no_errors() {
    let mut experiments = healthy();
    of(&mut experiments, Purpose::Missing { play: Play::Hang }).steps[0].call = asked(0, 0, 1);
    assert_eq!(verdicts(&experiments), [Held, Violated, Held, Held, Held, Held]);
}

#[test]
fn who_does_not_heal_and_who_gives_up_are_told_apart() {
    let mut experiments = healthy();
    of(&mut experiments, Purpose::Missing { play: Play::Absent }).steps[1].call = asked(0, 9, 0);
    assert_eq!(verdicts(&experiments), [Held, Held, Violated, Held, Held, Held]);
    let mut experiments = healthy();
    of(&mut experiments, Purpose::Absence).steps[1].call = asked(0, 9, 0);
    assert_eq!(verdicts(&experiments), [Held, Held, Held, Violated, Held, Held]);
}

#[test]
fn whose_calls_lacked_nothing_has_shown_no_healing() {
    let mut experiments = healthy();
    for experiment in experiments.iter_mut() {
        experiment.steps.iter_mut().for_each(|step| step.call = asked(9, 0, 0));
        experiment.steps.iter_mut().skip(1).for_each(|step| step.knocks.clear());
    }
    assert_eq!(verdicts(&experiments)[2..4], [NotJudged, NotJudged]);
}

#[test]
fn a_liveness_check_that_leans_on_others_and_a_death_with_them_are_violations() {
    let mut experiments = healthy();
    of(&mut experiments, Purpose::Control).steps[1].liveness = asked(1, 4, 0);
    assert_eq!(verdicts(&experiments), [Held, Held, Held, Held, Violated, Held]);
    let mut experiments = healthy();
    let control = of(&mut experiments, Purpose::Control);
    control.steps.truncate(2);
    control.exit = exit();
    assert_eq!(verdicts(&experiments), [Held, Held, Held, Held, Violated, Held]);
}

#[test]
fn telemetry_that_holds_calls_up_is_not_soft() {
    let mut experiments = healthy();
    let telemetry = Purpose::Telemetry { play: Play::Hang };
    of(&mut experiments, telemetry.clone()).steps[0].call.quickest_well_ms = Some(1_500);
    assert_eq!(verdicts(&experiments), [Held, Held, Held, Held, Held, Violated]);
    of(&mut experiments, telemetry).steps[0].probe = Asked::default();
    assert_eq!(verdicts(&experiments)[5], Violated);
}

#[test]
fn a_liveness_check_that_is_never_well_says_nothing_and_one_slow_one_is_a_busy_machine() {
    let mut experiments = healthy();
    let control = of(&mut experiments, Purpose::Control);
    (control.steps[0].liveness, control.steps[1].liveness) = (asked(0, 9, 0), asked(0, 9, 0));
    assert_eq!(verdicts(&experiments)[4], Inconclusive, "--liveness with a wrong path");
    of(&mut experiments, Purpose::Control).steps[0].liveness = asked(5, 4, 0);
    assert_eq!(verdicts(&experiments)[4], Violated, "not well at its start, and never without the others");
    let mut experiments = healthy();
    of(&mut experiments, Purpose::Control).steps[1].liveness = asked(20, 0, 1);
    assert_eq!(verdicts(&experiments)[4], Held);
    of(&mut experiments, Purpose::Control).steps[1].liveness = asked(0, 0, 1);
    assert_eq!(verdicts(&experiments)[4], Violated, "the only one that there was time for");
}

#[test]
fn telemetry_whose_buffer_fills_holds_up_the_later_calls() {
    let telemetry = Purpose::Telemetry { play: Play::Hang };
    let with = |call: Asked| {
        let mut experiments = healthy();
        of(&mut experiments, telemetry.clone()).steps[0].call = call;
        verdicts(&experiments)[5]
    };
    assert_eq!(with(asked(6, 0, 2)), Violated, "later ones hang");
    assert_eq!(with(Asked { waiting_ms: 4_000, ..asked(6, 0, 1) }), Violated, "and the next one as well");
    assert_eq!(with(asked(60, 0, 1)), Held, "one of many is a busy machine");
    let mut slow = asked(4, 0, 0);
    (0..4).for_each(|_| slow.count(&Reply::Well, 2_000, 3_000));
    assert_eq!(with(slow), Violated, "four quick ones before four slow ones");
    let mut once = asked(9, 0, 0);
    once.count(&Reply::Well, 4_000, 3_000);
    assert_eq!(with(once), Held);
}

#[test]
fn where_no_call_succeeds_with_everybody_there_telemetry_is_not_judged_by_calls() {
    let mut experiments = healthy();
    of(&mut experiments, Purpose::Control).steps[0].call = asked(0, 9, 0);
    assert_eq!(verdicts(&experiments)[5], Inconclusive);
}

#[test]
fn another_try_at_telemetry_shows_no_healing() {
    let mut experiments = healthy();
    for experiment in experiments.iter_mut() {
        experiment.steps.iter_mut().for_each(|step| step.call = asked(9, 0, 0));
        experiment.steps.iter_mut().skip(1).for_each(|step| step.knocks = vec![knock("otel", 4317)]);
    }
    assert_eq!(verdicts(&experiments)[2..4], [NotJudged, NotJudged]);
    for experiment in experiments.iter_mut() {
        experiment.steps.iter_mut().skip(1).for_each(|step| step.knocks.push(knock("db", 5432)));
    }
    assert_eq!(verdicts(&experiments)[2..4], [Held, Held]);
}

#[test]
fn a_name_that_is_allowed_at_one_port_is_measured_at_another() {
    let mut experiments = healthy();
    let need = Knock { allowed: true, ..knock("db", 443) };
    experiments.iter_mut().flat_map(|one| &mut one.steps).for_each(|step| step.knocks.insert(0, need.clone()));
    let edges = court(&experiments).1;
    let db = edges.iter().find(|edge| edge.name == "db").expect("it is wanted");
    assert_eq!((db.allowed, db.hardness), (false, Hardness::HardAtCall));
}

#[test]
fn where_our_mocks_do_not_satisfy_it_nothing_is_compared() {
    let mut experiments = healthy();
    for experiment in experiments.iter_mut() {
        experiment.steps.truncate(1);
        experiment.steps.iter_mut().for_each(|step| (step.probe, step.call) = (asked(0, 0, 0), asked(0, 0, 0)));
    }
    let found = verdicts(&experiments);
    assert_eq!(found, [Inconclusive, Held, Inconclusive, Inconclusive, Inconclusive, Inconclusive]);
}
