//! Claims about Z1, S5, R1 and about runs that cannot be believed.

use super::world::{World, of, service};
use fixtures::name::InstanceName;
use scenarios::event::{Act, By, Detail, EventId, Life, Phase, Place};
use scenarios::judge::{NOT_STARTED, STANDARD, catalogue, judge};
use scenarios::judgement::Judgement;
use scenarios::verdict::Verdict;

fn codes(judgement: &Judgement) -> Vec<&str> {
    judgement.inconclusive.iter().map(|reason| reason.code.as_str()).collect()
}

/// The application of az1 starts without its session cache only in the repaired graph.
fn github(name: &str, self_reports: bool) -> Judgement {
    let mut world = World::new(name);
    world.self_reports = self_reports;
    let defect = name == "github-2016";
    world.returns = Box::new(move |instance, step| {
        if step != "r0.az1-dark.heal" || instance.zone.as_str() != "az1" {
            return None;
        }
        match (instance.service.as_str(), defect) {
            ("app", true) => Some((Life::Starting, Vec::new())),
            ("app", false) => Some((Life::Serving, vec![service("cache")])),
            ("lb", true) => Some((Life::Serving, vec![service("app")])),
            ("lb", false) => Some((Life::Serving, vec![service("cache")])),
            _ => None,
        }
    });
    world.customers = Box::new(move |zone, phase, control| {
        if defect && !control && phase == Phase::Recovery && zone.as_str() == "az1" {
            (0, vec![("missing:app", 10)], 2_000)
        } else {
            (10, Vec::new(), 2_000)
        }
    });
    world.judged()
}

#[test]
fn every_built_in_game_day_without_harm_is_held() {
    for name in scenarios::builtin::scenario_names() {
        let world = World::new(name);
        // Pairs of a defect and its twin name what they judge; the matrix plays them.
        if world.scenario.invariants != STANDARD {
            continue;
        }
        let mut world = world;
        let judgement = world.judged();
        assert_eq!(codes(&judgement), Vec::<&str>::new(), "{name}");
        assert_eq!(judgement.verdict, Verdict::Held, "{name}: {:#?}", judgement.invariants);
        assert_eq!(judgement.findings, Vec::new());
        // No zone is left, or the fault lasts no time in which others could carry on.
        let untold = ["region-black-start", "batch-bring-up", "process-kill", "process-exit", "host-restart"];
        // Nobody reads or writes anything here: what that says is claimed of A1 and A3 by themselves.
        for result in judgement.invariants.iter().filter(|result| !["A1", "A3", "A4"].contains(&result.id.as_str())) {
            let told = result.id != "Z1" || !untold.contains(&name);
            let verdict = if told { Verdict::Held } else { Verdict::NotJudged };
            assert_eq!(result.verdict, verdict, "{name}, {}: {}", result.id, result.reason);
        }
    }
}

#[test]
fn session_cache_is_the_culprit_of_github_2016() {
    for self_reports in [true, false] {
        let judgement = github("github-2016", self_reports);
        assert_eq!(codes(&judgement), Vec::<&str>::new());
        assert_eq!(of(&judgement, "S5").verdict, Verdict::Violated);
        let [finding] = judgement.findings.as_slice() else { panic!("one cause: {:#?}", judgement.findings) };
        assert_eq!(finding.service.as_str(), "app");
        assert_eq!(finding.team.as_str(), "application");
        assert_eq!(finding.dependency.as_ref().map(|name| name.as_str()), Some("cache"));
        assert_eq!(finding.setting.as_deref(), Some("services.app.needs.session-cache"));
        let affected: Vec<&str> = finding.affected.iter().map(|name| name.as_str()).collect();
        assert_eq!(affected, ["app-az1-0", "lb-az1-0"]);
        let chain: Vec<(&str, &str)> =
            finding.chain.iter().map(|link| (link.who.as_str(), link.how.as_str())).collect();
        assert_eq!(
            chain,
            [
                ("customers in az1", "request"),
                ("lb-az1-0", "hard call"),
                ("app-az1-0", "need session-cache"),
                ("cache-az1-0", "power")
            ]
        );
        assert!(finding.chain.iter().all(|link| !link.evidence.is_empty()), "every link has evidence");
        assert!(!finding.confirmed);
    }
}

