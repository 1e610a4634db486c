//! Owns the statistics of comparing two samples of runs: what holds whatever the distribution of the noise is. Refuses to
//! know what is compared.
//!
//! - the rank sum test of Wilcoxon (1945), and Mann and Whitney (1947), with its exact permutation distribution, ties
//!   included, up to [`EXACT_MAX`] values; beyond them the normal approximation, corrected for ties
//! - the shift between the samples by Hodges and Lehmann (1963), with the confidence interval that the same test inverted
//!   gives (Bauer 1972)
//! - where the same seeds were run on both sides, the signed rank test of Wilcoxon (1945) with its exact distribution, and
//!   the shift by the averages of Walsh (1949): what the seed decides is on both sides and drops out
//! - the difference of means with a percentile bootstrap (Efron 1979), for counts, whose median difference is mostly zero
//! - several tests at once by Holm (1979)

use fixtures::seed::Seeds;

/// The most values of both samples together for which every arrangement is counted.
pub const EXACT_MAX: usize = 60;

/// Draws of the bootstrap.
const DRAWS: usize = 2_000;

/// The bootstrap's seed: the same samples give the same interval.
const SEED: u64 = 1979;

/// A difference between two samples, with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    /// The second sample minus the first.
    pub estimate: f64,
    /// Lower end of the interval; minus infinity where the samples are too small to say.
    pub low: f64,
    /// Upper end; infinity where they are too small.
    pub high: f64,
}

/// The value in the middle of sorted ones; of an even number the mean of the two.
pub fn median(sorted: &[f64]) -> Option<f64> {
    let half = sorted.len() / 2;
    let upper = *sorted.get(half)?;
    if sorted.len() % 2 == 1 || upper.is_infinite() {
        return Some(upper);
    }
    Some(f64::midpoint(sorted[half - 1], upper))
}

/// Twice the rank of each value among all, so that tied values share a whole number.
fn doubled_ranks(all: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by(|&a, &b| all[a].total_cmp(&all[b]));
    let mut ranks = vec![0; all.len()];
    let mut at = 0;
    while at < order.len() {
        let same = order[at..].iter().take_while(|&&other| all[other].total_cmp(&all[order[at]]).is_eq()).count();
        // Ranks at+1 ..= at+same, on average at + (same + 1) / 2.
        order[at..at + same].iter().for_each(|&one| ranks[one] = 2 * at + same + 1);
        at += same;
    }
    ranks
}

/// Of all ways to choose so many of the ranks, how many have each sum.
fn ways(ranks: &[usize], chosen: usize) -> Vec<f64> {
    let most: usize = ranks.iter().sum();
    let mut ways = vec![vec![0.0; most + 1]; chosen + 1];
    ways[0][0] = 1.0;
    for (seen, &rank) in ranks.iter().enumerate() {
        for size in (1..=chosen.min(seen + 1)).rev() {
            for sum in (rank..=most).rev() {
                ways[size][sum] += ways[size - 1][sum - rank];
            }
        }
    }
    ways.swap_remove(chosen)
}

/// The probability, where both samples come from one distribution, that the second ranks as high as it does or higher.
/// One where a sample is empty.
pub fn p_higher(first: &[f64], second: &[f64]) -> f64 {
    if first.is_empty() || second.is_empty() {
        return 1.0;
    }
    let all: Vec<f64> = first.iter().chain(second).copied().collect();
    let ranks = doubled_ranks(&all);
    let seen: usize = ranks[first.len()..].iter().sum();
    if all.len() <= EXACT_MAX {
        let ways = ways(&ranks, second.len());
        return ways[seen..].iter().sum::<f64>() / ways.iter().sum::<f64>();
    }
    let (n, m, total) = (first.len() as f64, second.len() as f64, all.len() as f64);
    let mean = ranks.iter().sum::<usize>() as f64 / total;
    let variance = ranks.iter().map(|&rank| (rank as f64 - mean).powi(2)).sum::<f64>() / total;
    let deviation = (variance * n * m / (total - 1.0)).sqrt();
    if deviation == 0.0 {
        return 1.0;
    }
    // A doubled rank sum moves in steps of two: half a step is one.
    upper_tail((seen as f64 - mean * m - 1.0) / deviation)
}

/// The smallest probability that samples of these sizes can have at all.
pub fn p_smallest(first: usize, second: usize) -> f64 {
    if first == 0 || second == 0 {
        return 1.0;
    }
    (1..=second).fold(1.0, |p, k| p * k as f64 / (first + k) as f64)
}

