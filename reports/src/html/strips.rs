//! Owns lives as a fixed number of equal pieces of time, each as bad as the worst in it, so that no outage is hidden; and
//! how such pieces are drawn as a strip. Refuses to know where a strip stands.

use super::Sight;
use super::axis::px;
use super::lanes::{class, service_at};
use crate::lives::Stretch;
use scenarios::event::Life;

/// Pieces of time; nothing where nothing was seen.
pub(super) type Pieces = Vec<Option<Life>>;

/// The worst of each piece of one life.
pub(super) fn pieces(sight: &Sight<'_>, life: &[Stretch], pieces: usize) -> Pieces {
    let mut worst = vec![None; pieces];
    add(sight, life, &mut worst);
    worst
}

fn add(sight: &Sight<'_>, life: &[Stretch], worst: &mut [Option<Life>]) {
    let whole = u128::from((sight.axis.to_ns - sight.axis.from_ns).max(1));
    let count = worst.len();
    let piece = |t_ns: u64| {
        let at = u128::from(t_ns.saturating_sub(sight.axis.from_ns)) * count as u128 / whole;
        usize::try_from(at).unwrap_or(usize::MAX).min(count - 1)
    };
    let ends = life.iter().skip(1).map(|next| next.from_ns).chain([sight.axis.to_ns]);
    for (one, end) in life.iter().zip(ends) {
        for place in worst.iter_mut().take(piece(end) + 1).skip(piece(one.from_ns)) {
            *place = Some(place.map_or(one.life, |known: Life| known.min(one.life)));
        }
    }
}

/// The worst that any instance of each service was.
pub(super) fn of_services(sight: &Sight<'_>, pieces: usize) -> Vec<Pieces> {
    let mut strips = vec![vec![None; pieces]; sight.services.len()];
    for (at, life) in sight.lives.iter().enumerate() {
        if let Some(strip) = service_at(sight, at).and_then(|service| strips.get_mut(service)) {
            add(sight, life, strip);
        }
    }
    strips
}

/// The same zone by zone, in the order of the instances: service, zone, pieces.
pub(super) fn of_zones<'a>(sight: &'a Sight<'_>, pieces: usize) -> Vec<(usize, &'a str, Pieces)> {
    let mut strips: Vec<(usize, &str, Pieces)> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for (at, life) in sight.lives.iter().enumerate() {
        let (Some(service), Some(row)) = (service_at(sight, at), sight.record.instances.get(at)) else { continue };
        let place = *known.entry((service, row.zone.as_str())).or_insert_with(|| {
            strips.push((service, row.zone.as_str(), vec![None; pieces]));
            strips.len() - 1
        });
        add(sight, life, &mut strips[place].2);
    }
    strips
}

/// Pieces as lines of equal width from `x` on, at one height.
pub(super) fn strip(pieces: &Pieces, x: f64, y: f64, wide: f64) -> String {
    let each = wide / pieces.len().max(1) as f64;
    let (mut out, mut at) = (String::new(), 0);
    while let Some(life) = pieces.get(at) {
        let same = pieces[at..].iter().take_while(|other| *other == life).count();
        if let Some(life) = life {
            let from = px(x + each * at as f64);
            out.push_str(&format!(
                "<path class=\"{}\" d=\"M{from} {}h{}\"/>",
                class(*life),
                px(y),
                px(each * same as f64)
            ));
        }
        at += same;
    }
    out
}