#[test]
fn repaired_twin_is_excused_while_cache_is_dark() {
    let judgement = github("github-2016-repaired", true);
    assert_eq!(judgement.verdict, Verdict::Held, "{:#?}", judgement.invariants);
    assert_eq!(judgement.findings, Vec::new());
}

#[test]
fn nobody_is_excused_for_missing_something_that_is_lit() {
    let mut world = World::new("minimal");
    world.returns = Box::new(|instance, _| {
        (instance.name.as_str() == "api-az2-0").then(|| (Life::Serving, vec![service("store")]))
    });
    let judgement = world.judged();
    assert_eq!(of(&judgement, "S5").verdict, Verdict::Violated, "fallout in another zone counts too");
    assert_eq!(judgement.findings[0].setting.as_deref(), Some("services.api.calls.store"));
    assert!(judgement.findings[0].text.contains("did not reach"), "{}", judgement.findings[0].text);
}

#[test]
fn circle_of_waiting_services_has_one_root() {
    let mut world = World::new("minimal");
    // Credentials need the store, which needs credentials. The loader refuses such a graph, so it is made by hand.
    let mut need = world.graph.service(&service("store")).expect("in the graph").needs[0].clone();
    need.from = service("store");
    world.graph.services[0].needs.push(need);
    world.self_reports = false;
    world.returns = Box::new(|instance, _| {
        ["store", "credentials"].contains(&instance.service.as_str()).then(|| (Life::Starting, Vec::new()))
    });
    let judgement = world.judged();
    let [finding] = judgement.findings.as_slice() else { panic!("one cause: {:#?}", judgement.findings) };
    assert!(finding.text.contains("credentials -> store -> credentials"), "{}", finding.text);
}

#[test]
fn unseen_cause_is_named_as_unseen() {
    let mut world = World::new("minimal");
    world.self_reports = false;
    world.returns =
        Box::new(|instance, _| (instance.name.as_str() == "api-az1-0").then(|| (Life::Starting, Vec::new())));
    let judgement = world.judged();
    assert_eq!(judgement.findings[0].service.as_str(), "api");
    assert!(judgement.findings[0].text.contains("was not observed"));
}

#[test]
fn self_reports_alone_never_violate() {
    let mut world = World::new("minimal");
    let mut events = world.played();
    let gate =
        events.iter().find(|event| matches!(&event.detail, Detail::StepDone { step, .. } if step.ends_with("heal")));
    let mut lie = gate.expect("a heal").clone();
    lie.t_ns += 1_000_000_000;
    lie.by = By::Own;
    lie.place = Place { instance: Some(world.placement.instances[0].name.clone()), ..Place::default() };
    lie.detail = Detail::State { to: Life::Off, degraded: false, missing: Vec::new() };
    events.push(lie);
    assert_eq!(judge(&world.case(), &events).verdict, Verdict::Held);
}

#[test]
fn who_is_left_by_its_restart_policy_violates_s5_with_that_setting() {
    // An escort answers for a container that is down: it serves, and nothing comes of that.
    for life in [Life::Starting, Life::Serving] {
        left_by_its_policy(life);
    }
}

fn left_by_its_policy(life: Life) {
    let mut world = World::new("minimal");
    world.returns = Box::new(move |instance, _| (instance.name.as_str() == "api-az1-0").then(|| (life, Vec::new())));
    let mut events = world.played();
    let heals = |event: &&scenarios::event::Event| matches!(&event.detail, Detail::StepDone { act: Act::Heal, .. });
    let mut left = events.iter().find(heals).expect("power comes back").clone();
    let host = world.placement.instance_by_name(&InstanceName("api-az1-0".to_owned())).expect("placed").host;
    let text = format!("{}: its owner's restart policy `no` does not start it", world.placement.hosts[host].name);
    (left.by, left.id) = (By::Controller, EventId(events.len() as u64));
    left.detail = Detail::Caveat { code: NOT_STARTED.to_owned(), text };
    let of_hosts = |judgement: &Judgement| {
        let s5 = judgement.findings.iter().find(|finding| finding.invariant == "S5").expect("a finding");
        (s5.service.to_string(), s5.setting.clone())
    };
    let without = of_hosts(&judge(&world.case(), &events));
    assert_ne!(without.1.as_deref(), Some("services.api.image.restart"), "nobody said so");
    events.push(left);
    let told = of_hosts(&judge(&world.case(), &events));
    assert_eq!(told, ("api".to_owned(), Some("services.api.image.restart".to_owned())));
}

