//! Owns how far a build is as lines of a terminal: phases, the step under way, and below it the services that it waits for.
//! Refuses to know the terminal: it is handed a size, and what does not fit is summed up.

use super::progress::{PhaseNow, Progress, StepNow, share_words};
use crate::live::screen::{Ink, Line, Screen};
use crate::text::{count, length};
use fixtures::name::{InstanceName, ServiceName};
use scenarios::build::observed::StepState;

/// Signs of the bar.
const BAR: usize = 24;
/// Columns of a phase's name.
const NAME: usize = 29;
/// Lines of what is going on that no sum takes the place of.
const KEPT: usize = 3;
/// A smaller terminal shows no more than fits.
const FEWEST: usize = 6;

/// How far it is, in as many lines as there are, or fewer.
pub fn draw(progress: &Progress, screen: Screen) -> Vec<String> {
    let lines_max = screen.lines.max(FEWEST);
    let mut lines = head(progress, screen);
    let detail = detail(progress, screen);
    let room = lines_max.saturating_sub(lines.len());
    let (before, ahead) = phases(progress);
    // What is going on is told first; what is over, and what is to come, are summed up where there is no room.
    let fold_before = before.len() + ahead.len() + detail.len() > room;
    let rows_before = if fold_before { before.len().min(1) } else { before.len() };
    let fold_ahead = rows_before + ahead.len() + detail.len() > room;
    let rows_ahead = if fold_ahead { ahead.len().min(1) } else { ahead.len() };
    // Where even sums have no room, what is going on is told alone.
    let kept = detail.len().min(KEPT);
    let rows_before = if kept + rows_before > room { 0 } else { rows_before };
    let rows_ahead = if kept + rows_before + rows_ahead > room { 0 } else { rows_ahead };
    lines.extend(folded(&before, fold_before, screen, "done").into_iter().take(rows_before));
    lines.extend(shortened(detail, room.saturating_sub(rows_before + rows_ahead), screen));
    lines.extend(folded(&ahead, fold_ahead, screen, "ahead").into_iter().take(rows_ahead));
    lines.truncate(lines_max);
    lines
}

fn head(progress: &Progress, screen: Screen) -> Vec<String> {
    let place = match progress.present() {
        Some(present) => format!("phase {} of {}", present + 1, progress.phases().len()),
        None => "not begun".to_owned(),
    };
    let gone = length(progress.gone_ns());
    let title = Line::new(screen).put(Ink::Bold, progress.title()).put(Ink::Plain, &format!("  {place}, {gone}"));
    let (active, of) = progress.share();
    let full = (active * BAR).checked_div(of).unwrap_or(0);
    let mut line = Line::new(screen)
        .put(Ink::Green, &"█".repeat(full))
        .put(Ink::Faint, &"░".repeat(BAR - full))
        .put(Ink::Plain, &format!(" {}", share_words(active, of)));
    for (number, what) in [(progress.tried_again(), "tried again"), (progress.hands(), "by hand")] {
        if number > 0 {
            line = line.put(Ink::Yellow, &format!(", {number} {what}"));
        }
    }
    let mut lines = vec![title.done(), line.done()];
    if !progress.paused().is_empty() {
        lines.push(Line::new(screen).put(Ink::Yellow, &format!("paused: {}", progress.paused())).done());
    }
    lines
}

/// Phases before and after the one under way.
fn phases(progress: &Progress) -> (Vec<&PhaseNow>, Vec<&PhaseNow>) {
    let at = progress.present();
    let own = |wanted: &dyn Fn(usize) -> bool| {
        let all = progress.phases().iter().enumerate();
        all.filter(|(place, _)| wanted(*place)).map(|(_, phase)| phase).collect()
    };
    (own(&|place| at.is_some_and(|at| place < at)), own(&|place| at.is_none_or(|at| place > at)))
}

fn took(phase: &PhaseNow) -> u64 {
    phase.to_ns.unwrap_or_default().saturating_sub(phase.from_ns.unwrap_or_default())
}

