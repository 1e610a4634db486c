//! Owns the page for a browser: its HTML for one run, and the two files that it asks for. Refuses to serve them.
//!
//! The page works under a policy that allows scripts, styles and connections from where it came from alone: nothing in it
//! is written in line.

use super::region::Region;
use crate::text::{html, html_to};

/// How it looks.
pub const STYLE: &str = include_str!("../../templates/live.css");

/// What it does.
pub const SCRIPT: &str = include_str!("../../templates/live.js");

const PAGE: &str = include_str!("../../templates/live.html");

/// What whoever serves the page offers around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offer {
    /// A run may be halted from here.
    pub halt: bool,
    /// There is a list of runs at `/`.
    pub home: bool,
}

/// The page of one run.
pub fn render(region: &Region, offer: Offer) -> String {
    let home = if offer.home { "<a href=\"/\">All runs</a>" } else { "" };
    let halt = if offer.halt { "yes" } else { "no" };
    let seed = region.seed.to_string();
    let parts = [
        ("run", html_to(&region.run, 80)),
        ("halt", halt.to_owned()),
        ("home", home.to_owned()),
        ("scenario", html_to(&region.scenario, 80)),
        ("world", html_to(&region.world, 40)),
        ("seed", seed),
        ("title", html(&region.title)),
    ];
    fill(PAGE, &parts)
}

/// Each `{{name}}` once, from left to right: what is filled in is never looked at again.
fn fill(template: &str, parts: &[(&str, String)]) -> String {
    let mut pieces = template.split("{{");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once("}}").unwrap_or((piece, ""));
        if let Some((_, value)) = parts.iter().find(|(own, _)| *own == name) {
            out.push_str(value);
        }
        out.push_str(rest);
    }
    out
}
