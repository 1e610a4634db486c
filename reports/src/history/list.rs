//! Owns how runs are told one below the other, and how two sets of them are told beside each other: for a terminal, for
//! programs, and as a page. Refuses to choose the runs.

use super::compare::{Change, Comparison, Metric, Row};
use super::trend::{Trend, trends};
use super::{ENTRY_SCHEMA, Entry};
use crate::page::{Page, Text};
use crate::text::{clean_to, length_ms, share, width};
use scenarios::verdict::Verdict;
use serde_json::{Value, json};

/// What trends are drawn of.
const DRAWN: [Metric; 3] = [Metric::SlowestReturn, Metric::Unavailability, Metric::LostRequests];

/// Columns of a name in the terminal.
const NAME_COLUMNS: usize = 30;

const HEAD: [&str; 8] = ["run", "scenario", "world", "verdict", "slowest return", "lowest share", "lost", "label"];

const HEADS: [&str; 7] = ["figure", "before", "now", "effect", "95 % interval", "p", "change"];

/// How the figures of a comparison are to be read.
fn method(paired: bool) -> String {
    let ranks = if paired {
        "Runs of the same seed are compared with each other: signed ranks by Wilcoxon, exact."
    } else {
        "Ranks by Mann and Whitney, exact up to 60 runs."
    };
    format!(
        "{ranks} Times: ratio by Hodges and Lehmann, with the interval of the same test. Counts and shares: difference of \
         means, with a bootstrap interval. p: the chance of as much where nothing changed, one-sided, adjusted by Holm."
    )
}

/// Runs, the newest first, and how many more there are that were not asked for.
#[derive(Debug, Clone, Copy)]
pub struct Listing<'a> {
    /// The runs, the newest first.
    pub runs: &'a [Entry],
    /// Runs that fit the filter and are left off.
    pub left_off: usize,
}

impl Listing<'_> {
    /// For a terminal.
    pub fn text(&self) -> String {
        if self.runs.is_empty() {
            return "no run fits; `blackstart history` without a filter lists all, `--rebuild` reads the runs' folders again\n".to_owned();
        }
        let mut rows: Vec<Vec<String>> = vec![HEAD.iter().map(|name| (*name).to_owned()).collect()];
        rows.extend(self.runs.iter().map(cells));
        let mut out = aligned(&rows);
        if self.left_off > 0 {
            out.push_str(&format!("and {} older; --limit N shows more\n", self.left_off));
        }
        for trend in trends(self.runs).iter().filter(|trend| trend.runs.len() > 1) {
            out.push_str(&plots(trend));
        }
        out
    }

    /// For programs, as JSON.
    pub fn json(&self) -> String {
        let runs: Vec<Value> = self.runs.iter().map(for_programs).collect();
        crate::text::json(&json!({ "schema": ENTRY_SCHEMA, "runs": runs, "left_off": self.left_off }))
    }

    /// As a page with plots.
    pub fn page(&self) -> Page {
        let mut page = Page::new("Game days");
        let count = |wanted: Verdict| self.runs.iter().filter(|run| run.verdict == wanted).count();
        page.say(format!(
            "{} runs: {} held, {} violated, {} inconclusive.",
            self.runs.len(),
            count(Verdict::Held),
            count(Verdict::Violated),
            count(Verdict::Inconclusive) + count(Verdict::NotJudged)
        ));
        if self.left_off > 0 {
            page.say(format!("{} older runs fit and are left off.", self.left_off));
        }
        draw(&mut page, &trends(self.runs));
        page.heading("Runs");
        page.table(&HEAD, self.runs.iter().map(row).collect(), "No run fits.");
        page
    }
}

/// Plots of several scenarios as parts of a page.
pub(crate) fn draw(page: &mut Page, trends: &[Trend<'_>]) {
    if trends.iter().any(|trend| trend.runs.len() > 1) {
        page.heading("Trends");
    }
    for trend in trends.iter().filter(|trend| trend.runs.len() > 1) {
        page.subheading(Text::new().code(trend.scenario).plain(" in ").code(trend.world));
        // What never changed is told by the list.
        let drawn = DRAWN.into_iter().enumerate().filter(|(position, metric)| *position == 0 || trend.varies(*metric));
        for (position, metric) in drawn {
            let line = format!("{}  {} ({})", trend.line(metric), metric.title(), trend.told(metric));
            let verdicts = format!("{}  verdicts: held, violated, ?", trend.verdicts());
            let text = if position == 0 { format!("{verdicts}\n{line}") } else { line };
            page.picture(text, trend.svg(metric));
        }
    }
}

/// What programs get of a run: not whom each fault met, which the record tells.
fn for_programs(entry: &Entry) -> Value {
    let mut value = serde_json::to_value(entry).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        for name in ["hits", "harmed", "gone", "shapes", "returns_ms"] {
            fields.remove(name);
        }
    }
    value
}

fn cells(run: &Entry) -> Vec<String> {
    let figures = &run.figures;
    let back = match figures.slowest_ms {
        _ if figures.never_back > 0 => format!("{} never", figures.never_back),
        Some(ms) => length_ms(ms),
        None => "–".to_owned(),
    };
    let writes = if figures.lost_writes > 0 { format!(", {} writes", figures.lost_writes) } else { String::new() };
    vec![
        clean_to(&run.run, NAME_COLUMNS),
        clean_to(&run.scenario, NAME_COLUMNS),
        clean_to(&run.world, 12),
        run.verdict.word().to_owned(),
        back,
        share(figures.lowest_share),
        format!("{} of {}{writes}", figures.lost, figures.sent),
        clean_to(run.label.as_deref().unwrap_or_default(), NAME_COLUMNS),
    ]
}

