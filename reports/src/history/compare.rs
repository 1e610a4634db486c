//! Owns whether newer runs are worse than older ones of the same scenario and world: slower to recover, less available,
//! with more lost. Refuses to call noise a regression, and to be silent where there are too few runs to tell.
//!
//! Each figure is tested by ranks, exactly, whatever the noise looks like; figures that are the same in all runs say
//! nothing and are left out; over the others the chance of any false alarm is kept below [`Limits::false_alarm`]. What is
//! sure and too small to matter is no regression.

use super::Entry;
use super::rank::{self, Effect};
use crate::text::{length_ms, share};
use scenarios::verdict::Verdict;
use serde::Serialize;
use std::collections::BTreeSet;

/// When a difference is a regression.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// The chance of calling two sets of the same build different, at most.
    pub false_alarm: f64,
    /// A return that takes less than this times as long is not slower.
    pub ratio: f64,
    /// A smaller loss of availability, or of requests, is none: a share of one.
    pub share: f64,
    /// Confidence of the intervals that are told.
    pub confidence: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { false_alarm: 0.02, ratio: 1.05, share: 0.001, confidence: 0.95 }
    }
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// The slowest return; who never came back took for ever.
    SlowestReturn,
    /// The geometric mean of all returns.
    TypicalReturn,
    /// Not answered ÷ sent in the zone that had most of it.
    Unavailability,
    /// Not answered ÷ sent in all zones.
    LostRequests,
    /// Acknowledged writes that were gone.
    LostWrites,
    /// Whether the run was violated.
    Violated,
}

/// All of them.
pub const METRICS: [Metric; 6] = [
    Metric::SlowestReturn,
    Metric::TypicalReturn,
    Metric::Unavailability,
    Metric::LostRequests,
    Metric::LostWrites,
    Metric::Violated,
];

impl Metric {
    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::SlowestReturn => "slowest return",
            Self::TypicalReturn => "typical return",
            Self::Unavailability => "unavailability of the worst zone",
            Self::LostRequests => "requests lost",
            Self::LostWrites => "acknowledged writes lost",
            Self::Violated => "violated runs",
        }
    }

    /// Times are compared by their ratio, everything else by its difference.
    fn is_time(self) -> bool {
        matches!(self, Self::SlowestReturn | Self::TypicalReturn)
    }

    /// The figure; larger is worse.
    pub(crate) fn of(self, entry: &Entry) -> Option<f64> {
        let figures = &entry.figures;
        match self {
            Self::SlowestReturn if figures.never_back > 0 => Some(f64::INFINITY),
            Self::SlowestReturn => figures.slowest_ms,
            Self::TypicalReturn => figures.typical_ms,
            Self::Unavailability => figures.lowest_share.map(|share| 1.0 - share),
            Self::LostRequests => (figures.sent > 0).then(|| figures.lost as f64 / figures.sent as f64),
            Self::LostWrites => Some(figures.lost_writes as f64),
            Self::Violated => Some(f64::from(u8::from(entry.verdict == Verdict::Violated))),
        }
    }

    /// The figure on the scale on which it is compared.
    fn scaled(self, value: f64) -> f64 {
        if self.is_time() { value.max(f64::MIN_POSITIVE).ln() } else { value }
    }

    /// A figure in its unit.
    pub fn shown(self, value: f64) -> String {
        match self {
            Self::SlowestReturn | Self::TypicalReturn if value.is_infinite() => "never".to_owned(),
            Self::SlowestReturn | Self::TypicalReturn => length_ms(value),
            Self::Unavailability | Self::LostRequests if value > 0.0 => format!("{:.3} %", value * 100.0),
            Self::Unavailability | Self::LostRequests => share(Some(0.0)),
            Self::LostWrites => format!("{value:.1}"),
            Self::Violated => format!("{:.0} %", value * 100.0),
        }
    }

    fn matters(self, effect: f64, limits: &Limits) -> bool {
        match self {
            Self::SlowestReturn | Self::TypicalReturn => effect >= limits.ratio,
            Self::Unavailability | Self::LostRequests => effect >= limits.share,
            Self::LostWrites | Self::Violated => effect > 0.0,
        }
    }
}

