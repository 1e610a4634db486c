//! Owns the pictures of what customers of each zone got: the share of answered requests and the latency, over time. Refuses
//! to draw every window of a long run: neighbours are summed up first.

use super::Sight;
use super::axis::{LEFT, RIGHT, WIDTH, grid, marks, px, shades};
use crate::operations::{self, in_order};
use crate::text::{html, html_to, length, length_ms, share};
use scenarios::event::{Detail, Event};
use std::collections::BTreeMap;

/// Points of a line at most.
const POINTS_MAX: usize = 240;

/// Height of the share's part and of the latency's.
const SHARE: f64 = 56.0;
const LATENCY: f64 = 44.0;
const BETWEEN: f64 = 12.0;

/// One stretch of a line.
#[derive(Debug, Default)]
struct Point {
    from_ns: u64,
    to_ns: u64,
    sent: u64,
    answered: u64,
    /// Upper bounds in microseconds with counts, ascending.
    latency_us: Vec<(u64, u64)>,
}

impl Point {
    fn p99_us(&self) -> Option<u64> {
        let all: u64 = self.latency_us.iter().map(|(_, count)| count).sum();
        let rank = (u128::from(all) * 99).div_ceil(100).max(1);
        let mut seen = 0_u128;
        self.latency_us.iter().find_map(|(bound, count)| {
            seen += u128::from(*count);
            (seen >= rank).then_some(*bound)
        })
    }

    fn add(&mut self, event: &Event) {
        let Detail::Canary { window_ns, sent, ok, degraded, latency_us, .. } = &event.detail else { return };
        let from_ns = event.t_ns.saturating_sub(*window_ns);
        self.from_ns = if self.sent == 0 && self.to_ns == 0 { from_ns } else { self.from_ns.min(from_ns) };
        self.to_ns = self.to_ns.max(event.t_ns);
        self.sent = self.sent.saturating_add(*sent);
        self.answered = self.answered.saturating_add(ok.saturating_add(*degraded));
        for (bound, count) in latency_us {
            match self.latency_us.binary_search_by_key(bound, |(known, _)| *known) {
                Ok(at) => self.latency_us[at].1 = self.latency_us[at].1.saturating_add(*count),
                Err(at) => self.latency_us.insert(at, (*bound, *count)),
            }
        }
    }
}

/// The section.
pub(super) fn section(sight: &Sight<'_>) -> String {
    let mut out = String::from(
        "<section id=\"traffic\" aria-labelledby=\"h-traffic\">\n<h2 id=\"h-traffic\">What customers got</h2>\n<p>Share of requests that were answered, and the time within which 99 of 100 of them were, by the canary of each zone.</p>\n",
    );
    let mut zones: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in &sight.by_time {
        if let (Detail::Canary { control: false, .. }, Some(zone)) = (&event.detail, &event.place.zone) {
            zones.entry(zone.as_str()).or_default().push(event);
        }
    }
    if zones.is_empty() {
        return out + "<p>No canary was observed.</p>\n</section>\n";
    }
    for (zone, windows) in &zones {
        out.push_str(&picture(sight, zone, &points(windows)));
    }
    out.push_str(&table(sight));
    out + "</section>\n"
}

fn points(windows: &[&Event]) -> Vec<Point> {
    let together = windows.len().div_ceil(POINTS_MAX).max(1);
    let sum = |events: &[&Event]| {
        let mut point = Point::default();
        events.iter().for_each(|event| point.add(event));
        point
    };
    windows.chunks(together).map(sum).filter(|point| point.sent > 0).collect()
}

