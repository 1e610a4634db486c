//! Owns how a figure is drawn over runs, the oldest first: one line of text, and a small picture. Refuses to smooth, and
//! to hide a run that has no figure.

use super::Entry;
use super::compare::Metric;
use crate::text::html;
use scenarios::verdict::Verdict;

/// Runs of a plot at most: the newest.
pub const RUNS_MAX: usize = 60;

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Runs of one scenario in one world, the oldest first.
#[derive(Debug, Clone)]
pub struct Trend<'a> {
    /// The scenario.
    pub scenario: &'a str,
    /// The world.
    pub world: &'a str,
    /// The runs.
    pub runs: Vec<&'a Entry>,
}

/// Runs by scenario and world.
pub fn trends(entries: &[Entry]) -> Vec<Trend<'_>> {
    let mut trends: Vec<Trend<'_>> = Vec::new();
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by(|a, b| a.run.cmp(&b.run));
    for run in sorted {
        match trends.iter_mut().find(|trend| trend.scenario == run.scenario && trend.world == run.world) {
            Some(trend) => trend.runs.push(run),
            None => trends.push(Trend { scenario: &run.scenario, world: &run.world, runs: vec![run] }),
        }
    }
    for trend in &mut trends {
        let old = trend.runs.len().saturating_sub(RUNS_MAX);
        trend.runs.drain(..old);
    }
    trends.sort_by(|a, b| (a.scenario, a.world).cmp(&(b.scenario, b.world)));
    trends
}

/// The letter of a verdict.
pub(crate) fn letter(verdict: Verdict) -> char {
    match verdict {
        Verdict::Held => 'H',
        Verdict::Violated => 'V',
        Verdict::Inconclusive => '?',
        Verdict::NotJudged => '-',
    }
}

impl Trend<'_> {
    /// Verdicts, a letter a run.
    pub fn verdicts(&self) -> String {
        self.runs.iter().map(|run| letter(run.verdict)).collect()
    }

    fn values(&self, metric: Metric) -> Vec<Option<f64>> {
        self.runs.iter().map(|run| metric.of(run).filter(|value| value.is_finite())).collect()
    }

    /// From the least to the most figure that there is; `None` where there is none.
    fn range(&self, metric: Metric) -> Option<(f64, f64)> {
        let values = self.values(metric);
        let finite = || values.iter().flatten().copied();
        Some((finite().reduce(f64::min)?, finite().reduce(f64::max)?))
    }

    /// Whether the figure is another in some run.
    pub fn varies(&self, metric: Metric) -> bool {
        let values = || self.runs.iter().map(|run| metric.of(run));
        values().any(|value| Some(value) != values().next())
    }

    /// A character a run: the higher the worse; `·` has no figure, `∞` never came back.
    pub fn line(&self, metric: Metric) -> String {
        let range = self.range(metric);
        let level = |run: &&Entry| match (metric.of(run), range) {
            (Some(value), _) if value.is_infinite() => '∞',
            (Some(value), Some((low, high))) if high > low => {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 7")]
                let at = ((value - low) / (high - low) * 7.0).round() as usize;
                LEVELS[at.min(7)]
            }
            (Some(_), Some(_)) => LEVELS[0],
            _ => '·',
        };
        self.runs.iter().map(level).collect()
    }

    /// What the line goes from and to, in its unit.
    pub fn told(&self, metric: Metric) -> String {
        match self.range(metric) {
            Some((low, high)) if high > low => format!("{} to {}", metric.shown(low), metric.shown(high)),
            Some((low, _)) => metric.shown(low),
            None => "not measured".to_owned(),
        }
    }

    /// The same as a picture: a line through the figures, and a dot for each run in the colour of its verdict.
    pub fn svg(&self, metric: Metric) -> String {
        const WIDE: f64 = 560.0;
        const HIGH: f64 = 64.0;
        const TOP: f64 = 18.0;
        let (low, high) = self.range(metric).unwrap_or((0.0, 0.0));
        let count = self.runs.len().max(2) as f64 - 1.0;
        let x = |at: usize| 8.0 + at as f64 / count * (WIDE - 16.0);
        let y = |value: f64| {
            let share = if high > low { (value - low) / (high - low) } else { 0.0 };
            TOP + (1.0 - share) * (HIGH - 12.0)
        };
        let title = format!("{} of {} in {}: {}", metric.title(), self.scenario, self.world, self.told(metric));
        let (wide, tall) = (WIDE, HIGH + TOP);
        let mut out = format!(
            "<svg role=\"img\" viewBox=\"0 0 {wide:.0} {tall:.0}\" width=\"{wide:.0}\" height=\"{tall:.0}\" aria-label=\"{0}\"><text x=\"8\" y=\"11\">{0}</text>",
            html(&title)
        );
        let base = TOP + HIGH - 8.0;
        out.push_str(&format!("<path class=\"base\" d=\"M8 {base:.1}H{:.1}\"/>", wide - 8.0));
        let points: Vec<(usize, f64)> =
            self.values(metric).into_iter().enumerate().filter_map(|(at, value)| Some((at, value?))).collect();
        let path: Vec<String> = points.iter().map(|(at, value)| format!("{:.1} {:.1}", x(*at), y(*value))).collect();
        if path.len() > 1 {
            out.push_str(&format!("<path class=\"line\" d=\"M{}\"/>", path.join("L")));
        }
        for (at, run) in self.runs.iter().enumerate() {
            let class = match run.verdict {
                Verdict::Held => "held",
                Verdict::Violated => "violated",
                Verdict::Inconclusive | Verdict::NotJudged => "inconclusive",
            };
            let value = points.iter().find(|(other, _)| *other == at).map(|(_, value)| *value);
            let told = value.map_or_else(|| "not measured".to_owned(), |value| metric.shown(value));
            let (x, y) = (x(at), value.map_or(base, y));
            out.push_str(&format!(
                "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"><title>{}: {}, {told}</title></circle>",
                html(&run.run),
                run.verdict.word()
            ));
        }
        out.push_str("</svg>");
        out
    }
}
