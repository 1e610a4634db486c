//! Owns the picture of the call graph: services in tiers, calls and needs between them, each service's states over time on
//! its node, and the chain of whys as a way through it. Refuses to decide what lights up: the script does, from the
//! positions that stand on every edge.

use super::axis::px;
use super::strips::Pieces;
use super::tiers::{Head, Tiers};
use super::{Sight, strips};
use crate::record::ServiceRow;
use crate::text::{count, html, html_to};
use fixtures::graph::{Scope, Strength};
use scenarios::event::Life;
use std::collections::{BTreeSet, HashMap};

/// Width of the page, but for what stands out at both sides.
const WIDE: f64 = 1054.0;

/// Pieces of time on a node's strip.
const PIECES: usize = 60;

/// Pieces of time on a strip of the panel.
const ZONE_PIECES: usize = 240;

/// Services above which edges are faint until somebody points at one: all of them together would be a grey cloth.
const FAINT_ABOVE: usize = 60;

/// Width of a character of a name, at most.
const CHARACTER: f64 = 6.1;

/// Characters of a name on a node.
const NAME_MAX: usize = 21;

/// Where the nodes stand.
struct Layout {
    place: HashMap<usize, (f64, f64)>,
    width: f64,
    height: f64,
    node: (f64, f64),
}

impl Layout {
    fn new(sight: &Sight<'_>, tiers: &Tiers) -> Self {
        let most = tiers.columns.iter().map(|(_, column)| column.len()).max().unwrap_or(0);
        let dense = most > 14;
        let names = sight.services.iter().map(|row| row.name.as_str().chars().count().min(NAME_MAX));
        let wide = (names.max().unwrap_or(0) as f64 * CHARACTER + 18.0).clamp(84.0, 150.0).round();
        let node = if dense { (wide, 21.0) } else { (wide, 30.0) };
        let pitch = node.1 + if dense { 5.0 } else { 16.0 };
        let columns = tiers.columns.len().max(1) as f64;
        // As wide as the page where that leaves room for the edges; more columns go on to the right.
        let step = ((WIDE - node.0) / (columns - 1.0).max(1.0)).clamp(node.0 + 30.0, 260.0);
        let height = (most as f64 * pitch).max(140.0);
        let mut place = HashMap::new();
        for (number, (_, column)) in tiers.columns.iter().enumerate() {
            let top = (height - column.len() as f64 * pitch) / 2.0;
            for (row, &at) in column.iter().enumerate() {
                place
                    .insert(at, (8.0 + number as f64 * step, 24.0 + top + row as f64 * pitch + (pitch - node.1) / 2.0));
            }
        }
        Self { place, width: (columns - 1.0) * step + node.0 + 18.0, height: height + 34.0, node }
    }

    /// A curve from the right side of one node to the left side of another.
    fn curve(&self, from: usize, to: usize) -> Option<String> {
        let (&(x1, y1), &(x2, y2)) = (self.place.get(&from)?, self.place.get(&to)?);
        let (wide, middle) = (self.node.0, self.node.1 / 2.0);
        let (x1, y1, y2) = (x1 + wide, y1 + middle, y2 + middle);
        let bend = if x2 > x1 { ((x2 - x1) / 2.0).min(70.0) } else { 34.0 };
        Some(format!(
            "M{} {}C{} {} {} {} {} {}",
            px(x1),
            px(y1),
            px(x1 + bend),
            px(y1),
            px(x2 - bend),
            px(y2),
            px(x2),
            px(y2)
        ))
    }
}

/// The way of the whys: pairs of services, and at which step each of them comes in.
struct Way {
    pairs: Vec<(usize, usize)>,
    step: HashMap<usize, usize>,
}

/// The longest chain of a finding that follows from no other.
fn way(sight: &Sight<'_>) -> Way {
    let causes = sight.record.findings.iter().filter(|finding| finding.consequence_of.is_none());
    let longest = causes.rev().max_by_key(|finding| finding.chain.len());
    let mut way = Way { pairs: Vec::new(), step: HashMap::new() };
    let Some(finding) = longest else { return way };
    for link in &finding.chain {
        let ends = [sight.service_of(&link.who), sight.service_of(&link.waits_for)];
        for at in ends.into_iter().flatten() {
            let next = way.step.len() + 1;
            way.step.entry(at).or_insert(next);
        }
        if let [Some(from), Some(to)] = ends
            && from != to
        {
            way.pairs.push((from, to));
        }
    }
    let next = way.step.len() + 1;
    if let Some(at) = sight.service_of(finding.service.as_str()) {
        way.step.entry(at).or_insert(next);
    }
    way
}

