//! Owns time as width: the same scale, ticks and marks in every picture of a page. Refuses to know what is drawn on it.

use super::Sight;
use crate::text::{html, length, moment};

/// Width of a picture with a time axis.
pub(super) const WIDTH: f64 = 1000.0;

/// Where time begins; names stand left of it.
pub(super) const LEFT: f64 = 132.0;

/// Where it ends.
pub(super) const RIGHT: f64 = 990.0;

/// A stretch of time over the width of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Axis {
    pub(super) from_ns: u64,
    pub(super) to_ns: u64,
}

impl Axis {
    /// Where a moment stands; what lies outside stands at the border.
    pub(super) fn x(&self, t_ns: u64) -> f64 {
        let whole = (self.to_ns - self.from_ns).max(1) as f64;
        let part = t_ns.clamp(self.from_ns, self.to_ns) - self.from_ns;
        LEFT + (RIGHT - LEFT) * (part as f64 / whole)
    }

    /// Round moments, seven at most, on the run's clock.
    pub(super) fn ticks(&self) -> Vec<u64> {
        const STEPS_S: [u64; 14] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 21_600, 86_400];
        let whole_s = (self.to_ns - self.from_ns) / 1_000_000_000;
        let step = STEPS_S.into_iter().find(|step| whole_s / step <= 7).unwrap_or(604_800) * 1_000_000_000;
        let first = self.from_ns.div_ceil(step) * step;
        (0..8).map(|number| first + number * step).take_while(|t_ns| *t_ns <= self.to_ns).collect()
    }
}

/// A number as SVG wants it: one digit behind the point at most.
pub(super) fn px(value: f64) -> String {
    let tenths = (value * 10.0).round();
    if tenths % 10.0 == 0.0 { format!("{:.0}", tenths / 10.0) } else { format!("{:.1}", tenths / 10.0) }
}

/// A tick's label: `+90 s`, or minutes where it is one.
fn label(t_ns: u64) -> String {
    let seconds = t_ns / 1_000_000_000;
    if seconds >= 120 && seconds.is_multiple_of(60) {
        format!("+{} min", seconds / 60)
    } else {
        format!("+{seconds} s")
    }
}

/// Ticks over a height, with their labels below.
pub(super) fn grid(axis: &Axis, height: f64) -> String {
    let mut out = String::from("<g class=\"grid\" aria-hidden=\"true\">");
    for t_ns in axis.ticks() {
        let x = px(axis.x(t_ns));
        out.push_str(&format!(
            "<path d=\"M{x} 0V{}\"/><text x=\"{x}\" y=\"{}\">{}</text>",
            px(height),
            px(height + 15.0),
            label(t_ns)
        ));
    }
    out + "</g>"
}

/// The moments of the incident as lines through a picture; with names where there is room for them above it.
pub(super) fn marks(sight: &Sight<'_>, top: f64, height: f64, named: bool) -> String {
    let moments = &sight.moments;
    let mut out = String::from("<g class=\"marks\" aria-hidden=\"true\">");
    let mut free_at = [0.0_f64; 3];
    let named_moments = [
        ("fault", &moments.fault),
        ("first impact", &moments.impact),
        ("seen", &moments.seen),
        ("healed", &moments.healed),
        ("mitigated", &moments.mitigated),
        ("recovered", &moments.recovered),
    ];
    let mut shown: Vec<_> =
        named_moments.iter().filter_map(|(name, one)| one.as_ref().map(|one| (*name, one))).collect();
    shown.sort_by_key(|(_, one)| one.t_ns);
    for (name, one) in shown {
        let x = sight.axis.x(one.t_ns);
        if !named {
            out.push_str(&format!("<path d=\"M{} {}V{}\"/>", px(x), px(top), px(height)));
            continue;
        }
        // The highest line that is free; where all are taken the line alone stands.
        let wide = name.len() as f64 * 5.6 + 8.0;
        let Some(row) = free_at.iter().position(|free| *free <= x) else { continue };
        free_at[row] = x + wide;
        let (y, anchor, shift) = if x + wide > WIDTH { (row, "end", -4.0) } else { (row, "start", 4.0) };
        let y = 11.0 + y as f64 * 12.0;
        out.push_str(&format!(
            "<g><title>{}: {} ({})</title><path d=\"M{} {}V{}\"/><text x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\">{name}</text></g>",
            html(name),
            html(&one.utc),
            moment(one.t_ns),
            px(x),
            px(y - 9.0),
            px(height),
            px(x + shift),
            px(y)
        ));
    }
    out + "</g>"
}

/// Faults in force in a zone, as shades behind what is drawn, or as hatches over it.
pub(super) fn shades(sight: &Sight<'_>, zone: &str, height: f64, over: bool) -> String {
    let mut out = String::from("<g class=\"shades\">");
    let mut last: Option<(f64, f64, String)> = None;
    let mut flush = |shade: Option<(f64, f64, String)>| {
        if let Some((from, to, title)) = shade {
            let (x, wide) = (px(from), px((to - from).max(1.0)));
            let place = format!("x=\"{x}\" y=\"0\" width=\"{wide}\" height=\"{}\"", px(height));
            out.push_str(&match over {
                true => format!("<rect class=\"hatch\" {place}/>"),
                false => format!("<rect {place}><title>{title}</title></rect>"),
            });
        }
    };
    for spell in sight.spells.iter().filter(|spell| spell.touches(zone)) {
        let (from, to) = (sight.axis.x(spell.from_ns), sight.axis.x(spell.to_ns));
        let title = format!("{} ({})", html(&spell.fault), length(spell.to_ns.saturating_sub(spell.from_ns)));
        // A fault that comes again and again is one shade where nobody could tell the pauses.
        match &mut last {
            Some((_, until, _)) if from <= *until + 1.0 => *until = until.max(to),
            _ => flush(last.replace((from, to, title))),
        }
    }
    flush(last);
    out + "</g>"
}
