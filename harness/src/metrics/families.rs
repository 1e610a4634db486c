//! Owns the counts: one family of the `prometheus` crate for each row of the table, and the bound on label values that come
//! from outside. Refuses to know what is counted when.

use super::table::{ALL, Metric, Row, Shape};
use prometheus::{CounterVec, GaugeVec, HistogramOpts, HistogramVec, Opts, Registry, TextEncoder};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// Names of one kind (scenarios, schedules …) that are told apart. A year of drawn scenarios must not fill a database.
pub(crate) const NAMES_MAX: usize = 200;

/// What stands for names beyond [`NAMES_MAX`].
pub(crate) const OTHER: &str = "other";

#[derive(Debug)]
enum Family {
    Counter(CounterVec),
    Gauge(GaugeVec),
    Histogram(HistogramVec),
}

/// All families of the table.
#[derive(Debug)]
pub(crate) struct Families {
    registry: Registry,
    families: BTreeMap<&'static str, Family>,
}

impl Families {
    /// Every row of the table, without any value.
    pub(crate) fn new() -> Self {
        let registry = Registry::new();
        let families = ALL.iter().map(|row| (row.name, family(row, &registry))).collect();
        Self { registry, families }
    }

    fn of(&self, row: &'static Row) -> &Family {
        self.families.get(row.name).expect("every row of the table has its family")
    }

    /// Adds to a counter; to nothing else.
    pub(crate) fn add<const N: usize>(&self, metric: Metric<N>, labels: [&str; N], by: f64) {
        if let Family::Counter(family) = self.of(metric.0)
            && by >= 0.0
        {
            family.with_label_values(&labels).inc_by(by);
        }
    }

    /// Sets a gauge; nothing else.
    pub(crate) fn set<const N: usize>(&self, metric: Metric<N>, labels: [&str; N], to: f64) {
        if let Family::Gauge(family) = self.of(metric.0) {
            family.with_label_values(&labels).set(to);
        }
    }

    /// Adds to a gauge, or takes away.
    pub(crate) fn shift<const N: usize>(&self, metric: Metric<N>, labels: [&str; N], by: f64) {
        if let Family::Gauge(family) = self.of(metric.0) {
            family.with_label_values(&labels).add(by);
        }
    }

    /// Sets a counter that somebody else keeps, such as the kernel.
    pub(crate) fn put<const N: usize>(&self, metric: Metric<N>, labels: [&str; N], to: f64) {
        if let Family::Counter(family) = self.of(metric.0) {
            let counter = family.with_label_values(&labels);
            counter.inc_by((to - counter.get()).max(0.0));
        }
    }

    /// One observation; `None` only makes the series, so that a first observation is seen as an increase.
    pub(crate) fn observe<const N: usize>(&self, metric: Metric<N>, labels: [&str; N], value: Option<f64>) {
        if let Family::Histogram(family) = self.of(metric.0) {
            let histogram = family.with_label_values(&labels);
            if let Some(value) = value.filter(|value| value.is_finite()) {
                histogram.observe(value);
            }
        }
    }

    /// One of these words is so, and the others are not.
    pub(crate) fn state(&self, metric: Metric<2>, first: &str, words: &[&str], word: &str) {
        for other in words {
            self.set(metric, [first, other], f64::from(u8::from(*other == word)));
        }
    }

    /// Takes one series out; it need not be there.
    pub(crate) fn forget<const N: usize>(&self, metric: Metric<N>, labels: [&str; N]) {
        if let Family::Gauge(family) = self.of(metric.0) {
            // What is not there is forgotten already.
            let _absent = family.remove_label_values(&labels);
        }
    }

    /// Takes all series of a gauge out.
    pub(crate) fn clear<const N: usize>(&self, metric: Metric<N>) {
        if let Family::Gauge(family) = self.of(metric.0) {
            family.reset();
        }
    }

    /// The text that collectors read.
    pub(crate) fn render(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }
}

fn family(row: &'static Row, registry: &Registry) -> Family {
    const SOUND: &str = "names and labels of the table are sound, each name once: a test makes them all";
    let opts = Opts::new(row.name, row.help);
    match row.shape {
        Shape::Counter => {
            let family = CounterVec::new(opts, row.labels).expect(SOUND);
            registry.register(Box::new(family.clone())).expect(SOUND);
            Family::Counter(family)
        }
        Shape::Gauge => {
            let family = GaugeVec::new(opts, row.labels).expect(SOUND);
            registry.register(Box::new(family.clone())).expect(SOUND);
            Family::Gauge(family)
        }
        Shape::Histogram(bounds) => {
            let opts = HistogramOpts::from(opts).buckets(bounds.to_vec());
            let family = HistogramVec::new(opts, row.labels).expect(SOUND);
            registry.register(Box::new(family.clone())).expect(SOUND);
            Family::Histogram(family)
        }
    }
}

/// Names that came from outside, of one kind.
#[derive(Debug, Default)]
pub(crate) struct Names(Mutex<BTreeSet<String>>);

impl Names {
    /// The name, or [`OTHER`] where there are too many already.
    pub(crate) fn bounded<'a>(&self, name: &'a str) -> &'a str {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(name) {
            return name;
        }
        if known.len() >= NAMES_MAX {
            return OTHER;
        }
        known.insert(name.to_owned());
        name
    }

    /// A name that is gone makes room for another one.
    pub(crate) fn forget(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}
