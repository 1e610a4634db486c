//! Owns probing: asks every instance for one operation again and again, keenly while it is not active, calmly while it
//! is. Refuses to know which hosts should have power.

use super::protocol::{Outcome, Probed, Seen, Watch};
use super::{Lines, ask};
use agents::runtime::client::Client;
use agents::runtime::clock::mono_ns;
use agents::wire::{Ask, Reply};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

/// How long one probe may take. A dead address answers nothing at all: this is what a keen probe of it costs.
const PROBE_TIMEOUT: Duration = Duration::from_millis(600);

/// What the last probes said, for the round messages.
#[derive(Debug, Default)]
struct Round {
    probed: BTreeSet<usize>,
    answering: BTreeSet<usize>,
}

/// Probes all instances until the process ends.
pub(super) fn start(watch: &Rc<Watch>, lines: &Lines) {
    let round = Rc::new(RefCell::new(Round::default()));
    for index in 0..watch.probes.len() {
        let (watch, lines, round) = (Rc::clone(watch), lines.clone(), Rc::clone(&round));
        tokio::task::spawn_local(async move { probe_for_ever(index, &watch, &lines, &round).await });
    }
}

async fn probe_for_ever(index: usize, watch: &Watch, lines: &Lines, round: &RefCell<Round>) {
    let Some(probed) = watch.probes.get(index) else { return };
    let client = Client::default();
    let mut last = None;
    // Probes of many instances are spread over the interval, so that they are no load spike of their own.
    let spread = watch.calm_ns / watch.probes.len().max(1) as u64 * index as u64;
    tokio::time::sleep(Duration::from_nanos(spread)).await;
    loop {
        let began = mono_ns();
        let outcome = probe(&client, probed).await;
        let now = mono_ns();
        let pause = if outcome == Outcome::Active { watch.calm_ns } else { watch.keen_ns };
        note_round(index, &outcome, now, watch.probes.len(), lines, round);
        if last.as_ref() != Some(&outcome) {
            lines.send(Seen::Probe {
                probe: index,
                outcome: outcome.clone(),
                mono_ns: now,
                took_us: (now - began) / 1000,
            });
            last = Some(outcome);
        }
        tokio::time::sleep(Duration::from_nanos(pause)).await;
    }
}

fn note_round(index: usize, outcome: &Outcome, now: u64, all: usize, lines: &Lines, round: &RefCell<Round>) {
    let mut round = round.borrow_mut();
    round.probed.insert(index);
    if !matches!(outcome, Outcome::Silent(_)) {
        round.answering.insert(index);
    }
    if round.probed.len() == all {
        let Round { answering, .. } = std::mem::take(&mut *round);
        lines.send(Seen::Round { mono_ns: now, answering: answering.into_iter().collect() });
    }
}

async fn probe(client: &Client, probed: &Probed) -> Outcome {
    let operation = Ask::Work { operation: probed.operation.clone(), write: None };
    match ask(client, probed.target.address, &operation, PROBE_TIMEOUT).await {
        Err(silence) => Outcome::Silent(silence),
        Ok(reply) => outcome(&reply),
    }
}

fn outcome(reply: &Reply) -> Outcome {
    let names = |services: &[fixtures::name::ServiceName]| services.iter().map(ToString::to_string).collect();
    match reply.cause() {
        Some(cause) => Outcome::Failing { cause, missing: names(&reply.missing) },
        None if reply.degraded.is_empty() => Outcome::Active,
        None => Outcome::Degraded(names(&reply.degraded)),
    }
}