#[test]
fn intervention_in_recovery_violates_s5() {
    let mut world = World::new("minimal");
    world.intervention = true;
    let judgement = world.judged();
    let s5 = of(&judgement, "S5");
    assert_eq!(s5.verdict, Verdict::Violated);
    assert!(s5.reason.contains("1 intervention"), "{}", s5.reason);
    assert_eq!(judgement.findings.len(), 1);
    assert_eq!(judgement.measurements.interventions, 1);
}

#[test]
fn short_outage_cannot_reveal_giving_up() {
    let edit = |text: String| {
        let limited = "{ kind = \"credentials\", from = \"credentials\", attempts = 30 }";
        text.replace("{ kind = \"credentials\", from = \"credentials\" }", limited)
    };
    let judgement = World::edited("minimal", edit).judged();
    let s5 = of(&judgement, "S5");
    assert_eq!(s5.verdict, Verdict::NotJudged);
    assert!(s5.reason.contains("an outage longer than"), "{}", s5.reason);
}

#[test]
fn run_that_ends_in_recovery_is_inconclusive() {
    let mut world = World::new("minimal");
    world.returns =
        Box::new(|instance, _| (instance.name.as_str() == "api-az1-0").then(|| (Life::Starting, Vec::new())));
    let mut events = world.played();
    let quiet = events.iter().position(|event| matches!(event.detail, Detail::Phase { phase: Phase::Quiet, .. }));
    let end_ns = events[quiet.expect("a quiet phase")].t_ns - 10_000_000_000;
    events.retain(|event| event.t_ns < end_ns);
    assert_eq!(of(&judge(&world.case(), &events), "S5").verdict, Verdict::Inconclusive);
}

#[test]
fn failing_survivors_violate_z1_with_the_caller_as_culprit() {
    let mut world = World::new("minimal");
    world.customers = Box::new(|zone, phase, control| {
        if !control && phase == Phase::Outage && zone.as_str() == "az2" {
            (5, vec![("missing:store", 5)], 2_000)
        } else {
            (10, Vec::new(), 2_000)
        }
    });
    let judgement = world.judged();
    assert_eq!(of(&judgement, "Z1").verdict, Verdict::Violated);
    assert_eq!(of(&judgement, "S5").verdict, Verdict::Held);
    let [finding] = judgement.findings.as_slice() else { panic!("one cause: {:#?}", judgement.findings) };
    assert_eq!((finding.invariant.as_str(), finding.service.as_str()), ("Z1", "api"));
    assert_eq!(finding.setting.as_deref(), Some("services.api.calls.store"));
    assert_eq!(finding.chain[0].who, "customers in az2");
    assert!(!finding.chain[0].evidence.is_empty());
}

#[test]
fn busy_machine_says_nothing_on_latency() {
    let mut world = World::new("minimal");
    // Far above the promised second, and the control canary suffers as well.
    world.customers = Box::new(|_, phase, _| (10, Vec::new(), if phase == Phase::Outage { 3_000_000 } else { 2_000 }));
    let judgement = world.judged();
    assert_eq!(of(&judgement, "Z1").verdict, Verdict::Inconclusive);
    assert!(of(&judgement, "Z1").reason.contains("machine-busy"));
    // The same latency with a calm control canary is the region's own.
    world.customers = Box::new(|_, phase, control| {
        (10, Vec::new(), if phase == Phase::Outage && !control { 3_000_000 } else { 2_000 })
    });
    assert_eq!(of(&world.judged(), "Z1").verdict, Verdict::Violated);
}

#[test]
fn too_few_samples_are_not_judged() {
    let mut world = World::new("minimal");
    world.customers = Box::new(|_, phase, _| (if phase == Phase::Outage { 1 } else { 10 }, Vec::new(), 2_000));
    let judgement = world.judged();
    assert_eq!(of(&judgement, "Z1").verdict, Verdict::NotJudged);
    assert!(of(&judgement, "Z1").reason.contains("would do"), "{}", of(&judgement, "Z1").reason);
}

#[test]
fn customers_still_failing_when_quiet_violate_r1() {
    let mut world = World::new("minimal");
    world.customers = Box::new(|_, phase, control| {
        if phase == Phase::Quiet && !control { (2, vec![("timeout", 8)], 2_000) } else { (10, Vec::new(), 2_000) }
    });
    let judgement = world.judged();
    assert_eq!(of(&judgement, "R1").verdict, Verdict::Violated);
    assert_eq!(judgement.findings[0].service.as_str(), "api");
    world.customers = Box::new(|_, phase, _| (if phase == Phase::Quiet { 1 } else { 10 }, Vec::new(), 2_000));
    assert_eq!(of(&world.judged(), "R1").verdict, Verdict::NotJudged);
}

