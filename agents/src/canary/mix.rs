//! Owns which operation the next request asks for: shares that are exact in every stretch of requests, not on average.
//! Refuses to know when it is sent.
//!
//! Smooth weighted round robin: every operation earns its share with each request, the richest is asked for and pays for
//! one. No operation is ever a whole request ahead of its share.

use crate::config::Portion;
use crate::wire::Text;

/// Deals operations out.
#[derive(Debug)]
pub(super) struct Mix {
    portions: Vec<Dealt>,
    whole: i64,
}

#[derive(Debug)]
struct Dealt {
    operation: Text,
    share: i64,
    earned: i64,
}

impl Mix {
    /// A mix of these; without any share at all, of the first alone.
    pub(super) fn new(portions: &[Portion]) -> Self {
        let dealt = |portion: &Portion| Dealt {
            operation: portion.operation.as_str().into(),
            share: i64::from(portion.ppm),
            earned: 0,
        };
        let portions: Vec<Dealt> = portions.iter().map(dealt).collect();
        let whole = portions.iter().map(|portion| portion.share).sum();
        Self { portions, whole }
    }

    /// The place of the operation that is asked for next.
    pub(super) fn next(&mut self) -> usize {
        for portion in &mut self.portions {
            portion.earned += portion.share;
        }
        // Of equals the first.
        let places = (0..self.portions.len()).rev();
        let richest = places.max_by_key(|&place| self.portions[place].earned).unwrap_or_default();
        if let Some(portion) = self.portions.get_mut(richest) {
            portion.earned -= self.whole;
        }
        richest
    }

    /// The operation at a place.
    pub(super) fn operation(&self, place: usize) -> Text {
        self.portions[place].operation.clone()
    }

    /// All operations, by place.
    pub(super) fn operations(&self) -> Vec<Text> {
        self.portions.iter().map(|portion| portion.operation.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mix(shares: &[u32]) -> Mix {
        let portion = |(place, ppm): (usize, &u32)| Portion { operation: format!("o{place}"), ppm: *ppm };
        Mix::new(&shares.iter().enumerate().map(portion).collect::<Vec<_>>())
    }

    /// Counted from any request on, no operation is further than one request from its share.
    #[test]
    fn shares_are_exact_in_every_stretch() {
        for shares in [&[800_000, 200_000][..], &[700_000, 250_000, 50_000], &[333_333, 333_333, 333_334], &[1_000_000]]
        {
            let mut mix = mix(shares);
            let dealt: Vec<usize> = (0..2_000).map(|_| mix.next()).collect();
            for from in (0..1_000).step_by(37) {
                for length in [20, 100, 400] {
                    for (place, share) in shares.iter().enumerate() {
                        let stretch = dealt[from..from + length].iter();
                        let count = stretch.filter(|dealt| **dealt == place).count() as f64;
                        let due = length as f64 * f64::from(*share) / 1e6;
                        assert!((count - due).abs() < 1.5, "{shares:?}: {count} of {length} from {from}, due {due}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_common_part_of_the_shares_is_a_period() {
        let mut mix = mix(&[750_000, 200_000, 50_000]);
        for _ in 0..50 {
            let mut counts = [0; 3];
            (0..20).for_each(|_| counts[mix.next()] += 1);
            assert_eq!(counts, [15, 4, 1]);
        }
    }
}
