//! Owns the picture of every instance's life, zone by zone, with the faults shaded. Refuses to draw more changes than the
//! eye can tell: of a lane with too many, each moment shows the worst; of a zone with too many lanes, [`super::crowd`] shows
//! how many were what.

use super::axis::{LEFT, WIDTH, grid, marks, px, shades};
use super::tiers::Tiers;
use super::{Sight, crowd};
use crate::lives::Stretch;
use crate::text::{count, html, html_to, length, length_ms};
use scenarios::event::Life;
use std::collections::BTreeMap;

/// Stretches drawn in all lanes together at most; above that each lane is summed up.
const STRETCHES_MAX: usize = 60_000;

/// Lanes of a zone that one can still tell apart; of more instances those that were away longest have one.
const LANES_MAX: usize = 64;

/// Characters of a name left of the lanes.
const NAME_MAX: usize = 22;

/// Rows of the table at most; the record has all.
const TABLE_MAX: usize = 1_000;

/// Rows of the table that are printed; a longer one stays folded on paper.
const PRINTED_MAX: usize = 200;

/// Height of the moments' names above the first zone.
const HEAD: f64 = 40.0;

/// The section.
pub(super) fn section(sight: &Sight<'_>, tiers: &Tiers) -> String {
    let mut out = String::from(
        "<section id=\"instances\" aria-labelledby=\"h-instances\">\n<h2 id=\"h-instances\">Every instance</h2>\n",
    );
    out.push_str("<p class=\"legend\">");
    for (class, word) in [("o", "off"), ("t", "starting"), ("s", "serving, with errors"), ("a", "active")] {
        out.push_str(&format!("<span><i class=\"{class}\"></i>{word}</span>"));
    }
    out.push_str("<span><i class=\"shade\"></i>a fault is in force</span></p>\n");
    let zones = zones(sight);
    if zones.is_empty() {
        return out + "<p>No instance was recorded.</p>\n</section>\n";
    }
    out.push_str(&defs());
    for (number, (zone, mut members)) in zones.into_iter().enumerate() {
        members.sort_by_key(|&at| (service_at(sight, at).map(|service| (tiers.tier_of(service), service)), at));
        out.push_str(&zone_picture(sight, &zone, &members, number == 0));
    }
    out.push_str(&table(sight));
    out + "</section>\n"
}

/// The pattern of the shades, once for the page.
fn defs() -> String {
    "<svg class=\"defs\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs><pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><path d=\"M0 0V6\"/></pattern></defs></svg>\n".to_owned()
}

/// Zones in the order of the hosts, with the positions of their instances.
fn zones(sight: &Sight<'_>) -> Vec<(String, Vec<usize>)> {
    let mut zones: Vec<(String, Vec<usize>)> = Vec::new();
    for (at, row) in sight.record.instances.iter().enumerate() {
        match zones.iter_mut().find(|(zone, _)| zone == row.zone.as_str()) {
            Some((_, members)) => members.push(at),
            None => zones.push((row.zone.to_string(), vec![at])),
        }
    }
    zones
}

pub(super) fn service_at(sight: &Sight<'_>, instance: usize) -> Option<usize> {
    sight.position.get(&sight.record.instances.get(instance)?.service).copied()
}

/// Lanes are as high as their number allows.
fn lane_height(lanes: usize) -> f64 {
    if lanes <= 24 { 15.0 } else { 11.0 }
}

