//! Claims about builds that do not end where they began: paused at the border of a phase, taken up after their process has
//! ended, beside each other, and asked for what an earlier one found; and about the lessons of those that found something.

use crate::building::{HEALTHY, PINNED, pinned, spec};
use crate::building_zone;
use harness::builder::Ending;
use harness::builder::ledger::Entry;
use harness::building::{Built, NoBorder, Spec, build, record};
use reports::build::checks::{Kind, open};
use reports::build::progress::Progress;
use reports::build::{BuildRecord, lessons, told};
use reports::policy::Policy;
use scenarios::build::check::Outcome;
use scenarios::build::plan::BuildPhase;
use scenarios::event::EventId;
use scenarios::verdict::Verdict;
use std::collections::BTreeSet;

fn built(spec: &Spec) -> Built {
    build(spec).expect("it can be begun")
}

fn recorded(spec: &Spec, built: &Built, run: &str) -> BuildRecord {
    record::of(spec, built, run, "run-instances")
}

/// A violated build leaves a correction that the linter of corrections has nothing against, with a culprit and an action
/// for each finding.
#[track_caller]
pub(crate) fn has_lessons(built: &Built) {
    let spec = spec();
    let record = recorded(&spec, built, "20261130T190000Z-abc123");
    let page = lessons::correction(&record, &built.estate, &built.events, &Policy::USUAL).expect("it is violated");
    let known: BTreeSet<EventId> = built.events.iter().map(|event| event.id).collect();
    let breaches = reports::coe::lint::lint(&page, &Policy::USUAL, Some(&known));
    assert!(breaches.is_empty(), "{breaches:#?}\n{page}");
    for finding in &record.findings {
        assert!(page.contains(&format!("(team `{}`", finding.team)), "{finding:?}\n{page}");
        assert!(page.contains(&format!("{} of `", finding.invariant)), "{finding:?}\n{page}");
    }
}

#[test]
fn a_build_whose_process_ended_after_any_entry_is_played_again_and_goes_on() {
    let all = &HEALTHY.entries;
    for written in [1, all.len() / 3, all.len() * 2 / 3, all.len() - 1] {
        let spec = Spec { earlier: all[..written].to_vec(), ..spec() };
        let on = built(&spec);
        assert_eq!(on.ending, Ending::Completed, "after entry {written}: {:?}", on.entries.last());
        assert_eq!(on.state, HEALTHY.state, "after entry {written}");
        assert_eq!(on.entries[..written], all[..written], "what was written stands");
        assert!(matches!(on.entries[written], Entry::TakenUp { .. }), "{:?}", on.entries[written]);
        assert_eq!(on.judged.verdict, Verdict::Held);
        let record = recorded(&spec, &on, "on");
        let hands: Vec<_> = record.hands.iter().map(|hand| hand.team.as_str()).collect();
        let deployment = on.estate.graph.service(&on.estate.cast.packages).map(|one| one.team.as_str());
        assert_eq!((record.by_hand, hands), (1, deployment.into_iter().collect()), "whoever rolls changes out");
    }
    let other = build(&Spec { earlier: all[..20].to_vec(), seed: 8, ..spec() });
    let error = other.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("of the ledger is") && error.contains("begin anew"), "{error}");
}

#[test]
fn a_build_is_paused_before_a_phase_and_goes_on_when_it_is_taken_up_again_and_again() {
    let first = Spec { pause_before: Some(BuildPhase::Launch), ..spec() };
    let one = built(&first);
    let paused = |before| Ending::Paused { before, why: String::new() };
    assert_eq!(one.ending, paused(BuildPhase::Launch));
    assert!(matches!(one.entries.last(), Some(Entry::Paused { .. })), "{:?}", one.entries.last());
    let second = Spec { pause_before: Some(BuildPhase::AccessList), earlier: one.entries.clone(), ..spec() };
    let two = built(&second);
    assert_eq!(two.ending, paused(BuildPhase::AccessList));
    assert_eq!(two.entries[..one.entries.len()], one.entries[..]);
    // The process that took it up dies soon after, and another one takes it up.
    let three = built(&Spec { earlier: two.entries.clone(), killed_after: vec![two.entries.len() + 4], ..spec() });
    let four = built(&Spec { earlier: three.entries[..two.entries.len() + 6].to_vec(), ..spec() });
    for built in [&three, &four] {
        assert_eq!(built.ending, Ending::Completed, "{:?}", built.entries.last());
        assert_eq!((&built.state, built.judged.verdict), (&HEALTHY.state, Verdict::Held));
    }
    let record = recorded(&spec(), &four, "four");
    let hands: Vec<&str> = record.hands.iter().map(|hand| hand.step.as_str()).collect();
    assert_eq!(hands[..2], ["launch.names", "border.refused"], "{:?}", record.hands);
    assert!(record.by_hand == hands.len() && hands.len() > 2, "{:?}", record.hands);
    // There is no border before the first phase, nor before one of another kind of build.
    for wanted in [BuildPhase::Network, BuildPhase::Peering] {
        let none = build(&Spec { pause_before: Some(wanted), ..spec() });
        let error = none.err().and_then(|error| error.downcast::<NoBorder>().ok()).map(|error| error.to_string());
        assert!(error.as_ref().is_some_and(|text| text.contains("access-list")), "{wanted:?}: {error:?}");
    }
}

