//! Owns the way from a source to a scenario: decode, fill in defaults, and either the result or every problem at once.
//! Refuses to open files, and to know whether the region named there exists; that is [`crate::bind`]'s.

mod faults;
mod kinds;
mod order;
mod traffic;
mod uncut;

use crate::judge;
use crate::raw::{RawRecoveryFrom, RawScenario, RawSteadyState, RawWindows};
use crate::scenario::{RecoveryFrom, Scenario, SteadyState, Windows};
use fixtures::decode::{Decoded, Located, Removed, decode_tracked};
use fixtures::diagnostic::{Diagnostic, Severity, Source};
use fixtures::name::GraphName;
use fixtures::nearest::nearest;
use fixtures::unit::{Percent, Span};
use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

const NAME_HELP: &str = "a name is a DNS label, such as `az1-dark`";

/// Loads a game day, with warnings.
///
/// # Errors
/// Every problem of the source at once, in the order of its lines.
pub fn load_scenario(source: &Source) -> Result<(Scenario, Vec<Diagnostic>), Vec<Diagnostic>> {
    let Decoded { value, diagnostics, removed } = decode_tracked::<RawScenario>(source);
    let mut problems = Problems { source, removed, found: diagnostics };
    let scenario = value.and_then(|raw| resolve(&raw, &mut problems));
    let mut found = problems.found;
    found.sort_by_key(|diagnostic| diagnostic.span.as_ref().map(|span| (span.start, span.end)));
    match scenario {
        Some(scenario) if found.iter().all(|diagnostic| diagnostic.severity == Severity::Warning) => {
            Ok((scenario, found))
        }
        _ => Err(found),
    }
}

/// Collects problems of one source.
struct Problems<'s> {
    source: &'s Source,
    removed: Vec<Removed>,
    found: Vec<Diagnostic>,
}

impl Problems<'_> {
    fn error(&mut self, code: &'static str, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        let help = help.into();
        let diagnostic = Diagnostic::error(code, self.source, Some(span), message);
        self.found.push(if help.is_empty() { diagnostic } else { diagnostic.with_help(help) });
    }

    fn warning(&mut self, code: &'static str, span: Range<usize>, message: impl Into<String>, help: &str) {
        self.found.push(Diagnostic::warning(code, self.source, Some(span), message).with_help(help));
    }

    /// Records a missing key, unless a wrong value of that name has been reported in the same table already.
    fn missing(&mut self, key: &str, table: Option<Range<usize>>) {
        let extent = table.as_ref().map_or(0..self.source.text.len(), |table| self.extent(table));
        if self.removed_in(&extent).any(|removed| removed.key == key || removed.meant.as_deref() == Some(key)) {
            return;
        }
        let message = format!("required key `{key}` is missing");
        self.found.push(Diagnostic::error("missing-key", self.source, table, message));
    }

    /// Checks a name. The rules are the same for every kind of name; `GraphName` stands for all of them.
    fn name(&mut self, text: &Located<String>) -> String {
        if let Err(error) = GraphName::new(text.get().clone()) {
            self.error("bad-name", text.span(), error.to_string(), NAME_HELP);
        }
        text.get().clone()
    }

    /// A duration that must not be zero. Whole milliseconds, because that is the plan's resolution.
    fn positive(&mut self, value: Option<&Located<Span>>, key: &str, default: Duration) -> Duration {
        let Some(value) = value else { return default };
        if value.get().0.is_zero() {
            self.error("zero", value.span(), format!("`{key}` is zero"), "it must be above zero");
        }
        self.whole_ms(value, key)
    }

    /// A count from 1 up.
    fn counted(&mut self, value: Option<&Located<u32>>, key: &str, default: u32, most: u32) -> u32 {
        let Some(value) = value else { return default };
        let count = *value.get();
        if count == 0 {
            self.error("zero", value.span(), format!("`{key}` is zero"), "it must be at least 1");
        } else if count > most {
            self.error("too-many", value.span(), format!("`{key}` is {count}"), format!("at most {most}"));
        }
        count
    }

    /// Whether something wrong was taken out of a table.
    fn touched(&self, table: &Range<usize>) -> bool {
        self.removed_in(&self.extent(table)).next().is_some()
    }

    /// What was taken out of these bytes.
    fn removed_in<'p>(&'p self, extent: &Range<usize>) -> impl Iterator<Item = &'p Removed> {
        let extent = extent.clone();
        self.removed.iter().filter(move |removed| extent.start <= removed.span.start && removed.span.end <= extent.end)
    }

    /// All bytes of a table. Of one that is opened by a header only that is known: it goes up to the next header that
    /// is none of a table inside it.
    fn extent(&self, table: &Range<usize>) -> Range<usize> {
        let text = self.source.text.get(table.start..).unwrap_or_default();
        let Some(name) = text.strip_prefix("[[").or_else(|| text.strip_prefix('[')) else { return table.clone() };
        let inside = format!("[{}.", name.split([']', '\n']).next().unwrap_or_default().trim());
        let mut end = table.start;
        for line in text.split_inclusive('\n') {
            let start = line.trim_start();
            if end > table.start && start.starts_with('[') && !start.starts_with(&inside) {
                return table.start..end;
            }
            end += line.len();
        }
        table.start..end
    }

    /// How many errors there are so far.
    fn errors(&self) -> usize {
        self.found.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count()
    }

    fn whole_ms(&mut self, value: &Located<Span>, key: &str) -> Duration {
        let duration = value.get().0;
        if !duration.as_nanos().is_multiple_of(1_000_000) {
            self.error("too-fine", value.span(), format!("`{key}` is no whole number of milliseconds"), "round it");
        }
        duration
    }
}

