//! Owns the table at the end of a run, which a person reads in ten seconds: at most 100 columns, verdict first.
//! Refuses to know where files are and whether a terminal has colours.

use crate::operations::{self, PHASES};
use crate::record::Record;
use crate::text::{clean_to, count, hang, length_ms, list, share, width, wrap};
use scenarios::event::EventId;
use scenarios::judgement::{Finding, InvariantResult, Reason};
use scenarios::verdict::Verdict;

/// Columns of the table.
pub const COLUMNS: usize = 100;

/// Rows of a list that nobody reads to its end; the record has all of them.
const ROWS_MAX: usize = 8;

/// Columns that the name of an operation may take.
const OPERATION_COLUMNS: usize = 40;

/// The table; each line ends with a newline.
pub fn render(record: &Record, color: bool) -> String {
    let mut sheet = Sheet { out: String::new(), color };
    head(record, &mut sheet);
    invariants(&record.invariants, &mut sheet);
    findings(&record.findings, &mut sheet);
    measured(record, &mut sheet);
    availability(record, &mut sheet);
    caveats(&record.caveats, &mut sheet);
    residue(record, &mut sheet);
    sheet.title("REPLAY");
    sheet.hang("  ", &record.replay);
    sheet.out
}

/// ANSI colours by meaning.
#[derive(Clone, Copy)]
pub(crate) enum Style {
    Good,
    Bad,
    Doubt,
    Faint,
    Title,
}

impl Style {
    pub(crate) fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Held => Self::Good,
            Verdict::Violated => Self::Bad,
            Verdict::Inconclusive => Self::Doubt,
            Verdict::NotJudged => Self::Faint,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Bad => "1;31",
            Self::Doubt => "33",
            Self::Faint => "2",
            Self::Title => "1",
        }
    }
}

/// Finished lines. Layout is done on plain text; colour goes around a piece of it and never moves a column.
pub(crate) struct Sheet {
    pub(crate) out: String,
    pub(crate) color: bool,
}

impl Sheet {
    pub(crate) fn styled(&self, style: Style, text: &str) -> String {
        if self.color { format!("\u{1b}[{}m{text}\u{1b}[0m", style.code()) } else { text.to_owned() }
    }

    pub(crate) fn title(&mut self, text: &str) {
        let title = self.styled(Style::Title, text);
        self.out.push_str(&format!("\n{title}\n"));
    }

    /// A paragraph with a hanging indent.
    pub(crate) fn hang(&mut self, first: &str, text: &str) {
        self.out.push_str(&hang(first, text, COLUMNS));
    }

    /// A paragraph whose first `piece` is coloured.
    pub(crate) fn hang_styled(&mut self, first: &str, text: &str, piece: &str, style: Style) {
        let laid = hang(first, text, COLUMNS);
        self.out.push_str(&laid.replacen(piece, &self.styled(style, piece), 1));
    }

    /// What a list does not show.
    fn more(&mut self, all: usize) {
        if all > ROWS_MAX {
            self.hang("  ", &format!("and {} more in record.json", all - ROWS_MAX));
        }
    }
}

fn head(record: &Record, sheet: &mut Sheet) {
    let verdict = record.verdict.word().to_uppercase();
    let line = format!("{} run {}", clean_to(&record.scenario, 40), clean_to(&record.run, 40));
    sheet.hang_styled(&format!("{verdict}  "), &line, &verdict, Style::of(record.verdict));
    sheet.hang("  ", &clean_to(&record.title, 200));
    let region = format!("{} on {}", clean_to(&record.graph, 40), clean_to(&record.topology, 40));
    sheet.hang("  ", &format!("{region}, world {}, seed {}", clean_to(&record.world, 20), record.seed));
    for reason in record.inconclusive.iter().take(ROWS_MAX) {
        sheet.hang_styled("  inconclusive: ", &sentence(reason), "inconclusive:", Style::Doubt);
    }
    sheet.more(record.inconclusive.len());
}