/// A run as a row of a page.
pub(crate) fn row(run: &Entry) -> Vec<Text> {
    let mut row: Vec<Text> = cells(run).into_iter().map(Text::from).collect();
    row[0] = Text::new().code(run.run.clone());
    row[1] = Text::new().code(run.scenario.clone());
    row[3] = mark(run.verdict);
    row
}

/// A verdict in its colour.
pub(crate) fn mark(verdict: Verdict) -> Text {
    let state = match verdict {
        Verdict::Held => "held",
        Verdict::Violated => "violated",
        Verdict::Inconclusive => "inconclusive",
        Verdict::NotJudged => "never",
    };
    Text::new().mark(state, verdict.word())
}

/// Columns as wide as they need to be, two blanks between them.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let wide = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0);
    let wides: Vec<usize> = (0..columns).map(wide).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, wide) in row.iter().zip(&wides) {
            line.push_str(cell);
            line.push_str(&" ".repeat(wide.saturating_sub(width(cell)) + 2));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn plots(trend: &Trend<'_>) -> String {
    let (scenario, world) = (clean_to(trend.scenario, NAME_COLUMNS), clean_to(trend.world, 12));
    let mut out = format!("\n{scenario} in {world}, the oldest first; the higher the worse\n");
    out.push_str(&format!("  {}  verdicts\n", trend.verdicts()));
    for metric in DRAWN {
        out.push_str(&format!("  {}  {}: {}\n", trend.line(metric), metric.title(), trend.told(metric)));
    }
    out
}

impl Comparison {
    /// For programs, as JSON.
    pub fn json(&self) -> String {
        crate::text::json(&json!({ "schema": ENTRY_SCHEMA, "sentence": self.sentence(), "comparison": self }))
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let names = |runs: &[String]| {
            let shown: Vec<String> = runs.iter().take(3).map(|run| clean_to(run, NAME_COLUMNS)).collect();
            let more = runs.len().saturating_sub(3);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{} ({}{more})", crate::text::count(runs.len(), "run"), shown.join(", "))
        };
        let mut out =
            format!("{}\n\nbefore: {}\nnow:    {}\n", self.sentence(), names(&self.before), names(&self.after));
        if !self.left_out.is_empty() {
            out.push_str(&format!("not counted, because inconclusive: {}\n", names(&self.left_out)));
        }
        out.push('\n');
        let mut rows: Vec<Vec<String>> = vec![HEADS.iter().map(|name| (*name).to_owned()).collect()];
        rows.extend(self.rows.iter().filter(|row| row.change != Change::Absent).map(of_row));
        out.push_str(&aligned(&rows));
        out.push_str(&format!("\n{}\n", method(self.paired)));
        out
    }

    /// As a page.
    pub fn page(&self) -> Page {
        let mut page = Page::new("Newer runs compared with older ones");
        page.say(Text::new().strong(self.sentence()));
        let rows = self.rows.iter().filter(|row| row.change != Change::Absent);
        let cells = |row: &Row| of_row(row).into_iter().map(Text::from).collect();
        page.table(&HEADS, rows.map(cells).collect(), "There is nothing to compare.");
        page.say(method(self.paired));
        for (name, runs) in [("Before", &self.before), ("Now", &self.after), ("Not counted", &self.left_out)] {
            if !runs.is_empty() {
                page.say(Text::new().plain(format!("{name}: ")).codes(runs));
            }
        }
        page
    }

    /// The result in one sentence.
    pub fn sentence(&self) -> String {
        let worse: Vec<String> = self.rows.iter().filter(|row| row.change == Change::Worse).map(told).collect();
        match self.outcome {
            Change::Worse => format!("REGRESSION: {}", worse.join("; ")),
            Change::TooFew => format!(
                "too few runs to tell: {} against {}; ten of each, with the same seeds on both sides, tell a return that is 30 % slower",
                self.after.len(),
                self.before.len()
            ),
            Change::Better => {
                let better: Vec<String> =
                    self.rows.iter().filter(|row| row.change == Change::Better).map(told).collect();
                format!("no regression; better: {}", better.join("; "))
            }
            _ => "no regression".to_owned(),
        }
    }
}

fn told(row: &Row) -> String {
    let (effect, interval) = effect(row);
    format!("{} {effect} ({interval})", row.metric.title())
}

/// The effect and its interval in the figure's unit.
fn effect(row: &Row) -> (String, String) {
    let Some(effect) = row.effect else { return ("–".to_owned(), "–".to_owned()) };
    let shown = |value: f64| match row.metric {
        Metric::SlowestReturn | Metric::TypicalReturn if value.is_infinite() => "∞".to_owned(),
        Metric::SlowestReturn | Metric::TypicalReturn => format!("× {value:.2}"),
        Metric::Unavailability | Metric::LostRequests => format!("{:+.3} points", value * 100.0),
        Metric::Violated => format!("{:+.0} points", value * 100.0),
        Metric::LostWrites => format!("{value:+.1}"),
    };
    // So few runs bound nothing.
    if row.change == Change::TooFew {
        return (shown(effect.estimate), "–".to_owned());
    }
    (shown(effect.estimate), format!("{} to {}", shown(effect.low), shown(effect.high)))
}

fn of_row(row: &Row) -> Vec<String> {
    let middle = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| row.metric.shown(value));
    let (effect, interval) = match row.change {
        Change::Constant => ("–".to_owned(), "–".to_owned()),
        _ => effect(row),
    };
    let p = match row.change {
        Change::Constant => "–".to_owned(),
        _ if row.p < 0.0001 => "< 0.0001".to_owned(),
        _ => format!("{:.4}", row.p),
    };
    let change = row.change.words().to_owned();
    vec![row.metric.title().to_owned(), middle(row.before), middle(row.after), effect, interval, p, change]
}