#[test]
fn what_an_earlier_build_found_is_asked_for_before_its_phase_in_the_next() {
    let found = pinned();
    let first = recorded(&found, &PINNED, "1");
    let checks = open(std::slice::from_ref(&first), Kind::Region, &first.graph);
    assert_eq!(checks.len(), 1, "{checks:?}");
    assert_eq!((checks[0].from.as_str(), checks[0].before), ("1", BuildPhase::AccessList));
    // Nothing was mended: the next build stops before it closes the border, and nothing was lost by trying.
    let next = Spec { checks: checks.clone(), ..found.clone() };
    let stopped = built(&next);
    let Ending::Paused { before: BuildPhase::AccessList, why } = &stopped.ending else {
        panic!("{:?}; {:?}", stopped.ending, stopped.judged.findings)
    };
    assert!(why.contains("`quota` still calls `table-store`") && why.contains("build 1 had found it"), "{why}");
    assert_eq!(recorded(&next, &stopped, "2").checks[0].outcome, Outcome::Open);
    // Whoever lets it go on finds it again, and is counted, before the link is cut; and so is where it is stuck after that.
    let at_cut = built(&Spec { earlier: stopped.entries.clone(), ..next.clone() });
    let record = recorded(&next, &at_cut, "2");
    assert_eq!((record.checks[0].outcome, record.by_hand), (Outcome::FoundAgain, 1), "{:?}", at_cut.ending);
    assert!(matches!(at_cut.ending, Ending::Paused { before: BuildPhase::Cut, .. }), "{:?}", at_cut.ending);
    let on = built(&Spec { earlier: at_cut.entries.clone(), ..next.clone() });
    let second = recorded(&next, &on, "2");
    assert_eq!((second.checks[0].outcome, second.by_hand), (Outcome::FoundAgain, 3), "{:?}", on.ending);
    let teams: Vec<(&str, &str)> = second.hands.iter().map(|hand| (hand.step.as_str(), hand.team.as_str())).collect();
    assert_eq!(teams[2], ("rest.hosts", "limits"), "whose service the stuck step lacks: {teams:?}");
    let still = open(&[first.clone(), second.clone()], Kind::Region, &first.graph);
    assert_eq!((still.len(), still[0].from.as_str()), (1, "2"), "once, as it was found last");
    // The repaired twin goes through, and nothing stands open any more; builds of zones were never asked.
    let mended = Spec { by_hand: Vec::new(), ..next };
    let twin = built(&mended);
    assert_eq!((&twin.ending, &twin.state), (&Ending::Completed, &HEALTHY.state));
    let third = recorded(&mended, &twin, "3");
    assert_eq!(third.checks[0].outcome, Outcome::Gone);
    let all = [first, second, third];
    assert!(open(&all, Kind::Region, &all[0].graph).is_empty());
    assert!(open(&all[..2], Kind::Zone, &all[0].graph).is_empty());
}

#[test]
fn two_builds_out_of_one_region_keep_apart() {
    // The second begins and ends while the first stands at a border: each has a ledger of its own.
    let first = built(&Spec { pause_before: Some(BuildPhase::Cut), ..spec() });
    let other = fixtures::name::RegionName::new("eu-test-8").expect("a name");
    let second = built(&Spec { build: other, ..spec() });
    let first = built(&Spec { earlier: first.entries, ..spec() });
    assert_eq!((&first.ending, &second.ending), (&Ending::Completed, &Ending::Completed));
    assert_eq!(first.state, HEALTHY.state);
}

#[test]
fn progress_of_a_whole_build_ends_with_everything_done_and_active() {
    for built in [&*HEALTHY, &*building_zone::HEALTHY, &*building_zone::LOCAL] {
        let mut progress = Progress::new(&built.estate, &built.plan);
        let borders = built.events.iter().filter(|event| progress.see(event)).count();
        assert_eq!(borders, built.plan.phases().len(), "each phase begins once");
        assert!(progress.phases().iter().all(|phase| phase.done() == phase.steps.len()), "{:?}", progress.phases());
        let (active, of) = progress.share();
        assert!(of > 0 && active == of, "{active} of {of}");
        assert_eq!((progress.tried_again(), progress.hands(), progress.at()), (0, 0, None));
        let took = told(&built.events).phases;
        let shown: Vec<_> = progress.phases().iter().map(|phase| (phase.phase, phase.from_ns)).collect();
        let of_report: Vec<_> = took.iter().map(|phase| (phase.phase, Some(phase.from_ns))).collect();
        assert_eq!(shown, of_report, "the report tells the same");
    }
}
