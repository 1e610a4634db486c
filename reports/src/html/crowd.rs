//! Owns what is drawn where a zone has more instances than lanes can be told apart: how many were off, starting, serving
//! and active over time, and which were away longest. Refuses to draw lanes: [`super::lanes`] does.

use super::Sight;
use super::axis::{LEFT, RIGHT, px};
use super::lanes::{class, last_life, not_active_ns};
use super::strips::pieces;
use crate::text::count;
use scenarios::event::Life;

/// Height of the areas.
const AREA: f64 = 104.0;

/// The same with the room below, where lanes begin.
pub(super) const HEIGHT: f64 = AREA + 14.0;

/// Pieces of time.
const PIECES: usize = 280;

/// Instances that have a lane of their own.
const LONGEST_MAX: usize = 20;

/// From the bottom up: what is well carries what is not.
const ORDER: [Life; 4] = [Life::Active, Life::Serving, Life::Starting, Life::Off];

/// For the heading.
pub(super) fn told(lanes: usize) -> String {
    match lanes {
        0 => "; none was away after it had been active".to_owned(),
        1 => "; below the sum the one that was away".to_owned(),
        lanes => format!("; below the sum the {lanes} that were away longest"),
    }
}

/// Those who were not active at the end, then those who were away longest.
pub(super) fn longest_away(sight: &Sight<'_>, members: &[usize]) -> Vec<usize> {
    let lost = |at: usize| last_life(sight, at) != Some(Life::Active);
    let mut away: Vec<(bool, u64, usize)> =
        members.iter().map(|&at| (lost(at), not_active_ns(sight, at), at)).collect();
    away.retain(|(lost, away_ns, _)| *lost || *away_ns > 0);
    away.sort_by_key(|&(lost, away_ns, at)| (!lost, std::cmp::Reverse(away_ns), at));
    away.into_iter().take(LONGEST_MAX).map(|(.., at)| at).collect()
}

/// How many were what, as areas over each other.
pub(super) fn areas(sight: &Sight<'_>, members: &[usize]) -> String {
    let mut counts = vec![[0_usize; ORDER.len()]; PIECES];
    for life in members.iter().filter_map(|&at| sight.lives.get(at)) {
        for (now, piece) in pieces(sight, life, PIECES).into_iter().zip(&mut counts) {
            if let Some(place) = now.and_then(|now| ORDER.iter().position(|life| *life == now)) {
                piece[place] += 1;
            }
        }
    }
    let all = members.len().max(1) as f64;
    let wide = (RIGHT - LEFT) / PIECES as f64;
    let mut out = String::from("<g class=\"areas\">");
    for (place, life) in ORDER.iter().enumerate() {
        let mut path = String::new();
        let mut at = 0;
        while at < PIECES {
            let same = counts[at..].iter().take_while(|other| **other == counts[at]).count();
            let below: usize = counts[at][..place].iter().sum();
            let own = counts[at][place];
            if own > 0 {
                let top = AREA * (1.0 - (below + own) as f64 / all);
                path.push_str(&format!(
                    "M{} {}h{}v{}h-{}z",
                    px(LEFT + wide * at as f64),
                    px(top),
                    px(wide * same as f64),
                    px(AREA * own as f64 / all),
                    px(wide * same as f64)
                ));
            }
            at += same;
        }
        out.push_str(&format!("<path class=\"{}\" d=\"{path}\"/>", class(*life)));
    }
    out.push_str(&format!(
        "</g><g class=\"names\" aria-hidden=\"true\"><text x=\"{0}\" y=\"9\">{1}</text><text x=\"{0}\" y=\"{2}\">0</text></g>",
        px(LEFT - 8.0),
        count(members.len(), "instance"),
        px(AREA)
    ));
    out
}