fn picture(sight: &Sight<'_>, zone: &str, points: &[Point]) -> String {
    let height = SHARE + BETWEEN + LATENCY;
    let (sent, answered) = points.iter().fold((0_u64, 0_u64), |(sent, answered), point| {
        (sent.saturating_add(point.sent), answered.saturating_add(point.answered))
    });
    let whole = share((sent > 0).then(|| answered as f64 / sent as f64));
    let told = format!("{} of {sent} requests answered ({whole})", answered.min(sent));
    let mut out = format!("<h3>{} <small>{told}</small></h3>\n", html(zone));
    out.push_str(&format!(
        "<div class=\"scroll\"><svg class=\"traffic\" viewBox=\"0 -4 {WIDTH} {}\" role=\"img\" aria-label=\"{}\">\n",
        px(height + 22.0),
        html(&format!("Zone {zone}: {told}. The table below has the figures of each phase."))
    ));
    out.push_str(&shades(sight, zone, height, false));
    out.push_str(&shades(sight, zone, height, true));
    out.push_str(&grid(&sight.axis, height));
    out.push_str(&share_line(sight, points));
    out.push_str(&latency_line(sight, points));
    out.push_str(&marks(sight, 0.0, height, false));
    out + "</svg></div>\n"
}

/// Whether a point comes so soon after the one before that a line may join them: of what lies between nobody knows.
fn follows(until_ns: u64, point: &Point) -> bool {
    point.from_ns <= until_ns.saturating_add((point.to_ns - point.from_ns) / 2)
}

fn share_line(sight: &Sight<'_>, points: &[Point]) -> String {
    let mut out = format!(
        "<g class=\"names\" aria-hidden=\"true\"><text x=\"{0}\" y=\"7\">100 %</text><text x=\"{0}\" y=\"{1}\">0 %</text></g><path class=\"base\" d=\"M{LEFT} {SHARE}H{RIGHT}\"/>",
        px(LEFT - 8.0),
        px(SHARE)
    );
    let (mut line, mut area, mut lost) = (String::new(), String::new(), String::new());
    let mut until: Option<u64> = None;
    for point in points {
        let (from, to) = (sight.axis.x(point.from_ns), sight.axis.x(point.to_ns));
        let joined = until.replace(point.to_ns).is_some_and(|until| follows(until, point));
        let part = (point.answered.min(point.sent)) as f64 / point.sent as f64;
        let y = SHARE * (1.0 - part);
        area.push_str(&format!("M{} {}V{}H{}V{}z", px(from), px(SHARE), px(y), px(to), px(SHARE)));
        line.push_str(&format!("{}{} {}H{}", if joined { 'L' } else { 'M' }, px(from), px(y), px(to)));
        if point.answered < point.sent {
            lost.push_str(&format!("M{} 0V{}H{}V0z", px(from), px(y.max(1.0)), px(to)));
        }
    }
    out.push_str(&format!(
        "<path class=\"answered\" d=\"{area}\"/><path class=\"lost\" d=\"{lost}\"/><path class=\"line\" d=\"{line}\"/>"
    ));
    out
}

/// On a logarithmic scale from 1 ms to 10 s: what is late is late by orders of magnitude.
fn latency_line(sight: &Sight<'_>, points: &[Point]) -> String {
    let top = SHARE + BETWEEN;
    let y = |us: u64| top + LATENCY * (1.0 - (((us.max(1) as f64) / 1_000.0).log10() / 4.0).clamp(0.0, 1.0));
    let mut out = String::from("<g class=\"names\" aria-hidden=\"true\">");
    for (us, name) in [(1_000, "1 ms"), (100_000, "100 ms"), (10_000_000, "10 s")] {
        out.push_str(&format!("<text x=\"{}\" y=\"{}\">{name}</text>", px(LEFT - 8.0), px(y(us) + 3.0)));
    }
    out.push_str(&format!(
        "</g><path class=\"base\" d=\"M{LEFT} {0}H{RIGHT}M{LEFT} {1}H{RIGHT}\"/>",
        px(y(1_000)),
        px(y(100_000))
    ));
    let mut line = String::new();
    let mut until: Option<u64> = None;
    for point in points {
        let Some(us) = point.p99_us() else {
            until = None;
            continue;
        };
        let joined = until.is_some_and(|until| follows(until, point));
        let (from, to) = (sight.axis.x(point.from_ns), sight.axis.x(point.to_ns));
        line.push_str(&format!("{}{} {}H{}", if joined { 'L' } else { 'M' }, px(from), px(y(us)), px(to)));
        until = Some(point.to_ns);
    }
    out.push_str(&format!("<path class=\"late\" d=\"{line}\"/>"));
    out
}

