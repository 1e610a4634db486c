//! Owns the critical path of a build: which step waited for what, link by link, and which links made it as long as it was. What
//! a step waited for is what its plan says. Refuses to guess it from whoever happened to come up meanwhile.

use super::page::{span, waited};
use super::{Awaited, BuildRecord, StepRow, Told};
use crate::page::{Page, Text};
use crate::text::length;
use fixtures::name::InstanceName;
use scenarios::event::Life;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Steps told as those that took longest.
const SLOW_MAX: usize = 12;
/// Columns of the longest link's bar.
const COLUMNS: u64 = 20;

/// One link: the wait of a step for something from outside, or the step itself.
struct Link {
    phase: &'static str,
    step: String,
    why: Text,
    took_ns: u64,
}

fn links(record: &BuildRecord, told: &Told) -> Vec<Link> {
    let mut links = Vec::new();
    for phase in &told.phases {
        for step in &phase.steps {
            let link = |why, took_ns| Link { phase: phase.phase.word(), step: step.id.clone(), why, took_ns };
            let outside = waited(step);
            if outside > 0 {
                links.push(link(step.waited_for.clone().into(), outside));
            }
            let own = step.to_ns.saturating_sub(step.ready_ns).saturating_sub(outside);
            if step.attempts > 0 && own > 0 {
                links.push(link(held(record, step), own));
            }
        }
    }
    links
}

/// The chain, drawn: each link with its share, and the place of the longest among them.
pub(super) fn drawn(page: &mut Page, record: &BuildRecord, told: &Told) {
    page.subheading("The critical path, link by link");
    page.say(
        "Each link began when the one above it was over. It names what it waited for: racks, time that must pass, whoever came up \
         last of those that it needed, or its own work. The longest are numbered; links that took no time are left out.",
    );
    let links = links(record, told);
    let (total, most) = (span(told).1.max(1), links.iter().map(|link| link.took_ns).max().unwrap_or(0).max(1));
    let mut order: Vec<usize> = (0..links.len()).collect();
    order.sort_by_key(|&at| Reverse(links[at].took_ns));
    let rank = |at: usize| order.iter().take(SLOW_MAX).position(|&other| other == at).map(|place| place + 1);
    let row = |(at, link): (usize, &Link)| {
        let place = rank(at).map(|place| place.to_string()).unwrap_or_default();
        let place = if place == "1" { Text::new().strong("1, the longest") } else { place.into() };
        let columns = usize::try_from((link.took_ns * COLUMNS).div_ceil(most)).unwrap_or(0);
        vec![
            link.phase.into(),
            Text::new().code(link.step.clone()),
            link.why.clone(),
            length(link.took_ns).into(),
            format!("{} %", link.took_ns * 100 / total).into(),
            "█".repeat(columns).into(),
            place,
        ]
    };
    let head = ["phase", "step", "waited for", "took", "of all", "", "longest"];
    page.table(&head, links.iter().enumerate().map(row).collect(), "No step took any time.");
}

/// Steps that took longest.
pub(super) fn slow(page: &mut Page, record: &BuildRecord, told: &Told) {
    page.heading("What held what back");
    let mut steps: Vec<&StepRow> = told.phases.iter().flat_map(|phase| &phase.steps).collect();
    steps.sort_by_key(|step| Reverse(step.to_ns.saturating_sub(step.ready_ns)));
    let row = |step: &&StepRow| {
        let held = if waited(step) > 0 {
            Text::new().plain(format!("waited {}: {}", length(waited(step)), step.waited_for))
        } else {
            held(record, step)
        };
        let took = length(step.to_ns.saturating_sub(step.ready_ns));
        vec![Text::new().code(step.id.clone()), step.act.clone().into(), took.into(), held]
    };
    let rows = steps.iter().take(SLOW_MAX).map(row).collect();
    page.table(&["step", "what", "took", "held back by"], rows, "No step was begun.");
}

/// What a step that was begun waited for, as its plan has it.
fn held(record: &BuildRecord, step: &StepRow) -> Text {
    let last = |word: &str, last: Option<&InstanceName>| match last {
        Some(name) => Text::new().plain(format!("last to {word}: ")).code(name.to_string()),
        None => "whoever it needs was up already".into(),
    };
    match record.awaited.get(&step.id) {
        Some(Awaited::Passed { .. }) => "time that must pass".into(),
        Some(Awaited::Active { instances }) => {
            let mut active = step.came.iter().rev().filter(|(_, life)| *life == Life::Active);
            last("be active", active.find(|(name, _)| instances.contains(name)).map(|(name, _)| name))
        }
        Some(Awaited::Answering { instances }) => {
            // Each answers once for the first time; what it does after that held nothing back.
            let mut known = BTreeSet::new();
            let mut newest = None;
            for (name, _) in &step.came {
                if instances.contains(name) && known.insert(name) {
                    newest = Some(name);
                }
            }
            last("answer", newest)
        }
        Some(Awaited::Act) => Text::new().plain("its own work: ").plain(step.act.clone()),
        None => "its plan is not recorded".into(),
    }
}