fn zone_picture(sight: &Sight<'_>, zone: &str, members: &[usize], first: bool) -> String {
    let crowded = members.len() > LANES_MAX;
    let lanes = if crowded { crowd::longest_away(sight, members) } else { members.to_vec() };
    let offset = if crowded { crowd::HEIGHT } else { 0.0 };
    let high = lane_height(lanes.len());
    let top = if first { HEAD } else { 0.0 };
    let height = offset + high * lanes.len() as f64 + 2.0;
    let ended = |wanted: Life| members.iter().filter(|&&at| last_life(sight, at) == Some(wanted)).count();
    let active = ended(Life::Active);
    let told = format!("{}, {active} active at the end", count(members.len(), "instance"));
    let drawn = if crowded { crowd::told(lanes.len()) } else { String::new() };
    let mut out = format!("<h3>{} <small>{told}{drawn}</small></h3>\n", html(zone));
    out.push_str(&format!(
        "<div class=\"scroll\"><svg class=\"lanes\" viewBox=\"0 {} {WIDTH} {}\" role=\"img\" aria-label=\"{}\">\n",
        px(-top),
        px(height + top + 20.0),
        html(&format!("Zone {zone}: {told}. The table below has every return."))
    ));
    out.push_str(&shades(sight, zone, height, false));
    out.push_str(&grid(&sight.axis, height));
    if crowded {
        out.push_str(&crowd::areas(sight, members));
    }
    let cap = STRETCHES_MAX / sight.record.instances.len().max(1);
    for (row, &at) in lanes.iter().enumerate() {
        out.push_str(&lane(sight, at, offset + row as f64 * high + 1.0, high, cap.clamp(24, 400)));
    }
    out.push_str(&shades(sight, zone, height, true));
    out.push_str(&names(sight, &lanes, offset, high));
    out.push_str(&marks(sight, 0.0, height, false));
    if first {
        out.push_str(&format!("<g transform=\"translate(0 {})\">{}</g>", px(-top), marks(sight, 0.0, top, true)));
    }
    out + "</svg></div>\n"
}

pub(super) fn last_life(sight: &Sight<'_>, instance: usize) -> Option<Life> {
    sight.lives.get(instance)?.last().map(|stretch| stretch.life)
}

/// Names left of the lanes.
fn names(sight: &Sight<'_>, lanes: &[usize], offset: f64, high: f64) -> String {
    let mut out = String::from("<g class=\"names\" aria-hidden=\"true\">");
    for (row, &at) in lanes.iter().enumerate() {
        let Some(instance) = sight.record.instances.get(at) else { continue };
        let y = px(offset + row as f64 * high + 1.0 + high / 2.0 + 3.0);
        out.push_str(&format!("<text x=\"{}\" y=\"{y}\">{}</text>", px(LEFT - 8.0), shortened(instance.name.as_str())));
    }
    out + "</g>"
}

/// As much of a name as there is room for left of the pictures: its beginning, and its end, which tells copies apart.
fn shortened(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    if chars.len() <= NAME_MAX {
        return html(name);
    }
    let (head, tail) = (NAME_MAX - 8, 7);
    html(&chars[..head].iter().chain(&['…']).chain(&chars[chars.len() - tail..]).collect::<String>())
}

pub(super) fn class(life: Life) -> char {
    match life {
        Life::Off => 'o',
        Life::Starting => 't',
        Life::Serving => 's',
        Life::Active => 'a',
    }
}

/// One lane: a line for each state it was in.
fn lane(sight: &Sight<'_>, at: usize, y: f64, high: f64, cap: usize) -> String {
    let (Some(instance), Some(life)) = (sight.record.instances.get(at), sight.lives.get(at)) else {
        return String::new();
    };
    let middle = px(y + high / 2.0);
    let mut paths: BTreeMap<char, String> = BTreeMap::new();
    for (from, to, life) in drawn(sight, life, cap) {
        let path = paths.entry(class(life)).or_default();
        path.push_str(&format!("M{} {middle}h{}", px(from), px((to - from).max(0.4))));
    }
    let came_back = instance.restart_to_active_ms.map(|ms| format!(", back {} after power-on", length_ms(ms)));
    let title = html_to(&format!("{}{}", instance.name, came_back.unwrap_or_default()), 120);
    let service = service_at(sight, at).map_or(String::new(), |service| format!(" data-s=\"{service}\""));
    let mut out = format!(
        "<g class=\"lane\"{service} stroke-width=\"{}\"><title>{title}</title>",
        px((high - if high > 4.0 { 2.0 } else { 0.5 }).max(1.0))
    );
    for (class, path) in paths {
        out.push_str(&format!("<path class=\"{class}\" d=\"{path}\"/>"));
    }
    out + "</g>\n"
}