/// What a comparison of one figure says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Worse, surely and by enough to matter.
    Worse,
    /// Better, as surely.
    Better,
    /// No difference that can be told from noise, or one too small to matter.
    None,
    /// The same in every run.
    Constant,
    /// Too few runs have it to tell even the plainest difference.
    TooFew,
    /// One of the two sets has no such figure.
    Absent,
}

impl Change {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Better => "better",
            Self::None => "no difference that can be told",
            Self::Constant => "the same in every run",
            Self::TooFew => "too few runs to tell",
            Self::Absent => "not measured",
        }
    }
}

/// One figure compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Which.
    pub metric: Metric,
    /// Its median (of counts and shares its mean) in the older runs.
    pub before: Option<f64>,
    /// In the newer ones.
    pub after: Option<f64>,
    /// Of times newer ÷ older, of everything else newer − older.
    #[serde(serialize_with = "effect")]
    pub effect: Option<Effect>,
    /// The chance of so much, or worse, where nothing changed; adjusted for the number of figures.
    pub p: f64,
    /// What that says.
    pub change: Change,
}

fn effect<S: serde::Serializer>(effect: &Option<Effect>, serializer: S) -> Result<S::Ok, S::Error> {
    // An interval without an end has none in JSON either.
    let finite = |value: f64| value.is_finite().then_some(value);
    effect.map(|effect| [finite(effect.estimate), finite(effect.low), finite(effect.high)]).serialize(serializer)
}

/// Two sets of runs compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Older runs that count.
    pub before: Vec<String>,
    /// Newer runs that count.
    pub after: Vec<String>,
    /// Runs left out, because they were inconclusive.
    pub left_out: Vec<String>,
    /// Whether runs of the same seed were compared with each other: what the seed decides is then no noise.
    pub paired: bool,
    /// Each figure.
    pub rows: Vec<Row>,
    /// All together.
    pub outcome: Change,
}

/// Pairs from which on runs of the same seeds are compared pair by pair: fewer cannot be sure enough.
const PAIRS_MIN: usize = 8;

/// A figure of both sets.
struct Sample {
    metric: Metric,
    old: Vec<f64>,
    new: Vec<f64>,
    /// Where both sets have the same seeds: each newer figure minus the older one of its seed, of times their logarithms.
    differences: Option<Vec<f64>>,
}

impl Sample {
    fn of(metric: Metric, old: &[Entry], new: &[Entry], paired: bool) -> Self {
        let values = |runs: &[Entry]| runs.iter().filter_map(|run| metric.of(run)).collect();
        let pairs = new.iter().filter_map(|run| Some((run, old.iter().find(|other| other.seed == run.seed)?)));
        let difference = |(new, old): (&Entry, &Entry)| {
            let (new, old) = (metric.scaled(metric.of(new)?), metric.scaled(metric.of(old)?));
            Some(if new.total_cmp(&old).is_eq() { 0.0 } else { new - old })
        };
        let differences = paired.then(|| pairs.filter_map(difference).collect());
        Self { metric, old: values(old), new: values(new), differences }
    }

    /// Whether there is anything to tell: a figure that is the same in all runs says nothing. That is seen without
    /// knowing which run is of which set, so leaving it out makes no false alarm likelier.
    fn varies(&self) -> bool {
        if let Some(differences) = &self.differences {
            return differences.iter().any(|difference| *difference != 0.0);
        }
        let mut all = self.old.iter().chain(&self.new);
        let first = all.next();
        !self.old.is_empty() && !self.new.is_empty() && all.any(|value| Some(value) != first)
    }

    /// The chance of so much worse, and of so much better, where nothing changed.
    fn p(&self) -> (f64, f64) {
        match &self.differences {
            Some(differences) => {
                let back: Vec<f64> = differences.iter().map(|difference| -difference).collect();
                (rank::p_paired(differences), rank::p_paired(&back))
            }
            None => (rank::p_higher(&self.old, &self.new), rank::p_higher(&self.new, &self.old)),
        }
    }

    /// The smallest chance that so many runs can show.
    fn reach(&self) -> f64 {
        match &self.differences {
            Some(differences) => 0.5_f64.powi(i32::try_from(differences.len()).unwrap_or(i32::MAX)),
            None => rank::p_smallest(self.old.len(), self.new.len()),
        }
    }

