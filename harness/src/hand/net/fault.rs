//! Owns a network fault with its proof: paths are measured before, and again as long as it lasts, and each rule must
//! have met packets. Refuses to know how rules and shapes are made.

use super::super::fault::Fault;
use super::super::protocol::{Deed, LinkAct, LinkRule, Look, PathProbe};
use super::paths::{self, Measured, Outcome, Pids, Sample};
use super::proof::{Expected, Path, Proof};
use super::{Met, Net, table};
use agents::runtime::clock::mono_ns;
use std::sync::Arc;
use std::time::Duration;

/// Connects of each path that are waited for, before the fault and at each look.
const ENOUGH: usize = 3;
/// How long they are waited for.
const WAIT_NS_MAX: u64 = 430_000_000;
/// Bound of a connect before anything is known of its path.
const FIRST_BOUND: Duration = Duration::from_millis(400);
/// Of a connect whose path is cut, above its usual time.
const CUT_BOUND: Duration = Duration::from_millis(90);

/// Packets of some links vanish, are refused, or are shaped.
pub struct NetworkFault {
    name: String,
    rules: Vec<LinkRule>,
    probes: Vec<PathProbe>,
    net: Arc<Net>,
    pids: Pids,
    paths: Vec<Under>,
    injected_ns: u64,
    looked_ns: u64,
    before: Vec<Met>,
}

/// A path under measurement.
struct Under {
    measured: Measured,
    /// Its usual round trip, nanoseconds.
    usual_ns: Option<u64>,
    expected: Expected,
}

impl NetworkFault {
    /// Makes it from its deed, by the name under which it is healed; `None` for a deed of another kind.
    pub fn from_deed(name: &str, deed: &Deed, net: Arc<Net>) -> Option<Self> {
        let Deed::Network { rules, probes } = deed else { return None };
        Some(Self::new(name, rules.clone(), probes.clone(), net, paths::by_cgroup()))
    }

    /// Makes it, with another way to find a host's processes.
    pub fn new(name: &str, rules: Vec<LinkRule>, probes: Vec<PathProbe>, net: Arc<Net>, pids: Pids) -> Self {
        let (paths, before) = (Vec::new(), Vec::new());
        Self { name: name.to_owned(), rules, probes, net, pids, paths, injected_ns: 0, looked_ns: 0, before }
    }

    /// As [`Fault::act`].
    ///
    /// # Errors
    /// Where a path cannot be measured, or the rules cannot be set.
    pub fn begin(&mut self) -> Result<(), String> {
        let start = |probe| Measured::start(probe, &self.pids, FIRST_BOUND);
        let measured = self.probes.iter().map(start).collect::<Result<Vec<_>, _>>()?;
        await_samples(&measured.iter().collect::<Vec<_>>(), 0, 0);
        for path in measured {
            let usual_ns = paths::median(&path.samples(0, 0));
            let expected = self.expected(&path);
            self.paths.push(Under { measured: path, usual_ns, expected });
        }
        self.net.inject(&self.name, &self.rules)?;
        self.injected_ns = mono_ns();
        self.looked_ns = self.injected_ns;
        for path in &self.paths {
            path.measured.hurry(bound(path));
        }
        Ok(())
    }

    /// What the first rules that fit each direction of a path do to it.
    fn expected(&self, path: &Measured) -> Expected {
        let (Some(local), std::net::IpAddr::V4(to)) = (path.local(), path.to.ip()) else { return Expected::default() };
        let act = |from, to| table::first_fit(&self.rules, from, to).map(|place| self.rules[place].act);
        Expected { there: act(local, to), back: act(to, local) }
    }

    /// As [`Fault::look`].
    pub fn view(&mut self) -> Look {
        let measured: Vec<&Measured> = self.paths.iter().map(|path| &path.measured).collect();
        await_samples(&measured, self.injected_ns, self.looked_ns);
        let met = match self.net.met(&self.name) {
            Ok(met) => met,
            Err(text) => return Look { text, ..Look::default() },
        };
        let paths = self.paths.iter().map(|path| Path {
            name: path.measured.name.clone(),
            usual_ns: path.usual_ns,
            expected: path.expected,
            samples: path.measured.samples(self.injected_ns, self.looked_ns),
        });
        let proof = Proof {
            rules: &self.rules,
            met: &met,
            before: &self.before,
            paths: paths.collect(),
            lasted_ns: mono_ns().saturating_sub(self.injected_ns),
            overruns: self.net.overruns(),
        };
        let look = proof.judge();
        self.before = met;
        self.looked_ns = mono_ns();
        look
    }

    /// As [`Fault::heal`].
    ///
    /// # Errors
    /// Where the rules may still be in force.
    pub fn end(&mut self) -> Result<(), String> {
        self.paths.clear();
        self.net.heal(&self.name)
    }
}

impl Fault for NetworkFault {
    fn act(&mut self) -> Result<(), String> {
        self.begin()
    }

    fn look(&mut self) -> Look {
        self.view()
    }

    fn heal(&mut self) -> Result<(), String> {
        self.end()
    }
}

/// How long a connect may take under the fault.
fn bound(path: &Under) -> Duration {
    let usual = path.usual_ns.map_or(FIRST_BOUND, Duration::from_nanos);
    if path.expected.cuts() {
        return 2 * usual + CUT_BOUND;
    }
    let added = [path.expected.there, path.expected.back].into_iter().flatten().map(|act| match act {
        LinkAct::Shape(shape) => Duration::from_micros(shape.latency_us + shape.jitter_us),
        _ => Duration::ZERO,
    });
    usual + 2 * added.sum::<Duration>() + FIRST_BOUND
}

/// Waits until each path has enough connects that began since, and ended after.
fn await_samples(paths: &[&Measured], since: u64, ended: u64) {
    let began = mono_ns();
    let few = |path: &&&Measured| path.samples(since, ended).len() < ENOUGH;
    while paths.iter().any(|path| few(&path)) && mono_ns() - began < WAIT_NS_MAX {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a connect was tried at all.
pub(super) fn tried(samples: &[Sample]) -> usize {
    paths::count(samples, |outcome| outcome != Outcome::Untried)
}