/// Stretches as widths; of too many, the worst life of each small piece of time, so that no outage is hidden.
fn drawn(sight: &Sight<'_>, life: &[Stretch], cap: usize) -> Vec<(f64, f64, Life)> {
    let axis = &sight.axis;
    let ends = life.iter().skip(1).map(|next| next.from_ns).chain([axis.to_ns]);
    let spans = life.iter().zip(ends).filter(|(one, end)| *end > axis.from_ns && one.from_ns <= axis.to_ns);
    if life.len() <= cap {
        return spans.map(|(one, end)| (axis.x(one.from_ns), axis.x(end), one.life)).collect();
    }
    let left = axis.x(axis.from_ns);
    let wide = (axis.x(axis.to_ns) - left) / cap as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place on the axis is a small positive number"
    )]
    let piece = |x: f64| (((x - left) / wide).floor().max(0.0) as usize).min(cap - 1);
    let mut worst: Vec<Option<Life>> = vec![None; cap];
    for (one, end) in spans {
        for place in worst.iter_mut().take(piece(axis.x(end)) + 1).skip(piece(axis.x(one.from_ns))) {
            *place = Some(place.map_or(one.life, |known| known.min(one.life)));
        }
    }
    let mut out: Vec<(f64, f64, Life)> = Vec::new();
    for (number, life) in worst.into_iter().enumerate() {
        let Some(life) = life else { continue };
        let (from, to) = (left + wide * number as f64, left + wide * (number as f64 + 1.0));
        match out.last_mut() {
            Some((_, until, known)) if *known == life && (from - *until).abs() < 0.01 => *until = to,
            _ => out.push((from, to, life)),
        }
    }
    out
}

/// The same for those who do not see the picture.
fn table(sight: &Sight<'_>) -> String {
    let rows = sight.record.instances.len();
    let long = if rows > PRINTED_MAX { " class=\"long\"" } else { "" };
    let mut out = format!(
        "<details{long}><summary>The same as a table ({})</summary>\n<div class=\"scroll\"><table>\n",
        count(rows, "instance")
    );
    out.push_str("<thead><tr><th scope=\"col\">instance</th><th scope=\"col\">service</th><th scope=\"col\">team</th><th scope=\"col\">zone</th><th scope=\"col\">power-on to active</th><th scope=\"col\">time not active</th><th scope=\"col\">at the end</th></tr></thead>\n<tbody>\n");
    for (at, row) in sight.record.instances.iter().enumerate().take(TABLE_MAX) {
        let back = row.restart_to_active_ms.map_or_else(|| "–".to_owned(), length_ms);
        let end = last_life(sight, at).map_or("not seen", Life::word);
        out.push_str(&format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{back}</td><td>{}</td><td>{end}</td></tr>\n",
            html_to(row.name.as_str(), 80),
            html_to(row.service.as_str(), 80),
            html_to(row.team.as_str(), 80),
            html_to(row.zone.as_str(), 80),
            match not_active_ns(sight, at) {
                0 => "–".to_owned(),
                away_ns => length(away_ns),
            }
        ));
    }
    out.push_str("</tbody></table></div>\n");
    if rows > TABLE_MAX {
        out.push_str(&format!("<p>{} more are in record.json.</p>\n", rows - TABLE_MAX));
    }
    out + "</details>\n"
}

/// How long it was not active after it had been for the first time.
pub(super) fn not_active_ns(sight: &Sight<'_>, at: usize) -> u64 {
    let Some(life) = sight.lives.get(at) else { return 0 };
    let ends = life.iter().skip(1).map(|next| next.from_ns).chain([sight.axis.to_ns]);
    let since = life.iter().zip(ends).skip_while(|(one, _)| one.life != Life::Active);
    since.filter(|(one, _)| one.life != Life::Active).map(|(one, end)| end.saturating_sub(one.from_ns)).sum()
}