fn resolve(raw: &RawScenario, problems: &mut Problems<'_>) -> Option<Scenario> {
    let name = raw.name.as_ref().map(|name| problems.name(name));
    if name.is_none() {
        problems.missing("name", None);
    }
    if raw.topology.is_none() {
        problems.missing("topology", None);
    }
    if raw.graph.is_none() {
        problems.missing("graph", None);
    }
    let windows = windows(raw.windows.as_ref().map(Located::get), problems);
    let traffic = traffic::traffic(raw.traffic.as_ref(), problems);
    let steady_state = steady_state(raw.steady_state.as_ref().map(Located::get), problems);
    let invariants = invariants(raw, problems);
    let faults = faults::resolve(raw, &windows, problems);
    let name = name?;
    Some(Scenario {
        title: raw.title.as_ref().map_or_else(|| name.clone(), |title| title.get().clone()),
        name,
        topology: raw.topology.as_ref()?.get().clone(),
        graph: raw.graph.as_ref()?.get().clone(),
        traffic,
        steady_state,
        windows,
        faults,
        invariants,
    })
}

fn steady_state(raw: Option<&RawSteadyState>, problems: &mut Problems<'_>) -> SteadyState {
    let none = RawSteadyState::default();
    let raw = raw.unwrap_or(&none);
    let availability = raw.availability.as_ref().map_or(Percent { ppm: 990_000 }, |share| *share.get());
    if let Some(written) = &raw.availability {
        if availability.ppm == 0 {
            let help = "every run would hold it; say what customers are promised, such as \"99%\"";
            problems.error("availability-zero", written.span(), "an availability of 0% promises nothing", help);
        } else if availability.ppm >= 1_000_000 {
            let help = "say what customers are promised, such as \"99.9%\"";
            problems.error("availability-all", written.span(), "no number of samples can show 100%", help);
        }
    }
    let latency_p99 = problems.positive(raw.latency_p99.as_ref(), "latency-p99", Duration::from_secs(1));
    SteadyState { availability, latency_p99 }
}

fn windows(raw: Option<&RawWindows>, problems: &mut Problems<'_>) -> Windows {
    let none = RawWindows::default();
    let raw = raw.unwrap_or(&none);
    let mut length =
        |value: Option<&Located<Span>>, key, default| problems.positive(value, key, Duration::from_secs(default));
    Windows {
        settle: length(raw.settle.as_ref(), "settle", 60),
        baseline: length(raw.baseline.as_ref(), "baseline", 6),
        shift: length(raw.shift.as_ref(), "shift", 3),
        recovery: length(raw.recovery.as_ref(), "recovery", 30),
        recovery_from: match raw.recovery_from.as_ref().map(|from| *from.get()) {
            Some(RawRecoveryFrom::LastHeal) => RecoveryFrom::LastHeal,
            Some(RawRecoveryFrom::EachHeal) | None => RecoveryFrom::EachHeal,
        },
        quiet: length(raw.quiet.as_ref(), "quiet", 5),
    }
}

fn invariants(raw: &RawScenario, problems: &mut Problems<'_>) -> Vec<String> {
    let Some(list) = &raw.invariants else { return judge::STANDARD.map(str::to_owned).to_vec() };
    if list.get().is_empty() {
        problems.error(
            "no-invariants",
            list.span(),
            "nothing is judged",
            "leave `invariants` out to judge the standard",
        );
    }
    let known: Vec<&str> = judge::catalogue().iter().map(|entry| entry.id).chain([judge::STANDARD_WORD]).collect();
    let mut seen = BTreeSet::new();
    for id in list.get() {
        let word = id.get().as_str();
        if !known.contains(&word) {
            let help = match nearest(&word.to_uppercase(), known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`? There are: {}", known.join(", ")),
                None => format!("there are: {}", known.join(", ")),
            };
            problems.error("unknown-invariant", id.span(), format!("no invariant `{word}`"), help);
        } else if !seen.insert(word) {
            problems.error("duplicate-invariant", id.span(), format!("`{word}` stands here twice"), "name it once");
        }
    }
    let mut all: Vec<String> = Vec::new();
    for word in list.get().iter().map(|id| id.get().as_str()) {
        let standard: &[&str] = if word == judge::STANDARD_WORD { &judge::STANDARD } else { &[word] };
        for id in standard {
            if !all.iter().any(|known| known == id) {
                all.push((*id).to_owned());
            }
        }
    }
    all
}