/// The normal distribution's upper tail, by Abramowitz and Stegun 26.2.17: within 1e-7.
fn upper_tail(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let poly = [1.330_274_429, -1.821_255_978, 1.781_477_937, -0.356_563_782, 0.319_381_530]
        .iter()
        .fold(0.0, |sum, factor| (sum + factor) * t);
    let tail = poly * (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt();
    if z >= 0.0 { tail } else { 1.0 - tail }
}

/// The shift from the first sample to the second: the median of all differences, with its interval of this confidence.
pub fn shift(first: &[f64], second: &[f64], confidence: f64) -> Option<Effect> {
    let mut all: Vec<f64> = Vec::with_capacity(first.len() * second.len());
    for &b in second {
        // Two that never came back do not differ.
        all.extend(first.iter().map(|&a| if a.total_cmp(&b).is_eq() { 0.0 } else { b - a }));
    }
    all.sort_by(f64::total_cmp);
    let estimate = median(&all)?;
    let outside = cut(first.len(), second.len(), (1.0 - confidence) / 2.0);
    let (low, high) = match outside {
        0 => (f64::NEG_INFINITY, f64::INFINITY),
        outside => (all[outside - 1], all[all.len() - outside]),
    };
    Some(Effect { estimate, low, high })
}

/// How many of the sorted differences lie at most outside of the interval on each side; 0: no interval is wide enough.
fn cut(n: usize, m: usize, tail: f64) -> usize {
    let most = n * m;
    if n + m > EXACT_MAX {
        let (n, m) = (n as f64, m as f64);
        let deviation = (n * m * (n + m + 1.0) / 12.0).sqrt();
        // 1.96 deviations for 95 %: the tail decides, found by halving.
        let (mut low, mut high) = (0.0_f64, 10.0_f64);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if upper_tail(middle) > tail { low = middle } else { high = middle }
        }
        let cut = (n * m / 2.0 - high * deviation).floor().max(0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between zero and n * m")]
        return cut as usize;
    }
    let ranks: Vec<usize> = (1..=n + m).map(|rank| 2 * rank).collect();
    let ways = ways(&ranks, m);
    let total: f64 = ways.iter().sum();
    let least = m * (m + 1);
    let mut below = 0.0;
    for u in 0..most {
        below += ways[least + 2 * u];
        if below / total > tail {
            return u;
        }
    }
    most / 2
}

/// Twice the ranks of the sizes of differences that are not zero, each with whether it is above zero.
fn signed(differences: &[f64]) -> (Vec<usize>, Vec<bool>) {
    let other: Vec<f64> = differences.iter().copied().filter(|value| *value != 0.0).collect();
    let sizes: Vec<f64> = other.iter().map(|value| value.abs()).collect();
    (doubled_ranks(&sizes), other.iter().map(|value| *value > 0.0).collect())
}

/// Of all ways to give the ranks signs, how many have each sum of those above zero.
fn sign_ways(ranks: &[usize]) -> Vec<f64> {
    let mut ways = vec![0.0; ranks.iter().sum::<usize>() + 1];
    ways[0] = 1.0;
    for &rank in ranks {
        for sum in (rank..ways.len()).rev() {
            ways[sum] += ways[sum - rank];
        }
    }
    ways
}

/// The probability, where pairs differ by chance alone, that the second of each is as much higher as it is, or more.
pub fn p_paired(differences: &[f64]) -> f64 {
    let (ranks, above) = signed(differences);
    let seen: usize = ranks.iter().zip(&above).filter(|(_, above)| **above).map(|(rank, _)| rank).sum();
    let ways = sign_ways(&ranks);
    ways[seen..].iter().sum::<f64>() / ways.iter().sum::<f64>()
}

/// The shift of pairs: the median of all averages of two differences, with its interval of this confidence.
pub fn paired_shift(differences: &[f64], confidence: f64) -> Option<Effect> {
    let mut walsh = Vec::new();
    for (position, &a) in differences.iter().enumerate() {
        let average = |&b: &f64| if a.total_cmp(&b).is_eq() { a } else { f64::midpoint(a, b) };
        walsh.extend(differences[position..].iter().map(average));
    }
    walsh.retain(|average| !average.is_nan());
    walsh.sort_by(f64::total_cmp);
    let estimate = median(&walsh)?;
    let ranks: Vec<usize> = (1..=differences.len()).collect();
    let (ways, total) = (sign_ways(&ranks), 2.0_f64.powi(i32::try_from(differences.len()).unwrap_or(i32::MAX)));
    let (mut below, mut outside) = (0.0, 0);
    while outside < walsh.len() / 2 {
        below += ways[outside];
        if below / total > (1.0 - confidence) / 2.0 {
            break;
        }
        outside += 1;
    }
    let (low, high) = match outside {
        0 => (f64::NEG_INFINITY, f64::INFINITY),
        outside => (walsh[outside - 1], walsh[walsh.len() - outside]),
    };
    Some(Effect { estimate, low, high })
}

/// The difference of the means, with its percentile bootstrap interval.
pub fn mean_difference(first: &[f64], second: &[f64], confidence: f64) -> Option<Effect> {
    if first.is_empty() || second.is_empty() {
        return None;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let mut seeds = Seeds::new(SEED);
    let mut draw = |values: &[f64]| {
        let drawn = (0..values.len()).map(|_| values[seeds.below(values.len() as u64) as usize]);
        drawn.sum::<f64>() / values.len() as f64
    };
    let mut drawn: Vec<f64> = (0..DRAWS).map(|_| draw(second) - draw(first)).collect();
    drawn.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of DRAWS")]
    let outside = ((1.0 - confidence) / 2.0 * DRAWS as f64) as usize;
    Some(Effect { estimate: mean(second) - mean(first), low: drawn[outside], high: drawn[DRAWS - 1 - outside] })
}

/// Probabilities of several tests, adjusted so that comparing each with one limit keeps the chance of any false alarm
/// below that limit (Holm 1979), in the same order.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![1.0; p.len()];
    let mut highest = 0.0_f64;
    for (position, &at) in order.iter().enumerate() {
        highest = highest.max((p.len() - position) as f64 * p[at]).min(1.0);
        adjusted[at] = highest;
    }
    adjusted
}