#[test]
fn same_root_in_r1_follows_from_s5() {
    let mut world = World::new("minimal");
    world.returns =
        Box::new(|instance, _| (instance.service.as_str() == "api").then(|| (Life::Serving, vec![service("store")])));
    world.customers = Box::new(|_, phase, control| {
        if phase == Phase::Quiet && !control {
            (0, vec![("missing:store", 10)], 2_000)
        } else {
            (10, Vec::new(), 2_000)
        }
    });
    let judgement = world.judged();
    let r1 = judgement.findings.iter().find(|finding| finding.invariant == "R1").expect("a finding");
    assert_eq!(r1.consequence_of.as_deref(), Some("S5"));
}

#[test]
fn bad_baseline_makes_everything_inconclusive() {
    let mut world = World::new("minimal");
    world.customers =
        Box::new(|_, _, control| if control { (10, Vec::new(), 2_000) } else { (5, vec![("timeout", 5)], 2_000) });
    let judgement = world.judged();
    assert_eq!(codes(&judgement), ["bad-baseline"]);
    assert_eq!(judgement.verdict, Verdict::Inconclusive);
    assert!(judgement.invariants.iter().all(|result| result.verdict < Verdict::Violated));
    assert!(of(&judgement, "R1").reason.contains("of"), "what was seen is kept");
    assert_eq!(judgement.findings, Vec::new());
}

#[test]
fn fault_without_effect_makes_everything_inconclusive() {
    let mut world = World::new("minimal");
    world.effect_holds = false;
    assert_eq!(codes(&world.judged()), ["fault-without-effect"]);
    world.effect_looks = false;
    assert_eq!(codes(&world.judged()), ["fault-without-effect"]);
    let mut events = World::new("minimal").played();
    events.retain(|event| !matches!(event.detail, Detail::StepDone { .. }));
    assert_eq!(codes(&judge(&world.case(), &events)), ["fault-without-effect"]);
}

#[test]
fn fault_that_ended_early_is_inconclusive() {
    let mut world = World::new("minimal");
    let mut events = world.played();
    let look = events.iter().find(|event| matches!(event.detail, Detail::FaultEffect { .. })).expect("a look");
    let mut later = look.clone();
    later.t_ns += 1_000_000_000;
    if let Detail::FaultEffect { holds, .. } = &mut later.detail {
        *holds = false;
    }
    events.push(later);
    assert_eq!(codes(&judge(&world.case(), &events)), ["fault-ended-early"]);
}

#[test]
fn region_that_never_settled_is_inconclusive_with_names() {
    let mut world = World::new("minimal");
    world.settles = false;
    let judgement = world.judged();
    assert_eq!(codes(&judgement), ["never-steady"]);
    let first = world.placement.instances[0].name.as_str();
    assert!(judgement.inconclusive[0].text.contains(first), "{}", judgement.inconclusive[0].text);
}

#[test]
fn fatal_caveats_make_everything_inconclusive() {
    for code in ["harness-failed", "oom", "unplanned-death", "lost-windows", "neighbours-full"] {
        let mut world = World::new("minimal");
        let mut events = world.played();
        let mut caveat = events[0].clone();
        caveat.detail = Detail::Caveat { code: code.to_owned(), text: "so it was".to_owned() };
        events.push(caveat);
        assert_eq!(codes(&judge(&world.case(), &events)), [code]);
    }
}

#[test]
fn no_events_are_inconclusive_not_a_panic() {
    let world = World::new("minimal");
    assert_eq!(judge(&world.case(), &[]).verdict, Verdict::Inconclusive);
    let ids: Vec<&str> = catalogue().iter().map(|entry| entry.id).collect();
    assert_eq!(
        ids,
        [
            "Z1", "S5", "A1", "A2", "A3", "A4", "A5", "R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9", "S1", "S2",
            "S3", "S4", "S6", "S7", "S8", "S9", "Z2", "Z3", "Z4", "Z5", "Z6", "Z7", "Z8", "Z9", "D1", "D2", "D3", "D4",
            "D5", "D6", "D7", "D8", "D9", "O1", "O2", "O3"
        ]
    );
}