fn folded(phases: &[&PhaseNow], fold: bool, screen: Screen, word: &str) -> Vec<String> {
    let is_over = word == "done";
    let sign = if is_over { "✓" } else { "○" };
    let ink = if is_over { Ink::Green } else { Ink::Faint };
    let (Some(first), Some(last)) = (phases.first(), phases.last()) else { return Vec::new() };
    if fold && phases.len() > 1 {
        let names = format!("{} … {}", first.phase.word(), last.phase.word());
        let text = format!("{} {word}: {names}", count(phases.len(), "phase"));
        return vec![Line::new(screen).put(ink, &format!("{sign} ")).put(Ink::Plain, &text).done()];
    }
    let row = |phase: &&PhaseNow| {
        let steps = count(phase.steps.len(), "step");
        let (sign, ink, rest) = match (phase.undone(), is_over) {
            (0, true) => (sign, ink, format!("{:<12} {}", steps, length(took(phase)))),
            (0, false) => (sign, ink, steps),
            (undone, _) => ("↶", Ink::Yellow, format!("{undone} of {steps} undone")),
        };
        let line = Line::new(screen).put(ink, &format!("{sign} "));
        line.put(if is_over { Ink::Plain } else { Ink::Faint }, &format!("{:<NAME$} {rest}", phase.phase.word())).done()
    };
    phases.iter().map(row).collect()
}

/// The phase under way, its step, and whom that waits for.
fn detail(progress: &Progress, screen: Screen) -> Vec<String> {
    let Some(phase) = progress.present().and_then(|at| progress.phases().get(at)) else { return Vec::new() };
    let line = || Line::new(screen);
    let done = format!("{} of {}", phase.done(), count(phase.steps.len(), "step"));
    let gone = length(progress.now_ns().saturating_sub(phase.from_ns.unwrap_or_default()));
    let (sign, undone) = match phase.undone() {
        0 => ("▶", String::new()),
        undone => ("↶", format!(", {undone} undone")),
    };
    let head = line().put(Ink::Bold, &format!("{sign} {:<NAME$} ", phase.phase.word()));
    let mut lines = vec![head.put(Ink::Plain, &format!("{done}{undone}, {gone}")).done()];
    let Some(step) = progress.at() else { return lines };
    lines.push(under_way(progress, step, screen));
    let mut awaited: Vec<(&ServiceName, &Vec<InstanceName>, usize)> =
        step.awaited.iter().map(|(name, all)| (name, all, progress.active(all))).collect();
    // Who is missing comes first: on a small terminal the others are summed up.
    awaited.sort_by_key(|(name, all, active)| (*active == all.len(), (*name).clone()));
    let width = awaited.iter().map(|(name, ..)| name.as_str().len()).max().unwrap_or(0);
    for (name, all, active) in awaited {
        let ink = if active == all.len() { Ink::Green } else { Ink::Violet };
        let sign = if active == all.len() { "■" } else { "·" };
        let line = line().put(Ink::Plain, "    ").put(ink, &format!("{sign} "));
        lines.push(line.put(Ink::Plain, &format!("{:<width$} {active} of {} active", name.as_str(), all.len())).done());
    }
    lines
}

fn under_way(progress: &Progress, step: &StepNow, screen: Screen) -> String {
    let since = length(progress.now_ns().saturating_sub(step.since_ns));
    let line = Line::new(screen).put(Ink::Plain, &format!("  {}", step.id));
    match step.state {
        Some(StepState::Waiting) => line.put(Ink::Yellow, &format!(" waits {since}: {}", step.text)),
        Some(StepState::Failed) => line.put(Ink::Red, &format!(" failed: {}", step.text)),
        _ if step.attempts > 1 => line.put(Ink::Yellow, &format!(" attempt {}, {since}: {}", step.attempts, step.text)),
        _ => line.put(Ink::Plain, &format!(" {since}: {}", step.text)),
    }
    .done()
}

/// As many lines as there is room for, the last one saying how many there are besides.
fn shortened(mut lines: Vec<String>, room: usize, screen: Screen) -> Vec<String> {
    if lines.len() > room && room > 0 {
        let more = lines.len() - (room - 1);
        lines.truncate(room - 1);
        lines.push(Line::new(screen).put(Ink::Faint, &format!("    … and {}", count(more, "more line"))).done());
    }
    lines.truncate(room);
    lines
}
