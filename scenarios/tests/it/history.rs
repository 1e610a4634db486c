//! Claims about the check of histories: it says the same as an established checker that searches for an order (stateright's
//! linearizability tester), on histories that a register made and on histories that none could have made.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use scenarios::judge::history::{Breach, Operation, What, back_in_time, check};
use stateright::semantics::register::{Register, RegisterOp, RegisterRet};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester};

fn write(id: usize, begin: u64, end: Option<u64>, value: &str) -> Operation {
    Operation { id, begin, end, what: What::Write(value.to_owned()) }
}

fn read(id: usize, begin: u64, end: u64, value: Option<&str>) -> Operation {
    Operation { id, begin, end: Some(end), what: What::Read(value.map(str::to_owned)) }
}

#[test]
fn reads_that_follow_what_was_written_last_are_explained() {
    let history = [
        read(0, 0, 1, None),
        write(1, 2, Some(9), "a"),
        // While a write is under way either value may be read, in the order of the reads.
        read(2, 3, 4, None),
        read(3, 5, 6, Some("a")),
        write(4, 10, Some(12), "b"),
        read(5, 13, 14, Some("b")),
    ];
    assert_eq!(check(&history), Ok(()));
}

#[test]
fn an_old_value_is_a_breach_that_names_what_contradicts_itself() {
    let history = [write(0, 0, Some(1), "a"), write(1, 2, Some(3), "b"), read(2, 4, 5, Some("a"))];
    let breach = check(&history).expect_err("`a` was overwritten");
    assert_eq!(breach, Breach::Crossed { earlier: 1, later: 2, between: 0, last: 1 });
}

#[test]
fn what_was_stored_and_is_gone_is_a_breach() {
    let history = [write(0, 1, Some(2), "a"), read(1, 3, 4, None)];
    assert!(matches!(check(&history), Err(Breach::Crossed { .. })));
    let flicker = [write(0, 1, None, "a"), read(1, 2, 3, Some("a")), read(2, 4, 5, None)];
    assert!(matches!(check(&flicker), Err(Breach::Crossed { .. })));
}

#[test]
fn a_write_without_an_answer_may_come_late_or_never() {
    let never = [write(0, 0, None, "a"), read(1, 5, 6, None), read(2, 7, 8, None)];
    let late = [write(0, 0, None, "a"), read(1, 5, 6, None), read(2, 7, 8, Some("a"))];
    assert_eq!((check(&never), check(&late)), (Ok(()), Ok(())));
}

#[test]
fn what_nobody_wrote_and_what_was_written_twice_is_told() {
    assert_eq!(check(&[read(0, 1, 2, Some("x"))]), Err(Breach::NeverWritten { read: 0 }));
    assert_eq!(check(&[read(0, 1, 2, Some("a")), write(1, 3, Some(4), "a")]), Err(Breach::NeverWritten { read: 0 }));
    let twice = [write(0, 1, Some(2), "a"), write(1, 3, Some(4), "a")];
    assert_eq!(check(&twice), Err(Breach::WrittenTwice { write: 1 }));
}

/// What one client does: nothing overlaps in it.
#[derive(Debug, Clone)]
struct Step {
    client: usize,
    writes: bool,
    /// Moments from the step before to its beginning, to the instant in which it happens, and to its end.
    gaps: [u64; 3],
    answered: bool,
    /// Replaces what is read by another value that was written, or by nothing.
    lie: Option<usize>,
}

fn step() -> impl Strategy<Value = Step> {
    let lie = prop_oneof![4 => Just(None), 1 => (0_usize..6).prop_map(Some)];
    (0_usize..3, any::<bool>(), [0_u64..6, 0_u64..6, 0_u64..6], prop::bool::weighted(0.8), lie)
        .prop_map(|(client, writes, gaps, answered, lie)| Step { client, writes, gaps, answered, lie })
}