fn sentence(reason: &Reason) -> String {
    format!("{} ({}){}", reason.text, reason.code, evidence(&reason.evidence))
}

fn invariants(results: &[InvariantResult], sheet: &mut Sheet) {
    sheet.title("INVARIANTS");
    let widest = results.iter().map(|result| width(&clean_to(&result.id, 10))).max().unwrap_or(0);
    for result in results {
        let id = clean_to(&result.id, 10);
        let pad = " ".repeat(widest - width(&id));
        let word = result.verdict.word();
        let aspect = result.aspect.as_ref().map_or_else(String::new, |aspect| format!("({}) ", clean_to(aspect, 40)));
        let first = format!("  {id}{pad}  {word:<12}  ");
        let laid = hang(&first, &format!("{aspect}{}", clean_to(&result.reason, 240)), COLUMNS);
        // The word is looked for behind the id, which might contain it.
        let (before, after) = laid.split_at(laid.len().min(2 + id.len() + pad.len()));
        let after = after.replacen(word, &sheet.styled(Style::of(result.verdict), word), 1);
        sheet.out.push_str(&format!("{before}{after}"));
    }
}

fn findings(findings: &[Finding], sheet: &mut Sheet) {
    if findings.is_empty() {
        return;
    }
    sheet.title("FINDINGS");
    for (index, finding) in findings.iter().take(ROWS_MAX).enumerate() {
        let first = format!("  {}. {} ", index + 1, clean_to(&finding.invariant, 10));
        let culprit = culprit(finding);
        sheet.hang_styled(&first, &culprit, finding.service.as_str(), Style::Bad);
        let indent = " ".repeat(5);
        sheet.hang(&indent, &finding.text);
        if let Some(setting) = &finding.setting {
            sheet.hang(&format!("{indent}setting: "), setting);
        }
        if !finding.affected.is_empty() {
            sheet.hang(&format!("{indent}held back: "), &list(&finding.affected));
        }
        chain(finding, &indent, sheet);
    }
    sheet.more(findings.len());
}

/// The culprit in one line.
fn culprit(finding: &Finding) -> String {
    let leans = finding.dependency.as_ref().map_or_else(String::new, |on| format!(" leans on {on}"));
    let sure = if finding.confirmed { "confirmed" } else { "suspected" };
    let known = if finding.known { ", known gap" } else { "" };
    let follows = finding
        .consequence_of
        .as_ref()
        .map_or_else(String::new, |other| format!(", follows from {}", clean_to(other, 10)));
    format!("{}{leans} (team {}; {sure}{known}{follows})", finding.service, finding.team)
}

/// From the customer's harm down to the cause, each step one column pair further in.
fn chain(finding: &Finding, indent: &str, sheet: &mut Sheet) {
    for (depth, link) in finding.chain.iter().take(ROWS_MAX).enumerate() {
        let step = "  ".repeat(depth);
        let text = format!(
            "{} waiting for {}: {}, since {}{}",
            clean_to(&link.who, 80),
            clean_to(&link.waits_for, 80),
            clean_to(&link.how, 80),
            crate::text::moment(link.since_ns),
            evidence(&link.evidence)
        );
        sheet.hang(&format!("{indent}{step}└ "), &text);
    }
    sheet.more(finding.chain.len());
}

/// ` [e17, e18]`
fn evidence(ids: &[EventId]) -> String {
    if ids.is_empty() { String::new() } else { format!(" [{}]", list(ids)) }
}

