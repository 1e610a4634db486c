//! Owns the moments of a correction of error with the times between them, and its metrics as small plots. Refuses to draw
//! anything that no canary window shows.

use super::{blank, cite};
use crate::harm;
use crate::moments::{Moment, Moments};
use crate::text::{length, markdown, moment};
use scenarios::event::{Act, Detail, Event, EventId};
use std::collections::BTreeMap;

/// Columns of a plot.
const COLUMNS: usize = 72;

/// Heights of a column, from nothing to everything.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The moments, and the times to detect, mitigate and recover.
pub(super) fn moments(moments: &Moments) -> String {
    let mut out = String::from("| moment | UTC | run time | event |\n|---|---|---|---|\n");
    let mut rows = vec![
        ("first fault in force", &moments.fault),
        ("first failing window of a customer", &moments.impact),
        ("first trouble seen from outside (witness or canary)", &moments.seen),
        ("last fault healed", &moments.healed),
        ("mitigated: customers of every zone answered again", &moments.mitigated),
        ("recovered: everybody who had been away active", &moments.recovered),
    ];
    // A region without telemetry of its own has no alarm to miss.
    if moments.alarmed.is_some() {
        rows.insert(3, ("first alarm raised by the region's own telemetry", &moments.alarmed));
    }
    for (name, seen) in rows {
        match seen {
            Some(seen) => {
                let at = moment(seen.t_ns);
                out.push_str(&format!("| {name} | {} | {at} | {} |\n", markdown(&seen.utc), seen.id));
            }
            None => out.push_str(&format!("| {name} | not observed | – | – |\n")),
        }
    }
    out.push('\n');
    out.push_str(&between(
        "Time to detect, from first impact to first sight from outside",
        &moments.impact,
        &moments.seen,
    ));
    if moments.alarmed.is_some() {
        let what = "Time to detect by the region's own alarms, from the fault";
        out.push_str(&between(what, &moments.fault, &moments.alarmed));
    }
    out.push_str(&between("Time to mitigate, from first impact", &moments.impact, &moments.mitigated));
    out.push_str(&between("Time to recover, from first impact", &moments.impact, &moments.recovered));
    out.push_str(&between("Recovery lag, from the last heal to mitigation", &moments.healed, &moments.mitigated));
    out.push_str(&format!("- Time to engage: {}\n", blank("when the first responder was called, and by what")));
    out
}

fn between(what: &str, from: &Option<Moment>, to: &Option<Moment>) -> String {
    let (Some(from), Some(to)) = (from, to) else { return format!("- {what}: not observed in this run.\n") };
    let ids = cite(&[from.id, to.id]);
    match to.t_ns.checked_sub(from.t_ns) {
        Some(0) => format!("- {what}: none, both are shown at once {ids}\n"),
        Some(ns) => format!("- {what}: {} {ids}\n", length(ns)),
        None => format!("- {what}: none, it came {} earlier {ids}\n", length(from.t_ns - to.t_ns)),
    }
}

/// Sums of a column of a plot.
#[derive(Debug, Clone, Copy, Default)]
struct Column {
    sent: u64,
    failed: u64,
}

/// Availability of each zone over time, with the faults and the moments of the incident below.
pub(super) fn metrics(events: &[Event], moments: &Moments, page: &str) -> String {
    let by_time = harm::by_time(events);
    let (from_ns, to_ns) = crate::lives::shown(&by_time);
    let column = |t_ns: u64| column_of(t_ns, from_ns, to_ns);
    let mut zones: BTreeMap<&str, (Vec<Column>, EventId, EventId)> = BTreeMap::new();
    let mut faults = vec![' '; COLUMNS];
    let mut marks: Vec<(usize, char)> = Vec::new();
    for event in &by_time {
        match (&event.detail, &event.place.zone) {
            (Detail::Canary { control: false, window_ns, sent, ok, degraded, .. }, Some(zone)) => {
                let (columns, _, last) =
                    zones.entry(zone.as_str()).or_insert((vec![Column::default(); COLUMNS], event.id, event.id));
                *last = event.id;
                let first = column(event.t_ns.saturating_sub(*window_ns).saturating_add(1));
                for here in columns.iter_mut().take(column(event.t_ns) + 1).skip(first) {
                    here.sent = here.sent.saturating_add(*sent);
                    here.failed = here.failed.saturating_add(sent.saturating_sub(ok.saturating_add(*degraded)));
                }
            }
            (Detail::StepDone { act, .. }, _) => {
                marks.push((column(event.t_ns), if *act == Act::Inject { '!' } else { '^' }));
            }
            _ => {}
        }
    }
    if zones.is_empty() {
        return "No canary window was observed.\n".to_owned();
    }
    for (at, mark) in marks {
        if let Some(here) = faults.get_mut(at) {
            *here = mark;
        }
    }
    let width = zones.keys().map(|zone| zone.len()).max().unwrap_or(0).max(6);
    let mut out = format!(
        "Share of answered requests by zone over time, {} a column:\n\n```text\n",
        length((to_ns - from_ns) / COLUMNS as u64)
    );
    for (zone, (columns, first, last)) in &zones {
        let line: String = columns.iter().map(|column| level(*column)).collect();
        out.push_str(&format!("{zone:width$} {line} {first}..{last}\n"));
    }
    let faults: String = faults.into_iter().collect();
    out.push_str(&format!("{:width$} {}\n", "faults", faults.trim_end()));
    let marked = marked(moments, column);
    if !marked.is_empty() {
        out.push_str(&format!("{:width$} {marked}\n", "seen"));
    }
    out.push_str(&format!(
        "```\n\n`!` a fault begins, `^` it is healed, `·` nothing was sent; `d` detected (first trouble seen from outside), \
         `i` first impact, `m` mitigated, `r` recovered. Latency, instances and the call graph: `{page}`.\n"
    ));
    out
}

/// The moments as letters over time; one whose place is taken stands at the next free one.
fn marked(moments: &Moments, column: impl Fn(u64) -> usize) -> String {
    let mut line = vec![' '; COLUMNS + 4];
    let all = [(&moments.seen, 'd'), (&moments.impact, 'i'), (&moments.mitigated, 'm'), (&moments.recovered, 'r')];
    for (seen, letter) in all {
        let Some(seen) = seen else { continue };
        if let Some(free) = line.iter_mut().skip(column(seen.t_ns)).find(|here| **here == ' ') {
            *free = letter;
        }
    }
    line.into_iter().collect::<String>().trim_end().to_owned()
}

fn column_of(t_ns: u64, from_ns: u64, to_ns: u64) -> usize {
    let wide = u128::from(t_ns.saturating_sub(from_ns)) * COLUMNS as u128 / u128::from(to_ns - from_ns).max(1);
    usize::try_from(wide).unwrap_or(usize::MAX).min(COLUMNS - 1)
}

/// A column in which anything failed is never shown as full.
fn level(column: Column) -> char {
    if column.sent == 0 {
        return '·';
    }
    let answered = column.sent.saturating_sub(column.failed);
    let eighths = u128::from(answered) * 7 / u128::from(column.sent);
    let at = usize::try_from(eighths).unwrap_or(0);
    LEVELS.get(if column.failed > 0 { at.min(6) } else { 7 }).copied().unwrap_or('█')
}
