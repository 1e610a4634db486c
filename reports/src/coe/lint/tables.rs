//! Owns the rules of the two tables of a correction: the timeline in one time zone, in order and with evidence; the action
//! items with one owner and one day each. Refuses to know whether an owner exists.

use super::Breaches;
use super::page::{self, Page, Table, bare, cell};
use crate::policy::Date;

pub(super) fn timeline(page: &Page<'_>, breaches: &mut Breaches) {
    let Some(section) = page.section("Timeline") else { return };
    let Some(table) = Table::first(section).filter(|table| !table.rows.is_empty()) else {
        breaches.add(
            section.line,
            "no-timeline",
            "there is no moment: a timeline goes from the trigger to the end of the impact",
        );
        return;
    };
    let mut before = String::new();
    for (line, cells) in &table.rows {
        let utc = cell(cells, Some(0));
        if Date::parse(utc).is_none() || !utc.ends_with('Z') {
            breaches.add(*line, "time-zone", format!("`{utc}` is no moment in UTC, such as 2026-11-25T04:35:41.000Z"));
        } else if utc < before.as_str() {
            breaches.add(*line, "time-order", format!("`{utc}` stands after a later moment"));
        } else {
            utc.clone_into(&mut before);
        }
        if !cells.iter().skip(1).any(|cell| page::cites(cell)) {
            breaches.add(*line, "moment-without-evidence", "cite the event that shows it, such as e17");
        }
    }
}

/// The window of the harm that the summary tells is one that the timeline tells too.
pub(super) fn window(page: &Page<'_>, breaches: &mut Breaches) {
    let (Some(summary), Some(timeline)) = (page.section("Summary"), page.section("Timeline")) else { return };
    let known: Vec<String> = Table::first(timeline)
        .map(|table| table.rows.iter().map(|(_, cells)| cell(cells, Some(0)).to_owned()).collect())
        .unwrap_or_default();
    for (number, line) in &summary.lines {
        for word in bare(line).split_whitespace().map(|word| word.trim_end_matches([',', '.', ';', ':'])) {
            let is_moment = word.ends_with('Z') && word.contains('T') && Date::parse(word).is_some();
            if is_moment && !known.iter().any(|utc| utc == word) {
                breaches.add(*number, "impact-window", format!("`{word}` is no moment of the timeline"));
            }
        }
    }
}

pub(super) fn actions(page: &Page<'_>, breaches: &mut Breaches) {
    let Some(section) = page.section("Action items") else { return };
    let Some(table) = Table::first(section).filter(|table| !table.rows.is_empty()) else {
        breaches.add(section.line, "no-action", "nothing changes: name at least one action with owner and day");
        return;
    };
    let first_day = page
        .section("Timeline")
        .and_then(Table::first)
        .and_then(|timeline| timeline.rows.first().and_then(|(_, cells)| Date::parse(cell(cells, Some(0)))));
    for (line, cells) in &table.rows {
        owner(*line, cell(cells, table.column("owner")), breaches);
        day(*line, cell(cells, table.column("due")), first_day, breaches);
        let priority = bare(cell(cells, table.column("priority")));
        if !matches!(priority.trim(), "P0" | "P1" | "P2" | "P3") {
            breaches.add(*line, "action-priority", "an action has a priority from P0 to P3");
        }
        for (name, rule, text) in [
            ("action", "action-text", "say what changes"),
            ("success", "action-criterion", "say by what it is known that the action worked"),
            ("tested", "action-test", "name the game day that tests it again"),
        ] {
            let said = cell(cells, table.column(name));
            if said.trim_matches(['-', '–', ' ']).is_empty() || page::is_blank(said) {
                breaches.add(*line, rule, text);
            }
        }
    }
}

fn owner(line: usize, owner: &str, breaches: &mut Breaches) {
    let name = owner.replace('`', "");
    let name = name.trim();
    if name.is_empty() || name.contains("(blank:") || matches!(name, "-" | "–" | "?") {
        breaches.add(line, "action-owner", "an action has an owner: a team");
    } else if name.contains([',', '/', '&', ';', '+']) || name.to_lowercase().contains(" and ") {
        breaches.add(line, "action-owners", format!("`{name}`: one owner, not several: split the action"));
    } else if name.starts_with('@') {
        breaches.add(
            line,
            "action-owners",
            format!("`{name}`: a team owns an action, so that it outlives a person's other work"),
        );
    }
}

fn day(line: usize, due: &str, first_day: Option<Date>, breaches: &mut Breaches) {
    let dates: Vec<Date> = due.split_whitespace().filter_map(|word| Date::parse(word.trim_matches(','))).collect();
    match dates.as_slice() {
        [] => breaches.add(line, "action-date", format!("`{due}`: an action is due on a day, such as 2026-12-31")),
        [day] if first_day.is_some_and(|first| *day < first) => {
            breaches.add(line, "action-date", format!("`{due}` lies before what it corrects"));
        }
        [_] => {}
        _ => breaches.add(line, "action-date", format!("`{due}`: one day, not several")),
    }
}