fn measured(record: &Record, sheet: &mut Sheet) {
    let figures = &record.measurements;
    let none = || "not measured".to_owned();
    sheet.title("MEASURED");
    let method = figures.power_off_method.as_deref().map_or_else(none, |method| clean_to(method, 60));
    let off = figures.power_off_skew_ms.map_or_else(none, length_ms);
    let on = figures.power_on_skew_ms.map_or_else(none, length_ms);
    let slowest = figures.restart_to_active_ms_by_instance.iter().max_by(|a, b| a.1.total_cmp(b.1));
    let slowest = slowest.map_or_else(String::new, |(name, _)| format!(" ({})", clean_to(name.as_str(), 40)));
    let restart = figures.restart_to_active_ms.map_or_else(none, |ms| format!("{} at most{slowest}", length_ms(ms)));
    let writes = format!("{} acknowledged, {} lost", figures.acknowledged_writes, figures.lost_acknowledged_writes);
    let overhead = format!("{:.1} s of {:.1} s", figures.overhead_s, figures.total_s);
    let rows = [
        ("power-off", format!("by {method}, first to last death {off}")),
        ("power-on", format!("first to last gate {on}")),
        ("restart to active", restart),
        ("writes", writes),
        ("interventions", figures.interventions.to_string()),
        ("overhead", overhead),
    ];
    for (label, value) in rows {
        let bad = (label == "writes" && figures.lost_acknowledged_writes > 0)
            || (label == "interventions" && figures.interventions > 0);
        let first = format!("  {label:<18}  ");
        if bad { sheet.hang_styled(&first, &value, &value, Style::Bad) } else { sheet.hang(&first, &value) }
    }
}

fn availability(record: &Record, sheet: &mut Sheet) {
    let zones = &record.measurements.availability;
    if zones.is_empty() {
        return;
    }
    sheet.title("AVAILABILITY");
    let named = |operation: &str| {
        let lines = wrap(&clean_to(operation, OPERATION_COLUMNS), OPERATION_COLUMNS);
        format!("  {}", lines.first().map_or("", String::as_str))
    };
    let operations = zones.values().flat_map(operations::names).map(|operation| width(&named(operation)));
    let widest = zones.keys().map(|zone| width(zone.as_str())).chain(operations).max().unwrap_or(0).max("zone".len());
    let mut row = |name: &str, cell: &dyn Fn(&str) -> String| {
        let cells: Vec<String> = PHASES.iter().map(|phase| format!("{:>10}", cell(phase))).collect();
        let pad = " ".repeat(widest - width(name));
        sheet.out.push_str(&format!("  {name}{pad}{}\n", cells.concat()));
    };
    row("zone", &str::to_owned);
    for (zone, phases) in zones {
        row(zone.as_str(), &|phase| share(phases.get(phase).and_then(|figures| figures.share)));
        for operation in operations::names(phases) {
            let asked = |phase: &str| phases.get(phase)?.operations.get(operation);
            row(&named(operation), &|phase| share(asked(phase).and_then(operations::answered)));
        }
    }
    attempts(record, sheet);
}

/// How often customers tried, where they tried anything again.
fn attempts(record: &Record, sheet: &mut Sheet) {
    let tried = operations::tried(record);
    let sum = |of: fn(&operations::Tried<'_>) -> u64| tried.iter().map(of).fold(0, u64::saturating_add);
    let (requests, attempts) = (sum(|row| row.requests), sum(|row| row.attempts));
    let Some(worst) = tried.iter().max_by(|a, b| a.times.total_cmp(&b.times)) else { return };
    let text = format!(
        "{attempts} for {requests} requests; at most {:.2} for each, in {} during {}",
        worst.times,
        worst.zone,
        clean_to(worst.phase, 20)
    );
    sheet.hang("  attempts: ", &text);
}

fn caveats(caveats: &[Reason], sheet: &mut Sheet) {
    if caveats.is_empty() {
        return;
    }
    sheet.title("CAVEATS");
    for caveat in caveats.iter().take(ROWS_MAX) {
        sheet.hang("  - ", &sentence(caveat));
    }
    sheet.more(caveats.len());
}

fn residue(record: &Record, sheet: &mut Sheet) {
    if record.residue.is_empty() {
        return;
    }
    sheet.title(&format!("LEFT BEHIND: {}", count(record.residue.len(), "object")));
    for row in record.residue.iter().take(ROWS_MAX) {
        sheet.hang("  - ", &format!("{} {}", clean_to(&row.object, 40), clean_to(&row.name, 200)));
    }
    sheet.more(record.residue.len());
}