    fn effect(&self, confidence: f64) -> Option<Effect> {
        let metric = self.metric;
        if !metric.is_time() {
            return match &self.differences {
                Some(differences) => rank::mean_difference(&[0.0], differences, confidence),
                None => rank::mean_difference(&self.old, &self.new, confidence),
            };
        }
        let scaled = |values: &[f64]| values.iter().map(|value| metric.scaled(*value)).collect::<Vec<_>>();
        let Effect { estimate, low, high } = match &self.differences {
            Some(differences) => rank::paired_shift(differences, confidence)?,
            None => rank::shift(&scaled(&self.old), &scaled(&self.new), confidence)?,
        };
        Some(Effect { estimate: estimate.exp(), low: low.exp(), high: high.exp() })
    }

    fn middle(&self, values: &[f64]) -> Option<f64> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        if self.metric.is_time() {
            return rank::median(&sorted);
        }
        (!sorted.is_empty()).then(|| sorted.iter().sum::<f64>() / sorted.len() as f64)
    }

    /// The row of this figure; `p` is adjusted, and absent where there is nothing to tell.
    fn row(&self, p: Option<(f64, f64)>, figures: usize, limits: &Limits) -> Row {
        let (metric, effect) = (self.metric, self.effect(limits.confidence));
        let surely = |p: f64| p <= limits.false_alarm;
        let back = |effect: f64| if metric.is_time() { 1.0 / effect } else { -effect };
        let change = match (p, effect.map(|effect| effect.estimate)) {
            _ if self.old.is_empty() || self.new.is_empty() => Change::Absent,
            (None, _) => Change::Constant,
            _ if self.reach() * figures as f64 > limits.false_alarm => Change::TooFew,
            (Some((worse, _)), Some(effect)) if surely(worse) && metric.matters(effect, limits) => Change::Worse,
            (Some((_, better)), Some(effect)) if surely(better) && metric.matters(back(effect), limits) => {
                Change::Better
            }
            _ => Change::None,
        };
        let (before, after) = (self.middle(&self.old), self.middle(&self.new));
        Row { metric, before, after, effect, p: p.map_or(1.0, |(worse, _)| worse), change }
    }
}

impl Comparison {
    /// Compares newer runs with older ones.
    pub fn new(before: &[Entry], after: &[Entry], limits: &Limits) -> Self {
        let counts = |runs: &[Entry]| runs.iter().filter(|run| run.counts()).cloned().collect::<Vec<_>>();
        let left_out = before.iter().chain(after).filter(|run| !run.counts()).map(|run| run.run.clone()).collect();
        let (old, new) = (counts(before), counts(after));
        let paired = seeds(&old).is_some_and(|own| own.len() >= PAIRS_MIN && seeds(&new) == Some(own));
        let samples: Vec<Sample> = METRICS.iter().map(|&metric| Sample::of(metric, &old, &new, paired)).collect();
        let told: Vec<&Sample> = samples.iter().filter(|sample| sample.varies()).collect();
        let (worse, better): (Vec<f64>, Vec<f64>) = told.iter().map(|sample| sample.p()).unzip();
        let (worse, better) = (rank::holm(&worse), rank::holm(&better));
        let row = |sample: &Sample| {
            let at = told.iter().position(|other| other.metric == sample.metric);
            sample.row(at.map(|at| (worse[at], better[at])), told.len(), limits)
        };
        let rows: Vec<Row> = samples.iter().map(row).collect();
        let any = |wanted: Change| rows.iter().any(|row| row.change == wanted);
        let outcome = if any(Change::Worse) {
            Change::Worse
        } else if old.is_empty() || new.is_empty() || any(Change::TooFew) {
            Change::TooFew
        } else if any(Change::Better) {
            Change::Better
        } else {
            Change::None
        };
        let names = |runs: &[Entry]| runs.iter().map(|run| run.run.clone()).collect();
        Self { before: names(&old), after: names(&new), left_out, paired, rows, outcome }
    }
}

/// The seeds of runs, where no two have the same.
fn seeds(runs: &[Entry]) -> Option<BTreeSet<u64>> {
    let seeds: BTreeSet<u64> = runs.iter().map(|run| run.seed).collect();
    (seeds.len() == runs.len()).then_some(seeds)
}
