//! Owns the table at the end of a trial: verdicts first, then whom the image tried to reach. Refuses to know where files
//! are and whether a terminal has colours.

use super::TrialRecord;
use crate::table::{COLUMNS, Sheet, Style};
use crate::text::{clean_to, hang};
use scenarios::trial::edges::{Edge, Hardness};
use scenarios::trial::seconds;
use scenarios::verdict::Verdict;

/// The table; each line ends with a newline.
pub fn render(record: &TrialRecord, color: bool) -> String {
    let mut sheet = Sheet { out: String::new(), color };
    let verdict = record.verdict.word().to_uppercase();
    let line = format!("{} on trial, {}", clean_to(&record.image, 60), clean_to(&record.run, 40));
    sheet.hang_styled(&format!("{verdict}  "), &line, &verdict, Style::of(record.verdict));
    let runs = record.experiments.len();
    sheet.hang("  ", &format!("started {runs} times, each time sealed off, in {}", seconds(record.took_ms)));
    sheet.title("INVARIANTS");
    for judged in &record.invariants {
        let word = judged.verdict.word();
        let laid = hang(&format!("  {}  {word:<12}  ", judged.id), &clean_to(&judged.reason, 400), COLUMNS);
        sheet.out += &laid.replacen(word, &sheet.styled(Style::of(judged.verdict), word), 1);
    }
    edges(&record.edges, &mut sheet);
    if !record.caveats.is_empty() {
        sheet.title("CAVEATS");
        record.caveats.iter().for_each(|text| sheet.hang("  ", &clean_to(text, 400)));
    }
    if !record.residue.is_empty() {
        sheet.title("STILL THERE");
        record.residue.iter().for_each(|text| sheet.hang("  ", &clean_to(text, 200)));
    }
    sheet.out
}

fn edges(edges: &[Edge], sheet: &mut Sheet) {
    sheet.title("DEPENDENCIES");
    if edges.is_empty() {
        sheet.hang("  ", "it tried to reach nobody");
    }
    for edge in edges {
        let ports = if edge.ports.is_empty() { "name only".to_owned() } else { edge.ports.join(", ") };
        let when = if edge.at_start { "at start" } else { "later" };
        let kind = match (edge.allowed, edge.telemetry) {
            (true, _) => ", allowed",
            (false, true) => ", telemetry",
            (false, false) => "",
        };
        let hard = edge.hardness.told();
        let name = clean_to(&edge.name, 60);
        let first = format!("  {hard:<13} ");
        let text = format!("{name} ({ports}; tried {when}{kind}): {}", clean_to(&edge.reason, 240));
        let style = match edge.hardness {
            Hardness::HardAtStart => Style::of(Verdict::Violated),
            Hardness::HardAtCall => Style::of(Verdict::Inconclusive),
            Hardness::Soft => Style::of(Verdict::Held),
            Hardness::NotMeasured => Style::of(Verdict::NotJudged),
        };
        sheet.hang_styled(&first, &text, hard, style);
    }
}
