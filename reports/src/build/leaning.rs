//! Owns who leaned on what stood in for something while a region or a zone was built: by stand-in and caller, until when, and
//! whether anybody still asked after it was gone. Refuses to judge that: B5 does.

use super::page::end_word;
use super::{BuildRecord, StandInRow, Told};
use crate::page::{Page, Text};
use crate::text::length;
use fixtures::name::ServiceName;
use scenarios::build::observed::{Building, FlowEnd};
use scenarios::event::{Detail, Event};
use std::collections::BTreeMap;

/// What was seen of calls is told in sums of a second: such a sum may have begun before what it tells of was gone.
const TOLD_EVERY_NS: u64 = 1_000_000_000;

/// What one caller asked of one stand-in.
#[derive(Debug, Clone, Copy, Default)]
struct Leant {
    calls: u64,
    last_ns: u64,
    after: u64,
}

/// Stand-in, and who asked it.
type Edge = (FlowEnd, ServiceName, ServiceName);

/// When the step that took a stand-in away was over; nothing where it never was.
fn gone_at(told: &Told, row: &StandInRow) -> Option<u64> {
    let mut steps = told.steps().filter(|step| step.id == row.step && step.failed.is_empty() && !step.undone);
    steps.next().map(|step| step.to_ns)
}

fn leant(record: &BuildRecord, told: &Told, events: &[Event]) -> BTreeMap<Edge, Leant> {
    let gone: BTreeMap<(FlowEnd, &ServiceName), u64> =
        record.stand_ins.iter().filter_map(|row| Some(((row.end, &row.service), gone_at(told, row)?))).collect();
    let mut all: BTreeMap<Edge, Leant> = BTreeMap::new();
    for event in events {
        let Detail::Build { seen: Building::Flow { to, end, calls, .. } } = &event.detail else { continue };
        let (FlowEnd::Franken | FlowEnd::Proxy | FlowEnd::Network, Some(from)) = (*end, &event.place.service) else {
            continue;
        };
        let row = all.entry((*end, to.clone(), from.clone())).or_default();
        row.calls += calls;
        row.last_ns = event.t_ns;
        if gone.get(&(*end, to)).is_some_and(|at| event.t_ns > at + TOLD_EVERY_NS) {
            row.after += calls;
        }
    }
    all
}

/// After its end somebody asked so often.
fn after(calls: u64) -> Text {
    if calls == 0 { "no".into() } else { Text::new().mark("violated", calls.to_string()) }
}

/// Every stand-in with the step that took it away, and every caller of each.
pub(super) fn section(page: &mut Page, record: &BuildRecord, told: &Told, events: &[Event]) {
    page.heading("Who leaned on what stood in");
    page.say(
        "What stood in for something until that was there, the last step that took power from any of it, and who asked it. Calls are \
         told in sums of a second, so that the last one was up to a second before it was told.",
    );
    let leant = leant(record, told, events);
    let row = |row: &StandInRow| {
        let own = || leant.iter().filter(|((end, to, _), _)| *end == row.end && *to == row.service).map(|(_, one)| one);
        let gone = gone_at(told, row);
        let step = if row.step.is_empty() { "–".into() } else { Text::new().code(row.step.clone()) };
        vec![
            end_word(row.end).into(),
            Text::new().code(row.service.to_string()),
            step,
            gone.map_or_else(|| "it is still there".into(), |at| length(at).into()),
            own().count().to_string().into(),
            own().map(|one| one.calls).sum::<u64>().to_string().into(),
            after(own().map(|one| one.after).sum()),
        ]
    };
    let head = ["what", "stood in for", "taken away by", "gone at", "callers", "calls", "asked after that"];
    page.table(&head, record.stand_ins.iter().map(row).collect(), "Nothing stood in for anything.");
    page.subheading("By caller");
    let mut rows: Vec<(&Edge, &Leant)> = leant.iter().collect();
    rows.sort_by(|((a, to, _), one), ((b, other, _), two)| (a, to, two.calls).cmp(&(b, other, one.calls)));
    let row = |((end, to, from), one): (&Edge, &Leant)| {
        vec![
            end_word(*end).into(),
            Text::new().code(to.to_string()),
            Text::new().code(from.to_string()),
            one.calls.to_string().into(),
            length(one.last_ns).into(),
            told.phase_at(one.last_ns).map_or("", |phase| phase.word()).into(),
            after(one.after),
        ]
    };
    let head = ["what", "stood in for", "caller", "calls", "last seen", "in phase", "after it was gone"];
    page.table(&head, rows.into_iter().map(row).collect(), "Nobody was seen to ask any of it.");
}