/// The section.
pub(super) fn section(sight: &Sight<'_>, tiers: &Tiers) -> String {
    let mut out =
        String::from("<section id=\"graph\" aria-labelledby=\"h-graph\">\n<h2 id=\"h-graph\">Who calls whom</h2>\n");
    if sight.services.is_empty() {
        return out + "<p>No service was recorded.</p>\n</section>\n";
    }
    out.push_str("<p>Point at a service, or go there with Tab and the arrow keys: the calls that it <b class=\"c-out\">makes</b> and <b class=\"c-in\">receives</b> light up, and so do its instances above. Enter holds it, Escape lets go. The strip on a service is the worst that any of its instances was over the run.");
    let way = way(sight);
    if !way.pairs.is_empty() {
        out.push_str(" The numbered way is the chain of whys.");
    }
    out.push_str("</p>\n<p class=\"controls\"><label><input type=\"checkbox\" id=\"needs\"> also draw what services need to start</label></p>\n");
    let layout = Layout::new(sight, tiers);
    let faint = if sight.services.len() > FAINT_ABOVE { " class=\"faint\"" } else { "" };
    out.push_str(&format!(
        "<div class=\"scroll\" role=\"group\" aria-label=\"{2}\"><svg id=\"calls\"{faint} viewBox=\"0 0 {0} {1}\" width=\"{0}\">\n",
        px(layout.width),
        px(layout.height),
        html(&format!("Call graph of {}", count(sight.services.len(), "service")))
    ));
    out.push_str(&heads(tiers, &layout));
    out.push_str(&edges(sight, tiers, &layout, &way));
    out.push_str(&nodes(sight, tiers, &layout, &way));
    out.push_str("</svg></div>\n");
    out.push_str(&states(sight));
    out.push_str(
        "<div id=\"panel\" class=\"panel\" aria-live=\"polite\"><p class=\"muted\">No service is chosen.</p></div>\n",
    );
    out + "</section>\n"
}

fn heads(tiers: &Tiers, layout: &Layout) -> String {
    let mut out = String::from("<g class=\"heads\" aria-hidden=\"true\">");
    let mut before = None;
    for (head, column) in &tiers.columns {
        let x = column.first().and_then(|at| layout.place.get(at)).map(|(x, _)| *x);
        if let (Some(x), true) = (x, before.replace(*head) != Some(*head)) {
            let name = match head {
                Head::Entry => "entry".to_owned(),
                Head::Uncalled => "called by nobody".to_owned(),
                Head::Tier(tier) => format!("tier {tier}"),
            };
            out.push_str(&format!("<text x=\"{}\" y=\"12\">{name}</text>", px(x)));
        }
    }
    out + "</g>\n"
}

fn edges(sight: &Sight<'_>, tiers: &Tiers, layout: &Layout, way: &Way) -> String {
    let chain: BTreeSet<(usize, usize)> = way.pairs.iter().copied().collect();
    let mut out = String::from("<g class=\"edges\" aria-hidden=\"true\">\n");
    let mut edge = |from: usize, to: usize, class: &str| {
        if let Some(curve) = layout.curve(from, to) {
            out.push_str(&format!("<path class=\"e {class}\" data-f=\"{from}\" data-t=\"{to}\" d=\"{curve}\"/>\n"));
        }
    };
    let called: BTreeSet<(usize, usize)> = tiers.calls.iter().copied().collect();
    for (from, row) in sight.services.iter().enumerate() {
        for call in &row.calls {
            let Some(&to) = sight.position.get(&call.to) else { continue };
            edge(from, to, if call.strength == Strength::Hard { "hard" } else { "soft" });
        }
        for need in &row.needs {
            let Some(&to) = sight.position.get(&need.from) else { continue };
            if !called.contains(&(from, to)) {
                edge(from, to, "need");
            }
        }
    }
    out.push_str("</g>\n<g class=\"way\" aria-hidden=\"true\">");
    for (from, to) in chain {
        if let Some(curve) = layout.curve(from, to) {
            out.push_str(&format!("<path d=\"{curve}\"/>"));
        }
    }
    out + "</g>\n"
}