/// Lets a real register answer the steps; no two moments are alike, so that both checkers see one order of them.
fn history(steps: &[Step]) -> Vec<(usize, Operation)> {
    let mut clocks = [0_u64; 3];
    let mut silent = [false; 3];
    let mut planned: Vec<(u64, usize, Operation)> = Vec::new();
    for (id, step) in steps.iter().enumerate() {
        // A client whose write was not answered says no more: it does not know where it stands.
        if silent[step.client] {
            continue;
        }
        let moment = |clock: u64, part: u64| (clock * 64 + id as u64) * 4 + part;
        let begin = clocks[step.client] + step.gaps[0];
        let instant = begin + step.gaps[1];
        let end = instant + step.gaps[2];
        clocks[step.client] = end + 1;
        let answered = step.answered || !step.writes;
        silent[step.client] = !answered;
        let what = if step.writes { What::Write(id.to_string()) } else { What::Read(None) };
        let end = answered.then(|| moment(end, 3));
        planned.push((moment(instant, 2), step.client, Operation { id, begin: moment(begin, 1), end, what }));
    }
    planned.sort_by_key(|(instant, ..)| *instant);
    let written: Vec<String> = planned
        .iter()
        .filter_map(|(.., operation)| match &operation.what {
            What::Write(value) => Some(value.clone()),
            What::Read(_) => None,
        })
        .collect();
    let mut register = None;
    for (.., operation) in &mut planned {
        match &mut operation.what {
            What::Write(value) => register = Some(value.clone()),
            What::Read(value) => {
                value.clone_from(&register);
                if let Some(other) = steps[operation.id].lie {
                    *value = written.get(other).cloned();
                }
            }
        }
    }
    planned.into_iter().map(|(_, client, operation)| (client, operation)).collect()
}

/// What the established checker says.
fn reference(history: &[(usize, Operation)]) -> bool {
    let mut moments: Vec<(u64, usize, &Operation, bool)> = Vec::new();
    for (client, operation) in history {
        moments.push((operation.begin, *client, operation, true));
        moments.extend(operation.end.map(|end| (end, *client, operation, false)));
    }
    moments.sort_by_key(|(moment, ..)| *moment);
    let mut tester = LinearizabilityTester::new(Register(None::<String>));
    for (_, client, operation, begins) in moments {
        let told = match (&operation.what, begins) {
            (What::Write(value), true) => tester.on_invoke(client, RegisterOp::Write(Some(value.clone()))).is_ok(),
            (What::Read(_), true) => tester.on_invoke(client, RegisterOp::Read).is_ok(),
            (What::Write(_), false) => tester.on_return(client, RegisterRet::WriteOk).is_ok(),
            (What::Read(value), false) => tester.on_return(client, RegisterRet::ReadOk(value.clone())).is_ok(),
        };
        assert!(told, "a client does one thing at a time");
    }
    tester.is_consistent()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn it_says_what_an_established_checker_says(steps in prop::collection::vec(step(), 1..10)) {
        let history = history(&steps);
        let operations: Vec<Operation> = history.iter().map(|(_, operation)| operation.clone()).collect();
        prop_assert_eq!(check(&operations).is_ok(), reference(&history), "{:#?}", history);
        // Who goes back in time does not read what was written last.
        prop_assert!(back_in_time(&operations).is_none() || check(&operations).is_err(), "{:#?}", history);
    }

    #[test]
    fn whatever_a_register_answered_is_explained(steps in prop::collection::vec(step(), 1..200)) {
        let honest: Vec<Step> = steps.into_iter().map(|step| Step { lie: None, ..step }).collect();
        let operations: Vec<Operation> = history(&honest).into_iter().map(|(_, operation)| operation).collect();
        prop_assert_eq!(check(&operations), Ok(()));
        prop_assert_eq!(back_in_time(&operations), None);
    }
}

/// Both answers occur, or the comparison would compare nothing.
#[test]
fn the_histories_compared_are_good_and_bad() {
    let (mut good, mut bad) = (0, 0);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = prop::collection::vec(step(), 1..10);
    for _ in 0..500 {
        let steps = strategy.new_tree(&mut runner).expect("a value").current();
        if reference(&history(&steps)) { good += 1 } else { bad += 1 }
    }
    assert!(good > 50 && bad > 50, "{good} good, {bad} bad");
}