fn table(sight: &Sight<'_>) -> String {
    let mut out = String::from(
        "<details><summary>The same as a table</summary>\n<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">zone</th><th scope=\"col\">phase</th><th scope=\"col\">sent</th><th scope=\"col\">answered</th><th scope=\"col\">degraded</th><th scope=\"col\">failed, by cause</th><th scope=\"col\">p50</th><th scope=\"col\">p99</th></tr></thead>\n<tbody>\n",
    );
    for (zone, phases) in &sight.record.measurements.availability {
        for (phase, figures) in in_order(phases) {
            let failed = by_cause(&figures.failed);
            let ms = |ms: Option<f64>| ms.map_or_else(|| "–".to_owned(), length_ms);
            out.push_str(&format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{failed}</td><td>{}</td><td>{}</td></tr>\n",
                html_to(zone.as_str(), 60),
                html_to(phase, 60),
                figures.sent,
                share(figures.share),
                figures.degraded,
                ms(figures.p50_ms),
                ms(figures.p99_ms)
            ));
        }
    }
    out.push_str("</tbody></table></div>\n");
    out.push_str(&each_operation(sight));
    out.push_str(&attempts(sight));
    for episode in sight.episodes.iter().take(12) {
        out.push_str(&format!(
            "<p>Customers in {} failed for {}: {} of {} requests [{}, {}].</p>\n",
            html(episode.zone.as_str()),
            length(episode.length_ns()),
            episode.failed,
            episode.sent,
            episode.first.id,
            episode.last.id
        ));
    }
    out + "</details>\n"
}

fn by_cause(failed: &BTreeMap<String, u64>) -> String {
    let failed: Vec<String> =
        failed.iter().take(6).map(|(cause, count)| format!("{count} {}", html_to(cause, 60))).collect();
    if failed.is_empty() { "0".to_owned() } else { failed.join(", ") }
}

/// A table with these heads, of which the first names its row; nothing without rows.
fn small_table(heads: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let heads: Vec<String> = heads.iter().map(|head| format!("<th scope=\"col\">{head}</th>")).collect();
    let row = |cells: &Vec<String>| {
        let (first, rest) = cells.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
        format!("<tr><th scope=\"row\">{first}</th><td>{}</td></tr>\n", rest.join("</td><td>"))
    };
    let rows: Vec<String> = rows.iter().map(row).collect();
    format!(
        "<div class=\"scroll\"><table>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody></table></div>\n",
        heads.concat(),
        rows.concat()
    )
}

/// Each operation by itself, where customers asked for several.
fn each_operation(sight: &Sight<'_>) -> String {
    let row = |row: operations::Row<'_>| {
        let operations::Row { zone, phase, operation, asked } = row;
        let (zone, phase, operation) = (html_to(zone.as_str(), 60), html_to(phase, 60), html_to(operation, 60));
        let (sent, degraded) = (asked.sent.to_string(), asked.degraded.to_string());
        vec![zone, phase, operation, sent, share(operations::answered(asked)), degraded, by_cause(&asked.failed)]
    };
    let rows: Vec<Vec<String>> = operations::rows(sight.record).into_iter().map(row).collect();
    small_table(&["zone", "phase", "operation", "sent", "answered", "degraded", "failed, by cause"], &rows)
}

/// How often requests were tried, where customers tried anything again.
fn attempts(sight: &Sight<'_>) -> String {
    let row = |row: operations::Tried<'_>| {
        let operations::Tried { zone, phase, requests, attempts, times } = row;
        let (zone, phase) = (html_to(zone.as_str(), 60), html_to(phase, 60));
        vec![zone, phase, requests.to_string(), attempts.to_string(), format!("{times:.2}")]
    };
    let rows: Vec<Vec<String>> = operations::tried(sight.record).into_iter().map(row).collect();
    small_table(&["zone", "phase", "requests", "attempts", "attempts for each request"], &rows)
}