fn nodes(sight: &Sight<'_>, tiers: &Tiers, layout: &Layout, way: &Way) -> String {
    let strips = strips::of_services(sight, PIECES);
    let culprits: BTreeSet<&str> = sight.record.findings.iter().map(|finding| finding.service.as_str()).collect();
    let neighbours = Neighbours::new(sight, tiers);
    let mut out = String::from("<g class=\"nodes\">\n");
    let in_reading_order = tiers.columns.iter().flat_map(|(_, column)| column.iter().copied());
    for (number, at) in in_reading_order.enumerate() {
        let (Some(row), Some(&(x, y))) = (sight.services.get(at), layout.place.get(&at)) else { continue };
        let culprit = culprits.contains(row.name.as_str());
        let (wide, high) = layout.node;
        let mut class = String::from("n");
        if culprit {
            class.push_str(" culprit");
        }
        let first = if number == 0 { "0" } else { "-1" };
        out.push_str(&format!(
            "<g class=\"{class}\" id=\"n{at}\" data-s=\"{at}\" data-name=\"{}\" data-team=\"{}\" transform=\"translate({} {})\" tabindex=\"{first}\" role=\"button\" aria-pressed=\"false\" aria-label=\"{}\"><rect width=\"{wide}\" height=\"{high}\" rx=\"4\"/>",
            html_to(row.name.as_str(), 60),
            html_to(row.team.as_str(), 60),
            px(x),
            px(y),
            html_to(&spoken(row, at, culprit, &neighbours, strips.get(at)), 500)
        ));
        let base = if high > 25.0 { 17.0 } else { 12.0 };
        out.push_str(&format!("<text x=\"8\" y=\"{base}\">{}</text>", html(&shortened(row.name.as_str()))));
        out.push_str(&strip(strips.get(at), wide, high));
        if let Some(step) = way.step.get(&at) {
            out.push_str(&format!(
                "<g class=\"step\" transform=\"translate({} 0)\"><circle r=\"8\"/><text y=\"3.5\">{step}</text></g>",
                px(wide)
            ));
        }
        out.push_str("</g>\n");
    }
    out + "</g>\n"
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= NAME_MAX {
        return name.to_owned();
    }
    name.chars().take(NAME_MAX - 1).chain(['…']).collect()
}

/// A node's states over time along its lower side.
fn strip(pieces: Option<&Pieces>, wide: f64, high: f64) -> String {
    let drawn = pieces.map_or_else(String::new, |pieces| strips::strip(pieces, 6.0, high - 4.0, wide - 12.0));
    format!("<g class=\"strip\">{drawn}</g>")
}

/// Every service's states in each zone, drawn nowhere: the script shows those of the one that is chosen.
fn states(sight: &Sight<'_>) -> String {
    let mut out =
        String::from("<svg class=\"defs\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs id=\"states\">\n");
    for (service, zone, pieces) in strips::of_zones(sight, ZONE_PIECES) {
        out.push_str(&format!(
            "<g data-s=\"{service}\" data-zone=\"{}\">{}</g>\n",
            html_to(zone, 40),
            strips::strip(&pieces, 0.0, 5.0, ZONE_PIECES as f64)
        ));
    }
    out + "</defs></svg>\n"
}

/// Callers and callees of each service, by name.
struct Neighbours<'a> {
    callers: Vec<Vec<&'a str>>,
}

impl<'a> Neighbours<'a> {
    fn new(sight: &'a Sight<'_>, tiers: &Tiers) -> Self {
        let mut callers = vec![Vec::new(); sight.services.len()];
        for (from, to) in &tiers.calls {
            callers[*to].push(sight.services[*from].name.as_str());
        }
        Self { callers }
    }
}

/// What a screen reader says of a service.
fn spoken(row: &ServiceRow, at: usize, culprit: bool, neighbours: &Neighbours<'_>, strip: Option<&Pieces>) -> String {
    let scope = match row.scope {
        Scope::Zonal => "zonal",
        Scope::Regional => "regional",
        Scope::Global => "global",
    };
    let list = |names: &[&str]| match names.len() {
        0 => "nobody".to_owned(),
        1..=6 => names.join(", "),
        more => format!("{} and {} more", names[..5].join(", "), more - 5),
    };
    let calls: Vec<&str> = row.calls.iter().map(|call| call.to.as_str()).collect();
    let callers = neighbours.callers.get(at).map_or_else(|| list(&[]), |callers| list(callers));
    let end = strip.and_then(|strip| strip.last().copied().flatten());
    let end = match end {
        Some(Life::Active) => ", all active at the end",
        Some(_) => ", not all active at the end",
        None => "",
    };
    let culprit = if culprit { ", named as a culprit" } else { "" };
    format!("{}, {scope}, team {}{culprit}{end}. Calls {}. Called by {callers}.", row.name, row.team, list(&calls))
}
